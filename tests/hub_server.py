"""A hub of our own: what the real client of the Hugging Face hub asks for, on this machine."""

from __future__ import annotations

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Hub(ThreadingHTTPServer):
    """Serves the files of one repository while its block lasts.

    After ``breaks_after`` bytes it hangs up, and sends no more.
    """

    daemon_threads = True

    def __init__(self, repository: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.repository = repository
        self.files: dict[str, bytes | memoryview] = {}
        self.breaks_after: int | None = None
        self.asked: list[str] = []

    def __enter__(self) -> Hub:
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Hub

    def do_HEAD(self) -> None:
        self.answer(send=False)

    def do_GET(self) -> None:
        self.answer(send=True)

    def answer(self, *, send: bool) -> None:
        name = self.path.rpartition("/")[2]
        self.server.asked.append(f"{self.command} {self.path}")
        content = self.server.files.get(name)
        if content is None or self.server.repository not in self.path:
            self.send_response(404)
            self.send_header("X-Error-Code", "EntryNotFound")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("ETag", f'"{hashlib.sha1(content).hexdigest()}"')
        self.send_header("X-Repo-Commit", "0" * 40)
        self.end_headers()
        if send:
            self.wfile.write(content[: self.server.breaks_after])
            if self.server.breaks_after is not None:
                self.server.breaks_after = 0

    def log_message(self, *_: Any) -> None:
        """Nothing: pytest's output is not a server's log."""
