"""Forms: fields become bodies of `schemas`, and errors are shown beside each field.

Example:
    form = Form.sent()
    with form.faults():
        tenants.create(form.body(NewTenant, flags=("allow_external_numbers",)))
        return flash.redirect_with_flash(url_for("portal.levels", level="enterprises"), "Acme was added.")
    return form.page("portal/level.html")

"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, TypeVar

from flask import render_template, request
from pydantic import BaseModel
from werkzeug.datastructures import MultiDict

from webhook.http.errors import Refused
from webhook.http.request_bodies import validated
from webhook.portal.shared import kept_forms

Body = TypeVar("Body", bound=BaseModel)
_ON_THE_FORM = frozenset({400, 403, 409, 412, 413, 415, 422, 429})
_WORDS = {
    "Field required": "This is required.",
    "Value error, ": "",
    "Input should be ": "This should be ",
    "a valid integer, unable to parse string as an integer": "a whole number",
    "String should ": "This should ",
}


class Form:
    """The values of a form and its errors. Templates get it as `form`; an empty one for a new form."""

    def __init__(self, fields: Mapping[str, str] | MultiDict[str, str] | None = None) -> None:
        self.fields: MultiDict[str, str] = MultiDict(fields or {})
        self.errors: dict[str, str] = {}
        self.problem: Mapping[str, Any] | None = None
        self.status: int = HTTPStatus.UNPROCESSABLE_ENTITY
        self.retry_after = 0  # seconds
        self.is_kept = self.needs_file = False  # see `fresh`

    @classmethod
    def fresh(cls, action: str, fields: Mapping[str, str] | MultiDict[str, str] | None = None) -> Form:
        """Return a form to fill in and send to `action`; with `fields`, or what was sent after the session had ended.

        In that case it says so (`is_kept`), and whether a file has to be chosen again (`needs_file`).
        """
        kept = kept_forms.take(action)
        form = cls(fields if kept is None else kept[0])
        form.is_kept, form.needs_file = kept is not None, kept is not None and kept[1]
        return form

    @classmethod
    def sent(cls) -> Form:
        """Return the form of this request."""
        return cls(request.form)

    def value(self, name: str, otherwise: str = "") -> str:
        """Return the value of a field."""
        return self.fields.get(name, otherwise)

    def values(self, name: str) -> list[str]:
        """Return all values of a field that takes several."""
        return self.fields.getlist(name)

    def has(self, name: str) -> bool:
        """Return whether a checkbox is checked."""
        return name in self.fields

    def body(
        self, kind: type[Body], /, *, flags: Collection[str] = (), lists: Collection[str] = (), **more: object
    ) -> Body:
        """Return the validated body. `flags` are checkboxes, `lists` take several values; empty fields are left out."""
        field_names = set(kind.model_fields)
        raw: dict[str, object] = {name: text for name in field_names if (text := self.value(name).strip())}
        raw |= {name: self.has(name) for name in flags}
        raw |= {name: [text for text in self.values(name) if text] for name in lists}
        return validated(kind, raw | more)

    def need(self, *names: str) -> None:
        """Note the fields that must not be emptied, where a body would leave empty fields unchanged."""
        for name in names:
            if not self.value(name).strip():
                self.wrong(name, "This is required.")

    def wrong(self, name: str, message: str) -> None:
        """Note the error of a field; "" stands for the form as a whole."""
        self.errors[name] = message

    @contextmanager
    def faults(self) -> Iterator[None]:
        """Note refusals raised in the block, if the form can show them. Others, such as 404, are raised again."""
        try:
            yield
        except Refused as refused:
            if refused.body["status"] not in _ON_THE_FORM:
                raise
            self.refused(refused.body)

    def refused(self, problem: Mapping[str, Any]) -> None:
        """Note a problem (RFC 9457): beside the fields that it names, else above the form and with its own status."""
        self.problem = problem
        messages = {entry["field"]: entry["message"] for entry in problem.get("errors") or () if entry.get("field")}
        if not messages and problem.get("field"):
            messages = {problem["field"]: f"{problem['detail']} {problem['fix']}".strip()}
        self.errors |= {name: _plain(message) for name, message in messages.items()}
        if not messages:
            self.errors[""] = f"{problem['detail']} {problem['fix']}".strip()
            self.status = problem["status"]

    def page(self, template: str, **context: object) -> tuple[str, int]:
        """Return the page with the form as it is, and its status: 200, or that of its errors."""
        return render_template(template, form=self, **context), int(self.status) if self.errors else HTTPStatus.OK


def _plain(message: str) -> str:
    for theirs, ours in _WORDS.items():
        message = message.replace(theirs, ours)
    text = message[:1].upper() + message[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."
