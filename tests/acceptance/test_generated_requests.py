"""Requests that Schemathesis makes from the OpenAPI document: valid and invalid ones, alone and in sequences.

They are always the same. The service must not fail, must answer as the document says, must refuse what the document
does not allow, and must not refuse the form of what it allows (`tests/support/generated_requests.py`). For each kind of
tenant, and each role that a token can have.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.api_client import application
from tests.support.servers import service
from tests.support.servers.service import Client, Json, Service

pytestmark = [pytest.mark.xdist_group("generated requests"), pytest.mark.timeout(600)]
ROOT = Path(__file__).parents[2]
PROGRAM = str(Path(sys.executable).with_name("schemathesis"))
SETTINGS = "tests/support/generated_requests.toml"
FILE = b"Country Code,Phone Number,Voice,SMS\r\n1,2127790142,TRUE,TRUE\r\n1,212,TRUE,FALSE\r\n"
SECONDS = 500  # on a busy machine; on an idle one, all of them take two minutes
# Kinds from below, because one may delete those below it: phases, and requests for each operation. `coverage` tries the
# values of every field, one by one, which takes the most time.
SCOPES = {
    "enterprise": ("fuzzing,stateful", 4),
    "reseller": ("examples,coverage,stateful", 3),
    "master_reseller": ("fuzzing,stateful", 4),
}


def roles() -> list[str | None]:
    """The roles that a new token can have, None if tokens have none."""
    document = application().test_client().get("/openapi.json").json
    role = document["components"]["schemas"]["NewToken"]["properties"].get("role")
    if role is None:
        return [None]
    named = document["components"]["schemas"].get(role.get("$ref", "").rpartition("/")[2], role)
    kinds = [named, *named.get("anyOf", [])]
    return [value for kind in kinds for value in kind.get("enum", [])] or [None]


def runs() -> list[tuple[str, str | None]]:
    """Each kind of tenant in its strongest role, the last one; of a reseller each role."""
    found = roles()
    return [(kind, role) for kind in SCOPES for role in (found if kind == "reseller" else found[-1:])]


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with service.running(tmp_path_factory.mktemp("service"), workers=1, **service.CALM) as found:
        yield found


def client_of(up: Service, kind: str) -> Client:
    accounts = [account for account in up.demo["accounts"] if account["kind"] == kind]
    return up.client(accounts[0]["name"])


def token_of(client: Client, role: str | None) -> Json:
    answer = client.http.post("/v1/tokens", json={"name": "generated"} | ({} if role is None else {"role": role}))
    assert answer.status_code == 201, answer.text
    found: Json = answer.json()
    return found


def generate(client: Client, where: str, token: Json, *options: str) -> subprocess.CompletedProcess[str]:
    """Run Schemathesis with a token, which the client has created."""
    command = [PROGRAM, "--config-file", SETTINGS, "run", where, "--header", f"Authorization: Bearer {token['token']}"]
    kept = ",".join(each["id"] for each in client.get("/v1/tokens?limit=200")["data"])
    environment = {**os.environ, "GENERATED_REQUESTS_TOKEN_IDS": kept, "NO_COLOR": "1"}
    return subprocess.run(
        [*command, *options],
        cwd=ROOT,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )


def test_a_wrong_document_is_noticed(up: Service, tmp_path: Path) -> None:
    """So that no finding means something: a value that the service refuses, and an answer that it does not give."""
    client = client_of(up, "reseller")
    document = client.get("/openapi.json")
    document["paths"] = {path: document["paths"][path] for path in ("/v1/carriers", "/v1/tenants")}
    document["components"]["schemas"]["NewCarrier"]["properties"]["service"]["enum"] = ["pigeon"]
    document["components"]["schemas"]["Tenant"]["properties"]["id"] = {"type": "integer"}
    path = tmp_path / "openapi.json"
    path.write_text(json.dumps(document))
    ended = generate(client, str(path), token_of(client, roles()[-1]), "--url", up.url, "--phases", "coverage")
    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert "a valid request was refused: INVALID_FIELD" in ended.stdout, ended.stdout
    assert "Response violates schema" in ended.stdout


@pytest.mark.parametrize(("kind", "role"), runs())
def test_the_service_keeps_to_its_document(up: Service, kind: str, role: str | None) -> None:
    client = client_of(up, kind)
    client.ended(client.upload(FILE))
    client.upload(FILE, mode="review")
    token = token_of(client, role)
    phases, most = SCOPES[kind]
    ended = generate(client, f"{up.url}/openapi.json", token, "--phases", phases, "--max-examples", str(most))
    assert ended.returncode == 0, ended.stdout[-20_000:] + ended.stderr
    client.http.headers["Authorization"] = f"Bearer {token['token']}"
    assert client.get("/v1/tenants/me")["kind"] == kind  # the token was good to the end
