"""Examples of bodies in the OpenAPI document. A test validates each against the schema and the model of its name."""

from __future__ import annotations

from typing import Any

from schemas import request_problems
from schemas.request_problems import RequestCode
from webhook.http.openapi import example_resources as resources

Json = dict[str, Any]

_NUMBERS = {"numbers": [resources.NUMBER, resources.OTHER_NUMBER]}
_RULES = {
    "rules": [
        {"column": "Country Code", "code": "MISSING_VALUE", "set": "1"},
        {"column": "Phone Number", "replace": ["O", "0"]},
    ],
}
_MAPPING = {"columns": {"Phone Number": "TN"}, "constants": {"Country Code": "US"}}
_FILE = "Country Code,Phone Number\r\n1,2125550142\r\n"
EXAMPLES: dict[str, Json] = {
    "Problem": request_problems.of_request(
        RequestCode.INVALID_FIELD,
        "limit: Input should be less than or equal to 200",
        errors=[{"field": "limit", "message": "Input should be less than or equal to 200"}],
    ),
    "UploadForm": {
        "file": "TN,Voice,SMS\r\n2125550142,TRUE,FALSE\r\n",
        "mode": "review",
        "on_existing": "update",
        "mapping": _MAPPING,
    },
    "AssignForm": {"file": _FILE, "tenant_id": resources.ENTERPRISE_ID},
    "UnassignForm": {"file": _FILE},
    "ChangeForm": {"file": _FILE, "sms": True},
    "DeleteForm": {"file": _FILE},
    "RecheckBody": {"mapping": _MAPPING, "on_existing": "update"},
    "CorrectionBody": _RULES
    | {"cells": [{"row": 17, "column": "Phone Number", "value": "2125550142"}], "leave_out": [23]},
    "CorrectionPreviewBody": _RULES,
    "Assignment": _NUMBERS | {"tenant_id": resources.ENTERPRISE_ID},
    "Unassignment": _NUMBERS,
    "CapabilityChange": _NUMBERS | {"sms": True, "sms_carrier_profile": "Harbour SMS"},
    "Deletion": _NUMBERS,
    "ExportBody": {"format": "csv", "filter": {"country": "US", "status": "unassigned"}},
    "NewImportProfile": {
        "name": "Billing export",
        "mapping": _MAPPING,
        "options": {"delimiter": "semicolon"},
        "headers": ["TN", "Voice", "SMS"],
    },
    "ImportProfileChange": {"name": "Billing export 2027"},
    "NewTenant": {"name": "Lakeside Clinic", "kind": "enterprise", "billing_reference": "AC-4711"},
    "TenantChange": {"name": "Lakeside Clinics", "default_voice_carrier": "Harbour Voice"},
    "NewUser": {
        "tenant_id": resources.ENTERPRISE_ID,
        "name": "Ada Moreno",
        "email": "ada@lakeside.example",
        "kind": "pbx",
    },
    "UserChange": {"name": "Ada Moreno-Lind", "email": "ada.moreno@lakeside.example"},
    "NewCarrier": {"name": "Harbour Voice West", "service": "voice"},
    "CarrierChange": {"name": "Harbour Voice East"},
    "NewToken": {
        "name": "Nightly import",
        "role": "operator",
        "scopes": ["jobs:read", "uploads:write"],
        "networks": ["198.51.100.0/24"],
        "expires_at": "2030-12-31T23:59:59Z",
    },
    "NewWebhook": {"url": "https://example.com/hooks", "events": ["job.*", "number.*"]},
    "WebhookChange": {"events": ["job.*"], "enabled": True},
    **resources.RESPONSES,
}
# Values of the parameters in paths, which the documentation's samples use.
PATH_VALUES: dict[str, Any] = {
    "job_id": resources.JOB_ID,
    "number": 1,
    "e164": resources.NUMBER,
    "tenant_id": resources.ENTERPRISE_ID,
    "user_id": resources.USER_ID,
    "carrier_id": resources.CARRIER_ID,
    "token_id": resources.TOKEN_ID,
    "callback_id": resources.CALLBACK_ID,
    "webhook_id": resources.WEBHOOK_ID,
    "message_id": resources.MESSAGE_ID,
    "profile_id": resources.PROFILE_ID,
}


def add(schemas: Json) -> None:
    """Add the examples to their schemas."""
    for name, example in EXAMPLES.items():
        schemas[name]["examples"] = [example]
