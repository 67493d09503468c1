"""``c2v search --batch``: the real command with files, pipes that stay open, and Ctrl-C."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]

QUERIES = ("a motorcycle", "a man with a camera", "a cat", "a motorcycle")


@pytest.fixture(scope="module")
def queries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The queries with what editors and hands add to them."""
    path = tmp_path_factory.mktemp("queries") / "queries.txt"
    path.write_bytes("\ufeff{}\r\n\n  {}\t\n{}\n\n{}".format(*QUERIES).encode())
    return path


def answers(run: Run, *arguments: str | Path) -> list[dict[str, Any]]:
    done = run("search", *arguments, "--format", "jsonl")
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_line_each_in_the_order_of_the_file(c2v: Run, demo_library: Path, queries: Path) -> None:
    found = answers(c2v, "--batch", queries, "-L", demo_library, "-n", "3")
    assert [answer["query"] for answer in found] == list(QUERIES)
    for answer in found:
        keys = ["query", "model", "library", "strategy", "elapsed_ms", "matched", "results"]
        assert list(answer) == keys
        assert [result["rank"] for result in answer["results"]] == [1, 2, 3]


@pytest.mark.parametrize("options", [(), ("--moments", "--in", "*.mp4", "--min-score", "0.05")])
def test_the_answers_are_those_of_single_searches(
    c2v: Run, demo_library: Path, queries: Path, options: tuple[str, ...]
) -> None:
    together = answers(c2v, "--batch", queries, "-L", demo_library, *options)
    for answer in together[:3]:
        done = c2v("search", answer["query"], "-L", demo_library, *options, "-f", "json")
        single = json.loads(done.stdout)
        for one, other in zip(single["results"], answer["results"], strict=True):
            assert one.pop("score") == pytest.approx(other.pop("score"), abs=2e-6)
            assert one == other


def test_other_formats(c2v: Run, demo_library: Path, queries: Path) -> None:
    def search(style: str) -> str:
        words = ("search", "--batch", queries, "--all", "-n", "2", "-L", demo_library)
        return c2v(*words, "-f", style).stdout

    array = json.loads(search("json"))
    paths = [result["path"] for answer in array for result in answer["results"]]
    assert len(paths) == 2 * len(QUERIES)
    rows = list(csv.DictReader(io.StringIO(search("csv"))))
    assert [row["path"] for row in rows] == paths
    assert [row["query"] for row in rows] == [query for query in QUERIES for _ in range(2)]
    assert search("paths").splitlines() == paths
    assert search("paths0").split("\0") == [*paths, ""]
    table = search("table")
    assert [line for line in table.splitlines() if line in QUERIES] == list(QUERIES)
    assert all(Path(path).name in table for path in paths)


def test_a_line_that_is_no_text_is_named(c2v: Run, demo_library: Path, tmp_path: Path) -> None:
    path = tmp_path / "queries.txt"
    path.write_bytes(b"a cat\n\xff\xfe\na dog\n")
    done = c2v("search", "--batch", path, "-L", demo_library, "-f", "jsonl", "-q", code=4)
    assert [json.loads(line)["query"] for line in done.stdout.splitlines()] == ["a cat", "a dog"]
    assert "line 2" in done.stderr
    assert "UTF-8" in done.stderr


def test_nothing_asked_is_nothing_answered(c2v: Run, demo_library: Path) -> None:
    assert c2v("search", "--batch", os.devnull, "-L", demo_library, "-f", "jsonl").stdout == ""
    assert c2v("search", "--batch", "-", "-L", demo_library, "-f", "json").stdout == "[]\n"


def test_one_kind_of_question_at_a_time(c2v: Run, queries: Path) -> None:
    done = c2v("search", "--batch", queries, "a cat", code=2)
    assert "--batch" in done.stderr


def test_a_file_that_is_not_there(c2v: Run, demo_library: Path, tmp_path: Path) -> None:
    done = c2v("search", "--batch", tmp_path / "none", "-L", demo_library, code=1)
    assert "none: No such file" in done.stderr
    assert "hint:" in done.stderr


@pytest.fixture
def conversation(demo_library: Path) -> subprocess.Popen[str]:
    """``--batch -`` between two pipes."""
    words = ["-m", "c2v", "search", "--batch", "-", "-n", "1", "-f", "json", "-L", demo_library]
    return subprocess.Popen(
        [sys.executable, *map(str, words)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        bufsize=1,
    )


def read_answer(process: subprocess.Popen[str]) -> str:
    """The query of the next answer of a JSON array that is still being written."""
    assert process.stdout is not None
    text = ""
    while not text.endswith("\n}") and "]\n}" not in text:
        text += process.stdout.read(1)
    answer: dict[str, str] = json.loads(text.lstrip("[,\n"))
    return answer["query"]


def test_whoever_writes_a_line_gets_its_answer(conversation: subprocess.Popen[str]) -> None:
    assert conversation.stdin is not None
    assert conversation.stdout is not None
    with conversation:
        for query in QUERIES[:3]:
            conversation.stdin.write(query + "\n")
            assert read_answer(conversation) == query
        conversation.stdin.close()
        assert conversation.stdout.read() == "\n]\n"
        assert conversation.wait(timeout=60) == 0


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C cannot be sent to one process there")
def test_ctrl_c_while_it_waits_leaves_whole_json(conversation: subprocess.Popen[str]) -> None:
    assert conversation.stdin is not None
    assert conversation.stdout is not None
    assert conversation.stderr is not None
    with conversation:
        conversation.stdin.write("a cat\n")
        assert read_answer(conversation) == "a cat"
        conversation.send_signal(signal.SIGINT)
        assert conversation.wait(timeout=60) == 130
        assert conversation.stdout.read() == "\n]\n"
        assert "Traceback" not in conversation.stderr.read()


@pytest.mark.skipif(os.name == "nt", reason="pipes break in another way there")
def test_a_reader_that_leaves_ends_it_quietly(demo_library: Path, tmp_path: Path) -> None:
    many = tmp_path / "queries.txt"
    many.write_text("a cat\n" * 2000)
    words = ["-m", "c2v", "search", "--batch", many, "-f", "jsonl", "-L", demo_library]
    with subprocess.Popen(
        [sys.executable, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert json.loads(process.stdout.readline())["query"] == "a cat"
        process.stdout.close()
        assert process.wait(timeout=60) == 0
        assert process.stderr.read() == b""
