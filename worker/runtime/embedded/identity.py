"""The user that PostgreSQL runs as. PostgreSQL refuses root, initdb a user id without a name in /etc/passwd.

For root, PostgreSQL runs as another user. For a user id without a name, initdb runs in a user namespace that maps it to
one with a name. All other users run it as themselves.
"""

from __future__ import annotations

import logging
import os
import pwd
from pathlib import Path

from worker.runtime.processes.child import RunAs

NOBODY = 65_534
PASSWD = Path("/etc/passwd")
# In order of preference. `nobody` exists nearly everywhere; the others are most likely to own nothing of value.
PREFERRED = ("nobody", "daemon", "bin")

logger = logging.getLogger("numberyard.embedded")


def server_user(data: Path) -> RunAs:
    """Return the user to run the server on `data` as. For root, the owner of an existing folder: it never changes."""
    if os.geteuid() != 0:
        return RunAs()
    if data.exists() and (owner := data.stat()).st_uid != 0:
        return RunAs(uid=owner.st_uid, gid=owner.st_gid)
    return _unprivileged()


def named_user(run_as: RunAs) -> RunAs:
    """Return the same user, mapped so that initdb finds a name for it."""
    uid = os.geteuid() if run_as.uid is None else run_as.uid
    if _has_name(uid):
        return run_as
    shown = _unprivileged().uid
    return RunAs(uid=run_as.uid, gid=run_as.gid, shown_uid=shown)


def _unprivileged() -> RunAs:
    others = {entry.pw_name: entry for entry in pwd.getpwall() if entry.pw_uid != 0}
    for name in (*PREFERRED, *others):
        if name in others:
            return RunAs(uid=others[name].pw_uid, gid=others[name].pw_gid)
    if os.geteuid() == 0:
        _add_nobody()
    return RunAs(uid=NOBODY, gid=NOBODY)


def _add_nobody() -> None:
    # A container with root as its only user. No option of initdb works without a name, so one line must be added.
    logger.warning("no user but root on this machine: adding nobody to %s for PostgreSQL", PASSWD)
    with PASSWD.open("a") as passwd:
        passwd.write(f"nobody:x:{NOBODY}:{NOBODY}:nobody:/nonexistent:/usr/sbin/nologin\n")


def _has_name(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True
