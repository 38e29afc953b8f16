"""A pretrained transformer with a new head: what it says of sequences of tokens, and what it holds.

Its lower layers can be frozen. What they make of a sequence is then the same in every training, so
it is worked out once and the trainings begin from there.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from torch import nn

from core import encoders, kernels, local_models
from core.errors import Problem
from core.students._first_token import only_first
from core.students._tokens import Tokens
from core.tasks.base import Head

MARK = "mark"
"""Name of the vector that is added to the tokens of the place that is looked from."""
CACHED = ("bert", "roberta", "xlm-roberta", "camembert", "distilbert")
"""Kinds of model whose lower layers can be left out once their work is kept."""
MOST_KEPT_BYTES = 4_000_000_000
"""Most memory for what frozen layers made; above it they work anew in every training."""
WORTH = 0.8
"""Share of the seconds in float32 that bfloat16 may take to be worth its coarser numbers."""
ROUNDS = 6
"""Steps in each precision of which the fastest counts."""
MOST_TOKENS = {"cpu": 4_096, "cuda": 65_536}
"""Tokens, padding included, that are read at once where nothing is learned."""


class Network:
    """A transformer on one device, which begins every training from the same weights."""

    def __init__(
        self, folder: Path, head: Head, n_outputs: int, frozen_layers: int, device: str,
        is_half: bool,
    ) -> None:  # fmt: skip
        self.device, self.is_half = device, is_half
        self._model = _loaded(folder, head, n_outputs)
        kernels.quicken(self._model)
        self._base = self._model.base_model
        self._mark = nn.Parameter(torch.zeros(self._model.config.hidden_size))
        self._new = [name for name in self._parameters() if not self._is_pretrained(name)]
        self._layers = layers_of(self._base)
        self._freeze(frozen_layers)
        # A last layer that is frozen is asked for all that it makes, to keep it.
        if head != "tags" and frozen_layers < len(self._layers):
            only_first(self._model, self._layers[-1])
        self._model.to(device)
        self._mark.data = self._mark.data.to(device)
        self._before = {name: value.detach().clone() for name, value in self._parameters().items()}
        self._kept: tuple[Tokens, torch.Tensor] | None = None
        self._place_of: np.ndarray | None = None

    @property
    def n_ids(self) -> int:
        """Return how many different tokens there are."""
        return int(self._base.get_input_embeddings().num_embeddings)

    @property
    def learned(self) -> list[nn.Parameter]:
        """Return the parameters that a training changes."""
        return [value for value in self._parameters().values() if value.requires_grad]

    @property
    def undecayed(self) -> set[int]:
        """Return the ids of the parameters that are not pulled towards zero: biases and norms."""
        return {
            id(value)
            for name, value in self._parameters().items()
            if value.ndim < 2 or name == MARK
        }  # fmt: skip

    def begin(self, seed: int) -> None:
        """Go back to the pretrained weights, with a head that depends on the seed alone."""
        generator = torch.Generator().manual_seed(seed)
        spread = float(getattr(self._model.config, "initializer_range", 0.02))
        with torch.no_grad():
            for name, value in self._parameters().items():
                value.copy_(self._before[name])
                if name in self._new and name != MARK:
                    drawn = torch.zeros(value.shape)
                    if value.ndim > 1:
                        drawn.normal_(0.0, spread, generator=generator)
                    value.copy_(drawn)

    @contextmanager
    def words_of(self, tokens: Tokens, sequences: np.ndarray) -> Iterator[None]:
        """Have only the token vectors that some sequences need take part for a while.

        The others have no gradient, so that nothing but the pull of the weight decay on them is
        left out. Of MiniLM's parameters half are token vectors: a step that visits them all takes
        a quarter longer.
        """
        table = self._base.get_input_embeddings()
        if not table.weight.requires_grad:
            yield
            return
        pad = self._model.config.pad_token_id or 0
        inside = [tokens.ids[tokens.starts[one] : tokens.starts[one + 1]] for one in sequences]
        used = np.unique(np.concatenate([np.array([pad], dtype=tokens.ids.dtype), *inside]))
        rows = torch.from_numpy(used.astype(np.int64)).to(self.device)
        own = None if table.padding_idx is None else int(np.searchsorted(used, pad))
        small = nn.Embedding.from_pretrained(
            table.weight.detach()[rows], freeze=False, padding_idx=own
        )
        self._place_of = np.searchsorted(used, np.arange(self.n_ids))
        self._base.set_input_embeddings(small)
        try:
            yield
        finally:
            self._base.set_input_embeddings(table)
            self._place_of = None
            with torch.no_grad():
                table.weight[rows] = small.weight

    def learning(self, is_on: bool) -> None:
        """Switch drop-out on or off; frozen layers never have any."""
        self._model.train(is_on)
        for part in self._frozen:
            part.eval()

    def weights(self) -> dict[str, np.ndarray]:
        """Return a copy of all weights."""
        return {
            name: value.detach().float().cpu().numpy().copy()
            for name, value in self._parameters().items()
        }

    def put(self, weights: Mapping[str, np.ndarray]) -> None:
        """Take over weights.

        Raises:
            Problem: they are those of another model.
        """
        there = self._parameters()
        if {name: array.shape for name, array in weights.items()} != {
            name: tuple(value.shape) for name, value in there.items()
        }:
            raise Problem("The model's weights do not fit the encoder that it was trained from.")
        with torch.no_grad():
            for name, value in there.items():
                value.copy_(torch.from_numpy(np.asarray(weights[name])))

    def snapshot(self) -> list[torch.Tensor]:
        """Return a copy of what a training changes."""
        return [value.detach().clone() for value in self.learned]

    def restore(self, snapshot: Sequence[torch.Tensor]) -> None:
        """Go back to a snapshot."""
        with torch.no_grad():
            for value, kept in zip(self.learned, snapshot, strict=True):
                value.copy_(kept)

    def scores(self, tokens: Tokens, sequences: np.ndarray) -> torch.Tensor:
        """Return the head's raw scores: (sequences, outputs), with tags (sequences, t, outputs)."""
        if self._kept is not None and self._kept[0] is tokens:
            with self._upper(), self._precision():
                found = self._model(**self._given(self._kept[1], tokens, sequences)).logits
        else:
            with self._precision():
                found = self._model(**self._inputs(tokens, sequences)).logits
        made: torch.Tensor = found.float()
        return made

    def keep_lower(self, tokens: Tokens) -> None:
        """Work out once what the frozen layers make of all sequences, where that can be kept."""
        n_bytes = int(tokens.starts[-1]) * self._model.config.hidden_size * 4
        if (
            not self._n_frozen
            or self._model.config.model_type not in CACHED
            or tokens.has_marks
            or n_bytes > MOST_KEPT_BYTES
        ):
            return
        if self._kept is not None and self._kept[0] is tokens:
            return
        self._kept = None
        kept = torch.empty((int(tokens.starts[-1]), self._model.config.hidden_size))
        self.learning(is_on=False)
        with self._part(0, self._n_frozen), torch.inference_mode():
            for some in by_size(tokens.lengths, MOST_TOKENS[self.device]):
                with self._precision():
                    states = self._base(**self._inputs(tokens, some)).last_hidden_state
                for row, sequence in enumerate(some):
                    low, high = tokens.starts[sequence], tokens.starts[sequence + 1]
                    kept[low:high] = states[row, : high - low].float().cpu()
        self._kept = (tokens, kept)

    @contextmanager
    def _upper(self) -> Iterator[None]:
        """Have the transformer consist of what lies above the frozen layers for a while."""
        embeddings = self._base.embeddings
        self._base.embeddings = _Given()
        try:
            with self._part(self._n_frozen, len(self._layers)):
                yield
        finally:
            self._base.embeddings = embeddings

    def _given(
        self, states: torch.Tensor, tokens: Tokens, sequences: np.ndarray
    ) -> dict[str, torch.Tensor]:
        """Return what the layers above the frozen ones read of sequences."""
        inside, where = _grid(tokens, sequences)
        made = torch.zeros((*inside.shape, states.shape[1]))
        made[torch.from_numpy(inside)] = states[torch.from_numpy(where)]
        return {"attention_mask": self._mask(inside), "inputs_embeds": made.to(self.device)}

    def _inputs(self, tokens: Tokens, sequences: np.ndarray) -> dict[str, torch.Tensor]:
        """Return what the whole transformer reads of sequences."""
        inside, where = _grid(tokens, sequences)
        ids = np.full(inside.shape, self._model.config.pad_token_id or 0, dtype=np.int64)
        ids[inside] = tokens.ids[where]
        if self._place_of is not None:
            ids = self._place_of[ids]
        read = torch.from_numpy(ids).to(self.device)
        made = {"attention_mask": self._mask(inside)}
        if getattr(self._model.config, "type_vocab_size", 0) > 1:
            types = np.zeros(inside.shape, dtype=np.int64)
            types[inside] = tokens.types[where]
            made["token_type_ids"] = torch.from_numpy(types).to(self.device)
        if not tokens.has_marks:
            return made | {"input_ids": read}
        marked = np.zeros(inside.shape, dtype=np.float32)
        marked[inside] = tokens.marked[where]
        at = torch.from_numpy(marked).to(self.device).unsqueeze(-1)
        embedded = self._base.get_input_embeddings()(read)
        return made | {"inputs_embeds": embedded + at * self._mark}

    def _mask(self, inside: np.ndarray) -> torch.Tensor:
        mask = inside.astype(np.int64)
        # A text without tokens is read as one of padding, so that there is something to read.
        mask[:, 0] = 1
        return torch.from_numpy(mask).to(self.device)

    def _precision(self) -> Any:
        return torch.autocast(self.device, torch.bfloat16, enabled=self.is_half)

    def _parameters(self) -> dict[str, nn.Parameter]:
        return {**dict(self._model.named_parameters()), MARK: self._mark}

    def _is_pretrained(self, name: str) -> bool:
        prefix = f"{self._model.base_model_prefix}."
        return name.startswith(prefix) and name not in self._model.drawn_at_random

    def _freeze(self, n: int) -> None:
        self._n_frozen = n
        self._frozen: list[nn.Module] = []
        if not n:
            return
        if n > len(self._layers):
            raise Problem(
                f"The encoder has {len(self._layers)} layers, and {n} are to be frozen.",
                "Freeze fewer layers.",
            )
        above = (_holder(self._base), getattr(self._base, "pooler", None))
        below = [part for part in self._base.children() if all(part is not one for one in above)]
        self._frozen = [*below, *self._layers[:n]]
        for part in self._frozen:
            part.requires_grad_(False)

    @contextmanager
    def _part(self, start: int, end: int) -> Iterator[None]:
        """Have the transformer consist of some of its layers for a while."""
        holder = _holder(self._base)
        name = next(key for key, value in holder.named_children() if value is self._layers)
        setattr(holder, name, self._layers[start:end])
        try:
            yield
        finally:
            setattr(holder, name, self._layers)


@lru_cache(maxsize=2)
def network_for(
    encoder: encoders.Encoder, head: Head, n_outputs: int, frozen_layers: int, precision: str,
    device: str,
) -> Network:  # fmt: skip
    """Return the network of an encoder on a kind of device, loaded once in a process.

    Raises:
        Problem: the encoder is not there, cannot be fine-tuned, or has fewer layers.
    """
    folder = encoders.folder_of(encoder)
    is_half = precision == "bfloat16" or (precision == "auto" and half_gains(folder, device))
    return Network(folder, head, n_outputs, frozen_layers, device, is_half)


@lru_cache(maxsize=4)
def half_gains(folder: Path, device: str) -> bool:
    """Say whether bfloat16 learns faster here, by a quick measurement.

    Of processors only those with matrix units for it are measured. Others are slower with it or,
    where AVX-512 knows it, faster by so little that two workers of one study, measuring beside one
    another, came to different answers; whoever wants it there can say so. Both take turns, so that
    what else the machine does slows both.
    """
    if device == "cpu" and not torch.cpu._is_amx_tile_supported():
        return False
    n, length = 32, 32
    networks = {half: Network(folder, "class", 2, 0, device, half) for half in (False, True)}
    tokens = Tokens(
        np.random.default_rng(0).integers(networks[True].n_ids, size=n * length),
        np.zeros(n * length), np.zeros(n * length), np.arange(n + 1) * length, np.arange(n),
        np.zeros(n),
    )  # fmt: skip
    seconds = dict.fromkeys(networks, math.inf)
    for _ in range(ROUNDS):
        for is_half, network in networks.items():
            network.learning(is_on=True)
            started = time.perf_counter()
            network.scores(tokens, np.arange(n)).sum().backward()
            if device == "cuda":
                torch.cuda.synchronize()
            seconds[is_half] = min(seconds[is_half], time.perf_counter() - started)
    return seconds[True] < WORTH * seconds[False]


class _Given(nn.Module):
    """Stands for the embeddings where what lies above them is given."""

    def forward(self, *given: Any, **named: Any) -> torch.Tensor:
        # Some kinds pass it by place, among others that are None.
        return next(one for one in (*given, *named.values()) if _is_state(one))


def _is_state(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.is_floating_point()


def _grid(tokens: Tokens, sequences: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which places of padded sequences hold a token, and which token that is."""
    lengths = tokens.lengths[sequences]
    inside = np.arange(max(1, int(lengths.max()))) < lengths[:, None]
    where = tokens.starts[sequences][:, None] + np.arange(inside.shape[1])
    return inside, where[inside]


def by_size(lengths: np.ndarray, most_tokens: int) -> list[np.ndarray]:
    """Return the numbers of sequences in batches of like lengths that hold so many tokens."""
    made: list[np.ndarray] = []
    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(order):
        n = max(1, most_tokens // max(1, int(lengths[order[start]])))
        made.append(order[start : start + n])
        start += n
    return made


def layers_of(base: Any) -> nn.ModuleList:
    """Return the layers of a transformer, bottom first.

    Raises:
        Problem: it has none that are known to be such.
    """
    holder = _holder(base)
    return next(value for value in holder.children() if isinstance(value, nn.ModuleList))


def _holder(base: Any) -> Any:
    for name in ("encoder", "transformer"):
        holder = getattr(base, name, None)
        if holder is not None and any(isinstance(v, nn.ModuleList) for v in holder.children()):
            return holder
    raise Problem(
        f"Models of the kind {base.config.model_type!r} cannot be fine-tuned here.",
        "Choose an encoder such as BERT, MiniLM, MPNet or RoBERTa.",
    )


def _loaded(folder: Path, head: Head, n_outputs: int) -> Any:
    """Return the model of a folder with a new head, on the CPU in float32."""
    transformers.utils.logging.disable_progress_bar()
    quiet, verbosity = transformers.utils.logging, transformers.utils.logging.get_verbosity()
    auto = (
        transformers.AutoModelForTokenClassification
        if head == "tags"
        else transformers.AutoModelForSequenceClassification
    )
    quiet.set_verbosity_error()  # that the head is new is what is wanted
    try:
        model, loading = auto.from_pretrained(
            folder, num_labels=n_outputs, local_files_only=True, use_safetensors=True,
            trust_remote_code=False, dtype=torch.float32, output_loading_info=True,
            ignore_mismatched_sizes=True,
        )  # fmt: skip
    except local_models.faults_of_files() as error:
        raise Problem(
            f"The encoder in {folder} cannot be fine-tuned: {local_models.first_line(error)}",
            "It needs config.json and safetensors of a model that transformers knows.",
        ) from error
    finally:
        quiet.set_verbosity(verbosity)
    prefix = f"{model.base_model_prefix}."
    lost = {key for key in loading["missing_keys"] if key.startswith(prefix)}
    model.drawn_at_random = {key for key in lost if ".pooler." in key}
    if missing := sorted(lost - model.drawn_at_random):
        raise Problem(
            f"The model in {folder} is no encoder: it lacks {len(missing)} of its weights, first"
            f" {missing[0]}.",
            "Choose an encoder such as BERT, MiniLM, MPNet or RoBERTa.",
        )
    return model
