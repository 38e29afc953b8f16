"""The command line: bad input is one line and code 2; the app runs what is typed beside it."""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import queue
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from core import actions
from core.__main__ import main, parser_for, run
from core.actions import budget, data, door, exports, following, home, train
from core.actions.session import Session
from core.formats import write_csv
from core.registry import member, member_ids
from core.store.db import open_database
from tests.conftest import planted
from tests.test_import import snapshot

ROOT = Path(__file__).parents[1]
COLUMNS = (
    "study", "trial", "student", "n_total", "n_human", "n_synthetic", "synthetic_share",
    "money_share", "cost_usd", "seed", "accuracy", "macro_f1", "weighted_f1", "seconds", "status",
)  # fmt: skip


@dataclass
class Told:
    """What a command came to, and what it said."""

    code: int
    out: str
    err: str


def told(*words: object, folder: Path = ROOT) -> Told:
    """Run a command in the home folder that is open here."""
    said: dict[bool, list[str]] = {False: [], True: []}
    code = run([str(word) for word in words], folder, lambda line, err: said[err].append(line))
    return Told(code, "\n".join(said[False]), "\n".join(said[True]))


def typed(folder: Path, *words: object, **environment: str) -> Told:
    """Run a command as a person does, in a process and a folder of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "core", *map(str, words)], cwd=folder, check=False,
        capture_output=True, timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8", **environment},
    )  # fmt: skip
    return Told(done.returncode, done.stdout.decode(), done.stderr.decode())


def said_here(capsys: pytest.CaptureFixture[str], *words: object) -> Told:
    """Run a whole command in this process, which opens and closes the home folder."""
    capsys.readouterr()
    code = main([str(word) for word in words])
    return Told(code, *capsys.readouterr())


def write(path: Path, rows: list[dict[str, str]]) -> Path:
    path.write_text(write_csv(["text", "label"], rows), encoding="utf-8", newline="")
    return path


# Help


def all_commands() -> list[tuple[str, ...]]:
    def below(parser: argparse.ArgumentParser, words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        yield words
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                for name, sub in action.choices.items():
                    yield from below(sub, (*words, name))

    return list(below(parser_for(ROOT, lambda line, err: None), ()))


@pytest.mark.parametrize("words", all_commands())
def test_every_command_has_help(words: tuple[str, ...]) -> None:
    found = told(*words, "--help")
    assert (found.code, found.err) == (0, "")
    assert found.out.startswith(" ".join(("usage: python -m core", *words)))


def test_every_field_of_a_member_is_an_option_with_its_description() -> None:
    helps = {"generate": ("providers", "strategies"), "study run": ("studies", "students")}
    for command, families in helps.items():
        text = " ".join(told(*command.split(), "--help").out.split())
        for family in families:
            for name in member_ids(family):
                for field in member(family, name).model_fields:
                    assert "--" + field.replace("_", "-") in text, (name, field)


def test_help_and_parse_errors_open_nothing_and_reach_nobody(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("a home folder was asked for")

    monkeypatch.setattr(following.session, "start", never)
    monkeypatch.setattr(door, "send", never)
    assert main(["study", "run", "--help"]) == 0
    assert "--n-total" in capsys.readouterr().out
    for words in ([], ["frobnicate"], ["study"], ["generate", "p", "--provider", "nobody"]):
        assert main(words) == 2
        found = capsys.readouterr()
        assert found.out == "" and found.err.count("\n") == 1


# Bad input

LOCAL = "generate p --provider openai_compatible --model m"
BAD = {
    "": "the following arguments are required: COMMAND",
    "frobnicate": "invalid choice: 'frobnicate'",
    "project": "required: WHAT",
    "project new": "required: NAME",
    "project new ''": "A project needs a name",
    "project new '  '": "A project needs a name",
    "project new p": "There is a project called 'p' already",
    "project new q --task nothing": "invalid choice: 'nothing'",
    "project new q --labels a,a": "'a' is there twice",
    "project new q --labels a,,b": "A label has no name",
    "project new q --labels nowhere.txt": "'nowhere.txt' is neither a file nor labels",
    "project new q --labels .": "'.' is neither a file nor labels",
    "project new q --labels latin.txt": "latin.txt is not UTF-8: row 2",
    "project new q --labels empty.txt": "empty.txt holds no label",
    "project new q --labels nul.txt": "nul.txt is not a text file",
    "project delete p": "Add --yes",
    "project delete q": "no project called 'q'. Projects: 'p'",
    "import q good.csv --split train --source human": "no project called 'q'",
    "import p nowhere.csv --split train --source human": "nowhere.csv: No such file or directory",
    "import p . --split train --source human": "files holds no .ann file",
    "import p folder.csv --split train --source human": "folder.csv holds no .ann file",
    "import p '' --split train --source human": "argument FILE: the name is empty",
    "import p /dev/zero --split train --source human": "cannot tell the format",
    "import p mixed.csv --split train --source human": "mixed.csv is not UTF-8: row 3",
    "import p bad.csv --split train --source human": "no text (row 4); a label outside",
    "import p good.csv --split dev --source human": "'dev' is not a split",
    "import p good.csv --split test --source synthetic": "takes human-labelled rows only",
    "import p good.csv --split train --source robot": "invalid choice: 'robot'",
    "import p good.csv --split train": "does not say where its rows come from",
    "import p good.csv --split train --source human --text nope": "no column 'nope'. It has: text",
    "import p good.csv --split train --source human --label ''": "no column ''",
    "import p odd.csv --split train --source human": "Which column is the text? odd.csv has: a, b",
    "import p good.csv --split train --source human --verbose": "unrecognized arguments: --verbose",
    "import p good.csv --spl train --source human": "unrecognized arguments: --spl",
    "generate q --provider recorded": "no project called 'q'",
    "generate p --provider nobody": "invalid choice: 'nobody'",
    "generate p": "required: --provider",
    "generate p --provider recorded --strategy none": "invalid choice: 'none'",
    "generate p --provider recorded --per-class 0": "'0' is not a whole number from 1",
    "generate p --provider recorded --per-class -3": "'-3' is not a whole number from 1",
    "generate p --provider recorded --per-class 1.5": "'1.5' is not a whole number",
    "generate p --provider recorded --per-class ten": "'ten' is not a whole number",
    "generate p --provider recorded --per-class 99999999": "is not a whole number from 1 to 1",
    "generate p --provider recorded --max-usd -1": "'-1' is not an amount",
    "generate p --provider recorded --max-usd nan": "'nan' is not an amount",
    "generate p --provider recorded --temperature hot": "--temperature: ",
    "generate p --provider recorded --temperature 9": "--temperature: ",
    "generate p --provider recorded --n-items 0": "--n-items: ",
    "generate p --provider recorded --run-seed -1": "'-1' is not a whole number from 0",
    "generate p --provider recorded --usd-per-mtok 1": "'1' is not a price",
    "generate p --provider recorded --usd-per-mtok nan,1": "'nan,1' is not a price",
    "generate p --provider recorded --recording ../../etc": "--recording: ",
    "generate p --provider recorded --recording nowhere": "There is no recording 'nowhere'",
    "generate p --provider recorded --base-url x": "--base-url is no option of recorded",
    "generate p --provider openai_chat": "OpenAI needs a key in OPENAI_API_KEY",
    "generate p --provider openai_compatible": "--base-url: is needed",
    f"{LOCAL} --base-url http://me:hunter2@x": "--base-url: give an address such as",
    f"{LOCAL} --base-url http://127.0.0.1:1/v1 --max-usd 1": "A cap needs a price",
    "accept p": "one of the arguments --all --class --ids is required",
    "accept q --all": "no project called 'q'",
    "accept p --class zebra": "'zebra' is not one of the labels. Labels: sea, sky, soil",
    "accept p --ids nobody": "'nobody' is not a pending pseudo-sample",
    "accept p --ids": "argument --ids: expected at least one argument",
    "accept p --all --class sea": "not allowed with argument --all",
    "study run q ratio_sweep": "no project called 'q'",
    "study run p nothing": "invalid choice: 'nothing'",
    "study run p ratio_sweep --student nobody": "invalid choice: 'nobody'",
    "study run p ratio_sweep --ratios abc": "--ratios: ",
    "study run p ratio_sweep --ratios 0,0.5,": "--ratios: ",
    "study run p ratio_sweep --ratios 0,1.5": "--ratios: every share lies between 0 and 1",
    "study run p ratio_sweep --ratios=-0.1": "--ratios: every share lies between 0 and 1",
    "study run p ratio_sweep --ratios nan": "--ratios: every share",
    "study run p ratio_sweep --seeds 0": "--seeds: ",
    "study run p ratio_sweep --n-total 1": "--n-total: ",
    "study run p ratio_sweep --n-total many": "--n-total: ",
    "study run p ratio_sweep --hold tight": "invalid choice: 'tight'",
    "study run p ratio_sweep --classes first": "invalid choice: 'first'",
    "study run p ratio_sweep --workers 0": "'0' is not a whole number from 1",
    "study run p ratio_sweep --human-usd free": "'free' is not an amount",
    "study run p ratio_sweep --student tfidf --encoder x": "--encoder is no option of ratio_sweep",
    "study run p ratio_sweep --student tfidf": "There is no test split",
    "study run p ratio_sweep --student tfidf --vary depth=1": "tfidf has no setting 'depth'",
    "study run p ratio_sweep --student tfidf --vary C=": "'C=' names no value",
    "study run p ratio_sweep --student tfidf --vary C=1,-1": "C -1: should be greater than",
    "study run p ratio_sweep --student tfidf --preset x": "'tfidf' has no preset 'x'",
    "study run p ratio_sweep --student finetune --preset x": "Choose one of: values, responses",
    "study run p ratio_sweep --student tfidf --human-usd 1": "There is no test split",
    "study show q": "no project called 'q'",
    "study show p": "There is no study yet",
    "study show p nothing": "'p' has no study 'nothing'. Studies: none yet",
    "study show p ''": "'p' has no study ''",
    "study show p --format xml": "invalid choice: 'xml'",
    "export q all.csv": "no project called 'q'",
    "export p all.txt": "Cannot export to .txt",
    "export p nowhere/all.csv": "nowhere/all.csv cannot be written: No such file or directory",
    "export p folder.csv": "folder.csv is a folder",
    "export p": "required: FILE",
    "backup folder.csv": "folder.csv exists already",
    "backup good.csv/x": "",
    "backup /proc/nowhere/x": "There is no folder /proc/nowhere",
    "demo --now": "unrecognized arguments: --now",
    "project list 'two\nlines'": "unrecognized arguments: two lines",
    "--home": "argument --home: expected one argument",
    "--home '' project list": "argument --home: the name is empty",
    "--home ~no_such_person/x project list": "argument --home: ",
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with good files and bad ones."""
    made = tmp_path / "files"
    made.mkdir()
    (made / "folder.csv").mkdir()
    for name, content in {
        "good.csv": b"text,label\nwave,sea\nwind,sky\nclay,soil\n",
        "bad.csv": b"text,label\nwave,sea\nstripes,zebra\n,sky\n",
        "odd.csv": b"a,b\nx,y\n",
        "mixed.csv": "text,label\nnaïve café,sea\n".encode() + "café,sea\n".encode("latin-1"),
        "latin.txt": "sea\ncafé\n".encode("latin-1"),
        "empty.txt": b"\n",
        "nul.txt": b"a\x00\nb\n",
    }.items():
        (made / name).write_bytes(content)
    return made


def test_bad_input_is_one_line_and_changes_nothing(session: Session, folder: Path) -> None:
    import shlex

    home.create_project("p", labels=[("sea", ""), ("sky", ""), ("soil", "")])
    before = snapshot(session.database)
    files = sorted(folder.rglob("*"))
    for words, said in BAD.items():
        found = told(*shlex.split(words), folder=folder)
        assert (found.code, found.out) == (2, ""), words
        assert said in found.err and found.err.strip(), (words, found.err)
        assert "\n" not in found.err and "hunter2" not in found.err, (words, found.err)
        assert snapshot(session.database) == before, words
    assert sorted(folder.rglob("*")) == files
    assert not list((session.home / "backups").iterdir())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--home", "good.csv", "project", "list"], "is not a folder"),
        (["import", "X", b"caf\xe9.csv"], "is not UTF-8"),
    ],
)
def test_a_person_who_mistypes_sees_no_traceback(
    folder: Path, tmp_path: Path, words: list[str | bytes], said: str
) -> None:
    decoded = [word if isinstance(word, str) else os.fsdecode(word) for word in words]
    found = typed(folder, *decoded, ADMIX_HOME=str(tmp_path / "home"))
    assert (found.code, found.out) == (2, "")
    assert said in found.err and found.err.count("\n") == 1


def test_a_database_that_cannot_be_opened_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "admix.duckdb").write_bytes(b"not a database")
    assert main(["--home", str(broken), "project", "list"]) == 2
    found = capsys.readouterr().err
    assert "admix.duckdb cannot be opened" in found and found.count("\n") == 1
    assert (broken / "admix.duckdb").read_bytes() == b"not a database"


# What good input does


def test_labels_come_from_a_list_or_a_file_beside_the_person(
    session: Session, tmp_path: Path
) -> None:
    (tmp_path / "labels.txt").write_bytes(
        "\ufeffjoy\tThe writer: is glad.\r\nanger: The writer is cross.\r\n\r\nこわい\r\n".encode()
    )
    assert told("project", "new", "one", "--labels", "labels.txt", folder=tmp_path).code == 0
    found = data.labels(home.find_project("one").id)
    assert [(label.name, label.definition) for label in found] == [
        ("joy", "The writer: is glad."), ("anger", "The writer is cross."), ("こわい", ""),
    ]  # fmt: skip
    # As many as banking77 has, which is longer than a file's name may be.
    many = [f"label_number_{i}" for i in range(77)]
    assert told("project", "new", "two", "--labels", " , ".join(many)).code == 0
    assert data.label_names(home.find_project("two").id) == tuple(many)
    assert told("project", "new", "three").out == (
        "Started project 'three'; labels: those of the first train file."
    )


def test_an_import_reports_what_came_in_and_what_did_not(session: Session, tmp_path: Path) -> None:
    told("project", "new", "p")
    (tmp_path / "f.csv").write_text("tweet,kind\nwave,sea\nwave,sea\nwind,sky\nmist,\n")
    found = told(
        "import", "p", "f.csv", "--split", "train", "--source", "human", "--label", "kind",
        folder=tmp_path,
    )  # fmt: skip
    assert (found.code, found.out.splitlines()) == (0, [
        "Imported 4 rows of f.csv into train (text: 'tweet', label: 'kind').",
        "  sea: 2", "  sky: 1", "  without a label: 1",
        "Labels of the task: sea, sky.",
    ])  # fmt: skip
    assert found.err == "Note: exact duplicates of other rows (row 3)"
    (tmp_path / "g.jsonl").write_text('{"text": "sail", "label": "sea"}\n{"text": 3}\n{\n')
    words = ["import", "p", "g.jsonl", "--split", "test", "--source", "human"]
    assert told(*words, folder=tmp_path).code == 2
    found = told(*words, "--skip-bad-rows", folder=tmp_path)
    assert found.code == 0 and "Imported 1 rows" in found.out
    assert "(row 2)" in found.err and "(row 3)" in found.err
    found = told(*words, "--skip-bad-rows", folder=tmp_path)
    assert found.code == 2 and "it is sealed" in found.err


def test_accept_takes_a_class_or_ids_and_leaves_what_is_flagged(
    session: Session, tmp_path: Path
) -> None:
    told("project", "new", "p", "--labels", "sea,sky,soil")
    rows = sorted(planted(3), key=lambda row: row["label"])
    file = write(tmp_path / "f.csv", [*rows, rows[0]])
    told("import", "p", file, "--split", "train", "--source", "synthetic")
    assert told("accept", "p", "--class", "sky").out == "Accepted 3 pseudo-samples."
    project = home.find_project("p").id
    ids = [row["id"] for row in exports.export_rows(project) if row["status"] == "pending"][:2]
    assert told("accept", "p", "--ids", ids[0], ids[1]).out == "Accepted 2 pseudo-samples."
    left = told("accept", "p", "--all").out.splitlines()
    assert left == ["Accepted 4 pseudo-samples.", "  left pending, flagged by duplicates: 1"]
    assert told("accept", "p", "--all", "--flagged").out == "Accepted 1 pseudo-samples."
    assert told("accept", "p", "--all").code == 0


@pytest.mark.executor("inline")
def test_prices_stay_with_a_study_that_starts_and_go_with_one_that_does_not(
    project: str, session: Session
) -> None:
    words = ["study", "run", "planted", "ratio_sweep", "--student", "tfidf", "--ratios", "0"]
    prices = ["--human-usd", "0.1", "--synthetic-usd", "0.01"]
    before = budget.prices(project)
    assert told(*words, *prices, "--n-total", "5000").code == 2
    assert budget.prices(project) == before
    assert not train.all_studies(project)
    assert told(*words, *prices, "--n-total", "10", "--seeds", "1").code == 0
    assert budget.prices(project).human_usd == 0.1


def test_a_recording_of_another_task_is_refused_before_a_run(
    project: str, session: Session
) -> None:
    found = told("generate", "planted", "--provider", "recorded", "--per-class", "5")
    assert found.code == 2 and found.out == ""
    assert "Recorded example has nothing for 'sea'" in found.err


def test_home_folders_agree_and_none_gets_the_demo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["--home", "new/home", "project", "new", "one", "--labels", "a,b"]) == 0
    monkeypatch.setenv("ADMIX_HOME", "new/home")
    assert main(["project", "new", "two"]) == 0
    monkeypatch.setenv("ADMIX_HOME", str(tmp_path / "new" / "home"))
    capsys.readouterr()
    assert main(["project", "list"]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in listed] == ["one", "two"]
    assert main(["--home", "other", "project", "list"]) == 0
    assert capsys.readouterr().out == ""
    assert stat.S_IMODE((tmp_path / "new" / "home").stat().st_mode) == 0o700


def test_a_reader_that_leaves_and_a_narrow_terminal_are_no_errors(tmp_path: Path) -> None:
    code = (
        "import os, subprocess, sys\nout, gone = os.pipe()\nos.close(out)\n"
        "done = subprocess.run([sys.executable, '-m', 'core', 'study', 'run', '--help'],"
        " stdout=gone, stderr=subprocess.PIPE)\nprint(done.returncode, done.stderr)"
    )
    left = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert left.stdout == "141 b''\n"
    found = typed(
        ROOT, "--home", tmp_path / "h", "project", "new", "x", "--labels", "é,ü",
        PYTHONIOENCODING="ascii",
    )  # fmt: skip
    assert (found.code, found.err) == (0, "") and r"labels: \xe9, \xfc." in found.out


# While the app has the home folder open

APP = """
import sys
from pathlib import Path
from core import actions
from core.__main__ import run
from core.actions import door
session = actions.start(sys.argv[1], "the app")
print(door.serve(session.home, run), flush=True)
sys.stdin.read()
"""


@dataclass
class App:
    """A process that holds a home folder as the app does."""

    home: Path
    process: subprocess.Popen[str]
    serves: bool

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def start_app(path: Path) -> App:
    process = subprocess.Popen(
        [sys.executable, "-c", APP, str(path)],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    return App(path, process, process.stdout.readline() == "True\n")


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[App]:
    monkeypatch.setenv("ADMIX_HOME", str(tmp_path / "home"))
    started = start_app(tmp_path / "home")
    yield started
    started.kill()


def sent(app: App, *words: object, folder: Path = ROOT) -> Told:
    """Send a command to the app as another process would."""
    said: dict[bool, list[str]] = {False: [], True: []}
    code = door.send(
        app.home, [str(word) for word in words], folder, lambda line, err: said[err].append(line)
    )
    assert code is not None
    return Told(code, "\n".join(said[False]), "\n".join(said[True]))


def test_a_command_typed_beside_the_app_is_run_by_it(app: App, tmp_path: Path) -> None:
    assert app.serves
    assert stat.S_IMODE((app.home / "commands.sock").stat().st_mode) == 0o600
    desk = tmp_path / "desk"
    desk.mkdir()
    (desk / "labels.txt").write_text("sea\nsky\nsoil\n")
    write(desk / "train.csv", planted(4))
    found = typed(desk, "project", "new", "p", "--labels", "labels.txt")
    assert found == Told(0, "Started project 'p'; labels: sea, sky, soil.\n", "")
    words = ["import", "p", "train.csv", "--split", "train", "--source", "human"]
    assert typed(desk, *words).out.startswith("Imported 12 rows of train.csv into train")
    found = typed(desk, *words[:2], "nowhere.csv", *words[3:])
    assert found == Told(2, "", f"{desk / 'nowhere.csv'}: No such file or directory.\n")
    assert typed(desk, "--home", app.home, "export", "p", "all.jsonl").code == 0
    assert len((desk / "all.jsonl").read_bytes().splitlines()) == 12
    assert sent(app, "backup", "copy.duckdb", folder=desk).code == 0
    assert open_copy(desk / "copy.duckdb", tmp_path) == ["p"]


def open_copy(path: Path, tmp_path: Path) -> list[str]:
    """Return the names of the projects in a backup, opened as a home folder."""
    (tmp_path / "copy").mkdir()
    path.rename(tmp_path / "copy" / "admix.duckdb")
    database = open_database(tmp_path / "copy")
    with database.read() as cursor:
        names = [row[0] for row in cursor.execute("SELECT name FROM project").fetchall()]
    database.close()
    return names


def test_what_goes_wrong_at_the_app_comes_back_as_here(
    app: App, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["study", "show", "X", "--format", "json"]) == 2
    found = capsys.readouterr()
    assert (found.out, found.err) == ("", "There is no project called 'X'. Projects: none yet.\n")


def test_a_person_who_stops_waiting_is_told_that_the_app_goes_on(
    app: App, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(door, "send", interrupted)
    assert main(["project", "list"]) == 130
    assert capsys.readouterr().err == "Left; the app goes on with what it has begun.\n"


def test_two_commands_at_once_both_work(app: App, tmp_path: Path) -> None:
    found: dict[str, Told] = {}

    def one(name: str, seed: int) -> None:
        file = write(tmp_path / f"{name}.csv", planted(200, seed))
        sent(app, "project", "new", name)
        words = ["import", name, file.name, "--split", "train", "--source", "synthetic"]
        found[name] = sent(app, *words, folder=tmp_path)

    threads = [threading.Thread(target=one, args=(f"p{i}", i)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert all("Imported 600 rows" in one.out for one in found.values()), found
    assert sent(app, "project", "list").out.count("600 pending") == 4


def raw(app: App, line: bytes) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(30)
    client.connect(str(app.home / "commands.sock"))
    client.sendall(line)
    return client


def test_a_client_that_goes_away_leaves_its_work_and_the_app_going(
    app: App, tmp_path: Path
) -> None:
    sent(app, "project", "new", "p")
    for split, seed in (("train", 1), ("test", 2)):
        write(tmp_path / "f.csv", planted(20, seed))
        sent(app, "import", "p", "f.csv", "--split", split, "--source", "human", folder=tmp_path)
    words = ["study", "run", "p", "ratio_sweep", "--student", "tfidf", "--n-total", "20",
             "--ratios", "0", "--seeds", "3"]  # fmt: skip
    client = raw(app, json.dumps({"words": words, "folder": "/"}).encode() + b"\n")
    assert client.recv(1)
    client.close()
    for junk in (b"", b"\n", b"{}\n", b"[]\n", b"\xff\n", b'{"words": 3, "folder": []}\n', b"half"):
        raw(app, junk).close()
    deadline = time.monotonic() + 60
    while "done" not in sent(app, "study", "show", "p", "--format", "csv").out:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert app.process.poll() is None


def test_an_app_that_is_killed_is_said_and_its_socket_hurts_nobody(
    app: App, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sent(app, "project", "new", "p", "--labels", "a,b")
    # It reads a pipe that nobody writes to, and is killed while it waits.
    os.mkfifo(tmp_path / "wait.csv")
    words = ["import", "p", str(tmp_path / "wait.csv"), "--split", "train", "--source", "human"]
    threading.Timer(0.5, app.kill).start()
    assert main(words) == 1
    assert capsys.readouterr().err == "The app went away before the command ended.\n"
    assert (app.home / "commands.sock").exists()
    app.process.wait()  # until then the dying one holds the lock
    assert main(["project", "list"]) == 0
    assert capsys.readouterr().out.startswith("p: 0 human")
    # An owner that takes no commands, beside the socket of the app that is gone.
    actions.start(app.home, "a long command")
    try:
        beside = typed(ROOT, "project", "list")
    finally:
        actions.stop()
    assert beside.code == 2 and beside.err.count("\n") == 1
    assert "is open in a long command (process" in beside.err and "stop it first" in beside.err
    again = start_app(app.home)
    assert again.serves and sent(again, "project", "list").code == 0
    again.kill()


def test_a_home_with_too_long_a_name_says_who_has_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    started = start_app(tmp_path / ("long" * 30))
    assert not started.serves
    assert main(["--home", str(started.home), "project", "list"]) == 2
    found = capsys.readouterr().err
    assert "is open in the app (process" in found and found.count("\n") == 1
    started.kill()


def test_what_is_no_socket_of_ours_is_not_spoken_to(tmp_path: Path) -> None:
    assert door.send(tmp_path, ["demo"], tmp_path, lambda line, err: None) is None
    (tmp_path / "commands.sock").write_text("not a socket")
    assert door.send(tmp_path, ["demo"], tmp_path, lambda line, err: None) is None
    (tmp_path / "commands.sock").unlink()
    (tmp_path / "commands.sock").mkdir()
    assert door.serve(tmp_path, lambda words, folder, say, job, follows: 0) is False


def test_a_command_that_breaks_costs_the_door_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged: queue.Queue[object] = queue.Queue()
    monkeypatch.setattr(threading, "excepthook", lambda args: logged.put(args.exc_value))

    def run_or_break(words: object, folder: Path, say: door.Say, *_: object) -> int:
        if words == ["break"]:
            raise ValueError("a fault in Admix")
        say(f"in {folder}", False)
        return 7

    assert door.serve(tmp_path, run_or_break)
    said: list[str] = []

    def send(word: str) -> int | None:
        return door.send(tmp_path, [word], tmp_path, lambda line, err: said.append(line))

    assert [send("break"), send("go")] == [door.BROKEN_OFF, 7]
    assert said == ["The app went away before the command ended.", f"in {tmp_path}"]
    # Whoever asked hears that the line is cut before the thread has told what broke it.
    assert str(logged.get(timeout=30)) == "a fault in Admix"
    assert logged.empty()


# One story


def test_a_study_from_nothing_to_a_backup(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What takes or makes much is a process of its own, as a person starts it."""
    monkeypatch.chdir(tmp_path)
    admix = "--home", tmp_path / "home"
    demo = ROOT / "data" / "demo"
    assert said_here(capsys, *admix, "project", "new", "values", "--task", "classify").code == 0
    for split, n in (("train", 485), ("test", 400)):
        found = typed(
            tmp_path, *admix, "import", "values", demo / f"human_{split}.csv", "--split", split,
            "--source", "human", "--text", "text", "--label", "label",
        )  # fmt: skip
        assert found.code == 0 and f"Imported {n} rows" in found.out
    found = typed(
        tmp_path, *admix, "generate", "values", "--provider", "recorded", "--strategy", "few_shot",
        "--per-class", 10, "--temperature", 0.7, "--max-usd", 5,
    )  # fmt: skip
    assert found.code == 0, found.err
    n_made = int(found.out.split()[0])
    n_flagged = sum(int(found.out.split()[i]) for i in (2, 4))
    assert n_made - n_flagged >= 100
    found = said_here(capsys, *admix, "accept", "values", "--all")
    n_accepted = int(found.out.split()[1])
    assert found.code == 0 and n_made - n_flagged <= n_accepted <= n_made
    sweep = [
        "study", "run", "values", "ratio_sweep", "--student", "tfidf", "--n-total", 100,
        "--ratios", "0,0.4,0.8", "--seeds", 3, "--hold", "total", "--classes", "natural",
        "--workers", 2, "--study-name", "first",
    ]  # fmt: skip
    found = typed(tmp_path, *admix, *sweep)
    assert found.code == 0, found.err
    assert "Study 'first'" in found.out and len(found.out.splitlines()) == 5

    shown = said_here(capsys, *admix, "study", "show", "values", "--format", "json")
    rows = json.loads(shown.out)
    assert [tuple(row) for row in rows] == [COLUMNS] * 9
    assert {(row["study"], row["student"], row["status"]) for row in rows} == {
        ("first", "tfidf", "done")
    }
    assert {(row["n_human"], row["n_synthetic"], row["n_total"]) for row in rows} == {
        (100, 0, 100), (60, 40, 100), (20, 80, 100),
    }  # fmt: skip
    assert {row["seed"] for row in rows} == {0, 1, 2} and len({r["trial"] for r in rows}) == 9
    assert all(0 < row["accuracy"] <= 1 and row["seconds"] > 0 for row in rows)
    assert sum(row["accuracy"] for row in rows) / 9 > 0.12  # of ten classes
    table = said_here(capsys, *admix, "study", "show", "values", "first", "--format", "csv").out
    by_csv = list(csv.DictReader(io.StringIO(table, newline="")))
    assert [float(row["accuracy"]) for row in by_csv] == [row["accuracy"] for row in rows]
    assert tuple(by_csv[0]) == COLUMNS
    table = said_here(capsys, *admix, "study", "show", "values").out
    assert len(table.splitlines()) == 12 and "accuracy" in table and "plateau" in table

    found = said_here(capsys, *admix, "export", "values", "all.csv")
    assert found.out == f"Exported {885 + n_made} samples to {tmp_path / 'all.csv'}.\n"
    with (tmp_path / "all.csv").open(encoding="utf-8", newline="") as file:
        out = list(csv.DictReader(file))
    assert len(out) == 885 + n_made
    assert {row["label"] for row in out} == {row["label"] for row in out if row["split"] == "test"}
    found = typed(tmp_path, *admix, "backup", "copy.duckdb")
    assert (found.code, found.err) == (0, "")
    assert open_copy(tmp_path / "copy.duckdb", tmp_path) == ["values"]


# Where tests run in the background of a shell, Ctrl-C is ignored, and so it is in their processes.
AT_A_TERMINAL = """
import runpy, signal
signal.signal(signal.SIGINT, signal.default_int_handler)
runpy.run_module("core", run_name="__main__", alter_sys=True)
"""


def test_a_study_that_is_interrupted_goes_on_where_it_was(
    project: str, session: Session, tmp_path: Path
) -> None:
    actions.stop()
    words = ["study", "run", "planted", "ratio_sweep", "--student", "tfidf", "--n-total", "40",
             "--ratios", "0,0.5,1", "--seeds", "200"]  # fmt: skip
    running = subprocess.Popen(
        [sys.executable, "-c", AT_A_TERMINAL, *words], cwd=ROOT, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "ADMIX_HOME": str(session.home)},
    )  # fmt: skip
    assert running.stderr is not None
    while " of 600 trials" not in (line := running.stderr.readline()) or " 0 of" in line:
        assert running.poll() is None
    running.send_signal(signal.SIGINT)
    rest = running.stderr.read()
    assert running.wait(30) == 130 and rest.endswith("Stopped; what was finished is kept.\n")
    actions.start(session.home, "a test")
    shown = json.loads(told("study", "show", "planted", "--format", "json").out)
    states = [row["status"] for row in shown]
    assert 0 < states.count("done") < 600


def test_another_python_is_told_which_one_to_use() -> None:
    # Without site-packages, as a Python that Admix was never installed for.
    command = [sys.executable, "-I", "-S", "-c",
               f"import sys; sys.path.insert(0, {str(ROOT)!r}); import runpy;"
               " runpy.run_module('core', run_name='__main__')"]  # fmt: skip
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert len(ended.stderr.splitlines()) == 1
    assert ".venv/bin/python" in ended.stderr
