"""How is a prompt sent over the chat completions protocol, to one host and no other?"""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import Field

from core.errors import ProviderStop
from core.providers import _answers as answers
from core.providers._answers import Endpoint
from core.records import Completion, Prompt
from core.registry import canonical

MAX_BYTES = 8_000_000
"""Where reading an answer ends, so that no server can fill the memory."""

_HEADERS = frozenset(
    {
        "accept",
        "accept-encoding",
        "authorization",
        "connection",
        "content-length",
        "content-type",
        "host",
        "transfer-encoding",
        "user-agent",
        # By this one the SDK knows afterwards that the answer is to be handed over unread.
        "x-stainless-raw-response",
    }
)
Temperature = Annotated[
    float,
    Field(ge=0, le=2, description="randomness of the words: 0 the least, 1 the model's own"),
]
TopP = Annotated[
    float, Field(gt=0, le=1, description="share of the likeliest words that each is drawn from")
]
MaxTokens = Annotated[
    int, Field(ge=16, le=32_768, description="most tokens that one call may write and cost")
]
Seed = Annotated[
    int | None,
    Field(ge=0, le=2_000_000_000, description="makes calls repeatable where the model can"),
]
TimeoutSeconds = Annotated[
    float, Field(ge=1, le=600, description="seconds until a call without an answer is given up")
]


def is_loopback(url: str) -> bool:
    """Return whether a URL's host is this machine.

    >>> is_loopback("http://127.0.0.1:8000/v1"), is_loopback("https://127.0.0.1.example.org")
    (True, False)
    """
    host = (urlsplit(url).hostname or "").rstrip(".")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        # Names under .localhost are not counted: some resolvers ask the network for them.
        return host == "localhost"


def chat_parameters(prompt: Prompt, seed: int | None, *, is_structured: bool) -> dict[str, Any]:
    """Return the part of a request that says what is asked: messages, draw, form of the answer."""
    schema = dict(prompt.schema)
    # One seed for all would make every draw of a prompt the same text, paid anew.
    sent: dict[str, Any] = {} if seed is None else {"seed": seed + prompt.draw}
    if is_structured:
        form = {"name": "reply", "strict": True, "schema": schema}
        sent["response_format"] = {"type": "json_schema", "json_schema": form}
        return {**sent, "messages": prompt.messages}
    system, *others = prompt.messages
    asked = f"Answer with JSON and nothing else, by this JSON schema:\n{canonical(schema)}"
    return {
        **sent,
        "messages": [{**system, "content": f"{system['content']}\n\n{asked}"}, *others],
    }


def ask(endpoint: Endpoint, parameters: Mapping[str, Any]) -> Completion:
    """Send one request and read the answer; nothing is retried here.

    Raises:
        ProviderWait: a passing fault.
        ProviderStop: a fault that no retry will mend.
    """
    import httpx2
    import openai

    started = time.monotonic()
    try:
        chat = _client(endpoint).chat.completions.with_streaming_response
        with chat.create(model=endpoint.model, **parameters) as response:
            body = _body(response, started + endpoint.timeout_seconds)
        return answers.read_reply(endpoint, body, time.monotonic() - started)
    except openai.APIStatusError as error:
        refusal = answers.filtered(error, endpoint)
        if refusal is not None:
            return refusal
        problem = answers.status_problem(error, endpoint)
    except openai.APITimeoutError as error:
        problem = answers.silence(
            f"gave no answer in {endpoint.timeout_seconds:g} s", error, endpoint
        )
    except (openai.APIConnectionError, httpx2.RequestError) as error:
        problem = answers.silence("could not be reached, or broke off", error, endpoint)
    except UnicodeEncodeError:
        problem = ProviderStop("The prompt holds characters that cannot be sent.")
    # Raised out here, so that no vendor error, which may quote the key, hangs on the problem.
    raise problem


@lru_cache(maxsize=16)
def _client(endpoint: Endpoint) -> Any:
    import openai

    kept = _HEADERS | endpoint.more_headers

    def keep_to_host(request: Any) -> None:
        # The SDK adds headers from OPENAI_CUSTOM_HEADERS, OPENAI_ORG_ID and OPENAI_PROJECT_ID to
        # every request, to whichever host, and lets the first replace the key.
        for name in [name for name in request.headers if name.lower() not in kept]:
            del request.headers[name]
        request.headers["Authorization"] = f"Bearer {endpoint.key}"

    http_client = openai.DefaultHttpxClient(
        timeout=endpoint.timeout_seconds,
        follow_redirects=False,
        # A proxy from the environment would take what should stay on this machine elsewhere.
        trust_env=not is_loopback(endpoint.base_url),
        event_hooks={"request": [keep_to_host]},
    )
    return openai.OpenAI(
        api_key=endpoint.key,
        base_url=endpoint.base_url,
        timeout=endpoint.timeout_seconds,
        max_retries=0,
        http_client=http_client,
    )


def _body(response: Any, deadline: float) -> bytes:
    """Read until the end, the deadline or a fault; whether it is enough, its JSON tells."""
    import httpx2

    body = bytearray()
    try:
        for chunk in response.iter_bytes():
            body += chunk
            # The time-out of a read starts anew with each byte, and some servers drip blanks.
            if len(body) > MAX_BYTES or time.monotonic() > deadline:
                break
    except (httpx2.HTTPError, OSError):
        pass  # a whole completion has been paid for, even if the connection ended badly
    return bytes(body)
