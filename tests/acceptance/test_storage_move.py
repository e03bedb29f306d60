"""From a folder to a bucket while requests go on, by the commands of the guide (docs/guides/object-storage.md)."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.support import guides
from tests.support.api_client import table
from tests.support.programs import need
from tests.support.servers import service
from tests.support.servers.s3_server import BUCKET, CREDENTIALS, S3
from tests.support.servers.service import wait_for
from tests.upgrade.rounds import FIRST, LARGE, SMALL, assert_nothing_lost, begun, in_flight, load, opened
from tests.upgrade.stand import PRESENT, stop

DEADLINE = 60.0
SLOW_UPLOADS = 1.0  # seconds between two: the store of the tests is slow
pytestmark = pytest.mark.xdist_group("maintenance")


def test_from_a_folder_to_a_bucket(tmp_path: Path, database_server: sa.URL) -> None:
    """No request fails; ended jobs keep their reports, a review is confirmed, a running import ends in the bucket."""
    need("aws")
    copy, rest, last = guides.blocks("object-storage", "Move from a folder to a bucket")
    with S3() as server, opened(database_server, tmp_path) as bench:
        webs, own = begun(bench, PRESENT)
        files, bucket = tmp_path / "files", f"s3://{BUCKET}/numberyard"
        variables = {"FILES": files, "BUCKET_URL": bucket, "AWS_ENDPOINT_URL": server.url, **CREDENTIALS}
        done = own.reseller.upload(service.block(300, FIRST))
        own.reseller.ended(done)
        review = own.reseller.upload(service.block(200, FIRST + 4_000), mode="review")
        own.reseller.reaches(review, "review")
        report = own.reseller.request("GET", f"/v1/jobs/{done}/report.csv").content
        requests = load(own, SLOW_UPLOADS)
        with requests.running():
            guides.run(copy, **variables)
            large = in_flight(own)
            stop(running for running in bench.started if running.role != "web")
            assert own.reseller.job(large)["status"] not in service.ENDED, "too fast for this test"
            guides.run(rest, **variables)
            before = len(requests.uploads)
            bench.settings |= {"storage_url": bucket, "storage_endpoint": server.url}
            bench.variables = CREDENTIALS
            for place, old in enumerate(list(webs)):
                (webs[place],) = bench.start(PRESENT, "web")
                old.stop()
            assert len(requests.uploads) > before, "nothing was uploaded meanwhile"
            early = bench.numberyard(PRESENT, "verify")
            assert (early.returncode, "lacks" in early.stdout) == (10, True), "the last copy is of no use"
            guides.run(last, **bench.environment(PRESENT) | variables)
            files.rename(tmp_path / "no longer read")
            bench.start(PRESENT, "worker", "upkeep", "beat")
            before = len(requests.uploads)
            wait_for(lambda: len(requests.uploads) > before + 2, DEADLINE, "uploads to go on", 0.2)
        assert not requests.errors, requests.errors[:5]
        own.reseller.post(f"/v1/jobs/{review}/confirm")
        assert own.reseller.request("GET", f"/v1/jobs/{done}/report.csv").content == report
        assert len(table(report)) == 300
        created = {done: 300, review: 200, large: LARGE} | dict.fromkeys(requests.uploads, SMALL)
        assert_nothing_lost(bench, own, created)
        assert not files.exists(), "a process still writes to the folder"
        final = bench.numberyard(PRESENT, "verify")
        assert final.returncode == 0, final.stdout
