"""The samples of the documentation work as they are shown: curl, Python and the command line, for every operation.

Each runs in a shell, or in its own process, against the service on a socket while a worker does what is due. The only
change is that the example's IDs and names are replaced by those of this database.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import sqlalchemy as sa
from flask import Flask, Response, request, request_finished

from schemas.database.tables import webhook_messages
from tests.support.api_client import Door, application
from tests.support.cli_runner import listening, run
from tests.support.factories import World
from tests.support.files import sheets
from webhook.cli import main as command_line
from webhook.http.openapi import example_resources as examples
from webhook.http.openapi.examples import EXAMPLES
from webhook.reference.command_samples import COMMANDS
from webhook.reference.literals import as_json
from webhook.reference.samples import NO_COMMAND, samples
from worker.database.engine import transaction

Json = dict[str, Any]
Values = dict[str, str]  # a value of the examples: the value in this database
NUMBERS = [examples.NUMBER, examples.OTHER_NUMBER]
FILE = b"TN,Voice,SMS\r\n2125550142,TRUE,TRUE\r\n2125550143,TRUE,FALSE\r\n"
MAPPING = {"columns": {"Phone Number": "TN"}, "constants": {"Country Code": "US"}}
# Rows 2 and 3 fail until they are corrected as in the example of a correction.
FAULTY = sheets.csv_bytes(
    [
        sheets.HEADER,
        ["", "2125550100", "TRUE", "FALSE", "FALSE"],
        ["1", "21255501O1", "TRUE", "FALSE", "FALSE"],
        *(["1", f"2125550{number}", "TRUE", "FALSE", "FALSE"] for number in range(110, 140)),
    ]
)
# The command line has no command for these.
WITHOUT_COMMAND = {
    *("get_template_csv", "get_template_xlsx", "list_job_corrections", "take_back_job_correction", "list_job_rows"),
    *("get_job_file", "get_holdings_csv", "get_carrier", "update_carrier", "get_token", "list_quotas"),
    *("get_liveness", "get_readiness", "get_metrics"),
}


def document() -> Json:
    spec: Json = application().test_client().get("/openapi.json").json
    return spec


OPERATIONS: dict[str, tuple[str, str, Json]] = {
    operation["operationId"]: (method, path, operation)
    for path, item in document()["paths"].items()
    for method, operation in item.items()
}


def inventory(api: Door, _world: World) -> Values:
    """The two numbers, held by `north`."""
    rows = [["Country Code", "Phone Number", "Voice", "SMS"], *(["1", number, "TRUE", "TRUE"] for number in NUMBERS)]
    return {examples.JOB_ID: api.upload(sheets.csv_bytes(rows))["id"]}


def assigned(api: Door, world: World) -> Values:
    inventory(api, world)
    return {
        examples.JOB_ID: api.act("assignments", {"numbers": NUMBERS, "tenant_id": world.clinic.tenant.public_id})["id"]
    }


def faulty(api: Door, _world: World) -> Values:
    return {examples.JOB_ID: api.upload(FAULTY, callback_url="https://receiver.example/")["id"]}


def reviewed(api: Door, _world: World) -> Values:
    return {examples.JOB_ID: api.upload(FAULTY, mode="review")["id"]}


def ready(api: Door, _world: World) -> Values:
    """A job under review, all of whose rows are right."""
    return {examples.JOB_ID: api.upload(sheets.csv_bytes(sheets.rows(3)), mode="review")["id"]}


def corrected(api: Door, world: World) -> Values:
    values = reviewed(api, world)
    answer = api.post(f"/v1/jobs/{values[examples.JOB_ID]}/corrections", EXAMPLES["CorrectionBody"])
    api.done(answer)
    return values


def unmapped(api: Door, _world: World) -> Values:
    return {examples.JOB_ID: api.upload(FILE, mode="review")["id"]}


def exported(api: Door, world: World) -> Values:
    inventory(api, world)
    return {examples.JOB_ID: api.done(api.post("/v1/exports", {"format": "csv"}))["id"]}


def called_back(api: Door, world: World) -> Values:
    job = api.job(faulty(api, world)[examples.JOB_ID])
    return {examples.CALLBACK_ID: job["links"]["callback"].rpartition("/")[2]}


def subscribed(api: Door, _world: World) -> Values:
    return {examples.WEBHOOK_ID: api.post("/v1/webhooks", EXAMPLES["NewWebhook"]).json["id"]}


def given_up(api: Door, world: World) -> Values:
    """A message that is not being sent any more."""
    values = subscribed(api, world)
    message = api.post(f"/v1/webhooks/{values[examples.WEBHOOK_ID]}/test").json
    with transaction() as connection:
        connection.execute(webhook_messages.update().values(state="failed", ended_at=sa.func.now()))
    return values | {examples.MESSAGE_ID: message["id"]}


def made(path: str, example: str, key: str, **changes: str) -> Callable[[Door, World], Values]:
    """Create a resource from an example. Its ID replaces the one in the examples."""

    def prepare(api: Door, world: World) -> Values:
        body = EXAMPLES[example] | changes
        if "tenant_id" in body:
            body = body | {"tenant_id": world.clinic.tenant.public_id}
        answer = api.post(path, body)
        assert answer.status_code == 201, answer.get_data(as_text=True)
        return {key: answer.json["id"]}

    return prepare


def nothing(_api: Door, _world: World) -> Values:
    return {}


a_profile = made("/v1/import-profiles", "NewImportProfile", examples.PROFILE_ID)
a_user = made("/v1/users", "NewUser", examples.USER_ID)
a_carrier = made("/v1/carriers", "NewCarrier", examples.CARRIER_ID)
a_token = made("/v1/tokens", "NewToken", examples.TOKEN_ID)
a_tenant = made("/v1/tenants", "NewTenant", examples.ENTERPRISE_ID)
# What has to exist; without an entry, nothing.
PREPARE: dict[str, Callable[[Door, World], Values]] = {
    **dict.fromkeys(("create_assignment", "create_capability_change", "create_deletion", "get_number"), inventory),
    **dict.fromkeys(("list_numbers", "get_numbers_csv", "get_numbers_jsonl", "create_export", "undo_job"), inventory),
    **dict.fromkeys(("list_changes", "get_job", "list_jobs", "get_holdings_csv"), inventory),
    "create_unassignment": assigned,
    **dict.fromkeys(("list_job_rows", "get_job_report_csv", "get_job_report_jsonl", "get_job_report_xlsx"), faulty),
    "retry_job": faulty,
    **dict.fromkeys(("cancel_job", "correct_job", "preview_job_correction"), reviewed),
    **dict.fromkeys(("list_job_corrections", "take_back_job_correction"), corrected),
    "confirm_job": ready,
    "recheck_job": unmapped,
    "get_job_file": exported,
    **dict.fromkeys(("get_import_profile", "update_import_profile", "delete_import_profile"), a_profile),
    "list_import_profiles": a_profile,
    **dict.fromkeys(("get_user", "update_user", "delete_user", "list_users"), a_user),
    **dict.fromkeys(("get_carrier", "update_carrier", "delete_carrier", "list_carriers"), a_carrier),
    **dict.fromkeys(("get_token", "revoke_token", "list_tokens"), a_token),
    **dict.fromkeys(("get_tenant", "update_tenant", "delete_tenant", "list_tenants"), a_tenant),
    **dict.fromkeys(("get_callback", "replay_callback", "list_callbacks"), called_back),
    **dict.fromkeys(("get_webhook", "update_webhook", "delete_webhook", "list_webhooks", "test_webhook"), subscribed),
    "rotate_webhook_secret": subscribed,
    **dict.fromkeys(("list_webhook_messages", "get_webhook_message", "replay_webhook_message"), given_up),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that samples run in, with the files that they send."""
    place = tmp_path / "samples"
    place.mkdir()
    (place / "numbers.csv").write_bytes(FILE)
    (place / "mapping.json").write_text(as_json(MAPPING))
    (place / "corrections.json").write_text(as_json(EXAMPLES["CorrectionBody"]))
    (place / ".curlrc").write_text("fail\nsilent\nshow-error\n")
    monkeypatch.chdir(place)
    return place


@pytest.fixture
def answers() -> Iterator[list[tuple[str, str, int]]]:
    """Every answer of the service: method, rule, status."""
    found: list[tuple[str, str, int]] = []

    def note(_app: Flask, response: Response, **_: object) -> None:
        if request.url_rule is not None:
            path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", request.url_rule.rule)
            found.append((request.method.lower(), path, response.status_code))

    with request_finished.connected_to(note, application()):
        yield found


@pytest.fixture
def sample_of(api: Door, world: World, folder: Path, answers: list[tuple[str, str, int]]) -> Callable[[str, str], str]:
    """`sample_of("get_job", "curl")`: the sample, with the IDs of what it needs, which is prepared."""
    assert folder.is_dir()

    def prepare(operation_id: str, title: str) -> str:
        values = {
            examples.ENTERPRISE_ID: world.clinic.tenant.public_id,
            '"Harbour SMS"': '"North sms"',
            '"Harbour Voice"': '"North voice"',
        } | PREPARE.get(operation_id, nothing)(api, world)
        method, path, operation = OPERATIONS[operation_id]
        text = next(sample.text for sample in samples(method, path, operation) if sample.title == title)
        for example, value in values.items():
            text = text.replace(example, value)
        answers.clear()
        return text

    return prepare


def check_answer(operation_id: str, answers: list[tuple[str, str, int]]) -> None:
    """The operation was called, and answered as the document says of a success."""
    method, path, operation = OPERATIONS[operation_id]
    statuses = [status for called, rule, status in answers if (called, rule) == (method, path)]
    assert statuses, answers
    assert {str(status) for status in statuses} <= {status for status in operation["responses"] if status < "300"}


def environment(url: str, world: World, folder: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "CURL_HOME": str(folder),
        "NUMBERYARD_URL": url,
        "NUMBERYARD_TOKEN": world.north.token,
    }


@pytest.mark.long
@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
@pytest.mark.parametrize("operation_id", OPERATIONS)
def test_curl_samples_work(
    operation_id: str,
    sample_of: Callable[[str, str], str],
    answers: list[tuple[str, str, int]],
    world: World,
    folder: Path,
    work_off: Callable[[], None],
) -> None:
    text = sample_of(operation_id, "curl")
    with listening(work_off) as url:
        done = subprocess.run(
            ["bash", "-c", text], env=environment(url, world, folder), capture_output=True, text=True, check=False
        )
    assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
    check_answer(operation_id, answers)


@pytest.mark.long
@pytest.mark.parametrize("operation_id", OPERATIONS)
def test_python_samples_work(
    operation_id: str,
    sample_of: Callable[[str, str], str],
    answers: list[tuple[str, str, int]],
    world: World,
    folder: Path,
    work_off: Callable[[], None],
) -> None:
    text = sample_of(operation_id, "Python")
    with listening(work_off) as url:
        done = subprocess.run(
            [sys.executable, "-I", "-c", text],
            env=environment(url, world, folder),
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
    check_answer(operation_id, answers)


@pytest.mark.long
@pytest.mark.parametrize("operation_id", [name for name, command in COMMANDS.items() if command is not None])
def test_commands_call_the_operation(
    operation_id: str,
    sample_of: Callable[[str, str], str],
    answers: list[tuple[str, str, int]],
    world: World,
    work_off: Callable[[], None],
) -> None:
    words = command_words(sample_of(operation_id, "CLI"))
    with listening(work_off) as url:
        done = run(*words, NUMBERYARD_URL=url, NUMBERYARD_TOKEN=world.north.token)
    assert done.exit_code == 0, f"{words}\n{done.output}"
    check_answer(operation_id, answers)


def command_words(text: str) -> list[str]:
    """The words of a command after `numberyard`."""
    program, *words = shlex.split(text.replace("\\\n", " "))
    assert program == "numberyard"
    return words


@pytest.mark.parametrize("operation_id", [name for name, command in COMMANDS.items() if command is not None])
def test_commands_and_their_options_exist(operation_id: str, folder: Path) -> None:
    assert folder.is_dir()
    words = command_words(COMMANDS[operation_id])
    group: click.Command = command_line
    context = click.Context(command_line, info_name="numberyard")
    while isinstance(group, click.Group):
        _, command, words = group.resolve_command(context, words)
        group = command
        context = click.Context(command, parent=context)
    group.make_context(group.name, words, parent=context.parent)


def test_every_operation_has_samples() -> None:
    """A new operation needs an entry in `COMMANDS`, also if there is no command."""
    assert OPERATIONS.keys() == COMMANDS.keys()
    assert {name for name, command in COMMANDS.items() if command is None} == WITHOUT_COMMAND
    for method, path, operation in OPERATIONS.values():
        curl, python, command = samples(method, path, operation)
        assert curl.text.startswith("curl ")
        compile(python.text, operation["operationId"], "exec")
        assert (command.text == NO_COMMAND) == (operation["operationId"] in WITHOUT_COMMAND)


def test_an_operation_without_samples_is_noticed() -> None:
    method, path, operation = OPERATIONS["get_job"]
    with pytest.raises(KeyError):
        samples(method, path, operation | {"operationId": "get_something_new"})
