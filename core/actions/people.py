"""Accounts: who has one, in which role, for how much; and what was done, in the audit log."""

from __future__ import annotations

import json
import math
import unicodedata
from collections.abc import Sequence
from typing import Any

from core.actions import access, passwords, signing_in, spending
from core.actions.access import RANK, ROLES, needs
from core.actions.session import here
from core.errors import Missing, Problem
from core.records import Role, SignIn
from core.store import accounts, audit_log
from core.store.accounts import Account
from core.store.audit_log import Entry
from core.store.db import now

MAX_NAME = 60
"""Most characters of a name; of an email address of an identity provider's account, MAX_EMAIL."""
MAX_EMAIL = 254
MAY = {
    "viewer": "read data, prices and results",
    "annotator": "label, review and curate, under their own name",
    "researcher": "import, generate, train, export, and change tasks and prices",
    "admin": "delete projects and samples, back up, manage people, and read the audit log",
}
"""Role -> what it may do, beside what those before it may."""


@needs("admin")
def everyone() -> list[Account]:
    """Return every account, the oldest first."""
    return accounts.all_accounts(here().database)


@needs("admin")
def table() -> list[dict[str, Any]]:
    """Return one flat row per account, as tables, CSV and JSON show them."""
    made = []
    for each in everyone():
        purse = spending.purse_of(each.name)
        made.append(
            {
                "name": each.name,
                "role": each.role,
                "signs in by": each.how,
                "is active": each.is_active,
                "cap_usd": each.cap_usd,
                "spent_usd": purse.spent_usd if purse else 0.0,
                "at work_usd": purse.promised_usd if purse else 0.0,
                "since": each.created_at.isoformat(" ", "minutes"),
            }
        )
    return made


@needs("admin")
def add(
    name: str,
    role: Role,
    secret: str | None,
    how: SignIn = "password",
    cap_usd: float | None = None,
) -> None:
    """Add an account; `secret` is the hash of its password, as `passwords.hashed` returns it.

    Raises:
        Problem: a name that cannot be or is taken, no such role, no password.
    """
    name = _checked_name(name, how)
    _check_role(role)
    _check_cap(cap_usd)
    if how == "password":
        if secret is None:
            raise Problem("An account with a password needs one.")
        passwords.check_secret(secret)
    elif secret is not None:
        raise Problem("Who signs in by an identity provider has no password here.")
    made = Account(name, role, how, None, cap_usd, 0.0, True, now(), secret)
    accounts.add(here().database, made)
    _changed("account added", name, role=role, how=how, cap_usd=cap_usd)


@needs("admin")
def set_role(name: str, role: Role) -> None:
    """Give an account another role.

    Raises:
        Problem: no such role, or nobody would be left who may change accounts.
    """
    _check_role(role)
    before = _find(name).role
    accounts.change(here().database, name, role=role)
    _changed("role changed", name, before=before, role=role)


@needs("admin")
def set_cap(name: str, cap_usd: float | None) -> None:
    """Give an account another cap on all its runs together, or none.

    A run at work keeps the cap that it was started with until it ends or is resumed.

    Raises:
        Problem: no amount of money.
    """
    _check_cap(cap_usd)
    before = _find(name).cap_usd
    accounts.change(here().database, name, cap_usd=cap_usd)
    _changed("person's cap changed", name, before=before, cap_usd=cap_usd)


@needs("admin")
def set_active(name: str, is_active: bool) -> None:
    """Let an account sign in, or no longer; then its sessions end at their next action.

    Raises:
        Problem: nobody would be left who may change accounts.
    """
    _find(name)
    accounts.change(here().database, name, is_active=is_active)
    signing_in.end_all(name)
    _changed("account enabled" if is_active else "account disabled", name)


@needs("admin")
def set_password(name: str, secret: str) -> None:
    """Give an account another password, by its hash; its sessions end.

    Raises:
        Problem: no hash as we keep it, or an account without a password.
    """
    if _find(name).how != "password":
        raise Problem(f"{name!r} signs in by an identity provider and has no password here.")
    accounts.change(here().database, name, secret=passwords.check_secret(secret))
    signing_in.end_all(name)
    _changed("password changed", name)


@needs("viewer")
def change_own_password(old: str, new: str) -> None:
    """Change the password of who acts; their sessions end, this one too.

    Raises:
        Denied: the old one is wrong.
        Problem: the new one cannot be a password.
    """
    me = access.actor()
    found = access.account(me.name) if me.has_account else None
    if found is None or found.how != "password":
        raise Problem("You have no password here.")
    signing_in.check_password(found, old)
    accounts.change(here().database, found.name, secret=passwords.hashed(new, found.name))
    signing_in.end_all(found.name)
    _changed("password changed", found.name)


@needs("admin")
def turn_on() -> None:
    """Ask everybody to sign in from now on.

    Raises:
        Problem: there is no admin who could.
    """
    there = [each for each in everyone() if each.role == "admin" and each.is_active]
    if not there:
        raise Problem(
            "There is no admin who could sign in.", "`account add NAME --role admin` adds one."
        )
    accounts.set_setting(here().database, "accounts", True)
    access.note("accounts on")
    access.changed()


@needs("admin")
def turn_off() -> None:
    """Ask nobody to sign in any more: whoever reaches Admix may do everything."""
    access.note("accounts off")
    accounts.set_setting(here().database, "accounts", False)
    access.changed()


@needs("admin")
def set_idle_hours(hours: float) -> None:
    """Set after how many hours without an act somebody is asked to sign in again.

    Raises:
        Problem: not between a minute and 30 days.
    """
    if not 1 / 60 <= hours <= 720:
        raise Problem("Sessions end after a minute at least, and 720 hours at most.")
    accounts.set_setting(here().database, "idle_hours", hours)
    _changed("idle limit changed", hours=hours)


@needs("admin")
def log(actor: str | None = None, act: str | None = None, limit: int = 1000) -> list[Entry]:
    """Return the newest entries of the audit log, the newest first."""
    return audit_log.entries(here().database, actor, act, limit)


@needs("admin")
def log_kinds() -> tuple[list[str], list[str]]:
    """Return who stands in the audit log, and which acts do."""
    return audit_log.kinds(here().database)


def log_rows(found: Sequence[Entry]) -> list[dict[str, Any]]:
    """Return entries as tables, CSV and JSON show them; times are UTC."""
    return [
        {
            "when (UTC)": each.happened_at.isoformat(" ", "seconds"),
            "who": each.actor,
            "let in by": each.how,
            "act": each.act,
            "project": each.project or "",
            "about": json.dumps(dict(each.about), ensure_ascii=False) if each.about else "",
        }
        for each in found
    ]


def may_in_words(role: Role) -> str:
    """Return all that a role may do, as the end of a sentence."""
    return "; ".join(MAY[each] for each in ROLES[: RANK[role] + 1])


def is_on() -> bool:
    """Say whether accounts are on."""
    return access.is_on()


def _changed(act: str, name: str | None = None, **about: Any) -> None:
    # Noted first: who acts may have lost their own session by it.
    access.note(act, None, **({"account": name} if name else {}), **about)
    access.changed()


def _find(name: str) -> Account:
    found = next((each for each in accounts.all_accounts(here().database) if each.name == name),
                 None)  # fmt: skip
    if found is None:
        raise Missing(f"There is no account {name!r}.", "`account list` shows them.")
    return found


def _checked_name(name: str, how: str) -> str:
    name = " ".join(unicodedata.normalize("NFKC", name).split())
    most = MAX_EMAIL if how == "oidc" else MAX_NAME
    if not name or len(name) > most or not name.isprintable():
        raise Problem(f"A name has 1 to {most} characters that can be seen.")
    return name


def _check_role(role: str) -> None:
    if role not in RANK:
        raise Problem(f"{role!r} is no role.", f"Roles: {', '.join(ROLES)}.")


def _check_cap(cap_usd: float | None) -> None:
    if cap_usd is not None and not (math.isfinite(cap_usd) and cap_usd >= 0):
        raise Problem(f"{cap_usd} is not an amount of money.", "Type dollars, not below zero.")
