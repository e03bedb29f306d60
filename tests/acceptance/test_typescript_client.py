"""A TypeScript client with types from the OpenAPI document compiles under `--strict`, and imports a file."""

from __future__ import annotations

import csv
import io
import json

import httpx
import pytest

from tests.support.api_client import REPORT_BOM
from tests.support.node import Node
from tests.support.servers.service import NO_TLS, Json, Service

pytestmark = pytest.mark.xdist_group("clients")


@pytest.fixture(scope="module")
def program(up: Service, node: Node) -> str:
    """The compiled program."""
    served = httpx.get(f"{up.url}/openapi.json", verify=NO_TLS, trust_env=False)
    (node.folder / "openapi.json").write_bytes(served.content)
    generated = node.run("openapi-typescript", "openapi.json", "--output", "api.d.ts")
    assert generated.returncode == 0, generated.stderr
    assert "warn" not in (generated.stdout + generated.stderr).lower()
    compiled = node.run("tsc", "--project", ".")
    assert compiled.returncode == 0, compiled.stdout
    return "built/import.js"


@pytest.fixture(scope="module")
def answers(up: Service, node: Node, program: str) -> Json:
    """What the program was answered."""
    ended = node.script(program, up.url, up.account("Harbour")["token"])
    assert ended.returncode == 0, ended.stderr
    found: Json = json.loads(ended.stdout)
    return found


def test_a_file_is_imported(answers: Json) -> None:
    imported = answers["imported"]
    assert (imported["status"], imported["counts"]) == ("completed_with_errors", [2, 1])
    assert imported["rows"] == [[2, 3], [4]]
    assert imported["failed"] == [[4, "TOO_SHORT", "212"]]
    assert imported["numbers"] == ["+12127780142", "+12127780143"]
    assert (imported["is_replayed"], imported["unchanged"]) == (True, 304)


def test_a_report_is_text(answers: Json) -> None:
    lines = list(csv.DictReader(io.StringIO(answers["imported"]["report"].removeprefix(REPORT_BOM))))
    assert [(line["TN"], line["_code"]) for line in lines] == [("212", "TOO_SHORT")]


def test_refusals_are_problems(answers: Json) -> None:
    assert answers["refusals"] == {
        "limit": [422, "INVALID_FIELD", "limit"],
        "target": [422, "TARGET_NOT_FOUND"],
        "missing": [404, "NOT_FOUND"],
        "token": [401, "UNAUTHENTICATED"],
    }


def test_the_types_refuse_what_the_api_refuses(node: Node, program: str) -> None:
    """A value outside a closed set, and a field of the wrong type, do not compile."""
    assert program
    (node.folder / "wrong.ts").write_text(
        'import type { operations } from "./api.js";\n'
        'export const outcome: operations["list_job_rows"]["parameters"]["query"] = { outcome: "lost" };\n'
        'export const limit: operations["list_jobs"]["parameters"]["query"] = { limit: "many" };\n'
    )
    command = ("tsc", "--strict", "--noEmit", "--module", "nodenext", "--skipLibCheck", "wrong.ts")
    errors = [line for line in node.run(*command).stdout.splitlines() if line.startswith("wrong.ts")]
    assert [line.partition(" error ")[2].partition(":")[0] for line in errors] == ["TS2322", "TS2322"]
