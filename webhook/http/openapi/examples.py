"""Examples of bodies in the OpenAPI document. A test validates each against the model of its name."""

from __future__ import annotations

from typing import Any

from schemas import request_problems
from schemas.request_problems import RequestCode

Json = dict[str, Any]

_JOB_ID = "3f0d9a4e-6a0f-4f7b-9d0c-0d4b8f1a2c3e"
_TENANT = {"id": "7d8f4a1c-52a7-4f5e-8f39-0a6e1b2c3d4e", "name": "Harbour Telecom", "kind": "reseller"}
_PATH = f"/v1/jobs/{_JOB_ID}"

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
        "mapping": {"columns": {"Phone Number": "TN"}, "constants": {"Country Code": "US"}},
    },
    "CorrectionBody": {
        "rules": [
            {"column": "Country Code", "code": "MISSING_VALUE", "set": "1"},
            {"column": "Phone Number", "replace": ["O", "0"]},
        ],
        "cells": [{"row": 17, "column": "Phone Number", "value": "2125550142"}],
        "leave_out": [23],
    },
    "Assignment": {"numbers": ["+12125550142", "+12125550143"], "tenant_id": _TENANT["id"]},
    "Job": {
        "id": _JOB_ID,
        "kind": "upload",
        "status": "completed_with_errors",
        "mode": "apply",
        "on_error": "skip",
        "on_existing": "skip",
        "accept": "valid",
        "number_format": "auto",
        "country_code": None,
        "created_at": "2026-11-30T09:00:00Z",
        "started_at": "2026-11-30T09:00:00.210Z",
        "finished_at": "2026-11-30T09:00:01.480Z",
        "created_by": {"name": "Nightly import", "tenant": _TENANT},
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
        "counts": {
            "total": 1000,
            "created": 980,
            "updated": 0,
            "deleted": 0,
            "unchanged": 0,
            "skipped": 12,
            "failed": 8,
            "unprocessed": 0,
            "warnings": 3,
        },
        "error_summary": [{"code": "TOO_SHORT", "count": 8, "first_row": 17}],
        "problem": None,
        "duplicate_of": None,
        "parent_job_id": None,
        "undo_of": None,
        "can_retry": True,
        "can_recheck": False,
        "review": None,
        "links": {
            "self": _PATH,
            "rows": f"{_PATH}/rows",
            "report_csv": f"{_PATH}/report.csv",
            "report_failed_csv": f"{_PATH}/report.csv?rows=failed",
            "report_xlsx": f"{_PATH}/report.xlsx",
        },
    },
}


def add(schemas: Json) -> None:
    """Add the examples to their schemas."""
    for name, example in EXAMPLES.items():
        schemas[name]["examples"] = [example]
