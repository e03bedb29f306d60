"""Arrow files in the storage: stored aside, read in part, on a local store and on an object store alike."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from worker.storage import arrow_files, background_writes, files

TABLE = pa.table({"place": pa.array(range(1000), pa.int64()), "text": [str(place) for place in range(1000)]})
MANY = 3 * background_writes.MOST_WAITING


@pytest.fixture(params=["a folder", "an object store"])
def _storage(request: pytest.FixtureRequest, configure: Callable[..., None], tmp_path: Path) -> None:
    configure(data_dir=tmp_path, **({"storage_url": "memory:///"} if request.param == "an object store" else {}))


def key(number: int) -> str:
    return f"jobs/x/{number:03}.arrow"


@pytest.mark.usefixtures("_storage")
def test_all_files_stand_when_the_block_has_ended() -> None:
    with background_writes.storing() as files:
        for number in range(MANY):
            files.put(key(number), TABLE.slice(number))
    assert [arrow_files.get_table(key(number)).num_rows for number in range(MANY)] == [1000 - n for n in range(MANY)]


@pytest.mark.usefixtures("_storage")
@pytest.mark.parametrize("large", [1, arrow_files.LARGE], ids=["streamed", "at once"])
def test_a_file_is_read_in_part(large: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrow_files, "LARGE", large)
    parts = [TABLE.slice(0, 400), TABLE.slice(400)]
    arrow_files.put_table(key(0), pa.concat_tables(parts))
    assert arrow_files.get_table(key(0)) == TABLE
    assert arrow_files.get_table(key(0), ["text"]) == TABLE.select(["text"])
    with arrow_files.batches(key(0)) as stored:
        assert [batch.num_rows for batch in stored] == [400, 600]
        assert stored[1].column(0).to_pylist() == list(range(400, 1000))
        with pytest.raises(IndexError):
            stored[2]


@pytest.mark.usefixtures("_storage")
def test_a_file_that_is_not_there_is_told_alike() -> None:
    with pytest.raises(files.MissingFileError):
        arrow_files.get_table(key(0))
    with pytest.raises(files.MissingFileError), arrow_files.batches(key(0)):
        pass


@pytest.mark.usefixtures("_storage")
def test_a_table_that_breaks_off_leaves_nothing() -> None:
    def broken_off() -> None:
        with arrow_files.writer(key(0), TABLE.schema) as writer:
            writer.write_table(TABLE)
            raise TimeoutError

    with pytest.raises(TimeoutError):
        broken_off()
    with pytest.raises(files.MissingFileError):
        arrow_files.get_table(key(0))


@pytest.mark.parametrize("refused", [0, MANY - 1])
def test_a_storage_that_refuses_is_told_at_the_latest_at_the_end(
    refused: int, configure: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(data_dir=tmp_path)
    real = arrow_files.put_table

    def put(at: str, table: pa.Table, *, with_name: bool = True) -> None:
        if at == key(refused):
            raise files.StoreError("no space left")
        real(at, table, with_name=with_name)

    monkeypatch.setattr(arrow_files, "put_table", put)

    def storing() -> None:
        with background_writes.storing() as files:
            for number in range(MANY):
                files.put(key(number), TABLE)

    with pytest.raises(files.StoreError):
        storing()


def test_nothing_goes_on_behind_a_block_that_has_failed(
    configure: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same key may be written again, by another try: a late file must not come after it."""
    configure(data_dir=tmp_path)
    at_work, stored = threading.Semaphore(0), list[str]()

    def put(at: str, _table: pa.Table, *, with_name: bool) -> None:  # noqa: ARG001 - as the real one
        at_work.release()
        time.sleep(0.2)
        stored.append(at)

    monkeypatch.setattr(arrow_files, "put_table", put)

    def failing() -> None:
        with background_writes.storing() as files:
            files.put(key(0), TABLE)
            at_work.acquire()
            raise TimeoutError

    with pytest.raises(TimeoutError):
        failing()
    assert stored == [key(0)], "it was still under way when the block ended"
