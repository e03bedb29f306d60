"""Callbacks, version 1: the payload, the deliveries, and the API resources. The names are a published contract.

Shapes only, as in `schemas.http.resources`; `schemas.callback_signing` defines the signature and the schedule.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.http.resources import Counts, ErrorCount, Problem
from schemas.http.tenants import PageQuery
from schemas.job_kinds import JobKind


class CallbackState(StrEnum):
    """The state of a callback: its job has not ended, it is being sent, it was delivered, it was abandoned."""

    WAITING = "waiting"
    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


class DeliveryResult(StrEnum):
    """The result of one delivery attempt. Error text of a library or of the receiver is never repeated."""

    DELIVERED = "DELIVERED"
    HTTP_ERROR = "HTTP_ERROR"
    GONE = "GONE"
    REDIRECTED = "REDIRECTED"
    REFUSED_ADDRESS = "REFUSED_ADDRESS"
    NOT_REACHED = "NOT_REACHED"
    TIMED_OUT = "TIMED_OUT"
    TLS_FAILED = "TLS_FAILED"
    NOT_HTTP = "NOT_HTTP"


RESULTS = {
    DeliveryResult.DELIVERED: "The receiver responded with a 2xx status.",
    DeliveryResult.HTTP_ERROR: "The receiver responded with another status; see `status`.",
    DeliveryResult.GONE: "The receiver responded with 410. Nothing more is sent.",
    DeliveryResult.REDIRECTED: "The receiver responded with a redirect that is not followed. Use the final address.",
    DeliveryResult.REFUSED_ADDRESS: "The host is or resolves to an address that is not allowed: private, loopback, ...",
    DeliveryResult.NOT_REACHED: "The host name was not found, the connection was refused, or it was lost.",
    DeliveryResult.TIMED_OUT: "The receiver did not respond in time.",
    DeliveryResult.TLS_FAILED: "No secure connection: the certificate is not valid for the host, or there is no TLS.",
    DeliveryResult.NOT_HTTP: "The response is not HTTP.",
}


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class EndedLinks(_Body):
    """Links from the job that has ended."""

    self: str


class EndedJob(_Body):
    """A summary of the job that has ended; the fields mean the same as in `Job`."""

    id: str
    kind: JobKind
    status: Literal["completed", "completed_with_errors", "failed", "cancelled"]
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime
    counts: Counts
    error_summary: list[ErrorCount]
    problem: Problem | None
    duplicate_of: str | None
    links: EndedLinks


class JobEnded(_Body):
    """The payload sent to a receiver when a job has ended. `timestamp` is the time when it ended."""

    type: Literal["job.completed", "job.completed_with_errors", "job.failed", "job.cancelled"]
    timestamp: datetime
    data: EndedJob


class Delivery(_Body):
    """One delivery attempt. `status` is the HTTP status of the receiver, null if there was no response."""

    at: datetime
    attempt: int
    result: DeliveryResult
    status: int | None
    duration_ms: int


class CallbackLinks(_Body):
    """Links to a callback and its job."""

    self: str
    job: str


class SentMessage(_Body):
    """What is known of any message to a receiver: of a callback, and of a message of a subscription."""

    id: str = Field(description="The `webhook-id` of every attempt.")
    attempts: int
    created_at: datetime
    next_attempt_at: datetime | None
    delivered_at: datetime | None
    failed_at: datetime | None


Deliveries = Annotated[list[Delivery], Field(description="At most 100.")]
ShownSecret = Annotated[
    str | None,
    Field(examples=["whsec_..."], description="Null in a response that is repeated for an `Idempotency-Key`."),
]


class Callback(SentMessage):
    """A callback. `next_attempt_at` is null while its job runs, and when there are no further attempts."""

    job_id: str
    url: str
    state: CallbackState
    links: CallbackLinks


class CallbackWithDeliveries(Callback):
    """A callback with its latest delivery attempts, newest last."""

    deliveries: Deliveries


class CallbackList(_Body):
    """A page of callbacks, newest first."""

    data: list[Callback]
    next_cursor: str | None


class CallbacksQuery(PageQuery):
    """Filter and page of a list of callbacks."""

    state: CallbackState | None = None


class CallbackSecret(_Body):
    """The secret that signs your callbacks. Until `previous_until`, the previous secret signs them too."""

    secret: ShownSecret
    created_at: datetime
    previous_until: datetime | None
