"""A study goes to another machine as one file and comes to the same figures; nothing else does."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from core import actions
from core.actions import archives, curate, data, home, imports, results, study_files, tables, train
from core.actions.session import Session, here
from core.encoders import Encoder
from core.errors import BadFile, Problem
from core.formats import write_csv
from core.formats.bundle import STUDY, Archive, Writer
from core.store import pools, studies
from tests.conftest import bring, planted
from tests.test_cli import told
from tests.test_pages_research import page_of

pytestmark = pytest.mark.executor("inline")

SETTINGS = {"n_total": 12, "ratios": (0.0, 0.5, 1.0), "seeds": 2}


def ran(project: str, **more: Any) -> str:
    request = train.StudyRequest(
        settings={**SETTINGS, **more.pop("settings", {})},
        name="Sweep",
        **{"student": "tfidf", **more},
    )
    study, job = train.launch(project, request)
    assert train.wait(job).state == "done"
    return study


def figures(project: str, study: str) -> list[dict[str, Any]]:
    """Return the table of trials but for what a clock says."""
    rows = tables.table(project, study)
    return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]


def said(project: str, study: str) -> dict[str, Any]:
    found = studies.table(here().database, project, study)
    return {row["trial"]: (row["scores"], row["n_steps"]) for row in found}


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Session]:
    """What opens another home folder, of another machine."""

    def opened() -> Session:
        actions.stop()
        monkeypatch.setenv("ADMIX_HOME", str(tmp_path / "other"))
        return actions.start(tmp_path / "other", "a test", "inline")

    return opened


def open_(path: Path, name: str | None = None) -> study_files.Opened:
    with path.open("rb") as file:
        return study_files.open_study(file, path.name, name)


def rewritten(
    path: Path, change: Callable[[dict[str, Any]], None] = lambda about: None,
    trials: Callable[[list[dict[str, Any]]], None] = lambda rows: None,
    pool: Callable[[pa.Table], pa.Table] = lambda rows: rows,
) -> Path:  # fmt: skip
    """Write a study file anew with something changed, under a manifest that fits it."""
    target = path.with_name("changed.study.zip")
    with path.open("rb") as file, target.open("wb") as out:
        archive, writer = Archive(file, path.name), Writer(out)
        about = json.loads(json.dumps(archive.manifest.about))
        change(about)
        table = archive.parquet(study_files.TRIALS).read()
        rows = table.to_pylist()
        trials(rows)
        made = pa.Table.from_pylist(rows, schema=table.schema)
        writer.add_rows(study_files.TRIALS, made.schema, made.to_batches())
        (name,) = archive.names("pools")
        held = pool(archive.parquet(f"pools/{name}.parquet").read())
        writer.add_rows(f"pools/{name}.parquet", held.schema, held.to_batches())
        has = archive.manifest.model_dump(exclude={"format", "version", "entries", "about"})
        writer.finish(STUDY, **has, about=about)
    return target


@pytest.fixture
def written(project: str, tmp_path: Path) -> Path:
    """The file of a study that was run."""
    study_files.write_study(project, ran(project), tmp_path / "sweep.study.zip")
    return tmp_path / "sweep.study.zip"


def test_another_machine_comes_to_the_same_figures(
    project: str, tmp_path: Path, elsewhere: Callable[[], Session]
) -> None:
    study = ran(project, vary={"C": [1, 3]})
    before, scores = figures(project, study), said(project, study)
    pool = train.find_study(project)["pool"]
    target = tmp_path / "sweep.study.zip"
    assert told("study", "file", "planted", "--study", "Sweep", "--out", target).code == 0
    elsewhere()
    done = told("study", "run", "--from", target)
    assert done.code == 0 and "Sweep" in done.out
    other = home.find_project("planted").id
    found = train.find_study(other)
    assert found["pool"] == pool and found["n_done"] == len(before)
    assert figures(other, found["id"]) == before
    assert said(other, found["id"]) == scores


def test_lines_of_one_origin_each_come_along(
    session: Session, tmp_path: Path, elsewhere: Callable[[], Session]
) -> None:
    made = home.create_project("told apart", "classify").id
    bring(made, planted(20), "train", "human")
    bring(made, planted(10, seed=2), "test", "human")
    rows = [{**row, "generator": f"model {i % 2}"} for i, row in enumerate(planted(20, seed=3))]
    table = imports.read_table("s.csv", write_csv(["text", "label", "generator"], rows).encode())
    taken = imports.columns_for(made, table)
    imports.import_rows(made, imports.prepare(made, table, taken, "train", "synthetic"))
    curate.accept_many(made, "a test", flagged=True)
    settings = {"n_total": 12, "ratios": (0, 0.5), "seeds": 2, "by": ("generator",)}
    request = train.StudyRequest("ratio_sweep", settings, "tfidf", name="Apart")
    study, job = train.launch(made, request)
    assert train.wait(job).state == "done"
    before, target = figures(made, study), tmp_path / "apart.study.zip"
    assert told("study", "file", "told apart", "--out", target).code == 0
    elsewhere()
    assert told("study", "run", "--from", target).code == 0
    other = home.find_project("told apart").id
    found = train.find_study(other)
    assert figures(other, found["id"]) == before
    assert set(results.lines_of(other, found["id"]).values()) == {
        "generator model 0", "generator model 1",
    }  # fmt: skip


def test_run_again_it_goes_on_with_what_is_there(
    written: Path, elsewhere: Callable[[], Session]
) -> None:
    elsewhere()
    for _ in range(2):
        assert told("study", "run", "--from", written, "--project", "new").code == 0
    project = home.find_project("new").id
    assert len(train.all_studies(project)) == 1
    assert len(home.all_projects()) == 1


def test_it_comes_into_a_project_of_the_same_task_and_of_no_other(
    written: Path, project: str, elsewhere: Callable[[], Session]
) -> None:
    opened = open_(written)  # where it was written, it is the study itself
    assert (opened.project.id, len(train.all_studies(project))) == (project, 1)
    with written.open("rb") as file:
        labels = Archive(file, written.name).manifest.about["spec"]["task"]["labels"]
    elsewhere()
    home.create_project("other", "classify", [("a", ""), ("b", "")])
    same = home.create_project("same", "classify", [(label["name"], "") for label in labels])
    with pytest.raises(Problem, match="another task"):
        open_(written, "other")
    assert open_(written, "same").project.id == same.id


def test_an_adaptive_study_chooses_the_same_trials(
    project: str, tmp_path: Path, elsewhere: Callable[[], Session]
) -> None:
    ratios = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1.0)
    study = ran(project, settings={"ratios": ratios, "seeds": 4, "adaptive": True})
    before = figures(project, study)
    target = tmp_path / "adaptive.study.zip"
    study_files.write_study(project, study, target)
    elsewhere()
    opened = open_(target)
    assert len(figures(opened.project.id, opened.study)) < len(before) + 1
    assert told("study", "run", "--from", target).code == 0
    assert figures(opened.project.id, opened.study) == before


def test_what_it_rests_on_and_what_was_kept_out_is_known_there(
    written: Path, project: str, elsewhere: Callable[[], Session]
) -> None:
    pool = train.find_study(project)["pool"]
    before = pools.about(here().database, project, pool)["report"]
    elsewhere()
    opened = open_(written)
    after = pools.about(here().database, opened.project.id, pool)["report"]
    assert {k: v for k, v in after.items() if k not in ("tests", "removed_ids")} == {
        k: v for k, v in before.items() if k not in ("tests", "removed_ids")
    }


# What is refused


def broken_key(rows: list[dict[str, Any]]) -> None:
    rows[0]["seed"] += 1


def larger(rows: list[dict[str, Any]]) -> None:
    rows[0]["mixture"] = json.dumps({"n_human": -4, "n_synthetic": 0})


def edited(rows: pa.Table) -> pa.Table:
    texts = rows["text"].to_pylist()
    return rows.set_column(
        rows.column_names.index("text"), "text", pa.array(["changed", *texts[1:]])
    )


def other_code(about: dict[str, Any]) -> None:
    about["training_code"] += 1


def other_encoder(about: dict[str, Any]) -> None:
    about["fingerprints"] = dict.fromkeys(about["fingerprints"], "0" * 24)


def other_pool(about: dict[str, Any]) -> None:
    about["pool"] = "0" * 24


def more_words(about: dict[str, Any]) -> None:
    about["command"] = "rm"


def strange_price(about: dict[str, Any]) -> None:
    about["spec"]["prices"]["human_usd"] = -1


def strange_source(about: dict[str, Any]) -> None:
    about["left_out"] = [{"asked_share": 0.5, "n_human": 1, "n_synthetic": 1, "reason": "x",
                          "n_llm_labelled": 0, "factors": {"mixes_in": "evil"}}]  # fmt: skip


def strange_setting(about: dict[str, Any]) -> None:
    about["spec"]["student"]["kind"] = "../../evil"


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "another seed": ({"trials": broken_key}, "has another key here"),
    "rows below zero": ({"trials": larger}, "below zero"),
    "an edited text": ({"pool": edited}, "holds other rows than it should"),
    "other training code": ({"change": other_code}, "training code"),
    "another encoder": ({"change": other_encoder}, "the files here are others"),
    "another pool": ({"change": other_pool}, "another pool than it says"),
    "more than is known": ({"change": more_words}, "not what a study is"),
    "a price below zero": ({"change": strange_price}, "one of its prices"),
    "a source that is none": ({"change": strange_source}, "none of a trial's factors"),
    "a student that is none": ({"change": strange_setting}, "There is no"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_was_changed_is_refused_and_leaves_nothing(
    case: str, written: Path, elsewhere: Callable[[], Session]
) -> None:
    session = elsewhere()
    change, message = REFUSED[case]
    with pytest.raises(Problem, match=message):
        open_(rewritten(written, **change))
    assert home.all_projects() == []
    assert list((session.home / "pools").iterdir()) == []


def hostile(path: Path, name: str, **has: Any) -> bytes:
    """Return a study file with one entry more."""
    out = io.BytesIO(path.read_bytes())
    with zipfile.ZipFile(out, "a") as archive:
        entry = zipfile.ZipInfo(name)
        for key, value in has.items():
            setattr(entry, key, value)
        archive.writestr(entry, b"x" * 1000)
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "has"),
    [
        ("../evil.parquet", {}),
        ("/etc/evil", {}),
        ("pools/link.parquet", {"external_attr": 0o120777 << 16}),
        ("tables/bomb.parquet", {"compress_type": zipfile.ZIP_DEFLATED}),
        ("tables/sample.parquet", {}),
    ],
)
def test_a_hostile_archive_is_refused(
    name: str, has: dict[str, Any], written: Path, elsewhere: Callable[[], Session]
) -> None:
    session = elsewhere()
    bad = hostile(written, name, **has)
    with pytest.raises(BadFile):
        study_files.open_study(io.BytesIO(bad), "bad.study.zip")
    assert home.all_projects() == [] and list((session.home / "pools").iterdir()) == []


def test_a_damaged_file_and_other_files_are_refused(
    written: Path, project: str, tmp_path: Path
) -> None:
    for bad in (written.read_bytes()[:-500], b"text,label\n", b""):
        with pytest.raises(BadFile, match="not a whole archive"):
            study_files.open_study(io.BytesIO(bad), "bad.study.zip")
    whole = tmp_path / "whole.admix.zip"
    archives.export_project(project, whole)
    with pytest.raises(BadFile, match="holds an Admix project"):
        open_(whole)
    with written.open("rb") as file, pytest.raises(BadFile, match="study run --from"):
        archives.open_project(file, written.name)


def test_an_encoder_that_is_not_there_is_named(
    project: str, tmp_path: Path, planted_encoder: Encoder, elsewhere: Callable[[], Session]
) -> None:
    import shutil

    folder = tmp_path / "encoder"
    shutil.copytree(planted_encoder.source, folder)
    study = train.create_study(
        project,
        train.StudyRequest(settings=SETTINGS, student="frozen",
                           student_settings={"encoder": str(folder)}),
    )  # fmt: skip
    target = tmp_path / "frozen.study.zip"
    study_files.write_study(project, study, target)
    elsewhere()
    shutil.rmtree(folder)
    with pytest.raises(Problem, match=r"needs the encoder of its student 'frozen'.*not here"):
        open_(target)
    assert home.all_projects() == []


def test_erased_texts_go_into_no_file(project: str, tmp_path: Path) -> None:
    study = ran(project)
    rows = pools.read(pools.path(here().home, train.find_study(project)["pool"]))
    data.delete_samples(project, [rows[0].id], "a test")
    target = tmp_path / "erased.study.zip"
    with pytest.raises(Problem, match="were erased"):
        study_files.write_study(project, study, target)
    assert not target.exists()
    assert "were erased" in (study_files.refused(project, study) or "")
    at = page_of("results", project="planted")
    assert "Study file" not in {button.label for button in at.get("download_button")}


def test_a_study_of_another_training_code_goes_into_no_file(
    project: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = ran(project)
    monkeypatch.setattr("core.studies.base.TRAINING_CODE", 99)
    with pytest.raises(Problem, match="another version of the training code"):
        study_files.write_study(project, study, tmp_path / "old.study.zip")


def test_a_file_that_is_there_is_not_written_over(written: Path, project: str) -> None:
    with pytest.raises(Problem, match="exists already"):
        study_files.write_study(project, "Sweep", written)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["NAME"], "NAME does not go with --from"),
        (["--n-total", "12"], "--n-total is no option"),
        (["--study-name", "x"], "--study-name does not go"),
        (["--human-usd", "1"], "--human-usd does not go"),
    ],
)
def test_what_a_file_has_settled_is_not_said_again(
    words: list[str], message: str, written: Path
) -> None:
    done = told("study", "run", *words, "--from", written)
    assert done.code == 2 and message in done.err


def test_a_study_is_named_or_comes_from_a_file(session: Session) -> None:
    assert "needs NAME and KIND, or --from" in told("study", "run").err
    assert "goes with --from" in told("study", "run", "p", "ratio_sweep", "--project", "x").err


def test_the_file_says_what_its_trials_depend_on(written: Path, project: str) -> None:
    with written.open("rb") as file:
        about = Archive(file, written.name).manifest.about
    assert about["training_code"] and about["versions"]["numpy"] and about["fingerprints"]
    assert about["spec"]["prices"] == train.prices(project).to_json()
