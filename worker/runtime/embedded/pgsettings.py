"""Settings of the embedded PostgreSQL, sized for the machine.

Only differences from PostgreSQL's defaults, each with its reason.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from worker.runtime.processes.ports import LOOPBACK

MIB = 1024 * 1024
SETTINGS_FILE = "numberyard.conf"
ACCESS = f"""\
# Written by numberyard: only connections over loopback, with a password.
host all all {LOOPBACK}/32 scram-sha-256
"""
SETTINGS = """\
# Written by numberyard at every start.
listen_addresses = '{host}'
port = {port}
# No Unix socket: its path is limited to 107 bytes, data folders aren't.
unix_socket_directories = ''
max_connections = 100
password_encryption = 'scram-sha-256'
cluster_name = 'numberyard'
timezone = 'UTC'
log_timezone = 'UTC'
log_line_prefix = '%m [%p] '
log_checkpoints = off

# Half a gigabyte holds the indexes an import of a million rows works on; an eighth of the memory on small machines.
shared_buffers = {shared_buffers}MB
effective_cache_size = {cache}MB
maintenance_work_mem = {maintenance}MB
work_mem = 16MB
# Random reads cost little more than sequential ones on today's disks.
random_page_cost = 1.1
# The workers already use every core; and parallel plans need /dev/shm, of which a container has 64 MB.
max_parallel_workers_per_gather = 0

# One server, no copies, no archive: the least log that still survives a crash.
wal_level = minimal
max_wal_senders = 0
# A whole import between two checkpoints: each page is logged in full once, not once per checkpoint.
max_wal_size = 4GB
checkpoint_timeout = 15min
# Packing those pages (pglz is all that is built in) takes longer than writing them: a million numbers into a table of
# twenty million took 10.7 s with it and 7.1 s without, for 800 and 1,110 MB of log.
wal_compression = off
"""
# Survives a crash of the server, but not of the machine. (synchronous_commit = off would not even survive the former.)
NOT_DURABLE = """
fsync = off
full_page_writes = off
"""


def server_settings(port: int, *, durable: bool) -> str:
    """Return the text of the settings file for this machine."""
    memory = memory_bytes() // MIB
    text = SETTINGS.format(
        host=LOOPBACK,
        port=port,
        shared_buffers=max(16, min(512, memory // 8)),
        cache=max(64, memory // 2),
        maintenance=max(16, min(256, memory // 16)),
    )
    return text if durable else text + NOT_DURABLE


def memory_bytes() -> int:
    """Return the memory in bytes of this machine or, if smaller, the limit of this container."""
    sizes = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for limit in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError):
            sizes.append(int(Path(limit).read_text()))
    return min(sizes)
