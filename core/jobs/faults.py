"""What went wrong, in words that say what to do about it."""

from __future__ import annotations

from core.errors import Problem, is_full

FULL = Problem("The disk is full.", "Free some space, then resume; what was done is kept.")
_NO_MEMORY = ("can't allocate memory", "Cannot allocate memory", "out of memory", "Out of Memory")


def problem_of(error: Exception) -> Problem:
    """Return what a person can mend of an error; of one that nobody foresaw, its own words."""
    if is_full(error):
        return FULL
    if isinstance(error, Problem):
        return error
    said = f"{type(error).__name__}: {str(error).strip() or 'no more is known'}"
    if isinstance(error, MemoryError) or any(words in said for words in _NO_MEMORY):
        return Problem(
            f"The machine has too little memory for this ({said.splitlines()[0]}).",
            "Take fewer workers or a smaller student, then resume.",
        )
    return Problem(said)
