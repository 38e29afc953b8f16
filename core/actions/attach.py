"""Which rows of another tool's file are samples here already, and which decisions on them are new?

A row is the sample whose id it has, where Admix exported it, or else the one with its text in the
same split and source. What somebody ever decided on it comes in no second time.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from core.actions.access import needs
from core.actions.opinions import Opinions, Said
from core.actions.rows import Found, mark_of
from core.actions.session import here
from core.errors import RowFault
from core.formats import Table
from core.store import decisions, samples

NAMELESS = (
    "the file does not say whose the decisions are that were exported from here; those that say the"
    " same are taken for them (Label Studio's JSON would say it)"
)
OTHER_TEXT = "its text here is another than in the file"


@dataclass(frozen=True, slots=True)
class Attached:
    """Rows that are samples already, by number, with the decisions on them that are new.

    `n_known` counts the decisions that are not. Of some in `unsure` rows it is not known whose they
    are: they were taken for those that were exported from here.
    """

    samples: Mapping[int, str] = field(default_factory=dict)
    fresh: Mapping[int, Sequence[Said]] = field(default_factory=dict)
    n_known: int = 0
    unsure: tuple[int, ...] = ()

    @property
    def n_rows(self) -> int:
        """Return how many rows there are already."""
        return len(self.samples)

    @property
    def n_fresh(self) -> int:
        """Return how many decisions on them are new."""
        return sum(map(len, self.fresh.values()))


NOTHING = Attached()


@needs("viewer")
def find(
    project: str, table: Table, rows: Found, said: Opinions
) -> tuple[Attached, list[RowFault]]:
    """Return which rows of a file are samples already, and those that only pretend to be."""
    exported: set[int] = set()
    there: dict[int, str] = {}
    others: list[int] = []
    by_id, by_text = _samples(project)
    taken: Counter[tuple[str, str, int]] = Counter()
    for row in rows:
        mark = mark_of(row.text)
        id_ = table.annotated.sample(row.number - table.first_row) if table.annotated else ""
        if id_ in by_id:
            if by_id[id_] == mark:
                there[row.number] = id_
                exported.add(row.number)
            else:
                others.append(row.number)
            continue
        same = by_text.get(key := (row.split, row.source, mark))
        if same:  # of samples that share a text each row is another, as far as there are some
            there[row.number] = same[min(taken[key], len(same) - 1)]
            taken[key] += 1
    return _attached(project, there, exported, said), [
        RowFault(OTHER_TEXT, tuple(others))
    ] if others else []


def _samples(project: str) -> tuple[dict[str, int], dict[tuple[str, str, int], list[str]]]:
    """Return the marks of texts by their sample's id, and ids by split, source and mark."""
    by_id: dict[str, int] = {}
    by_text: dict[tuple[str, str, int], list[str]] = defaultdict(list)
    for id_, text, split, source in samples.all_texts(here().database, project):
        by_id[id_] = mark = mark_of(text)
        by_text[split, source, mark].append(id_)
    return by_id, by_text


def _attached(
    project: str, there: Mapping[int, str], exported: set[int], said: Opinions
) -> Attached:
    """Return rows on their samples with the decisions that nobody has made there yet.

    On a sample that Admix exported, one may be of somebody here under their own name, or under none
    that is known: it is taken for that of somebody who said the same here, if the row lacks them.
    """
    known = decisions.ever_said(here().database, project, sorted(set(there.values())))
    fresh: dict[int, list[Said]] = {}
    unsure: dict[int, None] = {}
    n_known = 0
    for number, sample in there.items():
        made = known.setdefault(sample, set())
        answers = said.by_row.get(number, ())
        is_ours = number in exported
        named = {one.given.annotator for one in answers} | {one.given.here for one in answers}
        lacking = Counter(label for who, label in made if who not in named)
        for one in answers:
            names = {one.given.annotator, *([one.given.here] if is_ours else [])}
            if any((name, one.label) in made for name in names):
                n_known += 1
            elif is_ours and one.given.is_nameless and lacking[one.label]:
                lacking[one.label] -= 1
                unsure[number] = None
                n_known += 1
            else:
                made.add((one.given.annotator, one.label))
                fresh.setdefault(number, []).append(one)
    return Attached(there, fresh, n_known, tuple(unsure))
