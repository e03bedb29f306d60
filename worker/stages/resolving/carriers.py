"""Choose the carriers of numbers (R7, R13, R23)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from schemas import permissions
from schemas.codes import Code
from schemas.columns import Column
from worker.arrays.distinct import distinct_ids
from worker.stages.resolving.rows import DEFAULT_USED, Rows, groups

_COLUMN = {"voice": Column.VOICE_CARRIER, "sms": Column.SMS_CARRIER_PROFILE}


@dataclass(frozen=True)
class Case:
    """What the carriers of a service depend on: arrays as long as the chunk.

    `is_on` (bool): the capability is on. `holder`: id of the future holder. `selected`: id of the chosen carrier, 0 if
    none. `writes` (bool): rows to be written; no other rows are judged.
    """

    is_on: np.ndarray
    holder: np.ndarray
    selected: np.ndarray
    writes: np.ndarray


def carriers(rows: Rows, service: str, case: Case) -> np.ndarray:
    """Return the carrier of a service ("voice" or "sms") for every row, 0 if the capability is off.

    R13: the chosen carrier, else the number's own, else the default of the future holder (R7). A number whose new
    holder does not see its carrier also gets that default.
    """
    is_on, holder, selected, writes = case.is_on, case.holder, case.selected, case.writes
    name, column = f"{service}_carrier_id", _COLUMN[service]
    usable = rows.world.voice_carriers if service == "voice" else rows.world.sms_carriers
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
