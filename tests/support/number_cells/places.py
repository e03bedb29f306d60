"""The countries of the generated cells, and how people fill in a Country Code cell (R14)."""

from __future__ import annotations

import random
from collections.abc import Callable

from tests.support.number_cells.numbers import calling_code

# Names in English, German, French, Spanish, Portuguese, Italian, Dutch and the country's own languages, by hand.
NAMES: dict[str, tuple[str, ...]] = {
    region: tuple(names.split("|"))
    for region, names in {
        "US": "United States|Vereinigte Staaten|États-Unis|Estados Unidos|Stati Uniti|Verenigde Staten",
        "CA": "Canada|Kanada|Canadá",
        "GB": "United Kingdom|Vereinigtes Königreich|Royaume-Uni|Reino Unido|Regno Unito|Verenigd Koninkrijk",
        "DE": "Germany|Deutschland|Allemagne|Alemania|Alemanha|Germania|Duitsland",
        "AT": "Austria|Österreich|Autriche|Áustria|Oostenrijk",
        "CH": "Switzerland|Schweiz|Suisse|Suiza|Suíça|Svizzera|Zwitserland",
        "FR": "France|Frankreich|Francia|França|Frankrijk",
        "ES": "Spain|Spanien|Espagne|España|Espanha|Spagna|Spanje",
        "PT": "Portugal|Portogallo",
        "IT": "Italy|Italien|Italie|Italia|Itália|Italië",
        "NL": "Netherlands|Niederlande|Pays-Bas|Países Bajos|Países Baixos|Paesi Bassi|Nederland",
        "BE": "Belgium|Belgien|Belgique|Bélgica|Belgio|België",
        "IE": "Ireland|Irland|Irlande|Irlanda|Ierland",
        "DK": "Denmark|Dänemark|Danemark|Dinamarca|Danimarca|Denemarken|Danmark",
        "SE": "Sweden|Schweden|Suède|Suecia|Suécia|Svezia|Zweden|Sverige",
        "NO": "Norway|Norwegen|Norvège|Noruega|Norvegia|Noorwegen|Norge",
        "FI": "Finland|Finnland|Finlande|Finlandia|Finlândia|Suomi",
        "PL": "Poland|Polen|Pologne|Polonia|Polônia|Polska",
        "CZ": "Czechia|Tschechien|Tchéquie|Chequia|Cechia|Tsjechië|Česko",
        "HU": "Hungary|Ungarn|Hongrie|Hungría|Hungria|Ungheria|Hongarije|Magyarország",
        "GR": "Greece|Griechenland|Grèce|Grecia|Grécia|Griekenland|Ελλάδα",
        "TR": "Turkey|Türkei|Turquie|Turquía|Turquia|Turchia|Turkije|Türkiye",
        "RU": "Russia|Russland|Russie|Rusia|Rússia|Rusland|Россия",
        "UA": "Ukraine|Ucrania|Ucrânia|Ucraina|Oekraïne|Україна",
        "IL": "Israel|Israël|Israele|ישראל",
        "AE": "United Arab Emirates|Vereinigte Arabische Emirate|Émirats arabes unis|Emiratos Árabes Unidos"
        "|Emirados Árabes Unidos|Emirati Arabi Uniti|Verenigde Arabische Emiraten|الإمارات العربية المتحدة",
        "SA": "Saudi Arabia|Saudi-Arabien|Arabie saoudite|Arabia Saudí|Arábia Saudita|Arabia Saudita|Saoedi-Arabië"
        "|المملكة العربية السعودية",
        "EG": "Egypt|Ägypten|Égypte|Egipto|Egito|Egitto|Egypte|مصر",
        "ZA": "South Africa|Südafrika|Afrique du Sud|Sudáfrica|África do Sul|Sudafrica|Zuid-Afrika",
        "NG": "Nigeria|Nigéria",
        "KE": "Kenya|Kenia|Quênia",
        "CI": "Ivory Coast|Elfenbeinküste|Côte d’Ivoire|Côte d'Ivoire|Costa do Marfim|Costa d’Avorio|Ivoorkust",
        "GA": "Gabon|Gabun|Gabón|Gabão",
        "IN": "India|Indien|Inde|Índia|भारत",
        "ID": "Indonesia|Indonesien|Indonésie|Indonésia|Indonesië",
        "SG": "Singapore|Singapur|Singapour|Singapura",
        "MY": "Malaysia|Malaisie|Malasia|Malásia|Malesia|Maleisië",
        "JP": "Japan|Japon|Japón|Japão|Giappone|日本",
        "KR": "South Korea|Südkorea|Corée du Sud|Corea del Sur|Coreia do Sul|Corea del Sud|Zuid-Korea|대한민국",
        "CN": "China|Chine|Cina|中国",
        "AU": "Australia|Australien|Australie|Austrália|Australië",
        "NZ": "New Zealand|Neuseeland|Nouvelle-Zélande|Nueva Zelanda|Nova Zelândia|Nuova Zelanda|Nieuw-Zeeland",
        "BR": "Brazil|Brasilien|Brésil|Brasil|Brasile|Brazilië",
        "MX": "Mexico|Mexiko|Mexique|México|Messico",
        "AR": "Argentina|Argentinien|Argentine|Argentinië",
        "CL": "Chile|Chili|Cile",
        "CO": "Colombia|Kolumbien|Colombie|Colômbia",
        "JM": "Jamaica|Jamaika|Jamaïque|Giamaica",
        "KZ": "Kazakhstan|Kasachstan|Kazajistán|Cazaquistão|Kazakistan|Kazachstan|Казахстан",
        "MD": "Moldova|Moldau|Moldavie|Moldavia|Moldávia|Moldavië",
        "SM": "San Marino|Saint-Marin",
    }.items()
}
REGIONS = tuple(NAMES)

ALPHA3 = {
    "US": "USA", "CA": "CAN", "GB": "GBR", "DE": "DEU", "AT": "AUT", "CH": "CHE", "FR": "FRA", "ES": "ESP",
    "PT": "PRT", "IT": "ITA", "NL": "NLD", "BE": "BEL", "IE": "IRL", "DK": "DNK", "SE": "SWE", "NO": "NOR",
    "FI": "FIN", "PL": "POL", "CZ": "CZE", "HU": "HUN", "GR": "GRC", "TR": "TUR", "RU": "RUS", "UA": "UKR",
    "IL": "ISR", "AE": "ARE", "SA": "SAU", "EG": "EGY", "ZA": "ZAF", "NG": "NGA", "KE": "KEN", "CI": "CIV",
    "GA": "GAB", "IN": "IND", "ID": "IDN", "SG": "SGP", "MY": "MYS", "JP": "JPN", "KR": "KOR", "CN": "CHN",
    "AU": "AUS", "NZ": "NZL", "BR": "BRA", "MX": "MEX", "AR": "ARG", "CL": "CHL", "CO": "COL", "JM": "JAM",
    "KZ": "KAZ", "MD": "MDA", "SM": "SMR",
}  # fmt: skip
OTHER_LETTERS = {"GB": ("UK", "U.K.", "uk"), "GR": ("EL", "el"), "US": ("U.S.", "U.S.A.")}
AREAS = {"JM": ("1-876", "+1 876", "+1-876", "1 876")}
# Regions that people write with a calling code and an area, none of which is among the countries above.
AREA_REGIONS = {"DO": "1-809", "PR": "1-787", "BS": "1-242", "BB": "1-246", "GG": "44-1481", "JE": "44-1534",
                "IM": "44-1624", "BM": "1-441", "TT": "1-868", "GU": "1-671"}  # fmt: skip

# Those that dial 00 abroad and nothing that begins with it; others have carriers' prefixes such as 001 or 0015.
DIALS_00 = frozenset({
    "GB", "DE", "AT", "CH", "FR", "ES", "PT", "IT", "NL", "BE", "IE", "DK", "SE", "NO", "PL", "CZ", "HU", "GR", "TR",
    "UA", "AE", "SA", "EG", "ZA", "CI", "GA", "IN", "MY", "CN", "NZ", "AR", "SM", "MD",
})  # fmt: skip
OWN_PREFIX = {"US": "011", "CA": "011", "JM": "011", "AU": "0011", "JP": "010"}
SHARED = {1: ("US", "CA", "JM", "DO", "PR"), 7: ("RU", "KZ"), 44: ("GB", "GG", "JE", "IM")}


def plain_country(region: str, chance: random.Random) -> str:
    """Return a Country Code cell that names the calling code or the region."""
    code = str(calling_code(region))
    return chance.choice((code, code, f"+{code}", f"00{code}", region, region, region.lower(), f" {region} "))


def _code(code: str, _: str) -> tuple[str, ...]:
    full_width = code.translate({ord("0") + digit: 0xFF10 + digit for digit in range(10)})
    return (
        code, f"+{code}", f"00{code}", f"'{code}", f'="{code}"', f"{code}.0", f"({code})", f"(+{code})", f"+ {code}",
        f"\uff0b{full_width}", full_width, f'"{code}"', f"\u200b+{code}", f" +{code}\u00a0",
        *(("01",) if code == "1" else ()),
    )  # fmt: skip


def _letters(_: str, region: str) -> tuple[str, ...]:
    return (region, region.lower(), ALPHA3[region], ALPHA3[region].lower(), *OTHER_LETTERS.get(region, ()))


def _name(_: str, region: str) -> tuple[str, ...]:
    return (*NAMES[region], NAMES[region][0].upper(), NAMES[region][0].lower(), f" {NAMES[region][0]} ")


def _two(code: str, region: str) -> tuple[str, ...]:
    name = NAMES[region][0]
    return (
        f"+{code} ({region})", f"{region} +{code}", f"{name} (+{code})", f"{region} ({code})", f"+{code} {name}",
        f"{name} +{code}", f"{name} ({region})", f"{region} ({name})",
    )  # fmt: skip


KINDS: dict[str, Callable[[str, str], tuple[str, ...]]] = {
    "calling code": _code,
    "letters": _letters,
    "name": _name,
    "two that agree": _two,
}


def odd_country(region: str, chance: random.Random) -> tuple[str, str]:
    """Return how a Country Code cell is filled in, and the cell."""
    kind = chance.choice([*KINDS, "area"] if AREAS.get(region) else list(KINDS))
    cells = AREAS[region] if kind == "area" else KINDS[kind](str(calling_code(region)), region)
    return kind, chance.choice(cells)
