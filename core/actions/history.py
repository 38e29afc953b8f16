"""What has happened to a sample, from its coming to now? In words, with who and when."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core.actions.access import needs
from core.actions.session import here, task_of
from core.records import SOURCE_WORDS, Sample
from core.store import consensus, decisions, samples, verdicts
from core.store.decisions import Undone

LONGEST = 300
"""Characters of a text or label that a line shows."""
_KNOWN = ("guidelines", "press")
"""What is told otherwise of how a decision came about, and the id of its key press."""
_FINAL = ("undo", "split", "delete")
"""Kinds of events that stay: nobody takes them back."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened: when (UTC), by whom, what, and what more is known of it.

    `event` is its number where it is a decision, `kind` of which kind; `taken_back` says by whom
    and when, of one that counts no longer.
    """

    at: datetime
    who: str
    what: str
    more: tuple[str, ...] = ()
    event: int | None = None
    kind: str = ""
    taken_back: str = ""

    def may_be_undone_by(self, annotator: str) -> bool:
        """Say whether this person can take it back."""
        return (
            self.event is not None
            and self.who == annotator
            and self.kind not in _FINAL
            and not self.taken_back.startswith("taken back")
        )


@needs("viewer")
def of(project: str, sample: str) -> list[Entry]:
    """Return everything that happened to a sample, the oldest first.

    Decisions stand in the order in which they were made, although a clock may have gone back.

    Raises:
        Missing: there is no such sample.
    """
    database = here().database
    now = samples.get(database, project, sample)
    came = samples.came(database, project, sample)
    events = decisions.history(database, project, sample)
    found = [
        Entry(at, f"check {one.check}", "flagged it" if one.is_flagged else "did not flag it",
              tuple(filter(None, (one.reason, _score(one.score)))))
        for at, one in verdicts.made(database, project, sample)
    ]  # fmt: skip
    found += [
        Entry(one.made_at, one.annotator or "somebody",
              f"changed whose votes count for how much: {_in_words(project, now, one.before)}"
              f" became {_in_words(project, now, one.after)}", (f"rule: {one.rule}",))
        for one in consensus.relabelled(database, project, sample)
    ]  # fmt: skip
    undone = {each["undoes"]: each for each in events if each["kind"] == "undo"}
    reopened = [each for each in events if each["kind"] == "reopen" and each["seq"] not in undone]
    what_was = {each["seq"]: each for each in events}
    latest = datetime.min
    placed = [(entry.at, entry) for entry in found]
    for each in events:
        back = undone.get(each["seq"])
        later = [one for one in reopened if one["seq"] > each["seq"]]
        taken = ""
        if back:
            taken = f"taken back by {back['annotator']} on {_time(back['happened_at'])}"
        elif later and each["kind"] not in (*_FINAL, "reopen"):
            taken = f"counts no longer: moved to pending by {later[-1]['annotator']}"
        latest = max(latest, each["happened_at"])
        entry = Entry(
            each["happened_at"], each["annotator"],
            _what(project, now, each, what_was.get(each["undoes"])), _more(each), each["seq"],
            each["kind"], taken,
        )  # fmt: skip
        placed.append((latest, entry))
    placed.sort(key=lambda each: each[0])
    return [_came(project, now, came), *(entry for _, entry in placed)]


@needs("annotator")
def undo(project: str, annotator: str, event: int) -> Undone:
    """Take back one of the annotator's own decisions, however old; the rest stays as it is.

    Raises:
        Problem: it is somebody else's, was taken back already, or cannot be.
    """
    return decisions.undo_event(here().database, project, annotator, event)


def _came(project: str, now: Sample, came: Mapping[str, Any]) -> Entry:
    told, made = came["provenance"], []
    label = "without a label"
    if came["label"] is not None:
        label = f"labelled {_in_words(project, now, came['label'])}"
    source = SOURCE_WORDS.get(came["source"], came["source"])
    if "completion" in told:
        strategy = told.get("strategy")
        kind = strategy.get("kind") if isinstance(strategy, dict) else strategy
        made += [f"strategy {kind}"] if kind else []
        made += [f"run {came['run']}"] if came["run"] else []
        what = f"written by a model, {label}"
        if came["source"] == "llm-labelled":
            what = f"{label} by a model"
        return Entry(came["created_at"], "a run", f"{what}, for {came['split']}", tuple(made))
    if "file" in told:
        made.append(f"row {told['row']} of {told['file']}" if "row" in told else str(told["file"]))
    made += [str(told["dataset"])] if "dataset" in told else []
    return Entry(
        came["created_at"], "import", f"came as {source}, {label}, in {came['split']}", tuple(made)
    )


def _what(
    project: str, now: Sample, event: Mapping[str, Any], undoes: Mapping[str, Any] | None
) -> str:
    kind = event["kind"]
    if kind == "label":
        return f"labelled it {_in_words(project, now, event['label'])}"
    if kind == "adjudicate":
        return f"settled it as {_in_words(project, now, event['label'])}"
    if kind == "edit":
        return f"changed its text to: {_short(event['text'] or 'words that were erased')}"
    if kind == "split":
        return f"moved it to {event['split']}"
    if kind == "undo":
        return f"took back: {_WORDS.get(undoes['kind'], undoes['kind'])}" if undoes else "took back"
    return _WORDS.get(kind, kind)


_WORDS = {
    "label": "a label", "accept": "accepted it", "reject": "rejected it",
    "edit": "changed its text", "adjudicate": "a ruling", "reopen": "moved it to pending",
    "delete": "deleted it for good",
}  # fmt: skip


def _more(event: Mapping[str, Any]) -> tuple[str, ...]:
    told = []
    if event["reason"]:
        told.append(f"because: {event['reason']}")
    about = json.loads(event["about"]) if event["about"] else {}
    if event["seconds"] is not None:
        how = "as its file says" if "imported" in about else "of work"
        told.append(f"{event['seconds']:.1f} s {how}")
    if event["batch"]:
        told.append("one of many at once")
    if "guidelines" in about:
        told.append(f"guidelines {about['guidelines']}")
    for name, value in about.items():
        if name not in _KNOWN and value not in (None, "", [], {}):
            words = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            told.append(f"{name}: {_short(words)}")
    return tuple(told)


def _in_words(project: str, now: Sample, label: str | None) -> str:
    if label is None:
        return "nothing"
    task = task_of(project)
    if task.check(label, now.inputs):
        # One that the task has no more, or of another text.
        return _short(label)
    return _short(task.in_words(label, now.inputs))


def _score(score: float | None) -> str:
    return "" if score is None else f"score {score:.2f}"


def _short(words: str) -> str:
    return words if len(words) <= LONGEST else f"{words[:LONGEST]} …"


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}"
