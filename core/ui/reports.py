"""How does a study leave the browser: as a report to read, or as a file to run elsewhere?"""

from __future__ import annotations

from functools import partial

import streamlit as st

from core.actions import report, study_files, train
from core.ui import download, look, printed

FORMS = {
    "html": ("HTML, with figures", "text/html", ":material/web:"),
    "md": ("Markdown", "text/markdown", ":material/markdown:"),
    "tex": ("LaTeX", "application/x-tex", ":material/functions:"),
}


@st.fragment
def downloads(project: str, study: str) -> None:
    """Offer the report of a study and its file, each made when it is asked for."""
    name = train.find_study(project, study)["name"]
    stem = "-".join("".join(c if c.isalnum() else " " for c in name).lower().split()) or "study"
    # What a file would hold is looked at once somebody asks: of thousands of trials it takes long.
    place = st.popover(
        "Report, and study file", icon=":material/description:", key="reports", on_change="rerun"
    )
    if not place.open:
        return
    with place:
        st.caption("Setting, data, figures, tables and the answer; no sample's text.")
        with st.container(horizontal=True):
            for ending, (words, mime, icon) in FORMS.items():
                download.button(
                    words, partial(_written, project, study, ending), f"{stem}-report.{ending}",
                    mime, on_click="ignore", icon=icon, key=f"report_{ending}",
                )  # fmt: skip
        st.caption(
            "Another machine comes to the same figures with the study file:"
            " python -m core study run --from FILE. **It holds the texts of the pool.**"
        )
        if why := study_files.refused(project, study):
            st.caption(f":material/block: {look.plain(why)}")
            return
        download.button(
            "Study file", partial(study_files.study_bytes, project, study),
            f"{stem}{study_files.ENDING}", "application/zip", on_click="ignore",
            icon=":material/folder_zip:", key="study_file",
        )  # fmt: skip


def _written(project: str, study: str, ending: str) -> bytes:
    return report.written(project, study, ending, printed.figures)
