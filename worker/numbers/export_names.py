"""The names of tenants, carriers and users that exported numbers refer to, looked up in the same snapshot."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import sqlalchemy as sa
from numpy.typing import NDArray

from schemas.permissions import Tenant
from worker.database import tenant_scope
from worker.database.tenant_scope import UserColumns
from worker.numbers import export_pages, times
from worker.numbers.export_pages import Counted, ExportPage, halves
from worker.numbers.filters import ResolvedFilter
from worker.numbers.times import JobTimes

_NO_USERS = UserColumns([], [], [], [], [])


@dataclass(frozen=True)
class Names:
    """What a page refers to: tenants and carriers by database id (0: no carrier), its users, and the times of jobs."""

    tenants: Mapping[int, Tenant]
    carriers: Mapping[int, str]
    users: UserColumns
    jobs: Mapping[int, JobTimes]

    def of_users(self, ids: NDArray[np.int64], texts: pa.StringArray) -> pa.StringArray:
        """Return the text for each user; `texts` has one for no user (0), then one for each of `users`."""
        known = np.array([0, *self.users.ids], np.int64)
        order = np.argsort(known)
        return texts.take(pa.array(order[np.searchsorted(known[order], ids)]))


NamedPage = tuple[Names, ExportPage]


def named_pages(
    connection: sa.Connection,
    resolved_filter: ResolvedFilter,
    on_total: Counted | None = None,
    *,
    with_jobs: bool,
) -> Generator[NamedPage, None, None]:
    """Yield pages as `export_pages.pages` does, with their names. The next one is read meanwhile, by another thread.

    The connection must not be used for anything else until the iterator has ended or is closed.
    """
    pages = _named(connection, export_pages.pages(connection, resolved_filter, on_total, with_jobs=with_jobs))
    with ThreadPoolExecutor(1, thread_name_prefix="export") as pool:
        following = pool.submit(next, pages, None)
        while (page := following.result()) is not None:
            following = pool.submit(next, pages, None)
            yield page


def _named(connection: sa.Connection, pages: Iterator[ExportPage]) -> Iterator[NamedPage]:
    """Look up the names of each page. All its numbers are in the actor's tree.

    Tenants and carriers are kept from page to page. There can be as many users and jobs as numbers: users are looked up
    again, and only the jobs of the page before are kept.
    """
    tenants: dict[int, Tenant] = {}
    carriers: dict[int, str] = {0: ""}
    jobs: dict[int, JobTimes] = {}
    for page in pages:
        holders, services, users = (np.unique(halves(pairs)) for pairs in (page.tenants, page.carriers, page.users))
        if new := set(holders.tolist()) - tenants.keys():
            tenants = tenants | tenant_scope.tenants_by_id(connection, sorted(new))
        if new := set(services.tolist()) - carriers.keys():
            carriers = carriers | tenant_scope.carrier_names(connection, sorted(new))
        jobs = _jobs_of(connection, page, jobs)
        ids = users[users != 0].tolist()
        yield Names(tenants, carriers, tenant_scope.user_columns(connection, ids) if ids else _NO_USERS, jobs), page


def _jobs_of(connection: sa.Connection, page: ExportPage, before: Mapping[int, JobTimes]) -> dict[int, JobTimes]:
    ids = set(np.unique([page.created_jobs, page.last_jobs]).tolist())
    kept = {job: before[job] for job in ids & before.keys()}
    return kept | times.of_jobs(connection, sorted(ids - kept.keys()))
