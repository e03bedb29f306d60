"""Files sent as the whole body of a request: stored block by block, unpacked if they are sent with gzip (RFC 9110).

Never holds a whole file in memory, and leaves nothing in the storage if the upload is refused or interrupted.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from flask import Request
from werkzeug.exceptions import ClientDisconnected

from schemas.codes import Code
from schemas.request_problems import RequestCode
from schemas.workbooks import MEDIA_TYPE
from webhook.http import auth, quotas
from webhook.http.body_limits import CSV, GZIP
from webhook.http.errors import refuse, refuse_file
from webhook.http.received_files import (
    DIGESTS,
    DigestingStream,
    Received,
    Sink,
    check_length,
    compare_digests,
    sent_digests,
)
from worker.storage.files import Receiver

_NAMES = {CSV: "upload.csv", MEDIA_TYPE: "upload.xlsx"}
_BLOCK = 256 * 1024  # bytes
_WINDOW = zlib.MAX_WBITS | 16  # of gzip's format
_FIX = "Send the file with gzip, or without Content-Encoding."


def receive_raw(request: Request, key: str, limit: int) -> Received:
    """Store the request's body under `key`. Raises `Refused` if it is too large, interrupted, altered or empty.

    Also if the actor's tenant is sending as many files as it may (R37).

    `limit`: bytes of the file, and of the body. `Content-Digest` and `Repr-Digest` are those of the body as it is sent,
    so of the packed file.
    """
    check_length(request, limit, limit)
    expected = sent_digests(request.headers, *DIGESTS)
    body = DigestingStream(request.stream, list(expected))
    with quotas.upload_slot(auth.actor().tenant), Receiver(key) as receiver:
        sink = Sink(receiver, limit)
        blocks = _sent(request, body)
        for block in _unpacked(blocks) if request.content_encoding == GZIP else blocks:
            sink.write(block)
        if not receiver.size:
            raise refuse(RequestCode.INVALID_FIELD, "The body is empty.", fix="Send the file as the body.")
        compare_digests(expected, body.digests)
    return Received({}, _NAMES[request.mimetype], receiver.size, receiver.sha256.digest())


def _sent(request: Request, body: DigestingStream) -> Iterator[bytes]:
    try:
        while block := body.read(_BLOCK):
            yield block
    except (ClientDisconnected, OSError) as error:
        raise refuse_file(Code.TRUNCATED_UPLOAD) from error
    if body.size < (request.content_length or 0):
        raise refuse_file(Code.TRUNCATED_UPLOAD)


def _unpacked(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the content of a gzip body, of one or more members, in blocks of a bounded size."""
    unpacker = zlib.decompressobj(_WINDOW)
    is_begun = False
    try:
        for block in blocks:
            rest = block
            while rest:
                if unpacker.eof:
                    unpacker = zlib.decompressobj(_WINDOW)
                is_begun = True
                content = unpacker.decompress(rest, _BLOCK)
                rest = unpacker.unconsumed_tail or unpacker.unused_data
                if content:
                    yield content
    except zlib.error as error:
        raise refuse(RequestCode.BAD_REQUEST, "The body isn't gzip.", fix=_FIX) from error
    if is_begun and not unpacker.eof:
        raise refuse_file(Code.TRUNCATED_UPLOAD)
