"""Who came from whom: every sample under what its prompt showed, on screen and in the terminal."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core import actions
from core.__main__ import run as run_command
from core.actions import curate, data, generate, home, lineage
from core.actions.session import Session
from core.errors import Missing
from core.ui import trees
from tests.conftest import bring, planted
from tests.fake_llm import FakeLLM

N_ITEMS, N_CHAINS = 3, 2
PER_CLASS = N_CHAINS * (N_ITEMS + N_ITEMS**2)


@pytest.fixture
def llm() -> Iterator[FakeLLM]:
    server = FakeLLM()
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def inline(tmp_path, monkeypatch) -> Iterator[Session]:
    monkeypatch.setenv("ADMIX_HOME", str(tmp_path / "home"))
    yield actions.start(tmp_path / "home", "a test", executor="inline")
    actions.stop()


def generated(llm: FakeLLM, strategy: str = "self_reference", **settings) -> str:
    project = home.create_project("task" if strategy == "self_reference" else strategy).id
    bring(project, planted(8, seed=1), "train", "human")
    request = generate.Request(
        "openai_compatible", {"base_url": llm.url, "model": "fake"}, strategy, settings,
        targets=dict.fromkeys(("sea", "sky", "soil"), PER_CLASS),
    )  # fmt: skip
    assert generate.wait(generate.launch(project, request)).state == "done"
    return project


@pytest.fixture
def project(inline: Session, llm: FakeLLM) -> str:
    return generated(llm, n_items=N_ITEMS, n_chains=N_CHAINS)


def test_every_sample_hangs_under_what_its_prompt_showed(project: str) -> None:
    found = lineage.of_run(project)
    levels = Counter(node.level for node in found.walk())
    assert levels == {0: 3 * N_CHAINS, 1: 18, 2: 54}
    assert found.strata == ("sea", "sky", "soil")
    for node in found.walk():
        way = found.ancestors(node.id)
        assert [one.level for one in way] == list(range(node.level + 1))
        assert way[0].state == "human" and len(way[0].humans) == 1
        assert all(one.humans == way[0].humans for one in way)
    assert len(found.edges()) == 72
    assert len({child for _, child in found.edges()}) == 72


def test_what_was_decided_and_erased_is_seen(project: str) -> None:
    before = lineage.of_run(project)
    first, second, third = [node for node in before.walk() if node.level == 1][:3]
    curate.decide_many(project, "Ana", [first.id], "reject", "unnatural")
    curate.decide_many(project, "Ana", [second.id], "accept")
    data.delete_samples(project, [third.id], "Ana")
    after = lineage.of_run(project)
    assert after.nodes[first.id].state == "rejected"
    assert after.nodes[second.id].state == "accepted"
    gone = after.nodes.get(third.id)
    if third.children:
        assert gone is not None and gone.state == "erased" and not gone.texts
        assert after.ancestors(third.children[0])[0].humans == third.humans


def test_samples_of_prompts_with_several_examples_hang_under_them_all(
    inline: Session, llm: FakeLLM
) -> None:
    found = lineage.of_run(generated(llm, "few_shot", n_examples=2))
    assert {node.level for node in found.walk()} == {0, 1}
    assert {len(found.nodes[root].humans) for root in found.roots} == {2}
    zero = generated(llm, "zero_shot")
    assert {lineage.of_run(zero).nodes[root].state for root in lineage.of_run(zero).roots} == {
        "none"
    }


def test_a_project_without_a_run_says_so(inline: Session) -> None:
    project = home.create_project("empty").id
    with pytest.raises(Missing, match="No run"):
        lineage.of_run(project)
    with pytest.raises(Missing, match="no run 'x'"):
        lineage.of_run(project, "x")


def test_a_figure_has_every_sample_once_and_interprets_no_text(project: str) -> None:
    found = lineage.of_run(project)
    chosen = list(found.walk())[-1].id
    figure = trees.figure(found, found.roots_of("sea"), chosen)
    dots = [trace for trace in figure.data if trace.mode == "markers"]
    ids = [id_ for trace in dots for (id_,) in trace.customdata]
    assert sorted(ids) == sorted(node.id for node in found.walk(found.roots_of("sea")))
    places = [(x, y) for trace in dots for x, y in zip(trace.x, trace.y, strict=True)]
    assert len(set(places)) == len(places)
    hostile = lineage.Node("a", "none", 0, ("<b>not bold</b>",))
    shown = trees.figure(lineage.Lineage("r", {"a": hostile}, ("a",)), ("a",))
    assert "<b>" not in str(shown.to_json())


def test_the_terminal_prints_a_tree_or_json(project: str, tmp_path: Path) -> None:
    said: list[str] = []

    def say(line: str, is_error: bool) -> None:
        said.append(line)

    assert run_command(["lineage", "task"], tmp_path, say) == 0
    assert len(said) == 78
    assert {len(line) - len(line.lstrip()) for line in said} == {0, 2, 4}
    assert said[0].startswith("sea: [1 human sample] ")
    said.clear()
    run = generate.run_ids(project)[0]
    assert run_command(["lineage", "task", "--run", run, "--format", "json"], tmp_path, say) == 0
    made = json.loads("\n".join(said))
    assert (made["run"], len(made["nodes"]), len(made["edges"])) == (run, 78, 72)


def test_the_screen_shows_what_is_chosen_with_all_it_came_from(project: str) -> None:
    def page(project: str) -> None:
        from core.actions import lineage
        from core.ui import lineage as screen

        screen.show(lineage.of_run(project), "key")

    at = AppTest.from_function(page, kwargs={"project": project}, default_timeout=60).run()
    assert not at.exception
    assert "Choose a sample" in at.info[0].value
    found = lineage.of_run(project)
    deep = next(node for node in found.walk() if node.level == 2)
    at.session_state["key_chosen"] = deep.id
    at.run()
    assert not at.exception
    shown = "".join(str(element.proto.body) for element in at.get("html"))
    texts = [one.text for one in found.ancestors(deep.id)]
    assert [shown.index(text) for text in texts] == sorted(shown.index(text) for text in texts)
    at.segmented_control(key="key_view").set_value("List").run()
    assert len(at.dataframe[0].value) == 26
