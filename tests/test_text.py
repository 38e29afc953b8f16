"""The index of near texts agrees with comparing every text with every other."""

import doctest

from hypothesis import given
from hypothesis import strategies as st

from core import text
from core.text import MIN_WORDS, NEAR, Match, Nearby, normalise, words

SOME_WORDS = [f"w{number}" for number in range(14)]
sentences = st.lists(st.sampled_from(SOME_WORDS), max_size=16).map(" ".join)
any_text = st.one_of(sentences, st.text(max_size=30))
ids = st.integers(0, 12).map(str)
rows = st.lists(st.tuples(ids, any_text), max_size=25)


def closest_by_hand(added, wanted, skip=frozenset()):
    now = {}
    for id_, found in added:
        now.pop(id_, None)  # put anew, it counts as added last
        now[id_] = found
    best = None
    for id_, found in now.items():
        if id_ in skip:
            continue
        if normalise(found) == normalise(wanted):
            return Match(id_, found, 1.0, True)
        a, b = words(found), words(wanted)
        similarity = len(a & b) / max(1, len(a | b))
        is_near = min(len(a), len(b)) >= MIN_WORDS and similarity >= NEAR
        if is_near and (best is None or similarity > best.similarity):
            best = Match(id_, found, similarity, False)
    return best


@given(first=rows, later=rows, wanted=any_text, skip=st.sets(ids, max_size=4))
def test_the_index_finds_what_comparing_everything_finds(first, later, wanted, skip):
    index = Nearby(first)
    for id_, added in later:
        index.add(id_, added)
    assert index.closest(wanted, skip) == closest_by_hand(first + later, wanted, skip)
    assert len(index) == len({id_ for id_, _ in first + later})


@given(
    base=st.lists(st.text("abcdef", min_size=1, max_size=3), min_size=5, max_size=40, unique=True)
)
def test_no_text_at_the_threshold_is_missed(base):
    n_dropped = len(base) - -(-4 * len(base) // 5)
    kept = base[n_dropped:]
    found = Nearby([("a", " ".join(base))]).closest(" ".join(reversed(kept)))
    assert (found is not None) == (len(kept) >= MIN_WORDS)


def test_equality_sees_through_width_case_and_white_space():
    wide = "\uff34\uff48\uff45  \ufb01rst\nSTRASSE"
    assert Nearby([("a", wide)]).closest("the first straße") == Match("a", wide, 1.0, True)


def test_four_words_of_five_are_near_and_three_are_not():
    index = Nearby([("a", "one two three four five")])
    assert index.closest("one two three four five six").similarity == 5 / 6
    assert index.closest("one two three four six") is None


def test_of_equally_near_texts_the_first_counts():
    near = [("b", "one two three four five"), ("a", "five four three two one")]
    assert Nearby(near).closest("one two three four five six").id == "b"


def test_few_words_are_never_near():
    assert Nearby([("a", "one two three four")]).closest("four three two one") is None


def test_of_equal_texts_the_first_counts_unless_it_is_skipped():
    index = Nearby([("b", "same"), ("a", "same")])
    assert index.closest("same").id == "b"
    assert index.closest("same", skip={"b"}).id == "a"
    assert index.closest("same", skip={"a", "b"}) is None


def test_a_text_put_anew_replaces_the_old_one():
    index = Nearby([("a", "old")])
    index.add("a", "new")
    assert index.closest("old") is None
    assert index.closest("new").id == "a"


def test_the_examples_in_the_docstrings_hold():
    assert doctest.testmod(text).failed == 0


def test_scripts_without_spaces_are_compared_too() -> None:
    one = "今日は友達と海へ行って、とても楽しかったです。"
    near = "今日は友達と海へ行って、とても楽しかったよ。"
    far = "昨日の会議は長くて、何も決まらなかったのが残念だ。"
    nearby = Nearby([("one", one), ("far", far)])
    found = nearby.closest(near)
    assert found is not None and found.id == "one" and not found.is_equal
    assert Nearby([("far", far)]).closest(near) is None


def test_vowel_signs_belong_to_their_word() -> None:
    assert words("मैं घर जाता हूँ") == {"मैं", "घर", "जाता", "हूँ"}
