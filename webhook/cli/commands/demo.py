"""`numberyard demo`: one import from start to report, on servers of its own that stop with the command."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable
from pathlib import Path

import click

from webhook.cli.client import Api, Json
from webhook.cli.commands.report import save
from webhook.cli.commands.sample import write_sample
from webhook.cli.exit_codes import Exit, Failed
from webhook.cli.follow import follow
from webhook.cli.output import json_option
from webhook.cli.progress_views import open_view
from webhook.cli.session import Session
from webhook.cli.summary import lines
from webhook.cli.terminal import emit, note, print_line, safe
from worker.config.settings import get_settings
from worker.runtime.local_stack import Stack
from worker.runtime.processes.child import ServerError
from worker.runtime.processes.ports import free_port
from worker.storage import scratch


@click.command()
@click.option("--rows", type=click.IntRange(1, 10_000_000), default=100_000, show_default=True, help="Number of rows.")
@json_option
def demo(*, rows: int, as_json: bool) -> Exit:
    """Import a generated spreadsheet with realistic errors, and show the result."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    output_folder = Path(tempfile.mkdtemp(prefix="numberyard-demo-"))
    file, report = output_folder / "numbers.csv", output_folder / "report.csv"
    tell = note if as_json else print_line
    tell(f"Writing a spreadsheet of {rows:,} rows: {file}")
    write_sample(file, rows, seed=1)
    with scratch.folder() as folder:
        job = _import(folder, file, report, tell)
    if as_json:
        emit(job)
    else:
        for line in lines(job):
            print_line(line)
        print_line()
    tell(f"Report with a line for every row: {report}")
    # The demo shows failed rows on purpose, so they do not fail the demo.
    ended_well = job["status"] in {"completed", "completed_with_errors"}
    return Exit.OK if ended_well else Exit.UNEXPECTED


def _import(folder: Path, file: Path, report: Path, tell: Callable[[str], None]) -> Json:
    """Start everything, upload the file, follow its job, download the report, stop everything."""
    # Ignore the servers in the environment: a demo must not write to a database in use.
    apart = {"data_dir": folder, "database_url": None, "redis_url": None, "storage_url": None}
    settings = get_settings().model_copy(update=apart)
    tell("Starting PostgreSQL, Valkey, the web process and the workers ...")
    try:
        with Stack(settings, free_port()) as stack:
            stack.start(with_demo=True)
            reseller = next(account for account in stack.accounts if account["kind"] == "reseller")
            tell(f"Uploading as {safe(reseller['name'])} to {stack.url}")
            with Api(stack.url, reseller["token"]) as api:
                return _send(Session(api), file, report)
    except ServerError as error:
        raise Failed({"code": "CANNOT_START", "detail": str(error)}, Exit.UNEXPECTED) from error


def _send(session: Session, file: Path, report: Path) -> Json:
    size, sent = file.stat().st_size, 0
    with open_view() as view:

        def on_read(count: int) -> None:
            nonlocal sent
            sent += count
            view.uploading(sent, size)

        with file.open("rb") as content:
            job = session.api.upload(file.name, content, {}, on_read)
        job = follow(session, job, view)
    save(session, str(job["id"]), "all", "csv", report)
    return job
