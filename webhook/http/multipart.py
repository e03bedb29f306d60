"""Multipart uploads: stream the file to the storage block by block while it is counted and hashed.

Never holds a whole file in memory, and leaves nothing in the storage if the upload is refused or interrupted.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Any, cast

from flask import Request
from werkzeug.datastructures import FileStorage, Headers
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge
from werkzeug.formparser import MultiPartParser
from werkzeug.http import parse_options_header

from schemas.codes import Code
from schemas.request_problems import RequestCode
from webhook.http import file_names, idempotency
from webhook.http.errors import Refused, refuse, refuse_file
from webhook.http.request_bodies import MULTIPART
from worker.storage.files import Receiver

FIELD = "file"
MOST_PARTS = 32
BLOCK = 256 * 1024
LONGEST_FIELDS = 4 * BLOCK  # bytes of all form fields together; the parser needs room for a block, too
OVERHEAD = 64 * 1024  # bytes that boundaries, part headers and fields may add to the file itself
_UTF8 = "Encode the names of parts and files as UTF-8."
OnFields = Callable[[dict[str, str]], None]
_DIGESTS = {"sha-256": hashlib.sha256, "sha-512": hashlib.sha512}


@dataclass(frozen=True)
class Received:
    """A received upload: the form fields, and the file that is now in the storage."""

    fields: dict[str, str]
    file_name: str
    size: int
    sha256: bytes


class _Sink:
    """The file object that the multipart parser writes the file part to."""

    def __init__(self, receiver: Receiver, limit: int) -> None:
        self.receiver = receiver
        self._limit = limit

    def write(self, block: bytes) -> int:
        if self.receiver.size + len(block) > self._limit:
            raise refuse_file(Code.FILE_TOO_LARGE, f"The limit is {self._limit:,} bytes.", limit=self._limit)
        idempotency.keep_key()
        return self.receiver.write(block)

    def seek(self, _offset: int) -> int:
        return 0  # the parser rewinds every part at the end; nothing reads this one back

    def close(self) -> None:
        """Do nothing: `receive` commits or aborts the receiver."""


class _Digesting:
    """The body's stream, hashed while it is read, for the digests that the client sent (RFC 9530)."""

    def __init__(self, stream: IO[bytes], names: list[str]) -> None:
        self._stream = stream
        self.digests = {name: _DIGESTS[name]() for name in names}

    def read(self, size: int = -1) -> bytes:
        block = self._stream.read(size)
        for digest in self.digests.values():
            digest.update(block)
        return block


def receive(request: Request, key: str, limit: int, on_fields: OnFields | None = None) -> Received:
    """Store the request's file under `key`. Raises `Refused` if it is too large, interrupted, altered or missing.

    `on_fields` is called with the non-empty form fields before the file is kept. It may remove fields that the caller
    of `receive` must not get, or raise; then nothing is stored.
    """
    if (request.content_length or 0) > limit + OVERHEAD:
        raise refuse_file(Code.FILE_TOO_LARGE, f"The limit is {limit:,} bytes.", limit=limit)
    mimetype, options = parse_options_header(request.headers.get("Content-Type"))
    if mimetype != MULTIPART or not options.get("boundary"):
        raise refuse(RequestCode.UNSUPPORTED_MEDIA_TYPE, f"Send {MULTIPART} with the file in the field “{FIELD}”.")
    expected = _content_digests(request.headers)
    body = _Digesting(request.stream, list(expected))
    with Receiver(key) as receiver:
        sink = _Sink(receiver, limit)
        fields, parts = _parse(request, cast("IO[bytes]", body), options["boundary"].encode("latin-1"), sink)
        _compare(expected, {name: digest.digest() for name, digest in body.digests.items()})
        _compare(_content_digests(parts.headers), {"sha-256": receiver.sha256.digest()})
        if on_fields is not None:
            on_fields(fields)
    return Received(fields, file_names.kept(parts.filename), receiver.size, receiver.sha256.digest())


def _parse(request: Request, body: IO[bytes], boundary: bytes, sink: _Sink) -> tuple[dict[str, str], FileStorage]:
    sinks: list[Any] = []

    def open_part(*_args: object, **_more: object) -> IO[bytes]:
        if sinks:
            raise refuse(RequestCode.INVALID_FIELD, "Send one file at a time, in the field “file”.")
        sinks.append(sink)
        return cast("IO[bytes]", sink)

    parser = MultiPartParser(
        stream_factory=open_part,
        max_form_memory_size=LONGEST_FIELDS,
        buffer_size=BLOCK,
        max_form_parts=MOST_PARTS,
    )
    try:
        form, files = parser.parse(body, boundary, request.content_length)
    except Refused:
        raise
    except RequestEntityTooLarge as error:
        # The sink enforces the limit of the file; this is the parser's limit of the form fields.
        raise refuse(RequestCode.INVALID_FIELD, "The form has too many fields, or a field is too long.") from error
    except UnicodeDecodeError as error:
        raise refuse(RequestCode.BAD_REQUEST, "A field or the file name isn't UTF-8.", fix=_UTF8) from error
    except (ClientDisconnected, ValueError, OSError) as error:
        raise refuse_file(Code.TRUNCATED_UPLOAD) from error
    file = files.get(FIELD)
    if file is None:
        raise refuse(RequestCode.INVALID_FIELD, "The field “file” is missing.")
    if not file.filename and not sink.receiver.size:  # what browsers send if no file was chosen
        raise refuse(RequestCode.INVALID_FIELD, "No file was chosen.", fix="Choose one with Browse.", field=FIELD)
    return {name: value for name, value in form.items() if value != ""}, file


def _content_digests(headers: Headers) -> dict[str, bytes]:
    """Return the digests in `Content-Digest` (RFC 9530) whose algorithm is supported."""
    digests = {}
    for member in headers.get("Content-Digest", "").split(","):
        name, _, value = member.strip().partition("=")
        if name.lower() in _DIGESTS:
            try:
                digests[name.lower()] = base64.b64decode(value.strip(":"), validate=True)
            except ValueError as error:
                raise refuse(RequestCode.BAD_REQUEST, "Content-Digest is malformed (RFC 9530).") from error
    return digests


def _compare(expected: dict[str, bytes], actual: dict[str, bytes]) -> None:
    for name, digest in actual.items():
        if name in expected and not hmac.compare_digest(expected[name], digest):
            raise refuse_file(Code.DIGEST_MISMATCH)
