"""Which of a job's files are kept for how long is told by their names."""

from __future__ import annotations

import pytest

from worker.jobs.retention import FileClass, file_class_of, is_staged
from worker.maintenance.orphan_folders import _is_id
from worker.storage import files

JOB = "0b9d2c1e-7f7c-4f57-9d53-0f0a1e6f2a11"
KEYS = {
    files.upload_key(JOB): FileClass.UPLOAD,
    files.listed_key(JOB): FileClass.UPLOAD,
    files.chunk_key(JOB, 7, 0): FileClass.CHUNKS,
    files.chunk_key(JOB, 7, 1_234_567): FileClass.CHUNKS,
    files.result_key(JOB, 3, 9): FileClass.CHUNKS,
    files.rows_key(JOB, 6): FileClass.CHUNKS,  # of a check that came too late
    files.checked_key(JOB, 70): FileClass.CHUNKS,
    files.rows_key(JOB, 7): FileClass.REPORT,
    files.checked_key(JOB, 7): FileClass.REPORT,
    files.preview_key(JOB, 7): FileClass.REPORT,
    files.image_key(JOB, 3, 9): FileClass.REPORT,
    files.results_key(JOB): FileClass.REPORT,
    files.report_key(JOB): FileClass.REPORT,
}


def name(key: str) -> str:
    return key.removeprefix(f"{files.folder_of(JOB)}/")


@pytest.mark.parametrize(("key", "part"), KEYS.items(), ids=map(name, KEYS))
def test_every_file_has_its_part_written_whole_or_not(key: str, part: FileClass) -> None:
    assert file_class_of(name(key), [7], failed=False) is part
    assert file_class_of(f"{name(key)}#12", [7], failed=False) is part


def test_a_failed_job_is_undone_from_its_chunks_results() -> None:
    assert file_class_of(name(files.result_key(JOB, 3, 9)), [7], failed=True) is FileClass.REPORT
    assert file_class_of(name(files.chunk_key(JOB, 7, 3)), [7], failed=True) is FileClass.CHUNKS


def test_without_a_check_nothing_of_one_counts() -> None:
    assert file_class_of("check-7/rows.arrow", [None], failed=False) is FileClass.CHUNKS


@pytest.mark.parametrize("odd", ["", "uploads", "a/b/c", "check-7/a\nb", "check-7/link/000001.arrow", "\udcff#1"])
def test_what_is_unknown_stays_as_long_as_the_report(odd: str) -> None:
    assert file_class_of(odd, [7], failed=False) is FileClass.REPORT


@pytest.mark.parametrize(("file", "expected"), [("upload#1", True), ("upload", False), ("a#b", False), ("a#1b", False)])
def test_half_written_files_are_told_by_their_names(file: str, expected: bool) -> None:
    assert is_staged(file) is expected


@pytest.mark.parametrize(
    "other", ["..", "", JOB.upper(), JOB.replace("-", ""), f"{{{JOB}}}", f"urn:uuid:{JOB}", "readme"]
)
def test_only_a_job_s_id_names_a_folder_of_ours(other: str) -> None:
    assert _is_id(JOB)
    assert not _is_id(other)
