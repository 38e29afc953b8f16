"""Which entities is a text asked to hold, does it hold them and no others, and where?

An entity is a mark as a task shows it to a language model: words and a type, of frames also
arguments, which are words and a role.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core import spans
from core.errors import Unreadable
from core.registry import canonical
from core.spans import Argument, Frame, Span
from core.tasks._parts import located

Entity = Mapping[str, Any]
_ENDS = ".!?…:;。！？"  # noqa: RUF001  ends of sentences in any script


@dataclass(frozen=True, slots=True)
class Names:
    """What was proposed of a type: names, or words of triggers with those of arguments by role."""

    names: tuple[str, ...]
    arguments: Mapping[str, tuple[str, ...]]

    @property
    def phrases(self) -> tuple[str, ...]:
        """Return all words."""
        return (*self.names, *(words for some in self.arguments.values() for words in some))


def merged(proposals: Iterable[Mapping[str, Any]]) -> Names:
    """Return the names of several proposals, each once, in order."""
    names: list[str] = []
    arguments: dict[str, list[str]] = {}
    for found in proposals:
        names += found["names"]
        for role, some in found["arguments"].items():
            arguments.setdefault(role, []).extend(some)
    return Names(
        tuple(dict.fromkeys(names)),
        {role: tuple(dict.fromkeys(some)) for role, some in arguments.items()},
    )


def of_one_type(known: Mapping[str, Names]) -> dict[str, Names]:
    """Return the names without those of two types, of which nobody knows which is meant."""
    counts = Counter(
        name for names in known.values() for name in {each.casefold() for each in names.names}
    )
    return {
        type_: Names(
            tuple(name for name in names.names if counts[name.casefold()] == 1), names.arguments
        )
        for type_, names in known.items()
    }


def drawn(
    generator: random.Random, known: Mapping[str, Names], type_: str, most: int, has_roles: bool
) -> list[dict[str, Any]]:
    """Return up to `most` entities drawn for one text, one of them at least of a type.

    Of a trigger, words are drawn for half of the roles. No words stand in other words.
    """
    taken: list[str] = []
    made = []
    types = [name for name, names in known.items() if names.names]
    n = generator.randint(1, most)
    for one in [type_, *(generator.choice(types) for _ in range(n - 1))]:
        words = _pick(generator, known[one].names, taken)
        if words is None:
            continue
        entity: dict[str, Any] = {"text": words, "type": one}
        if has_roles:
            roles = [role for role in known[one].arguments if generator.random() < 0.5]
            picked = [(_pick(generator, known[one].arguments[role], taken), role) for role in roles]
            entity["arguments"] = [{"text": words, "role": role} for words, role in picked if words]
        made.append(entity)
    return sorted(made, key=canonical)


def label_of(
    text: str, entities: Sequence[Entity], others: Iterable[str], has_roles: bool
) -> str:  # fmt: skip
    """Return the label of a text that holds some entities and none of the others.

    A name may stand in it more than once, and each time is a span; a trigger and an argument may
    not, because nobody would know which of them belong together.

    Raises:
        Unreadable: words are missing or not alone, or there are other names.
    """
    marks: list[Span | Frame] = []
    held: list[tuple[int, int]] = []
    for entity in entities:
        if has_roles:
            start, end = _only(text, entity["text"])
            arguments = [
                Argument(*_only(text, one["text"]), one["role"]) for one in entity["arguments"]
            ]
            marks.append(Frame(start, end, entity["type"], tuple(sorted(arguments))))
            held += [(start, end), *((one.start, one.end) for one in arguments)]
        else:
            found = _some(text, entity["text"])
            marks += [Span(start, end, entity["type"]) for start, end in found]
            held += found
    own = set(phrases(entities))
    for words in sorted(set(others) - own):
        for start, end in places(text, words):
            if not any(first <= start and end <= last for first, last in held):
                raise Unreadable(f"an item also has {words[:60]!r}, which was not asked for")
    return spans.to_label(marks)


def phrases(entities: Iterable[Entity]) -> list[str]:
    """Return the words of entities and of their arguments."""
    return [
        words
        for entity in entities
        for words in (entity["text"], *(one["text"] for one in entity.get("arguments", ())))
    ]


def places(text: str, words: str) -> list[tuple[int, int]]:
    """Return where words stand in a text; where a sentence begins, also with a capital letter.

    >>> places("Onions first. No onions, no Onions!", "onions")
    [(0, 6), (17, 23)]
    """
    found = []
    for written in {words, words[:1].upper() + words[1:]}:
        at = 0
        while (place := _next(text, written, at)) is not None:
            if written == words or _begins_sentence(text, place[0]):
                found.append(place)
            at = place[1]
    return sorted(found)


def _next(text: str, words: str, at: int) -> tuple[int, int] | None:
    try:
        return located(text, words, at)
    except Unreadable:
        return None


def _begins_sentence(text: str, at: int) -> bool:
    before = text[:at].rstrip(" \t\"'“‘«(-–")  # noqa: RUF001  marks that open a sentence
    return not before or before[-1] in _ENDS or before[-1] == "\n"


def _some(text: str, words: str) -> list[tuple[int, int]]:
    found = places(text, words)
    if not found:
        raise Unreadable(f"an item lacks {words[:60]!r}, which was asked for")
    return found


def _only(text: str, words: str) -> tuple[int, int]:
    found = _some(text, words)
    if len(found) > 1:
        raise Unreadable(
            f"an item has {words[:60]!r} {len(found)} times: nobody knows which counts"
        )
    return found[0]


def _pick(generator: random.Random, words: Sequence[str], taken: list[str]) -> str | None:
    """Draw words that neither stand in words taken before nor hold them, and take them."""
    free = [
        one
        for one in words
        if not any(
            one.casefold() in other.casefold() or other.casefold() in one.casefold()
            for other in taken
        )
    ]
    if not free:
        return None
    taken.append(generator.choice(free))
    return taken[-1]
