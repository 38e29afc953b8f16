"""What does a study say, all of it, in a form that can be handed on? Never with a sample's text."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

from core.actions import advice, best_run, growth, lines, results, solvers, train
from core.actions.access import needs
from core.actions.cells import Point
from core.actions.curves import Curve
from core.actions.limits import in_words, usual
from core.actions.report_setting import limits, reproduction, setting
from core.actions.session import here, project_of
from core.actions.solvers import Solved
from core.actions.versions import versions
from core.documents.base import Block, Document, Figure, Section, Table, Text
from core.documents.latex import latex
from core.documents.markdown import markdown
from core.documents.web import web
from core.errors import Problem
from core.records import SOURCE_TITLES, SOURCE_WORDS
from core.registry import canonical
from core.statistics.seeds import Estimate
from core.store.db import now

Draw = Callable[[Curve, Sequence[Solved], Sequence[Curve]], list[Figure]]
"""What draws a line of a study: its curve, solvers, and the study's other lines beside it."""
FORMS: dict[str, Callable[[Document], str]] = {"html": web, "md": markdown, "tex": latex}
"""Ending of a file -> what writes a report so."""
MOST_DRAWN = 6
"""Most lines of a study that get figures of their own."""
AT_ONCE = 3
"""Most figures, each with its interval, that stand side by side in a table."""


def no_figures(curve: Curve, solved: Sequence[Solved], others: Sequence[Curve]) -> list[Figure]:
    """Draw nothing."""
    del curve, solved, others
    return []


@needs("viewer")
def report(project: str, study: str, draw: Draw = no_figures) -> Document:
    """Return what a study was, what came out, how sure that is and how to make it again.

    Raises:
        Problem: no trial of it is done yet.
    """
    found = train.find_study(project, study)
    of_lines = best_run.every_line(project, found["id"])
    done = [curve for curve in of_lines if curve.points]
    if not done:
        raise Problem("No trial of this study is done yet.", "Run it to its end first.")
    name, plateaus = project_of(project).name, map(Text, best_run.said(done))
    return Document(
        title=f"{name}: {found['name']}",
        about=f"Report of a study, written on {now():%Y-%m-%d} (UTC) with Admix"
        f" {versions()['admix']}. {found['n_done']:,} of {found['n_trials']:,} trials are done.",
        sections=[
            Section("The answer", [*_in_short(done), *_answers(project, done), *plateaus]),
            *_figures(project, done, draw),
            Section("Scores by cell", list(_scores(project, done))),
            Section("Paired differences to human only", list(_differences(done))),
            *_by_class(project, done),
            *_solvers(project, done),
            *setting(project, found),
            limits(project, found, done),
            reproduction(name, found),
        ],
    )


@needs("viewer")
def written(project: str, study: str, form: str, draw: Draw = no_figures) -> bytes:
    """Return the report of a study in a form, of which only HTML shows figures.

    Raises:
        Problem: there is no such form, or no trial is done yet.
    """
    if form not in FORMS:
        raise Problem(f"A report is not written as {form!r}.", f"Use {', '.join(FORMS)}.")
    text = FORMS[form](report(project, study, draw if form == "html" else no_figures))
    return text.encode("utf-8", "replace")


def _in_short(done: Sequence[Curve]) -> list[Block]:
    """Return human-only, the highest mean with LLM data and that data alone, of every line."""
    rows = []
    for curve in done:
        mixed = [point for point in curve.points if point.n_mixed_in]
        words = SOURCE_WORDS[curve.mixed_in]
        shown = [("Human only", curve.human_only)]
        if mixed:
            top = curve.best(mixed)
            shown.append((f"Best mean with {words} data", top))
            if mixed[-1].n_human == 0 and mixed[-1] is not top:
                shown.append((f"All {words}", mixed[-1]))
        rows += [
            [
                *_of_line(done, curve), title, f"{point.mixed_in_share:.0%}",
                *_estimate(point.estimate), *_counts(curve, point.estimate),
            ]
            for title, point in shown
            if point is not None
        ]  # fmt: skip
    columns = [*_line_column(done), "", "LLM share", done[0].metric, "95% interval", *_COUNTED]
    return [Table("In short", columns, rows, 1 + len(_line_column(done)), _baselines(done[0]))]


def _baselines(curve: Curve) -> str:
    """Return what answers come to that read no text."""
    if curve.constant is None or curve.random is None:
        return ""
    return (
        f"Without reading a text the best constant answer has {curve.constant:.3f} on these"
        f" {curve.n_test:,} items, and a random one {curve.random:.3f} on average."
    )


def _answers(project: str, done: Sequence[Curve]) -> Iterator[Block]:
    """Return how each budget is best split, with verdict, interval, regret and what would tell."""
    study = done[0].study["id"]
    by_id = {line.id: line for line in lines.of_study(here().database, study)}
    # Lines of one student and source are the cells of one surface: its first one stands for it.
    firsts: dict[str, Curve] = {}
    for curve in done:
        key = canonical([dict(by_id[curve.line].student), curve.mixed_in])
        firsts.setdefault(key, curve)
    named = lines.titles([by_id[curve.line] for curve in firsts.values()])
    for curve in firsts.values():
        words = named[curve.line]
        yield from _answer(project, curve, f"{words}: " if words else "")


def _answer(project: str, curve: Curve, which: str) -> Iterator[Block]:
    try:
        found = advice.grid(project, curve.study["id"], curve.line)
    except Problem as problem:
        yield Text(f"{which}{problem.message}")
        return
    try:
        amounts = advice.budgets(project, found)
        for usd in amounts:
            said = advice.advice(project, found, usd)
            yield Text(which + advice.headline(said), is_strong=True)
            yield Text(" ".join(advice.details(said)))
        if amounts:
            return
        why = (
            "How to split an amount of money takes a study of several budgets (Budget surface or"
            " Budget grid)."
        )
    except Problem as problem:
        why = f"How to split an amount of money is not said: {problem.message}"
    if contenders := advice.contenders(found, "accuracy"):
        yield Text(which + contenders, is_strong=True)
    yield Text(which + why)


def _figures(project: str, done: Sequence[Curve], draw: Draw) -> list[Section]:
    solved = solvers.of_study(project, done[0].study["id"])
    drawn = [
        figure
        for place, curve in enumerate(done[:MOST_DRAWN])
        for figure in draw(curve, () if place else solved, () if place else done[1:])
    ]
    return [Section("Figures", drawn)] if drawn else []


def _scores(project: str, done: Sequence[Curve]) -> Iterator[Block]:
    """Return every cell of every line, with its mean, in the main metric and then in the others."""
    words = [SOURCE_TITLES[source] for source in dict.fromkeys(c.mixed_in for c in done)]
    rows = [
        [
            *_of_line(done, curve), f"{point.mixed_in_share:.1%}", f"{point.n_human:,}",
            f"{point.n_mixed_in:,}", "unknown" if point.n_behind is None else f"{point.n_behind:,}",
            _usd(point.cost_usd), *_estimate(point.estimate), *_counts(curve, point.estimate),
        ]
        for curve, point in _points(done)
    ]  # fmt: skip
    yield Table(
        f"{done[0].metric} of every cell",
        [*_line_column(done), "LLM share", "Human rows", f"{' or '.join(words)} rows",
         "Human rows in prompts", "Cost", done[0].metric, "95% interval", *_COUNTED],
        rows,
        len(_line_column(done)),
        f"Means over seeds. {in_words(done[0])} Cost is in US dollars at the study's prices, human"
        " rows in prompts included.",
    )  # fmt: skip
    titles = results.metric_titles(project, done[0].study["id"])
    others = [name for name in titles if name != results.CLASS_F1][1:]
    study = done[0].study["id"]
    for some, which in _in_groups(others):
        by_metric = [
            [usual(project, study, name, line=curve.line) for curve in done] for name in some
        ]
        yield _side_by_side(done, by_metric, [titles[one] for one in some], f"Other metrics{which}")
    for curve in done:
        if growth.is_growing(curve):
            yield _gains(curve)


def _gains(curve: Curve) -> Table:
    rows = [
        [str(step[growth.STEP]), _figure(step["gain"], "+.3f"),
         _interval(step["gain low"], step["gain high"], "+.3f"), str(step["seeds"]),
         f"{curve.n_test:,}"]
        for step in growth.gains(curve)
    ]  # fmt: skip
    title = f"What each step gains over the one before, in {curve.metric}"
    note = growth.stops_mattering(curve, growth.SMALLEST)
    return Table(title, ["Step to", "Gain", "95% interval", *_COUNTED], rows, 1, note)


def _differences(done: Sequence[Curve]) -> Iterator[Block]:
    rows = [
        [
            *_of_line(done, curve), f"{point.mixed_in_share:.1%}",
            f"{point.n_human:,} + {point.n_mixed_in:,}", *_estimate(point.difference, "+.3f"),
            *_counts(curve, point.difference),
        ]
        for curve, point in _points(done)
        if point.difference is not None
    ]  # fmt: skip
    if not rows:
        yield Text("None: they take a human-only cell and one with LLM data, under the same seeds.")
        return
    yield Table(
        f"Difference in {done[0].metric} to the human-only cell of the same seed",
        [*_line_column(done), "LLM share", "Human + LLM rows", "Difference", "95% interval",
         *_COUNTED],
        rows,
        len(_line_column(done)),
        f"Paired by seed. {in_words(done[0])} Not corrected for looking at several cells.",
    )  # fmt: skip


def _by_class(project: str, done: Sequence[Curve]) -> list[Section]:
    study = done[0].study["id"]
    names = results.labels(project, study)
    if not names:
        return []
    support, blocks = results.support(project, study), []
    for some, which in _in_groups(names):
        by_class = [
            [usual(project, study, results.CLASS_F1, name, curve.line) for curve in done]
            for name in some
        ]
        titles = [f"{name} (n = {support[name]:,})" if name in support else name for name in some]
        blocks.append(_side_by_side(done, by_class, titles, f"F1 of each class{which}"))
    return [Section("F1 by class", blocks)]


def _in_groups(names: Sequence[str]) -> Iterator[tuple[Sequence[str], str]]:
    """Yield names in groups of nearly one size that fit into a table, and which they are."""
    n_groups = math.ceil(len(names) / AT_ONCE)
    for group in range(n_groups):
        first, last = (place * len(names) // n_groups for place in (group, group + 1))
        yield names[first:last], f", {first + 1} to {last} of {len(names)}" * (n_groups > 1)


def _side_by_side(
    done: Sequence[Curve], columns: Sequence[Sequence[Curve]], titles: Sequence[str], title: str
) -> Table:
    """Return a table of cells with a column per figure; `columns` hold a curve per line."""
    rows = []
    for place, curve in enumerate(done):
        found = [{_cell(p): p.estimate for p in column[place].points} for column in columns]
        rows += [
            [
                *_of_line(done, curve), f"{point.mixed_in_share:.1%}",
                f"{point.n_human:,} + {point.n_mixed_in:,}",
                *(_both(estimates.get(_cell(point))) for estimates in found),
                *_counts(curve, point.estimate),
            ]
            for point in curve.points
        ]  # fmt: skip
    return Table(
        title,
        [*_line_column(done), "LLM share", "Human + LLM rows", *titles, *_COUNTED],
        rows,
        len(_line_column(done)),
        "Means over seeds, in brackets their intervals. "
        + " ".join(
            dict.fromkeys(in_words(curve) for column in columns for curve in column if curve.points)
        ),
    )


def _solvers(project: str, done: Sequence[Curve]) -> list[Section]:
    found = solvers.of_study(project, done[0].study["id"])
    if not found:
        return []
    rows = [
        [each.model, str(each.n_examples), _figure(each.value), _interval(each.low, each.high),
         f"{each.n:,}", f"{each.failures:.1%}", _usd(each.price_usd)]
        for each in found
    ]  # fmt: skip
    columns = [
        "Model",
        "Examples",
        done[0].metric,
        "95% interval",
        "Test items",
        "No answer",
        "Price",
    ]
    note = "Limits by bootstrap over the test items, of one run each; no answer counts as wrong."
    return [
        Section(
            "Language models that answered the test items",
            [Table("Language models as solvers", columns, rows, 1, note)],
        )
    ]


_COUNTED = ("Seeds", "Test items")


def _points(done: Sequence[Curve]) -> Iterator[tuple[Curve, Point]]:
    return ((curve, point) for curve in done for point in curve.points)


def _cell(point: Point) -> tuple[int, int, int, float | None]:
    return (point.n_human, point.n_synthetic, point.n_llm_labelled, point.cost_usd)


def _line_column(done: Sequence[Curve]) -> list[str]:
    return ["Line"] if len(done) > 1 else []


def _of_line(done: Sequence[Curve], curve: Curve) -> list[str]:
    return [curve.lines[curve.line]] if len(done) > 1 else []


def _counts(curve: Curve, estimate: Estimate | None) -> list[str]:
    return [str(estimate.n_seeds if estimate else 0), f"{curve.n_test:,}"]


def _estimate(estimate: Estimate | None, form: str = ".3f") -> list[str]:
    if estimate is None:
        return ["", ""]
    limits = f"none: {estimate.refused}" if estimate.refused else ""
    return [_figure(estimate.mean, form), limits or _interval(estimate.low, estimate.high, form)]


def _both(estimate: Estimate | None) -> str:
    """Return a mean with its interval in one cell."""
    if estimate is None:
        return "not defined"
    mean, limits = _estimate(estimate)
    return f"{mean} ({limits.replace(' to ', ', ')})"


def _figure(value: float, form: str = ".3f") -> str:
    return f"{value:{form}}".replace("-", "−")


def _interval(low: float | None, high: float | None, form: str = ".3f") -> str:
    return (
        "none" if low is None or high is None else f"{_figure(low, form)} to {_figure(high, form)}"
    )


def _usd(amount: float | None) -> str:
    return "unknown" if amount is None else f"${amount:,.2f}"
