"""How long does a study of thousands of trials keep people waiting? Medians in milliseconds.

`python benchmarks/studies.py [--trials 10000] [--runs 3] [--growth 1000,3000,10000]
[--sizes 200,2000]`. The pool has 4,000 human and 4,000 synthetic rows of 20 words in 10 classes,
and 1,000 test items; the study has 20 shares with as many seeds as it takes. **Results are made
up**: answers and figures are random numbers, each with 1,000 predictions and ten epochs of losses,
kept through the store in batches as the runner keeps them; nothing is trained.

The engine is measured in processor time, which other work on the machine changes little. Pages are
measured in fresh processes: what they call, one after the other, the first time and the
next, and whole, after the home page has been open (Streamlit's AppTest, without a browser); beside
the time that went by stands the processor time.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from core import actions
from core.actions import budget, curves, home, pooling, results, solvers, tables, train
from core.actions.session import here
from core.budget import Prices
from core.jobs.runner import BATCH
from core.records import NewSample, Result, Source
from core.store import samples, studies

ROOT = Path(__file__).parents[1]
LABELS = tuple(f"class {letter}" for letter in "abcdefghij")
N_SOURCE, N_TEST, N_EXAMPLES, N_WORDS = 4_000, 1_000, 50, 20
SHARES = tuple(round(place / 19, 4) for place in range(20))
Took = tuple[float, float]
TO_COME = 20
"""Trials of a study that are left to come, for what happens while it is at work."""


@contextmanager
def opened(folder: str) -> Iterator[None]:
    """Open a home folder for as long as something is measured in it."""
    actions.start(Path(folder), "a benchmark")
    try:
        yield
    finally:
        actions.stop()


def project_of() -> str:
    """Make a project with its pool: every synthetic row names three of the human examples."""
    project = home.create_project("made up", "classify", [(name, "") for name in LABELS]).id
    generator = random.Random(0)
    words = [f"word{number}" for number in range(3_000)]

    def rows(n: int, split: str, source: Source, shown: Sequence[str] = ()) -> list[NewSample]:
        made = []
        for number in range(n):
            text = " ".join(generator.choices(words, k=N_WORDS))
            label = LABELS[number % len(LABELS)]
            about = {"human_ids": generator.sample(shown, 3)} if shown else {}
            made.append(NewSample({"text": text}, text, label, label, source, split, about))
        return made

    with here().database.write() as cursor:
        human = samples.add(cursor, project, rows(N_SOURCE, "train", "human"))
        samples.add(cursor, project, rows(N_TEST, "test", "human"))
        samples.add(
            cursor, project, rows(N_SOURCE, "train", "synthetic", human[:N_EXAMPLES])
        )  # fmt: skip
        cursor.execute("UPDATE sample_now SET status = 'accepted' WHERE project = ?", [project])
    budget.set_prices(project, Prices(0.05, 0.002))
    return project


def request(n_trials: int, size: int, name: str) -> train.StudyRequest:
    """Return a study of so many trials of so many rows."""
    settings = {"n_total": size, "ratios": SHARES, "seeds": max(1, n_trials // len(SHARES))}
    return train.StudyRequest(settings=settings, student="tfidf", name=name)


def made_up(key: str, share: float, generator: random.Random) -> Result:
    """Return a result that nothing was trained for."""
    level = 0.7 - 0.2 * share**2
    answers = [generator.randrange(len(LABELS)) for _ in range(N_TEST)]

    def figure() -> float:
        return min(1.0, max(0.0, generator.gauss(level, 0.02)))

    per_class = {
        name: {"precision": figure(), "recall": figure(), "f1": figure(), "support": 100}
        for name in LABELS
    }
    epochs = [[1 / (1 + epoch), 1.2 / (1 + epoch)] for epoch in range(10)]
    return Result(
        key=key,
        scores={"accuracy": figure(), "macro_f1": figure(), "weighted_f1": figure(),
                "per_class": per_class, "n_answers": len(LABELS)},
        predicted=answers,
        probabilities=[round(generator.random(), 4) for _ in answers],
        seconds=1.0,
        device="made up",
        n_steps=10,
        about=[{"epochs": epochs, "best_epoch": 8, "is_made_up": True}],
    )  # fmt: skip


def keep(project: str, found: Sequence[Result]) -> float:
    """Keep results in batches as the runner does, and return the processor seconds it took."""
    started = time.process_time()
    for start in range(0, len(found), BATCH):
        with here().database.write() as cursor:
            for result in found[start : start + BATCH]:
                studies.keep_result(cursor, project, result)
    return time.process_time() - started


def grown(n_trials: int, size: int, folder: str) -> dict[str, Any]:
    """Make a study with results in a home folder; return what each part took in seconds."""
    with opened(folder):
        project = project_of()
        pooling.pool_rows(project)
        asked = request(n_trials, size, f"{n_trials} of {size}")
        started = time.process_time()
        train.outline(project, asked)
        planned = time.process_time() - started
        started = time.process_time()
        study = train.create_study(project, asked)
        created = time.process_time() - started
        generator = random.Random(1)
        wanted = studies.trials(here().database, study)[:-TO_COME]
        kept = 0.0
        for start in range(0, len(wanted), 10 * BATCH):
            some = wanted[start : start + 10 * BATCH]
            kept += keep(project, [made_up(t.key, t.synthetic_share, generator) for t in some])
        return {"project": project, "study": study, "n": len(wanted) + TO_COME,
                "plan": planned, "create": created, "keep": kept}  # fmt: skip


def looked(folder: str, project: str, study: str) -> dict[str, list[Took]]:
    """Return milliseconds of everything that the pages call: the first time and the next."""
    from core.ui import answer, plots

    with opened(folder):
        found = curves.curve  # what the figures below are made of
        calls: dict[str, Callable[[], object]] = {
            "studies of the project": lambda: train.all_studies(project),
            "metrics, axes and students": lambda: (
                results.metric_titles(project, study), curves.axes_of(project, study),
                results.lines_of(project, study),
            ),
            "curve": lambda: found(project, study),
            "curve in another metric": lambda: found(project, study, "macro_f1"),
            "curve of F1 of a class": lambda: found(project, study, "class_f1", label=LABELS[1]),
            "figure of the curve": lambda: plots.curve_figure(found(project, study)).to_json(),
            "language models on the test items": lambda: solvers.of_study(project, study),
            "names of all trials": lambda: answer.trial_names(found(project, study)),
            "summary by cell": lambda: tables.summary(project, study),
            "table of trials": lambda: tables.table(project, study),
            "where it stands": lambda: train.status(project, study),
            "table of studies": lambda: train.history(project),
        }  # fmt: skip
        taken = {name: [_ms(call), _ms(call)] for name, call in calls.items()}
        generator = random.Random(2)
        wanted = studies.trials(here().database, study)
        have = studies.figures(here().database, project, study, "accuracy")
        left = [trial for trial in wanted if trial.key not in have][:2]
        after = []
        for trial in left:
            keep(project, [made_up(trial.key, trial.synthetic_share, generator)])
            after.append(
                _ms(lambda: (train.status(project, study),
                             plots.curve_figure(found(project, study)).to_json()))
            )  # fmt: skip
        return {**taken, "live view after another result": after}


def opened_pages(folder: str, project: str, study: str) -> dict[str, list[Took]]:
    """Return milliseconds of whole pages: the first time, the next, and in another metric."""
    from streamlit.testing.v1 import AppTest

    actions.start(Path(folder), "a benchmark")
    made: dict[str, list[Took]] = {"the app opens, on Home": []}
    home_page = AppTest.from_file(str(ROOT / "app.py"), default_timeout=600)
    made["the app opens, on Home"] = [_ms(home_page.run), _ms(home_page.run)]
    for page in ("results", "train"):
        at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=600)
        at.run()
        at.switch_page(f"pages/{page}.py")
        if page == "results":
            at.query_params["study"] = study
        made[f"{page.capitalize()} page"] = [_ms(at.run), _ms(at.run)]
        assert not at.exception, at.exception
    at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=600)
    at.run()
    at.switch_page("pages/results.py")
    at.query_params["study"] = study
    at.run()
    at.selectbox(key="metric").set_value("macro_f1")
    made["Results page in another metric"] = [_ms(at.run), _ms(at.run)]
    at.segmented_control(key="view").set_value("table")
    made["Results page with its tables"] = [_ms(at.run), _ms(at.run)]
    assert not at.exception, at.exception
    actions.stop()
    return made


def refreshed(folder: str, project: str, study: str) -> dict[str, list[float]]:
    """Return the peak memory in MB before and after looking while 20 more results come in."""
    from core.ui import plots

    with opened(folder):
        peaks = [_peak_mb()]
        generator = random.Random(2)
        have = studies.figures(here().database, project, study, "accuracy")
        wanted = studies.trials(here().database, study)
        for trial in [trial for trial in wanted if trial.key not in have]:
            keep(project, [made_up(trial.key, trial.synthetic_share, generator)])
            train.status(project, study)
            plots.curve_figure(curves.curve(project, study)).to_json()
            peaks.append(_peak_mb())
        return {"memory": [peaks[0], peaks[1], peaks[len(peaks) // 2], peaks[-1]]}


LOOKS: dict[str, Callable[[str, str, str], dict[str, Any]]] = {
    "calls": looked, "pages": opened_pages, "memory": refreshed,
}  # fmt: skip


def fresh(what: str, *about: str) -> dict[str, Any]:
    """Return what a process of its own measured."""
    done = subprocess.run(
        [sys.executable, __file__, "--look", what, *about],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(done.stderr[-3000:])
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure(n_trials: int, runs: int, growth: Sequence[int], sizes: Sequence[int]) -> None:
    """Print all tables."""
    print("the engine around trainings: processor seconds, and milliseconds a trial")
    print(f"  {'trials':>8} {'rows':>6} {'plan':>16} {'create':>16} {'keep results':>16}")
    for size in sizes:
        for n in growth:
            found = []
            for _ in range(runs):
                with tempfile.TemporaryDirectory() as folder:
                    found.append(fresh("grow", folder, str(n), str(size)))
            cells = []
            for part in ("plan", "create", "keep"):
                middle = statistics.median(each[part] for each in found)
                cells.append(f"{middle:8.2f} {middle / found[0]['n'] * 1000:7.3f}")
            print(f"  {n:8,} {size:6,} {' '.join(cells)}", flush=True)
    for n in dict.fromkeys((1_000, n_trials)):
        with tempfile.TemporaryDirectory() as folder:
            made = fresh("grow", folder, str(n), str(max(sizes)))
            where = (folder, made["project"], made["study"])
            found: dict[str, list[list[Took]]] = defaultdict(list)
            for _ in range(runs):
                for what in ("pages", "calls"):
                    for name, taken in fresh(what, *where).items():
                        found[name].append(taken)
            memory = fresh("memory", *where)["memory"]
        print(
            f"\n{made['n']:,} trials: milliseconds and those of the processor, first and next time"
        )
        for name, every in found.items():
            cells = [
                f"{statistics.median(wall):9,.0f} {statistics.median(worked):9,.0f}"
                for wall, worked in (
                    zip(*column, strict=True) for column in zip(*every, strict=True)
                )
            ]
            print(f"  {name:36} {'   '.join(cells)}")
        told = " ".join(f"{mb:,.0f}" for mb in memory)
        print(f"  peak memory in MB: start, after 1, 11 and 20 more results: {told}", flush=True)


def _ms(what: Callable[[], object]) -> Took:
    """Return the milliseconds that went by, and those of the processor."""
    started, worked = time.perf_counter(), time.process_time()
    what()
    return (time.perf_counter() - started) * 1000, (time.process_time() - worked) * 1000


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Measure everything, or as one of its processes one part."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--growth", default="1000,3000,10000")
    parser.add_argument("--sizes", default="200,2000")
    parser.add_argument("--look", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.look:
        what, folder, one, other = arguments.look
        if what == "grow":
            made = grown(int(one), int(other), folder)
        else:
            made = LOOKS[what](folder, one, other)
        print(json.dumps(made))
        return
    growth, sizes = (
        [int(number) for number in text.split(",")] for text in (arguments.growth, arguments.sizes)
    )
    measure(arguments.trials, arguments.runs, growth, sizes)


if __name__ == "__main__":
    main()
