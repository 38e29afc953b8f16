"""Saved views: filters that have a name, kept with a project's settings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from core.actions import find
from core.actions.access import needs
from core.actions.session import here, project_of
from core.errors import Missing, Problem
from core.store import projects
from core.store.samples import Filter

SETTINGS = "views"
MOST = 50
"""Views that a project keeps."""
LONGEST_NAME = 60
LONGEST = 4_000
"""Characters of a view as it is kept."""

_WORDS = (
    "source", "split", "status", "stratum", "annotator", "run", "words", "pattern", "check",
)  # fmt: skip
_SWITCHES = ("flagged", "has_decisions", "unlabelled")


@dataclass(frozen=True, slots=True)
class View:
    """A filter with a name; `like` is the sample that others are to be similar to, if any."""

    name: str
    wanted: Filter
    like: str | None = None


@needs("viewer")
def saved(project: str) -> list[View]:
    """Return the views of a project by name; what is no view among its settings is left out."""
    kept = project_of(project).settings.get(SETTINGS)
    if not isinstance(kept, list):
        return []
    found = [view for each in kept[:MOST] if (view := _read(each))]
    return sorted(found, key=lambda view: view.name.casefold())


@needs("viewer")
def get(project: str, name: str) -> View:
    """Return a view by its name.

    Raises:
        Missing: there is none.
    """
    for view in saved(project):
        if view.name == name:
            return view
    raise Missing(f"There is no view called {name!r}.", "Choose another one on Find.")


@needs("annotator")
def save(project: str, view: View) -> View:
    """Keep a view, in place of one that has its name; return it as it is kept.

    Raises:
        Problem: no name or a long one, too many views, or something in it that cannot be kept.
    """
    name = " ".join(view.name.split())
    if not 0 < len(name) <= LONGEST_NAME:
        raise Problem(f"A view needs a name of at most {LONGEST_NAME} characters.")
    find.refuse(view.wanted)
    made = replace(view, name=name)
    if len(json.dumps(_written(made))) > LONGEST:
        raise Problem("That is too much for a view.")
    with here().database.write() as cursor:
        others = [each for each in saved(project) if each.name != name]
        if len(others) >= MOST:
            raise Problem(f"A project keeps {MOST} views.", "Delete one first.")
        _keep(cursor, project, [*others, made])
    return made


@needs("annotator")
def delete(project: str, name: str) -> None:
    """Forget a view."""
    with here().database.write() as cursor:
        _keep(cursor, project, [each for each in saved(project) if each.name != name])


@needs("viewer")
def wanted(project: str, view: View, sources: tuple[str, ...]) -> Filter:
    """Return a view's filter for a deck of some sources: its own, or the first of them.

    Raises:
        Problem: the view has none of these sources, or no vectors to go by.
    """
    source = view.wanted.source or sources[0]
    if source not in sources:
        raise Problem(f"The view {view.name!r} has no such samples.", "Choose another one.")
    chosen = replace(view.wanted, source=source)
    if view.like is None:
        return chosen
    return find.these(chosen, [id_ for id_, _ in find.similar(project, view.like, chosen)])


def _keep(cursor: Any, project: str, views: list[View]) -> None:
    settings = {**project_of(project).settings, SETTINGS: [_written(each) for each in views]}
    projects.update_in(cursor, project, settings=settings)


def _written(view: View) -> dict[str, Any]:
    names = (*_WORDS, *_SWITCHES, "scores")
    said = {name: value for name in names if (value := getattr(view.wanted, name)) is not None}
    return {"name": view.name, "wanted": said, **({"like": view.like} if view.like else {})}


def _read(kept: Any) -> View | None:
    """Return a view as it was kept, None of anything else: settings may come from an archive."""
    if not isinstance(kept, Mapping) or not isinstance(kept.get("wanted"), Mapping):
        return None
    name, like, said = kept.get("name"), kept.get("like"), kept["wanted"]
    if not isinstance(name, str) or not isinstance(like, str | None):
        return None
    scores = said.get("scores")
    is_right = (
        all(isinstance(said.get(word), str | None) for word in _WORDS)
        and all(isinstance(said.get(switch), bool | None) for switch in _SWITCHES)
        and (scores is None or _is_range(scores))
        and len(json.dumps(dict(kept))) <= LONGEST
    )
    if not is_right:
        return None
    known = {word: said.get(word) for word in (*_WORDS, *_SWITCHES)}
    return View(name, Filter(**known, scores=tuple(scores) if scores else None), like)


def _is_range(scores: Any) -> bool:
    return (
        isinstance(scores, list | tuple)
        and len(scores) == 2
        and all(isinstance(one, int | float) for one in scores)
    )
