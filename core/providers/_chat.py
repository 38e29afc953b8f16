"""How is a prompt asked, and its answer read, over the chat completions protocol?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.providers import _answers as answers
from core.providers._answers import Endpoint, Said, Usage
from core.providers._refusals import TWINS
from core.providers._wire import Protocol
from core.records import Completion, Prompt
from core.registry import canonical


def chat_parameters(prompt: Prompt, seed: int | None, *, is_structured: bool) -> dict[str, Any]:
    """Return the part of a request that says what is asked: messages, draw, form of the answer."""
    schema = dict(prompt.schema)
    # One seed for all would make every draw of a prompt the same text, paid anew.
    sent: dict[str, Any] = {} if seed is None else {"seed": seed + prompt.draw}
    if is_structured:
        form = {"name": "reply", "strict": True, "schema": schema}
        sent["response_format"] = {"type": "json_schema", "json_schema": form}
        return {**sent, "messages": prompt.messages}
    return {**sent, "messages": _with_schema(prompt.messages, schema)}


def schema_in_words(schema: Mapping[str, Any]) -> str:
    """Return the words that ask for a schema where the protocol cannot."""
    return f"\n\nAnswer with JSON and nothing else, by this JSON schema:\n{canonical(schema)}"


def read_reply(endpoint: Endpoint, body: bytes, seconds: float) -> Completion:
    """Read the body of an answer with status 200.

    Raises:
        ProviderWait: the body is not JSON, as when only half of it came.
    """
    reply = answers.parsed(endpoint, body)
    usage = answers.part(reply, "usage")
    details = answers.part(usage, "prompt_tokens_details")
    used = Usage(
        answers.count(usage.get("prompt_tokens")),
        answers.count(usage.get("completion_tokens")),
        answers.count(details.get("cached_tokens")) or 0,
        answers.count(details.get("cache_write_tokens")) or 0,
    )
    return answers.completion(endpoint, reply, _first_choice(reply), used, seconds)


def _first_choice(reply: Mapping[str, Any]) -> Said:
    choices = reply.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    message = choice.get("message") if isinstance(choice, Mapping) else None
    if not isinstance(choice, Mapping) or not isinstance(message, Mapping):
        return answers.stranger("a chat completion", reply)
    text, refusal = answers.word(message.get("content")), answers.word(message.get("refusal"))
    reason = answers.word(choice.get("finish_reason"))
    if refusal:
        return Said(text or refusal, "refused", refusal)
    if reason == "content_filter":
        return Said(text, "refused", "stopped by the provider's content filter")
    if reason == "length":
        return Said(text, "length")
    if not text.strip():
        return Said(text, "failed", f"an empty answer (finish_reason {reason!r})")
    return Said(text, "stop", "" if reason == "stop" else f"finish_reason {reason!r}")


def _with_schema(messages: list[dict[str, str]], schema: Mapping[str, Any]) -> list[dict[str, str]]:
    system, *others = messages
    return [{**system, "content": system["content"] + schema_in_words(schema)}, *others]


def _without(parameters: Mapping[str, Any], refused: tuple[str, ...]) -> dict[str, Any]:
    sent = {name: value for name, value in parameters.items() if name not in refused}
    for name in TWINS.keys() & parameters.keys() & set(refused):
        sent[TWINS[name]] = parameters[name]
    if "response_format" in parameters and "response_format" in refused:
        schema = parameters["response_format"]["json_schema"]["schema"]
        sent["messages"] = _with_schema(sent["messages"], schema)
    return sent


def _connect(endpoint: Endpoint, http_client: Any) -> Any:
    import openai

    return openai.OpenAI(
        api_key=endpoint.key,
        base_url=endpoint.base_url,
        timeout=endpoint.timeout_seconds,
        max_retries=0,
        http_client=http_client,
    )


def _start(client: Any, sent: Mapping[str, Any]) -> Any:
    return client.chat.completions.with_streaming_response.create(**sent)


PROTOCOL = Protocol(
    package="openai",
    connect=_connect,
    start=_start,
    read=read_reply,
    optional=(
        "top_p",
        "temperature",
        "seed",
        "response_format",
        "store",
        "prompt_cache_key",
        "max_completion_tokens",
        "max_tokens",
    ),
    without=_without,
)
