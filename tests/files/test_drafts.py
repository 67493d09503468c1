"""Folders and files that are written whole: killed at every step, by two at once, on odd disks."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from c2v.files.drafts import (
    comes_back,
    file_draft,
    folder_draft,
    output_draft,
    settle,
    sole_owner,
)
from c2v.files.writing import replacing, write_file

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="kills copies of a process")

# In a process of its own: a copy of it is killed before each of its system calls that Python tells
# of (open, mkdir, rename, remove, ...), from the first to the one after the last.
KILLED = """
import json, os, signal, sys
from pathlib import Path
from c2v.files import drafts, writing

how, root = sys.argv[1], Path(sys.argv[2])
if how == "journal":  # what a system without an exchange of names does
    drafts._exchange = lambda first, second: False
SEEN = ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.listdir", "os.scandir",
        "os.chmod", "os.truncate", "shutil.rmtree", "ctypes.dlsym")

def work(folder):
    if how == "small":
        writing.write_file(folder / "model", "new")
        return
    if how == "file":
        with drafts.file_draft(folder / "model") as draft:
            draft.write_text("new")
        return
    with drafts.folder_draft(folder / "model", overwrite=True) as draft:
        (draft / "a").write_text("new")
        (draft / "b").write_text("new")

def found(folder):
    if how in ("file", "small"):
        return [(folder / "model").read_text()]
    drafts.comes_back(folder / "model")
    return sorted({file.read_text() for file in (folder / "model").iterdir()})

results = []
for step in range(1, 500):
    folder = root / str(step)
    folder.mkdir(parents=True)
    if how in ("file", "small"):
        (folder / "model").write_text("old")
    else:
        (folder / "model").mkdir()
        for name in "ab":
            (folder / "model" / name).write_text("old")
    child = os.fork()
    if child == 0:
        count = 0
        def hook(event, arguments):
            global count
            if event in SEEN:
                count += 1
                if count == step:
                    os.kill(os.getpid(), signal.SIGKILL)
        sys.addaudithook(hook)
        work(folder)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    kept = found(folder)
    drafts.settle(folder)
    left = [path for path in folder.iterdir() if path.name != "model"]
    for path in left:  # killed before it had its lock: swept when it is an hour old
        os.utime(path, (0, 0))
    drafts.settle(folder)
    if how == "small":  # these stay, under a name that nothing else has
        for path in left:
            assert path.name.startswith("model.") and path.name.endswith(".tmp"), path
            path.unlink()
    swept = [path.name for path in folder.iterdir()] == ["model"]
    results.append([kept, found(folder), len(left), swept])
    if status == 0:
        break
print(json.dumps(results))
"""


@pytest.mark.parametrize("how", ["exchange", "journal", "file", "small"])
def test_killed_at_any_step_it_is_old_or_new_and_nothing_is_left(tmp_path: Path, how: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED, how, str(tmp_path)],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    assert len(results) > (3 if how == "small" else 12)
    for kept, later, left, swept in results:
        assert kept in (["old"], ["new"])
        assert later == kept
        assert swept
        assert left <= 1
    assert results[0][0] == ["old"]
    assert results[-1][0] == ["new"]
    assert sum(left for _, _, left, _ in results) <= 2, "a dead owner is known by its lock"


def test_what_a_living_process_writes_is_left_alone(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from c2v.files.drafts import folder_draft\n"
        "with folder_draft(Path(sys.argv[1])) as draft:\n"
        "    print(draft, flush=True)\n    sys.stdin.readline()\n    (draft / 'a').write_text('a')"
    )
    writer = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "model")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert writer.stdout is not None
    draft = Path(writer.stdout.readline().strip())
    os.utime(draft.parent, (0, 0))
    settle(tmp_path)
    with folder_draft(tmp_path / "other") as other:
        (other / "b").write_text("b")
    assert draft.is_dir()
    writer.communicate("go on\n", timeout=60)
    assert writer.returncode == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "other"]


def test_a_name_taken_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    target = tmp_path / "model"

    def write() -> None:
        with folder_draft(target) as draft:
            (draft / "a").write_text("mine")
            target.mkdir()
            (target / "a").write_text("theirs")

    with pytest.raises(FileExistsError):
        write()
    assert [path.read_text() for path in target.iterdir()] == ["theirs"]
    assert list(tmp_path.iterdir()) == [target]


def test_what_fails_leaves_the_target_as_it_was(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_text("old")

    def write() -> None:
        with file_draft(target) as draft:
            draft.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]
    assert not comes_back(tmp_path / "never")


def test_one_process_owns_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "mine"
    code = (
        "import sys; from pathlib import Path; from c2v.files.drafts import sole_owner\n"
        "with sole_owner(Path(sys.argv[1])) as alone:\n    print(alone)"
    )
    command = [sys.executable, "-c", code, str(folder)]
    with sole_owner(folder) as alone:
        assert alone
        assert subprocess.run(command, capture_output=True, text=True).stdout == "False\n"
    assert not folder.exists()
    assert subprocess.run(command, capture_output=True, text=True).stdout == "True\n"


def test_a_folder_that_is_just_being_made_is_no_leftover(tmp_path: Path) -> None:
    fresh = tmp_path / ".c2v-12345678.draft"
    fresh.mkdir()
    settle(tmp_path)
    assert fresh.is_dir()
    os.utime(fresh, (time.time() - 7200,) * 2)
    settle(tmp_path)
    assert not fresh.exists()


@pytest.mark.parametrize("durable", [True, False])
def test_a_small_file_that_fails_leaves_the_target_as_it_was(tmp_path: Path, durable: bool) -> None:
    target = tmp_path / "file"
    target.write_text("old")

    def write() -> None:
        with replacing(target, durable=durable) as file:
            file.write(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]
    write_file(target, "new", durable=durable)
    write_file(tmp_path / "made" / "file", b"new", durable=durable)
    assert target.read_text() == (tmp_path / "made" / "file").read_text() == "new"


def test_threads_that_write_one_file_leave_one_of_theirs(tmp_path: Path) -> None:
    contents = [bytes([number]) * 10_000 for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(20):
            list(pool.map(lambda c: write_file(tmp_path / "file", c, durable=False), contents))
            assert (tmp_path / "file").read_bytes() in contents
    assert len(list(tmp_path.iterdir())) == 1


def test_what_a_user_names_is_replaced_whole_and_a_link_stays(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    target = tmp_path / "elsewhere" / "page.html"
    target.write_text("old")
    link = tmp_path / "page.html"
    link.symlink_to(target)
    with pytest.raises(RuntimeError), output_draft(link) as draft:  # noqa: PT012
        draft.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old"
    with output_draft(link) as draft:
        draft.write_text("new")
    assert link.is_symlink()
    assert target.read_text() == "new"


def test_a_pipe_or_a_device_is_written_to_as_it_is(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as pool:
        read = pool.submit(pipe.read_text)
        with output_draft(pipe) as draft:
            draft.write_text("through it")
        assert read.result(timeout=60) == "through it"
    assert list(tmp_path.iterdir()) == [pipe]
    with output_draft(Path("/dev/null")) as draft:
        draft.write_text("nothing")
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
