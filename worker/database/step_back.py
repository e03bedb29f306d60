"""What stands in the way of going back to an older release, and what is lost by it.

An older release would carry out a job without the options it does not know, such as a mapping of columns. So a job that
needs a later release has to end first: no number is written that its uploader did not mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from schemas.roles import Scope

MOST_NAMED = 20


@dataclass(frozen=True)
class _Since:
    """SQL about what came with a version of the tables; `condition` on `jobs`, or a query for a count."""

    version: str
    text: str
    sql: str


_JOBS = (
    _Since("0020", "has a mapping of its columns", "options->>'mapping' IS NOT NULL"),
    _Since("0020", "waits for a mapping of its columns", "status = 'review' AND problem IS NOT NULL"),
    _Since("0025", "has corrected rows", "corrections > 0"),
    _Since("0025", "takes the failed rows of another job", "coalesce((options->>'only_failed')::boolean, false)"),
    _Since("0029", "is an export", "kind = 'export'"),
)
_LOSSES = (
    _Since("0021", "choices of people to get e-mails", "FROM admins WHERE mail_finished OR mail_failed OR mail_review"),
    _Since("0023", "saved searches", "FROM saved_searches"),
    _Since("0023", "billing references", "FROM tenants WHERE billing_reference IS NOT NULL"),
    _Since("0024", "import profiles", "FROM import_profiles"),
    _Since("0026", "days of the report of numbers held", "FROM counted_days"),
    _Since("0027", "people who are no admins, with their sign-in", "FROM admins WHERE role <> 'admin'"),
    _Since("0027", "tokens with a role, scopes or networks, or of such people", "FROM tokens WHERE {restricted}"),
    _Since("0028", "jobs with an external id or metadata, without these", "FROM jobs WHERE {described}"),
    _Since("0029", "exports and their files", "FROM jobs WHERE kind = 'export'"),
    _Since("0030", "recorded changes of numbers", "FROM number_changes"),
    _Since("0031", "subscriptions to events", "FROM webhooks"),
    _Since("0038", "tenants with quotas of their own", "FROM tenant_quotas"),
)
_OF_SUCH_PEOPLE = "admin_id IN (SELECT id FROM admins WHERE role <> 'admin')"
_RESTRICTED = f"role <> 'admin' OR networks <> '{{}}' OR cardinality(scopes) < {len(Scope)} OR {_OF_SUCH_PEOPLE}"
_DESCRIBED = "external_id IS NOT NULL OR metadata <> '{}'"


class UnfinishedJobsError(Exception):
    """Jobs that the older release cannot carry on; the message names them."""


def check_jobs(connection: sa.Connection, target: str, present: str) -> None:
    """Raise `UnfinishedJobsError` if a job has not ended that needs a later version than `target`."""
    found = []
    for since in _newer(_JOBS, target, present):
        query = f"SELECT public_id FROM jobs WHERE finished_at IS NULL AND ({since.sql}) ORDER BY id LIMIT {MOST_NAMED}"  # noqa: S608 - our own
        found += [f"{row.public_id} {since.text}" for row in connection.execute(sa.text(query))]
    if found:
        raise UnfinishedJobsError("; ".join(found[:MOST_NAMED]))


def losses(connection: sa.Connection, target: str, present: str) -> list[str]:
    """Return what the tables after `target` hold: a count and a name each."""
    lines = []
    for since in _newer(_LOSSES, target, present):
        query = f"SELECT count(*) {since.sql.format(restricted=_RESTRICTED, described=_DESCRIBED)}"
        if count := connection.execute(sa.text(query)).scalar_one():
            lines.append(f"{count:,} {since.text}")
    return lines


def _newer(entries: Sequence[_Since], target: str, present: str) -> list[_Since]:
    return [since for since in entries if target < since.version <= present]
