"""Unpack a gzip file (RFC 1952) block by block, within the limits on its size."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

from schemas.codes import Code
from worker.stages.reading.model import Limits, fault

BLOCK = 1 << 20
RATIO_FROM_BYTES = 1 << 26  # no limit on the ratio below this size


def gunzip(path: Path, target: Path, limits: Limits) -> None:
    """Unpack `path` into `target`. Raises `FileFault` UNREADABLE_FILE if it is damaged, truncated or too large."""
    most = min(limits.inflated_bytes, max(RATIO_FROM_BYTES, path.stat().st_size * limits.inflated_ratio))
    written = 0
    try:
        with gzip.open(path) as packed, target.open("wb") as file:
            while block := packed.read(BLOCK):
                written += file.write(block)
                if written > most:
                    fault(Code.UNREADABLE_FILE, f"The archive unpacks to more than {most:,} bytes.", limit=most)
    except EOFError:
        fault(Code.UNREADABLE_FILE, "The archive is incomplete.")
    except (gzip.BadGzipFile, zlib.error) as error:
        fault(Code.UNREADABLE_FILE, "The archive is damaged.", reason=str(error))
