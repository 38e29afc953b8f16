"""Passwords, waits, sessions that end, identity providers, and what of it is written down."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.actions import access, archives, exports, home, passwords, people, signing_in
from core.actions.patience import (
    FORGOTTEN_SECONDS,
    FREE_TRIES,
    FREE_TRIES_OF_ALL,
    LONGEST_SECONDS,
    MOST_NAMES,
    Patience,
)
from core.actions.session import Session
from core.errors import Denied, Problem
from core.store import accounts
from tests.signed_in import PASSWORD, acting, add_everyone, cheap_hashes

ISSUER = "https://login.lab.example"


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    made = Clock()
    monkeypatch.setattr(signing_in, "_clock", made)
    monkeypatch.setattr(signing_in, "_patience", Patience(made))
    yield made
    signing_in._over.clear()
    signing_in._used.clear()
    signing_in._sessions.clear()


@pytest.fixture
def everyone(session: Session, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Session:
    cheap_hashes(monkeypatch)
    add_everyone()
    return session


def entries(act: str | None = None) -> list[Any]:
    with access.acting(access.owner()):
        return people.log(act=act)


# Passwords


def test_the_right_password_fits_and_no_other_one(monkeypatch: pytest.MonkeyPatch) -> None:
    cheap_hashes(monkeypatch)
    secret = passwords.hashed("correct horse battery")
    assert "correct" not in secret and passwords.is_right("correct horse battery", secret)
    assert not passwords.is_right("correct horse batterz", secret)
    assert not passwords.is_right("", secret) and not passwords.is_right("x" * 5000, secret)
    assert passwords.hashed("correct horse battery") != secret  # a salt of its own
    assert passwords.check_secret(secret) == secret


def test_a_password_typed_with_other_code_points_is_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cheap_hashes(monkeypatch)
    assert passwords.is_right("cafe\u0301 au lait!", passwords.hashed("caf\u00e9 au lait!"))


def test_the_cost_that_people_get_is_what_owasp_names() -> None:
    assert (passwords.COST, passwords.BLOCK, passwords.LANES) == (16, 8, 2)


def test_no_password_fits_where_there_is_none_and_one_is_hashed_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cheap_hashes(monkeypatch)
    passwords._nobodys()
    done: list[str] = []
    real = passwords._scrypt
    monkeypatch.setattr(passwords, "_scrypt", lambda *given: done.append("") or real(*given))
    assert not passwords.is_right("anything at all", None)
    assert len(done) == 1


@pytest.mark.parametrize("given", ["short", "a" * 1025, "annabelle the name"])
def test_passwords_that_cannot_be_are_refused(given: str) -> None:
    with pytest.raises(Problem):
        passwords.hashed(given, "Annabelle the Name")


@pytest.mark.parametrize(
    "secret", ["", "plain", "scrypt$16$8$2$x$y", "scrypt$31$8$1$" + "A" * 24 + "$" + "A" * 44]
)
def test_a_secret_that_is_no_hash_of_ours_is_refused(secret: str) -> None:
    with pytest.raises(Problem):
        passwords.check_secret(secret)
    assert not passwords.is_right("anything at all", secret or "x")


# Waits


def wrong(patience: Patience, name: str) -> bool:
    """Try once, wrongly; return whether that was looked at."""
    try:
        patience.begin(name)
    except Denied:
        return False
    return True


def test_waits_at_a_name_double_to_the_longest_and_are_forgotten() -> None:
    clock = Clock()
    patience = Patience(clock)
    assert [wrong(patience, "ann") for _ in range(FREE_TRIES)] == [True] * FREE_TRIES
    waits = []
    for _ in range(12):
        begun = clock.now
        while not wrong(patience, "ANN"):  # the same name in other letters
            clock.now += 1
        waits.append(clock.now - begun)
    assert waits[:6] == [1, 2, 4, 8, 16, 32] and waits[-1] == LONGEST_SECONDS
    clock.now += FORGOTTEN_SECONDS + 1
    assert [wrong(patience, "ann") for _ in range(FREE_TRIES)] == [True] * FREE_TRIES


def test_a_try_that_comes_too_early_does_not_count_and_a_right_one_forgives() -> None:
    clock = Clock()
    patience = Patience(clock)
    for _ in range(FREE_TRIES):
        patience.begin("ann")
    assert not any(wrong(patience, "ann") for _ in range(100))
    clock.now += 1
    patience.begin("ann")
    patience.right("ann")
    assert [wrong(patience, "ann") for _ in range(FREE_TRIES)] == [True] * FREE_TRIES


def test_many_names_are_slowed_down_together_and_take_no_more_room() -> None:
    clock = Clock()
    patience = Patience(clock)
    looked_at = sum(wrong(patience, f"name {n}") for n in range(1000))
    assert looked_at == FREE_TRIES_OF_ALL
    clock.now += 3600
    for n in range(MOST_NAMES + 50):
        clock.now += 60
        patience.begin(f"other {n}")
    assert len(patience._by_name) <= MOST_NAMES


def test_tries_at_once_are_all_counted_before_any_is_looked_at() -> None:
    patience = Patience(Clock())
    begun = sum(wrong(patience, "ann") for _ in range(10))
    assert begun == FREE_TRIES  # none of them has been found right or wrong yet


def test_a_wait_is_as_long_as_told_whatever_becomes_of_the_wall_clock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    patience = Patience()
    for _ in range(FREE_TRIES):
        patience.begin("ann")
    real = time.time()
    monkeypatch.setattr(time, "time", lambda: real - 3600)
    with pytest.raises(Denied) as caught:
        patience.begin("ann")
    assert caught.value.hint == "Try again in 1 seconds."


# Sessions by password


def test_a_right_password_begins_a_session_and_a_wrong_one_says_nothing(everyone: Session) -> None:
    token = signing_in.sign_in(" Annotator ", PASSWORD.format("annotator"))
    me = signing_in.actor_of(token)
    assert me and (me.name, me.role, me.how) == ("annotator", "annotator", "password")
    told = []
    people_add_provider()
    for name in ("annotator", "nobody", "provided", "disabled"):
        with pytest.raises(Denied) as denied:
            signing_in.sign_in(name, "a wrong password")
        told.append(str(denied.value))
    assert set(told) == {signing_in.WRONG}
    assert signing_in.actor_of(None) is None and signing_in.actor_of("guessed") is None


def people_add_provider() -> None:
    with access.acting(access.owner()):
        people.add("provided", "viewer", None, "oidc")
        people.add("disabled", "viewer", passwords.hashed("a wrong password"))
        people.set_active("disabled", False)


def test_waits_are_the_same_for_names_that_are_not_there(everyone: Session, clock: Clock) -> None:
    for name in ("viewer", "nobody"):
        told = []
        for _ in range(FREE_TRIES + 1):
            with pytest.raises(Denied) as denied:
                signing_in.sign_in(name, "a wrong password")
            told.append(str(denied.value))
        assert told[-1] == "There were too many wrong tries. Try again in 1 seconds."
    clock.now += 1
    assert signing_in.sign_in("viewer", PASSWORD.format("viewer"))


def test_a_session_ends_when_nothing_was_done_for_long(everyone: Session, clock: Clock) -> None:
    token = signing_in.sign_in("viewer", PASSWORD.format("viewer"))
    for _ in range(3):
        clock.now += 7 * 3600
        assert signing_in.actor_of(token)
    clock.now += 7 * 3600
    assert signing_in.actor_of(token, is_use=False)  # a page that only watches puts nothing off
    clock.now += 2 * 3600
    assert signing_in.actor_of(token) is None and signing_in.actor_of(token) is None


def test_the_limit_can_be_set(everyone: Session, clock: Clock) -> None:
    with acting("admin"):
        people.set_idle_hours(0.5)
    token = signing_in.sign_in("viewer", PASSWORD.format("viewer"))
    clock.now += 1801
    assert signing_in.actor_of(token) is None


def test_watching_is_no_use_and_changing_something_is(everyone: Session, clock: Clock) -> None:
    token = signing_in.sign_in("researcher", PASSWORD.format("researcher"))
    access.ask(lambda is_use: signing_in.actor_of(token, is_use))
    try:
        clock.now += 6 * 3600
        home.create_project("new")
        clock.now += 6 * 3600
        assert home.all_projects()
        clock.now += 3 * 3600
        with pytest.raises(Denied):
            home.all_projects()
    finally:
        access.ask(lambda is_use: None)


def test_signing_out_ends_one_session_and_another_password_all(everyone: Session) -> None:
    one, two, other = (
        signing_in.sign_in("viewer", PASSWORD.format("viewer")),
        signing_in.sign_in("viewer", PASSWORD.format("viewer")),
        signing_in.sign_in("annotator", PASSWORD.format("annotator")),
    )
    signing_in.sign_out(one)
    assert signing_in.actor_of(one) is None and signing_in.actor_of(two)
    with acting("admin"):
        people.set_password("viewer", passwords.hashed("another password"))
    assert signing_in.actor_of(two) is None and signing_in.actor_of(other)
    assert signing_in.actor_of(signing_in.sign_in("viewer", "another password"))


def test_ones_own_password_is_changed_by_who_knows_it(everyone: Session) -> None:
    token = signing_in.sign_in("viewer", PASSWORD.format("viewer"))
    with acting("viewer"):
        with pytest.raises(Denied, match="old password"):
            people.change_own_password("a wrong password", "another password")
        with pytest.raises(Problem, match="at least"):
            people.change_own_password(PASSWORD.format("viewer"), "short")
        people.change_own_password(PASSWORD.format("viewer"), "another password")
    assert signing_in.actor_of(token) is None
    assert signing_in.sign_in("viewer", "another password")


# Sign-in at a provider


def claims(clock: Clock, **more: Any) -> dict[str, Any]:
    return {"is_logged_in": True, "iss": ISSUER, "sub": "7", "email": "ann@lab.example",
            "email_verified": True, "iat": clock.now, **more}  # fmt: skip


@pytest.fixture
def provided(everyone: Session) -> None:
    with access.acting(access.owner()):
        people.add("ann@lab.example", "annotator", None, "oidc")


def test_who_a_provider_has_verified_gets_their_account(provided: None, clock: Clock) -> None:
    me = signing_in.actor_of(signing_in.sign_in_with(claims(clock, email="Ann@lab.example")))
    assert me and (me.name, me.role, me.how) == ("ann@lab.example", "annotator", "oidc")


def test_an_account_is_bound_to_the_providers_own_id(provided: None, clock: Clock) -> None:
    signing_in.sign_in_with(claims(clock))
    # The address was given to somebody else since, or another provider says it is theirs.
    for other in ({"sub": "8"}, {"iss": "https://other.example"}):
        with pytest.raises(Denied, match="no account"):
            signing_in.sign_in_with(claims(clock, **other))
    # The same person with another address is the same account.
    moved = signing_in.sign_in_with(claims(clock, email="ann.new@lab.example"))
    me = signing_in.actor_of(moved)
    assert me and me.name == "ann@lab.example"


@pytest.mark.parametrize(
    "more",
    [{"email_verified": False}, {"email_verified": "true"}, {"email": "", "sub": "ann"},
     {"sub": ""}, {"iss": ""}, {"iat": None}, {"iat": "now"}],
)  # fmt: skip
def test_what_a_provider_does_not_vouch_for_is_refused(
    provided: None, clock: Clock, more: dict[str, Any]
) -> None:
    with pytest.raises(Denied):
        signing_in.sign_in_with(claims(clock, **more))


def test_a_password_account_is_nobodys_at_a_provider(provided: None, clock: Clock) -> None:
    with pytest.raises(Denied, match="no account"):
        signing_in.sign_in_with(claims(clock, sub="9", email="admin"))


def test_the_providers_cookie_does_not_outlive_our_limit(provided: None, clock: Clock) -> None:
    said = claims(clock)
    token = signing_in.sign_in_with(said)
    clock.now += 7 * 3600
    assert signing_in.actor_of(token)
    clock.now += 7 * 3600
    assert signing_in.sign_in_with(said)  # a new tab, an hour before the limit
    clock.now += 9 * 3600
    assert signing_in.actor_of(token) is None
    with pytest.raises(Denied, match="has ended"):
        signing_in.sign_in_with(said)
    assert signing_in.sign_in_with(claims(clock))  # signed in there anew


def test_a_sign_in_that_was_signed_out_of_begins_no_session(provided: None, clock: Clock) -> None:
    said = claims(clock)
    signing_in.sign_out(signing_in.sign_in_with(said))
    with pytest.raises(Denied, match="has ended"):
        signing_in.sign_in_with(said)


def test_leaving_one_tab_leaves_all_that_the_same_sign_in_let_in(
    provided: None, clock: Clock
) -> None:
    said, later = claims(clock), claims(clock, iat=clock.now + 1)
    one, two, other = map(signing_in.sign_in_with, (said, said, later))
    signing_in.sign_out(one)
    assert signing_in.actor_of(two) is None and signing_in.actor_of(other)


def test_who_is_refused_is_told_why(provided: None, clock: Clock) -> None:
    ahead = clock.now + signing_in.LEAD_SECONDS + 1
    for more, why in [
        ({"sub": "8", "email": "eve@lab.example"}, "no account for 'eve@lab.example'"),
        ({"email_verified": False}, "does not say that it has verified 'ann@lab.example'.* '7'"),
        ({"email": None}, "no account for '7'"),
        ({"iat": ahead}, "clock is ahead"),
    ]:
        with pytest.raises(Denied, match=why):
            signing_in.sign_in_with(claims(clock, **more))


def test_a_disabled_account_of_a_provider_is_refused(provided: None, clock: Clock) -> None:
    token = signing_in.sign_in_with(claims(clock))
    with acting("admin"):
        people.set_active("ann@lab.example", False)
    assert signing_in.actor_of(token) is None
    with pytest.raises(Denied, match=r"'ann@lab\.example' may sign in no longer"):
        signing_in.sign_in_with(claims(clock))


# What is written down


def test_the_log_tells_who_came_who_was_refused_and_what_was_changed(everyone: Session) -> None:
    with pytest.raises(Denied):
        signing_in.sign_in("viewer", "a wrong password")
    with pytest.raises(Denied):
        signing_in.sign_in("my password in the wrong box", "x")
    with acting("admin"):
        people.set_role("viewer", "annotator")
        people.set_cap("viewer", 2.5)
        project = home.create_project("going").id
        home.delete_project(project)
        people.turn_off()
    found = [(each.actor, each.how, each.act, dict(each.about)) for each in entries()]
    assert found[0] == ("admin", "password", "accounts off", {})
    assert found[1] == ("admin", "password", "project deleted", {"name": "going"})
    assert found[2][2:] == (
        "person's cap changed", {"account": "viewer", "before": None, "cap_usd": 2.5}
    )  # fmt: skip
    assert found[3][2:] == (
        "role changed", {"account": "viewer", "before": "viewer", "role": "annotator"}
    )  # fmt: skip
    assert found[4][:3] == ("admin", "password", "sign-in")
    assert found[5][:3] == ("(unknown)", "password", "sign-in refused")
    assert found[6][:3] == ("viewer", "password", "sign-in refused")
    assert [row[2] for row in found[-5:]] == ["accounts on", *["account added"] * 4]
    assert {row[1] for row in found[-5:]} == {"command line"}
    assert [each.project for each in entries("project deleted")] == [project]


def test_the_log_stays_when_the_project_goes_and_nothing_changes_it(everyone: Session) -> None:
    source = Path(accounts.__file__).parent
    for path in source.glob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert "UPDATE audit_log" not in text and "DELETE FROM audit_log" not in text, path
    with acting("admin"):
        project = home.create_project("kept in the log").id
        exports.export_pieces(project, ".csv")
        home.delete_project(project)
    assert [each.act for each in entries()][:2] == ["project deleted", "export"]


def test_no_hash_or_password_is_in_archives_exports_logs_or_what_is_shown(
    everyone: Session, tmp_path: Path
) -> None:
    secrets = {
        each.secret for each in accounts.all_accounts(everyone.database) if each.secret is not None
    }
    assert len(secrets) == 4
    with acting("admin"):
        project = home.create_project("planted", "classify", [("a", ""), ("b", "")]).id
        target = tmp_path / "out.admix.zip"
        archives.export_project(project, target)
        shown = json.dumps(people.table(), default=str) + json.dumps(people.log_rows(people.log()))
        shown += repr(people.everyone())
    hidden = [*secrets, *(secret.split("$")[-1] for secret in secrets),
              *(PASSWORD.format(role) for role in access.ROLES)]  # fmt: skip
    packed = b"".join(archive_parts(target))
    for word in hidden:
        assert word not in shown and word.encode() not in packed
    assert not {"account", "audit_log", "home_setting"} & set(archive_tables(target))
    for path in everyone.home.rglob("*.txt"):
        assert not any(word in path.read_text("utf-8", "replace") for word in hidden)


def archive_parts(path: Path) -> list[bytes]:
    import zipfile

    with zipfile.ZipFile(path) as archive:
        return [archive.read(name) for name in archive.namelist()]


def archive_tables(path: Path) -> list[str]:
    from tests.test_archive import tables_of

    return list(tables_of(path))
