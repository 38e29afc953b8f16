"""What annotators of other tools decided comes in as theirs, and goes out so that it comes back."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.actions import data, home, imports, review, times
from core.actions.exports import export_rows
from core.actions.session import Session, here
from core.errors import BadFile, Problem
from core.formats import read_table
from core.formats.annotated import Annotated
from core.formats.tools import _offsets
from core.formats.tools.base import Mark
from core.store import decisions, samples
from core.store.samples import Filter

Rows = list[dict[str, Any]]


def as_json(rows: Rows) -> bytes:
    return json.dumps(rows, ensure_ascii=False).encode()


def as_lines(rows: Rows) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def in_zip(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, content in files.items():
            zipped.writestr(name, content)
    return out.getvalue()


def annotated(name: str, content: bytes) -> Annotated:
    found = read_table(name, content).annotated
    assert found is not None
    return found


def come_in(
    project: str, name: str, content: bytes, split: str = "train", label: str | None = None,
    **more: Any,
) -> imports.Imported:  # fmt: skip
    table = read_table(name, content)
    taken = imports.columns_for(project, table, label=label)
    prepared = imports.prepare(project, table, taken, split, "human", **more)
    return imports.import_rows(project, prepared)


def made(kind: str = "classify", labels: str = "glad sad") -> str:
    names = [(name, "") for name in labels.split()]
    return home.create_project(f"p{len(home.all_projects())}", kind, labels=names).id


def state(project: str) -> dict[str, tuple[str | None, str]]:
    return {row["text"]: (row["label"], row["status"]) for row in export_rows(project)}


def said(project: str) -> dict[str, list[tuple[str, str, str | None]]]:
    """What everybody decided, by text."""
    texts = {row["id"]: row["text"] for row in export_rows(project)}
    found: dict[str, list[tuple[str, str, str | None]]] = {text: [] for text in texts.values()}
    for event in decisions.standing(here().database, project):
        found[texts[event["sample"]]].append((event["annotator"], event["kind"], event["label"]))
    return found


# What the tools write


def choice(label: str, **more: Any) -> dict[str, Any]:
    result = {"from_name": "mood", "to_name": "text", "type": "choices",
              "value": {"choices": [label]}, "id": "r1", "origin": "manual"}  # fmt: skip
    return {"id": 7, "completed_by": 1, "result": [result], "was_cancelled": False,
            "ground_truth": False, "created_at": "2024-05-01T10:00:00.000000Z",
            "lead_time": 4.25, "task": 1} | more  # fmt: skip


def region(start: int, end: int, type_: str, text: str | None = None) -> dict[str, Any]:
    value = {"start": start, "end": end, "labels": [type_]} | ({"text": text} if text else {})
    return {"from_name": "ner", "to_name": "text", "type": "labels", "value": value}


def task(number: int, text: str, *annotations: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": number, "data": {"text": text}, "annotations": list(annotations), "drafts": [],
            "predictions": [], "meta": {}, "project": 3, "total_annotations": 1} | more  # fmt: skip


ANA = {"id": 4, "email": "ana@x.org", "first_name": "", "last_name": ""}
LABEL_STUDIO: Rows = [
    task(1, "what a day", choice("glad", completed_by=ANA), choice("glad", completed_by=2)),
    task(2, "oh no", choice("sad", completed_by=ANA), choice("glad", completed_by=2),
         choice("sad", completed_by=3)),
    task(3, "???", choice("glad", completed_by=2, was_cancelled=True, result=[])),
    task(4, "not yet", predictions=[
        {"model_version": "m1", "score": 0.9, "result": [
            {"from_name": "mood", "type": "choices", "value": {"choices": ["sad"]}}]}]),
]  # fmt: skip
ARGILLA: Rows = [
    {"id": "a", "fields": {"text": "what a day"}, "metadata": {"page": 3}, "vectors": {},
     "suggestions": {"mood": {"value": "glad", "score": 0.8, "agent": "m1"}},
     "responses": {"mood": [{"value": "glad", "user_id": "u1", "status": "submitted"},
                            {"value": "sad", "user_id": "u2", "status": "draft"}]}},
    {"id": "b", "fields": {"text": "oh no"}, "metadata": {}, "suggestions": {}, "vectors": {},
     "responses": {"mood": [{"value": "sad", "user_id": "u1", "status": "submitted"},
                            {"value": "glad", "user_id": "u2", "status": "submitted"},
                            {"value": "sad", "user_id": "u3"}]}},
    {"id": "c", "fields": {"text": "???"}, "metadata": {}, "suggestions": {}, "vectors": {},
     "responses": {"mood": [{"value": "sad", "user_id": "u2", "status": "discarded"}]}},
    {"id": "d", "fields": {"text": "not yet"}, "metadata": {}, "suggestions": {}, "vectors": {},
     "responses": {}},
]  # fmt: skip
ARGILLA_1: Rows = [
    {"external_id": row["id"], "fields": row["fields"], "metadata": {}, "suggestions": [],
     "responses": [
         {"user_id": one["user_id"], "status": one.get("status", "submitted"),
          "values": {"mood": {"value": one["value"]}} if one.get("status") != "discarded" else {}}
         for one in row["responses"].get("mood", ())]}
    for row in ARGILLA
]  # fmt: skip
DOCCANO = {
    who: as_lines([
        {"id": number, "text": text, "label": label, "Comments": []}
        for number, (text, label) in enumerate(rows.items(), start=1)
    ])
    for who, rows in {
        "u1": {"what a day": ["glad"], "oh no": ["sad"], "not yet": []},
        "u2": {"what a day": [], "oh no": ["glad"], "not yet": []},
        "u3": {"what a day": [], "oh no": ["sad"], "not yet": []},
    }.items()
}  # fmt: skip


def line(text: str, who: str, answer: str, **more: Any) -> dict[str, Any]:
    return {"text": text, "_input_hash": sum(map(ord, text)), "_task_hash": 5, "answer": answer,
            "_annotator_id": f"mood-{who}", "_session_id": f"mood-{who}",
            "_timestamp": 1700000000, "_view_id": "choice"} | more  # fmt: skip


OPTIONS = [{"id": "glad", "text": "Glad"}, {"id": "sad", "text": "Sad"}]


def chosen(text: str, who: str, *labels: str) -> dict[str, Any]:
    return line(text, who, "accept", options=OPTIONS, accept=list(labels))


PRODIGY: Rows = [
    chosen("what a day", "u1", "glad"), chosen("oh no", "u1", "sad"),
    chosen("oh no", "u2", "glad"), chosen("oh no", "u3", "sad"),
    line("???", "u2", "reject", options=OPTIONS, accept=[]),
    line("not yet", "u2", "ignore", options=OPTIONS, accept=[]),
]  # fmt: skip
CONSENSUS = {
    "what a day": ("glad", "accepted"), "oh no": ("sad", "accepted"),
    "???": (None, "rejected"), "not yet": (None, "pending"),
}  # fmt: skip
FILES = {
    "label_studio": ("tasks.json", as_json(LABEL_STUDIO)),
    "argilla": ("records.json", as_json(ARGILLA)),
    "argilla_1": ("records.jsonl", as_lines(ARGILLA_1)),
    "doccano": ("export.zip", in_zip({f"{who}.jsonl": file for who, file in DOCCANO.items()})),
    "prodigy": ("mood.jsonl", as_lines(PRODIGY)),
}


@pytest.mark.parametrize("form", FILES)
def test_decisions_come_in_with_their_annotators(session: Session, form: str) -> None:
    project = made()
    done = come_in(project, *FILES[form])
    wanted = {text: now for text, now in CONSENSUS.items() if form != "doccano" or text != "???"}
    assert state(project) == wanted
    title = {"label_studio": "Label Studio", "doccano": "doccano", "prodigy": "Prodigy"}.get(
        form, "Argilla"
    )
    people = review.annotators(project)
    assert len(people) == 3 and all(name.endswith(f" ({title})") for name in people)
    assert done.n_annotators == 3 and done.n_rows == len(wanted)
    n_labels = [sum(kind == "label" for _, kind, _ in one) for one in said(project).values()]
    assert sorted(n_labels, reverse=True)[0] == 3
    assert done.n_decisions == sum(map(len, said(project).values()))
    assert {row["imported_label"] for row in export_rows(project)} == {None}


def test_a_decision_says_where_it_comes_from_and_its_seconds_are_not_ours(
    session: Session,
) -> None:
    project = made()
    come_in(project, "mood.json", as_json(LABEL_STUDIO))
    first = samples.page(session.database, project, Filter(), 10)[0]
    event = review.history(project, first.id)[0]
    about = json.loads(str(event["about"]))
    assert about == {"imported": "mood.json", "tool": "label_studio", "id": 7,
                     "at": "2024-05-01T10:00:00.000000Z"}  # fmt: skip
    assert event["seconds"] == 4.25 and event["annotator"] == "ana@x.org (Label Studio)"
    assert times.measured(project, "label").whole is None
    card = samples.by_ids(session.database, project, [row["id"] for row in export_rows(project)])[3]
    assert card.provenance["label_studio"] == {
        "task": "4", "predictions": [{"by": "m1", "score": 0.9, "said": [{"choices": ["sad"]}]}],
    }  # fmt: skip
    before = samples.page(session.database, project, Filter(), 10)
    decisions.rebuild(session.database, project)
    assert samples.page(session.database, project, Filter(), 10) == before


@pytest.mark.parametrize("form", FILES)
def test_the_same_file_comes_in_once(session: Session, form: str) -> None:
    project = made()
    come_in(project, *FILES[form])
    before = said(project)
    with pytest.raises(Problem, match="imported already"):
        come_in(project, *FILES[form])
    assert said(project) == before


def test_what_a_file_holds_is_told(session: Session) -> None:
    told = annotated("f.json", as_json(LABEL_STUDIO)).in_words()
    assert told == (
        "Label Studio: 4 tasks, 3 annotators, 5 decisions, 1 cancelled; asked: mood (choices)"
    )
    assert annotated("f.json", as_json(ARGILLA)).n_skipped == 1  # a draft


def test_labels_of_a_new_task_are_those_that_anybody_gave(session: Session) -> None:
    project = made(labels="")
    come_in(project, "f.json", as_json([task(1, "x", choice("b", completed_by=1), choice("a")),
                                        task(2, "y", choice("c"))]))  # fmt: skip
    assert list(data.label_names(project)) == ["a", "b", "c"]


def test_an_unknown_label_is_a_fault_as_in_any_file(session: Session) -> None:
    project = made()
    rows = [*LABEL_STUDIO, task(9, "new", choice("glad"), choice("furious", completed_by=5))]
    with pytest.raises(BadFile, match=r"a label outside the set \('furious'\) \(row 5\)"):
        come_in(project, "f.json", as_json(rows))
    assert not export_rows(project)
    done = come_in(project, "f.json", as_json(rows), skip_bad_rows=True)
    assert done.left_out == (5,) and "new" not in state(project)


def test_a_test_split_takes_decisions_for_labels_and_keeps_them_out_of_train(
    session: Session,
) -> None:
    project = made()
    rows = [row for row in LABEL_STUDIO if row["id"] < 3]
    come_in(project, "test.json", as_json(rows), "test")
    assert state(project)["oh no"] == ("sad", "accepted")
    found = decisions.labels_by_annotator(session.database, project)
    assert sorted(map(len, found.values())) == [2, 3]
    done = come_in(project, "train.json", as_json([*LABEL_STUDIO, task(8, "more", choice("sad"))]))
    assert done.n_rows == 3 and done.left_out == (1, 2)
    assert len(said(project)["oh no"]) == 3
    with pytest.raises(BadFile, match="no label"):
        come_in(made(), "test.json", as_json(LABEL_STUDIO), "test")


# Which question


TWO: Rows = [
    {"id": "a", "fields": {"text": "x"}, "suggestions": {}, "metadata": {}, "responses": {
        "mood": [{"value": "glad", "user_id": "u1"}], "topic": [{"value": "sad", "user_id": "u1"}],
        "stars": [{"value": 4, "user_id": "u1"}]}},
]  # fmt: skip


def test_of_several_questions_one_is_named(session: Session) -> None:
    project = made()
    table = read_table("f.json", as_json(TWO))
    assert "label" not in imports.columns_for(project, table)
    come_in(project, "f.json", as_json(TWO), label="topic")
    assert state(project) == {"x": ("sad", "accepted")}
    stars = made("similarity", "1 5")
    assert imports.columns_for(stars, table)["score"] == ("stars",)
    with pytest.raises(Problem, match="answered with choices, which cannot be labels of Spans"):
        imports.prepare(made("spans", "PER"), table, {"text": ["text"], "spans": ["mood"]},
                        "train", "human")  # fmt: skip


def test_texts_come_in_alone_where_no_question_is_taken(session: Session) -> None:
    project = made()
    table = read_table("f.json", as_json(TWO))
    imports.import_rows(
        project, imports.prepare(project, table, {"text": ["text"]}, "train", "human")
    )
    assert state(project) == {"x": (None, "pending")} and not review.annotators(project)


def test_a_label_in_the_data_is_no_annotation(session: Session) -> None:
    rows = [task(1, "x", choice("glad"), data={"text": "x", "label": "sad"})]
    project = made()
    come_in(project, "f.json", as_json(rows))
    assert state(project) == {"x": ("glad", "accepted")}
    come_in(other := made(), "f.json", as_json(rows), label="label")
    assert state(other) == {"x": ("sad", "accepted")} and not review.annotators(other)


@pytest.mark.parametrize("ending", ["csv", "json"])
def test_label_studios_rows_are_annotations(session: Session, ending: str) -> None:
    rows: Rows = [
        {"text": "oh no", "id": 5, "mood": label, "annotator": who, "annotation_id": number,
         "created_at": "2024-05-01", "updated_at": "2024-05-01", "lead_time": 2.5}
        for number, (label, who) in enumerate([("sad", 1), ("glad", "b@x.org"), ("sad", 3)])
    ]  # fmt: skip
    columns = list(rows[0])
    content = as_json(rows) if ending == "json" else "\n".join(
        [",".join(columns), *(",".join(str(row[name]) for name in columns) for row in rows)]
    ).encode()  # fmt: skip
    project = made()
    come_in(project, f"f.{ending}", content)
    assert state(project) == {"oh no": ("sad", "accepted")}
    assert [who for who, _, _ in said(project)["oh no"]] == [
        "user 1 (Label Studio)", "b@x.org (Label Studio)", "user 3 (Label Studio)",
    ]  # fmt: skip
    (row,) = export_rows(project)
    assert row["imported_label"] is None


def test_prodigy_asks_label_by_label(session: Session) -> None:
    project = made()
    come_in(project, "f.jsonl", as_lines([
        line("x", "a", "reject", label="glad"), line("x", "a", "accept", label="sad"),
        line("y", "a", "reject", label="glad"), line("y", "a", "reject", label="sad"),
        line("z", "a", "ignore", label="sad"),
    ]))  # fmt: skip
    assert state(project) == {"x": ("sad", "accepted"), "y": (None, "rejected"),
                              "z": (None, "pending")}  # fmt: skip
    with pytest.raises(BadFile, match="2 labels by one annotator"):
        come_in(made(), "f.jsonl", as_lines([line("x", "a", "accept", label="glad"),
                                             line("x", "a", "accept", label="sad")]))  # fmt: skip


def test_an_option_with_a_number_for_its_id_is_its_text() -> None:
    options = [{"id": 1, "text": "glad"}, {"id": 2, "text": "sad"}]
    found = annotated("f.jsonl", as_lines([line("x", "a", "accept", options=options, accept=[2])]))
    assert found.given[0][0].answers == {"label": "sad"}


# Spans and what their offsets count


EMOJI = "👩\u200d🚀 Ana met Bob 😀 in Rome"


def units(text: str, at: int) -> int:
    return len(text[:at].encode("utf-16-le")) // 2


def spans_of(found: Annotated, question: str) -> list[Any]:
    return json.loads(found.given[0][0].answers[question])


ANA_AT, ROME_AT = EMOJI.index("Ana"), EMOJI.index("Rome")
WANTED = [{"start": ANA_AT, "end": ANA_AT + 3, "type": "PER"},
          {"start": ROME_AT, "end": ROME_AT + 4, "type": "LOC"}]  # fmt: skip


@pytest.mark.parametrize("in_units", [False, True])
@pytest.mark.parametrize("has_words", [False, True])
def test_offsets_are_counted_as_the_words_say(in_units: bool, has_words: bool) -> None:
    def at(place: int) -> int:
        return units(EMOJI, place) if in_units else place

    regions = [
        region(at(one["start"]), at(one["end"]), one["type"],
               EMOJI[one["start"] : one["end"]] if has_words else None)
        for one in WANTED
    ]  # fmt: skip
    studio = as_json([task(1, EMOJI, choice("", result=regions))])
    assert spans_of(annotated("f.json", studio), "ner") == WANTED
    triples = [[at(one["start"]), at(one["end"]), one["type"]] for one in WANTED]
    doccano = as_lines([{"id": 1, "text": EMOJI, "label": triples, "Comments": []}])
    assert spans_of(annotated("ana.jsonl", doccano), "label") == WANTED
    argilla = [{"id": "a", "fields": {"text": EMOJI}, "responses": {"ner": [
        {"user_id": "u", "value": [
            {"start": at(one["start"]), "end": at(one["end"]), "label": one["type"]}
            for one in WANTED]}]}}]  # fmt: skip
    assert spans_of(annotated("f.json", as_json(argilla)), "ner") == WANTED
    table = read_table("ana.jsonl", doccano)
    assert any("offsets were counted in" in note for note in table.notes)


def test_words_that_do_not_stand_there_are_a_fault(session: Session) -> None:
    project = made("spans", "PER LOC")
    wrong = as_json([task(1, EMOJI, choice("", result=[region(0, 3, "PER", "Ana")]))])
    with pytest.raises(BadFile, match="said to be 'Ana', which does not stand there"):
        come_in(project, "f.json", wrong)
    far = as_lines([{"id": 1, "text": "short", "label": [[2, 90, "PER"]], "Comments": []}])
    with pytest.raises(BadFile, match="from 2 to 90 is not within a text of 5 characters"):
        come_in(project, "ana.jsonl", far)
    token = {"start": 0, "end": 3, "id": 0, "text": "Ana"}
    moved = line("Ana met Bob", "a", "accept", tokens=[token], spans=[
        {"start": 1, "end": 3, "label": "PER", "token_start": 0, "token_end": 0}])  # fmt: skip
    with pytest.raises(BadFile, match="not where its tokens are"):
        come_in(project, "f.jsonl", as_lines([moved]))
    assert not export_rows(project)


@given(text=st.text(min_size=1, max_size=20), data=st.data())
@settings(deadline=None)
def test_either_count_finds_the_same_place(text: str, data: Any) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    text.encode("utf-16-le", "surrogatepass")
    by_units = Mark(
        *(len(text[:at].encode("utf-16-le", "surrogatepass")) // 2 for at in (start, end)), "x"
    )
    assert _offsets.place(text, by_units, "units") == (start, end)
    assert _offsets.place(text, Mark(start, end, "x"), "points") == (start, end)


def test_who_marked_nothing_in_label_studio_says_so(session: Session) -> None:
    project = made("spans", "PER")
    rows = [task(1, "Ana", choice("", result=[region(0, 3, "PER")]), choice("", completed_by=2,
                 result=[])), task(2, "none", choice("", result=[]))]  # fmt: skip
    come_in(project, "f.json", as_json(rows))
    assert [label for _, _, label in said(project)["Ana"]] == [
        '[{"end":3,"start":0,"type":"PER"}]', "[]",
    ]  # fmt: skip
    assert state(project)["none"] == ("[]", "accepted")


# What is wrong with a file


BAD: dict[str, tuple[str, bytes, str]] = {
    "truncated": ("f.json", as_json(LABEL_STUDIO)[:-30], "is not JSON"),
    "wrong types": ("f.json", as_json([task(1, "x", annotations={"a": 1})]), "not a list of obj"),
    "data no object": ("f.json", as_json([task(1, "x"), {"data": [1], "annotations": []}]),
                       "data is no object"),
    "images": ("f.json", as_json([task(1, "x", choice("", result=[
        {"type": "rectanglelabels", "value": {"x": 1}, "from_name": "r"}]))]),
        "holds only rectanglelabels"),
    "twice": ("f.json", as_json([task(1, "x", choice("sad")), task(1, "y", choice("sad"))]),
              "but with another text"),
    "several labels": ("f.json", as_json([task(1, "x", choice("", result=[
        {"type": "choices", "from_name": "m", "value": {"choices": ["glad", "sad"]}}]))]),
        "2 labels by one annotator"),
    "no text": ("f.json", as_json([task(1, "x", choice("sad"), data={"text": None})]), "no text"),
    "offsets no numbers": ("f.jsonl", as_lines([
        {"id": 1, "text": "x", "label": [["a", 2, "P"]], "Comments": []}]), "not whole numbers"),
    "an answer of another kind": ("f.json", as_json([
        {"id": "a", "fields": {"text": "x"}, "responses": {"m": [{"value": {"a": 1},
         "user_id": "u"}]}}]), "no number"),
    "responses of no form": ("f.json", as_json([
        {"id": "a", "fields": {"text": "x"}, "responses": [1, 2]}]), "not a list of objects"),
    "deep": ("f.json", b'[{"data": {"text": "x"}, "annotations": ' + b"[" * 100_000 + b"]" * 100_000
             + b"}]", "cannot be read|nested too deep|not a JSON object"),
    "of two tools": ("f.jsonl", as_lines([
        {"fields": {"text": "x"}, "responses": {}, "data": {"text": "x"}, "annotations": []}]),
        "may be of Argilla or Label Studio"),
    "a zip of two": ("f.zip", in_zip({"a.json": as_json(LABEL_STUDIO),
                                      "b.json": as_json(ARGILLA)}), "of Argilla and Label Studio"),
    "a zip of none": ("f.zip", in_zip({"a.json": b'[{"text": "x"}]'}), "neither brat's files nor"),
    "a path out": ("f.zip", in_zip({"../a.json": as_json(LABEL_STUDIO)}), "leads out of it"),
}  # fmt: skip


@pytest.mark.parametrize("fault", BAD)
def test_a_bad_file_is_refused_whole(session: Session, fault: str) -> None:
    name, content, words = BAD[fault]
    project = made()
    with pytest.raises(Problem, match=words):
        come_in(project, name, content)
    assert not export_rows(project) and not review.annotators(project)


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    | st.sampled_from(["accept", "labels", "choices"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["value", "result", "type", "labels", "choices", "start", "end", "label",
                         "from_name", "user_id", "id", "text", "data", "values"]), inner,
        max_size=4), max_leaves=12), st.sampled_from(range(4)))  # fmt: skip
@settings(deadline=None, max_examples=150)
def test_no_content_ends_the_reader(found: Any, form: int) -> None:
    row = [
        {"data": {"text": "x"}, "annotations": found, "predictions": found, "meta": found},
        {"fields": {"text": "x"}, "responses": found, "suggestions": found, "metadata": found},
        {"text": "x", "label": [found], "Comments": [], "relations": found},
        {"text": "x", "answer": "accept", "spans": found, "tokens": found, "accept": found,
         "options": found, "_input_hash": 1},
    ][form]  # fmt: skip
    for name, content in (("f.json", as_json([row])), ("f.jsonl", as_lines([row]))):
        try:
            read_table(name, content.decode("utf-8", "surrogatepass").encode("utf-8", "replace"))
        except Problem as problem:
            assert problem.message


def test_what_no_tool_wrote_is_read_as_before() -> None:
    for name, content in (
        ("f.jsonl", as_lines([{"id": 1, "text": "x", "label": "glad"}])),
        ("f.jsonl", as_lines([{"id": 1, "text": "x", "label": [[0, 1, "P"]]}])),
        ("f.jsonl", as_lines([{"text": "is it?", "answer": "yes"}])),
        ("f.json", as_json([{"data": "x", "annotations": "y"}])),
        ("f.csv", b"text,label,annotator\nx,glad,Ana\n"),
    ):
        assert read_table(name, content).annotated is None


@pytest.mark.slow
def test_many_rows_come_in(session: Session) -> None:
    project = made()
    rows = [task(n, f"text {n}", choice("glad" if n % 3 else "sad", completed_by=n % 7))
            for n in range(100_000)]  # fmt: skip
    assert come_in(project, "f.json", as_json(rows)).n_decisions == 100_000
    counts = {row["stratum"]: row["n"] for row in samples.counts(session.database, project)}
    assert counts == {"glad": 66_666, "sad": 33_334}


def test_a_kill_leaves_no_half(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    project = made()
    monkeypatch.setattr(imports, "STEP", 2)
    whole = decisions.decide_many_in
    calls = []

    def ends_late(*arguments: Any) -> int:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return whole(*arguments)

    monkeypatch.setattr(decisions, "decide_many_in", ends_late)
    with pytest.raises(KeyboardInterrupt):
        come_in(project, "f.json", as_json(LABEL_STUDIO))
    assert not export_rows(project) and not review.annotators(project)
    assert come_in(project, "f.json", as_json(LABEL_STUDIO)).n_rows == 4


def test_a_letter_is_a_label_before_it_is_an_options_text(session: Session) -> None:
    project = made("choice", "A B")
    rows = [task(1, "x", choice("B"), data={"question": "x", "options": ["B", "no"]})]
    come_in(project, "f.json", as_json(rows))
    assert state(project) == {"x": ("B", "accepted")}


def test_llm_rows_wait_with_what_their_annotators_said(session: Session) -> None:
    project = made()
    table = read_table("f.json", as_json(LABEL_STUDIO[:2]))
    taken = imports.columns_for(project, table)
    imports.import_rows(project, imports.prepare(project, table, taken, "train", "synthetic"))
    assert state(project) == {text: CONSENSUS[text] for text in ("what a day", "oh no")}
    assert {row["imported_label"] for row in export_rows(project)} == {"glad", "sad"}
