"""How are many human labels changed at once? A page of rows, applied as one batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import streamlit as st

from core.actions import cards, review
from core.records import Sample
from core.ui import frame
from core.ui.desk import Desk


@dataclass
class Book:
    """A page of the table as it was read; it stays as it is while somebody edits it."""

    wanted: review.Filter
    afters: list[int] = field(default_factory=lambda: [0])
    rows: list[Sample] = field(default_factory=list)
    told: list[str | None] = field(default_factory=list)
    n_total: int = 0
    edition: int = 0

    def read(self, project: str) -> None:
        """Read the page; what was edited and not applied is dropped."""
        self.rows = review.table(project, self.wanted, self.afters[-1])
        self.told = cards.labels_in_words(project, self.rows)
        self.n_total = review.count(project, self.wanted)
        self.edition += 1

    def turn(self, afters: list[int]) -> None:
        """Go to another page, or read this one anew."""
        self.afters = afters
        self.edition += 1


def show(at: Desk, wanted: review.Filter, labels: Sequence[str]) -> None:
    """Show the table with its buttons; without `labels` to choose from, labels are only shown."""
    name = f"book_{at.project}"
    book: Book | None = st.session_state.get(name)
    if book is None or book.wanted != wanted:
        book = st.session_state[name] = Book(wanted)
    if f"{name}_{book.edition}" not in st.session_state:
        # A new page, or the table was out of sight for a while.
        book.read(at.project)
    if not book.rows:
        st.info("No rows match these filters.", icon=":material/filter_alt:")
        return
    key = f"{name}_{book.edition}"
    _editor(book, labels, key)
    edits = st.session_state[key].get("edited_rows", {})
    first = (len(book.afters) - 1) * review.PAGE
    pending = bool(edits)
    with st.container(horizontal=True, vertical_alignment="center"):
        applies = frame.settled_button(
            f"Apply changes ({len(edits)})" if edits else "Apply changes", f"{key}_apply",
            type="primary", icon=":material/done_all:", disabled=not pending,
        )  # fmt: skip
        if applies:
            _apply(at, book, edits)
            st.rerun()
        st.button("Discard" if pending else "Read anew", icon=":material/refresh:",
                  key=f"{key}_again", on_click=book.turn, args=(book.afters,))  # fmt: skip
        st.button("Undo", icon=":material/undo:", key=f"{key}_undo", on_click=_undo,
                  args=(at, book, at.n_undone), disabled=pending,
                  help="Takes back your last decision, or your last batch of them.")  # fmt: skip
        st.button("Previous", icon=":material/chevron_left:", key=f"{key}_back",
                  disabled=pending or len(book.afters) == 1, on_click=book.turn,
                  args=(book.afters[:-1],))  # fmt: skip
        st.button("Next", icon=":material/chevron_right:", key=f"{key}_next",
                  disabled=pending or first + len(book.rows) >= book.n_total,
                  on_click=book.turn, args=([*book.afters, book.rows[-1].seq],))  # fmt: skip
        st.caption(f"Rows {first + 1:,} to {first + len(book.rows):,} of {book.n_total:,}")


def _editor(book: Book, labels: Sequence[str], key: str) -> None:
    rows = pd.DataFrame(
        {
            "Text": [row.text for row in book.rows],
            "Label": [row.label for row in book.rows] if labels else book.told,
            "Leave out": [row.status == "rejected" for row in book.rows],
            **({"Imported": [row.imported_label for row in book.rows]} if labels else {}),
            "Decided by": [row.annotator for row in book.rows],
            "Decisions": [row.n_decisions for row in book.rows],
            "Split": [row.split for row in book.rows],
        }
    ).astype(
        dict.fromkeys(
            ("Text", "Label", *(["Imported"] if labels else []), "Decided by", "Split"), "str"
        )
    )
    st.data_editor(
        rows,
        key=key,
        height=560,
        placeholder="",
        hide_index=True,
        disabled=[
            "Text",
            "Imported",
            "Decided by",
            "Decisions",
            "Split",
            *([] if labels else ["Label"]),
        ],
        column_config={
            "Text": st.column_config.TextColumn(width="large"),
            "Label": st.column_config.SelectboxColumn(options=list(labels), required=False)
            if labels
            else st.column_config.TextColumn(help="Changed one by one."),
            "Leave out": st.column_config.CheckboxColumn(width="small"),
            "Decisions": st.column_config.NumberColumn(width="small"),
        },
    )


def _apply(at: Desk, book: Book, edits: Mapping[str, Mapping[str, Any]]) -> None:
    chosen = {book.rows[int(i)].id: edit for i, edit in edits.items()}
    with frame.problems():
        n = review.apply_many(
            at.project,
            at.who,
            {sample: edit["Label"] for sample, edit in chosen.items() if edit.get("Label")},
            {sample: edit["Leave out"] for sample, edit in chosen.items() if "Leave out" in edit},
            shown={row.id: row.revision for row in book.rows},
        )
        stale = "" if n == len(chosen) else " Others had decided on the rest since; theirs stays."
        frame.say(f"Rows decided: {n:,}; one undo takes them all back.{stale}")
    book.turn(book.afters)


def _undo(at: Desk, book: Book, turn: int) -> None:
    at.undo(turn)
    frame.say(at.said or at.problem, ":material/undo:")
    book.turn(book.afters)
