"""Leaks are kept out of pools, make earlier results invalid, and are planted to see."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from core import actions
from core.actions import curate, curves, examples, home, leaks, points, pooling, tables, train
from core.actions.gate import Gate, gate, leaking
from core.actions.session import Session, here
from core.checks.base import Item
from core.checks.leakage import Leakage
from core.errors import Problem
from core.records import NewSample, PoolRow
from core.store import samples, verdicts
from core.store.samples import Filter
from core.ui import plots
from tests.conftest import bring, planted
from tests.test_cli import told

SWEEP = train.StudyRequest(
    settings={"n_total": 40, "ratios": [0, 0.5, 1], "seeds": 3}, student="tfidf", name="sweep"
)
EIGHT = "one two three four five six seven eight"
SPLITS = ("test", "ood:forum")


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ADMIX_HOME", str(tmp_path / "home"))
    yield actions.start(tmp_path / "home", "a test", executor="inline")
    actions.stop()


def row(text: str, source: str, split: str = "train", label: str = "sky", **about) -> NewSample:
    return NewSample({"text": text}, text, label, label, source, split, about)


def add(session: Session, project: str, *rows: NewSample) -> list[str]:
    with session.database.write() as cursor:
        return samples.add(cursor, project, rows)


def train_row(project: str, session: Session, source: str = "human"):
    return samples.page(session.database, project, Filter(source=source, split="train"), 1)[0]


@pytest.mark.parametrize("split", SPLITS)
def test_no_row_close_to_any_test_set_trains_or_is_shown(split, project, session):
    (test,) = add(
        session, project, row("one two three four five six seven eight nine", "human", split)
    )
    near = f"{EIGHT} ten"
    ids = add(session, project, *(row(near, s) for s in ("human", "synthetic", "llm-labelled")))
    curate.accept_many(project, "a test", flagged=True)
    rows, report = pooling.pool_rows(project)
    assert {one.id for one in rows} & {*ids} == set()
    assert report.removed == dict.fromkeys(("human", "synthetic", "llm-labelled"), 1)
    assert report.removed_per_class == {"sky": report.removed}
    with pytest.raises(Problem, match="cannot be shown"):
        examples.set_examples(project, [ids[0]])
    existing = [Item(*one) for one in samples.texts(session.database, project)]
    (verdict,) = Leakage().start(existing).judge([Item("new", near, source="synthetic")])
    assert verdict.is_flagged and verdict.close_to == test


def test_a_row_whose_prompt_showed_what_is_now_for_testing_never_trains(project, session):
    (shown,) = add(session, project, row("moved from train to a test set", "human", "ood:moved"))
    (left_out,) = add(session, project, row("Moved from train to a test set!", "human"))
    curate.reject(project, "Ana", left_out, 0)
    made = [row(f"of its own {i}", "synthetic", human_ids=[one])
            for i, one in enumerate((shown, left_out, "deleted"))]  # fmt: skip
    ids = add(session, project, *made)
    curate.accept_many(project, "a test", flagged=True)
    assert {one.id for one in pooling.pool_rows(project)[0]} & {*ids} == {ids[2]}


def test_a_test_set_that_comes_later_makes_trials_invalid(project, session):
    study, job = train.launch(project, SWEEP)
    assert train.wait(job).state == "done"
    before = tables.table(project, study)
    assert {one["status"] for one in before} == {"done"}
    assert not curves.curve(project, study).invalid
    trained_on = {
        one["trial"]: {row["id"] for row in points.made_by(project, study, one["trial"]).trained_on}
        for one in before
    }
    leak = next(
        row
        for row in samples.page(session.database, project, Filter(source="human"), 1_000)
        if 0 < sum(row.id in some for some in trained_on.values()) < len(before)
    )
    bring(project, [{"text": leak.text.upper(), "label": str(leak.label)}], "ood:late", "human")

    used = {trial for trial, some in trained_on.items() if leak.id in some}
    after = tables.table(project, study)
    assert {one["trial"] for one in after if one["status"] == "invalid"} == used
    assert 0 < len(used) < len(after)
    curve = curves.curve(project, study)
    n = len(used)
    assert curve.invalid.startswith(f"{n} of 9 trials are invalid: they trained on rows that are")
    assert f"(1 human ({leak.label} 1))" in curve.invalid
    assert sum(len(point.invalid) for point in curve.points) == n
    crossed = [len(trace.x) for trace in plots.curve_figure(curve).data
               if trace.marker.symbol == "circle-x-open"]  # fmt: skip
    assert sum(crossed) == n
    assert "invalid trials" in plots.caption(curve)
    assert sum(one["invalid"] for one in tables.summary(project, study)) == n
    said = told("study", "show", "planted")
    assert said.out.count("invalid") == n and f"Note: {curve.invalid}" in said.err

    again, job = train.launch(project, SWEEP)
    assert train.wait(job).state == "done"
    assert {one["status"] for one in tables.table(project, again)} == {"done"}


def test_rows_made_from_a_leak_are_leaks(project, session):
    leak = train_row(project, session)
    rows = [
        PoolRow("a", "v", {}, leak.text, "sky", "sky", "human", "train"),
        PoolRow("b", "v", {}, "a text of its own", "sky", "sky", "synthetic", "train", ("a",)),
        PoolRow("c", "v", {}, "another of its own", "sky", "sky", "synthetic", "train", None),
        PoolRow("d", "v", {}, leak.text, "sky", "sky", "human", "test"),
    ]
    assert leaking(project, rows) == frozenset()
    bring(project, [{"text": leak.text, "label": "sky"}], "ood:late", "human")
    assert leaking(project, rows) == {"a", "b"}


def test_a_selftest_says_what_the_gate_catches_and_what_not(session):
    made = home.create_project("wordy", "classify").id
    texts = [{"text": f"{one['text']} {one['text'][::-1]} and {i} more words", "label": "sky"}
             for i, one in enumerate(planted(8))]  # fmt: skip
    bring(made, planted(3, seed=9), "train", "human")
    bring(made, [*texts, {"text": "too short", "label": "sky"}], "ood:forum", "human")
    n_before = len(samples.texts(session.database, made))
    found = {each.kind: each for each in leaks.selftest(made)}
    assert list(found) == list(leaks.KINDS)
    assert found["copied"].gate == found["copied"].caught[0.9] == 1.0
    assert found["case and punctuation changed"].gate >= 24 / 25
    assert found["copied"].n == len(texts) + 1 and found["copied"].n_short == 1
    assert found["words in another order"].gate >= 24 / 25
    assert found["cut to half"].gate == 0 == found["cut to half"].caught[0.8]
    assert found["three words of ten changed"].gate < 0.5
    for each in found.values():
        shares = list(each.caught.values())
        assert shares == sorted(shares, reverse=True)
        assert each.gate >= each.caught[0.8]
    assert leaks.selftest(made) == list(found.values())
    assert len(samples.texts(session.database, made)) == n_before


def test_the_selftest_is_a_command(project):
    rows = json.loads(told("check", "selftest", "planted", "--format", "json").out)
    assert [one["leak"] for one in rows] == list(leaks.KINDS)
    assert rows[0]["caught by the gate"] == 1.0
    said = told("check", "selftest", "planted")
    assert said.code == 0 and "words in another order" in said.out and "80%" in said.err
    home.create_project("bare")
    assert told("check", "selftest", "bare").code == 2


def test_the_similarity_of_the_selftest_is_the_gates(project):
    tests = gate(project)
    for text, other in (("a b c d e", "e d c b a"), ("a b c d", "d c b a"), ("Same", "same ")):
        near = leaks.similarity(text, other) >= 0.8
        assert near == Gate([("x", text)]).is_leak(other) and not tests.is_leak(other)


def test_what_differs_only_in_a_number_is_kept_and_not_counted_as_flagged(project, session):
    text = "we paid 20 euros for a small beer and a plate"
    bring(project, [{"text": text, "label": "sky"}], "train", "human")
    new = [{"text": one, "label": "sky"} for one in (text.replace("20", "25"), text.upper())]
    done = bring(project, new, "train", "synthetic")
    assert done.n_flagged == 1
    pending = samples.page(session.database, project, Filter(status="pending"), 9)
    found = verdicts.of(session.database, project, [one.id for one in pending])
    said = {one.text: [(v.is_flagged, v.reason) for v in found[one.id]] for one in pending}
    assert said == {
        text.replace("20", "25"): [(False, "differs only in a number from a training sample")],
        text.upper(): [(True, "the same text as a training sample")],
    }
    told_only = next(one for one in pending if not one.flags)
    assert curate.accept_many(project, "Ana").n_accepted == 1
    curate.edit(project, "Ana", told_only.id, samples.get(session.database, project, told_only.id)
                .revision, {"text": "something else about the sky"})  # fmt: skip
    assert not verdicts.of(session.database, project, [told_only.id])


def test_examples_are_drawn_past_texts_that_are_close_to_a_test_text(
    project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring(project, planted(60, seed=9), "train", "human", "more.csv")
    ranked: dict[str, list[str]] = {}
    for one in sorted(
        samples.page(here().database, project, Filter(split="train", source="human"), 1_000),
        key=lambda one: hashlib.sha256(one.text.encode()).hexdigest(),
    ):
        ranked.setdefault(str(one.stratum), []).append(one.text)
    assert min(map(len, ranked.values())) == 80

    def drawn(size: int) -> set[str]:
        return {one.text for one in examples.redraw_examples(project, size)}

    firsts = drawn(6)
    assert firsts == {text for texts in ranked.values() for text in texts[:2]}
    # All but the last three of each class are close to a test text; two of those are shown.
    kept = {text for texts in ranked.values() for text in texts[-3:]}
    monkeypatch.setattr(Gate, "is_leak", lambda _, text: text not in kept)
    assert drawn(6) == {text for texts in ranked.values() for text in texts[-3:-1]}
