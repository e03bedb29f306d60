"""A client that is generated from the OpenAPI document imports a file, as generated and in a process of its own."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.support.api_client import REPORT_BOM
from tests.support.servers.service import NO_TLS, Json, Service

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("clients")]
ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "tests/support/generated_import.py"
BINARIES = Path(sys.executable).parent
# The generator parses JSON, text and octet-stream; of other files, the client returns the bytes (`content`).
# Of an upload, it sends forms: no plain text and no workbook as the body.
UNPARSED = {
    "/v1/uploads",
    "/v1/jobs/{job_id}/report.xlsx",
    "/v1/jobs/{job_id}/report.jsonl",
    "/v1/numbers.jsonl",
    "/v1/templates/numbers.xlsx",
}
WARNING = re.compile(r"^WARNING parsing \w+ (\S+) within \w+\.\s+^(.*)$", re.MULTILINE)


@pytest.fixture(scope="module")
def generated(up: Service, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of the client, and what the generator printed. Its settings are the default ones."""
    folder = tmp_path_factory.mktemp("generated")
    document = folder / "openapi.json"
    document.write_bytes(httpx.get(f"{up.url}/openapi.json", verify=NO_TLS, trust_env=False).content)
    command = [sys.executable, "-m", "openapi_python_client", "generate", "--path", str(document)]
    environment = {**os.environ, "PATH": f"{BINARIES}{os.pathsep}{os.environ['PATH']}"}  # it calls ruff
    ended = subprocess.run(
        [*command, "--output-path", str(folder / "client")],
        env=environment, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    return folder / "client", ended.stdout


@pytest.fixture(scope="module")
def answers(up: Service, generated: tuple[Path, str]) -> Json:
    """What the client was answered."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(generated[0]), os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, str(SCRIPT), up.url, up.account("Harbour")["token"]]
    ended = subprocess.run(command, env=environment, check=False, capture_output=True, text=True, timeout=250)
    assert ended.returncode == 0, ended.stderr
    found: Json = json.loads(ended.stdout)
    return found


def test_the_generator_leaves_nothing_out(generated: tuple[Path, str]) -> None:
    """Its only warnings: it has no parser for workbooks and JSON lines, and sends files in forms only."""
    _, output = generated
    warnings = WARNING.findall(output)
    assert len(warnings) == output.count("WARNING") + output.count("ERROR")
    assert {path for path, _ in warnings} == UNPARSED
    assert all("Unsupported content" in text for _, text in warnings)


def test_a_file_is_imported(answers: Json) -> None:
    plain = answers["plain"]
    assert (plain["status"], plain["on_existing"]) == ("completed_with_errors", "update")
    assert plain["counts"] == [2, 1]
    assert plain["columns"] == [["Land", "Country Code"], ["TN", "Phone Number"], ["Voice", "Voice"], ["SMS", "SMS"]]
    assert plain["failed"] == [[4, "failed", "TOO_SHORT", "212"]]
    assert plain["pages"] == [[2, 3], [4]]
    assert plain["numbers"] == ["+12127770142", "+12127770143"]


def test_reports_are_text_and_bytes(answers: Json) -> None:
    lines = list(csv.DictReader(io.StringIO(answers["plain"]["report"].removeprefix(REPORT_BOM))))
    assert [line["TN"] for line in lines] == ["2127770142", "2127770143", "212"]
    assert [line["_result"] for line in lines] == ["created", "created", "failed"]
    assert answers["plain"]["workbook"] == [200, "PK"]


def test_headers_are_parameters(answers: Json) -> None:
    assert answers["plain"]["is_replayed"]
    assert answers["plain"]["unchanged"] == 304
    assert answers["reviewed"]["stale"] == [412, "PRECONDITION_FAILED"]


def test_r33_a_review_is_corrected_and_confirmed(answers: Json) -> None:
    reviewed = answers["reviewed"]
    assert reviewed["faults"] == [["MISSING_VALUE", "Country Code", 2]]
    assert reviewed["preview"] == [[2, 2]]
    assert reviewed["corrected"] == ["review", 3]
    assert reviewed["corrections"] == [2]
    assert reviewed["ended"] == ["completed", 3]


def test_refusals_are_problems(answers: Json) -> None:
    assert answers["refusals"] == {
        "limit": [422, "INVALID_FIELD", "limit"],
        "target": [422, "TARGET_NOT_FOUND"],
        "missing": [404, "NOT_FOUND"],
        "token": [401, "UNAUTHENTICATED"],
    }
