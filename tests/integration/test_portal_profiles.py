"""Import profiles in the portal, by the forms that people without JavaScript send (R3, R32)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import sqlalchemy as sa

from schemas.database import tables
from tests.support.factories import World
from tests.support.html_forms import follow, form_of, forms_of, send
from tests.support.portal_client import Portal, signed_in, text_of, toasts_of
from worker.jobs import import_profiles

HOSTILE = "<script>alert('x')</script>"
MAPPING = {"columns": {"Phone Number": "TN", "Voice": 3}, "constants": {"Country Code": HOSTILE}}
URL = "/import-profiles"
Save = Callable[..., str]


@pytest.fixture
def save(database: sa.Engine, world: World) -> Save:
    """Saves a profile of a tenant, and answers its id."""

    def saved(owner: str, name: str) -> str:
        tenant_id = getattr(world, owner).id
        options = {"number_format": "national", "header_row": 2, "sheet": "national"}
        with database.begin() as connection:
            return import_profiles.save(connection, tenant_id, name, MAPPING, options, ("TN", HOSTILE), f"at {owner}")

    return saved


def names(database: sa.Engine) -> set[str]:
    with database.connect() as connection:
        return set(connection.execute(sa.select(tables.import_profiles.c.name)).scalars())


def test_a_profile_is_shown_renamed_and_deleted(portal: Portal, database: sa.Engine, save: Save) -> None:
    profile_id = save("north", "Carrier X")
    page = portal.get(URL)
    assert f"Country Code: always {HOSTILE} Phone Number: TN Voice: column 3" in text_of(page)
    assert HOSTILE not in page.get_data(as_text=True)
    address = f"{URL}/{profile_id}"
    page = portal.get(address)
    assert "Numbers As dialled in the country" in text_of(page)
    assert "Header row Row 2" in text_of(page)
    assert "Sheet national" in text_of(page)
    assert HOSTILE not in page.get_data(as_text=True)
    page = follow(portal, send(portal, form_of(page, address), "Save", name=" Carrier  Y "))
    assert "Carrier X is now called Carrier Y." in toasts_of(page)
    asked = portal.get(f"{address}/delete")
    assert "Phone numbers and earlier uploads are not changed." in text_of(asked)
    assert names(database) == {"Carrier Y"}
    page = follow(portal, send(portal, form_of(asked, f"{address}/delete"), "Delete"))
    assert "Carrier Y was deleted." in toasts_of(page)
    assert names(database) == set()
    assert "No import profiles yet" in text_of(page)


@pytest.mark.parametrize(
    ("name", "message"),
    [("other", "You already have an import profile with this name."), ("", "This is required."), ("None", "none")],
)
def test_a_name_that_cannot_be_is_told_beside_the_field(portal: Portal, save: Save, name: str, message: str) -> None:
    save("north", "Other")
    address = f"{URL}/{save('north', 'Carrier X')}"
    answer = send(portal, form_of(portal.get(address), address), name=name)
    assert answer.status_code == 422 if name != "other" else answer.status_code in {409, 422}
    assert message in text_of(answer)
    assert next(control.value for control in form_of(answer, address).controls if control.name == "name") == name


def test_r3_r32_profiles_of_the_provider_are_shown_and_not_changed(
    portal: Portal, database: sa.Engine, save: Save
) -> None:
    above, elsewhere, below = save("master", "Of the Master"), save("south", "Elsewhere"), save("clinic", "Below")
    page = portal.get(URL)
    assert "Of the Master" in text_of(page)
    assert "Your provider" in text_of(page)
    assert "Elsewhere" not in text_of(page)
    assert "Below" not in text_of(page)
    shown = portal.get(f"{URL}/{above}")
    assert "at master" not in text_of(shown)
    assert not [form for form in forms_of(shown) if form.action.startswith(URL)]
    for profile_id, status in ((above, 403), (elsewhere, 404), (below, 404)):
        assert portal.post(f"{URL}/{profile_id}", {"name": "Mine"}).status_code == status
        assert portal.get(f"{URL}/{profile_id}/delete").status_code == status
        assert portal.post(f"{URL}/{profile_id}/delete").status_code == status
    assert names(database) == {"Of the Master", "Elsewhere", "Below"}


def test_r9_who_may_not_upload_has_no_profiles_in_the_navigation(
    portal: Portal, database: sa.Engine, world: World, save: Save
) -> None:
    profile_id = save("hotel", "From before")
    hotel = signed_in(database, world.hotel.tenant)
    assert f'href="{URL}"' in portal.get("/numbers").get_data(as_text=True)
    assert f'href="{URL}"' not in hotel.get("/numbers").get_data(as_text=True)
    assert hotel.post(f"{URL}/{profile_id}/delete").status_code == 403
    assert names(database) == {"From before"}


def test_r32_the_upload_form_offers_the_profiles(portal: Portal, save: Save) -> None:
    assert "profile" not in form_of(portal.get("/uploads/new"), "/uploads").names()
    far, own = save("master", "A"), save("north", "B")
    save("master", "b")  # the own one is meant by this name
    save("south", "Elsewhere")
    page = portal.get("/uploads/new")
    assert form_of(page, "/uploads").options("profile") == ["", "none", own, far]
    assert f'href="{URL}"' in page.get_data(as_text=True)


@pytest.mark.long
def test_pages_of_profiles(portal: Portal, save: Save) -> None:
    for number in range(51):
        save("north", f"P{number}")
    first = text_of(portal.get(URL))
    assert "P49" in first
    assert "P50" not in first
    with_next = portal.get(URL).get_data(as_text=True)
    address = with_next.partition('rel="next"')[0].rpartition('href="')[2].partition('"')[0]
    assert "P50" in text_of(portal.get(address))
