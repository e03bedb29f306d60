"""Chromium saves the reports of files with any name under the right name (RFC 6266)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa
from playwright.sync_api import Browser
from werkzeug.http import parse_options_header

from tests.support.factories import World
from tests.support.files import hostile_names, named_files
from tests.support.portal_client import signed_in
from tests.support.servers.web_server import serving
from webhook.http import file_names

REPLACED = re.compile("[\u200c\u200d~]")  # joiners and tildes, which Chromium does not have in names of files
OPEN = "url => { location = url; }"


def kept(sent: bytes) -> str:
    """Return the name of an upload as it is kept; `test_downloads` sends them all."""
    return file_names.kept(parse_options_header(f'form-data; filename="{sent.decode()}"')[1]["filename"])


def test_reports_of_every_name_are_saved_under_it(
    browser: Browser, database: sa.Engine, world: World, work_off: Callable[[], None], tmp_path: Path
) -> None:
    with serving(tmp_path, 2) as server, server.client(world.north.token) as api:
        job = named_files.upload(api, b"numbers.csv", mode="review")
        work_off()
        context = browser.new_context(base_url=server.url)
        cookies = signed_in(database, world.north.tenant).cookies()
        context.add_cookies([{"name": name, "value": value, "url": server.url} for name, value in cookies.items()])
        page = context.new_page()
        page.goto("/livez")
        saved = {}
        for sent, stem in hostile_names.names().items():
            named_files.rename(database, {job: kept(sent)})
            with page.expect_download() as caught:
                page.evaluate(OPEN, f"/jobs/{job}/report.csv")
            expected = file_names.saved(file_names.cut(kept(sent).rpartition(".")[0] or kept(sent), "-review-all.csv"))
            assert stem is None or expected == f"{stem}-review-all.csv", sent
            saved[expected] = caught.value.suggested_filename
        context.close()
    shown = {name: unicodedata.normalize("NFC", REPLACED.sub("_", name)) for name in saved}  # as Chromium changes names
    assert {name: found for name, found in saved.items() if found != shown[name]} == {}
