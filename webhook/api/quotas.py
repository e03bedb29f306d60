"""`GET /v1/quotas`: the quotas of a tenant, and what it uses of them (R37)."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import Response

from schemas.http.quotas import QuotaList, QuotasQuery
from schemas.roles import Operation
from webhook.http import auth
from webhook.http.access import needs
from webhook.http.responses import shown
from webhook.services import quotas

bp = APIBlueprint("quotas", __name__, url_prefix="/v1/quotas", tag="Accounts")
bp.before_request(auth.require_actor)


@bp.get("")
@bp.input(QuotasQuery, location="query", arg_name="query")
@bp.output(QuotaList)
@bp.doc(
    operation_id="list_quotas",
    summary="List the quotas of a tenant, and what it uses of them",
    responses={404: "`tenant_id` not found"},
)
@needs(Operation.READ_ACCOUNTS)
def index(query: QuotasQuery) -> Response:
    """Of your own tenant, or of one below it.

    A tenant's use counts for this tenant only. Open jobs are counted up to the limit, or to 10,000 if there is none.
    """
    return shown(quotas.get(query.tenant_id))
