"""Checks find what was planted, say how close it is, and flag nothing else."""

import json

import pytest

from core.checks.base import Check, Item
from core.checks.duplicates import Duplicates
from core.checks.leakage import Leakage
from core.registry import from_json, member, member_ids

CHECKS = [member("checks", name) for name in member_ids("checks")]
EXISTING = [
    Item("train-1", "The train to Osaka was late again and nobody told us why"),
    Item("train-2", "Lovely staff, clean rooms, and the breakfast was worth getting up for"),
    Item("test-1", "My parcel arrived open and half of what I ordered was missing", split="test"),
    Item("ood-1", "lol the app crashes each time i open the map on my phone", split="ood:forum"),
    Item(
        "bench-1", "The kettle stopped working after two weeks of normal use", split="bench:small"
    ),
]
FRESH = [
    Item("new-1", "The conductor was kind and found me another seat"),
    Item("new-2", "Nothing works, and support has not answered for a month"),
    Item("new-3", ""),
    Item("new-4", "ok"),
]


def flagged(verdicts):
    return {verdict.sample: verdict for verdict in verdicts if verdict.is_flagged}


def judged(check, candidates, existing=EXISTING):
    return check.start(existing).judge(candidates)


@pytest.mark.parametrize("cls", CHECKS)
def test_every_check_can_be_stored_shown_and_run(cls):
    check = cls()
    assert cls.title
    assert all(field.description for field in cls.model_fields.values())
    assert from_json(Check, json.loads(json.dumps(check.to_json()))) == check
    verdicts = judged(check, FRESH)
    assert [verdict.sample for verdict in verdicts] == [item.id for item in FRESH]
    assert {verdict.check for verdict in verdicts} == {cls.id()}


@pytest.mark.parametrize("check", [Duplicates(), Leakage()])
def test_fresh_texts_are_not_flagged(check):
    assert flagged(judged(check, FRESH)) == {}


def test_an_exact_duplicate_is_found_through_case_and_width():
    copy = Item(
        "copy", "  \uff34\uff28\uff25 train to osaka was late\nagain and nobody told us why "
    )
    found = flagged(judged(Duplicates(), [*FRESH, copy]))
    assert list(found) == ["copy"]
    assert (found["copy"].score, found["copy"].close_to) == (1.0, "train-1")
    assert found["copy"].close_text == EXISTING[0].text
    assert found["copy"].reason == "the same text as a training sample"


def test_a_near_duplicate_is_found_with_its_similarity():
    near = Item("near", "The train to Osaka was late again and nobody told me why")
    found = flagged(judged(Duplicates(), [near, *FRESH]))
    assert list(found) == ["near"]
    assert found["near"].score == pytest.approx(11 / 13)
    assert found["near"].close_to == "train-1"
    assert found["near"].reason == "84% of the words are shared with a training sample"


def test_an_earlier_candidate_counts_in_the_same_and_in_a_later_batch():
    judge = Duplicates().start(EXISTING)
    first, same, later = (Item(name, "A text nobody had before") for name in "abc")
    assert list(flagged(judge.judge([first, same]))) == ["b"]
    found = flagged(judge.judge([later]))
    assert found["c"].close_to == "a"
    assert found["c"].reason == "the same text as an earlier candidate"


def test_a_sample_is_no_duplicate_of_itself():
    assert flagged(judged(Duplicates(), EXISTING[:2])) == {}
    edited = Item("train-1", "The train to Osaka was late again and nobody told us why!")
    assert flagged(judged(Duplicates(), [edited])) == {}
    assert flagged(judged(Leakage(), EXISTING)) == {}


def test_test_rows_are_leaks_and_no_duplicates():
    copies = [
        Item(f"copy of {row.id}", row.text.upper()) for row in EXISTING if row.split != "train"
    ]
    assert flagged(judged(Duplicates(), copies)) == {}
    found = flagged(judged(Leakage(), [*FRESH, *copies]))
    assert [verdict.close_to for verdict in found.values()] == ["test-1", "ood-1", "bench-1"]
    assert [verdict.reason for verdict in found.values()] == [
        "the same text as a sample of the test set",
        "the same text as a sample of the other test set 'forum'",
        "the same text as a sample of the synthetic test set 'small'",
    ]


def test_a_near_leak_is_found_and_training_rows_are_not_leaks():
    near = Item("near", "My parcel arrived open and half of what I had ordered was missing")
    found = flagged(judged(Leakage(), [near, Item("copy", EXISTING[0].text)]))
    assert list(found) == ["near"]
    assert found["near"].score == pytest.approx(12 / 13)
