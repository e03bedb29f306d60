"""The child process that opens workbooks: reads one sheet and writes its cells, as text, to an Arrow file.

Started by path and isolated (`python -I child.py`), so it imports nothing of this project except the modules in its
folder. It limits its memory and CPU time before it opens the file, exits with its parent, and returns one JSON object
on stdout. A workbook may crash it; the parent decides what that means. If the archive is not a workbook but holds a
single file, the child unpacks that file.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import resource
import signal
import sys
import zipfile
from importlib.abc import MetaPathFinder
from types import ModuleType

PR_SET_PDEATHSIG = 1
DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
# Exit codes of failures that the workbook did not cause (sysexits.h): the disk is full, or could not be used.
TRY_AGAIN = 75  # EX_TEMPFAIL
IO_ERROR = 74  # EX_IOERR


def _see_only_neighbours() -> None:
    """Make this folder's modules importable by their names in the project, and no other module of it."""
    names = ("worker", "worker.stages", "worker.stages.reading", "worker.stages.reading.workbooks")
    packages = [ModuleType(name) for name in names]
    for package in packages:
        package.__path__ = []
        sys.modules[package.__name__] = package
    packages[-1].__path__ = [__file__.rpartition("/")[0]]


class _WithoutPandas(MetaPathFinder):
    """Blocks pandas, which Arrow imports when it makes an array: that takes longer than reading a small workbook."""

    def find_spec(self, fullname: str, *_: object) -> None:
        if fullname == "pandas":
            raise ModuleNotFoundError(fullname)


if __name__ == "__main__":
    sys.meta_path.insert(0, _WithoutPandas())
    _see_only_neighbours()

from worker.stages.reading.workbooks import archives, office  # noqa: E402  importable only from here on
from worker.stages.reading.workbooks.child_protocol import Answer, Order, Verdict  # noqa: E402
from worker.stages.reading.workbooks.package import Package  # noqa: E402


def limit_self(order: Order) -> None:
    """Tie this process to its parent's lifetime, and set its resource limits."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != order.parent:
        os._exit(1)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (order.seconds, order.seconds + 1))
    resource.setrlimit(resource.RLIMIT_AS, (order.memory_bytes, order.memory_bytes))
    resource.setrlimit(resource.RLIMIT_FSIZE, (order.memory_bytes, order.memory_bytes))


def read_file(order: Order) -> Answer:
    """Write a sheet's cells, or the file in an archive, to `order.target`; return a description."""
    with open(order.path, "rb") as file:  # noqa: PTH123  nothing but the standard library
        is_archive = file.read(2) == b"PK"
    if not is_archive:
        from worker.stages.reading.workbooks import xls  # noqa: PLC0415  rarely needed

        return xls.read(order)
    with zipfile.ZipFile(order.path) as archive:
        archives.check(archive, order)
        if archives.is_open_document(archive):
            from worker.stages.reading.workbooks import opendocument  # noqa: PLC0415

            return opendocument.read(order, archive)
        package = Package(archive)
        if not package.main and not package.is_package:
            archives.refuse_other_documents(archive)
            return archives.unpack(archive, order)
        if package.document is not None:
            raise Verdict("UNSUPPORTED_TYPE", archives.not_a_spreadsheet(package.document))
        return office.read(order, package)


def main() -> None:
    """Run the command line's request and return the result on stdout; any other failure is an exit code."""
    path, target, sheet, *numbers = sys.argv[1:]
    order = Order(path, target, sheet, *map(int, numbers))
    limit_self(order)
    try:
        answer = read_file(order)
    except Verdict as verdict:
        answer = {"code": verdict.code, "detail": verdict.detail}
    except zipfile.BadZipFile as error:
        if not str(error).startswith("Bad CRC-32"):
            raise
        answer = {
            "code": "UNREADABLE_FILE",
            "detail": "A part of the workbook does not match its checksum: the file was changed in transfer. Open it "
            "in a spreadsheet program, check the numbers, and save it again.",
        }
    except MemoryError:
        answer = {
            "code": "UNREADABLE_FILE",
            "detail": "The workbook needs more memory than is allowed.",
        }
    except OSError as error:
        if error.errno in DISK_FULL:
            sys.exit(TRY_AGAIN)
        if error.errno == errno.EIO:
            sys.exit(IO_ERROR)
        raise
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main()
