"""What goes out for another tool comes back with the same labels and decisions."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from core import __main__ as command_line
from core.actions import data, exchange, home, imports, review
from core.actions.session import Session, here
from core.errors import Problem
from core.formats.tools.base import tools
from core.store import decisions, samples
from core.store.samples import Filter
from core.tasks.choice import LETTERS
from tests.conftest import bring
from tests.test_exchange import (
    CONSENSUS,
    LABEL_STUDIO,
    annotated,
    as_json,
    as_lines,
    come_in,
    made,
    said,
)  # fmt: skip

HARD = [
    "=1+1", "<View>&amp;\"'", "</Label><Choice value='x'/>", "]]>", "../../etc/passwd", "$text",
    "one\ntwo\r\nthree", "👩\u200d🚀 rocket 🏳️\u200d🌈", "שלום", "e\u0301", "\u2028", "\ufeffmark",
    "{{x}}", "NA", "null", "日本語",
]  # fmt: skip
TEXTS = st.one_of(
    st.sampled_from(HARD),
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20),
).filter(lambda text: text.strip() and text == text.strip() and text not in LETTERS)
PEOPLE = ("Ana", "Bob & <Co>", "ana@x.org (Argilla)")
KINDS: dict[str, tuple[str, list[str]]] = {
    "classify": ("a b", ["a", "b"]),
    "grade": ("0 1 2", ["0", "1", "2"]),
    "yes_no": ("yes no", ["yes", "no"]),
    "choice": ("A B C", ["A", "B"]),
    "similarity": ("1 3 5", ["1", "2.5", "5"]),
    "spans": ("PER LOC", []),
}
# A smaller example takes as long to make as a first one, which is too long to look for one.
OUT_AND_IN = settings(
    max_examples=4,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def inputs_for(kind: str, text: str) -> dict[str, Any]:
    return {
        "classify": {"text": text}, "grade": {"response": text, "question": "why?"},
        "yes_no": {"question": text}, "choice": {"question": text, "options": [text, "no"]},
        "similarity": {"text_a": text, "text_b": "other"}, "spans": {"text": text},
    }[kind]  # fmt: skip


def a_label(kind: str, text: str, draw: Any) -> str:
    if kind != "spans":
        return draw(st.sampled_from(KINDS[kind][1]))
    start = draw(st.integers(0, len(text) - 1))
    end = draw(st.integers(start + 1, len(text)))
    type_ = draw(st.sampled_from(["PER", "LOC"]))
    return draw(st.sampled_from(["[]", json.dumps([{"start": start, "end": end, "type": type_}])]))


def fields_of(project: str) -> dict[str, Any]:
    rows = samples.everything(here().database, project)
    return {
        row["text"]: (json.loads(row["inputs"]), row["label"], row["status"], row["imported_label"])
        for row in rows
    }


def last_said(project: str, form: str) -> dict[str, dict[str, str | None]]:
    """The last word of everybody by text, called as it is after a round trip."""
    title = exchange.writable_tool(form).title
    found: dict[str, dict[str, str | None]] = {}
    for text, events in said(project).items():
        for who, kind, label in events:
            name = who if who.endswith(")") else f"{who} ({title})"
            found.setdefault(text, {})[name] = None if kind == "reject" else label
    return found


@pytest.mark.parametrize("form", ["argilla", "label-studio"])
@pytest.mark.parametrize("kind", KINDS)
@given(drawn=st.data(), texts=st.lists(TEXTS, min_size=1, max_size=5, unique_by=str.casefold))
@OUT_AND_IN
def test_what_goes_out_comes_back(
    session: Session, kind: str, form: str, drawn: Any, texts: list[str]
) -> None:
    project = made(kind, KINDS[kind][0])
    fields = imports.fields(project)
    lines = [inputs_for(kind, text) for text in texts]
    for row, text in zip(lines, texts, strict=True):
        if drawn.draw(st.booleans()):
            row[fields[-1].name if kind != "spans" else "spans"] = a_label(kind, text, drawn.draw)
    come_in(project, "f.jsonl", as_lines(lines))
    for sample in samples.page(session.database, project, Filter(), 99):
        main = next(iter(sample.inputs.values()))
        for who in drawn.draw(st.lists(st.sampled_from(PEOPLE), unique=True)):
            known = decisions.revisions(session.database, project, [sample.id], who)
            seen = known.get(sample.id, 0)
            if drawn.draw(st.integers(0, 3)):
                review.answer(project, who, sample.id, seen, a_label(kind, main, drawn.draw))
            else:
                review.reject(project, who, sample.id, seen)
    out = exchange.tool_zip(project, form)
    assert exchange.tool_zip(project, form) == out
    again = made(kind, KINDS[kind][0])
    come_in(again, "out.zip", out)
    before, after = fields_of(project), fields_of(again)
    assert {text: one[:3] for text, one in after.items()} == {
        text: one[:3] for text, one in before.items()
    }
    assert last_said(again, form) == last_said(project, form)
    # And what came from a tool goes out and comes in as it was.
    third = made(kind, KINDS[kind][0])
    come_in(third, "out.zip", exchange.tool_zip(again, form))
    assert fields_of(third) == after and last_said(third, form) == last_said(again, form)


def files_in(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as zipped:
        return {name: zipped.read(name) for name in zipped.namelist()}


@pytest.mark.parametrize("kind", KINDS)
def test_label_studio_gets_a_page_that_names_what_the_tasks_have(
    session: Session, kind: str
) -> None:
    project = made(kind, KINDS[kind][0])
    come_in(project, "f.jsonl", as_lines([inputs_for(kind, "two words")]))
    (sample,) = samples.page(session.database, project, Filter(), 9)
    label = '[{"start":0,"end":3,"type":"PER"}]' if kind == "spans" else KINDS[kind][1][0]
    review.answer(project, "Ana", sample.id, 0, label)
    files = files_in(exchange.tool_zip(project, "label-studio"))
    (row,) = json.loads(files["tasks.json"])
    view = ElementTree.fromstring(files["config.xml"])
    shown = {one.get("value") for one in view.iter("Text")}
    assert shown <= {f"${name}" for name in row["data"]}
    asked = next(one for one in view if one.tag in ("Choices", "Labels", "Number"))
    (result,) = row["annotations"][0]["result"]
    assert result["from_name"] == asked.get("name") and result["to_name"] == asked.get("toName")
    assert result["type"] == asked.tag.lower() and asked.tag.lower() in result["value"]
    assert asked.get("toName") in {one.get("name") for one in view.iter("Text")}
    assert row["predictions"] == [] and "completed_by" not in row["annotations"][0]


def test_the_name_of_a_label_is_no_xml(session: Session) -> None:
    names = ["</Choices><Text/>", "a\"b'&amp;", "$text", "two\nlines"]
    labels = [(name, "<b>why</b>") for name in names]
    project = home.create_project("xml", labels=labels).id
    bring(project, [{"text": "x", "label": names[0]}], "train", "human")
    view = ElementTree.fromstring(
        files_in(exchange.tool_zip(project, "label-studio"))["config.xml"]
    )
    assert [one.get("value") for one in view.iter("Choice")] == list(data.label_names(project))
    assert [one.tag for one in view] == ["Header", "Text", "Header", "Choices"]


def test_argilla_gets_settings_that_fit_its_records(session: Session) -> None:
    project = made("spans", "PER LOC")
    come_in(project, "f.jsonl", as_lines([{"text": "Ana", "spans": None}]))
    (sample,) = samples.page(session.database, project, Filter(), 9)
    review.reject(project, "Bob", sample.id, 0)
    files = files_in(exchange.tool_zip(project, "argilla"))
    assert set(files) == {"records.json", ".argilla/settings.json", ".argilla/dataset.json"}
    found = json.loads(files[".argilla/settings.json"])
    (row,) = json.loads(files["records.json"])
    assert set(row["fields"]) <= {field["name"] for field in found["fields"]}
    assert set(row["responses"]) <= {one["name"] for one in found["questions"]}
    # Its library takes no response without a value.
    assert all(one["value"] is not None for some in row["responses"].values() for one in some)
    assert row["metadata"]["admix_left_out_by"][0].endswith(" Bob")


def test_frames_go_out_as_brat_only(session: Session) -> None:
    project = made("frames", "ADD")
    come_in(project, "f.jsonl", as_lines([{"text": "x"}]))
    assert not exchange.fits(project)
    with pytest.raises(Problem, match=r"brat's \.zip holds frames"):
        exchange.tool_zip(project, "label-studio")


def test_every_form_is_one_file() -> None:
    ids = [tool.id() for tool in tools()]
    assert ids == ["argilla", "doccano", "label_studio", "label_studio_rows", "prodigy"]
    assert list(exchange.writable()) == ["argilla", "label-studio"]
    assert all(tool.title in exchange.carried() for tool in tools())


# By command line and on the page


def test_the_command_line_does_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ADMIX_HOME", str(tmp_path / "home"))
    file, out, rows = (tmp_path / name for name in ("tasks.json", "out.zip", "rows.jsonl"))
    file.write_bytes(as_json(LABEL_STUDIO))
    assert command_line.main(["project", "new", "cli", "--labels", "glad,sad"]) == 0
    came = ["import", "cli", str(file), "--split", "train", "--source", "human"]
    assert command_line.main(came) == 0
    told = capsys.readouterr().out
    assert "Label Studio: 4 tasks, 3 annotators, 5 decisions, 1 cancelled" in told
    assert "decisions: 6 of 3 annotators" in told
    assert command_line.main(came) == 2
    assert "imported already" in capsys.readouterr().err
    assert command_line.main(["export", "cli", str(rows)]) == 0
    found = [json.loads(line) for line in rows.read_text("utf-8").splitlines()]
    assert {row["text"]: (row["label"], row["status"]) for row in found} == CONSENSUS
    capsys.readouterr()
    assert command_line.main(["export", "cli", str(out), "--format", "label-studio"]) == 0
    assert "Exported 4 samples for Label Studio" in capsys.readouterr().out
    assert annotated("out.zip", out.read_bytes()).in_words().startswith("Label Studio: 4 tasks")
    assert command_line.main(["export", "cli", str(rows), "--format", "argilla"]) == 2
    assert "Name a file ending in .zip" in capsys.readouterr().err
