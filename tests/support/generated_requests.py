"""Hooks of Schemathesis: what a request that follows the OpenAPI document may be refused for, and what is not sent.

Loaded by the program that `tests/acceptance/test_generated_requests.py` starts. Its own check of valid requests knows
only statuses. `valid_form` looks at the problem: a refusal must be for a reason that JSON Schema cannot express.
"""

from __future__ import annotations

import os
import re
import uuid
from typing import Any

import schemathesis
from schemathesis import Case, CheckContext, HookContext, Response

KEPT_TOKENS = set(os.environ.get("GENERATED_REQUESTS_TOKEN_IDS", "").split(","))
# Refusals of the form of a request. Others are about its meaning: what exists, what is allowed, what has changed.
ABOUT_FORM = {400, 413, 415, 422}
# Codes of 422 that need knowledge of what exists.
ABOUT_MEANING = {
    "IDEMPOTENCY_KEY_REUSED",
    "TARGET_NOT_FOUND",
    "CARRIER_NOT_FOUND",
    "EXTERNAL_NOT_ALLOWED",
    "SEARCH_TOO_BROAD",
    "DIGEST_MISMATCH",
    "DUPLICATE_FIELD",  # an option in the form and in the query, which together are valid
}
# Messages of refusals of valid requests, with the reason why the document cannot say so.
REASONS = {
    r"^(name|profile|save_profile): .*(printable characters|means that no profile is used)": (
        "Which characters are printable, Unicode decides anew with each version."
    ),
    r"billing reference has at most": "The same.",
    r"^networks\.\d+: .*not a network": "No pattern says what a network is, of IPv4 and of IPv6.",
    r"^email: ": "RFC 5321 and its libraries differ in details, such as special-use domains.",
    r"^expires_at: .*in the future": "It depends on the time of the request.",
    r"^(date: |The numbers held on )": "Days are counted since the service runs.",
    r"^(cursor: |This cursor isn't known)|is no cursor of your changes": (
        "Only a page before says which cursors there are."
    ),
    r"^(tenant_id|uploaded_by|user_id|parent_job_id): .*not found": "It depends on what exists.",
    r"is not one of our columns|is not a column of an upload|has no column|can't be the same for every row": (
        "Columns are known by names in many languages."
    ),
    r"occurs twice|is both a column of the file and a constant": "Two members exclude each other.",
    r"numbers, filter: |expected_count|tenant_id: cannot be used|tenant_id, user_id: |send at least one of them": (
        "Members require or exclude each other, as their descriptions say."
    ),
    r"has no rule, no cell|^(rule|cells|rules|leave_out|row)\b|needs|both|^The file has no row": (
        "The same, of corrections."
    ),
    r"isn't a country|^country_code: ": "Countries are known by calling codes, ISO codes and names (R14).",
    r"^(options\.)?encoding: ": "Encodings have many names (IANA).",
    r"callback_url|^url: ": "Which hosts are allowed, the operator decides.",
    r"^(code: .*isn't the code of a result)": "Later versions add codes.",
    r"^extension: |^New extensions can't be added": (
        "Only users that have one can change it, and it begins with a calling code."
    ),
    r"phone_number|default_did|forwarded_dids|sms_dids|sms_enabled|^Users belong to enterprises": (
        "Which members a user has depends on its kind (R2)."
    ),
    r"^A reseller belongs to": "Where a tenant can be depends on its kind (R1).",
    r"^(mapping|metadata): .*must be a JSON object": "A query parameter is text, whose content type only is declared.",
    r"The body has more than [\d,]+ commas|is nested|The limit for this request is": "Bounds on the size of a body.",
    r"^_schema: ": "Members require or exclude each other.",
    r"isn't an import profile": "It depends on what exists.",
    r"filter: no number matches": "It depends on what exists.",
}
_KNOWN = [re.compile(text) for text in REASONS]


@schemathesis.hook
def before_call(context: HookContext, case: Case[Any], kwargs: dict[str, Any]) -> None:  # noqa: ARG001 - as in Schemathesis
    """Keep the token of this run and those that were there before it: with its maker, it would be revoked, too."""
    if case.method == "DELETE" and KEPT_TOKENS.intersection(map(str, case.path_parameters.values())):
        case.path_parameters = dict.fromkeys(case.path_parameters, str(uuid.uuid4()))


@schemathesis.check
def valid_form(ctx: CheckContext, response: Response, case: Case[Any]) -> None:  # noqa: ARG001 - as in Schemathesis
    """Fail if a request that follows the document is refused for its form."""
    if case.meta is None or not case.meta.generation.mode.is_positive or response.status_code not in ABOUT_FORM:
        return
    problem = response.json()
    if problem["code"] in ABOUT_MEANING:
        return
    messages = [f"{error['field']}: {error['message']}" for error in problem.get("errors", [])] or [problem["detail"]]
    unknown = [message for message in messages if not any(known.search(message) for known in _KNOWN)]
    assert not unknown, f"a valid request was refused: {problem['code']} {unknown}"
