"""Exports as jobs (R34): their submission, and the download of their files. Direct downloads: `exports`."""

from __future__ import annotations

import uuid
from functools import partial

import sqlalchemy as sa

from schemas import request_problems
from schemas.exports import CONTENT_TYPES, ExportOptions
from schemas.http.exports import ExportBody
from schemas.job_kinds import JobKind
from schemas.jobs import TERMINAL, JobOptions, JobStatus
from schemas.request_problems import RequestCode
from webhook.http import auth, idempotency, serializers
from webhook.http.downloads import StoredFile, etag_of
from webhook.http.errors import Refused, refuse
from webhook.services import lookup
from webhook.services.job_submission import announce, submitting
from webhook.services.jobs import find
from webhook.services.numbers import resolved
from worker.config.failpoints import Failpoint, hit
from worker.database.engine import transaction
from worker.jobs import export_items, submit
from worker.jobs.queries import JobView
from worker.storage import files

_IN_NAME = ("country", "status", "capability")  # filters that the name of the file shows


def create(body: ExportBody) -> str:
    """Submit the job that exports the matching numbers; return its public id. Refused: LIMIT_REACHED.

    The filter is resolved here only to refuse one that cannot be; the job resolves it again, in its own snapshot.
    """
    actor, job = auth.actor(), str(uuid.uuid4())
    callback_url = lookup.callback_url(body.callback_url)
    options = ExportOptions(body.format, body.filter.model_dump(mode="json", exclude_none=True))
    order = submit.NewJob(
        job,
        actor.tenant.id,
        actor.name,
        JobKind.EXPORT,
        JobOptions(export=options.to_json()),
        callback_url=callback_url,
        admin_id=actor.admin_id,
    )
    with submitting(job), transaction() as connection:
        _check_limit(connection, actor.tenant.id)
        resolved(connection, actor, body.filter)
        submit.submit(connection, order)
        idempotency.record_job(connection, job)
        hit(Failpoint.ACCEPT_ENTERED)
    announce(job, JobKind.EXPORT)
    return job


def _check_limit(connection: sa.Connection, tenant_id: int) -> None:
    if export_items.count_open(connection, tenant_id) >= export_items.MOST_OPEN:
        detail = f"{export_items.MOST_OPEN} exports of your company have not ended yet."
        raise refuse(RequestCode.LIMIT_REACHED, detail, fix="Wait until one has ended, or cancel one.")


def file(job_id: str) -> StoredFile:
    """Return the file of an export. Refused: NO_FILE, REPORT_NOT_READY, REPORT_EXPIRED."""
    view = find(job_id)
    if not serializers.has_file(view.row):
        raise _no_file(view)
    with transaction() as connection:
        key = export_items.key_of(connection, view.row.id)
    if key is None:  # removed since
        raise _expired()
    options = ExportOptions.from_json(view.row.options["export"])
    return StoredFile(
        partial(files.opened, key),
        _name(view, options),
        CONTENT_TYPES[options.format],
        etag_of(key),  # the file of a lease is never written again
        is_compressible=options.format != "xlsx",
    )


def _no_file(view: JobView) -> Refused:
    row = view.row
    if row.kind != JobKind.EXPORT:
        return refuse(RequestCode.NO_FILE, "Only an export has a file to download.")
    if row.status == JobStatus.COMPLETED:
        return _expired()
    if row.status in TERMINAL:
        return refuse(RequestCode.NO_FILE, "The export did not complete, so it has no file.")
    problem = request_problems.of_request(RequestCode.REPORT_NOT_READY, "The file isn't ready yet.")
    return Refused(problem, {"Retry-After": "1"})


def _expired() -> Refused:
    return refuse(RequestCode.REPORT_EXPIRED, "The exported file has expired.", fix="Export the numbers again.")


def _name(view: JobView, options: ExportOptions) -> str:
    """Return the file's name: "numbers-DE-unassigned-2026-11-30.csv"."""
    filters_shown = [options.filter[name].lstrip("+") for name in _IN_NAME if name in options.filter]
    day = view.row.file_facts["taken_at"][:10]
    return f"{'-'.join(['numbers', *filters_shown, day])}.{options.format}"
