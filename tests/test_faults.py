"""Killing the owner at any moment costs no decision that it had acknowledged."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from core.actions import handover
from core.records import NewSample, Project
from core.store import decisions, projects, samples
from core.store.db import open_database
from core.store.samples import Filter

ROOT = Path(__file__).parents[1]

DECIDE = """
import sys
from pathlib import Path
from core.records import Decision
from core.store import decisions
from core.store.db import open_database
from core.store.samples import Filter, page
database = open_database(Path(sys.argv[1]))
for sample in page(database, sys.argv[2], Filter(), 100_000):
    seq = decisions.decide(database, sys.argv[2], Decision(sample.id, "label", "Ana", label="b"))
    print(sample.id, seq, flush=True)
"""


def test_no_acknowledged_decision_is_lost_when_the_owner_is_killed(tmp_path: Path) -> None:
    home = tmp_path / "home"
    database = open_database(home)
    project = projects.create(database, Project("", "p", {"kind": "classify", "labels": []})).id
    rows = [NewSample({"text": f"t{i}"}, f"t{i}", "a", "a", "human", "train") for i in range(2000)]
    with database.write() as cursor:
        samples.add(cursor, project, rows)
    database.close()
    acknowledged: dict[str, int] = {}
    for _ in range(3):
        process = subprocess.Popen(
            [sys.executable, "-c", DECIDE.replace("Filter(),", "Filter(not_decided_by='Ana'),"),
             str(home), project],
            stdout=subprocess.PIPE, text=True, cwd=ROOT,
        )  # fmt: skip
        assert process.stdout is not None
        for _ in range(60):
            sample, seq = process.stdout.readline().split()
            acknowledged[sample] = int(seq)
        process.send_signal(signal.SIGKILL)
        for line in process.stdout:
            if line.endswith("\n"):
                sample, seq = line.split()
                acknowledged[sample] = int(seq)
        process.wait()
    database = open_database(home)
    try:
        found = {
            sample.id: sample
            for sample in samples.page(database, project, Filter(annotator="Ana"), 10_000)
        }
        assert len(acknowledged) >= 180
        assert {sample for sample in acknowledged if found[sample].label != "b"} == set()
        assert {s for s, seq in acknowledged.items() if found[s].revision != seq} == set()
        # At most the decision in flight at each kill is there without its acknowledgement.
        assert len(found) <= len(acknowledged) + 3
        before = samples.page(database, project, Filter(), 10_000)
        decisions.rebuild(database, project)
        assert samples.page(database, project, Filter(), 10_000) == before
    finally:
        database.close()


def test_the_app_says_who_has_the_home_folder(tmp_path: Path, monkeypatch) -> None:
    from streamlit.testing.v1 import AppTest

    home = tmp_path / "home"
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom core.store.db import open_database\n"
        "open_database(Path(sys.argv[1]), 'somebody else')\nprint('open', flush=True)\n"
        "sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(home)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
    )  # fmt: skip
    try:
        assert holder.stdout is not None and holder.stdout.readline() == "open\n"
        monkeypatch.setattr(handover, "SHORT_SECONDS", 0.5)
        monkeypatch.setenv("ADMIX_HOME", str(home))
        app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120).run()
        assert not app.exception
        assert "somebody else" in app.error[0].value and "Use that one" in app.error[0].value
    finally:
        holder.kill()
        holder.wait()


def test_another_address_shows_only_why_it_is_shut(tmp_path: Path, monkeypatch) -> None:
    import streamlit as st
    from streamlit.testing.v1 import AppTest

    monkeypatch.setenv("ADMIX_HOME", str(tmp_path / "home"))
    real = st.get_option
    monkeypatch.setattr(
        st, "get_option", lambda name: "0.0.0.0" if name == "server.address" else real(name)
    )
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120).run()
    assert [title.value for title in app.title] == ["Admix stays shut"]
    assert not (tmp_path / "home").exists()
