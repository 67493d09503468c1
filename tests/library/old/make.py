"""Libraries as the present code writes them, kept so that later code must be able to read them.

Before a change of the schema (a new entry in ``MIGRATIONS``), of the bundles or of what identifies
a video, run the code that is about to change:

    python tests/library/old/make.py

It makes the folder ``vN`` beside this file, N being the format that the code writes, and refuses
to touch one that is there. ``test_old.py`` opens, searches and indexes every such folder. In each
are ``made.json``, what searches answered then, and ``made.tar.xz``:

* ``videos/``: three sound videos of a few KB, one that is read in part, one that cannot be read;
* ``mini/library.db``: these indexed by the shipped encoder;
* ``tuned/library.db``, ``models/tuned/``: indexed by a fine-tuned head over a CLIP of toy size.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1] / "media"))
QUERIES = ("a red square", "a cat on a sofa", "numbers in a grid")
TINY: dict[str, Any] = {
    "embed_dim": 16,
    "quick_gelu": True,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 64, "patch_size": 16},
    "text_cfg": {
        "context_length": 77, "vocab_size": 49408, "width": 16, "heads": 1, "layers": 1,
    },
}  # fmt: skip


def main() -> None:
    """Make the folder of the present format."""
    from c2v.library.sqlite.schema import MIGRATIONS

    target = HERE / f"v{len(MIGRATIONS)}"
    if target.exists():
        raise SystemExit(f"{target} is there; what was written then must stay as it was")
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch) / "home"
        os.environ["C2V_HOME"] = str(home)
        videos = Path(scratch) / "videos"
        make_videos(videos)
        make_tiny_clip()
        tune(Path(scratch))
        target.mkdir()
        made = {}
        with tarfile.open(target / "made.tar.xz", "w:xz") as archive:
            archive.add(videos, "videos", filter=anonymous)
            archive.add(home / "data" / "models" / "tuned", "models/tuned", filter=anonymous)
            for model in ("mini", "tuned"):
                library = Path(scratch) / model
                c2v("index", videos, "-L", library, "--model", model, codes=(4,))
                made[model] = {query: search(library, query) for query in QUERIES}
                archive.add(library / "library.db", f"{model}/library.db", filter=anonymous)
        (target / "made.json").write_text(json.dumps(made, indent=1) + "\n")


def make_videos(folder: Path) -> None:
    """Five small files."""
    from make_videos import make_video, overwrite

    folder.mkdir()
    for number, count in enumerate((10, 15, 20)):
        make_video(folder / f"{number}.mp4", count=count, rate=5, size=(96, 64))
    partly = make_video(folder / "partly.mp4", count=40, rate=5, size=(96, 64))
    overwrite(partly, first=0.35, last=0.5)
    (folder / "broken.mp4").write_text("this is not a video, it only has its name\n")


def make_tiny_clip() -> None:
    """A CLIP whose weights are coarse, so that they pack well, among the user's models."""
    import open_clip
    import torch

    from c2v.encoder.clip_bundle import ClipSource, write_clip_bundle
    from c2v.encoder.registry import bundle_folder

    torch.manual_seed(0)
    clip = open_clip.CLIP(TINY["embed_dim"], TINY["vision_cfg"], TINY["text_cfg"], quick_gelu=True)
    state = {key: (value.detach() * 32).round() / 32 for key, value in clip.state_dict().items()}
    words = state["token_embedding.weight"]
    state["token_embedding.weight"] = torch.eye(16)[torch.arange(len(words)) % 16] / 4
    source = ClipSource(state=state, model=TINY, source="made for a test")
    write_clip_bundle(bundle_folder("tiny"), name="tiny", clip=source)


def tune(scratch: Path) -> None:
    """Fine-tune a head, as ``c2v finetune`` does it, into the model ``tuned``."""
    from make_videos import make_video

    data = scratch / "captions.csv"
    with data.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("video", "caption"))
        for number in range(16):
            name = f"{number}-training.mp4"
            size = (64 + 8 * (number % 4), 48 + 8 * (number // 4))
            make_video(scratch / name, count=3 + number, rate=1 + number % 5, size=size)
            rows.writerow((name, f"number {number}"))
    c2v("finetune", "--data", data, "--name", "tuned", "--model", "tiny", "--head", "meanP",
        "--epochs", "30", "--patience", "30", "--learning-rate", "0.02", "--validation", "0.6",
        "-L", scratch / "trained")  # fmt: skip


def search(library: Path, query: str) -> list[dict[str, Any]]:
    """File names and scores of a search."""
    found = json.loads(c2v("search", query, "-L", library, "--format", "json", codes=(0, 5)))[
        "results"
    ]
    return [{"name": Path(row["path"]).name, "score": row["score"], "best": row["best"]}
            for row in found]  # fmt: skip


def c2v(*arguments: str | Path, codes: tuple[int, ...] = (0,)) -> str:
    """Run the command, which ends with one of these codes."""
    command = [sys.executable, "-m", "c2v", *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode not in codes:
        raise SystemExit(f"{command} ended with {done.returncode}")
    return done.stdout


def anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """Whose files they were on this machine is of no use."""
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry


if __name__ == "__main__":
    main()
