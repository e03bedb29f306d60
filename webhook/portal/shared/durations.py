"""Durations in words, for pages."""

from __future__ import annotations

import math

_UNITS = ((24 * 3600, "day"), (3600, "hour"), (60, "minute"), (1, "second"))
_SIZES = ("bytes", "KB", "MB", "GB", "TB")


def file_size(size: int) -> str:
    """Return a number of bytes in words, in units of 1,024: "812 bytes", "2.3 MB", "1 GB"."""
    step = min((max(size, 1).bit_length() - 1) // 10, len(_SIZES) - 1)
    figure = f"{size / 1024**step:,.1f}".removesuffix(".0")
    return f"{figure} {_SIZES[step]}"


def duration(seconds: float) -> str:
    """Return a duration, rounded up, in words: "8 hours", "2 minutes", "1 day".

    The unit is the largest one that divides the duration, or of which it has more than two.
    """
    whole = max(1, math.ceil(seconds))
    size, unit = next(entry for entry in _UNITS if _fits(whole, entry[0]))
    count = math.ceil(whole / size)
    return f"{count:,} {unit}" if count == 1 else f"{count:,} {unit}s"


def _fits(seconds: int, size: int) -> bool:
    """Return whether a unit is small enough for a duration."""
    return size == 1 or seconds > 2 * size or (seconds >= size and seconds % size == 0)
