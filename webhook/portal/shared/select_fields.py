"""Fields for a tenant, user, country or carrier: a drop-down or, of more than 50 options, a search with suggestions.

Without JavaScript, typed text is looked up when the form is sent; if several options match, they become a drop-down.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from flask import render_template, request

from schemas.name_matching import fold
from schemas.permissions import TenantKind
from schemas.roles import Operation
from webhook.http.access import needs
from webhook.portal.shared.blueprint import bp
from webhook.portal.shared.forms import Form
from webhook.services import select_options
from webhook.services.select_options import Choice, TenantChoices

MOST = 50  # options of a drop-down; with more, the field is a search
MOST_FOUND = 50  # suggestions

Option = tuple[str, Any]


@dataclass(frozen=True)
class SelectField:
    """A field: a drop-down sends `name`, a search sends `typed`; `what` is the source of suggestions."""

    name: str
    typed: str
    what: str
    options: Sequence[Option]
    is_search: bool
    chosen: Choice | None

    @property
    def text(self) -> str:
        """Return the text of the chosen option in a search."""
        return "" if self.chosen is None else self.chosen.label


def tenant_field(
    form: Form,
    name: str,
    typed: str,
    *,
    kind: TenantKind | None = None,
    among: TenantChoices | None = None,
) -> SelectField:
    """Return the field for a tenant: of the actor's tree, of those below it of one `kind`, or of `among`."""
    offered = select_options.tenants(MOST, own=kind is None, kind=kind) if among is None else among
    matches = offered.matching(form.value(typed)) if form.value(typed) else []
    noun = "enterprise or reseller" if kind is None else kind.value
    selected = _selected_choice(form, name, typed, matches, noun)
    current = offered.get(form.value(name)) or selected
    return _with_errors(form, _picker((name, typed, "tenants"), offered.choices, current, matches, offered.is_many))


def country_field(form: Form, name: str, typed: str, among: Sequence[Choice]) -> SelectField:
    """Return the field for a country; its options have the region ("US") as id."""
    matches = select_options.matching(among, form.value(typed)) if form.value(typed) else []
    selected = _selected_choice(form, name, typed, matches, "country")
    current = next((choice for choice in among if choice.id == form.value(name)), selected)
    return _with_errors(form, _picker((name, typed, "countries"), among, current, matches, len(among) > MOST))


@dataclass(frozen=True)
class NameField:
    """A field for a name that is sent itself, such as a carrier's: the options of its drop-down, or a search."""

    options: Sequence[Option]
    is_search: bool


def name_field(options: Sequence[Option], typed: str) -> NameField:
    """Return the field for one of many names; if `typed` text is none of them, the names that contain it."""
    if len(options) <= MOST:
        return NameField(options, is_search=False)
    folded = fold(typed)
    matches = [option for option in options if folded and folded in fold(option[1])][:MOST_FOUND]
    is_exact = any(value == typed for value, _ in options)
    return NameField(matches, is_search=is_exact or len(matches) < 2)  # noqa: PLR2004 - several become a drop-down


def field_of(picker: SelectField) -> str:
    """Return the name of the visible control, where errors of the choice are shown."""
    return picker.typed if picker.is_search else picker.name


def user_field(form: Form, name: str, typed: str, *, among: Sequence[Choice] | None = None) -> SelectField:
    """Return the field for a user of the actor's tree. `among`: the first `MOST` users, if already loaded."""
    every, text = select_options.users(most=MOST) if among is None else among, form.value(typed)
    matches = []
    if text:
        begun = select_options.users(_begin(text), MOST_FOUND)
        matches = select_options.matching(begun, text) or begun or select_options.matching(every, text)
    selected = _selected_choice(form, name, typed, matches, "user")
    current = next((choice for choice in every if choice.id == form.value(name)), selected)
    if current is None and form.value(name):
        current = select_options.user(form.value(name))
    # As many as the limit: there may be more.
    return _with_errors(form, _picker((name, typed, "users"), every, current, matches, len(every) >= MOST))


def _begin(text: str) -> str:
    """Return the text to search for. Of an accepted suggestion, "name (address)", that is the address."""
    return text.rpartition("(")[2].rstrip(") ") if text.endswith(")") else text


def _selected_choice(form: Form, name: str, typed: str, matches: Sequence[Choice], noun: str) -> Choice | None:
    """Return the only match of typed text, noted in the form as if a drop-down had sent it; else note an error."""
    if not form.value(typed):
        return None
    if len(matches) == 1:
        form.fields[name] = matches[0].id
        return matches[0]
    if matches:
        form.wrong(name, f"{len(matches)} matches for “{form.value(typed)}”. Pick one.")
    else:
        form.wrong(typed, f"No {noun} “{form.value(typed)}”. Pick one from the list.")
    return None


def _with_errors(form: Form, picker: SelectField) -> SelectField:
    """Return the picker, with the error of its choice noted at the visible control."""
    if not picker.is_search and picker.typed in form.errors:
        form.wrong(picker.name, form.errors.pop(picker.typed))
    return picker


def _picker(
    names: tuple[str, str, str],
    every: Sequence[Choice],
    selected: Choice | None,
    matches: Sequence[Choice],
    is_many: bool,  # noqa: FBT001 - of a private function
) -> SelectField:
    is_search = is_many and len(matches) < 2  # noqa: PLR2004 - several become a drop-down
    options = () if is_search else grouped(matches[:MOST_FOUND] if len(matches) > 1 else every)
    return SelectField(*names, options, is_search, selected)


def grouped(every: Sequence[Choice]) -> list[Option]:
    """Return options grouped by heading, as `parts.select` takes them. Choices of one heading must be adjacent."""
    options: list[Option] = []
    for heading, some in groupby(every, key=lambda choice: choice.group):
        pairs = [(choice.id, choice.name if heading else choice.label) for choice in some]
        options += [(heading, pairs)] if heading else pairs
    return options


_FINDERS: dict[str, Callable[[str], list[Choice]]] = {
    "tenants": select_options.tenants_matching,
    "users": lambda text: select_options.users(text, MOST_FOUND),
    "countries": lambda text: select_options.matching(select_options.countries(), text),
    "carriers": lambda text: select_options.matching(select_options.carriers_seen(), text),
    "voice": lambda text: select_options.matching(select_options.carrier_choices("voice"), text),
    "sms": lambda text: select_options.matching(select_options.carrier_choices("sms"), text),
}


@bp.get("/choices/<any(tenants, users, countries, carriers, voice, sms):what>")
@needs(Operation.READ_ACCOUNTS)
def suggest(what: str) -> str:
    """Return suggestions for a search, as options. The only parameter is the typed text, under the field's own name."""
    text = next(iter(request.args.values()), "").strip()
    matches = _FINDERS[what](text)[:MOST_FOUND] if text else []
    return render_template("portal/suggestions.html", choices=matches)
