"""A project goes into one file and opens elsewhere, whole; a damaged or hostile file opens not."""

from __future__ import annotations

import io
import json
import os
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from core import actions
from core.actions import archives, curate, generate, home, queues, review, train
from core.actions.session import Session
from core.errors import BadFile, Problem
from core.formats import bundle, bundle_check
from core.formats.bundle import Archive, Writer
from core.store import archives as stored
from core.store import decisions, jobs, ledger, pools, samples, studies
from core.store.migrations import STEPS
from core.store.samples import Filter
from tests import whole_project
from tests.conftest import bring, planted
from tests.test_cli import told
from tests.test_import import snapshot
from tests.test_pages_curating import click, visit, words

ROOT = Path(__file__).parents[1]
KEY = "sk-canary-of-a-key-3141592"


class Exported:
    """An archive, and what is true of the project in it."""

    def __init__(self, path: Path, facts: dict[str, Any], unfinished: Path) -> None:
        self.path, self.facts, self.unfinished = path, facts, unfinished

    def open(self, name: str | None = None) -> str:
        return open_(self.path, name)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exported]:
    folder = tmp_path_factory.mktemp("elsewhere")
    os.environ["OPENAI_API_KEY"] = KEY
    try:
        session = actions.start(folder / "home", "a test", "forked")
        project = whole_project.make()
        facts = whole_project.facts(project)
        path = folder / "whole.admix.zip"
        archives.export_project(project, path)
        # As if its jobs had been at work when it was exported.
        train.create_study(project, train.StudyRequest("ratio_sweep", whole_project.SWEEP, "tfidf"))
        newest = train.all_studies(project)[0]["id"]
        jobs.create(session.database, "0123456789abcdef", project, "train", newest)
        run = generate.run_ids(project)[0]
        job = jobs.of_subject(session.database, run)
        assert job is not None
        jobs.append(session.database, job.id, "running")
        with session.database.write() as cursor:
            ledger.book(cursor, run, "in/flight", "reserve", 0.25)
        unfinished = folder / "unfinished.admix.zip"
        archives.export_project(project, unfinished)
        yield Exported(path, facts, unfinished)
    finally:
        actions.stop()
        del os.environ["OPENAI_API_KEY"]


@pytest.fixture
def elsewhere(
    exported: Exported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Session]:
    """Another home folder, in which decisions and samples were counted before."""
    actions.stop()
    monkeypatch.setenv("ADMIX_HOME", str(tmp_path / "home"))
    session = actions.start(tmp_path / "home", "a test", "forked")
    other = home.create_project("other").id
    bring(other, planted(4), "train", "human")
    for sample in review.table(other, queues.wanted())[:3]:
        review.reject(other, "Ana", sample.id, 0)
    yield session
    actions.stop()


def open_(path: Path, name: str | None = None) -> str:
    with path.open("rb") as file:
        return archives.open_project(file, path.name, name).id


def tables_of(path: Path) -> dict[str, pa.Table]:
    with path.open("rb") as file:
        archive = Archive(file, path.name)
        return {
            table: archive.parquet(f"tables/{table}.parquet").read()
            for table in archive.names("tables")
        }


def rewritten(
    path: Path, target: Path, change: Callable[[dict[str, pa.Table]], None] = lambda tables: None,
    pool: Callable[[pa.Table], pa.Table] | None = None, **about: Any,
) -> Path:  # fmt: skip
    """Write an archive anew, with other rows, under a manifest that fits them."""
    tables = tables_of(path)
    change(tables)
    with path.open("rb") as file, target.open("wb") as out:
        archive, writer = Archive(file, path.name), Writer(out)
        for name, rows in tables.items():
            writer.add_rows(f"tables/{name}.parquet", rows.schema, rows.to_batches())
        for name in archive.names("pools"):
            rows = archive.parquet(f"pools/{name}.parquet").read()
            rows = pool(rows) if pool else rows
            writer.add_rows(f"pools/{name}.parquet", rows.schema, rows.to_batches())
        said = archive.manifest.model_dump(exclude={"format", "version", "entries"})
        writer.finish(**{**said, **about})
    return target


def with_column(table: str, column: str, change: Callable[[list[Any]], list[Any]]) -> Any:
    def act(tables: dict[str, pa.Table]) -> None:
        rows = tables[table]
        place = rows.column_names.index(column)
        values = pa.array(change(rows[column].to_pylist()), rows.schema.field(column).type)
        tables[table] = rows.set_column(place, column, values)

    return act


# Round trips


def test_a_project_opens_elsewhere_as_it_was(exported: Exported, elsewhere: Session) -> None:
    project = exported.open()
    assert home.find_project("whole").id == project
    assert whole_project.facts(project) == exported.facts


def test_state_is_what_the_decisions_come_to_and_deciding_goes_on(
    exported: Exported, elsewhere: Session
) -> None:
    project = exported.open()
    database = elsewhere.database
    before = whole_project.state(database, project)
    decisions.rebuild(database, project)
    assert whole_project.state(database, project) == before
    undone = review.undo(project, "Ana")
    assert undone.kind == "label" and undone.others_since == ("Ben",)
    assert review.undo(project, "Ana").kind == "edit"
    assert review.undo(project, "Ana").n_samples > 2
    sample = review.table(project, queues.wanted("all"))[2]
    last = decisions.last_event(database, project)
    assert review.label(project, "Ana", sample.id, 0, whole_project.LABELS[0]) > last
    ids = [row["id"] for row in samples.everything(database, project)]
    bring(project, [{"text": "A new one", "label": "security"}], "train", "human", "new.csv")
    assert [row["id"] for row in samples.everything(database, project)][:-1] == ids


def test_a_project_opens_beside_itself_and_each_is_deleted_alone(
    exported: Exported, elsewhere: Session
) -> None:
    first, second, third = exported.open(), exported.open(), exported.open("third")
    names = {project.name for project in home.all_projects()}
    assert names == {"other", "whole", "whole (2)", "third"}
    with pytest.raises(Problem, match="already"):
        exported.open("third")
    for project in (first, second, third):
        found = whole_project.facts(project)
        found["runs"][0]["run"] = exported.facts["runs"][0]["run"]
        for row, was in zip(found["rows"], exported.facts["rows"], strict=True):
            row["run"] = row["run"] and was["run"]
        assert found == exported.facts
    assert len({run for p in (first, second, third) for run in generate.run_ids(p)}) == 3
    review.undo(second, "Ana")
    home.delete_project(second)
    assert whole_project.facts(first) == exported.facts
    home.delete_project(first)
    assert len(train.all_studies(third)) == 1 and list((elsewhere.home / "pools").iterdir())
    home.delete_project(third)
    assert not list((elsewhere.home / "pools").iterdir())


def test_the_copy_of_a_copy_is_the_same(
    exported: Exported, elsewhere: Session, tmp_path: Path
) -> None:
    again = tmp_path / "again.zip"
    archives.export_project(exported.open(), again)
    again.write_bytes(archives.export_bytes(open_(again)))
    project = open_(again, "copy")
    found = whole_project.facts(project)
    found["runs"] = exported.facts["runs"]
    for row, was in zip(found["rows"], exported.facts["rows"], strict=True):
        row["run"] = row["run"] and was["run"]
    assert found == exported.facts


def test_jobs_that_were_at_work_come_in_as_interrupted_and_can_go_on(
    exported: Exported, elsewhere: Session
) -> None:
    project = open_(exported.unfinished)
    found = jobs.of_project(elsewhere.database, project)
    states = {job.kind: job for job in found if job.state == "interrupted"}
    assert set(states) == {"train", "generate"}
    run = generate.run_ids(project)[0]
    assert generate.status(project, run).account.lost_usd == 0.25
    n = samples.count(elsewhere.database, project, Filter(run=run))
    generate.resume(states["generate"].id)
    assert generate.wait(run).state == "done"
    assert samples.count(elsewhere.database, project, Filter(run=run)) == n
    train.resume(states["train"].id)
    assert train.wait(states["train"].id).state == "done"
    newest = train.all_studies(project)[0]["id"]
    n_done, n_wanted = studies.progress(elsewhere.database, project, newest)
    assert n_done == n_wanted > 0


def test_an_older_archive_opens_by_the_names_of_its_columns(
    exported: Exported, elsewhere: Session, tmp_path: Path
) -> None:
    def older(tables: dict[str, pa.Table]) -> None:
        tables["verdict"] = tables["verdict"].drop_columns(["close_text"])
        names = tables["sample"].column_names
        tables["sample"] = tables["sample"].select(list(reversed(names)))

    project = open_(rewritten(exported.path, tmp_path / "older.zip", older))
    found = whole_project.facts(project)
    assert found["rows"] == exported.facts["rows"]
    assert all(v["close_text"] is None for each in found["verdicts"].values() for v in each)


def test_every_table_of_the_database_travels_or_is_derived(elsewhere: Session) -> None:
    tables = set(snapshot(elsewhere.database))
    assert tables == {
        *stored.WHERE,
        *stored.DERIVED,
        *stored.AT_VENDORS,
        *stored.PASSING,
        *stored.COMPUTED,
        *stored.OF_HOME,
        "migration",
    }
    for table, columns in stored._NEEDED.items():
        with elsewhere.database.read() as cursor:
            assert set(columns.split()) <= set(stored._columns(cursor, table))


def test_an_archive_holds_no_key_and_no_path(exported: Exported) -> None:
    data = exported.unfinished.read_bytes()
    assert KEY.encode() not in data and str(exported.path.parent).encode() not in data
    names = zipfile.ZipFile(exported.path).namelist()
    assert not [name for name in names if "cache" in name or "job/" in name or "log" in name]


def test_a_demo_opened_is_no_demo_that_a_reset_would_erase(
    exported: Exported, elsewhere: Session, tmp_path: Path
) -> None:
    demo = with_column("project", "is_demo", lambda _: [True])
    project = open_(rewritten(exported.path, tmp_path / "demo.zip", demo))
    assert not home.project_of(project).is_demo


# Archives that are not what they should be


def plain(name: str, data: bytes, **about: Any) -> tuple[zipfile.ZipInfo, bytes]:
    info = zipfile.ZipInfo(name)
    for key, value in about.items():
        setattr(info, key, value)
    return info, data


def entries_of(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as found:
        return {name: found.read(name) for name in found.namelist()}


def zipped(entries: list[tuple[zipfile.ZipInfo, bytes]]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        for info, data in entries:
            made.writestr(info, data, compress_type=info.compress_type)
    return out.getvalue()


def with_entry(*added: tuple[zipfile.ZipInfo, bytes]) -> Callable[[Path], bytes]:
    return lambda path: zipped([*(plain(n, d) for n, d in entries_of(path).items()), *added])


def without(name: str) -> Callable[[Path], bytes]:
    return lambda path: zipped([plain(n, d) for n, d in entries_of(path).items() if n != name])


def with_manifest(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], bytes]:
    def act(path: Path) -> bytes:
        entries = entries_of(path)
        manifest = json.loads(entries["manifest.json"])
        changed = change(manifest)
        entries["manifest.json"] = json.dumps(manifest if changed is None else changed).encode()
        return zipped([plain(name, data) for name, data in entries.items()])

    return act


def flipped(path: Path) -> bytes:
    data = bytearray(path.read_bytes())
    place = zipfile.ZipFile(path).getinfo("tables/sample.parquet").header_offset + 900
    data[place] ^= 0xFF
    return bytes(data)


def packed(path: Path) -> bytes:
    deflated = {"compress_type": zipfile.ZIP_DEFLATED}
    return zipped([plain(name, data, **deflated) for name, data in entries_of(path).items()])


def garbage(path: Path) -> bytes:
    """A table that is no Parquet, under the right hash."""
    entries = entries_of(path)
    bad = b"PAR1" + b"\xff" * 500 + b"PAR1"
    entries["tables/sample.parquet"] = bad
    manifest = json.loads(entries["manifest.json"])
    import hashlib

    manifest["entries"]["tables/sample.parquet"] |= {
        "n_bytes": len(bad), "sha256": hashlib.sha256(bad).hexdigest(),
    }  # fmt: skip
    entries["manifest.json"] = json.dumps(manifest).encode()
    return zipped([plain(name, data) for name, data in entries.items()])


LINK = (stat.S_IFLNK | 0o777) << 16
DAMAGED: dict[str, tuple[Callable[[Path], bytes], str]] = {
    "no zip": (lambda path: b"text,label\nwave,sea\n", "not a whole archive"),
    "cut short": (lambda path: path.read_bytes()[:-4000], "not a whole archive"),
    "one byte": (flipped, "damaged: tables/sample.parquet was changed"),
    "another zip": (lambda path: zipped([plain("a.txt", b"a")]), "not the archive of an Admix"),
    "an entry more": (with_entry(plain("tables/more.parquet", b"")), "manifest lists"),
    "an entry less": (without("tables/event.parquet"), "manifest lists"),
    "above": (with_entry(plain("../evil.parquet", b"")), r"\.\./evil"),
    "from the root": (with_entry(plain("/etc/evil", b"")), "/etc/evil"),
    "a link": (
        with_entry(plain("tables/x.parquet", b"/etc/passwd", external_attr=LINK)), "plain file"
    ),
    "packed": (packed, "packed by another program"),
    "garbage": (garbage, "sample.parquet is not Parquet|cannot be read"),
    "too many rows": (
        with_manifest(lambda m: m["entries"]["tables/event.parquet"].update(n_rows=10**6)),
        "has .* rows, not 1,000,000",
    ),
    "an odd manifest": (with_manifest(lambda m: ["format"]), "manifest of .* cannot be read"),
    "a manifest without figures": (with_manifest(lambda m: m.pop("migration")), "cannot be read"),
    "a newer form": (
        with_manifest(lambda m: m.update(version=2, admix="9.1")), r"newer Admix \(9\.1\)"
    ),
    "a newer database": (
        with_manifest(lambda m: m.update(migration=len(STEPS) + 1)), "newer Admix"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_archive_is_refused_in_a_line_and_leaves_nothing(
    case: str, exported: Exported, elsewhere: Session, tmp_path: Path
) -> None:
    make, said = DAMAGED[case]
    path = tmp_path / "bad.admix.zip"
    path.write_bytes(make(exported.path))
    refused(path, said, elsewhere)


def refused(path: Path, said: str, session: Session) -> None:
    before = snapshot(session.database), whole_project.folder_state(session.home)
    with pytest.raises(BadFile, match=said) as error:
        open_(path)
    assert error.value.hint and path.name in error.value.message
    assert (snapshot(session.database), whole_project.folder_state(session.home)) == before


def twice(values: list[Any]) -> list[Any]:
    return [values[0], values[0], *values[2:]]


def first(value: Any) -> Callable[[list[Any]], list[Any]]:
    return lambda values: [value, *values[1:]]


def doubled(tables: dict[str, pa.Table]) -> None:
    tables["project"] = pa.concat_tables([tables["project"]] * 2)


def column_of_its_own(tables: dict[str, pa.Table]) -> None:
    tables["sample"] = tables["sample"].append_column(
        "evil", pa.array(["x"] * len(tables["sample"]))
    )


def number_as_text(tables: dict[str, pa.Table]) -> None:
    rows = tables["event"]
    tables["event"] = rows.set_column(0, "seq", pa.array(["one"] * len(rows)))


HOSTILE: dict[str, tuple[Any, str]] = {
    "two projects": (doubled, "no project, or several"),
    "a task of no kind": (
        with_column("project", "task", lambda _: ['{"kind": "../tasks"}']), "its task"
    ),
    "a task that is a list": (with_column("project", "task", lambda _: ["[]"]), "its task"),
    "settings that are a list": (with_column("project", "settings", lambda _: ["[]"]), "settings"),
    "samples that share an id": (with_column("sample", "id", twice), "share an id"),
    "samples that share a number": (with_column("sample", "seq", twice), "share a number"),
    "a sample without a number": (with_column("sample", "seq", first(None)), "without a number"),
    "a number below one": (with_column("sample", "seq", first(-5)), "share a number"),
    "a sample without a text": (with_column("sample", "text", first(None)), "text IS NULL"),
    "a sample of no source": (with_column("sample", "source", first("me")), "no known source"),
    "inputs that are no object": (with_column("sample", "inputs", first("3")), "inputs"),
    "inputs that are no JSON": (with_column("sample", "inputs", first("{")), "does not fit"),
    "a decision on nothing": (with_column("event", "sample", first("x")), "decision on no"),
    "rows of another project": (with_column("event", "project", first("f" * 16)), "belong to"),
    "a trial of another study": (with_column("trial", "study", first("f" * 16)), "belong to"),
    "a study without a pool": (with_column("study", "pool", first("f" * 24)), "without its pool"),
    "a column of its own": (column_of_its_own, "columns of its own"),
    "a number that is a text": (number_as_text, "does not fit"),
    "no project table": (lambda tables: tables.pop("project"), "no project"),
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
def test_rows_that_no_project_has_are_refused_and_leave_nothing(
    case: str, exported: Exported, elsewhere: Session, tmp_path: Path
) -> None:
    change, said = HOSTILE[case]
    refused(rewritten(exported.path, tmp_path / "hostile.zip", change), said, elsewhere)


def test_a_pool_with_other_rows_than_its_name_says_is_refused(
    exported: Exported, elsewhere: Session, tmp_path: Path
) -> None:
    def other(rows: pa.Table) -> pa.Table:
        place = rows.column_names.index("label")
        return rows.set_column(place, "label", pa.array(["security"] * len(rows)))

    path = rewritten(exported.path, tmp_path / "hostile.zip", pool=other)
    refused(path, "holds other rows than it should", elsewhere)


def test_a_bomb_is_refused_before_it_goes_off(
    exported: Exported, elsewhere: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle, "ROWS_AT_ONCE", 2_000)
    n = 4_000  # of a megabyte each, which a dictionary holds once

    def grow(tables: dict[str, pa.Table]) -> None:
        rows = tables["sample"]
        grown = rows.take(pa.array([0] * n))
        place = grown.column_names.index("text")
        long = pa.DictionaryArray.from_arrays(pa.array([0] * n, pa.int32()), ["x" * 1_000_000])
        tables["sample"] = grown.set_column(place, "text", long)

    path = rewritten(exported.path, tmp_path / "bomb.zip", grow)
    assert path.stat().st_size < 3_000_000
    refused(path, "as a bomb does|cannot be read", elsewhere)


def test_ids_that_are_no_ids_name_no_folder(
    exported: Exported, elsewhere: Session, tmp_path: Path
) -> None:
    evil = "../../precious"

    def change(tables: dict[str, pa.Table]) -> None:
        old = tables["job"]["id"].to_pylist()[0]
        for table, column in (("job", "id"), ("job_event", "job")):
            with_column(
                table, column, lambda values: [evil if value == old else value for value in values]
            )(tables)

    (tmp_path / "precious").mkdir()
    project = open_(rewritten(exported.path, tmp_path / "hostile.zip", change))
    assert all(len(job.id) == 16 for job in jobs.of_project(elsewhere.database, project))
    home.delete_project(project)
    assert (tmp_path / "precious").is_dir()


def test_what_an_archive_says_was_a_pool_before_is_no_path(
    exported: Exported, elsewhere: Session, tmp_path: Path
) -> None:
    precious = elsewhere.home / "precious.parquet"
    precious.write_bytes(b"mine")

    def change(values: list[str]) -> list[str]:
        return [json.dumps({**json.loads(value), "was": ["../precious"]}) for value in values]

    report = with_column("pool", "report", change)
    open_(rewritten(exported.path, tmp_path / "hostile.zip", report))
    pools.remove_former(elsewhere.database)
    assert precious.exists()


# All or nothing


def test_a_failure_in_the_middle_leaves_nothing(
    exported: Exported, elsewhere: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = snapshot(elsewhere.database), whole_project.folder_state(elsewhere.home)

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    bring_pools = stored._bring_pools
    for name, act in (
        ("rebuild_in", fail),
        ("_bring_pools", lambda *given: (bring_pools(*given), fail())),
    ):
        with monkeypatch.context() as patched, pytest.raises(ZeroDivisionError):
            patched.setattr(stored, name, act)
            exported.open()
        after = snapshot(elsewhere.database), whole_project.folder_state(elsewhere.home)
        assert after == before


def test_a_kill_while_rows_are_written_leaves_no_project(
    exported: Exported, tmp_path: Path
) -> None:
    code = (
        "import os, signal\nfrom pathlib import Path\nfrom core import actions\n"
        "from core.actions import archives\nfrom core.store import archives as stored\n"
        "stored.rebuild_in = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"actions.start(Path({str(tmp_path / 'home')!r}), 'a test')\n"
        f"with open({str(exported.path)!r}, 'rb') as file: archives.open_project(file, 'x')"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == -9, done.stderr.decode()
    actions.stop()
    actions.start(tmp_path / "home", "a test", "forked")
    try:
        assert home.all_projects() == []
        assert whole_project.folder_state(tmp_path / "home") == {"lock"}
    finally:
        actions.stop()


def test_an_archive_that_cannot_be_written_is_not_there(elsewhere: Session, tmp_path: Path) -> None:
    other = home.find_project("other").id
    target = tmp_path / "there.zip"
    target.write_bytes(b"mine")
    with pytest.raises(Problem, match="exists already"):
        archives.export_project(other, target)
    assert target.read_bytes() == b"mine"
    with pytest.raises(Problem, match="cannot be written"):
        archives.export_project(other, tmp_path / "no" / "folder.zip")


# By command line


def test_the_commands_export_and_open(
    exported: Exported, elsewhere: Session, tmp_path: Path
) -> None:
    opened = told("project", "open", exported.path, "--name", "mine")
    assert (opened.code, opened.err) == (0, "")
    assert opened.out.startswith("Opened 'mine': ") and "1 studies" in opened.out
    done = told("project", "export", "mine", "mine.admix.zip", folder=tmp_path)
    assert done.code == 0 and "Exported 'mine' with" in done.out
    assert told("project", "open", "mine.admix.zip", folder=tmp_path).code == 0
    assert home.find_project("mine (2)")
    bad = told("project", "open", ROOT / "README.md")
    assert bad.code == 2 and bad.err.count("\n") == 0 and "README.md is not a whole" in bad.err
    assert told("project", "open", tmp_path / "nothing.zip").code == 2


def test_a_pool_is_hashed_as_it_was_frozen(exported: Exported, elsewhere: Session) -> None:
    project = exported.open()
    found = pools.of_project(elsewhere.database, project)
    assert len(found) == 3  # of a study, of planned looks, and of the first of them
    assert curate.counts(project)
    with exported.path.open("rb") as file:
        archive = Archive(file, "x")
        bundle_check.read_all(archive)
        assert sorted(archive.names("pools")) == sorted(found)


# On the page


def test_home_opens_an_exported_project(exported: Exported, elsewhere: Session) -> None:
    app = visit("home")
    click(app, "Open it")
    assert "Choose a file first" in words(app)
    app.file_uploader[0].upload("whole.zip", exported.path.read_bytes(), "application/zip")
    click(app, "Open it")
    assert {project.name for project in home.all_projects()} == {"other", "whole"}
    app.file_uploader[0].upload("bad.zip", b"PK", "application/zip")
    click(app, "Open it")
    assert "not a whole archive of a project" in words(app)
