"""What does each answer over the chat completions protocol mean: text, wait or stop?"""

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

_NO_MONEY = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"})
_NO_JSON = object()
_FILTERED = frozenset({"content_filter", "content_policy_violation"})


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

    @property
    def host(self) -> str:
        """Return the host by which problems name the server."""
        return urlsplit(self.base_url).netloc


def read_reply(endpoint: Endpoint, body: bytes, seconds: float) -> Completion:
    """Read the body of an answer with status 200.

    Raises:
        ProviderWait: the body is not JSON, as when only half of it came.
    """
    data = _parsed(body)
    if data is _NO_JSON:
        raise ProviderWait(f"{endpoint.host} sent half an answer, or no JSON.", may_cost=True)
    reply = data if isinstance(data, Mapping) else {}
    text, finish, detail = _first_choice(reply)
    usage = reply.get("usage")
    usage = usage if isinstance(usage, Mapping) else {}
    details = usage.get("prompt_tokens_details")
    details = details if isinstance(details, Mapping) else {}
    model, raw_id = reply.get("model"), reply.get("id")
    return Completion(
        text=_storable(text),
        finish=finish,
        model=_storable(model) if isinstance(model, str) and model else endpoint.model,
        input_tokens=_count(usage.get("prompt_tokens")),
        output_tokens=_count(usage.get("completion_tokens")),
        cached_tokens=_count(details.get("cached_tokens")) or 0,
        seconds=seconds,
        raw_id=_storable(raw_id) if isinstance(raw_id, str) else None,
        detail=_clean(detail, endpoint.key),
    )


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return _NO_JSON


def _first_choice(reply: Mapping[str, Any]) -> tuple[str, Finish, str]:
    """Return text, finish and detail of a reply."""
    choices = reply.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    message = choice.get("message") if isinstance(choice, Mapping) else None
    if not isinstance(choice, Mapping) or not isinstance(message, Mapping):
        # Whole JSON with status 200 is an answer, and was probably billed. It is kept and counted
        # as a failed call, since asking again could pay again and again for the same.
        said = json.dumps(reply.get("error", reply), ensure_ascii=False, default=str)
        return "", "failed", f"not a chat completion: {said}"
    content, refusal = message.get("content"), message.get("refusal")
    reason = choice.get("finish_reason")
    text = content if isinstance(content, str) else ""
    if isinstance(refusal, str) and refusal:
        return text or refusal, "refused", refusal
    if reason == "content_filter":
        return text, "refused", "stopped by the provider's content filter"
    if reason == "length":
        return text, "length", ""
    if not text.strip():
        return text, "failed", f"an empty answer (finish_reason {reason!r})"
    return text, "stop", "" if reason == "stop" else f"finish_reason {reason!r}"


def filtered(error: Any, endpoint: Endpoint) -> Completion | None:
    """Return a refusal for the servers that put their content filter into a status 400."""
    if error.status_code != 400 or error.code not in _FILTERED:
        return None
    detail = _said(error, endpoint.key)
    return Completion("", "refused", endpoint.model, None, None, detail=detail)


def status_problem(error: Any, endpoint: Endpoint) -> Problem:
    """Return what an answer with another status than 200 means."""
    status, host, said = error.status_code, endpoint.host, _said(error, endpoint.key)
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
    if status == 402 or _NO_MONEY & {error.code, str(error.type)}:
        return ProviderStop(f"{host} has no credit left for this key. {said}".strip())
    if status in (408, 409, 425, 429) or status >= 500:
        seconds = _asked_wait(error.response.headers)
        is_limit = status in (429, 529) or (status == 503 and seconds is not None)
        return ProviderWait(f"{host} answered {status}. {said}".strip(), seconds, is_limit=is_limit)
    return ProviderStop(f"{host} refused the request ({status}). {said}".strip())


def silence(what: str, error: Exception, endpoint: Endpoint) -> ProviderWait:
    """Return what it means that no answer came, and whether the request may have arrived."""
    import httpx2

    cause = error.__cause__ or error
    never_sent = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.ProxyError)
    return ProviderWait(f"{endpoint.host} {what}.", may_cost=not isinstance(cause, never_sent))


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


def _said(error: Any, key: str) -> str:
    """Return what a server said of an error, unless it is a page for browsers."""
    body = error.body
    message = body.get("message", body.get("detail")) if isinstance(body, Mapping) else body
    is_words = isinstance(message, str) and not message.lstrip().startswith("<")
    return _clean(message, key) if is_words else ""


def _clean(text: str, key: str) -> str:
    """Return a vendor's words on one line, cut short and without anything like a key."""
    if len(key) >= 8:
        text = text.replace(key, "[key]")
    text = re.sub(r"\bsk-[\w*.-]{4,}", "[key]", _storable(text))
    return " ".join(text.split())[:300]


def _storable(text: str) -> str:
    """Return the text without lone surrogates: they are no characters, and no file takes them."""
    return re.sub("[\ud800-\udfff]", "\ufffd", text)


def _count(value: Any) -> int | None:
    """Return a number of tokens that can be one, else None."""
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31
    return value if is_count else None
