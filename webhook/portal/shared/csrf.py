"""CSRF protection: a form must come from this site, and from a page that this browser was shown.

The token of a form is derived from the secret in the browser's cookie, so it needs no key and no storage, and ends with
the session.
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
    """Refuse with 403 unless a page of this site made the request (Fetch Metadata, else the Origin header)."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        ours = site == "same-origin"
    else:
        ours = urlsplit(request.headers.get("Origin", "")).netloc == request.host
    if not ours:
        raise refuse(RequestCode.FORM_OUT_OF_DATE)


def check_form() -> None:
    """Refuse with 403 unless the form, or the header of a script, has the token.

    Reads the form; 413 above its `body_limit`. Other bodies are refused with 415: the view would see an empty form.
    """
    if request.mimetype not in {"", FORM, MULTIPART}:
        raise refuse(RequestCode.UNSUPPORTED_MEDIA_TYPE, f"Send {FORM}.", value=request.mimetype[:100])
    try:
        check_token(request.headers.get(HEADER) or request.form.get(FIELD))
    except RequestEntityTooLarge as error:
        raise too_large(request.max_content_length) from error


def check_token(sent_token: str | None) -> None:
    """Refuse with 403 unless this is the token of this browser's forms."""
    secret = _secret()
    if secret is None or not is_token_of(secret, sent_token):
        raise refuse(RequestCode.FORM_OUT_OF_DATE)


def is_token_of(secret: str, sent_token: str | None) -> bool:
    """Return whether this is the token of the forms of a session that may have ended. It allows nothing by itself."""
    return sent_token is not None and hmac.compare_digest(_of(secret).encode(), sent_token.encode())


def token() -> str:
    """Return the token for the forms of this response. A browser without a cookie gets one (`keep`)."""
    secret = _secret()
    if secret is None:
        secret = g.new_form_secret = secrets.token_urlsafe(32)
    return _of(secret)


def keep(response: Response) -> Response:
    """Set the cookie that a new form's token was derived from. Runs after the request."""
    new_secret = g.get("new_form_secret")
    if new_secret is not None and g.get("session") is None:
        cookies.put(request, response, cookies.FORM, new_secret)
    return response


def _secret() -> str | None:
    """Return the secret of the session, or of the form before sign-in; never that of a session that has ended."""
    if g.get("session") is not None:
        return cookies.get(request, cookies.SESSION)
    new_secret: str | None = g.get("new_form_secret")
    return new_secret or cookies.get(request, cookies.FORM)


def _of(secret: str) -> str:
    return hmac.new(secret.encode(), _LABEL, hashlib.sha256).hexdigest()
