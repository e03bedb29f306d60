"""Results for programs and files: fields checked before a request, lists cut at a limit, permissions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.support.cli_process import Program, environment
from tests.unit.fake_service import JOB_ID, TOKEN, Service, job, running
from webhook.cli import main
from webhook.cli.exit_codes import Exit
from webhook.cli.saved_files import replacing
from webhook.cli.terminal import safe_lines, when

ID = "0198c0de-0000-4000-8000-000000000001"
HOSTILE = "\x1b[31mred\x1b]0;title\x07\x9b31m\u202e"
CLEAN = "red31m"


@pytest.fixture
def service() -> Iterator[Service]:
    with running() as made:
        yield made


def cli(service: Service, *words: str) -> Result:
    env = {"NUMBERYARD_URL": service.url, "NUMBERYARD_TOKEN": TOKEN, "NUMBERYARD_CONFIG": "/none"}
    return CliRunner().invoke(main, words, env=env)


def program(service: Service, folder: Path | None = None) -> Program:
    return Program(environment(NUMBERYARD_URL=service.url, NUMBERYARD_TOKEN=TOKEN), folder)


# Fields


@pytest.mark.parametrize("output", [(), ("--json",), ("--output", "tsv")])
@pytest.mark.parametrize(
    ("words", "listed"),
    [
        (("webhooks", "rotate", ID), "secret"),
        (("webhooks", "test", ID), "next_attempt_at"),
        (("webhooks", "replay", ID, ID), "next_attempt_at"),
        (("webhooks", "delete", ID), "deleted, id"),
        (("callbacks", "rotate"), "secret"),
        (("callbacks", "replay", ID), "next_attempt_at"),
        (("tokens", "revoke", ID), "id, revoked"),
        (("tenants", "remove", ID), "deleted, id"),
        (("users", "remove", ID), "deleted, id"),
        (("profiles", "remove", ID), "deleted, id"),
        (("carriers", "remove", ID), "deleted, id"),
        (("carriers", "set-default", "Blue", "--service", "voice"), "default_voice_carrier"),
        (("correct", JOB_ID, "c.json", "--preview"), "rows, rules"),
        (("export", "--out", "n.csv"), "bytes, path"),
        (("export", "--out", "n.xlsx"), "bytes, job_id, path"),
        (("report", JOB_ID, "--out", "r.csv"), "bytes, job_id, path"),
    ],
)
def test_nothing_is_requested_for_an_unknown_field(
    service: Service,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    listed: str,
    output: tuple[str, ...],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("c.json").write_text("{}", encoding="utf-8")
    result = cli(service, *words, "--fields", "nothing.such", *output)
    assert (result.exit_code, service.asked, result.stdout) == (Exit.USAGE, [], ""), result.output
    assert listed in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["c.json"]


@pytest.mark.parametrize("words", [("export",), ("report", JOB_ID)])
def test_a_file_on_stdout_has_no_fields_to_select(service: Service, words: tuple[str, ...]) -> None:
    result = cli(service, *words, "--fields", "path")
    assert (result.exit_code, service.asked) == (Exit.USAGE, [])
    assert "--fields needs --out" in result.stderr


def test_fields_of_a_saved_report(service: Service, tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    result = cli(service, "report", JOB_ID, "--out", str(path), "--fields", "path,bytes")
    assert result.stdout == f"path\tbytes\n{path}\t{path.stat().st_size}\n"


# Lists and problems


def test_json_lines_that_end_at_the_limit_say_so(service: Service) -> None:
    service.lists["/v1/jobs"] = [job(id=f"{ID}{place}") for place in range(3)]
    result = cli(service, "jobs", "--output", "ndjson", "--limit", "2")
    assert len(result.stdout.splitlines()) == 2
    text = "Showing the newest 2. To see more, use --limit."
    assert json.loads(result.stderr) == {"note": text, "next_cursor": "2"}
    assert cli(service, "jobs", "--output", "ndjson", "--limit", "2", "--quiet").stderr == ""
    assert cli(service, "jobs", "--output", "ndjson", "--limit", "3").stderr == ""
    shown = program(service).on_terminal("jobs", "--output", "ndjson", "--limit", "2")
    assert shown.splitlines()[-1] == text


def test_a_problem_after_lines_of_changes_is_only_on_stderr(service: Service, tmp_path: Path) -> None:
    change = {"at": "2026-11-01T09:00:00Z", "type": "number.created", "e164": "+12125550142"}
    service.things["/v1/changes"] = {"data": [change], "next_cursor": "2"}
    result = cli(service, "changes", "--json", "--cursor-file", str(tmp_path / "missing" / "cursor"))
    assert [json.loads(line) for line in result.stdout.splitlines()] == [change]
    assert (result.exit_code, json.loads(result.stderr)["code"]) == (Exit.USAGE, "CANNOT_WRITE")
    service.refusal = (409, {"code": "REFUSED", "detail": "No."})
    assert json.loads(cli(service, "changes", "--json").stdout)["code"] == "REFUSED"


# Untrusted text


def test_an_export_is_safe_on_a_terminal_and_unchanged_elsewhere(service: Service) -> None:
    service.plain_answer = f"e164,name\r\n+12125550142,{HOSTILE}\r\n"
    shown = program(service).on_terminal("export")
    assert shown == f"e164,name\n+12125550142,{CLEAN}\n"
    assert program(service)("export").stdout == service.plain_answer.encode()


def test_lines_that_arrive_in_blocks() -> None:
    text = "naïve\r\n“\x85”\n\nlast".encode()
    for size in range(1, len(text) + 1):
        blocks = (text[start : start + size] for start in range(0, len(text), size))
        assert list(safe_lines(blocks)) == ["naïve", "“”", "", "last"]


def test_a_time_that_is_none_is_safe() -> None:
    assert (when(HOSTILE), when(None), when("2026-11-01T09:00:00+01:00")) == (CLEAN, "", "2026-11-01 08:00:00Z")


# Files


@pytest.mark.parametrize("mode", [0o600, 0o664, 0o444])
def test_a_replaced_file_keeps_its_permissions(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "report.csv"
    path.write_text("old", encoding="utf-8")
    path.chmod(mode)
    with replacing(path) as file:
        file.write(b"new")
    assert (path.read_bytes(), path.stat().st_mode & 0o7777) == (b"new", mode)


def test_a_file_whose_name_is_a_dash(service: Service, tmp_path: Path) -> None:
    (tmp_path / "-").write_bytes(b"Phone Number\n+12125550142\n")
    assert program(service, tmp_path)("upload", "./-", given=b"stdin").returncode == Exit.OK
    assert [(sent["name"], sent["size"]) for sent in service.uploads] == [("-", 26)]
    service.plain_answer = "e164\n"
    done = program(service, tmp_path)("export", "--out", "./-")
    assert (done.returncode, done.stdout, (tmp_path / "-").read_bytes()) == (Exit.OK, b"", b"e164\n")
