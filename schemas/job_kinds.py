"""The kinds of jobs: one specification each, with all that is only data: columns, path in the API, command, words.

What a kind does is code, in one registry per layer: `worker.stages.resolve.DECIDE` for every kind with rows; for
actions `webhook.services.actions.REQUESTS` and `webhook.portal.numbers.available_actions.PAGES`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from schemas.capabilities import ALL_LABELS, CAPABILITIES, CARRIER_FIELDS
from schemas.columns import UPLOAD_FORM, Column, Form


class JobKind(StrEnum):
    """What a job does to its numbers."""

    UPLOAD = "upload"
    ASSIGN = "assign"
    UNASSIGN = "unassign"
    CHANGE = "change"
    DELETE = "delete"
    UNDO = "undo"
    EXPORT = "export"


WITHOUT_ROWS = frozenset({JobKind.EXPORT})  # change no number: no rows, no report, nothing to confirm or to undo


@dataclass(frozen=True, kw_only=True)
class JobKindSpec:
    """A kind of job: the columns that its files can have, and its words.

    `name` is for lists and menus, `act` for buttons and questions, `doing` for a job that runs, `done` for its rows
    afterwards, `noun` for sentences, and `history` for the history of a number.
    """

    form: Form
    name: str
    act: str
    doing: str
    done: str
    noun: str
    history: str


@dataclass(frozen=True, kw_only=True)
class ActionSpec(JobKindSpec):
    """A kind of job that acts on existing numbers, which it has to look up.

    `path`: its resource in the API. `help`: what its command, which has the name of the kind, does. `name_with_count`:
    the name before a count of numbers. `is_destructive`: its command always asks for confirmation (R26), and the portal
    marks it as dangerous.
    """

    path: str
    help: str
    name_with_count: str
    is_destructive: bool = False


def _form(*columns: Column) -> Form:
    """Return the form of an action: a number and these columns, of which only the number is required."""
    return Form(frozenset({Column.COUNTRY_CODE, Column.PHONE_NUMBER, *columns}), (Column.PHONE_NUMBER,))


# In the order of menus.
ACTIONS: Mapping[JobKind, ActionSpec] = {
    JobKind.ASSIGN: ActionSpec(
        form=_form(Column.TARGET, Column.USER, Column.SERVICE),
        name="Assign",
        act="Assign",
        doing="Assigning",
        done="assigned",
        noun="assignment",
        history="Assigned",
        path="assignments",
        help="Assign numbers to an enterprise, a reseller or a user.",
        name_with_count="Assign",
    ),
    JobKind.UNASSIGN: ActionSpec(
        form=_form(Column.USER, Column.SERVICE),
        name="Unassign",
        act="Unassign",
        doing="Unassigning",
        done="unassigned",
        noun="unassignment",
        history="Unassigned",
        path="unassignments",
        help="Unassign numbers.",
        name_with_count="Unassign",
    ),
    JobKind.CHANGE: ActionSpec(
        form=_form(*(each.column for each in CAPABILITIES), *(each.column for each in CARRIER_FIELDS)),
        name="Change capabilities",
        act="Change",
        doing="Changing",
        done="changed",
        noun="change",
        history="Changed",
        path="capability-changes",
        help=f"Turn {ALL_LABELS} on or off, set carriers.",
        name_with_count="Change capabilities of",
    ),
    JobKind.DELETE: ActionSpec(
        form=_form(),
        name="Delete",
        act="Delete",
        doing="Deleting",
        done="deleted",
        noun="deletion",
        history="Deleted",
        path="deletions",
        help="Delete unassigned numbers.",
        name_with_count="Delete",
        is_destructive=True,
    ),
}

JOB_KINDS: Mapping[JobKind, JobKindSpec] = {
    JobKind.UPLOAD: JobKindSpec(
        form=UPLOAD_FORM,
        name="Upload",
        act="Import",
        doing="Importing",
        done="imported",
        noun="upload",
        history="Uploaded",
    ),
    **ACTIONS,
    JobKind.UNDO: JobKindSpec(
        form=Form(frozenset(), ()),  # its rows are those of the job that it undoes
        name="Undo",
        act="Undo",
        doing="Undoing",
        done="undone",
        noun="earlier undo",
        history="Restored by undo",
    ),
    JobKind.EXPORT: JobKindSpec(
        form=Form(frozenset(), ()),  # its numbers are those that match its filter
        name="Export",
        act="Export",
        doing="Exporting",
        done="exported",
        noun="export",
        history="Exported",
    ),
}
