"""decord behind the decoder protocol, always in a child process that can be killed.

decord 0.6.0 hangs on ordinary transport streams, gives wrong pictures silently for AVI with
B-frames and for edit lists, and its memory grows over opens (measured). So it is never loaded into
this process, every answer has a time limit, a child is replaced after some files, and the kinds of
files known to go wrong are refused.

`auto` does not use it. Medians of three interleaved passes on two x86-64 cores, 12 to 139 pictures
a file at 224 pixels, one codec thread each, child process kept between files: 20 mixed h264 mp4
clips 7.2 s with PyAV, 11.5 s with decord; 22 MSR-VTT clips 3.3 s and 4.6 s. In the first set 10 of
433 pictures were of another moment (a file with an edit list), in the second none.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from c2v.errors import MediaError
from c2v.media.frames import Frame
from c2v.media.picture import FrameShape
from c2v.media.probe import VideoInfo

if TYPE_CHECKING:
    from c2v.media.containers import OpenVideo

FILES_PER_CHILD = 50
HANG_SECONDS = 60.0
_WORKER = Path(__file__).with_name("decord_worker.py")

_idle: list[_Child] = []
_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class DecordDecoder:
    """decord's pictures; `hang_seconds` is how long it may be silent before it is killed."""

    hang_seconds: float = HANG_SECONDS

    @property
    def name(self) -> str:
        return "decord"

    def frames(
        self,
        info: VideoInfo,
        times: Sequence[float],
        *,
        shape: FrameShape,
        on_problem: Callable[[str], None],
        video: OpenVideo | None = None,
    ) -> Iterator[Frame]:
        """See `Decoder.frames`; decord gives every picture or none."""
        if not times:
            return
        _refuse_unfit(info)
        width, height = _decoded_size(info, shape)
        request = {
            "path": os.fsencode(info.path).hex(),
            "times": list(times),
            "width": width,
            "height": height,
        }
        child = _borrow()
        finished = False
        try:
            for head, data in child.ask(request, hang_seconds=self.hang_seconds):
                pixels = np.frombuffer(data, np.uint8).reshape(height, width, 3)
                top, left = (height - shape.side) // 2, (width - shape.side) // 2
                square = pixels[top : top + shape.side, left : left + shape.side]
                yield Frame(head["index"], head["seconds"], np.ascontiguousarray(square))
            finished = True
        finally:
            # A reader that stops early leaves answers in the pipe: that child is of no more use.
            _give_back(child) if finished else child.kill()


def _refuse_unfit(info: VideoInfo) -> None:
    """Kinds of files for which decord 0.6.0 hangs or is wrong without saying so (measured)."""
    reason = ""
    if info.has_edit_list:
        reason = "gives wrong pictures for files with an edit list"
    elif info.container == "avi":
        reason = "gives wrong pictures for AVI files"
    elif info.container in ("mpegts", "mpeg"):
        reason = "hangs on MPEG streams"
    if reason:
        raise MediaError(f"decord {reason}", hint="use --decoder pyav")


def _decoded_size(info: VideoInfo, shape: FrameShape) -> tuple[int, int]:
    """Width and height to ask for; decord turns pictures upright and scales to any size."""
    side = shape.side
    if shape.resize == "squash":
        return side, side
    if info.width <= info.height:
        return side, max(side, int(side * info.height / info.width))
    return max(side, int(side * info.width / info.height)), side


class _Child:
    """One worker process; a thread reads its answers so that waiting can have a limit."""

    def __init__(self) -> None:
        self.served = 0
        self._process = subprocess.Popen(
            [sys.executable, "-I", str(_WORKER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._answers: queue.Queue[tuple[dict[str, Any], bytes]] = queue.Queue(maxsize=64)
        threading.Thread(target=self._read, daemon=True).start()

    def ask(
        self, request: dict[str, Any], *, hang_seconds: float
    ) -> Iterator[tuple[dict[str, Any], bytes]]:
        """Send a request and yield (head, RGB bytes); MediaError on error, crash or silence."""
        self.served += 1
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
        except OSError as error:
            raise MediaError("decord's process ended unexpectedly") from error
        while True:
            try:
                head, data = self._answers.get(timeout=hang_seconds)
            except queue.Empty:
                raise MediaError(f"decord hung for {hang_seconds:g} s and was stopped") from None
            if "error" in head:
                raise MediaError(f"decord cannot read it ({head['error']})")
            if "done" in head:
                return
            yield head, data

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as stream:
            while line := stream.readline():
                head = json.loads(line)
                self._answers.put((head, stream.read(head.get("bytes", 0))))
        self._answers.put(({"error": "its process ended unexpectedly"}, b""))

    def kill(self) -> None:
        """Stop the process now; nothing of it stays behind."""
        self._process.kill()
        with contextlib.suppress(queue.Empty):
            while True:  # so that the reading thread is not stuck on a full queue
                self._answers.get_nowait()
        self._process.wait()
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()


def _borrow() -> _Child:
    with _lock:
        if _idle:
            return _idle.pop()
    return _Child()


def _give_back(child: _Child) -> None:
    if child.served >= FILES_PER_CHILD:
        child.kill()
        return
    with _lock:
        _idle.append(child)


@atexit.register
def stop_children() -> None:
    """Stop the idle worker processes; also runs at exit."""
    with _lock:
        while _idle:
            _idle.pop().kill()
