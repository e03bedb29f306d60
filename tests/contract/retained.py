"""What bounds each table of the database, each kind of file and each key of the broker.

The source of docs/reference/retention.md. `test_retained` fails for a table, a setting or a step without an entry.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from worker.jobs.retention import FileClass


@dataclass(frozen=True)
class Bound:
    """What bounds the rows, for how long they are kept, by which settings, and which step of a cleaning round removes.

    `remover`: a function of `worker.maintenance.cleaner`, or `module:function` of what removes them otherwise.
    """

    by: str
    kept: str = ""
    settings: tuple[str, ...] = ()
    remover: str = ""


_WITH_TENANT = "worker.accounts.tenants:remove"
_WITH_ADMIN = "worker.accounts.admins:remove"
_NO_BOUND = "**nothing**; "

BOUNDS: Mapping[str, Bound] = {
    "tenants": Bound("the tenants; one with jobs or numbers cannot be deleted", remover=_WITH_TENANT),
    "carriers": Bound("carriers of each tenant", remover="worker.accounts.carriers:remove"),
    "import_profiles": Bound("200 for each tenant", remover="worker.jobs.import_profiles:delete"),
    "admins": Bound("the people who can sign in", remover=_WITH_ADMIN),
    "sessions": Bound(
        "sign-ins", "until a day after the session ends", ("session_hours", "session_idle_minutes"), "forget_sessions"
    ),
    "pasted_lists": Bound("10 for each session", "with the session", ("session_hours",), "forget_sessions"),
    "saved_searches": Bound("50 for each person", remover="worker.accounts.saved_searches:remove"),
    "sign_in_attempts": Bound(
        "e-mail addresses, networks, and pairs of both, with a failed sign-in",
        "a day after the last",
        remover="forget_sign_ins",
    ),
    "device_cookies": Bound("20 for each person", "until 180 days after the last sign-in", remover="forget_sign_ins"),
    "sign_in_failures": Bound("those that 0.1.0 has counted", "a day after the last", remover="forget_sign_ins"),
    "tokens": Bound(
        "tokens that work, and those of the time before",
        "from their revocation or expiry; those that created others, until these are removed",
        ("keep_tokens_days",),
        "forget_tokens",
    ),
    "users": Bound("users of the enterprises", remover="worker.accounts.users:remove"),
    "phone_numbers": Bound("the inventory", remover="worker.numbers.inventory:delete"),
    "holdings": Bound("combinations of holder, uploader, carriers and capabilities that occurred", "with the tenant"),
    "tenant_countries": Bound("200 calling codes for each tenant", "with the tenant"),
    "number_counts": Bound(
        "20 rows for each tenant, status, and calling code or carrier; folded after some rounds",
        "with the tenant",
        remover="fold_counts",
    ),
    "tenant_quotas": Bound("tenants with quotas of their own", "with the tenant"),
    "tenant_usage": Bound(
        "20 rows for each tenant and day, and for its stored bytes; folded after some rounds",
        "rows of a day until two days later",
        remover="fold_usage",
    ),
    "upload_slots": Bound("uploads that are being received", "for two lease times", ("lease_seconds",), "forget_slots"),
    "counted_days": Bound("days", "", ("keep_daily_counts_days",), "expire_days"),
    "daily_holdings": Bound(
        "kinds of numbers of each holder, for each day", "", ("keep_daily_counts_days",), "expire_days"
    ),
    "number_events": Bound(
        "changes of numbers, one row for each number and job",
        "from the creation of the job; a round reads 1,000 blocks of the table, so large tables take longer",
        ("keep_history_days",),
        "expire_history",
    ),
    "number_changes": Bound("chunks written", "", ("keep_changes_days",), "expire_changes"),
    "number_change_positions": Bound(
        "chunks written, for each level above their numbers",
        "as the changes, and the last one of each tenant for ever",
        ("keep_changes_days",),
        "expire_changes",
    ),
    "jobs": Bound(
        _NO_BOUND + "about 1.9 GB for a million uploads, with indexes",
        "for ever: numbers have their times, versions and histories from jobs, undos and corrections refer to them",
    ),
    "queued_jobs": Bound("8 queues of each job that has not ended", "until the job ends"),
    "queued_tenants": Bound("8 queues of each tenant", "with the tenant"),
    "file_descriptions": Bound("uploads", "with the uploaded file", ("keep_uploads_days",), "expire"),
    "corrections": Bound("200 for each upload under review", "with the report", ("keep_reports_days",), "expire"),
    "correction_previews": Bound(
        "10 for each upload under review", "with the report", ("keep_reports_days",), "expire"
    ),
    "job_chunks": Bound(
        "work items of jobs",
        "with the report; those of callbacks and e-mails with these",
        ("keep_reports_days", "keep_deliveries_days"),
        "expire",
    ),
    "schema_versions": Bound("migrations"),
    "processes": Bound("running processes", "a day after they were last seen", remover="forget_processes"),
    "totals": Bound(
        "20 rows for each label of a counter; folded in every rescue round", remover="worker.database.counters:fold"
    ),
    "idempotency_keys": Bound("POST requests with a key", "", ("idempotency_hours",), "forget_keys"),
    "callbacks": Bound("jobs with a callback", "from its end", ("keep_deliveries_days",), "forget_callbacks"),
    "callback_deliveries": Bound(
        "11 attempts for each callback, and for each time it is sent again",
        "with the callback",
        ("keep_deliveries_days",),
        "forget_callbacks",
    ),
    "mails": Bound(
        "3 for each job of a person who chose them", "from their end", ("keep_deliveries_days",), "forget_mails"
    ),
    "callback_secrets": Bound("2 for each tenant", "until the next rotation", ("callback_secret_hours",)),
    "webhooks": Bound("20 for each tenant", remover="worker.jobs.webhooks:delete"),
    "webhook_messages": Bound(
        "ends of jobs and changes of numbers, for each subscription",
        "from their end, or from the next attempt if the subscription is switched off",
        ("keep_changes_days",),
        "forget_messages",
    ),
    "webhook_deliveries": Bound(
        "11 attempts for each message, and for each time it is sent again",
        "with the message",
        ("keep_changes_days",),
        "forget_messages",
    ),
}

FILES: Mapping[FileClass, tuple[str, Bound]] = {
    FileClass.CHUNKS: (
        "checked rows, chunks and their results",
        Bound("jobs", "from the end of the job", ("keep_chunks_days",), "expire"),
    ),
    FileClass.UPLOAD: (
        "the uploaded file, or the numbers of an action",
        Bound("jobs", "from the end of the job", ("keep_uploads_days",), "expire"),
    ),
    FileClass.REPORT: (
        "the report with the data for undo, workbooks, files of exports",
        Bound("jobs", "from the end of the job", ("keep_reports_days",), "expire"),
    ),
}

OTHER_FILES: Mapping[str, Bound] = {
    "files of the storage without a job, and incomplete ones": Bound(
        "uploads that were broken off, killed processes", "", ("orphan_hours",), "remove_orphans"
    ),
    "temporary folders (`TMPDIR`)": Bound(
        "running work items; those of killed processes for ten minutes", "", ("orphan_hours",), "remove_scratch"
    ),
    "logs of `numberyard up`": Bound(_NO_BOUND + "the operator rotates or removes them"),
}

# Names of keys in Valkey or Redis, as `fnmatch` takes them.
KEYS: Mapping[str, Bound] = {
    "checking, chunks, reports, callbacks, workbooks, mails, previews, exports": Bound(
        "16 wake-up messages for each queue", "until a worker takes them"
    ),
    "upkeep": Bound("rounds that wait: one for each pause of beat while no worker runs", "until a worker takes them"),
    "unacked, unacked_index, unacked_mutex": Bound("messages that workers have taken", "until they are done"),
    "_kombu.binding*": Bound("one for each queue"),
    "numberyard.ready.*": Bound("workers that start", "ten seconds"),
    "numberyard.rates:*": Bound("callers that send requests: one for each tenant and person", "a minute"),
}
