"""How fast, how complete and how large is the search for duplicates, beside others' searches?

`python benchmarks/duplicates.py [--texts 100000] [--runs 3]`. Texts of 20 words drawn as words are
in a language (Zipf), one in ten a copy of an earlier text with one word changed, one in twenty with
its words in another order, and one in ten with six words changed, which is no near duplicate. What
is looked for is known: an earlier text with at least 0.8 of the words in common. Each search runs
in a process of its own: Admix's check as an import runs it; datasketch's MinHash LSH with 128
permutations at 0.8; and semhash at its own 0.9, with a random vector per word in place of its
model, which has to be downloaded. The others are installed into an environment of their own, in the
folder for temporary files; without a network they are left out. Peak memory includes the texts.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
PEERS = Path(tempfile.gettempdir()) / "admix-benchmark-peers"
NEEDS = ("datasketch==2.0.0", "semhash==0.5.0")
NAMES = ("Admix", "datasketch", "semhash")
WORDS, LENGTH, NEAR = 50_000, 20, 0.8


def make(n: int) -> tuple[list[str], dict[int, int]]:
    """Return texts, and which were made from an earlier one, by their numbers."""
    import numpy as np

    draw, generator = np.random.default_rng(0), random.Random(0)
    weights = 1 / np.arange(1, WORDS + 1)
    drawn = draw.choice(WORDS, size=(n, LENGTH), p=weights / weights.sum())
    texts: list[list[int]] = []
    planted: dict[int, int] = {}
    for number, row in enumerate(drawn.tolist()):
        kind = generator.random() if number else 1.0
        if kind < 0.25:
            planted[number] = generator.randrange(number)
            words = list(texts[planted[number]])
            n_changed = 1 if kind < 0.10 else 0 if kind < 0.15 else 6
            for place in generator.sample(range(LENGTH), n_changed):
                words[place] = generator.randrange(WORDS)
            if not n_changed:
                generator.shuffle(words)
            texts.append(words)
        else:
            texts.append(row)
    return [" ".join(f"w{word}" for word in words) for words in texts], planted


def admix(texts: list[str]) -> dict[int, int]:
    """Return by its number every text that is flagged, with the text it is close to."""
    sys.path.insert(0, str(ROOT))
    from core.checks.base import Item
    from core.checks.duplicates import Duplicates

    items = [Item(str(number), text) for number, text in enumerate(texts)]
    found = Duplicates().start([]).judge(items)
    return {int(one.sample): int(one.close_to) for one in found if one.is_flagged and one.close_to}


def datasketch(texts: list[str]) -> dict[int, int]:
    """Return the same by MinHash LSH, each candidate pair checked by the words in common."""
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(threshold=NEAR, num_perm=128)
    bags = [frozenset(text.split()) for text in texts]
    found: dict[int, int] = {}
    hashes = MinHash.generator([[word.encode() for word in bag] for bag in bags], num_perm=128)
    for number, hashed in enumerate(hashes):
        for other in index.query(hashed):
            if alike(bags[number], bags[other]):
                found[number] = other
                break
        index.insert(number, hashed)
    return found


def semhash(texts: list[str]) -> dict[int, int]:
    """Return the same by vectors; of texts that are alike the first in the list is kept."""
    import numpy as np
    from semhash import SemHash

    vectors = np.random.default_rng(0).standard_normal((WORDS, 256), dtype=np.float32)

    class Means:
        def encode(self, inputs: list[str], **_: object) -> np.ndarray:
            words = ([int(word[1:]) for word in text.split()] for text in inputs)
            return np.stack([vectors[numbers].mean(axis=0) for numbers in words])

    first = {}
    for number, text in enumerate(texts):
        first.setdefault(text, number)
    done = SemHash.from_records(texts, model=Means()).self_deduplicate(threshold=0.9)
    return {first[one.record]: first[one.duplicate_of] for one in done.filtered if not one.exact}


def alike(one: frozenset[str], other: frozenset[str]) -> bool:
    """Say whether two sets of words are near."""
    return len(one & other) >= NEAR * len(one | other)


def work(name: str, n: int) -> None:
    """Run one search and print what it came to."""
    import resource

    texts, planted = make(n)
    wall, cpu = time.perf_counter(), time.process_time()
    found = {"Admix": admix, "datasketch": datasketch, "semhash": semhash}[name](texts)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    bags = [frozenset(text.split()) for text in texts]
    right = sum(alike(bags[a], bags[b]) for a, b in found.items())
    sought = {a for a, b in planted.items() if alike(bags[a], bags[b])}
    print(
        json.dumps(
            {
                "seconds": wall,
                "cpu": cpu,
                "MB": peak // (1_000_000 if sys.platform == "darwin" else 1_000),
                "recall": len(sought & found.keys()) / len(sought),
                "precision": right / max(1, len(found)),
            }
        )
    )


def python_of_peers() -> str | None:
    """Return the Python that has the other searches, installed first where that can be done."""
    python = PEERS / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    if not (PEERS / "done").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(PEERS)], check=True)
        command = [str(python), "-m", "pip", "install", "--quiet", *NEEDS]
        if subprocess.run(command, check=False).returncode:
            return None
        (PEERS / "done").touch()
    return str(python)


def main() -> None:
    """Measure every search several times in turn, and print a table of medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", choices=NAMES)
    parser.add_argument("--work", choices=NAMES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        work(arguments.work, arguments.texts)
        return
    names = [arguments.only] if arguments.only else list(NAMES)
    peers = python_of_peers() if set(names) - {"Admix"} else None
    pythons = {name: sys.executable if name == "Admix" else peers for name in names}
    said: dict[str, list[dict[str, float]]] = {name: [] for name in names if pythons[name]}
    for _ in range(arguments.runs):
        for name, rows in said.items():
            command = [str(pythons[name]), __file__, "--work", name]
            done = subprocess.run([*command, "--texts", str(arguments.texts)], check=True,
                                  capture_output=True, text=True)  # fmt: skip
            rows.append(json.loads(done.stdout.splitlines()[-1]))
    print(f"{arguments.texts:,} texts of {LENGTH} words, {arguments.runs} runs, medians")
    print(f"{'':>10} {'seconds':>8} {'CPU s':>8} {'peak MB':>8} {'recall':>7} {'precision':>9}")
    for name, rows in said.items():
        seconds, cpu, peak, recall, precision = (
            statistics.median(row[key] for row in rows)
            for key in ("seconds", "cpu", "MB", "recall", "precision")
        )
        print(
            f"{name:>10} {seconds:>8.1f} {cpu:>8.1f} {peak:>8,.0f} {recall:>7.3f} {precision:>9.3f}"
        )


if __name__ == "__main__":
    main()
