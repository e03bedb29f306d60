"""The uploads door: every refusal is a problem with its code, leaves nothing behind, and the next upload works."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flask
import pytest
import sqlalchemy as sa
from werkzeug.http import parse_options_header
from werkzeug.test import TestResponse

from schemas.database.tables import job_chunks, jobs, phone_numbers
from tests.support import factories
from tests.support.api_client import Door, text_of
from tests.support.cli_runner import Cli
from tests.support.factories import World
from tests.support.files import sheets

SOUND = sheets.csv_bytes(sheets.rows(2))
BOUNDARY = "limit-of-parts"
FORM = f"multipart/form-data; boundary={BOUNDARY}"
NOW = dt.datetime.now(dt.UTC)


def part(name: str, content: bytes, filename: str | None = None, *headers: str) -> bytes:
    """One part of a multipart body (RFC 7578)."""
    named = f'Content-Disposition: form-data; name="{name}"' + (f'; filename="{filename}"' if filename else "")
    head = "\r\n".join((f"--{BOUNDARY}", named, *headers))
    return head.encode() + b"\r\n\r\n" + content + b"\r\n"


def body(*parts: bytes) -> bytes:
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


FILE = part("file", SOUND, "a.csv")


def digest(content: bytes, name: str = "sha256") -> str:
    return base64.b64encode(hashlib.new(name, content).digest()).decode()


def post(api: Door, content: bytes, content_type: str = FORM, **more: Any) -> TestResponse:  # noqa: ANN401
    headers = {"Authorization": f"Bearer {api.token}"} | more.pop("headers", {})
    stream = io.BytesIO(content)
    return api.client.post("/v1/uploads", input_stream=stream, content_type=content_type, headers=headers, **more)


@pytest.fixture
def nothing_left(database: sa.Engine, stored: Callable[[], list[str]]) -> Callable[[], None]:
    """Asserts that neither the storage nor a table tells of an upload."""

    def check() -> None:
        assert stored() == []
        with database.connect() as connection:
            for table in (jobs, job_chunks, phone_numbers):
                assert connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one() == 0, table.name

    return check


def assert_refused(answer: TestResponse, status: int, code: str) -> None:
    """RFC 9457 with our code."""
    assert (answer.status_code, answer.json["code"]) == (status, code), answer.get_data(as_text=True)
    assert answer.content_type == "application/problem+json"
    assert answer.json["status"] == status
    assert answer.json["fix"]


def assert_next_works(api: Door) -> None:
    assert api.upload(SOUND)["status"] == "completed"


class Unread(io.RawIOBase):
    """A body that must not be read before the answer is made; afterwards it has nothing more."""

    def readable(self) -> bool:
        return True

    def seek(self, _offset: int, _whence: int = 0) -> int:
        return 0  # the test client looks for the length

    def readinto(self, _buffer: object) -> int:
        assert not flask.has_request_context(), "the body was read"
        return 0


def post_unread(api: Door, headers: dict[str, str], claimed: int = 1000) -> TestResponse:
    """An upload of so many bytes, if one believes it, whose first byte is never to be asked for."""
    length = {"CONTENT_LENGTH": str(claimed)}  # the client would put in what it finds
    return api.client.post(
        "/v1/uploads", input_stream=Unread(), content_type=FORM, headers=headers, environ_overrides=length
    )


# The token (R4)


@pytest.mark.long
@pytest.mark.parametrize(
    "header",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer nyk_wrong"},
        {"Authorization": "Basic bnlrOng="},
        {"Authorization": "Bearer \u00e9\u00e9"},
    ],
)
def test_no_valid_token(api: Door, header: dict[str, str], nothing_left: Callable[[], None]) -> None:
    answer = post_unread(api, header)
    assert_refused(answer, 401, "UNAUTHENTICATED")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    nothing_left()
    assert_next_works(api)


@pytest.mark.parametrize(
    ("columns", "status"),
    [
        ({"revoked_at": NOW}, 401),
        ({"expires_at": NOW - dt.timedelta(seconds=1)}, 401),
        ({"expires_at": NOW + dt.timedelta(hours=1)}, 202),
    ],
)
def test_revoked_and_expired_tokens(
    api: Door, world: World, database: sa.Engine, columns: dict[str, dt.datetime], status: int
) -> None:
    with database.begin() as connection:
        token = factories.token(connection, world.north.tenant, **columns)
    assert api.as_(token).send(SOUND).status_code == status


def test_tokens_are_kept_as_hashes(world: World, database: sa.Engine) -> None:
    with database.connect() as connection:
        rows = connection.execute(sa.text("SELECT tokens::text AS row, hash FROM tokens")).all()
    assert len(rows) == 6
    assert hashlib.sha256(world.north.token.encode()).digest() in {bytes(row.hash) for row in rows}
    assert not [row for row in rows if world.north.token.removeprefix("nyk_") in row.row]


# Who may upload (R8, R9)


def test_r9_enterprise_without_external_numbers_is_refused_unread(
    api: Door, world: World, nothing_left: Callable[[], None]
) -> None:
    answer = post_unread(api, {"Authorization": f"Bearer {world.hotel.token}"})
    assert_refused(answer, 403, "EXTERNAL_NOT_ALLOWED")
    nothing_left()


@pytest.mark.parametrize("who", ["master", "north", "clinic"])
def test_r8_r9_who_may_upload(api: Door, world: World, who: str) -> None:
    job = api.as_(getattr(world, who).token).upload(SOUND)
    assert job["status"] == "completed"
    assert job["created_by"]["tenant"]["name"] == getattr(world, who).tenant.name


# The form


@pytest.mark.parametrize(
    ("content", "content_type", "status", "code"),
    [
        (SOUND, "text/plain", 415, "UNSUPPORTED_MEDIA_TYPE"),
        (b"{}", "application/json", 415, "UNSUPPORTED_MEDIA_TYPE"),
        (body(FILE), "multipart/form-data", 415, "UNSUPPORTED_MEDIA_TYPE"),
        (body(FILE), "multipart/mixed; boundary=" + BOUNDARY, 415, "UNSUPPORTED_MEDIA_TYPE"),
        (b"", "", 415, "UNSUPPORTED_MEDIA_TYPE"),
        (body(), FORM, 422, "INVALID_FIELD"),
        (body(part("accept", b"valid")), FORM, 422, "INVALID_FIELD"),
        (body(part("file", SOUND)), FORM, 422, "INVALID_FIELD"),
        (body(part("upload", SOUND, "a.csv")), FORM, 422, "INVALID_FIELD"),
        (body(FILE, FILE), FORM, 422, "INVALID_FIELD"),
        (body(FILE, part("other", SOUND, "b.csv")), FORM, 422, "INVALID_FIELD"),
        (body(part("surprise", b"1"), FILE), FORM, 422, "INVALID_FIELD"),
        (body(FILE, part("on_existing", b"replace")), FORM, 422, "INVALID_FIELD"),
        (body(FILE, part("accept", b"any")), FORM, 422, "INVALID_FIELD"),
        (body(FILE, part("voice_carrier", b"No Such Carrier")), FORM, 422, "CARRIER_NOT_FOUND"),
        (body(FILE, part("voice_carrier", b"Master SMS")), FORM, 422, "CARRIER_NOT_FOUND"),
        (body(FILE, part("sms_carrier_profile", b"South sms")), FORM, 422, "CARRIER_NOT_FOUND"),
        (body(FILE, part("assign_to", b"not an id")), FORM, 422, "TARGET_NOT_FOUND"),
        (body(FILE, part("assign_to", b"nul\0")), FORM, 400, "BAD_REQUEST"),
        (body(FILE, part("voice_carrier", b"nul\0")), FORM, 422, "CARRIER_NOT_FOUND"),
        (body(FILE)[:-40], FORM, 400, "TRUNCATED_UPLOAD"),
        (FILE, FORM, 400, "TRUNCATED_UPLOAD"),
        (b"--" + BOUNDARY.encode(), FORM, 400, "TRUNCATED_UPLOAD"),
    ],
)
def test_forms_that_are_refused(
    api: Door, nothing_left: Callable[[], None], content: bytes, content_type: str, status: int, code: str
) -> None:
    assert_refused(post(api, content, content_type), status, code)
    nothing_left()
    assert_next_works(api)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("Bestellung – März.csv", "Bestellung – März.csv"),
        ("電話　番号.csv", "電話　番号.csv"),
        ("a\u202eb\x07c\u200c.csv", "abc\u200c.csv"),
        ("x" * 300, "x" * 255),
        ("\u202e", "upload"),
    ],
)
def test_the_name_of_a_file_is_kept_as_it_can_be_shown(api: Door, given: str, kept: str) -> None:
    assert post(api, body(part("file", SOUND, given))).json["file"]["name"] == kept


def test_a_name_that_is_not_utf_8_is_refused(api: Door, nothing_left: Callable[[], None]) -> None:
    answer = post(api, body(FILE.replace(b"a.csv", "März.csv".encode("latin-1"))))
    assert_refused(answer, 400, "BAD_REQUEST")
    assert "UTF-8" in answer.json["detail"]
    nothing_left()


def test_r3_a_target_elsewhere_is_answered_as_one_that_does_not_exist(api: Door, world: World) -> None:
    """The sibling, the sibling's enterprise and the own parent look like an id that nobody has."""
    nobody = "00000000-0000-4000-8000-000000000000"
    expected = post(api, body(FILE, part("assign_to", nobody.encode())))
    assert_refused(expected, 422, "TARGET_NOT_FOUND")
    for account in (world.south, world.school, world.master):
        there = account.tenant.public_id
        answer = post(api, body(FILE, part("assign_to", there.encode())))
        assert answer.status_code == 422
        assert answer.get_data(as_text=True).replace(there, nobody) == expected.get_data(as_text=True)


def test_r12_a_carrier_name_that_two_carriers_bear_is_refused(
    api: Door, world: World, database: sa.Engine, nothing_left: Callable[[], None]
) -> None:
    with database.begin() as connection:
        factories.carrier(connection, world.north.tenant, "voice", "master  VOICE")
    assert_refused(post(api, body(FILE, part("voice_carrier", b"Master Voice"))), 422, "CARRIER_NOT_FOUND")
    nothing_left()


# The bytes


def test_too_large_by_its_own_claim_is_refused_unread(api: Door, nothing_left: Callable[[], None]) -> None:
    answer = post_unread(api, {"Authorization": f"Bearer {api.token}"}, claimed=2 << 30)
    assert_refused(answer, 413, "FILE_TOO_LARGE")
    nothing_left()
    assert_next_works(api)


@pytest.mark.parametrize(("over", "status"), [(0, 202), (1, 413)])
def test_the_limit_is_counted_while_streaming(
    api: Door, configure: Callable[..., None], stored: Callable[[], list[str]], over: int, status: int
) -> None:
    configure(max_upload_bytes=len(SOUND) - over)
    answer = post(api, body(FILE))
    assert answer.status_code == status
    assert len(stored()) == (0 if over else 1)


def test_too_large_after_many_blocks_leaves_no_partial_file(
    api: Door, configure: Callable[..., None], nothing_left: Callable[[], None]
) -> None:
    configure(max_upload_bytes=10_000_000)
    assert_refused(post(api, body(part("file", b"x" * 10_000_001, "a.csv"))), 413, "FILE_TOO_LARGE")
    nothing_left()


@pytest.mark.parametrize("size", [100, 10_000_000])
def test_a_body_that_breaks_off(api: Door, nothing_left: Callable[[], None], size: int) -> None:
    whole = body(part("file", b"1,2125550142,TRUE,TRUE,FALSE\r\n" * (size // 30), "a.csv"))
    answer = post(api, whole[: len(whole) * 2 // 3], environ_overrides={"CONTENT_LENGTH": str(len(whole))})
    assert_refused(answer, 400, "TRUNCATED_UPLOAD")
    nothing_left()
    assert_next_works(api)


OTHER = digest(b"something else")
OTHER_512 = digest(b"something else", "sha512")


@pytest.mark.parametrize(
    ("of_body", "of_part", "status", "code"),
    [
        (f"sha-256=:{digest(body(FILE))}:", "", 202, None),
        (f"sha-512=:{digest(body(FILE), 'sha512')}:", "", 202, None),
        (f"md5=:AAAA:, sha-256=:{digest(body(FILE))}:", "", 202, None),
        ("md5=:AAAA:", "", 202, None),
        (f"sha-256=:{OTHER}:", "", 400, "DIGEST_MISMATCH"),
        (f"sha-512=:{OTHER_512}:", "", 400, "DIGEST_MISMATCH"),
        (f"sha-256=:{digest(body(FILE))}:, sha-512=:{OTHER_512}:", "", 400, "DIGEST_MISMATCH"),
        ("sha-256=:not base64:", "", 400, "BAD_REQUEST"),
        ("", f"sha-256=:{digest(SOUND)}:", 202, None),
        ("", f"sha-512=:{digest(SOUND, 'sha512')}:", 202, None),
        ("", f"sha-256=:{OTHER}:", 400, "DIGEST_MISMATCH"),
        ("", "sha-256=:not base64:", 400, "BAD_REQUEST"),
    ],
)
def test_content_digest(
    api: Door, stored: Callable[[], list[str]], of_body: str, of_part: str, status: int, code: str | None
) -> None:
    """RFC 9530: of the whole body or of the file's part."""
    file = part("file", SOUND, "a.csv", f"Content-Digest: {of_part}") if of_part else FILE
    answer = post(api, body(file), headers={"Content-Digest": of_body} if of_body else {})
    assert answer.status_code == status, answer.get_data(as_text=True)
    assert (answer.json.get("code"), len(stored())) == (code, 0 if code else 1)
    assert_next_works(api)


def test_what_was_received_is_told(api: Door) -> None:
    job = api.upload(SOUND, "näme \u202e.csv")
    assert job["file"]["size"] == len(SOUND)
    assert job["file"]["sha256"] == hashlib.sha256(SOUND).hexdigest()
    assert (job["file"]["format"], job["file"]["encoding"], job["file"]["delimiter"]) == ("csv", "utf-8", ",")


def test_the_answer_says_where_to_look(api: Door) -> None:
    answer = api.send(SOUND)
    assert answer.status_code == 202
    assert answer.headers["Location"] == f"/v1/jobs/{answer.json['id']}"
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.json["status"] == "accepted"
    assert answer.json["progress"]["queue_position"] == 1


@pytest.mark.long
def test_the_same_bytes_again_are_noted(api: Door, world: World) -> None:
    first = api.upload(SOUND)
    again = api.upload(SOUND)
    said = f"The same file was uploaded before (job {first['id']})."
    assert (first["file"]["notes"], again["duplicate_of"], again["file"]["notes"]) == ([], first["id"], [said])
    assert said in text_of(api.get(f"/v1/jobs/{again['id']}/report.xlsx"))
    elsewhere = api.as_(world.south.token).upload(SOUND)
    assert (elsewhere["duplicate_of"], elsewhere["file"]["notes"]) == (None, [])


@pytest.mark.long
@pytest.mark.parametrize("watch", [[], ["--watch"]])
def test_the_command_says_that_the_same_bytes_were_sent(cli: Cli, tmp_path: Path, watch: list[str]) -> None:
    file = tmp_path / "numbers.csv"
    file.write_bytes(SOUND)
    said = "Note: The same file was uploaded before (job "
    assert said not in cli("upload", str(file), *watch).output
    assert cli("upload", str(file), *watch).output.count(said) == 1


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../etc/passwd", "passwd"),
        (r"C:\\Users\\me\\list.csv", "list.csv"),
        (r"a\\..\\", "upload"),
        ("..", ".."),
        (r"<b>\"x\".csv", '<b>"x".csv'),
        ("a\x00\tb\u202e.csv", "ab.csv"),
        ("x" * 300 + ".csv", "x" * 255),
    ],
)
def test_file_names_are_only_shown(api: Door, stored: Callable[[], list[str]], name: str, shown: str) -> None:
    answer = post(api, body(part("file", SOUND, name)))
    assert answer.status_code == 202, answer.get_data(as_text=True)
    api.work_off()
    job = api.job(answer.json["id"])
    assert job["file"]["name"] == shown
    assert all(path.startswith(f"jobs/{job['id']}/") for path in stored())
    disposition = api.get(job["links"]["report_csv"]).headers["Content-Disposition"]
    words = parse_options_header(disposition)
    assert words[0] == "attachment"
    assert words[1]["filename"].endswith("-all.csv")
