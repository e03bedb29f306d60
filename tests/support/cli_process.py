"""The command line as users run it: in a process of its own, on pipes or on a terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

COMMAND = (sys.executable, "-c", "from webhook.cli import main; main(prog_name='numberyard')")
_HIDDEN = (
    "NO_COLOR",
    "TERM",
    "COLUMNS",
    "NUMBERYARD_URL",
    "NUMBERYARD_TOKEN",
    "NUMBERYARD_PROFILE",
    "NUMBERYARD_CONFIG",
)
SECONDS = 120


def environment(**more: str) -> dict[str, str]:
    """The environment of these tests without what the command line reads, and with `more`."""
    kept = {name: value for name, value in os.environ.items() if name not in _HIDDEN}
    return kept | {"NUMBERYARD_CONFIG": "/none/config.toml", "TERM": "xterm-256color"} | more


@dataclass
class Program:
    """`numberyard` with its environment."""

    env: dict[str, str] = field(default_factory=environment)
    folder: Path | None = None

    def __call__(
        self,
        *words: str,
        given: bytes = b"",
        stdout: int | IO[bytes] = subprocess.PIPE,
        before: Callable[[], None] | None = None,
        **env: str,
    ) -> subprocess.CompletedProcess[bytes]:
        """One command with pipes. `given`: its standard input. `before`: runs in the process before the command."""
        return subprocess.run(
            [*COMMAND, *words],
            input=given,
            stdout=stdout,
            stderr=subprocess.PIPE,
            env=self.env | env,
            cwd=self.folder,
            preexec_fn=before,
            timeout=SECONDS,
            check=False,
        )

    def shell(self, script: str, shell: Sequence[str] = ("/bin/bash", "-c")) -> subprocess.CompletedProcess[bytes]:
        """A script in which `numberyard` is a command on the path."""
        folder = self.folder or Path.cwd()
        program = folder / "bin" / "numberyard"
        if not program.exists():
            program.parent.mkdir()
            program.write_text(f'#!/bin/sh\nexec {COMMAND[0]} {COMMAND[1]} "{COMMAND[2]}" "$@"\n')
            program.chmod(0o755)
        env = self.env | {"PATH": f"{program.parent}:{os.environ['PATH']}"}
        return subprocess.run([*shell, script], capture_output=True, env=env, cwd=folder, timeout=SECONDS, check=False)

    def on_terminal(self, *words: str, width: int = 80, **env: str) -> str:
        """All that a command writes to a terminal of that width, on both streams."""
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
        process = subprocess.Popen(
            [*COMMAND, *words], stdin=theirs, stdout=theirs, stderr=theirs, env=self.env | env, cwd=self.folder
        )
        os.close(theirs)
        shown = b""
        while True:
            try:
                block = os.read(ours, 65536)
            except OSError:  # the other side is closed (Linux)
                break
            if not block:
                break
            shown += block
        os.close(ours)
        process.wait(timeout=SECONDS)
        return shown.decode().replace("\r\n", "\n")
