"""A language model on this machine, run by transformers: no server, no key, and no text leaves."""

from __future__ import annotations

import time
from pathlib import Path
from typing import ClassVar

from pydantic import Field, ValidationInfo, field_validator

from core.errors import Problem, ProviderStop
from core.providers import _chat, _local
from core.providers import _settings as settings
from core.providers.base import Provider
from core.records import Completion, Limits, Price, Prompt
from core.registry import content_hash


class LocalTransformers(Provider):
    """A causal language model in a folder of this machine, or of the Hugging Face Hub."""

    title: ClassVar[str] = "Transformers on this machine"

    model: str = Field(
        min_length=1,
        max_length=500,
        description=(
            "whole path of a folder, or with a revision a model id of the Hugging Face Hub"
        ),
        examples=["/models/small-instruct"],
        # A browser names no folder of the server.
        json_schema_extra={"command_line_only": True},
    )
    revision: str = Field(
        default="",
        pattern=r"^([0-9a-f]{40})?$",
        validate_default=True,
        description="full commit of a model of the Hub; empty for a folder",
        json_schema_extra={"command_line_only": True},
    )
    temperature: settings.Temperature = 1.0
    top_p: settings.TopP = 1.0
    max_tokens: settings.MaxTokens = 1024
    seed: int = Field(
        default=0, ge=0, le=2_000_000_000, description="makes every draw of a prompt repeatable"
    )
    device: _local.Device = Field(
        default="auto", description="what it runs on; auto is an NVIDIA card if there is one"
    )

    @field_validator("revision")
    @classmethod
    def _check_revision(cls, value: str, info: ValidationInfo) -> str:
        # Workers run in a folder of their own, so a path must not depend on where one stands.
        if Path(info.data.get("model", "/")).is_absolute() == bool(value):
            raise ValueError(
                "a model of the Hub needs the full commit shown under Files > History on its page,"
                " and a folder needs its whole path and no revision"
            )
        return value

    @property
    def is_local(self) -> bool:
        """Return True: of a model of the Hub, files come here and no text goes there."""
        return True

    def limits(self) -> Limits:
        """Return one call at a time: more side by side gain nothing on one model."""
        return Limits(at_once=1)

    @property
    def model_name(self) -> str:
        """Return the id of the Hub with its commit, or the folder's name without its path."""
        return f"{self.model}@{self.revision[:8]}" if self.revision else Path(self.model).name

    @property
    def worst_output_tokens(self) -> int:
        """Return the bound that every reply has."""
        return self.max_tokens

    def own_price(self) -> Price | None:
        """Return no price per token, so that a cap never stops what costs nothing."""
        return Price(0.0, 0.0, "runs on this machine", "power and hardware are not counted")

    def key_of(self, prompt: Prompt) -> str:
        """Return the cache key, which another model in the same folder changes."""
        return content_hash(super().key_of(prompt), self._source.files())

    def complete(self, prompt: Prompt) -> Completion:
        """Answer one prompt; the same prompt, draw and seed give the same text.

        Raises:
            ProviderStop: there is no such model, it does not fit, or the prompt is too long.
        """
        started = time.monotonic()
        messages = _chat.chat_parameters(prompt, None, is_structured=False)["messages"]
        seed = int(content_hash(self.seed, prompt.draw, messages)[:15], 16)
        draw = _local.Draw(self.temperature, self.top_p, self.max_tokens, seed)
        try:
            written = _local.write(self._source, messages, draw)
        except ProviderStop:
            raise
        except Problem as problem:
            raise ProviderStop(problem.message, problem.hint) from None
        is_empty = written.is_ended and not written.text.strip()
        return Completion(
            text=written.text,
            finish="failed" if is_empty else "stop" if written.is_ended else "length",
            model=self.model_name,
            input_tokens=written.input_tokens,
            output_tokens=written.output_tokens,
            seconds=time.monotonic() - started,
            detail="an empty answer" if is_empty else "",
        )

    @property
    def _source(self) -> _local.Source:
        return _local.Source(self.model, self.revision, self.device)
