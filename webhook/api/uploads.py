"""`POST /v1/uploads`: a file of numbers becomes a job (R8, R9, R11)."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import Response, request

from schemas.http import resources
from webhook.api.jobs import accepted
from webhook.http import auth, idempotency
from webhook.http.body_limits import body_limit
from webhook.services import uploads

bp = APIBlueprint("uploads", __name__, url_prefix="/v1", tag="Uploads")
bp.before_request(auth.require_actor)
bp.before_request(idempotency.begin_request)
bp.after_request(idempotency.end_request)


@bp.post("/uploads")
@bp.output(resources.Job, status_code=202)
@bp.doc(summary="Upload a spreadsheet of numbers", responses={401: "No valid token", 413: "File too large"})
@body_limit(files=True)
def upload() -> Response:
    """Responds as soon as the file has arrived; the job reports the outcome of each row."""
    return accepted(uploads.enter(request))
