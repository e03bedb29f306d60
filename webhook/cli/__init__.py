"""The command line. Client commands use only the public HTTP API. Each command is imported only when it runs."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import click
from click.shell_completion import CompletionItem

from webhook.cli.command_table import COMMANDS, write_commands, write_ending
from webhook.cli.exit_codes import Exit
from webhook.cli.output import start, style_options
from webhook.cli.problems import CutOffError, code_of
from webhook.cli.terminal import open_missing_streams, silence, tolerate_narrow_encodings

COMPLETE_VARIABLE = "_NUMBERYARD_COMPLETE"
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

    def make_context(self, *words: Any, **more: Any) -> click.Context:  # noqa: ANN401 - click's signature
        with _keeping_broken_pipes():
            return super().make_context(*words, **more)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's signature
        with _keeping_broken_pipes():
            return super().invoke(ctx)

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,  # noqa: FBT001, FBT002 - click's signature
        **extra: Any,  # noqa: ANN401 - click's signature
    ) -> Any:  # noqa: ANN401 - click's signature
        words = sys.argv[1:] if args is None else list(args)

        def run() -> int:
            result = super(_Main, self).main(words, prog_name, complete_var, standalone_mode=False, **extra)
            sys.stdout.flush()
            return int(result or Exit.OK)

        if not standalone_mode:
            return run()
        open_missing_streams()
        if COMPLETE_VARIABLE in os.environ:
            silence(sys.stderr)  # a shell would show it in the middle of the line
        machine = start(words)
        tolerate_narrow_encodings()
        return sys.exit(code_of(run, machine))


@contextmanager
def _keeping_broken_pipes() -> Iterator[None]:
    """Hide a broken pipe from click, which would end with another exit code."""
    try:
        yield
    except BrokenPipeError:
        raise CutOffError from None


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
@style_options
@click.version_option(package_name="numberyard")
def main(**_places: str | None) -> None:
    """Numberyard: import spreadsheets of phone numbers and get a result for every row."""
