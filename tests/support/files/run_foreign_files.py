"""Run the reader over a folder of other programs' test files, and open those it calls unreadable with LibreOffice.

Not part of `make test`, as the files belong to others: `python -m tests.support.files.run_foreign_files FOLDER`. Prints
how many files of each ending got which verdict, then every file that ended in an error of ours, took too long, or is
called unreadable although LibreOffice opens it without a password. Exits with 1 if there is any of these.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from schemas.codes import Code
from worker.config.settings import get_settings
from worker.stages.read import FileFault, Limits, read
from worker.steps.check import _limits

SECONDS = 60  # for one file
LARGEST = 20 << 20  # bytes; no test file has to be larger
AT_ONCE = 40  # files that one LibreOffice is given
TO_TEXT = "csv:Text - txt - csv (StarCalc):44,34,76"


class TooLongError(Exception):
    """A file took longer than it may."""


@dataclass(frozen=True)
class Verdict:
    """What became of a file: READ, a code of the catalogue, ERROR or TOO LONG, and a sentence or a traceback."""

    path: Path
    code: str
    detail: str = ""


def main(folder: Path) -> int:
    """Print the verdicts on all files below the folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.stat().st_size <= LARGEST)
    limits = replace(_limits(get_settings()), child_seconds=SECONDS / 2)
    verdicts = [verdict_on(path, limits) for path in files]
    counts = Counter((verdict.path.suffix.lower(), verdict.code) for verdict in verdicts)
    for (ending, code), count in sorted(counts.items()):
        say(f"{ending:12} {code:20} {count:6,}")
    opened = set(opened_by_libreoffice([one.path for one in verdicts if one.code == Code.UNREADABLE_FILE]))
    faults = [one for one in verdicts if one.code in {"ERROR", "TOO LONG"} or one.path in opened]
    for one in faults:
        say(f"{one.path}: {one.code} {one.detail}")
    say(f"{len(files):,} files, {len(faults):,} faults")
    return 1 if faults else 0


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def verdict_on(path: Path, limits: Limits) -> Verdict:
    """Have one file read as an upload would be."""
    try:
        with (
            TemporaryDirectory(prefix="numberyard-foreign-") as work,
            at_most(SECONDS),
            read(path, limits, workdir=Path(work)) as sheet,
        ):
            rows = sum(len(batch.row_number) for batch in sheet.batches())
    except FileFault as fault:
        return Verdict(path, fault.code, fault.detail)
    except TooLongError:
        return Verdict(path, "TOO LONG")
    except Exception:  # noqa: BLE001  that is what is looked for
        return Verdict(path, "ERROR", traceback.format_exc())
    return Verdict(path, "READ", f"{rows} rows")


@contextmanager
def at_most(seconds: int) -> Iterator[None]:
    """Raise `TooLongError` in what takes longer."""

    def stop(*_: object) -> None:
        raise TooLongError

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def opened_by_libreoffice(paths: Sequence[Path]) -> Iterator[Path]:
    """The files that it can convert; a file at which it hangs or crashes takes those behind it in its batch along."""
    soffice = shutil.which("soffice")
    if soffice is None:
        return
    for start in range(0, len(paths), AT_ONCE):
        with TemporaryDirectory(prefix="numberyard-foreign-") as name:
            work = Path(name)
            links = {work / f"{place}{path.suffix}": path for place, path in enumerate(paths[start : start + AT_ONCE])}
            for link, path in links.items():
                link.symlink_to(path.resolve())
            words = [
                soffice,
                "--headless",
                f"-env:UserInstallation={(work / 'profile').as_uri()}",
                "--convert-to",
                TO_TEXT,
            ]
            try:
                subprocess.run(
                    [*words, "--outdir", str(work / "out"), *map(str, links)],
                    check=False, capture_output=True, timeout=AT_ONCE * 10,
                )  # fmt: skip
            except subprocess.TimeoutExpired as error:
                say(f"LibreOffice hung: {error}")
            yield from (path for link, path in links.items() if (work / "out" / f"{link.stem}.csv").exists())


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
