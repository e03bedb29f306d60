"""What the headers of other programs' files mean, and how certainly.

Names come from `schemas.columns`; here are the words that make a header a phone number's, or another column's.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass, replace
from enum import IntEnum

from schemas.capabilities import CAPABILITIES
from schemas.columns import LONGEST_HEADER, Column, Form, fold, is_exact, meant, recognise, suggested


class Rank(IntEnum):
    """How strongly a header says that its column is a certain one of ours."""

    AGAINST = -1  # it names something else
    NOTHING = 0
    FURTHER = 1  # a number of a person besides the main one: mobile, home; or a country of an address
    WORD = 2  # it has a word for phone number in it, or is misspelled
    NAME = 3
    TERM = 4  # a term of the field, such as DID, TN, MSISDN
    EXACT = 5  # the column's own name


@dataclass(frozen=True)
class Heading:
    """A header and its meaning.

    `key`: its letters and digits, without case, accents and punctuation; `words`: the words in it. `generic`: no name
    at all, or one made up by a program, such as “Spalte 3”.
    """

    text: str
    column: Column | None
    rank: Rank
    key: str = ""
    words: frozenset[str] = frozenset()
    generic: bool = False


_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_GENERIC = re.compile(
    r"(?:(?:spalte|column|columns|col|field|feld|colonne|champ|columna|campo|coluna|colonna|kolom|veld|kolumna|unnamed"
    r"|var|data|sloupec|oszlop|столбец|列|フィールド)?\s*:?\s*(?:\d{1,4}|[a-z])|[fvxc]\d{1,4}|spalte|column|kolom)?"
)

# The field's own terms for a number: an inventory's column, where a CRM also has "Phone" or "Mobile".
_TERMS = frozenset({"did", "dids", "ddi", "ddis", "tn", "tns", "sda", "e164", "msisdn", "lineuri", "uri"})
_TERM_NAMES = frozenset({"phonenumber", "telephonenumber", "rufnummer", "directorynumber", "電話番号", "电话号码"})
# A number for a capability besides voice and SMS is a further number of its person.
_OTHER_CAPABILITIES = frozenset(each.name for each in CAPABILITIES[2:])
# Parts of words in many languages, and whole words.
_PHONE_PARTS = (
    "phone", "telefon", "telefoon", "telefono", "rufnummer", "rufnr", "fone", "puhelin", "handynummer", "mobilnummer",
    "mobielnummer", "telnr", "telno", "телефон", "τηλεφων", "電話", "电话", "電話號", "手机", "携帯", "전화", "هاتف",
    "טלפון",
)  # fmt: skip
_PHONE_WORDS = frozenset({
    "tel", "tlf", "tfno", "mobile", "mobil", "mobiel", "cell", "cellular", "celular", "cellulare", "handy", "gsm",
    "movil", "portable", "kom", "komorka", "whatsapp", "cli", "ani", "btn", "wtn", "ctn", "telefax",
    "faxnummer", "durchwahl", "direct", "festnetz", "fixe", "fijo", "callerid", "linia", "line", "ddd", "telecopie",
}) | _TERMS | _OTHER_CAPABILITIES  # fmt: skip
# Of several numbers in a row, these are not the row's main one.
_FURTHER_PARTS = (
    "mobil", "mobiel", "cell", "celular", "handy", "movil", "home", "privat", "other", "altern",
    "second", *_OTHER_CAPABILITIES,
    "emergenc", "notfall", "assist", "callback", "forward", "contact", "kontakt", "voicemail", "manager", "billing",
    "whatsapp", "portable", "gsm", "backup", "old", "previous", "former", "pager", "main", "company", "zentrale",
    "手机", "携帯", "手機",
)  # fmt: skip
_FURTHER_WORDS = frozenset({"btn", "cli", "ani", "alt", "alte", "2", "3", "4", "5", "6", "ctn", "callerid", "kom"})
# Not a number whatever else the header says ...
_NEVER = frozenset({
    "type", "typ", "tipo", "art", "kind", "status", "state", "model", "modell", "mac", "ip", "id", "ids", "guid",
    "uuid", "ext", "extn", "extension", "nebenstelle", "date", "datum", "fecha", "data", "time", "uhrzeit", "zeit",
    "created", "modified", "updated", "timestamp", "code", "country", "land", "pays", "pais", "provider", "carrier",
    "anbieter", "count", "anzahl", "quantity", "qty", "note", "notes", "notiz", "comment", "kommentar", "description",
    "beschreibung", "label", "name", "verified", "valid", "format", "imei", "imsi", "iccid", "icc", "sim", "esim",
    "serial", "lrn", "ocn", "clli", "npa", "nxx", "lata", "spid", "url", "link", "opt", "optout", "donotcall", "dnc",
    "do", "enabled", "pin", "puk", "price", "cost", "rate", "end", "ending", "last", "until", "plan", "policy",
    "location", "zone", "zip", "plz",
})  # fmt: skip
# ... and only where it has no word for phone number.
_OTHERWISE = frozenset({
    "account", "accounts", "konto", "kontonummer", "customer", "customers", "client", "kunde", "kunden",
    "kundennummer", "kundennr", "cliente", "order", "orders", "auftrag", "auftragsnummer", "bestellnummer", "invoice",
    "rechnung", "rechnungsnummer", "facture", "factura", "contract", "vertrag", "vertragsnummer", "contrat",
    "contrato", "ticket", "case", "ref", "reference", "referenz", "sn", "seriennummer", "vat", "ust", "ustid", "tax",
    "steuernummer", "siret", "siren", "nif", "cif", "cpf", "cnpj", "nip", "pesel", "regon", "rfc", "iban", "bic",
    "swift", "bank", "postal", "postcode", "postleitzahl", "cp", "cap", "cep", "postnummer", "amount", "betrag",
    "preis", "prix", "precio", "preco", "prezzo", "umsatz", "revenue", "fee", "total", "lat", "latitude", "lon",
    "lng", "longitude", "employees", "employee", "mitarbeiter", "personalnummer", "year", "jahr", "month", "age",
    "index", "row", "zeile", "position", "pos", "item", "article", "artikel", "artikelnummer", "sku", "ean", "gtin",
    "isbn", "duns", "site", "port", "trunk", "circuit", "size", "bill", "key", "hash", "token", "score", "percent",
    "version", "batch", "lot", "registration", "matricule", "street", "city", "address", "strasse", "stadt", "ort",
    "hausnummer", "birthday", "geburtsdatum",
})  # fmt: skip
_NORTH_AMERICAN = frozenset({"npa", "nxx", "lata", "ocn", "clli", "lrn", "tn", "btn", "cnam"})
_INTERNATIONAL = frozenset({"internationalnumber", "internationalerufnummer"})
_NATIONAL = frozenset({"nationalnumber", "nationalerufnummer", "nationalphonenumber", "numeronational"})
_COUNTRY_WORDS = frozenset({"country", "land", "pays", "pais", "paese", "nazione", "staat", "kraj", "страна", "国"})
_NOT_COUNTRY = frozenset({"id", "date", "count", "phone", "number", "manager"})
TYPE_NAMES = frozenset({
    "type", "numbertype", "typ", "nummerntyp", "rufnummerntyp", "art", "nummernart", "capability", "capabilities",
    "feature", "features", "services", "service", "dienste", "dienst", "leistung", "fahigkeiten", "funktionen",
    "tipo", "tipodenumero", "typedenumero", "servicios", "capacidades", "capacites", "fonctions", "servizi",
    "funzioni", "nummertype", "diensten", "usage", "use", "verwendung", "nutzung", "didtype", "tntype", "linetype",
    "phonetype", "種別", "类型", "usluga",
})  # fmt: skip


def heading_of(header: str, form: Form) -> Heading:
    """Return what a header means by its name alone. Misspellings are `misspelled`, because comparing is slower."""
    text = header[:LONGEST_HEADER]
    folded = fold(text)
    key, words = folded.replace(" ", "").replace(".", ""), _words(text)
    column = recognise(header, form) if text == header else None
    if column is not None:
        return Heading(text, column, Rank.EXACT if is_exact(text, column) else _rank_of_name(key, words), key, words)
    if _GENERIC.fullmatch(folded):
        return Heading(text, None, Rank.NOTHING, key, words, generic=True)
    column = suggested(text, form)
    if column is not None:
        return Heading(text, column, _rank_of_name(key, words), key, words)
    return Heading(text, *_by_words(key, words, form), key, words)


def misspelled(heading: Heading, form: Form, missing: Collection[Column]) -> Heading:
    """Return the meaning of a header that resembles a name of a missing column; blocks are never guessed."""
    column = meant(heading.text, form, missing)
    if column is None or column not in missing or column in {Column.END_NUMBER, Column.BLOCK_SIZE}:
        return heading
    return replace(heading, column=column, rank=Rank.WORD)


def is_north_american(heading: Heading) -> bool:
    """Return whether a header is a term of the North American numbering plan only."""
    return bool(heading.words & _NORTH_AMERICAN) or "ratecenter" in heading.key


def says_international(heading: Heading) -> bool:
    """Return whether a header says that its numbers are international: MSISDN, E.164 (R14b)."""
    return "msisdn" in heading.key or "e164" in heading.key or heading.key in _INTERNATIONAL


def says_national(heading: Heading) -> bool:
    """Return whether a header says that its numbers are national."""
    return heading.key in _NATIONAL


def _rank_of_name(key: str, words: frozenset[str]) -> Rank:
    return Rank.TERM if key in _TERMS or key in _TERM_NAMES or words & _TERMS else Rank.NAME


def _by_words(key: str, words: frozenset[str], form: Form) -> tuple[Column | None, Rank]:
    if words & _COUNTRY_WORDS and not words & _NOT_COUNTRY and Column.COUNTRY_CODE in form.understood:
        return Column.COUNTRY_CODE, Rank.FURTHER
    if words & _NEVER:
        return None, Rank.AGAINST
    if words & _PHONE_WORDS or any(part in key for part in _PHONE_PARTS):
        further = words & _FURTHER_WORDS or any(part in key for part in _FURTHER_PARTS)
        return Column.PHONE_NUMBER, Rank.FURTHER if further else Rank.WORD
    return None, Rank.AGAINST if words & _OTHERWISE else Rank.NOTHING


def _words(text: str) -> frozenset[str]:
    """Return a header's words; “mobilePhone” and “mobile_phone” have the same."""
    spaced = _CAMEL.sub(" ", unicodedata.normalize("NFC", text))
    return frozenset(re.findall(r"[^\W\d_]+|\d+", fold(spaced).replace(".", "")))
