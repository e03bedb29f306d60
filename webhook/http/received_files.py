"""What both ways to send a file share: its sink, its limit, and the digests that the client sends (RFC 9530)."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass, replace
from typing import IO

from flask import Request
from werkzeug.datastructures import Headers

from schemas.codes import Code
from schemas.request_problems import RequestCode
from webhook.http import file_names, idempotency, quotas
from webhook.http.errors import refuse, refuse_file
from worker.storage.files import Receiver

DIGESTS = ("Content-Digest", "Repr-Digest")  # of a body these are the same: it is the whole representation
_DIGESTS = {"sha-256": hashlib.sha256, "sha-512": hashlib.sha512}


@dataclass(frozen=True)
class Received:
    """A received upload: the fields sent with it, and the file that is now in the storage."""

    fields: dict[str, str]
    file_name: str
    size: int
    sha256: bytes


def with_query(received: Received, request: Request) -> Received:
    """Return an upload with the options that the query has besides its form. Refuses those that both have."""
    sent = {name: value for name, value in request.args.items() if value != ""}
    for name in sent.keys() & received.fields.keys():
        raise refuse(RequestCode.DUPLICATE_FIELD, field=name)
    name = file_names.kept(sent.pop("file_name", received.file_name))
    return replace(received, fields={**received.fields, **sent}, file_name=name)


class Sink:
    """The file object that a parser writes the file to. Refuses what exceeds the limit (FILE_TOO_LARGE)."""

    def __init__(self, receiver: Receiver, limit: int) -> None:
        self.receiver = receiver
        self._limit = limit

    def write(self, block: bytes) -> int:
        if self.receiver.size + len(block) > self._limit:
            raise refuse_file(Code.FILE_TOO_LARGE, f"The limit is {self._limit:,} bytes.", limit=self._limit)
        idempotency.keep_key()
        quotas.keep_upload_slot()
        return self.receiver.write(block)

    def seek(self, _offset: int) -> int:
        return 0  # the parser rewinds every part at the end; nothing reads this one back

    def close(self) -> None:
        """Do nothing: the owner of the receiver commits or aborts it."""


class DigestingStream:
    """The body's stream, hashed while it is read, for the digests that the client sent."""

    def __init__(self, stream: IO[bytes], names: list[str]) -> None:
        self._stream = stream
        self.size = 0
        self._digests = {name: _DIGESTS[name]() for name in names}

    def read(self, size: int = -1) -> bytes:
        block = self._stream.read(size)
        self.size += len(block)
        for digest in self._digests.values():
            digest.update(block)
        return block

    @property
    def digests(self) -> dict[str, bytes]:
        """Return the digests of what was read."""
        return {name: digest.digest() for name, digest in self._digests.items()}


def check_length(request: Request, most: int, limit: int) -> None:
    """Refuse a body of more than `most` bytes before it is read. `limit`: that of a file, for the message."""
    if (request.content_length or 0) > most:
        raise refuse_file(Code.FILE_TOO_LARGE, f"The limit is {limit:,} bytes.", limit=limit)


def sent_digests(headers: Headers, *names: str) -> dict[str, bytes]:
    """Return the digests in the fields with these names whose algorithm is supported. 400 for malformed ones."""
    digests = {}
    for name in names:
        for member in headers.get(name, "").split(","):
            algorithm, _, value = member.strip().partition("=")
            if algorithm.lower() in _DIGESTS:
                try:
                    digests[algorithm.lower()] = base64.b64decode(value.strip(":"), validate=True)
                except ValueError as error:
                    raise refuse(RequestCode.BAD_REQUEST, f"{name} is malformed (RFC 9530).") from error
    return digests


def compare_digests(expected: dict[str, bytes], actual: dict[str, bytes]) -> None:
    """Refuse the file (DIGEST_MISMATCH) if a digest that the client sent differs."""
    for name, digest in actual.items():
        if name in expected and not hmac.compare_digest(expected[name], digest):
            raise refuse_file(Code.DIGEST_MISMATCH)
