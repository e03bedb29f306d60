"""Web pages of chosen origins may call the API from a browser (CORS); no others, and never the portal."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from pydantic import ValidationError

from tests.support.factories import World
from webhook.app import create_app
from worker.config.settings import Settings

OURS, OTHERS = "https://app.example.com", "https://evil.example"
PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,prefer"}


@pytest.fixture
def client(world: World, configure: Callable[..., None]) -> FlaskClient:  # noqa: ARG001 - settings last
    configure(cors_origins=f"{OURS}, http://localhost:5173")
    return create_app().test_client()


def test_a_page_of_a_chosen_origin_may_call(client: FlaskClient, world: World) -> None:
    asked = client.options("/v1/uploads", headers={"Origin": OURS, **PREFLIGHT})
    assert asked.status_code == 200
    assert asked.headers["Access-Control-Allow-Origin"] == OURS
    assert "POST" in asked.headers["Access-Control-Allow-Methods"]
    assert asked.headers["Access-Control-Allow-Headers"].lower() == "authorization, prefer"
    assert "Access-Control-Allow-Credentials" not in asked.headers
    token = {"Authorization": f"Bearer {world.north.token}"}
    for headers, status in ((token, 200), ({}, 401)):  # a page can read refusals, too
        answer = client.get("/v1/jobs", headers={"Origin": OURS, **headers})
        assert answer.status_code == status
        assert answer.headers["Access-Control-Allow-Origin"] == OURS
        assert "Retry-After" in answer.headers["Access-Control-Expose-Headers"]
        assert "Origin" in answer.headers["Vary"]


@pytest.mark.parametrize("path", ["/v1/jobs", "/openapi.json"])
def test_a_page_of_another_origin_may_not(client: FlaskClient, path: str) -> None:
    for headers in ({"Origin": OTHERS}, {"Origin": OTHERS, **PREFLIGHT}, {"Origin": "null"}, {}):
        for ask in (client.get, client.options):
            assert "Access-Control-Allow-Origin" not in ask(path, headers=headers).headers


def test_the_portal_is_for_its_own_pages(client: FlaskClient) -> None:
    for path in ("/", "/sign-in", "/numbers", "/metrics"):
        for ask in (client.get, client.options):
            answer = ask(path, headers={"Origin": OURS, **PREFLIGHT})
            assert "Access-Control-Allow-Origin" not in answer.headers, path


def test_without_the_setting_nobody_may(world: World) -> None:  # noqa: ARG001 - a database
    answer = create_app().test_client().options("/v1/jobs", headers={"Origin": OURS, **PREFLIGHT})
    assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]


@pytest.mark.parametrize("text", ["app.example.com", "https://app.example.com/", "https://a.example/x", "*.example"])
def test_what_is_no_origin_is_refused(text: str) -> None:
    with pytest.raises(ValidationError, match="is no origin"):
        Settings(cors_origins=text)
    assert Settings(cors_origins="*").origins_for_api == ("*",)
