"""Tokens, typed spans and frames: what a text holds is found, kept exactly, or refused."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core import inline
from core.errors import Unreadable
from core.spans import (
    Argument,
    Frame,
    Span,
    frames_fault,
    from_tags,
    overlap_fault,
    read_frames,
    read_spans,
    spans_fault,
    to_label,
    to_tags,
)
from core.text import tokens

PERSIAN = "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"
HARD = [
    "It's 3.5 m², isn't_it?", "cafe\u0301 nai\u0308ve", "שלום\u200f עולם (כן)", "مرحبًا بالعالم",
    PERSIAN, "今日はコーヒーを飲む。", "ﾊﾞﾅﾅ 人々", "ภาษาไทยน้ำ", "ខ្មែរ",
    "👩\u200d🚀 🏳️\u200d🌈 👍🏽 🇯🇵🇫🇷 1️⃣ 🏴\U000e0067\U000e0062\U000e007f", "한국어 텍스트", "मैं घर हूँ",
    "one\ntwo\r\nthree\u2028four\x85five", "[a](b) \\[c\\] \\", '"quoted"', "# text = no",
    " space ", "\ufeffmark", "a\tb", "-DOCSTART- O", "\u0301", "\u200b", "x\u00a0y",
]  # fmt: skip
TEXTS = st.sampled_from(HARD) | st.text(
    st.sampled_from("".join(HARD)) | st.characters(exclude_categories=["Cs"]), max_size=40
)
TYPES = st.sampled_from(["person", "place", "a b", "B-x", "(odd)", "[t]\\", "型"])


@st.composite
def annotated(draw: st.DrawFn, may_overlap: bool = False) -> tuple[str, list[Span]]:
    """A text and spans anywhere in it, sorted."""
    text = draw(TEXTS)
    places = st.integers(0, len(text))
    if may_overlap:
        pairs = [sorted(pair) for pair in draw(st.lists(st.tuples(places, places), max_size=5))]
    else:
        cuts = sorted(draw(st.sets(places, max_size=8)))
        pairs = [[a, b] for a, b in pairwise(cuts) if draw(st.booleans())]
    return text, sorted({Span(a, b, draw(TYPES)) for a, b in pairs if a < b})


# Tokens


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("It's 3.5 m², isn't_it?", "It|'|s|3|.|5|m²|,|isn|'|t_it|?"),
        ("cafe\u0301 nai\u0308ve", "cafe\u0301|nai\u0308ve"),
        ("שלום\u200f עולם!", "שלום|עולם|!"),
        (PERSIAN, PERSIAN),
        ("今日はNHKへ20時。", "今|日|は|NHK|へ|20|時|。"),
        ("ｺｰﾋｰとﾊﾞﾅﾅ", "ｺ|ｰ|ﾋ|ｰ|と|ﾊﾞ|ﾅ|ﾅ"),
        ("ไทยน้ำ ๑๒", "ไ|ท|ย|น้ำ|๑๒"),
        ("ខ្មែរ", "ខ្មែ|រ"),
        ("👩\u200d🚀👍🏽ok", "👩\u200d🚀|👍🏽|ok"),
        ("🇯🇵🇫🇷!", "🇯🇵|🇫🇷|!"),
        ("मैं घर", "मैं|घर"),
        ("한국어 텍스트", "한국어|텍스트"),
        ("\u0301a \u200b", "\u0301|a"),
        ("", ""),
    ],
)  # fmt: skip
def test_tokens_are_words_and_whole_signs(text: str, said: str) -> None:
    assert "|".join(text[start:end] for start, end in tokens(text)) == said


@given(TEXTS)
def test_tokens_are_in_order_and_leave_only_what_is_not_seen(text: str) -> None:
    at = 0
    for start, end in [*tokens(text), (len(text), len(text))]:
        assert at <= start <= end
        assert not tokens(text[at:start])
        at = end
    assert all(start < end for start, end in tokens(text))


@given(st.text(st.characters(max_codepoint=127), max_size=40))
def test_ascii_is_cut_the_same_whatever_stands_behind_it(text: str) -> None:
    assert tokens(text + "\n東")[:-1] == tokens(text)


# Labels


@given(annotated(may_overlap=True))
def test_spans_come_back_from_their_label(case: tuple[str, list[Span]]) -> None:
    text, spans = case
    label = to_label(reversed(spans))
    assert list(read_spans(label)) == spans and to_label(read_spans(label)) == label
    assert spans_fault(text, spans) is None


def test_frames_come_back_sorted() -> None:
    frame = Frame(4, 7, "MIX", (Argument(8, 9, "object"), Argument(0, 3, "time")))
    label = to_label([Frame(9, 10, "ADD"), frame])
    assert json.loads(label)[0]["arguments"][0] == {"start": 0, "end": 3, "role": "time"}
    assert read_frames(label)[0].arguments[0] == Argument(0, 3, "time")
    assert to_label(read_frames(label)) == label
    assert read_frames('[{"start":0,"end":1,"type":"X"}]') == (Frame(0, 1, "X"),)


@pytest.mark.parametrize(
    ("label", "said"),
    [
        ("", "not JSON"),
        ("{}", "not a list"),
        ("[3]", "a span is not an object"),
        ('[{"start":0,"end":1}]', "a span without type"),
        ('[{"start":0,"end":1,"type":" "}]', "whose type is no text"),
        ('[{"start":0,"end":true,"type":"x"}]', "not whole numbers"),
        ('[{"start":0,"end":1.5,"type":"x"}]', "not whole numbers"),
        ('[{"start":NaN,"end":1,"type":"x"}]', "not whole numbers"),
        ('[{"start":0,"end":1,"type":"x","score":1}]', "with 'score', which means nothing"),
        ("[" * 100_000, "not JSON"),
        ('[{"start":' + "9" * 5000 + "}]", "not JSON"),
    ],
)
def test_a_label_that_is_none_says_why(label: str, said: str) -> None:
    with pytest.raises(Unreadable, match=said):
        read_spans(label)


def test_a_frame_that_is_none_says_why() -> None:
    for arguments, said in (("3", "not a list"), ('[{"start":0,"end":1}]', "without role")):
        with pytest.raises(Unreadable, match=said):
            read_frames(f'[{{"start":0,"end":1,"type":"X","arguments":{arguments}}}]')


def test_spans_outside_a_text_are_named() -> None:
    assert "from 1 to 9 is not within a text of 3" in str(spans_fault("abc", [Span(1, 9, "x")]))
    assert "a span at 1 is empty" in str(spans_fault("abc", [Span(1, 1, "x")]))
    assert "twice" in str(spans_fault("abc", [Span(0, 1, "x"), Span(0, 1, "x")]))
    frame = Frame(0, 1, "X", (Argument(2, 4, "object"),))
    assert "an argument from 2 to 4" in str(frames_fault("abc", [frame]))
    assert "a trigger from -1" in str(frames_fault("abc", [Frame(-1, 1, "X")]))
    assert "twice" in str(frames_fault("abc", [Frame(0, 1, "X")] * 2))
    assert frames_fault("abcd", [frame, Frame(0, 1, "Y")]) is None


def test_spans_that_overlap_are_named() -> None:
    text = "in New York City"
    city, york, new = Span(3, 16, "place"), Span(7, 11, "name"), Span(3, 6, "word")
    assert overlap_fault(text, [york, city]) == (
        "'York' (name) lies inside 'New York City' (place)"
    )
    assert overlap_fault(text, [city, new]) == "'New' (word) lies inside 'New York City' (place)"
    assert "overlaps with" in str(overlap_fault(text, [Span(3, 11, "a"), Span(7, 16, "b")]))
    assert overlap_fault(text, [new, york]) is None


# Tags


@pytest.mark.parametrize(
    ("tags", "spans"),
    [
        ("B-x I-x O B-x", [(0, 2, "x"), (3, 4, "x")]),
        ("I-x I-x B-x I-y", [(0, 2, "x"), (2, 3, "x"), (3, 4, "y")]),
        ("B-x I-y O I-y", [(0, 1, "x"), (1, 2, "y"), (3, 4, "y")]),
        ("B-x E-x S-x I-x", [(0, 2, "x"), (2, 3, "x"), (3, 4, "x")]),
        ("B-x L-x U-x U-y", [(0, 2, "x"), (2, 3, "x"), (3, 4, "y")]),
        ("B-a-b I-a-b O O", [(0, 2, "a-b")]),
    ],
)
def test_tags_are_read_as_conlleval_reads_them(tags: str, spans: list[tuple]) -> None:
    found = from_tags([(i, i + 1) for i in range(4)], tags.split())
    assert [(span.start, span.end, span.type) for span in found] == spans


@pytest.mark.parametrize("tag", ["NN", "B", "B-", "", "o", "X-person"])
def test_what_is_no_tag_is_refused(tag: str) -> None:
    with pytest.raises(Unreadable, match="is not a tag"):
        from_tags([(0, 1)], [tag])


@given(TEXTS, st.data())
def test_tags_of_whole_tokens_come_back(text: str, data: st.DataObject) -> None:
    cut = tokens(text)
    firsts = sorted(data.draw(st.sets(st.integers(0, len(cut)), max_size=6)))
    spans = tuple(
        Span(cut[first][0], cut[last - 1][1], data.draw(TYPES))
        for first, last in pairwise(firsts)
        if data.draw(st.booleans())
    )
    assert from_tags(cut, to_tags(cut, spans)) == spans


def test_a_token_belongs_to_the_first_span_that_reaches_it() -> None:
    assert to_tags([(0, 7), (8, 12)], [Span(0, 3, "a"), Span(3, 9, "b")]) == ["B-a", "B-b"]
    with pytest.raises(Unreadable, match="overlap"):
        to_tags([(0, 7)], [Span(0, 4, "a"), Span(3, 7, "b")])


# Inline


@given(annotated())
@settings(max_examples=300)
def test_inline_comes_back_the_same(case: tuple[str, list[Span]]) -> None:
    text, spans = case
    assert inline.parse(inline.write(text, spans)) == (text, tuple(spans))


@given(st.text("[]()\\ab \n", max_size=30))
@settings(max_examples=500)
def test_any_inline_text_is_read_or_refused_with_a_reason(cell: str) -> None:
    try:
        text, spans = inline.parse(cell)
    except Unreadable as error:
        assert str(error)
    else:
        assert inline.parse(inline.write(text, spans)) == (text, spans)


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("[New [York](name)](place)", r"a span inside another.*\(character 1\)"),
        ("see ]", r"a \] that closes nothing: .*\(character 5\)"),
        ("[Ann", "never closed"),
        ("[1] is a note", r"without its \(type\)"),
        ("[Ann] (person)", r"without its \(type\)"),
        ("[](person)", "without text"),
        ("[Ann]()", "type is empty"),
        ("[Ann]( )", "empty type"),
        ("[Ann](person", "never closed"),
        ("[Ann](a(b))", "a bracket without a backslash"),
    ],
)
def test_inline_that_is_wrong_says_why(cell: str, said: str) -> None:
    with pytest.raises(Unreadable, match=said):
        inline.parse(cell)


def test_inline_cannot_hold_spans_inside_one_another() -> None:
    with pytest.raises(Unreadable, match="lies inside"):
        inline.write("New York", [Span(0, 8, "place"), Span(4, 8, "name")])
    with pytest.raises(Unreadable, match="not within"):
        inline.write("New York", [Span(0, 9, "place")])


def test_parentheses_and_other_backslashes_need_no_escape() -> None:
    assert inline.parse(r"C:\dir (see [Ann](person))") == (
        r"C:\dir (see Ann)",
        (Span(12, 15, "person"),),
    )
