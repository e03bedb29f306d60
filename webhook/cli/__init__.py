"""The command line. Client commands speak the public HTTP API and nothing private; each is loaded only when it runs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, NamedTuple

import click

from webhook.cli.exits import Ending, Exit, epilog

DEFAULT_URL = "http://127.0.0.1:8080"


class _Lazy(NamedTuple):
    module: str
    name: str
    help: str


_COMMANDS: dict[str, _Lazy] = {
    "up": _Lazy("webhook.cli.up", "up", "Run the whole service: servers, web, workers."),
    "demo": _Lazy("webhook.cli.demo", "demo", "Show the main job once, from nothing to a report."),
    "upload": _Lazy("webhook.cli.upload", "upload", "Send a spreadsheet of numbers."),
    "assign": _Lazy("webhook.cli.actions", "assign", "Give numbers to an enterprise, a reseller or a user."),
    "unassign": _Lazy("webhook.cli.actions", "unassign", "Take numbers back."),
    "change": _Lazy("webhook.cli.actions", "change", "Switch Voice, SMS and Fax of numbers, choose carriers."),
    "delete": _Lazy("webhook.cli.actions", "delete", "Delete numbers that nobody was given."),
    "confirm": _Lazy("webhook.cli.control", "confirm", "Carry out a job that was reviewed."),
    "cancel": _Lazy("webhook.cli.control", "cancel", "Stop a job."),
    "undo": _Lazy("webhook.cli.control", "undo", "Put back what a job did."),
    "jobs": _Lazy("webhook.cli.jobs", "jobs", "List jobs, or show and follow one."),
    "report": _Lazy("webhook.cli.report", "report", "Fetch what became of every row."),
    "numbers": _Lazy("webhook.cli.numbers", "numbers", "Search the inventory, or show one number."),
    "tenants": _Lazy("webhook.cli.tenants", "tenants", "Resellers and enterprises: list, make, change, delete."),
    "users": _Lazy("webhook.cli.users", "users", "Users: list, make with numbers, change, delete."),
    "carriers": _Lazy("webhook.cli.carriers", "carriers", "Carriers: list, define, choose defaults, delete."),
    "tokens": _Lazy("webhook.cli.tokens", "tokens", "API tokens: list, make, revoke."),
    "callbacks": _Lazy("webhook.cli.callbacks", "callbacks", "Callbacks: how they went, again, their secret."),
    "sample": _Lazy("webhook.cli.sample", "sample", "Write a realistic sample spreadsheet."),
    "init": _Lazy("webhook.cli.init", "init", "Make the Master Reseller and its first token."),
    "migrate": _Lazy("webhook.cli.migrate", "migrate", "Bring the database's tables to this version."),
}


class _Main(click.Group):
    """The commands of `_COMMANDS`, imported on use, and one place where every ending gets its exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        lazy = _COMMANDS.get(cmd_name)
        if lazy is None:
            return None
        command: click.Command = getattr(import_module(lazy.module), lazy.name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        with formatter.section("Commands"):
            formatter.write_dl([(name, lazy.help) for name, lazy in _COMMANDS.items()])

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,  # noqa: FBT001, FBT002 - click's signature
        **extra: Any,  # noqa: ANN401 - click's signature
    ) -> Any:  # noqa: ANN401 - click's signature
        def run() -> int:
            result = super(_Main, self).main(args, prog_name, complete_var, standalone_mode=False, **extra)
            return int(result or Exit.OK)

        return sys.exit(_code_of(run)) if standalone_mode else run()


@click.group(cls=_Main, epilog=epilog(), context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--url", envvar="NUMBERYARD_URL", show_envvar=True, help=f"The service.  [default: {DEFAULT_URL}]")
@click.option("--token", envvar="NUMBERYARD_TOKEN", show_envvar=True, help="Your API token (nyk_...).")
@click.option("--demo", type=click.Path(), metavar="DIR", help="Take URL and token from DIR/demo.json.")
@click.version_option(package_name="numberyard")
def main(url: str | None, token: str | None, demo: str | None) -> None:
    """Numberyard: spreadsheets of phone numbers in, a result for every row out."""


def _code_of(run: Callable[[], int]) -> int:
    """Run a command; whatever ends it is said in a line or two and becomes an exit code."""
    try:
        return run()
    except Ending as ending:
        ending.show()
        return ending.code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return Exit.INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the last door: users get one line, never a traceback
        click.echo(f"INTERNAL_ERROR: {type(error).__name__}: {error}", err=True)
        return Exit.UNEXPECTED
