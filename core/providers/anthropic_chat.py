"""Anthropic's models through the messages interface with structured output."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field

from core.errors import ProviderStop
from core.providers import _answers as answers
from core.providers import _settings as settings
from core.providers._answers import Endpoint, Said, Usage
from core.providers._chat import schema_in_words
from core.providers._wire import Protocol, ask
from core.providers.base import Batches, find_key
from core.records import Completion, Prompt

BASE_URL = "https://api.anthropic.com"
"""Given to the SDK in so many words: it would follow ANTHROPIC_BASE_URL and take the key along."""
_VERSION, _SAMPLING_VERSION = "2026-10-21", "2023-06-01"
"""Of the protocol: the current one knows no temperature, and the one before takes it for the models
that still do."""
_SAMPLING = ("top_p", "temperature")


class AnthropicChat(settings.Hosted):
    """A model of Anthropic's, called with the key in ANTHROPIC_API_KEY."""

    title: ClassVar[str] = "Anthropic"
    keys: ClassVar[tuple[str, ...]] = ("ANTHROPIC_API_KEY",)
    batch_discount: ClassVar[float | None] = 0.5

    model: str = Field(
        "claude-haiku-5-5", min_length=1, max_length=200, description="name of the model"
    )
    temperature: Annotated[
        float,
        Field(ge=0, le=1, description="randomness of the words; newer models take 1 only"),
    ] = 1.0
    top_p: settings.TopP = 1.0
    max_tokens: settings.MaxTokens = 1024

    def parameters(self, prompt: Prompt) -> dict[str, Any]:
        """Return everything that is sent."""
        system, *others = prompt.messages
        sent: dict[str, Any] = {
            "model": self.model,
            # The part that all prompts of a run share is read from a cache after the first.
            "system": [
                {
                    "type": "text",
                    "text": system["content"],
                    "cache_control": {"type": "ephemeral"},
                }
            ],
            "messages": others,
            "max_tokens": self.max_tokens,
            "output_config": {"format": {"type": "json_schema", "schema": dict(prompt.schema)}},
            # Newer models think first by default, and would do so out of the same max_tokens.
            "thinking": {"type": "disabled"},
        }
        # What equals the default is left out, since newer models refuse the parameter.
        for name in _SAMPLING:
            if getattr(self, name) != 1.0:
                sent[name] = getattr(self, name)
        return sent

    def complete(self, prompt: Prompt) -> Completion:
        """Answer one prompt.

        Raises:
            ProviderWait: a passing fault.
            ProviderStop: no key, or a fault that no retry will mend.
        """
        return ask(PROTOCOL, self._endpoint(), self.parameters(prompt))

    def batches(self) -> Batches:
        """Return the batch service.

        Raises:
            ProviderStop: no key.
        """
        from core.providers._message_batches import AnthropicBatches

        return AnthropicBatches(self._endpoint(), self.parameters)

    def _endpoint(self) -> Endpoint:
        key = find_key(self.keys)
        if key is None:
            raise ProviderStop(
                "There is no key for Anthropic.",
                "Put it into the environment variable ANTHROPIC_API_KEY or "
                ".streamlit/secrets.toml.",
            )
        return Endpoint(
            base_url=BASE_URL,
            model=self.model,
            key=key,
            key_name=self.keys[0],
            timeout_seconds=self.timeout_seconds,
            more_headers=frozenset({"anthropic-version"}),
        )


def read_message(endpoint: Endpoint, body: bytes, seconds: float) -> Completion:
    """Read the body of an answer with status 200.

    Raises:
        ProviderWait: the body is not JSON, as when only half of it came.
    """
    reply = answers.parsed(endpoint, body)
    usage = answers.part(reply, "usage")
    uncached = answers.count(usage.get("input_tokens"))
    cached = answers.count(usage.get("cache_read_input_tokens")) or 0
    written = answers.count(usage.get("cache_creation_input_tokens")) or 0
    used = Usage(
        # Anthropic counts what touched the cache apart from the rest.
        None if uncached is None else uncached + cached + written,
        answers.count(usage.get("output_tokens")),
        cached,
        written,
    )
    return answers.completion(endpoint, reply, _said(reply), used, seconds)


def version_for(names: Collection[str]) -> str:
    """Return the version of the protocol that takes parameters of these names."""
    return _VERSION if set(_SAMPLING).isdisjoint(names) else _SAMPLING_VERSION


def _said(reply: Mapping[str, Any]) -> Said:
    text = _text(reply.get("content"))
    if text is None:
        return answers.stranger("a message", reply)
    reason = answers.word(reply.get("stop_reason"))
    if reason == "refusal":
        details = answers.part(reply, "stop_details")
        told = [answers.word(details.get(name)) for name in ("explanation", "category")]
        return Said(text, "refused", next(filter(None, told), "the model declined to answer"))
    if reason in ("max_tokens", "model_context_window_exceeded"):
        return Said(text, "length")
    if not text.strip():
        return Said(text, "failed", f"an empty answer (stop_reason {reason!r})")
    is_end = reason in ("end_turn", "stop_sequence")
    return Said(text, "stop", "" if is_end else f"stop_reason {reason!r}")


def _text(content: Any) -> str | None:
    """Return the text of the blocks that are text; None where they are not the protocol's."""
    if not isinstance(content, list):
        return None
    texts = []
    for block in content:
        if not isinstance(block, Mapping) or not isinstance(block.get("type"), str):
            return None
        if block["type"] == "text":
            if not isinstance(block.get("text"), str):
                return None
            texts.append(block["text"])
    return "".join(texts)


def _without(parameters: Mapping[str, Any], refused: tuple[str, ...]) -> dict[str, Any]:
    sent = {name: value for name, value in parameters.items() if name not in refused}
    if "output_config" in refused:
        (block,) = parameters["system"]
        words = schema_in_words(parameters["output_config"]["format"]["schema"])
        sent["system"] = [{**block, "text": block["text"] + words}]
    return sent


def _connect(endpoint: Endpoint, http_client: Any) -> Any:
    import anthropic

    return anthropic.Anthropic(
        # Given, so that no token, profile or identity of the environment is looked for.
        api_key=endpoint.key,
        base_url=endpoint.base_url,
        timeout=endpoint.timeout_seconds,
        max_retries=0,
        http_client=http_client,
        # Prompts go to no tracing service that the environment may name.
        open_telemetry=False,
    )


def _start(client: Any, sent: Mapping[str, Any]) -> Any:
    sampling = {name: sent[name] for name in _SAMPLING if name in sent}
    others = {name: value for name, value in sent.items() if name not in sampling}
    return client.messages.with_streaming_response.create(
        **others,
        # The package has no arguments for these any more.
        extra_body=sampling or None,
        extra_headers={"anthropic-version": version_for(sampling)},
    )


PROTOCOL = Protocol(
    package="anthropic",
    connect=_connect,
    start=_start,
    read=read_message,
    optional=(*_SAMPLING, "output_config", "thinking"),
    without=_without,
)
