"""`/v1/templates`: the sample file to fill in (R10)."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import Response

from webhook.http import auth
from webhook.http.downloads import sent
from webhook.services import templates

bp = APIBlueprint("templates", __name__, url_prefix="/v1/templates", tag="Uploads")
bp.before_request(auth.require_actor)


@bp.get("/numbers.csv")
@bp.doc(summary="Download the sample file as CSV")
def numbers_csv() -> Response:
    return sent(templates.csv())


@bp.get("/numbers.xlsx")
@bp.doc(summary="Download the sample file as a workbook with text cells, so that Excel does not change the numbers")
def numbers_xlsx() -> Response:
    return sent(templates.xlsx())
