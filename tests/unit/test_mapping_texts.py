"""A mapping in words (R31)."""

from __future__ import annotations

from schemas.mapping_texts import phrases


def test_r31_a_mapping_in_words() -> None:
    mapping = {
        "columns": {"Voice": "Typ", "Phone Number": "Nummer", "SMS": 3, "Fax": None},
        "constants": {"Country Code": "DE", "SMS Carrier Profile": ""},
        "values": {
            "Voice": {"ja": "TRUE", "nein": "FALSE", "": "FALSE", "evtl.": "TRUE"},
            "Voice Carrier Name": {"x": "y"},
        },
    }
    assert phrases(mapping) == [
        "Country Code: always DE",
        "Phone Number: Nummer",
        "Voice: Typ (ja = TRUE, nein = FALSE, empty = FALSE, 1 more)",
        "SMS: column 3",
        "Fax: not in the file",
        "Voice Carrier Name: (x = y)",
        "SMS Carrier Profile: always empty",
    ]
    assert phrases(mapping, 4)[2] == "Voice: Typ (ja = TRUE, nein = FALSE, empty = FALSE, evtl. = TRUE)"


def test_a_mapping_without_columns_has_no_words() -> None:
    assert phrases({}) == []
    assert phrases({"columns": {"Column of a later release": 1}}) == ["Column of a later release: column 1"]
