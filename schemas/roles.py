"""Roles of people and tokens, scopes of tokens, and what each operation needs (R35).

Only the vocabulary: `schemas.permissions.check_operation` is the rule.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a person or a token may do, the least first; each role includes those before it."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"

    def includes(self, other: Role) -> bool:
        """Return whether this role is `other` or a higher one."""
        return _RANKS[self] >= _RANKS[other]


_RANKS = {role: rank for rank, role in enumerate(Role)}


class Scope(StrEnum):
    """The parts of the API that a token may use. People have all of them."""

    NUMBERS_READ = "numbers:read"
    NUMBERS_WRITE = "numbers:write"
    JOBS_READ = "jobs:read"
    UPLOADS_WRITE = "uploads:write"
    ACCOUNTS_READ = "accounts:read"
    ACCOUNTS_WRITE = "accounts:write"
    TOKENS_WRITE = "tokens:write"


ALL_SCOPES = frozenset(Scope)

ROLE_TEXTS: Mapping[Role, str] = {
    Role.VIEWER: "Sees everything, changes nothing.",
    Role.OPERATOR: "Also uploads, assigns, changes, deletes and undoes, and manages users.",
    Role.ADMIN: "Also manages people, API tokens, enterprises, resellers and carriers.",
}
SCOPE_TEXTS: Mapping[Scope, str] = {
    Scope.NUMBERS_READ: "See and download numbers, follow changes",
    Scope.NUMBERS_WRITE: "Assign, unassign, change and delete numbers; undo",
    Scope.JOBS_READ: "See jobs, reports, callbacks and subscriptions",
    Scope.UPLOADS_WRITE: "Upload, review and correct files; import profiles",
    Scope.ACCOUNTS_READ: "See companies, users and carriers",
    Scope.ACCOUNTS_WRITE: "Manage companies, users, carriers, subscriptions and the callback secret",
    Scope.TOKENS_WRITE: "Create and revoke API tokens",
}


class Operation(StrEnum):
    """What requests do, as roles and scopes distinguish it. Each route of API and portal declares one."""

    USE_OWN_ACCOUNT = "use_own_account"
    GET_TEMPLATES = "get_templates"
    READ_NUMBERS = "read_numbers"
    CHANGE_NUMBERS = "change_numbers"
    READ_JOBS = "read_jobs"
    DECIDE_JOBS = "decide_jobs"
    CANCEL_JOBS = "cancel_jobs"
    UPLOAD = "upload"
    READ_PROFILES = "read_profiles"
    READ_ACCOUNTS = "read_accounts"
    CHANGE_USERS = "change_users"
    CHANGE_ACCOUNTS = "change_accounts"
    MANAGE_WEBHOOKS = "manage_webhooks"
    READ_TOKENS = "read_tokens"
    CHANGE_TOKENS = "change_tokens"
    MANAGE_PEOPLE = "manage_people"


@dataclass(frozen=True)
class Requirement:
    """What an operation needs: at least the role, and one of the scopes."""

    role: Role
    scopes: tuple[Scope, ...]


REQUIREMENTS: Mapping[Operation, Requirement] = {
    Operation.USE_OWN_ACCOUNT: Requirement(Role.VIEWER, tuple(Scope)),
    Operation.GET_TEMPLATES: Requirement(Role.VIEWER, tuple(Scope)),
    Operation.READ_NUMBERS: Requirement(Role.VIEWER, (Scope.NUMBERS_READ,)),
    Operation.CHANGE_NUMBERS: Requirement(Role.OPERATOR, (Scope.NUMBERS_WRITE,)),
    Operation.READ_JOBS: Requirement(Role.VIEWER, (Scope.JOBS_READ,)),
    # Which of the two scopes depends on the job: see `operation_on_job`.
    Operation.DECIDE_JOBS: Requirement(Role.OPERATOR, (Scope.UPLOADS_WRITE, Scope.NUMBERS_WRITE)),
    # As to decide; and who may see numbers stops an export.
    Operation.CANCEL_JOBS: Requirement(Role.VIEWER, (Scope.UPLOADS_WRITE, Scope.NUMBERS_WRITE, Scope.NUMBERS_READ)),
    Operation.UPLOAD: Requirement(Role.OPERATOR, (Scope.UPLOADS_WRITE,)),
    Operation.READ_PROFILES: Requirement(Role.VIEWER, (Scope.JOBS_READ, Scope.UPLOADS_WRITE)),
    Operation.READ_ACCOUNTS: Requirement(Role.VIEWER, (Scope.ACCOUNTS_READ,)),
    Operation.CHANGE_USERS: Requirement(Role.OPERATOR, (Scope.ACCOUNTS_WRITE,)),
    Operation.CHANGE_ACCOUNTS: Requirement(Role.ADMIN, (Scope.ACCOUNTS_WRITE,)),
    # Subscriptions, and the secret of callbacks. To which events: `operations_on_events`.
    Operation.MANAGE_WEBHOOKS: Requirement(Role.ADMIN, (Scope.ACCOUNTS_WRITE,)),
    Operation.READ_TOKENS: Requirement(Role.ADMIN, (Scope.ACCOUNTS_READ, Scope.TOKENS_WRITE)),
    Operation.CHANGE_TOKENS: Requirement(Role.ADMIN, (Scope.TOKENS_WRITE,)),
    # No API, so no scope of its own.
    Operation.MANAGE_PEOPLE: Requirement(Role.ADMIN, (Scope.ACCOUNTS_WRITE,)),
}


def operation_on_job(kind: str) -> Operation:
    """Return the operation of confirming or cancelling a job of this kind: that of starting one."""
    return {"upload": Operation.UPLOAD, "export": Operation.READ_NUMBERS}.get(kind, Operation.CHANGE_NUMBERS)


def operations_on_events(events: Iterable[str]) -> set[Operation]:
    """Return what a subscription to these events needs too: seeing what they are about."""
    return {Operation.READ_NUMBERS if event.startswith("number.") else Operation.READ_JOBS for event in events}
