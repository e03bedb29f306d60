"""`numberyard assign`, `unassign`, `change` and `delete`: actions on existing numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from schemas.capabilities import ALL_LABELS, CAPABILITIES, CAPABILITY_NAMES
from schemas.job_kinds import JobKind
from webhook.cli.completion import sms_carrier_names, tenant_names, user_names, voice_carrier_names
from webhook.cli.exit_codes import Exit
from webhook.cli.lookup import tenant_id, user_id
from webhook.cli.number_actions import act, acts
from webhook.cli.session import Session, talks

_SERVICE = "voice (a PBX user's number, a trunk user's Default DID), forwarded or sms"
_WORDS = {"on": "enable", "off": "disable"}
_expected_holder = click.option(
    "--expected-holder",
    metavar="NAME|ID",
    shell_complete=tenant_names,
    help="Do not change numbers that this tenant no longer has.",
)


@click.command()
@click.option(
    "--to", metavar="NAME|ID", shell_complete=tenant_names, help="Enterprise or reseller to assign the numbers to."
)
@click.option("--user", metavar="EMAIL|NAME|ID", shell_complete=user_names, help="User to assign the numbers to.")
@click.option("--service", help=f"Service the user gets the numbers for: {_SERVICE}.  [default: voice]")
@click.option(
    "--only-unassigned", is_flag=True, help="Do not change numbers that a customer or another user already has."
)
@_expected_holder
@acts
@talks
def assign(  # noqa: PLR0913 - options of the command
    session: Session,
    *,
    to: str | None,
    user: str | None,
    service: str | None,
    only_unassigned: bool,
    expected_holder: str | None,
    **options: Any,  # noqa: ANN401 - for `act`
) -> Exit:
    """Assign numbers to an enterprise, a reseller or a user.

    A spreadsheet can name the target of each number in the columns Enterprises and Resellers, User and Service.
    """
    if to is not None and (user is not None or service is not None):
        raise click.UsageError("--to cannot be used with --user or --service.")
    if to is None and user is None and options["file"] is None:
        raise click.UsageError("Choose who gets the numbers: --to or --user.")
    action_fields = {
        "tenant_id": tenant_id(session, to),
        "user_id": user_id(session, user),
        "service": service,
        "only_unassigned": only_unassigned or None,
        "expected_holder_id": tenant_id(session, expected_holder),
    }
    return act(session, JobKind.ASSIGN, action_fields, options)


@click.command()
@click.option("--user", metavar="EMAIL|NAME|ID", shell_complete=user_names, help="Only from this user.")
@click.option("--service", help=f"Only for this service: {_SERVICE}.")
@_expected_holder
@acts
@talks
def unassign(
    session: Session,
    *,
    user: str | None,
    service: str | None,
    expected_holder: str | None,
    **options: Any,  # noqa: ANN401 - for `act`
) -> Exit:
    """Unassign numbers from your users, or from a tenant below you to the level above it."""
    action_fields = {
        "user_id": user_id(session, user),
        "service": service,
        "expected_holder_id": tenant_id(session, expected_holder),
    }
    return act(session, JobKind.UNASSIGN, action_fields, options)


def _switches(command: Callable[..., Exit]) -> Callable[..., Exit]:
    """Add an option for each capability to a command."""
    switch = click.Choice(list(_WORDS))
    for each in reversed(CAPABILITIES):
        command = click.option(f"--{each.name}", type=switch, help=f"Turn {each.label} on or off.")(command)
    return command


@click.command(
    help=f"Turn {ALL_LABELS} of numbers on or off, and set their carriers. Other values stay the same.",
)
@_switches
@click.option("--voice-carrier", metavar="NAME", shell_complete=voice_carrier_names, help="New voice carrier.")
@click.option(
    "--sms-carrier-profile", metavar="NAME", shell_complete=sms_carrier_names, help="New SMS carrier profile."
)
@acts
@talks
def change(
    session: Session,
    *,
    voice_carrier: str | None,
    sms_carrier_profile: str | None,
    **options: Any,  # noqa: ANN401 - the capabilities, and the options for `act`
) -> Exit:
    action_fields: dict[str, str | None] = {name: _WORDS.get(options.pop(name)) for name in CAPABILITY_NAMES}
    action_fields |= {"voice_carrier": voice_carrier, "sms_carrier_profile": sms_carrier_profile}
    if options["file"] is None and all(value is None for value in action_fields.values()):
        option_names = ", ".join(f"--{name.replace('_', '-')}" for name in action_fields)
        raise click.UsageError(f"Choose what to change: {option_names}.")
    return act(session, JobKind.CHANGE, action_fields, options)


@click.command()
@acts
@talks
def delete(session: Session, **options: Any) -> Exit:  # noqa: ANN401 - for `act`
    """Delete unassigned numbers that you uploaded. `numberyard undo` restores them."""
    return act(session, JobKind.DELETE, {}, options)
