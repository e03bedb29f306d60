"""`/v1/reports`: figures of the inventory for billing."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import Response

from schemas.http.tenants import HoldingsQuery
from schemas.roles import Operation
from webhook.http import auth
from webhook.http.access import needs
from webhook.http.downloads import sent
from webhook.http.openapi.declarations import CSV, FILE_HEADERS, FILE_RESPONSES, declares
from webhook.services import holdings_report

bp = APIBlueprint("reports", __name__, url_prefix="/v1/reports", tag="Numbers")
bp.before_request(auth.require_actor)


@bp.get("/holdings.csv")
@bp.input(HoldingsQuery, location="query", arg_name="query")
@bp.doc(
    operation_id="get_holdings_csv",
    summary="Download how many numbers each tenant holds, by country, voice carrier and capabilities, as CSV",
    responses={200: "The report, encoded as UTF-8", 404: "`tenant_id` not found", **FILE_RESPONSES},
)
@declares(*FILE_HEADERS, files=(CSV,))
@needs(Operation.READ_NUMBERS)
def holdings_csv(query: HoldingsQuery) -> Response:
    """Now, or with `date` at the end of a day that is over (UTC). `counted_at` says when the numbers were counted."""
    return sent(holdings_report.csv(query))
