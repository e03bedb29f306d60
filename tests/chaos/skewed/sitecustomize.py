"""A Python whose clock is off by `CHAOS_CLOCK_OFF` seconds, for a process that has this folder in its PYTHONPATH.

What measures durations (`time.monotonic`) is as it is: a clock that is off runs no faster.
"""

from __future__ import annotations

import datetime as dt
import os
import time

import pandas as pd  # before the exchange: its extensions are built upon the class as it is in memory

_OFF = float(os.environ["CHAOS_CLOCK_OFF"])
_real, _time, _time_ns = dt.datetime, time.time, time.time_ns


class _AsIfReal(type):
    """Datetimes of extensions, which know only the real class, are instances of the skewed one."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, _real)


class _Skewed(dt.datetime, metaclass=_AsIfReal):
    @classmethod
    def now(cls, tz: dt.tzinfo | None = None) -> dt.datetime:  # type: ignore[override]
        return _real.fromtimestamp(_time() + _OFF, tz)

    @classmethod
    def utcnow(cls) -> dt.datetime:  # type: ignore[override]
        return cls.now(dt.UTC).replace(tzinfo=None)


time.time = lambda: _time() + _OFF
time.time_ns = lambda: _time_ns() + int(_OFF * 10**9)
dt.datetime = _Skewed  # type: ignore[misc]
assert pd.Timestamp is not None
