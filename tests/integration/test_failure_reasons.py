"""Why something failed: SQLSTATE and the first line of the server's message, for operators; never values of rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
import structlog

from tests.support.api_client import Door
from tests.support.job_rows import FIRST, Ledger, finish, sheet
from webhook.cli.summary import lines
from worker.config.errors import described, reason_of
from worker.database.engine import transaction

MESSAGE = "refused by the test"


@pytest.fixture
def ledger(database: sa.Engine) -> Ledger:
    return Ledger(database)


def failure_of(statement: str, **values: Any) -> Exception:  # noqa: ANN401 - bound values
    """The error of a statement on the service's own engine."""
    with pytest.raises(sa.exc.DBAPIError) as raised, transaction() as connection:
        connection.execute(sa.text(statement), values)
    return raised.value


@pytest.mark.usefixtures("world")
def test_a_reason_has_the_sqlstate_and_the_first_line_but_no_value() -> None:
    twice = "INSERT INTO carriers (tenant_id, service, name) SELECT tenant_id, service, name FROM carriers"
    error = failure_of(twice)
    start = "psycopg.errors.UniqueViolation 23505 uq_carriers_name: duplicate key value violates unique"
    assert reason_of(error).startswith(start)
    assert "Key (tenant_id" in str(error)  # the server quotes the row
    assert "Key (tenant_id" not in reason_of(error) + described(error)
    text = "SELECT CAST(CAST(:value AS text) AS bigint)"
    error = failure_of(text, value="12125550142x")
    assert (
        reason_of(error) == "psycopg.errors.InvalidTextRepresentation 22P02: invalid input syntax for type bigint: ***"
    )
    assert "12125550142" not in described(error)
    assert "test_failure_reasons.py" in described(error)


@pytest.mark.usefixtures("world")
def test_no_message_has_the_parameters_of_its_statement() -> None:
    error = failure_of("INSERT INTO carriers (name) VALUES (:name)", name="secret-cell-text")
    assert "secret-cell-text" not in described(error)
    assert "parameters hidden" in str(error)


def test_other_errors_give_their_type_or_the_text_of_the_system() -> None:
    assert reason_of(ValueError("a cell")) == "ValueError"
    assert reason_of(OSError(28, "No space left on device", "/a/b")) == "OSError: No space left on device"


def test_a_failed_work_item_names_the_reason_and_its_job_the_sqlstate(
    api: Door, ledger: Ledger, configure: Callable[..., None]
) -> None:
    """The message is for operators: in log lines and in the table of work items. Tenants get the SQLSTATE."""
    configure(max_attempts=1)
    job_id: str = api.send(sheet(3), on_error="abort").json["id"]
    ledger.fail("INSERT ON phone_numbers", "XX000")
    with structlog.testing.capture_logs() as logged:
        job = finish(api, ledger, job_id, tries=20)
    reason = f"psycopg.errors.InternalError_ XX000: {MESSAGE}"
    failed, given_up = [line for line in logged if line["event"] == "work_item" and line["outcome"] != "done"]
    assert (failed["outcome"], failed["reason"], failed["log_level"]) == ("failed", reason, "warning")
    assert (given_up["outcome"], given_up["reason"].partition(" | ")[2]) == ("given_up", reason)
    (ended,) = [line for line in logged if line["event"] == "job_given_up"]
    assert ended["error"] == given_up["reason"]
    assert str(FIRST) not in repr(logged)
    assert (job["status"], job["problem"]["code"], job["problem"]["sqlstate"]) == ("failed", "INTERNAL_ERROR", "XX000")
    assert MESSAGE not in repr(job)
    (line,) = [line for line in lines(job) if "SQLSTATE" in line]
    assert "XX000" in line


def test_refused_rows_are_logged_with_the_message_and_without_their_numbers(api: Door, ledger: Ledger) -> None:
    ledger.run(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "RAISE EXCEPTION E'% of \"Max\nMuster\" with %, is not welcome\\nsecond line', "
        "NEW.e164, '+49 30 123 456'; END $$"
    )
    ledger.run("CREATE TRIGGER refusal BEFORE INSERT ON phone_numbers FOR EACH ROW EXECUTE FUNCTION refuse()")
    with structlog.testing.capture_logs() as logged:
        job = api.upload(sheet(3))
    assert job["counts"]["failed"] == 3
    (line,) = [line for line in logged if line["event"] == "numbers_refused"]
    assert line["reasons"] == {"P0001 *** of *** with ***, is not welcome": 3}


def test_a_request_that_fails_names_the_reason(api: Door, ledger: Ledger) -> None:
    ledger.run("ALTER TABLE import_profiles RENAME COLUMN name TO renamed")
    try:
        with structlog.testing.capture_logs([structlog.contextvars.merge_contextvars]) as logged:
            answer = api.get("/v1/import-profiles")
            answer.close()
    finally:
        ledger.run("ALTER TABLE import_profiles RENAME COLUMN renamed TO name")
    assert (answer.status_code, "42703" in answer.text) == (500, False)
    (line,) = [line for line in logged if line["event"] == "http_request"]
    assert line["reason"].startswith("psycopg.errors.UndefinedColumn 42703: column import_profiles.name does not exist")
    assert (line["status"], line["code"], line["request_id"]) == (500, "INTERNAL_ERROR", answer.headers["X-Request-Id"])
