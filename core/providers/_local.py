"""How does a language model of a folder write, one prompt at a time, the same again every time?"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from core import local_models
from core.errors import ProviderStop
from core.registry import content_hash
from core.threads import default_threads, threads_of_torch

Device = Literal["auto", "cpu", "cuda"]
_SMALL_FILES = (
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
)
_HUB_FILES = (*_SMALL_FILES, "model*.safetensors", "model.safetensors.index.json")

_lock = threading.Lock()
"""One prompt at a time: side by side they would share one random state, and in one batch each
text would depend, by float noise and so sometimes by a word, on the others in it."""


@dataclass(frozen=True, slots=True)
class Source:
    """Which model: a folder, or with a `revision` an id of the Hub; and on what it runs."""

    model: str
    revision: str
    device: Device

    def files(self) -> str:
        """Return a hash of a folder's files; a commit of the Hub stands for its own.

        Weights go by size and time of change, since reading gigabytes for every command would
        take minutes. What cannot be read is left out here, and told when the model is loaded.
        """
        if self.revision:
            return ""
        folder, found = Path(self.model), {}
        for path in sorted(folder.glob("*.safetensors*")):
            with suppress(OSError):
                stat = path.stat()
                found[path.name] = f"{stat.st_size} {stat.st_mtime_ns}"
        for name in _SMALL_FILES:
            with suppress(OSError):
                found[name] = local_models.sha256_of(folder / name)
        return content_hash(found)


@dataclass(frozen=True, slots=True)
class Draw:
    """How words are drawn, how many at most, and by which seed."""

    temperature: float
    top_p: float
    max_tokens: int
    seed: int


@dataclass(frozen=True, slots=True)
class Written:
    """What a model wrote, with its numbers of tokens, and whether it came to an end."""

    text: str
    input_tokens: int
    output_tokens: int
    is_ended: bool


def write(source: Source, messages: Sequence[Mapping[str, str]], draw: Draw) -> Written:
    """Let a model go on after some messages; it is loaded at the first, and kept.

    Raises:
        Problem: the model is not there, cannot be loaded or run, or does not read so much.
    """
    with _lock, _told(source):
        return _loaded(source, source.files()).write(messages, draw)


@lru_cache(maxsize=1)
def _loaded(source: Source, _files: str) -> _Model:
    """Return a model; the hash of its files is there to load it again when they have changed."""
    if source.revision:
        folder = local_models.downloaded(
            source.model, source.revision, _HUB_FILES, "language model", "choose another one"
        )
    else:
        folder = local_models.local(source.model, "a language model")
    local_models.checked_files(folder)
    return _Model(folder, source.device)


class _Model:
    """A language model and its tokenizer, in memory."""

    def __init__(self, folder: Path, device: Device) -> None:
        import torch
        import transformers

        transformers.utils.logging.disable_progress_bar()
        self._device = _device(device)
        try:
            self._tokenizer = transformers.AutoTokenizer.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False
            )
            self._model, loading = transformers.AutoModelForCausalLM.from_pretrained(
                folder,
                local_files_only=True,
                use_safetensors=True,
                trust_remote_code=False,
                # Few CPUs are fast in the half precision that most weights are stored in.
                dtype=torch.float32 if self._device == "cpu" else "auto",
                output_loading_info=True,
            )
        except torch.OutOfMemoryError:
            raise
        except local_models.faults_of_files() as error:
            raise ProviderStop(
                f"The language model in {folder} could not be loaded: "
                f"{local_models.first_line(error)}",
                "It needs config.json, tokenizer.json and safetensors of a model that writes text "
                "and that transformers knows.",
            ) from error
        # Missing weights are drawn at random, differently in every process.
        if missing := sorted(loading["missing_keys"]):
            raise ProviderStop(
                f"The model in {folder} lacks {len(missing)} of its weights, first {missing[0]}.",
                "Choose a language model that writes text, such as Qwen or Llama; an encoder "
                "such as BERT does not.",
            )
        self._model.to(self._device).eval()
        config = self._model.config.get_text_config()
        self._n_read: int | None = getattr(config, "max_position_embeddings", None)
        self._ends = _ends(self._model.generation_config, self._tokenizer)
        # A model's own defaults may be others than the form shows, a top-k among them.
        self._model.generation_config = transformers.GenerationConfig(
            eos_token_id=self._ends or None, pad_token_id=self._ends[0] if self._ends else 0
        )

    def write(self, messages: Sequence[Mapping[str, str]], draw: Draw) -> Written:
        import torch

        ids = self._read(messages)
        n_left = draw.max_tokens if self._n_read is None else self._n_read - len(ids)
        if n_left < 1:
            raise ProviderStop(
                f"A prompt of {len(ids):,} tokens is too long: the model reads {self._n_read:,}, "
                "and its reply must fit in too.",
                "Show fewer or shorter examples, or choose a model that reads more.",
            )
        is_greedy = draw.temperature == 0
        how = {"temperature": draw.temperature, "top_p": draw.top_p, "top_k": 0}
        given = torch.tensor([ids], device=self._device)
        cards = [torch.cuda.current_device()] if self._device == "cuda" else []
        with (
            threads_of_torch(default_threads()),
            torch.random.fork_rng(cards),
            torch.inference_mode(),
        ):
            torch.manual_seed(draw.seed)
            found = self._model.generate(
                given,
                attention_mask=torch.ones_like(given),
                max_new_tokens=min(draw.max_tokens, n_left),
                do_sample=not is_greedy,
                **({} if is_greedy else how),
            )
        new = found[0, len(ids) :].tolist()
        text = self._tokenizer.decode(new, skip_special_tokens=True)
        return Written(text, len(ids), len(new), bool(new) and new[-1] in self._ends)

    def _read(self, messages: Sequence[Mapping[str, str]]) -> list[int]:
        """Return the tokens of messages: in the chat layout of the model, else as paragraphs."""
        system, user = messages[0]["content"], _literal(messages[1]["content"], self._tokenizer)
        if not self._tokenizer.chat_template:
            return self._tokens(f"{system}\n\n{user}\n\n", adds_special=True)
        return self._tokens(self._chat(system, user), adds_special=False)

    def _tokens(self, text: str, adds_special: bool) -> list[int]:
        # Half a character is refused as such; the tokenizer would call it the wrong type.
        text.encode()
        ids: list[int] = self._tokenizer(text, add_special_tokens=adds_special)["input_ids"]
        return ids

    def _chat(self, system: str, user: str) -> str:
        from jinja2 import TemplateError

        both = [{"role": "system", "content": system}, {"role": "user", "content": user}]
        # Some models know no system turn, and their templates refuse one.
        one = [{"role": "user", "content": f"{system}\n\n{user}"}]
        for messages in (both, one):
            try:
                text: str = self._tokenizer.apply_chat_template(
                    messages,
                    tokenize=False,
                    add_generation_prompt=True,
                    # Thoughts would stand before the JSON, and what is not JSON is not read.
                    enable_thinking=False,
                )
                return text
            except (TemplateError, TypeError, ValueError) as error:
                refused = local_models.first_line(error)
        raise ProviderStop(f"The model's chat template does not take the prompt: {refused}")


def _device(asked: Device) -> str:
    import torch

    has_card = torch.cuda.is_available()
    if asked == "cuda" and not has_card:
        raise ProviderStop("There is no NVIDIA card that torch can use.", "Use device auto or cpu.")
    return "cuda" if has_card and asked != "cpu" else "cpu"


def _ends(config: Any, tokenizer: Any) -> list[int]:
    """Return the tokens that end a reply: a chat model's own may not be the base model's."""
    of_model = config.eos_token_id
    found = of_model if isinstance(of_model, list) else [of_model]
    return list(dict.fromkeys(one for one in (*found, tokenizer.eos_token_id) if one is not None))


def _literal(text: str, tokenizer: Any) -> str:
    """Return JSON with no control token in it: a text that says one would end the user's turn.

    The first letter is written as JSON's escape, so that the value is the same.
    """
    special = {str(one) for one in tokenizer.added_tokens_decoder.values() if one.special}
    for token in sorted(special - {""}, key=len, reverse=True):
        text = text.replace(token, f"\\u{ord(token[0]):04x}{token[1:]}")
    return text


@contextmanager
def _told(source: Source) -> Iterator[None]:
    """Say what a fault of torch means."""
    import torch

    try:
        yield
    except (MemoryError, torch.OutOfMemoryError):
        problem = ProviderStop(
            f"There is not enough memory to run {source.model}.",
            "Choose a smaller model or shorter replies, free the card, or use device cpu.",
        )
    except UnicodeError:
        problem = ProviderStop("The prompt holds characters that no tokenizer takes.")
    except RuntimeError as error:
        problem = ProviderStop(f"{source.model} could not be run: {local_models.first_line(error)}")
    else:
        return
    raise problem
