"""Activity: all jobs, and the page of one, which is step 2 (Check) and step 3 (Import) of an upload by its state.

All that a page shows comes from the job, so it is the same after a restart and in another browser. Where scripts run,
parts of a page ask once a second for themselves (htmx) for as long as the job goes on; a page whose job has come to
another state loads itself anew.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from flask import Response, render_template, request, url_for

from schemas import api, permissions
from schemas.columns import distinct
from schemas.findings import Layout
from schemas.jobs import JobKind, JobStatus
from schemas.problems import RequestCode
from webhook.bodies import validated
from webhook.downloads import sent, sent_stored
from webhook.errors import Refused
from webhook.operations import jobs, looking, reports, workbooks
from webhook.operations.looking import Look
from webhook.portal.activity import job_rows, job_words
from webhook.portal.frame import said
from webhook.portal.frame.auth import session
from webhook.portal.frame.blueprint import bp
from webhook.shares import DOWNLOADS

PAGE = 25  # jobs
FIRST = 8  # rows of a file shown as they were understood
WORKBOOK_WAIT = 1.0  # seconds for a workbook that is not prepared yet, before a page says so
REFRESH_SECONDS = 3  # until that page asks for it again
_UNCHANGED = 204


@bp.get("/jobs", endpoint="jobs")
def activity() -> str:
    return render_template("portal/jobs.html", **_list())


@bp.get("/jobs/live")
def jobs_live() -> str:
    """The list of a page of Activity, as it is now."""
    return render_template("portal/jobs_list.html", **_list())


@bp.get("/jobs/<job_id>")
def job(job_id: str) -> str:
    return _page(looking.look(job_id))


@bp.get("/jobs/<job_id>/live")
def job_live(job_id: str) -> Any:  # noqa: ANN401 - a part of the page, or a header
    """How far the job is; or that the page is of a state (`seen`) which is over."""
    found = jobs.one(job_id)
    group = job_words.group(found)
    if group != request.args.get("seen"):
        if group == "ended":
            _tell_the_end(found)
        return Response(status=200, headers={"HX-Refresh": "true"})
    if group == "review":
        return Response(status=_UNCHANGED)
    return render_template("portal/job_live.html", job=found, say=job_words)


@bp.get("/jobs/<job_id>/report.<any(csv, xlsx):ending>")
def report(job_id: str, ending: str) -> Response:
    """`rows`: all, failed or unprocessed."""
    which = validated(api.ReportQuery, request.args.to_dict()).rows
    return _csv(job_id, which) if ending == "csv" else _workbook(job_id, which)


@DOWNLOADS.streamed
def _csv(job_id: str, which: str) -> Response:
    return sent(reports.csv(job_id, which))


def _workbook(job_id: str, which: str) -> Response:
    """The workbook, or a page that asks for it again until it is prepared."""
    try:
        return sent_stored(workbooks.report(job_id, which, WORKBOOK_WAIT))
    except Refused as refused:
        if refused.body["code"] != RequestCode.WORKBOOK_NOT_READY:
            raise
    page = render_template("portal/preparing.html", job_id=job_id, again=request.full_path)
    return Response(page, HTTPStatus.ACCEPTED, {"Refresh": str(REFRESH_SECONDS)}, mimetype="text/html")


def _tell_the_end(found: api.Job) -> None:
    """The page that now loads itself anew says how it ended, top right (R30)."""
    name = job_words.name(found, looking.beside([found.id])[found.id])
    if found.status == JobStatus.FAILED:
        said.say(f"{name} has failed.", said.ERROR)
    elif found.status == JobStatus.CANCELLED:
        said.say(f"{name} was stopped.", said.INFO)
    else:
        said.say(f"{name} has ended: {job_words.total(found.counts)}.")


def _page(look: Look) -> str:
    found, group = look.job, job_words.group(look.job)
    context: dict[str, Any] = {"look": look, "job": found, "group": group, "say": job_words}
    context["in_general"] = job_words.in_words(found)
    if look.layout is not None and group in {"review", "ended"}:
        context["rows"] = job_rows.shown(look)
    if look.layout is not None and group == "review":
        context["first"] = job_rows.lines(look, jobs.rows(found.id, api.RowsQuery(limit=FIRST)).data)
        context["understood"] = _understood(look.layout)
    return render_template("portal/job.html", **context)


def _understood(layout: Layout) -> list[tuple[str, str]]:
    """Columns that are understood, in the file's order: the file's own name, and what it was taken for."""
    names = distinct(layout.names)
    pairs = sorted(layout.mapping.items(), key=lambda pair: pair[1])
    return [(names[place], job_rows.title(column)) for column, place in pairs if place < len(names)]


def _list() -> dict[str, Any]:
    wanted = {name: text for name, text in request.args.items() if text and name in {"kind", "status", "cursor"}}
    page = jobs.page(validated(api.JobsQuery, wanted | {"limit": PAGE}))
    narrowed: dict[str, Any] = {name: text for name, text in wanted.items() if name != "cursor"}
    onward = None if page.next_cursor is None else url_for("portal.jobs", **narrowed, cursor=page.next_cursor)
    return {
        "page": page.data,
        "beside": looking.beside(found.id for found in page.data),
        "say": job_words,
        "may_upload": permissions.check_upload(session().tenant) is None,
        "wanted": wanted,
        "is_live": any(job_words.is_open(found) for found in page.data),
        "next_url": onward,
        "first_url": url_for("portal.jobs", **narrowed) if "cursor" in wanted else None,
        "kinds": [(kind.value, job_words.KINDS[kind].name) for kind in JobKind],
        "states": [(status.value, job_words.STATES.get(status, ("Running",))[0]) for status in JobStatus],
    }
