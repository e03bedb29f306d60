"""The names of tenants, carriers and users that exported numbers refer to, looked up in the same snapshot."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import sqlalchemy as sa
from numpy.typing import NDArray

from schemas.permissions import Tenant
from worker.database import tenant_scope
from worker.database.tenant_scope import UserColumns
from worker.numbers.export_pages import ExportPage, halves


class Names:
    """Tenants and carriers by database id (0: none), kept from page to page; and the users of the latest page.

    There can be as many users as numbers, so they are not kept.
    """

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self.tenants: dict[int, Tenant] = {}
        self.carriers: dict[int, str] = {0: ""}
        self.users = UserColumns([], [], [], [], [])
        self._order = np.zeros(0, np.int64)
        self._user_ids = np.zeros(0, np.int64)

    def learn(self, page: ExportPage) -> None:
        """Look up what the page refers to. All its numbers are in the actor's tree."""
        tenants, carriers, users = (np.unique(halves(pairs)) for pairs in (page.tenants, page.carriers, page.users))
        if new := set(tenants.tolist()) - self.tenants.keys():
            self.tenants |= tenant_scope.tenants_by_id(self._connection, sorted(new))
        if new := set(carriers.tolist()) - self.carriers.keys():
            self.carriers |= tenant_scope.carrier_names(self._connection, sorted(new))
        asked = users[users != 0].tolist()
        self.users = tenant_scope.user_columns(self._connection, asked) if asked else UserColumns([], [], [], [], [])
        ids = np.array([0, *self.users.ids], np.int64)
        self._order = np.argsort(ids)
        self._user_ids = ids[self._order]

    def of_users(self, ids: NDArray[np.int64], texts: pa.StringArray) -> pa.StringArray:
        """Return the text for each user; `texts` has one for no user (0), then one for each of `users`."""
        return texts.take(pa.array(self._order[np.searchsorted(self._user_ids, ids)]))
