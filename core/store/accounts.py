"""Accounts: who may act in this home folder, in which role, and for how much money."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from core.errors import Missing, Problem
from core.records import Role, SignIn
from core.store.db import Cursor, Database, dicts, now

_COLUMNS = "name, role, how, secret, subject, cap_usd, gone_usd, is_active, created_at"


@dataclass(frozen=True, slots=True)
class Account:
    """A person who may sign in.

    `subject` is who an identity provider says this is, once it has; `gone_usd` what runs of
    projects that are deleted had cost. The hash of a password never shows.
    """

    name: str
    role: Role
    how: SignIn
    subject: str | None
    cap_usd: float | None
    gone_usd: float
    is_active: bool
    created_at: datetime
    secret: str | None = field(repr=False, default=None)


def all_accounts(database: Database) -> list[Account]:
    """Return every account, the oldest first."""
    with database.read() as cursor:
        cursor.execute(f"SELECT {_COLUMNS} FROM account ORDER BY created_at, name")  # noqa: S608
        return [Account(**row) for row in dicts(cursor)]


def add(database: Database, account: Account) -> None:
    """Keep a new account.

    Raises:
        Problem: the name is taken, in whatever case.
    """
    with database.write() as cursor:
        cursor.execute("SELECT name FROM account")
        if account.name.casefold() in {name.casefold() for (name,) in cursor.fetchall()}:
            raise Problem(f"There is an account {account.name!r} already.", "Choose another name.")
        cursor.execute(
            f"INSERT INTO account ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, 0, true, ?)",  # noqa: S608
            [account.name, account.role, account.how, account.secret, account.subject,
             account.cap_usd, now()],
        )  # fmt: skip


def change(database: Database, name: str, **columns: Any) -> None:
    """Change columns of an account.

    Raises:
        Missing: there is none of that name.
        Problem: nobody would be left who may change accounts.
    """
    allowed = {"role", "secret", "subject", "cap_usd", "is_active"}
    if not columns.keys() <= allowed:
        raise ValueError(f"not columns to change: {columns.keys() - allowed}")
    changes = ", ".join(f"{column} = ?" for column in columns)
    with database.write() as cursor:
        cursor.execute(
            f"UPDATE account SET {changes} WHERE name = ? RETURNING name",  # noqa: S608
            [*columns.values(), name],
        )
        if not cursor.fetchall():
            raise Missing(f"There is no account {name!r}.", "`account list` shows them.")
        if not has_admin(cursor):
            raise Problem(
                f"{name!r} is the only admin who may sign in.", "Make somebody else admin first."
            )


def has_admin(cursor: Cursor) -> bool:
    """Say whether there is an admin who may sign in, or no account at all."""
    cursor.execute(
        "SELECT count(*) = 0 OR count(*) FILTER (role = 'admin' AND is_active) > 0 FROM account"
    )
    return bool(cursor.fetchall()[0][0])


def add_gone(cursor: Cursor, project: str) -> None:
    """Keep what a project's runs cost, by who started them, before its ledger is deleted."""
    cursor.execute(
        "UPDATE account SET gone_usd = gone_usd + spent.usd FROM ("
        "  SELECT started_by, sum(coalesce(usd, 0)) AS usd FROM ledger JOIN run ON run.id = run"
        "  WHERE project = ? AND kind IN ('spend', 'lost') GROUP BY started_by"
        ") spent WHERE spent.started_by = account.name",
        [project],
    )


def setting(database: Database, name: str, default: Any) -> Any:
    """Return a setting of the whole home folder."""
    with database.read() as cursor:
        row = cursor.execute("SELECT value FROM home_setting WHERE name = ?", [name]).fetchone()
    return default if row is None else json.loads(row[0])


def set_setting(database: Database, name: str, value: Any) -> None:
    """Set a setting of the whole home folder."""
    with database.write() as cursor:
        cursor.execute("DELETE FROM home_setting WHERE name = ?", [name])
        cursor.execute("INSERT INTO home_setting VALUES (?, ?)", [name, json.dumps(value)])
