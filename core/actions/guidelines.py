"""Which guidelines held when, and how do two versions differ?"""

from __future__ import annotations

import difflib

from core.actions.access import needs
from core.actions.session import here
from core.store import guidelines
from core.store.guidelines import Version as Version  # noqa: PLC0414  the ui asks for it here


@needs("viewer")
def versions(project: str) -> list[Version]:
    """Return every version of a project's guidelines, the newest first."""
    return guidelines.versions(here().database, project)


@needs("viewer")
def newest(project: str) -> int:
    """Return the number of the version that holds now, 0 where there is none."""
    return guidelines.newest(here().database, project)


@needs("viewer")
def worked_under(project: str, annotator: str) -> int | None:
    """Return the version under which somebody last decided, None where that was under none."""
    return guidelines.worked_under(here().database, project, annotator)


def difference(before: Version, after: Version) -> str:
    """Return how one version differs from another, in the unified form of `diff`; "" if not at all.

    Lines are compared whole: one that changed is there as it was and as it is.
    """
    lines = difflib.unified_diff(
        before.text.splitlines(), after.text.splitlines(),
        f"guidelines {before.number}", f"guidelines {after.number}", lineterm="",
    )  # fmt: skip
    return "\n".join(lines)
