"""Failpoints: named points at which a test can kill or stop a process, to prove that the work is recovered.

Unless `NUMBERYARD_FAULTS_DIR` is set, passing a point does nothing. Code between two points that leaves no trace
outside the process needs no point of its own.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Collection
from contextlib import suppress
from enum import StrEnum
from pathlib import Path

from worker.config.settings import get_settings


class Failpoint(StrEnum):
    """Every failpoint, in the order in which a file passes them."""

    ACCEPT_STORED = "accept.stored"
    ACCEPT_ENTERED = "accept.entered"
    ACCEPT_COMMITTED = "accept.committed"
    ACCEPT_ANNOUNCED = "accept.announced"
    CHECK_CLAIMED = "check.claimed"
    CHECK_READ = "check.read"
    CHECK_ROWS_STORED = "check.rows-stored"
    CHECK_CHUNK_STORED = "check.chunk-stored"
    READ_ENTERED = "read.entered"
    READ_COMMITTED = "read.committed"
    VALIDATE_CLAIMED = "validate.claimed"
    VALIDATE_STORED = "validate.stored"
    VALIDATE_ENTERED = "validate.entered"
    VALIDATE_COMMITTED = "validate.committed"
    CUT_CLAIMED = "cut.claimed"
    CORRECT_CLAIMED = "correct.claimed"
    CORRECT_STORED = "correct.stored"
    CORRECT_ENTERED = "correct.entered"
    CORRECT_COMMITTED = "correct.committed"
    PREVIEW_CLAIMED = "preview.claimed"
    CHECK_ENTERED = "check.entered"
    CHECK_COMMITTED = "check.committed"
    CHECK_ANNOUNCED = "check.announced"
    WRITE_CLAIMED = "write.claimed"
    WRITE_RESOLVED = "write.resolved"
    WRITE_REFUSED = "write.refused"
    WRITE_COPIED = "write.copied"
    WRITE_RESULT_STORED = "write.result-stored"
    WRITE_IMAGE_STORED = "write.image-stored"
    WRITE_ENTERED = "write.entered"
    WRITE_COMMITTED = "write.committed"
    WRITE_ANNOUNCED = "write.announced"
    HALVE_ENTERED = "halve.entered"
    HALVE_COMMITTED = "halve.committed"
    GIVE_UP_COMMITTED = "give-up.committed"
    REFUSE_COMMITTED = "refuse.committed"
    REPORT_CLAIMED = "report.claimed"
    REPORT_MERGED = "report.merged"
    MERGE_ENTERED = "merge.entered"
    MERGE_COMMITTED = "merge.committed"
    RENDER_CLAIMED = "render.claimed"
    REPORT_HALF_STORED = "report.half-stored"
    RENDER_STORED = "render.stored"
    RENDER_ENTERED = "render.entered"
    RENDER_COMMITTED = "render.committed"
    REPORT_STORED = "report.stored"
    REPORT_ENTERED = "report.entered"
    REPORT_COMMITTED = "report.committed"
    DECISION_COMMITTED = "decision.committed"
    SWEEP_ENTERED = "sweep.entered"
    SWEEP_COMMITTED = "sweep.committed"
    CALLBACK_CLAIMED = "callback.claimed"
    CALLBACK_ANSWERED = "callback.answered"
    CALLBACK_COMMITTED = "callback.committed"
    WEBHOOK_CLAIMED = "webhook.claimed"
    WEBHOOK_ANSWERED = "webhook.answered"
    WEBHOOK_COMMITTED = "webhook.committed"
    MAIL_CLAIMED = "mail.claimed"
    MAIL_SENT = "mail.sent"
    MAIL_COMMITTED = "mail.committed"
    WORKBOOK_CLAIMED = "workbook.claimed"
    WORKBOOK_STORED = "workbook.stored"
    WORKBOOK_ENTERED = "workbook.entered"
    WORKBOOK_COMMITTED = "workbook.committed"
    EXPORT_CLAIMED = "export.claimed"
    EXPORT_HALF_STORED = "export.half-stored"
    EXPORT_STORED = "export.stored"
    EXPORT_ENTERED = "export.entered"
    EXPORT_COMMITTED = "export.committed"


class Fault(StrEnum):
    """What happens to a process at a failpoint."""

    KILL = "kill"  # SIGKILL: as when memory runs out or the power fails
    STOP = "stop"  # SIGSTOP: as when a machine is suspended; the test can let it continue


def arm(folder: Path, point: Failpoint, fault: Fault, times: int = 1, number: int | None = None) -> None:
    """Arm a failpoint for the next `times` processes that pass it; with `number`, while processing that number."""
    for _ in range(times):
        armed = {"fault": fault, "number": number}
        part = folder / f".{point}-{os.urandom(8).hex()}"
        part.write_text(json.dumps(armed))
        part.rename(folder / f"{point}@{part.name[-16:]}")


def hit(point: Failpoint, numbers: Collection[int] = ()) -> None:
    """Pass a failpoint while processing these numbers (E.164 without the plus)."""
    folder = get_settings().faults_dir
    if folder is None:
        return
    for path in sorted(folder.glob(f"{point}@*")):
        with suppress(FileNotFoundError):
            armed = json.loads(path.read_text())
            if armed["number"] is None or armed["number"] in numbers:
                # Of several processes at the same point one is affected: only one rename of the file succeeds.
                path.rename(folder / f"met-{path.name}@{os.getpid()}")
                os.kill(os.getpid(), signal.SIGKILL if armed["fault"] == Fault.KILL else signal.SIGSTOP)
                return
