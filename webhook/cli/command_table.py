"""The table of commands, by task, and what `numberyard --help` says of them. Loads none of them."""

from __future__ import annotations

from typing import NamedTuple

import click

from webhook.cli.exit_codes import MEANINGS


class Lazy(NamedTuple):
    """Where a command is, and its line in the help."""

    module: str
    name: str
    help: str


_TASKS: dict[str, dict[str, Lazy]] = {
    "Bring numbers in": {
        "upload": Lazy("webhook.cli.commands.upload", "upload", "Send a spreadsheet of numbers."),
        "jobs": Lazy("webhook.cli.commands.jobs", "jobs", "List jobs, or show one and watch it to its end."),
        "report": Lazy("webhook.cli.commands.report", "report", "Fetch what became of every row."),
        "sample": Lazy("webhook.cli.commands.sample", "sample", "Write a realistic spreadsheet to try."),
    },
    "Decide about a job": {
        "confirm": Lazy("webhook.cli.commands.job_control", "confirm", "Carry out a job that was reviewed."),
        "cancel": Lazy("webhook.cli.commands.job_control", "cancel", "Stop a job."),
        "undo": Lazy("webhook.cli.commands.job_control", "undo", "Put back what a job did."),
    },
    "Work with numbers": {
        "numbers": Lazy("webhook.cli.commands.numbers", "numbers", "Search the inventory, or show one number."),
        "assign": Lazy(
            "webhook.cli.commands.actions", "assign", "Give numbers to an enterprise, a reseller or a user."
        ),
        "unassign": Lazy("webhook.cli.commands.actions", "unassign", "Take numbers back."),
        "change": Lazy("webhook.cli.commands.actions", "change", "Switch Voice, SMS and Fax, choose carriers."),
        "delete": Lazy("webhook.cli.commands.actions", "delete", "Delete numbers that nobody was given."),
    },
    "Accounts": {
        "tenants": Lazy("webhook.cli.commands.tenants", "tenants", "Resellers and enterprises."),
        "users": Lazy("webhook.cli.commands.users", "users", "Users and their numbers."),
        "carriers": Lazy("webhook.cli.commands.carriers", "carriers", "Carriers, and which are the defaults."),
        "tokens": Lazy("webhook.cli.commands.tokens", "tokens", "API tokens: make, list, revoke."),
        "callbacks": Lazy(
            "webhook.cli.commands.callbacks", "callbacks", "Callbacks: how they went, again, their secret."
        ),
    },
    "This program": {
        "login": Lazy("webhook.cli.commands.login", "login", "Keep the service's URL and your token."),
        "completion": Lazy(
            "webhook.cli.commands.completion", "completion", "Have the shell complete commands and options."
        ),
    },
    "Run the service": {
        "up": Lazy("webhook.cli.commands.up", "up", "Run everything: servers, web, workers."),
        "demo": Lazy("webhook.cli.commands.demo", "demo", "Show the main job once, from nothing to a report."),
        "init": Lazy("webhook.cli.commands.init", "init", "Make the Master Reseller and its first token."),
        "migrate": Lazy("webhook.cli.commands.migrate", "migrate", "Bring the database's tables to this version."),
    },
}

COMMANDS: dict[str, Lazy] = {name: lazy for task in _TASKS.values() for name, lazy in task.items()}

_EXAMPLES = (
    ("numberyard login", "keep URL and token"),
    ("numberyard upload numbers.xlsx --review", "check, look, decide"),
    ("numberyard upload numbers.xlsx --report r.xlsx", "import, save the report"),
    ("numberyard jobs JOB_ID --watch", "watch a job again"),
    ("numberyard numbers 1212 --status unassigned", "what is free in +1 212"),
    ("numberyard assign +12125550142 --to Acme", "give a number away"),
    ("numberyard jobs --json", "for programs"),
)
_WHENCE = """\
Commands that call the service look for its URL and for your token in this order: --url and --token; --demo or
--profile; NUMBERYARD_URL and NUMBERYARD_TOKEN; the profile "default" of the configuration file, which
`numberyard login` writes. The URL is http://127.0.0.1:8080 if nothing names another. The token of a profile is sent to
that profile's URL only."""


def write_commands(formatter: click.HelpFormatter) -> None:
    """The commands by task, in columns that line up over all of them."""
    width = max(map(len, COMMANDS))
    for task, commands in _TASKS.items():
        with formatter.section(task):
            formatter.write_dl([(f"{name:<{width}}", lazy.help) for name, lazy in commands.items()])


def write_ending(formatter: click.HelpFormatter) -> None:
    """Examples, where URL and token come from, the exit codes."""
    with formatter.section("Examples"):
        formatter.write_dl(_EXAMPLES, col_max=48)
    with formatter.section("URL and token"):
        formatter.write_text(_WHENCE)
    with formatter.section("Exit codes"):
        formatter.write_dl([(f"{code.value:>3}", meaning) for code, meaning in MEANINGS.items()])
