"""The quotas of tenants (R37): their names, what each limits, and the texts of a refusal.

Limits are settings of the service (`quota_` and the name), or a tenant's own (`tenant_quotas`); 0 is no limit. What a
tenant uses counts for this tenant only, not for those above it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

WINDOW_SECONDS = 60  # of REQUESTS


class Quota(StrEnum):
    """What is limited for each tenant. The names are those of the API, of columns and, with `quota_`, of settings."""

    REQUESTS = "requests_per_minute"
    UPLOADS = "concurrent_uploads"
    JOBS = "open_jobs"
    ROWS = "rows_per_day"
    BYTES = "stored_bytes"


@dataclass(frozen=True)
class QuotaText:
    """The label of a quota, a sentence about it, and the detail and fix of a refusal."""

    label: str
    meaning: str
    detail: str
    fix: str


QUOTA_TEXTS: Mapping[Quota, QuotaText] = {
    Quota.REQUESTS: QuotaText(
        "API requests per minute",
        "Requests with API tokens. Pages of the portal don't count.",
        "Your company may send {limit:,} requests per minute.",
        "Send the request again after the seconds in Retry-After, and send fewer per minute from then on.",
    ),
    Quota.UPLOADS: QuotaText(
        "Uploads at a time",
        "Files that are being sent at the same moment.",
        "Your company is already sending {used:,} of at most {limit:,} files at a time.",
        "Wait until one of them has arrived, then send this one again.",
    ),
    Quota.JOBS: QuotaText(
        "Jobs that haven't ended",
        "Jobs that wait, run or need to be confirmed.",
        "Your company has {used:,} of at most {limit:,} jobs that haven't ended.",
        "Wait until some have ended, or cancel those that you don't need. Then try again.",
    ),
    Quota.ROWS: QuotaText(
        "Rows per day",
        "Rows of files, and numbers of lists and selections. Days begin at 00:00 UTC.",
        "Your company has {left:,} of {limit:,} rows per day left, and this needs {requested:,}. Nothing was written.",
        "Have the file checked again, or send it again, once the next day has begun (00:00 UTC); or send fewer rows.",
    ),
    Quota.BYTES: QuotaText(
        "Stored files",
        "Uploaded files and files of exports, as long as they are kept.",
        "Your company stores {used:,} of at most {limit:,} bytes; there is no room for this file.",
        "Wait until older files have expired, or ask your provider for a higher limit.",
    ),
}


class QuotaExceededError(Exception):
    """A request or a job exceeds a quota of its tenant. `resets_at`: when more is possible again, if that is known."""

    def __init__(
        self, quota: Quota, limit: int, used: int, requested: int = 1, resets_at: datetime | None = None
    ) -> None:
        super().__init__(quota.value)
        self.quota = quota
        self.limit = limit
        self.used = used
        self.requested = requested
        self.resets_at = resets_at
