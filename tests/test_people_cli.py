"""Accounts and the audit log at the command line, which is the owner's of the machine."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from core import account_commands
from core.actions import access, door, home, passwords, signing_in
from core.actions.session import Session
from core.errors import Denied
from core.store import accounts
from tests.signed_in import cheap_hashes
from tests.test_cli import said_here, told

PASSWORD = "a password at the terminal"


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    cheap_hashes(monkeypatch)


def add(name: str, role: str, *more: str) -> str:
    secret = passwords.hashed(PASSWORD)
    done = told("account", "add", name, "--role", role, f"--secret={secret}", *more)
    assert done.code == 0, done.err
    return secret


def test_a_home_gets_accounts_and_opens_again(session: Session) -> None:
    assert told("account", "on").code == 2
    add("ada", "admin")
    add("ann", "annotator", "--cap-usd", "2.5")
    assert told("account", "add", "bob@lab.example", "--role", "viewer", "--oidc").code == 0
    assert told("account", "on").code == 0 and access.is_on()
    rows = json.loads(told("account", "list", "--format", "json").out)
    assert [(row["name"], row["role"], row["signs in by"], row["cap_usd"]) for row in rows] == [
        ("ada", "admin", "password", None),
        ("ann", "annotator", "password", 2.5),
        ("bob@lab.example", "viewer", "oidc", None),
    ]
    assert told("project", "new", "made by the owner", "--labels", "a,b").code == 0
    with pytest.raises(Denied):
        home.all_projects()
    assert told("account", "off").code == 0
    assert [project.name for project in home.all_projects()] == ["made by the owner"]


def test_each_change_is_made_and_written_down(session: Session) -> None:
    add("ada", "admin")
    secret = add("ann", "annotator")
    told("account", "on")
    assert signing_in.sign_in("ann", PASSWORD)
    for words in (
        ("role", "ann", "researcher"), ("cap", "ann", "3"), ("cap", "ann", "none"),
        ("disable", "ann"), ("enable", "ann"), ("idle", "2"),
        ("password", "ann", f"--secret={passwords.hashed('another password')}"),
    ):  # fmt: skip
        done = told("account", *words)
        assert (done.code, done.err) == (0, ""), words
    assert signing_in.sign_in("ann", "another password")
    log = told("audit-log", "show", "--format", "json").out
    acts = [row["act"] for row in json.loads(log)]
    assert acts == [
        "sign-in", "password changed", "idle limit changed", "account enabled", "account disabled",
        "person's cap changed", "person's cap changed", "role changed", "sign-in", "accounts on",
        "account added", "account added",
    ]  # fmt: skip
    assert secret not in log and PASSWORD not in log
    assert {row["let in by"] for row in json.loads(log)} == {"command line", "password"}
    only = json.loads(told("audit-log", "show", "--who", "ann", "--format", "json").out)
    assert [row["act"] for row in only] == ["sign-in", "sign-in"]
    assert told("audit-log", "show", "--act", "role changed").out.count("role changed") == 1
    assert told("audit-log", "show", "--format", "csv").out.startswith("when (UTC),who,")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("account", "role", "nobody", "admin"), "no account 'nobody'"),
        (("account", "role", "ada", "king"), "invalid choice"),
        (("account", "disable", "ada"), "only admin"),
        (("account", "cap", "ada", "-1"), "not an amount"),
        (("account", "add", "ADA", "--role", "viewer", "--oidc"), "already"),
        (("account", "add", "eve", "--role", "viewer", "--secret=plain"), "no hash"),
        (("account", "add", "eve", "--role", "viewer"), "needs one"),
        (("account", "idle", "0"), "after a minute"),
    ],
)
def test_what_cannot_be_is_one_line_and_code_2(
    session: Session, words: tuple[str, ...], says: str
) -> None:
    add("ada", "admin")
    done = told(*words)
    assert done.code == 2 and says in done.err and len(done.err.splitlines()) == 1


def test_a_password_is_taken_from_the_input_and_only_its_hash_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--home", str(tmp_path / "home"), "account", "add", "ada", "--role", "admin"]
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{PASSWORD}\nmore\n"))
    done = said_here(capsys, *words, "--password-stdin")
    assert done.code == 0 and PASSWORD not in done.out + done.err
    for given, says in (("short\n", "at least"), ("", "at least")):
        monkeypatch.setattr(sys, "stdin", io.StringIO(given))
        done = said_here(capsys, *words, "--password-stdin")
        assert done.code == 2 and says in done.err
    # Nobody to ask: it says what to do, and waits for nothing.
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    done = said_here(capsys, *words)
    assert done.code == 2 and "--password-stdin" in done.err


def test_a_terminal_is_asked_twice_without_an_echo(monkeypatch: pytest.MonkeyPatch) -> None:
    import argparse

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    asked = argparse.Namespace(asks_password=True, secret=None, password_stdin=False, name="ada")
    monkeypatch.setattr(sys, "stdin", Terminal())
    given = iter([PASSWORD, PASSWORD, PASSWORD, "another one, typed"])
    monkeypatch.setattr(account_commands.getpass, "getpass", lambda prompt: next(given))
    (word,) = account_commands.asked_for(asked)
    assert passwords.is_right(PASSWORD, word.removeprefix("--secret="))
    with pytest.raises(Exception, match="not the same"):
        account_commands.asked_for(asked)


def test_a_command_through_the_socket_is_the_owners_too(session: Session) -> None:
    from core.__main__ import run

    add("ada", "admin")
    told("account", "on")
    assert door.serve(session.home, run)
    said: list[str] = []
    code = door.send(session.home, ["account", "list"], Path.cwd(),
                     lambda line, is_error: said.append(line))  # fmt: skip
    door.shut(session.home)
    assert code == 0 and any("ada" in line for line in said)
    with pytest.raises(Denied):
        home.all_projects()


def test_older_homes_get_the_tables(session: Session) -> None:
    assert accounts.all_accounts(session.database) == []
    assert accounts.setting(session.database, "accounts", False) is False
