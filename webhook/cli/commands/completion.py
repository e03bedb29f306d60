"""`numberyard completion`: the script with which a shell completes commands, options and IDs of recent jobs."""

from __future__ import annotations

import contextlib
import sys

import click
from click.shell_completion import CompletionItem, get_completion_class

from webhook.cli.client import Api, ProblemError
from webhook.cli.connection import find_connection
from webhook.cli.connection_errors import UnreachableError
from webhook.cli.exit_codes import Ending, Exit
from webhook.cli.terminal import note, print_line, safe

_VARIABLE = "_NUMBERYARD_COMPLETE"
_INSTALL = {
    "bash": "echo 'eval \"$(numberyard completion bash)\"' >> ~/.bashrc",
    "zsh": "echo 'eval \"$(numberyard completion zsh)\"' >> ~/.zshrc",
    "fish": "numberyard completion fish > ~/.config/fish/completions/numberyard.fish",
}
_JOBS = 20
# Seconds to wait for the list of jobs; with a longer wait the shell seems to hang.
_PATIENCE = 1.5


@click.command(
    help="Print the completion script of SHELL: commands, options and job IDs.\n\n\b\nTo install it for new shells:\n"
    + "\n".join(f"  {shell:<5} {line}" for shell, line in _INSTALL.items())
    + "\n\nbash must be 4.4 or later."
)
@click.argument("shell", type=click.Choice(list(_INSTALL)))
def completion(shell: str) -> Exit:
    """Print the script of a shell; on a terminal also how to install it."""
    maker = get_completion_class(shell)
    if maker is None:
        raise click.UsageError(f"Completion is not available for {shell}.")
    print_line(maker(click.Command("numberyard"), {}, "numberyard", _VARIABLE).source())
    if sys.stdout.isatty():
        note(f"To install it for new shells: {_INSTALL[shell]}")
    return Exit.OK


def recent_jobs(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the IDs of the latest jobs; nothing if they are not available at once. Prints no error: shells show it."""
    with contextlib.suppress(click.ClickException, Ending, UnreachableError, ProblemError, OSError, ValueError):
        own = {name: ctx.params.get(name) for name in ("url", "token", "profile", "demo")}
        connection = find_connection(ctx.find_root(), own)
        with Api(connection.url, connection.token, patience=_PATIENCE) as api:
            jobs = api.pages("/v1/jobs", {}, _JOBS)["data"]
        return [
            CompletionItem(safe(job["id"]), help=f"{safe(job.get('kind'))} {safe(job.get('status'))}")
            for job in jobs
            if str(job.get("id")).startswith(incomplete)
        ]
    return []
