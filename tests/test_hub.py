"""Datasets of the Hugging Face library come in as they are, and go out for anyone to open."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import datasets
import pytest
import yaml
from datasets import ClassLabel, Dataset, DatasetDict, Features, Image, List, Value
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.actions import curate, data, dataset, exports, generate, home, imports
from core.actions.session import Session
from core.errors import BadFile, Problem
from core.formats import dataset_reading, read_table, write_jsonl
from core.formats.table import Table
from core.registry import make, member_ids
from core.store import samples
from core.store.samples import Filter
from core.tasks.base import Task
from tests.conftest import bring
from tests.fake_hub import COMMIT, REPO, served
from tests.test_cli import ROOT, told
from tests.test_export import HARD as HARD_TEXTS
from tests.test_export import TEXTS

HARD = ["e\u0301té 👩\u200d🚀", "שלום עולם", "مرحبا", "日本語のテキスト"]
FEATURES = Features(
    {
        "text": Value("string"),
        "label": ClassLabel(names=["soil", "air", "water"]),
        "n": Value("int64"),
        "size": Value("float32"),
        "is_long": Value("bool"),
        "day": Value("date32"),
        "tags": List(Value("string")),
        "kinds": List(ClassLabel(names=["x", "y"])),
        "choices": {"label": List(Value("string")), "text": List(Value("string"))},
        "seen": List({"by": Value("string"), "as": ClassLabel(names=["p", "q"])}),
        "picture": Image(),
    }
)


def rows_of(texts: list[str]) -> Dataset:
    from datetime import date

    n = len(texts)
    return Dataset.from_dict(
        {
            "text": texts,
            "label": [[2, 0, -1, None][i % 4] for i in range(n)],
            "n": list(range(n)),
            "size": [0.1, 3.0] * (n // 2),
            "is_long": [True, False] * (n // 2),
            "day": [date(2026, 11, 21)] * n,
            "tags": [["á", "😀"], []] * (n // 2),
            "kinds": [[1, 0], []] * (n // 2),
            "choices": [{"label": ["A", "B"], "text": ["eins", "zwei"]}] * n,
            "seen": [[{"by": "Ana", "as": 1}]] * n,
            "picture": [None] * n,
        },
        features=FEATURES,
    )


@pytest.fixture(autouse=True)
def _no_cache_of_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved dataset of one split."""
    folder = tmp_path_factory.mktemp("one") / "one"
    rows_of(HARD).save_to_disk(folder)
    return folder


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved dataset of three splits."""
    folder = tmp_path_factory.mktemp("several") / "several"
    parts = {"train": HARD, "validation": HARD[:2], "test": HARD[2:]}
    DatasetDict({name: rows_of(texts) for name, texts in parts.items()}).save_to_disk(folder)
    return folder


def read(folder: Path, into: str = "train", **more: str) -> Table:
    """Read a folder in this process, which is faster and lets the reader be looked at."""
    return dataset_reading.read(into=into, folder=str(folder), **more)


def kept(project: str) -> list[tuple[Mapping[str, Any], str | None]]:
    found = samples.page(imports.here().database, project, Filter(), 1_000)
    return [(sample.inputs, sample.label) for sample in found]


def come_in(project: str, table: Table, split: str = "train") -> imports.Prepared:
    taken = imports.columns_for(project, table)
    prepared = imports.prepare(project, table, taken, split, "human")
    imports.import_rows(project, prepared)
    return prepared


def fresh(kind: str = "classify", labels: Any = ()) -> str:
    named = [(name, "") for name in labels]
    return home.create_project(f"p{len(home.all_projects())}", kind, named).id


# What a folder holds


def test_every_kind_of_value_becomes_text(one: Path) -> None:
    table = imports.read_folder(one, "train")
    assert [row["text"] for row in table.rows] == HARD
    assert [row["label"] for row in table.rows] == ["water", "soil", None, None]
    assert table.orders == {"label": ("soil", "air", "water")}
    assert table.first_row == 1 and not table.origin
    assert table.rows[1] | {
        "n": "1", "size": "3", "is_long": "false", "day": "2026-11-21", "tags": "[]", "kinds": "[]",
        "choices.label": '["A", "B"]', "choices.text": '["eins", "zwei"]',
        "seen": '[{"by": "Ana", "as": "q"}]',
    } == table.rows[1]  # fmt: skip
    assert (table.rows[0]["size"], table.rows[0]["kinds"]) == ("0.1", '["y", "x"]')
    assert table.rows[0]["tags"] == '["á", "😀"]'
    assert not any(column.startswith("picture") for column in table.columns)
    assert "picture" in table.notes[-1]
    assert table == read(one)


def test_of_several_splits_the_one_of_that_name_is_read_or_one_is_asked_for(several: Path) -> None:
    assert len(read(several).rows) == 4 and "'train'" in read(several).notes[0]
    assert len(read(several, "test").rows) == 2
    assert read(several, "ood_other", split="validation").rows[0]["text"] == HARD[0]
    with pytest.raises(BadFile, match=r"train, validation, test.*--hf-split"):
        read(several, "ood_other")
    with pytest.raises(BadFile, match=r"no split 'dev'\. It has: train, validation, test"):
        read(several, split="dev")


def test_a_view_that_someone_had_on_the_data_hides_nothing(tmp_path: Path) -> None:
    found = rows_of(HARD)
    found.set_format("numpy", columns=["n"])
    found.save_to_disk(tmp_path / "viewed", num_shards=2)
    state = tmp_path / "viewed" / "state.json"
    state.write_text(state.read_text().replace('"numpy"', '"torch"'))
    table = imports.read_folder(tmp_path / "viewed", "train")
    assert [row["text"] for row in table.rows] == HARD


def test_one_split_alone_takes_no_other_name(one: Path) -> None:
    with pytest.raises(BadFile, match="--hf-split out"):
        read(one, split="test")
    with pytest.raises(BadFile, match="--config out"):
        read(one, config="x")


def test_the_labels_of_a_task_have_the_order_of_the_dataset(session: Session, one: Path) -> None:
    made = fresh()
    come_in(made, read(one))
    assert data.label_names(made) == ("soil", "air", "water")
    assert [label for _, label in kept(made)] == ["water", "soil", None, None]


@pytest.mark.parametrize(
    ("kind", "names", "expected"),
    [
        ("grade", ["1", "10", "2"], ("1", "2", "10")),
        ("grade", ["poor", "fair", "good"], ("poor", "fair", "good")),
        ("yes_no", ["no", "yes"], ("yes", "no")),
        ("yes_no", ["False", "True"], ("yes", "no")),
    ],
)
def test_a_kind_with_an_order_of_its_own_keeps_it(
    session: Session, tmp_path: Path, kind: str, names: list[str], expected: tuple[str, ...]
) -> None:
    features = Features({"text": Value("string"), "label": ClassLabel(names=names)})
    rows = {"text": HARD, "label": [0, 1, 1, 0]}
    Dataset.from_dict(rows, features=features).save_to_disk(tmp_path / "saved")
    made = fresh(kind)
    come_in(made, read(tmp_path / "saved"))
    assert data.label_names(made) == expected


def test_options_in_a_record_are_found_and_letters_reach_all_of_them(
    session: Session, tmp_path: Path
) -> None:
    letters = ClassLabel(names=["A", "B"])
    features = Features(
        {"question": Value("string"), "choices": FEATURES["choices"], "answerKey": letters}
    )
    rows = {
        "question": HARD[:2],
        "choices": [
            {"label": ["A", "B"], "text": ["é", "😀"]},
            {"label": ["A", "B", "C"], "text": ["日本", "مرحبا", "x"]},
        ],
        "answerKey": [1, 0],
    }
    Dataset.from_dict(rows, features=features).save_to_disk(tmp_path / "saved")
    made = fresh("choice")
    come_in(made, read(tmp_path / "saved"))
    assert data.label_names(made) == ("A", "B", "C")
    assert kept(made) == [
        ({"question": HARD[0], "options": ["é", "😀"]}, "B"),
        ({"question": HARD[1], "options": ["日本", "مرحبا", "x"]}, "A"),
    ]


# What is wrong with one


@pytest.mark.parametrize("part", ["head", "middle", "tail", "cut", "gone"])
def test_a_damaged_arrow_file_is_said_to_be_damaged(one: Path, tmp_path: Path, part: str) -> None:
    folder = tmp_path / "damaged"
    shutil.copytree(one, folder)
    file = folder / "data-00000-of-00001.arrow"
    whole = file.read_bytes()
    places = {"head": 8, "middle": len(whole) // 2, "tail": len(whole) - 300}
    if part in places:
        at = places[part]
        file.write_bytes(whole[:at] + b"\xff" * 200 + whole[at + 200 :])
    else:
        file.write_bytes(whole[: len(whole) // 2])
        if part == "gone":
            file.unlink()
    with pytest.raises(BadFile, match=r"can(not)? be read|number of a class") as bad:
        imports.read_folder(folder, "train")
    assert "\n" not in str(bad.value)


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("state.json", '{"_data_files": [{"filename": "../../x.arrow"}]}', "names a file outside"),
        ("state.json", '{"_data_files": [{"filename": "link.arrow"}]}', "names a file outside"),
        ("state.json", "{", "cannot be read"),
        ("state.json", "[]", "cannot be read"),
        ("dataset_info.json", '{"features": {"text": {"_type": "Nonsense"}}}', "cannot be read"),
        ("dataset_dict.json", '{"splits": ["../train"]}', "lies outside"),
    ],
)
def test_a_folder_that_points_elsewhere_or_says_nothing_is_refused(
    one: Path, tmp_path: Path, file: str, content: str, said: str
) -> None:
    folder = tmp_path / "wrong"
    shutil.copytree(one, folder)
    (tmp_path / "secret.arrow").write_bytes(b"secret")
    (folder / "link.arrow").symlink_to(tmp_path / "secret.arrow")
    (folder / file).write_text(content)
    with pytest.raises(BadFile, match=said):
        read(folder)


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ("../outside.parquet", "names a file outside"),
        ("https://example.org/x.parquet", r"can(not)? be read|names a file outside"),
        ("hf://datasets/owner/name/x.parquet", r"can(not)? be read|names a file outside"),
    ],
)
def test_a_card_that_names_files_elsewhere_is_refused(
    tmp_path: Path, named: str, said: str
) -> None:
    folder = tmp_path / "cards"
    folder.mkdir()
    rows_of(HARD).to_parquet(tmp_path / "outside.parquet")
    card = {"configs": [{"config_name": "default", "data_files": named}]}
    (folder / "README.md").write_text(f"---\n{yaml.safe_dump(card)}---\n")
    with pytest.raises(BadFile, match=said):
        imports.read_folder(folder, "train")


def test_folders_of_anything_else_are_refused(tmp_path: Path) -> None:
    (tmp_path / "csv").mkdir()
    (tmp_path / "csv" / "train.csv").write_text("text,label\nNA,a\n")
    with pytest.raises(BadFile, match=r"holds csv files.*import other files one by one"):
        read(tmp_path / "csv")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadFile, match="empty cannot be read"):
        read(tmp_path / "empty")


@pytest.mark.parametrize(
    ("bound", "value", "said"),
    [("MAX_ROWS", 3, "more than 3 rows"), ("MAX_UNPACKED", 100, "more than 100 bytes")],
)
def test_too_much_is_refused(
    one: Path, monkeypatch: pytest.MonkeyPatch, bound: str, value: int, said: str
) -> None:
    monkeypatch.setattr(dataset_reading, bound, value)
    with pytest.raises(BadFile, match=said):
        read(one)


# The Hub


def test_without_a_network_one_line_says_what_to_do(session: Session) -> None:
    fresh()
    done = told(
        "import", "p0", f"hub:{REPO}", "--split", "train", "--source", "human",
        "--revision", COMMIT,
    )  # fmt: skip
    assert done.code == 2 and not done.out
    assert done.err.count("\n") == 0 and "cannot be reached" in done.err
    assert "save_to_disk" in done.err and "import that" in done.err


@pytest.mark.parametrize("repo", ["name", "a/b/c", "../x", "https://x/y", "owner/na me", ""])
def test_what_is_no_id_of_the_hub_is_not_asked_for(session: Session, repo: str) -> None:
    fresh()
    done = told("import", "p0", f"hub:{repo}", "--split", "train", "--source", "human")
    assert done.code == 2 and ("not a dataset of the Hub" in done.err or "Repo id" in done.err)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--revision", "main"], "for a dataset of the Hub"),
        (["--hf-split", "train"], "for datasets"),
        (["--config", "x"], "for datasets"),
    ],
)
def test_what_means_nothing_for_a_file_is_refused(
    session: Session, tmp_path: Path, words: list[str], said: str
) -> None:
    fresh()
    (tmp_path / "f.csv").write_text("text,label\nx,a\n")
    where = ["import", "p0", tmp_path / "f.csv", "--split", "train", "--source", "human"]
    done = told(*where, *words)
    assert done.code == 2 and said in done.err


def test_a_dataset_of_the_hub_comes_in_with_the_commit_that_was_read(
    session: Session, project: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "out"
    dataset.export_folder(project, folder)
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setenv("HF_TOKEN", "hf_canary")
    made = fresh()
    where = ["import", "p1", f"hub:{REPO}", "--split", "train", "--source", "human"]
    with served(folder) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.address)
        done = told(*where, "--config", "human")
        assert done.code == 0, done.err
        assert COMMIT in done.err
        assert not [path for path in hub.asked if "synthetic" in path or "test-" in path]
        wrong = told(*where, "--revision", "nowhere")
        assert wrong.code == 2 and "no revision 'nowhere'" in wrong.err
        asked = told(*where, "--config", "nothing")
        assert asked.code == 2 and "default, human, synthetic" in asked.err
        other = told(*[*where[:2], "hub:owner/other", *where[3:]])
        assert other.code == 2 and "no dataset owner/other" in other.err
    with served(folder, n_extra=600_000_000) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.address)
        large = told(*where, "--revision", COMMIT)
        assert large.code == 2 and "are the most" in large.err
        assert not [path for path in hub.asked if path.endswith(".parquet")]
    assert len(kept(made)) == 60
    sample = samples.page(session.database, made, Filter(), 1)[0]
    origin = samples.get(session.database, made, sample.id).provenance
    assert origin == {
        "file": "name", "row": 1, "dataset": REPO, "commit": COMMIT, "split": "train",
        "configuration": "human",
    }  # fmt: skip
    assert imports.imports(made)[-1]["origin"]["commit"] == COMMIT


# Out


def test_a_dataset_opens_without_admix(session: Session, project: str, tmp_path: Path) -> None:
    done = told("export", "planted", tmp_path / "out", "--as", "dataset")
    assert done.code == 0 and "licence" in done.err
    code = (
        "import sys, datasets\n"
        "found = datasets.load_dataset(sys.argv[1], cache_dir=sys.argv[2])\n"
        "print({name: len(part) for name, part in found.items()}, found['train'].features['label'])"
        "\nprint(datasets.load_dataset(sys.argv[1], 'synthetic', cache_dir=sys.argv[2]).num_rows)"
    )
    told_by = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "out"), str(tmp_path / "cache")],
        capture_output=True, text=True, check=True, cwd=tmp_path,
    )  # fmt: skip
    assert told_by.stdout.splitlines() == [
        "{'train': 120, 'test': 30} ClassLabel(names=['sea', 'sky', 'soil'])",
        "{'train': 60}",
    ]
    again = told("export", "planted", tmp_path / "out", "--as", "dataset")
    assert again.code == 2 and "is there already" in again.err
    assert told("export", "planted", tmp_path / "no" / "out" / "x", "--as", "dataset").code == 0


def test_a_folder_is_written_whole_or_not_at_all(
    project: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Problem, match="cannot be written: Not a directory"):
        dataset.export_folder(project, tmp_path / "file" / "out")

    def full(*_: Any) -> int:
        raise OSError(28, "No space left on device")

    before = set(tmp_path.iterdir())
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(Problem, match="No space left"):
        dataset.export_folder(project, tmp_path / "out")
    assert set(tmp_path.iterdir()) == before


def test_the_zip_holds_the_folder(project: str, tmp_path: Path) -> None:
    dataset.export_folder(project, tmp_path / "out")
    with zipfile.ZipFile(io.BytesIO(dataset.dataset_zip(project))) as archive:
        assert archive.namelist() == [
            "README.md", "data/train-human.parquet", "data/train-synthetic.parquet",
            "data/test-human.parquet",
        ]  # fmt: skip
        for name in archive.namelist():
            assert (tmp_path / "out" / name).read_bytes() == archive.read(name)


def test_the_data_page_offers_the_folder(project: str) -> None:
    import streamlit as st
    from streamlit.testing.v1 import AppTest

    st.cache_resource.clear()
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    app.query_params["project"] = "planted"
    app.session_state[f"data_tabs_{project}"] = "Export"
    app.run()
    app.switch_page("pages/data.py").run()
    assert not app.exception
    offered = [one.proto.label for one in app.get("download_button")]
    assert "Download dataset (ZIP)" in offered
    st.cache_resource.clear()


def front_and_body(files: Mapping[str, bytes]) -> tuple[dict[str, Any], str]:
    _, front, body = files["README.md"].decode().split("---\n", 2)
    return yaml.safe_load(front), body


@pytest.mark.executor("inline")
def test_a_card_says_what_made_the_rows_and_for_how_much(session: Session) -> None:
    named = [("power", "over | people\n<b>"), ("hedonism", "")]
    made = home.create_project("values *1*", labels=named).id
    humans = [
        {"text": f"a {n} of {i}", "label": n} for i in range(4) for n in ("power", "hedonism")
    ]
    bring(made, humans, "train", "human")
    bring(made, [{"text": "from elsewhere", "label": "power"}], "train", "synthetic")
    run = generate.launch(
        made, generate.Request("recorded", targets={"power": 2, "hedonism": 2}, seed=1)
    )
    assert generate.wait(run).state == "done"
    pending = [row for row in exports.export_rows(made) if row["status"] == "pending"]
    curate.accept_many(made, "Ana", flagged=True, ids=[row["id"] for row in pending[:-1]])
    left, gone = pending[-1], samples.page(session.database, made, Filter(source="human"), 1)[0]
    data.delete_samples(made, [gone.id], "Ana")
    files = dataset.dataset_files(made)
    front, body = front_and_body(files)
    made_rows = [
        row for row in exports.export_rows(made)
        if row["status"] == "accepted" and "call" in row["provenance"]
    ]  # fmt: skip
    calls = {row["provenance"]["completion"]: row["provenance"]["call"] for row in made_rows}
    cost = sum(call["cost_usd"] for call in calls.values())
    behind = {id_ for row in made_rows for id_ in row["provenance"]["human_ids"]}
    price = f"{cost:.4f}".replace(".", "\\.")
    row = f"recorded\\-example | few\\_shot | {len(made_rows)} | {len(calls)} | {price} |"
    assert f"| synthetic | recorded | {row}" in body
    assert f"Prompts showed {len(behind)} different human rows" in body
    assert "1 synthetic or LLM-labelled rows were imported" in body
    assert "| power | over \\| people \\<b\\> |" in body and "# values \\*1\\*" in body
    assert "Not in here: 1 pending rows." in body and "sealed" in body and "Unknown" in body
    assert (front["license"], front["pretty_name"]) == ("unknown", "values *1*")
    assert front["tags"] == ["admix", "synthetic"] and front["size_categories"] == ["n<1K"]
    assert front["task_categories"] == ["text-classification"]
    table = read_table("t.parquet", files["data/train-human.parquet"])
    texts = {row["text"] for row in table.rows}
    assert gone.text not in texts and left["text"].encode() not in b"".join(files.values())
    assert "Ana" not in body and "annotator" not in table.columns


def test_nothing_accepted_makes_no_dataset(session: Session) -> None:
    made = fresh("classify", ["a", "b"])
    with pytest.raises(Problem, match="No row is accepted yet"):
        dataset.dataset_files(made)


# There and back

LABELS = {
    "grade": st.sampled_from([("1", "2", "10"), ("poor", "fair", "good"), ("0.5", "1")]),
    "yes_no": st.sampled_from([("yes", "no"), ("yes", "no", "maybe")]),
    "choice": st.sampled_from([tuple("ABCD"), tuple("ABCDEFGH")]),
    "similarity": st.sampled_from([("0", "1", "2"), ("-1", "0.5", "4")]),
}
NAMES = st.lists(
    TEXTS.map(lambda text: text.strip()[:60].strip()), min_size=2, max_size=4, unique=True
).map(tuple)


def answers(task: Task, row: Mapping[str, Any]) -> st.SearchStrategy[str]:
    """What a file may say of a row."""
    if task.asks_by == "slider":
        return st.sampled_from(["0", "1.25", "0.5"])
    if task.asks_by == "marks":
        whole = task.text_of(row)
        mark = {
            "start": whole.rindex(whole.split()[-1]),
            "end": len(whole),
            "type": task.label_names[0],
        }
        return st.sampled_from([json.dumps([mark]), "[]"])
    return st.sampled_from([name for name in task.choices(row) if not task.check(name, row)])


@st.composite
def labelled(draw: st.DrawFn, kind: str) -> tuple[tuple[str, ...], list[dict[str, Any]]]:
    """Labels of a task of a kind, and rows of it whose texts are hard to keep."""
    names = draw(LABELS.get(kind, NAMES))
    task = make(Task, kind, {"labels": [{"name": name} for name in names]})
    rows = []
    for number in range(draw(st.integers(1, 4))):
        row: dict[str, Any] = {}
        for field in task.fields:
            if field.is_list:
                texts = draw(st.lists(TEXTS.map(str.strip), min_size=2, max_size=4))
                row[field.name] = [f"{text} ·" for text in texts]  # none reads as a letter
            elif field.is_required or draw(st.booleans()):
                row[field.name] = f"{draw(TEXTS)} {number} {draw(st.sampled_from(HARD))}"
        row[task.answer.name] = draw(answers(task, row))
        rows.append(row)
    return names, rows


def test_letters_stay_letters_where_options_are_letters_too(
    session: Session, tmp_path: Path
) -> None:
    features = Features(
        {
            "question": Value("string"),
            "options": List(Value("string")),
            "answer": ClassLabel(names=["A", "B", "C"]),
        }
    )
    options = [["B", "A"], ["B", "B", "A"], ["C", "x", "y"]]
    rows = {"question": HARD[:3], "options": options, "answer": [0, 1, 2]}
    Dataset.from_dict(rows, features=features).save_to_disk(tmp_path / "saved")
    made, copy = fresh("choice"), fresh("choice", "ABC")
    come_in(made, read(tmp_path / "saved"))
    dataset.export_folder(made, tmp_path / "out")
    come_in(copy, read(tmp_path / "out"))
    assert [label for _, label in kept(made)] == ["A", "B", "C"]
    assert kept(copy) == kept(made)


def test_names_of_labels_come_back_whatever_they_hold(session: Session, tmp_path: Path) -> None:
    names = tuple(sorted({text.strip() for text in [*HARD_TEXTS, "---", "'0': x", "yes", "~"]}))
    made = fresh("classify", names)
    rows = [{"text": f"text {i}", "label": name} for i, name in enumerate(names)]
    come_in(made, read_table("f.jsonl", "".join(write_jsonl(rows)).encode()))
    dataset.export_folder(made, tmp_path / "out")
    copy = fresh()
    come_in(copy, read(tmp_path / "out"))
    assert data.label_names(copy) == names
    assert kept(copy) == kept(made)


@pytest.mark.parametrize("kind", member_ids("tasks"))
@given(drawn=st.data())
@settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_every_kind_of_task_comes_back_as_it_went(
    session: Session, tmp_path: Path, kind: str, drawn: st.DataObject
) -> None:
    names, rows = drawn.draw(labelled(kind))
    made = fresh(kind, names)
    content = "".join(write_jsonl(rows)).encode()
    come_in(made, read_table("f.jsonl", content))
    folder = tmp_path / made
    dataset.export_folder(made, folder)
    has_classes = make(Task, kind, {}).has_classes
    copy = fresh(kind, () if has_classes else names)
    come_in(copy, read(folder))
    assert data.label_names(copy) == names
    assert kept(copy) == kept(made)
    if has_classes:
        assert [label for _, label in kept(made)] == [list(row.values())[-1] for row in rows]
    opened = datasets.load_dataset(str(folder), split="train", cache_dir=str(tmp_path / "cache"))
    main = next(iter(rows[0]))
    assert list(opened[main]) == [inputs[main] for inputs, _ in kept(made)]


def test_splits_and_sources_come_back_one_by_one(
    session: Session, project: str, tmp_path: Path
) -> None:
    bring(project, [{"text": "shifted", "label": "sea"}], "ood:other town", "human")
    dataset.export_folder(project, tmp_path / "out")
    made = fresh()
    for split, source, more in [
        ("train", "human", ["--config", "human"]),
        ("test", "human", []),
        ("ood:other town", "human", []),
        ("train", "synthetic", ["--config", "synthetic"]),
    ]:
        words = ["--split", split, "--source", source, *more]
        done = told("import", "p1", tmp_path / "out", *words)
        assert done.code == 0, done.err

    def counts(of: str) -> dict[tuple[str, str, str], int]:
        found = data.balance(of)
        keys = ("split", "source", "stratum")
        total: dict[tuple[str, str, str], int] = {}
        for row in found:
            key = tuple(row[name] for name in keys)
            total[key] = total.get(key, 0) + row["n"]
        return total

    assert counts(made) == counts(project)
