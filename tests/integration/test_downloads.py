"""Reports of files with any name, through the real server: 200, under the right name, in one folder (RFC 6266)."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email.message import Message
from email.utils import collapse_rfc2231_value
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa
from werkzeug.http import parse_options_header

from tests import commands, hostile_names, sheets
from tests.commands import told
from tests.factories import World
from tests.portal import signed_in
from tests.service import NO_TLS
from tests.web_server import SECONDS, serving
from webhook import file_names
from webhook.cli.exits import Exit
from worker.infra.settings import get_settings

CONTENT = sheets.csv_bytes([sheets.HEADER, ["1", "2125550142", "TRUE", "FALSE", "FALSE"], ["1", "212", "", "", ""]])
WINDOWS = {"CON", "PRN", "AUX", "NUL"} | {f"{port}{digit}" for port in ("COM", "LPT") for digit in "123456789"}


@dataclass(frozen=True)
class Site:
    """The API and the portal over HTTP, in the name of one reseller; `work` does what is due."""

    url: str
    token: str
    api: httpx.Client
    portal: httpx.Client
    work: Callable[[], None]

    def upload(self, name: bytes, **fields: str) -> str:
        """Upload a file whose part has this name, byte for byte; return the job's id."""
        parts = [
            b'--b\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (field.encode(), value.encode())
            for field, value in fields.items()
        ]
        head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="%s"\r\n\r\n' % name
        content = b"".join([*parts, head, CONTENT, b"\r\n--b--\r\n"])
        headers = {"Content-Type": "multipart/form-data; boundary=b"}
        answer = self.api.post("/v1/uploads", content=content, headers=headers)
        assert answer.status_code == 202, f"{name!r}: {answer.text}"
        return str(answer.json()["id"])


@pytest.fixture
def site(database: sa.Engine, world: World, work_off: Callable[[], None]) -> Iterator[Site]:
    cookies = signed_in(database, world.north.tenant).cookies()
    with (
        serving(get_settings()) as server,
        server.client(world.north.token) as api,
        httpx.Client(base_url=server.url, cookies=cookies, timeout=SECONDS, trust_env=False, verify=NO_TLS) as portal,
    ):
        yield Site(server.url, world.north.token, api, portal, work_off)


def saved_as(answer: httpx.Response) -> str:
    """The name of a download, on which two readers of the header agree."""
    assert answer.status_code == 200, answer.text
    header = answer.headers["Content-Disposition"]
    assert header.isascii()
    message = Message()
    message["Content-Disposition"] = header
    (kind, _), *options = message.get_params([], "Content-Disposition")
    found = [collapse_rfc2231_value(value) for name, value in options if name == "filename"]
    assert (kind, found[-1]) == ("attachment", parse_options_header(header)[1]["filename"])
    assert len(found) == len(options)
    for name in found:
        assert_can_be_saved(name)
    return found[-1]


def assert_can_be_saved(name: str) -> None:
    """A name that every file system holds, and that shows what it is."""
    assert 0 < len(name.encode()) <= hostile_names.LONGEST
    assert not set(name) & set('<>:"/\\|?*')
    assert name[0] not in " ."
    assert name[-1] not in " ."
    assert name.partition(".")[0].upper() not in WINDOWS
    assert name == file_names.printable(name)


def test_reports_of_every_name_can_be_saved(site: Site) -> None:
    def check(given: bytes, stem: str | None, job: str) -> None:
        found = set()
        for rows, ending in (("all", "csv"), ("failed", "jsonl")):
            name = saved_as(site.api.get(f"/v1/jobs/{job}/report.{ending}", params={"rows": rows}))
            assert name.endswith(f"-{rows}.{ending}"), given
            if stem is not None:
                assert name == f"{stem}-{rows}.{ending}", given
            found.add(name)
        assert len(found) == 2, given
        assert saved_as(site.portal.get(f"/jobs/{job}/report.csv")) in found, given

    names = hostile_names.names()
    with ThreadPoolExecutor(4) as pool:
        jobs = list(pool.map(lambda name: site.upload(name, mode="review"), names))  # sooner than carried out
        site.work()
        assert len(list(pool.map(check, names, names.values(), jobs))) == hostile_names.COUNT
    for job in jobs[:3]:
        path, query = f"/jobs/{job}/report.xlsx", {"rows": "all"}
        name = saved_as(site.api.get(f"/v1{path}", params=query))
        assert name == saved_as(site.portal.get(path, params=query))
        assert name.endswith("-all.xlsx")


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here")
def test_curl_saves_in_its_folder(site: Site, tmp_path: Path) -> None:
    """curl knows `filename` only: names in ASCII are exact, of others it gets what ASCII can show."""
    names = {
        b"numbers.csv": "numbers-all.csv",
        b"it's 100 % (final); a=b.csv": "it's 100 % (final); a=b-all.csv",
        b"say %22hi%22.csv": "say _hi_-all.csv",
        b"..\\../..": "_.-all.csv",
        b"con.csv": "con-all.csv",
        b"100%25.csv": "100_25-all.csv",
        "Bestellung – März.csv".encode(): "Bestellung - Marz-all.csv",
        "電話.csv".encode(): "_-all.csv",
    }
    jobs = [site.upload(name) for name in names]
    site.work()
    for place, (job, expected) in enumerate(zip(jobs, names.values(), strict=True)):
        folder = tmp_path / f"curl {place}" / "inner"
        folder.mkdir(parents=True)
        token = f"Authorization: Bearer {site.token}"
        address = f"{site.url}/v1/jobs/{job}/report.csv"
        command = ["curl", "--silent", "--show-error", "--fail", "--noproxy", "*", "-OJ", "--header", token, address]
        subprocess.run(command, cwd=folder, check=True)
        assert [path.name for path in folder.parent.rglob("*") if path.is_file()] == [expected]
        assert (folder / expected).stat().st_size > len(CONTENT)


def test_the_command_line_writes_only_where_it_is_told(site: Site, tmp_path: Path) -> None:
    """It takes no name from the server; files of its own may have any name, also one that is not UTF-8."""
    env = {"NUMBERYARD_URL": site.url, "NUMBERYARD_TOKEN": site.token}
    folder = tmp_path / "reports"
    folder.mkdir()
    for place, name in enumerate((b"../../evil.csv", b"\xff\xfe.csv", "電話 \x1b[31m.csv".encode(), b"..\\x.csv")):
        upload = folder / os.fsdecode(name.replace(b"/", b"_"))
        upload.write_bytes(CONTENT)
        told(commands.run("upload", str(upload), "--json", **env))
        upload.unlink()
        job = site.upload(name) if b"\xff" not in name else site.upload("\ufffd.csv".encode())
        site.work()
        out = folder / f"report {place}.csv"
        done = commands.run("report", job, "--out", str(out), **env)
        assert done.exit_code == Exit.OK, done.output
        assert "\x1b" not in done.output
    assert {path.name for path in folder.rglob("*")} == {f"report {place}.csv" for place in range(4)}
    kept = [job["file"]["name"] for job in site.api.get("/v1/jobs").json()["data"]]
    assert "\ufffd\ufffd.csv" in kept
