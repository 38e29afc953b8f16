"""Which code and packages are here, on which figures may depend?"""

from __future__ import annotations

import platform
from functools import cache
from importlib import metadata

from core.actions.access import needs
from core.saving import version

PACKAGES = ("numpy", "scipy", "scikit-learn", "torch", "transformers", "tokenizers")
"""Those that draw, train and score."""


@cache
def versions() -> dict[str, str]:
    """Return the versions of Admix, Python and what trains, by name."""
    found = {"admix": version(), "python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


@needs("viewer")
def differing(there: dict[str, str]) -> list[str]:
    """Return which versions differ from those somewhere else, in words."""
    here = versions()
    return [
        f"{name} {there.get(name, 'none')} there, {here.get(name, 'none')} here"
        for name in sorted({*here, *there} - {"admix"})
        if there.get(name) != here.get(name)
    ]
