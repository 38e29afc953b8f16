"""A quality check: evidence in, a verdict with reason and score out; it never deletes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from core.records import Verdict
from core.registry import Member


@dataclass(frozen=True, slots=True)
class Item:
    """A text that a check looks at, or compares with."""

    id: str
    text: str
    label: str | None = None
    split: str = "train"


class Check(Member):
    """A check over candidates, given the texts that the project already has.

    A check is made once a batch and then sees candidates in order, so that what came before in
    the same batch counts too: `start` takes what is there, `judge` the next candidates.
    """

    family: ClassVar[str] = "checks"

    @abstractmethod
    def start(self, existing: Iterable[Item]) -> Judge:
        """Return a judge that knows the project's texts."""


class Judge:
    """A check at work on one project's texts."""

    def judge(self, candidates: Sequence[Item]) -> list[Verdict]:
        """Return one verdict per candidate, in order."""
        raise NotImplementedError
