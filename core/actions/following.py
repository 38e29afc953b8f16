"""Where is a command's job followed, as the home folder it works in changes hands?"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.actions import door, session
from core.actions.door import Follows, Run, Say
from core.actions.handover import APP, LOOK_SECONDS, Asked, go_on, owner_of, wait_for_others
from core.actions.session import Leaving
from core.errors import Busy
from core.jobs import runner
from core.records import Job
from core.store import jobs

STOPPED = 130
"""Exit code that shells give to what was interrupted."""
QUIET_SECONDS = 5.0
"""How long a command waits for the home folder without a word."""


@dataclass(frozen=True)
class Command:
    """A command as it was typed in a folder, and whether it follows a job to its end."""

    name: str
    words: Sequence[str]
    folder: Path
    has_job: bool


def carry_out(home: Path, command: Command, run: Run, say: Say) -> int:
    """Run a command and return its exit code, here or in the process that has the home folder.

    Its job is followed to its end, wherever that goes on.

    Raises:
        Busy: another process has the home folder, and takes no commands.
    """
    life = _Life(home, command, run, say)
    while True:
        try:
            session.start(home, f"the command `{command.name}`")
        except Busy as busy:
            code = life.beside(busy)
        else:
            code = life.as_owner()
        if code is not None:
            return code


def follow(job_id: str, tell: Callable[[Job], None], follows: Follows, is_new: bool) -> Job:
    """Return when a job has ended, telling its state now and then.

    One that is not new was at work in another process; it goes on here unless somebody ended it.

    Raises:
        Leaving: this process gives up the home folder; the job can be followed elsewhere.
    """
    here = session.here()
    if here.leaving.is_set():
        raise Leaving
    if not is_new:
        go_on(job_id)
    follows(job_id)
    while True:
        job = jobs.get(here.database, job_id)
        # Looked at last: what ends a job on leaving comes after it.
        if here.leaving.is_set():
            raise Leaving
        tell(job)
        if job.state not in jobs.LIVE:
            return job
        here.leaving.wait(runner.TICK_SECONDS)


class _Life:
    """One command from its first line to its last, whichever process its job is in."""

    def __init__(self, home: Path, command: Command, run: Run, say: Say) -> None:
        self._home, self._command, self._run, self._say = home, command, run, say
        self._job: str | None = None
        self._last: tuple[str, bool] | None = None
        self._has_moved = False
        self._alone_since: float | None = None

    def beside(self, busy: Busy) -> int | None:
        """Have the owner of the home folder run it; None where it is to be tried again.

        Raises:
            Busy: nobody answers, and it follows no job yet.
        """
        try:
            code = door.send(self._home, self._command.words, self._command.folder, self._tell,
                             self._job, self._follows)  # fmt: skip
        except KeyboardInterrupt:
            until = "" if owner_of(busy) == APP else " until its own end"
            self._say(f"Left; {owner_of(busy)} goes on with what it has begun{until}.", True)
            return STOPPED
        if code is None:
            if self._job is None:
                raise busy
            self._wait(busy)
        return code

    def as_owner(self) -> int | None:
        """Run it here; None where the app has taken the home folder meanwhile."""
        command, leaving = self._command, session.here().leaving
        asked = Asked(leaving)
        self._alone_since = None
        try:
            while True:
                if command.has_job:
                    door.serve(self._home, self._run, asked.park)
                try:
                    code = self._run(
                        command.words, command.folder, self._tell, self._job, self._follows
                    )
                except Leaving:
                    self._has_moved = True
                    if asked.answer(self._home):
                        return None
                else:
                    # Others whose commands are run here: who follows a job does so elsewhere.
                    leaving.set()
                    wait_for_others(door.shut(self._home))
                    return code
        finally:
            door.shut(self._home)
            session.stop()
            asked.forget()

    def _follows(self, job: str) -> None:
        self._job, self._alone_since = job, None

    def _tell(self, line: str, is_error: bool) -> None:
        # Where a job goes on in another process, its state would be told once more.
        if not self._has_moved or (line, is_error) != self._last:
            self._say(line, is_error)
        self._last, self._has_moved = (line, is_error), False

    def _wait(self, busy: Busy) -> None:
        """Wait a little for a home folder that changes hands; say so once if it takes long."""
        now = time.monotonic()
        if self._alone_since is None:
            self._alone_since = now
        elif now - self._alone_since > QUIET_SECONDS:
            self._say(f"Waiting for the home folder. {busy.message}", True)
            self._alone_since = math.inf
        self._has_moved = True
        time.sleep(LOOK_SECONDS)
