"""The command line against a stand-in on a real socket: results, exit codes, streams, and hostile text made safe."""

from __future__ import annotations

import itertools
import json
import os
import pty
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import openpyxl
import pytest
from click.testing import CliRunner, Result

from tests.unit.fake_service import JOB_ID, REPORT, TOKEN, Service, job, running
from webhook.cli import follow, main
from webhook.cli.client import Api, Json, ProblemError
from webhook.cli.exit_codes import MEANINGS, Exit
from webhook.cli.progress_views import LINE_SECONDS, Lines
from webhook.cli.terminal import safe, size
from worker.sample.generator import BATCH_ROWS, rows

HOSTILE = "\x1b[31mred\x1b[0m\x1b]0;title\x07 [bold]x[/bold]\x07\u202e\n.csv"
MILD = "red [bold]x[/bold] .csv"
ID = "00000000-0000-4000-8000-000000000007"
COMMANDS = ("up", "upload", "jobs", "report", "numbers", "sample", "migrate")
Cli = Callable[..., Result]


@pytest.fixture
def service() -> Iterator[Service]:
    with running() as made:
        yield made


@pytest.fixture
def cli(service: Service, tmp_path: Path) -> Cli:
    def run(*words: str, **env: str | None) -> Result:
        known = {"NUMBERYARD_URL": service.url, "NUMBERYARD_TOKEN": TOKEN}
        known["NUMBERYARD_CONFIG"] = str(tmp_path / "none" / "config.toml")  # whoever runs the tests may have one
        return CliRunner().invoke(main, words, env=known | env)

    return run


@pytest.fixture
def sheet(tmp_path: Path) -> Path:
    path = tmp_path / "numbers.csv"
    path.write_text("Country Code,Phone Number,Voice,SMS\n1,2125550142,TRUE,FALSE\n")
    return path


def spawned(service: Service, *words: str, stderr: int = subprocess.PIPE) -> subprocess.Popen[bytes]:
    env = os.environ | {"NUMBERYARD_URL": service.url, "NUMBERYARD_TOKEN": TOKEN}
    command = [sys.executable, "-c", "from webhook.cli import main; main()", *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, env=env)


# --- help ---------------------------------------------------------------------------------------------------------


def test_help_names_every_command_and_every_exit_code_without_loading_them() -> None:
    heavy = "{'httpx', 'rich', 'numpy', 'pyarrow', 'sqlalchemy', 'flask'}"
    code = (
        f"import sys; from webhook.cli import main\ntry: main(['--help'])\nfinally: print({heavy} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"
    for word in (*COMMANDS, *MEANINGS.values(), *(str(exit_code.value) for exit_code in Exit)):
        assert word in done.stdout
    assert set(MEANINGS) == set(Exit)


@pytest.mark.parametrize("command", ["upload", "jobs", "report", "numbers", "sample", "migrate", "up", "demo", "login"])
def test_every_command_has_json(cli: Cli, command: str) -> None:
    result = cli(command, "--help")
    assert result.exit_code == Exit.OK
    assert "--json" in result.output


# --- exit codes ---------------------------------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("completed", Exit.OK),
        ("completed_with_errors", Exit.PARTLY_FAILED),
        ("failed", Exit.JOB_FAILED),
        ("cancelled", Exit.CANCELLED),
    ],
)
def test_waiting_ends_with_the_code_of_the_job(
    cli: Cli, service: Service, sheet: Path, status: str, expected: Exit
) -> None:
    service.jobs = [job("checking"), job("running"), job(status)]
    assert cli("upload", str(sheet), "--watch").exit_code == expected
    assert cli("jobs", JOB_ID, "--watch").exit_code == expected
    assert cli("jobs", JOB_ID).exit_code == Exit.OK


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, Exit.REFUSED),
        (401, Exit.NOT_ALLOWED),
        (403, Exit.NOT_ALLOWED),
        (404, Exit.NOT_FOUND),
        (409, Exit.REFUSED),
        (413, Exit.REFUSED),
        (422, Exit.REFUSED),
        (500, Exit.UNEXPECTED),
    ],
)
@pytest.mark.parametrize("words", [("jobs",), ("jobs", "x"), ("report", "x"), ("numbers",), ("upload", "{sheet}")])
def test_a_problem_is_told_with_code_detail_and_fix(
    cli: Cli, service: Service, sheet: Path, words: tuple[str, ...], status: int, expected: Exit
) -> None:
    """RFC 9457."""
    service.refusal = (status, {"code": "SOME_CODE", "detail": f"No: {HOSTILE}", "fix": "Do it so."})
    result = cli(*(word.format(sheet=sheet) for word in words))
    assert result.exit_code == expected
    assert result.stdout == ""
    # The service's advice for 401 speaks of headers; ours of commands.
    fix = "The service did not accept this token. Save one with `numberyard login`" if status == 401 else "Do it so.\n"
    assert f"SOME_CODE: No: {MILD}\n  {fix}" in result.stderr


def test_a_problem_with_json_is_on_stdout_too(cli: Cli, service: Service) -> None:
    service.refusal = (422, {"code": "SOME_CODE", "detail": "No."})
    assert json.loads(cli("jobs", "--json").stdout)["code"] == "SOME_CODE"


def test_no_token_is_not_signed_in(cli: Cli) -> None:
    assert cli("jobs", NUMBERYARD_TOKEN=None).exit_code == Exit.NOT_ALLOWED


def test_nobody_there(cli: Cli, sheet: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound but not listening: connections are refused
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        for words in (("jobs",), ("upload", str(sheet)), ("report", "x"), ("jobs", "x", "--watch")):
            result = cli(*words, NUMBERYARD_URL=url)
            assert result.exit_code == Exit.UNREACHABLE
            assert "UNREACHABLE" in result.stderr
            assert "Traceback" not in result.output


@pytest.mark.parametrize("answer", ["<h1>It works!</h1>", "[]", "{}"])
def test_somebody_else_there(cli: Cli, service: Service, answer: str) -> None:
    service.plain_answer = answer
    assert cli("jobs").exit_code == Exit.UNREACHABLE


@pytest.mark.parametrize(
    "words",
    [
        ("nonsense",),
        ("jobs", "--watch"),
        ("jobs", "--limit", "0"),
        ("upload", "not-there.csv"),
        ("upload", "/dev/null"),
        ("upload", "."),
        ("upload", "{sheet}", "--on-existing", "guess"),
        ("upload", "{sheet}", "--report", "out.pdf"),
        ("report", JOB_ID, "--json"),
        ("report", JOB_ID, "--out", "report.pdf"),
        ("report", JOB_ID, "--out", "no-such-folder/report.csv"),
        ("sample", "--rows", "-1", "--out", "s.csv"),
        ("sample", "--rows", "1048576", "--out", "s.xlsx"),
        ("sample", "--rows", "1", "--out", "no-such-folder/s.csv"),
        ("jobs", "--url", "ftp://host"),
        ("jobs", "--token", "nyk\nx"),
        ("jobs", "--demo", "no-such-folder"),
    ],
)
def test_a_wrong_command_is_usage_and_sends_nothing_new(
    cli: Cli, service: Service, sheet: Path, words: tuple[str, ...]
) -> None:
    assert cli(*(word.format(sheet=sheet) for word in words)).exit_code == Exit.USAGE
    assert service.uploads == []


# --- where the service is -----------------------------------------------------------------------------------------


@pytest.fixture
def demo(service: Service, tmp_path: Path) -> Path:
    accounts = [
        {"name": "Top", "kind": "master_reseller", "token": "nyk_top"},
        {"name": "First", "kind": "reseller", "token": TOKEN},
        {"name": "Second", "kind": "reseller", "token": "nyk_second"},
    ]
    (tmp_path / "demo.json").write_text(json.dumps({"url": service.url, "accounts": accounts}))
    return tmp_path


def test_options_before_demo_before_environment(cli: Cli, service: Service, demo: Path) -> None:
    service.lists["/v1/jobs"] = []
    wrong = {"NUMBERYARD_URL": "http://127.0.0.1:1", "NUMBERYARD_TOKEN": "nyk_wrong"}
    given = ("--url", service.url, "--token", TOKEN)
    for words in (("--demo", str(demo), "jobs"), ("jobs", "--demo", str(demo)), (*given, "jobs"), ("jobs", *given)):
        assert cli(*words, **wrong).exit_code == Exit.OK, words
    assert cli("--token", "nyk_wrong", "jobs", "--demo", str(demo)).exit_code == Exit.NOT_ALLOWED


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"url": "x", "accounts": []}', '{"accounts": [{"kind": "reseller"}]}']
)
def test_a_broken_demo_file_is_told(cli: Cli, tmp_path: Path, content: str) -> None:
    (tmp_path / "demo.json").write_text(content)
    result = cli("jobs", "--demo", str(tmp_path))
    assert result.exit_code == Exit.USAGE
    assert "demo.json" in result.stderr


def test_a_proxy_is_not_asked_for_this_machine(cli: Cli, service: Service) -> None:
    service.lists["/v1/jobs"] = []
    assert cli("jobs", HTTP_PROXY="http://127.0.0.1:1", http_proxy="http://127.0.0.1:1").exit_code == Exit.OK


# --- upload and watch ---------------------------------------------------------------------------------------------


def test_upload_sends_the_file_and_what_was_chosen_and_says_how_to_follow(
    cli: Cli, service: Service, sheet: Path
) -> None:
    chosen = ("--voice-carrier", "Blue", "--sms-carrier-profile", "Red", "--assign-to", ID, "--on-existing", "update")
    result = cli("upload", str(sheet), *chosen, "--accept", "possible", "--number-format", "national")
    sent = service.uploads[0]
    assert result.exit_code == Exit.OK
    assert f"numberyard jobs {JOB_ID} --watch" in result.stdout
    assert (sent["name"], sent["size"]) == ("numbers.csv", sheet.stat().st_size)
    assert int(sent["length"]) > sheet.stat().st_size
    assert sent["fields"] == {
        "voice_carrier": "Blue",
        "sms_carrier_profile": "Red",
        "assign_to": ID,
        "on_existing": "update",
        "accept": "possible",
        "number_format": "national",
    }


def test_r31_r32_the_mapping_and_the_import_profile_are_sent(
    cli: Cli, service: Service, sheet: Path, tmp_path: Path
) -> None:
    """`--profile` names the connection, as everywhere; the profile of the import has an option of its own."""
    mapping = {"columns": {"Phone Number": "Nummer (öff.)", "Voice": 3}}
    (tmp_path / "mapping.json").write_text(json.dumps(mapping, ensure_ascii=False), encoding="utf-8-sig")
    words = ("--mapping", str(tmp_path / "mapping.json"), "--import-profile", "Carrier X", "--header-row", "0")
    assert cli("upload", str(sheet), *words).exit_code == Exit.OK
    sent = service.uploads[0]["fields"]
    assert json.loads(sent.pop("mapping")) == mapping
    assert sent == {"profile": "Carrier X", "header_row": "0"}
    (tmp_path / "mapping.json").write_text("{", encoding="utf-8")
    assert cli("upload", str(sheet), *words).exit_code == Exit.USAGE
    assert len(service.uploads) == 1


def test_what_was_not_chosen_is_not_sent(cli: Cli, service: Service, sheet: Path) -> None:
    assert cli("upload", str(sheet)).exit_code == Exit.OK
    assert service.uploads[0]["fields"] == {}


@pytest.mark.long
def test_watching_asks_the_service_to_wait_and_shows_progress_only_on_a_terminal(
    cli: Cli, service: Service, sheet: Path
) -> None:
    service.jobs = [job("checking"), job("running"), job("publishing"), job()]
    result = cli("upload", str(sheet), "--watch")
    assert set(service.prefers) == {"wait=5"}
    assert result.stderr == ""


def test_plain_lines_come_at_most_every_few_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    now = [0.0]
    view = Lines(clock=lambda: now[0])
    for _ in range(17):
        view.show(job("running"))
        now[0] += LINE_SECONDS / 8
    assert len(capsys.readouterr().err.splitlines()) == 3


def test_the_summary_adds_up_and_names_the_top_three_causes(cli: Cli, service: Service) -> None:
    """R28."""
    causes = [("TOO_SHORT", 9), ("MISSING_VALUE", 7), ("CARRIER_MISSING", 5), ("TOO_LONG", 3)]
    summary = [{"code": code, "count": count, "first_row": count + 1} for code, count in causes]
    counts = {"total": 1100, "created": 1071, "skipped": 5, "failed": 24, "warnings": 12}
    service.jobs = [job("completed_with_errors", counts=counts, error_summary=summary)]
    result = cli("jobs", JOB_ID, "--watch")
    assert result.exit_code == Exit.PARTLY_FAILED
    assert "1,100  = 1,071 + 5 + 24" in result.stdout
    for code, count in causes[:3]:
        assert f"{code}: {count} rows, first in row {count + 1}" in result.stdout
    assert "TOO_LONG" not in result.stdout
    assert "{" not in result.stdout
    assert f"numberyard report {JOB_ID}" in result.stdout


def test_counts_that_do_not_add_up_are_our_fault(cli: Cli, service: Service) -> None:
    """R28."""
    service.jobs = [job(counts={"total": 101})]
    result = cli("jobs", JOB_ID, "--watch")
    assert result.exit_code == Exit.UNEXPECTED
    assert "101  but the lines above add up to 100" in result.stdout


def test_a_failed_job_tells_its_problem(cli: Cli, service: Service) -> None:
    problem = {"code": "MISSING_COLUMN", "detail": "Phone Number is missing.", "fix": "Add it."}
    service.jobs = [job("failed", problem=problem, counts={"total": 0, "created": 0})]
    result = cli("jobs", JOB_ID, "--watch")
    assert result.exit_code == Exit.JOB_FAILED
    assert "MISSING_COLUMN: Phone Number is missing.\n  Add it." in result.stdout


def test_watching_with_json_writes_one_document_to_stdout(cli: Cli, service: Service, sheet: Path) -> None:
    service.jobs = [job("running"), job("completed_with_errors")]
    result = cli("upload", str(sheet), "--watch", "--json")
    assert json.loads(result.stdout)["status"] == "completed_with_errors"
    assert result.stderr == ""


def test_the_report_is_saved_at_the_end(cli: Cli, service: Service, sheet: Path, tmp_path: Path) -> None:
    service.jobs = [job("running"), job()]
    assert cli("upload", str(sheet), "--report", str(tmp_path / "out.csv")).exit_code == Exit.OK
    assert (tmp_path / "out.csv").read_bytes() == REPORT
    service.jobs = [job()]
    told = cli("upload", str(sheet), "--report", str(tmp_path / "out.csv")).stdout
    assert told.endswith(f"Report: {tmp_path / 'out.csv'} ({len(REPORT)} bytes)\n")


@pytest.mark.long
def test_watching_survives_a_service_that_breaks_off_and_says_so_once(cli: Cli, service: Service) -> None:
    service.jobs = [job("running"), None, None, None, job("running"), job()]
    result = cli("jobs", JOB_ID, "--watch")
    assert result.exit_code == Exit.OK
    assert result.stderr.count("does not respond") == 1
    assert result.stderr.count("responds again") == 1


def test_a_service_that_stays_away_is_given_up_with_a_way_to_resume(
    cli: Cli, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "PATIENCE", 0.2)
    service.jobs = [job("running"), None]
    result = cli("jobs", JOB_ID, "--watch")
    assert result.exit_code == Exit.UNREACHABLE
    assert f"numberyard jobs {JOB_ID} --watch" in result.stderr


def test_a_service_that_stays_busy_is_called_busy_and_the_way_to_resume_is_printed(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does respond, so nobody has to check the network; and the job is not lost."""
    monkeypatch.setattr(follow, "PATIENCE", 0.2)
    polls = itertools.count()

    def poll(_api: Api, _job_id: str, wait: int = 0) -> Json:  # noqa: ARG001 - as the method
        if next(polls):
            raise ProblemError(503, {"code": "UNAVAILABLE", "detail": "Busy.", "fix": ""})
        return job("running")

    monkeypatch.setattr(Api, "job", poll)
    result = cli("jobs", JOB_ID, "--watch")
    assert result.stderr.count("The service is busy.") == 1
    assert "does not respond" not in result.stderr
    assert f"The job is not lost. Follow it: numberyard jobs {JOB_ID} --watch" in result.stderr
    assert "UNAVAILABLE: Busy." in result.stderr


@pytest.mark.long
def test_a_token_revoked_while_waiting_is_told_at_once(service: Service) -> None:
    service.jobs = [job("running"), job("running")]
    process = spawned(service, "jobs", JOB_ID, "--watch")
    service.wait_for_polls(2)
    service.refusal = (401, {"code": "UNAUTHENTICATED", "detail": "Revoked."})
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == Exit.NOT_ALLOWED
    assert b"UNAUTHENTICATED" in stderr


@pytest.mark.long
def test_ctrl_c_leaves_the_job_running_and_prints_how_to_resume(service: Service, sheet: Path) -> None:
    service.jobs = [job("running")]
    process = spawned(service, "--url", service.url, "upload", str(sheet), "--watch")
    service.wait_for_polls(2)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == Exit.INTERRUPTED
    told = stderr.decode()
    assert f"Follow it: numberyard --url {service.url} jobs {JOB_ID} --watch\n" in told
    assert f"Stop it:   numberyard --url {service.url} cancel {JOB_ID}\n" in told
    assert b"Traceback" not in stderr
    assert [method for method, _ in service.asked].count("POST") == 1


@pytest.mark.long
def test_a_large_upload_streams_from_disk(service: Service, tmp_path: Path) -> None:
    """Peak memory of the program does not grow with the file."""
    peaks = []
    for megabytes in (1, 96):
        path = tmp_path / f"{megabytes}.csv"
        with path.open("wb") as file:
            file.truncate(megabytes << 20)
        process = spawned(service, "upload", str(path))
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        process.communicate()
        assert process.returncode == Exit.OK
        peaks.append(usage.ru_maxrss)
    assert service.uploads[1]["size"] == 96 << 20
    assert peaks[1] - peaks[0] < 16 << 10  # kilobytes


def test_a_large_upload_that_is_refused_early_tells_why(cli: Cli, service: Service, tmp_path: Path) -> None:
    path = tmp_path / "large.csv"
    with path.open("wb") as file:
        file.truncate(64 << 20)
    service.refusal = (413, {"code": "FILE_TOO_LARGE", "detail": "Too large."})
    result = cli("upload", str(path))
    assert result.exit_code == Exit.REFUSED
    assert "FILE_TOO_LARGE" in result.stderr


@pytest.mark.long
def test_on_a_terminal_there_are_bars(service: Service, sheet: Path) -> None:
    service.jobs = [job("checking"), job("running"), job("publishing"), job()]
    ours, theirs = pty.openpty()
    process = spawned(service, "upload", str(sheet), "--watch", "--json", stderr=theirs)
    os.close(theirs)
    shown = b"".join(_until_closed(ours))
    stdout, _ = process.communicate(timeout=30)
    assert process.returncode == Exit.OK
    assert json.loads(stdout)["id"] == JOB_ID
    for name in (b"Upload", b"Check", b"Import", b"Report", b"100%"):
        assert name in shown
    assert set(service.prefers) == {"wait=1"}


def _until_closed(terminal: int) -> Iterator[bytes]:
    while True:
        try:
            piece = os.read(terminal, 4096)
        except OSError:  # the other side is closed (Linux)
            piece = b""
        if not piece:
            os.close(terminal)
            return
        yield piece


# --- reading ------------------------------------------------------------------------------------------------------


def test_lists_follow_the_pages_up_to_the_limit(cli: Cli, service: Service) -> None:
    service.lists["/v1/jobs"] = [job(id=f"job-{place}") for place in range(5)]
    listed = json.loads(cli("jobs", "--json", "--limit", "3").stdout)
    assert [entry["id"] for entry in listed["data"]] == ["job-0", "job-1", "job-2"]
    assert listed["next_cursor"] == "3"
    assert cli("jobs").stdout.count("job-") == 5


def test_numbers_searches_with_filters_and_shows_one(cli: Cli, service: Service) -> None:
    number = {
        "e164": "+12125550142",
        "country": "US",
        "voice": True,
        "sms": False,
        "fax": True,
        "voice_carrier": "Blue",
        "sms_carrier_profile": None,
        "status": "unassigned",
        "tenant": {"id": 1, "name": "Holder", "kind": "reseller"},
        "uploaded_by": {"id": 1, "name": "Uploader", "kind": "reseller"},
        "history": [{"job_id": JOB_ID, "code": "CREATED", "at": "2026-01-01T10:00:00Z"}],
    }
    service.lists["/v1/numbers"] = [number]
    service.numbers["+12125550142"] = number
    listed = cli("numbers", "212", "--status", "unassigned", "--capability", "voice").stdout
    for word in ("+12125550142", "voice fax", "Blue", "Holder"):
        assert word in listed
    assert service.asked[-1] == ("GET", "/v1/numbers?q=212&status=unassigned&capability=voice&limit=50")
    shown = cli("numbers", "+12125550142").stdout
    for word in ("Uploader", JOB_ID, "CREATED"):
        assert word in shown
    assert json.loads(cli("numbers", "+12125550142", "--json").stdout) == number
    assert cli("numbers", "+12125550199").exit_code == Exit.NOT_FOUND


def test_an_id_cannot_leave_its_place_in_the_path(cli: Cli, service: Service) -> None:
    assert cli("jobs", "../tokens?x=1#y").exit_code == Exit.NOT_FOUND
    assert all(path.startswith("/v1/jobs/") for _, path in service.asked)


def test_the_report_goes_to_stdout_untouched_or_to_a_file(cli: Cli, service: Service, tmp_path: Path) -> None:
    assert cli("report", JOB_ID).stdout_bytes == REPORT
    out = tmp_path / "failed.jsonl"
    result = cli("report", JOB_ID, "--rows", "failed", "--out", str(out), "--json")
    assert json.loads(result.stdout) == {"job_id": JOB_ID, "path": str(out), "bytes": len(REPORT)}
    assert out.read_bytes() == REPORT
    assert service.asked[-1] == ("GET", f"/v1/jobs/{JOB_ID}/report.jsonl?rows=failed")


def test_a_refused_report_leaves_the_old_file_and_no_part(cli: Cli, service: Service, tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("old")
    service.refusal = (409, {"code": "NOT_READY", "detail": "Wait."})
    assert cli("report", JOB_ID, "--out", str(tmp_path / "r.csv")).exit_code == Exit.REFUSED
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"r.csv": "old"}


@pytest.mark.long
@pytest.mark.parametrize("code", ["WORKBOOK_NOT_READY", "UNAVAILABLE"])
def test_a_report_is_asked_for_again_while_it_is_prepared_or_the_service_is_busy(
    cli: Cli, service: Service, tmp_path: Path, code: str
) -> None:
    out = tmp_path / "failed.xlsx"
    service.workbook_refusals = [(503, code)]
    assert cli("report", JOB_ID, "--out", str(out)).exit_code == Exit.OK
    assert (out.read_bytes(), len(service.asked)) == (REPORT, 2)


@pytest.mark.long
def test_a_report_is_not_asked_for_again_for_ever(
    cli: Cli, service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor if its workbook cannot be built."""
    monkeypatch.setattr("webhook.cli.client._BUSY_SECONDS", 1.5)
    for refusals in ([(500, "WORKBOOK_FAILED")], [(503, "UNAVAILABLE")] * 9):
        service.asked.clear()
        service.workbook_refusals = list(refusals)
        assert cli("report", JOB_ID, "--out", str(tmp_path / "failed.xlsx")).exit_code != Exit.OK
        assert len(service.asked) < 4


# --- hostile text -------------------------------------------------------------------------------------------------


def test_hostile_names_reach_the_terminal_as_plain_text(cli: Cli, service: Service) -> None:
    hostile = job("failed", id=JOB_ID + HOSTILE, problem={"code": "X", "detail": HOSTILE, "fix": HOSTILE})
    hostile["file"] = {"name": HOSTILE, "notes": [HOSTILE]}
    service.jobs, service.lists["/v1/jobs"] = [hostile], [hostile]
    number = {
        "e164": "+12125550142",
        "voice_carrier": HOSTILE,
        "tenant": {"name": HOSTILE},
        "history": [{"a": HOSTILE}],
    }
    service.numbers["+12125550142"], service.lists["/v1/numbers"] = number, [number]
    for words in (("jobs",), ("jobs", JOB_ID), ("jobs", JOB_ID, "--watch"), ("numbers",), ("numbers", "+12125550142")):
        result = cli(*words)
        # A list for programs keeps line breaks, escaped.
        assert (MILD in result.output) or (MILD.replace(" .csv", "\\n.csv") in result.output), words
        assert not {"\x1b", "\x07", "\u202e"} & set(result.output), words
        assert not {"\x1b", "\x07", "\u202e"} & set(cli(*words, "--json").output), words


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (HOSTILE, MILD),
        (None, ""),
        ("a\tb\r\nc", "a b c"),
        ("\x9b31mx", "31mx"),
        ("\x9d0;title\x9cx", "x"),
        ("\x1b]8;;http://evil\x1b\\click\x1b]8;;\x1b\\", "click"),
        ("\x1b]never ends", ""),
        ("Müller 東京", "Müller 東京"),
        (12, "12"),
    ],
)
def test_safe(given: object, shown: str) -> None:
    assert safe(given) == shown


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (5e6, "5.0 MB"), (2e12, "2000.0 GB")]
)
def test_size(count: float, text: str) -> None:
    assert size(count) == text


# --- migrate ------------------------------------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.parametrize(
    ("url", "expected"), [(None, Exit.USAGE), ("postgresql://nobody@127.0.0.1:1/none", Exit.UNREACHABLE)]
)
def test_migrate_without_a_database_is_told_in_a_line(url: str | None, expected: Exit) -> None:
    env = {name: value for name, value in os.environ.items() if name != "NUMBERYARD_DATABASE_URL"}
    env |= {"NUMBERYARD_DATABASE_URL": url} if url else {}
    command = [sys.executable, "-c", "from webhook.cli import main; main()", "migrate"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == expected
    assert "Traceback" not in done.stderr


# --- sample -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, BATCH_ROWS + 3])
def test_sample_writes_the_rows_of_the_generator(cli: Cli, tmp_path: Path, count: int) -> None:
    out = tmp_path / "s.csv"
    result = cli("sample", "--rows", str(count), "--seed", "4", "--out", str(out), "--json")
    assert json.loads(result.stdout) == {"path": str(out), "rows": count, "seed": 4, "bytes": out.stat().st_size}
    lines = out.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "Country Code,Phone Number,Voice,SMS,Fax"
    expected = [",".join(row.values()) for batch in rows(count, 4) for row in batch.to_pylist()]
    assert lines[1:] == expected


def test_sample_workbook_holds_the_same_rows_as_text_and_the_same_bytes_each_time(cli: Cli, tmp_path: Path) -> None:
    first, second = tmp_path / "1.xlsx", tmp_path / "2.xlsx"
    for out in (first, second):
        assert cli("sample", "--rows", "500", "--seed", "4", "--out", str(out)).exit_code == Exit.OK
    assert first.read_bytes() == second.read_bytes()
    sheet = openpyxl.load_workbook(first, read_only=True).worksheets[0]
    found = [tuple(cell or "" for cell in row) for row in sheet.iter_rows(values_only=True)]
    assert found[1:] == [tuple(row.values()) for batch in rows(500, 4) for row in batch.to_pylist()]
