"""The options that filter numbers, shared by the commands that list and that export them."""

from __future__ import annotations

from collections.abc import Callable

import click

from schemas.capabilities import CAPABILITY_NAMES
from webhook.cli.completion import carrier_names, tenant_names
from webhook.cli.exit_codes import Exit
from webhook.cli.option_types import Moment

_OPTIONS = (
    click.option("--status", type=click.Choice(["unassigned", "assigned"]), help="Assigned to anyone or not."),
    click.option("--capability", type=click.Choice(CAPABILITY_NAMES), help="An enabled capability."),
    click.option("--country", metavar="US", help="A country or a calling code."),
    click.option(
        "--carrier", metavar="NAME", shell_complete=carrier_names, help="A voice carrier or SMS carrier profile."
    ),
    click.option(
        "--tenant",
        "--tenant-id",
        metavar="NAME|ID",
        shell_complete=tenant_names,
        help="Enterprise or reseller that has the numbers.",
    ),
    click.option("--ends-with", metavar="DIGITS", help="The last four digits or more."),
    click.option("--user-kind", type=click.Choice(["pbx", "trunk"]), help="Kind of the user who has the number."),
    click.option(
        "--updated-since", type=Moment(), metavar="TIME", help="Changed at TIME or later: 2h, 3d, 2026-11-01[T09:00Z]."
    ),
)


def filter_options(command: Callable[..., Exit]) -> Callable[..., Exit]:
    """Add the options to a command; it gets `tenant` as it was entered, the others as the API takes them."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
