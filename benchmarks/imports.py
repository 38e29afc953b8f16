"""What time and memory does a large CSV take to come in? `python benchmarks/imports.py` says it.

Each in a process of its own: Admix's import (checked, compared with what is there, kept with its
provenance), and beside it what a script would do, pandas reading the file and DuckDB keeping it,
which checks nothing. Peak memory is that of the process, the database's own limit (1 GB) included.
"""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
SIZES = (50, 200)
"""Megabytes of the files."""
SCRIPT = """
import sys, duckdb, pandas
rows = pandas.read_csv(sys.argv[1], keep_default_na=False)
duckdb.connect(sys.argv[2]).execute("CREATE TABLE sample AS SELECT * FROM rows")
"""


def make(file: Path, megabytes: int) -> int:
    """Write a file of texts of 30 words in three classes; return its rows."""
    generator = random.Random(0)
    vocabulary = [f"w{i}" for i in range(5000)]
    size = number = 0
    with file.open("w", encoding="utf-8") as out:
        out.write("text,label\n")
        while size < megabytes * 1_000_000:
            words = " ".join(generator.choices(vocabulary, k=30))
            size += out.write(f"{words} {number},{'abc'[number % 3]}\n")
            number += 1
    return number


def measured(*command: str) -> tuple[float, int]:
    """Return the seconds and the peak megabytes of a command's process."""
    code = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True,"
        " stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL);"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    began = time.perf_counter()
    said = subprocess.run(
        [sys.executable, "-c", code, *command], check=True, capture_output=True, cwd=ROOT
    )
    unit = 1_000_000 if sys.platform == "darwin" else 1_000
    return time.perf_counter() - began, int(said.stdout) // unit


def main() -> None:
    """Measure every size once and print a table."""
    print(f"{'file':>8} {'rows':>10} {'':>10} {'seconds':>8} {'peak MB':>8}")
    for megabytes in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            file, home = Path(folder) / "big.csv", Path(folder) / "home"
            n_rows = make(file, megabytes)
            admix = (sys.executable, "-m", "core", "--home", str(home))
            subprocess.run([*admix, "project", "new", "big"], check=True, cwd=ROOT,
                           stdout=subprocess.DEVNULL)  # fmt: skip
            bring = (*admix, "import", "big", str(file), "--split", "train", "--source", "human")
            script = (sys.executable, "-c", SCRIPT, str(file), str(Path(folder) / "plain.duckdb"))
            for name, command in (("Admix", bring), ("script", script)):
                seconds, peak = measured(*command)
                print(f"{megabytes:>5} MB {n_rows:>10,} {name:>10} {seconds:>8.1f} {peak:>8,}")


if __name__ == "__main__":
    main()
