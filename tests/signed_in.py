"""People of a test's own: an account per role, and somebody who acts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from streamlit.testing.v1 import AppTest

from core.actions import access, passwords, people, signing_in
from core.actions.access import ROLES, Actor
from core.ui.signing_in import TOKEN

PASSWORD = "a password for {}"


def cheap_hashes(monkeypatch) -> None:
    """Let a password's hash take no time to speak of."""
    monkeypatch.setattr(passwords, "COST", 14)
    monkeypatch.setattr(passwords, "LANES", 1)
    passwords._nobodys.cache_clear()


def add_everyone(is_on: bool = True) -> None:
    """Add an account of each role, called like it, and turn accounts on."""
    with access.acting(access.owner()):
        for role in ROLES:
            people.add(role, role, passwords.hashed(PASSWORD.format(role)))
        if is_on:
            people.turn_on()


@contextmanager
def acting(role: str) -> Iterator[Actor]:
    """Let the account of a role act, as it does once it has signed in."""
    token = signing_in.sign_in(role, PASSWORD.format(role))
    who = signing_in.actor_of(token)
    assert who is not None
    with access.acting(who):
        yield who


def enter(app: AppTest, role: str) -> AppTest:
    """Begin a session of the account of a role in a page that was not run yet."""
    app.session_state[TOKEN] = signing_in.sign_in(role, PASSWORD.format(role))
    return app
