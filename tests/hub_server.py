"""A hub of our own: what its clients ask for, on this machine."""

from __future__ import annotations

import hashlib
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

_BLOCK = 1 << 16


class Hub(ThreadingHTTPServer):
    """Serves the files of one repository while its block lasts; any path is one where it is empty.

    After ``breaks_after`` bytes it hangs up, and sends no more. ``pause`` is waited after each
    64 kB. ``sent`` counts the bytes of each file that went out.
    """

    daemon_threads = True

    def __init__(self, repository: str = "") -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.repository = repository
        self.files: dict[str, bytes | memoryview] = {}
        self.stated: dict[str, str] = {}
        """Tags of files that are not what their content gives."""
        self.tags: Literal["git", "sha256", "none"] = "git"
        self.ranges = False
        self.breaks_after: int | None = None
        self.pause = 0.0
        self.asked: list[str] = []
        self.sent: dict[str, int] = {}
        self.answers: list[list[int]] = []
        """Of each with content: where in the file it began, and how many bytes of it went out."""

    def __enter__(self) -> Hub:
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def tag(self, name: str) -> str:
        if name in self.stated or self.tags == "none":
            return self.stated.get(name, "")
        digest = hashlib.sha256 if self.tags == "sha256" else hashlib.sha1
        return digest(self.files[name]).hexdigest()


class Handler(BaseHTTPRequestHandler):
    server: Hub

    def do_HEAD(self) -> None:
        self.answer(send=False)

    def do_GET(self) -> None:
        self.answer(send=True)

    def answer(self, *, send: bool) -> None:
        hub = self.server
        name = self.path.rpartition("/")[2]
        hub.asked.append(f"{self.command} {self.path}")
        content = hub.files.get(name)
        if content is None or hub.repository not in self.path:
            self.send_response(404)
            self.send_header("X-Error-Code", "EntryNotFound")
            self.end_headers()
            return
        asked = self.headers.get("Range", "").removeprefix("bytes=").removesuffix("-")
        tag = f'"{hub.tag(name)}"'
        same = self.headers.get("If-Range", tag) == tag
        first = int(asked) if send and hub.ranges and same and asked else 0
        self.send_response(206 if first else 200)
        if first:
            self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - first))
        if hub.tag(name):
            self.send_header("ETag", tag)
        self.send_header("X-Repo-Commit", "0" * 40)
        self.end_headers()
        if send:
            self.send(name, content[first:], first)

    def send(self, name: str, content: bytes | memoryview, start: int) -> None:
        hub, answer = self.server, [start, 0]
        hub.answers.append(answer)
        wanted = len(content) if hub.breaks_after is None else min(hub.breaks_after, len(content))
        if hub.breaks_after is not None:
            hub.breaks_after = 0
        for first in range(0, wanted, _BLOCK):
            block = content[first : min(first + _BLOCK, wanted)]
            try:
                self.wfile.write(block)
            except OSError:  # whoever asked is gone
                return
            answer[1] += len(block)
            hub.sent[name] = hub.sent.get(name, 0) + len(block)
            time.sleep(hub.pause)

    def log_message(self, *_: Any) -> None:
        """Nothing: pytest's output is not a server's log."""
