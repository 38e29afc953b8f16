"""What the pages show of a language model that answers: the offer, where it stands, its line."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from streamlit.testing.v1 import AppTest

from core.actions import answers, curves, generate, solvers, train
from core.actions.solvers import Solved
from core.ui import canvas, plots
from tests.conftest import bring, planted
from tests.fake_llm import FakeLLM
from tests.test_pages_research import page_of, said
from tests.test_plots import FULL, curve, texts, traces
from tests.test_solving import asked_of, done, right

pytestmark = [pytest.mark.executor("inline"), pytest.mark.usefixtures("few_resamples")]

A_SOLVER = Solved("r", "big <model>", 3, 80, 0.97, 0.93, 1.0, 1, 1, 0, 0.5)


@pytest.fixture
def llm() -> Iterator[FakeLLM]:
    server = FakeLLM()
    server.answer = right
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def opened(at: AppTest, key: str) -> AppTest:
    """Open an expander, as a click on it would."""
    at.session_state[key] = True
    at.run()
    assert not at.exception
    return at


def test_a_solver_is_a_line_across_the_plot_named_with_what_it_rests_on() -> None:
    figure = plots.curve_figure(FULL, [A_SOLVER])
    lines = [shape for shape in figure.layout.shapes if shape.line.color == canvas.SOLVER]
    assert [(line.y0, line.y1) for line in lines] == [(0.97, 0.97)]
    bands = [shape for shape in figure.layout.shapes if shape.fillcolor == canvas.SOLVER]
    assert [(band.y0, band.y1) for band in bands] == [(0.93, 1.0)]
    assert "big &lt;model&gt;, 3 examples" in texts(figure)
    (named,) = [trace.name for trace in figure.data if "big" in (trace.name or "")]
    for words in ("0.970", "0.930 to 1.000", "n = 80 test items", "2.5% parse failures"):
        assert words in named
    low, high = figure.layout.yaxis.range
    assert low < 0.4 and high >= 1.0
    assert not [s for s in plots.curve_figure(FULL).layout.shapes if s.line.color == canvas.SOLVER]


def test_a_solver_without_limits_has_no_band() -> None:
    bare = Solved("r", "m", 0, 1, 1.0, None, None, 0, 0, 0, None)
    figure = plots.curve_figure(curve(*FULL.points), [bare])
    assert not [shape for shape in figure.layout.shapes if shape.fillcolor == canvas.SOLVER]
    assert traces(figure, "m, 0 examples: 1.000, n = 1 test items, 0.0% parse failures")


def test_results_offers_a_solver_and_shows_its_line_and_row(project: str, llm: FakeLLM) -> None:
    study, job = train.launch(
        project,
        train.StudyRequest("ratio_sweep", {"n_total": 20, "ratios": (0.0, 1.0)}, "tfidf", {}),
    )
    assert train.wait(job).state == "done"
    at = page_of("results", project="planted")
    assert "LLM as solver" in [part.label for part in at.expander]
    assert "LLM solvers" not in said(at), "nothing was asked yet"
    done(answers.launch(project, asked_of(llm, n_examples=2)))
    at = page_of("results", project="planted")
    assert "LLM solvers" in said(at)
    (row,) = [table.value for table in at.dataframe if "parse failures" in table.value.columns]
    assert list(row["Accuracy"]) == [1.0] and list(row["n"]) == [30]
    opened(at, f"solve_{project}")
    assert "Newest run: fake, 2 examples, 30 items" in said(at).replace("\\", "")
    assert curves.curve(project, study).n_test == solvers.of_study(project, study)[0].n


def test_generate_offers_to_label_rows_only_where_there_are_any(project: str, llm: FakeLLM) -> None:
    at = page_of("generate", project="planted")
    assert not [part for part in at.expander if "unlabelled" in part.label]
    bring(project, [{**row, "label": ""} for row in planted(2, seed=9)], "train", "human")
    at = page_of("generate", project="planted")
    assert [part.label for part in at.expander if "unlabelled" in part.label] == [
        "6 unlabelled rows: let a language model label them"
    ]
    opened(at, f"label_{project}")
    at.selectbox(key="label_provider").select("openai_compatible").run()
    form = f"label_{project}_openai_compatible"
    at.text_input(key=f"{form}_base_url").set_value(llm.url)
    at.text_input(key=f"{form}_model").set_value("fake").run()
    assert not at.exception
    shown = {metric.label: metric.value for metric in at.metric}
    assert shown["Calls"] == "6"
    at.button(key=f"label_{project}_ask").click().run()
    (run,) = answers.run_ids(project, "label")
    generate.wait(run)
    at.run()
    assert not at.exception
    assert answers.status(project, run).n_pending == 6
