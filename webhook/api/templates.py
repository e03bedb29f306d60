"""`/v1/templates`: the sample file to fill in (R10)."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import Response

from schemas.roles import Operation
from schemas.workbooks import MEDIA_TYPE
from webhook.http import auth
from webhook.http.access import needs
from webhook.http.downloads import sent
from webhook.http.openapi.declarations import CSV, FILE_HEADERS, FILE_RESPONSES, declares
from webhook.services import templates

bp = APIBlueprint("templates", __name__, url_prefix="/v1/templates", tag="Uploads")
bp.before_request(auth.require_actor)


@bp.get("/numbers.csv")
@bp.doc(
    operation_id="get_template_csv",
    summary="Download the sample file as CSV",
    responses={200: "The sample file, encoded as UTF-8", **FILE_RESPONSES},
)
@declares(*FILE_HEADERS, files=(CSV,))
@needs(Operation.GET_TEMPLATES)
def numbers_csv() -> Response:
    """With the columns that an upload can have, and example rows."""
    return sent(templates.csv())


@bp.get("/numbers.xlsx")
@bp.doc(
    operation_id="get_template_xlsx",
    summary="Download the sample file as a workbook with text cells, so that Excel does not change the numbers",
    responses={200: "The sample file", **FILE_RESPONSES},
)
@declares(*FILE_HEADERS, files=(MEDIA_TYPE,))
@needs(Operation.GET_TEMPLATES)
def numbers_xlsx() -> Response:
    """With the columns that an upload can have, and example rows."""
    return sent(templates.xlsx())
