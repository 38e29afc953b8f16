"""What do the commands of `plateau` take, do and say?"""

from __future__ import annotations

import argparse
from argparse import Namespace
from collections.abc import Callable
from typing import Any

from core.actions import home, plateau, plateau_plans, plateau_words
from core.actions.plateau_plans import Asked
from core.errors import Problem
from core.options import amount, whole
from core.records import Job
from core.registry import member_ids
from core.statistics.plateau import PLANNED
from core.telling import Say, ended, show

Add = Callable[..., argparse.ArgumentParser]
"""Adds a command: its parent, name, action, what it is about, and what waits for its job."""
ABOUT = "plan looks at whether more synthetic rows still help, make them, and show what they say"


def add_commands(parent: Any, add: Add) -> None:
    """Add `plateau plan`, `plateau look` and `plateau show`."""
    group = parent.add_parser("plateau", help=ABOUT, description=ABOUT)
    what = group.add_subparsers(dest="what", required=True, metavar="WHAT")
    _add_plan(add(what, "plan", plan, "keep a plan of looks, which never changes"))
    one = add(what, "look", look, "make the next look, and say what all of them say", told)
    tell = add(what, "show", tell_all, "show a plan's looks and what they say")
    for parser in (one, tell):
        parser.add_argument("name", metavar="NAME")
        parser.add_argument("plan", metavar="PLAN", nargs="?", help="default: the newest")
    tell.add_argument("--format", default="table", choices=("table", "csv", "json"))


def plan(arguments: Namespace, say: Say) -> int:
    """Keep a plan."""
    project = home.find_project(arguments.name)
    kept = plateau_plans.keep(
        project.id,
        Asked(
            _sizes(arguments),
            arguments.student,
            arguments.on,
            arguments.items,
            arguments.human,
            arguments.smallest_gain,
            arguments.per_rows,
            arguments.seeds,
            arguments.count,
            arguments.metric,
        ),
    )
    sizes = ", ".join(f"{size:,}" for size in kept.sizes)
    say(f"Plan {kept.id}: {kept.planned} looks, at {sizes} synthetic rows.", False)
    for line in plateau_words.details(project.id, plateau.standing(project.id, kept.id)):
        say(line, False)
    return 0


def look(arguments: Namespace, say: Say) -> str:
    """Begin the next look, or go on with it; return its job."""
    del say
    return plateau.look(home.find_project(arguments.name).id, arguments.plan)


def told(arguments: Namespace, job: Job, say: Say) -> int:
    """Say what all looks so far say."""
    now = plateau.standing(job.project, arguments.plan)
    say(plateau_words.headline(now), False)
    return ended(job, say)


def tell_all(arguments: Namespace, say: Say) -> int:
    """Show a plan's looks and what they say."""
    project = home.find_project(arguments.name)
    now = plateau.standing(project.id, arguments.plan)
    show(plateau_words.rows_of(now), arguments.format, say)
    say(plateau_words.headline(now), arguments.format != "table")
    for line in plateau_words.details(project.id, now):
        say(line, arguments.format != "table")
    return 0


def _sizes(arguments: Namespace) -> tuple[int, ...]:
    if arguments.sizes:
        try:
            return tuple(int(size) for size in arguments.sizes.split(","))
        except ValueError:
            raise Problem(f"{arguments.sizes!r} are no sizes.", "Say --sizes N,N,...") from None
    if arguments.up_to is None:
        raise Problem("At how many synthetic rows?", "Say --up-to N or --sizes N,N,...")
    first = arguments.first or max(1, round(arguments.up_to / arguments.looks))
    return plateau_plans.even_sizes(first, arguments.up_to, arguments.looks)


def _add_plan(parser: argparse.ArgumentParser) -> None:
    rows = whole(1, 10_000_000)
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("--up-to", type=rows, metavar="N", help="synthetic rows of the last look")
    parser.add_argument(
        "--first", type=rows, metavar="N", help="of the first (default: one step of even ones)"
    )
    usual = PLANNED
    most = plateau_plans.MOST_LOOKS
    parser.add_argument("--looks", type=whole(5, most), default=usual, metavar="L", help="(20)")
    parser.add_argument("--sizes", metavar="N,N", help="of every look, in place of even ones")
    parser.add_argument(
        "--student", choices=member_ids("students"), help="(frozen; without its encoder tfidf)"
    )
    parser.add_argument(
        "--on", choices=("held-out", "test"), default="held-out",
        help="what decides: human train rows held out of the looks, or the test split (held-out)",
    )  # fmt: skip
    parser.add_argument("--items", type=rows, metavar="N", help="to hold out (a quarter, to 500)")
    parser.add_argument("--human", type=whole(0, 10_000_000), metavar="N",
                        help="human rows in every look (all that are left)")  # fmt: skip
    parser.add_argument(
        "--smallest-gain", type=amount, default=plateau_plans.USUAL_GAIN, metavar="X",
        help="from which on it matters, of score (0.01)",
    )  # fmt: skip
    parser.add_argument("--per-rows", type=rows, metavar="N",
                        help="more synthetic rows that bring it (default: one step)")  # fmt: skip
    parser.add_argument(
        "--seeds", type=whole(1, plateau_plans.MOST_SEEDS), default=plateau_plans.USUAL_SEEDS,
        metavar="S", help="of a look (5)",
    )  # fmt: skip
    parser.add_argument(
        "--count", choices=("usable", "accepted"), default="usable",
        help="rows that count; usable: those pending without a flag, too (usable)",
    )  # fmt: skip
    parser.add_argument("--metric", choices=tuple(plateau_plans.METRICS), default="accuracy")
