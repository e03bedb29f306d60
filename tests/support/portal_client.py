"""The portal as tests use it, in their own process: a browser that keeps cookies and sends forms with their token."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from html import unescape
from typing import Any

import sqlalchemy as sa
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from schemas.database import tables
from schemas.permissions import Tenant
from tests.support.api_client import application
from worker.accounts import sessions

SITE = "http://localhost"
PASSWORD = "correct horse battery"  # noqa: S105 - of tests
_TOKEN = re.compile(r'name="csrf_token" value="(\w+)"')


@dataclass
class Portal:
    """A browser without JavaScript; `work_off` does the work that is due."""

    client: FlaskClient
    work_off: Callable[[], None] = lambda: None

    def get(self, path: str, **more: Any) -> TestResponse:  # noqa: ANN401 - handed on to the client
        """GET; where a page asks for itself again until something is done, what there is afterwards."""
        headers = {"Accept": "text/html"} | more.pop("headers", {})
        answer = self.client.get(path, headers=headers, **more)
        if "Refresh" in answer.headers:
            self.work_off()
            answer = self.client.get(path, headers=headers, **more)
        return answer

    def post(self, path: str, fields: dict[str, Any] | None = None, **more: Any) -> TestResponse:  # noqa: ANN401
        """Send a form with the token that pages of this browser have, from this site. `token=""` sends none."""
        given = more.pop("token", None)
        headers = {"Accept": "text/html", "Origin": SITE} | more.pop("headers", {})
        token = self.token() if given is None else given
        return self.client.post(path, data={"csrf_token": token, **(fields or {})}, headers=headers, **more)

    def token(self) -> str:
        """The token of forms: of the account's page, or of the sign-in page for who is not signed in."""
        page = self.get("/account", follow_redirects=True).get_data(as_text=True)
        found = _TOKEN.search(page)
        assert found, page
        return found[1]

    def sign_in(self, email: str, password: str = PASSWORD, **fields: str) -> TestResponse:
        return self.post("/sign-in", {"email": email, "password": password, **fields})

    def cookies(self) -> dict[str, str]:
        return {cookie.key: cookie.value for cookie in self.client._cookies.values()}  # noqa: SLF001 - there is no other way


def text_of(answer: TestResponse) -> str:
    """What a page says, without its markup."""
    body = re.sub(r"<(head|script)\b.*?</\1>", " ", answer.get_data(as_text=True), flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", body)).split())


def toasts_of(answer: TestResponse) -> str:
    """The confirmations of a page (R30)."""
    found = re.search(r'id="toasts".*?<main', answer.get_data(as_text=True), re.DOTALL)
    text = re.sub(r"<[^>]*>", " ", found[0].partition(">")[2]).removesuffix("<main") if found else ""
    return " ".join(unescape(text).split())


def signed_in(
    database: sa.Engine,
    tenant: Tenant,
    email: str = "",
    *,
    role: str = "admin",
    work_off: Callable[[], None] = lambda: None,
) -> Portal:
    """A browser in which a person of the tenant is signed in, made for the occasion."""
    browser = Portal(application().test_client(), work_off)
    values = {"tenant_id": tenant.id, "email": email or f"{role}@tenant-{tenant.id}.example", "password_hash": "none"}
    values["role"] = role
    with database.begin() as connection:
        query = sa.select(tables.admins.c.id).where(tables.admins.c.email == values["email"])
        admin_id = connection.execute(query).scalar_one_or_none()
        if admin_id is None:
            admin_id = connection.execute(
                tables.admins.insert().values(values).returning(tables.admins.c.id)
            ).scalar_one()
        secret = sessions.begin(connection, admin_id).secret
    browser.client.set_cookie("numberyard", secret, domain="localhost")
    return browser
