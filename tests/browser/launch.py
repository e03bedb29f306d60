"""Finds the browser that the system has and starts it. Downloads none, and lets none reach the internet."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, expect, sync_playwright

CHOSEN = "NUMBERYARD_BROWSER"
NAMES = ("chromium", "chromium-browser", "google-chrome")
NAMED_HOST = "numberyard.test"  # the service under a name, as customers reach it: browsers are laxer with 127.0.0.1
WAIT_MILLISECONDS = 30_000  # for what a page is to show; long, because the machine may be busy with other tests
_FLAGS = (
    "--no-sandbox",  # tests run as root in containers
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    f"--host-resolver-rules=MAP {NAMED_HOST} 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)


@functools.cache
def find() -> str | None:
    """The first browser that answers, by path; one chosen by the environment goes before all others.

    A name alone proves nothing: some systems have a `chromium-browser` that only asks to install it.
    """
    chosen = os.environ.get(CHOSEN)
    paths = (shutil.which(name) for name in ([chosen] if chosen else NAMES))
    return next((path for path in paths if path is not None and _answers(path)), None)


def _answers(path: str) -> bool:
    try:
        return subprocess.run([path, "--version"], capture_output=True, timeout=60, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


@contextmanager
def launched() -> Iterator[Browser]:
    """A browser without a window, with a profile of its own that ends with it."""
    with sync_playwright() as playwright:
        expect.set_options(timeout=WAIT_MILLISECONDS)
        browser = playwright.chromium.launch(executable_path=find(), args=_FLAGS)
        try:
            yield browser
        finally:
            browser.close()
