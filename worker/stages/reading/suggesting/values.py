"""Words below capability columns whose meaning is plain, in several languages (R31).

`cell_repair.read_boolean` understands common words by itself; here are those that are translated for it. A word with
two meanings, such as "maybe" or "pending", has none.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

from schemas.column_names import CAPABILITY_WORDS
from schemas.columns import Column
from worker.phone.country import read_country
from worker.spreadsheet import cell_repair
from worker.stages.reading.suggesting.cells import UNREADABLE, safe_cells

_TRUE = (
    "yes", "y", "true", "on", "enabled", "enable", "active", "activated", "available", "allowed", "supported",
    "capable", "provisioned", "included", "ok", "okay", "✓", "✔", "☑", "✅", "ja", "oui", "si", "sí", "sim", "tak",
    "ano", "áno", "igen", "evet", "da", "да", "kyllä", "有", "有り", "あり", "はい", "可", "可能", "有効", "是",
    "启用", "支持", "예", "네", "aktiv", "aktiviert", "verfügbar", "freigeschaltet", "eingeschaltet", "vorhanden",
    "möglich", "an", "actif", "activé", "activée", "disponible", "autorisé", "activo", "activa", "activado",
    "activada", "habilitado", "habilitada", "permitido", "ativo", "ativa", "ativado", "ativada", "disponível",
    "attivo", "attiva", "attivato", "attivata", "abilitato", "abilitata", "disponibile", "actief", "geactiveerd",
    "ingeschakeld", "beschikbaar", "aktywny", "aktywna", "włączony", "włączone", "dostępny", "aktivní", "aktívny",
    "aktivt", "aktiverad", "aktiveret", "på", "aktif",
)  # fmt: skip
_FALSE = (
    "no", "n", "false", "off", "disabled", "disable", "inactive", "deactivated", "unavailable", "unsupported", "none",
    "excluded", "✗", "✘", "✕", "✖", "☐", "❌", "nein", "non", "não", "nao", "nie", "ne", "nem", "нет", "ei", "nej",
    "nei", "無", "無し", "なし", "いいえ", "不可", "無効", "否", "禁用", "不支持", "아니요", "inaktiv", "deaktiviert",
    "gesperrt", "ausgeschaltet", "inactif", "désactivé", "désactivée", "indisponible", "inactivo", "inactiva",
    "desactivado", "desactivada", "deshabilitado", "inhabilitado", "inativo", "inativa", "desativado", "desativada",
    "desabilitado", "indisponível", "inattivo", "inattiva", "disattivato", "disattivata", "disabilitato", "inactief",
    "gedeactiveerd", "uitgeschakeld", "nieaktywny", "wyłączony", "neaktivní", "neaktívny", "inaktivt", "inaktiverad",
)  # fmt: skip
_PHRASES_FALSE = (
    "not enabled", "not active", "not activated", "not available", "not allowed", "not supported", "not capable",
    "not provisioned", "not included", "nicht aktiv", "nicht aktiviert", "nicht verfügbar", "nicht möglich",
    "nicht vorhanden", "nicht freigeschaltet", "non actif", "non activé", "non disponible", "no activo", "no activado",
    "no disponible", "no habilitado", "não ativo", "não disponível", "non attivo", "non attivato", "non abilitato",
    "non disponibile", "niet actief", "niet beschikbaar", "nie aktywny",
)  # fmt: skip
_MEANING = {
    **dict.fromkeys(_TRUE, True),
    **dict.fromkeys(_FALSE, False),
    **dict.fromkeys(_PHRASES_FALSE, False),
    "1": True,
    "0": False,
}
_BETWEEN = re.compile(r"\s*[-\u2010-\u2015/,;:()|=]+\s*")
_AROUND = " \t\r\n\u00a0'\"`.!*[]{}()"

_CAPABILITY_WORDS = {word: Column[name] for name, words in CAPABILITY_WORDS.items() for word in words}
# MMS comes with SMS and is no column; the others say nothing of their own.
_NEUTRAL = frozenset(
    ("mms", "only", "enabled", "capable", "and", "und", "et", "y", "e", "en", "i", "nur", "solo", "with")
)
_TOKENS = re.compile(r"[\s+/,;&|_\-\u2010-\u2015]+")

# Names that leave no doubt, and that the reader of Country Code does not have.
_COUNTRIES = {
    "england": "GB", "scotland": "GB", "wales": "GB", "northern ireland": "GB", "brd": "DE", "uae": "AE", "ksa": "SA",
    "us/canada": "1", "usa/canada": "1", "us & canada": "1", "us and canada": "1", "north america": "1", "nanp": "1",
}  # fmt: skip


@dataclass(frozen=True)
class BooleanCells:
    """The values below a capability column: which share of the cells has a meaning, and the translations for it."""

    share: float
    translations: dict[str, str]


def read_booleans(values: Sequence[tuple[str, int]], column: Column) -> BooleanCells:
    """Return what values (as written, with their counts) mean below the column of a capability."""
    texts = safe_cells(text for text, _ in values)
    faults = cell_repair.read_boolean(pa.array(texts, pa.string()), column).faults
    counts, meant, translations = 0, 0, dict[str, str]()
    for (written, count), text, fault in zip(values, texts, faults.tolist(), strict=True):
        counts += count
        meaning = _meaning_of(text, column) if fault else None
        if meaning is not None:
            translations[written] = meaning
        meant += count if not fault or meaning is not None else 0
    return BooleanCells(meant / counts if counts else 0.0, translations)


def both_booleans(texts: Sequence[str]) -> bool:
    """Return whether cells that are not empty are words for true and false that the reader understands, all of them."""
    filled = [text for text in texts if text]
    read = cell_repair.read_boolean(pa.array(filled, pa.string()), Column.VOICE)
    return bool(filled) and not read.faults.any() and bool((read.value >= 0).any())


def capabilities_of(text: str) -> frozenset[Column] | None:
    """Return the capabilities that a cell names, such as “Voice+SMS”; None if it says anything else."""
    words = [word.strip(_AROUND) for word in _TOKENS.split(_folded(text)) if word.strip(_AROUND)]
    columns = frozenset(_CAPABILITY_WORDS[word] for word in words if word in _CAPABILITY_WORDS)
    unknown = [word for word in words if word not in _CAPABILITY_WORDS and word not in _NEUTRAL]
    return columns if columns and not unknown else None


def capability_values(values: Sequence[tuple[str, int]]) -> dict[str, frozenset[Column]] | None:
    """Return the capabilities of all values of a column, or None unless every one of them names some."""
    capabilities = dict[str, frozenset[Column]]()
    for text, _ in values:
        named = capabilities_of(safe_cells((text,))[0])
        if named is None:
            return None
        capabilities[text] = named
    return capabilities or None


def boolean_text(*, value: bool) -> Literal["TRUE", "FALSE"]:
    return "TRUE" if value else "FALSE"


def country_text(cell: str) -> str:
    """Return a Country Code cell as it is after its translation."""
    return _COUNTRIES.get(" ".join(cell[:50].casefold().split()), cell)


def country_translations(values: Sequence[tuple[str, int]]) -> dict[str, str]:
    """Return translations of names of countries that the reader does not have."""
    return {text: country_text(text) for text, _ in values if country_text(text) != text and read_country(text) is None}


def _meaning_of(text: str, column: Column) -> str | None:
    """Return TRUE or FALSE for a word whose parts all mean the same, such as “Yes - enabled”; else None."""
    word = _folded(text)
    if word in _MEANING:
        return boolean_text(value=_MEANING[word])
    parts = {_MEANING.get(part.strip(_AROUND)) for part in _BETWEEN.split(word) if part.strip(_AROUND)}
    if len(parts) == 1 and (meaning := parts.pop()) is not None:
        return boolean_text(value=meaning)
    named = capabilities_of(text)
    return None if named is None else boolean_text(value=column in named)


def _folded(text: str) -> str:
    return "" if text == UNREADABLE else unicodedata.normalize("NFC", text).casefold().strip(_AROUND)
