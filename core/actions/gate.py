"""Which texts are too close to a test text to train on or to be shown in a prompt?"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from core.actions.session import here
from core.store import samples
from core.text import MIN_WORDS, NEAR, Nearby

IN_WORDS = f"equal, or {NEAR:.0%} of the words in common ({MIN_WORDS} or more)"


class Gate:
    """The test texts of a project as they are now; an answer per text is found once."""

    def __init__(self, texts: list[tuple[str, str]]) -> None:
        self._nearby = Nearby(texts)
        self._found: dict[str, bool] = {}

    def is_leak(self, text: str) -> bool:
        """Say whether a text equals or nearly equals a test text."""
        if text not in self._found:
            self._found[text] = self._nearby.closest(text) is not None
        return self._found[text]


def gate(project: str) -> Gate:
    """Return the gate of a project, made anew only when its test texts have changed."""
    session = here()
    return _gate(session.home, project, samples.test_version(session.database, project))


@lru_cache(maxsize=4)
def _gate(_home: Path, project: str, _version: tuple[int, int, int]) -> Gate:
    texts = samples.texts(here().database, project)
    return Gate([(id_, text) for id_, text, _, split, _ in texts if split != "train"])
