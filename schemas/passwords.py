"""Rules for passwords: long, and without the owner's e-mail address and company name. No other requirements.

Requirements for digits and signs make passwords worse (NIST SP 800-63B, section 3.1.1.2).
"""

from __future__ import annotations

SHORTEST = 12  # characters
LONGEST = 256
FEWEST_DIFFERENT = 5
_SHORTEST_TOLD = 4  # of a name; a shorter one may be part of a password by chance


def fault_of(password: str, email: str, tenant: str) -> str | None:
    """Return an error message for a password of the admin with this e-mail address and tenant; None if it is valid."""
    if len(password) < SHORTEST:
        return f"Use at least {SHORTEST} characters. A few words in a row are easy to remember."
    if len(password) > LONGEST:
        return f"Use at most {LONGEST} characters."
    if len(set(password)) < FEWEST_DIFFERENT:
        return f"Use at least {FEWEST_DIFFERENT} different characters."
    typed = _without_spaces(password)
    guessable = (_without_spaces(name) for name in (email, email.partition("@")[0], tenant))
    if any(len(name) >= _SHORTEST_TOLD and name in typed for name in guessable):
        return "Leave your e-mail address and your company's name out of it."
    return None


def _without_spaces(text: str) -> str:
    return "".join(text.casefold().split())
