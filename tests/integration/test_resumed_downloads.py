"""Every download that is stored is sent in the same way: ETag, conditions, ranges, length, gzip (RFC 9110).

Those that are generated while they are sent have what is possible. Judges: curl, aria2, httpx.
"""

from __future__ import annotations

import gzip
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from tests.support.api_client import Door
from tests.support.factories import World
from tests.support.files import sheets
from tests.support.programs import need
from tests.support.servers.web_server import WebServer, serving

STORED = {
    "report.csv": True,
    "export.csv": True,
    "export.jsonl": True,
    "export.xlsx": False,  # compressed already
    "template.csv": True,
    "template.xlsx": False,
    "holdings.csv": True,
}
GENERATED = ("report.csv?rows=failed", "report.csv?rows=unprocessed", "report.jsonl", "report.jsonl?rows=failed")
FAULTY = ("1", "12", "TRUE", "FALSE", "FALSE")


def rows(count: int) -> list[Any]:
    return [*sheets.rows(count), FAULTY]


def paths(api: Door, count: int = 7) -> dict[str, str]:
    """The address of each stored download."""
    job = api.upload(sheets.csv_bytes(rows(count)))
    exports = {
        f"export.{kind}": api.done(api.post("/v1/exports", {"format": kind, "filter": {}}))["links"]["file"]
        for kind in ("csv", "jsonl", "xlsx")
    }
    return {
        "report.csv": job["links"]["report_csv"],
        **exports,
        "template.csv": "/v1/templates/numbers.csv",
        "template.xlsx": "/v1/templates/numbers.xlsx",
        "holdings.csv": "/v1/reports/holdings.csv",
    }


@pytest.mark.parametrize("name", [name for name in STORED if name != "holdings.csv"])
def test_a_stored_download_goes_on_where_it_broke_off(api: Door, name: str) -> None:
    path = paths(api)[name]
    whole = api.get(path)
    content, tag = whole.data, whole.headers["ETag"]
    assert not tag.startswith("W/")
    assert (whole.status_code, whole.content_length, whole.headers["Accept-Ranges"]) == (200, len(content), "bytes")
    part = api.get(path, headers={"Range": "bytes=10-", "If-Range": tag, "Accept-Encoding": "gzip"})
    assert (part.status_code, part.data) == (206, content[10:])
    assert part.headers["Content-Range"] == f"bytes 10-{len(content) - 1}/{len(content)}"
    assert part.headers["ETag"] == tag
    assert api.get(path, headers={"Range": "bytes=10-", "If-Range": '"other"'}).data == content
    beyond = api.get(path, headers={"Range": f"bytes={len(content)}-"})
    assert (beyond.status_code, beyond.json["code"]) == (416, "RANGE_NOT_SATISFIABLE")
    assert beyond.headers["Content-Range"] == f"bytes */{len(content)}"
    known = api.get(path, headers={"If-None-Match": tag})
    assert (known.status_code, known.data) == (304, b"")
    refused = api.get(path, headers={"If-Match": '"other"'})
    assert (refused.status_code, refused.json["code"]) == (412, "PRECONDITION_FAILED")


@pytest.mark.parametrize("name", STORED)
def test_a_stored_download_is_compressed_unless_it_is_already(api: Door, name: str) -> None:
    path = paths(api)[name]
    plain, packed = api.get(path), api.get(path, headers={"Accept-Encoding": "gzip"})
    if not STORED[name]:
        assert "Content-Encoding" not in packed.headers
        assert packed.data == plain.data
        return
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.headers["ETag"] != plain.headers["ETag"]  # another representation
    assert plain.headers["Vary"] == packed.headers["Vary"] == "Accept-Encoding"
    if name != "holdings.csv":  # counted again, at another time
        assert gzip.decompress(packed.data) == plain.data
        known = {"Accept-Encoding": "gzip", "If-None-Match": packed.headers["ETag"]}
        assert api.get(path, headers=known).status_code == 304


@pytest.mark.parametrize("name", GENERATED)
def test_a_generated_download_has_a_weak_tag_and_no_ranges(api: Door, name: str) -> None:
    job = api.upload(sheets.csv_bytes(rows(2)))
    path = f"/v1/jobs/{job['id']}/{name}"
    whole = api.get(path, headers={"Range": "bytes=0-1"})
    assert whole.status_code == 200
    assert "Accept-Ranges" not in whole.headers
    tag = whole.headers["ETag"]
    assert tag.startswith('W/"')
    known = api.get(path, headers={"If-None-Match": tag})
    assert (known.status_code, known.data) == (304, b"")
    packed = api.get(path, headers={"Accept-Encoding": "gzip"})
    assert gzip.decompress(packed.data) == whole.data
    assert packed.headers["ETag"] == tag  # compared weakly, so for both
    assert api.get(path, headers={"If-Match": tag}).status_code == 412  # only a strong tag can match
    others = {api.get(f"/v1/jobs/{job['id']}/{other}").headers["ETag"] for other in GENERATED}
    assert len(others) == len(GENERATED)


def test_the_tag_of_a_review_changes_with_its_corrections(api: Door) -> None:
    job = api.upload(sheets.csv_bytes([*rows(2), ("1", "2125550170", "maybe", "FALSE", "FALSE")]), mode="review")
    path = f"/v1/jobs/{job['id']}/report.jsonl"
    before = api.get(path)
    body = {"rules": [{"column": "Voice", "equals": "maybe", "set": "TRUE"}]}
    job = api.done(api.post(f"/v1/jobs/{job['id']}/corrections", body))
    after = api.get(path, headers={"If-None-Match": before.headers["ETag"]})
    assert after.status_code == 200
    assert after.data != before.data
    api.done(api.post(f"/v1/jobs/{job['id']}/confirm"))
    assert api.get(path, headers={"If-None-Match": after.headers["ETag"]}).status_code == 200


# Other clients, on the real server


@pytest.fixture
def server(database: sa.Engine, tmp_path: Path) -> Iterator[WebServer]:
    """Two processes: what one began, the other goes on with."""
    del database
    with serving(tmp_path, 2) as found:
        yield found


def wholly(client: httpx.Client, path: str) -> bytes:
    return client.get(path, headers={"Accept-Encoding": "identity"}).raise_for_status().content


@pytest.mark.long
@pytest.mark.parametrize("name", [name for name in STORED if name != "holdings.csv"])
def test_clients_resume_to_the_same_bytes(
    server: WebServer, api: Door, world: World, name: str, tmp_path: Path
) -> None:
    """curl -C -, aria2 --continue, and httpx after a connection that it gave up."""
    path, header = paths(api, 3_000)[name], f"Authorization: Bearer {world.north.token}"
    curl = [need("curl"), "-q", "-sS", "--fail", "--noproxy", "*", "-C", "-", "-o", str(tmp_path / "curl"), "-H"]
    aria2 = [need("aria2c"), "--no-conf", "-q", "-c", "--no-proxy=*", "-d", str(tmp_path), "-o", "aria2", "--header"]
    with server.client(world.north.token) as client:
        content = wholly(client, path)
        for command, part in ((curl, tmp_path / "curl"), (aria2, tmp_path / "aria2")):
            part.write_bytes(content[: len(content) // 2])
            words = [*command, header, server.url + path]
            done = subprocess.run(words, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
            assert part.read_bytes() == content, part.name
        with client.stream("GET", path, headers={"Accept-Encoding": "identity"}) as broken:
            begun = next(broken.iter_raw(len(content) // 2))  # the rest is not read
            tag = broken.headers["ETag"]
        rest = client.get(path, headers={"Range": f"bytes={len(begun)}-", "If-Range": tag})
        assert rest.status_code == 206
        assert begun + rest.content == content
        known = client.get(path, headers={"If-None-Match": tag, "Accept-Encoding": "identity"})
        assert known.status_code == 304
        assert [len(each.headers.get_list("Date")) for each in (broken, rest, known)] == [1, 1, 1]


@pytest.mark.long
def test_curl_is_told_that_a_generated_report_cannot_be_resumed(
    server: WebServer, api: Door, world: World, tmp_path: Path
) -> None:
    """It leaves what it has, and says so."""
    job = api.upload(sheets.csv_bytes([*rows(1), FAULTY]))
    part = tmp_path / "part.csv"
    part.write_bytes(b"row")
    address = f"{server.url}/v1/jobs/{job['id']}/report.csv?rows=failed"
    command = [need("curl"), "-q", "-sS", "--noproxy", "*", "-C", "-", "-o", str(part)]
    header = f"Authorization: Bearer {world.north.token}"
    done = subprocess.run([*command, "-H", header, address], capture_output=True, text=True, check=False)
    assert done.returncode == 33, done.stderr  # the server has no ranges
    assert part.read_bytes() == b"row"
