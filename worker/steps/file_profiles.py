"""The import profile of a file that does not explain itself (R32): found by its column names, and applied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from sqlalchemy import Connection

from schemas.column_mapping import ColumnMapping
from schemas.columns import Column, same_header
from schemas.jobs import Accept, JobOptions, NumberFormat
from schemas.permissions import Tenant
from worker.database.engine import transaction
from worker.jobs import import_profiles
from worker.jobs.import_profiles import Profile
from worker.stages.read import MatchingProfile

# The options of a profile that are taken with it; the others describe how a file is opened, which has been done.
_APPLIED: dict[str, Any] = {"number_format": NumberFormat, "accept": Accept}


def may_take_profile(options: JobOptions) -> bool:
    """Return whether a profile may be taken: not if the uploader has chosen one, or states the columns."""
    return options.profile is None and not options.mapping


@dataclass
class Profiles:
    """The profiles that a tenant may use; loaded when the first file needs one."""

    tenant: Tenant

    @cached_property
    def _all(self) -> list[Profile]:
        with transaction() as connection:
            return import_profiles.applicable(connection, self.tenant)

    def of_headers(self, headers: Sequence[str]) -> MatchingProfile | Sequence[str]:
        """Return the profile for a row of column names; or the names of several that fit alike, or nothing."""
        taken = import_profiles.taken(self._all, import_profiles.signature(headers)) if self._all else None
        if taken is None:
            return ()
        if isinstance(taken, tuple):
            return [profile.name for profile in taken]
        mapping = ColumnMapping.from_json(taken.mapping)
        if _has_numbers(mapping) and not _same_order(headers, taken.headers):
            return ()  # in another order, the numbers would be those of other columns: the admin is asked
        return MatchingProfile(taken.public_id, taken.name, mapping)

    def mark_used(self, connection: Connection, public_id: str | None) -> None:
        """Note that a file is read with the profile."""
        for profile in self._all:
            if profile.public_id == public_id:
                import_profiles.mark_used(connection, profile.id)

    def applied(self, taken: MatchingProfile, options: JobOptions) -> JobOptions:
        """Return the job's options with the profile's mapping and how it reads numbers."""
        profile = next(profile for profile in self._all if profile.public_id == taken.id)
        changes = {name: kind(profile.options[name]) for name, kind in _APPLIED.items() if name in profile.options}
        return replace(options, mapping=profile.mapping, profile=taken.id, **changes)


def _has_numbers(mapping: ColumnMapping) -> bool:
    """Return whether the mapping gives any column by its number."""
    return any(isinstance(reference, int) for reference in mapping.columns.values())


def _same_order(headers: Sequence[str], others: Sequence[str]) -> bool:
    """Return whether two rows of column names are the same, column by column."""
    pairs = zip(headers, others, strict=False)
    return len(headers) == len(others) and all(
        same_header(first, second) or not (first.strip() or second.strip()) for first, second in pairs
    )


def mapping_to_save(facts: Mapping[str, Any], stated: ColumnMapping) -> ColumnMapping:
    """Return the mapping of a file that has been read, for other files with its column names in any order.

    `facts`: those stored of the file. Columns without a name of their own are given by number.
    """
    names, numbers = list(facts["columns"]), list(facts["numbers"])
    columns: dict[Column, str | int | None] = {
        column: None for column, reference in stated.columns.items() if reference is None
    }
    for name, index in facts["mapping"].items():
        header = names[index] if facts["header_row"] else ""
        is_alone = sum(same_header(header, other) for other in names) == 1
        columns[Column[name]] = header if header.strip() and is_alone else numbers[index]
    return ColumnMapping(columns, stated.constants, stated.values)


def save(connection: Connection, tenant: Tenant, created_by: str, options: JobOptions, facts: Mapping[str, Any]) -> str:
    """Save the mapping of a file that has been read as an import profile, instead of the one with that name (R32).

    Return a note for the uploader if it cannot be saved, else "": the import goes on without it.
    """
    mapping = mapping_to_save(facts, ColumnMapping.from_json(options.mapping)).to_json()
    headers = facts["columns"] if facts["header_row"] else []
    reading = {
        "number_format": options.number_format.value,
        "accept": options.accept.value,
        "header_row": None if facts["header_row"] else 0,
    }
    plain = {name: value for name, value in reading.items() if value not in {"auto", "valid", None}}
    existing = import_profiles.find(connection, tenant, str(options.save_profile))
    try:
        if existing is not None and existing.tenant_id == tenant.id:
            changes = {"mapping": mapping, "options": plain, "headers": headers}
            import_profiles.change(connection, existing.id, changes)
        else:
            import_profiles.save(connection, tenant.id, str(options.save_profile), mapping, plain, headers, created_by)
    except import_profiles.TooManyError:
        return (
            f"The import profile was not saved: you have {import_profiles.MOST_PER_TENANT} already. Delete one first."
        )
    except import_profiles.TooLargeError:
        return "The import profile was not saved: the file has too many columns or values."
    except import_profiles.NameTakenError:
        return "The import profile was not saved: its name was taken meanwhile."
    return ""
