"""The shared part of the actions: selecting numbers, asking for confirmation, and following the job to its end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from schemas.capabilities import CAPABILITY_NAMES
from schemas.http.file_options import FileForm
from schemas.job_kinds import ACTIONS, ActionSpec, JobKind
from webhook.cli.client import Json
from webhook.cli.completion import carrier_names, tenant_names
from webhook.cli.exit_codes import Ending, Exit
from webhook.cli.lookup import tenant_id
from webhook.cli.option_types import Moment
from webhook.cli.progress_views import View
from webhook.cli.session import Session
from webhook.cli.spreadsheets import STDIN, Spreadsheet
from webhook.cli.submit import (
    Fields,
    callback_option,
    check_report,
    file_options,
    number_format_option,
    on_error_option,
    report_option,
    review_option,
    run_job,
    send_file,
)
from webhook.cli.terminal import is_asked, note, number, safe

_FILTERS = ("q", "status", "capability", "country", "carrier", "tenant", "ends_with", "user_kind", "updated_since")
_FIELDS = ("on_error", "callback_url", "country_code", "number_format")  # sent as they are
_OPTIONS = (
    click.argument("numbers", nargs=-1, metavar="[NUMBERS]..."),
    click.option(
        "--file",
        type=Spreadsheet(),
        metavar="FILE|-",
        help="Use the numbers in a spreadsheet with the column Phone Number; - is standard input.",
    ),
    click.option(
        "--country-code",
        metavar="US",
        help="Country of numbers that have no + or 00 and no Country Code: a calling code or a country.",
    ),
    number_format_option,
    click.option("--all", "is_all", is_flag=True, help="All your numbers, or those that match the filters below."),
    click.option(
        "--q",
        metavar="DIGITS",
        help="With --all: start of the number. With + or 00 the international number; otherwise also the national "
        "number in any country.",
    ),
    click.option(
        "--status", type=click.Choice(["unassigned", "assigned"]), help="With --all: assigned to anyone or not."
    ),
    click.option("--capability", type=click.Choice(CAPABILITY_NAMES), help="With --all: an enabled capability."),
    click.option("--country", metavar="US", help="With --all: a country or a calling code."),
    click.option(
        "--carrier",
        metavar="NAME",
        shell_complete=carrier_names,
        help="With --all: a voice carrier or SMS carrier profile.",
    ),
    click.option(
        "--tenant",
        metavar="NAME|ID",
        shell_complete=tenant_names,
        help="With --all: the enterprise or reseller that has the numbers.",
    ),
    click.option("--ends-with", metavar="DIGITS", help="With --all: the last four digits or more."),
    click.option(
        "--user-kind", type=click.Choice(["pbx", "trunk"]), help="With --all: kind of the user who has the number."
    ),
    click.option(
        "--updated-since",
        type=Moment(),
        metavar="TIME",
        help="With --all: changed at TIME or later: 2h, 3d, 2026-11-01[T09:00Z].",
    ),
    click.option(
        "--expected-count",
        type=click.IntRange(min=0),
        metavar="N",
        help="With --all: only if exactly N numbers match.",
    ),
    review_option,
    on_error_option,
    callback_option,
    click.option("--yes", is_flag=True, help="Do not ask before sending. Does not confirm a --review."),
    click.option("--no-wait", is_flag=True, help="Queue the job; do not wait for its end."),
    report_option,
)


def acts(command: Callable[..., Exit]) -> Callable[..., Exit]:
    """Add the options of every action to a command. The command gets them as keywords for `act`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return file_options(command)


def act(session: Session, kind: JobKind, action_fields: Fields, options: dict[str, Any]) -> Exit:
    """Run an action on the selected numbers. `action_fields`: those of this action; `options`: those of `acts`."""
    _check(options)
    action = ACTIONS[kind]
    mode = "review" if options["review"] else None
    fields = {**action_fields, "mode": mode, **{name: options[name] for name in _FIELDS}}
    if options["file"]:
        _ask(
            action,
            options,
            f"the numbers in {'standard input' if options['file'] == STDIN else safe(options['file'].name)}",
            as_json=session.as_json,
        )
        file_options = {name: options[name] for name in FileForm.model_fields}
        send = _sends_file(session, action, options["file"], fields | file_options)
    else:
        selection = (
            _selected(session, kind, action_fields, options)
            if options["is_all"]
            else {"numbers": list(options["numbers"])}
        )
        count = selection.get("expected_count", len(options["numbers"]))
        _ask(action, options, f"{number(count)} number{'' if count == 1 else 's'}", as_json=session.as_json)
        body = selection | {name: value for name, value in fields.items() if value is not None}
        send = _sends_body(session, action, body)
    return run_job(session, send, options["report_path"], wait=not options["no_wait"])


def _check(options: Mapping[str, Any]) -> None:
    if sum(map(bool, (options["numbers"], options["file"], options["is_all"]))) != 1:
        raise click.UsageError("Choose the numbers: NUMBERS, or --file FILE, or --all.")
    if not options["is_all"] and any(options[name] is not None for name in (*_FILTERS, "expected_count")):
        hint = " For the country of the numbers you list, use --country-code." if options["country"] is not None else ""
        raise click.UsageError(f"Filters and --expected-count need --all.{hint}")
    if not options["file"] and any(options[name] is not None for name in FileForm.model_fields):
        raise click.UsageError("--delimiter, --encoding, --sheet, --header-row and --parent need --file.")
    if options["report_path"] and options["no_wait"]:
        raise click.UsageError("--report cannot be used with --no-wait.")
    check_report(options["report_path"])


def _selected(session: Session, kind: JobKind, action_fields: Fields, options: Mapping[str, Any]) -> Json:
    """Return the filter and how many numbers match it now. The service refuses the action if the count has changed."""
    filters = {name: options[name] for name in _FILTERS if name != "tenant"}
    filters["tenant_id"] = tenant_id(session, options["tenant"])
    # Here the user is the one who has the numbers; in an assignment, the one who gets them.
    filters["user_id"] = action_fields["user_id"] if kind is JobKind.UNASSIGN else None
    active_filters = {name: value for name, value in filters.items() if value is not None}
    expected = options["expected_count"]
    return {
        "filter": active_filters,
        "expected_count": session.api.count(active_filters) if expected is None else expected,
    }


def _ask(action: ActionSpec, options: Mapping[str, Any], what: str, *, as_json: bool) -> None:
    """R26: ask before deleting, and before acting on --all without a count. A review asks later, with more detail."""
    surprising = options["is_all"] and options["expected_count"] is None
    if options["yes"] or options["review"] or not (action.is_destructive or surprising):
        return
    question = f"{action.act} {what}?"
    if not is_asked(as_json):
        either = " or --expected-count" if surprising and not action.is_destructive else ""
        raise click.UsageError(f"{question} Cannot ask (no terminal): add --yes{either}.")
    if not click.confirm(question, err=True):
        note("Nothing was changed.")
        raise Ending(Exit.CANCELLED)


def _sends_file(session: Session, action: ActionSpec, file: Path, fields: Fields) -> Callable[[View], Json]:
    return lambda view: send_file(session, view, file, fields, action.path)


def _sends_body(session: Session, action: ActionSpec, body: Json) -> Callable[[View], Json]:
    return lambda _: session.api.create(action.path, body)
