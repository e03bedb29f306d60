"""The table of commands, by task, and the text of `numberyard --help`. Imports none of the commands."""

from __future__ import annotations

from typing import NamedTuple

import click

from schemas.job_kinds import ACTIONS
from webhook.cli.exit_codes import MEANINGS


class Lazy(NamedTuple):
    """The module and name of a command, and its line in the help."""

    module: str
    name: str
    help: str


_TASKS: dict[str, dict[str, Lazy]] = {
    "Import numbers": {
        "upload": Lazy("webhook.cli.commands.upload", "upload", "Upload a spreadsheet of numbers."),
        "jobs": Lazy("webhook.cli.commands.jobs", "jobs", "List jobs, or show one and wait until it ends."),
        "report": Lazy("webhook.cli.commands.report", "report", "Download the result of every row."),
        "profiles": Lazy("webhook.cli.commands.profiles", "profiles", "Manage import profiles, one for each source."),
        "sample": Lazy("webhook.cli.commands.sample", "sample", "Write a realistic spreadsheet to try."),
    },
    "Control a job": {
        "confirm": Lazy("webhook.cli.commands.job_control", "confirm", "Run a job after its review."),
        "cancel": Lazy("webhook.cli.commands.job_control", "cancel", "Stop a job."),
        "recheck": Lazy(
            "webhook.cli.commands.recheck", "recheck", "Check a stored file again, as you say how to read it."
        ),
        "correct": Lazy("webhook.cli.commands.correct", "correct", "Correct rows of an upload under review."),
        "retry": Lazy("webhook.cli.commands.correct", "retry", "Review the failed rows of an ended upload again."),
        "undo": Lazy("webhook.cli.commands.job_control", "undo", "Reverse the changes of a job."),
    },
    "Work with numbers": {
        "numbers": Lazy("webhook.cli.commands.numbers", "numbers", "Search the inventory, or show one number."),
        "changes": Lazy("webhook.cli.commands.changes", "changes", "Follow the changes of the inventory."),
        "export": Lazy("webhook.cli.commands.export", "export", "Export numbers as CSV, JSON lines or Excel."),
        **{kind.value: Lazy("webhook.cli.commands.actions", kind.value, spec.help) for kind, spec in ACTIONS.items()},
    },
    "Accounts": {
        "tenants": Lazy("webhook.cli.commands.tenants", "tenants", "Manage resellers and enterprises."),
        "users": Lazy("webhook.cli.commands.users", "users", "Manage users and their numbers."),
        "carriers": Lazy("webhook.cli.commands.carriers", "carriers", "Manage carriers and default carriers."),
        "tokens": Lazy("webhook.cli.commands.tokens", "tokens", "Create, list and revoke API tokens."),
        "callbacks": Lazy(
            "webhook.cli.commands.callbacks",
            "callbacks",
            "List, inspect and resend callbacks; manage the secret.",
        ),
        "webhooks": Lazy("webhook.cli.commands.webhooks", "webhooks", "Manage subscriptions to events."),
    },
    "This program": {
        "login": Lazy("webhook.cli.commands.login", "login", "Save the service's URL and your token."),
        "completion": Lazy("webhook.cli.commands.completion", "completion", "Set up shell completion."),
    },
    "Run the service": {
        "up": Lazy("webhook.cli.commands.up", "up", "Run the whole service: servers, web, workers."),
        "demo": Lazy("webhook.cli.commands.demo", "demo", "Try one import, from start to report."),
        "init": Lazy("webhook.cli.commands.init", "init", "Create the Master Reseller and its first token."),
        "migrate": Lazy("webhook.cli.commands.migrate", "migrate", "Update the database tables to this version."),
        "doctor": Lazy("webhook.cli.commands.doctor", "doctor", "Check settings and servers."),
        "quotas": Lazy("webhook.cli.commands.quotas", "quotas", "Show and set the quotas of a tenant."),
        "verify": Lazy("webhook.cli.commands.verify", "verify", "Check that jobs, files and inventory agree."),
    },
}

COMMANDS: dict[str, Lazy] = {name: lazy for task in _TASKS.values() for name, lazy in task.items()}

_EXAMPLES = (
    ("numberyard login", "save URL and token"),
    ("numberyard upload numbers.xlsx --review", "check, review, confirm"),
    ("numberyard upload numbers.xlsx --report r.xlsx", "import, save the report"),
    ("numberyard jobs JOB_ID --watch", "follow a job"),
    ("numberyard numbers 1212 --status unassigned", "free numbers in +1 212"),
    ("numberyard export --country US --out us.csv", "export numbers to a file"),
    ("numberyard assign +12125550142 --to Acme", "assign a number"),
    ("numberyard jobs --since 2h --json", "output for programs"),
)
_WHENCE = """\
Commands look for the service's URL and your token in this order: --url and --token; --demo or --profile;
NUMBERYARD_URL and NUMBERYARD_TOKEN; the profile "default" of the configuration file, which `numberyard login` writes.
The default URL is http://127.0.0.1:8080. The token of a profile is sent only to that profile's URL."""


def write_commands(formatter: click.HelpFormatter) -> None:
    """Write the commands by task, in aligned columns."""
    width = max(map(len, COMMANDS))
    for task, commands in _TASKS.items():
        with formatter.section(task):
            formatter.write_dl([(f"{name:<{width}}", lazy.help) for name, lazy in commands.items()])


def write_ending(formatter: click.HelpFormatter) -> None:
    """Write the examples, the sources of URL and token, and the exit codes."""
    with formatter.section("Examples"):
        formatter.write_dl(_EXAMPLES, col_max=48)
    with formatter.section("URL and token"):
        formatter.write_text(_WHENCE)
    with formatter.section("Exit codes"):
        formatter.write_dl([(f"{code.value:>3}", meaning) for code, meaning in MEANINGS.items()])
