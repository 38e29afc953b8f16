"""Who writes, and how?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.actions import generate
from core.actions.asking import Writer
from core.actions.generate import ProviderInfo
from core.ui import forms, look, preview

MOST_OTHERS = 5


@dataclass(frozen=True, slots=True)
class Way:
    """The strategy that was chosen, and the seed of the run."""

    strategy: str
    settings: Mapping[str, Any]
    seed: int


def first(project: str) -> tuple[ProviderInfo, dict[str, Any]]:
    """Ask for the provider that writes, with its settings."""
    return _provider("Provider", project, "provider")


def way(project: str, below: DeltaGenerator) -> Way:
    """Ask how prompts are made; what needs the page's whole width is asked `below`."""
    titles = generate.strategies(project)
    strategy = st.selectbox("Strategy", list(titles), format_func=titles.__getitem__)
    settings = forms.settings("strategies", strategy, f"generate_{project}")
    if "attributes" in forms.names("strategies", strategy):
        with below:
            settings["attributes"] = _attributes(project)
    seed = st.number_input("Seed of the run", 0, value=0,
                           help="Decides which examples a prompt shows.")  # fmt: skip
    return Way(strategy, settings, int(seed))


def others(project: str) -> tuple[int, list[Writer]] | None:
    """Ask who writes besides, and the first one's share; None where one cannot be asked."""
    with st.expander("More writers", icon=":material/group_add:"):
        n = st.number_input(
            "Writers besides the first", 0, MOST_OTHERS, 0, key=f"n_others_{project}", width=240,
            help="Each class's calls go round all writers; every sample keeps who wrote it.",
        )  # fmt: skip
        if not n:
            return 1, []
        share = _share("Share of the first", f"share_{project}")
        made, can_ask = [], True
        for number in range(int(n)):
            key = f"writer{number}_{project}"
            st.divider()
            info, settings = _provider(f"Writer {number + 2}", key, key, n_columns=3)
            can_ask = preview.can_ask(info) and can_ask
            writer = Writer(info.id, settings, share=_share("Share", f"share_{key}"))
            price = preview.price_of(writer, key)
            made.append(Writer(info.id, settings, price, share=writer.share))
        return (share, made) if can_ask else None


def take_over(project: str, found: Mapping[str, Any]) -> None:
    """Offer to edit the attributes that a preview proposed, by class."""
    if found and st.button("Edit the proposed attributes", icon=":material/edit:"):
        st.session_state[_kept(project)] = {name: dict(some) for name, some in found.items()}
        st.session_state[f"{_kept(project)}_n"] = st.session_state.get(f"{_kept(project)}_n", 0) + 1
        st.rerun()


def _provider(
    title: str, key: str, name: str, n_columns: int = 1
) -> tuple[ProviderInfo, dict[str, Any]]:
    known = {info.id: info for info in generate.providers()}
    chosen = st.selectbox(title, list(known), format_func=lambda one: known[one].title, key=name)
    fields = forms.settings("providers", chosen, f"generate_{key}", n_columns=n_columns)
    return known[chosen], fields


def _share(title: str, key: str) -> int:
    return int(st.number_input(title, 1, 20, 1, key=key, width=240, persist_state="session"))


def _kept(project: str) -> str:
    return f"attributes_{project}"


def _attributes(project: str) -> dict[str, dict[str, list[str]]]:
    """Let a person write down attributes; a class without any is left to the model."""
    kept = st.session_state.get(_kept(project), {})
    rows = [
        {"class": label, "attribute": name, "values": "; ".join(values)}
        for label, some in kept.items()
        for name, values in some.items()
    ]
    st.caption("Attributes of your own; a class without any is left to the model.")
    edited = st.data_editor(
        rows or [{"class": None, "attribute": None, "values": None}],
        num_rows="dynamic", hide_index=True,
        key=f"{_kept(project)}_{st.session_state.get(f'{_kept(project)}_n', 0)}",
        column_config={
            "class": st.column_config.SelectboxColumn(options=list(generate.human_counts(project))),
            "values": st.column_config.TextColumn(help="Separated by semicolons."),
        },
    )  # fmt: skip
    made: dict[str, dict[str, list[str]]] = {}
    for row in look.records(edited):
        label, name = row.get("class"), str(row.get("attribute") or "").strip()
        values = [part.strip() for part in str(row.get("values") or "").split(";") if part.strip()]
        if label and name and values:
            made.setdefault(str(label), {})[name] = values
    return made
