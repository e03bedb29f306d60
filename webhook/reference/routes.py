"""The addresses of the documentation. No sign-in, no database: each page costs one look-up once it is rendered."""

from __future__ import annotations

from http import HTTPStatus

from apiflask import APIBlueprint
from flask import Response, current_app, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from webhook.http.query_strings import check_repeated
from webhook.reference.guides import ROOT
from webhook.reference.site import Page, Site

bp = APIBlueprint("reference", "webhook.reference", template_folder="templates", enable_openapi=False)
_KEY = "numberyard-reference"
_MINUTES = "public, max-age=300"  # then by its ETag: another release may run by then
# Nothing inline, no other host, no embedding. Images of a style sheet may be data.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def _site() -> Site:
    """Return the site of this application."""
    site: Site = current_app.extensions.setdefault(_KEY, Site())
    return site


@bp.get(f"{ROOT}/")
def start() -> Response:
    return _found("")


@bp.get(f"{ROOT}/search")
def search() -> Response:
    check_repeated(request.args)
    return _sent(_site().results(" ".join(request.args.get("q", "").split())))


@bp.get(f"{ROOT}/<path:name>")
def page(name: str) -> Response:
    return _found(name)


@bp.get(ROOT)
def to_start() -> AnyResponse:
    """Redirect to the start page: Flask's own redirect would lead to whatever host the request named."""
    return redirect(f"{ROOT}/", HTTPStatus.PERMANENT_REDIRECT)


def _found(name: str) -> Response:
    found = _site().page(name)
    if found is None:
        return _sent(_site().missing_page, HTTPStatus.NOT_FOUND)
    return _sent(found)


def _sent(found: Page, status: HTTPStatus = HTTPStatus.OK) -> Response:
    response = Response(found.html, status, content_type="text/html; charset=utf-8")
    response.headers["Cache-Control"] = _MINUTES
    response.set_etag(found.etag)
    if status is HTTPStatus.OK:
        response.make_conditional(request)
    return response


@bp.after_request
def _protect(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = POLICY
    return response
