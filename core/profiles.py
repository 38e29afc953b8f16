"""How do the texts of people and of language models differ, class by class? Figures side by side.

A figure of a pseudo-sample stands beside the same figure of the human rows, taken at the same size
where it depends on size.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from core import diversity
from core.diversity import Measured, grams
from core.records import SOURCES, Source

FEWEST_WORDS = 50
"""Words below which a group's variety is not compared: it would set the size for all."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of texts: its title, what it says, and how many digits it is shown with."""

    title: str
    about: str
    is_share: bool = True


FIGURES: Mapping[str, Figure] = {
    "class_share": Figure("Share of rows", "rows of the class among the source's rows"),
    "length": Figure("Words per text", "mean", is_share=False),
    "distinct_1": Figure("Distinct words", "share of words that are new, at equal size"),
    "distinct_2": Figure("Distinct word pairs", "share of pairs that are new, at equal size"),
    "distinct_3": Figure("Distinct word triples", "share of triples that are new, at equal size"),
    "new_words": Figure("Words not in human rows",
                        "share of running words that no (other) human row has"),
    "cosine": Figure("Mean pairwise cosine", "of the texts' vectors; higher: more alike"),
    "marks": Figure("Marks per text", "mean", is_share=False),
    "mark_share": Figure("Share of marks", "marks of the type among the source's marks"),
    "arguments": Figure("Arguments per trigger", "mean", is_share=False),
}  # fmt: skip
"""Figures by name, in the order in which they are shown."""


@dataclass(frozen=True, slots=True)
class Profiled:
    """A text as it is counted: its source, class and words.

    `types` are those of its marks, where the kind of task has some, and `n_arguments` counts their
    arguments.
    """

    source: Source
    stratum: str
    words: tuple[str, ...]
    types: tuple[str, ...] | None = None
    n_arguments: int | None = None


@dataclass(frozen=True, slots=True)
class Cell:
    """A figure of one source in one class (None: all of them); `size` is the n-grams compared."""

    stratum: str | None
    source: Source
    figure: str
    measured: Measured
    size: int | None = None


def profile(
    texts: Sequence[Profiled], strata: Sequence[str], vectors: np.ndarray, there: np.ndarray
) -> list[Cell]:
    """Return every figure that the texts have, for all classes together and for each.

    `vectors` are the texts' own, of shape (n, d), and `there` says which of them are known.
    """
    humans = Counter(word for one in texts if one.source == "human" for word in {*one.words})
    cells: list[Cell] = []
    for stratum in (None, *strata):
        numbers = {
            source: [i for i, one in enumerate(texts)
                     if one.source == source and stratum in (None, one.stratum)]
            for source in SOURCES
        }  # fmt: skip
        groups = {source: [texts[i] for i in some] for source, some in numbers.items() if some}
        cells += _lexical(groups, stratum, humans)
        for source in groups:
            known = [i for i in numbers[source] if there[i]]
            if known:
                found = diversity.mean_cosine(vectors[known])
                cells.append(Cell(stratum, source, "cosine", found))
        cells += _marks(groups, stratum)
    for source in SOURCES:
        mine = [one for one in texts if one.source == source]
        cells += _frequencies(mine, source, strata)
    order = {name: place for place, name in enumerate(FIGURES)}
    places = {stratum: place for place, stratum in enumerate((None, *strata))}
    return sorted(
        cells,
        key=lambda cell: (
            order[cell.figure], places[cell.stratum], SOURCES.index(cell.source),
        ),
    )  # fmt: skip


def drawn(ids: Sequence[str], most: int) -> list[int]:
    """Return the places of at most so many ids, in order and the same ones at every time.

    They are those of the smallest hashes, so that new rows replace few old ones.
    """
    marks = [hashlib.blake2b(one.encode(), digest_size=8).digest() for one in ids]
    return sorted(sorted(range(len(ids)), key=marks.__getitem__)[:most])


def drawn_by_source(ids: Sequence[str], sources: Sequence[str], most: int) -> list[int]:
    """Return the places of at most so many ids, as many of each source as there are.

    What a small source leaves of its part goes to the others.
    """
    by_source: dict[str, list[int]] = {}
    for place, source in enumerate(sources):
        by_source.setdefault(source, []).append(place)
    chosen: list[int] = []
    for number, places in enumerate(sorted(by_source.values(), key=len)):
        part = (most - len(chosen)) // (len(by_source) - number)
        chosen += [places[i] for i in drawn([ids[place] for place in places], part)]
    return sorted(chosen)


def _lexical(
    groups: Mapping[Source, Sequence[Profiled]], stratum: str | None, humans: Counter[str]
) -> list[Cell]:
    cells = []
    for source, some in groups.items():
        lengths = diversity.mean_of([len(one.words) for one in some])
        cells.append(Cell(stratum, source, "length", lengths))
        if humans:
            # A human row's words are in one human row at least: its own.
            own = int(source == "human")
            found = diversity.ratio_of(
                [sum(humans[word] <= own for word in one.words) for one in some],
                [len(one.words) for one in some],
            )
            cells.append(Cell(stratum, source, "new_words", found))
    for n in (1, 2, 3):
        made = {source: [grams(one.words, n) for one in some] for source, some in groups.items()}
        enough = {s: some for s, some in made.items() if sum(map(len, some)) >= FEWEST_WORDS}
        size = diversity.fair_size(list(enough.values()))
        for source, each in made.items():
            found, at = Measured(None, None, None, len(each), "too few words"), None
            if source in enough:
                found, at = diversity.distinct(each, size), round(size)
            cells.append(Cell(stratum, source, f"distinct_{n}", found, at))
    return cells


def _marks(groups: Mapping[Source, Sequence[Profiled]], stratum: str | None) -> list[Cell]:
    cells = []
    for source, some in groups.items():
        marked = [one for one in some if one.types is not None]
        if not marked:
            continue
        n_marks = [len(one.types or ()) for one in marked]
        cells.append(Cell(stratum, source, "marks", diversity.mean_of(n_marks)))
        if marked[0].n_arguments is not None:
            found = diversity.ratio_of([one.n_arguments or 0 for one in marked], n_marks)
            cells.append(Cell(stratum, source, "arguments", found))
    return cells


def _frequencies(mine: Sequence[Profiled], source: Source, strata: Sequence[str]) -> list[Cell]:
    """Return how often each class is, and where texts have marks, each type of mark."""
    cells = []
    counts = Counter(one.stratum for one in mine)
    n_marks = [len(one.types or ()) for one in mine]
    for stratum in strata if mine else ():
        share = diversity.share_of(counts[stratum], len(mine))
        cells.append(Cell(stratum, source, "class_share", share))
        of_type = [sum(name == stratum for name in one.types or ()) for one in mine]
        if any(n_marks) and any(stratum in (one.types or ()) for one in mine):
            found = diversity.ratio_of(of_type, n_marks)
            cells.append(Cell(stratum, source, "mark_share", found))
    return cells
