"""Launch a sweep over shares of synthetic or LLM-labelled data, and follow it."""

from dataclasses import replace

import streamlit as st

from core.actions import notes, train
from core.ui import (
    crossing,
    forms,
    frame,
    growth,
    look,
    progress,
    recipes,
    students,
    study,
)

project = frame.open_page(
    "train", "Train a small model at several shares of LLM data, several seeds each."
)
frame.heard()
cluster = device = None
at_work = train.at_work(project.id)
with frame.problems():
    st.subheader("What to train")
    kind_titles = train.study_kinds()
    left, middle, right = st.columns(3)
    of_study, of_student = st.container(), st.container()
    with left:
        recipe = recipes.offered(project.id)
    with middle:
        kind = st.selectbox(
            "Study", list(kind_titles), format_func=kind_titles.__getitem__, key="study_kind"
        )
    with right:
        student, student_settings, vary = students.chosen(project.id, of_student)
        heads = train.heads(project.id)
        head = heads[0] if len(heads) == 1 else st.selectbox(
            "Learn labels as", heads, format_func=study.HEADS.__getitem__, key="head"
        )  # fmt: skip
    with of_study:
        recipes.told(recipe)
        key, defaults = recipes.defaults(project.id, kind, recipe)
        settings = forms.settings("studies", kind, key, defaults=defaults, n_columns=3)
        if remark := notes.remark_on(kind):
            st.caption(look.plain(remark))
        also = crossing.others(project.id, kind)

    with st.spinner("Counting what the pool can fill"):
        asked = train.StudyRequest(
            kind, settings, student, student_settings, head=head, vary=vary, also=also
        )
        found = study.outline_or_help(project.id, asked)
    if found:
        cluster = study.cluster()
        workers = 1 if cluster else st.number_input(
            "Workers", 1, train.max_workers(), train.usual_workers(student), width=150,
            key=f"workers_{student}", help="Processes that train side by side.",
        )  # fmt: skip
        device = study.device(student)
        study.outline(found, None if cluster else int(workers))
    if found:
        study.left_out(found)
        recipes.lacking(project.id, asked, found)
        growth.per_class(found.trials)
        with st.expander("What the pool holds", icon=":material/database:"):
            study.pool(found.report)
            study.selftest(project.id)
        with st.container(horizontal=True, vertical_alignment="bottom"):
            name = st.text_input("Name", placeholder="made from kind and student", max_chars=80,
                                 width=300)  # fmt: skip
            launches = st.button(
                "Launch", type="primary", icon=":material/rocket_launch:",
                disabled=at_work is not None or not found.n_trials,
            )  # fmt: skip
        if launches and not train.at_work(project.id):
            named = replace(asked, name=name)
            with st.spinner("Freezing the pool, then starting"):
                made, _ = train.launch(project.id, named, int(workers), cluster, device)
            st.session_state["followed"] = made
            st.rerun()

past = train.all_studies(project.id)
if past:
    st.subheader("Where it stands")
    names = {each["id"]: each["name"] for each in past}
    first = at_work.subject if at_work else st.session_state.get("followed")
    chosen = st.selectbox("Study to follow", list(names), format_func=names.__getitem__,
                          index=list(names).index(first) if first in names else 0)  # fmt: skip
    if at_work:
        progress.follow(
            lambda: study.show(project.id, chosen, cluster, device),
            2.0,
            lambda: bool(train.at_work(project.id)),
        )
    else:
        with frame.problems():
            study.show(project.id, chosen, cluster, device)
    st.page_link("pages/results.py", label="Look at the results", icon=":material/show_chart:")
    st.subheader("Studies")
    st.dataframe(train.history(project.id), hide_index=True, column_config=study.COLUMNS)
