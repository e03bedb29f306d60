"""The capabilities of numbers and their carriers: one specification for tables, files, commands and pages.

The cells of their columns are specified in `schemas.columns`. Bodies and options declare their fields, so that types
and OpenAPI show them; tests/contract/test_capabilities.py compares them with `CAPABILITIES`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from schemas.columns import Column, name_of

CapabilityName = Literal["voice", "sms", "fax"]


@dataclass(frozen=True)
class Capability:
    """A capability: its name in tables, files, bodies and options, and its column in spreadsheets."""

    name: CapabilityName
    column: Column

    @property
    def label(self) -> str:
        """The name in texts, as the spreadsheet spells it."""
        return name_of(self.column)


@dataclass(frozen=True)
class CarrierField:
    """The carrier that a number needs while a capability is on (R7, R13).

    `name` is that of its field in bodies and options, `column` that of its column in spreadsheets.
    """

    capability: CapabilityName
    name: str
    column: Column

    @property
    def id_name(self) -> str:
        """The name of the carrier's internal id in tables, files and job options."""
        return f"{self.capability}_carrier_id"

    @property
    def label(self) -> str:
        """The name in texts, as the spreadsheet spells it."""
        return name_of(self.column)


CAPABILITIES: tuple[Capability, ...] = (
    Capability("voice", Column.VOICE),
    Capability("sms", Column.SMS),
    Capability("fax", Column.FAX),
)
CARRIER_FIELDS: tuple[CarrierField, ...] = (
    CarrierField("voice", "voice_carrier", Column.VOICE_CARRIER),
    CarrierField("sms", "sms_carrier_profile", Column.SMS_CARRIER_PROFILE),
)
CAPABILITY_NAMES: tuple[str, ...] = tuple(capability.name for capability in CAPABILITIES)
_LABELS = [capability.label for capability in CAPABILITIES]
ALL_LABELS = f"{', '.join(_LABELS[:-1])} and {_LABELS[-1]}"  # in a sentence: "Voice, SMS and Fax"
