"""What a curator sees beside the card: the keys, the editor, the grid, and accepting the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import streamlit as st

from core.actions import cards, curate
from core.actions.cards import Asked, Card
from core.actions.curate import REASONS
from core.records import Label
from core.ui import answering, card, deck, desk, frame, history, look, ordering
from core.ui.desk import Desk, Shown


def counted(label: str, counts: Mapping[str, int]) -> str:
    """Return a class with what is left of it."""
    flagged = f", {counts.get('flagged', 0):,} flagged" if counts.get("flagged") else ""
    return f"{label} ({counts.get('pending', 0):,} pending{flagged})"


def totals(counts: Mapping[str, Counter[str]], label: str | None) -> None:
    """Show how many are pending, flagged, accepted and rejected, in all or of a class."""
    summed = counts[label] if label else sum(counts.values(), Counter())
    pending = f"**{summed.get('pending', 0):,}** pending ({summed.get('flagged', 0):,} flagged)"
    decided = [f"**{summed.get(kind, 0):,}** {kind}" for kind in ("accepted", "rejected")]
    named = look.plain(label) if label else "All classes"
    st.caption(f"{named}: {' · '.join([pending, *decided])}")


def drawn(
    card: Card, labels: Sequence[Label], asked: Asked, keys: Mapping[str, str]
) -> Mapping[str, object]:
    """Return a pseudo-sample as the browser draws it; where its label is hidden, one is chosen."""
    is_hidden = card.seen is not None and card.seen.hides_label
    known = {label.name: label for label in labels}
    choices = deck.labels(card, known, keys) if is_hidden else ()
    return deck.drawn(card, asked, choices, has_title=True, has_marker=is_hidden)


def commands(asked: Asked, *, is_ordered: bool = False) -> list[deck.Command]:
    """Return the buttons that decide on a card; where cards are in an order, one changes that."""
    keys, why = cards.COMMAND_KEYS, "Reject in one press, because it is:"
    correct = deck.command("open", "Correct the label", value="correct")
    # On a blind card the digits are labels, and whose label is hidden cannot be called wrong.
    return deck.usual(
        deck.command("accept", "Accept", keys["accept"], is_main=True, when="open"),
        *([deck.marking()] if asked.by == "marks" else []),
        deck.command("reject", "Reject", keys["reject"], REASONS[0], is_last=True, when="open",
                     help="For the reason given last; another one is a key away."),
        deck.command("reject", "Reject", keys["reject"], REASONS[-1], when="blind"),
        deck.command("open", "Edit", keys["edit"], "edit", when="open"),
        *([] if asked.by == "choices" else [correct]),
        deck.command("open", "Details", keys["details"], "origin", when="open",
                     help="Where it comes from, and what happened to it."),
        *([deck.similar()] if is_ordered else []),
    ) + [
        deck.command("reject", reason, str(number), reason, row=why, when="open")
        for number, reason in enumerate(REASONS, start=1)
    ] + [
        deck.command("reject", reason, None, reason, row=why, when="blind")
        for reason in REASONS[1:]
    ]  # fmt: skip


def opened(at: Desk, labels: Sequence[Label], asked: Asked) -> None:
    """Show what was opened of a card: its editor, another label for it, or its details."""
    what, sample = at.opened
    if not what:
        return
    ordering.opened(at)
    held = {one.sample.id: one for one in at.held.cards} if at.held else {}
    if sample not in held or held[sample].is_blind:
        return
    if what == "origin":
        history.details(at, sample)
        return
    with desk.opened_place(), frame.problems():
        one = cards.card_of(at.project, at.who, sample)
        shown = at.show(one)
        if what == "edit":
            editor(at, shown, one)
        else:
            answering.show(at, shown, one, labels, asked)
            if asked.by == "marks":
                answering.save_marks(at, shown, one)
            st.button("Cancel", key=at.key("cancel"), on_click=at.open, args=("", ""))
        desk.notices(at)


def editor(at: Desk, shown: Shown, card: Card) -> None:
    """Let the text be mended; saving accepts it as it is then."""
    boxes = {field.name: at.key(f"edit_{field.name}") for field, _ in card.parts}

    def save() -> None:
        given = {name: st.session_state[box] for name, box in boxes.items()}
        at.decide(shown, curate.edit, given)

    with st.form(at.key("form"), border=False):
        st.caption("Mend it, then save: that accepts it. Every check looks again.")
        for place, (field, value) in enumerate(card.parts):
            words = f"{field.title}, one a line" if field.is_list else field.title
            st.text_area(words, value="\n".join(value) if field.is_list else value,
                         height=160 if place == 0 else 120, key=boxes[field.name])  # fmt: skip
        with st.container(horizontal=True):
            st.form_submit_button("Save and accept", type="primary", on_click=save,
                                  icon=":material/check:")  # fmt: skip
            st.form_submit_button("Cancel", on_click=at.open, args=("", ""))


def accept_rest(
    project: str, who: str, source: str, label: str | None,
    counts: Mapping[str, Counter[str]], split: str = "train",
) -> None:  # fmt: skip
    """Offer to accept all that no check flags, with the number before and a report after."""
    some = [counts[label]] if label else list(counts.values())
    pending = sum(one["pending"] for one in some)
    flagged = sum(one["flagged"] for one in some)
    with st.popover("Accept all unflagged", icon=":material/done_all:",
                    disabled=pending == flagged):  # fmt: skip
        st.markdown(
            f"**{pending - flagged:,}** pending {source} samples"
            f"{' of ' + look.plain(label) if label else ''} that no check flags will be accepted;"
            f" **{flagged:,}** flagged ones stay pending. One undo takes it back."
        )
        if st.button(f"Accept {pending - flagged:,}", type="primary", key="accept_rest"):
            with frame.problems():
                done = curate.accept_many(project, who, label, sources=(source,), split=split)
                left = ", ".join(f"{n:,} {why}" for why, n in done.left.items()) or "none"
                frame.say(f"Accepted {done.n_accepted:,}. Left for the checks' reasons: {left}.")
                st.rerun()


def grid(
    project: str, who: str, source: str, label: str | None, flagged: bool | None,
    split: str = "train",
) -> None:  # fmt: skip
    """Show many pseudo-samples as cards to tick, and decide on the ticked ones as one batch."""
    above = st.container(horizontal=True, vertical_alignment="bottom")
    status = above.segmented_control("Status", ["pending", "accepted", "rejected"],
                                     default="pending", required=True, key="grid_status",
                                     label_visibility="collapsed")  # fmt: skip
    wanted = curate.wanted(label, flagged, status, source=source, split=split)
    place = st.session_state.setdefault(f"grid_{project}", {})
    if place.get("wanted") != wanted:
        place.update(wanted=wanted, afters=[0])
    cards = curate.grid(project, wanted, place["afters"][-1])
    if not cards and len(place["afters"]) > 1:
        place["afters"] = [0]
        cards = curate.grid(project, wanted)
    if not cards:
        st.info(f"No {status} samples match.", icon=":material/filter_alt:")
        _undo_button(project, who)
        return
    with above:
        _page_buttons(project, who, place, cards)
    with st.form("grid", border=False, enter_to_submit=False):
        with st.container(horizontal=True, vertical_alignment="bottom"):
            accept = st.form_submit_button("Accept ticked", type="primary",
                                           icon=":material/check:",
                                           disabled=status == "accepted")  # fmt: skip
            reject = st.form_submit_button("Reject ticked", icon=":material/close:",
                                           disabled=status == "rejected")  # fmt: skip
            reason = st.selectbox("Reason to reject", REASONS, width=220)
        with st.container(key="admix-grid"):
            for one in cards:
                with st.container(border=True):
                    _tile(one)
    ticked = [one.sample.id for one in cards if st.session_state.get(_tick(one))]
    if not (accept or reject):
        return
    if not ticked:
        st.warning("Tick some samples first.")
        return
    shown = {one.sample.id: one.revision for one in cards}
    n = curate.decide_many(project, who, ticked, "accept" if accept else "reject", reason, shown)
    frame.say(f"{'Accepted' if accept else 'Rejected'} {n:,}; one undo takes all back.")
    st.rerun()


def _tile(one: Card) -> None:
    st.checkbox(look.plain(one.told or "no label"), key=_tick(one))
    look.literal(one.sample.text, one.sample.source, small=True)
    for field, value in one.parts[1:]:
        st.caption(look.plain(f"{field.title}: {' · '.join(value) if field.is_list else value}"))
    for verdict in one.verdicts:
        if not verdict.is_flagged:
            card.note(verdict)
            continue
        score = f" ({verdict.score:.2f})" if verdict.close_text and verdict.score else ""
        st.caption(
            f":material/flag: {look.plain(verdict.reason or verdict.check)}{score}",
            help=look.plain(f"Close to: {verdict.close_text}") if verdict.close_text else None,
        )


def _page_buttons(project: str, who: str, place: dict[str, list[int]], cards: list[Card]) -> None:
    st.button("Tick all", icon=":material/select_all:", on_click=_set_ticks, args=(cards, True))
    st.button("Tick none", on_click=_set_ticks, args=(cards, False))
    _undo_button(project, who)
    if len(place["afters"]) > 1:
        st.button("Previous", icon=":material/chevron_left:", on_click=_turn,
                  args=(place, place["afters"][:-1]))  # fmt: skip
    if len(cards) == curate.GRID:
        st.button("Next", icon=":material/chevron_right:", on_click=_turn,
                  args=(place, [*place["afters"], cards[-1].sample.seq]))  # fmt: skip


def _turn(place: dict[str, list[int]], afters: list[int]) -> None:
    place["afters"] = afters


def _undo_button(project: str, who: str) -> None:
    at = desk.desk("curate", project, who)
    if st.button("Undo", icon=":material/undo:", key=at.undo_key("grid")):
        at.undo(at.n_undone)
        frame.say(at.said or at.problem, ":material/undo:")
        st.rerun()


def _set_ticks(cards: Sequence[Card], value: bool) -> None:
    for one in cards:
        st.session_state[_tick(one)] = value


def _tick(one: Card) -> str:
    return f"tick_{one.sample.id}_{one.sample.revision}"
