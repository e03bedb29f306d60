"""Request bodies parsed here and not by the framework: JSON for every route, and form fields.

A hostile body costs no more than a large valid one: its size (`webhook.http.body_limits`), members, items and nesting
are limited before its content is interpreted.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping
from typing import IO, Any, NoReturn, TypeVar, cast

from flask import Request
from pydantic import BaseModel, ValidationError
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge
from werkzeug.formparser import FormDataParser
from werkzeug.utils import cached_property
from werkzeug.wsgi import LimitedStream

from schemas.codes import Code
from schemas.http.actions import MOST_NUMBERS
from schemas.request_problems import RequestCode
from webhook.http.body_limits import SMALL, too_large
from webhook.http.errors import Refused, refuse, refuse_file

JSON = "application/json"
MULTIPART = "multipart/form-data"
FORM = "application/x-www-form-urlencoded"
MOST_MEMBERS = 128  # per object; the translations of a column's values (`MOST_VALUES`) are one
DEEPEST = 32  # levels of nested objects and lists
# Commas and brackets (in forms: ampersands) are a cheap measure of how many objects parsing creates. Phone numbers, as
# people write them, contain few.
MOST_MARKS = 3 * MOST_NUMBERS
FEW_MARKS = 16_384  # on routes that take no list of numbers
_LONGEST_INTEGER = 300  # digits; no field takes more than 20
_EXACT = 2**53  # up to which every integer is a number of its own (RFC 8259, section 6)
_LONGEST_FIELD = 100  # characters of client-supplied names that a response repeats
_MOST_FAULTS = 20
_BLOCK = 64 * 1024  # bytes
_BOM = b"\xef\xbb\xbf"
_FIX = "Send one JSON object (RFC 8259), encoded as UTF-8."
Body = TypeVar("Body", bound=BaseModel)


class BoundedStream(LimitedStream):
    """A stream of unknown length that raises `RequestEntityTooLarge` at its limit, even if read in one call.

    Werkzeug's own stream would return the beginning of a longer body as if it were complete.
    """

    def readall(self) -> bytes:
        """Return the rest of the body."""
        return b"".join(iter(lambda: self.read(_BLOCK), b""))


class BoundedFormParser(FormDataParser):
    """A form parser with a limit on the number of fields; Werkzeug limits only those of multipart forms."""

    def parse(
        self, stream: IO[bytes], mimetype: str, content_length: int | None, options: dict[str, str] | None = None
    ) -> Any:  # noqa: ANN401 - as in werkzeug
        """Return the stream, the fields and the files; 400 above `FEW_MARKS` fields."""
        if mimetype == FORM:
            content = stream.read()
            if content.count(b"&") > FEW_MARKS:
                detail = f"The form has more than {FEW_MARKS:,} fields."
                raise refuse(RequestCode.BAD_REQUEST, detail, fix="Send fewer fields.")
            stream = io.BytesIO(content)
        return super().parse(stream, mimetype, content_length, options)


class BoundedRequest(Request):
    """A request with a limited body, whose JSON is parsed by `read_json`, also for `@bp.input`."""

    form_data_parser_class = BoundedFormParser

    @cached_property
    def stream(self) -> IO[bytes]:
        """Return the body's stream. 413 at once by Content-Length or, where there is none, while reading."""
        stream = super().stream
        limit = self.max_content_length
        if limit is None or "wsgi.input_terminated" not in self.environ:
            return stream
        # One byte more than allowed: a body is too long only if it has that byte.
        return cast("IO[bytes]", BoundedStream(self.environ["wsgi.input"], limit + 1, is_max=True))

    def get_json(self, force: bool = False, silent: bool = False, cache: bool = True) -> Any:  # noqa: ANN401, ARG002, FBT001, FBT002 - as in Flask
        """Return the JSON object. `force` is ignored: the content type must be JSON."""
        return self._json_object

    @cached_property
    def _json_object(self) -> Mapping[str, Any]:
        return read_json(self)


def check_body(request: Request) -> None:
    """Refuse a body that is too large or ambiguous JSON, even on routes that take none and would ignore it.

    Long lists and files are left to their views, which read them only when they need them.
    """
    limit = request.max_content_length
    if limit is None or limit > SMALL:
        return
    if (request.content_length or 0) > limit:
        raise too_large(limit)
    sent_json(request)


def sent_json(request: Request) -> Mapping[str, Any]:
    """Return the JSON object that a request has as its body; an empty one if it has none."""
    if request.mimetype != JSON or not (request.content_length or "Transfer-Encoding" in request.headers):
        return {}
    content: Mapping[str, Any] = request.get_json()
    return content


def read_json(request: Request) -> Mapping[str, Any]:
    """Return the request's JSON object. Raises `Refused` if it is too large, incomplete, not JSON, or ambiguous."""
    charset = request.mimetype_params.get("charset", "utf-8").lower()
    if request.mimetype != JSON or charset not in {"utf-8", "utf8"}:
        sent = request.headers.get("Content-Type", "")[:_LONGEST_FIELD]
        raise refuse(RequestCode.UNSUPPORTED_MEDIA_TYPE, f"Send {JSON}, encoded as UTF-8.", value=sent)
    content = _content(request)
    marks, limit = sum(map(content.count, (b",", b"[", b"{"))), request.max_content_length
    if marks > MOST_MARKS:
        raise refuse(
            RequestCode.INVALID_FIELD, f"A list can have at most {MOST_NUMBERS:,} numbers; send a file instead."
        )
    if marks > FEW_MARKS and limit is not None and limit <= SMALL:
        raise _bad(f"The body has more than {FEW_MARKS:,} commas and brackets.")
    return parse_object(content)


def _content(request: Request) -> bytes:
    try:
        content = request.get_data(cache=False)
    except RequestEntityTooLarge as error:
        raise too_large(request.max_content_length) from error
    except ClientDisconnected as error:
        raise refuse_file(Code.TRUNCATED_UPLOAD) from error
    if len(content) < (request.content_length or 0):
        raise refuse_file(Code.TRUNCATED_UPLOAD)
    return content


def parse_object(content: bytes) -> Mapping[str, Any]:
    """Return the JSON object in `content`. Raises `Refused` if it is none, or parsers could read it differently."""
    if content.startswith(_BOM):
        raise _bad("The body starts with a byte order mark.", at=0)
    try:
        document = json.loads(
            content.decode(),
            object_pairs_hook=_members,
            parse_constant=_not_json,
            parse_int=_integer,
            parse_float=_decimal,
        )
    except UnicodeDecodeError as error:
        raise _bad("The body is not UTF-8.", at=error.start) from error
    except json.JSONDecodeError as error:
        raise _bad(f"The body is not JSON: {error.msg}.", line=error.lineno, column=error.colno) from error
    except RecursionError as error:
        raise _too_deep() from error
    if not isinstance(document, dict):
        raise _bad("The body must be a JSON object.")
    if content.count(b"[") + content.count(b"{") > DEEPEST and _is_deeper(document, DEEPEST):
        raise _too_deep()
    return document


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object's members. Refuses duplicate names, of which parsers take either (RFC 8259, section 4)."""
    members = dict(pairs)
    if len(members) < len(pairs):
        raise refuse(RequestCode.DUPLICATE_KEY, key=_duplicate([name for name, _ in pairs])[:_LONGEST_FIELD])
    if len(pairs) > MOST_MEMBERS:
        raise _bad(f"An object has more than {MOST_MEMBERS} members.")
    return members


def _duplicate(names: list[str]) -> str:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            break
        seen.add(name)
    return name


def _not_json(constant: str) -> NoReturn:
    raise _bad(f"{constant} is not JSON.", value=constant)


def _integer(text: str) -> int:
    if len(text) > _LONGEST_INTEGER:
        raise _bad(f"An integer has more than {_LONGEST_INTEGER} digits.", value=text[:_LONGEST_FIELD])
    return int(text)


def _decimal(text: str) -> float:
    """Return a number; an integer for 3.0, which JSON Schema takes for one."""
    number = float(text)
    if math.isinf(number):
        raise _bad("A number is too large.", value=text[:_LONGEST_FIELD])
    return int(number) if number.is_integer() and abs(number) <= _EXACT else number


def _is_deeper(document: object, most: int) -> bool:
    """Return whether lists and objects are nested in more than `most` levels, without recursion."""
    level: list[Any] = [document]
    for _ in range(most):
        inner = [value for part in level for value in (part.values() if isinstance(part, dict) else part)]
        level = [value for value in inner if isinstance(value, dict | list)]
        if not level:
            return False
    return True


def _too_deep() -> Refused:
    return _bad(f"Lists and objects can be nested at most {DEEPEST} levels deep.")


def _bad(detail: str, **more: object) -> Refused:
    return refuse(RequestCode.BAD_REQUEST, detail, fix=_FIX, **more)


def validated(body: type[Body], raw: Mapping[str, Any]) -> Body:
    """Return the body that the fields make. Raises `Refused` with an entry for each invalid field."""
    try:
        return body.model_validate(raw)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False, include_context=False)[:_MOST_FAULTS]
        errors = [{"field": _name(entry["loc"]), "message": entry["msg"]} for entry in faults]
        detail = "; ".join(": ".join(filter(None, (entry["field"], entry["message"]))) for entry in errors)
        raise refuse(RequestCode.INVALID_FIELD, detail, errors=errors) from error


def _name(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part)[:_LONGEST_FIELD] for part in location)
