"""Who acts, and may they? Every action says which role it needs, and is refused to all others.

With accounts off whoever sits at this machine may do everything. With accounts on an action needs
an actor: the page's visitor, who signed in; the owner of the machine at its command line; or Admix
itself at what it does in the background. Where there is none, nothing is done.
"""

from __future__ import annotations

import functools
import inspect
import pwd
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from os import getuid
from typing import Any, ParamSpec, TypeVar, get_args

from core.actions import session
from core.actions.session import Session
from core.errors import Denied
from core.records import Role, SignIn
from core.store import accounts, audit_log
from core.store.accounts import Account

P = ParamSpec("P")
R = TypeVar("R")

ROLES: tuple[Role, ...] = get_args(Role)
"""Each may do what those before it may."""
RANK: Mapping[str, int] = {role: rank for rank, role in enumerate(ROLES)}
OPEN, COMMAND_LINE, BACKGROUND = "open", "command line", "background"
"""How those act who did not sign in."""
IDLE_HOURS = 8.0
"""Hours without an act after which somebody who signed in is asked again."""


NAMES = ("annotator", "who")
"""What actions call the parameter under whose name they decide."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: a name, a role, and how they were let in."""

    name: str
    role: Role
    how: str

    @property
    def has_account(self) -> bool:
        """Say whether this is somebody who signed in."""
        return self.how in get_args(SignIn)


SYSTEM = Actor("Admix", "admin", BACKGROUND)
"""What goes on by itself: jobs that are taken over, and what waits for the app to start."""
Ask = Callable[[bool], Actor | None]
"""Returns who is at a page; is told whether what they do counts as being there."""


@dataclass(frozen=True, slots=True)
class _Rules:
    """What the database says of accounts, kept until it changes."""

    of: Session
    number: int
    is_on: bool
    idle_hours: float
    by_name: Mapping[str, Account]


_acting: ContextVar[Actor | None] = ContextVar("acting", default=None)
_inside: ContextVar[Actor | None] = ContextVar("inside", default=None)
_ask: Ask = lambda is_use: None  # noqa: E731  nobody, until the pages say who is there
_rules: _Rules | None = None
_n_changes = 0


def ask(who: Ask) -> None:
    """Have a page's visitor told by a function from now on."""
    global _ask  # noqa: PLW0603  one process has one kind of page
    _ask = who


@contextmanager
def acting(actor: Actor) -> Iterator[None]:
    """Let everything inside be done by an actor."""
    token = _acting.set(actor)
    try:
        yield
    finally:
        _acting.reset(token)


def owner() -> Actor:
    """Return who owns this process: whoever may read the home folder is its admin anyway."""
    try:
        name = pwd.getpwuid(getuid()).pw_name
    except KeyError:  # a container may run under a number alone
        name = str(getuid())
    return Actor(name, "admin", COMMAND_LINE)


def is_on() -> bool:
    """Say whether accounts are on in the open home folder."""
    rules = _known()
    return rules is not None and rules.is_on


def idle_hours() -> float:
    """Return the hours after which somebody who does nothing is asked to sign in again."""
    rules = _known()
    return IDLE_HOURS if rules is None else rules.idle_hours


def account(name: str) -> Account | None:
    """Return an account that may sign in."""
    rules = _known()
    found = rules.by_name.get(name) if rules else None
    return found if found and found.is_active else None


def changed() -> None:
    """Forget what was known of accounts; call it after every change of them."""
    global _n_changes  # noqa: PLW0603
    _n_changes += 1


def actor(is_use: bool = False) -> Actor:
    """Return who acts.

    Raises:
        Denied: accounts are on, and nobody has signed in.
    """
    # Inside an action first: it may itself be what ends its actor's session.
    found = _inside.get() or _acting.get() or _ask(is_use)
    if found is not None:
        return found
    if is_on():
        raise Denied("You are not signed in, or no longer.", "Load the page again to sign in.")
    return Actor("", "admin", OPEN)


def may(role: Role) -> bool:
    """Say whether who acts may do what a role may."""
    if not is_on():
        return True
    try:
        return RANK[actor().role] >= RANK[role]
    except Denied:
        return False


def needs(role: Role, *, as_others: bool = False) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Refuse an action to who has less than a role; what it calls in turn is part of it.

    An action that decides does so under a name, its parameter `annotator` or `who`: that must be
    one's own, unless it is for deciding `as_others` did.
    """
    rank = RANK[role]

    def guarded(act: Callable[P, R]) -> Callable[P, R]:
        names = list(inspect.signature(act).parameters)
        name = next((one for one in NAMES if one in names), None) if rank else None
        place = None if name is None or as_others else names.index(name)

        @functools.wraps(act)
        def checked(*args: P.args, **kwargs: P.kwargs) -> R:
            if _inside.get() is not None or not is_on():
                return act(*args, **kwargs)
            found = actor(is_use=rank > 0)
            if RANK[found.role] < rank:
                raise Denied(
                    f"Your role, {found.role}, may not do this.",
                    f"It needs {role}; an admin can change roles on People.",
                )
            if place is not None and found.has_account:
                _refuse_other(found, args[place] if place < len(args) else kwargs.get(str(name)))
            token = _inside.set(found)
            try:
                return act(*args, **kwargs)
            finally:
                _inside.reset(token)

        # Read by a test of all actions.
        checked.needs = role  # type: ignore[attr-defined]
        return checked

    return guarded


def note(act: str, project: str | None = None, **about: Any) -> None:
    """Append to the audit log that who acts did something."""
    found = actor()
    log(found.name or "(no name given)", found.how, act, project, about)


def log(
    name: str, how: str, act: str, project: str | None = None,
    about: Mapping[str, Any] | None = None,
) -> None:  # fmt: skip
    """Append an act of somebody named to the audit log."""
    audit_log.append(session.here().database, name, how, act, project, about or {})


def _known() -> _Rules | None:
    global _rules  # noqa: PLW0603
    # The number first: what another thread changes while we read is read again next time.
    opened, known, number = session.opened(), _rules, _n_changes
    if opened is None:
        return None
    if known is None or known.of is not opened or known.number != number:
        database = opened.database
        known = _rules = _Rules(
            opened,
            number,
            bool(accounts.setting(database, "accounts", False)),
            float(accounts.setting(database, "idle_hours", IDLE_HOURS)),
            {each.name: each for each in accounts.all_accounts(database)},
        )
    return known


def _refuse_other(found: Actor, given: object) -> None:
    if given != found.name:
        raise Denied(
            "Decisions are kept under the name of who makes them.",
            f"You are signed in as {found.name!r}.",
        )
