"""Any server that speaks OpenAI's chat completions protocol: vLLM, llama.cpp, Ollama, a gateway."""

from __future__ import annotations

import re
from typing import Any, ClassVar

from pydantic import Field, field_validator

from core.providers import _chat
from core.providers import _settings as settings
from core.providers._answers import Endpoint
from core.providers._wire import ask, is_loopback
from core.providers.base import find_key
from core.records import Completion, Prompt

_ADDRESS = re.compile(
    r"https?://(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~%/-]*)?"
)
NO_KEY = "none"
"""Sent where no key is set; without it the SDK would send OPENAI_API_KEY to this host."""


class OpenAICompatible(settings.Hosted):
    """A model behind an address of your choice, called with the key in ADMIX_COMPATIBLE_API_KEY."""

    title: ClassVar[str] = "OpenAI-compatible server"
    keys: ClassVar[tuple[str, ...]] = ("ADMIX_COMPATIBLE_API_KEY",)

    base_url: str = Field(
        max_length=500,
        description="address of the server, most often ending in /v1",
        examples=["http://127.0.0.1:8000/v1"],
    )
    model: str = Field(
        min_length=1,
        max_length=200,
        description="name of the model, as the server knows it",
        examples=["served-model"],
    )
    structured: bool = Field(
        True, description="ask for the JSON schema; off for servers that do not take one"
    )
    temperature: settings.Temperature = 1.0
    top_p: settings.TopP = 1.0
    max_tokens: settings.MaxTokens = 1024
    seed: settings.Seed = None

    @field_validator("base_url")
    @classmethod
    def _check_base_url(cls, value: str) -> str:
        # Settings are stored and shown, so an address has no room for a password or a token. The
        # pattern is narrow, so that no other reader of the address finds another host in it.
        address = value.strip().rstrip("/")
        if not _ADDRESS.fullmatch(address):
            raise ValueError("give an address such as http://127.0.0.1:8000/v1, without ?, # or @")
        return address

    @property
    def is_local(self) -> bool:
        """Return whether the server is this machine."""
        return is_loopback(self.base_url)

    @property
    def needs_key(self) -> bool:
        """Return False: many servers take none."""
        return False

    def parameters(self, prompt: Prompt) -> dict[str, Any]:
        """Return everything that is sent."""
        return {
            "model": self.model,
            **_chat.chat_parameters(prompt, self.seed, is_structured=self.structured),
            "max_tokens": self.max_tokens,
            # Always sent: a server's own defaults may be others than the form shows.
            "temperature": self.temperature,
            "top_p": self.top_p,
        }

    def complete(self, prompt: Prompt) -> Completion:
        """Answer one prompt.

        Raises:
            ProviderWait: a passing fault.
            ProviderStop: a fault that no retry will mend, a redirect among them.
        """
        endpoint = Endpoint(
            base_url=self.base_url,
            model=self.model,
            key=find_key(self.keys) or NO_KEY,
            key_name=self.keys[0],
            timeout_seconds=self.timeout_seconds,
        )
        return ask(_chat.PROTOCOL, endpoint, self.parameters(prompt))
