"""Phone Numbers."""

from __future__ import annotations

from flask import render_template

from webhook.portal.blueprint import bp


@bp.get("/numbers")
def numbers() -> str:
    return render_template("portal/numbers.html")
