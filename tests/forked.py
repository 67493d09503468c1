"""Processes that start with everything imported: a server that has done so forks one for each.

``python -m c2v`` costs a tenth of a second before its first line of work, the runtime of the
shipped encoder three tenths, open_clip four seconds. Where what a command does is the point, and
not how it starts, :meth:`Forks.run` gives the same: a process of its own, with its own arguments,
environment, streams, signals and exit code. The server has one thread and has done no work.
"""

from __future__ import annotations

import array
import atexit
import contextlib
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
import types
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

LIGHT = ("c2v.cli.app", "numpy", "numpy.linalg", "sqlite3", "rich.table", "rich.progress", "av",
         "onnxruntime", "hnswlib", "ftfy", "regex", "safetensors.numpy")  # fmt: skip
HEAVY = (*LIGHT, "torch", "open_clip")
POSSIBLE = sys.platform == "linux"  # elsewhere libraries of the system do not survive a fork
READ_LATE = (
    "C2V_", "COLUMNS", "PYTEST_", "HOME", "XDG_", "WORLD_SIZE", "RANK", "MASTER_",
    # Set by what the tests' own process has imported meanwhile.
    "TORCHINDUCTOR_", "TOKENIZERS_", "ORT_", "HF_HUB_DISABLE_TELEMETRY", "MPLCONFIGDIR",
)  # fmt: skip
"""Variables that are read at each call; others are known to what is imported already."""
READ_BY_HEAVY = ("HF_", "TRANSFORMERS_", "NO_PROXY", "OMP_", "TORCH")


class Fork:
    """A process that runs; its output goes to files."""

    def __init__(self, command: Sequence[str], out: Any, err: Any, reply: socket.socket) -> None:
        self.args = [sys.executable, *command]
        self._out, self._err, self._reply = out, err, reply
        self.pid = int.from_bytes(_exactly(reply, 4), "big")

    def send_signal(self, number: int) -> None:
        """Send it, as to any process."""
        os.kill(self.pid, number)

    def is_running(self) -> bool:
        """Whether it has not ended yet."""
        return not select.select([self._reply], [], [], 0)[0]

    def wait(self, timeout: float = 600) -> subprocess.CompletedProcess[str]:
        """Until it ends: its exit code (negative: a signal) and all that it wrote."""
        with self._reply, self._out, self._err:
            self._reply.settimeout(timeout)
            try:
                code = int.from_bytes(_exactly(self._reply, 4), "big", signed=True)
            except TimeoutError:
                self.send_signal(signal.SIGKILL)
                raise subprocess.TimeoutExpired(self.args, timeout) from None
            return subprocess.CompletedProcess(self.args, code, _text(self._out), _text(self._err))


class Forks:
    """A server that has imported ``modules``, started when it is first asked."""

    def __init__(self, modules: Sequence[str] = LIGHT, **environment: str) -> None:
        self._modules = modules
        self._environment = environment
        self._server: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        self._started_in: dict[str, str] = {}

    def can_run(self, environment: dict[str, str]) -> bool:
        """Whether a process with that environment would be as if it had started with it."""
        if not POSSIBLE:
            return False
        before = self._started_in or dict(os.environ | self._environment)
        names = {name for name, _ in before.items() ^ (environment | self._environment).items()}
        late = READ_LATE if "torch" in self._modules else (*READ_LATE, *READ_BY_HEAVY)
        return all(name.startswith(late) for name in names)

    def start(
        self,
        command: Sequence[str],
        *,
        environment: dict[str, str],
        cwd: str | Path | None = None,
    ) -> Fork:
        """Start ``python COMMAND``: ``-m c2v ...`` or ``-c SCRIPT ...``, with nothing to read."""
        channel = self._channel or self._start_server()
        out, err = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115 - Fork's
        variables = environment | self._environment
        request = {
            "command": list(command),
            "environment": variables,
            "cwd": str(cwd or Path.cwd()),
        }
        text = json.dumps(request).encode()
        ours, theirs = socket.socketpair()
        with theirs:
            files = array.array("i", [out.fileno(), err.fileno(), theirs.fileno()])
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, files)]
            channel.sendmsg([len(text).to_bytes(4, "big")], rights)
            channel.sendall(text)
        return Fork(command, out, err, ours)

    def run(
        self, command: Sequence[str], *, timeout: float = 600, **options: Any
    ) -> subprocess.CompletedProcess[str]:
        """Start it and wait for its end."""
        return self.start(command, **options).wait(timeout)

    def close(self) -> None:
        """End the server."""
        if self._server is not None and self._channel is not None:
            self._channel.close()
            self._server.wait(60)

    def _start_server(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        self._started_in = dict(os.environ | self._environment)
        self._server = subprocess.Popen(
            [sys.executable, __file__, str(theirs.fileno()), *self._modules],
            pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, env=self._started_in,
        )  # fmt: skip
        theirs.close()
        self._channel = ours
        return ours


def _text(file: Any) -> str:
    file.seek(0)
    text: str = file.read().decode()
    return text.replace("\r\n", "\n")


def _exactly(channel: socket.socket, count: int) -> bytes:
    """``count`` bytes; fewer only where the other side is gone, which is an error."""
    data = b""
    while len(data) < count:
        if not (more := channel.recv(count - len(data))):
            raise ConnectionError("the server of forks has ended")
        data += more
    return data


# -- the server ------------------------------------------------------------------------------------


def serve(channel: socket.socket, modules: Sequence[str]) -> None:
    """Import ``modules``, then fork a process for each request until the channel is closed."""
    sys.path[0] = ""  # as -m and -c have it
    for module in modules:
        with contextlib.suppress(ImportError):  # an optional part
            importlib.import_module(module)
    if (threads := len(list(Path("/proc/self/task").iterdir()))) != 1:
        raise RuntimeError(f"{threads} threads after the imports: a fork would lose them")
    gc.collect()
    gc.freeze()
    while True:
        head, rights, _, _ = channel.recvmsg(4, socket.CMSG_SPACE(12))
        if not head:
            break
        files = array.array("i", rights[0][2])
        head += _exactly(channel, 4 - len(head))
        request = json.loads(_exactly(channel, int.from_bytes(head, "big")))
        if os.fork() == 0:
            channel.close()
            _keep(request, *files)
        for file in files:
            os.close(file)
        _reap(os.WNOHANG)
    _reap(0)


def _reap(how: int) -> None:
    """Take notice of processes that have ended: what they cost is then known to the system."""
    with contextlib.suppress(ChildProcessError):  # there are none
        while os.waitpid(-1, how)[0]:
            pass


def _keep(request: dict[str, Any], out: int, err: int, reply: int) -> None:
    """Fork the process that was asked for, tell its number, and how it ended."""
    child = os.fork()
    if child == 0:
        os.close(reply)
        _become(request, out, err)
    # A broken pipe: whoever asked has gone.
    with socket.socket(fileno=reply) as answer, contextlib.suppress(BrokenPipeError):
        answer.sendall(child.to_bytes(4, "big"))
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        answer.sendall(code.to_bytes(4, "big", signed=True))
    os._exit(0)


def _become(request: dict[str, Any], out: int, err: int) -> None:
    """The process that was asked for; does not return."""
    code = 70
    try:
        for file, number in ((out, 1), (err, 2)):
            os.dup2(file, number)
            os.close(file)
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False, errors="backslashreplace")  # noqa: SIM115
        os.environ.clear()
        os.environ.update(request["environment"])
        os.chdir(request["cwd"])
        warnings.resetwarnings()
        warnings.simplefilter("ignore")
        code = _execute(request["command"])
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _execute(command: list[str]) -> int:
    """Run it as ``__main__``; the exit code."""
    kind, what, *arguments = command
    try:
        if kind == "-m":
            sys.argv = [what, *arguments]
            runpy.run_module(what, run_name="__main__", alter_sys=True)
        else:
            sys.argv = ["-c", *arguments]
            sys.modules["__main__"] = fresh = types.ModuleType("__main__")
            exec(what, fresh.__dict__)
    except SystemExit as exit:
        if isinstance(exit.code, str):
            print(exit.code, file=sys.stderr)
        return exit.code if isinstance(exit.code, int) else int(exit.code is not None)
    except KeyboardInterrupt:
        return 130
    except Exception:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])), sys.argv[2:])
