"""The portal's cookies: for the session, for the browser, and one that ties the sign-in form to its browser."""

from __future__ import annotations

from flask import Request, Response

from worker.config.settings import get_settings

SESSION, FORM, BROWSER = "numberyard", "numberyard-form", "numberyard-browser"


def is_secure(request: Request) -> bool:
    """Return whether the browser uses HTTPS, to this server or to a trusted proxy."""
    if request.is_secure:
        return True
    forwarded_scheme = request.headers.get("X-Forwarded-Proto", "") if get_settings().trust_forwarded else ""
    return forwarded_scheme.partition(",")[0].strip().lower() == "https"


def get(request: Request, name: str) -> str | None:
    """Return the cookie's value, if it may be one that the portal has set."""
    value = request.cookies.get(_full(request, name))
    return value if value and value.isascii() and len(value) <= 100 else None  # noqa: PLR2004 - ours have 43


def put(request: Request, response: Response, name: str, value: str, seconds: int | None = None) -> None:
    """Set a cookie until the browser is closed or for so many seconds, for this host and not for scripts.

    RFC 6265bis; with the prefix `__Host-` over HTTPS.
    """
    full, secure = _full(request, name), is_secure(request)
    response.set_cookie(full, value, max_age=seconds, secure=secure, httponly=True, samesite="Lax", path="/")


def drop(request: Request, response: Response, name: str) -> None:
    """Delete a cookie."""
    response.delete_cookie(_full(request, name), secure=is_secure(request), httponly=True, samesite="Lax", path="/")


def _full(request: Request, name: str) -> str:
    return f"__Host-{name}" if is_secure(request) else name
