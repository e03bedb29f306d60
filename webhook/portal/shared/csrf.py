"""Forms are ours: what is sent comes from this site, and from a page that this browser was shown (CSRF).

The token of a form is derived from the secret in the browser's cookie, so it needs no key and no place to be kept, and
ends with the session.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from urllib.parse import urlsplit

from flask import Response, g, request
from werkzeug.exceptions import RequestEntityTooLarge

from schemas.request_problems import RequestCode
from webhook.http.body_limits import too_large
from webhook.http.errors import refuse
from webhook.http.request_bodies import FORM, MULTIPART
from webhook.portal.shared import cookies

FIELD, HEADER = "csrf_token", "X-CSRF-Token"
_LABEL = b"numberyard form 1"


def check_origin() -> None:
    """403 unless the request was made by a page of this site (Fetch Metadata, else the Origin header)."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        ours = site == "same-origin"
    else:
        ours = urlsplit(request.headers.get("Origin", "")).netloc == request.host
    if not ours:
        raise refuse(RequestCode.FORM_OUT_OF_DATE)


def check_form() -> None:
    """403 unless the form, or the header of a script, has the token. Reads the form; 413 above its `body_limit`.

    Other bodies are refused with 415: the view would see an empty form.
    """
    if request.mimetype not in {"", FORM, MULTIPART}:
        raise refuse(RequestCode.UNSUPPORTED_MEDIA_TYPE, f"Send {FORM}.", value=request.mimetype[:100])
    try:
        check_token(request.headers.get(HEADER) or request.form.get(FIELD))
    except RequestEntityTooLarge as error:
        raise too_large(request.max_content_length) from error


def check_token(given: str | None) -> None:
    """403 unless it is the token of this browser's forms."""
    secret = _secret()
    if secret is None or given is None or not hmac.compare_digest(_of(secret).encode(), given.encode()):
        raise refuse(RequestCode.FORM_OUT_OF_DATE)


def token() -> str:
    """What the forms of this answer carry. A browser without a cookie is given one (`keep`)."""
    secret = _secret()
    if secret is None:
        secret = g.new_form_secret = secrets.token_urlsafe(32)
    return _of(secret)


def keep(response: Response) -> Response:
    """After a request: give the browser the cookie that its form's token was derived from."""
    made = g.get("new_form_secret")
    if made is not None and g.get("session") is None:
        cookies.put(request, response, cookies.FORM, made)
    return response


def _secret() -> str | None:
    """The session's, once signed in; before that the form's. Never that of a session which is over."""
    if g.get("session") is not None:
        return cookies.get(request, cookies.SESSION)
    made: str | None = g.get("new_form_secret")
    return made or cookies.get(request, cookies.FORM)


def _of(secret: str) -> str:
    return hmac.new(secret.encode(), _LABEL, hashlib.sha256).hexdigest()
