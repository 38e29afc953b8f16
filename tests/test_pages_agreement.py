"""The page Agreement: what it shows, and that clicks do what they say."""

from __future__ import annotations

import random

import pytest

from core.actions import adjudication, agreement, consensus, gold, home, review
from core.actions.session import Session
from core.store import decisions, samples
from core.store.samples import Filter
from tests.conftest import WORDS, bring, planted
from tests.test_pages_curating import (
    button,
    click,
    fresh_server,  # noqa: F401  every test needs it
    pick,
    visit,
    words,
)

PEOPLE = {"Ana": 0.95, "Ben": 0.85, "Cem": 0.4}


@pytest.fixture
def crowd(session: Session) -> str:
    """A project with 30 human training rows that three people labelled."""
    made = home.create_project("crowd", "classify", [(name, "") for name in WORDS]).id
    bring(made, planted(10, seed=1), "train", "human")
    generator = random.Random(0)
    rows = samples.page(session.database, made, Filter(), 100)
    for who, right in PEOPLE.items():
        said = {row.id: str(row.imported_label) if generator.random() < right
                else generator.choice([*WORDS]) for row in rows}  # fmt: skip
        review.label_many(made, who, said)
    return made


def show(mode: str):
    app = visit("agreement", "Lead", project="crowd")
    control = next(one for one in app.get("button_group") if one.key == "agreement_mode")
    value = next(option for option in ["Figures", "Annotators", "Adjudicate", "Consensus", "Gold"]
                 if option == mode)  # fmt: skip
    control.set_value(value).run()
    assert not app.exception
    return app


def test_without_people_it_says_what_to_do(session):
    home.create_project("empty")
    assert "Name labels and import a file on Data" in words(visit("agreement", project="empty"))
    made = home.create_project("alone", "classify", [(name, "") for name in WORDS]).id
    bring(made, planted(2), "train", "human")
    told = words(visit("agreement", project="alone"))
    assert "Nobody has labelled any item." in told and "two people" in told


def test_figures_stand_there_with_limits_and_numbers(crowd):
    app = visit("agreement", "Lead", project="crowd")
    found = agreement.of(crowd).overall
    shown = {metric.label: metric.value for metric in app.metric}
    assert shown["Krippendorff's alpha"] == f"{found.alpha.value:.3f}"
    told = words(app)
    assert f"95% interval {found.alpha.low:.3f} to {found.alpha.high:.3f}" in told
    assert "On **30 items** with two labels or more: 90 decisions of 3 annotators" in told
    pick(app.selectbox, "Of").set_value("verdicts").run()
    assert not app.exception and "Nobody has labelled" in words(app)


def test_two_annotators_are_compared(crowd):
    app = show("Annotators")
    assert "30 items in common" in words(app)
    pick(app.selectbox, "and").set_value("Cem").run()
    two = agreement.compared(crowd, "labels", None, "Ana", "Cem")
    assert not app.exception and f"They differ on {two.n_apart}" in words(app)


def test_names_are_hidden_until_asked_for_and_a_press_adjudicates(crowd, session):
    app = show("Adjudicate")
    n = adjudication.count(crowd)
    told = words(app)
    assert f"{n} left" in told and "Annotator 1" in told
    assert not any(name in told for name in PEOPLE)
    dispute = adjudication.queue(crowd, "Lead").dispute
    sample = dispute.card.sample.id
    chosen = dispute.opinions[0].label
    [one] = [one for one in app.button if one.label.replace("\\", "").startswith(chosen)]
    one.click()
    app.run()
    assert not app.exception
    assert adjudication.count(crowd) == n - 1
    now = samples.get(session.database, crowd, sample)
    assert (now.label, now.annotator) == (chosen, "Lead")
    click(app, "Undo")
    assert adjudication.count(crowd) == n
    pick(app.toggle, "Show names").set_value(True).run()
    assert "Ana" in words(app)


def test_a_decision_of_anothers_is_taken_back_by_name(crowd, session):
    app = show("Adjudicate")
    dispute = adjudication.queue(crowd, "Lead").dispute
    said = dispute.opinions[0]
    click(app, f"{said.alias}: {said.words}")
    last = decisions.history(session.database, crowd, dispute.card.sample.id)[-1]
    assert (last["kind"], last["annotator"], last["undoes"]) == ("undo", "Lead", said.event)


def test_a_rule_is_previewed_and_used_and_switched_back(crowd):
    app = show("Consensus")
    rule = pick(app.radio, "Rule")
    rule.set_value("quality").run()
    click(app, "What would it change?")
    n = len(consensus.preview(crowd, "quality").changes)
    assert f"{n} labels would change" in words(app) and consensus.rule(crowd) == "majority"
    click(app, "Use this rule")
    assert consensus.rule(crowd) == "quality"
    pick(app.radio, "Rule").set_value("majority").run()
    click(app, "What would it change?")
    click(app, "Use this rule")
    assert consensus.rule(crowd) == "majority"


def test_gold_warns_of_who_finds_too_few(crowd, session):
    rows = samples.page(session.database, crowd, Filter(), 99)
    gold.mark(crowd, "Lead", {row.id: str(row.imported_label) for row in rows})
    app = show("Gold")
    told = words(app)
    assert "Cem finds" in told and "Ana finds" not in told
    pick(app.number_input, "Accuracy asked for").set_value(0.1)
    button(app, "Save").click()
    app.run()
    assert not app.exception and "Cem finds" not in words(app)
