"""How do the ways to generate compare: yield, duplicates, variety, and the student they teach?

`python benchmarks/strategies.py [--per-class 30] [--seeds 3]`. The writer is a stand-in on loopback
that splices phrases of the demo's recorded texts, the popular ones more often, seeded by what it is
sent. So the figures show the comparison at work, and what prompts that differ more or less do to
such a writer; they say nothing of any language model. With `--base-url` and `--model` a real server
is asked instead.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import tempfile
import threading
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np

from core import actions, diversity
from core.actions import costs, generate, home, imports
from core.actions.demo import FOLDER
from core.actions.session import Session, here, task_of
from core.encoders import Encoder, encode
from core.learning import Course, Lesson
from core.records import Price, Sample
from core.registry import make
from core.store import samples
from core.store.samples import Filter
from core.students.base import Student

PRICE = Price(1.0, 4.0, "typed", "a benchmark")


class StandIn(ThreadingHTTPServer):
    """Answers with spliced phrases of recorded texts, the same way to the same request."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.texts: dict[str, list[str]] = defaultdict(list)
        for line in (FOLDER / "completions.jsonl").read_text("utf-8").splitlines():
            try:
                items = json.loads(json.loads(line)["text"])["items"]
            except (ValueError, KeyError, TypeError):
                continue  # recorded as unreadable, on purpose
            for item in items:
                self.texts[item["label"]].append(item["text"])

    def text(self, label: str, generator: random.Random, source: str = "") -> str:
        """Return the head of one text and the tail of another."""
        known = self.texts[label]
        weights = [1 / (place + 1) for place in range(len(known))]
        head, tail = (text.split() for text in generator.choices(known, weights, k=2))
        head = source.split() or head
        return " ".join([*head[: len(head) // 2], *tail[len(tail) // 2 :]])


class _Handler(BaseHTTPRequestHandler):
    server: StandIn

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        asked = json.loads(body["messages"][-1]["content"])
        generator = random.Random(json.dumps(body, sort_keys=True))
        form = body["response_format"]["json_schema"]["schema"]
        source = asked.get("source", {}).get("text", "")

        def of(schema: dict[str, Any], name: str = "") -> Any:
            if "enum" in schema:
                return schema["enum"][0]
            if schema["type"] == "object":
                return {key: of(part, key) for key, part in schema["properties"].items()}
            if schema["type"] == "array":
                n = asked.get("n_items") or asked.get("n_attributes", 5)
                return [of(schema["items"], name) for _ in range(n)]
            if schema["type"] == "number":
                return 0.05
            if name == "text":
                return self.server.text(asked["label"], generator, source)
            return self.server.text(asked["label"], generator).split()[-1] + str(
                generator.randrange(100)
            )

        said = json.dumps(of(form))
        message = {"role": "assistant", "content": said}
        usage = {"prompt_tokens": len(str(body)) // 4, "completion_tokens": len(said) // 4}
        reply = {
            "id": "x", "object": "chat.completion", "created": 1, "model": "stand-in",
            "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
            "usage": {**usage, "total_tokens": sum(usage.values())},
        }  # fmt: skip
        data = json.dumps(reply).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def project_of(name: str) -> str:
    """Return a new project with the demo's human rows."""
    about = json.loads((FOLDER / "task.json").read_text("utf-8"))
    labels = [(label["name"], label["definition"]) for label in about["labels"]]
    project = home.create_project(name, "classify", labels, about["guidelines"]).id
    for file, split in (("human_train.csv", "train"), ("human_test.csv", "test")):
        table = imports.read_table(file, (FOLDER / file).read_bytes())
        taken = {"text": ["text"], "label": ["label"]}
        imports.import_rows(project, imports.prepare(project, table, taken, split, "human"))
    return project


def rows_of(session: Session, project: str, **where: Any) -> list[Sample]:
    """Return some of a project's samples."""
    return samples.page(session.database, project, Filter(**where), 100_000)


def accuracy(
    project: str, train: list[Sample], test: list[Sample], student: str, seeds: int, n: int
) -> list[float]:
    """Return a student's accuracy on the test rows per seed, trained on n rows of each class."""
    task = task_of(project)
    rows = [*train, *test]
    course = Course(
        task, make(Student, student, {}), [row.inputs for row in rows],
        [str(row.label) for row in rows], [True] * len(train) + [False] * len(test),
        here().home / "cache",
    )  # fmt: skip
    lessons = []
    for seed in range(seeds):
        generator, drawn = random.Random(seed), []
        for label in task.label_names:
            own = [place for place, row in enumerate(train) if row.label == label]
            drawn += generator.sample(own, min(n, len(own)))
        lessons.append(Lesson(str(seed), drawn, seed))
    places = list(range(len(train), len(rows)))
    return [
        statistics.fmean(
            said == row.label
            for said, row in zip(course.answers(learned, places).labels, test, strict=True)
        )
        for learned in course.fit(lessons)
    ]


def main() -> None:
    """Run every strategy and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--per-class", type=int, default=30)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--base-url")
    parser.add_argument("--model", default="stand-in")
    arguments = parser.parse_args()
    url = arguments.base_url
    if url is None:
        server = StandIn()
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    with tempfile.TemporaryDirectory() as folder:
        session = actions.start(folder, "a benchmark")
        try:
            compare(session, url, arguments)
        finally:
            actions.stop()


def compare(session: Session, url: str, arguments: argparse.Namespace) -> None:
    """Print one line per strategy, human rows last."""
    n = arguments.per_class
    first = project_of("human")
    test = rows_of(session, first, split="test")
    groups: dict[str, list[Sample]] = {}
    told: dict[str, list[str]] = {}
    # The stand-in writes no dialogues.
    ways = [(name, {}) for name in generate.strategies(first)
            if name != "dialogue" or arguments.base_url]  # fmt: skip
    ways += [("self_reference", {"next_example": one})
             for one in ("similar", "contrastive", "random", "naive")]  # fmt: skip
    for strategy, settings in ways:
        name = " ".join([strategy, *settings.values()])
        project = project_of(name)
        run = generate.launch(
            project,
            generate.Request(
                "openai_compatible", {"base_url": url, "model": arguments.model, "seed": 1},
                strategy, settings, dict.fromkeys(task_of(project).strata, n), price=PRICE,
            ),
        )  # fmt: skip
        generate.wait(run)
        made = rows_of(session, project, source="synthetic")
        usable = [row for row in made if not row.flags]
        copies = sum("duplicates" in row.flags for row in made)
        spent = costs.of(project, run).total
        groups[name] = usable
        told[name] = [
            f"{len(made):5,}", f"{len(usable) / max(1, len(made)):7.0%}",
            f"{copies / max(1, len(made)):10.0%}",
            f"{(spent.price(len(usable)) or 0.0) * 1000:9.3f}",
        ]  # fmt: skip
    groups["human"] = rows_of(session, first, source="human", split="train")
    words = {name: [diversity.grams(diversity.words_of(row.text), 2) for row in rows]
             for name, rows in groups.items()}  # fmt: skip
    size = diversity.fair_size(list(words.values()))
    print(f"{n} samples of each of {len(task_of(first).strata)} classes; student trained on"
          f" synthetic rows alone; writer: {arguments.model}")  # fmt: skip
    print(f"{'':28} made  usable  duplicate  $/1,000  distinct-2  cosine   tfidf  frozen")
    for name, rows in groups.items():
        vectors = encode(Encoder(), [row.text for row in rows])
        scores = [
            statistics.fmean(accuracy(first, rows, test, student, arguments.seeds, n))
            for student in ("tfidf", "frozen")
        ]
        figures = told.get(name, [f"{len(rows):5,}", " " * 7, " " * 10, " " * 9])
        print(
            f"{name:28}{''.join(figures)}{diversity.distinct(words[name], size).value or 0:12.3f}"
            f"{diversity.mean_cosine(np.asarray(vectors)).value or 0:8.3f}"
            f"{scores[0]:8.3f}{scores[1]:8.3f}"
        )


if __name__ == "__main__":
    main()
