"""``c2v finetune`` as the papers train, step by step against the recipe written a second time.

Towers, head, loss, optimiser and first weights of ``paper_recipe.py`` are float64 and share nothing
with c2v; pictures, token ids and which videos stand together in a step are those of the run.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import av
import numpy as np
import pytest
import torch
from PIL import Image

import c2v
from c2v.cli.app import run
from c2v.encoder.bundle import Bundle, load_bundle
from c2v.encoder.heads.initialise import init_from_clip
from c2v.encoder.heads.settings import HeadSettings
from c2v.encoder.registry import bundle_folder
from c2v.encoder.trained_bundle import save_bundle
from c2v.evaluation.captions import read_captions
from c2v.indexing.report import Silent
from c2v.media.numbered_frames import frame_clock
from c2v.media.probe import probe
from c2v.media.published_positions import extracted_pictures
from c2v.services.finetuning import Wish
from c2v.training.choices import Choices, plan
from c2v.training.distributed import Group
from c2v.training.frame_cache import decoded_frames
from c2v.training.loop import StepReport
from c2v.training.pairs import hold_out
from c2v.training.run import Finetuned, Run, run_folder, train_bundle
from c2v.training.trainee import Draw

MODEL: dict[str, Any] = {
    "embed_dim": 64,
    "quick_gelu": True,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "patch_size": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 1, "layers": 4},
}
VIDEOS, HELD, BATCH = 18, 6, 4
"""Twelve to train on: three steps of four an epoch."""
ROUNDED_LOSS, ROUNDED_WEIGHT = 1e-5, 1e-5
"""fp32 against float64; measured 2e-6 and 4e-6, where weights move by 8e-4 (towers) to 8e-3."""
UNMOVED = {"seqLSTM": ("frame_position_embeddings.weight",)}
"""Weights of a checkpoint that nothing reads."""
ORDER = 3  # the kind of chance that shuffles an epoch
WORDS = ("a red square turns", "two dogs", "rain on a blue roof at night", "someone cooks", "snow")


@pytest.fixture(scope="module")
def papers(load_helper: Any) -> ModuleType:
    """The module tests/training/paper_recipe.py."""
    module: ModuleType = load_helper("training/paper_recipe.py")
    return module


@pytest.fixture(scope="module")
def state(toys: ModuleType) -> dict[str, torch.Tensor]:
    made: dict[str, torch.Tensor] = toys.make_state(MODEL, seed=3)
    return made


@pytest.fixture(scope="module")
def captions_file(tmp_path_factory: pytest.TempPathFactory, videos: ModuleType) -> Path:
    """Clips of one to four seconds: some have fewer frames than twelve."""
    folder = tmp_path_factory.mktemp("clips")
    rows = []
    for number in range(VIDEOS):
        name = f"clip{number}.mp4"
        videos.make_video(
            folder / name, count=10 + 7 * (number % 5), rate=10, size=(96, 64), group=4,
            stamp=None if number % 2 else lambda n: n / 10 + 0.05,
        )  # fmt: skip
        rows.append([name, f"{WORDS[number % 5]}, the {number}th"])
    with (folder / "captions.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["video", "caption"], *rows])
    return folder / "captions.csv"


class Watched:
    """A screen that shows nothing and writes down every step."""

    fetch = None

    def __init__(self) -> None:
        self.reports: list[StepReport] = []

    def notice(self, text: str) -> None: ...

    def interrupted(self, name: str, *, saved: bool) -> None: ...

    def indexing(self) -> AbstractContextManager[Silent]:
        return nullcontext(Silent())

    @contextmanager
    def training(self, log: Any) -> Iterator[Any]:
        stepped = log.stepped

        def keep(report: StepReport) -> None:
            self.reports.append(report)
            stepped(report)

        log.stepped = keep
        yield log


@dataclass(frozen=True)
class Trained:
    """What the run did: losses of its steps, weights after the last, and what it was given."""

    result: Finetuned
    losses: list[float]
    weights: dict[str, torch.Tensor]
    clips: Any
    steps: list[list[int]]


def finetune(
    papers: ModuleType, data: Path, bundle: Bundle, choices: Choices,
    *, steps: list[list[int]] | None = None,
) -> Trained:  # fmt: skip
    """The service that the command calls, on an empty library."""
    seen = Watched()
    wish = Wish(str(data), choices, model=bundle.name, name="papers", overwrite=True, keep=True)
    with c2v.open(
        data.parent / f"library-{bundle.name}", device="cpu", precision="fp32"
    ) as library:
        result = library.finetune(wish, screen=seen)
    kept = torch.load(run_folder("papers") / "last.pt", weights_only=True)["weights"]
    return Trained(
        result,
        [report.loss for report in seen.reports],
        {_official(name): value for name, value in kept.items() if name != "towers.logit_scale"},
        given(papers, data, bundle) if steps is None else None,
        epochs_of(papers, data, choices) if steps is None else steps,
    )


def _official(name: str) -> str:
    if name == "log_scale":
        return "clip.logit_scale"
    if name.startswith("towers."):
        return f"clip.{name.removeprefix('towers.')}"
    return name.removeprefix("head.")


def given(papers: ModuleType, data: Path, bundle: Bundle) -> Any:
    """The decoded pictures, normalised here; ids of open_clip's own tokenizer, cut at 32."""
    import open_clip

    captions = read_captions(data)
    frames = decoded_frames(
        bundle, captions.videos, first_seconds=None, group=Group(), on_progress=lambda *_: None
    )
    real = torch.from_numpy(frames.present).double()
    pixels = torch.from_numpy(np.array(frames.pixels)).double().permute(0, 1, 4, 2, 3) / 255
    mean = torch.tensor([0.48145466, 0.4578275, 0.40821073]).double().reshape(3, 1, 1)
    std = torch.tensor([0.26862954, 0.26130258, 0.27577711]).double().reshape(3, 1, 1)
    ids = open_clip.get_tokenizer("ViT-B-32")(list(captions.texts))[:, :32]
    pictures = (pixels - mean) / std * real[..., None, None, None]
    return papers.Clips(pictures, real, ids, (ids > 0).double())


def epochs_of(papers: ModuleType, data: Path, choices: Choices) -> list[list[int]]:
    """Every step's videos: each epoch shuffles those that are not held back."""
    learnt, held = hold_out(read_captions(data).videos, count=HELD, seed=choices.seed)
    assert len(held) == HELD
    steps: list[list[int]] = []
    for epoch in range(choices.epochs or 0):
        order = torch.randperm(len(learnt), generator=Draw(choices.seed, epoch).generator(ORDER, 0))
        steps += papers.parts([learnt[place] for place in order.tolist()], len(learnt) // BATCH)
    return steps


def choices_for(rules: Any, **changes: Any) -> Choices:
    """``--optimizer bertadam --train all --init clip`` and the figures of the recipe."""
    return Choices(**{
        "head": rules.head, "train": "all", "init": "clip", "optimiser": "bertadam",
        "epochs": rules.epochs, "batch": BATCH, "learning_rate": rules.rate,
        "clip_rate": rules.rate * rules.coefficient, "patience": rules.epochs, "validation": 0.1,
        "seed": 42,
        **changes,
    })  # fmt: skip


@pytest.fixture
def bundle(toys: ModuleType, state: dict[str, torch.Tensor]) -> Bundle:
    toys.write_bundle(bundle_folder("toy"), "toy", model=MODEL, state=state)
    return load_bundle("toy", device="cpu", precision="fp32")


def check_same(papers: ModuleType, trained: Trained, first: dict[str, Any], rules: Any) -> None:
    """Every loss and every weight, to what fp32 rounds in fifteen steps."""
    losses, last = papers.train(first, trained.clips, trained.steps, rules)
    assert len(losses) == len(trained.losses) == rules.epochs * ((VIDEOS - HELD) // BATCH)
    np.testing.assert_allclose(trained.losses, losses, rtol=0, atol=ROUNDED_LOSS)
    assert trained.weights.keys() == last.keys()
    for name, weight in last.items():
        moved = float((weight - first[name]).abs().max())
        apart = float((trained.weights[name].double() - weight).abs().max())
        assert apart < ROUNDED_WEIGHT, name
        assert (moved == 0.0) == (name in UNMOVED.get(rules.head, ()) or name in papers.STEMS), name
        assert moved == 0.0 or moved > 4 * rules.epochs * ROUNDED_WEIGHT, name


@pytest.mark.parametrize("head", ["clip2video", "seqTransf", "seqLSTM", "meanP"])
def test_losses_and_weights_are_those_of_the_recipe(
    papers: ModuleType, captions_file: Path, bundle: Bundle, state: dict[str, Any], head: str
) -> None:
    rules = papers.Rules(head=head, rate=1e-3, coefficient=1e-1)
    trained = finetune(papers, captions_file, bundle, choices_for(rules))
    assert trained.result.planned.as_dict()["head"] == head
    assert set(trained.clips.real.sum(1).tolist()) >= {5.0, 12.0}, "some clips are short"
    first = papers.first_weights(state, rules, chance=chance(head, state))
    check_same(papers, trained, first, rules)
    assert trained.losses[-1] < trained.losses[0]


def chance(head: str, state: dict[str, Any]) -> dict[str, torch.Tensor]:
    """The weights that no text tower has: the centres of the alignment block, and the LSTM."""
    settings = HeadSettings(type=head, feature_dim=64)  # type: ignore[arg-type]
    found: dict[str, torch.Tensor] = init_from_clip(settings, state, seed=42)[1]
    return found


def test_a_released_checkpoint_learns_on_with_its_own_mask(
    papers: ModuleType, captions_file: Path, bundle: Bundle, state: dict[str, Any]
) -> None:
    """A difference from the last real frame to the padding is seen, and the padding is zero."""
    rules = papers.Rules(rate=1e-3, coefficient=1e-1, strict_differences=False)
    first = papers.first_weights(state, rules, chance=chance("clip2video", state))
    head = {name: x for name, x in first.items() if not name.startswith("clip.")}
    settings = HeadSettings(type="clip2video", feature_dim=64)
    save_bundle("released", parent=bundle, head=settings, head_state=head)
    released = load_bundle("released", device="cpu", precision="fp32")
    choices = choices_for(rules, init="model", head=None)
    check_same(papers, finetune(papers, captions_file, released, choices), first, rules)


def test_the_command_trains_as_the_service(
    papers: ModuleType, captions_file: Path, bundle: Bundle, capsys: pytest.CaptureFixture[str]
) -> None:
    rules = papers.Rules(head="seqTransf", rate=1e-3, coefficient=1e-1, epochs=1)
    trained = finetune(papers, captions_file, bundle, choices_for(rules))
    code = run([
        "finetune", "--data", str(captions_file), "--model", "toy", "--name", "typed",
        "--head", "seqTransf", "--train", "all", "--init", "clip", "--optimizer", "bertadam",
        "--epochs", "1", "--batch", "4", "--learning-rate", "1e-3", "--clip-learning-rate", "1e-4",
        "--validation", "0.1", "--seed", "42", "--keep", "--format", "json", "--device", "cpu",
        "--library", str(captions_file.parent / "library-toy"),
    ])  # fmt: skip
    assert code == 0, capsys.readouterr().err
    typed = torch.load(run_folder("typed") / "last.pt", weights_only=True)["weights"]
    for name, weight in trained.weights.items():
        own = next(key for key in typed if _official(key) == name and key != "towers.logit_scale")
        assert torch.equal(typed[own], weight), name


# -- --recipe: frames, words and pairs as in the papers, too ---------------------------------------

LONG = " ".join(["and", "a", "dog"] * 15)


@pytest.fixture
def told_often(captions_file: Path) -> Path:
    """The same clips with one to three captions each, each third longer than 32 tokens."""
    rows = []
    for number in range(VIDEOS):
        said = [f"{WORDS[(number + k) % 5]}, {k} of {number}" for k in range(1 + number % 3)]
        rows += [[f"clip{number}.mp4", text + LONG * (k == 2)] for k, text in enumerate(said)]
    path = captions_file.parent / "often.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["video", "caption"], *rows])
    return path


@pytest.mark.parametrize("recipe", ["clip4clip", "clip2video"])
def test_with_recipe_every_pair_is_an_example_and_frames_are_the_papers(
    papers: ModuleType, told_often: Path, bundle: Bundle, state: dict[str, Any], recipe: str
) -> None:
    """What ``--recipe`` chooses is left open here, but for the length of the run and the rates."""
    head = {"clip4clip": "seqTransf", "clip2video": "clip2video"}[recipe]
    rules = papers.Rules(head=head, rate=1e-3, coefficient=1e-1, epochs=2)
    choices = Choices(
        like=recipe, batch=BATCH, epochs=2, learning_rate=1e-3, clip_rate=1e-4, seed=42
    )
    trained = finetune(papers, told_often, bundle, choices, steps=[])
    kept = trained.result.planned.recipe
    assert (kept.train, kept.init, kept.optimiser) == ("all", "clip", "bertadam")
    pairs, steps = pairs_of(told_often, seed=42)
    assert len(steps) == len(trained.losses) == 2 * (len(pairs) // BATCH)
    assert len(pairs) % BATCH, "a rest is left out"
    assert any(len({pairs[n][0] for n in step}) < BATCH for step in steps), "twice in one step"
    clips = papers_clips(papers, pairs, recipe)
    losses, last = papers.train(
        papers.first_weights(state, rules, chance=chance(head, state)), clips, steps, rules
    )
    np.testing.assert_allclose(trained.losses, losses, rtol=0, atol=ROUNDED_LOSS)
    for name, weight in last.items():
        apart = float((trained.weights[name].double() - weight).abs().max())
        assert apart < ROUNDED_WEIGHT, name


def pairs_of(data: Path, *, seed: int) -> tuple[list[tuple[str, str]], list[list[int]]]:
    """Those that are learnt from, and which of them stand together in every step."""
    captions = read_captions(data)
    learnt, _ = hold_out(captions.videos, count=HELD, seed=seed)
    kept = [captions.videos[number] for number in learnt]
    told = list(zip(captions.paths, captions.texts, strict=True))
    pairs = [pair for video in kept for pair in told if pair[0] == video]
    steps: list[list[int]] = []
    for epoch in range(2):
        order = torch.randperm(len(pairs), generator=Draw(seed, epoch).generator(ORDER, 0)).tolist()
        full = len(pairs) // BATCH * BATCH
        steps += [order[start : start + BATCH] for start in range(0, full, BATCH)]
    return pairs, steps


def papers_clips(papers: ModuleType, pairs: list[tuple[str, str]], recipe: str) -> Any:
    """A clip and a text of each pair, from the files: frames by number, small by PIL's bicubic.

    The clips have ten pictures a second: CLIP4Clip takes each tenth. CLIP2Video's five a second are
    the first one, the second, and then each other one (see its sampling's own tests).
    """
    import open_clip

    look = open_clip.image_transform(
        32, is_train=False, mean=open_clip.OPENAI_DATASET_MEAN, std=open_clip.OPENAI_DATASET_STD
    )
    shape = (len(pairs), 12)
    pictures, real = torch.zeros(*shape, 3, 32, 32).double(), torch.zeros(shape).double()
    for row, (path, _) in enumerate(pairs):
        with av.open(path) as container:
            frames = [
                frame.to_ndarray(
                    format="rgb24", src_colorspace="ITU601", dst_colorspace="ITU601",
                    interpolation="BICUBIC",
                )
                for frame in container.decode(video=0)
            ]  # fmt: skip
        numbers = list(range(0, len(frames), 10))
        if recipe == "clip2video":
            written = five_a_second(Path(path))
            chosen = np.linspace(0, len(written) - 1, min(12, len(written)))
            numbers = [written[int(place)] for place in chosen]
        for place, number in enumerate(numbers):
            pictures[row, place] = look(Image.fromarray(frames[number])).double()
            real[row, place] = 1.0
    ids = open_clip.get_tokenizer("ViT-B-32")([text for _, text in pairs])
    long = ids.argmax(1) >= 32
    assert long.any()
    ids[long, 31] = ids.max()
    return papers.Clips(pictures, real, ids[:, :32], (ids[:, :32] > 0).double())


def five_a_second(path: Path) -> tuple[int, ...]:
    """The frames that ffmpeg writes at five pictures a second."""
    info = probe(path)
    clock = frame_clock(info)
    return extracted_pictures(clock.seconds, clock.durations)


def test_what_a_recipe_chooses(bundle: Bundle) -> None:
    """Figures of CLIP4Clip's training on MSR-VTT; what is given by hand stays."""
    found = plan(Choices(like="clip2video"), bundle, pairs=180_000, videos=9000)
    recipe = found.recipe
    assert (found.head, recipe.train, recipe.init, recipe.pairs) == (
        "clip2video",
        "all",
        "clip",
        True,
    )
    assert (recipe.epochs, recipe.batch, recipe.learning_rate) == (5, 128, 1e-4)
    assert (recipe.weight_decay, recipe.warmup, recipe.clip_norm) == (0.2, 0.1, 1.0)
    assert (recipe.stop_after, recipe.branch_weight) == (5, 0.5)
    assert recipe.scale_rate == recipe.clip_rate == 3e-6
    by_hand = Choices(like="clip4clip", head="meanP", epochs=2, batch=64, learning_rate=1e-5)
    other = plan(by_hand, bundle, pairs=300, videos=300)
    assert (other.head, other.recipe.epochs, other.recipe.batch) == ("meanP", 2, 64)
    assert (other.recipe.learning_rate, other.small) == (1e-5, False)


def test_a_recipe_of_no_paper_is_said(
    captions_file: Path, bundle: Bundle, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["finetune", "--data", str(captions_file), "--model", "toy", "--name", "x"]
    library = ["--library", str(captions_file.parent / "library-toy")]
    assert run([*words, *library, "--recipe", "clip5clip"]) == 2
    said = capsys.readouterr().err
    assert "error: --recipe clip5clip: no such recipe" in said
    assert "did you mean clip4clip?" in said


ALTERED: dict[str, dict[str, Any]] = {
    "biases decay": {"decay_everything": True},
    "nothing decays": {"decay": 0.0},
    "the temperature learns as fast as the head": {"scale_rate": 1e-3},
    "the towers learn as fast as the head": {"coefficient": 1.0},
    "no warm-up": {"warmup": 0.0},
    "the first steps are corrected": {"bias_correction": True},
    "gradients are not cut together": {"global_norm": 1e9},
    "tensors are not cut alone": {"global_norm": 1e9, "tensor_norm": 1e9},
    "another memory": {"beta_2": 0.999},
    "another eps": {"eps": 1e-8},
    "one direction": {"both_directions": False},
    "the loss of the fused score": {"fused_loss": True},
    "the other mask": {"strict_differences": False},
    "embeddings learn": {"frozen": ()},
}


def test_every_rule_of_the_recipe_is_seen(
    papers: ModuleType, captions_file: Path, bundle: Bundle, state: dict[str, Any]
) -> None:
    """With any one of them otherwise the run would have been told from the recipe."""
    rules = papers.Rules(rate=1e-3, coefficient=1e-1, epochs=1)
    trained = finetune(papers, captions_file, bundle, choices_for(rules))
    first = papers.first_weights(state, rules, chance=chance("clip2video", state))
    check_same(papers, trained, first, rules)
    for what, altered in ALTERED.items():
        _, last = papers.train(first, trained.clips, trained.steps, replace(rules, **altered))
        apart = max(float((trained.weights[n].double() - x).abs().max()) for n, x in last.items())
        assert apart > 3 * ROUNDED_WEIGHT, what


def test_the_temperature_never_exceeds_one_hundred(
    toys: ModuleType, tmp_path: Path, c2v_home: Path
) -> None:
    """Pairs that are told apart already push it up: at each step it is put back."""
    sharp = {**toys.tiny_state(), "logit_scale": torch.tensor(4.604)}
    toys.write_bundle(bundle_folder("sharp"), "sharp", state=sharp)
    bundle = load_bundle("sharp", device="cpu")
    captions = toys.captions_for(tmp_path, 24)
    scales: list[float] = []

    class Watch(toys.Watch):  # type: ignore[name-defined, misc]
        def stepped(self, report: StepReport) -> None:
            scales.append(report.scale)

    with toys.fill_library(tmp_path / "library", bundle, captions, noise=0.05) as library:
        choices = Choices(head="meanP", epochs=2, batch=8, learning_rate=1e-5, patience=9)
        train_bundle(library, bundle, captions, choices, Run(name="x", watcher=Watch(), keep=True))
    assert scales[0] > 99.9
    assert max(scales) == scales[-1] == pytest.approx(100.0, abs=1e-4)
