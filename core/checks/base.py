"""A quality check: evidence in, a verdict with reason and score out; it never deletes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from core.records import Verdict
from core.registry import Member, make, member_ids


@dataclass(frozen=True, slots=True)
class Item:
    """A text that a check looks at, or compares with; `evidence` is what else is known of it."""

    id: str
    text: str
    label: str | None = None
    split: str = "train"
    source: str = "human"
    evidence: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_human_train(self) -> bool:
        """Say whether it is a training row whose text and label, if it has one, are by people."""
        return self.source == "human" and self.split == "train"


class Check(Member):
    """A check over candidates, given the texts that the project already has.

    A check is made once a batch and then sees candidates in order, so that what came before in
    the same batch counts too: `start` takes what is there, `judge` the next candidates.
    """

    family: ClassVar[str] = "checks"
    needs: ClassVar[str] = ""
    """The evidence without which it says nothing, such as `vector`; texts alone where empty.

    A check of texts alone looks at everything that arrives; others run when somebody asks.
    """

    @abstractmethod
    def start(self, existing: Iterable[Item]) -> Judge:
        """Return a judge that knows the project's texts."""


class Judge:
    """A check at work on one project's texts."""

    def judge(self, candidates: Sequence[Item]) -> list[Verdict]:
        """Return one verdict per candidate, in order."""
        raise NotImplementedError


def judges(existing: Sequence[Item]) -> list[Judge]:
    """Return a judge of every check that needs texts alone, in a fixed order."""
    checks = [make(Check, name, {}) for name in member_ids("checks")]
    return [check.start(existing) for check in checks if not check.needs]


def kept(judges: Sequence[Judge], candidates: Sequence[Item]) -> list[Verdict]:
    """Return the verdicts worth keeping: those that flag, and those that have something to say."""
    found = (verdict for judge in judges for verdict in judge.judge(candidates))
    return [verdict for verdict in found if verdict.is_flagged or verdict.reason]
