"""What do the lines of a brat .ann file say, and which lines say spans or frames?"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping

from core.errors import Unreadable
from core.spans import Argument, Frame, Span, spans_fault

ARGUMENT = "Argument"
"""The type that an argument is written with, since only its role is known."""

_PASSED = {
    "A": "attributes", "M": "attributes", "N": "normalisations", "#": "notes", "*": "equivalences",
}  # fmt: skip
_BOUND = re.compile(r"(T\S*)\t(\S+) ([0-9]{1,9} [0-9]{1,9}(?:;[0-9]{1,9} [0-9]{1,9})*)(?:\t(.*))?")
_EVENT = re.compile(r"(E\S*)\t(\S.*)")
_RELATION = re.compile(r"(R\S*)\t(\S+) (\S.*)")
_NUMBER = re.compile("[2-9]|[1-9][0-9]+")


def read(
    text: str, annotations: str, passed: Counter[str]
) -> tuple[tuple[Span, ...], tuple[Frame, ...]]:
    """Return the spans and frames of a document; what is neither is counted in `passed`.

    An argument that is an event stands for the event's trigger. Of two arguments of one role the
    second is called `role2`, which is read as the role.

    Raises:
        Unreadable: a line that is no annotation, or that points beyond the text or at nothing.
    """
    bound: dict[str, Span] = {}
    events: dict[str, tuple[str, str, list[tuple[str, str]]]] = {}
    relations: list[tuple[str, str, str, str]] = []
    for ended in annotations.split("\n"):
        line = ended.rstrip("\r")
        if not line.strip():
            continue
        if line[0] in _PASSED:
            passed[_PASSED[line[0]]] += 1
        elif found := _BOUND.fullmatch(line):
            _once(found[1], bound)
            bound[found[1]] = _span(text, found[1], found[2], found[3], found[4])
        elif found := _EVENT.fullmatch(line):
            _once(found[1], events)
            (name, trigger), *pairs = _pairs(line, found[2])
            events[found[1]] = (name, trigger, pairs)
        elif (found := _RELATION.fullmatch(line)) and len(ends := _pairs(line, found[3])) == 2:
            relations.append((found[1], found[2], ends[0][1], ends[1][1]))
        else:
            raise _no_annotation(line)

    def span_of(reference: str, whose: str) -> Span:
        target = events[reference][1] if reference in events else reference
        if target not in bound:
            raise Unreadable(f"{whose} points at {reference}, which is not there")
        return bound[target]

    frames: list[tuple[Span, str, set[Argument]]] = []
    by_trigger: dict[Span, set[Argument]] = {}
    for id_, (name, trigger, pairs) in events.items():
        span = span_of(trigger, id_)
        roles = {role for role, _ in pairs}
        arguments = {_argument(span_of(to, id_), _role(role, roles)) for role, to in pairs}
        frames.append((span, name, arguments))
        by_trigger.setdefault(span, arguments)
    for id_, name, first, second in relations:
        span = span_of(first, id_)
        if span not in by_trigger:
            by_trigger[span] = set()
            frames.append((span, span.type, by_trigger[span]))
        by_trigger[span].add(_argument(span_of(second, id_), name))
    made = {Frame(s.start, s.end, name, tuple(sorted(args))) for s, name, args in frames}
    return tuple(sorted(set(bound.values()))), tuple(sorted(made))


def span_lines(text: str, spans: Iterable[Span]) -> list[str]:
    """Return the lines of a document's spans.

    Raises:
        Unreadable: a type that brat cannot hold.
    """
    return [_bound_line(text, f"T{number}", span) for number, span in enumerate(spans, start=1)]


def frame_lines(text: str, frames: Iterable[Frame]) -> list[str]:
    """Return the lines of a document's frames, which are events to brat.

    Raises:
        Unreadable: a type or role that brat cannot hold.
    """
    made: list[str] = []
    ids: dict[Span, str] = {}
    n = 0

    def bound(span: Span) -> str:
        nonlocal n
        n += 1
        made.append(_bound_line(text, f"T{n}", span))
        return f"T{n}"

    for number, frame in enumerate(frames, start=1):
        # A trigger is its event's own, while frames may share an argument.
        event = f"E{number}\t{_name(frame.type)}:{bound(Span(frame.start, frame.end, frame.type))}"
        for role, argument in _numbered(frame):
            span = Span(argument.start, argument.end, ARGUMENT)
            ids[span] = ids.get(span) or bound(span)
            event += f" {role}:{ids[span]}"
        made.append(event)
    return made


def configuration(marked: Iterable[Span | Frame]) -> str:
    """Return the annotation.conf that tells brat of all types and roles."""
    entities: set[str] = set()
    roles: dict[str, set[str]] = defaultdict(set)
    for one in marked:
        if isinstance(one, Span):
            entities.add(one.type)
        else:
            entities.add(ARGUMENT)
            roles[one.type].update(argument.role for argument in one.arguments)
    events = [
        f"{name}\t{', '.join(f'{role}*:{ARGUMENT}' for role in sorted(some))}".rstrip()
        for name, some in sorted(roles.items())
    ]
    parts = {"entities": sorted(entities), "relations": [], "events": events, "attributes": []}
    return "\n".join("\n".join([f"[{part}]", *lines, ""]) for part, lines in parts.items())


def _no_annotation(line: str) -> Unreadable:
    return Unreadable(f"a line that is no annotation ({line[:60]!r})")


def _pairs(line: str, words: str) -> list[tuple[str, str]]:
    """Return name and id of each `name:id`."""
    made = [word.rpartition(":") for word in words.split()]
    if not all(name and id_ for name, _, id_ in made):
        raise _no_annotation(line)
    return [(name, id_) for name, _, id_ in made]


def _once(id_: str, known: Mapping[str, object]) -> None:
    if id_ in known:
        raise Unreadable(f"{id_} is there twice")


def _span(text: str, id_: str, name: str, offsets: str, said: str | None) -> Span:
    if ";" in offsets:
        raise Unreadable(f"{id_} is in several pieces ({offsets}), and a span is one")
    start, end = map(int, offsets.split())
    span = Span(start, end, name)
    if fault := spans_fault(text, [span]):
        raise Unreadable(f"{id_}: {fault}")
    there = text[start:end]
    if said is not None and said.split() != there.split():
        raise Unreadable(
            f"{id_} says {said[:40]!r} where the text has {there[:40]!r}, as if its offsets"
            " counted something else than characters"
        )
    return span


def _argument(span: Span, role: str) -> Argument:
    return Argument(span.start, span.end, role)


def _role(role: str, roles: Collection[str]) -> str:
    """Return the role that one with a number behind it stands for, which is there without it."""
    n_digits = len(role) - len(role.rstrip("0123456789"))
    # At most as many as an offset has, so that a role of digits alone is soon looked at.
    for cut in range(len(role) - 1, len(role) - min(n_digits, 9) - 1, -1):
        if role[:cut] in roles and _NUMBER.fullmatch(role[cut:]):
            return role[:cut]
    return role


def _numbered(frame: Frame) -> list[tuple[str, Argument]]:
    """Return the arguments of a frame with their roles, numbered where one is there again."""
    counts: Counter[str] = Counter()
    made: dict[str, Argument] = {}
    for argument in frame.arguments:
        role = _name(argument.role)
        counts[role] += 1
        made[role if counts[role] == 1 else f"{role}{counts[role]}"] = argument
    read = {
        _argument(Span(one.start, one.end, ""), _role(role, made)) for role, one in made.items()
    }
    if read != set(frame.arguments):
        listed = ", ".join(sorted(counts))
        raise Unreadable(f"brat numbers roles, so that it would mix up some of these: {listed}")
    return list(made.items())


def _name(name: str) -> str:
    if name.split() != [name]:
        raise Unreadable(f"the name {name!r} has white space, which brat has none of in names")
    return name


def _bound_line(text: str, id_: str, span: Span) -> str:
    said = text[span.start : span.end].replace("\n", " ").replace("\r", " ")
    return f"{id_}\t{_name(span.type)} {span.start} {span.end}\t{said}"
