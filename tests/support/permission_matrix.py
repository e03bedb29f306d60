"""Who may do what with a number in which state: the table that `tests/integration/test_permission_matrix.py` holds the
service against and docs/reference/permissions.md shows.

Written by hand from the rules, cell by cell; nothing here is computed from the code, so that it can disagree with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

ACTORS: Mapping[str, str] = {
    "master": "Master Reseller",
    "north": "Reseller",
    "south": "Sibling reseller",
    "clinic": "Enterprise (external numbers allowed)",
    "hotel": "Sibling enterprise (not allowed)",
    "school": "Enterprise elsewhere",
}
STATES: Mapping[str, str] = {
    "free at master": "uploaded and held by the Master Reseller",
    "master's at reseller": "uploaded by the Master Reseller, held by the reseller",
    "master's at enterprise": "uploaded by the Master Reseller, held by the enterprise",
    "free at reseller": "uploaded and held by the reseller",
    "at enterprise": "uploaded by the reseller, held by the enterprise",
    "user: voice": "the same, a user has it for voice",
    "user: SMS": "the same, a user has it for SMS",
    "user: both": "the same, a user has it for voice and SMS",
    "external": "uploaded and held by the enterprise itself",
    "external, user": "the same, a user has it for voice",
    "absent": "not on the platform",
}
CODES: Mapping[str, str] = {
    "AS": "ASSIGNED",
    "UN": "UNASSIGNED",
    "UP": "UPDATED",
    "DE": "DELETED",
    "CR": "CREATED",
    "NC": "NO_CHANGE",
    "AE": "ALREADY_EXISTS",
    "EE": "NUMBER_EXISTS_ELSEWHERE",
    "NF": "NOT_FOUND",
    "TN": "TARGET_NOT_FOUND",
    "IU": "ASSIGNED_IN_USE",
    "NU": "NOT_UPLOADER",
    "XN": "EXTERNAL_NOT_ALLOWED",
    "yes": "seen",
    "no": "404, as if it did not exist",
}
WRITTEN = ("AS", "UN", "UP", "DE", "CR")


@dataclass(frozen=True)
class Action:
    """One action: for every actor its cells, one per state, in the order of `STATES`.

    A column that is one code alone is refused at the door, whatever the number.
    """

    title: str
    rules: str
    cells: Mapping[str, str]


NOWHERE = "NF NF NF NF NF NF NF NF NF NF NF"
ELSEWHERE = "EE EE EE EE EE EE EE EE EE EE CR"

MATRIX: Mapping[str, Action] = {
    "read": Action(
        "Read or find the number",
        "R3",
        {
            "master": "yes yes yes yes yes yes yes yes yes yes no",
            "north": "no yes yes yes yes yes yes yes yes yes no",
            "south": "no no no no no no no no no no no",
            "clinic": "no no yes no yes yes yes yes yes yes no",
            "hotel": "no no no no no no no no no no no",
            "school": "no no no no no no no no no no no",
        },
    ),
    "upload, existing is an error": Action(
        "Upload it (`on_existing=error`)",
        "R8, R9, R17",
        {
            "master": "AE AE AE AE AE AE AE AE AE AE CR",
            "north": "EE AE AE AE AE AE AE AE AE AE CR",
            "south": ELSEWHERE,
            "clinic": "EE EE AE EE AE AE AE AE AE AE CR",
            "hotel": "XN",
            "school": ELSEWHERE,
        },
    ),
    "upload, updating": Action(
        "Upload it with Fax TRUE (`on_existing=update`)",
        "R8, R9, R10, R17",
        {
            "master": "UP UP UP UP UP UP UP UP UP UP CR",
            "north": "EE UP UP UP UP UP UP UP UP UP CR",
            "south": ELSEWHERE,
            "clinic": "EE EE UP EE UP UP UP UP UP UP CR",
            "hotel": "XN",
            "school": ELSEWHERE,
        },
    ),
    "upload, moving": Action(
        "Upload it to the sibling enterprise (`on_existing=update`)",
        "R9, R11, R17, R19",
        {
            "master": "UP UP UP UP UP IU IU IU TN TN CR",
            "north": "EE UP UP UP UP IU IU IU TN TN CR",
            "south": "TN",
            "clinic": "TN",
            "hotel": "XN",
            "school": "TN",
        },
    ),
    "assign to reseller": Action(
        "Assign it to the reseller",
        "R3, R18, R19",
        {
            "master": "AS NC AS NC AS IU IU IU TN IU NF",
            "north": "TN",
            "south": "TN",
            "clinic": "TN",
            "hotel": "TN",
            "school": "TN",
        },
    ),
    "assign to enterprise": Action(
        "Assign it to the sibling enterprise",
        "R3, R18, R19",
        {
            "master": "AS AS AS AS AS IU IU IU TN IU NF",
            "north": "NF AS AS AS AS IU IU IU TN IU NF",
            "south": "TN",
            "clinic": "TN",
            "hotel": "TN",
            "school": "TN",
        },
    ),
    "give voice": Action(
        "Assign it to another user of the enterprise for voice",
        "R2, R3, R18, R20",
        {
            "master": "TN TN AS TN AS IU AS IU AS IU NF",
            "north": "NF TN AS TN AS IU AS IU AS IU NF",
            "south": "TN",
            "clinic": "NF NF AS NF AS IU AS IU AS IU NF",
            "hotel": "TN",
            "school": "TN",
        },
    ),
    "give SMS": Action(
        "Assign it to another user of the enterprise for SMS",
        "R2, R3, R18, R20",
        {
            "master": "TN TN AS TN AS AS IU IU AS AS NF",
            "north": "NF TN AS TN AS AS IU IU AS AS NF",
            "south": "TN",
            "clinic": "NF NF AS NF AS AS IU IU AS AS NF",
            "hotel": "TN",
            "school": "TN",
        },
    ),
    "unassign": Action(
        "Take it back (no service named)",
        "R3, R19",
        {
            "master": "NC UN UN NC UN IU IU IU NC IU NF",
            "north": "NF NC UN NC UN IU IU IU NC IU NF",
            "south": NOWHERE,
            "clinic": "NF NF NC NF NC UN UN UN NC UN NF",
            "hotel": NOWHERE,
            "school": NOWHERE,
        },
    ),
    "unassign voice": Action(
        "Take it from its user for voice",
        "R3, R19, R20",
        {
            "master": "NC NC NC NC NC UN NC UN NC UN NF",
            "north": "NF NC NC NC NC UN NC UN NC UN NF",
            "south": NOWHERE,
            "clinic": "NF NF NC NF NC UN NC UN NC UN NF",
            "hotel": NOWHERE,
            "school": NOWHERE,
        },
    ),
    "unassign SMS": Action(
        "Take it from its user for SMS",
        "R3, R19, R20",
        {
            "master": "NC NC NC NC NC NC UN UN NC NC NF",
            "north": "NF NC NC NC NC NC UN UN NC NC NF",
            "south": NOWHERE,
            "clinic": "NF NF NC NF NC NC UN UN NC NC NF",
            "hotel": NOWHERE,
            "school": NOWHERE,
        },
    ),
    "fax on": Action(
        "Enable Fax",
        "R3, R23",
        {
            "master": "UP UP UP UP UP UP UP UP UP UP NF",
            "north": "NF UP UP UP UP UP UP UP UP UP NF",
            "south": NOWHERE,
            "clinic": "NF NF UP NF UP UP UP UP UP UP NF",
            "hotel": NOWHERE,
            "school": NOWHERE,
        },
    ),
    "voice off": Action(
        "Disable Voice",
        "R3, R23",
        {
            "master": "UP UP UP UP UP IU UP IU UP IU NF",
            "north": "NF UP UP UP UP IU UP IU UP IU NF",
            "south": NOWHERE,
            "clinic": "NF NF UP NF UP IU UP IU UP IU NF",
            "hotel": NOWHERE,
            "school": NOWHERE,
        },
    ),
    "SMS off": Action(
        "Disable SMS",
        "R3, R23",
        {
            "master": "UP UP UP UP UP UP IU IU UP UP NF",
            "north": "NF UP UP UP UP UP IU IU UP UP NF",
            "south": NOWHERE,
            "clinic": "NF NF UP NF UP UP IU IU UP UP NF",
            "hotel": NOWHERE,
            "school": NOWHERE,
        },
    ),
    "carrier": Action(
        "Choose another voice carrier",
        "R3, R7, R23",
        {
            "master": "UP UP UP UP UP IU IU IU UP IU NF",
            "north": "NF UP UP UP UP IU IU IU UP IU NF",
            "south": NOWHERE,
            "clinic": "NF NF UP NF UP IU IU IU UP IU NF",
            "hotel": NOWHERE,
            "school": NOWHERE,
        },
    ),
    "delete": Action(
        "Delete it",
        "R3, R24, R25",
        {
            "master": "DE IU IU NU NU NU NU NU NU NU NF",
            "north": "NF NU NU DE IU IU IU IU NU NU NF",
            "south": NOWHERE,
            "clinic": "NF NF NU NF NU NU NU NU DE IU NF",
            "hotel": NOWHERE,
            "school": NOWHERE,
        },
    ),
    "new user": Action(
        "Make a user (of the enterprise; elsewhere of one's own) with it for voice",
        "R3, R9, R17, R20, R21",
        {
            "master": "TN TN AS TN AS IU AS IU AS IU CR",
            "north": "EE TN AS TN AS IU AS IU AS IU CR",
            "south": ELSEWHERE,
            "clinic": "EE EE AS EE AS IU AS IU AS IU CR",
            "hotel": "XN",
            "school": ELSEWHERE,
        },
    ),
}

# Confirming, cancelling and undoing a job of the reseller's, and looking at it: HTTP statuses (R1, R3, R27).
JOB_OF_NORTH: Mapping[str, tuple[int, int]] = {
    "master": (200, 403),
    "north": (200, 202),
    "south": (404, 404),
    "clinic": (404, 404),
    "hotel": (404, 404),
    "school": (404, 404),
}

ROLES: Mapping[str, str] = {
    "viewer": "Viewer",
    "operator": "Operator",
    "admin": "Admin",
}
EVERY_SCOPE = "numbers:read numbers:write jobs:read uploads:write accounts:read accounts:write tokens:write"

# For every operation of the API, by its operationId: the lowest role, and the scopes of which a token needs one (R35).
NEEDED: Mapping[str, tuple[str, str]] = {
    "list_numbers": ("viewer", "numbers:read"),
    "get_number": ("viewer", "numbers:read"),
    "get_numbers_csv": ("viewer", "numbers:read"),
    "get_numbers_jsonl": ("viewer", "numbers:read"),
    "create_export": ("viewer", "numbers:read"),
    "get_job_file": ("viewer", "numbers:read"),
    "list_changes": ("viewer", "numbers:read"),
    "get_holdings_csv": ("viewer", "numbers:read"),
    "create_assignment": ("operator", "numbers:write"),
    "create_unassignment": ("operator", "numbers:write"),
    "create_capability_change": ("operator", "numbers:write"),
    "create_deletion": ("operator", "numbers:write"),
    "undo_job": ("operator", "numbers:write"),
    "list_jobs": ("viewer", "jobs:read"),
    "get_job": ("viewer", "jobs:read"),
    "list_job_rows": ("viewer", "jobs:read"),
    "list_job_corrections": ("viewer", "jobs:read"),
    "get_job_report_csv": ("viewer", "jobs:read"),
    "get_job_report_jsonl": ("viewer", "jobs:read"),
    "get_job_report_xlsx": ("viewer", "jobs:read"),
    "list_callbacks": ("viewer", "jobs:read"),
    "get_callback": ("viewer", "jobs:read"),
    "confirm_job": ("operator", "uploads:write numbers:write"),
    "cancel_job": ("viewer", "uploads:write numbers:write numbers:read"),
    "replay_callback": ("operator", "uploads:write numbers:write"),
    "create_upload": ("operator", "uploads:write"),
    "recheck_job": ("operator", "uploads:write"),
    "retry_job": ("operator", "uploads:write"),
    "correct_job": ("operator", "uploads:write"),
    "preview_job_correction": ("operator", "uploads:write"),
    "take_back_job_correction": ("operator", "uploads:write"),
    "get_template_csv": ("viewer", EVERY_SCOPE),
    "get_template_xlsx": ("viewer", EVERY_SCOPE),
    "list_import_profiles": ("viewer", "jobs:read uploads:write"),
    "get_import_profile": ("viewer", "jobs:read uploads:write"),
    "create_import_profile": ("operator", "uploads:write"),
    "update_import_profile": ("operator", "uploads:write"),
    "delete_import_profile": ("operator", "uploads:write"),
    "list_tenants": ("viewer", "accounts:read"),
    "get_tenant": ("viewer", "accounts:read"),
    "list_quotas": ("viewer", "accounts:read"),
    "list_users": ("viewer", "accounts:read"),
    "get_user": ("viewer", "accounts:read"),
    "list_carriers": ("viewer", "accounts:read"),
    "get_carrier": ("viewer", "accounts:read"),
    "create_user": ("operator", "accounts:write"),
    "update_user": ("operator", "accounts:write"),
    "delete_user": ("operator", "accounts:write"),
    "create_tenant": ("admin", "accounts:write"),
    "update_tenant": ("admin", "accounts:write"),
    "delete_tenant": ("admin", "accounts:write"),
    "create_carrier": ("admin", "accounts:write"),
    "update_carrier": ("admin", "accounts:write"),
    "delete_carrier": ("admin", "accounts:write"),
    "get_callback_secret": ("admin", "accounts:write"),
    "rotate_callback_secret": ("admin", "accounts:write"),
    "list_webhooks": ("viewer", "jobs:read"),
    "get_webhook": ("viewer", "jobs:read"),
    "list_webhook_messages": ("viewer", "jobs:read"),
    "get_webhook_message": ("viewer", "jobs:read"),
    "create_webhook": ("admin", "accounts:write"),
    "update_webhook": ("admin", "accounts:write"),
    "delete_webhook": ("admin", "accounts:write"),
    "rotate_webhook_secret": ("admin", "accounts:write"),
    "test_webhook": ("admin", "accounts:write"),
    "replay_webhook_message": ("admin", "accounts:write"),
    "list_tokens": ("admin", "accounts:read tokens:write"),
    "get_token": ("admin", "accounts:read tokens:write"),
    "create_token": ("admin", "tokens:write"),
    "revoke_token": ("admin", "tokens:write"),
}

# The same for the pages and forms of the portal, by the path; people have every scope.
PORTAL_PAGES: Mapping[str, str] = {
    "viewer": """
        GET /
        GET /overview
        GET /numbers
        GET /numbers/<e164>
        GET /numbers.csv
        POST /numbers/exports
        GET /jobs/<job_id>/file
        POST /jobs/<job_id>/cancel
        GET /numbers/paste
        POST /numbers/paste
        GET /numbers/paste/<list_id>
        GET /numbers/searches
        POST /numbers/searches
        GET /numbers/searches/<search_id>
        POST /numbers/searches/<search_id>
        POST /numbers/searches/<search_id>/delete
        GET /choices/<any(tenants, users, countries, carriers, voice, sms):what>
        GET /reports/holdings.csv
        GET /jobs
        GET /jobs/live
        GET /jobs/<job_id>
        GET /jobs/<job_id>/live
        GET /jobs/<job_id>/report.<any(csv, xlsx):ending>
        GET /uploads/sample.<any(csv, xlsx):ending>
        GET /import-profiles
        GET /import-profiles/<profile_id>
        GET /users
        GET /enterprises
        GET /resellers
        GET /carriers
        GET /limits
        GET /webhooks
        GET /webhooks/<webhook_id>
        GET /webhooks/<webhook_id>/messages/<message_id>
        GET /account
        POST /account
        POST /account/e-mails
        POST /account/sign-out-everywhere
        POST /sign-out
        """,
    "operator": """
        GET /uploads/new
        GET /uploads/ready
        POST /uploads
        POST /jobs/<job_id>/confirm
        GET /jobs/<job_id>/undo
        POST /jobs/<job_id>/undo
        GET /jobs/<job_id>/columns
        POST /jobs/<job_id>/columns
        GET /jobs/<job_id>/corrections
        POST /jobs/<job_id>/corrections
        POST /jobs/<job_id>/corrections/preview
        POST /jobs/<job_id>/corrections/<int:number>/take-back
        POST /jobs/<job_id>/retry
        POST /import-profiles/<profile_id>
        GET /import-profiles/<profile_id>/delete
        POST /import-profiles/<profile_id>/delete
        POST /numbers/selection
        GET /numbers/assign
        POST /numbers/assign
        GET /numbers/take-back
        POST /numbers/take-back
        GET /numbers/capabilities
        POST /numbers/capabilities
        GET /numbers/delete
        POST /numbers/delete
        GET /users/new
        POST /users/new
        GET /users/<user_id>
        POST /users/<user_id>
        GET /users/<user_id>/sms
        POST /users/<user_id>/sms
        GET /users/<user_id>/delete
        POST /users/<user_id>/delete
        GET /choices/free/<tenant_id>/<any(voice, sms):service>/<any(options, boxes):shape>
        """,
    "admin": """
        GET /<any(enterprises, resellers):level>/new
        POST /<any(enterprises, resellers):level>/new
        GET /<any(enterprises, resellers):level>/<tenant_id>
        POST /<any(enterprises, resellers):level>/<tenant_id>
        GET /<any(enterprises, resellers):level>/<tenant_id>/delete
        POST /<any(enterprises, resellers):level>/<tenant_id>/delete
        POST /carriers
        POST /carriers/defaults
        GET /carriers/<carrier_id>
        POST /carriers/<carrier_id>
        GET /carriers/<carrier_id>/delete
        POST /carriers/<carrier_id>/delete
        POST /webhooks
        GET /webhooks/<webhook_id>/edit
        POST /webhooks/<webhook_id>/edit
        POST /webhooks/<webhook_id>/<any(enable, disable):change>
        POST /webhooks/<webhook_id>/test
        GET /webhooks/<webhook_id>/secret
        POST /webhooks/<webhook_id>/secret
        GET /webhooks/<webhook_id>/delete
        POST /webhooks/<webhook_id>/delete
        POST /webhooks/<webhook_id>/messages/<message_id>/replay
        GET /tokens
        POST /tokens
        GET /tokens/<token_id>/revoke
        POST /tokens/<token_id>/revoke
        GET /account/admins
        POST /account/admins
        GET /account/admins/<admin_id>/remove
        POST /account/admins/<admin_id>/remove
        GET /account/admins/<admin_id>/role
        POST /account/admins/<admin_id>/role
        POST /account/admins/<admin_id>/password
        """,
}


def includes(role: str, needed: str) -> bool:
    """Whether a role is the needed one or a higher one."""
    return list(ROLES).index(role) >= list(ROLES).index(needed)


def role_of_pages() -> dict[tuple[str, str], str]:
    """The lowest role by method and path of every page and form of the portal."""
    lines = [(role, line.split(maxsplit=1)) for role, text in PORTAL_PAGES.items() for line in text.split("\n")]
    return {(words[0], words[1]): role for role, words in lines if words}


def cells_of(action: str, actor: str) -> dict[str, str]:
    """An actor's cells by state; {} if the door refuses whatever the number."""
    cells = MATRIX[action].cells[actor].split()
    return dict(zip(STATES, cells, strict=True)) if len(cells) > 1 else {}
