"""Callbacks, version 1: what a receiver is sent, how it went, and what the API tells of it. The names are a contract.

Shapes only, as in `schemas.http.resources`; signing and the schedule are told in `schemas.callback_signing`.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.http.resources import Counts, ErrorCount, Problem


class CallbackState(StrEnum):
    """How far a callback is: its job runs, it is being sent, it got there, it was given up."""

    WAITING = "waiting"
    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


class DeliveryResult(StrEnum):
    """How one try went. Words of ours: what a library or a stranger's server says is never repeated."""

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
    DeliveryResult.DELIVERED: "The receiver answered 2xx.",
    DeliveryResult.HTTP_ERROR: "It answered something else; see the status.",
    DeliveryResult.GONE: "It answered 410: nothing more is sent.",
    DeliveryResult.REDIRECTED: "It answered with a redirect that is not followed. Give the final address.",
    DeliveryResult.REFUSED_ADDRESS: "The host is, or stands for, an address that is not called: private, loopback, ...",
    DeliveryResult.NOT_REACHED: "The name is not known, nobody listens, or the connection broke.",
    DeliveryResult.TIMED_OUT: "It did not answer in time.",
    DeliveryResult.TLS_FAILED: "No secure connection: its certificate is not valid for the host, or it speaks no TLS.",
    DeliveryResult.NOT_HTTP: "What it answered is no HTTP.",
}


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class EndedLinks(_Body):
    """Where to go on from an ended job."""

    self: str


class EndedJob(_Body):
    """The job that has ended, in short; the fields mean what they do in a job of the API."""

    id: str
    kind: str
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
    """What a receiver is sent when a job has ended. `timestamp` is when it did."""

    type: Literal["job.completed", "job.completed_with_errors", "job.failed", "job.cancelled"]
    timestamp: datetime
    data: EndedJob


class Delivery(_Body):
    """One try. `status` is the receiver's, null if it answered none."""

    at: datetime
    attempt: int
    result: DeliveryResult
    status: int | None
    duration_ms: int


class CallbackLinks(_Body):
    """Where a callback and its job are."""

    self: str
    job: str


class Callback(_Body):
    """A callback. `next_attempt_at` is null while its job runs, and when there will be no further try."""

    id: str = Field(description="the `webhook-id` of every try")
    job_id: str
    url: str
    state: CallbackState
    attempts: int
    created_at: datetime
    next_attempt_at: datetime | None
    delivered_at: datetime | None
    failed_at: datetime | None
    links: CallbackLinks


class CallbackWithDeliveries(Callback):
    """A callback, and the latest of its tries, newest last."""

    deliveries: list[Delivery] = Field(description="At most 100.")


class CallbackList(_Body):
    """A page of callbacks, newest first."""

    data: list[Callback]
    next_cursor: str | None


class CallbacksQuery(_Body):
    """Which callbacks."""

    state: CallbackState | None = None
    limit: int = Field(50, ge=1, le=200)
    cursor: str | None = None


class CallbackSecret(_Body):
    """What your callbacks are signed with. Until `previous_until` the secret before it signs them, too."""

    secret: str = Field(examples=["whsec_..."])
    created_at: datetime
    previous_until: datetime | None
