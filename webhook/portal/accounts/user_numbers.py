"""The numbers of a user in forms: options, choices, the message about the result (R20..R22); the page Manage SMS."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask import render_template, request, url_for

from schemas.http import resources
from schemas.http.users import ServedNumbers, User
from schemas.roles import Operation
from schemas.user_services import Service
from webhook.http import auth
from webhook.http.access import needs
from webhook.portal.shared import flash
from webhook.portal.shared.blueprint import bp
from webhook.portal.shared.forms import Form
from webhook.portal.shared.job_messages import address, message_for
from webhook.services import numbers, users
from webhook.services import user_numbers as user_number_service
from webhook.services.user_numbers import Exchange, Exchanged
from worker.phone.formatting import readable

MOST = 100  # numbers that a list shows; others are found by searching
COUNTED = 1_000  # numbers; beyond that, pages say only that there are more: an exact count would take too long
MAIN_SEARCH, BOX_SEARCH, STEP = "main_q", "box_q", "step"
_LONGEST = 64  # characters of a search
_TRUNK_PREFIX = re.compile(r"\(\s*0\s*\)")
_PUNCTUATION = re.compile(r"[\s().\-/\u2010-\u2015]")
SMS_LABELS = {"sms_enabled": "Enable SMS Service", "sms_dids": "Unassigned DIDs"}
MAIN = {"pbx": ("phone_number", "Phone Number"), "trunk": ("default_did", "Default DID")}


@dataclass(frozen=True)
class Free:
    """Numbers of an enterprise that are free for a service: the first that match a search, and how many there are.

    `matches` of the search, `total` without it; each at most `COUNTED + 1`, which stands for any higher count.
    """

    tenant_id: str
    service: str
    field: str
    q: str
    numbers: Sequence[str]
    matches: int
    total: int

    @property
    def is_more(self) -> bool:
        """Return whether more numbers match than are shown."""
        return self.matches > len(self.numbers)

    @property
    def is_search(self) -> bool:
        """Return whether the field has a search: there are, or were, more numbers than a list shows."""
        return self.is_more or bool(self.q)


def free(tenant_id: str, service: str, field: str, q: str = "") -> Free:
    """Return the free numbers, for "voice" or "sms", that begin with the text typed into a field."""
    typed = q.strip()[:_LONGEST]
    page = _page(tenant_id, service, typed)
    total = _page(tenant_id, service).total if typed else page.total
    return Free(tenant_id, service, field, typed, [number.e164 for number in page.data], page.total or 0, total or 0)


def _page(tenant_id: str, service: str, q: str = "") -> resources.NumberList:
    query = resources.NumbersQuery(tenant_id=tenant_id, free_for=service, q=q or None, limit=MOST)
    return numbers.page_counted_up_to(query, COUNTED)


def counted(count: int) -> str:
    """Return a count of `Free` as text: "2", "1,000+"."""
    return f"{COUNTED:,}+" if count > COUNTED else f"{count:,}"


def is_search(form: Form) -> bool:
    """Return whether a form was sent to search: without JavaScript, by the button or by Enter in the search field."""
    return form.has(STEP) or any(form.value(name) != form.value(f"{name}_was") for name in (MAIN_SEARCH, BOX_SEARCH))


@bp.get("/choices/free/<tenant_id>/<any(voice, sms):service>/<any(options, boxes):shape>")
@needs(Operation.CHANGE_USERS)
def suggest_numbers(tenant_id: str, service: str, shape: str) -> str:
    """Return the matches of a search, as options of a drop-down (with the chosen number) or as checkboxes."""
    field = MAIN_SEARCH if shape == "options" else BOX_SEARCH
    matches = free(tenant_id, service, field, request.args.get(field, ""))
    selected = next((text for name, _ in MAIN.values() if (text := request.args.get(name))), "")
    return render_template("portal/free_numbers.html", free=matches, selected=selected, shape=shape, counted=counted)


def requested_numbers(form: Form, kind: str) -> ServedNumbers:
    """Return the voice numbers of a form: from its drop-down or typed instead, and Forwarded DIDs."""
    name, label = MAIN[kind]
    typed = _PUNCTUATION.sub("", form.value("new_number"))
    if typed and form.value(name) and form.value(name) != form.value("seen_main"):
        form.wrong("new_number", f"Choose a {label} from the list or enter a new one, not both.")
    if _TRUNK_PREFIX.search(form.value("new_number")):
        form.wrong("new_number", f"Enter the {label} without “(0)”, as it is dialled from abroad.")
    if typed and form.errors.get("new_number") is None:
        form = Form({**form.fields.to_dict(), name: typed})
    forwarded = forwarded_of(form) if kind == "trunk" else []
    return form.body(ServedNumbers, forwarded_dids=forwarded, sms_dids=[])


def forwarded_of(form: Form) -> list[str]:
    """Return the checked Forwarded DIDs."""
    return list(dict.fromkeys(form.values("forwarded_dids")))


def blame_typed(form: Form, kind: str) -> None:
    """Show the error of a number beside the field that the number came from."""
    messages: dict[str, list[str]] = {}
    for entry in (form.problem or {}).get("errors") or ():
        head = entry["field"].partition(".")[0]
        words = form.errors.pop(entry["field"], "")
        if entry.get("value"):  # a number that cannot be assigned: there may be several, so name it
            words = f"{readable(entry['value'])}: {entry['message']} {entry['fix']}"
        messages.setdefault(head, []).append(words)
    form.errors |= {field: " ".join(filter(None, texts)) for field, texts in messages.items()}
    name = MAIN[kind][0]
    if name in form.errors and form.value("new_number"):
        form.errors["new_number"] = form.errors.pop(name)


def voice_exchange(form: Form, user: User) -> Exchange:
    """Return the changes since the form was shown, and only these, whatever else has happened meanwhile."""
    requested, name = requested_numbers(form, user.kind), MAIN[user.kind][0]
    main, was = getattr(requested, name), form.value("seen_main") or None
    seen = form.value("seen_forwarded").split()
    to_unassign = [was] if was and was != main else []
    to_assign = {main: Service.VOICE} if main and main != was else {}
    fields = dict.fromkeys(to_assign, name)
    if user.kind == "trunk":
        ticked = [number for number in requested.forwarded_dids if number != main]
        to_unassign += [number for number in seen if number not in ticked]
        added = dict.fromkeys((number for number in ticked if number not in seen), Service.FORWARDED)
        to_assign |= added
        fields |= dict.fromkeys(added, "forwarded_dids")
    return Exchange(to_unassign, to_assign, fields)


def sms_exchange(form: Form) -> Exchange:
    """Return the changes in a Manage SMS form, like `voice_exchange`."""
    ticked = form.body(ServedNumbers, lists=("sms_dids",)).sms_dids
    seen = form.value("seen_sms").split()
    to_assign = dict.fromkeys((number for number in ticked if number not in seen), Service.SMS)
    to_unassign = [number for number in seen if number not in ticked]
    return Exchange(to_unassign, to_assign, dict.fromkeys(to_assign, "sms_dids"), is_sms=True)


def exchange_message(name: str, done: Exchanged, before: str) -> flash.FlashMessage:
    """Return the flash message about an exchange (R30): `before`, such as "Ada was saved.", then each step that ran."""
    steps = []
    if done.unassign_job is not None:
        text = message_for(done.unassign_job, done.unassign_job.id, _words(done.to_unassign), f" from {name}")
        steps.append((*text, done.unassign_job.id))
    if done.assign_job is not None:
        text = message_for(done.assign_job, done.assign_job.id, _words(done.to_assign), f" to {name}")
        steps.append((*text, done.assign_job.id))
    texts = [before, *(step[0] for step in steps)]
    if done.to_assign and done.assign_job is None:
        texts.append(
            f"{_words(done.to_assign)} won't be assigned automatically. Check the user again once this has finished."
        )
    if done.undo_job is not None:
        is_undone = done.undo_job.status == "completed"
        texts.append(f"{name} keeps {_words(done.to_unassign)}." if is_undone else "Unassigning is being undone.")
    worst = max(steps, key=lambda step: _BADNESS.index(step[1]), default=None)
    if worst is None:
        return flash.FlashMessage(before)
    return flash.FlashMessage(" ".join(texts), worst[1], address(worst[3]), worst[2])


_BADNESS = (flash.SUCCESS, flash.INFO, flash.WARNING, flash.ERROR)


def _words(some: Sequence[str]) -> str:
    return readable(some[0]) if len(some) == 1 else f"{len(some):,} numbers"


@bp.get("/users/<user_id>/sms", endpoint="sms")
@needs(Operation.CHANGE_USERS)
def manage_sms(user_id: str) -> Any:  # noqa: ANN401 - a page and its status
    return _sms_page(Form.fresh(url_for("portal.submit_sms", user_id=user_id)), users.get(user_id))


@bp.post("/users/<user_id>/sms")
@needs(Operation.CHANGE_USERS)
def submit_sms(user_id: str) -> Any:  # noqa: ANN401 - a redirect or the form
    form, user = Form.sent(), users.get(user_id)
    if is_search(form):
        return _sms_page(form, user)
    with form.faults():
        enabled = form.has("sms_enabled")
        done = user_number_service.manage_sms(user_id, sms_exchange(form), enabled=enabled)
        state = f"SMS is {'now on' if enabled else 'now off' if done.is_done else 'still on'} for {user.name}."
        return exchange_message(user.name, done, state).at(list_of(user))
    blame_typed(form, user.kind)
    return _sms_page(form, user)


def _sms_page(form: Form, user: User) -> Any:  # noqa: ANN401 - a page and its status
    free_numbers = free(user.tenant.id, "sms", BOX_SEARCH, form.value(BOX_SEARCH))
    return form.page(
        "portal/sms.html", user=user, free=free_numbers, counted=counted, back=list_of(user), labels=SMS_LABELS
    )


def list_of(user: User) -> str:
    """Return the URL of the list that shows a user: for tenants above, that of its enterprise."""
    is_own = user.tenant.id == auth.actor().tenant.public_id
    return url_for("portal.users") if is_own else url_for("portal.users", tenant_id=user.tenant.id)
