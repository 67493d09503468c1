"""Where the files of a model come from: servers and folders, whole, in part, and wrong."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from c2v.config import cache_dir
from c2v.encoder.sources.origins import FolderOrigin, WebOrigin, open_origin, sweep
from c2v.errors import ModelError, UsageError

REPOSITORY = "timm/PE-Core-B-16"
FILE = "open_clip_model.safetensors"
CONTENT = np.random.default_rng(0).bytes(6 << 20)

OBTAIN = """
import sys
from c2v.encoder.sources.origins import open_origin
print(open_origin(sys.argv[1]).obtain(sys.argv[2], sys.argv[3], remark=print))
"""


@pytest.fixture
def hub(load_helper: Callable[[str], ModuleType]) -> Iterator[Any]:
    with load_helper("hub_server.py").Hub(REPOSITORY) as server:
        server.files[FILE] = CONTENT
        server.tags = "sha256"
        yield server


def obtain(hub: Any, said: list[str] | None = None) -> Path | None:
    remark = (said if said is not None else []).append
    return WebOrigin(hub.url).obtain(REPOSITORY, FILE, remark=remark)


def part_of(home: Path) -> Path:
    (found,) = (home / "cache" / "downloads").rglob(FILE)
    return found


def kill_in_the_middle(hub: Any, home: Path) -> int:
    """Start to fetch in a process, kill it when half has come; how many bytes it left."""
    hub.pause = 0.02
    process = subprocess.Popen(
        [sys.executable, "-c", OBTAIN, hub.url, REPOSITORY, FILE], env=os.environ | {}
    )
    deadline = time.monotonic() + 60
    while hub.sent.get(FILE, 0) < len(CONTENT) // 2:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait(30)
    hub.pause = 0.0
    return part_of(home).stat().st_size


def test_a_killed_transfer_goes_on_where_it_was(hub: Any, home: Path) -> None:
    hub.ranges = True
    kept = kill_in_the_middle(hub, home)
    assert len(CONTENT) // 4 < kept < len(CONTENT)
    found = obtain(hub)
    assert found is not None
    assert found.read_bytes() == CONTENT
    assert hub.answers[1:] == [[kept, len(CONTENT) - kept]]  # and not one byte more


def test_a_server_that_cannot_go_on_sends_it_all_again(hub: Any, home: Path) -> None:
    kept = kill_in_the_middle(hub, home)
    assert kept > 0
    found = obtain(hub)
    assert found is not None
    assert found.read_bytes() == CONTENT
    assert hub.answers[1:] == [[0, len(CONTENT)]]


def test_a_connection_that_breaks_is_gone_on_with_at_once(hub: Any) -> None:
    hub.ranges = True
    hub.breaks_after = 1 << 20
    again = hub.sent  # after the first it sends no more, until the test lets it

    class Mended(dict):  # type: ignore[type-arg]
        def __setitem__(self, name: str, count: int) -> None:
            super().__setitem__(name, count)
            if count == 1 << 20:
                hub.breaks_after = None

    hub.sent = Mended(again)
    found = obtain(hub)
    assert found is not None
    assert found.read_bytes() == CONTENT
    assert hub.answers == [[0, 1 << 20], [1 << 20, len(CONTENT) - (1 << 20)]]


def test_what_was_fetched_in_full_is_not_fetched_again(hub: Any, home: Path) -> None:
    first = obtain(hub)
    assert obtain(hub) == first
    assert len(hub.answers) == 1
    assert first is not None
    sweep(first)
    assert not first.exists()
    assert list((home / "cache" / "downloads").iterdir()) == []


def test_what_nobody_went_on_with_for_a_month_is_swept(hub: Any, home: Path) -> None:
    kept = obtain(hub)
    assert kept is not None
    sweep()
    assert kept.exists()
    for path in (cache_dir() / "downloads").rglob("*"):
        os.utime(path, (0, 0))
    sweep()
    assert not kept.exists()


@pytest.mark.parametrize("tags", ["sha256", "git"])
def test_a_wrong_byte_is_refused_and_names_the_file(hub: Any, home: Path, tags: str) -> None:
    hub.tags = tags
    hub.stated[FILE] = hub.tag(FILE)
    hub.files[FILE] = CONTENT[:-1] + bytes([CONTENT[-1] ^ 1])
    with pytest.raises(ModelError, match=rf"{REPOSITORY}.*{FILE} is damaged") as caught:
        obtain(hub)
    assert hub.stated[FILE] in caught.value.message
    assert not list((home / "cache").rglob(FILE))  # nothing of it is gone on with
    hub.files[FILE] = CONTENT
    assert obtain(hub) is not None


def test_a_kept_part_that_is_wrong_is_fetched_anew(hub: Any, home: Path) -> None:
    hub.ranges = True
    kill_in_the_middle(hub, home)
    part = part_of(home)
    part.write_bytes(bytes(part.stat().st_size))
    found = obtain(hub)
    assert found is not None
    assert found.read_bytes() == CONTENT


def test_a_part_of_what_was_there_before_is_dropped(hub: Any, home: Path) -> None:
    hub.ranges = True
    kill_in_the_middle(hub, home)
    other = CONTENT[::-1]
    hub.files[FILE] = other
    found = obtain(hub)
    assert found is not None
    assert found.read_bytes() == other
    assert hub.answers[1:] == [[0, len(CONTENT)]]


def test_a_server_without_tags_is_taken_at_its_list(hub: Any, home: Path) -> None:
    hub.tags = "none"
    said: list[str] = []
    assert obtain(hub, said) is not None
    assert len(said) == 1
    assert said[0].endswith(f"states no checksum of {FILE}: only its size was compared")
    sweep(part_of(home))
    hub.files["SHA256SUMS"] = f"{hashlib.sha256(CONTENT).hexdigest()}  {FILE}\n".encode()
    said.clear()
    assert obtain(hub, said) is not None
    assert said == []
    sweep(part_of(home))
    hub.files["SHA256SUMS"] = f"{'0' * 64} *./{FILE}\n".encode()
    with pytest.raises(ModelError, match="SHA256SUMS there states 0000"):
        obtain(hub)


def test_a_file_that_is_not_there(hub: Any) -> None:
    assert WebOrigin(hub.url).obtain(REPOSITORY, "other.bin", remark=print) is None


def test_a_token_is_not_sent_without_encryption(hub: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from c2v.encoder.sources.transfer import _request

    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    assert "Authorization" not in _request(hub.url, "GET").unredirected_hdrs
    request = _request("https://hub.example/x", "GET")
    assert request.unredirected_hdrs["Authorization"] == "Bearer hf_secret"
    assert "Authorization" not in request.headers  # which follow a redirect to another host


def test_two_do_not_fetch_the_same_at_once(hub: Any, home: Path) -> None:
    hub.pause = 0.02
    process = subprocess.Popen([sys.executable, "-c", OBTAIN, hub.url, REPOSITORY, FILE])
    while not hub.sent.get(FILE):
        time.sleep(0.01)
    with pytest.raises(ModelError, match="being fetched by another c2v"):
        obtain(hub)
    hub.pause = 0.0
    assert process.wait(60) == 0


LAYOUTS = {
    "as the hub's addresses": f"{REPOSITORY}/resolve/main/{FILE}",
    "a clone of each": f"{REPOSITORY}/{FILE}",
    "a clone": f"PE-Core-B-16/{FILE}",
    "the client's cache": f"models--timm--PE-Core-B-16/snapshots/abc/{FILE}",
    "the file itself": FILE,
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("as_url", [False, True])
def test_folders(tmp_path: Path, layout: str, as_url: bool) -> None:
    root = tmp_path / "mödels here"
    file = root / LAYOUTS[layout]
    file.parent.mkdir(parents=True)
    file.write_bytes(CONTENT)
    said: list[str] = []
    origin = open_origin(root.as_uri() if as_url else str(root))
    assert origin.obtain(REPOSITORY, FILE, remark=said.append) == file
    assert said == [f"{file} is taken as it is: no SHA256SUMS is beside it"]
    assert origin.obtain(REPOSITORY, "other", remark=said.append) is None
    name = file.relative_to(root).as_posix()
    (root / "SHA256SUMS").write_text(f"{hashlib.sha256(CONTENT).hexdigest()}  {name}\n")
    said.clear()
    assert origin.obtain(REPOSITORY, FILE, remark=said.append) == file
    assert said == []
    file.write_bytes(CONTENT[:-1] + bytes([CONTENT[-1] ^ 1]))
    with pytest.raises(ModelError, match="is damaged: its SHA-256") as caught:
        origin.obtain(REPOSITORY, FILE, remark=said.append)
    assert str(file) in caught.value.message


def test_what_else_a_folder_states(tmp_path: Path) -> None:
    """A file of its own beside it, and the notes of ``hf download --local-dir``."""
    file = tmp_path / FILE
    file.write_bytes(CONTENT)
    notes = tmp_path / ".cache" / "huggingface" / "download"
    notes.mkdir(parents=True)
    for place, text in (
        (notes / f"{FILE}.metadata", "commit\n{}\n1700000000.0\n"),
        (tmp_path / f"{FILE}.sha256", "{}\n"),
    ):
        said: list[str] = []
        place.write_text(text.format(hashlib.sha256(CONTENT).hexdigest()))
        FolderOrigin(tmp_path).obtain("", FILE, remark=said.append)
        assert said == []
        place.write_text(text.format("0" * 64))
        with pytest.raises(ModelError, match=FILE):
            FolderOrigin(tmp_path).obtain("", FILE, remark=print)
        place.unlink()


def test_a_clone_without_its_large_files(tmp_path: Path) -> None:
    file = tmp_path / REPOSITORY / FILE
    file.parent.mkdir(parents=True)
    file.write_text(
        f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 1792\n"
    )
    with pytest.raises(ModelError, match="pointer of Git LFS") as caught:
        FolderOrigin(tmp_path).obtain(REPOSITORY, FILE, remark=print)
    assert "lfs pull" in caught.value.hint


def test_no_place_to_fetch_from() -> None:
    with pytest.raises(UsageError, match="ftp://somewhere"):
        open_origin("ftp://somewhere")
