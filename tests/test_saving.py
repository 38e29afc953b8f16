"""A trained student goes into a folder and comes out as it was, or is refused in one line."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_cli import said_here, told, typed
from test_encoders import save_tiny_encoder
from test_tasks import KINDS, read, task_of

from core import actions, formats, saving
from core.actions import curves, models, predictions, tables, train
from core.actions.session import Session
from core.errors import Problem
from core.formats import write_jsonl
from core.jobs import executors
from core.learning import Answers, Course, Learned, Lesson
from core.registry import make, member_ids
from core.saving import ABOUT, CARD, WEIGHTS
from core.students.base import Student
from core.tasks.base import Task
from tests.conftest import planted

pytestmark = pytest.mark.executor("inline")

ROOT = Path(__file__).parents[1]
N_TRAIN, N_NEW = 60, 24
CASES = [(kind, student) for kind in member_ids("tasks") for student in member_ids("students")]


@dataclass
class Trained:
    """A model in memory, what it says of its own rows and new ones, and where it was saved."""

    folder: Path
    inputs: list[dict[str, Any]]
    answers: Answers


def learned_from(
    task: Task, student: Student, rows: Sequence[tuple[dict[str, Any], str]], n_train: int
) -> tuple[Course, Learned]:
    """Train on the first rows; the others are in the pool as a test set is."""
    course = Course(
        task, student, [inputs for inputs, _ in rows], [label for _, label in rows],
        [i < n_train for i in range(len(rows))],
    )  # fmt: skip
    (learned,) = course.fit([Lesson("only", range(n_train), 0)])
    return course, learned


def trained(task: Task, student: Student, rows: Sequence[Any], folder: Path) -> Trained:
    folder.mkdir()
    course, learned = learned_from(task, student, rows, N_TRAIN)
    saving.save(folder, task, student, course.pack(learned), {"trial": "only"})
    # All rows, so that an encoder reads the same texts together here and in another process.
    return Trained(folder, [inputs for inputs, _ in rows],
                   course.answers(learned, range(len(rows))))  # fmt: skip


IN_A_FRESH_PROCESS = """
import json, sys
from pathlib import Path
from core import saving
said = {}
for name, inputs in json.load(sys.stdin).items():
    found = saving.load(Path(name)).answers(inputs)
    said[name] = [found.labels, found.probabilities, None if found.chances is None
                  else found.chances.tolist()]
json.dump(said, sys.stdout)
"""


def in_a_fresh_process(inputs: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", IN_A_FRESH_PROCESS], input=json.dumps(inputs), cwd=ROOT,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def all_trained(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Trained]:
    """Every kind of task as every student learns it, and grades as a number too.

    One kind uses the embedded encoder, and the others one that is fast to read with.
    """
    place = tmp_path_factory.mktemp("models")
    known = {
        word
        for kind in KINDS
        for inputs, _ in read(task_of(kind), KINDS[kind].rows(9, 1))
        for word in task_of(kind).text_of(inputs).lower().split()
    }
    small = str(save_tiny_encoder(place / "encoder", sorted(known)))
    made = {}
    for kind, name in CASES:
        settings: dict[str, Any] = {"encoder": small} if kind != "classify" else {}
        if name == "finetune":
            settings = {"encoder": small, "learning_rate": 0.01, "epochs": 15}
        student = make(Student, name, {} if name == "tfidf" else settings)
        rows = read(task_of(kind), KINDS[kind].rows(N_TRAIN, 1))[:N_TRAIN]
        rows += read(task_of(kind), KINDS[kind].rows(N_NEW, 2))
        tasks = {kind: task_of(kind)}
        if kind == "grade":
            tasks["grade as number"] = task_of(kind).learning_as("number")
        for title, task in tasks.items():
            made[title, name] = trained(task, student, rows, place / f"{title} {name}")
    return made


@pytest.fixture(scope="module")
def said_later(all_trained: dict[tuple[str, str], Trained]) -> dict[str, Any]:
    """What the saved models say in another process, all in one because torch loads slowly."""
    return in_a_fresh_process({str(one.folder): one.inputs for one in all_trained.values()})


@pytest.mark.parametrize(
    ("kind", "student"),
    [*CASES, *(("grade as number", student) for student in member_ids("students"))],
)
def test_a_model_says_the_same_once_it_was_saved_and_loaded(
    kind: str, student: str, all_trained: dict[tuple[str, str], Trained], said_later: dict[str, Any]
) -> None:
    one = all_trained[kind, student]
    labels, probabilities, chances = said_later[str(one.folder)]
    assert labels == one.answers.labels
    assert len(set(labels)) > 1
    for now, then in zip(probabilities, one.answers.probabilities, strict=True):
        assert now == then if then is None else now == pytest.approx(then, abs=1e-6)
    if one.answers.chances is None:
        assert chances is None
    else:
        np.testing.assert_allclose(chances, one.answers.chances, atol=1e-6)


def test_a_folder_holds_arrays_and_json_and_nothing_to_run(
    all_trained: dict[tuple[str, str], Trained],
) -> None:
    for one in all_trained.values():
        assert sorted(path.name for path in one.folder.rglob("*")) == [ABOUT, WEIGHTS]
        weights = (one.folder / WEIGHTS).read_bytes()
        (n_header,) = struct.unpack("<Q", weights[:8])
        json.loads(weights[8 : 8 + n_header])
        json.loads((one.folder / ABOUT).read_bytes())


def rows_of(texts: Sequence[str], labels: Sequence[str]) -> list[tuple[dict[str, Any], str]]:
    return [({"text": text}, label) for text, label in zip(texts, labels, strict=True)]


def test_models_that_learned_little_are_kept_as_they_are(tmp_path: Path) -> None:
    """One class, rows without a word, and a second stage that nothing was to be learned for."""
    tfidf = make(Student, "tfidf", {})
    frames = read(task_of("frames"), KINDS["frames"].rows(24, 1))
    cases = {
        "one class": (task_of("classify"), rows_of(["a wave", "a tide", "salt"], ["sea"] * 3)),
        "no word": (
            task_of("classify"), rows_of(["?", "!", "a wave"], ["sea", "sky", "sea"])
        ),
        "no frame": (task_of("frames"), [*[one for one in frames if one[1] == "[]"][:2],
                                         next(one for one in frames if one[1] != "[]")]),
    }  # fmt: skip
    for name, (task, rows) in cases.items():
        course, learned = learned_from(task, tfidf, rows, 2)
        (tmp_path / name).mkdir()
        saving.save(tmp_path / name, task, tfidf, course.pack(learned), {})
        again = saving.load(tmp_path / name).answers([rows[2][0], rows[0][0]])
        assert again.labels == course.answers(learned, [2, 0]).labels, name
        assert again.probabilities == course.answers(learned, [2, 0]).probabilities, name


# Folders that are damaged, or made to harm


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model in a folder, of a student that needs no encoder."""
    rows = read(task_of("classify"), KINDS["classify"].rows(N_TRAIN, 1))
    folder = tmp_path_factory.mktemp("good") / "model"
    trained(task_of("classify"), make(Student, "tfidf", {}), rows, folder)
    return folder


def with_about(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        about = json.loads((folder / ABOUT).read_text())
        change(about)
        (folder / ABOUT).write_text(json.dumps(about))

    return spoil


def with_weights(change: Callable[[bytes], bytes], also_hash: bool = True) -> Callable[..., None]:
    """Change the weights, and say in `model.json` that this is how they should be."""
    import hashlib

    def spoil(folder: Path) -> None:
        weights = change((folder / WEIGHTS).read_bytes())
        (folder / WEIGHTS).write_bytes(weights)
        if also_hash:
            digest = hashlib.sha256(weights).hexdigest()
            with_about(lambda about: about.update(sha256=digest))(folder)

    return spoil


def with_header(change: Callable[[dict[str, Any]], Any]) -> Callable[..., None]:
    def spoil(weights: bytes) -> bytes:
        (n_header,) = struct.unpack("<Q", weights[:8])
        header = json.loads(weights[8 : 8 + n_header])
        change(header)
        made = json.dumps(header).encode()
        return struct.pack("<Q", len(made)) + made + weights[8 + n_header :]

    return with_weights(spoil)


def with_array(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Callable[..., None]:
    def spoil(weights: bytes) -> bytes:
        from safetensors.numpy import load, save

        arrays = dict(load(weights))
        return save({**arrays, name: change(arrays[name])})

    return with_weights(spoil)


def without(folder: Path, name: str) -> None:
    (folder / name).unlink()


def as_pipe(folder: Path) -> None:
    import os

    without(folder, WEIGHTS)
    os.mkfifo(folder / WEIGHTS)


def as_pickle(weights: bytes) -> bytes:
    del weights
    return b"\x80\x04\x95\x1a\x00\x00\x00cposix\nsystem\n(Vtouch hacked\ntR."


HOSTILE = {
    "cut": (with_weights(lambda b: b[:-9], also_hash=False), "is not the file that its"),
    "cut with its hash": (with_weights(lambda b: b[:-9]), "is not safetensors"),
    "empty": (with_weights(lambda b: b""), "is not safetensors"),
    "a pickle": (with_weights(as_pickle), "is not safetensors"),
    "a pipe": (as_pipe, "no file model.safetensors"),
    "no weights": (lambda f: without(f, WEIGHTS), "no file model.safetensors"),
    "no json": (lambda f: without(f, ABOUT), "no file model.json"),
    "json cut": (lambda f: (f / ABOUT).write_text('{"format": 1,'), "no JSON object"),
    "json a list": (lambda f: (f / ABOUT).write_text("[]"), "no JSON object"),
    "json too deep": (lambda f: (f / ABOUT).write_text("[" * 100_000), "no JSON object"),
    "no hash": (with_about(lambda a: a.pop("sha256")), "is not the file that its"),
    "a newer format": (with_about(lambda a: a.update(format=99)), "its format is '99'"),
    "unknown task": (with_about(lambda a: a["task"].update(kind="../../evil")), "There is no"),
    "unknown student": (with_about(lambda a: a["student"].update(kind="os")), "There is no 'os'"),
    "a private file": (with_about(lambda a: a["student"].update(kind="_heads")), "There is no"),
    "a kind that is none": (with_about(lambda a: a["task"].update(kind=[1])), "does not name"),
    "another setting": (with_about(lambda a: a["student"].update(run="x")), "run: "),
    "out of bounds": (with_about(lambda a: a["student"].update(ngram_max=99)), "ngram_max: "),
    "no labels": (with_about(lambda a: a["task"].update(labels=[])), "labels in its"),
    "other labels": (
        with_about(lambda a: a["task"]["labels"].pop()), "is not what its task asks for",
    ),
    "another stage": (with_about(lambda a: a["stages"].append(a["stages"][0])), "1 stages"),
    "another head": (with_about(lambda a: a["stages"][0].update(head="tags")), "asks for"),
    "nothing learned": (with_about(lambda a: a["stages"][0].pop("learned")), "has learned"),
    "terms no list": (
        with_about(lambda a: a["stages"][0]["learned"].update(terms="abc")), "not a list of texts",
    ),
    "a term twice": (
        with_about(lambda a: a["stages"][0]["learned"]["terms"].__setitem__(
            0, a["stages"][0]["learned"]["terms"][1])), "there twice",
    ),
    "fewer terms": (
        with_about(lambda a: a["stages"][0]["learned"]["terms"].pop()), "array 'idf' is",
    ),
    "other files": (with_about(lambda a: a.update(fingerprint="0" * 24)), "are others here"),
    "a huge shape": (
        with_header(lambda h: h["0.weights"].update(shape=[2**40, 2**40])), "is not safetensors",
    ),
    "a wrong shape": (with_header(lambda h: h["0.idf"].update(shape=[1])), "is not safetensors"),
    "bytes beyond": (
        with_header(lambda h: h["0.idf"].update(data_offsets=[0, 2**50])), "is not safetensors",
    ),
    "a type of no use": (with_header(lambda h: h["0.idf"].update(dtype="I64")), "'idf' is int64"),
    "an array missing": (with_header(lambda h: h.update({"x": h.pop("0.idf")})), "no array 'idf'"),
    "turned": (with_array("0.weights", np.transpose), "array 'weights' is"),
    "not a number": (with_array("0.idf", lambda a: a * np.nan), "not numbers"),
    "classes beyond": (with_array("0.classes", lambda a: a + 7), "does not pick some of 3"),
    "classes below": (with_array("0.classes", lambda a: a - 1), "does not pick some of 3"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_not_as_it_was_written_is_refused(name: str, good: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(good, tmp_path / "model"))
    spoil, why = HOSTILE[name]
    spoil(folder)
    with pytest.raises(Problem) as caught:
        saving.load(folder)
    assert why in caught.value.message and "\n" not in str(caught.value)
    (tmp_path / "t.csv").write_text("text\nwave\n")
    found = told("predict", folder, "t.csv", folder=tmp_path)
    assert (found.code, found.out) == (2, "") and "\n" not in found.err
    assert not list(tmp_path.rglob("hacked"))


def test_files_too_large_are_not_read_to_their_end(
    good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (WEIGHTS, ABOUT):
        with monkeypatch.context() as patched:
            patched.setitem(saving.MOST_BYTES, name, 100)
            with pytest.raises(Problem, match="more than 100 bytes"):
                saving.load(good)
    with pytest.raises(Problem, match="no file"):
        saving.load(tmp_path)
    with pytest.raises(Problem, match="no file"):
        saving.load(tmp_path / "nowhere")


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A small random encoder that a test may spoil."""
    from tests.conftest import WORDS

    return save_tiny_encoder(tmp_path / "encoder", " ".join(WORDS.values()).split())


def test_another_encoder_than_in_training_is_refused(tiny: Path, tmp_path: Path) -> None:
    rows = read(task_of("classify"), KINDS["classify"].rows(N_TRAIN, 1))
    student = make(Student, "frozen", {"encoder": str(tiny)})
    one = trained(task_of("classify"), student, rows, tmp_path / "model")
    # The width of the vectors is known only once a text is read.
    with_array("0.weights", lambda a: np.ascontiguousarray(a[:, :5]))(one.folder)
    with pytest.raises(Problem, match="reads 5 features, and a text has 32"):
        saving.load(one.folder).answers([{"text": "wave"}])
    tokenizer = tiny / "tokenizer.json"
    tokenizer.write_text(tokenizer.read_text().replace('"wave"', '"waves"'))
    with pytest.raises(Problem, match="are others here than those it was trained with"):
        saving.load(one.folder)
    shutil.rmtree(tiny)
    with pytest.raises(Problem, match="There is no folder"):
        saving.load(one.folder)


# The commands


def study_of(project: str, student: str = "tfidf", **settings: Any) -> str:
    asked = {"n_total": 30, "ratios": [0, 0.5, 1], "seeds": 3}
    request = train.StudyRequest(settings=asked, student=student, student_settings=settings)
    study, job = train.launch(project, request)
    assert train.wait(job).state == "done"
    return study


@pytest.fixture
def trained_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Train a trial that is exported in this process."""
    monkeypatch.setattr("core.jobs.saving.local", executors.inline)


@pytest.mark.usefixtures("trained_here")
def test_a_study_gives_its_best_cells_first_trial_with_a_card(
    project: str, session: Session, tmp_path: Path
) -> None:
    study = study_of(project)
    found = told("study", "export", "planted", "model", folder=tmp_path)
    assert found.code == 0, found.err
    best = curves.curve(project, study).best(curves.curve(project, study).points)
    key = best.keys[min(best.keys)]
    assert found.out.startswith(f"Trial {key} of study ") and found.out.count("\n") == 0
    assert "training" in found.err.splitlines() and "Note" not in found.err
    folder = tmp_path / "model"
    assert sorted(path.name for path in folder.rglob("*")) == [CARD, ABOUT, WEIGHTS]
    model = saving.load(folder)
    assert model.origin["trial"] == key
    card = (folder / CARD).read_text(encoding="utf-8")
    front = card.split("---\n")[1]
    assert "pipeline_tag: text-classification\n" in front and "license: unknown\n" in front
    assert "language" not in front
    named = (
        key, model.origin["pool"], "30 items", "sea", "python -m core predict model",
        "chosen by the test score among 3", f"{best.estimate.mean:.3f}",
    )  # fmt: skip
    assert all(one in card for one in named), card
    # A trial that is named, into a folder that is there and empty; one that is not is refused.
    other = next(row for row in tables.table(project, study) if row["n_synthetic"] == 15)
    (tmp_path / "other").mkdir()
    done = models.export_model(project, study, tmp_path / "other", other["trial"])
    assert done.differs is None
    card = (tmp_path / "other" / CARD).read_text(encoding="utf-8")
    assert "| written by one that is not known, of samples imported | 15 |" in card
    assert "in the prompts of these rows is unknown" in card
    assert "chosen by the test score" not in card
    for words, why in {
        f"study export planted {folder}": "exists already",
        "study export planted nowhere/model": "There is no folder",
        "study export planted new --trial nothing": "has no trial 'nothing'",
        "study export planted nothing new": "has no study 'nothing'",
        "study export nothing new": "no project called 'nothing'",
    }.items():
        refused = told(*words.split(), folder=tmp_path)
        assert (refused.code, refused.out) == (2, "") and why in refused.err
    assert not list(tmp_path.glob(".admix*"))


@pytest.mark.usefixtures("trained_here")
def test_a_trial_whose_encoder_has_changed_is_not_trained_again(
    project: str, session: Session, tiny: Path, tmp_path: Path
) -> None:
    study = study_of(project, "frozen", encoder=str(tiny))
    config = tiny / "config.json"
    config.write_text(config.read_text() + "\n")
    with pytest.raises(Problem, match="cannot be trained as it was"):
        models.export_model(project, study, tmp_path / "model")
    assert not (tmp_path / "model").exists()
    config.write_text(config.read_text().removesuffix("\n"))
    models.export_model(project, study, tmp_path / "model")
    card = (tmp_path / "model" / CARD).read_text(encoding="utf-8")
    assert "base_model" not in card and "with an encoder that is not in this folder" in card


EXPORTED_WITHOUT_TORCH = """
import sys
from core.__main__ import main
code = main(["study", "export", "planted", sys.argv[1]])
assert not {"torch", "transformers"} & set(sys.modules)
sys.exit(code)
"""


def test_the_process_that_owns_the_home_trains_nothing_itself(
    project: str, session: Session, tiny: Path, tmp_path: Path
) -> None:
    """The app runs what is typed beside it, and torch has no place in it."""
    study_of(project, "frozen", encoder=str(tiny))
    actions.stop()
    done = subprocess.run(
        [sys.executable, "-c", EXPORTED_WITHOUT_TORCH, str(tmp_path / "model")],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert saving.load(tmp_path / "model").student.id() == "frozen"


def as_file(ending: str, rows: Sequence[dict[str, str]]) -> bytes:
    columns = list(rows[0])
    if ending == ".tsv":
        lines = ["\t".join(columns), *("\t".join(row.values()) for row in rows)]
        return "\n".join(lines).encode()
    return b"".join(formats.write_table(ending, columns, rows))


def test_predict_takes_a_file_of_any_format(
    all_trained: dict[tuple[str, str], Trained], tmp_path: Path
) -> None:
    rows = planted(4, 9)
    folder = all_trained["classify", "tfidf"].folder
    expected = saving.load(folder).answers([{"text": row["text"]} for row in rows])
    tables = [e for e in formats.EXTENSIONS if e not in (".conll", ".bio", ".iob2", ".zip")]
    for ending in tables:
        (tmp_path / f"rows{ending}").write_bytes(as_file(ending, rows))
        found = told("predict", folder, f"rows{ending}", "--out", "out.csv", folder=tmp_path)
        assert found.code == 0, (ending, found.err)
        made = formats.read_table("out.csv", (tmp_path / "out.csv").read_bytes())
        assert set(made.columns) == {"text", "label", "predicted", "probability"}
        assert [row["text"] for row in made.rows] == [row["text"] for row in rows]
        assert [row["predicted"] for row in made.rows] == expected.labels
        chances = [float(row["probability"] or "") for row in made.rows]
        assert chances == pytest.approx(expected.probabilities, abs=1e-6)
    for ending in formats.WRITABLE:
        out = tmp_path / f"out{ending}"
        assert told("predict", folder, "rows.csv", "--out", out, folder=tmp_path).code == 0
        made = formats.read_table(out.name, out.read_bytes())
        assert [row["predicted"] for row in made.rows] == expected.labels


def test_predict_takes_annotated_files_and_writes_them(
    all_trained: dict[tuple[str, str], Trained], tmp_path: Path
) -> None:
    rows = KINDS["spans"].rows(6, 9)
    folder = all_trained["spans", "tfidf"].folder
    columns = ["text", "spans"]
    (tmp_path / "rows.zip").write_bytes(b"".join(formats.write_table(".zip", columns, rows)))
    conll = b"".join(formats.write_table(".conll", columns, rows))
    for ending in (".conll", ".bio", ".iob2"):
        (tmp_path / f"rows{ending}").write_bytes(conll)
    with zipfile.ZipFile(tmp_path / "rows.zip") as packed:
        packed.extractall(tmp_path / "rows")
    for name in ("rows.zip", "rows", "rows.conll", "rows.bio", "rows.iob2"):
        found = told("predict", folder, name, folder=tmp_path)
        assert found.code == 0, (name, found.err)
        made = formats.read_table("out.csv", found.out.encode())
        said = saving.load(folder).answers([{"text": row["text"]} for row in made.rows])
        assert [row["predicted"] for row in made.rows] == said.labels
        assert sorted(row["text"] or "" for row in made.rows) == sorted(row["text"] for row in rows)
    for ending in (".conll", ".zip"):
        out = tmp_path / f"out{ending}"
        done = told("predict", folder, "rows.conll", "--out", out, folder=tmp_path)
        assert done.code == 0, done.err
        made = [row for row in formats.read_table(out.name, out.read_bytes()).rows if row]
        said = saving.load(folder).answers([{"text": row["text"]} for row in made])
        spans = [json.loads(row["spans"] or "") for row in made]
        assert spans == [json.loads(label) for label in said.labels]
    refused = told("predict", all_trained["frames", "tfidf"].folder, "rows.conll",
                   "--out", "out.conll", folder=tmp_path)  # fmt: skip
    assert refused.code == 2 and "cannot be written to out.conll" in refused.err


def test_predict_names_what_is_wrong_and_writes_nothing(good: Path, tmp_path: Path) -> None:
    bad = {
        "two.csv": ("text\nwave\n\"\"\nwind\n\"\"\n", "no text (rows 3, 5)"),
        "uneven.csv": ("text,n\nwave,1\nwind\n", "not 2 cells as in the header (row 3)"),
        "none.csv": ("text\n", "no rows"),
        "odd.csv": ("a,b\nx,y\n", "Which column is the text?"),
        "again.csv": ("text,predicted\nwave,sea\n", "has a column 'predicted' already"),
        "rows.txt": ("wave\n", "cannot tell the format"),
    }  # fmt: skip
    for name, (content, why) in bad.items():
        (tmp_path / name).write_text(content)
        found = told("predict", good, name, "--out", "out.csv", folder=tmp_path)
        assert (found.code, found.out) == (2, "") and "\n" not in found.err
        assert why in found.err, (name, found.err)
    (tmp_path / "ok.csv").write_text("words\n=wave()\n")
    for more, why in {
        "--out x.txt": "cannot be written to x.txt",
        "--out nowhere/x.csv": "There is no folder",
        "--out ok.conll": "cannot be written to ok.conll",
        "--map text=nothing": "no column 'nothing'",
        "--map nothing=words": "no field 'nothing'",
    }.items():
        found = told("predict", good, "ok.csv", *more.split(), folder=tmp_path)
        assert (found.code, found.out) == (2, "") and why in found.err, found.err
    assert not list(tmp_path.glob("*out*")) and not list(tmp_path.glob("x.*"))
    found = told("predict", good, "ok.csv", "--map", "text=words", folder=tmp_path)
    assert found.code == 0 and found.out.splitlines()[0] == "words,predicted,probability"
    assert found.out.splitlines()[1].startswith("'=wave()")


def test_predict_needs_no_home_and_leaves_an_open_one_alone(
    good: Path, session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    (tmp_path / "t.csv").write_text("text\nwave tide shell\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ADMIX_HOME", str(tmp_path / "no home"))
    before = sorted(path for path in session.home.rglob("*"))
    for found in (
        said_here(capsys, "predict", good, "t.csv"),
        typed(tmp_path, "predict", good, "t.csv", ADMIX_HOME=str(session.home)),
    ):
        assert (found.code, found.err) == (0, "")
        assert found.out.splitlines()[1].startswith("wave tide shell,sea,0.")
        assert sorted(path for path in session.home.rglob("*")) == before
    assert not (tmp_path / "no home").exists()


def test_a_choice_is_given_with_its_options_and_its_letter(
    all_trained: dict[tuple[str, str], Trained], tmp_path: Path
) -> None:
    one = all_trained["choice", "tfidf"]
    rows = [{"question": r["question"], "options": json.dumps(r["options"])} for r in one.inputs]
    table = formats.read_table("rows.jsonl", "".join(write_jsonl(rows)).encode())
    done = predictions.predict(saving.load(one.folder), table)
    assert [row["predicted"] for row in done.rows] == one.answers.labels
    many = [{"question": "Which?", "options": json.dumps(list("abcdefgh"))}]
    table = formats.read_table("many.jsonl", "".join(write_jsonl([*rows, *many])).encode())
    with pytest.raises(Problem, match=rf"more options than .* \(row {len(rows) + 1}\)"):
        predictions.predict(saving.load(one.folder), table)
