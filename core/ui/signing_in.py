"""Who is at this page? A sign-in form where accounts are on, and the name in the sidebar after.

A page keeps a token of its session in Streamlit's own state, on the server. Streamlit cannot set a
cookie of ours, so a password's session ends with its tab or when that is loaded anew; a sign-in at
an identity provider has Streamlit's cookie and is taken up again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import urlsplit

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from core.actions import access, people, signing_in
from core.actions.access import Actor
from core.errors import Denied, Problem
from core.ui import in_hand, look

Made = TypeVar("Made")

TOKEN, REFUSED = "admix_token", "admix_refused"
LOCAL = ("localhost", "127.0.0.1", "::1")


def register() -> None:
    """Let actions ask this module who is at the page that calls them."""
    access.ask(_who_acts)


def enter() -> Actor | None:
    """Return who has signed in at this page, or at an identity provider on the way to it."""
    if not access.is_on():
        return None
    return signing_in.actor_of(st.session_state.get(TOKEN)) or _from_provider()


def gate() -> None:
    """Show nothing but how to sign in, where accounts are on and nobody has."""
    register()
    if not access.is_on():
        return
    if (me := enter()) is not None:
        _sidebar(me)
        return
    was_in = st.session_state.pop(TOKEN, None) is not None
    st.title("Sign in")
    if was_in:
        st.info("Your session has ended.", icon=":material/logout:")
    _form()
    st.stop()


def bound(make: Callable[[], Made]) -> Callable[[], Made]:
    """Return a function that is called later, outside the page, and acts for who is here now.

    Their session and role are looked at when it is called.
    """
    token, name = st.session_state.get(TOKEN), str(st.session_state.get("who", ""))

    def made() -> Made:
        me = _actor(token, name, is_use=True)
        if me is None:
            return make()  # refused by the first action that it calls
        with access.acting(me):
            return make()

    return made


def _who_acts(is_use: bool) -> Actor | None:
    # Without a page's context Streamlit's state is one for all visitors.
    if not _is_page():
        return None
    return _actor(st.session_state.get(TOKEN), str(st.session_state.get("who", "")), is_use)


def _actor(token: str | None, name: str, is_use: bool) -> Actor | None:
    if not access.is_on():
        return Actor(name, "admin", access.OPEN)
    return signing_in.actor_of(token, is_use)


def _is_page() -> bool:
    return get_script_run_ctx(suppress_warning=True) is not None


def _form() -> None:
    """Ask for a name and a password, and offer the identity providers that there are."""
    url = urlsplit(st.context.url or "")
    if url.scheme == "http" and url.hostname not in LOCAL:
        st.warning(
            "This connection is not encrypted: a password can be read on its way. Ask whoever runs"
            " Admix to serve it by HTTPS.",
            icon=":material/lock_open:",
        )
    for name, title in _providers().items():
        st.button(f"Sign in with {title}", key=f"provider_{name}", icon=":material/key:",
                  on_click=_to_provider, args=(name,))  # fmt: skip
    wrong = st.empty()
    if refused := st.session_state.get(REFUSED):
        wrong.error(look.plain(refused[1]), icon=":material/error:", width=420)
    with st.form("sign_in", width=420):
        name = st.text_input("Name", max_chars=200, autocomplete="username")
        password = st.text_input("Password", type="password", max_chars=1024,
                                 autocomplete="current-password")  # fmt: skip
        sent = st.form_submit_button("Sign in", type="primary", icon=":material/login:")
    st.caption("With a password you are asked again when you load the page anew, or after"
               f" {access.idle_hours():g} hours in which you did nothing.")  # fmt: skip
    if sent:
        try:
            st.session_state[TOKEN] = signing_in.sign_in(name, password)
        except Problem as problem:
            wrong.error(look.plain(str(problem)), icon=":material/error:", width=420)
            return
        st.session_state.pop(REFUSED, None)
        st.rerun()


def _providers() -> dict[str, str]:
    """Return the identity providers of secrets.toml by the names that `st.login` takes."""
    if not st.secrets.load_if_toml_exists():
        return {}
    told: Mapping[str, Any] = st.secrets.get("auth", {})
    named = {name: name for name, about in told.items() if isinstance(about, Mapping)}
    named.pop("client_kwargs", None)
    return {**({"": "your organisation"} if "client_id" in told else {}), **named}


def _to_provider(name: str) -> None:
    st.session_state.pop(REFUSED, None)
    st.login(name or None)


def _from_provider() -> Actor | None:
    """Begin a session for who Streamlit says has signed in at an identity provider."""
    claims = st.user.to_dict()
    if claims.get("is_logged_in") is not True or not _providers():
        return None
    told = (claims.get("iss"), claims.get("sub"), claims.get("iat"))
    refused = st.session_state.get(REFUSED)
    # Once per sign-in: each try is counted and written down.
    if refused and refused[0] == told:
        return None
    try:
        token = st.session_state[TOKEN] = signing_in.sign_in_with(claims)
    except Denied as denied:
        st.session_state[REFUSED] = (told, str(denied))
        return None
    return signing_in.actor_of(token)


def _sidebar(me: Actor) -> None:
    with st.sidebar, st.popover(look.plain(me.name), icon=":material/person:", width="stretch"):
        st.write(f"As **{me.role}** you may {people.may_in_words(me.role)}.")
        st.button("Sign out", key="sign_out", icon=":material/logout:", on_click=_sign_out,
                  args=(me.how,))  # fmt: skip
        if me.how == "password":
            _own_password()


def _sign_out(how: str) -> None:
    in_hand.give_back()
    signing_in.sign_out(st.session_state.get(TOKEN))
    # Nothing of this visit is left for who comes next.
    st.session_state.clear()
    if how == "oidc":
        st.logout()


def _own_password() -> None:
    with st.form("own_password", border=False, clear_on_submit=True):
        old = st.text_input("Password now", type="password", max_chars=1024,
                            autocomplete="current-password")  # fmt: skip
        new = st.text_input("New password", type="password", max_chars=1024,
                            autocomplete="new-password")  # fmt: skip
        again = st.text_input("The same again", type="password", max_chars=1024,
                              autocomplete="new-password")  # fmt: skip
        if st.form_submit_button("Change it"):
            if new != again:
                st.error("The new ones are not the same.")
                return
            try:
                people.change_own_password(old, new)
            except Problem as problem:
                st.error(look.plain(str(problem)))
                return
            st.rerun()
