"""What deciding starts from and ends with: plain data, arrays of one length per chunk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from schemas.arrow_schemas import STATE
from schemas.jobs import JobKind, JobOptions
from schemas.permissions import Tenant, User


@dataclass(frozen=True)
class Numbers:
    """How numbers stand, or are to stand, in the inventory, by ascending `e164` (int64).

    `state` has an array for every column of `schemas.arrow_schemas.STATE`: ids 0 where there is none, capabilities 1
    or 0.
    """

    e164: np.ndarray
    state: Mapping[str, np.ndarray]

    @classmethod
    def none(cls) -> Numbers:
        """No numbers."""
        state = {field.name: np.zeros(0, dtype=field.type.to_pandas_dtype()) for field in STATE}
        return cls(np.zeros(0, dtype=np.int64), state)

    def __len__(self) -> int:
        return len(self.e164)


@dataclass(frozen=True)
class Defaults:
    """The default carriers that hold for a tenant, its own or inherited (R7); 0 where there is none anywhere."""

    voice_carrier_id: int
    sms_carrier_id: int


@dataclass(frozen=True)
class World:
    """What a chunk's rows meet.

    Every tenant that they name or that holds one of their numbers, the carriers that the admin may use, the defaults
    that hold for those tenants, and the numbers that exist. `carrier_owners` tells who defined a carrier that a number
    has, `users` the users that are named, `slots` which number a user has as its own (or Default DID) already. Unless
    they are `held`, the numbers that exist may change before anything is written.
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
    Unless they are `held`, numbers must be as in their images still when they are written.
    """

    create: Numbers
    update: Numbers
    delete: np.ndarray
    results: pa.Table
    images: pa.Table
    held: bool = True
