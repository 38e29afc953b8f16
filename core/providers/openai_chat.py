"""OpenAI's models through the chat completions interface with structured output."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from core.errors import ProviderStop
from core.providers import _chat
from core.providers import _settings as settings
from core.providers._answers import Endpoint
from core.providers._wire import ask
from core.providers.base import Batches, find_key
from core.records import Completion, Prompt
from core.registry import content_hash

BASE_URL = "https://api.openai.com/v1"
"""Given to the SDK in so many words: it would follow OPENAI_BASE_URL and take the key along."""


class OpenAIChat(settings.Hosted):
    """A model of OpenAI's, called with the key in OPENAI_API_KEY."""

    title: ClassVar[str] = "OpenAI"
    keys: ClassVar[tuple[str, ...]] = ("OPENAI_API_KEY",)
    batch_discount: ClassVar[float | None] = 0.5

    model: str = Field(
        "gpt-5.4-mini", min_length=1, max_length=200, description="name of the model"
    )
    temperature: settings.Temperature = 1.0
    top_p: settings.TopP = 1.0
    max_tokens: settings.MaxTokens = 1024
    seed: settings.Seed = None

    def parameters(self, prompt: Prompt) -> dict[str, Any]:
        """Return everything that is sent."""
        sent: dict[str, Any] = {
            "model": self.model,
            **_chat.chat_parameters(prompt, self.seed, is_structured=True),
            # The name that old and new models take; it counts hidden reasoning too.
            "max_completion_tokens": self.max_tokens,
            # Texts of a project are not to be kept in the account's logs.
            "store": False,
            # Sends prompts that begin alike to where their beginning is cached.
            "prompt_cache_key": content_hash(prompt.system),
        }
        # What equals OpenAI's default is left out, since reasoning models refuse the parameter.
        if self.temperature != 1.0:
            sent["temperature"] = self.temperature
        if self.top_p != 1.0:
            sent["top_p"] = self.top_p
        return sent

    def complete(self, prompt: Prompt) -> Completion:
        """Answer one prompt.

        Raises:
            ProviderWait: a passing fault.
            ProviderStop: no key, or a fault that no retry will mend.
        """
        return ask(_chat.PROTOCOL, self._endpoint(), self.parameters(prompt))

    def batches(self) -> Batches:
        """Return the batch service.

        Raises:
            ProviderStop: no key.
        """
        from core.providers._chat_batches import OpenAIBatches

        return OpenAIBatches(self._endpoint(), self.parameters)

    def _endpoint(self) -> Endpoint:
        key = find_key(self.keys)
        if key is None:
            raise ProviderStop(
                "There is no key for OpenAI.",
                "Put it into the environment variable OPENAI_API_KEY or .streamlit/secrets.toml.",
            )
        return Endpoint(
            base_url=BASE_URL,
            model=self.model,
            key=key,
            key_name=self.keys[0],
            timeout_seconds=self.timeout_seconds,
            more_headers=frozenset({"openai-organization", "openai-project"}),
        )
