"""``c2v evaluate --data NAME --protocol ...``: every benchmark from its official files to figures.

Each layout is written as its authors distribute it, but small, beside real clips; what the command
prints is held against CLIP run by open_clip over frames whose numbers are written here, and ranks
counted one by one.
"""

from __future__ import annotations

import csv
import json
import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from c2v.cli.app import run
from c2v.encoder.registry import bundle_folder

RATE = 5
"""Pictures a second of every clip: CLIP2Video's five, and CLIP4Clip takes each fifth."""
SIDE = 32
ROUNDED = 1e-4
"""Of a score in [-1, 1]: c2v's towers run on ONNX Runtime and NumPy."""
OFFICIAL = {
    "msrvtt-9k": "1,000", "msrvtt-7k": "1,000", "msrvtt-full": "2,990", "msvd": "670",
    "vatex": "1,500", "lsmdc": "1,000", "activitynet": "4,917", "didemo": "1,004",
}  # fmt: skip
Sentences = dict[str, list[str]]


@dataclass(frozen=True)
class Layout:
    """One benchmark on disk: ``said`` has the sentences of each video of its test split, and
    ``files`` where those are that are there."""

    name: str
    said: Sentences
    files: dict[str, Path]
    annotations: Path
    videos: Path
    frames: int = 12
    words: int = 32
    step: int = 1
    seconds: int | None = None

    def clip4clip(self, count: int) -> list[int]:
        """Numbers of the frames: one a second, both ends of a limit read, thinned out evenly."""
        last = count if self.seconds is None else min(count, self.seconds * RATE + 1)
        return thinned(list(range(0, last, RATE)), self.frames)

    def clip2video(self, count: int) -> list[int]:
        """The pictures at five a second are the frames; every so many of them, then twelve."""
        if self.seconds is not None:
            count = min(count, self.seconds * RATE)
        few = [int(x) for x in np.linspace(0, count - 1, count // self.step)]
        return thinned(few, 12)


def thinned(numbers: list[int], most: int) -> list[int]:
    if len(numbers) <= most:
        return numbers
    return [numbers[int(x)] for x in np.linspace(0, len(numbers) - 1, most)]


# -- clips -----------------------------------------------------------------------------------------


def write_clip(path: Path, seed: int, *, count: int, colours: int = 6) -> Path:
    """Blocks of colour, others in every frame, around a colour of the clip's own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    own = random.integers(40, 215, (1, 1, 3))
    codec = "mpeg4" if path.suffix == ".avi" else "libx264"
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=RATE)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.bit_rate = 4_000_000
        stream.time_base = Fraction(1, RATE)
        for number in range(count):
            blocks = np.clip(own + random.integers(-90, 91, (colours, 8, 3)), 0, 255)
            picture = np.kron(blocks, np.ones((48 // colours, 8, 1))).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame = frame.reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


LENGTHS = (18, 40, 61, 77, 12)
"""Pictures of the clips; 77 are 16 seconds, more than twelve frames one a second."""


def clips(folder: Path, names: Sequence[str], lengths: Sequence[int] = LENGTHS) -> list[Path]:
    pairs = zip(names, lengths, strict=True)
    return [write_clip(folder / name, n, count=count) for n, (name, count) in enumerate(pairs)]


# -- layouts ---------------------------------------------------------------------------------------


def write_json(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")


def write_csv(path: Path, *rows: Sequence[str]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def several(name: str, number: int) -> list[str]:
    """Two to four sentences; one video has one of them twice, which is two queries."""
    kinds = [f"{word} of {name}" for word in ("a film", "the beginning", "someone speaks", "rain")]
    said = kinds[: 2 + number % 3]
    return [*said, said[0]] if number == 4 else said


def msrvtt_json(ids: Sequence[str], said: Sentences) -> tuple[dict[str, Any], dict[str, Any]]:
    """What Microsoft published: train and validation, and test."""
    parts = []
    for split, videos in (("train", ["video0"]), ("validate", ["video7"]), ("test", ids)):
        described = [
            {"category": 1, "url": f"https://www.youtube.com/watch?v=x{n}", "video_id": video,
             "start time": 1.0, "end time": 9.5, "split": split, "id": n}
            for n, video in enumerate(videos)
        ]  # fmt: skip
        rows = [
            {"caption": text, "video_id": video, "sen_id": n}
            for video in videos
            for n, text in enumerate(said.get(video, ["somebody learns", "somebody teaches"]))
        ]
        rows.sort(key=lambda row: int(row["sen_id"]))  # those of a video are not together
        parts.append({"info": {"version": "1.0"}, "videos": described, "sentences": rows})
    train, later, test = parts
    for key in ("videos", "sentences"):
        train[key] += later[key]  # type: ignore[operator]
    return train, test


def msrvtt(folder: Path, name: str) -> Layout:
    """CLIP4Clip's ``msrvtt_data``, and the videos in one folder; one of them is a .webm."""
    ids = [f"video{7010 + n}" for n in range(6)]
    said = {video: [f"a person number {n} talks about {video}"] for n, video in enumerate(ids)}
    data = folder / "msrvtt_data"
    train, test = msrvtt_json(ids, {video: several(video, n) for n, video in enumerate(ids)})
    both = {key: train[key] + test[key] for key in ("videos", "sentences")}
    write_json(data / "MSRVTT_data.json", both)
    write_csv(data / "MSRVTT_train.9k.csv", ["video_id"], ["video0"], ["video7"])
    write_csv(data / "MSRVTT_train.7k.csv", ["video_id"], ["video0"])
    rows = [[f"ret{n}", f"msr{video[5:]}", video, said[video][0]] for n, video in enumerate(ids)]
    write_csv(data / "MSRVTT_JSFUSION_test.csv", ["key", "vid_key", "video_id", "sentence"], *rows)
    videos = folder / "MSRVTT" / "videos" / "all"
    files = clips(videos, [f"{video}.mp4" for video in ids[:5]])
    return Layout(name, said, dict(zip(ids, files, strict=False)), data, videos, step=2)


def msrvtt_full(folder: Path, name: str) -> Layout:
    """CLIP2Video's lists of the full split beside CLIP4Clip's json."""
    made = msrvtt(folder, name)
    ids = list(made.said)
    write_csv(made.annotations / "MSRVTT_test.full.csv", ["video_id"], *([x] for x in ids))
    said = {video: several(video, n) for n, video in enumerate(ids)}
    return Layout(name, said, made.files, made.annotations, made.videos, step=2)


def msrvtt_as_microsoft(folder: Path, name: str) -> Layout:
    """The two files of the challenge, which say themselves which video is in the test."""
    made = msrvtt_full(folder, name)
    train, test = msrvtt_json(list(made.said), made.said)
    for file in made.annotations.iterdir():
        file.unlink()
    write_json(made.annotations / "train_val_videodatainfo.json", train)
    write_json(made.annotations / "test_videodatainfo.json", test)
    return made


def msvd(folder: Path, name: str) -> Layout:
    """``raw-captions.pkl`` as Python 2 wrote it, lists whose last line has no end, .avi files."""
    ids = [f"mv89psg6zh{n}_33_46" for n in range(6)]
    said = {video: several(video, n) for n, video in enumerate(ids)}
    data = folder / "msvd_data"
    data.mkdir(parents=True)
    table = {video: [text.split() for text in texts] for video, texts in said.items()}
    table["xTrain_1_2"] = [["a", "man", "runs"]]
    (data / "raw-captions.pkl").write_bytes(python_2_pickle(table))
    (data / "test_list.txt").write_text("\n".join(ids))
    (data / "train_list.txt").write_text("xTrain_1_2\n")
    videos = folder / "YouTubeClips"
    files = clips(videos, [f"{video}.avi" for video in ids[:5]])
    return Layout(name, said, dict(zip(ids, files, strict=False)), data, videos)


def python_2_pickle(table: dict[str, list[list[str]]]) -> bytes:
    """Protocol 2 with the strings of Python 2, which are bytes: opcode U, length, bytes."""

    def text(said: str) -> bytes:
        return b"U" + bytes([len(said)]) + said.encode()

    def listed(items: Sequence[bytes]) -> bytes:
        return b"](" + b"".join(items) + b"e"

    rows = [
        text(video) + listed([listed([text(word) for word in words]) for words in sentences])
        for video, sentences in table.items()
    ]
    made = b"\x80\x02}(" + b"".join(rows) + b"u."
    assert pickle.loads(made, encoding="ascii") == table
    return made


def vatex(folder: Path, name: str) -> Layout:
    """Names are a YouTube id with dashes and the seconds; ten sentences each, Chinese beside."""
    ids = [f"-Ptf_2VRj-{n}_000122_000132" for n in range(6)]
    said = {video: [f"{text} {n}" for n in range(5) for text in several(video, 0)] for video in ids}
    data = folder / "vatex_data"
    write_json(data / "vatex_data.json", vatex_entries(said))
    (data / "test_list.txt").write_text("\n".join(ids) + "\n")
    videos = folder / "vatex"
    files = clips(videos, [f"{video}.mp4" for video in ids[:5]])
    return Layout(name, said, dict(zip(ids, files, strict=False)), data, videos)


def vatex_entries(said: Sentences) -> dict[str, Any]:
    every = {**said, "another_000001_000011": ["not asked for"] * 10}
    return {v: {"videoID": v, "enCap": texts, "chCap": ["一个人"]} for v, texts in every.items()}


def vatex_as_published(folder: Path, name: str) -> Layout:
    """VATEX's own files are lists; half of the test of the papers is its validation set."""
    made = vatex(folder, name)
    (made.annotations / "vatex_data.json").unlink()
    entries = list(vatex_entries(made.said).values())
    write_json(made.annotations / "vatex_training_v1.0.json", entries[:2])
    write_json(made.annotations / "vatex_validation_v1.0.json", entries[2:])
    return made


def lsmdc(folder: Path, name: str) -> Layout:
    """Tab-separated without a header, a folder a film, ids with dots; the name is misspelt."""
    films = ("1004_Juno", "0001_American_Beauty", "3001_21_JUMP_STREET")
    ids = [f"{films[n % 3]}_00.0{n}.32.572-00.0{n}.35.264" for n in range(6)]
    said = {video: [f'SOMEONE looks at {n} "doors", then leaves.'] for n, video in enumerate(ids)}
    data = folder / "lsmdc_data"
    data.mkdir(parents=True)
    lines = [f"{v}\t00:00:32\t00:00:35\t00:00:32\t00:00:35\t{said[v][0]}" for v in ids]
    (data / "LSMDC16_challenge_1000_publictect.csv").write_text("\n".join(lines) + "\n")
    videos = folder / "LSMDC"
    names = [f"{films[n % 3]}/{video}.avi" for n, video in enumerate(ids[:5])]
    return Layout(name, said, dict(zip(ids, clips(videos, names), strict=False)), data, videos)


def activitynet(folder: Path, name: str) -> Layout:
    """Sentences of a video are one paragraph; files with and without ``v_``, .mp4 and .mkv."""
    ids = ["uqiMw7tQ1Cc", "-v_Q8dlE_5I", "v_abcdefghi", "fJNauQt9Mi0", "0a1b2c3d4e5", "zzzzzzzzzzz"]
    parts = {video: [f" The man {n} stands. ", f"He jumps {'far ' * 70 * (n == 3)}.", "Then a cat."]
             for n, video in enumerate(ids)}  # fmt: skip
    data = folder / "activitynet_data"
    write_json(data / "val_ids.json", [f"v_{video}" for video in ids])
    table = {
        f"v_{video}": {"duration": 9.5, "timestamps": [[0, 3.2], [3, 6], [6, 9.5]], "sentences": x}
        for video, x in parts.items()
    }
    write_json(data / "val_1.json", {**table, "v_other": table[f"v_{ids[0]}"]})
    said = {video: [" ".join(part.strip() for part in x)] for video, x in parts.items()}
    videos = folder / "ActivityNet"
    names = [f"v_{ids[0]}.mp4", f"{ids[1]}.mkv", f"v_{ids[2]}.mp4", f"x/v_{ids[3]}.mp4"]
    files = clips(videos, [*names, f"v_{ids[4]}.mkv"], (18, 40, 61, 350, 12))
    found = dict(zip(ids, files, strict=False))
    return Layout(name, said, found, data, videos, frames=64, words=64)


def didemo(folder: Path, name: str) -> Layout:
    """Names with their extension; the authors' script adds another one. The first 31 s count."""
    ids = [f"1009{n}@N08_3655084291_a8b58368e{n}" for n in range(6)]
    listed = [f"{v}{suffix}" for v, suffix in zip(ids, (".mov", ".m4v", ".avi", ".mp4", ".3gp",
                                                        ".mov"), strict=True)]  # fmt: skip
    data = folder / "didemo_data"
    rows = [
        {"annotation_id": 10 * n + k, "description": f"moment {k} of the {n}th video", "video": v,
         "times": [[0, 0], [1, 1]], "num_segments": 6, "dl_link": "https://x"}
        for k in range(2)  # not side by side
        for n, v in enumerate([*listed, "another.mov"])
    ]  # fmt: skip
    write_json(data / "test_data.json", rows)
    (data / "test_list.txt").write_text("\n".join(listed))
    said = {v: [f"moment 0 of the {n}th video moment 1 of the {n}th video"]
            for n, v in enumerate(ids)}  # fmt: skip
    videos = folder / "didemo"
    names = [f"{listed[0]}.mp4", f"{listed[1]}.mp4", listed[2], listed[3], f"{ids[4]}.mp4"]
    files = clips(videos, names, (18, 40, 61, 175, 12))
    found = dict(zip(ids, files, strict=False))
    return Layout(name, said, found, data, videos, frames=64, words=64, seconds=31)


LAYOUTS: dict[str, tuple[str, Callable[[Path, str], Layout]]] = {
    "msrvtt-9k": ("msrvtt-9k", msrvtt),
    "msrvtt-7k": ("msrvtt-7k", msrvtt),
    "msrvtt-full": ("msrvtt-full", msrvtt_full),
    "msrvtt-full of microsoft": ("msrvtt-full", msrvtt_as_microsoft),
    "msvd": ("msvd", msvd),
    "vatex": ("vatex", vatex),
    "vatex of its authors": ("vatex", vatex_as_published),
    "lsmdc": ("lsmdc", lsmdc),
    "activitynet": ("activitynet", activitynet),
    "didemo": ("didemo", didemo),
}


# -- the figures, counted --------------------------------------------------------------------------


class Counted:
    """CLIP by open_clip over a layout, every rank counted."""

    def __init__(self, layout: Layout, protocol: str, state: dict[str, Any], model: Any) -> None:
        import open_clip
        import torch

        clip = open_clip.CLIP(model["embed_dim"], model["vision_cfg"], model["text_cfg"],
                              quick_gelu=True).eval()  # fmt: skip
        clip.load_state_dict(state)
        look = open_clip.image_transform(
            SIDE, is_train=False, mean=open_clip.OPENAI_DATASET_MEAN,
            std=open_clip.OPENAI_DATASET_STD,
        )  # fmt: skip
        self.texts = [(v, text) for v in layout.files for text in layout.said[v]]
        with torch.no_grad():
            rows = []
            for path in layout.files.values():
                pictures = decoded(path)
                numbers = getattr(layout, protocol)(len(pictures))
                batch = torch.stack([look(Image.fromarray(pictures[n])) for n in numbers])
                frames = torch.nn.functional.normalize(clip.encode_image(batch), dim=-1)
                rows.append(torch.nn.functional.normalize(frames.mean(0), dim=0))
            words = layout.words if protocol == "clip4clip" else 32
            ids = open_clip.get_tokenizer("ViT-B-32")([text for _, text in self.texts])
            ids = torch.stack([cut(row, words) for row in ids])
            texts = torch.nn.functional.normalize(clip.encode_text(ids), dim=-1)
        self.scores = (texts @ torch.stack(rows).T).double().numpy()  # [texts, videos]
        self.owner = [list(layout.files).index(video) for video, _ in self.texts]

    def text_to_video(self) -> list[int]:
        return [
            1 + sum(other > row[own] for other in row)
            for row, own in zip(self.scores, self.owner, strict=True)
        ]

    def video_to_text(self) -> list[int]:
        """Each video's own best sentence among the best ones of all videos."""
        ranks = []
        for video in range(self.scores.shape[1]):
            best = [
                max(row[video] for row, own in zip(self.scores, self.owner, strict=True)
                    if own == other)
                for other in range(self.scores.shape[1])
            ]  # fmt: skip
            ranks.append(1 + sum(other > best[video] for other in best))
        return ranks


def cut(ids: Any, words: int) -> Any:
    """At most so many tokens, the end among them."""
    end = int(ids.argmax())
    if end >= words:
        last = ids[end].clone()
        ids = ids.clone()
        ids[words - 1 :] = 0
        ids[words - 1] = last
    return ids


def decoded(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [
            frame.to_ndarray(format="rgb24", src_colorspace="ITU601", dst_colorspace="ITU601",
                             interpolation="BICUBIC")
            for frame in container.decode(video=0)
        ]  # fmt: skip


def figures(ranks: Sequence[int]) -> dict[str, float]:
    found = {
        f"R@{k}": 100.0 * sum(rank <= k for rank in ranks) / len(ranks) for k in (1, 5, 10, 50)
    }
    return {**found, "MdR": float(np.median(ranks)), "MnR": sum(ranks) / len(ranks)}


@pytest.mark.parametrize("kind", LAYOUTS)
def test_from_the_official_files_to_the_figures(
    tmp_path: Path, toys: ModuleType, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    name, write = LAYOUTS[kind]
    layout = write(tmp_path, name)
    toys.write_bundle(bundle_folder("tiny"), "tiny")
    for protocol in ("clip4clip", "clip2video"):
        code = run([
            "evaluate", "--data", name, "--annotations", str(layout.annotations), "--videos",
            str(layout.videos.parent), "--protocol", protocol, "--model", "tiny", "--device",
            "cpu", "--per-query", str(tmp_path / "ranks.csv"), "--format", "json",
        ])  # fmt: skip
        told = capsys.readouterr()
        assert code == 4, told.err  # the sixth video is nowhere
        check(json.loads(told.out), tmp_path / "ranks.csv", layout, protocol, toys)
        assert f"has 6 of the {OFFICIAL[name]} videos of the test split of {name}" in told.err


def check(
    found: dict[str, Any], queries: Path, layout: Layout, protocol: str, toys: ModuleType
) -> None:
    """What the command printed and wrote is what was counted."""
    counted = Counted(layout, protocol, toys.tiny_state(), toys.TINY)
    ranks = counted.text_to_video()
    with queries.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    every = zip(rows, counted.texts, counted.scores, counted.owner, ranks, strict=True)
    for row, (video, text), scores, own, rank in every:
        assert (row["video"], row["query"]) == (str(layout.files[video]), text)
        assert float(row["score"]) == pytest.approx(scores[own], abs=ROUNDED)
        assert int(float(row["rank"])) == rank
    assert found["text_to_video"] == pytest.approx(figures(ranks))
    assert found["video_to_text"] == pytest.approx(figures(counted.video_to_text()))
    assert (found["texts"], found["videos"]) == (sum(len(layout.said[v]) for v in layout.files), 5)
    (lost,) = set(layout.said) - set(layout.files)
    assert [Path(path).stem for path in found["skipped"]] == [lost]
    assert "published" not in found, "no figure of six videos stands beside one of all"


def test_without_the_videos_folder_the_library_says_where_they_are(
    tmp_path: Path, toys: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    layout = lsmdc(tmp_path, "lsmdc")
    toys.write_bundle(bundle_folder("tiny"), "tiny")
    library = str(tmp_path / "library")
    assert run(["index", str(layout.videos), "--model", "tiny", "-L", library, "--quiet"]) == 0
    capsys.readouterr()
    code = run([
        "evaluate", "--data", "lsmdc", "--annotations", str(layout.annotations), "-L", library,
        "--protocol", "clip4clip", "--device", "cpu", "--format", "json",
    ])  # fmt: skip
    told = capsys.readouterr()
    assert code == 4, told.err
    assert json.loads(told.out)["videos"] == 5


def test_a_benchmark_is_trained_on_too(
    tmp_path: Path, toys: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    """On its own training and validation lists; a sentence said twice is two pairs."""
    names = {"train": [f"t{n}_1_9" for n in range(4)], "val": [f"v{n}_1_9" for n in range(3)]}
    table = {v: [["a", "film"], ["rain"], ["rain"]] for listed in names.values() for v in listed}
    (tmp_path / "raw-captions.pkl").write_bytes(python_2_pickle(
        {v: [[*words, v] for words in texts] for v, texts in table.items()}
    ))  # fmt: skip
    for split, listed in names.items():
        (tmp_path / f"{split}_list.txt").write_text("\n".join(listed))
        for number, video in enumerate(listed):
            write_clip(tmp_path / "clips" / f"{video}.avi", number + 9, count=15)
    toys.write_bundle(bundle_folder("tiny"), "tiny")
    code = run([
        "finetune", "--data", "msvd", "--annotations", str(tmp_path), "--videos",
        str(tmp_path / "clips"), "--model", "tiny", "--name", "tuned", "--head", "meanP",
        "--epochs", "1", "--keep", "-L", str(tmp_path / "library"), "--device", "cpu",
        "--format", "json",
    ])  # fmt: skip
    told = capsys.readouterr()
    assert code == 0, told.err
    found = json.loads(told.out)
    assert (found["videos"], found["held_back"], found["pairs"]) == (4, 3, 21)
    assert "has 4 of the 1,200 videos of the train split of msvd" in told.err
