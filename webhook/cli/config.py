"""The configuration file: profiles, each a `url` and a `token`. A file that others can read is refused, as keys are.

Only the section of the profile that is written changes; the rest of the file, its comments too, stays as it was.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from webhook.cli.console import safe
from webhook.cli.exit_codes import Ending, Exit

DEFAULT_PROFILE = "default"
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_NAME = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True)
class Profile:
    """One way to a service; either may be missing."""

    url: str | None = None
    token: str | None = None


class OpenToOthersError(Ending):
    """The file holds a token and can be read by others."""

    def __init__(self, path: Path, mode: int) -> None:
        super().__init__(Exit.NOT_ALLOWED)
        self.path, self.mode = path, mode

    def show(self) -> None:
        path = safe(self.path)
        click.echo(f"CONFIG_NOT_PRIVATE: {path} holds a token and is open to others (mode {self.mode:04o}).", err=True)
        click.echo(f"  Close it: chmod 600 {path}", err=True)


def config_path(given: str | None, environ: Mapping[str, str] = os.environ, system: str = os.name) -> Path:
    """`given` (`--config`, NUMBERYARD_CONFIG), else the place that is usual on this system."""
    if given:
        return Path(given).expanduser()
    if system == "nt" and environ.get("APPDATA"):
        return Path(environ["APPDATA"]) / "numberyard" / "config.toml"
    home = environ.get("XDG_CONFIG_HOME", "")
    # The XDG base directory specification: a relative path is to be ignored.
    folder = Path(home) if home.startswith("/") else Path.home() / ".config"
    return folder / "numberyard" / "config.toml"


def read_profile(path: Path, name: str, *, is_named: bool) -> Profile:
    """A profile of the file; `is_named`: the user asked for it, so that it has to be there.

    Raises `click.UsageError` for a file that is no configuration, `OpenToOthersError` for one that others can read.
    """
    profiles = _profiles(path)
    found = profiles.get(name)
    if found is None:
        if not is_named:
            return Profile()
        known = ", ".join(safe(one) for one in profiles) or "none"
        raise click.UsageError(
            f"There is no profile “{safe(name)}” in {safe(path)} (there: {known})."
            f" `numberyard login --profile {safe(name)}` makes it."
        )
    profile = Profile(_text(path, name, found, "url"), _text(path, name, found, "token"))
    if profile.token:
        check_private(path)
    return profile


def profile_names(path: Path) -> list[str]:
    """The profiles of the file, in its order."""
    return list(_profiles(path))


def check_private(path: Path) -> None:
    """Raise `OpenToOthersError` if others can read or write the file."""
    mode = stat.S_IMODE(path.stat().st_mode)
    if os.name == "posix" and mode & _OTHERS:
        raise OpenToOthersError(path, mode)


def write_profile(path: Path, name: str, profile: Profile) -> Path:
    """Put a profile into the file, which from then on only its owner can read; the path that was written.

    A link is followed. Raises `click.UsageError` if the file cannot be written or is no configuration.
    """
    if not _NAME.fullmatch(name):
        raise click.UsageError(f"A profile's name is of letters, digits, - and _: {safe(name)}")
    before, path = _profiles(path), path.resolve()
    try:
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        text = _replaced(text, name, profile)
        if not _holds(text, {**before, name: _entries(profile)}):
            raise click.UsageError(f"{safe(path)} is laid out in a way of its own: write profile {safe(name)} by hand.")
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write_private(path, text)
    except OSError as error:
        raise click.UsageError(f"{safe(path)} cannot be written: {error.strerror}") from error
    return path


def _write_private(path: Path, text: str) -> None:
    """Replace the file whole; there is no moment in which others could read it."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:  # noqa: PTH123 - of a descriptor
            file.write(text)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _profiles(path: Path) -> dict[str, Any]:
    try:
        return _parsed(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise click.UsageError(f"{safe(path)} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise click.UsageError(f"{safe(path)} is no configuration: {safe(error)}") from error


def _parsed(text: str) -> dict[str, Any]:
    """The profiles of a file's text; ValueError if it holds none in the way they are written."""
    profiles = tomllib.loads(text).get("profiles", {})
    if not isinstance(profiles, dict) or not all(isinstance(profile, dict) for profile in profiles.values()):
        raise ValueError("a profile is a section such as [profiles.default]")
    return profiles


def _holds(text: str, wanted: Mapping[str, Any]) -> bool:
    try:
        return _parsed(text) == wanted
    except ValueError:  # the profile is there already, in another form
        return False


def _text(path: Path, name: str, found: Mapping[str, object], field: str) -> str | None:
    value = found.get(field)
    if value is not None and not isinstance(value, str):
        raise click.UsageError(f"{safe(path)} is no configuration: {field} of profile {safe(name)} is no text.")
    return value or None


def _entries(profile: Profile) -> dict[str, str]:
    return {field: value for field, value in (("url", profile.url), ("token", profile.token)) if value}


def _replaced(text: str, name: str, profile: Profile) -> str:
    """The text with the profile's section written anew in its place, or at the end."""
    header = f"[profiles.{name}]"
    section = [header, *(f"{field} = {_quoted(value)}" for field, value in _entries(profile).items())]
    lines = text.splitlines()
    at = next((place for place, line in enumerate(lines) if line.strip() == header), None)
    if at is None:
        return "\n".join([*lines, *([""] if lines else []), *section]) + "\n"
    end = next((place for place in range(at + 1, len(lines)) if lines[place].lstrip().startswith("[")), len(lines))
    # What stands above the next section, a blank line or a remark, belongs to it.
    while end > at + 1 and (not lines[end - 1].strip() or lines[end - 1].lstrip().startswith("#")):
        end -= 1
    return "\n".join([*lines[:at], *section, *lines[end:]]) + "\n"


def _quoted(value: str) -> str:
    # What is printable is the same in JSON and in TOML.
    return json.dumps(value, ensure_ascii=False)
