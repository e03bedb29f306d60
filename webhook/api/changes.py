"""`/v1/changes`: what changed in the inventory, in order and without a gap (R34)."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import Response

from schemas.http.changes import ChangeList, ChangesQuery
from schemas.roles import Operation
from webhook.http import auth
from webhook.http.access import needs
from webhook.http.responses import shown
from webhook.services import changes

bp = APIBlueprint("changes", __name__, url_prefix="/v1/changes", tag="Numbers")
bp.before_request(auth.require_actor)


@bp.get("")
@bp.input(ChangesQuery, location="query", arg_name="query")
@bp.output(ChangeList)
@bp.doc(
    operation_id="list_changes",
    summary="List changes of the inventory, in the order in which they took effect",
    responses={410: "Changes after the cursor are no longer kept"},
)
@needs(Operation.READ_NUMBERS)
def index(query: ChangesQuery) -> Response:
    """Changes of numbers that your tenant or one below it holds or held, oldest first and without a gap.

    Continue with `next_cursor`, which is there even if nothing is new. Cursors count for the tenant of the token.
    """
    return shown(changes.page(query))
