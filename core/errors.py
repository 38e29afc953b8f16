"""What can go wrong in a way a person can mend: the message says what, the hint what to do."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from dataclasses import dataclass

_NO_ROOM = ("No space left on device", "Disk quota exceeded")


class Problem(Exception):  # noqa: N818  what people read, not a kind of error
    """Something a person can mend; the root of every error that Admix raises on purpose."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


IS_NEEDED = "is needed"


class BadSetting(Problem):
    """A setting of a member that cannot be: `field` names it, `reason` says why."""

    def __init__(self, member: str, field: str, reason: str) -> None:
        super().__init__(f"{member}: {field}: {reason}.")
        self.field = field
        self.reason = reason

    @property
    def is_missing(self) -> bool:
        """Say whether nothing is wrong but that the setting was not given yet."""
        return self.reason == IS_NEEDED


class Missing(Problem):
    """A name or id that the store does not know."""


class NoVector(Problem):
    """A text, or all others, that no encoder has read yet."""


@dataclass(frozen=True)
class RowFault:
    """One thing wrong with an imported file: what, and the 1-based line numbers of its rows."""

    what: str
    rows: tuple[int, ...] = ()
    fatal: bool = True

    def __str__(self) -> str:
        if not self.rows:
            return self.what
        shown = ", ".join(str(row) for row in self.rows[:8])
        more = f" and {len(self.rows) - 8:,} more" if len(self.rows) > 8 else ""
        return f"{self.what} (row{'s' if len(self.rows) > 1 else ''} {shown}{more})"


class BadFile(Problem):
    """A file that was not imported; nothing of it was kept."""

    def __init__(self, message: str, hint: str = "", faults: Sequence[RowFault] = ()) -> None:
        text = "; ".join(str(fault) for fault in faults)
        super().__init__(f"{message} {text}." if text else message, hint)
        self.faults = tuple(faults)


class Denied(Problem):
    """An act that whoever asks for it may not do; nothing was done."""


class Stale(Problem):
    """A decision about a card that has changed since it was shown; nothing was written."""


class NotKept(Problem):
    """Something that could not be written; it may be tried again, and what was kept before is safe.

    `is_full` says that there is no room left on the disk.
    """

    def __init__(self, message: str, hint: str, *, is_full: bool = False) -> None:
        super().__init__(message, hint)
        self.is_full = is_full


class Busy(Problem):
    """The database is open in another process, which `owner` describes."""

    def __init__(self, message: str, hint: str, owner: dict[str, object]) -> None:
        super().__init__(message, hint)
        self.owner = owner


class ProviderStop(Problem):
    """A provider's answer that no retry will mend (wrong key, unknown model, nothing recorded)."""


class BatchGone(ProviderStop):
    """What became of a batch cannot be learnt from its vendor."""


class Exhausted(ProviderStop):
    """A replay has no completion left for the class `label`; other classes may go on."""

    def __init__(self, message: str, hint: str, label: str) -> None:
        super().__init__(message, hint)
        self.label = label


class ProviderWait(Problem):
    """A passing fault of a provider; `seconds` is the wait that the server asked for, if any.

    `may_cost` says that the request had reached the server, so that it may be billed although no
    completion came back; `is_limit`, that the server asks for fewer requests.
    """

    def __init__(
        self, message: str, seconds: float | None = None, *, may_cost: bool = False,
        is_limit: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(message)
        self.seconds = seconds
        self.may_cost = may_cost
        self.is_limit = is_limit


class NotTold(ProviderWait):
    """Whether a batch was started cannot be told yet."""


class Unreadable(Problem):
    """A completion, or an item of one, that does not say what was asked for; never guessed."""


def is_full(error: BaseException) -> bool:
    """Say whether nothing more could be written, as a disk or as the database puts it."""
    if isinstance(error, NotKept):
        return error.is_full
    is_so = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    return is_so or any(words in str(error) for words in _NO_ROOM)
