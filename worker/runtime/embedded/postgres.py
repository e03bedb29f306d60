"""PostgreSQL 18 as a child process: loopback and password only, one role that is not a superuser, one database.

Runs as any user; for root, the server runs as another user. Never upgrades the data of another major version.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psycopg

from worker.runtime.embedded.binaries import POSTGRES_MAJOR, postgres_home
from worker.runtime.embedded.folder import replace_file
from worker.runtime.embedded.identity import named_user, server_user
from worker.runtime.embedded.pgsettings import ACCESS, SETTINGS_FILE, server_settings
from worker.runtime.embedded.server import ENVIRONMENT, EmbeddedServer
from worker.runtime.processes.child import Command, RunAs, ServerError, run_to_end
from worker.runtime.processes.ports import LOOPBACK

ROLE = DATABASE = "numberyard"
INITDB_TIMEOUT = 120.0
# The superuser has no password, so no one can log in as it. The grants are for operations: monitoring, ending sessions,
# checkpoints.
BOOTSTRAP = """\
CREATE ROLE {role} LOGIN CREATEDB
GRANT pg_monitor, pg_signal_backend, pg_checkpoint TO {role}
CREATE DATABASE {database} OWNER {role}
ALTER ROLE {role} PASSWORD '{password}'
"""


class EmbeddedPostgres(EmbeddedServer):
    """PostgreSQL on its own folder. `url` is for SQLAlchemy with psycopg 3; the role may create databases."""

    name = "postgres"
    stop_signal = signal.SIGINT  # "fast" shutdown: ends sessions, writes all data

    @property
    def url(self) -> str:
        """`postgresql+psycopg://numberyard:password@127.0.0.1:port/numberyard`; ServerError before the first start."""
        return f"postgresql+psycopg://{ROLE}:{self.password}@{LOOPBACK}:{self.port}/{DATABASE}"

    @property
    def pid(self) -> int:
        """Process id of the postmaster while it runs."""
        return int((self._data / "postmaster.pid").read_text().split()[0])

    @property
    def _data(self) -> Path:
        return self.folder.path / "data"

    def ready(self) -> bool:
        """Return whether our role can log in to our database; it can't during crash recovery."""
        try:
            psycopg.connect(
                host=LOOPBACK, port=self.port, user=ROLE, password=self.password, dbname=DATABASE, connect_timeout=2
            ).close()
        except psycopg.OperationalError:
            return False
        return True

    def _prepare(self, lock: int) -> Command:
        run_as = server_user(self._data)
        home = postgres_home(run_as)
        if not self._data.exists():
            self._create(home, run_as, lock)
        self._check_version()
        self._drop_stale_pid_file()
        settings = server_settings(self.port, durable=self.durable)
        owner = self._data.stat()
        replace_file(self._data / SETTINGS_FILE, settings, (owner.st_uid, owner.st_gid))
        return self._command(home, "postgres", self._data, run_as, lock)

    def _command(self, home: Path, program: str, data: Path, run_as: RunAs, lock: int, *arguments: str) -> Command:
        # The other user may lack access to the folders above the data (/root, a private temp folder). The link to the
        # working directory, in which the server is started, works all the same.
        reachable = "/proc/self/cwd" if run_as.uid is not None and sys.platform == "linux" else str(data)
        return Command(
            argv=(str(home / "bin" / program), *arguments, "-D", reachable),
            env=ENVIRONMENT,
            cwd=data,
            log_path=self.folder.log_path,
            run_as=run_as,
            keep_fds=(lock,),
            # "Immediate" shutdown: it ends its processes and frees its shared memory; SIGKILL would leave both behind.
            orphan_signal=signal.SIGQUIT,
        )

    def _create(self, home: Path, run_as: RunAs, lock: int) -> None:
        """Create the database cluster under another name and rename it: an existing `data` is always complete."""
        draft = self._data.with_name("data.new")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        if run_as.uid is not None and run_as.gid is not None:
            os.chown(draft, run_as.uid, run_as.gid)
        options = (
            *("--username=postgres", "--auth-local=peer", "--auth-host=scram-sha-256", "--encoding=UTF8"),
            # Sorts by code point: the same on every machine, whatever its locales.
            *("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
            "--no-sync",
        )
        user_options = named_user(run_as)
        run_to_end("initdb", self._command(home, "initdb", draft, user_options, lock, *options), INITDB_TIMEOUT)
        owner = draft.stat()
        replace_file(draft / "pg_hba.conf", ACCESS, (owner.st_uid, owner.st_gid))
        with (draft / "postgresql.conf").open("a") as settings:
            settings.write(f"include_if_exists '{SETTINGS_FILE}'\n")
        self._bootstrap(self._command(home, "postgres", draft, user_options, lock, "--single", "postgres"))
        if self.durable:
            # Flush everything at once: file by file, as initdb does it, may take longer than all the rest.
            method = "--sync-method=syncfs" if sys.platform == "linux" else "--sync-method=fsync"
            sync = self._command(home, "initdb", draft, user_options, lock, "--sync-only", method)
            run_to_end("initdb", sync, INITDB_TIMEOUT)
        draft.rename(self._data)

    def _bootstrap(self, single_user: Command) -> None:
        # In single-user mode, before the server listens for the first time: there is never access without a password.
        statements = BOOTSTRAP.format(role=ROLE, database=DATABASE, password=self.password)
        with tempfile.TemporaryFile() as script:
            script.write(statements.encode())
            script.seek(0)
            program, mode, database, *rest = single_user.argv
            argv = (program, mode, "-c", "exit_on_error=on", "-c", "fsync=off", *rest, database)
            run_to_end("postgres", replace(single_user, argv=argv, stdin=script.fileno()), INITDB_TIMEOUT)

    def _check_version(self) -> None:
        data_version = (self._data / "PG_VERSION").read_text().strip()
        if data_version != str(POSTGRES_MAJOR):
            location = f"the data folder {self.folder.path}"
            message = f"{location} was made by PostgreSQL {data_version}, this is {POSTGRES_MAJOR}: dump and restore it"
            raise ServerError(message)

    def _drop_stale_pid_file(self) -> None:
        """Remove the pid file of a server that was killed.

        We hold the folder's lock, so no server of ours runs on it. But PostgreSQL refuses to start if the old process
        id now belongs to any other program of this user, which is common in containers, where process ids are low. A
        server that was started by hand is recognised by its working directory.
        """
        path = self._data / "postmaster.pid"
        if not path.exists() or sys.platform != "linux":
            return
        pid = path.read_text().split()[0].lstrip("-")
        with suppress(OSError):
            if Path("/proc", pid, "cwd").samefile(self._data):
                message = f"the data folder {self.folder.path} is in use by a running server (process {pid})"
                raise ServerError(message)
        path.unlink()
