"""The input and output of decisions: plain data, arrays of one length per chunk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from schemas.arrow_schemas import STATE
from schemas.job_kinds import JobKind
from schemas.jobs import JobOptions
from schemas.permissions import Tenant, User


@dataclass(frozen=True)
class Numbers:
    """The current or new state of numbers in the inventory, by ascending `e164` (int64).

    `state` has an array for every column of `schemas.arrow_schemas.STATE`: ids are 0 if there is none, capabilities are
    1 or 0.
    """

    e164: np.ndarray
    state: Mapping[str, np.ndarray]

    @classmethod
    def none(cls) -> Numbers:
        """Return an empty instance."""
        state = {field.name: np.zeros(0, dtype=field.type.to_pandas_dtype()) for field in STATE}
        return cls(np.zeros(0, dtype=np.int64), state)

    def __len__(self) -> int:
        return len(self.e164)


@dataclass(frozen=True)
class Defaults:
    """The default carriers of a tenant, its own or inherited (R7); 0 if no level has one."""

    voice_carrier_id: int
    sms_carrier_id: int


@dataclass(frozen=True)
class ChunkFacts:
    """The facts that the rows of a chunk are decided on.

    `tenants`: every tenant that the rows name or that holds one of their numbers; `defaults`: the default carriers of
    those tenants. `voice_carriers`, `sms_carriers`: carriers that the admin may use; `carrier_owners`: the tenant that
    defined each carrier that a number has. `users`: the users that the rows name. `slots`: the number that a user
    already has as its own (or as Default DID). `existing`: the numbers that exist; unless they are locked (`held`),
    they may change before anything is written.
    """

    actor: Tenant
    options: JobOptions
    tenants: Mapping[int, Tenant]
    voice_carriers: frozenset[int]
    sms_carriers: frozenset[int]
    defaults: Mapping[int, Defaults]
    existing: Numbers
    kind: JobKind = JobKind.UPLOAD
    job_id: int = 0
    carrier_owners: Mapping[int, int] = field(default_factory=dict)
    users: Mapping[int, User] = field(default_factory=dict)
    slots: Mapping[int, int] = field(default_factory=dict)
    held: bool = True


@dataclass(frozen=True)
class Decisions:
    """What to write, and the result of every row once it is written.

    `delete` holds numbers (int64); `results` and `images` are CHUNK_RESULTS and IMAGES of `schemas.arrow_schemas`.
    Unless `held` (locked), numbers must still equal their before-images when they are written.
    """

    create: Numbers
    update: Numbers
    delete: np.ndarray
    results: pa.Table
    images: pa.Table
    held: bool = True
