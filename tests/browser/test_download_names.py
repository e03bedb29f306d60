"""Chromium saves the reports of files with any name under the right name (RFC 6266)."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import sqlalchemy as sa
from playwright.sync_api import Browser, Download
from werkzeug.http import parse_options_header

from tests import hostile_names, named_files
from tests.factories import World
from tests.portal import signed_in
from tests.web_server import serving
from worker.infra.settings import get_settings

OPEN = "url => { const frame = document.createElement('iframe'); frame.src = url; document.body.append(frame); }"


def test_reports_of_every_name_are_saved_under_it(
    browser: Browser, database: sa.Engine, world: World, work_off: Callable[[], None]
) -> None:
    names = hostile_names.names()
    with serving(get_settings()) as server, server.client(world.north.token) as api:
        with ThreadPoolExecutor(4) as pool:
            jobs = list(pool.map(partial(named_files.upload, api, mode="review"), names))
        work_off()
        context = browser.new_context(base_url=server.url)
        cookies = signed_in(database, world.north.tenant).cookies()
        context.add_cookies([{"name": name, "value": value, "url": server.url} for name, value in cookies.items()])
        page = context.new_page()
        page.goto("/livez")
        for (given, stem), job in zip(names.items(), jobs, strict=True):
            path = f"/jobs/{job}/report.csv"
            with page.expect_download() as caught:
                page.evaluate(OPEN, path)
            download: Download = caught.value
            header = api.get(f"/v1{path}").headers["Content-Disposition"]
            assert download.suggested_filename == parse_options_header(header)[1]["filename"], given
            assert stem is None or download.suggested_filename == f"{stem}-review-all.csv", given
        context.close()
