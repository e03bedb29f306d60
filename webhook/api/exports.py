"""`/v1/numbers.csv`, `/v1/numbers.jsonl`, `/v1/exports`: the inventory as a file, as the caller sees it (R3, R34)."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import Response

from schemas.http import resources
from schemas.http.exports import ExportBody
from schemas.roles import Operation
from webhook.api.jobs import accepted
from webhook.http import auth
from webhook.http.access import needs
from webhook.http.concurrency_limits import DOWNLOADS
from webhook.http.downloads import sent_compressed
from webhook.http.openapi.declarations import CSV, JSON_LINES, Header, declares
from webhook.services import export_jobs, exports

bp = APIBlueprint("exports", __name__, url_prefix="/v1", tag="Numbers")
bp.before_request(auth.require_actor)


@bp.get("/numbers.csv")
@bp.input(resources.NumbersFilter, location="query", arg_name="query")
@bp.doc(
    operation_id="get_numbers_csv",
    summary="Download the matching numbers as CSV; uploading the file again changes nothing",
    responses={200: "The numbers, encoded as UTF-8"},
)
@DOWNLOADS.streamed
@declares(files=(CSV,))
@needs(Operation.READ_NUMBERS)
def numbers_csv(query: resources.NumbersFilter) -> Response:
    """All pages of the list in one file, with its filters. Compressed, if the client accepts gzip."""
    return sent_compressed(exports.csv(query))


@bp.get("/numbers.jsonl")
@bp.input(resources.NumbersFilter, location="query", arg_name="query")
@bp.doc(
    operation_id="get_numbers_jsonl",
    summary="Download the matching numbers as JSON lines: the objects of the list, without history",
    responses={200: "The numbers, an object per line"},
)
@DOWNLOADS.streamed
@declares(files=(JSON_LINES,))
@needs(Operation.READ_NUMBERS)
def numbers_jsonl(query: resources.NumbersFilter) -> Response:
    """All pages of the list in one file, with its filters. Compressed, if the client accepts gzip."""
    return sent_compressed(exports.jsonl(query))


@bp.post("/exports")
@bp.input(ExportBody, arg_name="body")
@bp.output(resources.Job, status_code=202)
@bp.doc(
    operation_id="create_export",
    summary="Export the matching numbers to a file that is kept: a job",
    responses={409: "Too many exports of your company have not ended yet"},
)
@declares(Header.PREFER)
@needs(Operation.READ_NUMBERS)
def create(body: ExportBody) -> Response:
    """The file is at `links.file` once the job has completed, and expires when reports do.

    Its numbers are those at the moment in `export.taken_at`. Nothing in the inventory changes.
    """
    return accepted(export_jobs.create(body))
