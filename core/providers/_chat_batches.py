"""How are batches started, watched and read at OpenAI?"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack
from typing import Any

from core.errors import BatchGone, Problem, ProviderWait
from core.providers import _answers as answers
from core.providers import _chat
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
from core.providers.base import BatchEnd, Batches, BatchLook
from core.records import Completion, Prompt

PATH = "/v1/chat/completions"
_ENDS: Mapping[str, BatchEnd] = {
    "completed": "done", "expired": "expired", "cancelled": "cancelled", "failed": "refused",
}  # fmt: skip


class OpenAIBatches(Batches):
    """A file of requests goes up, a file of results comes down; a token in the metadata is ours."""

    def __init__(self, endpoint: Endpoint, parameters: Callable[[Prompt], dict[str, Any]]) -> None:
        self._endpoint = endpoint
        self._caller = Caller(_chat.PROTOCOL, endpoint, parameters)

    def start(self, prompts: Mapping[str, Prompt], token: str) -> str:
        """Start a batch and return the vendor's id of it."""
        data = b"\n".join(
            dumped({"custom_id": custom_id, "method": "POST", "url": PATH, "body": body})
            for custom_id, body in self._caller.bodies(prompts).items()
        )
        file = self._upload(data)
        batch = self._caller.json(
            lambda client: client.batches.with_streaming_response.create(
                completion_window="24h",
                endpoint=PATH,
                input_file_id=file,
                metadata={"admix": token},
            )
        )
        return self._caller.started(batch, prompts)

    def look(self, vendor_id: str) -> BatchLook:
        """Return where a batch stands."""
        batch = self._retrieved(vendor_id)
        state = answers.word(batch.get("status"))
        counts = answers.part(batch, "request_counts")
        errors = answers.part(batch, "errors").get("data")
        first = errors[0] if isinstance(errors, list) and errors else None
        said = answers.word(first.get("message")) if isinstance(first, Mapping) else ""
        return BatchLook(
            answers.clean(state, self._endpoint.key),
            _ENDS.get(state, ""),
            answers.count(counts.get("completed")) or 0,
            answers.count(counts.get("failed")) or 0,
            answers.clean(said, self._endpoint.key),
        )

    def results(
        self, vendor_id: str, ids: Collection[str]
    ) -> Iterator[tuple[str, Completion | Problem]]:
        """Yield what came of each request; both files are here before the first is told."""
        batch = self._retrieved(vendor_id)
        with ExitStack() as stack:
            files = [
                stack.enter_context(self._caller.file(self._content(batch[name])))
                for name in ("output_file_id", "error_file_id")
                if batch.get(name) is not None
            ]
            yield from outcomes(
                self._caller, vendor_id, files, ids, self._read,
                is_partial=batch.get("status") != "completed",
            )  # fmt: skip

    def cancel(self, vendor_id: str) -> None:
        """Ask the vendor to end a batch."""
        self._caller.json(lambda client: client.batches.with_streaming_response.cancel(vendor_id))

    def find(self, token: str, n_requests: int, since: float) -> str | None:
        """Return the batch whose metadata holds the token."""
        del n_requests
        more: dict[str, Any] = {}
        for _ in range(MAX_PAGES):
            page = self._caller.json(
                lambda client: client.batches.with_streaming_response.list(limit=100, **more)  # noqa: B023
            )
            found = page.get("data")
            batches = [one for one in found if isinstance(one, Mapping)] if found else []
            for batch in batches:
                if answers.part(batch, "metadata").get("admix") == token:
                    return checked_id(batch.get("id"), self._endpoint.host)
            ages = [answers.count(batch.get("created_at")) or 0 for batch in batches]
            if not page.get("has_more") or not ages or min(ages) < since - CLOCKS_SECONDS:
                return None
            more = {"after": checked_id(batches[-1].get("id"), self._endpoint.host)}
        raise BatchGone(f"{self._endpoint.host} lists too many batches to find one among them.")

    def _upload(self, data: bytes) -> str:
        try:
            file = self._caller.json(
                lambda client: client.files.with_streaming_response.create(
                    file=("batch.jsonl", data), purpose="batch"
                ),
                is_bulk=True,
            )
            return checked_id(file.get("id"), self._endpoint.host)
        except ProviderWait as fault:
            # A file alone starts nothing and costs nothing.
            problem = ProviderWait(fault.message, fault.seconds, is_limit=fault.is_limit)
        raise problem

    def _retrieved(self, vendor_id: str) -> Mapping[str, Any]:
        return self._caller.json(
            lambda client: client.batches.with_streaming_response.retrieve(vendor_id)
        )

    def _content(self, file_id: Any) -> Callable[[Any], Any]:
        checked = checked_id(file_id, self._endpoint.host)
        return lambda client: client.files.with_streaming_response.content(checked)

    def _read(self, line: Mapping[str, Any]) -> tuple[str, Completion | Fault | Problem] | None:
        custom_id = line.get("custom_id")
        if not isinstance(custom_id, str):
            return None
        response = answers.part(line, "response")
        status, body = answers.count(response.get("status_code")), response.get("body")
        if status == 200 and isinstance(body, Mapping):
            return custom_id, _chat.read_reply(self._endpoint, dumped_again(body), 0.0)
        told = answers.part(body, "error") if isinstance(body, Mapping) else {}
        told = told or answers.part(line, "error")
        return custom_id, fault_of(told, status or 500, self._endpoint)
