"""How much sooner does a sweep finish than the scripts that people write, at what accuracy?

`python benchmarks/sweep.py [frozen|finetune] [--runs 3] [--trials 2] [--size 2000]`. The data are
4,000 human, 4,000 synthetic and 1,000 test texts of some 20 words in 10 classes, put together from
thirds of the demo's texts; 11 shares by 5 seeds, N = 2,000, all-MiniLM-L6-v2.

`frozen` is compared with scikit-learn on sentence embeddings that are encoded in every trial
(sentence-transformers), and with SetFit; `finetune` with the Trainer of transformers, which
tokenises every trial and pads to the longest of a batch, at the same learning rate, epochs and
batch size. Admix runs as users run it: worker processes, encoding, results in the database. The
others run a few of the same trials, one after the other on all cores, and are scaled up to all;
SetFit runs some of its steps only. So does Admix where `finetune` would take hours. They are
installed into an environment of their own, in the folder for temporary files.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from core import actions, encoders
from core.actions import curate, demo, home, imports, pooling, tables, train
from core.formats import write_csv
from core.mixture import Draws, Mixture

SCRIPT = Path(__file__).parent / "peers" / "trainers.py"
PEERS = Path(tempfile.gettempdir()) / "admix-benchmark-trainers"
NEEDS = (
    "sentence-transformers==6.2.0", "setfit==1.2.0", "transformers==5.23.0", "datasets==5.2.0",
    "accelerate==1.15.0", "scikit-learn==1.9.1",
)  # fmt: skip
RATIOS = tuple(round(0.1 * i, 1) for i in range(11))
SEEDS = 5
EPOCHS, BATCH, RATE = 3, 32, 1e-4
COLUMNS = "seconds (median, range), ratio, mean accuracy"
OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "bfloat16": {"precision": "bfloat16"},
    "3 of 6 layers frozen": {"frozen_layers": 3},
    "5 of 6 layers frozen": {"frozen_layers": 5},
}
"""What `finetune` can be told, at other numbers: each is run once."""
SETFIT_STEPS, SETFIT_ALL = 20, 2 * 20 * 2_000 // 16
"""Steps that are run, and those of 20 pairs of each kind for each row, in batches of 16."""


def texts(seed: int, source: Mapping[str, Sequence[str]], n: int) -> list[tuple[str, str]]:
    """Return texts of thirds of others of their class, with the class, in the source's mix."""
    generator = random.Random(seed)
    labels = [label for label, some in source.items() for _ in some]
    made: dict[str, str] = {}
    while len(made) < n:
        label = generator.choice(labels)
        parts = [text.split() for text in generator.choices(source[label], k=3)]
        words = [
            word
            for place, part in enumerate(parts)
            for word in part[place * len(part) // 3 : (place + 1) * len(part) // 3]
        ]
        made.setdefault(" ".join(words), label)
    return list(made.items())


def by_label(name: str) -> dict[str, list[str]]:
    """Return the demo's human texts of a file by class."""
    found: dict[str, list[str]] = defaultdict(list)
    with (demo.FOLDER / name).open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            found[row["label"]].append(row["text"])
    return found


def recorded() -> dict[str, list[str]]:
    """Return the demo's recorded synthetic texts by class."""
    found: dict[str, list[str]] = defaultdict(list)
    for line in (demo.FOLDER / "completions.jsonl").read_text("utf-8").splitlines():
        try:
            items = json.loads(json.loads(line)["text"])["items"]
        except (ValueError, KeyError, TypeError):
            continue  # recorded as unreadable, on purpose
        for item in items:
            found[item["label"]].append(item["text"])
    return found


def project_of(size: int) -> str:
    """Make the project: pools of twice the size of a trial from each source, and the test set."""
    project = home.create_project("sweep").id
    wanted = (
        ("train", "human", texts(1, by_label("human_train.csv"), 2 * size)),
        ("test", "human", texts(2, by_label("human_test.csv"), size // 2)),
        ("train", "synthetic", texts(3, recorded(), 2 * size)),
    )
    for split, source, found in wanted:
        rows = [{"text": text, "label": label} for text, label in found]
        table = imports.read_table("rows.csv", write_csv(["text", "label"], rows).encode())
        taken = {"text": ["text"], "label": ["label"]}
        imports.import_rows(project, imports.prepare(project, table, taken, split, source))
    curate.accept_many(project, "a benchmark", flagged=True)
    return project


def request(student: str, size: int, ratios: Sequence[float], seeds: int) -> train.StudyRequest:
    """Return the sweep."""
    settings = {"n_total": size, "ratios": ratios, "seeds": seeds}
    of_student = {"epochs": EPOCHS, "batch_size": BATCH, "learning_rate": RATE,
                  "development_share": 0.0, "warm_up_share": 0.0}  # fmt: skip
    return train.StudyRequest(
        settings=settings, student=student,
        student_settings=of_student if student == "finetune" else {},
    )  # fmt: skip


def admix(project: str, asked: train.StudyRequest) -> tuple[float, float, int]:
    """Return seconds, mean accuracy and trials of a sweep from nothing cached."""
    session = actions.here()
    with session.database.write() as cursor:
        cursor.execute("DELETE FROM result")
    for file in (session.home / "cache").rglob("*.safetensors"):
        file.unlink()
    started = time.perf_counter()
    study, job = train.launch(project, asked, os.cpu_count() or 1)
    ended = train.wait(job)
    seconds = time.perf_counter() - started
    assert ended.state == "done", ended.message
    rows = tables.table(project, study)
    return seconds, statistics.fmean(row["accuracy"] for row in rows), len(rows)


def scaled(project: str, seconds: float, n_own: int, n: int) -> float:
    """Return what n trials would take where so many took so long.

    Each worker's first trial has the loading in it, which more trials do not repeat.
    """
    workers = os.cpu_count() or 1
    rows = tables.table(project, train.all_studies(project)[0]["id"])
    later = [row["seconds"] for row in rows[workers:]]
    each = statistics.fmean(later) / workers
    return seconds + each * (n - n_own)


def trials_of(project: str, asked: train.StudyRequest, n: int) -> list[dict[str, Any]]:
    """Return some of a sweep's trials as texts and labels, from all along the line."""
    rows, _ = pooling.pool_rows(project)
    draws = Draws(rows, train.task_of(project).strata)
    test = [row for row in rows if row.split == "test"]
    made = []
    for trial in train.outline(project, asked).trials[:n]:
        drawn = [rows[i] for i in draws.draw(Mixture(**trial.mixture), trial.seed)]
        made.append(
            {"train": [row.text for row in drawn], "labels": [row.label for row in drawn],
             "test": [row.text for row in test], "gold": [row.label for row in test]}
        )  # fmt: skip
    return made


def peer(what: str, trials: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Return what a peer's own process says of some trials, None where it cannot be installed."""
    python = PEERS / "bin" / "python"
    if not (PEERS / "done").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(PEERS)], check=True)
        for command in (["torch==2.13.0"], NEEDS):
            install = [str(python), "-m", "pip", "install", "--quiet", *command]
            if subprocess.run(install, check=False).returncode:
                return None
        (PEERS / "done").touch()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "trials.json"
        file.write_text(json.dumps(trials))
        arguments = [encoders.folder_of(encoders.Encoder()), EPOCHS, BATCH, RATE, SETFIT_STEPS]
        done = subprocess.run(
            [str(python), str(SCRIPT), what, *map(str, arguments), str(file)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def line(name: str, seconds: Sequence[float], base: float, accuracy: float | None) -> None:
    """Print one row of the table."""
    middle = statistics.median(seconds)
    told = "" if accuracy is None else f"{accuracy:9.3f}"
    spread = f"{min(seconds):,.0f} to {max(seconds):,.0f}"
    print(f"  {name:44} {middle:9,.0f} {spread:>16} {middle / base:7.1f} {told}")


def frozen(project: str, size: int, runs: int, n_trials: int) -> None:
    """Measure the frozen encoder beside scikit-learn and SetFit."""
    asked = request("frozen", size, RATIOS, SEEDS)
    n = len(RATIOS) * SEEDS
    some = trials_of(project, asked, n_trials)
    ours, theirs, right = [], [], 0.0
    for _ in range(runs):
        seconds, right, _ = admix(project, asked)
        ours.append(seconds)
        if found := peer("sklearn", some):
            theirs.append(found["start"] + statistics.fmean(found["seconds"]) * n)
    base = statistics.median(ours)
    print(f"frozen, {n} trials of {size:,} rows, {runs} runs; {COLUMNS}")
    line("Admix, the whole sweep", ours, base, right)
    if theirs and found:
        line(f"scikit-learn, from {n_trials} trials", theirs, base,
             statistics.fmean(found["accuracy"]))  # fmt: skip
        own = _accuracies(project, n_trials)
        print(f"  accuracy on those {n_trials} trials alone: Admix {own:.3f}")
    if found := peer("setfit", some[:1]):
        scaled = found["seconds"][0] / SETFIT_STEPS * SETFIT_ALL * n
        line(f"SetFit, from {SETFIT_STEPS} steps of {SETFIT_ALL:,} a trial", [scaled], base, None)


def finetune(project: str, size: int, runs: int, n_trials: int) -> None:
    """Measure fine-tuning beside the Trainer, on the same few trials."""
    n = len(RATIOS) * SEEDS
    ratios = RATIOS[:: (len(RATIOS) - 1) // (max(4, n_trials) - 1)]
    asked = request("finetune", size, ratios, 1)
    some = trials_of(project, asked, len(ratios))
    ours, theirs, right, found = [], [], 0.0, None
    for _ in range(runs):
        seconds, right, n_own = admix(project, asked)
        ours.append(scaled(project, seconds, n_own, n))
        if found := peer("trainer", some[:n_trials]):
            theirs.append(statistics.fmean(found["seconds"]) * n)
    base = statistics.median(ours)
    print(f"finetune, {n} trials of {size:,} rows by {EPOCHS} epochs, scaled up from"
          f" {len(ratios)}, {runs} runs; {COLUMNS}")  # fmt: skip
    line(f"Admix, {os.cpu_count()} workers", ours, base, right)
    if theirs and found:
        line(f"Trainer, from {n_trials} trials", theirs, base, statistics.fmean(found["accuracy"]))
        own = _accuracies(project, n_trials)
        print(f"  accuracy on those {n_trials} trials alone: Admix {own:.3f}")
    for name, more in OPTIONS.items():
        settings = {**(asked.student_settings or {}), **more}
        other = train.StudyRequest(
            settings=asked.settings, student="finetune", student_settings=settings
        )
        seconds, right, n_own = admix(project, other)
        total = scaled(project, seconds, n_own, n)
        line(f"Admix, {name}", [total], base, right)


def _accuracies(project: str, n: int) -> float:
    """Return the mean accuracy of the first trials of the newest study."""
    rows = tables.table(project, train.all_studies(project)[0]["id"])
    return statistics.fmean(row["accuracy"] for row in rows[:n])


def main() -> None:
    """Measure, several times in turn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="?", choices=("frozen", "finetune"))
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--trials", type=int, default=2, help="trials of the others that are run")
    parser.add_argument("--size", type=int, default=2_000, help="rows of a trial")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        actions.start(folder, "a benchmark")
        project = project_of(arguments.size)
        for name, measure in (("frozen", frozen), ("finetune", finetune)):
            if arguments.what in (None, name):
                measure(project, arguments.size, arguments.runs, arguments.trials)
        actions.stop()


if __name__ == "__main__":
    main()
