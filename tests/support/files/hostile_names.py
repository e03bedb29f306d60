"""File names as people and attackers choose them, each with the name that a download of its report must have.

A name is given as the bytes of a multipart header's `filename`, as browsers write it.
"""

from __future__ import annotations

import unicodedata

COUNT = 200
_LETTERS = 3
LONGEST = 255  # bytes of a name that file systems take

# Names that every file system takes as they are.
_ORDINARY = (
    "Bestellung – März.csv",
    "電話.csv",
    "電話　番号.csv",
    "отчёт за май.csv",
    "اَلْأَرْقَام.csv",
    "نمی\u200cخواهم.csv",  # noqa: RUF001 - Persian
    "מספרים 2024.csv",
    "👩\u200d👩\u200d👧 🇩🇪.csv",
    "naïve café.csv",
    "nai\u0308ve cafe\u0301.csv",  # decomposed, as macOS names files
    "a;b,c=d.csv",
    "it's 100 % (final) [2] {3} #4 & more.csv",
    "100%25.csv",
    "%E2%82%AC.csv",
    "%",
    "=1+1.csv",
    "-rf.csv",
    "~.csv",
    "$HOME `id` $(id).csv",
    "no ending",
    "many.dots.in.it.csv",
    "UTF-8''x.csv",
    "CON1.csv",
    "contact.csv",
    "x" * 235 + ".csv",
    "é" * 117 + ".csv",
)
# The name as given, and the stem that its report is named after; None where it is only to be safe.
_HOSTILE = {
    'say "hi".csv': "say _hi_",
    "back\\slash.csv": None,  # werkzeug takes a backslash for the escape of RFC 9110, which browsers do not write
    "../../etc/passwd": "passwd",
    "/etc/passwd.csv": "passwd",
    "..\\..\\windows\\win.csv": None,
    "C:\\numbers.csv": None,
    "a:b*c?d<e>f|g.csv": "a_b_c_d_e_f_g",
    "=?utf-8?q?x?=.csv": "=_utf-8_q_x_=",
    "..": "_.",
    "....": "_.",
    ".": "_.",
    ".hidden.csv": "_.hidden",
    ".csv": "_.csv",
    "": "upload",
    " ": "upload",
    " spaced .csv": "spaced ",
    "con.csv": "con",
    "NUL.x.csv": "NUL_.x",
    "lpt1.tar.csv": "lpt1_.tar",
    "new\r\nline.csv": "new%0D%0Aline",
    "header\r\nX-Evil: 1.csv": "header%0D%0AX-Evil_ 1",
    "tab\there.csv": "tabhere",
    "bell\x07.csv": "bell",
    "del\x7f.csv": "del",
    "c1\x85\x9f.csv": "c1",
    "\u202egpj.csv": "gpj",
    "a\u2066b\u2069.csv": "ab",
    "zero\u200bwidth\ufeff.csv": "zerowidth",
    "line\u2028end.csv": "lineend",
    "\uffff\ufdd0.csv": "_.csv",
    "\ue000private.csv": "private",
    "e\u0301" * 200 + ".csv": None,
    "x" * 300 + ".csv": None,
    "電" * 255 + ".csv": None,
    "👍" * 200 + ".csv": None,
}


def _scripts() -> list[str]:
    """Return names of the first letters of each script."""
    found: dict[str, str] = {}
    for point in range(0x80, 0x1F000):
        sign = chr(point)
        if unicodedata.category(sign)[0] == "L":
            script = unicodedata.name(sign, "").partition(" ")[0]
            found[script] = found.get(script, "") + (sign if len(found.get(script, "")) < _LETTERS else "")
    return [f"{word}.csv" for word in found.values() if len(word) == _LETTERS]


def names() -> dict[bytes, str | None]:
    """Return `COUNT` names as sent, each with the stem of its report's name, None where it is only to be safe."""
    found = {_sent(name): name.rpartition(".")[0] or name for name in _ORDINARY}
    found |= {_sent(name): stem for name, stem in _HOSTILE.items()}
    scripts = _scripts()
    wanted = COUNT - len(found)
    chosen = [scripts[place * len(scripts) // wanted] for place in range(wanted)]
    return found | {_sent(name): name.rpartition(".")[0] for name in chosen}


def _sent(name: str) -> bytes:
    """Return a name as the HTML standard has it in `filename`."""
    return name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A").encode(errors="surrogatepass")
