"""Unpacks a gzip file (RFC 1952) block by block, within what it may cost."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

from schemas.codes import Code
from worker.stages.reading.model import Limits, fault

BLOCK = 1 << 20
# Deflate packs at most 1032 to 1; tables of numbers reach about 20 to 1, very uniform ones 300 to 1.
RATIO_FROM_BYTES, MOST_RATIO = 1 << 26, 400


def gunzip(path: Path, target: Path, limits: Limits) -> None:
    """Write to `target` what is packed in `path`. `FileFault` UNREADABLE_FILE: damaged, cut off, or too much."""
    most = min(limits.inflated_bytes, max(RATIO_FROM_BYTES, path.stat().st_size * MOST_RATIO))
    written = 0
    try:
        with gzip.open(path) as packed, target.open("wb") as file:
            while block := packed.read(BLOCK):
                written += file.write(block)
                if written > most:
                    fault(Code.UNREADABLE_FILE, f"The archive unpacks to more than {most:,} bytes.", limit=most)
    except EOFError:
        fault(Code.UNREADABLE_FILE, "The archive is cut off.")
    except (gzip.BadGzipFile, zlib.error) as error:
        fault(Code.UNREADABLE_FILE, "The archive is damaged.", reason=str(error))
