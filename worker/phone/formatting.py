"""Display formats for numbers and country names. Makes no decisions about numbers: only their digits identify them."""

from __future__ import annotations

from functools import lru_cache

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat

INTERNATIONAL = "International"  # numbers without a country, such as +800
# The regions of libphonenumber's metadata. The library's own names are in a package with the cities of all countries.
_NAMES = """
AC Ascension Island; AD Andorra; AE United Arab Emirates; AF Afghanistan; AG Antigua and Barbuda; AI Anguilla;
AL Albania; AM Armenia; AO Angola; AR Argentina; AS American Samoa; AT Austria; AU Australia; AW Aruba;
AX Åland Islands; AZ Azerbaijan; BA Bosnia and Herzegovina; BB Barbados; BD Bangladesh; BE Belgium;
BF Burkina Faso; BG Bulgaria; BH Bahrain; BI Burundi; BJ Benin; BL Saint Barthélemy; BM Bermuda; BN Brunei;
BO Bolivia; BQ Bonaire, Sint Eustatius and Saba; BR Brazil; BS Bahamas; BT Bhutan; BW Botswana; BY Belarus;
BZ Belize; CA Canada; CC Cocos Islands; CD DR Congo; CF Central African Republic; CG Congo; CH Switzerland;
CI Côte d’Ivoire; CK Cook Islands; CL Chile; CM Cameroon; CN China; CO Colombia; CR Costa Rica; CU Cuba;
CV Cape Verde; CW Curaçao; CX Christmas Island; CY Cyprus; CZ Czechia; DE Germany; DJ Djibouti; DK Denmark;
DM Dominica; DO Dominican Republic; DZ Algeria; EC Ecuador; EE Estonia; EG Egypt; EH Western Sahara; ER Eritrea;
ES Spain; ET Ethiopia; FI Finland; FJ Fiji; FK Falkland Islands; FM Micronesia; FO Faroe Islands; FR France;
GA Gabon; GB United Kingdom; GD Grenada; GE Georgia; GF French Guiana; GG Guernsey; GH Ghana; GI Gibraltar;
GL Greenland; GM Gambia; GN Guinea; GP Guadeloupe; GQ Equatorial Guinea; GR Greece; GT Guatemala; GU Guam;
GW Guinea-Bissau; GY Guyana; HK Hong Kong; HN Honduras; HR Croatia; HT Haiti; HU Hungary; ID Indonesia;
IE Ireland; IL Israel; IM Isle Of Man; IN India; IO British Indian Ocean Territory; IQ Iraq; IR Iran;
IS Iceland; IT Italy; JE Jersey; JM Jamaica; JO Jordan; JP Japan; KE Kenya; KG Kyrgyzstan; KH Cambodia;
KI Kiribati; KM Comoros; KN Saint Kitts And Nevis; KP North Korea; KR South Korea; KW Kuwait; KY Cayman Islands;
KZ Kazakhstan; LA Laos; LB Lebanon; LC Saint Lucia; LI Liechtenstein; LK Sri Lanka; LR Liberia; LS Lesotho;
LT Lithuania; LU Luxembourg; LV Latvia; LY Libya; MA Morocco; MC Monaco; MD Moldova; ME Montenegro;
MF Saint Martin; MG Madagascar; MH Marshall Islands; MK North Macedonia; ML Mali; MM Myanmar; MN Mongolia;
MO Macao; MP Northern Mariana Islands; MQ Martinique; MR Mauritania; MS Montserrat; MT Malta; MU Mauritius;
MV Maldives; MW Malawi; MX Mexico; MY Malaysia; MZ Mozambique; NA Namibia; NC New Caledonia; NE Niger;
NF Norfolk Island; NG Nigeria; NI Nicaragua; NL Netherlands; NO Norway; NP Nepal; NR Nauru; NU Niue;
NZ New Zealand; OM Oman; PA Panama; PE Peru; PF French Polynesia; PG Papua New Guinea; PH Philippines;
PK Pakistan; PL Poland; PM Saint Pierre And Miquelon; PR Puerto Rico; PS Palestine; PT Portugal; PW Palau;
PY Paraguay; QA Qatar; RE Reunion; RO Romania; RS Serbia; RU Russia; RW Rwanda; SA Saudi Arabia;
SB Solomon Islands; SC Seychelles; SD Sudan; SE Sweden; SG Singapore; SH Saint Helena; SI Slovenia;
SJ Svalbard And Jan Mayen; SK Slovakia; SL Sierra Leone; SM San Marino; SN Senegal; SO Somalia; SR Suriname;
SS South Sudan; ST Sao Tome And Principe; SV El Salvador; SX Sint Maarten (Dutch part); SY Syria; SZ Eswatini;
TA Tristan da Cunha; TC Turks And Caicos Islands; TD Chad; TG Togo; TH Thailand; TJ Tajikistan; TK Tokelau;
TL Timor-Leste; TM Turkmenistan; TN Tunisia; TO Tonga; TR Türkiye; TT Trinidad and Tobago; TV Tuvalu; TW Taiwan;
TZ Tanzania; UA Ukraine; UG Uganda; US United States; UY Uruguay; UZ Uzbekistan; VA Vatican;
VC Saint Vincent And The Grenadines; VE Venezuela; VG British Virgin Islands; VI U.S. Virgin Islands;
VN Vietnam; VU Vanuatu; WF Wallis And Futuna; WS Samoa; XK Kosovo; YE Yemen; YT Mayotte; ZA South Africa;
ZM Zambia; ZW Zimbabwe
"""
COUNTRIES: dict[str, str] = {"001": INTERNATIONAL} | {
    entry.strip()[:2]: entry.strip()[3:] for entry in _NAMES.replace("\n", " ").split(";")
}


@lru_cache(maxsize=16_384)
def readable(e164: str) -> str:
    """Format +12125550142 as "+1 212-555-0142", as its country writes it for callers from abroad.

    Returns `e164` unchanged if the format leaves out digits, such as a trunk prefix: it would show another number.
    """
    try:
        shown = phonenumbers.format_number(phonenumbers.parse(e164), PhoneNumberFormat.INTERNATIONAL)
    except NumberParseException:
        return e164
    return shown if phonenumbers.normalize_digits_only(shown) == e164.removeprefix("+") else e164


def spoken(e164: str) -> str:
    """Format +12125550142 as "+1, 2 1 2, 5 5 5, 0 1 4 2"; otherwise screen readers read a number in the billions."""
    groups = readable(e164).replace("-", " ").split()
    return ", ".join(" ".join(group) if index else group for index, group in enumerate(groups))


def country_name(region: str) -> str:
    """Return the name of a region, such as "United States" for US, or of a calling code ("+44", "44").

    An unknown one is returned unchanged.
    """
    code = region.removeprefix("+")
    return _calling_code_name(int(code)) if is_calling_code(code) else COUNTRIES.get(region.upper(), region)


def is_calling_code(text: str) -> bool:
    """Return whether the text is a calling code, without plus."""
    return text.isascii() and text.isdigit() and text != "001" and int(text) in phonenumbers.COUNTRY_CODE_TO_REGION_CODE


def country_of_code(code: int) -> str:
    """Return the country filter for the numbers of a calling code: its region, if it has only one, else "+<code>"."""
    regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(code, ())
    return regions[0] if len(regions) == 1 and regions[0] != "001" else f"+{code}"


def _calling_code_name(code: int) -> str:
    """Return "United Kingdom and others (+44)" for a code of several regions."""
    first, *others = phonenumbers.COUNTRY_CODE_TO_REGION_CODE[code]
    return f"{COUNTRIES.get(first, first)}{' and others' if others else ''} (+{code})"
