"""The pages of the documentation, rendered from the document of this application and kept."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from threading import RLock
from typing import Any

from flask import current_app, render_template

from schemas.roles import ROLE_TEXTS, SCOPE_TEXTS
from webhook.reference import guides, markup, search
from webhook.reference.code_lists import CodeList, code_lists
from webhook.reference.guides import GUIDES, ROOT
from webhook.reference.literals import as_json
from webhook.reference.operations import Operations
from webhook.reference.search import Entry


@dataclass(frozen=True)
class Page:
    """A rendered page, and its entity tag."""

    html: bytes
    etag: str

    @classmethod
    def of(cls, html: str) -> Page:
        """Return the page with this HTML."""
        encoded = html.encode()
        return cls(encoded, hashlib.sha256(encoded).hexdigest()[:32])


class Site:
    """What the pages show. One for each application: the document is that of its routes."""

    def __init__(self) -> None:
        self._pages: dict[str, Page] = {}
        self._lock = RLock()

    @cached_property
    def operations(self) -> Operations:
        """Return the operations of the document."""
        # The document that is served. The attribute `spec` would make another one.
        return Operations(current_app._get_spec())  # type: ignore[attr-defined] # noqa: SLF001

    @cached_property
    def codes(self) -> tuple[CodeList, ...]:
        """Return all codes."""
        return code_lists()

    @cached_property
    def code_addresses(self) -> dict[str, str]:
        """Return where each code of a problem is explained. Codes of requests come before those of rows."""
        lists = [codes for codes in self.codes if codes.anchor != "callback-results"]
        return {
            entry.code: f"{ROOT}/codes#{codes.anchor}-{entry.code}"
            for codes in reversed(lists)
            for entry in codes.entries
        }

    @cached_property
    def index(self) -> tuple[Entry, ...]:
        """Return the index of the search."""
        return search.build(self.operations)

    def page(self, name: str) -> Page | None:
        """Return a page by its address below `ROOT`; None if there is none.

        A page is kept once it is rendered. There are as many as there are operations and guides.
        """
        page = self._pages.get(name)
        if page is None:
            with self._lock:  # the parts that all pages share are made once, not by each thread
                html = self._render(name)
            if html is not None:
                page = self._pages[name] = Page.of(html)
        return page

    def _render(self, name: str) -> str | None:
        kind, _, operation_id = name.partition("/")
        if not name:
            return self._template("start")
        if kind == "operations" and operation_id in self.operations.by_id:
            return self._template("operation", operation=self.operations.by_id[operation_id])
        if name in guides.NAMES:
            return self._template("guide", article=guides.article(name), current=name)
        if name == "codes":
            return self._template("codes", lists=self.codes)
        if name == "permissions":
            return self._template("permissions", roles=ROLE_TEXTS, scopes=SCOPE_TEXTS)
        return None

    def results(self, query: str) -> Page:
        """Return the page of a search, which is not kept. Of a long query, only the start is used."""
        query = query[: search.MOST_CHARACTERS].strip()
        with self._lock:
            index = self.index
        return Page.of(self._template("search", query=query, results=search.search(index, query)))

    @cached_property
    def missing_page(self) -> Page:
        """Return the page for an address that has none."""
        return Page.of(self._template("not_found"))

    def _template(self, template: str, **values: Any) -> str:  # noqa: ANN401 - whatever a template takes
        return render_template(
            f"reference/{template}.html",
            site=self,
            guides=GUIDES,
            groups=self.operations.groups,
            root=ROOT,
            most_characters=search.MOST_CHARACTERS,
            inline=markup.inline,
            block=markup.block,
            code_box=markup.code_box,
            as_json=as_json,
            **values,
        )
