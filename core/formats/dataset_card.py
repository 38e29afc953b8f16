"""What does a folder say of the dataset in it, to people and to the Hugging Face library?"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from core.formats.dataset import Part

_SIZES = ("n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M", "10M<n<100M", "100M<n<1B")
_CATEGORIES = {"tags": "token-classification", "choice": "multiple-choice"}
_SOURCES = {"human": "human", "synthetic": "synthetic", "llm-labelled": "LLM-labelled"}
_LINE_END = re.compile("[\n\r\x85\u2028\u2029]")
_MEANING = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~$:^&])")


@dataclass(frozen=True, slots=True)
class Made:
    """What one model made by one strategy: rows of a source, and the price of their calls."""

    source: str
    provider: str
    model: str
    strategy: str
    n_rows: int
    n_calls: int
    cost_usd: float | None


@dataclass(frozen=True, slots=True)
class Card:
    """What is to be known of a dataset.

    `columns` has what each column holds, in order; `n_behind` counts the human rows that prompts
    showed; `n_imported` the synthetic and LLM-labelled rows of which nothing more is known; `flags`
    the rows by what a check says of them; `left_out` the rows that are not in it, by status.
    """

    name: str
    kind: str
    head: str
    columns: Mapping[str, str]
    labels: Sequence[tuple[str, str]]
    label_counts: Mapping[str, int]
    parts: Sequence[Part]
    made: Sequence[Made]
    n_behind: int
    n_imported: int
    flags: Mapping[str, int]
    left_out: Mapping[str, int]
    version: str
    date: str


def card_text(card: Card, features: Sequence[Mapping[str, Any]]) -> str:
    """Return the README of a folder: its front matter, by which it is opened, and what it holds."""
    front = yaml.dump(
        _front(card, features), Dumper=_Plain, allow_unicode=True, sort_keys=False, width=1_000_000
    )
    return f"---\n{front}---\n\n{_body(card)}"


class _Plain(yaml.SafeDumper):
    """YAML without references, which not every reader follows, and with every text on one line."""

    def ignore_aliases(self, data: Any) -> bool:
        del data
        return True

    def represent_str(self, data: str) -> Any:
        # In other quotes than these, some ends of lines would come back as others.
        style = '"' if _LINE_END.search(data) else None
        return self.represent_scalar("tag:yaml.org,2002:str", data, style)


_Plain.add_representer(str, _Plain.represent_str)


def _front(card: Card, features: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    n_rows = sum(part.n_rows for part in card.parts)
    sources = sorted({part.source for part in card.parts})
    configs = {"default": list(card.parts)}
    if len(sources) > 1:
        configs |= {one: [part for part in card.parts if part.source == one] for one in sources}
    return {
        "pretty_name": card.name,
        "license": "unknown",
        "task_categories": [_CATEGORIES.get(card.head, "text-classification")],
        "size_categories": [_SIZES[min(max(len(str(n_rows)) - 3, 0), len(_SIZES) - 1)]],
        "tags": ["admix", *(["synthetic"] if "synthetic" in sources else [])],
        "configs": [
            {
                "config_name": name,
                **({"default": True} if name == "default" else {}),
                "data_files": [
                    {"split": split, "path": [part.path for part in some if part.split == split]}
                    for split in _splits(some)
                ],
            }
            for name, some in configs.items()
        ],
        "dataset_info": [
            {
                "config_name": name,
                "features": list(features),
                "splits": [
                    {
                        "name": split,
                        "num_bytes": sum(part.n_bytes for part in some if part.split == split),
                        "num_examples": sum(part.n_rows for part in some if part.split == split),
                    }
                    for split in _splits(some)
                ],
                "download_size": sum(len(part.data) for part in some),
                "dataset_size": sum(part.n_bytes for part in some),
            }
            for name, some in configs.items()
        ],
    }


def _body(card: Card) -> str:
    n_rows = sum(part.n_rows for part in card.parts)
    sources = [one for one in _SOURCES if any(part.source == one for part in card.parts)]
    counts = Counter({(part.split, part.source): part.n_rows for part in card.parts})
    parts = [
        f"# {_plain(card.name)}",
        f"{_plain(card.kind)}: {n_rows:,} accepted rows, exported from Admix {card.version} on"
        f" {card.date}.",
        "## Columns",
        _table(["column", "what it holds"], card.columns.items()),
        "## Labels",
        _table(
            ["label", "definition", "rows"],
            [(name, about, card.label_counts.get(name, 0)) for name, about in card.labels],
        )
        if card.labels
        else "None is named.",
        "## Rows",
        _table(
            ["split", *(_SOURCES[one] for one in sources)],
            [(split, *(counts[split, one] for one in sources)) for split in _splits(card.parts)],
        ),
        "*human*: text and label by people. *synthetic*: both written by a language model."
        " *LLM-labelled*: a text by people, labelled by a language model.",
        "The test split is sealed: in Admix none of its texts reached a prompt that writes or"
        " labels samples, a check's training or a choice of model. Train on `train` only.",
        _left_out(card.left_out),
    ]
    if len(sources) > 1:
        listed = ", ".join(f"`{one}`" for one in sources)
        parts.append(f"The rows of one source alone are a configuration of its name: {listed}.")
    if sources != ["human"]:
        parts += ["## Where synthetic rows and labels come from", *_provenance(card)]
    parts += [
        "## Checks",
        _table(["check", "rows that it flags"], card.flags.items())
        if card.flags
        else "No check flags a row.",
        "## Licence",
        "Unknown. **To be filled in by whoever publishes this**, here and as `license` above: the"
        " rights in the human texts, the terms of the models that wrote or labelled others, the"
        " language, and whether people can be recognised in the texts.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _provenance(card: Card) -> list[str]:
    told = []
    if card.made:
        rows = [
            (
                _SOURCES[made.source], made.provider, made.model, made.strategy, made.n_rows,
                made.n_calls, "unknown" if made.cost_usd is None else f"{made.cost_usd:.4f}",
            )
            for made in card.made
        ]  # fmt: skip
        names = ["rows", "provider", "model", "strategy", "number", "calls", "US dollars"]
        told += [
            _table(names, rows),
            "The price is that of the calls these rows came from; what else they returned was"
            " not accepted, and calls without an accepted row are not counted.",
            f"Prompts showed {card.n_behind:,} different human rows. Whoever compares human with"
            " synthetic data has to count those as well.",
        ]
    if card.n_imported:
        told.append(
            f"{card.n_imported:,} synthetic or LLM-labelled rows were imported: their model, price"
            " and the human rows behind them are unknown."
        )
    return told


def _left_out(counts: Mapping[str, int]) -> str:
    told = ", ".join(f"{n:,} {status}" for status, n in counts.items() if n)
    return f"Not in here: {told} rows." if told else ""


def _splits(parts: Sequence[Part]) -> list[str]:
    return list(dict.fromkeys(part.split for part in parts))


def _table(names: Sequence[str], rows: Any) -> str:
    def line(cells: Sequence[Any]) -> str:
        texts = (f"{one:,}" if isinstance(one, int) else _plain(str(one)) for one in cells)
        return f"| {' | '.join(texts)} |"

    return "\n".join([line(names), f"|{' --- |' * len(names)}", *map(line, rows)])


def _plain(text: str) -> str:
    r"""Return text that Markdown shows as it is, on one line.

    >>> _plain("a|b\n<i>")
    'a\\|b \\<i\\>'
    """
    return _MEANING.sub(r"\\\1", " ".join(text.split()))
