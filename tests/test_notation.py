"""CoNLL, brat and inline text come in exactly, go out and come back; what is wrong is named."""

from __future__ import annotations

import io
import json
import stat
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from core import formats, inline
from core.actions import exports, home
from core.actions.session import Session
from core.errors import BadFile, Problem
from core.formats import Table, archive, read_table
from core.spans import Argument, Frame, Span, frames_fault, read_frames, read_spans, to_label
from core.text import tokens
from tests.conftest import bring
from tests.test_spans_text import HARD, TYPES, annotated

NAMES = TYPES.filter(lambda name: " " not in name)
ROLES = st.sampled_from(["object", "place", "ARG1", "型", "a:b"])


def written(ending: str, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> bytes:
    return b"".join(formats.write_table(ending, columns, rows))


def filled(table: Table) -> list[dict[str, str | None]]:
    return [dict(row) for row in table.rows if row]


def conll(content: str) -> Table:
    return read_table("f.conll", content.encode())


def marks(row: Mapping[str, str | None]) -> list[tuple[str, str]]:
    """The text and type of each span of a row."""
    text = row["text"] or ""
    return [(text[span.start : span.end], span.type) for span in read_spans(row["spans"] or "")]


def packed(files: Mapping[str, str | bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as zipped:
        for name, content in files.items():
            zipped.writestr(name, content)
    return out.getvalue()


def brat(text: str, *lines: str) -> Table:
    return read_table("f.zip", packed({"doc.txt": text, "doc.ann": "\n".join(lines)}))


# Everything comes back


@given(st.lists(annotated(), min_size=1, max_size=3))
@example([(text, []) for text in HARD])
@example([("Ann  met\nBobby ", [Span(0, 4, "p"), Span(5, 10, "q"), Span(12, 15, "p")])])
@settings(max_examples=300, deadline=None)
def test_what_goes_out_as_conll_comes_back(cases: list[tuple[str, list[Span]]]) -> None:
    rows = [{"text": text, "spans": to_label(spans), "id": "x = O"} for text, spans in cases]
    table = read_table("f.conll", written(".conll", ["id", "text", "spans"], rows))
    assert filled(table) == [{"text": row["text"], "spans": row["spans"]} for row in rows]
    assert not table.faults and not table.notes


@st.composite
def framed(draw: st.DrawFn) -> tuple[str, list[Frame]]:
    text, spans = draw(annotated(may_overlap=True))
    frames = set()
    for span in spans:
        others = draw(st.lists(st.tuples(st.sampled_from(spans), ROLES), max_size=4))
        arguments = {Argument(other.start, other.end, role) for other, role in others}
        frames.add(
            Frame(span.start, span.end, span.type.replace(" ", "_"), tuple(sorted(arguments)))
        )
    return text, sorted(frames)


@given(st.lists(annotated(may_overlap=True), min_size=1, max_size=3))
@settings(max_examples=100, deadline=None)
def test_spans_come_back_from_brat(cases: list[tuple[str, list[Span]]]) -> None:
    rows = []
    for text, spans in cases:
        plain = {Span(span.start, span.end, span.type.replace(" ", "_")) for span in spans}
        rows.append({"text": text, "spans": to_label(plain)})
    table = read_table("f.zip", written(".zip", ["text", "spans"], rows))
    assert [{"text": row["text"], "spans": row["spans"]} for row in table.rows] == rows
    assert not table.faults and not table.notes


@given(st.lists(framed(), min_size=1, max_size=3))
@settings(max_examples=100, deadline=None)
def test_frames_come_back_from_brat(cases: list[tuple[str, list[Frame]]]) -> None:
    rows = [{"text": text, "frames": to_label(frames)} for text, frames in cases]
    table = read_table("f.zip", written(".zip", ["text", "frames"], rows))
    assert [{"text": row["text"], "frames": row["frames"]} for row in table.rows] == rows
    assert not table.faults and not table.notes


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".json"])
@given(st.lists(annotated(), min_size=1, max_size=3))
@settings(max_examples=50, deadline=None)
def test_labels_and_inline_cells_come_back_from_tables(
    ending: str, cases: list[tuple[str, list[Span]]]
) -> None:
    rows = [
        {"text": text, "spans": to_label(spans), "inline": inline.write(text, spans)}
        for text, spans in cases
    ]
    made = b"".join(formats.write_table(ending, ["text", "spans", "inline"], rows, safe=False))
    for row, (text, spans) in zip(read_table(f"f{ending}", made).rows, cases, strict=True):
        assert row["text"] == text and list(read_spans(row["spans"] or "")) == spans
        assert inline.parse(row["inline"] or "") == (text, tuple(spans))


def test_a_list_in_a_cell_of_jsonl_is_the_label() -> None:
    line = {"text": "Ann met Bo", "spans": [{"start": 0, "end": 3, "type": "person"}]}
    table = read_table("f.jsonl", json.dumps(line).encode())
    assert read_spans(table.rows[0]["spans"] or "") == (Span(0, 3, "person"),)


# CoNLL


def test_conll_is_read_by_its_first_and_last_column() -> None:
    table = conll(
        "-DOCSTART- -X- -X- O\n\nEU NNP B-NP B-ORG\nrejects VBZ B-VP O\n\n\n# a note\n"
        "New NNP B-NP B-LOC\nYork NNP I-NP I-LOC\n# NN O O\n"
    )
    assert [number for number, row in enumerate(table.rows, start=1) if row] == [3, 8]
    assert [row["text"] for row in filled(table)] == ["EU rejects", "New York #"]
    assert [marks(row) for row in filled(table)] == [[("EU", "ORG")], [("New York", "LOC")]]
    assert table.first_row == 1 and not table.notes


@pytest.mark.parametrize("ending", [".conll", ".bio", ".iob2"])
def test_tabs_hold_columns_apart_and_hashtags_are_tokens(ending: str) -> None:
    content = "#love\tO\n#\tB-sign\nx\xa0y\tO\r\n\r\n#nothing\n"
    table = read_table(f"f{ending}", content.encode())
    assert [row["text"] for row in filled(table)] == ["#love # x\xa0y"]
    assert marks(table.rows[0]) == [("#", "sign")]


@pytest.mark.parametrize(
    ("tags", "spans", "notes"),
    [
        ("B-a I-a B-a O", ["t0 t1", "t2"], []),
        ("I-a I-a B-a O", ["t0 t1", "t2"], ["the tags are read as IOB1"]),
        ("B-a E-a S-a O", ["t0 t1", "t2"], ["the tags are read as BIOES"]),
        ("B-a L-a U-a O", ["t0 t1", "t2"], ["the tags are read as BILOU"]),
        (
            "B-a I-a O I-a",
            ["t0 t1", "t3"],
            ["tags in a wrong place, read as conlleval does: 1, the first in row 1"],
        ),
        (
            "B-a O E-a S-a",
            ["t0", "t2", "t3"],
            [
                "the tags are read as BIOES",
                "tags in a wrong place, read as conlleval does: 2, the first in row 1",
            ],
        ),
    ],
)
def test_the_scheme_is_told_by_what_the_file_holds(
    tags: str, spans: list[str], notes: list[str]
) -> None:
    table = conll("".join(f"t{i} {tag}\n" for i, tag in enumerate(tags.split())))
    assert [text for text, _ in marks(table.rows[0])] == spans
    assert list(table.notes) == notes


def test_a_text_in_a_comment_is_taken_where_its_tokens_are_there() -> None:
    table = conll(
        "# text = EU's  ok.\nEU\tB-org\n's\tO\nok\tO\n.\tO\n\n"
        '# text = "Hi."\n"\tO\nHi\tB-x\n.\tO\n"\tO\n\n'
        '# text = "one\\ntwo"\none\tO\ntwo\tB-x\n\n'
        "# text = another\nthing\tB-x\n\n# text = a b c\na O\nb O\n"
    )
    assert [row["text"] for row in filled(table)] == [
        "EU's  ok.", '"Hi."', "one\ntwo", "thing", "a b",
    ]  # fmt: skip
    assert table.notes == (
        "sentences whose tokens do not make up their `# text` and are joined by spaces: 2,"
        " the first in row 18",
    )
    assert marks(filled(table)[2]) == [("two", "x")]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "f.conll is empty. Each line is a token"),
        ("\n# only notes\n\n", "f.conll is empty"),
        ("word\nother\n", r"a token without a tag \(row 1\)"),
        ("a NN\n\nb VB\n", r"'NN' is not a tag .*\(rows 1, 3\)"),
    ],
)
def test_what_is_not_conll_is_said(content: str, said: str) -> None:
    with pytest.raises(BadFile, match=said):
        conll(content)


def test_a_bad_sentence_is_a_fault_of_the_line_it_begins_in() -> None:
    table = conll("a B-x\n\nb O\nc\n\nd NN\n\ne O\n")
    assert [(fault.what[:20], fault.rows) for fault in table.faults] == [
        ("a token without a ta", (3,)), ("'NN' is not a tag (O", (6,)),
    ]  # fmt: skip
    assert [bool(row) for row in table.rows] == [True, *[False] * 6, True]


def test_a_guess_of_the_encoding_does_not_hide_what_else_is_to_know() -> None:
    table = read_table("f.conll", "café I-x\n".encode("cp1252"))
    assert len(table.notes) == 2 and "Windows-1252" in table.notes[0]


@pytest.mark.parametrize(
    ("spans", "said"),
    [
        ([Span(0, 8, "a"), Span(4, 8, "b")], r"Row 1 .*'York' \(b\) lies inside.* Export as brat"),
        ([Span(0, 9, "a")], "not within a text of 8"),
        ([Span(0, 3, "a\tb")], "white space at its ends, or line ends"),
    ],
)
def test_what_conll_cannot_hold_is_said(spans: list[Span], said: str) -> None:
    with pytest.raises(Problem, match=said):
        written(".conll", ["text", "spans"], [{"text": "New York", "spans": to_label(spans)}])


# brat


def test_brat_gives_spans_and_frames() -> None:
    table = brat(
        "Mix eggs\r\nwith flour 👍🏽 now",
        "T1\tMIX 0 3\tMix", "T2\tFood 4 8\teggs", "T3\tFood 15 20\tflour", "T4\tTime 24 27\tnow",
        "E1\tMIX:T1 object:T2 object2:T3 ", "R1\tWhen Arg1:E1 Arg2:T4", "R2\tNear Arg1:T2 Arg2:T3",
        "A1\tNegation E1", "#1\tAnnotatorNotes T1\tsure", "#2\tAnnotatorNotes T2\tno",
        "*\tAlias T2 T3", "",
    )  # fmt: skip
    (row,) = table.rows
    assert row["name"] == "doc" and (row["text"] or "").count("\r\n") == 1
    assert [text for text, _ in marks(row)] == ["Mix", "eggs", "flour", "now"]
    assert read_frames(row["frames"] or "") == (
        Frame(0, 3, "MIX", (
            Argument(4, 8, "object"), Argument(15, 20, "object"), Argument(24, 27, "When"),
        )),
        Frame(4, 8, "Food", (Argument(15, 20, "Near"),)),
    )  # fmt: skip
    assert table.notes == (
        "passed over: 1 attributes", "passed over: 2 notes", "passed over: 1 equivalences",
    )  # fmt: skip


def test_an_event_may_be_an_argument_and_come_later() -> None:
    table = brat(
        "say go home", "E1\tSAY:T1 what:E2", "E2\tGO:T2 ARG1:T3", "T1\tSAY 0 3\tsay",
        "T2\tGO 4 6\tgo", "T3\tX 7 11\thome",
    )  # fmt: skip
    assert read_frames(table.rows[0]["frames"] or "") == (
        Frame(0, 3, "SAY", (Argument(4, 6, "what"),)),
        Frame(4, 6, "GO", (Argument(7, 11, "ARG1"),)),
    )


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["T1\tX 0 1;2 3\ta c"], r"'doc': T1 is in several pieces \(0 1;2 3\)"),
        (["T1\tX 0 9\tabc"], "T1: a span from 0 to 9 is not within"),
        (["T1\tX 0 2\tbc"], "T1 says 'bc' where the text has 'ab'"),
        (["T1\tX 0 1\ta", "T1\tX 0 1\ta"], "T1 is there twice"),
        (["R1\tX Arg1:T1 Arg2:T2"], "R1 points at T1, which is not there"),
        (["E1\tX:T9"], "E1 points at T9"),
        (["nonsense"], r"a line that is no annotation \('nonsense'\)"),
        (["T1 X 0 1 a"], "a line that is no annotation"),
        (["E1\tX"], "a line that is no annotation"),
        (["R1\tX Arg1:T1"], "a line that is no annotation"),
        (["E1\tX:T1" + " a:a:a:a:a:a:a:a:a:a:a:a:a" * 50 + " \x0bx"], "no annotation|points at"),
    ],
)
def test_an_annotation_that_cannot_be_a_span_is_refused_with_its_reason(
    lines: list[str], said: str
) -> None:
    with pytest.raises(BadFile, match=said):
        brat("abc", *lines)


def test_documents_are_rows_by_name_and_a_bad_one_is_a_fault() -> None:
    data = packed({
        "b.txt": "bb", "b.ann": "T1\tX 0 1\tb", "a.txt": "aa", "a.ann": "T1\tX 5 6\tx",
        "c.txt": b"\xff", "c.ann": "", "d.txt": "alone", "e.ann": "", "annotation.conf": "[events]",
        "__MACOSX/b.ann": "", "x/.f.ann": "",
    })  # fmt: skip
    table = read_table("f.zip", data)
    assert [row.get("name") for row in table.rows] == [None, "b", None]
    assert [(fault.what, fault.rows) for fault in table.faults] == [
        ("'a': T1: a span from 5 to 6 is not within a text of 2 characters", (1,)),
        ("'c': not UTF-8", (3,)),
    ]
    assert table.notes == (
        "passed over: 1 .ann files without a .txt", "passed over: 1 .txt files without a .ann",
    )  # fmt: skip


def test_a_mark_at_the_beginning_counts_as_a_character() -> None:
    table = read_table("f.zip", packed({"a.txt": "\ufeffAnn", "a.ann": "\ufeffT1\tX 1 4\tAnn"}))
    assert marks(table.rows[0]) == [("Ann", "X")]


def test_brat_is_told_of_types_and_roles() -> None:
    frame = Frame(0, 1, "MIX", (Argument(2, 3, "object"), Argument(4, 5, "object")))
    rows = [{"text": "a b c", "frames": to_label([frame, Frame(2, 3, "ADD")]), "name": "../x/y z"}]
    with zipfile.ZipFile(io.BytesIO(written(".zip", ["text", "frames"], rows * 2))) as zipped:
        made = {name: zipped.read(name).decode() for name in zipped.namelist()}
    assert list(made) == [
        "x/y-z.txt", "x/y-z.ann", "x/y-z-2.txt", "x/y-z-2.ann", "annotation.conf"
    ]  # fmt: skip
    assert made["x/y-z.ann"].splitlines() == [
        "T1\tMIX 0 1\ta", "T2\tArgument 2 3\tb", "T3\tArgument 4 5\tc",
        "E1\tMIX:T1 object:T2 object2:T3", "T4\tADD 2 3\tb", "E2\tADD:T4",
    ]  # fmt: skip
    assert made["annotation.conf"] == (
        "[entities]\nArgument\n\n[relations]\n\n[events]\nADD\nMIX\tobject*:Argument\n\n[attributes]\n"
    )


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (Frame(0, 1, "MIX UP"), "the name 'MIX UP' has white space"),
        (
            Frame(0, 1, "X", (Argument(0, 1, "of"), Argument(0, 1, "of2"))),
            "would mix up some of these: of, of2",
        ),
        (Frame(0, 9, "X"), "Row 1 cannot be written for brat: a trigger from 0 to 9"),
    ],
)
def test_what_brat_cannot_hold_is_said(frame: Frame, said: str) -> None:
    with pytest.raises(Problem, match=said):
        written(".zip", ["text", "frames"], [{"text": "abc", "frames": to_label([frame])}])


def with_link() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as zipped:
        entry = zipfile.ZipInfo("a.ann")
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        zipped.writestr(entry, "/etc/passwd")
    return out.getvalue()


def with_path(name: str, n: int = 1, content: bytes = b"") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as zipped, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a name that is there twice
        for _ in range(n):
            zipped.writestr(name, content)
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (with_link(), "holds a link"),
        (with_path("../a.ann"), "a path that leads out of it"),
        (with_path("/a.ann"), "a path that leads out of it"),
        (with_path("a\\..\\b.ann"), "a path that leads out of it"),
        (with_path("a.ann", 2), "holds 'a.ann' twice"),
        (with_path("a.txt", 1, b" " * 60_000_000), "as a bomb does"),
        (with_path("a.csv"), "f.zip holds no .ann file. It must hold pairs"),
        (b"PK no", "is not a whole .zip file"),
    ],
)
def test_a_zip_file_that_is_no_brat_or_would_do_harm_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(BadFile, match=said):
        read_table("f.zip", data)


def test_a_folder_is_read_as_its_zip_file_would_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_bytes(b"one\r\ntwo")
    (tmp_path / "in" / "a.ann").write_text("T1\tX 5 8\ttwo\n")
    (tmp_path / "in" / "b.ann").symlink_to(tmp_path / "in" / "a.ann")
    table = formats.read_brat_folder(tmp_path)
    assert [row["name"] for row in table.rows] == ["in/a"] and not table.notes
    assert marks(table.rows[0]) == [("two", "X")]
    monkeypatch.setattr(archive, "MAX_DOCUMENTS", 2)
    with pytest.raises(BadFile, match="holds too much"):
        formats.read_brat_folder(tmp_path)


# Out of a project


@pytest.fixture
def marked(session: Session, monkeypatch: pytest.MonkeyPatch) -> str:
    """A project whose labels are spans, whatever its kind is called."""
    made = home.create_project("p").id
    label = to_label([Span(0, 3, "person")])
    bring(made, [{"text": "Ann met Bo", "label": label}], "train", "human")
    bring(made, [{"text": "Eve left", "label": label}], "train", "synthetic", "llm.csv")
    kind = SimpleNamespace(answer=SimpleNamespace(name="spans"), field_names=lambda: ("text",))
    monkeypatch.setattr(exports, "task_of", lambda _: kind)
    return made


def test_accepted_samples_go_out_with_what_they_are(marked: str, tmp_path: Path) -> None:
    assert exports.endings(marked)[-2:] == (".conll", ".zip")
    assert exports.export_file(marked, tmp_path / "all.conll") == 1
    content = (tmp_path / "all.conll").read_text(encoding="utf-8")
    assert "# split = train\n# source = human\n" in content and "Eve" not in content
    assert filled(conll(content)) == [
        {
            "text": "Ann met Bo",
            "spans": '[{"end":3,"start":0,"type":"person"}]',
            "split": "train",
            "source": "human",
        }
    ]
    assert exports.export_file(marked, tmp_path / "all.brat.zip") == 1
    (row,) = read_table("all.brat.zip", (tmp_path / "all.brat.zip").read_bytes()).rows
    assert (row["name"] or "").startswith("train/human/")
    assert marks(row) == [("Ann", "person")]


def test_other_labels_do_not_go_out_as_annotations(session: Session, tmp_path: Path) -> None:
    made = home.create_project("p").id
    assert exports.endings(made) == formats.WRITABLE
    for ending in formats.ANNOTATED:
        with pytest.raises(Problem, match=rf"{ending} holds texts with spans.*Name the file .csv"):
            exports.export_file(made, tmp_path / f"all{ending}")
    assert not list(tmp_path.glob("all*"))


# The cooking demo

COOKING = Path(__file__).parents[1] / "data" / "demo" / "cooking"
FILES = ("human", "human_test", "llm_labelled", "synthetic")


def turns(name: str) -> list[dict[str, str | None]]:
    file = COOKING / f"{name}.jsonl"
    return filled(read_table(file.name, file.read_bytes()))


@pytest.mark.parametrize("name", FILES)
def test_every_part_of_the_demo_is_whole_words_of_its_turn(name: str) -> None:
    for turn in turns(name):
        text = turn["text"] or ""
        frames = read_frames(turn["frames"] or "")
        assert frames_fault(text, frames) is None and (turn["context"] or "").strip()
        assert json.loads(turn["frames"] or "") == json.loads(to_label(frames))
        starts, ends = (set(edges) for edges in zip(*tokens(text), strict=True))
        for part in [*frames, *(argument for frame in frames for argument in frame.arguments)]:
            said = text[part.start : part.end]
            assert said == said.strip(" ,.!?") and part.start in starts and part.end in ends
        assert {frame.type for frame in frames} <= {"CUT", "MIX", "HEAT", "ADD", "SERVE"}
        assert all(text[frame.start : frame.end].isalpha() for frame in frames)
        assert {argument.role for frame in frames for argument in frame.arguments} <= {
            "object", "instrument", "time", "place", "manner",
        }  # fmt: skip


def test_the_demo_has_what_its_readme_says_and_enough_of_each_type() -> None:
    about = (COOKING / "README.md").read_text(encoding="utf-8")
    seen = []
    for name in FILES:
        rows = turns(name)
        n_frames = sum(len(read_frames(row["frames"] or "")) for row in rows)
        assert f"`{name}.jsonl`: {len(rows)} turns with {n_frames} frames" in about
        seen += [row["text"] for row in rows]
    assert len(set(seen)) == len(seen) == 62
    types = [frame.type for row in turns("human") for frame in read_frames(row["frames"] or "")]
    assert len(set(types)) == 5 and all(types.count(one) >= 8 for one in types)


def test_what_is_marked_in_the_demo_is_what_was_meant() -> None:
    for turn in turns("human"):
        if "shred" in (turn["text"] or ""):
            text = turn["text"] or ""
            assert [
                (text[frame.start : frame.end], [
                    (argument.role, text[argument.start : argument.end])
                    for argument in frame.arguments
                ])
                for frame in read_frames(turn["frames"] or "")
            ] == [
                ("shred", [("object", "the cabbage"), ("manner", "fine")]),
                ("mix", [("object", "it"), ("object", "the pork"), ("instrument", "hand")]),
                ("add", [("object", "sesame oil"), ("time", "at the very end")]),
            ]  # fmt: skip
            return
    raise AssertionError("the turn is gone")
