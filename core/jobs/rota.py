"""Which of a run's writers is asked next, and when is one stopped that yields too little?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from core.records import Prompt
from core.statistics.shares import wilson
from core.strategies.base import Progress

FEWEST_CALLS = 8
"""Calls of a class and writer before anything is said of their yield."""


class Rota:
    """Gives every prompt a writer, by shares, and takes those off that bring too little.

    A class's draws, or its chains, go round the writers, so that each writes its share of every
    class. What is decided depends only on what was read before, in the order of the prompts.
    """

    def __init__(self, shares: Sequence[int], min_yield: float) -> None:
        self._round = [writer for writer, share in enumerate(shares) for _ in range(share)]
        self._min_yield = min_yield
        self._n_calls: dict[tuple[str, int], int] = {}
        self._n_asked: dict[tuple[str, int], int] = {}
        self._n_usable: dict[tuple[str, int], int] = {}
        self._off: set[tuple[str, int]] = set()
        self.why = ""

    def assigned(self, prompts: Sequence[Prompt], progress: Progress) -> list[Prompt]:
        """Return the prompts with their writers; a class without any left is exhausted."""
        made = []
        for prompt in prompts:
            left = [writer for writer in self._round if (prompt.label, writer) not in self._off]
            if left:
                turn = prompt.draw if prompt.chain is None else prompt.chain
                made.append(replace(prompt, writer=left[turn % len(left)]))
            else:
                progress.exhausted.add(prompt.label)
        return made

    def is_wanted(self, prompt: Prompt) -> bool:
        """Say whether a prompt is still to be asked."""
        return (prompt.label, prompt.writer) not in self._off

    def exhausted(self, prompt: Prompt) -> None:
        """Take a writer off a class for which it has nothing left."""
        self._off.add((prompt.label, prompt.writer))

    def took(self, prompt: Prompt, n_usable: int) -> None:
        """Count what a call brought, and take its writer off the class if that is too little.

        Too little is surely too little: the upper end of the 95% interval of the usable share of
        the items asked for lies below the least that was wished for.
        """
        if not prompt.n_items:
            return
        key = (prompt.label, prompt.writer)
        self._n_calls[key] = self._n_calls.get(key, 0) + 1
        self._n_asked[key] = self._n_asked.get(key, 0) + prompt.n_items
        self._n_usable[key] = self._n_usable.get(key, 0) + n_usable
        if self._n_calls[key] < FEWEST_CALLS:
            return
        asked, usable = self._n_asked[key], min(self._n_usable[key], self._n_asked[key])
        limits = wilson(usable, asked)
        if limits is not None and limits[1] < self._min_yield:
            self._off.add(key)
            self.why = (
                f"{prompt.label} was stopped early, because {usable} of {asked} items were usable"
            )
