"""The page of a job, which is step 2 (Check) or 3 (Import) of an upload.

The state of the job selects the step. All that a page shows comes from the job, so it is the same after a restart and
in another browser. With JavaScript, parts of a page reload once a second (htmx) for as long as the job runs; a page
whose job has reached another state reloads as a whole.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from flask import Response, render_template, request

from schemas.http import resources
from schemas.request_problems import RequestCode
from schemas.roles import Operation
from webhook.http.access import needs
from webhook.http.concurrency_limits import DOWNLOADS
from webhook.http.downloads import sent, sent_stored
from webhook.http.errors import Refused
from webhook.http.request_bodies import validated
from webhook.portal.jobs import columns, endings, labels, rows
from webhook.portal.shared import flash
from webhook.portal.shared.blueprint import bp
from webhook.portal.shared.forms import Form
from webhook.services import corrections, export_jobs, job_details, jobs, reports, workbooks
from webhook.services.job_details import JobDetails

FIRST = 8  # rows of a file in the preview
WORKBOOK_WAIT = 1.0  # seconds to wait for a workbook before showing the page that says it is being prepared
REFRESH_SECONDS = 3  # after which that page asks again
_UNCHANGED = 204


@bp.get("/jobs/<job_id>")
@needs(Operation.READ_JOBS)
def job(job_id: str) -> str:
    return _page(job_details.details_of(job_id))


@bp.get("/jobs/<job_id>/live")
@needs(Operation.READ_JOBS)
def job_live(job_id: str) -> Any:  # noqa: ANN401 - a part of the page, or a response
    """Return the job's progress; or have the page reload, if its state (`seen`) is over."""
    live_job = jobs.get(job_id)
    group = labels.group(live_job)
    if group != request.args.get("seen"):
        if group == "ended":
            _flash_result(live_job)
        return Response(status=200, headers={"HX-Refresh": "true"})
    if group == "review":
        return Response(status=_UNCHANGED)
    return render_template("portal/job_live.html", job=live_job, say=labels)


@bp.get("/jobs/<job_id>/report.<any(csv, xlsx):ending>")
@needs(Operation.READ_JOBS)
def report(job_id: str, ending: str) -> Response:
    """Send a report. `rows`: all, failed or unprocessed."""
    which = validated(resources.ReportQuery, request.args.to_dict()).rows
    return _csv(job_id, which) if ending == "csv" else _workbook(job_id, which)


@DOWNLOADS.streamed
def _csv(job_id: str, which: str) -> Response:
    return sent(reports.csv(job_id, which))


def _workbook(job_id: str, which: str) -> Response:
    """Send the workbook, or a page that asks for it again until it is prepared."""
    try:
        return sent_stored(workbooks.report(job_id, which, WORKBOOK_WAIT))
    except Refused as refused:
        if refused.body["code"] != RequestCode.WORKBOOK_NOT_READY:
            raise
    page = render_template("portal/preparing.html", job_id=job_id, again=request.full_path)
    return Response(page, HTTPStatus.ACCEPTED, {"Refresh": str(REFRESH_SECONDS)}, mimetype="text/html")


@bp.get("/jobs/<job_id>/file")
@needs(Operation.READ_NUMBERS)
def export_file(job_id: str) -> Response:
    """Send the file of an export."""
    return sent_stored(export_jobs.file(job_id))


def _flash_result(ended_job: resources.Job) -> None:
    """Add a flash message about how the job ended, for the page that is about to reload (R30)."""
    flash.flash(*endings.message(ended_job, job_details.undo_relations_of([ended_job.id])[ended_job.id]))


def _page(details: JobDetails) -> str:
    shown_job, group = details.job, labels.group(details.job)
    context: dict[str, Any] = {"details": details, "job": shown_job, "group": group, "say": labels}
    context["in_general"] = labels.in_words(shown_job)
    context["state"] = jobs.etag_of(shown_job)
    if details.layout is not None and group in {"review", "ended"}:
        context["rows"] = rows.shown(details)
    if group == "review" and not shown_job.can_confirm and shown_job.can_recheck:
        context["choice"] = columns.choice_of(shown_job, Form())
    if shown_job.can_correct and details.refused is None:
        context["corrected"] = len(corrections.listed(shown_job.id).data)
    if details.layout is not None and group == "review":
        first = jobs.rows(shown_job.id, resources.RowsQuery(limit=FIRST)).data
        context["number_columns"], context["first"] = rows.numbers(details, first)
        context["understood"] = rows.columns_of(details.layout)
    return render_template("portal/job.html", **context)
