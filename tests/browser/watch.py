"""What a browser complains of while a test runs: errors of scripts, refused content, requests to other hosts."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Request, Response, WebError

# The browser says so in its console too, but there it cannot be told which of them a page brought upon itself.
_REPORT_VIOLATIONS = """
addEventListener("securitypolicyviolation", (event) =>
  console.error(`CSP: ${event.effectiveDirective} refuses ${event.blockedURI} on ${event.documentURI}`));
"""
_LOCAL_SCHEMES = ("data", "blob", "about")
_SEEN_AS_ANSWER = "Failed to load resource"  # `answered` judges it: a form that is refused answers 422 and is no fault
_LEFT = "net::ERR_ABORTED"  # a download, or the user went on before the page was complete
_LEFT_A_PART = ("htmx:sendAbort,", "htmx:afterRequest,")  # the same, while a part of the page was asked for


@dataclass
class Watch:
    """Notes every fault in the contexts it is attached to; `hosts` (`127.0.0.1:8080`) may be asked for things."""

    hosts: tuple[str, ...]
    faults: list[str] = field(default_factory=list)
    _allowed: list[str] = field(default_factory=list)

    def attach(self, context: BrowserContext) -> None:
        """Watch all pages of a context, from their first request on."""
        context.add_init_script(_REPORT_VIOLATIONS)
        context.on("console", self._said)
        context.on("weberror", self._threw)
        context.on("request", self._asked)
        context.on("response", self._answered)
        context.on("requestfailed", self._failed)

    def allow(self, pattern: str) -> None:
        """Faults that this test brings about on purpose: a regular expression, found anywhere in their text."""
        self._allowed.append(pattern)

    def left(self) -> list[str]:
        """The faults that nobody allowed, each once."""
        return [
            fault for fault in dict.fromkeys(self.faults) if not any(re.search(one, fault) for one in self._allowed)
        ]

    def _said(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not message.text.startswith((_SEEN_AS_ANSWER, *_LEFT_A_PART)):
            self.faults.append(f"console: {message.text}")

    def _threw(self, error: WebError) -> None:
        self.faults.append(f"script: {error.error}")

    def _asked(self, request: Request) -> None:
        target = urlsplit(request.url)
        if target.scheme not in _LOCAL_SCHEMES and target.netloc not in self.hosts:
            self.faults.append(f"foreign request: {request.method} {request.url}")

    def _answered(self, response: Response) -> None:
        page = response.request.resource_type == "document"
        if response.status >= (500 if page else 400):
            self.faults.append(f"answer: {response.status} to {response.request.method} {response.url}")

    def _failed(self, request: Request) -> None:
        if request.failure != _LEFT:
            self.faults.append(f"failed request: {request.method} {request.url}: {request.failure}")
