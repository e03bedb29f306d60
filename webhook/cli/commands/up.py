"""`numberyard up`: runs the whole service in one command, until Ctrl-C."""

from __future__ import annotations

import logging
from pathlib import Path

import click

from webhook.cli.exit_codes import Exit, Failed
from webhook.cli.output import json_option
from webhook.cli.terminal import emit, print_line, safe
from worker.config.settings import get_settings
from worker.runtime.local_stack import Stack
from worker.runtime.processes.child import ServerError


@click.command()
@click.option("--data", type=click.Path(file_okay=False, path_type=Path), help="Folder for all data.  [default: var]")
@click.option("--port", type=click.IntRange(1, 65535), default=8080, show_default=True, help="Port of the service.")
@click.option("--workers", type=click.IntRange(1), help="Worker processes.  [default: 2]")
@json_option
@click.option("--demo", is_flag=True, help="Create a few sample accounts to try, and write DATA/demo.json.")
def up(*, data: Path | None, port: int, workers: int | None, demo: bool, as_json: bool) -> Exit:
    """Run the whole service: servers, web, workers.

    Without NUMBERYARD_DATABASE_URL and NUMBERYARD_REDIS_URL it starts its own PostgreSQL and Valkey in the data folder.
    Crashed processes are restarted. Ctrl-C finishes the current work and stops everything.
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    overrides = {"data_dir": data, "workers": workers}
    settings = get_settings().model_copy(update={name: value for name, value in overrides.items() if value is not None})
    try:
        with Stack(settings, port) as stack:
            stack.start(with_demo=demo)
            _greet(stack, demo=demo, as_json=as_json)
            stack.run_forever()
    except ServerError as error:
        raise Failed({"code": "CANNOT_START", "detail": str(error)}, Exit.UNEXPECTED) from error
    return Exit.OK


def _greet(stack: Stack, *, demo: bool, as_json: bool) -> None:
    if as_json:
        accounts = str(stack.folder / "demo.json") if demo else None
        emit({"url": stack.url, "data": str(stack.folder), "demo": accounts})
        return
    print_line(f"Numberyard is running at {stack.url} (API reference: {stack.url}/docs)")
    if demo:
        _show_accounts(stack)
    else:
        print_line(
            f"To create the first account and token, stop this and run: numberyard init --data {stack.folder} \\"
        )
        print_line("    --name COMPANY --email YOU@EXAMPLE.COM")
    print_line("Press Ctrl-C to stop.")


def _show_accounts(stack: Stack) -> None:
    """Print the accounts and the file that keeps them, because terminals scroll."""
    print_line()
    print_line("Sign in with one of these accounts:")
    wide = max((len(safe(account["email"])) for account in stack.accounts), default=0)
    for account in stack.accounts:
        kind = account["kind"].replace("_", " ")
        print_line(f"  {safe(account['email']):<{wide}}  {safe(account['password'])}  {safe(account['name'])}, {kind}")
    print_line(f"These accounts and their API tokens are saved in {stack.folder / 'demo.json'}")
    print_line()
