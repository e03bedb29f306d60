"""Details for the page of a job: outcomes of its rows by cause, columns, permission to decide, undo relations."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa

from schemas import permissions
from schemas.codes import CATALOGUE, Code, Outcome
from schemas.columns import Column
from schemas.http import resources
from schemas.jobs import JobOptions, Seen
from schemas.mails import MailResult
from schemas.request_problems import RequestCode
from schemas.roles import operation_on_job
from webhook.http import auth, serializers
from webhook.services.jobs import find, is_reviewed, tokens_of
from worker.database import tenant_scope
from worker.database.engine import transaction
from worker.jobs import mails, undo_queries
from worker.jobs.queries import JobView
from worker.jobs.undo_queries import RelatedJob, Undone
from worker.reports.row_messages import Layout
from worker.storage.report_reader import open_report

Counted = dict[tuple[Outcome, Code, Column], Seen]
LONGEST_LINE = 3  # jobs named in a chain of undos


@dataclass(frozen=True)
class Cause:
    """Rows with the same outcome and code: how many, and the first of them by its row number in the spreadsheet.

    `column`: where the fault of failed rows is, `NONE` if unknown; `header`: its name in the file, "" if not there.
    """

    outcome: Outcome
    code: Code
    count: int
    first_row: int
    column: Column = Column.NONE
    header: str = ""


@dataclass(frozen=True)
class UndoRelations:
    """The undo relations of a job.

    `undoes`: the chain down to the first job. If A undoes upload U and B undoes A, it is (A, U) for B. `undone`: how
    far the job is undone itself. `left`: rows of the job it undoes that another undo could still put back.
    """

    undoes: tuple[RelatedJob, ...] = ()
    undone: Undone | None = None
    left: int = 0


@dataclass(frozen=True)
class JobDetails:
    """A job with the details of its page.

    `causes`: the most frequent first; under review, of the predicted outcomes. `layout`: the file's columns if its rows
    can be shown; not if `is_expired`. `refused`: why the actor's tenant may not decide about the job (R1); None if it
    may. `may_decide`: whether the actor's role lets it decide about jobs (R35).
    `mail`: how the latest e-mail to the actor about the job ended, "waiting" before that; None if there is none.
    """

    job: resources.Job
    causes: tuple[Cause, ...]
    layout: Layout | None
    is_expired: bool
    refused: RequestCode | None
    undo_relations: UndoRelations
    mail: str | None = None
    may_decide: bool = True


def details_of(job_id: str) -> JobDetails:
    """Return the job with this public id and its details, if the actor sees it."""
    view = find(job_id)
    has_report = serializers.has_report(view.row)
    layout = Layout.from_json(view.row.file_facts) if has_report else None
    with transaction() as connection:
        owner = tenant_scope.tenant_by_id(connection, view.row.tenant_id)
        mail = _mail(connection, view.row.id)
    refused = permissions.check_control(auth.actor().tenant, owner)
    may_decide = permissions.check_operation(auth.actor(), operation_on_job(view.row.kind)) is None
    causes = _causes(_counted(job_id, view, layout), layout)
    is_expired = serializers.had_report(view.row) and not has_report
    relations = undo_relations_of([job_id])[job_id]
    job = serializers.job(auth.actor(), view)
    return JobDetails(job, causes, layout, is_expired, refused, relations, mail, may_decide)


def _mail(connection: sa.Connection, job_id: int) -> str | None:
    admin_id = auth.actor().admin_id
    results = [] if admin_id is None else mails.results_of(connection, job_id, admin_id)
    shown = [result or "waiting" for result in results if result != MailResult.OUTDATED]
    return shown[-1] if shown else None


def undo_relations_of(job_ids: Iterable[str]) -> dict[str, UndoRelations]:
    """Return the undo relations of jobs that the actor sees, by public id, with one query for all."""
    ids = list(job_ids)
    if not ids:
        return {}
    with transaction() as connection:
        graph = undo_queries.undo_graph_of(connection, auth.actor(), ids)
    relations = {job.public_id: _undo_relations(graph, job) for job in graph}
    return {job_id: relations.get(job_id, UndoRelations()) for job_id in ids}


def _undo_relations(graph: undo_queries.UndoGraph, job: RelatedJob) -> UndoRelations:
    line: list[RelatedJob] = []
    while (undoes := graph.job_undone_by(line[-1] if line else job)) is not None and len(line) < LONGEST_LINE:
        line.append(undoes)
    again = line[0] if line else None
    is_open = again is None or again.is_expired or any(undo.finished_at is None for undo in graph.of(again))
    return UndoRelations(tuple(line), graph.undone(job), 0 if again is None or is_open else graph.left(again.id))


def upload_settings_of(job_id: str) -> resources.UploadForm:
    """Return the options of an upload, for the form of another one. Options that no longer exist are left out."""
    actor = auth.actor()
    options = JobOptions.from_json(find(job_id).row.options)
    with transaction() as connection:
        voice = _carrier(connection, "voice", options.voice_carrier_id)
        sms = _carrier(connection, "sms", options.sms_carrier_id)
        below = {} if options.target_id is None else tenant_scope.tenants_by_id(connection, [options.target_id])
    target = below.get(options.target_id or 0)
    is_mine = target is not None and permissions.check_target(actor.tenant, target) is None
    return resources.UploadForm(
        voice_carrier=voice,
        sms_carrier_profile=sms,
        assign_to=target.public_id if target is not None and is_mine else None,
        mode=options.mode.value,
        on_error=options.on_error.value,
        on_existing=options.on_existing.value,
        accept=options.accept.value,
        number_format=options.number_format.value,
        only_unassigned=options.only_unassigned,
        delimiter=options.delimiter,
        encoding=options.encoding,
        sheet=options.sheet,
        header_row=options.header_row,
    )


def _counted(job_id: str, view: JobView, layout: Layout | None) -> Counted:
    """Return the rows by outcome, code and column; under review, those predicted. Only the report has the columns."""
    if layout is None or not (is_reviewed(view) or view.tally.count(Outcome.FAILED)):
        return {(*key, Column.NONE): seen for key, seen in view.tally.results.items()}
    with open_report(job_id, tokens_of(view), layout, preview=is_reviewed(view)) as published:
        return published.causes()


def _causes(counted: Counted, layout: Layout | None) -> tuple[Cause, ...]:
    causes = [
        Cause(outcome, code, seen.count, seen.first_row, column, _header(column, layout))
        for (outcome, code, column), seen in counted.items()
    ]
    return tuple(sorted(causes, key=lambda cause: (-cause.count, CATALOGUE[cause.code].number, cause.column)))


def _header(column: Column, layout: Layout | None) -> str:
    index = None if layout is None else layout.mapping.get(column)
    return "" if layout is None or index is None or index >= len(layout.names) else layout.names[index]


def _carrier(connection: sa.Connection, service: str, carrier_id: int | None) -> str | None:
    """Return the name of a carrier, if the actor may use it (R7)."""
    usable = tenant_scope.carriers_of(connection, auth.actor().tenant, service)
    return next((name for name, id_ in usable if id_ == carrier_id), None)
