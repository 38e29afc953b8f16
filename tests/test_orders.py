"""In which order cards come, how they are shared out in it, and what a small model doubts."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from core.actions import doubts, home, orders, queues, review, suggestions
from core.actions.orders import Order
from core.actions.session import Session, here
from core.errors import Problem
from core.jobs import scoring
from core.jobs.doubts import Asked, judged
from core.records import NewSample
from core.registry import make
from core.store import orders as stored
from core.store import samples, scores
from core.store.samples import Filter
from core.students.base import Student
from core.tasks.base import Task
from tests.conftest import WORDS, bring, planted

N = 60


@pytest.fixture
def project(session: Session) -> str:
    made = home.create_project("cards", "classify", [("a", ""), ("b", "")]).id
    bring(made, [{"text": f"text {n:02}", "label": "a"} for n in range(N)], "train", "human")
    return made


@pytest.fixture
def judged_project(session: Session, monkeypatch) -> str:
    """Planted rows of which some labels are wrong, with rows of other kinds beside them."""
    from core.jobs.executors import inline

    monkeypatch.setattr(session.runner, "_start_part", inline)
    labels = [(name, "") for name in WORDS]
    made = home.create_project("planted", "classify", labels).id
    rows = planted(40, seed=1)
    for row in rows[:3]:
        row["label"] = {"sea": "sky", "sky": "soil", "soil": "sea"}[row["label"]]
    bring(made, rows, "train", "human")
    bring(made, planted(5, seed=2), "test", "human")
    synthetic = planted(5, seed=3)
    synthetic[0]["label"] = {"sea": "sky", "sky": "soil", "soil": "sea"}[synthetic[0]["label"]]
    bring(made, synthetic, "train", "synthetic")
    return made


def ids(project: str, who: str, n: int = 10, kind: str = "came", **more: object) -> list[str]:
    order = Order(kind, who if kind == "random" else "")
    found = queues.hand(project, who, queues.wanted(), n, order=order, **more)  # type: ignore[arg-type]
    return [card.sample.id for card in found.cards]


def everything(project: str, order: Order, wanted: Filter | None = None, limit: int = 7):
    """Return all samples of an order, read page by page."""
    after, found = None, []
    while True:
        rows, after = orders.page(project, wanted or queues.wanted("all"), order, limit, after)
        found += rows
        if len(rows) < limit:
            return found


def kept(project: str, kind: str, values: dict[int, float]) -> None:
    made = [scores.Score(seq, value) for seq, value in values.items()]
    with here().database.write() as cursor:
        when = scores.now()
        scores.keep(cursor, project, kind, when, made)
        scores.finish(cursor, project, kind, scores.ScoreSet({}, 0, when))


def test_every_order_brings_every_sample_once_over_its_pages(project):
    rows = review.table(project, queues.wanted("all"))
    values = {row.seq: random.Random(1).random() for row in rows[::3]}
    kept(project, "doubtful", values)
    kept(project, "uncertain", values)
    kept(project, "similar:x", values)
    review.label(project, "Ana", rows[5].id, 0, "b")
    for kind in orders.TITLES:
        order = Order(kind, "Ana", "x" if kind == "similar" else None)
        found = [row.id for row in everything(project, order)]
        assert sorted(found) == sorted(row.id for row in rows), kind
        assert len(set(found)) == N


def test_a_shuffle_is_ones_own_and_stays_the_same(project):
    came = ids(project, "Ana", N)
    ana = ids(project, "Ana", N, "random")
    queues.give_back(project, "Ana")
    ben = ids(project, "Ben", N, "random")
    assert sorted(ana) == sorted(ben) == sorted(came)
    assert len({tuple(came), tuple(ana), tuple(ben)}) == 3
    queues.give_back(project, "Ben")
    assert ids(project, "Ana", N, "random") == ana


def test_a_shuffle_keeps_no_rhythm(project):
    """Neighbours in the shuffle are as far apart in the order they came as of a random draw."""
    place = {row.id: n for n, row in enumerate(review.table(project, queues.wanted("all")))}
    gaps = []
    for who in map(str, range(30)):
        found = [place[row.id] for row in everything(project, Order("random", who))]
        gaps += [abs(a - b) for a, b in pairwise(found)]
    assert abs(sum(gaps) / len(gaps) - (N + 1) / 3) < 1.0
    assert len(set(gaps)) > 50


def test_ranked_samples_come_first_by_their_figure_and_the_others_as_they_came(
    project, monkeypatch
):
    monkeypatch.setattr(stored, "LOOKED_AT", 4)
    rows = review.table(project, queues.wanted("all"))
    values = {row.seq: -float(n) for n, row in enumerate(rows[:50:2])}
    kept(project, "doubtful", values)
    # Of the ranked ones most are decided, so that more than the first few are looked at.
    for row in rows[4:50]:
        review.label(project, "Ben", row.id, 0, "a")
    found = everything(project, Order("doubtful"), queues.wanted())
    expected = [rows[2].id, rows[0].id, rows[1].id, rows[3].id, *(row.id for row in rows[50:])]
    assert [row.id for row in found] == expected


def test_the_fewest_decisions_come_first(project):
    first, second, *_ = everything(project, Order("came"))
    for who in ("Ben", "Cleo"):
        review.label(project, who, first.id, 0, "a")
    review.label(project, "Ben", second.id, 0, "a")
    found = [row.id for row in everything(project, Order("unseen"))]
    assert found[-2:] == [second.id, first.id]


def test_the_most_disputed_come_first_by_last_labels(project):
    one, two, three, *_ = everything(project, Order("came"))
    for sample, labels in {one.id: "aaab", two.id: "aabb", three.id: "aaaa"}.items():
        for who, label in zip("ABCD", labels, strict=True):
            review.label(project, who, sample, 0, label)
    found = [row.id for row in everything(project, Order("disputed"))]
    assert found[:3] == [two.id, one.id, three.id]
    # B and C change their minds, and D takes the label back: nobody differs any more.
    for who in "CD":
        mine = next(event for event in review.history(project, two.id) if event["annotator"] == who)
        review.label(project, who, two.id, int(str(mine["seq"])), "a")
    assert [row.id for row in everything(project, Order("disputed"))][:2] == [one.id, two.id]


def test_cards_are_shared_out_in_every_order_until_they_are_given_back(project):
    rows = review.table(project, queues.wanted("all"))
    kept(project, "doubtful", {row.seq: -row.seq for row in rows})
    hands = [ids(project, who, 10, "doubtful") for who in ("Ana", "Ben")]
    assert hands[0] == [row.id for row in rows[::-1][:10]]
    assert hands[1] == [row.id for row in rows[::-1][10:20]]
    came = ids(project, "Ana")
    assert came == [row.id for row in rows[:10]]
    # What fell out of a hand may still be on a slow screen.
    assert ids(project, "Cleo", 10, "doubtful") == [row.id for row in rows[::-1][20:30]]
    queues.give_back(project, "Ana")
    assert ids(project, "Dan", 10, "doubtful") == hands[0]


def test_skipped_cards_come_last_in_every_order(project):
    every = ids(project, "Ana", N, "random")
    skipped = [every[5], every[2]]
    assert ids(project, "Ana", N, "random", skipped=skipped)[-2:] == skipped


@pytest.mark.parametrize(
    ("order", "why"),
    [(Order("doubtful"), "No model has judged"), (Order("uncertain"), "No model has judged"),
     (Order("similar"), "Similar to which"), (Order("alphabetical"), "There is no order")],
)  # fmt: skip
def test_an_order_whose_ground_is_missing_says_so(project, order, why):
    with pytest.raises(Problem, match=why):
        queues.hand(project, "Ana", queues.wanted(), order=order)


def test_similar_cards_are_refused_before_there_are_vectors(project, quick_vectors):
    first = everything(project, Order("came"))[0]
    with pytest.raises(Problem, match="no vector yet"):
        queues.hand(project, "Ana", queues.wanted(), order=Order("similar", "", first.id))


def test_the_closest_come_first(session, quick_vectors):
    from core.actions import vectors

    project = home.create_project("near", "classify", [(name, "") for name in WORDS]).id
    bring(project, planted(8, seed=1), "train", "human")
    vectors.start(project)
    first = everything(project, Order("came"))[0]
    found = everything(project, Order("similar", "", first.id))
    others = [row.id for row in found[:-1]]
    made, _ = vectors.vectors(project, [first.id, *others])
    cosines = made[1:] @ made[0]
    assert (cosines[:-1] >= cosines[1:] - 1e-6).all()
    # The chosen one itself has no distance and comes after its neighbours.
    assert found[-1].id == first.id


# What a small model doubts


def flipped(n: int, share: float) -> tuple[list[dict[str, str]], set[int]]:
    generator, rows = random.Random(5), planted(n // 3, seed=9)
    wrong = set(generator.sample(range(len(rows)), round(share * len(rows))))
    for place in wrong:
        rows[place]["label"] = generator.choice([w for w in WORDS if w != rows[place]["label"]])
    return rows, wrong


def test_planted_label_errors_stand_first():
    rows, wrong = flipped(2_001, 0.05)
    task = make(Task, "classify", {"labels": [{"name": name} for name in WORDS]})
    asked = [Asked({"text": row["text"]}, row["label"], True) for row in rows]
    found, n_learned = judged(task, make(Student, "tfidf", {}), asked)
    assert n_learned == 2_001
    order = sorted(range(len(rows)), key=lambda place: found[place].quality)
    n_right = len(set(order[:100]) & wrong)
    at_random = len(set(random.Random(0).sample(range(len(rows)), 100)) & wrong)
    assert n_right >= 95 > 20 > at_random
    issues = {place for place, one in enumerate(found) if one.is_issue}
    assert len(issues & wrong) >= 0.9 * len(wrong)
    assert len(issues - wrong) <= 0.02 * len(rows)
    # What is suggested in their place is what they were.
    assert all(found[place].answer != rows[place]["label"] for place in order[:90])


def test_no_row_is_judged_by_a_model_that_saw_its_label():
    """A model that remembers every text would believe every label that it was shown."""
    names = ["a", "b"]
    task = make(Task, "classify", {"labels": [{"name": name} for name in names]})
    generator = random.Random(3)
    rows = [Asked({"text": f"word{n}x"}, generator.choice(names), True) for n in range(200)]
    found, _ = judged(task, make(Student, "tfidf", {}), rows)
    n_same = sum(one.answer == row.label for one, row in zip(found, rows, strict=True))
    assert n_same < 130


def test_what_is_known_of_no_class_is_not_doubted():
    task = make(Task, "classify", {"labels": [{"name": name} for name in "abc"]})
    rows = [Asked({"text": f"{'xy'[n % 2] * 3} w{n}"}, "ab"[n % 2], True) for n in range(40)]
    lonely = [Asked({"text": "zzz lonely"}, "c", True), Asked({"text": "zzz w"}, "c", False)]
    found, _ = judged(task, make(Student, "tfidf", {}), [*rows, *lonely])
    assert [one.quality for one in found[-2:]] == [None, None]
    assert all(one.quality is not None for one in found[:-2])


def test_a_job_judges_train_rows_of_every_kind_and_no_test_row(judged_project):
    project = judged_project
    rows = {row.text: row for row in samples.page(here().database, project, Filter(), 1_000)}
    test_text = next(row.text for row in rows.values() if row.split == "test")
    leak = NewSample({"text": test_text}, test_text, "sea", "sea", "human", "train")
    with here().database.write() as cursor:
        samples.add(cursor, project, [leak])
    before = doubts.state(project)
    assert (before.n_issues, before.made_at) == (None, None)
    job = doubts.start(project)
    assert doubts.wait(job).state == "done"
    now = doubts.state(project)
    assert (now.n_learned, now.n_judged, now.n_since) == (120, 135, 0)
    assert now.n_issues and now.n_issues >= 3
    first = everything(project, Order("doubtful"), queues.wanted())[:3]
    wrong = [row.text for row in first]
    clean = {row["text"]: row["label"] for row in planted(40, seed=1)}
    assert all(clean[text] != rows[text].label for text in wrong)
    pseudo = everything(project, Order("doubtful"), Filter(source="synthetic", split="train"))
    right = {row["text"]: row["label"] for row in planted(5, seed=3)}
    assert right[pseudo[0].text] != pseudo[0].label
    tests = [row.seq for row in rows.values() if row.split == "test"]
    assert scores.of_samples(here().database, project, scoring.KINDS, tests) == {}
    about = scores.of_one(here().database, project, "doubtful").about
    assert about["student"] == "tfidf" and len(about["rows"]) == 64


def test_a_label_that_was_given_since_makes_the_figures_older(judged_project):
    doubts.wait(doubts.start(judged_project))
    first = everything(judged_project, Order("doubtful"), queues.wanted())[0]
    said = suggestions.of_samples(judged_project, [first])[first.id][0]
    assert said.label != first.label
    assert said.source == "tfidf out of fold"
    assert said.told("B").startswith("suggested: B (0.")
    review.label(judged_project, "Ana", first.id, 0, said.label)
    assert doubts.state(judged_project).n_since == 1
    doubts.wait(doubts.start(judged_project))
    assert doubts.state(judged_project).n_since == 0
    rows = everything(judged_project, Order("doubtful"), queues.wanted("all"))
    assert first.id not in {row.id for row in rows[:5]}


def test_rows_without_a_label_come_by_how_unsure_the_model_is(judged_project):
    from core.actions import imports
    from core.formats import write_csv

    sure = "wave tide shell harbour sail anchor gull salt reef fish"
    unsure = "wave cloud root tide wind worm"
    texts = [{"text": sure}, {"text": unsure}]
    table = imports.read_table("u.csv", write_csv(["text"], texts).encode())
    imports.import_rows(
        judged_project, imports.prepare(judged_project, table, {"text": ["text"]}, "train", "human")
    )
    doubts.wait(doubts.start(judged_project))
    found = everything(judged_project, Order("uncertain"), queues.wanted("unlabelled"))
    assert [row.text for row in found] == [unsure, sure]
    said = suggestions.of_samples(judged_project, found)[found[1].id][0]
    assert (said.label, said.source) == ("sea", "tfidf of human rows")


def test_labels_that_are_no_classes_and_too_few_rows_are_refused(session):
    pairs = home.create_project("pairs", "similarity", []).id
    with pytest.raises(Problem, match="has none"):
        doubts.start(pairs)
    few = home.create_project("few", "classify", [("a", ""), ("b", "")]).id
    bring(few, [{"text": "one", "label": "a"}], "train", "human")
    with pytest.raises(Problem, match="learns from"):
        doubts.start(few)
    with pytest.raises(Problem, match="does not judge"):
        doubts.start(few, "finetune")
