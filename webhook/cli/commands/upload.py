"""`numberyard upload`: uploads a file from disk and optionally follows its job to the end."""

from __future__ import annotations

import json
from pathlib import Path

import click

from schemas.jobs import Accept, OnExisting
from webhook.cli.client import Json
from webhook.cli.completion import profile_names as import_profile_names
from webhook.cli.completion import sms_carrier_names, tenant_names, voice_carrier_names
from webhook.cli.exit_codes import Exit
from webhook.cli.lookup import tenant_id
from webhook.cli.option_types import JsonFile
from webhook.cli.session import Session, talks
from webhook.cli.spreadsheets import Spreadsheet
from webhook.cli.submit import (
    callback_option,
    check_report,
    file_options,
    number_format_option,
    on_error_option,
    report_option,
    review_option,
    run_job,
    send_file,
)


@click.command()
@click.argument("file", type=Spreadsheet(), metavar="FILE|-")
@click.option("--name", metavar="NAME", help="File name to show for the upload.  [default: that of FILE]")
@click.option("--watch", is_flag=True, help="Wait for the job to end and show the result.")
@click.option(
    "--voice-carrier", metavar="NAME", shell_complete=voice_carrier_names, help="Voice carrier for rows that name none."
)
@click.option(
    "--sms-carrier-profile",
    metavar="NAME",
    shell_complete=sms_carrier_names,
    help="SMS carrier profile for rows that name none.",
)
@click.option(
    "--assign-to",
    metavar="NAME|ID",
    shell_complete=tenant_names,
    help="Enterprise or reseller to assign the numbers to.",
)
@click.option(
    "--on-existing",
    type=click.Choice([choice.value for choice in OnExisting]),
    help="What to do with numbers you already have.",
)
@click.option(
    "--only-unassigned",
    is_flag=True,
    help="With --on-existing update: do not change numbers that another customer already has.",
)
@click.option(
    "--accept",
    type=click.Choice([choice.value for choice in Accept]),
    help="valid: number in a known range; possible: right length only.",
)
@click.option(
    "--import-profile",
    "profile_name",
    metavar="NAME|ID",
    shell_complete=import_profile_names,
    help="Import profile to read the file with; none: never use one.  [default: the one with the file's column names]",
)
@click.option("--mapping", type=JsonFile(), metavar="FILE", help="JSON file that says which column is which.")
@number_format_option
@file_options
@review_option
@on_error_option
@callback_option
@report_option
@talks
def upload(  # noqa: PLR0913 - options of the command
    session: Session,
    file: Path,
    *,
    name: str | None,
    watch: bool,
    review: bool,
    report_path: Path | None,
    assign_to: str | None,
    only_unassigned: bool,
    profile_name: str | None,
    mapping: tuple[Path, Json] | None,
    **fields: str | int | None,
) -> Exit:
    """Upload a spreadsheet of numbers: CSV, Excel or OpenDocument, compressed or not; - is standard input.

    Ctrl-C while waiting leaves the job running. The extension of PATH sets the report's format: .csv, .jsonl or .xlsx.
    --review waits until the file is checked, shows the expected result and, on a terminal, asks you to confirm.
    """
    check_report(report_path)
    form = fields | {"assign_to": tenant_id(session, assign_to), "mode": "review" if review else None}
    form |= {"only_unassigned": only_unassigned or None, "profile": profile_name}
    form |= {"mapping": None if mapping is None else json.dumps(mapping[1])}
    wait = watch or review or report_path is not None
    return run_job(session, lambda view: send_file(session, view, file, form, name=name), report_path, wait=wait)
