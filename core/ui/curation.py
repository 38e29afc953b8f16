"""What a curator sees beside the card: the keys, the editor, the grid, and accepting the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import streamlit as st

from core.actions import curate, review
from core.actions.curate import REASONS
from core.actions.review import Asked, Card
from core.ui import card, desk, frame, look
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


def commands(at: Desk, shown: Shown | None, asked: Asked) -> None:
    """Draw the keys that decide on a card."""
    reason = at.reason or REASONS[0]
    with st.container(key="admix-commands", horizontal=True, gap="small"):
        desk.button(at, shown, "accept", "Accept", review.COMMAND_KEYS["accept"], curate.accept,
                    type="primary", icon=":material/check:")  # fmt: skip
        desk.draw(at, shown, "reject", f"Reject: {reason}", review.COMMAND_KEYS["reject"],
                  _reject, reason, icon=":material/close:",
                  help="For the reason given last; another one is a key away.")  # fmt: skip
        st.button("Edit", key=at.key("edit"), shortcut=review.COMMAND_KEYS["edit"],
                  icon=":material/edit:", disabled=shown is None, on_click=_edit,
                  args=(at, shown))  # fmt: skip
        if asked.by != "choices":
            st.button("Correct the label", key=at.key("correct"), disabled=shown is None,
                      icon=":material/ink_highlighter:", on_click=at.correct,
                      args=(shown,))  # fmt: skip
        desk.skip_and_undo(at, shown)
    st.caption("Reject in one press, because it is:")
    with st.container(key="admix-reasons", horizontal=True, gap="small"):
        for number, why in enumerate(REASONS, start=1):
            desk.draw(at, shown, f"why{number}", why, str(number), _reject, why,
                      width="stretch")  # fmt: skip


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
            st.form_submit_button("Cancel", on_click=_edit, args=(at, None))


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
    status = st.segmented_control("Status", ["pending", "accepted", "rejected"], default="pending",
                                  required=True, key="grid_status")  # fmt: skip
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
    with st.container(horizontal=True):
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


def _edit(at: Desk, shown: Shown | None) -> None:
    at.editing = shown.sample if shown else None


def _reject(at: Desk, shown: Shown, reason: str) -> None:
    at.reason = reason
    at.decide(shown, curate.reject, reason)
