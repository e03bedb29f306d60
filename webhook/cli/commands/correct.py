"""`numberyard correct` and `retry`: correct rows of an upload under review, and review failed rows again (R33)."""

from __future__ import annotations

from pathlib import Path

import click

from webhook.cli.client import Json
from webhook.cli.completion import recent_jobs
from webhook.cli.exit_codes import Exit
from webhook.cli.fields import check_fields
from webhook.cli.option_types import JsonFile
from webhook.cli.resources import Listing, show_resource
from webhook.cli.session import Session, talks
from webhook.cli.submit import check_report, report_option, run_job
from webhook.cli.terminal import print_line, safe

_PREVIEW = Listing(
    "corrections/preview",
    "schemas.http.corrections:CorrectionPreview",
    ("Rules", "Rows"),
    lambda preview: (preview["rules"], preview["rows"]),
)
_job = click.argument("job_id", metavar="JOB_ID", shell_complete=recent_jobs)


@click.command()
@_job
@click.argument("correction", type=JsonFile(), metavar="FILE")
@click.option("--preview", is_flag=True, help="Only say how many rows each rule would make right.")
@report_option
@talks
def correct(
    session: Session, *, job_id: str, correction: tuple[Path, Json], preview: bool, report_path: Path | None
) -> Exit:
    """Correct rows of JOB_ID, an upload under review, as the JSON file FILE says, and check them again.

    FILE has rules, cells and leave_out, as POST /v1/jobs/{id}/corrections takes them. The uploaded file stays as it is.
    """
    check_report(report_path)
    if preview:
        check_fields(session.output.fields, _PREVIEW.model)
        return _show(session, session.api.preview_correction(job_id, correction[1]))
    return run_job(session, lambda _: session.api.correct(job_id, correction[1]), report_path, wait=True)


def _show(session: Session, found: Json) -> Exit:
    if not session.output.is_text:
        return show_resource(session, found, _PREVIEW)
    for number, rule in enumerate(found["rules"], start=1):
        print_line(f"Rule {number}: {rule['rows']:,} rows, {rule['right']:,} of them would be right.")
    for row in found["rows"]:
        print_line(f"Row {row['row']:,}: " + ("would be right." if row["right"] else safe(row["message"])))
    return Exit.OK


@click.command()
@_job
@report_option
@talks
def retry(session: Session, *, job_id: str, report_path: Path | None) -> Exit:
    """Take the failed rows of JOB_ID, an upload that has ended, into a new review. No file is sent."""
    check_report(report_path)
    return run_job(session, lambda _: session.api.decide(job_id, "retry"), report_path, wait=True)
