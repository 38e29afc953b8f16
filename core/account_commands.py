"""Commands about people: who may sign in, in which role, for how much, and what was done."""

from __future__ import annotations

import argparse
import getpass
import sys
from argparse import Namespace
from collections.abc import Callable
from typing import Any

from core.actions import passwords, people
from core.actions.access import ROLES
from core.errors import Problem
from core.options import amount
from core.records import SignIn
from core.telling import Say, show

Make = Callable[..., argparse.ArgumentParser]
"""Adds a command: of a parent, by its name, what it does and what it is about."""


def add_commands(parent: Any, command: Make) -> None:
    """Add `account` and `audit-log`."""
    about = "who may sign in, in which role, and how much each may spend"
    accounts = parent.add_parser("account", help=about, description=about)
    of_account = accounts.add_subparsers(dest="what", required=True, metavar="WHAT")
    new = command(of_account, "add", add, "add somebody; asks for a password")
    new.add_argument("name", metavar="NAME")
    new.add_argument("--role", required=True, choices=ROLES)
    new.add_argument("--cap-usd", type=amount, metavar="X", help="the most all their runs may cost")
    new.add_argument(
        "--oidc", action="store_true",
        help="signs in by the identity provider of secrets.toml; NAME is the verified email there",
    )  # fmt: skip
    _add_password(new)
    other = command(of_account, "password", set_password, "give somebody another password")
    other.add_argument("name", metavar="NAME")
    _add_password(other)
    listed = command(of_account, "list", show_all, "show the accounts")
    listed.add_argument("--format", default="table", choices=("table", "csv", "json"))
    role = command(of_account, "role", set_role, "give somebody another role")
    role.add_argument("name", metavar="NAME")
    role.add_argument("role", choices=ROLES)
    cap = command(of_account, "cap", set_cap, "set the most all of somebody's runs may cost")
    cap.add_argument("name", metavar="NAME")
    cap.add_argument("cap_usd", metavar="X|none", type=_cap)
    for name, about in (("disable", "let somebody sign in no longer"),
                        ("enable", "let somebody sign in again")):  # fmt: skip
        one = command(of_account, name, set_active, about)
        one.add_argument("name", metavar="NAME")
    command(of_account, "on", turn_on, "ask everybody to sign in from now on")
    command(of_account, "off", turn_off, "let whoever reaches Admix do everything again")
    idle = command(of_account, "idle", set_idle, "set when somebody who does nothing is signed out")
    idle.add_argument("hours", metavar="HOURS", type=amount)

    about = "who did what: sign-ins, roles, caps, runs that spend, exports, deletions"
    log = parent.add_parser("audit-log", help=about, description=about)
    of_log = log.add_subparsers(dest="what", required=True, metavar="WHAT")
    shown = command(of_log, "show", show_log, "show the newest entries")
    shown.add_argument("--who", metavar="NAME", help="of one person")
    shown.add_argument("--act", metavar="ACT", help="of one kind, as the table calls it")
    shown.add_argument("--format", default="table", choices=("table", "csv", "json"))


def asked_for(arguments: Namespace) -> list[str]:
    """Return the words that a command lacks and only a terminal can give: a password's hash.

    Raises:
        Problem: no password, or one that cannot be.
    """
    if not getattr(arguments, "asks_password", False) or arguments.secret:
        return []
    if getattr(arguments, "oidc", False):
        return []
    if arguments.password_stdin:
        given = sys.stdin.readline().rstrip("\r\n")
    elif sys.stdin.isatty():
        given = getpass.getpass(f"Password of {arguments.name}: ")
        if getpass.getpass("The same again: ") != given:
            raise Problem("The two are not the same.", "Nothing was changed.")
    else:
        raise Problem("There is no terminal to ask for the password.", "Use --password-stdin.")
    return [f"--secret={passwords.hashed(given, arguments.name)}"]


def add(arguments: Namespace, say: Say) -> int:
    """Add an account."""
    how: SignIn = "oidc" if arguments.oidc else "password"
    people.add(arguments.name, arguments.role, arguments.secret, how, arguments.cap_usd)
    say(f"Added {arguments.name!r} as {arguments.role}.", False)
    if not people.is_on():
        say("Accounts are off: `account on` asks everybody to sign in.", True)
    return 0


def set_password(arguments: Namespace, say: Say) -> int:
    """Give an account another password."""
    people.set_password(arguments.name, arguments.secret or "")
    say(f"{arguments.name!r} has another password; their sessions have ended.", False)
    return 0


def show_all(arguments: Namespace, say: Say) -> int:
    """Show the accounts."""
    found = people.table()
    if found or arguments.format == "json":
        show(found, arguments.format, say)
    say(f"Accounts are {'on' if people.is_on() else 'off'}.", True)
    return 0


def set_role(arguments: Namespace, say: Say) -> int:
    """Give an account another role."""
    people.set_role(arguments.name, arguments.role)
    say(f"{arguments.name!r} may {people.may_in_words(arguments.role)}.", False)
    return 0


def set_cap(arguments: Namespace, say: Say) -> int:
    """Give an account another cap."""
    people.set_cap(arguments.name, arguments.cap_usd)
    told = "no cap" if arguments.cap_usd is None else f"a cap of ${arguments.cap_usd:,.2f}"
    say(f"{arguments.name!r} has {told} over all runs.", False)
    return 0


def set_active(arguments: Namespace, say: Say) -> int:
    """Let somebody sign in, or no longer."""
    people.set_active(arguments.name, arguments.what == "enable")
    say(f"{arguments.name!r} may sign in {'again' if arguments.what == 'enable' else 'no longer'}.",
        False)  # fmt: skip
    return 0


def turn_on(arguments: Namespace, say: Say) -> int:
    """Ask everybody to sign in."""
    del arguments
    people.turn_on()
    say("Accounts are on: everybody signs in. This command line stays the owner's.", False)
    return 0


def turn_off(arguments: Namespace, say: Say) -> int:
    """Ask nobody to sign in."""
    del arguments
    people.turn_off()
    say("Accounts are off: whoever reaches Admix may do everything.", False)
    return 0


def set_idle(arguments: Namespace, say: Say) -> int:
    """Set when somebody who does nothing is signed out."""
    people.set_idle_hours(arguments.hours)
    say(f"Sessions end after {arguments.hours:g} hours without an act.", False)
    return 0


def show_log(arguments: Namespace, say: Say) -> int:
    """Show the audit log."""
    found = people.log_rows(people.log(arguments.who, arguments.act))
    if found or arguments.format != "csv":
        show(found, arguments.format, say)
    return 0


def _add_password(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--password-stdin", action="store_true",
        help="take the password from the first line of the input, in place of asking",
    )  # fmt: skip
    # What the terminal's process hands on: a password itself never leaves it.
    parser.add_argument("--secret", help=argparse.SUPPRESS)
    parser.set_defaults(asks_password=True)


def _cap(text: str) -> float | None:
    return None if text == "none" else float(amount(text))
