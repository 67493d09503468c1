"""One file over HTTP: looked at, fetched into a part that stays, and gone on with next time.

A part lies beside a note of what it is a part of. Whatever ends a transfer (Ctrl-C, kill -9, a
connection that breaks), the bytes that came are kept; the next one asks for the rest (``Range``).
A server that sends the whole file all the same is taken at its word, and one whose file became
another one begins anew.
"""

from __future__ import annotations

import http.client
import json
import os
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Any, BinaryIO, Final

from c2v.encoder.sources.checksums import Checksum, of_headers, plain_tag
from c2v.errors import ModelError, NoRoomError

ANSWER_SECONDS: Final = 30.0
"""How long a server may say nothing."""
TRIES: Final = 4
"""In a row, without one byte more than before."""
_PAUSE_SECONDS: Final = 0.5
_BLOCK_BYTES: Final = 1 << 18
_UNKNOWN_METHOD: Final = (403, 405, 501)  # of servers that only know GET

Progress = Callable[[int, int], None]
"""Told of bytes done and bytes in all (0 where nobody said)."""
_BROKEN: Final = (urllib.error.URLError, http.client.HTTPException, OSError)


@dataclass(frozen=True, slots=True)
class Seen:
    """A file on a server: what it states of it before it sends it."""

    url: str
    size_bytes: int | None
    tag: str
    checksum: Checksum | None

    @property
    def host(self) -> str:
        """The server, as messages call it."""
        return urllib.parse.urlsplit(self.url).netloc.rpartition("@")[2]


class BrokenTransferError(ModelError):
    """The server answered, and the file did not come in full; ``kept`` bytes of it stay."""

    def __init__(self, message: str, *, kept: int, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.kept = kept


def look(url: str) -> Seen | None:
    """Ask what ``url`` is; None where there is no such file.

    Raises:
        ModelError: the server refuses to say, or does not answer.
    """
    try:
        headers = _headers_of(url)
    except urllib.error.HTTPError as error:
        if error.code in (404, 410):
            return None
        if error.code in _UNKNOWN_METHOD:
            return Seen(url, None, "", None)
        raise refusal(url, error) from error
    except _BROKEN as error:
        raise refusal(url, error) from error
    length = str(headers.get("x-linked-size") or headers.get("content-length") or "")
    seen = Seen(url, int(length) if length.isdigit() else None, "", None)
    tag = plain_tag(headers.get("x-linked-etag") or headers.get("etag"))
    return Seen(url, seen.size_bytes, tag, of_headers(headers, seen.host))


def fetch(seen: Seen, part: Path, on_progress: Progress | None = None) -> bool:
    """Fetch what of a file is not in ``part`` yet; whether some of it was there already.

    Raises:
        BrokenTransferError: it did not come in full; what came is kept.
        NoRoomError: it cannot be written.
    """
    note = part.with_name(f"{part.name}.json")
    had = _begin(seen, part, note)
    tries = 0
    while not _read_note(note).get("complete"):
        done = part.stat().st_size
        if seen.size_bytes is not None and done == seen.size_bytes:
            break
        try:
            if _receive(seen, part, note, done, on_progress or (lambda _done, _total: None)):
                break
            reason: object = "the server hung up"
        except urllib.error.HTTPError as error:
            if error.code < 500:
                raise refusal(seen.url, error) from error
            reason = error
        except _BROKEN as error:
            reason = error
        tries = tries + 1 if part.stat().st_size <= done else 1
        if tries >= TRIES:
            raise _broken(seen, part.stat().st_size, reason)
        time.sleep(_PAUSE_SECONDS * tries)
    _write_note(note, _read_note(note) | {"complete": True})
    return had


def forget(part: Path) -> None:
    """Drop a part and its note: it was moved to its place, or is not what it should be."""
    part.unlink(missing_ok=True)
    part.with_name(f"{part.name}.json").unlink(missing_ok=True)


def read_small(url: str, most_bytes: int = 1 << 24) -> bytes | None:
    """The content of a small file; None where there is none, or it is refused.

    Raises:
        ModelError: the server does not answer, or sends more than ``most_bytes``.
    """
    try:
        with _opener().open(_request(url, "GET"), timeout=ANSWER_SECONDS) as answer:
            content: bytes = answer.read(most_bytes + 1)
    except urllib.error.HTTPError as error:
        if 400 <= error.code < 500:
            return None
        raise refusal(url, error) from error
    except _BROKEN as error:
        raise refusal(url, error) from error
    if len(content) > most_bytes:
        raise ModelError(f"{url} is larger than {most_bytes} bytes", hint="c2v model list")
    return content


def refusal(url: str, error: Exception) -> ModelError:
    """Why a server did not say what was asked."""
    hint = "try again"
    if isinstance(error, urllib.error.HTTPError) and error.code in (401, 403):
        hint = "check the name; where it takes an account: HF_TOKEN=... c2v model pull NAME"
    return ModelError(f"{_shown(url)} could not be fetched: {_reason(error)}", hint=hint)


def _begin(seen: Seen, part: Path, note: Path) -> bool:
    """Keep a part of this very file, and drop one of another; whether there is something of it."""
    identity = {"size": seen.size_bytes, "tag": seen.tag}
    known = _read_note(note)
    same = {key: known.get(key) for key in identity} == identity
    same = same and (bool(seen.tag) or known.get("url") == seen.url)
    size = part.stat().st_size if part.exists() else 0
    if same and size and (seen.size_bytes is None or size <= seen.size_bytes):
        return True
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(b"")
        _write_note(note, identity | {"url": seen.url})
    except OSError as error:
        raise _no_room(part, error) from error
    return False


def _receive(seen: Seen, part: Path, note: Path, done: int, on_progress: Progress) -> bool:
    """One connection: the rest of a file behind ``done`` bytes; whether all that was promised came.

    Raises:
        URLError, HTTPException, OSError: it broke.
    """
    wanted = {"Range": f"bytes={done}-"} if done else {}
    known = _read_note(note)
    if done and known.get("sent_tag"):  # of the server that sends: the hub's own may be another
        wanted["If-Range"] = known["sent_tag"]
    with _opener().open(_request(seen.url, "GET", wanted), timeout=ANSWER_SECONDS) as answer:
        begins = _begins_at(answer.headers) if answer.status == 206 else 0
        if begins not in (0, done):
            raise http.client.HTTPException(f"it sent the bytes from {begins}, not from {done}")
        tag = answer.headers.get("ETag") or ""
        _write_note(note, known | {"sent_tag": "" if tag.startswith("W/") else tag})
        length = answer.headers.get("Content-Length") or ""
        total = begins + int(length) if length.isdigit() else seen.size_bytes
        if seen.size_bytes is not None and total is not None and total != seen.size_bytes:
            raise http.client.HTTPException(f"it has {total} bytes now, not {seen.size_bytes}")
        with part.open("r+b") as file:
            file.truncate(begins)
            file.seek(begins)
            got = _copy(answer, file, part, begins, total or 0, on_progress)
    return total is None or got == total


def _copy(
    answer: Any, file: BinaryIO, part: Path, done: int, total: int, on_progress: Progress
) -> int:
    on_progress(done, total)
    while block := answer.read(_BLOCK_BYTES):
        try:
            file.write(block)
            file.flush()  # so that what is shown is what kill -9 leaves
        except OSError as error:
            raise _no_room(part, error) from error
        done += len(block)
        on_progress(done, total)
    return done


def _begins_at(headers: Mapping[str, Any]) -> int:
    """Where the bytes of an answer begin in the file: ``bytes 5-9/10``."""
    first = str(headers.get("Content-Range") or "").partition("bytes ")[2].partition("-")[0]
    if not first.isdigit():
        raise http.client.HTTPException("it did not say which bytes it sent")
    return int(first)


class _Looking(urllib.request.HTTPRedirectHandler):
    """Follows redirects until somebody states the file's size or tag: storage behind the hub does
    not know the hub's."""

    http_error_308 = urllib.request.HTTPRedirectHandler.http_error_302  # Python 3.10

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str):  # type: ignore[no-untyped-def]  # noqa: E501
        if headers.get("X-Linked-Etag") or headers.get("X-Linked-Size"):
            return None
        return urllib.request.Request(
            newurl, headers=dict(req.headers), method="HEAD", unverifiable=True
        )


class _Following(urllib.request.HTTPRedirectHandler):
    http_error_308 = urllib.request.HTTPRedirectHandler.http_error_302  # Python 3.10


def _headers_of(url: str) -> dict[str, str]:
    """The headers of a file, their names in small letters.

    Raises:
        URLError, HTTPException, OSError: there is no answer, or it is a refusal.
    """
    try:
        with _opener(_Looking).open(_request(url, "HEAD"), timeout=ANSWER_SECONDS) as answer:
            return _lower(answer.headers)
    except urllib.error.HTTPError as error:
        if 300 <= error.code < 400:
            return _lower(error.headers)
        raise


def _lower(headers: Message) -> dict[str, str]:
    return {name.lower(): str(value) for name, value in headers.items()}


def _opener(follow: type[Any] = _Following) -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(follow, urllib.request.HTTPSHandler(context=_certificates()))


def _certificates() -> ssl.SSLContext:
    """Whom to trust: what this system trusts (``SSL_CERT_FILE``), the bundle of a company that
    other tools are told of, else certifi's list as well."""
    context = ssl.create_default_context()
    for variable in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        if file := os.environ.get(variable):
            context.load_verify_locations(file)
            return context
    import certifi

    context.load_verify_locations(certifi.where())
    return context


def _request(
    url: str, method: str, headers: Mapping[str, str] | None = None
) -> urllib.request.Request:
    own = {"User-Agent": "c2v", "Accept-Encoding": "identity"}
    request = urllib.request.Request(url, headers=own | dict(headers or {}), method=method)
    token = os.environ.get("HF_TOKEN", "").strip()
    if token and url.startswith("https://"):
        request.add_unredirected_header("Authorization", f"Bearer {token}")
    return request


def _read_note(note: Path) -> dict[str, Any]:
    try:
        content = json.loads(note.read_bytes())
    except (OSError, ValueError):  # none, or one that a power cut left empty: it begins anew
        return {}
    return content if isinstance(content, dict) else {}


def _write_note(note: Path, content: Mapping[str, Any]) -> None:
    try:
        note.write_text(json.dumps(content), encoding="utf-8")
    except OSError as error:
        raise _no_room(note, error) from error


def _broken(seen: Seen, kept: int, reason: object) -> BrokenTransferError:
    of = f" of {seen.size_bytes / 1e6:.1f}" if seen.size_bytes is not None else ""
    return BrokenTransferError(
        f"{_shown(seen.url)} could not be fetched in full: {_reason(reason)} after "
        f"{kept / 1e6:.1f}{of} MB",
        kept=kept,
        hint="the same command goes on from there; c2v index --model mini PATH needs no network",
    )


def _no_room(path: Path, error: OSError) -> NoRoomError:
    return NoRoomError(
        f"{path} cannot be written: {error.strerror or error}",
        hint="make room, or set C2V_HOME to another folder; the same command goes on from there",
    )


def _reason(error: object) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"{error.code} {error.reason}"
    inner = error.reason if isinstance(error, urllib.error.URLError) else error
    return (str(inner).strip() or type(inner).__name__).splitlines()[0]


def _shown(url: str) -> str:
    """An address without the user's name and password."""
    parts = urllib.parse.urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
