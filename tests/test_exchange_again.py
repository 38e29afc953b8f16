"""A file that says the split and source of each row, and one whose rows are here already."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from core import __main__ as command_line
from core.actions import agreement, curate, data, exchange, exports, home, imports, review
from core.actions.imports import Prepared
from core.actions.session import Session
from core.errors import BadFile, Problem
from core.formats import read_table, write_csv
from core.store import decisions, samples
from core.store.samples import Filter
from tests.conftest import bring, planted
from tests.test_exchange import LABEL_STUDIO, as_json, choice, come_in, made, said, task
from tests.test_exchange_out import files_in

ROWS = [
    ("a wave broke", "glad", "train", "human"),  # row 2
    ("a star fell", "sad", "train", "human"),
    ("a ship sank", "sad", "Test", "human"),
    ("a gull cried", "glad", "ood: far away", "human"),
    ("the model wrote this", "glad", "train", "synthetic"),
    ("the model labelled this", "sad", "train", "LLM-labelled"),
    ("a model's own test", "sad", "bench:gpt", "synthetic"),
]
WRONG = [
    ("no model writes test rows", "sad", "test", "synthetic"),  # row 9
    ("this has a split of others", "sad", "validation", "human"),
    ("this has no split", "sad", "", "human"),
    ("A  SHIP sank", "sad", "train", "human"),
    ("this has no label", "", "ood:far away", "human"),
]


def as_csv(rows: list[tuple[str, ...]]) -> bytes:
    names = ("text", "label", "split", "source")
    return write_csv(names, [dict(zip(names, row, strict=True)) for row in rows]).encode()


def look(
    project: str, name: str, content: bytes, split: str | None = None, source: Any = None,
    skip: bool = False,
) -> Prepared:  # fmt: skip
    table = read_table(name, content)
    taken = imports.columns_for(project, table)
    return imports.prepare(project, table, taken, split, source, skip)


def where(project: str) -> dict[str, tuple[str, str]]:
    return {row["text"]: (row["split"], row["source"]) for row in exports.export_rows(project)}


def wholly(project: str) -> dict[str, tuple[Any, ...]]:
    return {
        row["text"]: tuple(row[name] for name in ("split", "source", "label", "status"))
        for row in exports.export_rows(project)
    }


# As the file says


def test_each_row_has_the_split_and_source_that_the_file_says(session: Session) -> None:
    project = made()
    prepared = look(project, "f.csv", as_csv(ROWS))
    assert not prepared.faults
    assert prepared.places == {
        ("train", "human"): 2, ("test", "human"): 1, ("ood:far away", "human"): 1,
        ("train", "synthetic"): 1, ("train", "llm-labelled"): 1, ("bench:gpt", "synthetic"): 1,
    }  # fmt: skip
    assert prepared.into() == "train 4, test 1, ood:far away 1, bench:gpt 1"
    imports.import_rows(project, prepared)
    assert where(project) == {
        text: ("ood:far away" if "far" in split else split.lower(), source.lower())
        for text, _, split, source in ROWS
    }
    pending = samples.page(session.database, project, Filter(status="pending"), 9)
    assert {row.source for row in pending} == {"synthetic", "llm-labelled"}
    (about,) = imports.imports(project)
    assert about["split"] == "bench:gpt, ood:far away, test, train"


def test_a_row_that_its_split_does_not_take_is_named(session: Session) -> None:
    project = made()
    prepared = look(project, "f.csv", as_csv([*ROWS, *WRONG]))
    assert [(fault.what.split(",")[0][:40], fault.rows) for fault in prepared.faults] == [
        ("'validation' is not a split (Use train", (10,)),
        ("the file does not say which split", (11,)),
        ("test takes human-labelled rows only", (9,)),
        ("no label (only human train rows may come", (13,)),
    ]
    with pytest.raises(BadFile, match=r"\(row 9\)"):
        imports.import_rows(project, prepared)
    assert not exports.export_rows(project)
    prepared = look(project, "f.csv", as_csv([*ROWS, *WRONG]), skip=True)
    leaked = next(one for one in prepared.warnings if "same text is in a test split" in one.what)
    assert leaked.rows == (12,)  # a test text of the same file
    done = imports.import_rows(project, prepared)
    assert done.left_out == (9, 10, 11, 12, 13) and len(where(project)) == len(ROWS)
    # The test split is there now, and sealed: a row more is named.
    more = look(project, "g.csv", as_csv([("one more", "sad", "test", "human"),
                                          ("and one", "sad", "train", "human")]))  # fmt: skip
    assert [one.rows for one in more.faults] == [(2,)] and "sealed" in more.faults[0].what


def test_pseudo_samples_are_judged_by_the_human_rows_of_their_file(session: Session) -> None:
    project = made()
    rows = [*ROWS, ("a wave broke", "glad", "train", "synthetic"),
            ("a ship sank", "sad", "train", "synthetic")]  # fmt: skip
    done = imports.import_rows(project, look(project, "f.csv", as_csv(rows)))
    assert done.left_out == (10,)  # equal to a test text of the file
    (flagged,) = samples.page(session.database, project, Filter(flagged=True), 9)
    assert (flagged.text, flagged.source) == ("a wave broke", "synthetic")


def test_one_split_for_all_is_a_choice_that_is_told(session: Session) -> None:
    project = made()
    prepared = look(project, "f.csv", as_csv(ROWS), "train", "human")
    told = [str(one) for one in prepared.warnings if "the file says" in one.what]
    assert told == ["the file says Test, and they go into train (row 4)",
                    "the file says ood: far away, and they go into train (row 5)",
                    "the file says bench:gpt, and they go into train (row 8)"]  # fmt: skip
    imports.import_rows(project, prepared)
    assert set(where(project).values()) == {("train", "human")}


@pytest.mark.parametrize(
    ("header", "cells"),
    [("text,label", "x,glad"), ("text,label,split", "x,glad,3"),
     ("text,label,split,source", "x,glad,3,reddit")],
)  # fmt: skip
def test_columns_that_say_something_else_are_no_splits(
    session: Session, header: str, cells: str
) -> None:
    project, content = made(), f"{header}\n{cells}\n".encode()
    with pytest.raises(Problem, match="does not say which split its rows are of"):
        look(project, "f.csv", content, None, "human")
    with pytest.raises(Problem, match="does not say where its rows come from"):
        look(project, "f.csv", content, "train")
    assert look(project, "f.csv", content, "train", "human").places == {("train", "human"): 1}


def test_labels_of_a_new_task_come_with_a_train_row(session: Session) -> None:
    project = home.create_project("new", "classify").id
    with pytest.raises(Problem, match="no labels yet"):
        look(project, "f.csv", as_csv([ROWS[2]]))
    done = imports.import_rows(project, look(project, "f.csv", as_csv(ROWS)))
    assert sorted(done.labels) == ["glad", "sad"]


# Our own exports come back


@pytest.fixture
def whole(session: Session) -> str:
    """A project with rows of every split and source, and decisions of two people."""
    project = made("classify", "sea sky soil")
    bring(project, planted(2, seed=1), "train", "human", "a.csv")
    bring(project, planted(1, seed=2), "test", "human", "b.csv")
    bring(project, planted(1, seed=3), "ood:far", "human", "c.csv")
    bring(project, planted(2, seed=4), "train", "synthetic", "d.csv")
    curate.accept_many(project, "Ana", flagged=None)
    for row in samples.page(session.database, project, Filter(source="human"), 4):
        review.label(project, "Ana", row.id, 0, "sea")
        review.label(project, "Ben", row.id, 0, "sky")
    review.reject(project, "Ben", samples.page(session.database, project, Filter(), 9)[5].id, 0)
    return project


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".json", ".parquet", ".xlsx"])
def test_a_table_of_ours_comes_back_into_its_splits(
    whole: str, tmp_path: Path, ending: str
) -> None:
    file, again = tmp_path / f"out{ending}", made("classify", "sea sky soil")
    exports.export_file(whole, file)
    imports.import_rows(again, look(again, file.name, file.read_bytes()))
    assert where(again) == where(whole)


def test_brats_files_of_ours_come_back_into_their_splits(session: Session, tmp_path: Path) -> None:
    project, again = made("spans", "PER"), made("spans", "PER")
    span = json.dumps([{"start": 0, "end": 3, "type": "PER"}])
    rows = [{"text": "Ana ran", "spans": span, "split": "train", "source": "human"},
            {"text": "Ben ran", "spans": span, "split": "ood:far", "source": "human"}]  # fmt: skip
    come_in(project, "f.json", as_json(rows), None)
    for ending in (".zip", ".conll"):
        exports.export_file(project, file := tmp_path / f"out{ending}")
        assert sorted(look(again, file.name, file.read_bytes()).places) == [
            ("ood:far", "human"), ("train", "human"),
        ]  # fmt: skip


@pytest.mark.parametrize("form", ["label-studio", "argilla"])
def test_a_tools_file_of_ours_comes_back_into_its_splits(whole: str, form: str) -> None:
    again = made("classify", "sea sky soil")
    prepared = look(again, "out.zip", exchange.tool_zip(whole, form))
    assert prepared.attached.n_rows == 0
    imports.import_rows(again, prepared)
    assert wholly(again) == wholly(whole)
    told = look(made("classify", "sea sky soil"), "out.zip", exchange.tool_zip(whole, form),
                "train", "human").warnings  # fmt: skip
    assert {one.what: len(one.rows) for one in told if "the file says" in one.what} == {
        "the file says test, and they go into train": 3,
        "the file says ood:far, and they go into train": 3,
    }


@pytest.mark.parametrize("form", ["label-studio", "argilla"])
def test_what_comes_back_as_it_went_is_nothing_new(whole: str, form: str) -> None:
    before, figures, votes = wholly(whole), agreement.of(whole), said(whole)
    prepared = look(whole, "out.zip", exchange.tool_zip(whole, form))
    assert not prepared.is_news and prepared.attached.n_rows == len(before)
    # 2 people on 4 rows, Ana's on 6 pseudo-samples, and what Ben left out.
    assert (prepared.n_decisions, prepared.attached.n_known) == (0, 8 + 6 + 1)
    with pytest.raises(Problem, match=f"{len(before)} rows were imported already"):
        imports.import_rows(whole, prepared)
    assert (wholly(whole), said(whole)) == (before, votes)
    assert agreement.of(whole).overall == figures.overall


def through_label_studio(content: bytes) -> list[dict[str, Any]]:
    """What Label Studio 1.23 exports of tasks that it imported: whoever imported is the annotator.

    Of an annotation it keeps `result`, `was_cancelled`, `ground_truth`, `lead_time`, and its `id`
    as `import_id`; of a task `data` and `meta` (its `tasks/serializers.py`).
    """
    tasks = json.loads(files_in(content)["tasks.json"])
    kept = ("result", "was_cancelled", "ground_truth")
    for number, one in enumerate(tasks, start=90):
        one["id"] = number
        one["annotations"] = [
            {**{name: annotation[name] for name in kept}, "id": 1000 + 10 * number + place,
             "import_id": annotation["id"], "completed_by": 1, "updated_by": None,
             "created_at": "2026-01-01T00:00:00Z"}
            for place, annotation in enumerate(one["annotations"])
        ]  # fmt: skip
    return tasks


def test_what_was_annotated_elsewhere_attaches_to_the_samples_that_are_there(
    whole: str, session: Session
) -> None:
    tasks = through_label_studio(exchange.tool_zip(whole, "label-studio"))
    assert not look(whole, "back.json", as_json(tasks)).is_news
    before, votes = wholly(whole), said(whole)
    by_text = {one["data"]["text"]: one for one in tasks}
    test = next(text for text, now in before.items() if now[0] == "test")
    train, fresh = _two(before, votes)
    by_text[test]["annotations"].append(answer("sky", 7))
    by_text[fresh]["annotations"].append(answer("soil", 7))
    # Somebody there changes what Ana had said here: it is theirs now.
    changed = by_text[train]["annotations"][0]
    changed["result"][0]["value"]["choices"] = ["soil"]
    changed["updated_by"] = 7
    prepared = look(whole, "back.json", as_json(tasks))
    assert not prepared.faults and not len(prepared.rows)
    assert (prepared.attached.n_fresh, prepared.n_decisions) == (3, 3)
    done = imports.import_rows(whole, prepared)
    assert (done.n_rows, done.n_attached, done.n_annotators) == (0, len(before), 1)
    now = said(whole)
    for text, label in ((test, "sky"), (fresh, "soil"), (train, "soil")):
        assert now[text] == [*votes[text], ("user 7 (Label Studio)", "label", label)]
    assert {text: one[:2] for text, one in wholly(whole).items()} == {
        text: one[:2] for text, one in before.items()
    }
    event = decisions.history(session.database, whole, _id(whole, fresh))[-1]
    assert json.loads(event["about"])["imported"] == "back.json"
    state = wholly(whole)
    decisions.rebuild(session.database, whole)
    assert wholly(whole) == state
    with pytest.raises(Problem, match="imported already"):
        imports.import_rows(whole, look(whole, "back.json", as_json(tasks)))
    assert said(whole) == now


def answer(label: str, who: int) -> dict[str, Any]:
    result = {"from_name": "label", "to_name": "text", "type": "choices",
              "value": {"choices": [label]}}  # fmt: skip
    return {"id": 5, "completed_by": who, "result": [result], "was_cancelled": False}


def _two(
    before: dict[str, tuple[Any, ...]], votes: dict[str, list[tuple[str, str, str | None]]]
) -> tuple[str, str]:
    """A train text that Ana labelled, and one of another test set that nobody did."""
    train = next(t for t, now in before.items() if now[:2] == ("train", "human") and votes[t])
    return train, next(t for t, now in before.items() if now[0] == "ood:far" and not votes[t])


def _id(project: str, text: str) -> str:
    return next(row["id"] for row in exports.export_rows(project) if row["text"] == text)


def test_a_text_that_was_changed_here_since_takes_no_decision(whole: str, session: Session) -> None:
    content = exchange.tool_zip(whole, "argilla")
    row = samples.page(session.database, whole, Filter(source="synthetic"), 1)[0]
    curate.edit(whole, "Ana", row.id, _seen(whole, row.id), {"text": "quite another text"})
    prepared = look(whole, "out.zip", content)
    (fault,) = prepared.faults
    assert fault.what == "its text here is another than in the file" and len(fault.rows) == 1


def _seen(project: str, sample: str) -> int:
    return decisions.revisions(home.here().database, project, [sample], "Ana").get(sample, 0)


# A second export of another tool's project


def test_a_second_export_brings_what_is_new_and_nothing_twice(session: Session) -> None:
    project = made()
    come_in(project, "first.json", as_json(LABEL_STUDIO))
    first, ids = said(project), sorted(row["id"] for row in exports.export_rows(project))
    second = [dict(one) for one in LABEL_STUDIO]
    second[1] = {**second[1], "annotations": [*second[1]["annotations"],
                                              choice("glad", completed_by=9)]}  # fmt: skip
    second.append(task(5, "new here", choice("sad", completed_by=9)))
    prepared = look(project, "second.json", as_json(second), "train", "human")
    assert (len(prepared.rows), prepared.attached.n_rows) == (1, 4)
    assert (prepared.n_decisions, prepared.attached.n_known) == (2, 6)
    done = imports.import_rows(project, prepared)
    assert (done.n_rows, done.n_decisions, done.n_attached, done.n_known) == (1, 2, 4, 6)
    now = said(project)
    assert now.pop("new here") == [("user 9 (Label Studio)", "label", "sad")]
    assert now.pop("oh no") == [*first.pop("oh no"), ("user 9 (Label Studio)", "label", "glad")]
    assert now == first
    assert set(ids) < {row["id"] for row in exports.export_rows(project)}
    for content in (second, LABEL_STUDIO):
        with pytest.raises(Problem, match=r"imported already, from again\.json"):
            come_in(project, "again.json", as_json(content))


def test_what_was_taken_back_or_reopened_here_stays_so(session: Session) -> None:
    project = made()
    come_in(project, "f.json", as_json(LABEL_STUDIO))
    one = next(row for row in exports.export_rows(project) if row["text"] == "what a day")
    event = review.history(project, one["id"])[0]["seq"]
    decisions.take_back(session.database, project, event, "Lead")
    before = said(project)
    with pytest.raises(Problem, match="imported already"):
        come_in(project, "f.json", as_json(LABEL_STUDIO))
    assert said(project) == before


def test_samples_that_share_a_text_are_told_apart_as_far_as_there_are_some(
    session: Session,
) -> None:
    project = made()
    rows = [task(1, "twice", choice("glad")), task(2, "twice", choice("sad"))]
    come_in(project, "f.json", as_json(rows))
    before = [(row["text"], row["label"]) for row in exports.export_rows(project)]
    assert before == [("twice", "glad"), ("twice", "sad")]
    rows[1]["annotations"].append(choice("sad", completed_by=2))
    done = come_in(project, "f.json", as_json(rows))
    assert (done.n_rows, done.n_decisions, done.n_known) == (0, 1, 2)
    assert [row["n_decisions"] for row in exports.export_rows(project)] == [1, 2]


def test_what_changed_since_a_file_was_looked_at_is_looked_at_again(session: Session) -> None:
    project = made()
    first, second = (look(project, "f.json", as_json(LABEL_STUDIO), "train", "human")
                     for _ in range(2))  # fmt: skip
    imports.import_rows(project, first)
    with pytest.raises(Problem, match="have come since this file was looked at"):
        imports.import_rows(project, second)


def test_decisions_on_texts_that_waited_bring_the_labels_of_a_new_task(session: Session) -> None:
    project = home.create_project("new", "classify").id
    table = read_table("t.csv", b"text\nwhat a day\noh no\n")
    imports.import_rows(
        project, imports.prepare(project, table, {"text": ["text"]}, "train", "human")
    )
    done = come_in(project, "f.json", as_json(LABEL_STUDIO[:2]))
    assert (done.n_rows, done.n_attached, sorted(done.labels)) == (0, 2, ["glad", "sad"])
    assert [row["label"] for row in exports.export_rows(project)] == ["glad", "sad"]


def test_deleted_samples_come_in_anew(session: Session) -> None:
    project = made()
    come_in(project, "f.json", as_json(LABEL_STUDIO))
    data.delete_samples(project, [row["id"] for row in exports.export_rows(project)], "Ana")
    assert come_in(project, "f.json", as_json(LABEL_STUDIO)).n_rows == 4


# By command line


def test_the_command_line_takes_the_files_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ADMIX_HOME", str(tmp_path / "home"))
    file, plain, tool = (tmp_path / name for name in ("f.csv", "g.csv", "tasks.json"))
    file.write_bytes(as_csv(ROWS))
    plain.write_text("text,label\nx,glad\n")
    tool.write_bytes(as_json(LABEL_STUDIO))
    assert command_line.main(["project", "new", "cli", "--labels", "glad,sad"]) == 0
    assert command_line.main(["import", "cli", str(file)]) == 0
    out = capsys.readouterr().out
    assert "7 rows of f.csv into train 4, test 1, ood:far away 1, bench:gpt 1 (" in out
    assert command_line.main(["import", "cli", str(plain), "--source", "human"]) == 2
    assert "does not say which split" in capsys.readouterr().err
    into = ["import", "cli", str(tool), "--split", "train", "--source", "human"]
    assert command_line.main(into) == 0
    rows = json.loads(tool.read_bytes())
    rows[3]["annotations"].append(choice("sad", completed_by=9))
    tool.write_bytes(as_json(rows))
    assert command_line.main(into) == 0
    out = capsys.readouterr().out
    assert "4 rows are samples already; 6 decisions on them had been made before" in out
    assert "decisions: 1 of 1 annotators" in out


@pytest.mark.parametrize("form", ["json_min", "csv"])
def test_rows_that_lost_who_made_what_we_exported_double_no_vote(whole: str, form: str) -> None:
    """Label Studio's JSON_MIN and CSV hold no `meta`, and one person for all that was imported."""
    rows = [
        {**one["data"], "id": one["id"], "label": annotation["result"][0]["value"]["choices"][0],
         "annotator": "lead@x.org", "annotation_id": annotation["id"], "lead_time": 2.0,
         "created_at": "", "updated_at": ""}
        for one in through_label_studio(exchange.tool_zip(whole, "label-studio"))
        for annotation in one["annotations"] if annotation["result"]
    ]  # fmt: skip
    rows.append({**rows[0], "annotator": "eve@x.org", "annotation_id": 1})

    def written() -> bytes:
        return as_json(rows) if form == "json_min" else write_csv(list(rows[0]), rows).encode()

    name, before = f"f.{form.removesuffix('_min')}", said(whole)
    prepared = look(whole, name, written())
    assert any("does not say whose" in one.what for one in prepared.warnings)
    assert (len(prepared.rows), prepared.n_decisions, prepared.attached.n_known) == (0, 1, 14)
    imports.import_rows(whole, prepared)
    now, text = said(whole), rows[0]["text"]
    assert now.pop(text) == [
        *before.pop(text),
        ("eve@x.org (Label Studio)", "label", rows[0]["label"]),
    ]
    assert now == before
    assert not look(whole, name, written()).is_news


def test_argilla_loses_who_left_a_sample_out_and_we_do_not(whole: str) -> None:
    """Its library reads a response from disk without its status, a server without who gave it."""
    content = files_in(exchange.tool_zip(whole, "argilla"))["records.json"]
    read_from_disk, of_a_server = json.loads(content), json.loads(content)
    for record in read_from_disk:
        for response in record["responses"].get("label", ()):
            del response["status"]
    for record in of_a_server:
        for response in record["responses"].get("label", ()):
            response["user_id"] = "6f0e9a52-0000-4d0b-9d0e-0a1d3c5e7f90"
        record["responses"] = {k: some[:1] for k, some in record["responses"].items()}
    for records in (read_from_disk, of_a_server):
        prepared = look(whole, "f.json", as_json(records))
        assert not prepared.is_news and prepared.attached.n_rows == 18
