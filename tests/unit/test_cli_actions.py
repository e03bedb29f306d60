"""The commands that act on numbers and decide about jobs, against a stand-in on a real socket."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.unit.fake_service import JOB_ID, REPORT, TOKEN, Json, Service, job, running
from webhook.cli import main
from webhook.cli.exit_codes import Exit
from webhook.cli.summary import lines

ID, OTHER = "00000000-0000-4000-8000-000000000007", "00000000-0000-4000-8000-000000000008"
NUMBERS = ("+12125550142", "+1 212 555 0143")
TENANTS = [
    {"id": "t-hotel", "name": "Hotel Enterprise"},
    {"id": "t-clinic", "name": "Clinic"},
    {"id": "t-first", "name": "Twin"},
    {"id": "t-second", "name": "twin "},
]
USERS = [
    {"id": "u-ann", "name": "Ann", "email": "ann@example.org"},
    {"id": "u-bob", "name": "ann@example.org", "email": "bob@example.org"},
    {"id": "u-eve", "name": "Ann", "email": "eve@example.org"},
]
HOLDER = {"id": "t-hotel", "name": "Hotel \x1b[31mred", "kind": "enterprise"}
STATE = {"tenant": {"name": "North"}, "voice": True, "voice_carrier": "Blue", "voice_user": None}
REVIEW = {
    "expires_at": "2026-01-02T10:00:00+00:00",
    "effect": {
        "created": 1,
        "updated": 1200,
        "deleted": 0,
        "unchanged": 0,
        "skipped": 0,
        "failed": 3,
        "unprocessed": 0,
    },
    "targets": [{"tenant": HOLDER, "created": 1, "updated": 1200, "deleted": 0}],
    "carriers": [{"service": "voice", "name": "Blue", "count": 1201}],
    "changes": [
        {"number": "+12125550140", "before": None, "after": STATE},
        {"number": "+12125550142", "before": STATE, "after": STATE | {"tenant": HOLDER, "voice": False}},
        {"number": "+12125550143", "before": STATE, "after": None},
    ],
}
Cli = Callable[..., Result]


@pytest.fixture
def service() -> Iterator[Service]:
    with running() as made:
        made.lists |= {"/v1/tenants": TENANTS, "/v1/users": USERS, "/v1/numbers": []}
        yield made


@pytest.fixture
def cli(service: Service) -> Cli:
    def run(*words: str) -> Result:
        known = {"NUMBERYARD_URL": service.url, "NUMBERYARD_TOKEN": TOKEN}
        return CliRunner().invoke(main, words, env=known)

    return run


@pytest.fixture
def sheet(tmp_path: Path) -> Path:
    path = tmp_path / "numbers.csv"
    path.write_text("Phone Number\n+12125550142\n")
    return path


def reviewed() -> Json:
    return job("review", review=REVIEW, counts={"created": 0, "failed": 3})


def sent(service: Service) -> tuple[str, Json]:
    """The one request that was made of the service to act."""
    assert len(service.posts) == 1
    return service.posts[0]


# Which numbers, and what is to become of them


@pytest.mark.parametrize(
    ("words", "path", "body"),
    [
        (("assign", "--to", ID), "assignments", {"tenant_id": ID}),
        (("assign", "--to", "hotel  ENTERPRISE"), "assignments", {"tenant_id": "t-hotel"}),
        (("assign", "--user", ID), "assignments", {"user_id": ID}),
        (("assign", "--user", "BOB@example.org"), "assignments", {"user_id": "u-bob"}),
        (("assign", "--user", "Ann@Example.org"), "assignments", {"user_id": "u-ann"}),
        (("assign", "--user", ID, "--service", "forwarded"), "assignments", {"user_id": ID, "service": "forwarded"}),
        (("unassign",), "unassignments", {}),
        (("unassign", "--service", "sms", "--user", ID), "unassignments", {"service": "sms", "user_id": ID}),
        (("change", "--voice", "on", "--sms", "off"), "capability-changes", {"voice": "enable", "sms": "disable"}),
        (("change", "--fax", "on"), "capability-changes", {"fax": "enable"}),
        (
            ("change", "--voice-carrier", "Blue", "--sms-carrier-profile", "Red"),
            "capability-changes",
            {"voice_carrier": "Blue", "sms_carrier_profile": "Red"},
        ),
        (("delete", "--yes"), "deletions", {}),
        (("delete", "--yes", "--on-error", "abort"), "deletions", {"on_error": "abort"}),
        (("delete", "--review"), "deletions", {"mode": "review"}),
        (("assign", "--to", ID, "--country-code", "US"), "assignments", {"tenant_id": ID, "country_code": "US"}),
        (("unassign", "--country-code", "+49"), "unassignments", {"country_code": "+49"}),
        (
            ("change", "--fax", "on", "--country-code", "GB", "--number-format", "national"),
            "capability-changes",
            {"fax": "enable", "country_code": "GB", "number_format": "national"},
        ),
        (("delete", "--yes", "--country-code", "1"), "deletions", {"country_code": "1"}),
        (("delete", "--yes", "--number-format", "international"), "deletions", {"number_format": "international"}),
    ],
)
def test_numbers_are_sent_with_what_was_chosen(
    cli: Cli, service: Service, words: tuple[str, ...], path: str, body: Json
) -> None:
    result = cli(*words, *NUMBERS)
    assert result.exit_code == Exit.OK, result.output
    assert sent(service) == (f"/v1/{path}", body | {"numbers": list(NUMBERS)})


def test_a_file_is_sent_with_what_was_chosen(cli: Cli, service: Service, sheet: Path) -> None:
    """R12: its rows may say who gets each number."""
    assert cli("assign", "--file", str(sheet), "--on-error", "abort").exit_code == Exit.OK
    assert cli("change", "--file", str(sheet), "--voice", "off").exit_code == Exit.OK
    assert cli("change", "--file", str(sheet)).exit_code == Exit.OK
    told = [(entry["to"], entry["name"], entry["size"], entry["fields"]) for entry in service.uploads]
    size = sheet.stat().st_size
    assert told == [
        ("/v1/assignments", "numbers.csv", size, {"on_error": "abort"}),
        ("/v1/capability-changes", "numbers.csv", size, {"voice": "disable"}),
        ("/v1/capability-changes", "numbers.csv", size, {}),
    ]


def test_r14c_a_file_is_sent_with_the_country_of_its_numbers(cli: Cli, service: Service, sheet: Path) -> None:
    said = ("--country-code", "US", "--number-format", "national")
    assert cli("delete", "--yes", "--file", str(sheet), *said).exit_code == Exit.OK
    assert service.uploads[0]["fields"] == {"country_code": "US", "number_format": "national"}
    assert cli("delete", "--yes", "--all", "--country", "DE", "--country-code", "US").exit_code == Exit.OK
    assert sent(service)[1] == {"filter": {"country": "DE"}, "expected_count": 5, "country_code": "US"}


def test_r14c_the_filter_is_not_taken_for_the_country_of_numbers(cli: Cli, service: Service) -> None:
    """`--country` narrows what --all means; beside numbers it must not be passed over."""
    result = cli("delete", "--yes", "--country", "US", *NUMBERS)
    assert result.exit_code == Exit.USAGE
    assert "--country-code" in result.stderr
    assert service.posts == []


def test_a_filter_is_counted_first_and_sent_with_its_count(cli: Cli, service: Service) -> None:
    service.total = 1234
    narrowed = ("--q", "1212", "--status", "unassigned", "--capability", "sms", "--country", "US", "--carrier", "Blue")
    result = cli("assign", "--all", *narrowed, "--tenant", "clinic", "--to", ID, "--yes")
    assert result.exit_code == Exit.OK, result.output
    wanted = {"q": "1212", "status": "unassigned", "capability": "sms", "country": "US", "carrier": "Blue"}
    body = {"filter": wanted | {"tenant_id": "t-clinic"}, "expected_count": 1234, "tenant_id": ID}
    assert sent(service) == ("/v1/assignments", body)
    asked = [path for _, path in service.asked if path.startswith("/v1/numbers")]
    query = "q=1212&status=unassigned&capability=sms&country=US&carrier=Blue&tenant_id=t-clinic&count=true&limit=1"
    assert asked == [f"/v1/numbers?{query}"]


def test_r20_all_numbers_of_a_user_are_only_those(cli: Cli, service: Service) -> None:
    assert cli("unassign", "--all", "--user", "bob@EXAMPLE.org", "--yes").exit_code == Exit.OK
    body = {"filter": {"user_id": "u-bob"}, "expected_count": 5, "user_id": "u-bob"}
    assert sent(service) == ("/v1/unassignments", body)
    assert ("GET", "/v1/users?q=bob%40EXAMPLE.org&limit=200") in service.asked


def test_an_expected_count_is_taken_at_its_word(cli: Cli, service: Service) -> None:
    assert cli("unassign", "--all", "--expected-count", "7").exit_code == Exit.OK
    assert sent(service) == ("/v1/unassignments", {"filter": {}, "expected_count": 7})
    assert not [path for _, path in service.asked if path.startswith("/v1/numbers")]


def test_a_changed_set_is_refused_with_the_reason(cli: Cli, service: Service) -> None:
    service.refusal = (409, {"code": "COUNT_CHANGED", "detail": "6 numbers match, not 5.", "fix": "Look again."})
    result = cli("unassign", "--all", "--expected-count", "5")
    assert result.exit_code == Exit.REFUSED
    assert result.stderr == "COUNT_CHANGED: 6 numbers match, not 5.\n  Look again.\n"


@pytest.mark.parametrize(
    "words",
    [
        ("delete", "--yes"),
        ("delete", "--yes", "--all", *NUMBERS),
        ("delete", "--yes", "--file", "{sheet}", *NUMBERS),
        ("delete", "--yes", "--file", "{sheet}", "--all"),
        ("delete", "--yes", "--file", "no-such-file.csv"),
        ("delete", "--yes", "--country", "US", *NUMBERS),
        ("delete", "--yes", "--expected-count", "2", *NUMBERS),
        ("delete", "--yes", "--all", "--expected-count", "-1"),
        ("delete", "--yes", "--report", "out.pdf", *NUMBERS),
        ("delete", "--yes", "--no-wait", "--report", "out.csv", *NUMBERS),
        ("assign", *NUMBERS),
        ("assign", "--service", "voice", *NUMBERS),
        ("assign", "--to", ID, "--user", ID, *NUMBERS),
        ("assign", "--to", ID, "--service", "voice", *NUMBERS),
        ("change", *NUMBERS),
        ("change", "--voice", "perhaps", *NUMBERS),
        ("delete", "--yes", "--number-format", "perhaps", *NUMBERS),
        ("undo",),
        ("undo", JOB_ID, "--no-wait", "--report", "out.csv"),
        ("confirm", JOB_ID, "--report", "out.pdf"),
    ],
)
def test_a_wrong_command_is_usage_and_sends_nothing(
    cli: Cli, service: Service, sheet: Path, words: tuple[str, ...]
) -> None:
    result = cli(*(word.format(sheet=sheet) for word in words))
    assert result.exit_code == Exit.USAGE, result.output
    assert (service.posts, service.uploads) == ([], [])


# Names


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("assign", "--to", "Nobody"), Exit.NOT_FOUND, ("NOT_FOUND", "numberyard tenants list")),
        (("assign", "--to", "Twin"), Exit.USAGE, ("AMBIGUOUS_NAME", "t-first, t-second")),
        (("assign", "--user", "Nobody"), Exit.NOT_FOUND, ("NOT_FOUND", "numberyard users list")),
        (("assign", "--user", "ANN"), Exit.USAGE, ("AMBIGUOUS_NAME", "u-ann, u-eve")),
        (("unassign", "--user", "Nobody"), Exit.NOT_FOUND, ("NOT_FOUND",)),
        (("unassign", "--all", "--yes", "--tenant", "Twin"), Exit.USAGE, ("AMBIGUOUS_NAME",)),
    ],
)
def test_a_name_that_is_not_clear_is_told_and_nothing_sent(
    cli: Cli, service: Service, words: tuple[str, ...], code: Exit, told: tuple[str, ...]
) -> None:
    numbers = () if "--all" in words else NUMBERS
    result = cli(*words, *numbers)
    assert result.exit_code == code
    assert all(word in result.stderr for word in told), result.stderr
    assert json.loads(cli(*words, *numbers, "--json").stdout)["code"] == told[0]
    assert service.posts == []


def test_an_upload_takes_a_name_too(cli: Cli, service: Service, sheet: Path) -> None:
    options = ("--assign-to", "Hotel Enterprise", "--on-error", "abort")
    assert cli("upload", str(sheet), *options).exit_code == Exit.OK
    assert cli("upload", str(sheet), "--assign-to", "Twin").exit_code == Exit.USAGE
    assert [entry["fields"] for entry in service.uploads] == [{"assign_to": "t-hotel", "on_error": "abort"}]


# Asking (R26)


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("delete", *NUMBERS), "Delete 2 numbers? "),
        (("delete", NUMBERS[0]), "Delete 1 number? "),
        (("delete", "--file", "{sheet}"), "Delete the numbers in numbers.csv? "),
        (("delete", "--all"), "Delete 5 numbers? "),
        (("delete", "--all", "--expected-count", "9"), "Delete 9 numbers? "),
        (("unassign", "--all"), "Unassign 5 numbers? "),
    ],
)
def test_r26_a_program_must_say_yes(cli: Cli, service: Service, sheet: Path, words: tuple[str, ...], hint: str) -> None:
    """Without a terminal there is no one to ask, so nothing is done."""
    filled = [word.format(sheet=sheet) for word in words]
    for extra in ((), ("--json",)):
        result = cli(*filled, *extra)
        assert result.exit_code == Exit.USAGE
        assert hint in result.stderr
        assert "--yes" in result.stderr
    assert (service.posts, service.uploads) == ([], [])
    assert cli(*filled, "--yes").exit_code == Exit.OK


class Terminal:
    """A command on a terminal: what it shows so far, and what is typed."""

    def __init__(self, service: Service, *words: str) -> None:
        self._ours, theirs = pty.openpty()
        env = os.environ | {"NUMBERYARD_URL": service.url, "NUMBERYARD_TOKEN": TOKEN}
        command = [sys.executable, "-c", "from webhook.cli import main; main()", *words]
        self._process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=env)
        os.close(theirs)
        self.shown = ""

    def until(self, text: str, seconds: float = 60.0) -> None:
        deadline = time.monotonic() + seconds
        while text not in self.shown:
            assert select.select([self._ours], [], [], max(0.0, deadline - time.monotonic()))[0], self.shown
            self._read()

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def end(self) -> int:
        while self._read():
            pass
        os.close(self._ours)
        return self._process.wait(timeout=60)

    def _read(self) -> bool:
        try:
            piece = os.read(self._ours, 65536)
        except OSError:  # the other side is closed (Linux)
            return False
        self.shown += piece.decode("utf-8", "replace")
        return bool(piece)


@pytest.mark.long
@pytest.mark.parametrize(("typed", "code", "requests"), [("y\n", Exit.OK, 1), ("n\n", Exit.CANCELLED, 0)])
def test_r26_deleting_asks(service: Service, typed: str, code: Exit, requests: int) -> None:
    terminal = Terminal(service, "delete", *NUMBERS)
    terminal.until("Delete 2 numbers? [y/N]")
    assert service.posts == []
    terminal.type(typed)
    assert terminal.end() == code
    assert len(service.posts) == requests
    assert ("Nothing was changed." in terminal.shown) == (requests == 0)


@pytest.mark.long
def test_what_meets_all_numbers_asks_with_their_count(service: Service) -> None:
    service.total = 4321
    terminal = Terminal(service, "unassign", "--all", "--country", "US")
    terminal.until("Unassign 4,321 numbers? [y/N]")
    terminal.type("y\n")
    assert terminal.end() == Exit.OK
    assert sent(service) == ("/v1/unassignments", {"filter": {"country": "US"}, "expected_count": 4321})


# The end of the job


@pytest.mark.long
@pytest.mark.parametrize("words", [("unassign", *NUMBERS), ("undo", JOB_ID), ("confirm", JOB_ID)])
@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("completed", Exit.OK),
        ("completed_with_errors", Exit.PARTLY_FAILED),
        ("failed", Exit.JOB_FAILED),
        ("cancelled", Exit.CANCELLED),
    ],
)
def test_the_end_is_awaited_and_is_the_exit_code(
    cli: Cli, service: Service, words: tuple[str, ...], status: str, expected: Exit
) -> None:
    service.jobs = [job("checking"), job("running"), job(status)]
    result = cli(*words)
    assert result.exit_code == expected
    assert f"Job {JOB_ID}: {status}" in result.stdout


@pytest.mark.parametrize("what", ["undo", "confirm", "cancel"])
def test_what_is_decided_about_a_job_is_sent(cli: Cli, service: Service, what: str) -> None:
    assert cli(what, JOB_ID).exit_code == Exit.OK
    assert sent(service) == (f"/v1/jobs/{JOB_ID}/{what}", {})


@pytest.mark.parametrize(
    ("status", "expected"),
    [("cancelled", Exit.OK), ("completed_with_errors", Exit.PARTLY_FAILED), ("failed", Exit.JOB_FAILED)],
)
def test_cancelling_succeeds_when_the_job_is_cancelled(cli: Cli, service: Service, status: str, expected: Exit) -> None:
    service.jobs = [job("cancelling"), job(status)]
    assert cli("cancel", JOB_ID).exit_code == expected


def test_an_id_cannot_leave_its_place_in_the_path(cli: Cli, service: Service) -> None:
    cli("undo", "../tokens?x=1#y", "--no-wait")
    assert sent(service)[0] == "/v1/jobs/../tokens?x=1#y/undo"  # one part, as the stand-in decodes it


def test_without_waiting_it_says_how_to_follow(cli: Cli, service: Service) -> None:
    for words in (("unassign", *NUMBERS), ("undo", JOB_ID), ("cancel", JOB_ID)):
        result = cli(*words, "--no-wait")
        assert result.exit_code == Exit.OK
        assert f"numberyard jobs {JOB_ID} --watch" in result.stdout
    assert service.prefers == []


def test_with_json_the_job_is_the_only_output(cli: Cli, service: Service) -> None:
    service.jobs = [job("running"), job("completed_with_errors")]
    result = cli("unassign", *NUMBERS, "--json")
    assert json.loads(result.stdout)["status"] == "completed_with_errors"
    assert result.exit_code == Exit.PARTLY_FAILED


def test_the_report_is_saved_at_the_end(cli: Cli, tmp_path: Path) -> None:
    for words in (("unassign", *NUMBERS), ("undo", JOB_ID), ("confirm", JOB_ID)):
        out = tmp_path / f"{words[0]}.csv"
        assert cli(*words, "--report", str(out)).exit_code == Exit.OK
        assert out.read_bytes() == REPORT


@pytest.mark.parametrize("words", [("assign", "--to", ID, *NUMBERS), ("undo", "x"), ("confirm", "x"), ("cancel", "x")])
@pytest.mark.parametrize(
    ("status", "expected"), [(403, Exit.NOT_ALLOWED), (404, Exit.NOT_FOUND), (409, Exit.REFUSED), (422, Exit.REFUSED)]
)
def test_a_refusal_is_told(cli: Cli, service: Service, words: tuple[str, ...], status: int, expected: Exit) -> None:
    service.refusal = (status, {"code": "SOME_CODE", "detail": "No.", "fix": "Do it so."})
    result = cli(*words)
    assert result.exit_code == expected
    assert result.stderr.endswith("SOME_CODE: No.\n  Do it so.\n")


# Reviews


@pytest.mark.parametrize("words", [("delete", "--review", *NUMBERS), ("upload", "{sheet}", "--review")])
def test_a_review_is_shown_and_left_to_be_confirmed(
    cli: Cli, service: Service, sheet: Path, words: tuple[str, ...]
) -> None:
    service.jobs = [job("checking"), reviewed()]
    result = cli(*(word.format(sheet=sheet) for word in words))
    assert result.exit_code == Exit.OK
    for text in (
        f"Job {JOB_ID}: review",
        "confirm by 2026-01-02 10:00:00Z",
        "     updated        1,200",
        "      failed            3",
        "Hotel red: 1 created, 1,200 updated",
        "Blue (voice): 1,201",
        "+12125550142  tenant: North -> Hotel red, voice: on -> off",
        "+12125550143  deleted",
        f"numberyard confirm {JOB_ID}",
        f"numberyard cancel {JOB_ID}",
    ):
        assert text in result.stdout, text
    assert "+12125550140" not in result.stdout
    assert "unchanged" not in result.stdout
    assert not any("confirm" in path for path, _ in service.posts)


def test_a_review_with_json_is_the_job(cli: Cli, service: Service) -> None:
    service.jobs = [reviewed()]
    result = cli("delete", "--review", *NUMBERS, "--json")
    assert json.loads(result.stdout)["review"] == REVIEW
    assert cli("jobs", JOB_ID, "--watch").exit_code == Exit.OK


@pytest.mark.long
@pytest.mark.parametrize(("typed", "decided"), [("y\n", True), ("n\n", False)])
def test_on_a_terminal_a_review_asks(service: Service, typed: str, decided: bool) -> None:
    service.jobs = [job("checking"), reviewed(), job("running"), job("completed_with_errors")]
    terminal = Terminal(service, "delete", "--review", *NUMBERS)
    terminal.until("Confirm this job? [y/N]")
    assert [path for path, _ in service.posts] == ["/v1/deletions"]
    assert "deleted" in terminal.shown
    terminal.type(typed)
    assert terminal.end() == (Exit.PARTLY_FAILED if decided else Exit.OK)
    assert (f"/v1/jobs/{JOB_ID}/confirm" in [path for path, _ in service.posts]) == decided
    assert ("completed_with_errors" in terminal.shown) == decided


@pytest.mark.parametrize(("status", "said"), [("review", "would be changed"), ("completed_with_errors", "was changed")])
def test_causes_of_a_review_say_what_would_happen(status: str, said: str) -> None:
    causes = [{"code": "ABORTED", "count": 2, "first_row": 2}]
    assert f"nothing {said}" in "\n".join(lines(job(status, review=REVIEW, error_summary=causes)))


def test_a_review_names_no_more_changes_than_one_can_read() -> None:
    change: Json = REVIEW["changes"][1]  # type: ignore[index]
    told = "\n".join(lines(job("review", review=REVIEW | {"changes": [change] * 100})))
    assert told.count("+12125550142") == 10
    assert "the first 10" in told


@pytest.mark.parametrize("review", [None, {}, {"effect": None, "changes": [{}]}])
def test_a_review_of_another_version_is_no_fault(review: Any) -> None:  # noqa: ANN401 - whatever a service says
    assert next(iter(lines(job("review", review=review)))) == f"Job {JOB_ID}: review"
    assert list(lines(job("review", review=review)))
