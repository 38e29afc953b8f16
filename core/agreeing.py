"""What do the commands `agreement` and `gold` take, do and say?"""

from __future__ import annotations

import argparse
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.actions import adjudication, agreement, gold, home
from core.telling import Say, show

Add = Callable[..., argparse.ArgumentParser]
"""Adds a command: its parent, name, action, and what it is about."""


def add_commands(parent: Any, add: Add, path: Callable[[str], Path]) -> None:
    """Add `agreement` and `gold`."""
    one = add(parent, "agreement", tell, "show how much annotators agree, with limits")
    one.add_argument("name", metavar="NAME")
    one.add_argument("--split", metavar="SPLIT", help="default: all of them")
    one.add_argument(
        "--of", dest="question", choices=tuple(agreement.QUESTIONS), default="labels",
        help="labels of human samples, or what is accepted and rejected of pseudo-samples (labels)",
    )  # fmt: skip
    one.add_argument("--format", default="table", choices=("table", "csv", "json"))
    two = add(parent, "gold", tell_gold, "show how many known labels each annotator finds")
    two.add_argument("name", metavar="NAME")
    two.add_argument(
        "--file", type=path, metavar="FILE", help="mark labels as known: id or text, and label"
    )
    two.add_argument("--who", default="a command", metavar="WHO", help="who marks them")
    two.add_argument("--format", default="table", choices=("table", "csv", "json"))


def tell(arguments: Namespace, say: Say) -> int:
    """Show every figure."""
    project = home.find_project(arguments.name).id
    found = agreement.of(project, arguments.question, arguments.split)
    show(agreement.rows_of(found), arguments.format, say)
    for note in found.notes:
        say(f"Note: {note}", True)
    n = adjudication.count(project, arguments.split)
    if n and arguments.question == "labels":
        say(f"People differ on {n:,} samples that nobody has adjudicated.", True)
    return 0


def tell_gold(arguments: Namespace, say: Say) -> int:
    """Mark what a file says, and show how many known labels each annotator finds."""
    project = home.find_project(arguments.name).id
    if arguments.file:
        n = gold.mark_file(project, arguments.who, arguments.file)
        say(f"Marked the labels of {n:,} samples as known.", True)
    found = gold.accuracies(project)
    rows = [
        {"annotator": one.annotator, "n": one.n, "right": one.n_right, "accuracy": one.share,
         "low": one.low, "high": one.high, "below_asked": one.is_low}
        for one in found
    ]  # fmt: skip
    if rows or arguments.format == "json":
        show(rows, arguments.format, say)
    else:
        say("Nobody but who marked them has labelled a gold sample yet.", True)
    return 0
