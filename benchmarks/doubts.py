"""How many of planted label errors stand among the first 100 cards of the order `doubtful`?

Some labels of a set are flipped to another class, drawn with a fixed seed; the first 100 of the
order are counted against them, beside the 100 that an order at random would show.
"""

from __future__ import annotations

import argparse
import csv
import random
import time
from pathlib import Path

from core.jobs.doubts import Asked, judged
from core.registry import make
from core.students.base import Student
from core.tasks.base import Task

SETS = ("sentiment_tweets", "hyperbole", "social_dims", "question_intimacy")


def rows_of(folder: Path, n: int) -> list[tuple[str, str]]:
    with (folder / "human_train.csv").open(encoding="utf-8", newline="") as file:
        rows = [(row["text"], row["label"]) for row in csv.DictReader(file)]
    random.Random(0).shuffle(rows)
    return rows[:n]


def planted(rows: list[tuple[str, str]], share: float) -> tuple[list[tuple[str, str]], set[int]]:
    generator, names = random.Random(1), sorted({label for _, label in rows})
    wrong = set(generator.sample(range(len(rows)), round(share * len(rows))))
    made = [
        (text, generator.choice([name for name in names if name != label]) if i in wrong else label)
        for i, (text, label) in enumerate(rows)
    ]
    return made, wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("data/real"))
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--share", type=float, default=0.05)
    arguments = parser.parse_args()
    print("| set | rows | wrong | flagged | right of them | top 100 | at random | processor s |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for name in SETS:
        if not (arguments.data / name).exists():
            print(f"| {name} | not there |")
            continue
        rows, wrong = planted(rows_of(arguments.data / name, arguments.rows), arguments.share)
        names = sorted({label for _, label in rows})
        task = make(Task, "classify", {"labels": [{"name": label} for label in names]})
        begun = time.process_time()
        found, _ = judged(
            task, make(Student, "tfidf", {}), [Asked({"text": t}, y, True) for t, y in rows]
        )
        took = time.process_time() - begun
        known = [i for i in range(len(rows)) if found[i].quality is not None]
        top = sorted(known, key=lambda i: found[i].quality)[:100]
        issues = [i for i in known if found[i].is_issue]
        right = sum(i in wrong for i in issues) / max(1, len(issues))
        print(f"| {name} | {len(rows):,} | {len(wrong)} | {len(issues)} | {right:.0%} |"
              f" {sum(i in wrong for i in top)} | {100 * len(wrong) / len(rows):.0f} |"
              f" {took:.1f} |")  # fmt: skip


if __name__ == "__main__":
    main()
