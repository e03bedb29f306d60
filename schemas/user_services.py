"""The ways a user has a number (R2, R20), and how people and programs spell them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import IntFlag
from typing import Protocol

import numpy as np


class Service(IntFlag):
    """Bits, because one number may serve a user for voice and for SMS; the values are kept in files."""

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
    """`voice`, `SMS`, `default_did`, `forwarded + sms`: the services a text names, or None if it names anything else.

    Nobody has a number as Default DID and as Forwarded DID at once.
    """
    found = NO_SERVICE
    for part in _BETWEEN.split(text.casefold()):
        service = _NAMES.get(" ".join(part.replace("_", " ").replace("-", " ").split()))
        if service is None:
            return None
        found |= service
    return None if found & ANY_VOICE == ANY_VOICE else found


def name_of(services: Service) -> str:
    """The services as `read_services` reads them."""
    return "+".join(service.name.lower() for service in services if service.name)


class Chosen(Protocol):
    """What was chosen for all rows (`schemas.jobs.JobOptions`)."""

    @property
    def user_id(self) -> int | None: ...
    @property
    def service(self) -> Service: ...


def given(user: np.ndarray, target: np.ndarray, service: np.ndarray, chosen: Chosen) -> tuple[np.ndarray, np.ndarray]:
    """The user (0: none) and services of rows that assign, from what they name and what was chosen for all (R12).

    A row's user or tenant wins over what was chosen; a row that names both means the user, whose tenant it tells.
    Without a service it is voice.
    """
    users = np.where((user == 0) & (target == 0), chosen.user_id or 0, user)
    services = np.where(service == 0, int(chosen.service or Service.VOICE), service)
    return users, np.where(users == 0, 0, services)
