"""The portal as tests call it, in the test's own process, as a browser without scripts: pages, forms, the way after."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from schemas.permissions import Tenant
from webhook.app import create_app
from webhook.portal import cookies
from worker.infra import admins, sessions

_TOKEN = re.compile(r'name="csrf-token" content="(\w+)"')
_TAGS = re.compile(r"<(script|style|svg)\b.*?</\1>|<[^>]+>", re.DOTALL)


@dataclass(frozen=True)
class Site:
    """The portal in the name of an admin who is signed in."""

    client: FlaskClient
    work_off: Callable[[], None]

    def get(self, path: str, **more: Any) -> TestResponse:  # noqa: ANN401 - handed on to the client
        return self.client.get(path, **more)

    def page(self, path: str) -> str:
        """What a page says, without its markup; it must be there."""
        answer = self.get(path)
        assert answer.status_code == 200, answer.get_data(as_text=True)
        return words(answer)

    def token(self) -> str:
        """The token of this browser's forms."""
        found = _TOKEN.search(self.get("/account").get_data(as_text=True))
        assert found is not None
        return found.group(1)

    def post(self, path: str, fields: dict[str, Any] | None = None, **headers: str) -> TestResponse:
        """Send a form, as a page of this site does."""
        data = {"csrf_token": self.token(), **(fields or {})}
        return self.client.post(path, data=data, headers={"Sec-Fetch-Site": "same-origin", **headers})

    def send(self, content: bytes, name: str = "numbers.csv", **fields: str) -> TestResponse:
        """Send the form of an upload; the answer may be a refusal."""
        return self.post("/uploads", {**fields, "file": (io.BytesIO(content), name)})

    def upload(self, content: bytes, name: str = "numbers.csv", **fields: str) -> str:
        """Upload a file and have it checked; the address of its page."""
        path = after(self.send(content, name, **fields))
        self.work_off()
        return path

    def imported(self, content: bytes, name: str = "numbers.csv", **fields: str) -> str:
        """Upload a file, confirm it and have it done; the address of its page."""
        path = self.upload(content, name, **fields)
        after(self.post(f"{path}/confirm"))
        self.work_off()
        return path


def signed_in(connection: sa.Connection, tenant: Tenant, work_off: Callable[[], None], email: str = "") -> Site:
    """A browser in which an admin of the tenant is signed in."""
    address = email or f"admin{tenant.id}@example.com"
    assert admins.add(connection, tenant.id, address, "no password fits", must_change=False)
    found = admins.by_email(connection, address)
    assert found is not None
    client = create_app().test_client()
    client.set_cookie(cookies.SESSION, sessions.begin(connection, found.id).secret)
    return Site(client, work_off)


def after(answer: TestResponse) -> str:
    """Where the answer to a form leads."""
    assert answer.status_code == 303, answer.get_data(as_text=True)
    return urlsplit(answer.headers["Location"]).path


def words(answer: TestResponse) -> str:
    """What an answer says, without its markup."""
    return " ".join(html.unescape(_TAGS.sub(" ", answer.get_data(as_text=True))).split())
