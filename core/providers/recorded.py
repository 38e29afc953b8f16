"""Completions that were recorded beforehand: the example works without a key and costs nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, get_args

from pydantic import Field

from core.errors import Exhausted, ProviderStop
from core.providers.base import ROOT, Provider
from core.records import Completion, Finish, Price, Prompt
from core.registry import content_hash

DATA = ROOT / "data"
MODEL = "recorded-example"


class Recorded(Provider):
    """The completions of `data/<recording>/completions.jsonl`, by class and draw number."""

    title: ClassVar[str] = "Recorded example"
    is_replay: ClassVar[bool] = True

    recording: str = Field(
        "demo",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$",
        description="folder in data/ that holds the completions",
    )
    model: str = Field(
        MODEL, min_length=1, max_length=200, description="changes nothing: the texts are recorded"
    )
    temperature: float = Field(
        1.0, ge=0, le=2, description="changes nothing: the texts are recorded"
    )

    @property
    def is_local(self) -> bool:
        """Return True, since nothing is sent."""
        return True

    @property
    def model_name(self) -> str:
        """Return one name whatever the form says, so that no text goes by another's name."""
        return MODEL

    @property
    def worst_output_tokens(self) -> int:
        """Return the most tokens of any recorded completion."""
        return max(line.output_tokens or 0 for line in self._lines().values())

    def lacks(self, labels: Sequence[str]) -> tuple[str, ...]:
        """Return the labels without a single recorded completion."""
        there = {label for label, _ in self._lines()}
        return tuple(label for label in labels if label not in there)

    def own_price(self) -> Price | None:
        """Return an example price, so that budgets have something to count with."""
        return Price(2.50, 10.00, "an example, of no vendor", "recorded with the demo")

    def key_of(self, prompt: Prompt) -> str:
        """Return a key of recording, class and draw, which alone decide the text."""
        return content_hash(self.id(), self.recording, prompt.label, prompt.draw)

    def complete(self, prompt: Prompt) -> Completion:
        """Return the completion recorded for the prompt's class and draw.

        Raises:
            Exhausted: no completion is left for this class.
            ProviderStop: there is no recording, or it cannot be read.
        """
        lines = self._lines()
        found = lines.get((prompt.label, prompt.draw))
        if found is None:
            n_lines = sum(label == prompt.label for label, _ in lines)
            raise Exhausted(
                f"The recording has no completion left for {prompt.label!r}: it holds "
                f"{n_lines:,}, and this would be number {prompt.draw + 1:,}.",
                "Ask for fewer samples of this class, or choose a provider with a key.",
                prompt.label,
            )
        return found

    def _lines(self) -> Mapping[tuple[str, int], Completion]:
        path = DATA / self.recording / "completions.jsonl"
        try:
            status = path.stat()
            return _read(path, status.st_mtime_ns, status.st_size)
        except OSError:
            raise ProviderStop(
                f"There is no recording {self.recording!r}.",
                f"Its completions would be in {path.relative_to(DATA.parent)}.",
            ) from None


@lru_cache(maxsize=8)
def _read(path: Path, _changed_ns: int, _n_bytes: int) -> Mapping[tuple[str, int], Completion]:
    """Read a recording once; the time of change and size are there to read a new one again."""
    lines: dict[tuple[str, int], Completion] = {}
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        if not line.strip():
            continue
        try:
            key, completion = _line(json.loads(line))
            if key in lines:
                raise ValueError("the same label and draw as an earlier line")
        except (ValueError, RecursionError) as error:
            raise ProviderStop(f"Line {number:,} of {path.name} cannot be read: {error}.") from None
        lines[key] = completion
    if not lines:
        raise ProviderStop(f"{path.name} holds no completions.")
    return lines


def _line(data: Any) -> tuple[tuple[str, int], Completion]:
    if not isinstance(data, dict):
        raise ValueError("it is not an object")
    for name in ("label", "text"):
        if not isinstance(data.get(name), str):
            raise ValueError(f"{name} is not a text")
    for name in ("draw", "input_tokens", "output_tokens"):
        if type(data.get(name)) is not int or data[name] < 0:
            raise ValueError(f"{name} is not a count")
    if data.get("finish") not in get_args(Finish):
        raise ValueError(f"finish is none of {', '.join(get_args(Finish))}")
    completion = Completion(
        text=data["text"],
        finish=data["finish"],
        model=MODEL,
        input_tokens=data["input_tokens"],
        output_tokens=data["output_tokens"],
        raw_id=f"{data['label']}:{data['draw']}",
        detail=str(data.get("detail") or ""),
    )
    return (data["label"], data["draw"]), completion
