"""What does each answer of a server mean, whichever protocol it speaks: text, wait or stop?"""

from __future__ import annotations

import contextlib
import email.utils
import json
import math
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from core.errors import Problem, ProviderStop, ProviderWait
from core.records import Completion, Finish

_NO_MONEY = frozenset(
    {"insufficient_quota", "billing_hard_limit_reached", "billing_not_active", "billing_error"}
)
_FILTERED = frozenset({"content_filter", "content_policy_violation"})
_NO_JSON = object()


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where prompts go, for which model and with whose key; the key is in no representation."""

    base_url: str
    model: str
    key: str = field(repr=False)
    key_name: str
    timeout_seconds: float
    more_headers: frozenset[str] = frozenset()
    """Headers that the SDK takes from the environment and that this host may be sent."""
    max_bytes: int | None = None
    """Where reading an answer ends, if not where others do."""

    @property
    def host(self) -> str:
        """Return the host by which problems name the server."""
        return urlsplit(self.base_url).netloc


@dataclass(frozen=True, slots=True)
class Fault:
    """An answer with another status than 200, in plain words: nothing of the vendor's is kept."""

    status: int
    said: str = ""
    code: str = ""
    kind: str = ""
    param: str = ""
    seconds: float | None = None
    """The wait that the server asks for."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a reply says, before it is made fit to store."""

    text: str
    finish: Finish
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call; those read from a cache and written to one are part of the input."""

    input_tokens: int | None
    output_tokens: int | None
    cached_tokens: int = 0
    cache_write_tokens: int = 0


def parsed(endpoint: Endpoint, body: bytes) -> Mapping[str, Any]:
    """Return the JSON object of a body with status 200, empty where it is another value.

    Raises:
        ProviderWait: the body is not JSON, as when only half of it came.
    """
    data = _json(body)
    if data is _NO_JSON:
        raise ProviderWait(f"{endpoint.host} sent half an answer, or no JSON.", may_cost=True)
    return data if isinstance(data, Mapping) else {}


def completion(
    endpoint: Endpoint, reply: Mapping[str, Any], said: Said, usage: Usage, seconds: float
) -> Completion:
    """Return a reply as a record that can be stored and never holds the key."""
    raw_id = word(reply.get("id"))
    return Completion(
        text=_without_key(_storable(said.text), endpoint.key),
        finish=said.finish,
        model=clean(word(reply.get("model")), endpoint.key) or endpoint.model,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cached_tokens=usage.cached_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        seconds=seconds,
        raw_id=clean(raw_id, endpoint.key) or None,
        detail=clean(said.detail, endpoint.key),
    )


def stranger(what: str, reply: Mapping[str, Any]) -> Said:
    """Return what whole JSON is that is no answer of the protocol.

    It came with status 200 and was probably billed. It is kept and counted as a failed call, since
    asking again could pay again and again for the same.
    """
    try:
        quoted = json.dumps(reply.get("error", reply), ensure_ascii=False)
    except RecursionError:
        quoted = "nested too deeply"
    return Said("", "failed", f"not {what}: {quoted}")


def fault_of(error: Any, endpoint: Endpoint) -> Fault:
    """Return what a vendor's status error says, cleaned."""
    body = error.body
    if isinstance(body, Mapping) and "error" in body:
        body = body["error"]
    told = body if isinstance(body, Mapping) else {"message": body}
    message = word(told.get("message", told.get("detail")))
    # A page for browsers is no message.
    said = "" if message.lstrip().startswith("<") else clean(message, endpoint.key)
    return Fault(
        status=error.status_code,
        said=said,
        code=word(told.get("code")),
        kind=word(told.get("type")),
        param=word(told.get("param")),
        seconds=_asked_wait(error.response.headers),
    )


def filtered(fault: Fault, endpoint: Endpoint) -> Completion | None:
    """Return a refusal for the servers that put their content filter into a status 400."""
    is_filtered = fault.code in _FILTERED or "content filtering policy" in fault.said
    if fault.status != 400 or not is_filtered:
        return None
    return Completion("", "refused", endpoint.model, None, None, detail=fault.said)


def problem_of(fault: Fault, endpoint: Endpoint) -> Problem:
    """Return what an answer with another status than 200 means."""
    status, host, said = fault.status, endpoint.host, fault.said
    if status in (401, 403):
        # The vendor's own text is dropped: it quotes part of the key.
        return ProviderStop(
            f"{host} did not accept the key ({status}).",
            f"Check that {endpoint.key_name} holds a valid key that may use {endpoint.model}.",
        )
    if status == 404:
        return ProviderStop(
            f"{host} knows no model {endpoint.model!r}, or nothing is at {endpoint.base_url}.",
            "Check the model's name and the address.",
        )
    if status < 400:
        return ProviderStop(
            f"{host} answers with a redirect ({status}), and a key goes to no other address.",
            "Give the address that the server itself is at.",
        )
    if status == 402 or _NO_MONEY & {fault.code, fault.kind}:
        return ProviderStop(f"{host} has no credit left for this key. {said}".strip())
    if status in (408, 409, 425, 429) or status >= 500:
        is_limit = status in (429, 529) or (status == 503 and fault.seconds is not None)
        return ProviderWait(
            f"{host} answered {status}. {said}".strip(), fault.seconds, is_limit=is_limit
        )
    return ProviderStop(f"{host} refused the request ({status}). {said}".strip())


def silence(what: str, error: Exception, endpoint: Endpoint) -> ProviderWait:
    """Return what it means that no answer came, and whether the request may have arrived."""
    import httpx2

    cause = error.__cause__ or error
    never_sent = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.ProxyError)
    return ProviderWait(f"{endpoint.host} {what}.", may_cost=not isinstance(cause, never_sent))


def clean(text: str, key: str) -> str:
    """Return a vendor's words on one line, cut short and without anything like a key."""
    text = re.sub(r"\bsk-[\w*.-]{4,}", "[key]", _without_key(_storable(text), key))
    return " ".join(text.split())[:300]


def word(value: Any) -> str:
    """Return a value that is a text, else nothing."""
    return value if isinstance(value, str) else ""


def part(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return the object of that name, empty where there is none."""
    found = data.get(name)
    return found if isinstance(found, Mapping) else {}


def count(value: Any) -> int | None:
    """Return a number of tokens that can be one, else None."""
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31
    return value if is_count else None


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return _NO_JSON


def _asked_wait(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that `retry-after-ms` or `Retry-After` ask for, as number or date."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        seconds = _seconds(headers.get(name, "")) * unit
        if math.isfinite(seconds):
            return max(0.0, seconds)
    return None


def _seconds(asked: str) -> float:
    with contextlib.suppress(ValueError):
        return float(asked)
    with contextlib.suppress(ValueError, TypeError, IndexError, OverflowError):
        return email.utils.parsedate_to_datetime(asked).timestamp() - time.time()
    return math.nan


def _without_key(text: str, key: str) -> str:
    """Return the text without the key, which some servers echo with the rest of a request."""
    # A word as short as the one sent in place of a key stands in many texts.
    return text.replace(key, "[key]") if len(key) >= 8 else text


def _storable(text: str) -> str:
    """Return the text without lone surrogates: they are no characters, and no file takes them."""
    return re.sub("[\ud800-\udfff]", "\ufffd", text)
