"""R14: the names of countries that are understood are those of CLDR, as Babel has it."""

from __future__ import annotations

import pytest
from babel import Locale

from tests.contract import country_names
from worker.phone.country import read_country


def test_the_file_is_what_cldr_says() -> None:
    assert country_names.TARGET.read_text(encoding="utf-8") == country_names.text()


@pytest.mark.parametrize("language", country_names.LANGUAGES)
def test_every_name_means_its_country_or_none(language: str) -> None:
    """A name that two countries share means neither; no name means another country."""
    found = {
        region: country.region
        for region, name in Locale.parse(language).territories.items()
        if len(region) == 2 and (country := read_country(name)) is not None
    }
    assert {region: name for region, name in found.items() if region != name} == {}
    assert len(found) > 230
