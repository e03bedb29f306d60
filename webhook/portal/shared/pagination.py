"""Lists with a search and keyset pages: from a URL to the page of results, and to the URL of the next page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from flask import url_for
from pydantic import BaseModel

from webhook.http.request_bodies import validated
from webhook.portal.shared.forms import Form


class _Found(Protocol):
    @property
    def data(self) -> Sequence[Any]: ...
    @property
    def next_cursor(self) -> str | None: ...


@dataclass(frozen=True)
class Listed:
    """A page of a list. `narrowed`: whether a search or a filter is set. Either URL may be None."""

    data: Sequence[Any]
    narrowed: bool
    next_url: str | None
    first_url: str | None
    status: int


Query = TypeVar("Query", bound=BaseModel)


def listed(  # noqa: PLR0913, PLR0917 - all describe the list
    form: Form,
    query: type[Query],
    find: Callable[[Query], _Found],
    endpoint: str,
    filters: Sequence[str] = (),
    fixed: dict[str, object] | None = None,
    **route: Any,  # noqa: ANN401 - as in `url_for`
) -> Listed:
    """Return what `find` returns for the `filters` in the URL; errors in them are noted in the form.

    `fixed`: members of the query that are not in the URL. `route`: values for the endpoint's URL rule.
    """
    filters_sent: dict[str, Any] = {name: text for name in filters if (text := form.value(name).strip())}
    cursor = form.value("cursor")
    first = url_for(endpoint, **route, **filters_sent) if cursor else None
    if not form.errors:
        with form.faults():
            parameters = filters_sent | ({"cursor": cursor} if cursor else {}) | (fixed or {})
            page = find(validated(query, parameters))
            following = page.next_cursor
            address = None if following is None else url_for(endpoint, **route, **filters_sent, cursor=following)
            return Listed(page.data, bool(filters_sent), address, first, 200)
    return Listed((), bool(filters_sent), None, first, int(form.status))
