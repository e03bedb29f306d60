"""Choose the carriers of numbers (R7, R13, R23)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from schemas import permissions
from schemas.capabilities import CARRIER_FIELDS, CarrierField
from schemas.codes import Code
from worker.arrays.distinct import distinct_ids
from worker.stages.resolving.rows import DEFAULT_USED, Rows, groups


@dataclass(frozen=True)
class Case:
    """What the carriers of a capability depend on: arrays as long as the chunk.

    `is_on` (bool): the capability is on. `holder`: id of the future holder. `selected`: id of the chosen carrier, 0 if
    none. `writes` (bool): rows to be written; no other rows are judged.
    """

    is_on: np.ndarray
    holder: np.ndarray
    selected: np.ndarray
    writes: np.ndarray


def carriers(rows: Rows, field: CarrierField, case: Case) -> np.ndarray:
    """Return the carrier's id for every row, 0 if the capability is off.

    R13: the chosen carrier, else the number's own, else the default of the future holder (R7). A number whose new
    holder does not see its carrier also gets that default.
    """
    is_on, holder, selected, writes = case.is_on, case.holder, case.selected, case.writes
    name, column = field.id_name, field.column
    usable = rows.world.voice_carriers if field.capability == "voice" else rows.world.sms_carriers
    is_missing = (selected != 0) & ~np.isin(selected, list(usable))
    rows.fail(writes & is_on & is_missing, Code.CARRIER_NOT_FOUND, column)
    own = rows.now(name)
    carrier = np.where(selected != 0, selected, np.where(_left_behind(rows, own, holder), 0, own))
    wanting = is_on & (carrier == 0)
    default = _default(rows, name, holder)
    rows.fail(writes & wanting & (default == 0), Code.CARRIER_MISSING, column)
    rows.warnings[writes & wanting & (default != 0)] |= DEFAULT_USED
    carrier = np.where(is_on, np.where(wanting, default, carrier), 0)
    other = writes & (own != 0) & (carrier != 0) & (carrier != own)
    rows.judge_number(other, column, permissions.check_other_carrier)
    return carrier


def selected_carriers(
    rows: Rows, capability: Mapping[str, np.ndarray], holder: np.ndarray, writes: np.ndarray
) -> dict[str, np.ndarray]:
    """Return the carriers of rows that choose them, or else the job does: name of the STATE column -> ids.

    `capability`: the future values (bool), by name. `holder` and `writes` as in `Case`.
    """
    carrier_ids = {}
    for field in CARRIER_FIELDS:
        in_row = rows.column(field.id_name)
        selected = np.where(in_row != 0, in_row, getattr(rows.world.options, field.id_name) or 0)
        case = Case(capability[field.capability], holder, selected, writes)
        carrier_ids[field.id_name] = carriers(rows, field, case)
    return carrier_ids


def _left_behind(rows: Rows, own: np.ndarray, holder: np.ndarray) -> np.ndarray:
    """Return rows whose number moves to a tenant that does not see its carrier (R7): another branch defined it."""
    is_left = np.zeros(rows.size, dtype=bool)
    moves = rows.exists & (holder != rows.now("holder_id")) & (own != 0)
    for (carrier, tenant), places in groups(moves, (own, holder)):
        holder_tenant = rows.world.tenants.get(tenant)
        is_left[places] = holder_tenant is not None and rows.world.carrier_owners.get(carrier) not in holder_tenant.path
    return is_left


def _default(rows: Rows, name: str, holder: np.ndarray) -> np.ndarray:
    default = np.zeros(rows.size, dtype=np.int32)
    for tenant_id in distinct_ids(holder):
        defaults = rows.world.defaults.get(tenant_id)
        if defaults is not None:
            default[holder == tenant_id] = getattr(defaults, name)
    return default
