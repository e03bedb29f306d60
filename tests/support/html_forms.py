"""Forms as a browser without JavaScript sends them: what stands in a page, filled in, by one of its buttons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode

from werkzeug.test import TestResponse

from tests.support.portal_client import SITE, Portal

Pair = tuple[str, str]


@dataclass
class Control:
    """A field or a button: what it may send; None stands for what has no value of its own."""

    name: str
    kind: str
    value: str = ""
    is_on: bool = True
    options: list[str] = field(default_factory=list)
    text: str = ""


@dataclass
class Found:
    """A form of a page."""

    action: str
    method: str
    controls: list[Control] = field(default_factory=list)

    @property
    def buttons(self) -> list[str]:
        """What the buttons say."""
        return [" ".join(one.text.split()) for one in self.controls if one.kind == "submit"]

    def names(self) -> set[str]:
        return {one.name for one in self.controls if one.name}

    def options(self, name: str) -> list[str]:
        """What can be chosen: the options of a drop-down, the values of radios or boxes."""
        found = [one for one in self.controls if one.name == name]
        return [value for one in found for value in (one.options or [one.value])]

    def pairs(self, button: str, filled: Mapping[str, Sequence[str]]) -> list[Pair]:
        """What is sent. `filled` replaces what the page has; a name that it lacks is a fault of the test."""
        assert set(filled) <= self.names(), f"{set(filled) - self.names()} is not in the form"
        sent = [
            (one.name, one.value)
            for one in self.controls
            if one.name and one.is_on and one.kind != "submit" and one.name not in filled
        ]
        for name, values in filled.items():
            sent += [(name, value) for value in ([values] if isinstance(values, str) else values)]
        if button:
            pressed = next(
                one for one in self.controls if one.kind == "submit" and " ".join(one.text.split()) == button
            )
            sent += [(pressed.name, pressed.value)] if pressed.name else []
        return sent


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Found] = []
        self._form: Found | None = None
        self._select: Control | None = None
        self._button: Control | None = None
        self._textarea: Control | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given: dict[str, Any] = dict(attrs)
        if tag == "form":
            self._form = Found(given.get("action") or "", given.get("method") or "get")
            self.forms.append(self._form)
        if self._form is None:
            return
        name, value = given.get("name") or "", given.get("value") or ""
        if tag == "input":
            kind = given.get("type") or "text"
            is_on = kind not in {"checkbox", "radio"} or "checked" in given
            self._form.controls.append(Control(name, kind, value, is_on=is_on))
        elif tag == "select":
            self._select = Control(name, "select", is_on="multiple" not in given)
            self._form.controls.append(self._select)
        elif tag == "textarea":
            self._textarea = Control(name, "textarea")
            self._form.controls.append(self._textarea)
        elif tag == "option" and self._select is not None:
            self._select.options.append(value)
            if "selected" in given or len(self._select.options) == 1:
                self._select.value = value
        elif tag == "button" and given.get("type", "submit") == "submit":
            self._button = Control(name, "submit", value)
            self._form.controls.append(self._button)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag == "select":
            self._select = None
        elif tag == "textarea" and self._textarea is not None:
            self._textarea.value = self._textarea.value.removeprefix("\n")  # as browsers do
            self._textarea = None
        elif tag == "button":
            self._button = None

    def handle_data(self, data: str) -> None:
        if self._button is not None:
            self._button.text += data
        elif self._textarea is not None:
            self._textarea.value += data


def forms_of(answer: TestResponse) -> list[Found]:
    """The forms of a page, those of the frame around it left out."""
    reader = _Reader()
    reader.feed(answer.get_data(as_text=True))
    return [one for one in reader.forms if one.action != "/sign-out"]


def form_of(answer: TestResponse, action: str, method: str = "post") -> Found:
    """The form that is sent to a path."""
    found = [one for one in forms_of(answer) if one.action.partition("?")[0] == action and one.method == method]
    assert len(found) == 1, f"{len(found)} forms to {action}: {[one.action for one in forms_of(answer)]}"
    return found[0]


def send(browser: Portal, form: Found, button: str = "", **filled: Sequence[str]) -> TestResponse:
    """Send a form; the answer may be a redirect."""
    pairs = form.pairs(button, filled)
    if form.method == "get":
        return browser.get(f"{form.action.partition('?')[0]}?{urlencode(pairs)}")
    data: dict[str, list[str]] = {}
    for name, value in pairs:
        data.setdefault(name, []).append(value)
    return browser.client.post(form.action, data=data, headers={"Accept": "text/html", "Origin": SITE})


def follow(browser: Portal, answer: TestResponse) -> TestResponse:
    """Where a redirect leads: always by 303, always within the site."""
    assert answer.status_code == 303, answer.get_data(as_text=True)
    assert answer.location.startswith("/"), answer.location
    return browser.get(answer.location)
