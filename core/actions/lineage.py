"""Who came from whom in a run: from the human samples that prompts showed down to the last one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from core.actions.access import needs
from core.actions.session import here, task_of
from core.errors import Missing, Problem
from core.records import Sample
from core.store import runs, samples
from core.store.samples import Filter

State = Literal["human", "none", "accepted", "pending", "flagged", "rejected", "erased"]
STATES: Mapping[State, str] = {
    "human": "human samples in the prompt",
    "none": "no sample in the prompt",
    "accepted": "accepted",
    "pending": "pending",
    "flagged": "pending, flagged",
    "rejected": "rejected",
    "erased": "erased",
}
"""What a node is -> how screens say it."""


@dataclass(frozen=True, slots=True)
class Node:
    """A pseudo-sample, or the human samples that a first prompt showed, whose ids `humans` are.

    `level` counts the calls since the human samples; `parents` are nodes that its prompt showed,
    the first of which it hangs under; `stratum` is the class it was counted under.
    """

    id: str
    state: State
    level: int
    texts: tuple[str, ...]
    stratum: str = ""
    flags: tuple[str, ...] = ()
    parents: tuple[str, ...] = ()
    humans: tuple[str, ...] = ()
    children: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """Return the text, of several human samples the first, in one line."""
        return " ".join(self.texts[0].split()) if self.texts else ""

    @property
    def told(self) -> str:
        """Return what it is in words."""
        words = STATES[self.state]
        if self.state == "human":
            words = f"{len(self.humans):,} human sample{'s' if len(self.humans) > 1 else ''}"
        return f"{words} by {', '.join(self.flags)}" if self.state == "flagged" else words


@dataclass(frozen=True, slots=True)
class Lineage:
    """The trees of a run, each under the human samples that it began with."""

    run: str
    nodes: Mapping[str, Node]
    roots: tuple[str, ...]

    def walk(self, roots: Iterable[str] | None = None) -> Iterator[Node]:
        """Return nodes with everything under them, each before its children, in order."""
        waiting = list(reversed(self.roots if roots is None else tuple(roots)))
        while waiting:
            node = self.nodes[waiting.pop()]
            yield node
            waiting += reversed(node.children)

    def ancestors(self, node: str) -> list[Node]:
        """Return what a node came from and the node itself, the human samples first."""
        chain = [self.nodes[node]]
        while chain[-1].parents:
            chain.append(self.nodes[chain[-1].parents[0]])
        return chain[::-1]

    def roots_of(self, stratum: str) -> tuple[str, ...]:
        """Return the roots of a class's trees."""
        return tuple(root for root in self.roots if self.nodes[root].stratum == stratum)

    @property
    def strata(self) -> tuple[str, ...]:
        """Return the classes that there are trees of."""
        return tuple(dict.fromkeys(self.nodes[root].stratum for root in self.roots))

    def edges(self) -> list[tuple[str, str]]:
        """Return every (parent, child), also where a child has several parents."""
        return [(parent, node.id) for node in self.walk() for parent in node.parents]


@needs("viewer")
def of_run(project: str, run: str | None = None) -> Lineage:
    """Return who came from whom in a run, by default the newest that made samples.

    Raises:
        Missing: the project has no such run, or none that made samples.
    """
    database = here().database
    known = [each["id"] for each in runs.of_project(database, project)]
    if run is not None and run not in known:
        raise Missing(f"This project has no run {run!r}.", f"Its runs: {', '.join(known) or '-'}.")
    for one in [run] if run is not None else known:
        page = samples.page(database, project, Filter(run=one), 10_000_000)
        if page:
            made = samples.by_ids(database, project, [sample.id for sample in page])
            return _grown(one, made, _humans(project, made), task_of(project).strata)
    raise Missing("No run of this project has made samples yet.", "Start one with `generate`.")


def rows(found: Lineage) -> list[dict[str, object]]:
    """Return one row per node, as JSON takes it."""
    return [
        {
            "id": node.id,
            "state": node.state,
            "level": node.level,
            "class": node.stratum,
            "flags": list(node.flags),
            "parents": list(node.parents),
            "human_ids": list(node.humans),
            "texts": list(node.texts),
        }
        for node in found.walk()
    ]


def _humans(project: str, made: Sequence[Sample]) -> dict[str, str]:
    """Return the texts of the human samples behind samples, by id; erased ones are missing."""
    ids = {id_ for sample in made for id_ in sample.provenance.get("human_ids", ())}
    return {sample.id: sample.text for sample in samples.by_ids(here().database, project, [*ids])}


def _grown(
    run: str, made: Sequence[Sample], texts: Mapping[str, str], strata: Sequence[str]
) -> Lineage:
    by_id = {sample.id: sample for sample in made}
    above: dict[str, tuple[str, ...]] = {}
    first: dict[str, Node] = {}
    erased: dict[str, Node] = {}
    for sample in made:
        humans = tuple(sample.provenance.get("human_ids", ()))
        stratum = sample.stratum or ""
        root = f"{stratum}/{'+'.join(humans)}"
        shown = tuple(texts.get(id_, "(erased)") for id_ in humans)
        first[root] = Node(root, "human" if humans else "none", 0, shown, stratum, humans=humans)
        parents = tuple(sample.provenance.get("parents", ()))
        if parents and parents[0] not in by_id:
            erased[parents[0]] = Node(parents[0], "erased", 0, (), stratum)
            above.setdefault(parents[0], (root,))
        there = tuple(parent for parent in parents if parent in by_id or parent in erased)
        above[sample.id] = there or (root,)
    below: dict[str, list[str]] = {}
    for id_, parents in above.items():
        below.setdefault(parents[0], []).append(id_)
    roots = {root: node for root, node in first.items() if root in below}
    nodes: dict[str, Node] = {}
    waiting = [(root, 0) for root in roots]
    while waiting:
        id_, level = waiting.pop()
        children = tuple(below.get(id_, ()))
        nodes[id_] = _node(roots.get(id_) or erased.get(id_) or by_id[id_], level,
                           above.get(id_, ()), children)  # fmt: skip
        waiting += [(child, level + 1) for child in children]
    if len(nodes) < len(roots) + len(above):
        raise Problem("The samples of this run name one another as parents in a circle.")
    place = {name: number for number, name in enumerate(strata)}
    order = sorted(roots, key=lambda root: place.get(roots[root].stratum, len(place)))
    return Lineage(run, nodes, tuple(order))


def _node(
    of: Node | Sample, level: int, parents: tuple[str, ...], children: tuple[str, ...]
) -> Node:
    if isinstance(of, Node):
        return Node(of.id, of.state, level, of.texts, of.stratum, of.flags, parents, of.humans,
                    children)  # fmt: skip
    state: State = "pending"
    if of.status in ("accepted", "rejected"):
        state = of.status
    elif of.flags:
        state = "flagged"
    return Node(
        of.id, state, level, (of.text,), of.stratum or "", of.flags, parents,
        tuple(of.provenance.get("human_ids", ())), children,
    )  # fmt: skip
