"""Downloads: the files that services return, and the responses that the API and the portal send."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from http import HTTPStatus
from io import BytesIO
from typing import BinaryIO

from flask import Response, request, stream_with_context
from werkzeug.exceptions import RequestedRangeNotSatisfiable
from werkzeug.wsgi import FileWrapper

from schemas import request_problems
from schemas.request_problems import RequestCode
from webhook.http.concurrency_limits import DOWNLOADS
from webhook.http.errors import Refused, refuse
from webhook.http.file_names import disposition

_BLOCK = 256 * 1024  # bytes
_LEVEL = 3  # a third of the time of level 6, for files that are a tenth larger
_GZIP = 16  # added to the window's size, zlib writes gzip's format


@dataclass(frozen=True)
class Download:
    """A file that is generated while it is sent, and the name to save it as.

    `name`: any text, such as the name of an uploaded file; see `webhook.http.file_names`. `source`: names what the file
    is made from and how; whenever that changes, so does the file.
    """

    content: Iterator[bytes]
    name: str
    content_type: str
    source: str


@dataclass(frozen=True)
class Export:
    """A file that is generated while it is sent, and the name to save it as. Nothing in it needs the request.

    `headers`: of the response, about the snapshot that the file is made from.
    """

    blocks: Generator[bytes, None, None]
    name: str
    content_type: str
    headers: Mapping[str, str]


@dataclass(frozen=True)
class StoredFile:
    """A file in the storage, and the name to save it as.

    `open` opens it for reading with random access, and returns its length in bytes, too. `etag` changes whenever the
    bytes do. `is_compressible`: it is sent with gzip if the client accepts that, unless a range is requested.
    """

    open: Callable[[], tuple[BinaryIO, int]]
    name: str
    content_type: str
    etag: str
    is_compressible: bool = False


def etag_of(source: str) -> str:
    """Return the entity tag of what is made from `source`, without quotation marks."""
    return hashlib.sha256(source.encode()).hexdigest()[:32]


def in_memory(content: bytes, name: str, content_type: str, *, is_compressible: bool = False) -> StoredFile:
    """Return a file whose bytes are all there, sent as one from the storage."""
    etag = hashlib.sha256(content).hexdigest()[:32]
    return StoredFile(lambda: (BytesIO(content), len(content)), name, content_type, etag, is_compressible)


@DOWNLOADS.streamed
def sent_stored(stored: StoredFile) -> Response:
    """Send a stored file, and hold a slot from the moment the file is opened, not while a view waits for it."""
    return _sent_stored(stored)


def _sent_stored(stored: StoredFile) -> Response:
    """Send a stored file, or as much as the request's conditions and ranges ask for: 200, 206 or 304 (RFC 9110)."""
    file, length = stored.open()
    try:
        return _conditional(stored, file, length)
    except BaseException:
        file.close()
        raise


def _conditional(stored: StoredFile, file: BinaryIO, length: int) -> Response:
    if stored.is_compressible and _accepts_packed():
        response = _packed(stored, file)
    else:
        response = Response(FileWrapper(file, _BLOCK), content_type=stored.content_type, direct_passthrough=True)
        response.content_length = length
        response.set_etag(stored.etag)
    if stored.is_compressible:
        response.vary.add("Accept-Encoding")
    response.accept_ranges = "bytes"
    # Conditions come first: no range is sent of a file that the client already has.
    response.make_conditional(request)
    if response.status_code == HTTPStatus.PRECONDITION_FAILED:
        raise refuse(RequestCode.PRECONDITION_FAILED)
    if response.status_code == HTTPStatus.OK and _asks_for_one_range():
        _limit(response, length)
    return _with_name(response, stored.name)


def _accepts_packed() -> bool:
    """Return whether a file may be sent with gzip: not in parts, which are parts of the file as it is stored."""
    is_partial = any(name in request.headers for name in ("Range", "If-Range", "If-Match"))
    return bool(request.accept_encodings["gzip"]) and not is_partial


def _packed(stored: StoredFile, file: BinaryIO) -> Response:
    """Return a file with gzip: another representation, so with another tag."""
    blocks = (block for block in FileWrapper(file, _BLOCK))
    response = Response(_gzipped(blocks), content_type=stored.content_type)
    response.call_on_close(file.close)
    response.content_encoding = "gzip"
    response.set_etag(f"{stored.etag}-gzip")
    return response


def _asks_for_one_range() -> bool:
    """Return whether the request asks for one byte range; other units and several ranges may be ignored."""
    ranges = request.range
    return request.method == "GET" and ranges is not None and ranges.units == "bytes" and len(ranges.ranges) == 1


def _limit(response: Response, length: int) -> None:
    """Limit a response to the range that the request asks for, unless If-Range names another version."""
    try:
        response.make_conditional(request, accept_ranges=True, complete_length=length)
    except RequestedRangeNotSatisfiable as error:
        size = {"Content-Range": f"bytes */{length}", "Accept-Ranges": "bytes"}
        raise Refused(request_problems.of_request(RequestCode.RANGE_NOT_SATISFIABLE), size) from error


def sent(download: Download | StoredFile) -> Response:
    """Send a stored file as `sent_stored` does, but without a slot, which the view holds; or one that is generated.

    A generated file has a weak tag: its bytes are not compared. So it has no ranges, which need a strong one. 200, or
    304 if the client has it.
    """
    if isinstance(download, StoredFile):
        return _sent_stored(download)
    blocks = (block for block in download.content)
    accepts = bool(request.accept_encodings["gzip"])
    sent_blocks = stream_with_context(_gzipped(blocks) if accepts else blocks)
    response = Response(sent_blocks, content_type=download.content_type)
    if accepts:
        response.content_encoding = "gzip"
    response.vary.add("Accept-Encoding")
    response.set_etag(etag_of(download.source), weak=True)
    response.make_conditional(request)
    if response.status_code == HTTPStatus.PRECONDITION_FAILED:
        raise refuse(RequestCode.PRECONDITION_FAILED)
    return _with_name(response, download.name)


def sent_compressed(export: Export) -> Response:
    """Return 200 with blocks that are generated while they are sent; compressed, if the client accepts that.

    The blocks are made without the request's context, which may be over, as another thread may send them.
    """
    accepts = bool(request.accept_encodings["gzip"])
    response = Response(_gzipped(export.blocks) if accepts else export.blocks, content_type=export.content_type)
    if accepts:
        response.content_encoding = "gzip"
    response.vary.add("Accept-Encoding")
    response.headers.update(export.headers)
    return _with_name(response, export.name)


def _gzipped(blocks: Generator[bytes, None, None]) -> Generator[bytes, None, None]:
    compressor = zlib.compressobj(_LEVEL, wbits=zlib.MAX_WBITS | _GZIP)
    with closing(blocks):
        # The beginning is sent at once, not only when there is enough to compress.
        yield compressor.compress(next(blocks, b"")) + compressor.flush(zlib.Z_SYNC_FLUSH)
        for block in blocks:
            compressed = compressor.compress(block)
            if compressed:
                yield compressed
        yield compressor.flush()


def _with_name(response: Response, name: str) -> Response:
    response.headers["Content-Disposition"] = disposition(name)
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
