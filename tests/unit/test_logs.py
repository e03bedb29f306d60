"""Log lines: one JSON object each, bounded, without secrets; from this code, from libraries, and from failures."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.support.servers import telemetry
from worker.config import logs

BEGIN = """
import logging, threading, warnings
import structlog
from worker.config import logs
logs.configure("web")
log = structlog.get_logger("ours")
"""
REQUIRED = ["timestamp", "level", "event", "logger", "process", "pid"]
PASSWORD, BROKER_PASSWORD, METRICS_TOKEN = "pass-of:database", "pass of broker", "token-for-metrics-42"
SECOND_PASSWORD, SENTINEL_PASSWORD = "pass@of-second", "pass-of-sentinels"
ENVIRONMENT = {
    "NUMBERYARD_DATABASE_URL": f"postgresql://u:{PASSWORD}@h/n",
    "NUMBERYARD_REDIS_URL": f"sentinel://:{BROKER_PASSWORD}@h/0;sentinel://:{SECOND_PASSWORD}@h2",
    "NUMBERYARD_REDIS_MASTER_NAME": "main",
    "NUMBERYARD_REDIS_SENTINEL_PASSWORD": SENTINEL_PASSWORD,
    "NUMBERYARD_METRICS_TOKEN": METRICS_TOKEN,
}


def lines_of(program: str, code: int = 0, **settings: str) -> list[dict[str, Any]]:
    """Everything that a process writes, which must be log lines with the required fields."""
    done = subprocess.run(
        [sys.executable, "-W", "default", "-c", BEGIN + program],
        env={"PYTHONPATH": ":".join(sys.path)} | ENVIRONMENT | settings, capture_output=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (code, b""), done.stderr.decode()
    lines = done.stderr.decode("ascii").splitlines()
    assert all(len(line) < 4096 for line in lines)
    found: list[dict[str, Any]] = [json.loads(line, parse_constant=pytest.fail) for line in lines]
    assert all(list(line)[:6] == REQUIRED for line in found)
    return found


def test_a_text_with_line_breaks_is_one_line() -> None:
    program = r"""log.info("a\nb\r\x85\u2028\u2029\0\x1b[2J", name='"}\n{"event": "forged"', odd="\ud800")"""
    (line,) = lines_of(program)
    assert line["event"] == "a\nb\r\x85\u2028\u2029\0\x1b[2J"
    assert (line["name"], line["odd"]) == ('"}\n{"event": "forged"', "\\ud800")


def test_every_value_becomes_json() -> None:
    (line,) = lines_of("log.info('x', a=float('nan'), b=float('inf'), c={1: (2, {3})}, d=object, e=b'\\xff', f=None)")
    assert (line["a"], line["b"], line["c"], line["f"]) == ("nan", "inf", {"1": [2, [3]]}, None)
    assert (line["d"], line["e"]) == ("<class 'object'>", "b'\\xff'")


@pytest.mark.parametrize(
    "fields",
    ["a='x' * 10**6", "a=['é' * 900] * 10**4", "a={str(n): '😀' * 900 for n in range(10**4)}",
     "**{f'f{n}': '\\0' * 900 for n in range(300)}"],
)  # fmt: skip
def test_a_line_is_short_and_has_the_required_fields(fields: str) -> None:
    (line,) = lines_of(f"log.info('long', {fields})")
    assert (line["event"], line["level"], line["logger"]) == ("long", "info", "ours")


def test_a_deep_exception_keeps_its_beginning() -> None:
    program = """
def f(n):
    try:
        f(n - 1) if n else {}['é' * 5000]
    except Exception as error:
        raise ValueError('x' * 5000) from error
try:
    f(50)
except ValueError:
    log.exception("failed", more='y' * 900)
"""
    (line,) = lines_of(program)
    assert line["exception"].startswith("ValueError: xxx")
    assert "in f" in line["exception"]


def test_libraries_warnings_and_uncaught_exceptions_are_logged() -> None:
    program = """
logging.getLogger("werkzeug").warning("%s and\\n%s", 1, 2)
alone = logging.getLogger("alone"); alone.propagate = False; alone.warning("without a handler")
warnings.warn("old")
logging.getLogger("bad").warning("%d", "no number")
thread = threading.Thread(target=lambda: 1 / 0, name="t"); thread.start(); thread.join()
class Odd:
    def __del__(self):
        raise KeyError("odd")
Odd()
raise RuntimeError("over")
"""
    lines = lines_of(program, code=1)
    assert [(line["logger"], line["event"]) for line in lines[:2]] == [
        ("werkzeug", "1 and\n2"), ("alone", "without a handler"),
    ]  # fmt: skip
    assert lines[2]["event"].endswith("UserWarning: old")
    assert (lines[3]["event"], lines[3]["logger"]) == ("log_failed", "bad")
    assert [line["exception"].partition(":")[0] for line in lines[4:]] == [
        "ZeroDivisionError", "KeyError", "RuntimeError",
    ]  # fmt: skip
    assert {line["event"] for line in lines[4:]} == {"uncaught"}


@pytest.mark.parametrize(
    "text",
    [
        "nyk_aBc-d_Ef012345", "whsec_aBc0123+/=", f"postgresql+psycopg://u:{PASSWORD}@h/n", f"redis://:{BROKER_PASSWORD}@h",
        "http://me:hunter2hunter2@proxy:3128/", "Authorization: Bearer s3cret.s3cret", "Cookie: numberyard=s3cret; b=c",
        f"told {METRICS_TOKEN} as it is", f"connection password={PASSWORD} failed", "{'password': 's3cret s3cret'}",
        f"told {PASSWORD} as it is", f"told {SECOND_PASSWORD} as it is", f"told {SENTINEL_PASSWORD} as it is",
        "redis://u:hunter2@s3cret@h/0", "amqp://u:hunter2:s3cret@h/0", "{'Cookie': 'numberyard=s3cret; b=s3cret'}",
        "duplicate key\nDETAIL:  Key (e164)=(12125550142) exists.", "bad\nCONTEXT:  COPY staging, line 1: 12125550142",
    ],
)  # fmt: skip
def test_secrets_and_values_of_rows_are_hidden_wherever_they_are(text: str) -> None:
    program = f"""
text = {text!r}
log.info(text, a=text, b=[text], c={{text: text}}, d=text.encode())
logging.getLogger("other").error("%s", text)
try:
    raise ValueError(text)
except ValueError:
    log.exception("failed")
"""
    lines = json.dumps(lines_of(program))
    secrets = ["aBc", PASSWORD, BROKER_PASSWORD, "hunter2", "s3cret", METRICS_TOKEN, "12125550142", "database"]
    secrets += [SECOND_PASSWORD, "of-second", SENTINEL_PASSWORD, "pass-of"]
    assert [secret for secret in secrets if secret in lines] == []
    assert "***" in lines


def test_secrets_are_hidden_in_fields_that_are_objects() -> None:
    (line,) = lines_of("log.info('x', headers={'Cookie': 'a=s3cret', 'Password': 's3cret', 'Accept': '*/*'})")
    assert line["headers"] == {"Cookie": "***", "Password": "***", "Accept": "*/*"}


def test_wrong_settings_do_not_keep_logs_from_being_json() -> None:
    program = """
import os
from worker.config.settings import get_settings, SettingsError
get_settings.cache_clear()
os.environ["NUMBERYARD_WORKERS"] = "zero"
try:
    get_settings()
except SettingsError as error:
    raise logs.cannot_start(error)
"""
    (line,) = lines_of(program, code=1)
    assert (line["event"], line["level"]) == ("cannot_start", "critical")
    assert line["reason"].startswith("NUMBERYARD_WORKERS: ")


def test_a_wrong_dsn_stops_no_process_and_a_level_may_be_in_lower_case() -> None:
    program = """
from worker.config import error_reports
error_reports.configure("web")
error_reports.report(ValueError())
log.info("too low")
log.warning("runs")
"""
    (line,) = lines_of(program, NUMBERYARD_SENTRY_DSN="https://no-key.example.com/1", NUMBERYARD_LOG_LEVEL="warning")
    assert line["event"] == "runs"


def test_wrong_headers_for_a_collector_are_not_quoted() -> None:
    program = "from worker.config import tracing; tracing.configure('web'); tracing.stop(); log.info('on')"
    (line,) = lines_of(
        program, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1", OTEL_EXPORTER_OTLP_HEADERS="secret-token"
    )
    assert line["event"] == "on"


@pytest.mark.parametrize(
    ("end", "code"),
    [("error_reports.report(ValueError())", 0), ("error_reports.report(ValueError()); sys.exit(3)", 3),
     ("raise ValueError", 1), ("crash()", 1)],
)  # fmt: skip
def test_a_report_is_sent_before_its_process_ends(end: str, code: int) -> None:
    """Also by a process that is killed right after the line of an uncaught exception."""
    program = """
import os, sys
from worker.config import error_reports
error_reports.configure("web")
def crash():
    logged = sys.excepthook
    sys.excepthook = lambda *failure: (logged(*failure), os._exit(1))
    raise ValueError
"""
    with telemetry.receiving() as sent:
        lines_of(program + end, code, NUMBERYARD_SENTRY_DSN=sent.dsn)
        (report,) = sent.reports
    assert report["exception"]["values"][-1]["type"] == "ValueError"


def test_an_application_that_cannot_be_created_is_logged_and_reported() -> None:
    program = """
import webhook.asgi
def fails():
    raise RuntimeError("broken")
webhook.asgi.create_wsgi_app = fails
webhook.asgi.create_app()
"""
    with telemetry.receiving() as sent:
        lines = lines_of(program, logs.BOOT_ERROR, NUMBERYARD_SENTRY_DSN=sent.dsn)
        assert len(sent.reports) == 1
    (line,) = [each for each in lines if each["level"] != "warning"]  # libraries warn at their import
    assert (line["event"], line["level"], line["reason"]) == ("cannot_start", "critical", "RuntimeError")
    assert line["exception"].startswith("RuntimeError: broken\n")
