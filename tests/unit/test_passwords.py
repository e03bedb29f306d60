"""Which passwords may be chosen, how they are compared, and that only two are at a time."""

from __future__ import annotations

import threading
import time

import pytest
from argon2 import PasswordHasher

from schemas.passwords import LONGEST, SHORTEST, fault_of
from worker.accounts import passwords

EMAIL, TENANT = "jo.doe@harbour.example", "Harbour Telecom"


@pytest.mark.parametrize(
    "password",
    ["correct horse battery", "пароль из слов", "rather long lists", "harbor telecomm", "1j2o3d4o5e6?"],
)
def test_good_ones(password: str) -> None:
    assert fault_of(password, EMAIL, TENANT) is None


@pytest.mark.parametrize(
    "password",
    [
        "",
        "x" * (SHORTEST - 1),
        "a1b2c3d4e5f",
        "x" * LONGEST + "y",
        "aaaaaaaaaaaaaaaa",
        "ababababcdcdcd",
        "jo.doe@harbour.example",
        "Jo.Doe 2026 winter",
        "  HARBOUR telecom 1",
        "harbourtelecom2026",
    ],
)
def test_bad_ones(password: str) -> None:
    assert fault_of(password, EMAIL, TENANT)


@pytest.mark.parametrize(
    "password",
    [
        "password1234",
        "P@ssw0rd2026!",
        "Welcome12345",
        "iloveyou2026",
        "qwertyuiop12",
        "1qaz2wsx3edc",
        "trustno1trustno1",
        "abcdefghijkl",
        "p4$$w0rd" * 20,
    ],
)
def test_those_that_are_guessed_first(password: str) -> None:
    fault = fault_of(password, EMAIL, TENANT)
    assert fault is not None
    assert "guessed first" in fault


def test_what_is_generated_may_be_chosen() -> None:
    assert {fault_of(passwords.made_up(), EMAIL, TENANT) for _ in range(50)} == {None}


def test_the_estimate_takes_little_time() -> None:
    """Whatever the password: of those below, the slowest takes a twentieth of a second on an idle machine."""
    began = time.process_time()
    for password in ("l1I!0oO" * 36, "1234567890" * 25, "aB3$" * 64, "qwerty" * 42, "abcdef" * 42):
        fault_of(password, EMAIL, TENANT)
    assert time.process_time() - began < 5


def test_short_names_may_stand_in_it_by_chance() -> None:
    assert fault_of("the joker is wild", "jo@a.example", "Ace") is None


@pytest.mark.usefixtures("quick_hashes")
def test_matches_its_password_only() -> None:
    kept = passwords.hashed("correct horse battery")
    assert kept.startswith("$argon2id$")
    assert passwords.matches("correct horse battery", kept)
    assert not passwords.matches("correct horse batterz", kept)
    assert not passwords.matches("correct horse battery", None)
    assert not passwords.matches("correct horse battery", "none")


@pytest.mark.usefixtures("quick_hashes")
def test_r3_the_first_comparison_of_a_process_takes_as_long_with_and_without_an_account() -> None:
    """The hash that stands for unknown addresses is computed once, whoever comes first."""
    kept = passwords.hashed("correct horse battery")
    for compared in (kept, None):
        passwords._nobodys.cache_clear()  # noqa: SLF001
        passwords.matches("something else", compared)
        assert passwords._nobodys.cache_info().currsize == 1  # noqa: SLF001


def test_old_parameters_are_noticed() -> None:
    assert passwords.is_outdated(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("x"))
    assert not passwords.is_outdated(passwords.hashed("x"))


def test_made_up_ones_may_be_kept() -> None:
    made = {passwords.made_up() for _ in range(100)}
    assert len(made) == 100
    assert all(fault_of(password, EMAIL, TENANT) is None for password in made)


def test_two_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    lock, now, most = threading.Lock(), 0, 0

    class Slow:
        def hash(self, _password: str) -> str:
            nonlocal now, most
            with lock:
                now += 1
                most = max(most, now)
            time.sleep(0.02)
            with lock:
                now -= 1
            return "x"

    monkeypatch.setattr(passwords, "_hasher", Slow())
    threads = [threading.Thread(target=passwords.hashed, args=("x",)) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == passwords.AT_A_TIME


def test_who_has_no_turn_in_time_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()

    class Slow:
        def hash(self, _password: str) -> str:
            assert go_on.wait(10)
            return "x"

    monkeypatch.setattr(passwords, "PATIENCE", 0.01)
    monkeypatch.setattr(passwords, "_hasher", Slow())
    try:
        with pytest.raises(passwords.BusyError):
            passwords.hashed("x")
    finally:
        go_on.set()
