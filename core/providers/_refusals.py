"""Which parameters does a model not take, by what its server says of them?

Vendors drop parameters from one model to the next, and a list of models would be out of date the
day it is written. What a server refuses with status 400 it has not billed.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace
from threading import Lock

from core.providers._answers import Endpoint, Fault
from core.records import Completion

TWINS = {"max_completion_tokens": "max_tokens", "max_tokens": "max_completion_tokens"}
"""Two names of one bound, of which a model may take one; a request is never sent without it."""

_CODES = frozenset({"unsupported_value", "unsupported_parameter", "unknown_parameter"})
_WORDS = re.compile(
    r"n[o']t (?:be |both be )?(?:support|permit|allow|accept|recogni|available|compatible|both)"
    r"|unsupported|unrecogni|unavailable|unknown|unexpected|incompatible|deprecated"
    r"|extra inputs|only the default",
    re.IGNORECASE,
)
_known: dict[tuple[str, str], tuple[str, ...]] = {}
_lock = Lock()


def known(endpoint: Endpoint) -> tuple[str, ...]:
    """Return the parameters that the model at this address has refused in this process."""
    with _lock:
        return _known.get((endpoint.base_url, endpoint.model), ())


def remember(endpoint: Endpoint, refused: tuple[str, ...]) -> None:
    """Keep what a model refused, once a request without it was answered."""
    with _lock:
        names = (*_known.get((endpoint.base_url, endpoint.model), ()), *refused)
        _known[endpoint.base_url, endpoint.model] = tuple(dict.fromkeys(names))


def forget() -> None:
    """Forget all that models refused."""
    with _lock:
        _known.clear()


def named(
    fault: Fault, sent: Collection[str], optional: tuple[str, ...], refused: tuple[str, ...]
) -> str | None:
    """Return the first of the `optional` parameters sent that a status 400 says it does not take.

    >>> said = "temperature: Extra inputs are not permitted"
    >>> named(Fault(400, said), {"temperature", "messages"}, ("top_p", "temperature"), ())
    'temperature'
    >>> named(Fault(400, "temperature: must be at most 1"), {"temperature"}, ("temperature",), ())
    """
    is_refusal = fault.code in _CODES or _WORDS.search(fault.said)
    if fault.status != 400 or not is_refusal:
        return None
    told = re.split(r"[.\[]", fault.param)[0]
    for name in optional:
        is_named = name == told if told else re.search(rf"(?<![\w.-]){name}(?![\w-])", fault.said)
        if is_named and name in sent and TWINS.get(name) not in refused:
            return name
    return None


def noted(completion: Completion, refused: tuple[str, ...]) -> Completion:
    """Return the completion with a word on what the model refused and was asked without."""
    if not refused:
        return completion
    note = f"the model does not take {', '.join(refused)}: asked without"
    return replace(completion, detail="; ".join(filter(None, (completion.detail, note))))
