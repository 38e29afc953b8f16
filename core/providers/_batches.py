"""How do requests and results travel in bulk, whichever vendor takes them?"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, BinaryIO, Protocol, TypeVar

from core.errors import BatchGone, Problem, ProviderStop, ProviderWait
from core.providers import _answers as answers
from core.providers import _refusals as refusals
from core.providers import _wire as wire
from core.providers._answers import Endpoint, Fault
from core.records import Completion, Prompt

T = TypeVar("T")

BULK_SECONDS = 600.0
"""How long sending the requests of a batch, or fetching its results, may take."""
MAX_RESULTS = 1_000_000_000
"""Bytes at which reading the results of a batch ends."""
MAX_LINE = 8_000_000
"""Bytes of a line of results at most; one that is longer counts as not readable."""
IN_MEMORY = 8_000_000
MAX_PAGES = 20
"""Pages of a vendor's list of batches that are looked through."""
CLOCKS_SECONDS = 600.0
"""How far the vendor's clock and ours may be apart."""

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,199}")


class Lines(Protocol):
    """Tells what a line of results says of a request; None where it is no such line."""

    def __call__(
        self, line: Mapping[str, Any]
    ) -> tuple[str, Completion | Fault | Problem] | None: ...


class Caller:
    """Calls a vendor's client for one endpoint and raises what its errors mean."""

    def __init__(
        self, protocol: wire.Protocol, endpoint: Endpoint,
        parameters: Callable[[Prompt], dict[str, Any]],
    ) -> None:  # fmt: skip
        self.protocol = protocol
        self.endpoint = endpoint
        self._parameters = parameters
        self._bulk = replace(endpoint, timeout_seconds=BULK_SECONDS, max_bytes=MAX_RESULTS)
        self._left_out: dict[str, tuple[str, ...]] = {}

    def bodies(self, prompts: Mapping[str, Prompt]) -> dict[str, dict[str, Any]]:
        """Return what is sent for each prompt, without what its model is known to refuse."""
        refused = refusals.known(self.endpoint)
        return {
            custom_id: self.protocol.without(self._parameters(prompt), refused)
            for custom_id, prompt in prompts.items()
        }

    def started(self, batch: Mapping[str, Any], prompts: Mapping[str, Prompt]) -> str:
        """Return the id of a batch that was just started, and note what was left out of it."""
        vendor_id = checked_id(batch.get("id"), self.endpoint.host)
        names = self._parameters(next(iter(prompts.values())))
        known = refusals.known(self.endpoint)
        self._left_out[vendor_id] = tuple(name for name in known if name in names)
        return vendor_id

    def left_out(self, vendor_id: str) -> tuple[str, ...]:
        """Return the parameters that a batch was sent without, as far as this process knows."""
        return self._left_out.get(vendor_id, ())

    def json(self, call: Callable[[Any], Any], *, is_bulk: bool = False) -> Mapping[str, Any]:
        """Return the JSON object that a call brings."""
        from core.providers._bounded import body_of

        endpoint = self._bulk if is_bulk else self.endpoint
        return self._call(
            endpoint, call, lambda response: answers.parsed(endpoint, body_of(response))
        )

    @contextmanager
    def file(self, call: Callable[[Any], Any]) -> Iterator[BinaryIO]:
        """Give a file with all that a call brings, up to `MAX_RESULTS`.

        Raises:
            ProviderWait: it broke off on its way.
        """
        from core.providers._bounded import END

        with tempfile.SpooledTemporaryFile(IN_MEMORY) as file:

            def keep(response: Any) -> str:
                for chunk in response.iter_bytes():
                    file.write(chunk)
                return str(response.http_response.extensions.get(END))

            if self._call(self._bulk, call, keep) == "broken":
                raise ProviderWait(f"{self.endpoint.host} broke off while it sent results.")
            file.seek(0)
            yield file  # type: ignore[misc]

    def first_line(self, call: Callable[[Any], Any]) -> Mapping[str, Any]:
        """Return the first line of results, empty where it is no JSON object."""

        def read(response: Any) -> bytes:
            body = b""
            for chunk in response.iter_bytes():
                body += chunk
                if b"\n" in body or len(body) > MAX_LINE:
                    break
            return body

        return _parsed(self._call(self.endpoint, call, read).split(b"\n", 1)[0]) or {}

    def _call(self, endpoint: Endpoint, call: Callable[[Any], Any], read: Callable[[Any], T]) -> T:
        found = wire.exchange(self.protocol, endpoint, call, read)
        if not isinstance(found, Fault):
            return found
        host, problem = endpoint.host, answers.problem_of(found, endpoint)
        if found.status == 404:
            problem = BatchGone(
                f"{host} knows no such batch, or keeps its results no longer.",
                f"Check that {endpoint.key_name} holds a key of the same account and project.",
            )
        elif found.status >= 500 and isinstance(problem, ProviderWait):
            # What was to be created may have been: a gateway gives up before the server behind it.
            problem = ProviderWait(problem.message, problem.seconds, may_cost=True)
        raise problem


def outcomes(
    caller: Caller, vendor_id: str, files: Iterable[BinaryIO], ids: Collection[str], read: Lines,
    *, is_partial: bool,
) -> Iterator[tuple[str, Completion | Problem]]:  # fmt: skip
    """Yield, once for each custom id, what the lines of results say of it.

    A request that no line names was not answered where the batch ended early; else, or where a
    line is not readable, it may have been billed.
    """
    left = set(ids)
    is_garbled = False
    for file in files:
        for raw in _lines(file):
            line = _parsed(raw)
            found = None if line is None else read(line)
            if found is None:
                is_garbled = True
                continue
            custom_id, outcome = found
            if custom_id not in left:
                continue
            left.remove(custom_id)
            yield custom_id, _outcome(caller, vendor_id, outcome)
    may_cost = is_garbled or not is_partial
    told = "its results hold no readable answer" if may_cost else "the batch ended before its turn"
    for custom_id in sorted(left):
        yield custom_id, ProviderWait(f"{caller.endpoint.host}: {told}.", may_cost=may_cost)


def checked_id(found: Any, host: str) -> str:
    """Return an id that a vendor gave, which becomes part of addresses.

    Raises:
        ProviderWait: it is none; what it stands for may have been created.
    """
    if not isinstance(found, str) or not _ID.fullmatch(found):
        raise ProviderWait(f"{host} gave no id that can be one.", may_cost=True)
    return found


def dumped(value: Any) -> bytes:
    """Return JSON in UTF-8.

    Raises:
        ProviderStop: it holds characters that cannot be sent.
    """
    try:
        return json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        problem = ProviderStop("The prompt holds characters that cannot be sent.")
    raise problem


def fault_of(told: Mapping[str, Any], status: int, endpoint: Endpoint) -> Fault:
    """Return what a line of results says of a request that failed, cleaned."""
    return Fault(
        status=status,
        said=answers.clean(answers.word(told.get("message")), endpoint.key),
        code=answers.word(told.get("code")),
        kind=answers.word(told.get("type")),
        param=answers.word(told.get("param")),
    )


def dumped_again(body: Mapping[str, Any]) -> bytes:
    """Return JSON that was read out of a line, for the reader of live answers."""
    # Escaped, because a text may hold half a character, as `\\ud83d`.
    return json.dumps(body).encode()


def _outcome(
    caller: Caller, vendor_id: str, outcome: Completion | Fault | Problem
) -> Completion | Problem:
    """Return what came of a request; what its model refuses is left out in the next batch."""
    endpoint, refused = caller.endpoint, caller.left_out(vendor_id)
    if isinstance(outcome, Completion):
        return refusals.noted(outcome, refused)
    if isinstance(outcome, Problem):
        return outcome
    optional = [name for name in caller.protocol.optional if name not in refused]
    name = refusals.named(outcome, optional, caller.protocol.optional, refused)
    if name is not None:
        refusals.remember(endpoint, (name,))
        return ProviderWait(f"The model does not take {name}.")
    return answers.filtered(outcome, endpoint) or answers.problem_of(outcome, endpoint)


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """Yield lines; of one that is too long an empty one, which is no JSON."""
    while line := file.readline(MAX_LINE):
        if len(line) < MAX_LINE or line.endswith(b"\n"):
            if line.strip():
                yield line
            continue
        while line and not line.endswith(b"\n"):
            line = file.readline(MAX_LINE)
        yield b""


def _parsed(line: bytes) -> Mapping[str, Any] | None:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, Mapping) else None
