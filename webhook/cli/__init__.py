"""The command line. Client commands use only the public HTTP API. Each command is imported only when it runs."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import click
from click.shell_completion import CompletionItem

from webhook.cli.command_table import COMMANDS, write_commands, write_ending
from webhook.cli.exit_codes import Ending, Exit
from webhook.cli.terminal import silence_broken_pipe, tolerate_narrow_encodings

DEFAULT_URL = "http://127.0.0.1:8080"


class _Main(click.Group):
    """The commands of `COMMANDS`, imported on use. Gives every way to end a command its exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        lazy = COMMANDS.get(cmd_name)
        if lazy is None:
            return None
        command: click.Command = getattr(import_module(lazy.module), lazy.name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        near = difflib.get_close_matches(args[0], COMMANDS, n=1)
        if near and args[0] not in COMMANDS and not ctx.resilient_parsing:
            ctx.fail(f"No such command “{args[0]}”. Did you mean “{near[0]}”?")
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete as click does, but without importing every command for its line of help."""
        items = [CompletionItem(name, help=lazy.help) for name, lazy in COMMANDS.items() if name.startswith(incomplete)]
        return items + click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        write_commands(formatter)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        write_ending(formatter)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's signature
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            # click would report success.
            raise CutOffError from None

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,  # noqa: FBT001, FBT002 - click's signature
        **extra: Any,  # noqa: ANN401 - click's signature
    ) -> Any:  # noqa: ANN401 - click's signature
        def run() -> int:
            tolerate_narrow_encodings()
            result = super(_Main, self).main(args, prog_name, complete_var, standalone_mode=False, **extra)
            return int(result or Exit.OK)

        return sys.exit(_code_of(run)) if standalone_mode else run()


class CutOffError(Ending):
    """The reader of stdout closed it (EPIPE)."""

    def __init__(self) -> None:
        super().__init__(Exit.CUT_OFF)

    def show(self) -> None:
        silence_broken_pipe()


@click.group(cls=_Main, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--url", envvar="NUMBERYARD_URL", metavar="URL", help="URL of the service.")
@click.option("--token", envvar="NUMBERYARD_TOKEN", metavar="TOKEN", help="Your API token (nyk_...).")
@click.option(
    "--profile",
    envvar="NUMBERYARD_PROFILE",
    metavar="NAME",
    help="Take URL and token from this profile of the configuration file.",
)
@click.option("--demo", type=click.Path(), metavar="DIR", help="Take URL and token from DIR/demo.json.")
@click.option(
    "--config",
    type=click.Path(),
    envvar="NUMBERYARD_CONFIG",
    metavar="FILE",
    help="Configuration file.  [default: ~/.config/numberyard/config.toml, or your system's usual folder]",
)
@click.version_option(package_name="numberyard")
def main(**_places: str | None) -> None:
    """Numberyard: import spreadsheets of phone numbers and get a result for every row."""


def _code_of(run: Callable[[], int]) -> int:
    """Run a command. Print a line or two about any exception and return the exit code."""
    try:
        return run()
    except Ending as ending:
        ending.show()
        return ending.code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("Stopped.", err=True)
        return Exit.INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the last handler: users get one line, never a traceback
        click.echo(f"INTERNAL_ERROR: {type(error).__name__}: {error}", err=True)
        return Exit.UNEXPECTED
