"""Who has signed in, and until when? Sessions live in this process and end with it.

A page keeps a token that only this process gives out. It stands for an account as it was at
sign-in: another password, another subject or a new account of the same name end it.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from core.actions import access, passwords
from core.actions.access import Actor
from core.actions.patience import Patience
from core.actions.session import here
from core.errors import Denied
from core.store import accounts
from core.store.accounts import Account

WRONG = "The name or the password is wrong."
LEAD_SECONDS = 60.0
"""How far a provider's clock may be ahead of ours."""
_clock: Callable[[], float] = time.time
_patience = Patience()
_lock = threading.Lock()


@dataclass(slots=True)
class _Session:
    """Somebody who signed in: the account as it was, and when they last did something.

    `identity` is the sign-in at an identity provider behind it, where there is one.
    """

    name: str
    stamp: tuple[Any, ...]
    used_at: float
    identity: tuple[str, float] | None = None


_sessions: dict[str, _Session] = {}
_used: dict[tuple[str, float], float] = {}
"""Sign-in at a provider -> when it was last used here; its cookie outlives our idle limit."""
_over: set[tuple[str, float]] = set()
"""Sign-ins at a provider that somebody has signed out of here."""


def sign_in(name: str, password: str) -> str:
    """Return the token of a new session for a name and its password.

    Raises:
        Denied: they do not fit, for whatever reason, or there were too many wrong tries.
    """
    name = name.strip()[:200]
    _patience.begin(name)
    found = _by_name(name)
    is_known = found is not None and found.how == "password" and found.is_active
    # Looked at in any case, so that a name that is not there takes as long.
    is_right = passwords.is_right(password, found.secret if found and is_known else None)
    if found is None or not is_right:
        # A password may have been typed in place of a name: unknown ones are not written down.
        access.log(found.name if found else "(unknown)", "password", "sign-in refused")
        raise Denied(WRONG)
    _patience.right(name)
    access.log(found.name, "password", "sign-in")
    return _begin(found, None)


def sign_in_with(claims: Mapping[str, Any]) -> str:
    """Return the token of a new session for who an identity provider says is there.

    An account of the provider is found by the subject it was first used with; before, by an email
    address that the provider has verified, or by the subject itself as the account's name.

    Raises:
        Denied: there is no such account, or the sign-in is too old and must be made anew.
    """
    issuer, subject = str(claims.get("iss", "")), str(claims.get("sub", ""))
    said = str(claims.get("email") or "")
    email = said if claims.get("email_verified") is True else ""
    issued_at = claims.get("iat")
    if not issuer or not subject or not isinstance(issued_at, int | float):
        raise Denied("The identity provider does not say who you are, or since when.")
    identity = (f"{issuer} {subject}", float(issued_at))
    now = _clock()
    if issued_at - LEAD_SECONDS > now:
        raise Denied("The identity provider's clock is ahead of the one here.", "Set one of them.")
    if identity in _over or now - _used.get(identity, issued_at) > _idle_seconds():
        raise Denied("Your session has ended.", "Sign in again.")
    _patience.begin(identity[0])
    found = _by_subject(identity[0], {email, subject} - {""})
    if found is None or not found.is_active:
        access.log(found.name if found else identity[0], "oidc", "sign-in refused")
        raise _no_account(found, subject, said, email)
    _patience.right(identity[0])
    if found.subject is None:
        accounts.change(here().database, found.name, subject=identity[0])
        access.changed()
        found = next(each for each in _all() if each.name == found.name)
    access.log(found.name, "oidc", "sign-in")
    return _begin(found, identity)


def actor_of(token: str | None, is_use: bool = True) -> Actor | None:
    """Return who a token stands for, if the session is not over; `is_use` puts its end off."""
    with _lock:
        session = _sessions.get(token or "")
        if session is None:
            return None
        found, now = access.account(session.name), _clock()
        is_over = now - session.used_at > _idle_seconds()
        if found is None or is_over or _stamp(found) != session.stamp:
            del _sessions[token or ""]
            return None
        if is_use:
            session.used_at = now
            if session.identity:
                _used[session.identity] = now
    return Actor(found.name, found.role, found.how)


def check_password(found: Account, password: str) -> None:
    """Refuse a password that is not the account's, with the same waits as at sign-in.

    Raises:
        Denied: it is wrong, or there were too many wrong tries.
    """
    _patience.begin(found.name)
    if not passwords.is_right(password, found.secret):
        access.log(found.name, found.how, "password change refused")
        raise Denied("The old password is wrong.")
    _patience.right(found.name)


def sign_out(token: str | None) -> None:
    """End a session, and with it every other that began with the same sign-in at a provider.

    That sign-in begins none any more.
    """
    with _lock:
        session = _sessions.pop(token or "", None)
        if session and session.identity:
            _used.pop(session.identity, None)
            _over.add(session.identity)
            # One sign-in there lets every tab in, so leaving one leaves them all.
            for other in [t for t, each in _sessions.items() if each.identity == session.identity]:
                del _sessions[other]
    if session:
        found = access.account(session.name)
        access.log(session.name, found.how if found else "", "sign-out")


def end_all(name: str, but: str | None = None) -> None:
    """End every session of an account, but for one."""
    with _lock:
        for token in [t for t, each in _sessions.items() if each.name == name and t != but]:
            del _sessions[token]


def _begin(found: Account, identity: tuple[str, float] | None) -> str:
    token, now = secrets.token_urlsafe(32), _clock()
    with _lock:
        # Sessions that nobody came back to go, or they would gather.
        for old in [t for t, each in _sessions.items() if now - each.used_at > _idle_seconds()]:
            del _sessions[old]
        for each in [i for i, used_at in _used.items() if now - used_at > _idle_seconds()]:
            del _used[each]
        _over.intersection_update({i for i in _over if now - i[1] <= _idle_seconds()})
        _sessions[token] = _Session(found.name, _stamp(found), now, identity)
        if identity:
            _used[identity] = now
    return token


def _no_account(found: Account | None, subject: str, said: str, email: str) -> Denied:
    """Return why nobody is let in whom a provider knows; `email` is what it has verified."""
    if found is not None:
        return Denied(f"{found.name!r} may sign in no longer.", "An admin can allow it on People.")
    if said and not email:
        return Denied(
            f"The identity provider does not say that it has verified {said!r}.",
            f"Have it verified there; or an admin can add {subject!r}, your id there, on People.",
        )
    who = email or subject
    return Denied(f"There is no account for {who!r} here.", "An admin can add one on People.")


def _stamp(found: Account) -> tuple[Any, ...]:
    return found.how, found.created_at, found.secret, found.subject


def _idle_seconds() -> float:
    return access.idle_hours() * 3600


def _all() -> list[Account]:
    return accounts.all_accounts(here().database)


def _by_name(name: str) -> Account | None:
    return next((each for each in _all() if each.name.casefold() == name.casefold()), None)


def _by_subject(subject: str, names: set[str]) -> Account | None:
    own = [each for each in _all() if each.how == "oidc"]
    pinned = next((each for each in own if each.subject == subject), None)
    folded = {name.casefold() for name in names}
    free = (each for each in own if each.subject is None and each.name.casefold() in folded)
    return pinned or next(free, None)
