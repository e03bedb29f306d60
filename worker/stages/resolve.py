"""Decides what becomes of each row of a chunk, from the rows and what the world says about them (R7, R13, R17).

Data in, data out: the lookups were made before, the writing comes after. Rules are asked in `schemas.permissions`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from schemas import permissions
from schemas.codes import FAULTS, Code, fault_bit, number_of, warning_bit
from schemas.columns import Column
from schemas.jobs import OnExisting, UploadOptions
from schemas.permissions import Tenant
from schemas.results import CHUNK_RESULTS

DEFAULT_USED = np.uint32(warning_bit(Code.DEFAULT_CARRIER_USED))


@dataclass(frozen=True)
class Existing:
    """The numbers of a chunk that are on the platform already, by ascending `e164`; arrays of one length.

    Ids are int32 and 0 where there is none; capabilities are int8 1 or 0.
    """

    e164: np.ndarray
    holder_id: np.ndarray
    uploader_id: np.ndarray
    voice: np.ndarray
    sms: np.ndarray
    fax: np.ndarray
    voice_carrier_id: np.ndarray
    sms_carrier_id: np.ndarray


@dataclass(frozen=True)
class Defaults:
    """The default carriers that hold for a tenant, its own or inherited (R7); 0 where there is none anywhere."""

    voice_carrier_id: int
    sms_carrier_id: int


@dataclass(frozen=True)
class World:
    """What a chunk's rows meet.

    Every tenant that they name or that holds one of their numbers, the carriers that the uploader may use, the
    defaults that hold for those tenants, and the numbers that exist.
    """

    actor: Tenant
    options: UploadOptions
    tenants: Mapping[int, Tenant]
    voice_carriers: frozenset[int]
    sms_carriers: frozenset[int]
    defaults: Mapping[int, Defaults]
    existing: Existing


@dataclass(frozen=True)
class Numbers:
    """How numbers are to stand in the inventory: arrays of one length, by ascending `e164`."""

    e164: np.ndarray
    country: pa.Array
    holder_id: np.ndarray
    uploader_id: np.ndarray
    voice: np.ndarray
    sms: np.ndarray
    fax: np.ndarray
    voice_carrier_id: np.ndarray
    sms_carrier_id: np.ndarray

    def __len__(self) -> int:
        return len(self.e164)


@dataclass(frozen=True)
class Decisions:
    """What to write, and the result of every row once it is written (`schemas.results.CHUNK_RESULTS`)."""

    create: Numbers
    update: Numbers
    results: pa.Table


def resolve(chunk: pa.Table, world: World) -> Decisions:
    """Decide a chunk (`schemas.results.CHUNK`)."""
    return _Resolution(chunk, world).decide()


class _Resolution:
    """One chunk being decided: every attribute is an array over the chunk's rows."""

    def __init__(self, chunk: pa.Table, world: World) -> None:
        self.world = world
        self.chunk = chunk
        self.size = chunk.num_rows
        self.e164 = self.column("e164")
        self.faults = np.zeros(self.size, dtype=np.uint32)
        self.warnings = self.column("warnings").copy()
        found = np.searchsorted(world.existing.e164, self.e164)
        self.at = np.minimum(found, max(len(world.existing.e164) - 1, 0))
        self.exists = np.zeros(self.size, dtype=bool)
        if len(world.existing.e164):
            self.exists = world.existing.e164[self.at] == self.e164

    def column(self, name: str) -> np.ndarray:
        found: np.ndarray = self.chunk.column(name).to_numpy()
        return found

    def existing(self, name: str) -> np.ndarray:
        """An attribute of the existing number, 0 where the row's number is new."""
        values = getattr(self.world.existing, name)
        return np.where(self.exists, values[self.at], 0) if len(values) else np.zeros(self.size, dtype=np.int32)

    def decide(self) -> Decisions:
        self._meet_existing()
        # A number that is refused is not looked at any further: what else is wrong would tell how it stands (R17).
        writes = (self.faults == 0) & (~self.exists | (self.world.options.on_existing is OnExisting.UPDATE))
        holder = self._holder(writes)
        capability = {column: self._capability(column) for column in (Column.VOICE, Column.SMS, Column.FAX)}
        nothing_on = ~(capability[Column.VOICE] | capability[Column.SMS] | capability[Column.FAX])
        self._fail(~self.exists & nothing_on, Code.NO_CAPABILITY, Column.VOICE)
        voice_carrier = self._carrier(Column.VOICE, "voice_carrier_id", capability[Column.VOICE], holder, writes)
        sms_carrier = self._carrier(Column.SMS, "sms_carrier_id", capability[Column.SMS], holder, writes)
        wanted = {
            "holder_id": holder,
            "voice": capability[Column.VOICE],
            "sms": capability[Column.SMS],
            "fax": capability[Column.FAX],
            "voice_carrier_id": voice_carrier,
            "sms_carrier_id": sms_carrier,
        }
        changed = np.zeros(self.size, dtype=bool)
        for name, values in wanted.items():
            changed |= values != self.existing(name)
        sound = self.faults == 0
        create = sound & ~self.exists
        update = sound & self.exists & writes & changed
        self.warnings = np.where(create | update, self.warnings, self.warnings & ~DEFAULT_USED)
        return Decisions(self._numbers(create, wanted), self._numbers(update, wanted), self._results(create, update))

    def _meet_existing(self) -> None:
        """R17: outside the tree the number is merely taken; inside, `on_existing` says what to do."""
        holder = self.existing("holder_id")
        for tenant_id in np.unique(holder[self.exists]):
            code = permissions.check_existing(self.world.actor, self.world.tenants[int(tenant_id)])
            if code is not None:
                self._fail(self.exists & (holder == tenant_id), code, Column.PHONE_NUMBER)
        if self.world.options.on_existing is OnExisting.ERROR:
            self._fail(self.exists & (self.faults == 0), Code.ALREADY_EXISTS, Column.PHONE_NUMBER)

    def _holder(self, writes: np.ndarray) -> np.ndarray:
        """The row's target, else the form's, else where the number is, else the uploader itself (R11, R12)."""
        target = self.column("target_id")
        form = self.world.options.target_id or 0
        chosen = np.where(target != 0, target, form)
        for tenant_id in np.unique(chosen[chosen != 0]):
            code = permissions.check_target(self.world.actor, self.world.tenants.get(int(tenant_id)))
            if code is not None:
                self._fail(writes & (chosen == tenant_id), code, Column.TARGET)
        self._keep_below_uploader(chosen, writes & self.exists & (chosen != 0) & (self.faults == 0))
        stays = np.where(self.exists, self.existing("holder_id"), self.world.actor.id)
        return np.where(chosen != 0, chosen, stays)

    def _keep_below_uploader(self, chosen: np.ndarray, moved: np.ndarray) -> None:
        uploader = self.existing("uploader_id")
        for uploader_id, target_id in {*zip(uploader[moved].tolist(), chosen[moved].tolist(), strict=True)}:
            code = permissions.check_move(self.world.tenants[uploader_id], self.world.tenants[target_id])
            if code is not None:
                self._fail(moved & (uploader == uploader_id) & (chosen == target_id), code, Column.TARGET)

    def _capability(self, column: Column) -> np.ndarray:
        """R10: an empty cell is FALSE for a new number and "leave as it is" for one that exists."""
        name = column.name.lower()
        given = self.column(name)
        return np.where(given < 0, self.existing(name), given).astype(bool)

    def _carrier(
        self, capability: Column, name: str, is_on: np.ndarray, holder: np.ndarray, writes: np.ndarray
    ) -> np.ndarray:
        """R13: the row's carrier, else the form's, else the number's own, else the default of the holder (R7)."""
        column = Column.VOICE_CARRIER if capability is Column.VOICE else Column.SMS_CARRIER_PROFILE
        usable = self.world.voice_carriers if capability is Column.VOICE else self.world.sms_carriers
        in_row = self.column(name)
        chosen = np.where(in_row != 0, in_row, getattr(self.world.options, name) or 0)
        gone = (chosen != 0) & ~np.isin(chosen, list(usable))
        self._fail(writes & is_on & gone, Code.CARRIER_NOT_FOUND, column)
        carrier = np.where(chosen != 0, chosen, self.existing(name))
        wanting = is_on & (carrier == 0)
        default = self._default(name, holder)
        carrier = np.where(wanting, default, carrier)
        self._fail(writes & wanting & (default == 0), Code.CARRIER_MISSING, column)
        self.warnings[wanting & (default != 0)] |= DEFAULT_USED
        return np.where(is_on, carrier, 0)

    def _default(self, name: str, holder: np.ndarray) -> np.ndarray:
        default = np.zeros(self.size, dtype=np.int32)
        for tenant_id in np.unique(holder):
            known = self.world.defaults.get(int(tenant_id))
            if known is not None:
                default[holder == tenant_id] = getattr(known, name)
        return default

    def _fail(self, rows: np.ndarray, code: Code, column: Column) -> None:
        self.faults[rows] |= np.uint32(fault_bit(code, column))

    def _numbers(self, rows: np.ndarray, wanted: Mapping[str, np.ndarray]) -> Numbers:
        values = {name: array[rows] for name, array in wanted.items()}
        uploader = np.where(self.exists, self.existing("uploader_id"), self.world.actor.id)
        country = self.chunk.column("country").combine_chunks().filter(pa.array(rows))
        return Numbers(e164=self.e164[rows], country=country, uploader_id=uploader[rows], **values)

    def _results(self, create: np.ndarray, update: np.ndarray) -> pa.Table:
        may_write = self.world.options.on_existing is OnExisting.UPDATE
        untouched = number_of(Code.NO_CHANGE if may_write else Code.ALREADY_EXISTS)
        code = np.full(self.size, untouched, dtype=np.uint8)
        code[create] = number_of(Code.CREATED)
        code[update] = number_of(Code.UPDATED)
        # Backwards, so that the most telling fault of a row is the one that stays.
        for place, fault in reversed(list(enumerate(FAULTS))):
            code[(self.faults >> np.uint32(place) & 1).astype(bool)] = number_of(fault.code)
        columns = (self.column("place"), code, self.faults, self.warnings)
        return pa.table([pa.array(column) for column in columns], schema=CHUNK_RESULTS)
