"""A file comes in whole or not at all, and what is wrong with it is named by row."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core import formats
from core.actions import columns, data, home, imports, review, rows
from core.actions.session import Session
from core.errors import BadFile, Problem, RowFault
from core.formats import Table, read_table, write_csv
from core.registry import content_hash
from core.store import projects, samples
from core.store.db import Database
from core.store.samples import Filter
from core.tasks.classify import Classify
from tests.conftest import WORDS, bring, planted

LABELS = [("a", ""), ("b", "")]
TEXT_AND_LABEL = {"text": ["text"], "label": ["label"]}
LONG = "x" * formats.MAX_CELL


def snapshot(database: Database) -> dict[str, list[Any]]:
    """Everything the database holds."""
    with database.read() as cursor:
        tables = [row[0] for row in cursor.execute("SHOW TABLES").fetchall()]
        return {
            table: cursor.execute(f"SELECT * FROM {table} ORDER BY ALL").fetchall()
            for table in tables
        }


def cells(table: Table) -> list[tuple[str | None, ...]]:
    return [tuple(row.get(column) for column in table.columns) for row in table.rows if row]


def faults(found: tuple[RowFault, ...]) -> dict[str, tuple[int, ...]]:
    return {fault.what: fault.rows for fault in found}


@pytest.fixture
def empty(session: Session) -> str:
    """A project with two labels and no sample."""
    return home.create_project("empty", labels=LABELS).id


def looked_at(
    project: str, content: bytes | str, name: str = "f.csv", split: str = "train",
    source: str = "human", **more: Any,
) -> imports.Prepared:  # fmt: skip
    whole = content.encode() if isinstance(content, str) else content
    table = read_table(name, whole)
    return imports.prepare(project, table, TEXT_AND_LABEL, split, source, **more)


# What a file says


@pytest.mark.parametrize(
    ("name", "content", "rows"),
    [
        ("f.csv", b"text,label\nNA,null\n,None\n", [("NA", "null"), ("", "None")]),
        ("f.csv", b"\xef\xbb\xbftext,label\nx,a\n", [("x", "a")]),
        ("f.csv", b'\xef\xbb\xbf"text","label"\n"x","a"\n', [("x", "a")]),
        ("f.csv", b"text,label\r\nx,a\r\ny,b\r\n", [("x", "a"), ("y", "b")]),
        ("f.csv", b"text,label\rx,a\ry,b", [("x", "a"), ("y", "b")]),
        ("f.csv", b'text,label\n"one\ntwo\r\nthree",a\n', [("one\ntwo\r\nthree", "a")]),
        ("f.csv", 'text,label\n"a\u2028b\x85c",a\n'.encode(), [("a\u2028b\x85c", "a")]),
        ("f.csv", b"text;label\nx, y;a\n", [("x, y", "a")]),
        ("f.csv", b'"text, long";label\nx;a\n', [("x", "a")]),
        ("f.csv", b"text;label\rx;a\r", [("x", "a")]),
        ("f.csv", b"text\tlabel\nx, y; z\ta\n", [("x, y; z", "a")]),
        ("f.csv", b'text,label\n"she said ""no""",a\n', [('she said "no"', "a")]),
        ("f.csv", b"text,label\n=1+1,-1\n", [("=1+1", "-1")]),
        ("F.TSV", b"text\tlabel\nx, y\ta\n", [("x, y", "a")]),
        ("f.csv", b" text , label \n x , a \n", [(" x ", " a ")]),
        ("f.csv", f"text,label\n{LONG},a\n".encode(), [(LONG, "a")]),
        ("f.jsonl", b'{"text": "x", "label": 1}\n', [("x", "1")]),
        ("f.jsonl", b'{"text": "x", "label": 1.10}\n', [("x", "1.10")]),
        ("f.jsonl", b'{"text": "x", "label": ' + b"9" * 5000 + b"}", [("x", "9" * 5000)]),
        ("f.jsonl", b'{"text": "x", "label": true}\n', [("x", "true")]),
        ("f.jsonl", b'{"text": "x", "label": null}\n', [("x", None)]),
        ("f.jsonl", b'{"text": "x"}\n{"label": "a"}', [("x", None), (None, "a")]),
        ("f.jsonl", '{"text": "a\u2028b", "label": "a"}\r\n\r\n'.encode(), [("a\u2028b", "a")]),
        ("f.jsonl", b'\xef\xbb\xbf{"text": "x"}\r{"text": "y"}\r', [("x",), ("y",)]),
        ("f.jsonl", b'{"text": ["\\u00e9", 1.0], "label": "a"}', [('["é", 1.0]', "a")]),
        ("f.jsonl", rb'{"text": "\ud83d\ude00", "label": "a"}', [("\U0001f600", "a")]),
    ],
)
def test_cells_are_text_as_they_stand(
    name: str, content: bytes, rows: list[tuple[str | None, ...]]
) -> None:
    assert cells(read_table(name, content)) == rows


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("f.csv", "text,label\nx,a\n".encode("utf-32"), "is UTF-32"),
        ("f.csv", b'text,label\n"x\ny",a\ncaf\xe9\x00,b\n', "row 3 holds the byte 0xE9"),
        ("f.jsonl", b'{"text": "x"}\n\n{"text": "caf\xe9\x02"}', "row 3 holds the byte 0xE9"),
        ("f.csv", b"text,label\n\xed\xa0\x81,a\n", "row 2 holds the byte 0xED"),
        ("f.csv", b"\xef\xbb\xbftext\r\r\xe3", "row 3 holds the byte 0xE3"),
        ("f.csv", b"", "f.csv is empty"),
        ("f.csv", b"\xef\xbb\xbf\r\n", "is empty"),
        ("f.jsonl", b"\n\n", "is empty"),
        ("f.jsonl", b"{}\n{}\n", "is empty"),
        ("f.csv", b"text,label,text\nx,a,y\n", "more than one column called 'text'"),
        ("f.csv", b"text,, \nx,a,y\n", r"more than one column called \(no name\)"),
        ("f.csv", b"te\x00xt,label\nx,a\n", "row 1: the name of a column holds a NUL"),
        ("f.csv", b'text,label\nx,a\n\n"y,b\nz,b\n', "row 4: a quotation mark is opened"),
        ("f.csv", b'"text,label\nx,a\n', "row 1: a quotation mark is opened"),
        ("f.csv", b'text,label\n"x"y,a\n', "row 2: a quotation mark inside a cell"),
        ("f.jsonl", b'[{"text": "x"}]\n"y"\n', r"not a JSON object.*\(rows 1, 2\)"),
        ("f.jsonl", "".join(f'{{"k{i}": 1}}\n' for i in range(1001)).encode(), "1,001 columns"),
        ("f.csv", (",".join(map(str, range(1001))) + "\n").encode(), "1,001 columns"),
        ("f.xls", b"PK\x03\x04", r"cannot tell the format. Save it as one of .csv"),
        ("csv", b"text\nx\n", "cannot tell the format"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_said(name: str, content: bytes, said: str) -> None:
    with pytest.raises(BadFile, match=said):
        read_table(name, content)


def test_columns_are_guessed_by_name_and_asked_for_otherwise(empty: str) -> None:
    table = read_table("f.csv", b"id,Tweet,Sentiment\n1,x,a\n")
    assert imports.columns_for(empty, table) == {"text": ("Tweet",), "label": ("Sentiment",)}
    assert columns.guessed(Classify(), ["id", "payload"]) == {}
    with pytest.raises(BadFile, match=r"no column 'label'. It has: id, Tweet, Sentiment"):
        imports.prepare(empty, table, {"text": ["Tweet"], "label": ["label"]}, "train", "human")
    with pytest.raises(BadFile, match="both the text and the label"):
        imports.prepare(empty, table, {"text": ["Tweet"], "label": ["Tweet"]}, "train", "human")


# What is wrong with its rows


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("text,label\nx,a\n ,b\n\n,a\n", {"no text": (3, 5)}),
        ("text,label\nx,a\n\ty\t,c\nz,c\nz,d\n",
         {"a label outside the set ('c')": (3, 4), "a label outside the set ('d')": (5,)}),
        ("text,label\nx,A\n", {"a label outside the set ('A')": (2,)}),
        ("text,label\nx,a\ny\nz,b,b\n", {"not 2 cells as in the header": (3, 4)}),
        ('text,label\n"one\ntwo",a\nx\x00y,a\nz,\x00\n', {"a NUL character": (3, 4)}),
        (f"text,label\n{LONG}x,a\n", {"a text of more than 1,000,000 characters": (2,)}),
        (f"text,label\nx,{'l' * 201}\n", {"a label of more than 200 characters": (2,)}),
        ("text,label\n", {"no rows": ()}),
        ("text,label\n\n\n", {"no rows": ()}),
    ],
)  # fmt: skip
def test_bad_rows_are_named_and_nothing_comes_in(
    empty: str, session: Session, content: str, found: dict[str, tuple[int, ...]]
) -> None:
    before = snapshot(session.database)
    prepared = looked_at(empty, content)
    assert faults(prepared.faults) == found
    with pytest.raises(BadFile, match=r"f.csv was not imported: ") as raised:
        imports.import_rows(empty, prepared)
    assert list(raised.value.faults) == list(prepared.faults)
    assert snapshot(session.database) == before


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ('{"text": "x", "label": "a"', "not a JSON object"),
        ('["x", "a"]', "not a JSON object"),
        ('{"text": "x", "text": "y", "label": "a"}', "not a JSON object"),
        ('{"text": "x", "label": "a", "\\ud800": 1}', "not a JSON object"),
        ('{"text": "x", "label": "a", "k": ' + "[" * 100_000 + "}", "not a JSON object"),
        ('{"text": "x", "label": "a", "k": ' + "[" * 90_000 + "]" * 90_000 + "}", "not a JSON"),
        ('{"text": "\\ud800", "label": "a"}', "half a surrogate pair"),
        ('{"text": "x", "label": "\\udc00"}', "half a surrogate pair"),
        ('{"text": "x\\u0000", "label": "a"}', "a NUL character"),
        ('{"text": "", "label": "a"}', "no text"),
        ('{"label": "a"}', "no text"),
        ("{}", "no text"),
        ('{"text": null, "label": "a"}', "no text"),
        ('{"text": "x", "label": 3}', "a label outside the set ('3')"),
    ],
)
def test_bad_lines_of_jsonl_are_named_by_line(empty: str, line: str, what: str) -> None:
    good = '{"text": "fine", "label": "a"}'
    prepared = looked_at(empty, f"{good}\n\n{line}\n{good}\n", "f.jsonl")
    assert [fault.rows for fault in prepared.faults] == [(3,)]
    assert what in prepared.faults[0].what
    assert [row.provenance["row"] for row in prepared.rows] == [1, 4]


PLANTED = {
    "good": ("fine {i}", "a"),
    "padded": ("fine {i}", " b "),
    "bare": ("fine {i}", ""),
    "no text": ("  ", "a"),
    "a NUL character": ("x\x00{i}", "a"),
    "a label outside the set ('c')": ("fine {i}", "c"),
}


@given(kinds=st.lists(st.sampled_from(sorted(PLANTED)), min_size=1, max_size=12))
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_exactly_the_planted_faults_are_found(session: Session, kinds: list[str]) -> None:
    made = home.create_project(f"p{len(home.all_projects())}", labels=LABELS).id
    rows = [
        {"text": PLANTED[kind][0].format(i=i), "label": PLANTED[kind][1]}
        for i, kind in enumerate(kinds)
    ]
    content = write_csv(["text", "label"], rows, safe=False)
    prepared = looked_at(made, content)
    wrong = {
        what: tuple(i for i, kind in enumerate(kinds, start=2) if kind == what)
        for what in kinds
        if PLANTED[what][0] != "fine {i}" or PLANTED[what][1] == "c"
    }
    assert faults(prepared.faults) == wrong
    prepared = looked_at(made, content, skip_bad_rows=True)
    good = [i for i, kind in enumerate(kinds, start=2) if kind not in wrong]
    if not good:
        assert prepared.faults
        return
    imports.import_rows(made, prepared)
    found = samples.everything(session.database, made)
    assert [json.loads(row["provenance"])["row"] for row in found] == good
    assert prepared.left_out == tuple(sorted(row for rows in wrong.values() for row in rows))
    assert faults(prepared.warnings).items() >= wrong.items()


def test_a_wrong_column_of_labels_is_doubted_and_said_in_one_line(session: Session) -> None:
    made = home.create_project("p", labels=LABELS).id
    many = "text,label\n" + "".join(f"x{i},label {i}\n" for i in range(3000))
    prepared = looked_at(made, many)
    assert faults(prepared.faults)["2,995 other labels outside the set"][:2] == (7, 8)
    assert len(str(BadFile("x", faults=prepared.faults))) < 500
    fresh = home.create_project("fresh").id
    warned = looked_at(fresh, many).warnings
    assert "3,000 classes: is this the label column?" in faults(warned)


# What to know about it


def test_one_class_and_classes_missing_from_train_or_test_are_said(empty: str) -> None:
    train = looked_at(empty, "text,label\nx,a\ny,a\n")
    assert set(faults(train.warnings)) == {"only one class, 'a'", "no rows of 'b' in train"}
    assert train.label_counts == {"a": 2, "b": 0}
    imports.import_rows(empty, train)
    test = looked_at(empty, "text,label\nv,b\nw,b\n", split="test")
    assert set(faults(test.warnings)) == {
        "only one class, 'b'", "no rows of 'a' in test", "'b' not in train",
    }  # fmt: skip
    assert not looked_at(empty, "text,label\nz,b\n").warnings


def test_exact_duplicates_are_named_and_come_in(empty: str) -> None:
    content = 'text,label\nOne  thing,a\nother,b\n"one\nthing",a\nONE THING,b\n'
    prepared = looked_at(empty, content)
    assert faults(prepared.warnings) == {
        "exact duplicates of other rows": (4, 5),
        "the same text with different labels": (2, 4, 5),
    }
    assert imports.import_rows(empty, prepared).n_rows == 4
    again = looked_at(empty, "text,label\none thing,a\nnew,b\n")
    assert faults(again.warnings) == {"exact duplicates of other rows": (2,)}


def test_a_text_of_a_test_split_stays_out_of_train(empty: str, session: Session) -> None:
    bring(empty, [{"text": "Seen twice", "label": "a"}, {"text": "y", "label": "b"}],
          "train", "human")  # fmt: skip
    both = looked_at(empty, "text,label\nseen TWICE,a\nquiz,b\n", split="test")
    assert faults(both.warnings) == {
        "the same text is in train: it will be kept out of every training set": (2,)
    }
    imports.import_rows(empty, both)
    more = looked_at(empty, "text,label\nnew,a\nQuiz ,b\n")
    assert faults(more.warnings) == {"the same text is in a test split: kept out of train": (3,)}
    assert (more.left_out, len(more.rows)) == ((3,), 1)
    before = snapshot(session.database)
    none = looked_at(empty, "text,label\nquiz,b\n")
    assert [str(fault) for fault in none.faults] == ["every row is in a test split"]
    with pytest.raises(BadFile):
        imports.import_rows(empty, none)
    assert snapshot(session.database) == before


# All or nothing


def test_the_first_train_file_gives_the_labels(session: Session) -> None:
    made = home.create_project("p").id
    with pytest.raises(Problem, match="no labels yet"):
        looked_at(made, "text,label\nx,a\n", split="test")
    prepared = looked_at(made, "text,label\nx, b \ny,a\nz,\n")
    assert (
        prepared.brings_labels
        and prepared.task.label_names == ("a", "b")
        and data.label_names(made) == ()
    )
    imports.import_rows(made, prepared)
    assert data.label_names(made) == ("a", "b")
    assert faults(looked_at(made, "text,label\nx,c\n").faults)


def test_an_import_that_fails_in_the_middle_leaves_nothing(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = home.create_project("p").id
    prepared = looked_at(made, "text,label\nx,a\ny,b\n")
    before = snapshot(session.database)

    def fail(cursor: Any, project: str, **columns: Any) -> None:
        if "settings" in columns:
            raise OSError("the disk is full")
        update_in(cursor, project, **columns)

    update_in = projects.update_in
    monkeypatch.setattr(projects, "update_in", fail)
    with pytest.raises(OSError, match="full"):
        imports.import_rows(made, prepared)
    assert snapshot(session.database) == before
    monkeypatch.undo()
    assert imports.import_rows(made, prepared).n_rows == 2


def test_a_file_looked_at_before_the_labels_changed_is_looked_at_again(session: Session) -> None:
    made = home.create_project("p").id
    first = looked_at(made, "text,label\nx,a\ny,b\n")
    second = looked_at(made, "text,label\nx,c\ny,d\n")
    imports.import_rows(made, first)
    before = snapshot(session.database)
    with pytest.raises(Problem, match="labels have changed"):
        imports.import_rows(made, second)
    assert snapshot(session.database) == before


def test_the_same_rows_come_in_once_unless_asked_twice(empty: str) -> None:
    prepared = looked_at(empty, "text,label\nx,a\ny,b\n")
    imports.import_rows(empty, prepared, again=False)
    with pytest.raises(Problem, match=r"imported already, from f.csv"):
        imports.import_rows(empty, looked_at(empty, "text,label\nx,a\ny,b\n"), again=False)
    assert [one["n_rows"] for one in imports.imports(empty)] == [2]


def test_rows_without_a_label_come_in_as_human_train_rows_only(
    empty: str, session: Session
) -> None:
    table = read_table("f.csv", b"text\nx\ny\n")
    prepared = imports.prepare(empty, table, {"text": ["text"]}, "train", "human")
    imports.import_rows(empty, prepared)
    assert samples.count(session.database, empty, Filter(unlabelled=True, status="pending")) == 2
    for split, source in (("test", "human"), ("ood:x", "human"), ("train", "synthetic")):
        bare = imports.prepare(empty, table, {"text": ["text"]}, split, source)
        assert [fault.rows for fault in bare.faults] == [(2, 3)]
        assert "no label" in bare.faults[0].what


def test_synthetic_and_llm_labelled_rows_arrive_pending_and_judged(
    project: str, session: Session
) -> None:
    train = samples.page(session.database, project, Filter(split="train", source="human"), 1)[0]
    test = samples.page(session.database, project, Filter(split="test"), 1)[0]
    rows = [
        {"text": "quite another text about nothing much", "label": "sea"},
        {"text": train.text, "label": "sea"},
        {"text": test.text + " indeed", "label": "sky"},
    ]
    for source in ("synthetic", "llm-labelled"):
        fresh = [{**row, "text": row["text"] if i else source} for i, row in enumerate(rows)]
        done = bring(project, fresh, "train", source)
        assert done.n_flagged == 2
        found = samples.page(session.database, project, Filter(source=source, status="pending"), 9)
        assert [bool(sample.flags) for sample in found] == [False, True, True]
        assert "leakage" in found[2].flags


# The test split


def test_the_test_split_is_sealed_once_it_is_there(project: str, session: Session) -> None:
    before = snapshot(session.database)
    with pytest.raises(Problem, match=r"sealed: no row joins or leaves it.*ood:NAME"):
        bring(project, planted(1, seed=9), "test", "human")
    assert snapshot(session.database) == before
    assert bring(project, planted(1, seed=9), "ood:other", "human").n_rows == 3


def test_of_two_test_files_looked_at_together_one_comes_in(empty: str) -> None:
    one, other = (looked_at(empty, f"text,label\n{t},a\n", split="test") for t in "xy")
    imports.import_rows(empty, one)
    with pytest.raises(Problem, match="sealed"):
        imports.import_rows(empty, other)


def test_annotators_may_correct_the_label_of_a_test_row(project: str, session: Session) -> None:
    row = samples.page(session.database, project, Filter(split="test"), 1)[0]
    other = next(name for name in WORDS if name != row.label)
    review.label_many(project, "Ana", {row.id: other})
    assert samples.get(session.database, project, row.id).label == other


@pytest.mark.parametrize("source", ["synthetic", "llm-labelled"])
@pytest.mark.parametrize("split", ["test", "ood:x"])
def test_a_test_split_takes_human_rows_only(empty: str, split: str, source: str) -> None:
    with pytest.raises(Problem, match="human-labelled rows only"):
        looked_at(empty, "text,label\nx,a\n", split=split, source=source)


@pytest.mark.parametrize("split", ["", "Train", "dev", "ood:", "ood: ", "bench:", "ood:" + LONG])
def test_other_splits_are_refused(empty: str, split: str) -> None:
    with pytest.raises(Problem, match=r"is not a split. Use train, test, ood:NAME"):
        looked_at(empty, "text,label\nx,a\n", split=split)
    with pytest.raises(Problem, match="is not a source"):
        looked_at(empty, "text,label\nx,a\n", source="robot")


def drawn(n: int, seed: int, name: str) -> tuple[dict[str, int], set[str]]:
    """The counts and the texts of a test split drawn from 40, 20 and 4 rows."""
    made = home.create_project(name).id
    rows = planted(40, seed=5)
    keep = {"sea": 40, "sky": 20, "soil": 4}
    seen: Counter[str] = Counter()
    chosen = []
    for row in rows:
        seen[row["label"]] += 1
        if seen[row["label"]] <= keep[row["label"]]:
            chosen.append(row)
    bring(made, chosen, "train", "human")
    counts = data.draw_test(made, n, seed)
    tests = samples.page(home.here().database, made, Filter(split="test"), 1000)
    assert (
        len(tests)
        == sum(counts.values())
        == data.class_counts(made)["test"][0]["n"]
        + sum(row["n"] for row in data.class_counts(made)["test"][1:])
    )
    return counts, {sample.text for sample in tests}


def test_a_drawn_test_split_is_stratified_and_depends_on_the_seed_alone(session: Session) -> None:
    counts, texts = drawn(16, 3, "one")
    assert counts == {"sea": 10, "sky": 5, "soil": 2}
    assert drawn(16, 3, "two")[1] == texts
    assert drawn(16, 4, "three")[1] != texts


def test_a_test_split_is_drawn_from_accepted_rows_only(empty: str, session: Session) -> None:
    rows = [{"text": f"{label} {i}", "label": label} for label in "ab" for i in range(6)]
    bring(empty, rows, "train", "human")
    gone = [sample.id for sample in samples.page(session.database, empty, Filter(stratum="a"), 3)]
    review.reject_many(empty, "Ana", gone)
    for n in (0, -1, 9):
        with pytest.raises(Problem, match=r"at least one row|too few"):
            data.draw_test(empty, n)
    assert data.draw_test(empty, 4) == {"a": 2, "b": 3}
    assert not {s.id for s in samples.page(session.database, empty, Filter(split="test"), 9)} & {
        *gone
    }


# Files of many rows


def test_rows_are_made_when_they_are_looked_at_and_progress_is_told(
    empty: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "STEP", 10)
    monkeypatch.setattr(rows, "STEP", 10)
    text = "text,label\n" + "".join(f"text {i} \U0001f600,{'ab'[i % 2]}\n" for i in range(25))
    table = imports.read_table("f.csv", text.encode())
    said: list[tuple[str, int, int]] = []
    taken = imports.columns_for(empty, table)
    prepared = imports.prepare(
        empty, table, taken, "train", "human", told=lambda *step: said.append(step)
    )
    assert not isinstance(prepared.rows, list | tuple)
    assert prepared.rows[24].inputs == {"text": "text 24 \U0001f600"} == prepared.rows[-1].inputs
    assert [row.provenance["row"] for row in prepared.rows[3:5]] == [5, 6]
    with pytest.raises(IndexError):
        prepared.rows[25]
    done = imports.import_rows(empty, prepared, told=lambda *step: said.append(step))
    assert done.n_rows == 25 and done.label_counts == {"a": 13, "b": 12}
    steps = [(doing, n, 25) for doing in ("checking", "comparing", "writing") for n in (0, 10, 20)]
    assert said == steps
    kept = [(row.inputs, row.label, row.split, row.source) for row in prepared.rows]
    # As it was when the list was hashed as a whole: a file imported then is known again.
    assert imports.imports(empty)[0]["content"] == content_hash(kept)


def test_cells_that_span_lines_stay_whole_whatever_ends_a_line() -> None:
    text = 'text,label\r\n"one\ntwo\u2028three",a\r"x\r\ny\x0bz",b\nlast\x85word,a'
    table = imports.read_table("f.csv", text.encode())
    assert [row["text"] for row in table.rows] == [
        "one\ntwo\u2028three", "x\r\ny\x0bz", "last\x85word",
    ]  # fmt: skip
