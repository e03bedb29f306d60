"""The services for which a user has a number (R2, R20), and their spellings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import IntFlag
from typing import Protocol

import numpy as np


class Service(IntFlag):
    """Services as bits, because a number may serve a user for voice and for SMS. The values are stored in files."""

    VOICE = 1  # the number of a PBX user, or the Default DID of a trunk user
    FORWARDED = 2  # one of a trunk user's Forwarded DIDs
    SMS = 4  # one of any user's Assigned DIDs


NO_SERVICE = Service(0)


ANY_VOICE = Service.VOICE | Service.FORWARDED
_NAMES: Mapping[str, Service] = {
    "voice": Service.VOICE,
    "phone number": Service.VOICE,
    "default did": Service.VOICE,
    "forwarded": Service.FORWARDED,
    "forwarded did": Service.FORWARDED,
    "forwarded dids": Service.FORWARDED,
    "sms": Service.SMS,
    "sms did": Service.SMS,
    "sms dids": Service.SMS,
    "both": Service.VOICE | Service.SMS,
}
_BETWEEN = re.compile(r"[+,;/&]|\band\b")


def read_services(text: str) -> Service | None:
    """Parse services such as `voice`, `SMS`, `default_did`, `forwarded + sms`; None if any part is unknown.

    None also for Default DID together with Forwarded DID: a number is never both.
    """
    services = NO_SERVICE
    for part in _BETWEEN.split(text.casefold()):
        service = _NAMES.get(" ".join(part.replace("_", " ").replace("-", " ").split()))
        if service is None:
            return None
        services |= service
    return None if services & ANY_VOICE == ANY_VOICE else services


def name_of(services: Service) -> str:
    """Return services in the spelling that `read_services` parses."""
    return "+".join(service.name.lower() for service in services if service.name)


class ServiceSettings(Protocol):
    """Settings for all rows (`schemas.jobs.JobOptions`)."""

    @property
    def user_id(self) -> int | None: ...
    @property
    def service(self) -> Service: ...


def assigned_services(
    user: np.ndarray, target: np.ndarray, service: np.ndarray, chosen: ServiceSettings
) -> tuple[np.ndarray, np.ndarray]:
    """Return the user (0: none) and services of each assigning row: its own, or else those chosen for all rows (R12).

    A row's user or tenant takes precedence over the settings. If a row names both, the user counts: it determines the
    tenant. The default service is voice.
    """
    users = np.where((user == 0) & (target == 0), chosen.user_id or 0, user)
    services = np.where(service == 0, int(chosen.service or Service.VOICE), service)
    return users, np.where(users == 0, 0, services)
