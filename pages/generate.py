"""Let a language model write samples: preview with its price, then a capped run."""

from dataclasses import replace

import streamlit as st

from core.actions import generate
from core.ui import asking, batches, examples, frame, plateau, preview, run, writing

project = frame.open_page(
    "generate", "A language model writes samples from your definitions and a few human examples."
)
frame.heard()
human = generate.human_counts(project.id)
if not human:
    st.info("The task has no labels yet.", icon=":material/info:")
    st.page_link("pages/data.py", label="Import a train file on Data", icon=":material/database:")
    st.stop()

asking.labeller(project.id)
at_work = generate.at_work(project.id)
with frame.problems():
    st.subheader("1 · Who writes, and how")
    left, right = st.columns(2, gap="large")
    below = st.container()
    with left:
        provider, provider_settings = writing.first(project.id)
    with right:
        way = writing.way(project.id, below)
    with st.expander("Examples that prompts may show", icon=":material/format_list_bulleted:"):
        examples.editor(project.id)
    others = writing.others(project.id)
    if not preview.can_ask(provider) or others is None:
        plateau.section(project.id)
        run.past(project.id, at_work)
        st.stop()

    asked = generate.Request(
        provider.id, provider_settings, way.strategy, way.settings, seed=way.seed,
        share=others[0], others=others[1],
    )  # fmt: skip
    price = preview.price_of(asked)

    st.subheader("2 · Preview")
    wanted = preview.labels_wanted(list(human))
    asks = st.button(
        "Preview one call per class", icon=":material/visibility:", disabled=at_work is not None
    )
    if asks and not generate.at_work(project.id):
        generate.preview(project.id, replace(asked, price=price), wanted)
        st.rerun()
    is_previewing = at_work is not None and run.is_preview(project.id, at_work.subject)
    if is_previewing:
        run.follow(project.id, at_work.subject)
    seen = generate.last_preview(project.id, asked)
    if seen and not is_previewing:
        run.show(project.id, seen)
        calls = generate.previewed(project.id, seen)
        preview.show(calls)
        writing.take_over(project.id, generate.proposed(calls))
    elif not seen:
        st.caption("Shows the exact prompts and replies. The run starts with these very replies.")

    st.subheader("3 · Run")
    if at_work and not is_previewing:
        run.follow(project.id, at_work.subject)
    into = run.into(project.id, asked)
    goals = run.targets(project.id, into)
    request = replace(asked, price=price, targets=goals, into=into)
    found = generate.estimate(project.id, request, seen)
    preview.estimate(found, seen is not None)
    mode = batches.mode(found, project.id)
    request = replace(request, cap_usd=run.cap(found.price is not None), mode=mode)
    starts = frame.settled_button(
        "Start", f"start_{project.id}", type="primary", icon=":material/play_arrow:",
        disabled=at_work is not None,
    )  # fmt: skip
    if starts and not generate.at_work(project.id):
        generate.launch(project.id, request)
        st.rerun()

plateau.section(project.id)
run.past(project.id, at_work)
