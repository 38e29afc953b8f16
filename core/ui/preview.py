"""What would be sent, what comes back, and what is it likely to cost?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from core.actions.asking import Asked, known_price
from core.actions.estimates import Estimated
from core.actions.generate import Previewed, ProviderInfo
from core.records import Price
from core.ui import costs, look

FEW = 10
"""Classes that a preview asks for unless more are chosen."""


def can_ask(provider: ProviderInfo) -> bool:
    """Say whether a provider can be asked; show what there is to know about its key and texts."""
    if provider.is_replay:
        st.info(
            "**Recorded**: changing settings does not change these texts.", icon=":material/replay:"
        )
    if provider.trouble:
        st.error(look.plain(provider.trouble), icon=":material/key:")
        return False
    if provider.has_key:
        return True
    if not provider.needs_key:
        st.caption(f"No key in `{provider.keys[0]}`: right for a server that takes none.")
        return True
    st.warning(
        f"{provider.title} needs a key, and none was found in `{provider.keys[0]}`. Set it in the"
        " environment or in `.streamlit/secrets.toml` and start Admix again. The recorded example"
        " works without one.",
        icon=":material/key:",
    )
    return False


def price_of(request: Asked, key: str = "") -> Price | None:
    """Show what tokens cost and where the figure comes from; ask for it where it is not known."""
    known = known_price(request)
    if known is not None:
        st.caption(
            f"Price: {look.plain(look.usd(known.input_per_mtok))} in,"
            f" {look.plain(look.usd(known.output_per_mtok))} out per million tokens"
            f" ({look.plain(known.source)}; {look.plain(known.as_of)})."
        )
    else:
        st.warning("The price of this model is not known: type it, or go on without a cap.")
    typed = st.checkbox("Type another price", key=f"{key}types_price") if known else True
    if not typed:
        return None
    with st.container(horizontal=True):
        paid_in = st.number_input("Input, USD per million tokens", 0.0, value=None, step=0.1,
                                  key=f"{key}price_in", width=260)  # fmt: skip
        paid_out = st.number_input("Output, USD per million tokens", 0.0, value=None, step=0.1,
                                   key=f"{key}price_out", width=260)  # fmt: skip
    if paid_in is None or paid_out is None:
        return None
    return Price(paid_in, paid_out, "typed", "for this run")


def labels_wanted(labels: Sequence[str]) -> list[str]:
    """Ask which classes a preview is for; all of them where they are few."""
    if len(labels) <= FEW:
        return list(labels)
    return st.multiselect("Classes to preview", labels, list(labels[:FEW]), key="preview_labels")


def show(calls: Sequence[Previewed]) -> None:
    """Show every call of a preview: the exact prompt, the exact reply, and what was read."""
    for place, call in enumerate(calls):
        with st.expander(_headline(call), expanded=place == 0):
            sent, read = st.columns(2, gap="large")
            with sent:
                for message in call.messages:
                    st.markdown(f"**Sent: {look.plain(message['role'])}**")
                    look.literal(message["content"], source="sent", small=True)
                st.markdown("**Came back**")
                look.literal(call.completion or "(nothing)", source="synthetic", small=True)
            with read:
                st.markdown(f"**Read: {len(call.reading.drafts)} items**")
                for draft in call.reading.drafts:
                    look.literal(draft.text, source="synthetic", small=True)
                for line in _found(call.reading.found):
                    look.literal(line, source="synthetic", small=True)
                if call.reading.problems or call.reading.outcome != "read":
                    st.markdown(f"**Could not be read** ({call.reading.outcome})")
                for problem in call.reading.problems:
                    look.literal(problem, source="problem", small=True)


def estimate(found: Estimated, was_previewed: bool) -> None:
    """Show what a run is likely to cost, and at most, before anything large is spent."""
    with st.container(horizontal=True):
        st.metric("Calls", f"{found.n_calls:,}", width=140)
        is_known = found.likely_usd is not None or was_previewed
        st.metric("Likely", costs.likely(found) if is_known else "preview first",
                  width=200 if found.low_usd is None else 380)  # fmt: skip
        st.metric("At most", look.usd(found.worst_usd), width=160,
                  help="Every call at its longest; unusable replies are asked again.")  # fmt: skip
        st.metric("Human texts shown", f"{found.n_humans_sent:,}", width=200)
    told = [
        f"**{n:,} human texts go to {look.plain(who)}.**" for who, n in found.sent_to.items()
    ] or ["No human text leaves this machine."]
    st.caption(f"Basis: {look.plain(found.basis)}. {' '.join(told)}")


def _found(found: Any) -> list[str]:
    """Return what a step brought that is no sample, a line each."""
    if not isinstance(found, Mapping):
        return []
    return [
        f"{name}: {' · '.join(map(str, values)) if isinstance(values, list) else values}"
        for name, values in found.items()
    ]


def _headline(call: Previewed) -> str:
    told = f"**{look.plain(call.label)}** · {len(call.reading.drafts)} read"
    if call.reading.outcome != "read":
        told += f" · :red[{call.reading.outcome}]"
    elif call.reading.problems:
        told += f" · :red[{len(call.reading.problems)} not readable]"
    if call.input_tokens is not None and call.output_tokens is not None:
        told += f" · {call.input_tokens:,} + {call.output_tokens:,} tokens"
    if call.cost_usd is not None:
        told += f" · {look.plain(look.usd(call.cost_usd))}"
    return told
