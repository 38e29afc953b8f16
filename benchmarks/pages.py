"""How long does each page take to open in a project of a million samples?

`python benchmarks/pages.py [--samples 1000000] [--runs 3] [--home DIR]`. A home is made with one
project of so many samples, a fifth of them synthetic and every two-hundredth a test row, unless the
folder given has one. The server's part is measured, without a browser: the seconds in which a
page's script runs to its end, the first time and then the median of the others. What is counted
beside a page (on Train what a study would run) is timed for itself.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from streamlit.testing.v1 import AppTest

from benchmarks.annotating import AT_ONCE, LABELS, WORDS
from core import actions
from core.actions import home, train
from core.actions.train import StudyRequest
from core.records import NewSample
from core.store import samples
from core.ui import warm

ROOT = Path(__file__).parents[1]
PROJECT = "large"
REQUEST = StudyRequest(student="tfidf", settings={"n_total": 400})


def made(n: int) -> None:
    """Make the project, unless it is there."""
    if PROJECT in {project.name for project in home.all_projects()}:
        return
    session, rng = actions.start(), np.random.default_rng(1)
    project = home.create_project(PROJECT, "classify", LABELS).id
    for first in range(0, n, AT_ONCE):
        rows = []
        for i, words in enumerate(rng.choice(WORDS, (min(AT_ONCE, n - first), 12)), first):
            text, label = f"{' '.join(words)} {i}", LABELS[int(rng.integers(3))][0]
            split = "test" if i % 200 == 0 else "train"
            source = "synthetic" if i % 5 == 1 else "human"
            rows.append(NewSample({"text": text}, text, label, label, source, split))
        with session.database.write() as cursor:
            samples.add(cursor, project, rows)


def opened(page: str) -> float:
    """Open a page as a new visit does and return the seconds."""
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=600)
    app.switch_page(f"pages/{page}.py")
    app.query_params["project"], app.query_params["who"] = PROJECT, "Ana"
    started = time.perf_counter()
    app.run()
    seconds = time.perf_counter() - started
    assert not app.exception and [title.value for title in app.title], page
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--home", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = given.home or Path(place) / "home"
        os.environ["ADMIX_HOME"] = str(folder)
        actions.start(folder, "a benchmark")
        made(given.samples)
        warm.load()  # as a server does when it starts
        opened("people")  # what the first page of a new server loads
        print("| page | first s | then s |\n| --- | --- | --- |")
        for page in sorted(file.stem for file in (ROOT / "pages").glob("[a-z]*.py")):
            first, *others = [opened(page) for _ in range(1 + given.runs)]
            print(f"| {page} | {first:.2f} | {statistics.median(others):.2f} |", flush=True)
        project, started = home.find_project(PROJECT).id, time.perf_counter()
        while train.outlined(project, REQUEST) is None:
            time.sleep(0.1)
        print(f"(what a study would run, beside the page: {time.perf_counter() - started:.0f} s)")
        actions.stop()


if __name__ == "__main__":
    main()
