"""What does a plan cost, and what does an amount of money buy?"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from types import MappingProxyType
from typing import Any, Literal

from pydantic import TypeAdapter

from core.errors import Problem
from core.records import FACTS, SOURCES, Price, Source

Target = Literal["balanced", "proportional", "fill"]
ONE: Mapping[Source, str] = {
    "human": "a human label",
    "synthetic": "a synthetic sample",
    "llm-labelled": "an LLM-labelled text",
}
"""What a source's price is the price of."""


ANY_ORIGIN: Mapping[str, str] = MappingProxyType({})
"""That of rows which may have come about in any way."""
LLM_SOURCES: tuple[Source, ...] = ("synthetic", "llm-labelled")
MOST_USD = 1e9
MOST_ORIGINS = 200
"""Most origins of a project that have a price of their own."""
MOST_CHARS = 200
"""Most characters of what an origin is in one fact, such as of a generator's name."""


@dataclass(frozen=True, slots=True)
class OriginPrice:
    """US dollars per row of a source that came about in one way; `origin` is that way, by fact."""

    source: Source
    # What is equal in the others has the same hash: a mapping has none.
    origin: Mapping[str, str] = field(hash=False)
    usd: float

    @property
    def what(self) -> str:
        """Return the origin in words."""
        return origin_words(self.origin)


def origin_words(origin: Mapping[str, str]) -> str:
    """Return how rows came about, in words.

    >>> origin_words({"generator": "gpt-4o", "temperature": "1"})
    'generator gpt-4o, temperature 1'
    """
    return ", ".join(f"{fact} {value}" for fact, value in origin.items())


@dataclass(frozen=True, slots=True)
class Prices:
    """US dollars per human label, accepted synthetic sample and LLM-labelled text; None if unknown.

    Somebody collected the text that an LLM labelled: what that cost belongs to its price. Rows of
    some origins may have prices of their own, `origins`; all others have that of their source.
    """

    human_usd: float | None = None
    synthetic_usd: float | None = None
    llm_labelled_usd: float | None = None
    origins: tuple[OriginPrice, ...] = ()

    def of(self, source: Source, origin: Mapping[str, str] = ANY_ORIGIN) -> float | None:
        """Return the price of one row of a source, or of an origin in it.

        >>> Prices(0.2, 0.01, origins=(OriginPrice("synthetic", {"generator": "a"}, 0.03),)).of(
        ...     "synthetic", {"generator": "a", "temperature": "1"}
        ... )
        0.03
        """
        if own := self.own(source, origin):
            return own.usd
        prices = (self.human_usd, self.synthetic_usd, self.llm_labelled_usd)
        return dict(zip(SOURCES, prices, strict=True))[source]

    def own(self, source: Source, origin: Mapping[str, str]) -> OriginPrice | None:
        """Return the origin whose price rows have: that of most facts which they all share.

        Of as many facts it is the dearest, so that LLM data never looks cheaper than it may be.
        """
        fitting = [
            each
            for each in self.origins
            if each.source == source and each.origin.items() <= origin.items()
        ]
        return max(fitting, key=lambda each: (len(each.origin), each.usd), default=None)

    def cost(
        self, n_human: int, n_synthetic: int, n_llm_labelled: int = 0,
        origin: Mapping[str, str] = ANY_ORIGIN,
    ) -> float | None:  # fmt: skip
        """Return the cost of so many samples; None where a price that matters is unknown.

        `origin` is that of all rows of language models among them.

        >>> Prices(0.2, 0.01).cost(10, 100)
        3.0
        >>> Prices(0.2, None).cost(10, 1) is None
        True
        """
        total = 0.0
        for source, n in zip(SOURCES, (n_human, n_synthetic, n_llm_labelled), strict=True):
            price = self.of(source, origin)
            if n and price is None:
                return None
            total += n * (price or 0.0)
        return total

    def with_origins(self, found: Iterable[OriginPrice]) -> Prices:
        """Return the prices with those of some origins, in place of what these had before."""
        new = list(found)
        taken = [(each.source, each.origin) for each in new]
        kept = [each for each in self.origins if (each.source, each.origin) not in taken]
        return replace(self, origins=(*kept, *new))

    @property
    def refused(self) -> str:
        """Return what is wrong with them, in a sentence; nothing where they are fine."""
        typed = [self.human_usd, self.synthetic_usd, self.llm_labelled_usd]
        usd = [*(one for one in typed if one is not None), *(each.usd for each in self.origins)]
        if not all(0 <= one < MOST_USD for one in usd):
            return "A price is a number of dollars, not below zero, and less than a billion."
        if len(self.origins) > MOST_ORIGINS:
            return f"At most {MOST_ORIGINS} origins have a price of their own."
        named = [(each.source, *sorted(each.origin.items())) for each in self.origins]
        if len(set(named)) < len(named):
            return "An origin has one price."
        for each in self.origins:
            if each.source not in LLM_SOURCES or not each.origin or not {*each.origin} <= {*FACTS}:
                return f"Rows of language models have an origin: {', '.join(FACTS)}."
            if not all(0 < len(value) <= MOST_CHARS for value in each.origin.values()):
                return f"An origin is told by 1 to {MOST_CHARS} characters."
        return ""

    def to_json(self) -> dict[str, Any]:
        """Return the prices as stored; origins are named where some have prices of their own."""
        made = asdict(self)
        # Projects, studies and files of before there were such prices stay what they are.
        origins = list(made.pop("origins"))
        return {**made, "origins": origins} if origins else made

    @staticmethod
    def from_json(stored: Mapping[str, Any]) -> Prices:
        """Return stored prices.

        Raises:
            ValueError: they are of no such form.
        """
        return _STORED.validate_python(dict(stored))


_STORED = TypeAdapter(Prices)


@dataclass(frozen=True, slots=True)
class Purchase:
    """What an allocation buys: whole samples, what they cost, and the LLM data's share by count.

    `per_class` has the numbers in the order of the sources.
    """

    n_human: int
    n_synthetic: int
    n_llm_labelled: int
    cost_usd: float
    mixed_in_share: float
    per_class: Mapping[str, tuple[int, ...]]


def human_price(wage_per_hour: float, seconds_per_label: float) -> float:
    """Return the price of a human label in US dollars.

    >>> human_price(18.0, 10.0)
    0.05
    """
    return wage_per_hour * seconds_per_label / 3600


def synthetic_price(
    spent_usd: float, n_shown: int, acceptance: float, decision_usd: float = 0.0
) -> float | None:
    """Return what one accepted synthetic sample costs, waste and curation included.

    `n_shown` samples were or will be put before people for `spent_usd`, each decision costs
    `decision_usd`, and `acceptance` is the share that is accepted.

    >>> synthetic_price(1.0, 100, 0.5, 0.01)
    0.04
    """
    if not n_shown or acceptance <= 0:
        return None
    return (spent_usd / n_shown + decision_usd) / acceptance


def spread(total: int, shares: Mapping[str, float]) -> dict[str, int]:
    """Return whole numbers that sum to `total` in the given shares, by largest remainder.

    >>> spread(10, {"a": 1, "b": 1, "c": 1})
    {'a': 4, 'b': 3, 'c': 3}
    """
    whole = sum(shares.values())
    if total <= 0 or whole <= 0:
        return dict.fromkeys(shares, 0)
    exact = {name: total * share / whole for name, share in shares.items()}
    made = {name: math.floor(value) for name, value in exact.items()}
    by_remainder = sorted(exact, key=lambda name: made[name] - exact[name])
    for name in by_remainder[: total - sum(made.values())]:
        made[name] += 1
    return made


def purchase(
    total_usd: float,
    money_share: float,
    prices: Prices,
    human_shares: Mapping[str, float],
    mixed_in_shares: Mapping[str, float],
    mixed_in: Source = "synthetic",
) -> Purchase:
    """Return what a budget buys when `money_share` of it goes to data of the source mixed in.

    Raises:
        Problem: a price that the allocation needs is unknown or not above zero.
    """
    amounts = {"human": total_usd * (1 - money_share), mixed_in: total_usd * money_share}
    shares = {"human": human_shares, mixed_in: mixed_in_shares}
    sizes, of_class = [], []
    for source in SOURCES:
        amount, price = amounts.get(source, 0.0), prices.of(source)
        if amount > 0 and (price is None or price <= 0):
            raise Problem(
                f"The price of {ONE[source]} is not known.", "Type one, or measure it first."
            )
        # The tolerance keeps 10 / 0.1 at 100 where floating point says 99.999...
        sizes.append(math.floor(amount / price + 1e-9) if price and amount > 0 else 0)
        of_class.append(spread(sizes[-1], shares.get(source, {})))
    n_human, n_synthetic, n_llm_labelled = sizes
    labels = list(dict.fromkeys([*human_shares, *mixed_in_shares]))
    return Purchase(
        n_human=n_human,
        n_synthetic=n_synthetic,
        n_llm_labelled=n_llm_labelled,
        cost_usd=prices.cost(n_human, n_synthetic, n_llm_labelled) or 0.0,
        mixed_in_share=(n_synthetic + n_llm_labelled) / sum(sizes) if sum(sizes) else 0.0,
        per_class={label: tuple(found.get(label, 0) for found in of_class) for label in labels},
    )


def targets(
    kind: Target, human: Mapping[str, int], labels: Sequence[str], total: int | None = None
) -> dict[str, int]:
    """Return how many synthetic samples each class should get.

    `balanced`: human and synthetic rows of every class together come to `total` / number of
    classes (a class with more human rows gets none); `proportional`: `total` synthetic samples in
    the human class mix; `fill`: every class is filled to the largest one.

    >>> targets("fill", {"a": 5, "b": 2}, ["a", "b"])
    {'a': 0, 'b': 3}
    >>> targets("balanced", {"a": 5, "b": 2}, ["a", "b"], 12)
    {'a': 1, 'b': 4}
    """
    counts = {label: human.get(label, 0) for label in labels}
    if kind == "fill":
        top = max(counts.values(), default=0)
        return {label: top - n for label, n in counts.items()}
    if total is None:
        raise Problem("How many samples in total?", "Give a total.")
    if kind == "proportional":
        return spread(total, counts)
    quota = spread(total, dict.fromkeys(labels, 1))
    return {label: max(0, quota[label] - counts[label]) for label in labels}


def list_price(provider: str, model: str) -> Price | None:
    """Return the published price of a model, or None where it is not known.

    Source: the genai-prices package, whose figures are those of its release.
    """
    vendors = {"openai_chat": "openai", "anthropic_chat": "anthropic"}
    if provider not in vendors:
        return None
    from importlib.metadata import version

    from genai_prices import Usage, calc_price

    def of_thousand(**tokens: int) -> Any:
        # A thousand tokens, scaled up: a million in one call would be priced as long context.
        return calc_price(Usage(**tokens), model_ref=model, provider_id=vendors[provider])

    try:
        found = of_thousand(input_tokens=1000, output_tokens=1000)
    except LookupError:
        return None
    cached = of_thousand(input_tokens=1000, cache_read_tokens=1000)
    written = of_thousand(input_tokens=1000, cache_write_tokens=1000)
    knows = found.model_price
    release = version("genai-prices")
    return Price(
        input_per_mtok=float(found.input_price) * 1000,
        output_per_mtok=float(found.output_price) * 1000,
        source=f"genai-prices {release}, {found.model.name or found.model.id}",
        as_of=f"release {release}",
        cached_input_per_mtok=(
            None if knows.cache_read_mtok is None else float(cached.input_price) * 1000
        ),
        cache_write_per_mtok=(
            None if knows.cache_write_mtok is None else float(written.input_price) * 1000
        ),
    )
