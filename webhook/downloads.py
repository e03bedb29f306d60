"""Files that are sent to be saved: what they are, told by operations, and the answer that both doors make of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader

from flask import Response, send_file, stream_with_context

from webhook.file_names import disposition


@dataclass(frozen=True)
class Download:
    """A file under the name it is to be saved as. `content`: all of it, its blocks, or an open file, closed once sent.

    `name`: any text, such as the name of an uploaded file; see `webhook.file_names`. `length`, in bytes: known of all
    but blocks, which are made while they are sent.
    """

    content: bytes | Iterator[bytes] | BufferedReader
    name: str
    content_type: str
    length: int | None = None


def sent(download: Download) -> Response:
    """200 with the file."""
    content = download.content
    if isinstance(content, BufferedReader):
        response = send_file(content, mimetype=download.content_type)
    elif isinstance(content, bytes):
        response = Response(content, content_type=download.content_type)
    else:
        response = Response(stream_with_context(content), content_type=download.content_type)
    if download.length is not None:
        response.content_length = download.length
    response.headers["Content-Disposition"] = disposition(download.name)
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
