"""`numberyard completion`: the script with which a shell completes commands, options and their values."""

from __future__ import annotations

import sys

import click
from click.shell_completion import get_completion_class

from webhook.cli import COMPLETE_VARIABLE
from webhook.cli.completion import register
from webhook.cli.exit_codes import Exit
from webhook.cli.terminal import note, print_line

_INSTALL = {
    "bash": "echo 'eval \"$(numberyard completion bash)\"' >> ~/.bashrc",
    "zsh": "echo 'eval \"$(numberyard completion zsh)\"' >> ~/.zshrc",
    "fish": "numberyard completion fish > ~/.config/fish/completions/numberyard.fish",
}


@click.command(
    help="Print the completion script of SHELL: commands, options and their values.\n\n"
    "With a service also IDs of jobs, and names of tenants, users, carriers and profiles.\n\n"
    "\b\nTo install it for new shells:\n"
    + "\n".join(f"  {shell:<5} {line}" for shell, line in _INSTALL.items())
    + "\n\nbash must be 4.4 or later."
)
@click.argument("shell", type=click.Choice(list(_INSTALL)))
def completion(shell: str) -> Exit:
    """Print the script of a shell; on a terminal also how to install it."""
    register()
    maker = get_completion_class(shell)
    if maker is None:
        raise click.UsageError(f"Completion is not available for {shell}.")
    print_line(maker(click.Command("numberyard"), {}, "numberyard", COMPLETE_VARIABLE).source())
    if sys.stdout.isatty():
        note(f"To install it for new shells: {_INSTALL[shell]}")
    return Exit.OK
