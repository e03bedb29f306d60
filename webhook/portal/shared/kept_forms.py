"""Forms sent after the session had ended (R4): kept, so that the form's page is filled in again after signing in.

Nothing is replayed: the person sends the form again, with a token of the new session. A form is kept only if it has the
token of the ended session's pages, so another site can neither fill one in nor have it kept; and only for the admin of
that session. Passwords and files are not kept.
"""

from __future__ import annotations

from typing import IO, Any, cast
from urllib.parse import parse_qsl, urlencode, urlsplit

from flask import g, json, request
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge
from werkzeug.formparser import MultiPartParser
from werkzeug.http import parse_options_header

from webhook.http.multipart import BLOCK, LONGEST_FIELDS, MOST_PARTS
from webhook.http.request_bodies import MULTIPART
from webhook.portal.shared import cookies, csrf
from worker.accounts import kept_forms
from worker.accounts.sessions import Over
from worker.database.engine import transaction

LARGEST = 32 * 1024  # bytes of the fields
MOST_READ = 32 * 1024 * 1024  # bytes of a body with a file, which is read only for its fields
_ONE_USE = frozenset({csrf.FIELD, "upload_key"})
# The forms whose pages fill them in again (`Form.fresh`). No form with a password is among them.
REFILLED = frozenset(
    f"portal.{name}"
    for name in (
        *(
            "upload",
            "choose_columns",
            "apply_corrections",
            "choose",
            "read_pasted",
            "save_settings",
            "take_back",
            "change_capabilities",
        ),
        *("add_level", "change_level", "add_user", "change_user", "submit_sms"),
        *("define_carrier", "rename_carrier", "choose_defaults", "add_person", "make_token"),
        *("make_webhook", "change_webhook"),
    )
)
# The pages of forms that are sent to an address without a page.
_PAGES = {"/uploads": "/uploads/new", "/carriers/defaults": "/carriers", "/numbers/selection": "/numbers"}


class _Nowhere:
    """A file object that keeps nothing."""

    def write(self, block: bytes) -> int:
        return len(block)

    def seek(self, _offset: int) -> int:
        return 0


def keep() -> bool:
    """Keep the request's form; return whether that was possible. The session must have ended by age or idleness."""
    secret = cookies.get(request, cookies.SESSION)
    if secret is None or g.over not in {Over.IDLE, Over.AGE} or request.endpoint not in REFILLED:
        return False
    fields = _fields()
    if fields is None or not csrf.is_token_of(secret, fields.get(csrf.FIELD)):
        return False
    pairs = [(name, text) for name, text in fields.items(multi=True) if name not in _ONE_USE]
    form = {"action": _canonical(request.full_path), "fields": pairs, "had_file": request.mimetype == MULTIPART}
    if not pairs or len(json.dumps(form)) > LARGEST:
        return False
    with transaction() as connection:
        return kept_forms.keep(connection, secret, form)


def page_of(address: str) -> str:
    """Return the page to go to after signing in, for one that a form was sent from."""
    path = urlsplit(address).path
    return _PAGES.get(path, address)


def take(action: str) -> tuple[MultiDict[str, str], bool] | None:
    """Return the fields kept for the form that is sent to `action`, once, and whether a file has to be chosen again."""
    session = g.get("session")
    if session is None or not session.has_notices:
        return None
    with transaction() as connection:
        kept = kept_forms.take(connection, session.id, _canonical(action))
    return None if kept is None else (MultiDict(map(tuple, kept["fields"])), bool(kept["had_file"]))


def _canonical(address: str) -> str:
    """Return an address with its parameters in one order and spelling."""
    parts = urlsplit(address)
    return f"{parts.path}?{urlencode(sorted(parse_qsl(parts.query)))}"


def _fields() -> MultiDict[str, str] | None:
    """Return the fields of the request's form; None if it is none, or too large."""
    try:
        return _fields_beside_file() if request.mimetype == MULTIPART else request.form
    except (RequestEntityTooLarge, ClientDisconnected, ValueError, OSError):
        return None


def _fields_beside_file() -> MultiDict[str, str] | None:
    boundary = parse_options_header(request.headers.get("Content-Type"))[1].get("boundary")
    if not boundary or not 0 < (request.content_length or 0) <= MOST_READ:
        return None

    def nowhere(*_args: object, **_more: object) -> IO[bytes]:
        return cast("IO[bytes]", _Nowhere())

    parser = MultiPartParser(
        stream_factory=nowhere, max_form_memory_size=LONGEST_FIELDS, buffer_size=BLOCK, max_form_parts=MOST_PARTS
    )
    fields: Any = parser.parse(request.stream, boundary.encode("latin-1"), request.content_length)[0]
    return cast("MultiDict[str, str]", fields)
