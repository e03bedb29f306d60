"""Valkey 9 as a child process: loopback and password only, with persistence.

Messages only wake up workers, and PostgreSQL holds all state, so losing a second of messages is acceptable. Silently
evicting one is not.
"""

from __future__ import annotations

import redis

from worker.runtime.embedded.binaries import valkey_server
from worker.runtime.embedded.folder import replace_file
from worker.runtime.embedded.server import ENVIRONMENT, EmbeddedServer
from worker.runtime.processes.child import Command
from worker.runtime.processes.ports import LOOPBACK

SETTINGS = """\
# Written by numberyard at every start.
bind {host}
port {port}
protected-mode yes
requirepass {password}
dir .
pidfile valkey.pid
daemonize no
databases 16
# The append-only file alone: a snapshot beside it would write everything twice.
appendonly yes
appendfsync {fsync}
save ""
# Full means an error for the sender. The other policies throw waiting messages away.
maxmemory-policy noeviction
"""


class EmbeddedValkey(EmbeddedServer):
    """Valkey on its own folder. `url` is for redis-py, Celery and kombu."""

    name = "valkey"

    @property
    def url(self) -> str:
        """`redis://:password@127.0.0.1:port/0`; ServerError before the first start."""
        return f"redis://:{self.password}@{LOOPBACK}:{self.port}/0"

    @property
    def pid(self) -> int:
        """Process id of valkey-server while it runs."""
        return int((self.folder.path / "data" / "valkey.pid").read_text())

    def ready(self) -> bool:
        """Return whether it responds to PING; it doesn't while it loads its data."""
        try:
            with redis.Redis.from_url(self.url, socket_connect_timeout=2, socket_timeout=2) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def _prepare(self, lock: int) -> Command:
        data = self.folder.path / "data"
        data.mkdir(mode=0o700, exist_ok=True)
        fsync = "everysec" if self.durable else "no"
        replace_file(
            data / "valkey.conf", SETTINGS.format(host=LOOPBACK, port=self.port, password=self.password, fsync=fsync)
        )
        return Command(
            # Started in its folder, because its configuration file can't contain a path with blanks or quotes.
            argv=(str(valkey_server()), "valkey.conf"),
            env=ENVIRONMENT,
            cwd=data,
            log_path=self.folder.log_path,
            keep_fds=(lock,),
        )
