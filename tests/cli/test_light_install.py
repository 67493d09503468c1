"""The light install, as a newcomer gets it: in an environment of its own, without the extras."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = ("torch", "torchvision", "open_clip", "hnswlib", "decord", "PIL", "scipy")
MOST_BYTES = 500e6

pytestmark = pytest.mark.timeout(900)


def run(*command: str | Path, code: int | None = 0, **environment: str) -> Any:
    """A process that sees nothing of this checkout but what is installed where it runs."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, timeout=600, check=False,
        stdin=subprocess.DEVNULL, cwd=environment.pop("cwd", "/"), env=kept | environment,
    )  # fmt: skip
    assert code is None or done.returncode == code, (done.args, done.stdout, done.stderr)
    return done


class Light:
    """An environment with c2v in it, and the command of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        scripts = folder / ("Scripts" if os.name == "nt" else "bin")
        self.python = scripts / "python"
        self.command = scripts / "c2v"

    def c2v(self, *arguments: str | Path, **options: Any) -> Any:
        return run(self.command, *arguments, **{"HF_HUB_OFFLINE": "1"} | options)

    def execute(self, code: str, *arguments: str | Path, **options: Any) -> Any:
        return run(self.python, "-c", code, *arguments, **{"HF_HUB_OFFLINE": "1"} | options)


@pytest.fixture(scope="module")
def light(tmp_path_factory: pytest.TempPathFactory) -> Light:
    """What ``pip install .`` gives on this Python."""
    made = Light(tmp_path_factory.mktemp("light") / "env")
    run(sys.executable, "-m", "venv", made.folder)
    pip = (made.python, "-m", "pip", "--disable-pip-version-check", "--quiet")
    asked = run(*pip, "install", "--dry-run", "--no-deps", "pathspec", code=None)
    if asked.returncode != 0:
        pytest.skip(f"no package index can be reached: {asked.stderr.strip().splitlines()[-1]}")
    run(*pip, "install", ROOT)
    return made


@pytest.fixture(scope="module")
def library(light: Light, demo_videos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The videos of the demo, indexed by the light c2v."""
    folder = tmp_path_factory.mktemp("light-library") / "library"
    done = light.c2v("index", demo_videos, "-L", folder, "--model", "mini", "--format", "json")
    assert json.loads(done.stdout)["added"] == 16
    return folder


def test_it_is_small_and_holds_nothing_heavy(light: Light) -> None:
    code = """
import sys
from importlib.util import find_spec
print(*[name for name in sys.argv[1:] if find_spec(name)])
"""
    assert light.execute(code, *HEAVY).stdout.split() == []
    files = (path.lstat() for path in light.folder.rglob("*"))
    assert sum(getattr(status, "st_blocks", 0) * 512 for status in files) <= MOST_BYTES


def test_search_describe_and_evaluate(
    light: Light, library: Path, demo_videos: Path, tmp_path: Path
) -> None:
    found = json.loads(
        light.c2v("search", "a motorcycle", "-L", library, "--format", "json").stdout
    )
    assert Path(found["results"][0]["path"]).name == "garage.mp4"
    assert found["strategy"] == "exact"
    clip = demo_videos / "crossing.mp4"
    found = json.loads(light.c2v("search", "--video", clip, "-L", library, "-f", "json").stdout)
    assert Path(found["results"][0]["path"]).name == "crossing.mp4"
    labels = tmp_path / "labels.txt"
    labels.write_text("a rocket launch\na motorcycle in a garage\n", encoding="utf-8")
    ranked = light.c2v(
        "describe", demo_videos / "garage.mp4", "--labels", labels, "-m", "mini", "-f", "json"
    )
    assert json.loads(ranked.stdout)["results"][0]["label"] == "a motorcycle in a garage"
    captions = tmp_path / "captions.csv"
    rows = {
        "garage": "a motorcycle",
        "photographer": "a man with a camera",
        "departure": "a rocket",
    }
    lines = [f"{demo_videos / name}.mp4,{text}" for name, text in rows.items()]
    captions.write_text("video,caption\n" + "\n".join(lines) + "\n", encoding="utf-8")
    figures = json.loads(
        light.c2v("evaluate", "--data", captions, "-L", library, "--format", "json").stdout
    )
    first = figures[0] if isinstance(figures, list) else figures
    assert first["text_to_video"]["R@1"] == 100


WISHES = {
    "search x --strategy hnsw -L LIBRARY": ("--strategy hnsw needs hnswlib", "hnsw"),
    "index VIDEOS --decoder decord": ("--decoder decord needs decord", "decord"),
    "index VIDEOS --device cuda --model mini": ("--device cuda needs PyTorch", "clip"),
    "finetune --data FILE --name own": ("c2v finetune needs PyTorch and open_clip", "clip"),
    "model import FILE --name own": ("c2v model import needs PyTorch and open_clip", "clip"),
    "model export mini out.pt": ("c2v model export needs PyTorch", "clip"),
    "index VIDEOS --model RN50/openai": ("RN50/openai needs PyTorch and", "clip"),
}


@pytest.mark.parametrize("wish", WISHES)
def test_an_explicit_wish_for_a_missing_part(
    wish: str, light: Light, library: Path, demo_videos: Path, c2v_home: Path
) -> None:
    said, extra = WISHES[wish]
    words = {"LIBRARY": library, "VIDEOS": demo_videos, "FILE": demo_videos / "garage.mp4"}
    done = light.c2v(*(words.get(word, word) for word in wish.split()), code=1)
    error, hint = done.stderr.splitlines()
    assert error.startswith("error: ")
    assert said in error
    assert error.endswith("not installed")
    # It was installed from this folder, by pip.
    command = [str(light.python), "-m", "pip", "install", f"{ROOT}[{extra}]"]
    assert hint.removeprefix("hint: ").startswith(shlex.join(command))
    assert not (c2v_home / "data" / "libraries").exists(), "nothing was begun"


def test_what_is_no_model_needs_no_part(light: Light) -> None:
    done = light.c2v("model", "pull", "nope", code=1)
    error, hint = done.stderr.splitlines()
    assert error == "error: there is no model named 'nope'"
    assert hint.startswith("hint: models here: mini; to be fetched: ViT-B-32")


def test_a_trained_head_answers_sentences_and_reads_no_video(
    light: Light, demo_videos: Path, c2v_home: Path
) -> None:
    """CLIP2Video's head in a model made here, where PyTorch is: the text side is NumPy's."""
    from c2v.encoder.bundle import load_bundle
    from c2v.encoder.heads.build import new_head
    from c2v.encoder.heads.settings import HeadSettings
    from c2v.encoder.trained_bundle import save_bundle

    settings = HeadSettings(type="clip2video", feature_dim=511)
    state = new_head(settings).state_dict()
    save_bundle("trained", parent=load_bundle("mini"), head=settings, head_state=state)
    done = light.c2v("index", demo_videos, "--model", "trained", code=1)
    assert "the clip2video head of trained needs PyTorch, which is not installed" in done.stderr
    assert "[clip]" in done.stderr
    code = """
from c2v.encoder import load_bundle
print(load_bundle("trained").embed_text(["a dog"]).shape)
"""
    assert light.execute(code).stdout.strip() == "(1, 1022)"


def test_what_auto_does_without_a_part_is_said(light: Light, library: Path, tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from c2v.library import HnswSettings, open_store
with open_store(Path(sys.argv[1]), hnsw=HnswSettings(from_rows=int(sys.argv[2]))) as library:
    library.refresh()
    print(library.slower_because)
"""
    assert light.execute(code, library, 50_000).stdout.strip() == ""
    said = light.execute(code, library, 10).stdout.strip()
    assert said.startswith("16 segments are searched one by one without hnswlib; to change that: ")
    assert "[hnsw]" in said


@pytest.mark.parametrize(
    ("mark", "start"),
    [
        ("pipx_metadata.json", "pipx install --force"),
        ("uv-receipt.toml", "uv tool install --force"),
    ],
)
def test_the_hint_of_an_environment_of_pipx_or_uv(light: Light, mark: str, start: str) -> None:
    (light.folder / mark).write_text("{}", encoding="utf-8")
    try:
        done = light.c2v("model", "export", "mini", "x.pt", code=1)
    finally:
        (light.folder / mark).unlink()
    wanted = shlex.join([f"{ROOT}[clip]"])
    assert done.stderr.splitlines()[1] == f"hint: {start} {wanted}"


def test_the_hint_where_c2v_came_as_a_file(light: Light, wheel: Path, tmp_path: Path) -> None:
    """As a wheel by its path, and by its name from a folder of wheels."""
    pip = (light.python, "-m", "pip", "--disable-pip-version-check", "--quiet")
    code = "from c2v.optional import install_command; print(install_command('hnsw'))"
    start = [str(light.python), "-m", "pip", "install"]
    cases: dict[tuple[str | Path, ...], str] = {
        (wheel,): f"c2v[hnsw] @ {wheel.as_uri()}",
        ("--no-index", "--find-links", wheel.parent, "c2v"): "hnswlib<0.9,>=0.8",
    }
    for number, (source, wanted) in enumerate(cases.items()):
        other = tmp_path / f"other{number}"
        run(*pip, "install", "--no-deps", "--target", other, *source)
        said = run(light.python, "-c", code, PYTHONPATH=str(other)).stdout.strip()
        assert said == shlex.join([*start, wanted])


@pytest.fixture
def hub(load_helper: Callable[[str], ModuleType]) -> Iterator[Any]:
    with load_helper("hub_server.py").Hub("timm/vit_base_patch32_clip_224.openai") as server:
        yield server


def test_the_default_model_is_fetched_and_used(
    light: Light, hub: Any, demo_videos: Path, c2v_home: Path, tmp_path: Path
) -> None:
    """``ViT-B-32`` in its real shape (random weights in half precision), from a hub to a search."""
    import open_clip
    import torch
    from safetensors.torch import save_file

    from c2v.encoder.architecture import Preprocess, image_config, model_config, text_config
    from c2v.encoder.bundle import load_bundle

    model = open_clip.CLIP(**model_config("ViT-B-32-quickgelu")).half()
    save_file(model.state_dict(), str(tmp_path / "weights"))
    hub.files["open_clip_model.safetensors"] = (tmp_path / "weights").read_bytes()
    videos = tmp_path / "videos"
    videos.mkdir()
    for name in ("garage.mp4", "cartoon.mp4"):
        shutil.copy(demo_videos / name, videos)
    where = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "0"}
    light.c2v("index", videos, **where)
    found = json.loads(light.c2v("search", "a motorcycle", "--format", "json", code=None).stdout)
    assert found["model"] == "ViT-B-32"
    assert len(found["results"]) == 2
    similar = light.c2v("search", "--video", videos / "cartoon.mp4", "--format", "json")
    best = json.loads(similar.stdout)["results"][0]
    assert (Path(best["path"]).name, round(best["score"], 3)) == ("cartoon.mp4", 1.0)

    bundle = load_bundle("ViT-B-32", device="cpu", precision="fp32")
    known = model_config("ViT-B-32-quickgelu")
    assert bundle.config.image == image_config(known, Preprocess())
    assert bundle.config.text == text_config(known)
    bundle.verify()
    tokens = open_clip.get_tokenizer("ViT-B-32-quickgelu")(["a dog on a beach"])
    with torch.no_grad():
        expected = model.float().encode_text(tokens, normalize=True).numpy()
    assert float((bundle.embed_text(["a dog on a beach"]) * expected).sum()) > 0.9999


GPU = """
import sys
from c2v.encoder import devices
devices._NVIDIA_NODES = (sys.argv[1],)
from c2v.encoder.bundle import load_bundle
print(load_bundle(sys.argv[2]).slower_because)
"""


def test_a_gpu_that_stays_unused_is_said(
    light: Light, c2v_home: Path, toys: ModuleType, tmp_path: Path
) -> None:
    from c2v.encoder.registry import bundle_folder

    toys.write_bundle(bundle_folder("toy"), "toy")
    driver = tmp_path / "nvidiactl"
    assert "GPU" not in light.execute(GPU, driver, "toy").stdout
    driver.touch()
    said = light.execute(GPU, driver, "toy").stdout
    assert said.startswith("an NVIDIA GPU is here and stays unused without PyTorch and open_clip; ")
    assert "[clip]" in said
    assert light.execute(GPU, driver, "mini").stdout.strip() == "", "mini runs on the CPU anyway"
