"""What came in goes out the same, with where it comes from, and harms no spreadsheet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from core import formats
from core.actions import curate, data, exports, generate, home, imports, review
from core.actions.session import Session
from core.errors import Problem
from core.formats import read_table, write_csv, write_jsonl
from core.store import samples
from core.store.samples import Filter
from tests.conftest import bring

HARD = [
    "=SUM(A1)", "+1", "-1", "@x", "\t=1", "\r=1", "\n=1", " =1", "'=1", '"quoted"', "a,b;c\td",
    "one\ntwo\r\nthree\rfour", "\u2028 line \u2029", "a\x85b", "é e\u0301", "שלום עולם", "مرحبا",
    "\u202ebidi\u202c", "日本語のテキスト", "👩\u200d🚀🏳️\u200d🌈", "NA", "null", "1.10",
    "\ufeffmark", "\\n", "\\ud800",
]  # fmt: skip
TEXTS = st.one_of(
    st.sampled_from(HARD),
    st.text(
        st.sampled_from("".join(HARD)) | st.characters(exclude_categories=["Cs"], min_codepoint=1),
        min_size=1,
        max_size=30,
    ),
).filter(str.strip)
ROWS = st.lists(
    st.tuples(TEXTS, st.none() | TEXTS.map(lambda text: text.strip()[:200].strip())),
    min_size=1,
    max_size=8,
)
in_one_session = settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def fresh() -> str:
    return home.create_project(f"p{len(home.all_projects())}").id


def kept(project: str) -> list[tuple[str, str | None]]:
    return [(row["text"], row["label"]) for row in exports.export_rows(project)]


def exported(project: str, ending: str, safe: bool = True) -> bytes:
    return b"".join(exports.export_pieces(project, ending, safe))


def come_in(project: str, name: str, content: bytes) -> None:
    taken = {"text": ["text"], "label": ["label"]}
    prepared = imports.prepare(project, read_table(name, content), taken, "train", "human")
    imports.import_rows(project, prepared)


# The same as it came


@given(rows=ROWS)
@example(rows=[(text, text.strip()) for text in HARD])
@in_one_session
def test_what_came_in_goes_out_and_comes_in_again(
    session: Session, rows: list[tuple[str, str | None]]
) -> None:
    made = fresh()
    lines = [{"text": text, "label": label} for text, label in rows]
    come_in(made, "f.jsonl", "".join(write_jsonl(lines)).encode())
    assert kept(made) == rows
    for name, content in (
        ("f.jsonl", exported(made, ".jsonl")),
        ("f.csv", exported(made, ".csv", safe=False)),
    ):
        copy = fresh()
        come_in(copy, name, content)
        assert kept(copy) == rows
        home.delete_project(copy)
    home.delete_project(made)


@given(rows=st.lists(st.lists(TEXTS, min_size=3, max_size=3), max_size=8))
def test_a_csv_says_the_same_to_any_reader(rows: list[list[str]]) -> None:
    names = ["a", "b", "c"]
    lines = [dict(zip(names, row, strict=True)) for row in rows]
    written = write_csv(names, lines, safe=False)
    assert list(csv.reader(io.StringIO(written, newline=""))) == [names, *rows]
    table = read_table("f.csv", written.encode())
    assert [[row[name] for name in names] for row in table.rows] == rows


@given(rows=st.lists(st.dictionaries(TEXTS, st.none() | TEXTS, max_size=3), max_size=6))
def test_a_line_of_jsonl_is_one_line_to_any_reader(rows: list[dict[str, str | None]]) -> None:
    written = "".join(write_jsonl(rows))
    assert [json.loads(line) for line in written.splitlines()] == rows


# Spreadsheets


@given(rows=st.lists(TEXTS, max_size=8))
@example(rows=HARD)
def test_no_cell_begins_as_a_formula_and_the_others_stay(rows: list[str]) -> None:
    written = write_csv(["text"], [{"text": text} for text in rows])
    back = [row[0] for row in csv.reader(io.StringIO(written, newline=""))][1:]
    for text, cell in zip(rows, back, strict=True):
        assert not cell.lstrip().startswith(("=", "+", "-", "@")) and cell[0] not in "\t\r\n"
        assert cell in (text, "'" + text)
        if text.strip()[0].isalnum() and text[0] not in "\t\r\n":
            assert cell == text


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@x", "\t1", "\r1", "\n1", "  =1", "\uff1d1"])
def test_each_beginning_that_a_spreadsheet_runs_is_neutralised_anywhere(text: str) -> None:
    assert write_csv([text], [{text: text}]).count("'" + text) == 2
    assert write_csv([text], [{text: text}], safe=False).count("'") == 0


def test_numbers_stay_numbers_and_nothing_stays_empty() -> None:
    row = {"a": -0.5, "b": None, "c": {"k": "=1"}}
    assert write_csv(["a", "b", "c"], [row]) == 'a,b,c\r\n-0.5,,"{""k"": ""=1""}"\r\n'


def test_an_export_is_neutralised_unless_asked_otherwise(session: Session) -> None:
    made = fresh()
    come_in(made, "=f.jsonl", b'{"text": "=1+1", "label": "-a"}\n')
    rows = list(csv.DictReader(io.StringIO(exported(made, ".csv").decode(), newline="")))
    assert (rows[0]["text"], rows[0]["label"]) == ("'=1+1", "'-a")
    assert rows[0]["provenance"] == '{"file": "=f.jsonl", "row": 1}'
    assert not [c for c in rows[0].values() if str(c).startswith(("=", "+", "-", "@"))]
    raw = list(csv.DictReader(io.StringIO(exported(made, ".csv", safe=False).decode(), newline="")))
    assert (raw[0]["text"], raw[0]["label"]) == ("=1+1", "-a")
    assert json.loads(exported(made, ".jsonl"))["text"] == "=1+1"


# Where it comes from


def test_an_export_says_where_every_sample_comes_from(project: str, session: Session) -> None:
    human, other = samples.page(session.database, project, Filter(source="human"), 2)
    review.label_many(project, "Ana", {human.id: "sky"})
    bring(
        project, [{"text": "written by a model", "label": "sea"}], "train", "synthetic", "llm.csv"
    )
    machine = samples.page(
        session.database, project, Filter(source="synthetic", status="pending"), 1
    )
    curate.edit(project, "Ben", machine[0].id, 0, {"text": "written by a model and a person"})
    rows = {row["id"]: row for row in map(json.loads, exported(project, ".jsonl").splitlines())}
    assert len(rows) == 151
    assert tuple(rows[human.id]) == exports.EXPORT_COLUMNS
    assert rows[human.id] | {
        "label": "sky", "imported_label": human.label, "source": "human", "text_source": "human",
        "label_source": "human", "annotator": "Ana", "n_decisions": 1,
        "provenance": {"file": "rows.csv", "row": 2},
    } == rows[human.id]  # fmt: skip
    assert rows[other.id]["annotator"] is None
    assert rows[machine[0].id] | {
        "text": "written by a model and a person", "source": "synthetic", "text_source": "llm",
        "label_source": "llm", "status": "accepted", "annotator": "Ben",
        "provenance": {"file": "llm.csv", "row": 2},
    } == rows[machine[0].id]  # fmt: skip
    assert {row["split"] for row in rows.values()} == {"train", "test"}
    with_csv = list(csv.DictReader(io.StringIO(exported(project, ".csv").decode(), newline="")))
    assert [row["id"] for row in with_csv] == list(rows)
    assert with_csv[0]["flags"] == ""


@pytest.mark.executor("inline")
def test_a_generated_sample_goes_out_with_its_prompt_and_price(session: Session) -> None:
    made = home.create_project("values", labels=[("power", "over people"), ("hedonism", "")]).id
    humans = [{"text": f"moment {i}", "label": n} for i in range(4) for n in ("power", "hedonism")]
    bring(made, humans, "train", "human")
    run = generate.launch(
        made, generate.Request("recorded", targets={"power": 2, "hedonism": 2}, seed=1)
    )
    assert generate.wait(run).state == "done"
    found = [row for row in exports.export_rows(made) if row["source"] == "synthetic"]
    ids = {row["id"] for row in exports.export_rows(made) if row["source"] == "human"}
    assert found
    for row in found:
        origin: Mapping[str, Any] = row["provenance"]
        assert row["run"] == run and set(origin["human_ids"]) <= ids
        assert origin["provider"]["kind"] == "recorded" and origin["strategy"]["kind"] == "few_shot"
        call = origin["call"]
        assert [message["role"] for message in call["messages"]] == ["system", "user"]
        assert row["label"] in call["messages"][1]["content"]
        assert call["model"] == "recorded-example"
        assert call["cost_usd"] > 0 and call["output_tokens"] > 0
    assert json.loads(exported(made, ".jsonl").splitlines()[-1])["provenance"]["call"]


def test_deleted_samples_do_not_go_out(project: str, session: Session) -> None:
    gone = samples.page(session.database, project, Filter(source="synthetic"), 1)[0]
    data.delete_samples(project, [gone.id], "Ana")
    assert gone.text.encode() not in exported(project, ".jsonl")
    assert len(exports.export_rows(project)) == 149


# Files


def test_a_file_is_written_whole_or_stays_as_it_was(
    project: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "out" / "all.jsonl"
    target.parent.mkdir()
    assert exports.export_file(project, target) == 150
    before = target.read_bytes()
    assert before.count(b"\n") == 150

    def full(*_: Any) -> Iterator[bytes]:
        yield b"half a line"
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(formats, "write_table", full)
    with pytest.raises(Problem, match=r"all.jsonl cannot be written: No space left"):
        exports.export_file(project, target)
    assert target.read_bytes() == before
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("all.txt", "Cannot export to .txt. Name the file .csv, .json, .jsonl, .parquet or .xlsx"),
        ("all", "Cannot export to that"),
        ("missing/all.csv", "missing/all.csv cannot be written: No such file"),
        ("file/all.csv", "file/all.csv cannot be written: Not a directory"),
        ("folder.csv", "folder.csv is a folder"),
        ("x" * 300 + ".csv", "cannot be written: File name too long"),
    ],
)
def test_places_that_cannot_be_written_are_named(
    project: str, tmp_path: Path, name: str, said: str
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(Problem, match=said):
        exports.export_file(project, tmp_path / name)
    assert {path.name for path in tmp_path.iterdir()} == {"file", "folder.csv", "home"}
