"""Request and response bodies, version 1. The names are a published contract: clients rely on them.

Shapes only; `webhook.http.serializers` fills them.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, JsonValue

from schemas.callback_urls import LONGEST_URL
from schemas.capabilities import CapabilityName
from schemas.codes import Outcome
from schemas.exports import ExportFormat
from schemas.http.constraints import CodeName
from schemas.http.file_options import FileForm, FileOptions, NumberReading
from schemas.http.job_labels import ExternalId, JobLabels
from schemas.http.mapping import EffectiveMapping, FileColumn, Mapping, ProfileRef, ProfileReference, Suggested, TopRow
from schemas.job_kinds import JobKind
from schemas.jobs import JobStatus
from schemas.name_matching import LONGEST

_NUMBER = re.compile(r"[-+]?[0-9.eE_]+")  # which would be read as seconds


class _Body(BaseModel):
    model_config = ConfigDict(from_attributes=True, extra="forbid")


def _describe_errors(schema: dict[str, Any]) -> None:
    """Add the member that only some problems have; as a field, it would be null in all others."""
    schema["properties"]["errors"] = {
        "type": "array",
        "description": "An entry for each invalid field.",
        "items": {
            "type": "object",
            "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            "additionalProperties": True,
        },
    }


class Problem(BaseModel):
    """Problem details (RFC 9457) with a stable `code`."""

    model_config = ConfigDict(extra="allow", json_schema_extra=_describe_errors)

    type: str
    title: str
    status: int
    code: str
    detail: str
    fix: str


class TenantRef(_Body):
    """A reference to a tenant, with its name."""

    id: str
    name: str
    kind: Literal["master_reseller", "reseller", "enterprise"]


class CreatedBy(_Body):
    """Who started a job: the name of the token or account, and the tenant it acts for."""

    name: str
    tenant: TenantRef


class JobFile(_Body):
    """The uploaded file and its detected format; the format is null until the file has been read."""

    name: str
    size: int = Field(description="Size in bytes.")
    sha256: str = Field(description="SHA-256 digest, hexadecimal.")
    format: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    sheet: str | None = None
    header_row: int | None = Field(None, description="Row with the column names; 0 if there is none.")
    columns: list[FileColumn] = Field(
        [],
        description="The file's columns. Samples, values and suggestions only in a single job that is under review, "
        "failed or was cancelled.",
    )
    ignored_columns: list[str] = []
    notes: list[str] = []
    mapping: EffectiveMapping | None = Field(None, description="How the columns were read.")
    profile: ProfileRef | None = Field(
        None, description="The import profile that was taken, because the file does not explain itself."
    )
    missing: list[str] = Field([], description="Required columns of ours that the file is not known to have.")
    sheets: list[str] = Field([], description="The workbook's sheets, the one that was read first.")
    top_rows: list[TopRow] = Field([], description="The first rows of the file.")
    suggested: Suggested | None = Field(None, description="What a mapping may need besides columns.")


class Progress(_Body):
    """The progress of a job. `phase` is its status; the two estimates are null where there is no basis for one.

    `held_up_since`: when its work began to wait for an unavailable database or storage. It resumes automatically.
    `queue_position`: position of a job that has not begun, among the jobs that you see. 10000 means 10000 or more.
    """

    phase: JobStatus
    rows_total: int
    rows_done: int
    rows_per_second: float | None = None
    eta_seconds: float | None = None
    queue_position: int | None = None
    held_up_since: datetime | None = None


class Counts(_Body):
    """Rows by outcome: `total` is always the sum of the seven outcomes. `warnings` counts rows with a warning."""

    total: int
    created: int
    updated: int
    deleted: int
    unchanged: int
    skipped: int
    failed: int
    unprocessed: int
    warnings: int


class ErrorCount(_Body):
    """One code among the failed and unprocessed rows."""

    code: str
    count: int
    first_row: int


class WarningCount(_Body):
    """How many rows have a warning; a row can have several."""

    code: str
    count: int


class JobLinks(_Body):
    """Links from a job; reports are null until they exist. During review, they describe what would happen.

    The last ones are for a POST, and null unless it is possible now and you may do it.
    """

    self: str
    rows: str
    report_csv: str | None
    report_failed_csv: str | None
    report_xlsx: str | None
    report_jsonl: str | None = None
    corrections: str | None = Field(None, description="The corrections of an upload.")
    parent: str | None = Field(None, description="The job that this one continues: see `parent_job_id`.")
    undo_of: str | None = Field(None, description="The job that this one undoes.")
    duplicate_of: str | None = Field(None, description="The job with the same file.")
    callback: str | None = Field(None, description="The requested callback; only for the job's own tenant.")
    file: str | None = Field(None, description="The file of an export, from its completion until it expires.")
    confirm: str | None = Field(None, description="POST: carry the reviewed job out.")
    recheck: str | None = Field(None, description="POST: check the file again under other options.")
    correct: str | None = Field(None, description="POST: correct rows of the reviewed upload.")
    preview_correction: str | None = Field(None, description="POST: what a correction would do.")
    retry: str | None = Field(None, description="POST: take the failed rows into a new review.")
    cancel: str | None = Field(None, description="POST: stop the job.")
    undo: str | None = Field(None, description="POST: undo what the job changed, as far as it is still in effect.")


class ReviewEffect(_Body):
    """The outcomes of the rows of a job under review; they add up to the job's total."""

    created: int
    updated: int
    deleted: int
    unchanged: int
    skipped: int
    failed: int
    unprocessed: int


class ReviewTarget(_Body):
    """How many numbers the job would write that `tenant` holds afterwards (for deleted numbers: held before)."""

    tenant: TenantRef | None
    created: int
    updated: int
    deleted: int


class ReviewSource(_Body):
    """How many numbers the job would take from `tenant`; null stands for all other tenants together."""

    tenant: TenantRef | None
    count: int


class ReviewCarrier(_Body):
    """How many of the numbers that the job would write would have this carrier."""

    service: Literal["voice", "sms"]
    name: str | None
    count: int


class NumberState(_Body):
    """The state of a number; carriers and users by name."""

    tenant: TenantRef | None
    voice: bool
    sms: bool
    fax: bool
    voice_carrier: str | None
    sms_carrier_profile: str | None
    voice_user: str | None
    sms_user: str | None


class ReviewChange(_Body):
    """A number that the job would change; `after` is null if it would delete it, `before` if it would create it."""

    number: str
    before: NumberState | None
    after: NumberState | None


class ValueOfFault(_Body):
    """A cell's text, and in how many rows it causes the fault."""

    value: str
    count: int


class ReviewFault(_Body):
    """A fault that rows of the review have; a row with several faults counts for each of them.

    `values`: the most frequent texts of the cells with the fault, at most 20 and shortened to 200 characters. If there
    are more than 2,000 different texts, not all rows are counted.
    """

    code: str
    column: str | None
    rows: int
    values: list[ValueOfFault]
    has_more_values: bool


class Review(_Body):
    """What a job would do to the inventory as it was when the job was checked, and until when it can be confirmed."""

    expires_at: datetime
    effect: ReviewEffect
    targets: list[ReviewTarget]
    taken_from: list[ReviewSource] = Field(
        [], description="Tenants below you that would lose numbers, most numbers first: at most 100, then the others."
    )
    carriers: list[ReviewCarrier]
    changes: list[ReviewChange] = Field(description="At most 100; see the job's rows for the rest.")
    faults: list[ReviewFault] = Field([], description="The faults of an upload's rows, the most frequent first.")


class LineageJob(_Body):
    """One of several files that correct each other."""

    id: str
    status: JobStatus
    created_at: datetime
    total: int
    failed: int
    unprocessed: int


class Lineage(_Body):
    """A file and the files that correct its failed rows, oldest first. `rows_open`: failed rows left to correct."""

    jobs: list[LineageJob]
    rows_open: int


class JobExport(_Body):
    """What an export was asked for, and what it made; what is null is not known until the job has completed."""

    format: ExportFormat
    filter: dict[str, str] = Field(description="The filters of GET /v1/numbers that are set.")
    size: int | None = Field(None, description="Size of the file in bytes.")
    taken_at: datetime | None = Field(None, description="When the numbers were as the file has them.")
    cursor: str | None = Field(None, description="Cursor of GET /v1/changes: what has changed since then.")


class Job(_Body):
    """A job: one file, one action on numbers, or one export."""

    id: str
    kind: JobKind
    status: JobStatus
    mode: Literal["apply", "review"]
    on_error: Literal["skip", "abort"]
    on_existing: Literal["skip", "update", "error"]
    accept: Literal["valid", "possible"]
    number_format: Literal["auto", "national", "international"] = Field(
        description="Format of numbers without + or 00."
    )
    country_code: str | None = Field(
        description="Country of an action's numbers without + or 00 and without a country of their own."
    )
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    created_by: CreatedBy
    external_id: str | None = Field(None, description="The ID that the request gave to the job.")
    metadata: dict[str, str] = Field({}, description="The texts that the request gave to the job.")
    file: JobFile | None
    progress: Progress
    counts: Counts
    error_summary: list[ErrorCount]
    warning_summary: list[WarningCount] = Field(
        [], description="The warnings of rows, the most frequent first; empty for jobs of versions that did not count."
    )
    problem: Problem | None
    duplicate_of: str | None
    parent_job_id: str | None
    lineage: Lineage | None = Field(
        None, description="Only in a single job that corrects another job, or is corrected by one."
    )
    undo_of: str | None
    can_confirm: bool = Field(
        default=False,
        description="Whether the job can be confirmed: not as long as it isn't settled which column is which.",
    )
    can_correct: bool = Field(
        default=False, description="Whether its rows can be corrected now: it is an upload, and waits for confirmation."
    )
    can_retry: bool = Field(
        default=False,
        description="Whether its failed rows can be taken into a new review: it is an upload that has ended.",
    )
    can_recheck: bool = Field(
        default=False,
        description="Whether the stored file can be checked again under other options or another mapping.",
    )
    review: Review | None
    export: JobExport | None = Field(
        None, description="Only of an export. Its `counts.total` are the numbers exported."
    )
    links: JobLinks


class JobList(_Body):
    """A page of jobs, newest first."""

    data: list[Job]
    next_cursor: str | None


class RowFault(_Body):
    """One error of a row."""

    code: str
    column: str | None


class CorrectedCell(_Body):
    """A cell that was corrected during the review: the text in the file, and the text that was read instead."""

    column: str
    was: str
    now: str


class Row(_Body):
    """One row of a job's report; during review, its expected outcome. `cells` are the values in the file."""

    row: int
    result: Outcome
    code: str
    column: str | None
    message: str
    fix: str | None
    number: str | None
    warnings: list[str]
    duplicate_of_row: int | None
    numbers: int = Field(description="Count of numbers in the row's block, starting at `number`.")
    written: int = Field(description="How many of them were created, updated or deleted; under review, would be.")
    faults: list[RowFault]
    corrections: list[CorrectedCell] = []
    cells: dict[str, str]


class RowList(_Body):
    """A page of rows, in file order."""

    data: list[Row]
    next_cursor: str | None


class Can(_Body):
    """What the caller may do with a number; `codes` gives the reasons for what it may not."""

    assign: bool
    change: bool
    delete: bool
    codes: dict[str, str]


class HistoryEntry(_Body):
    """A job that changed a number."""

    job_id: str
    kind: JobKind
    at: datetime
    by: str


class NumberUser(_Body):
    """A user of a number, and the service: "voice", "forwarded" or "sms"."""

    id: str
    name: str
    email: str
    kind: Literal["pbx", "trunk"]
    service: Literal["voice", "forwarded", "sms"]


class Number(_Body):
    """A phone number in the inventory."""

    e164: str = Field(examples=["+12125550142"])
    country: str
    voice: bool
    sms: bool
    fax: bool
    voice_carrier: str | None
    sms_carrier_profile: str | None
    status: Literal["unassigned", "assigned"]
    tenant: TenantRef
    uploaded_by: TenantRef
    voice_user: NumberUser | None
    sms_user: NumberUser | None
    is_external: bool
    can: Can
    created_at: datetime | None = Field(
        None, description="When the job was accepted that created the number; null if no job did."
    )
    updated_at: datetime | None = Field(
        None,
        description="When the job ended that last changed or restored the number; while it runs, the time of the "
        "response. Null if no job did.",
    )
    history: list[HistoryEntry]


class NumberList(_Body):
    """A page of numbers, ascending; the last page is the one without `next_cursor`.

    `total`, if requested: how many match, on all pages.
    """

    data: list[Number]
    next_cursor: str | None
    total: int | None = None


# `webhook.services.lookup` checks shape and length, because it knows the networks that the operator allows.
CallbackUrl = Annotated[
    str,
    Field(
        description="URL that gets a signed POST when the job ends: http or https, without user, password and "
        "fragment.",
        json_schema_extra={"format": "uri", "maxLength": LONGEST_URL},
    ),
]


# R19: limits on numbers that change their holder.
OnlyUnassigned = Annotated[
    bool,
    Field(
        description="Leave numbers unchanged that a tenant below you or a user already has: their rows fail with "
        "ASSIGNED_IN_USE. Without it, numbers are taken from the tenants that have them."
    ),
]
ExpectedHolder = Annotated[
    str,
    Field(
        max_length=LONGEST,
        description="ID of the tenant that had the numbers when you last saw them. Numbers that another tenant has now "
        "are left unchanged, and their rows fail with CHANGED_SINCE.",
    ),
]


class UploadOptions(FileOptions, NumberReading):
    """Options of an upload (R11). `assign_to` is a tenant's id; carriers are given by name.

    `only_unassigned` and `expected_holder_id` limit which existing numbers `on_existing=update` moves (R19).
    """

    voice_carrier: str | None = None
    sms_carrier_profile: str | None = None
    assign_to: str | None = None
    mode: Literal["apply", "review"] = "apply"
    on_error: Literal["skip", "abort"] = "skip"
    on_existing: Literal["skip", "update", "error"] = "skip"
    accept: Literal["valid", "possible"] = "valid"
    only_unassigned: OnlyUnassigned = False
    expected_holder_id: ExpectedHolder | None = None
    mapping: Mapping | None = None
    profile: ProfileReference | None = None


class UploadForm(UploadOptions, FileForm, JobLabels):
    """Form fields sent with an upload."""

    callback_url: CallbackUrl | None = None


class UploadQuery(UploadForm):
    """The same options in the query, beside a body that is the file."""

    file_name: Annotated[str, Field(max_length=255)] | None = Field(
        None, description="Name of the file, for lists and reports."
    )


def _with_zone(time: datetime) -> datetime:
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)


def _not_number(value: object) -> object:
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        raise ValueError("must be a time as 2026-11-30T09:00:00Z, not a number")
    return value


# A time without a zone is UTC; a date alone is its first moment.
Moment = Annotated[datetime, BeforeValidator(_not_number), AfterValidator(_with_zone)]


def _one_of(values: type[StrEnum]) -> tuple[Any, ...]:
    """Return what makes a text one of these values, listed where it is used."""
    texts: list[JsonValue] = [value.value for value in values]

    def check(text: str) -> str:
        if text not in texts:
            raise ValueError(f"must be one of {', '.join(map(str, texts))}")
        return text

    return AfterValidator(check), Field(json_schema_extra={"enum": texts})


class JobsQuery(BaseModel):
    """Filter and page of a list of jobs. Jobs must match all criteria that are set.

    A search for rare jobs among very many ends early: a page may have fewer jobs than `limit`, or none, and a
    `next_cursor` all the same. Only a page without one is the last.
    """

    model_config = ConfigDict(extra="forbid")

    q: str | None = Field(
        None,
        max_length=LONGEST,
        description="Part of the file's name, or of the name of the account or token that started the job.",
    )
    kind: Annotated[str, *_one_of(JobKind)] | None = None
    status: Annotated[str, *_one_of(JobStatus)] | None = None
    code: CodeName | None = Field(None, description="Code of failed rows that the job has.")
    created_after: Moment | None = Field(None, description="Created at this time or later (UTC if it has no zone).")
    created_before: Moment | None = Field(None, description="Created before this time (UTC if it has no zone).")
    finished_after: Moment | None = Field(None, description="Ended at this time or later (UTC if it has no zone).")
    external_id: ExternalId | None = Field(None, description="The ID that the request gave to the job.")
    limit: int = Field(50, ge=1, le=200)
    cursor: str | None = None


class RowsQuery(BaseModel):
    """Filter and page of a job's rows."""

    model_config = ConfigDict(extra="forbid")

    outcome: Literal["created", "updated", "deleted", "unchanged", "skipped", "failed", "unprocessed"] | None = None
    code: CodeName | None = None
    limit: int = Field(100, ge=1, le=1000)
    cursor: int = Field(0, ge=0, le=10**15)


class ReportQuery(BaseModel):
    """The rows in a report."""

    model_config = ConfigDict(extra="forbid")

    rows: Literal["all", "failed", "unprocessed"] = "all"


class WorkbookQuery(BaseModel):
    """The rows in a workbook, next to its summary."""

    model_config = ConfigDict(extra="forbid")

    rows: Literal["all", "failed", "unprocessed"] = "failed"


class NumbersFilter(BaseModel):
    """A filter on numbers. Numbers must match all criteria that are set."""

    model_config = ConfigDict(extra="forbid")

    q: str | None = Field(
        None,
        max_length=64,
        description="Start of the number; spaces, dashes, dots and brackets are ignored. With + or 00: the "
        "international number (+1 212, 0049 30). Otherwise the international number (1212), or the national number in "
        "any country, with or without its 0 (or 1, 8, ...) (0212 555, 212-555). Blank: every number.",
    )
    status: Literal["unassigned", "assigned"] | None = None
    capability: CapabilityName | None = None
    country: str | None = Field(None, pattern=r"^([A-Za-z]{2}|001|\+?[0-9]{1,3})$")
    carrier: str | None = Field(None, max_length=LONGEST)
    tenant_id: str | None = Field(None, max_length=LONGEST, description="ID of the tenant that has the number.")
    user_id: str | None = Field(None, max_length=LONGEST, description="ID of the user who has the number.")
    uploaded_by: str | None = Field(None, max_length=LONGEST, description="ID of the tenant that uploaded it.")
    free_for: Literal["voice", "sms"] | None = Field(
        None, description="Numbers that can be assigned to a user: with this capability, and not used by anyone for it."
    )
    ends_with: str | None = Field(
        None,
        pattern=r"^[0-9]{4,15}$",
        description="The last four digits or more. No index serves it, so a page may have fewer numbers than `limit` "
        "although there is a `next_cursor`.",
    )
    user_kind: Literal["pbx", "trunk"] | None = Field(None, description="Numbers that a user of this kind has.")
    updated_since: Moment | None = Field(
        None,
        description="Numbers that were created, changed or restored at this time or later (UTC if it has no zone), by "
        "their `updated_at`. Deleted numbers are in `/v1/changes` only.",
    )


class NumbersQuery(NumbersFilter):
    """Filter and page of a list of numbers."""

    limit: int = Field(50, ge=1, le=500)
    cursor: int | None = Field(None, ge=0, le=10**15)
    count: Annotated[bool, Field(description="Return `total` too, which an action with this filter expects.")] = False


class Health(_Body):
    """The state of the service, and the dependencies that it cannot reach."""

    status: Literal["ok", "unavailable"]
    failing: list[str] = []
