"""Embedded queries on disk: the same to the bit, or computed again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from c2v.encoder.bundle import Bundle, load_bundle
from c2v.search import text_cache
from c2v.search.ranking import Query, text_queries
from c2v.search.text_cache import MAX_ENTRIES, cached_query

TEXT = "a dog catching a frisbee"


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load_bundle("mini", device="cpu")


@pytest.fixture
def no_tower(monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on a text that is not in the cache is an error."""

    def refuse(_bundle: Bundle, texts: list[str]) -> list[Query]:
        raise AssertionError(f"the text tower was asked for {texts}")

    monkeypatch.setattr(text_cache, "text_queries", refuse)


def same(a: Query, b: Query) -> bool:
    return (a.label, a.vector.tobytes(), a.feature.tobytes()) == (
        b.label, b.vector.tobytes(), b.feature.tobytes(),
    )  # fmt: skip


def entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def test_the_second_time_is_the_first_to_the_bit(
    bundle: Bundle, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    plain = text_queries(bundle, [TEXT])[0]
    assert same(cached_query(bundle, TEXT, tmp_path), plain)
    request.getfixturevalue("no_tower")
    assert same(cached_query(bundle, TEXT, tmp_path), plain)
    with pytest.raises(AssertionError):
        cached_query(bundle, TEXT + "!", tmp_path)


def test_the_text_is_not_written_down(bundle: Bundle, tmp_path: Path) -> None:
    cached_query(bundle, TEXT, tmp_path)
    (entry,) = entries(tmp_path)
    assert b"frisbee" not in entry.read_bytes()
    assert "frisbee" not in entry.name


def test_another_model_has_its_own(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cached_query(bundle, TEXT, tmp_path)
    monkeypatch.setattr(Bundle, "fingerprint", "another")
    cached_query(bundle, TEXT, tmp_path)
    monkeypatch.setattr(text_cache, "__version__", "9.9")
    cached_query(bundle, TEXT, tmp_path)
    assert len(entries(tmp_path)) == 3


@pytest.mark.parametrize("damage", ["empty", "cut", "bit", "longer", "other"])
def test_a_damaged_entry_is_computed_again(bundle: Bundle, tmp_path: Path, damage: str) -> None:
    plain = cached_query(bundle, TEXT, tmp_path)
    (entry,) = entries(tmp_path)
    content = bytearray(entry.read_bytes())
    if damage == "other":  # a sound file of another query under this name
        other = tmp_path / "other"
        cached_query(bundle, "a motorcycle", other)
        content = bytearray(entries(other)[0].read_bytes())
    elif damage == "bit":
        content[100] ^= 1
    else:
        content = {"empty": content[:0], "cut": content[:-4], "longer": content + b"\0" * 4}[damage]
    entry.write_bytes(content)
    assert same(cached_query(bundle, TEXT, tmp_path), plain)
    assert entry.read_bytes() != content  # mended
    assert same(cached_query(bundle, TEXT, tmp_path), plain)


def test_it_stays_small_and_keeps_what_is_asked_for(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = text_queries(bundle, [TEXT])[0]
    monkeypatch.setattr(text_cache, "text_queries", lambda _b, _t: [query])
    monkeypatch.setattr(text_cache, "MAX_ENTRIES", 20)
    monkeypatch.setattr(text_cache, "_SPARE", 5)
    cached_query(bundle, TEXT, tmp_path)
    (first,) = entries(tmp_path)
    for number in range(40):
        cached_query(bundle, f"query {number}", tmp_path)
        for age, entry in enumerate(entries(tmp_path)):
            if entry != first:  # file systems count time coarsely
                os.utime(entry, ns=(age, age))
        cached_query(bundle, TEXT, tmp_path)
        assert len(entries(tmp_path)) <= 20
    assert first.exists()
    assert MAX_ENTRIES * 4 * (2048 + 1024) < 10_000_000


def test_a_folder_that_cannot_be_written_is_no_error(bundle: Bundle, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    query = cached_query(bundle, TEXT, blocked / "queries")
    assert same(query, text_queries(bundle, [TEXT])[0])


def test_several_processes_at_once(bundle: Bundle, tmp_path: Path) -> None:
    """They write, read and remove in one folder; none fails, none gets other numbers."""
    script = f"""
import sys
from pathlib import Path
import numpy as np
from c2v.encoder.bundle import load_bundle
from c2v.search import text_cache
from c2v.search.ranking import Query
text_cache.MAX_ENTRIES, text_cache._SPARE = 6, 3
def tower(bundle, texts):
    value = np.float32(texts[0].split()[-1])
    return [Query(texts[0], np.full(bundle.vector_dim, value, np.float32),
                  np.full(bundle.feature_dim, -value, np.float32))]
text_cache.text_queries = tower
bundle = load_bundle("mini")
for turn in range(60):
    number = turn * 7 % 13
    query = text_cache.cached_query(bundle, f"query {{number}}", Path({str(tmp_path)!r}))
    assert (query.vector == number).all() and (query.feature == -number).all(), number
"""
    processes = [subprocess.Popen([sys.executable, "-c", script]) for _ in range(2)]
    assert [process.wait(timeout=120) for process in processes] == [0, 0]
    left = entries(tmp_path)
    assert len(left) <= 9
    assert all(path.suffix == ".query" for path in left)


def test_numbers_can_be_written_to(bundle: Bundle, tmp_path: Path) -> None:
    """A query from the cache behaves as a computed one."""
    for _ in range(2):
        query = cached_query(bundle, TEXT, tmp_path)
        assert query.vector.dtype == query.feature.dtype == np.float32
        assert query.vector.flags.writeable
        assert query.vector.flags.aligned
