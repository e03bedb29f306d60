"""`numberyard recheck`: checks the stored file of an upload again under other columns or options."""

from __future__ import annotations

from pathlib import Path

import click

from schemas.jobs import Accept
from webhook.cli.client import Json
from webhook.cli.completion import profile_names, recent_jobs
from webhook.cli.exit_codes import Exit
from webhook.cli.option_types import JsonFile
from webhook.cli.session import Session, talks
from webhook.cli.submit import check_report, number_format_option, report_option, run_job, text_options


@click.command()
@click.argument("job_id", metavar="JOB_ID", shell_complete=recent_jobs)
@click.option("--mapping", type=JsonFile(), metavar="FILE", help="JSON file that says which column is which.")
@click.option(
    "--import-profile",
    "profile",
    metavar="NAME|ID",
    shell_complete=profile_names,
    help="Import profile to read the file with.",
)
@click.option("--save-profile", metavar="NAME", help="Save the mapping as an import profile.")
@click.option(
    "--accept",
    type=click.Choice([choice.value for choice in Accept]),
    help="valid: number in a known range; possible: right length only.",
)
@number_format_option
@text_options
@report_option
@talks
def recheck(
    session: Session,
    *,
    job_id: str,
    report_path: Path | None,
    mapping: tuple[Path, Json] | None,
    **options: str | int | None,
) -> Exit:
    """Check the file of JOB_ID again, without sending it. What is not given stays as it was.

    JOB_ID is an upload under review, or one that failed or was cancelled: then a new job reads the file.
    """
    check_report(report_path)
    body: Json = {name: value for name, value in options.items() if value is not None}
    if mapping is not None:
        body["mapping"] = mapping[1]
    return run_job(session, lambda _: session.api.recheck(job_id, body), report_path, wait=True)
