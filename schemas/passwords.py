"""Rules for passwords: long, not easily guessed, and without the owner's e-mail address and company name.

Requirements for digits and signs make passwords worse, lists of common and breached passwords do not (NIST SP 800-63B,
section 3.1.1.2). zxcvbn has such lists, and also finds their words in longer passwords, keyboard patterns and dates.
"""

from __future__ import annotations

SHORTEST = 12  # characters
LONGEST = 256
FEWEST_DIFFERENT = 5
FEWEST_GUESSES = 100_000_000  # as zxcvbn estimates them: its score 3, "safely unguessable"
_MOST_ESTIMATED = 72  # characters: zxcvbn takes no more, and a longer password is as good as its beginning, or better
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
    if _guesses(password, email, tenant) < FEWEST_GUESSES:
        return "This is one of the passwords that are guessed first. Use a few words that have nothing in common."
    return None


def _guesses(password: str, email: str, tenant: str) -> int:
    """Return about how many guesses it takes to find the password."""
    from zxcvbn import zxcvbn  # noqa: PLC0415 - few processes need its lists

    related = [*email.replace("@", ".").split("."), *tenant.split(), "numberyard"]
    return int(zxcvbn(password[:_MOST_ESTIMATED], user_inputs=related)["guesses"])


def _without_spaces(text: str) -> str:
    return "".join(text.casefold().split())
