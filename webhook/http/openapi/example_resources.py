"""Resources in the examples of the OpenAPI document: one small tree of tenants, with its numbers, jobs and messages.

Each kind of resource has one ID in all examples, so that the documentation's samples belong together.
"""

from __future__ import annotations

from typing import Any

from schemas.capabilities import CAPABILITY_NAMES
from schemas.codes import Code, text_of
from schemas.columns import Column
from schemas.http.callbacks import DeliveryResult

Json = dict[str, Any]

JOB_ID = "3f0d9a4e-6a0f-4f7b-9d0c-0d4b8f1a2c3e"
EXPORT_JOB_ID = "8e2b1c70-94d3-4a6f-b0c5-71f2a3d4e5b6"
RESELLER_ID = "7d8f4a1c-52a7-4f5e-8f39-0a6e1b2c3d4e"
ENTERPRISE_ID = "ebc18bbb-e934-4822-8035-7f279e929693"
USER_ID = "b2f6c0d8-1e47-4c95-a3d1-6f8e9b0a7c52"
CARRIER_ID = "c4a1d7e2-8b36-4f09-9e5d-2a7b6c8f1d03"
TOKEN_ID = "5a9c3e71-f2d4-48b6-8c0e-d1b7a6f5e493"  # noqa: S105 - not its secret
PROFILE_ID = "9d3e6b52-c8a1-4075-b6f4-e0d2c1a3f897"
CALLBACK_ID = "msg_5b7a3c1e-6c0e-4a53-9d0f-3f2f0a1d9c55"
WEBHOOK_ID = "6f1b8d04-3c5e-49a7-8b2d-c7e0f9a4d516"
MESSAGE_ID = "msg_0e4d7f92-a5b8-4c31-96d0-8f1c2b3a4e67"
NUMBER, OTHER_NUMBER = "+12125550142", "+12125550143"
CURSOR = "17-16180.240"

RESELLER = {"id": RESELLER_ID, "name": "Harbour Telecom", "kind": "reseller"}
ENTERPRISE = {"id": ENTERPRISE_ID, "name": "Lakeside Clinic", "kind": "enterprise"}
_USER_REF = {"id": USER_ID, "name": "Ada Moreno", "email": "ada@lakeside.example", "kind": "pbx", "service": "voice"}
_AT = "2026-11-30T09:00:00Z"
_SECRET = "whsec_bnVtYmVyeWFyZC1leGFtcGxlLXNlY3JldA=="  # noqa: S105 - an example
_PATH = f"/v1/jobs/{JOB_ID}"
_TOO_SHORT = text_of(Code.TOO_SHORT, Column.PHONE_NUMBER)

_COUNTS = {
    "total": 1000,
    "created": 980,
    "updated": 0,
    "deleted": 0,
    "unchanged": 0,
    "skipped": 12,
    "failed": 8,
    "unprocessed": 0,
    "warnings": 3,
}
_LINKS = {
    "self": _PATH,
    "rows": f"{_PATH}/rows",
    "report_csv": f"{_PATH}/report.csv",
    "report_failed_csv": f"{_PATH}/report.csv?rows=failed",
    "report_xlsx": f"{_PATH}/report.xlsx",
}
JOB = {
    "id": JOB_ID,
    "kind": "upload",
    "status": "completed_with_errors",
    "mode": "apply",
    "on_error": "skip",
    "on_existing": "skip",
    "accept": "valid",
    "number_format": "auto",
    "country_code": None,
    "created_at": _AT,
    "started_at": "2026-11-30T09:00:00.210Z",
    "finished_at": "2026-11-30T09:00:01.480Z",
    "created_by": {"name": "Nightly import", "tenant": RESELLER},
    "file": {
        "name": "numbers.csv",
        "size": 47112,
        "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "format": "csv",
        "encoding": "utf-8",
        "delimiter": ",",
        "header_row": 1,
    },
    "progress": {"phase": "completed_with_errors", "rows_total": 1000, "rows_done": 1000},
    "counts": _COUNTS,
    "error_summary": [{"code": "TOO_SHORT", "count": 8, "first_row": 17}],
    "problem": None,
    "duplicate_of": None,
    "parent_job_id": None,
    "undo_of": None,
    "can_retry": True,
    "can_recheck": False,
    "review": None,
    "links": _LINKS,
}
_NUMBER: Json = {
    "e164": NUMBER,
    "country": "US",
    **dict.fromkeys(CAPABILITY_NAMES, True),
    "voice_carrier": "Harbour Voice",
    "sms_carrier_profile": "Harbour SMS",
    "status": "assigned",
    "tenant": ENTERPRISE,
    "uploaded_by": RESELLER,
    "voice_user": _USER_REF,
    "sms_user": None,
    "is_external": False,
    "created_at": _AT,
    "updated_at": _AT,
    "can": {
        "assign": True,
        "change": False,
        "delete": False,
        "codes": {"change": "ASSIGNED_IN_USE", "delete": "ASSIGNED_IN_USE"},
    },
    "history": [],
}
_CHANGE: Json = {
    "id": "17-16180.241",
    "at": _AT,
    "type": "number.assigned",
    "e164": NUMBER,
    "country": "US",
    **dict.fromkeys(CAPABILITY_NAMES, True),
    "voice_carrier": "Harbour Voice",
    "sms_carrier_profile": "Harbour SMS",
    "status": "assigned",
    "tenant": ENTERPRISE,
    "uploaded_by": RESELLER,
    "voice_user": None,
    "sms_user": None,
    "is_external": False,
    "job_id": JOB_ID,
}
_ROW = {
    "row": 17,
    "result": "failed",
    "code": "TOO_SHORT",
    "column": "Phone Number",
    "message": _TOO_SHORT.message,
    "fix": _TOO_SHORT.fix,
    "number": None,
    "warnings": [],
    "duplicate_of_row": None,
    "numbers": 1,
    "written": 0,
    "faults": [{"code": "TOO_SHORT", "column": "Phone Number"}],
    "cells": {"Country Code": "1", "Phone Number": "212555", "Voice": "TRUE"},
}
_MAPPING = {"columns": {"Phone Number": "TN"}, "constants": {"Country Code": "US"}, "values": {}}
_PROFILE = {
    "id": PROFILE_ID,
    "name": "Billing export",
    "mapping": _MAPPING,
    "options": {"delimiter": "semicolon"},
    "headers": ["TN", "Voice", "SMS"],
    "tenant": RESELLER,
    "can_change": True,
    "created_by": "Nightly import",
    "last_used_at": None,
}
_TENANT = {
    **ENTERPRISE,
    "parent_id": RESELLER_ID,
    "allow_external_numbers": False,
    "billing_reference": "AC-4711",
    "default_voice_carrier": None,
    "default_sms_carrier_profile": None,
    "effective_default_voice_carrier": "Harbour Voice",
    "effective_default_sms_carrier_profile": "Harbour SMS",
}
_USER = {
    "id": USER_ID,
    "name": "Ada Moreno",
    "email": "ada@lakeside.example",
    "kind": "pbx",
    "tenant": ENTERPRISE,
    "sms_enabled": False,
    "extension": None,
    "phone_number": NUMBER,
    "default_did": None,
    "forwarded_dids": [],
    "sms_dids": [],
    "created_at": _AT,
}
_CARRIER = {
    "id": CARRIER_ID,
    "name": "Harbour Voice",
    "service": "voice",
    "tenant_id": RESELLER_ID,
    "is_default": True,
}
_TOKEN = {
    "id": TOKEN_ID,
    "name": "Nightly import",
    "tenant": RESELLER,
    "role": "operator",
    "scopes": ["jobs:read", "uploads:write"],
    "networks": ["198.51.100.0/24"],
    "created_at": _AT,
    "created_by": "Operations",
    "expires_at": "2030-12-31T23:59:59Z",
    "revoked_at": None,
    "last_used_at": None,
    "last_used_from": None,
}
_CALLBACK = {
    "id": CALLBACK_ID,
    "job_id": JOB_ID,
    "url": "https://example.com/hooks",
    "state": "delivered",
    "attempts": 1,
    "created_at": "2026-11-30T09:00:01.480Z",
    "next_attempt_at": None,
    "delivered_at": "2026-11-30T09:00:01.910Z",
    "failed_at": None,
    "links": {"self": f"/v1/callbacks/{CALLBACK_ID}", "job": _PATH},
}
_WEBHOOK = {
    "id": WEBHOOK_ID,
    "url": "https://example.com/hooks",
    "events": ["job.*", "number.*"],
    "description": "Inventory copy",
    "enabled": True,
    "created_by": "Operations",
    "created_at": _AT,
    "last_delivery_at": "2026-11-30T09:00:00.340Z",
    "failing_since": None,
    "failures": 0,
    "disabled_at": None,
    "cursor": CURSOR,
}
_DELIVERY = {
    "at": "2026-11-30T09:00:00.030Z",
    "attempt": 1,
    "result": DeliveryResult.DELIVERED.value,
    "status": 204,
    "duration_ms": 310,
}
_MESSAGE = {
    "id": MESSAGE_ID,
    "type": "number.changes",
    "state": "delivered",
    "attempts": 1,
    "created_at": _AT,
    "next_attempt_at": None,
    "delivered_at": "2026-11-30T09:00:00.340Z",
    "failed_at": None,
    "job_id": None,
    "last_attempt": _DELIVERY,
}
_DELIVERIES = {"deliveries": [_DELIVERY]}
_CORRECTION = {
    "number": 1,
    "created_at": _AT,
    "created_by": "Nightly import",
    "rows": 8,
    "rules": [{"column": "Country Code", "code": "MISSING_VALUE", "set": "1"}],
    "cells": [],
    "leave_out": [],
}
_ENDED_JOB = {
    name: JOB[name]
    for name in (
        "id",
        "kind",
        "status",
        "created_at",
        "started_at",
        "finished_at",
        "counts",
        "error_summary",
        "problem",
        "duplicate_of",
    )
} | {"links": {"self": _PATH}}


def _page(item: Json, next_cursor: str | None = None) -> Json:
    return {"data": [item], "next_cursor": next_cursor}


RESPONSES: dict[str, Json] = {
    "Job": JOB,
    "JobList": _page(JOB),
    "RowList": _page(_ROW),
    "CorrectionList": {"data": [_CORRECTION]},
    "CorrectionPreview": {"rules": [{"rows": 8, "examined": 8, "right": 8}], "rows": []},
    "Number": _NUMBER | {"history": [{"job_id": JOB_ID, "kind": "upload", "at": _AT, "by": "Nightly import"}]},
    "NumberList": _page(_NUMBER),
    "ChangeList": _page(_CHANGE, "18"),
    "ImportProfile": _PROFILE,
    "ImportProfileList": _page(_PROFILE),
    "Tenant": _TENANT,
    "TenantList": _page(_TENANT),
    "QuotaList": {
        "tenant": RESELLER,
        "data": [
            {
                "name": "rows_per_day",
                "limit": 100_000_000,
                "used": 1000,
                "remaining": 99_999_000,
                "resets_at": "2026-12-01T00:00:00Z",
            }
        ],
    },
    "User": _USER,
    "UserList": _page(_USER),
    "Carrier": _CARRIER,
    "CarrierList": _page(_CARRIER),
    "Token": _TOKEN,
    "TokenList": _page(_TOKEN),
    "IssuedToken": _TOKEN | {"token": "nyk_EXAMPLE-shown-only-once"},
    "Callback": _CALLBACK,
    "CallbackList": _page(_CALLBACK),
    "CallbackWithDeliveries": _CALLBACK | _DELIVERIES,
    "CallbackSecret": {"secret": _SECRET, "created_at": _AT, "previous_until": None},
    "Webhook": _WEBHOOK,
    "WebhookList": _page(_WEBHOOK),
    "WebhookWithSecret": _WEBHOOK | {"secret": _SECRET, "previous_until": None},
    "WebhookMessage": _MESSAGE,
    "WebhookMessageList": _page(_MESSAGE),
    "WebhookMessageWithDeliveries": _MESSAGE | _DELIVERIES,
    "Health": {"status": "ok"},
    "JobEnded": {"type": "job.completed_with_errors", "timestamp": "2026-11-30T09:00:01.480Z", "data": _ENDED_JOB},
    "NumbersChanged": {
        "type": "number.changes",
        "timestamp": _AT,
        "data": {"after": CURSOR, "changes": [_CHANGE], "next_cursor": "18-27182"},
    },
    "WebhookTest": {"type": "webhook.test", "timestamp": _AT, "data": {"webhook_id": WEBHOOK_ID}},
}
