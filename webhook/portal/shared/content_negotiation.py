"""What requests to the portal accept: a page, a part of one (htmx), or JSON; and safe redirect targets."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Request

READING = frozenset({"GET", "HEAD", "OPTIONS"})
HTML, JSON = "text/html", "application/json"
_OF_MACHINES = ("/v1", "/docs", "/openapi.json", "/livez", "/readyz", "/metrics")
_LONGEST = 2000  # characters


def is_htmx(request: Request) -> bool:
    """Return whether htmx requests a part of a page."""
    return request.headers.get("HX-Request") == "true"


def wants_json(request: Request) -> bool:
    """Return whether the request is from a script that can show a problem itself."""
    accepted = request.accept_mimetypes
    return accepted[JSON] > accepted[HTML] or (JSON in accepted.values() and HTML not in accepted.values())


def wants_page(request: Request) -> bool:
    """Return whether the request is from a browser, and is to be answered with a page for people."""
    if any(request.path == path or request.path.startswith(f"{path}/") for path in _OF_MACHINES):
        return False
    if request.blueprint == "portal":
        return not wants_json(request)
    return HTML in request.accept_mimetypes.values() and not wants_json(request)


def local(address: str | None, otherwise: str = "/") -> str:
    """Return `address` if it is a path of this site; else `otherwise`, to prevent open redirects after sign-in."""
    if not address or len(address) > _LONGEST or not address.startswith("/") or address[1:2] in {"/", "\\"}:
        return otherwise
    if "\\" in address or not address.isprintable() or any(sign.isspace() for sign in address):
        return otherwise
    parts = urlsplit(address)
    return otherwise if parts.scheme or parts.netloc or parts.path.startswith("/sign-") else address


def came_from(request: Request) -> str:
    """Return the page of this site that a form was sent from; `/` if unknown."""
    parts = urlsplit(request.referrer or "")
    if parts.netloc != request.host:
        return "/"
    return local(parts.path + (f"?{parts.query}" if parts.query else ""))
