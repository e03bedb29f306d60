"""How a job ended, in the words and the tone of a flash message (R30): only a job without failures is a success."""

from __future__ import annotations

from schemas.http import resources
from schemas.jobs import JobStatus
from webhook.portal.jobs import labels
from webhook.portal.shared import flash
from webhook.services.job_details import UndoRelations


def message(job: resources.Job, relations: UndoRelations) -> tuple[str, str]:
    """Return the text about a job that has ended, and its kind (`flash.SUCCESS` ...)."""
    name = labels.name(job, relations)
    if job.status == JobStatus.FAILED:
        return f"{name} failed. {'' if job.problem is None else job.problem.detail}".strip(), flash.ERROR
    if labels.has_expired(job):
        return f"{name} was not confirmed in time. Nothing was {labels.words(job).done}.", flash.INFO
    if job.status == JobStatus.CANCELLED:
        return f"{name} was {'stopped' if labels.written(job.counts) else 'cancelled'}.", flash.INFO
    return _completed(job, name)


def _completed(job: resources.Job, name: str) -> tuple[str, str]:
    if labels.is_export(job):
        return f"{labels.words(job).name} finished: {labels.counted(job)}.", flash.SUCCESS
    written, not_done = labels.written(job.counts), job.counts.failed + job.counts.unprocessed
    total = labels.total(job.counts)
    if not_done and not written:
        return f"{name} finished, but nothing was {labels.words(job).done}: {total}.", flash.ERROR
    if not_done:
        return f"{name} finished with errors: {total}.", flash.WARNING
    if not written:
        return f"{name} finished; there was nothing to change: {total}.", flash.INFO
    return f"{name} finished: {total}.", flash.SUCCESS
