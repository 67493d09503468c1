"""The main job through the real command, on real pictures and clips, in processes of its own."""

from __future__ import annotations

import csv
import io
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import ModuleType

import pytest

from c2v.encoder.catalogue import locate_bundle

Run = Callable[..., subprocess.CompletedProcess[str]]


def index_json(run: Run, *arguments: str | Path, code: int = 0) -> dict[str, object]:
    done = run("index", *arguments, "--format", "json", code=code)
    return json.loads(done.stdout)


def modules_after(run_python: Run, *arguments: str | Path) -> set[str]:
    """The modules a whole command imported."""
    script = (
        "import sys; from c2v.cli.app import run; code = run(sys.argv[1:]); "
        "print(' '.join(sorted(sys.modules)), file=sys.stderr); sys.exit(code)"
    )
    done = run_python("-c", script, *arguments)
    return set(done.stderr.split())


def test_search_finds_what_a_sentence_says(c2v: Run, demo_library: Path) -> None:
    expected = {
        "a motorcycle": "garage.mp4",
        "a man with a camera": "photographer.mp4",
        "a rocket launch": "departure.mp4",
        "buildings in a city": "downtown.mpg",
        "a man in a suit in a car": "call.mp4",
        "a page of a book": "reading.mp4",
    }
    best = {}
    for query in expected:
        done = c2v("--library", demo_library, "search", query, "--format", "json")
        best[query] = Path(json.loads(done.stdout)["results"][0]["path"]).name
    assert best == expected


def test_demo_shows_what_it_finds_and_what_it_does_not(c2v: Run, tmp_path: Path) -> None:
    done = c2v("demo", "--dir", tmp_path / "demo", "--model", "mini", code=0)
    firsts = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("1 ")]
    names = [Path(path).name for path in firsts]
    assert names == ["garage.mp4", "photographer.mp4", "night.mp4", "downtown.mpg"]
    assert done.stderr.count("nothing here matches") == 1
    lines = [line for line in done.stdout.splitlines() if line.startswith("$ c2v search")]
    assert len(lines) == 5
    copied = c2v(*shlex.split(lines[2])[2:], "--format", "json").stdout  # as it is printed
    assert Path(json.loads(copied)["results"][0]["path"]).name == "night.mp4"


def test_tables_in_a_pipe_end_with_their_last_word(
    c2v: Run, demo_library: Path, demo_videos: Path, tmp_path: Path
) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_text("a motorcycle in a garage\na rocket\n")
    captions = tmp_path / "captions.csv"
    captions.write_text(f"video,caption\n{demo_videos}/garage.mp4,a motorcycle\n")
    for words in (
        ("search", "a cat", "--all"),
        ("describe", demo_videos / "garage.mp4", "--labels", labels),
        ("status",),
        ("model", "list"),
        ("evaluate", "--data", captions),
    ):
        lines = c2v(*words, "-L", demo_library).stdout.splitlines()
        assert lines
        assert lines == [line.rstrip() for line in lines], words


def test_json_is_the_contract(c2v: Run, demo_library: Path) -> None:
    done = c2v("search", "a cat", "--library", demo_library, "--format", "json", "--top", "3")
    answer = json.loads(done.stdout)
    assert list(answer) == [
        "query",
        "model",
        "library",
        "strategy",
        "elapsed_ms",
        "matched",
        "results",
    ]
    assert answer["query"] == "a cat"
    assert answer["model"] == "mini"
    assert answer["strategy"] in ("exact", "hnsw")
    assert [result["rank"] for result in answer["results"]] == [1, 2, 3]
    for result in answer["results"]:
        keys = ["rank", "path", "score", "confidence", "start", "end", "best", "duration"]
        assert list(result) == keys
        assert Path(result["path"]).is_absolute()
        assert -1 <= result["score"] <= 1
        assert 0 <= result["confidence"] <= 1
        assert 0 <= result["start"] <= result["best"] <= result["end"]
        assert result["end"] <= result["duration"] + 0.05
    scores = [result["score"] for result in answer["results"]]
    assert scores == sorted(scores, reverse=True)


def test_every_format_names_the_same_videos(c2v: Run, demo_library: Path) -> None:
    def search(style: str) -> str:
        return c2v("search", "a cat", "--all", "-n", "4", "-L", demo_library, "-f", style).stdout

    paths = [result["path"] for result in json.loads(search("json"))["results"]]
    assert [json.loads(line)["path"] for line in search("jsonl").splitlines()] == paths
    assert [row["path"] for row in csv.DictReader(io.StringIO(search("csv")))] == paths
    assert search("paths").splitlines() == paths
    assert search("paths0").split("\0") == [*paths, ""]
    table = search("table")
    assert [Path(path).name in table for path in paths] == [True] * 4


def test_exact_and_hnsw_give_the_same_best(c2v: Run, demo_library: Path) -> None:
    answers = [
        json.loads(
            c2v("search", "a cat", "-L", demo_library, "--strategy", strategy, "-f", "json").stdout
        )
        for strategy in ("exact", "hnsw")
    ]
    assert [answer["strategy"] for answer in answers] == ["exact", "hnsw"]
    first, second = ([r["path"] for r in answer["results"]] for answer in answers)
    assert first == second
    assert [path.suffix for path in (demo_library / "cache").glob("hnsw-*")] == [".bin"]


def test_search_by_video_finds_the_clip_itself(
    c2v: Run, demo_library: Path, demo_videos: Path
) -> None:
    clip = demo_videos / "whiskers.mp4"
    done = c2v("search", "--video", clip, "-L", demo_library, "--format", "json")
    best = json.loads(done.stdout)["results"][0]
    assert Path(best["path"]).name == "whiskers.mp4"
    assert best["score"] > 0.99


def test_describe_ranks_captions(c2v: Run, demo_videos: Path, tmp_path: Path) -> None:
    labels = tmp_path / "captions.txt"
    labels.write_text("a rocket launch\na motorcycle\n\na street with cars\na motorcycle\n")
    arguments = ("describe", demo_videos / "garage.mp4", "--labels", labels, "--model", "mini")
    ranked = json.loads(c2v(*arguments, "--format", "json").stdout)["results"]
    assert ranked[0]["label"] == "a motorcycle"
    assert [label["rank"] for label in ranked] == [1, 2, 3]
    assert "a motorcycle" in c2v(*arguments).stdout


def test_in_and_min_score_and_moments(c2v: Run, demo_library: Path, demo_videos: Path) -> None:
    def found(*options: str | Path) -> list[dict[str, object]]:
        done = c2v("search", "a cat", "-L", demo_library, "-f", "json", *options)
        return json.loads(done.stdout)["results"]

    assert [Path(str(r["path"])).suffix for r in found("--in", "*.mpg")] == [".mpg"]
    assert len(found("--in", demo_videos, "-n", "100")) == len(found("-n", "100"))
    assert found("--in", "nowhere") == []
    scores = [float(str(r["score"])) for r in found("-n", "100")]
    limit = scores[3]
    assert len(found("--min-score", f"{limit - 1e-6}", "-n", "100")) == 4
    every = found("--moments", "-n", "100")
    assert len(every) >= len(scores)


def test_second_run_opens_no_video(run_python: Run, demo_library: Path, demo_videos: Path) -> None:
    modules = modules_after(run_python, "--library", demo_library, "index", demo_videos)
    assert "av" not in modules
    assert "decord" not in modules


def test_text_search_never_imports_torch(run_python: Run, demo_library: Path) -> None:
    modules = modules_after(run_python, "--library", demo_library, "search", "a cat")
    assert "c2v.search.ranking" in modules
    heavy = {"torch", "torchvision", "open_clip", "av", "decord", "timm", "PIL", "pandas"}
    assert modules & heavy == set()


def test_renamed_changed_and_vanished(
    c2v: Run, run_python: Run, demo_videos: Path, tmp_path: Path
) -> None:
    videos, library = tmp_path / "videos", tmp_path / "library"
    videos.mkdir()
    for name in ("garage.mp4", "breakfast.mp4", "departure.mp4"):
        (videos / name).write_bytes((demo_videos / name).read_bytes())
    report = index_json(c2v, videos, "-L", library, "--model", "mini")
    assert (report["added"], report["failed"]) == (3, [])

    (videos / "deep" / "er").mkdir(parents=True)
    (videos / "garage.mp4").rename(videos / "deep" / "er" / "other.mp4")
    modules = modules_after(run_python, "--library", library, "index", videos)
    assert "av" not in modules  # not decoded again
    done = c2v("search", "a motorcycle", "-L", library, "--format", "paths", "-n", "1")
    assert done.stdout.strip() == str(videos / "deep" / "er" / "other.mp4")

    (videos / "breakfast.mp4").write_bytes((demo_videos / "checkup.mp4").read_bytes())
    (videos / "departure.mp4").unlink()
    report = index_json(c2v, videos, "-L", library)
    assert (report["updated"], report["missing"], report["removed"]) == (1, 1, 0)
    report = index_json(c2v, videos, "-L", library, "--prune")
    assert (report["unchanged"], report["removed"]) == (2, 1)


def test_an_encoder_in_a_folder_of_its_own(c2v: Run, demo_videos: Path, tmp_path: Path) -> None:
    """It is found again from another folder, and after a move once it is named anew."""
    bundle, library = tmp_path / "encoder", tmp_path / "library"
    shutil.copytree(locate_bundle("mini"), bundle)
    video = demo_videos / "garage.mp4"
    (tmp_path / "link").symlink_to(bundle)
    c2v("index", "--model", tmp_path / "link", video, "-L", library)
    assert "garage" in c2v("search", "a motorcycle", "-L", library, "-f", "paths").stdout
    bundle.rename(tmp_path / "moved")
    c2v("search", "a motorcycle", "-L", library, code=1)
    c2v("index", "--model", tmp_path / "moved", video, "-L", library)
    assert "garage" in c2v("search", "a motorcycle", "-L", library, "-f", "paths").stdout


def test_two_files_that_swap_names(c2v: Run, demo_videos: Path, tmp_path: Path) -> None:
    videos, library = tmp_path / "videos", tmp_path / "library"
    videos.mkdir()
    for name in ("garage.mp4", "breakfast.mp4"):
        (videos / name).write_bytes((demo_videos / name).read_bytes())
    index_json(c2v, videos, "-L", library, "--model", "mini")
    (videos / "garage.mp4").rename(videos / "aside")
    (videos / "breakfast.mp4").rename(videos / "garage.mp4")
    (videos / "aside").rename(videos / "breakfast.mp4")
    report = index_json(c2v, videos, "-L", library)
    assert report["added"] == report["updated"] == 0
    done = c2v("search", "a motorcycle", "-L", library, "--format", "paths", "-n", "1")
    assert Path(done.stdout.strip()).name == "breakfast.mp4"
    status = json.loads(c2v("status", "-L", library, "--format", "json").stdout)
    assert status["videos"] == 2


def test_a_copy_is_found_too_and_not_decoded(
    c2v: Run, run_python: Run, demo_videos: Path, tmp_path: Path
) -> None:
    videos, library = tmp_path / "videos", tmp_path / "library"
    videos.mkdir()
    (videos / "one.mp4").write_bytes((demo_videos / "whiskers.mp4").read_bytes())
    index_json(c2v, videos, "-L", library, "--model", "mini")
    (videos / "two.mp4").write_bytes((demo_videos / "whiskers.mp4").read_bytes())
    assert "av" not in modules_after(run_python, "--library", library, "index", videos)
    paths = c2v("search", "a cat", "--all", "-L", library, "-f", "paths").stdout.split()
    assert sorted(Path(path).name for path in paths) == ["one.mp4", "two.mp4"]


def test_unplugged_folder_is_kept_without_prune(
    c2v: Run, demo_videos: Path, tmp_path: Path
) -> None:
    drive, library = tmp_path / "drive", tmp_path / "library"
    drive.mkdir()
    (drive / "cat.mp4").write_bytes((demo_videos / "whiskers.mp4").read_bytes())
    index_json(c2v, drive, "-L", library, "--model", "mini")
    drive.rename(tmp_path / "unplugged")
    report = index_json(c2v, drive, "-L", library, code=4)
    assert (report["removed"], report["missing"]) == (0, 1)
    drive.mkdir()  # the mount point without the drive
    report = index_json(c2v, drive, "-L", library)
    assert (report["removed"], report["missing"]) == (0, 1)
    report = index_json(c2v, drive, "-L", library, "--prune", code=4)
    assert (report["removed"], report["missing"]) == (0, 1)
    report = index_json(c2v, drive, "-L", library, "--prune", "--yes")
    assert report["removed"] == 1


def test_remove_forgets_and_leaves_the_file(c2v: Run, demo_videos: Path, tmp_path: Path) -> None:
    library = tmp_path / "library"
    index_json(c2v, demo_videos / "whiskers.mp4", demo_videos / "call.mp4", "-L", library)
    c2v("remove", demo_videos / "whiskers.mp4", "-L", library, "--yes")
    assert (demo_videos / "whiskers.mp4").exists()
    status = json.loads(c2v("status", "-L", library, "--format", "json").stdout)
    assert status["videos"] == 1
    done = c2v("remove", demo_videos / "whiskers.mp4", "-L", library, code=1)
    assert "whiskers.mp4" in done.stderr


@contextmanager
def indexing(videos: Path, library: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """``c2v index`` of a folder, running; it does not outlive a test that fails."""
    command = [sys.executable, "-m", "c2v", "index", videos, "-L", library, "--model", "mini"]
    with subprocess.Popen(
        list(map(str, [*command, *options])),
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for_videos(library: Path, count: int, *, process: subprocess.Popen[str]) -> None:
    """Until the library on disk has so many videos (read by another connection)."""
    import sqlite3

    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        try:
            address = f"file:{library / 'library.db'}?mode=ro"
            with closing(sqlite3.connect(address, uri=True)) as database:
                if database.execute("SELECT count(*) FROM video").fetchone()[0] >= count:
                    return
        except sqlite3.OperationalError:
            pass  # not created yet
        time.sleep(0.01)
    raise AssertionError(f"the library never had {count} videos")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_ended_in_the_middle_it_goes_on(
    c2v: Run, many_videos: Path, videos: ModuleType, tmp_path: Path, number: signal.Signals
) -> None:
    """Five videos come first, then one of forty minutes; next time a short one is in its place."""
    library = tmp_path / "library"
    endless = many_videos / "05-then.mp4"
    videos.repeat(many_videos / "00.mp4", endless, times=1200)
    with indexing(many_videos, library, "--workers", "1") as process:
        wait_for_videos(library, 5, process=process)
        process.send_signal(number)
        output, errors = process.communicate(timeout=60)
    assert process.returncode == (-9 if number is signal.SIGKILL else 130), (output, errors)
    kept = json.loads(c2v("status", "-L", library, "--format", "json").stdout)["videos"]
    endless.unlink()
    videos.make_video(endless, count=20)
    total = len(list(many_videos.iterdir()))
    assert 3 <= kept < total
    assert c2v("search", "a cat", "--all", "-L", library, "-f", "paths").stdout
    report = index_json(c2v, many_videos, "-L", library)
    assert report["unchanged"] == kept
    assert report["added"] == total - kept
    paths = c2v("search", "x", "--all", "-L", library, "-f", "paths", "-n", "1000").stdout.split()
    assert sorted(paths) == sorted(map(str, many_videos.iterdir()))


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_interrupted_before_anything_is_finished(many_videos: Path, tmp_path: Path) -> None:
    library = tmp_path / "library"
    with indexing(many_videos, library) as process:
        wait_for_videos(library, 0, process=process)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
    assert process.returncode == 130, (output, errors)
    assert "no videos found" not in output


@pytest.mark.skipif(sys.platform == "win32", reason="signals and locks of POSIX")
def test_two_indexers_do_not_meet(many_videos: Path, c2v: Run, tmp_path: Path) -> None:
    """The first one is stopped where it holds the library, and goes on when the second has come."""
    library = tmp_path / "library"
    c2v("index", many_videos / "00.mp4", "-L", library, "--model", "mini")
    with indexing(many_videos, library) as process:
        stop_while_it_writes(process, library / "writer.lock")
        done = c2v("index", many_videos, "-L", library, code=None)
        assert c2v("search", "a cat", "--all", "-L", library, "-f", "paths").stdout
        process.send_signal(signal.SIGCONT)
        process.communicate(timeout=120)
    assert process.returncode == 0
    assert done.returncode in (1, 3)
    assert "another c2v" in done.stderr


def stop_while_it_writes(process: subprocess.Popen[str], lock: Path) -> None:
    """Stop a process at a moment when it has that lock."""
    import fcntl

    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        process.send_signal(signal.SIGSTOP)
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status), "over before it could be stopped"
        with lock.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
        process.send_signal(signal.SIGCONT)
        time.sleep(0.01)
    raise AssertionError("it never had the lock")


def test_piped_and_plain_output(c2v: Run, demo_library: Path, tmp_path: Path) -> None:
    done = c2v("search", "a cat", "--all", "-L", demo_library)
    assert "\x1b" not in done.stdout + done.stderr
    long = tmp_path / ("a long folder name " * 5) / ("and a long file name " * 5 + ".mp4")
    long.parent.mkdir()
    source = c2v(
        "search", "a cat", "--all", "-L", demo_library, "-f", "paths", "-n", "1"
    ).stdout.strip()
    long.write_bytes(Path(source).read_bytes())
    c2v("index", long, "-L", tmp_path / "library", "--model", "mini")
    # Shown as it is shortest, from here; nothing of that is cut.
    shown = c2v("search", "a cat", "--all", "-L", tmp_path / "library", cwd=tmp_path).stdout
    assert str(long.relative_to(tmp_path)) in shown


def test_closed_pipe_is_no_error(demo_library: Path) -> None:
    line = f"{sys.executable} -m c2v search 'a cat' -L '{demo_library}' -f jsonl | head -1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", line], capture_output=True, text=True, timeout=60
    )
    assert done.returncode in (0, 5, 141)
    assert "Traceback" not in done.stderr
    assert json.loads(done.stdout)["rank"] == 1
