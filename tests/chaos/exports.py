"""Exports whose workers are killed: each is made all the same, once, and has what the direct download has."""

from __future__ import annotations

from schemas.exports import ExportFormat
from tests.chaos import files
from tests.chaos.attacks import Done, Size, attack
from tests.chaos.stand import Stand
from worker.config.failpoints import Failpoint

POINTS = (
    Failpoint.EXPORT_CLAIMED,
    Failpoint.EXPORT_HALF_STORED,
    Failpoint.EXPORT_STORED,
    Failpoint.EXPORT_ENTERED,
    Failpoint.EXPORT_COMMITTED,
)
WRITTEN = "SELECT count(*) FROM job_chunks WHERE job_id = :job AND phase = 'export' AND state = 'done'"


@attack(f"export killed at {', '.join(POINTS)}")
def export_killed(stand: Stand, size: Size) -> Done:
    """Each process dies at its point, once, whichever of the exports it writes."""
    upload = stand.send(files.mixed(stand.numbers, size.rows, stand.dice))
    stand.ended(upload)
    for point in POINTS:
        stand.arm(point)
    exports = [stand.send(None, "/v1/exports", judged=False, format=ending.value) for ending in ExportFormat]
    ended = [stand.ended(one) for one in exports]
    for point in POINTS:
        stand.wait_met(point)
    for sent, job in zip(exports, ended, strict=True):
        assert job["status"] == "completed", job
        content = stand.get(job["links"]["file"]).content
        assert len(content) == job["export"]["size"]
        if job["export"]["format"] != ExportFormat.XLSX:
            assert content == stand.get(f"/v1/numbers.{job['export']['format']}").content
        assert stand.ask(WRITTEN, job=stand.job_row(sent))[0].count == 1
        folder = stand.folder / "data" / "files" / "jobs" / sent.job_id
        assert len(list(folder.glob("export-*"))) == 1
    return Done([upload, *exports], len(POINTS))
