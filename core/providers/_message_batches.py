"""How are batches started, watched and read at Anthropic?"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, closing
from datetime import datetime
from typing import Any

from core.errors import BatchGone, NotTold, Problem, ProviderWait
from core.providers import _answers as answers
from core.providers import anthropic_chat as live
from core.providers._answers import Endpoint, Fault
from core.providers._batches import (
    CLOCKS_SECONDS,
    MAX_PAGES,
    Caller,
    checked_id,
    dumped,
    dumped_again,
    fault_of,
    outcomes,
)
from core.providers.base import Batches, BatchLook
from core.records import Completion, Prompt

_STATUS = {
    "invalid_request_error": 400, "authentication_error": 401, "billing_error": 402,
    "permission_error": 403, "not_found_error": 404, "request_too_large": 413,
    "rate_limit_error": 429, "timeout_error": 504, "overloaded_error": 529,
}  # fmt: skip
"""Kind of error -> the status that a live call would have had; others are the server's own."""


class AnthropicBatches(Batches):
    """Requests go up and results come down as lists; a token in the custom ids is ours."""

    def __init__(self, endpoint: Endpoint, parameters: Callable[[Prompt], dict[str, Any]]) -> None:
        self._endpoint = endpoint
        self._caller = Caller(live.PROTOCOL, endpoint, parameters)

    def start(self, prompts: Mapping[str, Prompt], token: str) -> str:
        """Start a batch and return the vendor's id of it."""
        bodies = self._caller.bodies(prompts)
        dumped(list(bodies.values()))  # says what cannot be sent before anything is
        headers = {"anthropic-version": live.version_for(set().union(*bodies.values()))}
        requests = [{"custom_id": each, "params": body} for each, body in bodies.items()]
        batch = self._caller.json(
            lambda client: client.messages.batches.with_streaming_response.create(
                requests=requests, extra_headers=headers
            ),
            is_bulk=True,
        )
        return self._caller.started(batch, prompts)

    def look(self, vendor_id: str) -> BatchLook:
        """Return where a batch stands."""
        batch = self._retrieved(vendor_id)
        state = answers.word(batch.get("processing_status"))
        counts = answers.part(batch, "request_counts")
        has_ended = state == "ended"
        n_failed = sum(
            answers.count(counts.get(name)) or 0 for name in ("errored", "canceled", "expired")
        )
        is_cancelled = bool(batch.get("cancel_initiated_at"))
        return BatchLook(
            answers.clean(state, self._endpoint.key),
            "" if not has_ended else "cancelled" if is_cancelled else "done",
            answers.count(counts.get("succeeded")) or 0,
            n_failed,
        )

    def results(
        self, vendor_id: str, ids: Collection[str]
    ) -> Iterator[tuple[str, Completion | Problem]]:
        """Yield what came of each request."""
        with self._caller.file(_results_of(vendor_id)) as file:
            yield from outcomes(self._caller, vendor_id, [file], ids, self._read, is_partial=False)

    def cancel(self, vendor_id: str) -> None:
        """Ask the vendor to end a batch."""
        self._caller.json(
            lambda client: client.messages.batches.with_streaming_response.cancel(vendor_id)
        )

    def find(self, token: str, n_requests: int, since: float) -> str | None:
        """Return the batch whose custom ids begin with the token.

        They can be seen in results alone, so that of batches as large, begun about then or later,
        none is told apart from the others before it has ended.
        """
        more: dict[str, Any] = {}
        may_be = gone = 0
        for _ in range(MAX_PAGES):
            page = self._caller.json(
                lambda client: client.messages.batches.with_streaming_response.list(
                    limit=100,
                    **more,  # noqa: B023
                )
            )
            found = page.get("data")
            batches = [one for one in found if isinstance(one, Mapping)] if found else []
            for batch in batches:
                counts = answers.part(batch, "request_counts")
                n = sum(answers.count(value) or 0 for value in counts.values())
                if n != n_requests or _time(batch) < since - CLOCKS_SECONDS:
                    continue
                if batch.get("processing_status") != "ended":
                    may_be += 1
                    continue
                vendor_id = checked_id(batch.get("id"), self._endpoint.host)
                try:
                    first = self._caller.first_line(_results_of(vendor_id))
                except BatchGone:
                    gone += 1
                    continue
                if answers.word(first.get("custom_id")).startswith(token):
                    return vendor_id
            is_older = batches and min(map(_time, batches)) < since - CLOCKS_SECONDS
            if not page.get("has_more") or not batches or is_older:
                break
            more = {"after_id": checked_id(page.get("last_id"), self._endpoint.host)}
        else:
            gone += 1
        if may_be:
            raise NotTold(
                f"{self._endpoint.host} does not say before its end whether a batch is this one."
            )
        if gone:
            raise BatchGone(f"{self._endpoint.host} does not say whether the batch was started.")
        return None

    def _retrieved(self, vendor_id: str) -> Mapping[str, Any]:
        return self._caller.json(
            lambda client: client.messages.batches.with_streaming_response.retrieve(vendor_id)
        )

    def _read(self, line: Mapping[str, Any]) -> tuple[str, Completion | Fault | Problem] | None:
        custom_id, result = line.get("custom_id"), answers.part(line, "result")
        kind = answers.word(result.get("type"))
        if not isinstance(custom_id, str) or not kind:
            return None
        if kind == "succeeded":
            body = dumped_again(answers.part(result, "message"))
            return custom_id, live.read_message(self._endpoint, body, 0.0)
        if kind == "errored":
            told = answers.part(result, "error")
            told = answers.part(told, "error") or told
            status = _STATUS.get(answers.word(told.get("type")), 500)
            return custom_id, fault_of(told, status, self._endpoint)
        if kind in ("canceled", "expired"):
            return custom_id, ProviderWait(f"{self._endpoint.host}: the request was {kind}.")
        return None


def _results_of(vendor_id: str) -> Callable[[Any], AbstractContextManager[Any]]:
    """Return the call for results, made by hand.

    The package would ask at whatever address the server names, and take the key along.
    """
    return lambda client: closing(
        client.get(
            f"/v1/messages/batches/{vendor_id}/results",
            cast_to=object,
            options={"headers": {"X-Stainless-Raw-Response": "stream"}},
        )
    )


def _time(batch: Mapping[str, Any]) -> float:
    """Return when a batch was created; of one that does not say, after all others."""
    try:
        return datetime.fromisoformat(answers.word(batch.get("created_at"))).timestamp()
    except (ValueError, OverflowError):
        return float("inf")
