"""The child process that runs decord: it may hang or crash there without harming the run.

Started as a script by decord_decoder with no import of c2v, so that it starts quickly. It reads one
request a line from stdin, ``{"path", "times", "rate", "width", "height"}``, and answers on stdout
with one JSON line for each picture, ``{"index", "seconds", "bytes"}``, followed by its RGB bytes,
then ``{"done": true}``, or ``{"error": "..."}`` at any point.
"""

from __future__ import annotations

import bisect
import json
import os
import sys
from typing import Any, BinaryIO


def main() -> None:
    """Serve requests until stdin ends."""
    # decord's FFmpeg writes to stdout and stderr as it likes: only we own the real stdout.
    answers = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    for line in sys.stdin.buffer:
        try:
            _serve(json.loads(line), answers)
        except Exception as error:  # every failure goes to the parent, which reports the file
            _send(answers, {"error": f"{type(error).__name__}: {error}".splitlines()[0][:300]})


def _serve(request: dict[str, Any], answers: BinaryIO) -> None:
    import decord

    path = os.fsdecode(bytes.fromhex(request["path"]))
    reader = decord.VideoReader(
        path, width=request["width"], height=request["height"], num_threads=1
    )
    starts = [float(stamp[0]) for stamp in reader.get_frame_timestamp(range(len(reader)))]
    if any(later < earlier for earlier, later in zip(starts, starts[1:], strict=False)):
        raise ValueError("decord's times of the pictures are out of order")
    wanted = [max(0, bisect.bisect_right(starts, time + 1e-6) - 1) for time in request["times"]]
    pictures = reader.get_batch(sorted(set(wanted))).asnumpy()
    rows = {number: row for row, number in enumerate(sorted(set(wanted)))}
    for index, number in enumerate(wanted):
        data = pictures[rows[number]].tobytes()
        _send(answers, {"index": index, "seconds": starts[number], "bytes": len(data)}, data)
    _send(answers, {"done": True})


def _send(answers: BinaryIO, head: dict[str, Any], data: bytes = b"") -> None:
    answers.write(json.dumps(head).encode() + b"\n" + data)
    answers.flush()


if __name__ == "__main__":
    main()
