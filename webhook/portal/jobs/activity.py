"""Activity: the list of jobs with its search by file, person, kind, state and day."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from flask import render_template, request

from schemas.codes import Code, in_general
from schemas.http import resources
from schemas.job_kinds import JOB_KINDS
from schemas.jobs import JobStatus
from schemas.roles import Operation
from webhook.http.access import needs
from webhook.portal.jobs import labels
from webhook.portal.shared.blueprint import bp
from webhook.portal.shared.forms import Form
from webhook.portal.shared.job_messages import why_no_upload
from webhook.portal.shared.pagination import listed
from webhook.services import job_details, jobs

PAGE = 25  # jobs
FILTERS = ("q", "kind", "status", "code")
DAYS = ("from", "to")  # the first and the last day, in UTC
LABELS = {"q": "File or person", "kind": "Action", "status": "State", "from": "From", "to": "To"}


@bp.get("/jobs", endpoint="jobs")
@needs(Operation.READ_JOBS)
def activity() -> tuple[str, int]:
    form, context = _list()
    return form.page("portal/jobs.html", **context)


@bp.get("/jobs/live")
@needs(Operation.READ_JOBS)
def jobs_live() -> str:
    """Return the list of Activity, as it is now."""
    return render_template("portal/jobs_list.html", **_list()[1])


def _list() -> tuple[Form, dict[str, Any]]:
    form = Form(request.args)
    days = {name: text for name in DAYS if (text := form.value(name).strip())}
    fixed: dict[str, object] = {"limit": PAGE, **_times(form, days)}
    page = listed(form, resources.JobsQuery, jobs.page, "portal.jobs", FILTERS, fixed, **days)
    filters = {name: text for name in FILTERS if (text := form.value(name).strip())} | days
    return form, {
        "page": page.data,
        "undo_relations": job_details.undo_relations_of(listed_job.id for listed_job in page.data),
        "say": labels,
        "may_upload": not why_no_upload(),
        "filters": filters,
        "wanted": filters | ({"cursor": form.value("cursor")} if form.value("cursor") else {}),
        "without_cause": {name: text for name, text in filters.items() if name != "code"},
        "cause": _cause(form.value("code").strip()),
        "is_live": any(labels.is_open(listed_job) for listed_job in page.data),
        "is_cut": page.next_url is not None and len(page.data) < PAGE,
        "next_url": page.next_url,
        "first_url": page.first_url,
        "kinds": [(kind.value, spec.name) for kind, spec in JOB_KINDS.items()],
        "states": [(status.value, labels.STATES.get(status, ("Running",))[0]) for status in JobStatus],
        "labels": LABELS,
    }


def _times(form: Form, days: dict[str, str]) -> dict[str, datetime]:
    """Return the members of `resources.JobsQuery` for the days; errors are noted in the form."""
    times = {}
    for name, text in days.items():
        try:
            day = datetime.combine(date.fromisoformat(text), datetime.min.time(), UTC)
            times[name] = day if name == "from" else day + timedelta(days=1)
        except (ValueError, OverflowError):
            form.wrong(name, "Enter a date as year-month-day, such as 2026-01-31.")
    names = {"from": "created_after", "to": "created_before"}
    return {names[name]: time for name, time in times.items()}


def _cause(code: str) -> str:
    """Return a code's message; the code itself if there is no such code."""
    return in_general(Code(code)).message if code in Code.__members__.values() else code
