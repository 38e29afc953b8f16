"""The frozen records that move between layers; they hold values and answer questions about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

Source = Literal["human", "synthetic", "llm-labelled"]
Status = Literal["pending", "accepted", "rejected", "deleted"]
Kind = Literal[
    "label", "accept", "reject", "edit", "adjudicate", "undo", "split", "delete", "reopen"
]
Role = Literal["viewer", "annotator", "researcher", "admin"]
"""What somebody may do; each may do what those before it may."""
SignIn = Literal["password", "oidc"]
"""How somebody proves who they are: to us, or to an identity provider (OpenID Connect)."""

Fact = Literal["generator", "strategy", "temperature", "consistency"]
"""What may be known of how a row of a language model came about."""

FACTS: tuple[Fact, ...] = ("generator", "strategy", "temperature", "consistency")
SOURCES: tuple[Source, ...] = ("human", "synthetic", "llm-labelled")
SOURCE_WORDS: dict[str, str] = {
    "human": "human",
    "synthetic": "synthetic",
    "llm-labelled": "LLM-labelled",
}
"""Source -> how sentences and tables say it."""
SOURCE_TITLES: dict[str, str] = {
    "human": "Human",
    "synthetic": "Synthetic",
    "llm-labelled": "LLM-labelled",
}
"""Source -> how legends and titles say it."""
SOURCE_PARTS: dict[Source, tuple[str, str]] = {
    "human": ("human", "human"),
    "synthetic": ("llm", "llm"),
    "llm-labelled": ("human", "llm"),
}
"""Source on screen -> (text_source, label_source)."""
BENCHMARK = "bench:"
"""How the split of a test set begins that a language model wrote; its name follows."""


def is_benchmark(split: str) -> bool:
    """Say whether a split is a test set that a language model wrote.

    >>> is_benchmark("bench:gpt-4o"), is_benchmark("test")
    (True, False)
    """
    return split.startswith(BENCHMARK)


@dataclass(frozen=True, slots=True)
class Label:
    """One label of a task, with what it means."""

    name: str
    definition: str = ""


@dataclass(frozen=True, slots=True)
class Project:
    """One task with its data, decisions, generation runs and studies."""

    id: str
    name: str
    task: dict[str, Any]
    guidelines: str = ""
    stays_here: bool = False
    is_demo: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sample:
    """One item as it is now; `stratum` is the class that its label is counted under.

    `dispute` is the share of pairs of its annotators, drawn with replacement, who label it
    differently; 0 where nobody differs or an adjudicator has the last word.
    """

    id: str
    seq: int
    text: str
    inputs: Mapping[str, Any]
    label: str | None
    stratum: str | None
    source: Source
    split: str
    status: Status
    revision: int = 0
    n_decisions: int = 0
    n_annotators: int = 0
    dispute: float = 0.0
    annotator: str | None = None
    flags: tuple[str, ...] = ()
    run: str | None = None
    imported_label: str | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NewSample:
    """One item on its way into the store."""

    inputs: Mapping[str, Any]
    text: str
    label: str | None
    stratum: str | None
    source: Source
    split: str
    provenance: Mapping[str, Any] = field(default_factory=dict)
    run: str | None = None
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """An annotator's event; `shown_revision` is their own last decision on the card they saw.

    `about` says how it came about: what was hidden on the card, which guidelines held, or the file
    that it was imported from.
    """

    sample: str
    kind: Kind
    annotator: str
    label: str | None = None
    stratum: str | None = None
    text: str | None = None
    reason: str | None = None
    seconds: float | None = None
    shown_revision: int = 0
    about: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Prompt:
    """What is sent to a provider for one call.

    `label` is the class asked for, `draw` its number (the same prompt asked twice on purpose is
    two draws), `schema` the JSON schema of the reply, `n_items` the samples asked for, 0 where it
    asks for something else. `human_ids` are the human samples shown in it and those behind the
    pseudo-samples shown in it, which are `parents`. `step` says which of a strategy's steps it is,
    `chain` which of several that go side by side, and `about` what is to be known again when the
    reply is read, and kept beside what it brings. `writer` is the place, in the run's list, of who
    is asked.
    """

    system: str
    user: str
    schema: Mapping[str, Any]
    label: str
    draw: int
    n_items: int
    human_ids: tuple[str, ...] = ()
    parents: tuple[str, ...] = ()
    step: str = ""
    chain: int | None = None
    about: Mapping[str, Any] = field(default_factory=dict)
    writer: int = 0

    @property
    def messages(self) -> list[dict[str, str]]:
        """Return the prompt in the form of chat messages."""
        return [
            {"role": "system", "content": self.system},
            {"role": "user", "content": self.user},
        ]


@dataclass(frozen=True, slots=True)
class Limits:
    """How fast a provider may be asked: requests in flight, requests and tokens a minute."""

    at_once: int = 64
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None


Finish = Literal["stop", "length", "refused", "failed"]


@dataclass(frozen=True, slots=True)
class Completion:
    """What came back, with token usage; `text` is exactly what the provider wrote.

    `input_tokens` are all of them: those read from a prompt cache (`cached_tokens`) and written to
    one (`cache_write_tokens`) are among them, whichever way the vendor counts.
    """

    text: str
    finish: Finish
    model: str
    input_tokens: int | None
    output_tokens: int | None
    cached_tokens: int = 0
    seconds: float = 0.0
    raw_id: str | None = None
    detail: str = ""
    cache_write_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Draft:
    """A pseudo-sample as a strategy read it from a completion; `about` is kept beside it."""

    inputs: Mapping[str, Any]
    text: str
    label: str
    stratum: str
    about: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a strategy found in one completion: drafts, and what it could not read, with reasons.

    `found` is what a step brought that is no sample, as JSON: for later prompts of the run.
    """

    drafts: tuple[Draft, ...]
    problems: tuple[str, ...] = ()
    outcome: Literal["read", "invalid", "refused", "failed"] = "read"
    found: Any = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check says of one sample."""

    check: str
    sample: str
    is_flagged: bool
    reason: str = ""
    score: float | None = None
    close_to: str | None = None
    close_text: str | None = None


@dataclass(frozen=True, slots=True)
class PoolRow:
    """One frozen row that a study draws from; `behind` are the human rows its prompt showed.

    `origin` is what is known of how a language model's row came about, by fact.
    """

    id: str
    version: str
    inputs: Mapping[str, Any]
    text: str
    label: str
    stratum: str
    source: Source
    split: str
    behind: tuple[str, ...] | None = ()
    origin: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Trial:
    """One cell of a study under one seed: everything that its numbers depend on.

    `synthetic_share` is by count; `money_share` is what of the cost goes to rows that an LLM wrote
    or labelled. `factors` name the line that it lies on, where a study has several. Of an adaptive
    study `is_wanted` says which trials were chosen so far.
    """

    key: str
    pool: str
    student: Mapping[str, Any]
    mixture: Mapping[str, Any]
    seed: int
    n_human: int
    n_synthetic: int
    n_behind: int
    synthetic_share: float
    money_share: float | None
    cost_usd: float | None
    n_llm_labelled: int = 0
    is_wanted: bool = True
    factors: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Result:
    """What a trial came to: an answer per test row of the pool.

    `predicted` indexes the task's labels; of a task whose labels are no classes it is empty, and
    `answers` are the predicted labels themselves. `others` has the same three lists (`predicted`,
    `answers`, `probabilities`) for every other split that is tested on, by its name. `about` is
    what the student says of its training, stage by stage. One that failed has a reason and nothing
    else.
    """

    key: str
    scores: Mapping[str, Any] = field(default_factory=dict)
    predicted: Sequence[int] = ()
    probabilities: Sequence[float] = ()
    seconds: float = 0.0
    device: str = ""
    answers: Sequence[str] = ()
    n_steps: int = 0
    about: Sequence[Mapping[str, Any]] = ()
    status: Literal["done", "failed"] = "done"
    error: str = ""
    others: Mapping[str, Mapping[str, Sequence[Any]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per million tokens, with where and when the figures come from.

    Input read from a prompt cache and written to one has the price of other input where its own is
    None.
    """

    input_per_mtok: float
    output_per_mtok: float
    source: str
    as_of: str
    cached_input_per_mtok: float | None = None
    cache_write_per_mtok: float | None = None

    def of(self, input_tokens: int, output_tokens: int) -> float:
        """Return the price in US dollars of one call that no cache had a part in."""
        return (
            input_tokens * self.input_per_mtok + output_tokens * self.output_per_mtok
        ) / 1_000_000

    def at_most(self, input_tokens: int, output_tokens: int) -> float:
        """Return the price in US dollars of one call if all input is of its dearest kind."""
        premium = -min(0.0, *self._cache_savings())
        return self.of(input_tokens, output_tokens) + input_tokens * premium / 1_000_000

    def less(self, discount: float) -> Price:
        """Return the price that is left after a discount, a share of 1."""
        kept = 1 - discount
        cached, written = (
            None if usd is None else usd * kept
            for usd in (self.cached_input_per_mtok, self.cache_write_per_mtok)
        )
        return replace(
            self,
            input_per_mtok=self.input_per_mtok * kept,
            output_per_mtok=self.output_per_mtok * kept,
            cached_input_per_mtok=cached,
            cache_write_per_mtok=written,
        )

    def of_completion(self, completion: Completion) -> float | None:
        """Return what a completion cost in US dollars; None where its tokens are not known."""
        if completion.input_tokens is None or completion.output_tokens is None:
            return None
        full = self.of(completion.input_tokens, completion.output_tokens)
        return full - self.saved(completion)

    def saved(self, completion: Completion) -> float:
        """Return the US dollars that the cache saved; below zero where writing to it cost more."""
        n_input = completion.input_tokens or 0
        # A vendor's parts are never counted for more than their whole.
        n_cached = min(completion.cached_tokens, n_input)
        n_written = min(completion.cache_write_tokens, n_input - n_cached)
        cached, written = self._cache_savings()
        return (n_cached * cached + n_written * written) / 1_000_000

    def _cache_savings(self) -> tuple[float, float]:
        """Return how much less than other input a million tokens read and written cost."""
        own = (self.cached_input_per_mtok, self.cache_write_per_mtok)
        cached, written = (0.0 if x is None else self.input_per_mtok - x for x in own)
        return cached, written


@dataclass(frozen=True, slots=True)
class Job:
    """Background work; its state is its last event."""

    id: str
    project: str
    kind: str
    subject: str
    state: str
    progress: Mapping[str, Any] = field(default_factory=dict)
    message: str = ""
    started_at: str = ""
    updated_at: str = ""
