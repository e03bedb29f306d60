"""`numberyard assign`, `unassign`, `change` and `delete`: what is done to numbers that are there already."""

from __future__ import annotations

from typing import Any

import click

from webhook.cli.exit_codes import Exit
from webhook.cli.lookup import tenant_id, user_id
from webhook.cli.number_actions import Action, act, acts
from webhook.cli.session import Session, talks

ASSIGN = Action("assignments", "Assign")
UNASSIGN = Action("unassignments", "Take back", of_user=True)
CHANGE = Action("capability-changes", "Change")
DELETE = Action("deletions", "Delete", asks=True)
_SERVICE = "voice (a PBX user's number, a trunk user's Default DID), forwarded or sms"
_WORDS = {"on": "enable", "off": "disable"}
_expected_holder = click.option(
    "--expected-holder", metavar="NAME|ID", help="Leave alone numbers that this tenant does not hold any more."
)
_switch = click.Choice(list(_WORDS))


@click.command()
@click.option("--to", metavar="NAME|ID", help="The enterprise or reseller that gets them.")
@click.option("--user", metavar="EMAIL|NAME|ID", help="The user who gets them.")
@click.option("--service", help=f"What the user gets them for: {_SERVICE}.  [default: voice]")
@click.option(
    "--only-unassigned", is_flag=True, help="Leave alone numbers that a customer or another user has already."
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
    **given: Any,  # noqa: ANN401 - for `act`
) -> Exit:
    """Give numbers to an enterprise, a reseller or a user.

    A spreadsheet may say who gets each number: columns Enterprises and Resellers, User, Service.
    """
    if to is not None and (user is not None or service is not None):
        raise click.UsageError("--to goes with neither --user nor --service.")
    if to is None and user is None and given["file"] is None:
        raise click.UsageError("Say who gets the numbers: --to or --user.")
    chosen = {
        "tenant_id": tenant_id(session, to),
        "user_id": user_id(session, user),
        "service": service,
        "only_unassigned": only_unassigned or None,
        "expected_holder_id": tenant_id(session, expected_holder),
    }
    return act(session, ASSIGN, chosen, given)


@click.command()
@click.option("--user", metavar="EMAIL|NAME|ID", help="Only from this user.")
@click.option("--service", help=f"Only what it is used for: {_SERVICE}.")
@_expected_holder
@acts
@talks
def unassign(
    session: Session,
    *,
    user: str | None,
    service: str | None,
    expected_holder: str | None,
    **given: Any,  # noqa: ANN401 - for `act`
) -> Exit:
    """Take numbers back: your own users' from them, others from below you one level up."""
    chosen = {
        "user_id": user_id(session, user),
        "service": service,
        "expected_holder_id": tenant_id(session, expected_holder),
    }
    return act(session, UNASSIGN, chosen, given)


@click.command()
@click.option("--voice", type=_switch)
@click.option("--sms", type=_switch)
@click.option("--fax", type=_switch)
@click.option("--voice-carrier", metavar="NAME")
@click.option("--sms-carrier-profile", metavar="NAME")
@acts
@talks
def change(  # noqa: PLR0913 - options of the command
    session: Session,
    *,
    voice: str | None,
    sms: str | None,
    fax: str | None,
    voice_carrier: str | None,
    sms_carrier_profile: str | None,
    **given: Any,  # noqa: ANN401 - for `act`
) -> Exit:
    """Switch Voice, SMS and Fax of numbers, and choose their carriers. What is not named stays."""
    switches = {"voice": voice, "sms": sms, "fax": fax}
    chosen = {name: None if value is None else _WORDS[value] for name, value in switches.items()}
    chosen |= {"voice_carrier": voice_carrier, "sms_carrier_profile": sms_carrier_profile}
    if given["file"] is None and all(value is None for value in chosen.values()):
        raise click.UsageError("Say what is to be changed.")
    return act(session, CHANGE, chosen, given)


@click.command()
@acts
@talks
def delete(session: Session, **given: Any) -> Exit:  # noqa: ANN401 - for `act`
    """Delete numbers that you uploaded and that nobody was given. `numberyard undo` brings them back."""
    return act(session, DELETE, {}, given)
