"""`numberyard completion`: what a shell runs to complete commands, options and the ids of recent jobs."""

from __future__ import annotations

import contextlib
import sys

import click
from click.shell_completion import CompletionItem, get_completion_class

from webhook.cli.client import Api, ProblemError
from webhook.cli.connection import find_place
from webhook.cli.connection_errors import UnreachableError
from webhook.cli.console import note, safe, say
from webhook.cli.exit_codes import Ending, Exit

_VARIABLE = "_NUMBERYARD_COMPLETE"
_INSTALL = {
    "bash": "echo 'eval \"$(numberyard completion bash)\"' >> ~/.bashrc",
    "zsh": "echo 'eval \"$(numberyard completion zsh)\"' >> ~/.zshrc",
    "fish": "numberyard completion fish > ~/.config/fish/completions/numberyard.fish",
}
_JOBS = 20
# A shell that waits longer for a list seems to hang, in seconds.
_PATIENCE = 1.5


@click.command(
    help="Write what SHELL needs to complete commands, options and job ids.\n\n\b\nTo have it in every new shell:\n"
    + "\n".join(f"  {shell:<5} {line}" for shell, line in _INSTALL.items())
    + "\n\nbash must be 4.4 or later."
)
@click.argument("shell", type=click.Choice(list(_INSTALL)))
def completion(shell: str) -> Exit:
    """Write the script of a shell; on a terminal say how it is installed, too."""
    maker = get_completion_class(shell)
    if maker is None:
        raise click.UsageError(f"There is nothing for {shell}.")
    say(maker(click.Command("numberyard"), {}, "numberyard", _VARIABLE).source())
    if sys.stdout.isatty():
        note(f"To have it in every new shell: {_INSTALL[shell]}")
    return Exit.OK


def recent_jobs(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Ids of the latest jobs; nothing when they cannot be had at once. Never a word: the shell would show it."""
    with contextlib.suppress(click.ClickException, Ending, UnreachableError, ProblemError, OSError, ValueError):
        own = {name: ctx.params.get(name) for name in ("url", "token", "profile", "demo")}
        place = find_place(ctx.find_root(), own)
        with Api(place.url, place.token, patience=_PATIENCE) as api:
            jobs = api.pages("/v1/jobs", {}, _JOBS)["data"]
        return [
            CompletionItem(safe(job["id"]), help=f"{safe(job.get('kind'))} {safe(job.get('status'))}")
            for job in jobs
            if str(job.get("id")).startswith(incomplete)
        ]
    return []
