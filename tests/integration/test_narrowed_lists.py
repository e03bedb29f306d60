"""Numbers that are free for a service, and tenants by kind and name, as lists can be narrowed to them."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from tests.support import factories
from tests.support.api_client import Door
from tests.support.factories import World

FIRST = 12125550100


@pytest.mark.parametrize(("service", "steps"), [("voice", {0, 2, 6}), ("sms", {1, 2, 5})], ids=["voice", "sms"])
def test_r20_numbers_that_can_be_given_to_a_user(
    api: Door, world: World, database: sa.Engine, service: str, steps: set[int]
) -> None:
    with database.begin() as connection:
        user = factories.user(connection, world.clinic.tenant)
        uses: tuple[dict[str, Any], ...] = (
            {"voice": True, "sms": False},
            {"voice": False, "sms": True},
            {"voice": True, "sms": True},
            {"voice": False, "sms": False, "fax": True},
            {"voice": True, "sms": True, "voice_user_id": user, "sms_user_id": user},
            {"voice": True, "sms": True, "voice_user_id": user},
            {"voice": True, "sms": True, "sms_user_id": user},
        )
        for step, columns in enumerate(uses):
            factories.number(connection, FIRST + step, world.clinic.tenant, **columns)
        factories.number(connection, FIRST + 7, world.hotel.tenant, sms=True)
    query = f"/v1/numbers?free_for={service}&tenant_id={world.clinic.tenant.public_id}&count=true"
    found = api.get(query).json
    assert {int(number["e164"]) - FIRST for number in found["data"]} == steps
    assert found["total"] == 3
    assert api.get("/v1/numbers?free_for=fax").status_code == 422
    refused = api.post("/v1/deletions", {"filter": {"free_for": service}, "expected_count": 3})
    assert refused.json["code"] == "COUNT_CHANGED"  # the hotel's is free, too
    assert refused.json["found"] == 4


def test_r3_tenants_by_kind_and_by_any_part_of_the_name(api: Door, world: World) -> None:
    def names(query: str, door: Door = api) -> list[str]:
        return [tenant["name"] for tenant in door.get(f"/v1/tenants?{query}").json["data"]]

    assert names("kind=enterprise") == ["Clinic Enterprise", "Hotel Enterprise"]
    assert names("kind=reseller") == ["Northern Reseller"]
    assert names("q=IC+ent") == ["Clinic Enterprise"]
    assert names("q=%25") == names("q=School") == []
    assert names("kind=enterprise&limit=1") == ["Clinic Enterprise"]
    assert names("kind=reseller&q=South", api.as_(world.master.token)) == ["Southern Reseller"]
    assert api.get("/v1/tenants?kind=company").status_code == 422
