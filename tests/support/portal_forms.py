"""Forms of the portal, sent over HTTP by a browser without scripts."""

from __future__ import annotations

import re

import httpx


def post(browser: httpx.Client, page: str, path: str, file: tuple[str, bytes] | None = None, **fields: str) -> None:
    """Send a form of a page."""
    token = re.search(r'name="csrf_token" value="(\w+)"', browser.get(page).text)
    assert token is not None
    answer = browser.post(path, data={"csrf_token": token[1], **fields}, files=None if file is None else {"file": file})
    assert answer.status_code == 303, answer.text
