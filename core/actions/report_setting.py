"""In which setting did a study come to its figures: task, data, writers, prices, code, limits?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from core.actions import costs, notes, results, study_files
from core.actions.access import needs
from core.actions.curves import Curve
from core.actions.limits import in_words
from core.actions.session import here
from core.actions.versions import versions
from core.budget import ONE, Prices
from core.documents.base import Block, Code, Listed, Section, Table, Text
from core.records import SOURCE_TITLES, SOURCE_WORDS, SOURCES, PoolRow
from core.registry import from_json, member
from core.store import pools, runs, samples, studies
from core.students.base import Student
from core.studies.base import TRAINING_CODE
from core.text import NEAR

_Counts = Mapping[str, int]


@needs("viewer")
def setting(project: str, study: Mapping[str, Any]) -> list[Section]:
    """Return what was studied: task, study and student, pool, writers of rows, prices."""
    report = pools.about(here().database, project, study["pool"])["report"]
    file = pools.path(here().home, study["pool"])
    rows = pools.read(file) if file.exists() else []
    return [
        Section("Task", _task(study)),
        Section("Study", list(_study(project, study))),
        Section("Data", list(_data(report, rows, study))),
        Section("Where synthetic rows and labels come from", _writers(project, rows)),
        Section("Prices", _prices(study)),
    ]


@needs("viewer")
def limits(project: str, study: Mapping[str, Any], done: Sequence[Curve]) -> Section:
    """Return how the figures were computed, what they do not cover, and what was left out."""
    n_cells = max(len(curve.points) for curve in done)
    told = [
        "A score is a mean over seeds; each seed draws its training rows anew from the frozen pool."
        f" {in_words(done[0])} There are {_span(done)} seeds and {done[0].n_test:,} test items; no"
        " interval covers other pools, language models or students.",
        "A difference is taken seed by seed against the human-only cell of the same seed, which"
        " shares its human rows as far as they go. Intervals in tables are not corrected for the"
        " number of cells.",
        f"The best mean is the highest of up to {n_cells} cells by these very test items, so it is"
        " a little better than what new texts will show.",
        "Where the answer names limits, they are about new test items and new draws (variance of"
        " seeds and of items), and hold for all cells of a budget together.",
    ]
    left = notes.left_out(study)
    told += [*_of_curves(study, done), *([done[0].invalid] if done[0].invalid else [])]
    n_collapsed = sum(len(point.collapsed) for curve in done for point in curve.points)
    told.append(f"{n_collapsed:,} trials collapsed: one answer to every test item.")
    told += left or ["No cell was left out."]
    return Section("Statistics and limits", [Listed(told)])


def _of_curves(study: Mapping[str, Any], done: Sequence[Curve]) -> Iterator[str]:
    """Yield what is to be known of the lines, once where it holds for all of them."""
    # Cells that were left out are told of all lines, each with its own name.
    left = {
        note
        for cell in study["left_out"]
        for note in notes.left_out(study, cell.get("factors", {}))
    }
    for note in dict.fromkeys(note for curve in done for note in curve.notes):
        having = [curve for curve in done if note in curve.notes]
        if note not in left:
            of = ", ".join(curve.lines[curve.line] for curve in having)
            yield note if len(having) == len(done) else f"{of}: {note}"


@needs("viewer")
def reproduction(project: str, study: Mapping[str, Any]) -> Section:
    """Return how to come to the same figures."""
    return Section(
        "How to reproduce it",
        [
            Text(
                "The study file holds the pool with its texts, the plan and every trial's key; on"
                " another machine with the same training code and encoder it comes to these"
                " figures (on other processors or package versions they may differ slightly)."
            ),
            Code(
                [
                    f"python -m core study file {_typed(project)} --study {_typed(study['name'])}"
                    f" --out study{study_files.ENDING}",
                    f"python -m core study run --from study{study_files.ENDING}",
                ]
            ),
        ],
    )


def _task(study: Mapping[str, Any]) -> list[Block]:
    task = results.task_in(study)
    blocks: list[Block] = [Text(f"{task.title}; learned as {task.head}.")]
    if task.labels:
        rows = [[label.name, label.definition or "-"] for label in task.labels]
        blocks.append(Table("Labels", ["Label", "Definition"], rows, 2))
    return blocks


def _study(project: str, study: Mapping[str, Any]) -> Iterator[Block]:
    database, spec = here().database, study["spec"]
    trials = studies.trials(database, study["id"])
    seeds = sorted({trial.seed for trial in trials})
    kind = member("studies", study["kind"])
    students = {str(trial.student): trial.student for trial in trials}
    is_as_planned = study_files.is_as_planned(project, study["id"])
    code = f"{TRAINING_CODE}" if is_as_planned else "another version than the one here"
    yield Table(
        "How it was run",
        ["", ""],
        [
            ["Kind of study", f"{kind.title} ({study['kind']})"],
            ["Settings", _settings(spec["study"])],
            *(
                ["Student", f"{from_json(Student, one).title} ({_settings(one)})"]
                for one in students.values()
            ),
            ["Seeds", f"{len(seeds):,} ({seeds[0]} to {seeds[-1]})" if seeds else "none"],
            ["Trials", f"{study['n_done']:,} done of {study['n_trials']:,}"],
            ["Launched (UTC)", study["created_at"].isoformat(" ", "minutes")],
            ["Pool", study["pool"]],
            ["Training code", code],
            ["Versions (where this was written)",
             ", ".join(f"{name} {version}" for name, version in versions().items())],
        ],
        2,
    )  # fmt: skip
    rows = [
        [device or "unknown", f"{n:,}", f"{seconds:,.0f}"]
        for device, n, seconds in studies.devices(database, project, study["id"])
    ]
    yield Table("Devices", ["Device", "Trials", "Seconds of training"], rows)


def _data(
    report: Mapping[str, Any], rows: Sequence[PoolRow], study: Mapping[str, Any]
) -> Iterator[Block]:
    n_rows: _Counts = report["n_rows"]
    there = [source for source in SOURCES if n_rows.get(source)]
    order = sorted(report["per_class"], key=[*results.task_in(study).strata].index)
    yield Table(
        "Rows of the pool to train on, by class and source",
        ["Class", *(SOURCE_TITLES[source] for source in there), "All"],
        [
            *(_counted(label, report["per_class"][label], there) for label in order),
            _counted("All", n_rows, there),
        ],
    )
    splits = Counter(row.split for row in rows if row.split != "train")
    yield Table(
        "Test items",
        ["Split", "Items"],
        [[split, f"{n:,}"] for split, n in sorted(splits.items(), key=lambda one: one[0] != "test")]
        or [["test", f"{report['n_test']:,}"]],
    )
    removed = notes.removed_in_words(report)
    not_used = ", ".join(f"{n:,} {status}" for status, n in report["n_not_used"].items())
    told = [
        "Kept out because they are close to test texts (equal, or"
        f" {report.get('threshold', NEAR):.0%} of the words in common): {removed or 'none'}.",
        f"Not in the pool because of their status: {not_used or 'none'}.",
    ]
    for source in there:
        if source != "human":
            unknown = notes.behind_unknown(report, source)
            n = f"{_behind(report, source):,} different ones"
            if unknown:
                n = f"{n}; unknown for {unknown:,} rows" if unknown < n_rows[source] else "unknown"
            told.append(f"Human rows shown in the prompts of {SOURCE_WORDS[source]} rows: {n}.")
    if n_same := report.get("n_same_text"):
        told.append(f"{n_same:,} LLM-labelled rows have a text that a human labelled, too.")
    yield Listed(told)


def _writers(project: str, rows: Sequence[PoolRow]) -> list[Block]:
    """Return which runs wrote or labelled the rows of a pool, as far as is known."""
    database = here().database
    ids = [row.id for row in rows if row.split == "train" and row.source != "human"]
    if not ids:
        return [Text("The pool has no synthetic and no LLM-labelled rows.")]
    of_run = Counter(sample.run for sample in samples.by_ids(database, project, ids))
    n_gone = len(ids) - sum(of_run.values())
    table = [
        _run(project, run, n)
        for run, n in sorted(of_run.items(), key=lambda one: str(one[0]))
        if run
    ]
    told = []
    if n_imported := of_run[None]:
        told.append(f"{n_imported:,} rows were imported: their writer and price are not known.")
    if n_gone:
        told.append(
            f"{n_gone:,} rows are not among this project's samples (deleted, or the study came from"
            " a file): their writer and price are not known."
        )
    blocks: list[Block] = []
    if table:
        columns = [
            "Run",
            "Model",
            "Strategy",
            "Temperature",
            "Rows in the pool",
            "Prompts",
            "Price",
        ]
        note = "Price and prompts are those of the whole run, rows that were not accepted included."
        blocks.append(Table("Runs that wrote or labelled rows", columns, table, 3, note))
    return [*blocks, *([Listed(told)] if told else [])]


def _run(project: str, run: str, n_rows: int) -> list[str]:
    plan = runs.get(here().database, run)["plan"]
    asked = [each["provider"] for each in runs.writers(plan)]
    spent = costs.of(project, run).total
    whole = spent.spent_usd + spent.earlier_usd
    strategy = plan.get("strategy") or {"kind": "labelling"}
    return [
        run[:8],
        "; ".join(dict.fromkeys(_model(each) for each in asked)),
        str(strategy["kind"]),
        ", ".join(dict.fromkeys(str(each.get("temperature", "not set")) for each in asked)),
        f"{n_rows:,}",
        f"{runs.usage(here().database, project, run)['n']:,}",
        "unknown" if spent.n_unpriced >= 0.5 else f"${whole:,.4f}",
    ]


def _model(provider: Mapping[str, Any]) -> str:
    named = provider.get("model") or provider.get("recording")
    return f"{provider['kind']} {named}" if named else str(provider["kind"])


def _prices(study: Mapping[str, Any]) -> list[Block]:
    prices = Prices.from_json(study["spec"].get("prices", {}))
    rows = [
        [ONE[source], "unknown" if usd is None else f"${usd:,.4f}"]
        for source in SOURCES
        for usd in [prices.of(source)]
    ]
    rows += [[f"{ONE[each.source]}, {each.what}", f"${each.usd:,.4f}"] for each in prices.origins]
    return [Table("Prices at the launch, in US dollars", ["Price of", "US dollars"], rows)]


def _counted(label: str, counts: _Counts, sources: Sequence[str]) -> list[str]:
    numbers = [counts.get(source, 0) for source in sources]
    return [label, *(f"{n:,}" for n in numbers), f"{sum(numbers):,}"]


def _behind(report: Mapping[str, Any], source: str) -> int:
    found = report.get("n_behind") or {}
    # Reports of before LLM-labelled rows were drawn have a number, which is of synthetic rows.
    by_source = found if isinstance(found, Mapping) else {"synthetic": found}
    return int(by_source.get(source, 0))


def _settings(settings: Mapping[str, Any]) -> str:
    def said(value: Any) -> str:
        return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)

    return "; ".join(f"{name} {said(value)}" for name, value in settings.items() if name != "kind")


def _span(done: Sequence[Curve]) -> str:
    found = sorted({point.estimate.n_seeds for curve in done for point in curve.points})
    return str(found[0]) if len(found) == 1 else f"{found[0]} to {found[-1]}"


def _typed(word: str) -> str:
    """Return a name as a shell takes it."""
    import shlex

    return shlex.quote(word)
