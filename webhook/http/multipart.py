"""Multipart uploads: stream the file to the storage block by block while it is counted and hashed.

Never holds a whole file in memory, and leaves nothing in the storage if the upload is refused or interrupted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import IO, Any, cast

from flask import Request
from werkzeug.datastructures import FileStorage
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge
from werkzeug.formparser import MultiPartParser
from werkzeug.http import parse_options_header

from schemas.codes import Code
from schemas.request_problems import RequestCode
from webhook.http import auth, file_names, quotas
from webhook.http.errors import Refused, refuse, refuse_file
from webhook.http.query_strings import check_repeated
from webhook.http.received_files import (
    DIGESTS,
    DigestingStream,
    Received,
    Sink,
    check_length,
    compare_digests,
    sent_digests,
)
from webhook.http.request_bodies import MULTIPART
from worker.storage.files import Receiver

FIELD = "file"
MOST_PARTS = 32
BLOCK = 256 * 1024
LONGEST_FIELDS = 4 * BLOCK  # bytes of all form fields together; the parser needs room for a block, too
OVERHEAD = 64 * 1024  # bytes that boundaries, part headers and fields may add to the file itself
_UTF8 = "Encode the names of parts and files as UTF-8."
OnFields = Callable[[dict[str, str]], None]


def receive(request: Request, key: str, limit: int, on_fields: OnFields | None = None) -> Received:
    """Store the request's file under `key`. Raises `Refused` if it is too large, interrupted, altered or missing.

    Also if the actor's tenant is sending as many files as it may (R37).

    Digests in the header of the request are those of the whole body; in the header of the part, those of the file.
    `on_fields` is called with the non-empty form fields before the file is kept. It may remove fields that the caller
    of `receive` must not get, or raise; then nothing is stored.
    """
    check_length(request, limit + OVERHEAD, limit)
    mimetype, options = parse_options_header(request.headers.get("Content-Type"))
    if mimetype != MULTIPART or not options.get("boundary"):
        raise refuse(RequestCode.UNSUPPORTED_MEDIA_TYPE, f"Send {MULTIPART} with the file in the field “{FIELD}”.")
    expected = sent_digests(request.headers, *DIGESTS)
    body = DigestingStream(request.stream, list(expected))
    with quotas.upload_slot(auth.actor().tenant), Receiver(key) as receiver:
        sink = Sink(receiver, limit)
        fields, parts = _parse(request, cast("IO[bytes]", body), options["boundary"].encode("latin-1"), sink)
        compare_digests(expected, body.digests)
        compare_digests(sent_digests(parts.headers, *DIGESTS), {"sha-256": receiver.sha256.digest()})
        if on_fields is not None:
            on_fields(fields)
    return Received(fields, file_names.kept(parts.filename), receiver.size, receiver.sha256.digest())


def _parse(request: Request, body: IO[bytes], boundary: bytes, sink: Sink) -> tuple[dict[str, str], FileStorage]:
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
    check_repeated(form)
    return {name: value for name, value in form.items() if value != ""}, file
