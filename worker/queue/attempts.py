"""What is recorded of an attempt at a work item: its log line and its span, which name the request behind the job."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

import structlog

from worker.config import tracing
from worker.config.errors import reason_of
from worker.queue.leases import Lease

log = structlog.get_logger(__name__)


class AttemptOutcome(StrEnum):
    """How an attempt ended."""

    DONE = "done"
    FAILED = "failed"  # counts; the work item is tried again, or given up
    HELD_UP = "held_up"  # by a transient failure, which does not count
    GIVEN_UP = "given_up"
    LEASE_LOST = "lease_lost"


@dataclass
class Attempt:
    """An attempt; `reason`: why it failed."""

    outcome: AttemptOutcome = AttemptOutcome.DONE
    reason: str | None = None

    def end(self, outcome: AttemptOutcome, reason: str | None = None) -> None:
        """Set how it ended, if not well."""
        self.outcome, self.reason = outcome, reason


@contextmanager
def observed(lease: Lease) -> Iterator[Attempt]:
    """Name the work item in all log lines of the block and run it in a span; at its end, log one line."""
    names = {"job_id": lease.job_public_id, "phase": lease.phase.value, "item": lease.number}
    names |= {"tenant": lease.tenant_public_id}
    attributes = {f"numberyard.{name}": value for name, value in names.items()}
    attributes |= {"numberyard.rows": lease.rows, "numberyard.attempt": lease.attempt}
    attempt, began = Attempt(), time.perf_counter()
    with (
        structlog.contextvars.bound_contextvars(**names, **lease.origin.names()),
        tracing.span(f"work item {lease.phase}", tracing.Kind.CONSUMER, lease.origin.traceparent, attributes) as span,
    ):
        try:
            yield attempt
        except BaseException as error:
            attempt.end(AttemptOutcome.FAILED, reason_of(error))
            raise
        finally:
            _log_end(lease, attempt, time.perf_counter() - began)
            if span is not None:
                span.set("numberyard.outcome", attempt.outcome.value)
                if attempt.reason is not None:
                    span.fail(attempt.reason)


def _log_end(lease: Lease, attempt: Attempt, seconds: float) -> None:
    fields: dict[str, object] = {"rows": lease.rows, "attempt": lease.attempt, "outcome": attempt.outcome.value}
    fields["ms"] = _milliseconds(seconds)
    if lease.seconds:
        fields["stages"] = {stage.value: _milliseconds(spent) for stage, spent in lease.seconds.items()}
    if attempt.reason is not None:
        fields["reason"] = attempt.reason
    is_expected = attempt.outcome in {AttemptOutcome.DONE, AttemptOutcome.LEASE_LOST}
    (log.info if is_expected else log.warning)("work_item", **fields)


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 1)
