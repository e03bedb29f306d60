"""`POST /v1/uploads`: a file of numbers becomes a job (R8, R9, R11)."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import Response, request

from schemas.http import resources
from schemas.roles import Operation
from webhook.api.jobs import accepted
from webhook.http import auth, idempotency
from webhook.http.access import needs
from webhook.http.body_limits import body_limit
from webhook.http.openapi.declarations import Header, declares
from webhook.services import uploads

bp = APIBlueprint("uploads", __name__, url_prefix="/v1", tag="Uploads")
bp.before_request(auth.require_actor)
bp.before_request(idempotency.begin_request)
bp.after_request(idempotency.end_request)


@bp.post("/uploads")
@bp.output(resources.Job, status_code=202)
@bp.doc(
    operation_id="create_upload",
    summary="Upload a spreadsheet of numbers",
    responses={
        403: "Your company cannot upload files",
        404: "Your company was deleted meanwhile",
        413: "The file is too large",
        415: "Send multipart/form-data with the file",
    },
)
@body_limit(files=True)
@declares(Header.IDEMPOTENCY_KEY, Header.PREFER, form=resources.UploadForm)
@needs(Operation.UPLOAD)
def upload() -> Response:
    """Responds as soon as the file has arrived; the job reports the outcome of each row."""
    return accepted(uploads.enter(request))
