"""What the command line writes to programs where the service is slow, or the system refuses to write."""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import click
import pytest

from tests.support.cli_process import COMMAND, Program, environment
from tests.unit.fake_service import JOB_ID, TOKEN, job, running
from webhook.cli.exit_codes import Exit
from webhook.cli.fields import check_fields, selected
from webhook.cli.option_types import Moment
from webhook.cli.output import Format, format_in
from webhook.cli.problems import cannot_write

JOB = "schemas.http.resources:Job"


@contextmanager
def trickling() -> Iterator[str]:
    """A service that answers a byte at a time, without an end: no timeout of a single read is ever reached."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        stop = threading.Event()

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
                try:
                    while not stop.wait(0.05):
                        connection.sendall(b"x")
                except OSError:  # the client has ended
                    pass

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        stop.set()
        thread.join(timeout=10)


def test_completion_does_not_wait_for_a_slow_service() -> None:
    env = {"_NUMBERYARD_COMPLETE": "bash_complete", "COMP_WORDS": "numberyard jobs 0198", "COMP_CWORD": "2"}
    with trickling() as url:
        done = Program(environment(NUMBERYARD_URL=url, NUMBERYARD_TOKEN=TOKEN) | env)()
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, b"", b"")


@pytest.mark.long
def test_ctrl_c_is_a_document_for_programs() -> None:
    with running() as service:
        service.jobs = [job("running")]
        process = subprocess.Popen(
            [*COMMAND, "jobs", JOB_ID, "--watch", "--json"],
            env=environment(NUMBERYARD_URL=service.url, NUMBERYARD_TOKEN=TOKEN),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        service.wait_for_polls(2)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=60)
    document = json.loads(stderr)
    assert (process.returncode, document["code"], stdout) == (Exit.INTERRUPTED, "INTERRUPTED", b"")
    assert document["fix"].endswith(f"numberyard jobs {JOB_ID} --watch")


@pytest.mark.parametrize(
    ("number", "code", "text"),
    [
        (errno.ENOSPC, "DISK_FULL", "The disk is full: r.csv was not saved."),
        (errno.EDQUOT, "DISK_FULL", "The disk is full: r.csv was not saved."),
        (errno.EFBIG, "DISK_FULL", "The disk is full: r.csv was not saved."),
        (errno.EIO, "CANNOT_WRITE", "Cannot write r.csv: Input/output error."),
        (errno.EACCES, "CANNOT_WRITE", "Cannot write r.csv: Permission denied."),
    ],
)
def test_what_the_system_refuses_is_told_with_the_path(number: int, code: str, text: str) -> None:
    ending = cannot_write(OSError(number, os.strerror(number)), "r.csv")
    assert ending.document is not None
    assert (ending.code, ending.document["code"], ending.document["detail"]) == (Exit.USAGE, code, text)
    assert ending.document["path"] == "r.csv"


@pytest.mark.parametrize("width", [30, 60, 80, 100, 120])
def test_ids_and_numbers_are_not_cut_in_any_column(width: int) -> None:
    identity, name = "0198c0de-0000-4000-8000-000000000001", "a long name " * 10
    with running() as service:
        service.lists["/v1/jobs"] = [job(id=identity, kind=name, external_id="+12125550142", file={"name": name})]
        program = Program(environment(NUMBERYARD_URL=service.url, NUMBERYARD_TOKEN=TOKEN))
        shown = program.on_terminal("jobs", "--fields", "file.name,kind,external_id,id", "--no-color", width=width)
    assert identity in shown
    assert "+12125550142" in shown


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("jobs", "--json"), Format.JSON),
        (("jobs", "--output", "ndjson"), Format.NDJSON),
        (("jobs", "--output=json"), Format.JSON),
        (("jobs", "--output", "tsv"), None),
        (("jobs",), None),
        (("numbers", "--", "--json"), None),
        (("jobs", "--output"), None),
    ],
)
def test_the_format_of_problems(words: tuple[str, ...], expected: Format | None) -> None:
    assert format_in(words) == expected


def test_selected_fields_keep_their_nesting() -> None:
    document = {"id": 1, "file": {"name": "a", "size": 2}, "problem": None}
    assert selected(document, ()) is document
    assert selected(document, ("file.name", "problem.code", "id")) == {
        "file": {"name": "a"},
        "problem": {"code": None},
        "id": 1,
    }
    assert document == {"id": 1, "file": {"name": "a", "size": 2}, "problem": None}


@pytest.mark.parametrize("field", ["id", "file.name", "counts", "problem.code", "progress.rows_done", "metadata.any"])
def test_fields_of_the_schema(field: str) -> None:
    check_fields([field], JOB)


@pytest.mark.parametrize(
    ("field", "listed"),
    [("nam", "id, kind"), ("file.nam", "file.name"), ("id.x", "id, kind"), ("error_summary.code", "id, kind")],
)
def test_fields_that_do_not_exist(field: str, listed: str) -> None:
    with pytest.raises(click.UsageError, match=f"No field “{field}”. Fields: .*{listed}"):
        check_fields([field], JOB)


def test_a_field_of_a_newer_service() -> None:
    check_fields(["newer.field"], JOB, [{"newer": {"field": 1}}])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-01", "2026-11-01T00:00:00+00:00"),
        ("2026-11-01T09:00", "2026-11-01T09:00:00+00:00"),
        ("2026-11-01T09:00:00+01:00", "2026-11-01T08:00:00+00:00"),
        ("2026-11-01T09:00:00Z", "2026-11-01T09:00:00+00:00"),
    ],
)
def test_times(text: str, expected: str) -> None:
    assert Moment().convert(text, None, None) == expected


@pytest.mark.parametrize(
    ("text", "age"),
    [("30m", timedelta(minutes=30)), ("2h", timedelta(hours=2)), ("3d", timedelta(days=3)), ("1w", timedelta(weeks=1))],
)
def test_ages(text: str, age: timedelta) -> None:
    before = datetime.now(UTC)
    moment = datetime.fromisoformat(Moment().convert(text, None, None))
    assert before - age <= moment <= datetime.now(UTC) - age


@pytest.mark.parametrize("text", ["", "yesterday", "2", "-2h", "2y", "2026-13-01", "999999w", "2026-11-01T25:00"])
def test_times_that_are_none(text: str) -> None:
    with pytest.raises(click.BadParameter, match="is not a time"):
        Moment().convert(text, None, None)
