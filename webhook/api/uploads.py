"""`POST /v1/uploads`: a file of numbers becomes a job (R8, R9, R11)."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import Response, request

from schemas.http import resources
from schemas.roles import Operation
from schemas.workbooks import MEDIA_TYPE
from webhook.api.jobs import accepted
from webhook.http import auth
from webhook.http.access import needs
from webhook.http.body_limits import body_limit
from webhook.http.openapi.declarations import CSV, Header, declares
from webhook.services import uploads

bp = APIBlueprint("uploads", __name__, url_prefix="/v1", tag="Uploads")
bp.before_request(auth.require_actor)


@bp.post("/uploads")
@bp.output(resources.Job, status_code=202)
@bp.doc(
    operation_id="create_upload",
    summary="Upload a spreadsheet of numbers",
    responses={
        403: "Your company cannot upload files",
        404: "Your company was deleted meanwhile",
        413: "The file is too large",
        415: "Send the file as text/csv, as a workbook (.xlsx), or in multipart/form-data",
    },
)
@body_limit(files=True, raw=True)
@declares(Header.PREFER, form=resources.UploadForm, query=resources.UploadQuery, bodies=(CSV, MEDIA_TYPE))
@needs(Operation.UPLOAD)
def upload() -> Response:
    """Responds as soon as the file has arrived; the job reports the outcome of each row.

    Options are in the fields of the form or in the query, none in both. A body that is the file itself may be sent with
    `Content-Encoding: gzip`. `Content-Digest` or `Repr-Digest` (RFC 9530) in the header of the request is
    that of the whole body, as it is sent; in the header of a form's part, that of the file.
    """
    return accepted(uploads.enter(request))
