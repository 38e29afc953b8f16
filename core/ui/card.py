"""How is one sample shown to the person who decides on it?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.actions import access, curate
from core.actions.cards import Asked, Card
from core.records import Label, Verdict
from core.ui import answering, deck, look

_STYLE = """
<style>
.st-key-admix-card .admix-text { min-height: 8.5rem; }
.st-key-admix-marked .admix-marks {
  border: 1px solid color-mix(in srgb, currentColor 25%, transparent); border-radius: .5rem;
  padding: .9rem 1.1rem;
}
.st-key-admix-guide :is(h1, h2, h3) { font-size: 1.1rem; padding: .4rem 0 .2rem; }
.st-key-admix-opened { scroll-margin: 1rem; }
.st-key-admix-commands { gap: .5rem; }
.st-key-admix-labels {
  display: grid; grid-template-columns: repeat(auto-fill, minmax(9.2rem, 1fr)); gap: .5rem;
}
.st-key-admix-options { display: grid; grid-template-columns: 1fr; gap: .4rem; }
.st-key-admix-options > div, .st-key-admix-options button { width: 100%; }
.st-key-admix-options button, .st-key-admix-options button > div { justify-content: flex-start; }
.st-key-admix-reasons {
  display: grid; grid-template-columns: repeat(auto-fill, minmax(11.5rem, 1fr)); gap: .5rem;
}
.st-key-admix-grid {
  display: grid; grid-template-columns: repeat(auto-fill, minmax(14rem, 1fr)); gap: .8rem;
}
.st-key-admix-grid > div { width: 100%; }
.st-key-admix-reasons > div, .st-key-admix-reasons button { width: 100%; }
.st-key-admix-labels > div, .st-key-admix-labels button { width: 100%; }
.st-key-admix-labels button p { overflow-wrap: anywhere; }
@media (max-width: 1080px) {
  .st-key-admix-desk [data-testid="stHorizontalBlock"]:has(> [data-testid="stColumn"]) {
    flex-direction: column;
  }
  .st-key-admix-desk [data-testid="stColumn"] { width: 100%; min-width: 100%; }
}
</style>
"""


def style() -> None:
    """Put the rules for cards in place; once per page."""
    st.html(_STYLE)


def halves() -> tuple[DeltaGenerator, DeltaGenerator]:
    """Return the places for the card and, beside or below it, for what helps to decide."""
    left, right = st.container(key="admix-desk").columns([2, 1], gap="medium")
    return left, right


def text(card: Card, asked: Asked, *, is_answered: bool = False) -> None:
    """Show a card's text in the colour of its source, with what is known of it.

    Where it `is_answered` below, its options stand on the buttons there, or its text to be marked.
    """
    sample = card.sample
    with st.container(horizontal=True, vertical_alignment="center"):
        if sample.source != "human" and asked.by != "marks":
            st.markdown(f"#### {look.plain(card.told or 'no label')}", width="content")
        look.source_badge(sample.source, deck.facts(card, asked))
    if asked.by == "marks" and is_answered:
        return
    if asked.by == "marks":
        with st.container(key="admix-marked"):
            answering.marked(card, asked)
        return
    with st.container(key="admix-card"):
        _parts(card, has_list=not is_answered, is_even=asked.by == "slider")


def _parts(card: Card, has_list: bool, is_even: bool) -> None:
    """Show the main text with its options, and beside them the texts they are about.

    They are smaller, unless it `is_even` which of them is looked at.
    """
    main, *others = card.parts
    beside = [(field, value) for field, value in others if not field.is_list]
    places = st.columns(2) if beside else [st.container()]
    with places[0]:
        if others:
            st.caption(main[0].title)
        look.literal(main[1], card.sample.source)
        for field, _ in others:
            if field.is_list and has_list:
                st.caption(field.title)
                look.literal("\n".join(card.choices.values()), card.sample.source, small=True)
    for field, value in beside:
        with places[1]:
            st.caption(field.title)
            look.literal(value, card.sample.source, small=not is_even)


def definitions(labels: Sequence[Label], guidelines: str) -> None:
    """Show the guidelines and what each label means, in a part that folds away."""
    fold = st.container(key="admix-guide").expander(
        "Guidelines and labels", expanded=True, icon=":material/menu_book:"
    )
    with fold:
        if guidelines:
            st.markdown(guidelines)
        # A label without a definition says no more here than on its button.
        st.markdown("\n".join(
            f"- **{look.plain(label.name)}** {look.plain(label.definition)}"
            for label in labels if label.definition
        ))  # fmt: skip
        if not guidelines:
            told = "; write them on Data, under Task." if access.may("researcher") else "."
            st.caption(f"No guidelines yet{told}")


def verdicts(found: Sequence[Verdict], of: str, source: str) -> None:
    """Show why checks flag a text, and what it is close to beside it; what is no flag, quietly."""
    for verdict in found:
        if not verdict.is_flagged:
            note(verdict)
            continue
        score = ""
        if verdict.score is not None:
            score = f" · {'similarity' if verdict.close_text else 'score'} {verdict.score:.2f}"
        st.markdown(
            f":material/flag: **{look.plain(verdict.check)}**: {look.plain(verdict.reason)}{score}"
        )
        if verdict.close_text:
            mine, theirs = st.columns(2)
            with mine:
                st.caption("This text")
                look.literal(of, source, small=True)
            with theirs:
                st.caption("Close to")
                look.literal(verdict.close_text, "", small=True)


def note(verdict: Verdict) -> None:
    """Show in small what a check says of a text without flagging it."""
    st.caption(
        f":material/info: {look.plain(verdict.check)}: {look.plain(verdict.reason)}; not flagged",
        help=look.plain(f"Close to: {verdict.close_text}") if verdict.close_text else None,
    )


def provenance(project: str, sample: str) -> None:
    """Show where a pseudo-sample comes from."""
    about = curate.provenance(project, sample)
    if "prompt" in about:
        _origin(about)
        return
    st.write("Imported, without a prompt. Human rows behind it: unknown.")
    origin = about.get("origin")
    if isinstance(origin, Mapping):
        st.markdown(_listed(origin))


def _origin(about: dict[str, object]) -> None:
    price = "Price of the calls" if about["steps"] else "Price of the call"
    facts = {
        "Model": about["model"],
        **({"Strategy": _kind(about["strategy"])} if about["strategy"] else {}),
        "Provider": _kind(about["provider"]),
        "Tokens": f"{about['input_tokens'] or 0:,} in, {about['output_tokens'] or 0:,} out",
        price: look.usd(about["cost_usd"], 4),  # type: ignore[arg-type]
        "Received": f"{about['received_at']} UTC",
    }
    st.markdown(_listed(facts))
    for name, reply in about["steps"]:  # type: ignore[attr-defined]
        st.caption(f"An earlier step, {name}, as it came")
        st.code(reply, language=None, wrap_lines=True)
    for message in about["prompt"]:  # type: ignore[attr-defined]
        st.caption(f"Prompt, {message['role']}")
        st.code(message["content"], language=None, wrap_lines=True)
    st.caption("Completion, as it came")
    st.code(str(about["completion"]), language=None, wrap_lines=True)
    rows = about["human_rows"]
    st.caption(f"Human rows behind it: {len(rows)}")  # type: ignore[arg-type]
    for _, human in rows:  # type: ignore[attr-defined]
        look.literal(human, "human", small=True)


def _listed(facts: Mapping[str, object]) -> str:
    return "  \n".join(
        f"{look.plain(name)}: **{look.plain(str(fact))}**" for name, fact in facts.items()
    )


def _kind(member: object) -> str:
    return str(member.get("kind", member)) if isinstance(member, dict) else str(member)
