"""A service that answers prompts, and what every one of them must do the same way."""

from __future__ import annotations

import os
import tomllib
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from core.errors import Problem, ProviderStop
from core.records import Completion, Limits, Price, Prompt
from core.registry import Member, canonical, content_hash

ROOT = Path(__file__).resolve().parents[2]
"""The checkout, beside which `.streamlit/secrets.toml` and `data/` lie."""


BatchEnd = Literal["", "done", "expired", "cancelled", "refused"]
"""How a batch ended; nothing while it is at work."""


@dataclass(frozen=True, slots=True)
class BatchLook:
    """Where a batch stands: the vendor's own word, requests done and failed, and what was said."""

    state: str
    end: BatchEnd
    n_done: int
    n_failed: int
    message: str = ""


class Batches(ABC):
    """The batch service of a provider: many requests at once, for less, within a day.

    Every method raises `ProviderWait` for a passing fault and `ProviderStop` where no retry helps.
    """

    @abstractmethod
    def start(self, prompts: Mapping[str, Prompt], token: str) -> str:
        """Start a batch of prompts by custom id and return the vendor's id of it.

        Every custom id begins with `token`, by which the batch is found again. A `ProviderWait`
        that `may_cost` leaves open whether the batch was started.
        """

    @abstractmethod
    def look(self, vendor_id: str) -> BatchLook:
        """Return where a batch stands.

        Raises:
            BatchGone: the vendor knows no such batch.
        """

    @abstractmethod
    def results(
        self, vendor_id: str, ids: Collection[str]
    ) -> Iterator[tuple[str, Completion | Problem]]:
        """Yield, once for each of these custom ids, a completion or why there is none.

        A `ProviderWait` that `may_cost` stands for a request that may be billed nevertheless.
        """

    @abstractmethod
    def cancel(self, vendor_id: str) -> None:
        """Ask the vendor to end a batch; what it has done by then comes with the results."""

    @abstractmethod
    def find(self, token: str, n_requests: int, since: float) -> str | None:
        """Return the vendor's id of a batch started after `since` (Unix time), None if none was.

        Raises:
            NotTold: one that is still at work may be it.
            BatchGone: it cannot be told.
        """


class Provider(Member):
    """An LLM service with the settings it is called with.

    A provider is used from several threads at once. It never retries by itself: it raises
    `ProviderWait` for a passing fault and `ProviderStop` where no retry will help.
    """

    family: ClassVar[str] = "providers"
    is_replay: ClassVar[bool] = False
    """Whether completions were recorded beforehand, so that settings change nothing."""
    keys: ClassVar[tuple[str, ...]] = ()
    """Names of the environment variables that the provider's key may be in."""
    unsent: ClassVar[frozenset[str]] = frozenset()
    """Settings that are never sent and change no completion, so are no part of the cache key."""
    batch_discount: ClassVar[float | None] = None
    """The share of the price that a batch saves; None where there is no batch service."""

    @property
    def is_local(self) -> bool:
        """Return whether texts never leave this machine."""
        return False

    @property
    def needs_key(self) -> bool:
        """Return whether nothing can be asked without a key."""
        return bool(self.keys)

    def lacks(self, labels: Sequence[str]) -> tuple[str, ...]:
        """Return the labels that the provider can bring nothing for, whatever it is asked."""
        del labels
        return ()

    def own_price(self) -> Price | None:
        """Return a price that the provider itself knows; None where a list has to be asked."""
        return None

    def limits(self) -> Limits:
        """Return how many requests may be in flight and go in a minute."""
        return Limits()

    @property
    @abstractmethod
    def model_name(self) -> str:
        """Return the model's name, as prices and samples know it."""

    @property
    @abstractmethod
    def worst_output_tokens(self) -> int:
        """Return the most tokens that one call may write, for which money is reserved."""

    @abstractmethod
    def complete(self, prompt: Prompt) -> Completion:
        """Answer one prompt.

        Raises:
            ProviderWait: a passing fault (rate limit, server error, time-out, half a body).
            ProviderStop: a fault that no retry will mend (wrong key, unknown model).
        """

    def batches(self) -> Batches | None:
        """Return the batch service, None where there is none.

        Raises:
            ProviderStop: no key.
        """
        return None

    def key_of(self, prompt: Prompt) -> str:
        """Return the cache key: provider, model, parameters, messages, schema and draw number."""
        sent = {name: value for name, value in self.to_json().items() if name not in self.unsent}
        return content_hash(sent, prompt.messages, dict(prompt.schema), prompt.draw)

    def sendable(self) -> dict[str, Any]:
        """Return the settings as stored with a run; keys are never among them."""
        return self.to_json()


def estimate_input_tokens(prompt: Prompt) -> int:
    """Return more tokens than a prompt can be, for which money is reserved.

    A tokeniser over bytes, as every current one is, writes at most one token per UTF-8 byte, in
    any language. Added are the schema, which vendors show the model, and 50 tokens a message for
    what a chat template puts around it. English comes to about four times what is then paid.
    """
    texts = [message["content"] for message in prompt.messages]
    texts.append(canonical(dict(prompt.schema)))
    n_bytes = sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)
    return n_bytes + 50 * len(prompt.messages)


def find_key(names: Sequence[str]) -> str | None:
    """Return the first key among `names`: in the environment, else in `.streamlit/secrets.toml`.

    Raises:
        ProviderStop: the secrets file cannot be read, or what it holds cannot be a key.
    """
    found = {name: os.environ.get(name, "").strip() for name in names}
    if not any(found.values()):
        secrets = _secrets()
        texts = {name: secrets.get(name) for name in names}
        found = {
            name: text.strip() if isinstance(text, str) else "" for name, text in texts.items()
        }
    name = next((name for name in names if found[name]), None)
    if name is None:
        return None
    # Such a key could not be sent, and the error that says so would quote it.
    if not all("!" <= letter <= "~" for letter in found[name]):
        raise ProviderStop(
            f"{name} holds characters that no key has.", "Copy the key again, without spaces."
        )
    return found[name]


def _secrets() -> dict[str, Any]:
    secrets: dict[str, Any] = {}
    for folder in (ROOT, Path.cwd()):
        path = folder / ".streamlit" / "secrets.toml"
        try:
            secrets |= tomllib.loads(path.read_text("utf-8"))
        except FileNotFoundError:
            continue
        except (OSError, ValueError):
            # What is wrong is left unsaid, because the file's lines are secrets.
            raise ProviderStop(
                f"{path} is not readable TOML.", "Mend the file or remove it."
            ) from None
    return secrets
