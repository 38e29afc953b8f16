"""How do texts come in and go out? A file is looked at first, and comes in once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import streamlit as st

from core.actions import data, dataset, exchange, exports, imports
from core.actions.imports import Imported, Prepared
from core.errors import RowFault
from core.formats import ANNOTATED, EXTENSIONS, Table
from core.formats.xlsx import MAX_LENGTH
from core.records import BENCHMARK, SOURCES, Project
from core.ui import download, frame, look

FIRST_ROWS = 8
NO_COLUMN = "(none)"
OTHER = "another test set"
AS_SAID = "as the file says"
SYNTHETIC = "a synthetic test set"
DOWNLOADS = {
    ".csv": ("CSV", "text/csv"),
    ".xlsx": ("XLSX", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ".parquet": ("Parquet", "application/vnd.apache.parquet"),
    ".json": ("JSON", "application/json"),
    ".jsonl": ("JSONL", "application/jsonl"),
    ".conll": ("CoNLL", "text/plain"),
    ".zip": ("brat", "application/zip"),
}
OF_ACCEPTED = "Accepted and labelled samples only: this format cannot tell the others apart."


def show(project: str) -> None:
    """Take a file, show what would come in and what is wrong, and import it on a click."""
    number = st.session_state.setdefault("upload_number", 0)
    file = st.file_uploader("A file with one text per row (CSV, TSV, XLSX, Parquet, JSON or JSONL),"
                            " CoNLL, a .zip of brat's files, or what Label Studio, Argilla,"
                            " doccano or Prodigy exported",
                            type=list(EXTENSIONS), key=f"upload_{number}",
                            help=exchange.carried())  # fmt: skip
    if file is None:
        _report()
        _earlier(project)
        return
    table = imports.read_table(file.name, file.getvalue())
    if table.annotated:
        st.info(look.plain(f"{table.annotated.in_words()}."), icon=":material/group:")
    taken = _columns(project, table)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        says = imports.stated_by(table, taken)
        chosen = st.selectbox("Source", [*([AS_SAID] if says.sources else []), *SOURCES], width=170,
                              help="synthetic: an LLM wrote text and label; llm-labelled: a human"
                              " text that an LLM labelled. Both arrive pending.")  # fmt: skip
        source = next((each for each in SOURCES if each == chosen), None)
        split = _split_choice(says.counts())
    prepared = imports.prepare(project, table, taken, split, source)
    if prepared.faults and st.checkbox(
        "Import without the bad rows", key=f"skip_{number}", help="The others come in all the same."
    ):
        prepared = imports.prepare(project, table, taken, split, source, skip_bad_rows=True)
    _look_at(prepared)
    is_ready = prepared.is_news and not prepared.faults
    if st.button(_go(prepared), type="primary", key=f"go_{number}", icon=":material/upload:",
                 disabled=not is_ready):  # fmt: skip
        # A new number empties the uploader: neither a rerun nor a second click finds a file.
        st.session_state["upload_number"] = number + 1
        bar = st.progress(0.0, "Importing; synthetic rows are judged by every check…")

        def told(doing: str, n_done: int, n_rows: int) -> None:
            bar.progress(n_done / n_rows, f"{doing}: {n_done:,} of {n_rows:,} rows")

        done = imports.import_rows(project, prepared, again=False, told=told)
        st.session_state["import_report"] = (table.name, prepared.into(), done)
        st.rerun()


def _columns(project: str, table: Table) -> dict[str, tuple[str, ...]]:
    """Ask which columns hold which field of the task, the likely ones chosen already."""
    guessed = imports.columns_for(project, table)
    there = list(table.columns)
    taken: dict[str, tuple[str, ...]] = {}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        for field in imports.fields(project):
            title, key = f"{field.title} column", f"column_{field.name}_{hash(table.columns)}"
            first = guessed.get(field.name, ())
            if field.is_list:
                chosen = st.multiselect(f"{title}s", there, list(first), key=key, width=330,
                                        help=field.about)  # fmt: skip
                taken[field.name] = tuple(chosen)
                continue
            may_lack = not field.is_required
            choices = [NO_COLUMN, *there] if may_lack else there
            place = choices.index(first[0]) if first else 0
            column = st.selectbox(title, choices, place, key=key, width=220, help=field.about)
            taken[field.name] = () if column == NO_COLUMN else (column,)
    return {name: some for name, some in taken.items() if some}


def test_split(project: str, counts: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Say what the test split is, or draw one."""
    st.subheader("Test split")
    if "test" in counts:
        n = sum(row["n"] for row in counts["test"])
        st.caption(f":material/lock: {n:,} rows, sealed: no test text reaches a prompt that writes"
                   " or labels samples, a check's training or a choice of model.")  # fmt: skip
        return
    st.write("There is none. Import one, or set rows of train aside before anything is generated.")
    with (
        st.form("draw_test", border=False),
        st.container(horizontal=True, vertical_alignment="bottom"),
    ):
        n = st.number_input("Rows", min_value=1, value=200, step=50, width=140)
        seed = st.number_input("Seed", min_value=0, value=0, step=1, width=120)
        if st.form_submit_button("Draw a test split", icon=":material/shuffle:"):
            moved = data.draw_test(project, int(n), int(seed))
            frame.say(f"Set {sum(moved.values()):,} rows aside, every class in its share.")
            st.rerun()


def export(project: Project) -> None:
    """Offer everything as a download, made when it is asked for."""
    st.write("Every sample with its label, source, split, status, who decided, and where it"
             " comes from.")  # fmt: skip
    raw = st.checkbox("Leave cells as they are that a spreadsheet would run as formulas",
                      help="Otherwise a CSV cell that begins with = + - or @ gets a ' before it."
                      " The other formats are never changed.")  # fmt: skip
    stem = "".join(c if c.isalnum() else "-" for c in project.name)
    with st.container(horizontal=True):
        for ending in exports.endings(project.id):
            name, mime = DOWNLOADS[ending]
            download.button(
                f"Download {name}",
                data=partial(_exported, project.id, ending, not raw),
                file_name=stem + ending,
                mime=mime, on_click="ignore", icon=":material/download:", key=f"export{ending}",
                help=f"Cells hold {MAX_LENGTH:,} characters; where a prompt is longer, no"
                " file is made: take Parquet." if ending == ".xlsx"
                else OF_ACCEPTED if ending in ANNOTATED else None,
            )  # fmt: skip
        download.button(
            "Download dataset (ZIP)",
            data=partial(dataset.dataset_zip, project.id),
            file_name=f"{stem}-dataset.zip", mime="application/zip", on_click="ignore",
            icon=":material/folder_zip:", key="export_dataset",
            help="The accepted rows as a folder that the Hugging Face library opens: Parquet, and"
            " a card that says where they come from.",
        )  # fmt: skip
        if exchange.fits(project.id):
            for form, tool in exchange.writable().items():
                download.button(
                    f"Download for {tool.title} (ZIP)",
                    data=partial(exchange.tool_zip, project.id, form),
                    file_name=f"{stem}-{form}.zip", mime="application/zip", on_click="ignore",
                    icon=":material/group:", key=f"export_{form}",
                    help=f"Every sample with everybody's decisions, as {tool.title} reads them.",
                )  # fmt: skip


def _exported(project: str, ending: str, safe: bool) -> bytes:
    return b"".join(exports.export_pieces(project, ending, safe))


def _go(prepared: Prepared) -> str:
    n, attached = len(prepared.rows), prepared.attached
    if attached.n_rows and not n:
        return f"Import {attached.n_fresh:,} decisions"
    return f"Import {n:,} rows into {look.plain(prepared.into())}"


def _split_choice(says: Mapping[str, int]) -> str | None:
    """Ask for the split of all rows, or that each has the one that the file says, if it does."""
    told = " · ".join(f"{split} {n:,}" for split, n in says.items())
    chosen = st.selectbox("Into", [*([AS_SAID] if says else []), "train", "test", OTHER, SYNTHETIC],
                          width=190,
                          help="test is sealed; another test set has a name, and a synthetic one"
                          " that of the model that wrote it."
                          + f" The file says: {look.plain(told)}." * bool(says))  # fmt: skip
    if chosen == AS_SAID:
        return None
    if chosen == SYNTHETIC:
        return BENCHMARK + st.text_input("Who wrote it", value="model", width=160).strip()
    if chosen != OTHER:
        return chosen
    return "ood:" + st.text_input("Its name", value="other", width=160).strip()


def _look_at(prepared: Prepared) -> None:
    """Show the first rows, the classes, and everything that is wrong."""
    _faults("This stops the import:", prepared.faults, st.error)
    _faults("Good to know:", prepared.warnings, st.warning)
    _known(prepared)
    rows, classes = st.columns([2, 1], gap="medium")
    with rows:
        st.caption(f"First rows of {len(prepared.rows):,}")
        st.dataframe(
            {
                "Text": [row.text for row in prepared.rows[:FIRST_ROWS]],
                "Label": [
                    row.label and prepared.task.in_words(row.label, row.inputs)
                    for row in prepared.rows[:FIRST_ROWS]
                ],
            },
            hide_index=True,
            column_config={"Text": st.column_config.TextColumn(width="large")},
        )
    with classes:
        if len(prepared.places) > 1:
            st.caption("Into")
            st.dataframe(
                [{"Split": split, "Source": source, "Rows": n}
                 for (split, source), n in sorted(prepared.places.items())],
                hide_index=True,
            )  # fmt: skip
        new = " (new to the task)" if prepared.brings_labels else ""
        st.caption(f"Classes{new}")
        st.dataframe(
            {
                "Class": list(prepared.label_counts),
                "Rows": list(prepared.label_counts.values()),
            },
            hide_index=True,
        )


def _known(prepared: Prepared) -> None:
    """Say what of a tool's file is there already and what is new."""
    attached = prepared.attached
    if not attached.n_rows:
        return
    st.info(
        f"{len(prepared.rows):,} rows are new; {attached.n_rows:,} are samples already, and get the"
        f" decisions that are new. Decisions: {prepared.n_decisions:,} new,"
        f" {attached.n_known:,} made before.",
        icon=":material/merge:",
    )


def _faults(title: str, faults: Sequence[RowFault], box: Any) -> None:
    if faults:
        lines = "\n".join(f"- {look.plain(str(fault))}" for fault in faults)
        box(f"**{title}**\n\n{lines}")


def _report() -> None:
    """Say what the last import brought."""
    if "import_report" not in st.session_state:
        return
    name, split, done = st.session_state["import_report"]
    assert isinstance(done, Imported)  # noqa: S101  the session's values have no types
    flagged = f", {done.n_flagged:,} of them flagged by checks" if done.n_flagged else ""
    left = f" {len(done.left_out):,} rows were left out." if done.left_out else ""
    said = (f", {done.n_decisions:,} decisions of {done.n_annotators:,} annotators"
            if done.n_decisions else "")  # fmt: skip
    into = f" into {look.plain(split)}" if done.n_rows else ""
    known = f" {done.n_attached:,} rows were samples already." if done.n_attached else ""
    st.success(f"Imported {done.n_rows:,} rows of {look.plain(name)}{into}{said}{flagged}."
               f"{known}{left}", icon=":material/task_alt:")  # fmt: skip
    _faults("Good to know:", done.warnings, st.warning)
    pages = {"train": ("review", "Review the labels"), "test": ("generate", "Go on to Generate")}
    page, words = pages.get(split, pages["train"])
    st.page_link(f"pages/{page}.py", label=words, icon=":material/arrow_forward:")


def _earlier(project: str) -> None:
    files = imports.imports(project)
    if files:
        st.caption("Imported so far")
        st.dataframe(
            {
                "File": [file["name"] for file in files],
                "Rows": [file["n_rows"] for file in files],
                "Decisions": [file.get("n_decisions", 0) for file in files],
                "Split": [file["split"] for file in files],
                "Source": [file["source"] for file in files],
                "When (UTC)": [file["at"] for file in files],
            },
            hide_index=True,
        )
