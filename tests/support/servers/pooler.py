"""PgBouncer between the service and its database: a Debian package, on a port of this machine."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa

from tests.support.programs import need
from tests.support.servers.service import wait_for
from worker.runtime.processes.ports import free_port

SECONDS = 60.0
NOBODY = 65534  # PgBouncer does not run as root
CONNECTIONS = 3  # to the database: fewer than threads ask for, so each transaction gets another one


@contextmanager
def pooled(
    folder: Path, database: sa.URL, mode: str = "transaction", connections: int = CONNECTIONS
) -> Iterator[sa.URL]:
    """Run PgBouncer for a database; the address of the database through it. `connections`: to the database."""
    program, port = need("pgbouncer"), free_port()
    line = f"host={database.host} port={database.port} user={database.username} password={database.password}"
    folder.mkdir()
    settings = folder / "pgbouncer.ini"
    settings.write_text(
        f"[databases]\n{database.database} = {line}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n"
        f"unix_socket_dir =\nauth_type = any\npool_mode = {mode}\ndefault_pool_size = {connections}\n"
    )
    as_nobody: dict[str, Any] = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
    settings.chmod(0o644)
    address = database.set(host="127.0.0.1", port=port)
    with (folder / "log").open("wb") as log, settings.open("rb") as given:
        # By its descriptor: the folders above belong to the tests' user alone.
        command = [program, f"/dev/fd/{given.fileno()}"]
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd="/", pass_fds=[given.fileno()], **as_nobody)
        try:
            wait_for(lambda: process.poll() is not None or _answers(address), SECONDS, "PgBouncer to answer")
            assert process.poll() is None, (folder / "log").read_text()
            yield address
        finally:
            process.terminate()
            process.wait(SECONDS)


def _answers(address: sa.URL) -> bool:
    with suppress(psycopg.OperationalError):
        psycopg.connect(address.set(drivername="postgresql").render_as_string(hide_password=False)).close()
        return True
    return False
