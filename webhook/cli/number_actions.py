"""What the actions have in common: which numbers are meant, whether it is meant so, and the job to its end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from schemas.http.file_options import FileForm
from webhook.cli.client import Json
from webhook.cli.console import is_asked, note, number, safe
from webhook.cli.exit_codes import Ending, Exit
from webhook.cli.lookup import tenant_id
from webhook.cli.progress_views import View
from webhook.cli.session import Session
from webhook.cli.submit import (
    Fields,
    Spreadsheet,
    callback_option,
    carry,
    check_report,
    hints,
    number_format_option,
    on_error_option,
    report_option,
    review_option,
    send_file,
)

_FILTERS = ("q", "status", "capability", "country", "carrier", "tenant")
_FIELDS = ("on_error", "callback_url", "country_code", "number_format")  # sent as they are
_OPTIONS = (
    click.argument("numbers", nargs=-1, metavar="[NUMBERS]..."),
    click.option("--file", type=Spreadsheet(), help="The numbers of a spreadsheet with the column Phone Number."),
    click.option(
        "--country-code",
        metavar="US",
        help="The country of numbers that name none and begin with neither + nor 00: a calling code or a country.",
    ),
    number_format_option,
    click.option(
        "--all", "is_all", is_flag=True, help="All your numbers, or those that the next options narrow them to."
    ),
    click.option(
        "--q",
        metavar="DIGITS",
        help="With --all: how the number begins: with + or 00 the international number, else also the national one in "
        "any country.",
    ),
    click.option(
        "--status", type=click.Choice(["unassigned", "assigned"]), help="With --all: given to somebody or not."
    ),
    click.option("--capability", type=click.Choice(["voice", "sms", "fax"]), help="With --all: what they can do."),
    click.option("--country", metavar="US", help="With --all: a country or a calling code."),
    click.option("--carrier", metavar="NAME", help="With --all: their voice carrier or SMS carrier profile."),
    click.option("--tenant", metavar="NAME|ID", help="With --all: the enterprise or reseller that holds them."),
    click.option("--expected-count", type=click.IntRange(min=0), help="With --all: only if just so many match."),
    review_option,
    on_error_option,
    callback_option,
    click.option("--yes", is_flag=True, help="Do not ask."),
    click.option("--no-wait", is_flag=True, help="Leave when the job is queued; do not wait for its end."),
    report_option,
)


def acts(command: Callable[..., Exit]) -> Callable[..., Exit]:
    """Give a command the numbers and the options that every action has; it gets them as keywords for `act`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return hints(command)


@dataclass(frozen=True)
class Action:
    """`path` in the API, and the verb for questions; `asks`: before anything is done, however few numbers (R26).

    `of_user`: the user that is named has the numbers already, which narrows them.
    """

    path: str
    verb: str
    asks: bool = False
    of_user: bool = False


def act(session: Session, action: Action, chosen: Fields, given: dict[str, Any]) -> Exit:
    """Do it to the numbers meant; `chosen` is what the action is told, `given` the options of `acts`."""
    _check(given)
    mode = "review" if given["review"] else None
    fields = {**chosen, "mode": mode, **{name: given[name] for name in _FIELDS}}
    if given["file"]:
        _ask(action, given, f"the numbers in {safe(given['file'].name)}", as_json=session.as_json)
        told = {name: given[name] for name in FileForm.model_fields}
        send = _sends_file(session, action, given["file"], fields | told)
    else:
        which = _selected(session, action, chosen, given) if given["is_all"] else {"numbers": list(given["numbers"])}
        count = which.get("expected_count", len(given["numbers"]))
        _ask(action, given, f"{number(count)} number{'' if count == 1 else 's'}", as_json=session.as_json)
        body = which | {name: value for name, value in fields.items() if value is not None}
        send = _sends_body(session, action, body)
    return carry(session, send, given["report_path"], wait=not given["no_wait"])


def _check(given: Mapping[str, Any]) -> None:
    if sum(map(bool, (given["numbers"], given["file"], given["is_all"]))) != 1:
        raise click.UsageError("Say which numbers: NUMBERS, or --file FILE, or --all.")
    if not given["is_all"] and any(given[name] is not None for name in (*_FILTERS, "expected_count")):
        hint = " The country that numbers are written in is --country-code." if given["country"] is not None else ""
        raise click.UsageError(f"What narrows the numbers, and --expected-count, go with --all.{hint}")
    if not given["file"] and any(given[name] is not None for name in FileForm.model_fields):
        raise click.UsageError("--delimiter, --encoding, --sheet, --header-row and --parent go with --file.")
    if given["report_path"] and given["no_wait"]:
        raise click.UsageError("--report waits, --no-wait does not.")
    check_report(given["report_path"])


def _selected(session: Session, action: Action, chosen: Fields, given: Mapping[str, Any]) -> Json:
    """The filter, and how many numbers match it now: the service acts only if it is still as many."""
    wanted = {name: given[name] for name in _FILTERS if name != "tenant"}
    wanted["tenant_id"] = tenant_id(session, given["tenant"])
    wanted["user_id"] = chosen["user_id"] if action.of_user else None
    narrowed = {name: value for name, value in wanted.items() if value is not None}
    expected = given["expected_count"]
    return {"filter": narrowed, "expected_count": session.api.count(narrowed) if expected is None else expected}


def _ask(action: Action, given: Mapping[str, Any], what: str, *, as_json: bool) -> None:
    """R26: deleting asks, and so does what meets all numbers; a review asks later, when there is more to see."""
    surprising = given["is_all"] and given["expected_count"] is None
    if given["yes"] or given["review"] or not (action.asks or surprising):
        return
    question = f"{action.verb} {what}?"
    if not is_asked(as_json):
        either = " or --expected-count" if surprising and not action.asks else ""
        raise click.UsageError(f"{question} Nobody is there to be asked: add --yes{either}.")
    if not click.confirm(question, err=True):
        note("Nothing was done.")
        raise Ending(Exit.CANCELLED)


def _sends_file(session: Session, action: Action, file: Path, fields: Fields) -> Callable[[View], Json]:
    return lambda view: send_file(session, view, file, fields, action.path)


def _sends_body(session: Session, action: Action, body: Json) -> Callable[[View], Json]:
    return lambda _: session.api.create(action.path, body)
