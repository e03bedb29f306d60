"""`numberyard doctor`: what is wrong with the configuration, from the outside, against real servers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis
import sqlalchemy as sa

from tests.support.servers import mail_server
from webhook.cli.exit_codes import Exit
from worker.runtime.processes.ports import free_port

PASSWORD = "pA55w0rd-never-shown"  # noqa: S105 - of no account
Doctor = Callable[..., tuple[int, list[dict[str, str]], str]]
PROGRAM = "from webhook.cli import main; main()"


@pytest.fixture
def doctor(tmp_path: Path) -> Doctor:
    """Run the command in a process of its own, with these settings and no others."""

    def run(*options: str, **settings: object) -> tuple[int, list[dict[str, str]], str]:
        env = {name: value for name, value in os.environ.items() if not name.startswith("NUMBERYARD_")}
        env |= {
            f"NUMBERYARD_{name}": str(value) for name, value in ({"DATA_DIR": tmp_path / "data"} | settings).items()
        }
        env |= {"AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none"}
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, "doctor", "--json", *options],
            env=env, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        output = done.stdout + done.stderr
        assert PASSWORD not in output
        assert "Traceback" not in output
        return done.returncode, json.loads(done.stdout)["checks"], output

    return run


def faults(checks: list[dict[str, str]]) -> dict[str, str]:
    """What is not right, by subject, without what depends on the machine."""
    return {one["subject"]: one["level"] for one in checks if one["level"] != "ok" and one["subject"] != "open files"}


def url_of(engine: sa.Engine, **parts: Any) -> str:  # noqa: ANN401 - parts of an address
    return engine.url.set(drivername="postgresql", **parts).render_as_string(hide_password=False)


def test_all_is_well(doctor: Doctor, database: sa.Engine, broker_url: str) -> None:
    code, checks, _ = doctor(DATABASE_URL=url_of(database), REDIS_URL=broker_url)
    assert (code, faults(checks)) == (Exit.OK, {"database": "warning"})  # the tests' own server has fsync = off
    output = {one["subject"]: one["detail"] for one in checks}
    assert {"database", "broker", "storage", "temporary folder"} <= output.keys()


def test_without_settings_the_service_brings_its_own_servers(doctor: Doctor) -> None:
    code, checks, _ = doctor()
    assert (code, faults(checks)) == (Exit.OK, {})


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("DATABSE_URL", "NUMBERYARD_DATABASE_URL"),
        ("SMTP_SERVER_PORT", "NUMBERYARD_SMTP_PORT"),
        ("WORKER", "NUMBERYARD_WORKERS"),
    ],
)
def test_an_unknown_setting_is_an_error(doctor: Doctor, name: str, nearest: str) -> None:
    code, checks, _ = doctor(**{name: PASSWORD})
    (fault,) = [one for one in checks if one["subject"] == f"NUMBERYARD_{name}"]
    assert (code, fault["level"]) == (Exit.FAULTY, "error")
    assert nearest in fault["fix"]


def test_names_like_no_setting_are_warnings_and_those_of_kubernetes_nothing(doctor: Doctor) -> None:
    of_a_service = {
        "SERVICE_HOST": "10.0.0.1", "SERVICE_PORT": 80, "SERVICE_PORT_HTTP": 80, "PORT": "tcp://10.0.0.1:80",
        "PORT_80_TCP": "tcp://10.0.0.1:80", "PORT_80_TCP_ADDR": "10.0.0.1", "WEB_SERVICE_HOST": "10.0.0.2",
        "WEB_PORT_80_TCP_PROTO": "tcp",
    }  # fmt: skip
    code, checks, _ = doctor(XYZZY="1", **of_a_service)
    assert (code, faults(checks)) == (Exit.OK, {"NUMBERYARD_XYZZY": "warning"})


def test_no_fault_hides_the_others(doctor: Doctor, tmp_path: Path, broker_url: str) -> None:
    mail = {
        "SMTP_HOST": "127.0.0.1",
        "SMTP_TLS": "tls",
        "SMTP_SENDER": "a@b.example",
        "PUBLIC_URL": "https://b.example",
    }
    code, checks, output = doctor(
        DATABASE_URL="not a url", REDIS_URL=broker_url, STORAGE_URL=(tmp_path / "files").as_uri(),
        SMTP_CA_FILE=tmp_path / "none.pem", TMPDIR=tmp_path, **mail,
    )  # fmt: skip
    assert code == Exit.FAULTY
    assert faults(checks) | {"NUMBERYARD_TMPDIR": "warning"} == {
        "NUMBERYARD_TMPDIR": "warning", "NUMBERYARD_SMTP_CA_FILE": "error", "database": "error", "e-mail": "error",
    }  # fmt: skip
    assert "not a PostgreSQL address" in output
    subjects = [one["subject"] for one in checks]
    assert "NUMBERYARD_STORAGE_URL" in subjects
    assert "storage" in subjects


def test_wrong_values_are_all_named_at_once(doctor: Doctor) -> None:
    code, checks, _ = doctor(
        WORKERS="zero",
        REDIS_URL=f"rediss://:{PASSWORD}@h/0?ssl_cert_reqs=none",
        METRICS_TOKEN="x",  # noqa: S106 - too short
    )
    assert code == Exit.FAULTY
    assert set(faults(checks)) == {"NUMBERYARD_WORKERS", "NUMBERYARD_REDIS_URL", "NUMBERYARD_METRICS_TOKEN"}


def test_servers_that_do_not_respond_or_refuse(doctor: Doctor, database: sa.Engine) -> None:
    unused_port = free_port()
    code, checks, output = doctor(
        DATABASE_URL=f"postgresql://u:{PASSWORD}@127.0.0.1:{unused_port}/x",
        REDIS_URL=f"redis://:{PASSWORD}@127.0.0.1:{unused_port}/0",
        STORAGE_URL="s3://bucket/prefix",
        STORAGE_ENDPOINT=f"http://127.0.0.1:{unused_port}",
    )
    assert (code, faults(checks)) == (Exit.FAULTY, {"database": "error", "broker": "error", "storage": "error"})
    assert all(one["fix"] for one in checks if one["level"] == "error")
    assert f"127.0.0.1:{unused_port}" in output
    code, checks, _ = doctor(DATABASE_URL=url_of(database, password=PASSWORD))
    assert (code, faults(checks)["database"]) == (Exit.FAULTY, "error")


def test_the_version_of_the_tables(doctor: Doctor, database: sa.Engine) -> None:
    def fix_for(statement: str) -> tuple[str, str]:
        with database.begin() as connection:
            connection.execute(sa.text(statement))
        _, checks, _ = doctor(DATABASE_URL=url_of(database))
        return next((one["detail"], one["fix"]) for one in checks if one["level"] == "error")

    assert "migrate" in fix_for("UPDATE alembic_version SET version_num = '0020'")[1]
    assert "does not know" in fix_for("UPDATE alembic_version SET version_num = '9999'")[0]
    assert "no tables" in fix_for("ALTER TABLE alembic_version RENAME TO moved")[0]
    with database.begin() as connection:
        connection.execute(sa.text("ALTER TABLE moved RENAME TO alembic_version"))


def test_a_broker_that_forgets(doctor: Doctor, broker_url: str) -> None:
    with redis.Redis.from_url(broker_url) as client:
        before = client.config_get("maxmemory*")
        try:
            client.config_set("maxmemory", "100mb")
            client.config_set("maxmemory-policy", "allkeys-lru")
            code, checks, _ = doctor(REDIS_URL=broker_url)
        finally:
            for name in ("maxmemory", "maxmemory-policy"):
                client.config_set(name, before[name])
    assert (code, faults(checks)) == (Exit.OK, {"broker": "warning"})


def test_files_folders_and_mail(doctor: Doctor, tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("no certificate")
    code, checks, _ = doctor(REDIS_CA_FILE=tmp_path / "none.pem", SMTP_CA_FILE=empty, SMTP_HOST="mail.example")
    found = faults(checks)
    assert code == Exit.FAULTY
    assert found == {"NUMBERYARD_REDIS_CA_FILE": "error", "NUMBERYARD_SMTP_CA_FILE": "error", "e-mail": "warning"}


@pytest.mark.long
def test_the_mail_server_is_asked_and_gets_no_message(doctor: Doctor) -> None:
    with mail_server.serving() as server:
        settings = {name.upper(): value for name, value in server.settings.items()}
        code, checks, _ = doctor(**settings)
        assert (code, faults(checks)) == (Exit.OK, {})
        assert any(one["subject"] == "e-mail" for one in checks)
        code, checks, _ = doctor(**settings | {"SMTP_PASSWORD": PASSWORD})
        assert (code, faults(checks)) == (Exit.FAULTY, {"e-mail": "error"})
        assert not server.got


def test_the_database_says_what_it_is(doctor: Doctor, database: sa.Engine) -> None:
    with psycopg.connect(url_of(database)) as connection:
        version = connection.info.parameter_status("server_version")
    _, checks, _ = doctor(DATABASE_URL=url_of(database))
    assert any(f"PostgreSQL {version}" in one["detail"] for one in checks)


NOT_INSTALLED = """
import sys

class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in {"opentelemetry", "sentry_sdk"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Finder)
"""


@pytest.fixture
def without_extras(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes started by the test find no package of the extras."""
    (tmp_path / "sitecustomize.py").write_text(NOT_INSTALLED)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *sys.path]))


@pytest.mark.usefixtures("without_extras")
def test_settings_that_need_a_missing_extra_are_reported(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://me:{PASSWORD}@127.0.0.1:4318")
    code, checks, _ = doctor(SENTRY_DSN=f"http://{PASSWORD}@127.0.0.1/1")
    assert (code, faults(checks)) == (
        Exit.OK, {"OTEL_EXPORTER_OTLP_ENDPOINT": "warning", "NUMBERYARD_SENTRY_DSN": "warning"},
    )  # fmt: skip
    fixes = [one["fix"] for one in checks if one["level"] == "warning" and "extra" in one["fix"]]
    assert fixes == [f"Install the extra: pip install 'numberyard[{extra}]'." for extra in ("tracing", "sentry")]


def test_settings_whose_extra_is_installed_are_right(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
    code, checks, _ = doctor(SENTRY_DSN="http://key@127.0.0.1/1")
    assert (code, faults(checks)) == (Exit.OK, {})
    assert {"OTEL_EXPORTER_OTLP_ENDPOINT", "NUMBERYARD_SENTRY_DSN"} <= {one["subject"] for one in checks}


@pytest.mark.parametrize("value", ["collector:4318", "grpc://collector:4317"])
def test_a_wrong_address_of_a_collector_is_named_by_its_variable(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", value)
    code, checks, _ = doctor()
    assert (code, faults(checks)) == (Exit.FAULTY, {"OTEL_EXPORTER_OTLP_ENDPOINT": "error"})


@pytest.mark.parametrize(
    "value", ["no address", "https://sentry.example.com/1", "https://key@sentry.example.com/x", "h:x"]
)
def test_a_wrong_dsn_is_an_error(doctor: Doctor, value: str) -> None:
    code, checks, _ = doctor(SENTRY_DSN=value)
    assert (code, faults(checks)) == (Exit.FAULTY, {"NUMBERYARD_SENTRY_DSN": "error"})


def test_a_wrong_level_of_logs_is_an_error(doctor: Doctor) -> None:
    code, checks, _ = doctor(LOG_LEVEL="loud")
    assert (code, faults(checks)) == (Exit.FAULTY, {"NUMBERYARD_LOG_LEVEL": "error"})


@pytest.mark.parametrize(("headers", "has_warning"), [("a=b, c=d%20e,", False), ("a=b,secret-token", True)])
def test_wrong_headers_for_a_collector_are_a_warning_without_their_value(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch, headers: str, *, has_warning: bool
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", headers)
    code, checks, _ = doctor()
    assert (code, faults(checks)) == (Exit.OK, {"OTEL_EXPORTER_OTLP_HEADERS": "warning"} if has_warning else {})
    assert "secret-token" not in repr(checks)


START = """
import os, sys
from webhook.asgi import create_app
create_app()
from worker import celery_app, tasks
celery_app._configure_logging()
print(sorted(sys.modules.keys() & {"opentelemetry.exporter", "sentry_sdk"}))  # redis imports others, if they are there
"""


@pytest.mark.usefixtures("database")
def test_no_package_of_an_extra_is_imported_unless_its_setting_is_there() -> None:
    for settings, imported in (
        ({}, []),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "", "NUMBERYARD_SENTRY_DSN": ""}, []),
        ({"NUMBERYARD_SENTRY_DSN": "http://key@127.0.0.1/1"}, ["sentry_sdk"]),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, ["opentelemetry.exporter"]),
    ):
        done = subprocess.run([sys.executable, "-c", START], env=os.environ | settings, capture_output=True, check=True)
        assert done.stdout.decode().strip() == repr(imported)


@pytest.mark.usefixtures("database", "without_extras")
def test_processes_log_a_missing_extra_at_their_start_and_work_without_it() -> None:
    env = os.environ | {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "NUMBERYARD_SENTRY_DSN": "http://k@h/1"}
    done = subprocess.run([sys.executable, "-c", START], env=env, capture_output=True, text=True, check=True)
    logged = [json.loads(line) for line in done.stderr.splitlines()]
    of_extras = [line["subject"] for line in logged if line["event"] == "configuration" and "extra" in line["fix"]]
    assert of_extras == ["OTEL_EXPORTER_OTLP_ENDPOINT", "NUMBERYARD_SENTRY_DSN"] * 2  # web and worker


@pytest.mark.parametrize(
    "program", ["from worker.celery_app import app", "from webhook.asgi import create_app; create_app()"]
)
def test_processes_refuse_wrong_settings_in_one_line_each(program: str) -> None:
    env = os.environ | {"NUMBERYARD_WORKERS": "zero", "NUMBERYARD_SMTP_PORT": "-1"}
    done = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert {line["event"] for line in lines} == {"cannot_start"}
    named = {line["reason"].partition(":")[0] for line in lines}
    assert named == {"NUMBERYARD_WORKERS", "NUMBERYARD_SMTP_PORT"}


@pytest.mark.usefixtures("database")
def test_processes_log_unknown_settings_at_their_start() -> None:
    env = os.environ | {"NUMBERYARD_DATABSE_URL": PASSWORD}
    done = subprocess.run(
        [sys.executable, "-c", "from webhook.asgi import create_app; create_app()"],
        env=env, capture_output=True, text=True, check=True,
    )  # fmt: skip
    logged = [json.loads(line) for line in done.stderr.splitlines() if "configuration" in line]
    (line,) = [one for one in logged if one["subject"] == "NUMBERYARD_DATABSE_URL"]
    assert line["level"] == "warning"
    assert PASSWORD not in done.stderr
