"""Styles, scripts and pictures. Their URL contains a version of all of them, so browsers may cache them for a year."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

from flask import Response, send_from_directory, url_for

from webhook.portal.shared.blueprint import bp

FOLDER = Path(__file__).parents[1] / "static"
_YEAR = 365 * 24 * 3600  # seconds


@bp.get("/static/<version>/<path:filename>", endpoint="static")
def file(version: str, filename: str) -> Response:
    response = send_from_directory(FOLDER, filename, etag=True)
    if version == current():
        response.headers["Cache-Control"] = f"public, max-age={_YEAR}, immutable"
    else:
        response.headers["Cache-Control"] = "no-cache"  # requested by a page of an earlier or a later release
    return response


def address(filename: str) -> str:
    """Return the URL of a file: `address("portal.css")`. Modules imported by `./name.js` have the same version."""
    return url_for("portal.static", version=current(), filename=filename)


@lru_cache(maxsize=1)
def current() -> str:
    """Return the version: a digest of all files."""
    digest = hashlib.sha256()
    for path in sorted(FOLDER.rglob("*")):
        if path.is_file():
            digest.update(path.relative_to(FOLDER).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]
