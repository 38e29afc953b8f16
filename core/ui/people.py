"""What stands on People: whether people sign in, who they are, and what was done."""

from __future__ import annotations

import streamlit as st

from core.actions import access, home, passwords, people
from core.actions.access import ROLES
from core.formats import write_csv
from core.records import SignIn
from core.store.audit_log import Entry
from core.ui import download, frame

COLUMNS = {
    "cap_usd": st.column_config.NumberColumn("Cap (USD)", format="$%.2f"),
    "spent_usd": st.column_config.NumberColumn("Spent (USD)", format="$%.4f"),
    "at work_usd": st.column_config.NumberColumn(
        "At work (USD)", format="$%.4f", help="What runs at work may still spend."
    ),
}
HOW: dict[SignIn, str] = {"password": "A password", "oidc": "The identity provider"}
ANY = "anybody", "anything"


def switch() -> None:
    """Say whether people sign in, and let that and the idle limit be changed."""
    if access.is_on():
        st.write(":material/lock: **Accounts are on**: everybody signs in.")
        with st.container(horizontal=True, vertical_alignment="bottom"):
            hours = st.number_input(
                "Sessions end after (hours without an act)", 0.1, 720.0, access.idle_hours(), 1.0,
                format="%.4g", width=300,
            )  # fmt: skip
            if st.button("Set the limit"):
                people.set_idle_hours(hours)
                frame.say("The limit is set.")
                st.rerun()
            with st.popover("Turn accounts off", icon=":material/lock_open:"):
                st.write("Then whoever reaches Admix may do everything, under any name.")
                if st.button("Turn them off", icon=":material/lock_open:"):
                    people.turn_off()
                    frame.say("Accounts are off.")
                    st.rerun()
        return
    st.write(
        ":material/lock_open: **Accounts are off**: whoever sits at this machine may do everything,"
        " under the name they give. Add an admin, then turn accounts on."
    )
    has_admin = any(row["role"] == "admin" and row["is active"] for row in people.table())
    if st.button("Turn accounts on", type="primary", icon=":material/lock:",
                 disabled=not has_admin,
                 help=None if has_admin else "Add an admin below first, who can sign in.",
                 ):  # fmt: skip
        people.turn_on()
        st.rerun()


def roles() -> None:
    """Say what each role may do."""
    st.caption("  \n".join(
        f"**{role}** may {'also ' if rank else ''}{people.MAY[role]}"
        for rank, role in enumerate(ROLES)
    ))  # fmt: skip


def add_form() -> None:
    """Ask for a new account."""
    with st.form("add_account", enter_to_submit=False):
        with st.container(horizontal=True, vertical_alignment="bottom"):
            name = st.text_input("Name", max_chars=people.MAX_EMAIL, width=260,
                                 help="Decisions stand under it. For an identity provider: the"
                                 " email address that it has verified.")  # fmt: skip
            role = st.selectbox("Role", ROLES, index=1, width=150)
            how = st.selectbox("Signs in by", list(HOW), format_func=lambda one: HOW[one],
                               width=210)  # fmt: skip
            cap = st.number_input("Cap (USD)", 0.0, value=None, width=150, placeholder="no cap",
                                  help="The most all their runs together may cost.")  # fmt: skip
        password = st.text_input(
            "Password to begin with", type="password", max_chars=1024, width=320,
            autocomplete="new-password",
            help=f"At least {passwords.MIN_LENGTH} characters; they can change it in the sidebar."
            " None for an identity provider.",
        )  # fmt: skip
        if st.form_submit_button("Add the account", icon=":material/person_add:"):
            secret = passwords.hashed(password, name) if how == "password" else None
            people.add(name, role, secret, how, cap)
            frame.say(f"Added {name.strip()}.")
            st.rerun()


def table() -> None:
    """Show the accounts, and change one of them."""
    rows = people.table()
    if not rows:
        st.caption("There is no account yet.")
        return
    st.dataframe(rows, hide_index=True, column_config=COLUMNS, placeholder="–")
    by_name = {row["name"]: row for row in rows}
    chosen = st.selectbox("Change the account of", list(by_name), width=320, key="changed_account")
    row = by_name[chosen]
    with st.form(f"change_{chosen}", border=False, enter_to_submit=False):
        with st.container(horizontal=True, vertical_alignment="bottom"):
            role = st.selectbox("Role", ROLES, ROLES.index(row["role"]), width=150)
            cap = st.number_input("Cap (USD)", 0.0, value=row["cap_usd"], width=150,
                                  placeholder="no cap")  # fmt: skip
            is_active = st.checkbox("May sign in", row["is active"])
        password = ""
        if row["signs in by"] == "password":
            password = st.text_input("Another password", type="password", max_chars=1024,
                                     width=320, autocomplete="new-password",
                                     placeholder="stays as it is")  # fmt: skip
        if st.form_submit_button("Save the changes", icon=":material/save:"):
            if role != row["role"]:
                people.set_role(chosen, role)
            if cap != row["cap_usd"]:
                people.set_cap(chosen, cap)
            if is_active != row["is active"]:
                people.set_active(chosen, is_active)
            if password:
                people.set_password(chosen, passwords.hashed(password, chosen))
            frame.say(f"Saved the account of {chosen}.")
            st.rerun()


def log() -> None:
    """Show the audit log, of one person or one kind of act, and offer it as CSV."""
    actors, acts = people.log_kinds()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        actor = st.selectbox("Who", actors, index=None, placeholder=ANY[0], width=260)
        act = st.selectbox("What", acts, index=None, placeholder=ANY[1], width=260)
        entries = people.log(actor, act)
        found = people.log_rows(entries)
        if found:
            download.button(
                "Log (CSV)", lambda: write_csv(list(found[0]), found), "audit-log.csv", "text/csv",
                icon=":material/download:", key="audit_log_csv",
            )  # fmt: skip
    if not found:
        st.caption("Nothing is written down yet.")
        return
    names = {project.id: project.name for project in home.all_projects()}
    told = [
        {**row, "project": names.get(row["project"], row["project"]), "about": _in_words(each)}
        for row, each in zip(found, entries, strict=True)
    ]
    st.dataframe(told, hide_index=True)
    st.caption(f"The newest {len(found):,}. Entries are only ever added.")


def _in_words(entry: Entry) -> str:
    """Return what an entry is about for people to read; the file has all of it."""
    return ", ".join(f"{key} {value}" for key, value in entry.about.items() if value is not None)
