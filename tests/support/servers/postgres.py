"""PostgreSQL servers of a test's own: of any version on this machine, with any settings, also as a standby of another.

The embedded version comes with the service. Debian's is the package `postgresql`; it has TLS, which the other lacks.
"""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import psutil
import psycopg
import pytest
import sqlalchemy as sa

from tests.support.programs import need
from worker.runtime.embedded.binaries import POSTGRES_MAJOR, postgres_home
from worker.runtime.embedded.identity import named_user, server_user
from worker.runtime.processes.child import Child, Command, RunAs, Service, run_to_end, start_service
from worker.runtime.processes.ports import LOOPBACK, free_port

ADMIN, PASSWORD, DATABASE = "postgres", "secret-of-tests", "numberyard"
SETTINGS = """
listen_addresses = '{host}'
port = {port}
unix_socket_directories = ''
fsync = off
max_connections = 100
shared_buffers = 64MB
timezone = 'UTC'
"""
ACCESS = f"host all all {LOOPBACK}/32 scram-sha-256\nhost replication all {LOOPBACK}/32 scram-sha-256\n"
SECONDS = 120.0


def debian_home() -> Path:
    """The folder of Debian's newest version; without one the test is skipped, or fails where it is required."""
    return Path(need("postgres")).resolve().parent.parent


def wheel_home(major: int) -> Path:
    """The folder of a version in the wheel that has the service's own; without it the test is skipped."""
    newest = postgres_home(server_user(Path("/nonexistent")))
    if major == POSTGRES_MAJOR:
        return newest
    older = newest.with_name("pginstall")
    asked = subprocess.run([older / "bin" / "postgres", "--version"], capture_output=True, text=True, check=False)
    if f" {major}." not in asked.stdout:
        pytest.skip(f"the wheel has no PostgreSQL {major}, or not for the user that PostgreSQL runs as")
    return older


class Postgres:
    """A server for the length of a `with` block. `extra`: lines for its settings; `standby_of`: its primary."""

    def __init__(
        self, folder: Path, home: Path | None = None, extra: str = "", standby_of: Postgres | None = None
    ) -> None:
        folder.mkdir()
        self.folder, self.data = folder, folder / "data"
        self.extra, self.primary = extra, standby_of
        self.port = free_port()
        self.user: RunAs = server_user(self.data)
        self.home = home or postgres_home(self.user)
        self.data.mkdir(mode=0o700)
        self._give(self.data)
        self._data = os.open(self.data, os.O_RDONLY)
        self._child: Child | None = None

    @property
    def major(self) -> int:
        return int((self.data / "PG_VERSION").read_text())

    @property
    def url(self) -> sa.URL:
        return sa.URL.create("postgresql+psycopg", ADMIN, PASSWORD, LOOPBACK, self.port, DATABASE)

    def ask(self, statement: str, database: str = DATABASE) -> list[tuple[Any, ...]]:
        """The rows that a statement returns, as the superuser."""
        address = f"host={LOOPBACK} port={self.port} user={ADMIN} password={PASSWORD} dbname={database}"
        with psycopg.connect(address, autocommit=True, connect_timeout=5, sslmode="prefer") as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def __enter__(self) -> Self:
        if self.primary is None:
            self._create()
        else:
            self._copy(self.primary)
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        os.close(self._data)

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        service = Service("postgres", lambda: self._command("postgres"), self._answers)
        self._child = start_service(service)
        if self.primary is None and (DATABASE,) not in self.ask("SELECT datname FROM pg_database", "postgres"):
            self.ask(f"CREATE DATABASE {DATABASE}", "postgres")

    def stop(self, how: int = signal.SIGINT) -> None:
        """Stop it."""
        if self._child is not None:
            self._child.stop(how, SECONDS)
            self._child = None

    def kill(self) -> None:
        """Kill all of its processes at once: it writes nothing more, and closes no connection properly."""
        assert self._child is not None
        for line in (self.data / "postmaster.pid").read_text().splitlines()[:1]:
            os.kill(int(line), signal.SIGKILL)
        self._child.kill()
        self._child = None

    def freeze(self) -> None:
        """Stop all of its processes, as a machine does that hangs: the network still accepts what is sent."""
        server = psutil.Process(int((self.data / "postmaster.pid").read_text().split()[0]))
        for process in (server, *server.children()):
            process.suspend()

    def promote(self) -> None:
        """Make the standby a primary."""
        run_to_end("pg_ctl", self._command("pg_ctl", "promote"), SECONDS)

    def _answers(self) -> bool:
        with suppress(psycopg.OperationalError):
            return bool(self.ask("SELECT 1", "postgres"))
        return False

    def _command(self, program: str, *arguments: str) -> Command:
        # By its descriptor: the folders above belong to the tests' user alone.
        data = f"/proc/self/fd/{self._data}"
        return Command(
            argv=(str(self.home / "bin" / program), *arguments, "-D", data),
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC", "PGPASSWORD": PASSWORD},
            cwd=self.data,
            log_path=self.folder / "log",
            run_as=named_user(self.user),
            keep_fds=(self._data,),
            orphan_signal=signal.SIGQUIT,
        )

    def _create(self) -> None:
        secret = self.put("password", PASSWORD.encode(), self.folder)
        secret.chmod(0o644)
        descriptor = os.open(secret, os.O_RDONLY)
        try:
            command = self._command(
                "initdb", f"--username={ADMIN}", f"--pwfile=/dev/fd/{descriptor}", "--auth=scram-sha-256",
                "--encoding=UTF8", "--locale=C", "--no-sync",
            )  # fmt: skip
            run_to_end("initdb", replace(command, keep_fds=(self._data, descriptor)), SECONDS)
        finally:
            os.close(descriptor)
        self._configure()

    def _copy(self, primary: Postgres) -> None:
        arguments = ("-h", LOOPBACK, "-p", str(primary.port), "-U", ADMIN, "-c", "fast", "-X", "stream", "-R")
        run_to_end("pg_basebackup", self._command("pg_basebackup", "--no-sync", *arguments), SECONDS)
        self._configure()

    def _configure(self) -> None:
        with (self.data / "postgresql.conf").open("a") as settings:
            settings.write(SETTINGS.format(host=LOOPBACK, port=self.port) + self.extra)
        (self.data / "pg_hba.conf").write_text(ACCESS)

    def put(self, name: str, content: bytes, folder: Path | None = None) -> Path:
        """Write a private file for the server, by default into its data folder."""
        path = (folder or self.data) / name
        path.write_bytes(content)
        path.chmod(0o600)
        self._give(path)
        return path

    def _give(self, path: Path) -> None:
        if self.user.uid is not None and self.user.gid is not None:
            os.chown(path, self.user.uid, self.user.gid)
