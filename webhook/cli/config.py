"""The configuration file: profiles, each with a `url` and a `token`. Refused if others can read it, like SSH keys.

Writing a profile changes only its own section; the rest of the file, including comments, stays the same.
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

from webhook.cli.exit_codes import Exit, Failed
from webhook.cli.terminal import safe

DEFAULT_PROFILE = "default"
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_NAME = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True)
class Profile:
    """A service's URL and token; either may be missing."""

    url: str | None = None
    token: str | None = None


def _open_to_others(path: Path, mode: int) -> Failed:
    detail = f"{safe(path)} contains a token and others can access it (mode {mode:04o})."
    fix = f"Make it private: chmod 600 {safe(path)}"
    return Failed({"code": "CONFIG_NOT_PRIVATE", "detail": detail, "fix": fix}, Exit.NOT_ALLOWED)


def config_path(option: str | None, environ: Mapping[str, str] = os.environ, system: str = os.name) -> Path:
    """Return `option` (`--config`, NUMBERYARD_CONFIG), else the system's usual path."""
    if option:
        return Path(option).expanduser()
    if system == "nt" and environ.get("APPDATA"):
        return Path(environ["APPDATA"]) / "numberyard" / "config.toml"
    home = environ.get("XDG_CONFIG_HOME", "")
    # XDG base directory specification: ignore a relative path.
    folder = Path(home) if home.startswith("/") else Path.home() / ".config"
    return folder / "numberyard" / "config.toml"


def read_profile(path: Path, name: str, *, is_named: bool) -> Profile:
    """Return a profile of the file. `is_named`: the user asked for this profile, so it must exist.

    Raises `click.UsageError` for an invalid configuration file, `Failed` for one that others can read.
    """
    profiles = _profiles(path)
    section = profiles.get(name)
    if section is None:
        if not is_named:
            return Profile()
        names = ", ".join(safe(profile_name) for profile_name in profiles) or "none"
        raise click.UsageError(
            f"No profile “{safe(name)}” in {safe(path)} (profiles: {names})."
            f" Create it with `numberyard login --profile {safe(name)}`."
        )
    profile = Profile(_text(path, name, section, "url"), _text(path, name, section, "token"))
    if profile.token:
        check_private(path)
    return profile


def profile_names(path: Path) -> list[str]:
    """Return the names of the file's profiles, in file order."""
    return list(_profiles(path))


def check_private(path: Path) -> None:
    """Raise `Failed` if others can read or write the file."""
    mode = stat.S_IMODE(path.stat().st_mode)
    if os.name == "posix" and mode & _OTHERS:
        raise _open_to_others(path, mode)


def write_profile(path: Path, name: str, profile: Profile) -> Path:
    """Write a profile to the file, readable only by its owner. Returns the path that was written.

    Follows a symbolic link. Raises `click.UsageError` if the file cannot be written or is not a valid configuration.
    """
    if not _NAME.fullmatch(name):
        raise click.UsageError(f"A profile name can only contain letters, digits, - and _: {safe(name)}")
    before, path = _profiles(path), path.resolve()
    try:
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        text = _replaced(text, name, profile)
        if not _holds(text, {**before, name: _entries(profile)}):
            raise click.UsageError(
                f"Cannot update {safe(path)} automatically: edit profile {safe(name)} in it by hand."
            )
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write_private(path, text)
    except OSError as error:
        raise click.UsageError(f"Cannot write {safe(path)}: {error.strerror}") from error
    return path


def _write_private(path: Path, text: str) -> None:
    """Replace the whole file; at no time can others read it."""
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
        raise click.UsageError(f"Cannot read {safe(path)}: {error.strerror}") from error
    except ValueError as error:
        raise click.UsageError(f"{safe(path)} is not a valid configuration file: {safe(error)}") from error


def _parsed(text: str) -> dict[str, Any]:
    """Return the profiles in a file's text. `ValueError` if they are not sections such as [profiles.default]."""
    profiles = tomllib.loads(text).get("profiles", {})
    if not isinstance(profiles, dict) or not all(isinstance(profile, dict) for profile in profiles.values()):
        raise ValueError("a profile must be a section such as [profiles.default]")
    return profiles


def _holds(text: str, document: Mapping[str, Any]) -> bool:
    try:
        return _parsed(text) == document
    except ValueError:  # the profile already exists in another TOML form
        return False


def _text(path: Path, name: str, section: Mapping[str, object], field: str) -> str | None:
    value = section.get(field)
    if value is not None and not isinstance(value, str):
        raise click.UsageError(
            f"{safe(path)} is not a valid configuration file: {field} of profile {safe(name)} must be text."
        )
    return value or None


def _entries(profile: Profile) -> dict[str, str]:
    return {field: value for field, value in (("url", profile.url), ("token", profile.token)) if value}


def _replaced(text: str, name: str, profile: Profile) -> str:
    """Return the text with the profile's section replaced, or appended at the end."""
    header = f"[profiles.{name}]"
    section = [header, *(f"{field} = {_quoted(value)}" for field, value in _entries(profile).items())]
    lines = text.splitlines()
    at = next((index for index, line in enumerate(lines) if line.strip() == header), None)
    if at is None:
        return "\n".join([*lines, *([""] if lines else []), *section]) + "\n"
    end = next((index for index in range(at + 1, len(lines)) if lines[index].lstrip().startswith("[")), len(lines))
    # Blank lines and comments above the next section belong to that section.
    while end > at + 1 and (not lines[end - 1].strip() or lines[end - 1].lstrip().startswith("#")):
        end -= 1
    return "\n".join([*lines[:at], *section, *lines[end:]]) + "\n"


def _quoted(value: str) -> str:
    # Printable strings are written the same in JSON and TOML.
    return json.dumps(value, ensure_ascii=False)
