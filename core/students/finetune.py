"""A pretrained transformer that is trained as a whole, or from one of its layers on.

AdamW (Loshchilov and Hutter, 2019, arXiv 1711.05101) with warm-up and an even way down, gradients
clipped, batches of texts of like length. The best epoch by development rows is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from core import encoders, local_models
from core.errors import Problem
from core.students._encoder import ReadsWithEncoder
from core.students._tokens import Tokens, tokens_of
from core.students.base import Features, FitRequest, Fitted, Packed, Preset
from core.tasks.base import Example, Head
from core.threads import threads_of_torch

if TYPE_CHECKING:
    from core.students._fitting import Course, Fit, Fitter, Rows, Weigh

FEWEST_DEVELOPMENT = 8
"""Development rows below which nothing is held out: they would decide by chance."""
FEWEST_HUMAN = 16
"""Human rows below which nothing can be learned of quality."""
MOST_QUALITY = 10.0
"""An LLM's row never counts more than so many others, nor less than that part of one."""
FIRST_CHUNK = 16
"""Purposes of a seed from this on are those of chunks that are learned in turn."""
N_BITS = 31
"""Seeds are drawn from so many bits."""


@dataclass(frozen=True, slots=True)
class FinetunedModel:
    """A trained network: its weights, the classes it tells apart, and the unit of numbers.

    Where nothing can be learned, because the rows hold one class, there are no weights and the
    answer is always that class. A number is `mean` plus the network's answer times `spread`.
    """

    weights: Mapping[str, np.ndarray] | None
    present: np.ndarray
    n_classes: int
    mean: float = 0.0
    spread: float = 1.0


class Finetune(ReadsWithEncoder):
    """A transformer with a new head, trained on the rows of the trial."""

    title: ClassVar[str] = "Fine-tuned transformer"
    heads: ClassVar[tuple[Head, ...]] = ("class", "choice", "number", "tags")
    fits_from_files: ClassVar[bool] = True
    learns_in_turn: ClassVar[bool] = True
    is_slow: ClassVar[bool] = True
    presets: ClassVar[Mapping[str, Preset]] = {
        "values": Preset(
            "Human values (TAAI 2024)",
            "Han et al., 2024; of the student only its encoder is known, bert-base-uncased",
            {},
        ),
        "responses": Preset(
            "Open responses (Borchers et al.)",
            "arXiv 2501.09126: bert-base-uncased, AdamW",
            {"learning_rate": 2e-5, "batch_size": 16, "max_length": 128, "epochs": 50,
             "patience": 2, "warm_up_share": 0.0},
        ),
        "data_creators": Preset(
            "Data creators (Lee et al.)",
            "arXiv 2310.20111: the learning rate is the best of 5e-6, 1e-5 and 2e-5",
            {"learning_rate": 2e-5, "batch_size": 64, "max_length": 256, "epochs": 10,
             "patience": 10, "weight_decay": 0.01, "warm_up_share": 0.0, "warm_up_steps": 100,
             "best_by": "accuracy"},
        ),
    }  # fmt: skip

    max_length: int = Field(128, ge=8, le=512, description="tokens of a text that are read")
    learning_rate: float = Field(
        1e-4, gt=0, le=0.1, description="size of a step after the warm-up; then it falls to 0"
    )
    epochs: int = Field(10, ge=1, le=1000, description="times that all rows are gone through")
    batch_size: int = Field(32, ge=1, le=1024, description="rows of a step")
    batch_tokens: int = Field(
        0,
        ge=0,
        le=1_000_000,
        description="tokens of a step, padding included, in place of rows; 0 goes by rows",
    )
    patience: int = Field(
        2, ge=1, le=1000, description="epochs without a better development score until it stops"
    )
    development_share: float = Field(
        0.1,
        ge=0,
        le=0.5,
        description="part of a trial's own rows that decides when to stop; 0 goes to the end",
    )
    development_rows: int = Field(
        0,
        ge=0,
        le=1_000_000,
        description="human rows beyond a trial's own that decide instead; they are paid for",
    )
    best_by: Literal["loss", "accuracy"] = Field(
        "loss", description="what on those rows makes an epoch the best; accuracy is for classes"
    )
    warm_up_share: float = Field(
        0.06, ge=0, le=1, description="part of all steps in which the step size grows"
    )
    warm_up_steps: int = Field(
        0, ge=0, le=100_000, description="steps of growth at least, whatever part that is"
    )
    weight_decay: float = Field(0.01, ge=0, le=1, description="pull of the weights towards 0")
    frozen_layers: int = Field(
        0, ge=0, le=100, description="lower layers that stay as they are; far faster, less able"
    )
    weighting: Literal["uniform", "synthetic", "quality"] = Field(
        "uniform",
        description="what rows of an LLM count: as much as others, a fixed part (synthetic), or by "
        "quality over diversity (DIMP-Loss)",
    )
    synthetic_weight: float = Field(
        0.5, gt=0, le=1, description="what an LLM's row counts, with the weighting synthetic"
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto",
        description="numbers it computes in; auto takes bfloat16 on graphics cards, and on"
        " processors with matrix units, where a quick measurement has it learn a fifth faster",
    )

    @property
    def n_development(self) -> int:
        """Return how many human rows beyond a trial's own decide when to stop."""
        return self.development_rows

    def read(
        self,
        examples: Sequence[Example],
        cache: Path | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> Tokens:
        """Return the tokens of the examples; nothing is cached: 10,000 texts take a second.

        Raises:
            Problem: the encoder is not there, or is not the file it should be.
        """
        del cache, progress
        folder = encoders.folder_of(self._encoder)
        most = min(self.max_length, encoders.most_tokens(folder) or self.max_length)
        return tokens_of(encoders.tokenizer(folder), examples, most)

    def fit(self, features: Features, requests: Sequence[FitRequest]) -> Iterator[Fitted]:
        """Train one model per request and yield each as it is done; `n_steps` are batches.

        A trial is trained on one thread of the processor, so that it comes to the same numbers
        however many are trained side by side.

        Raises:
            Problem: a request has no rows, or its loss is no number any more.
        """
        if self.weighting == "quality" and features.head not in ("class", "choice"):
            raise Problem(
                "Quality over diversity is defined for classes, not for numbers or marks.",
                "Choose another weighting.",
            )
        chain = _Chain()
        for request in requests:
            if not len(request.targets):
                raise Problem(f"Trial {request.key} has no rows to learn from.")
            model = _model_for(features, request)
            if features.head != "number" and len(model.present) < 2:
                yield Fitted(request.key, model, 0)
                continue
            with threads_of_torch(1):
                fitter = self._fitter(features, model)
                if request.chunk:
                    chain = self._in_turn(fitter, model, features, request, chain)
                    learned = chain.learned
                else:
                    learned = _learned(fitter, self._trained(fitter, model, features, request))
            about = {
                **learned.about,
                "precision": "bfloat16" if fitter.network.is_half else "float32",
                "threads": 1,
            }
            yield Fitted(
                request.key, replace(model, weights=learned.weights), learned.n_steps,
                device=fitter.network.device, about=about,
            )  # fmt: skip

    def predict(self, fitted: Fitted, features: Features, rows: np.ndarray) -> np.ndarray:
        """Return probabilities of shape (rows, n_classes), float32, rows summing to 1.

        Raises:
            Problem: the model was trained from another encoder.
        """
        model: FinetunedModel = fitted.model
        n = int(features.sizes_of(rows).sum()) if features.head == "tags" else len(rows)
        if model.weights is None:
            made = np.zeros((n, model.n_classes), dtype=np.float32)
            made[:, model.present] = 1
            return made
        if not n:
            return np.zeros((0, model.n_classes), dtype=np.float32)
        with threads_of_torch(1):
            fitter = self._fitter(features, model)
            fitter.network.put(model.weights)
            found = fitter.predict(rows)
        if features.head == "number":
            return (found * model.spread + model.mean).astype(np.float32)
        made = np.zeros((n, model.n_classes), dtype=np.float32)
        made[:, model.present] = found
        return made

    def pack(self, fitted: Fitted, features: Features) -> Packed:
        """Return all weights: those that were frozen, too, so that nothing else is needed."""
        del features
        model: FinetunedModel = fitted.model
        arrays = {f"weights.{name}": array for name, array in (model.weights or {}).items()}
        about = {"n_steps": fitted.n_steps, "mean": model.mean, "spread": model.spread}
        return Packed({**arrays, "present": model.present.astype(np.int64)}, about)

    def unpack(self, packed: Packed, head: Head, n_classes: int) -> Fitted:
        """Make a model again; whether its weights fit the encoder is seen when one is read."""
        del head
        present = packed.places("present", n_classes)
        weights = {
            name.removeprefix("weights."): packed.array(name, np.float32, *[None] * array.ndim)
            for name, array in packed.arrays.items()
            if name.startswith("weights.")
        }
        mean, spread = packed.about.get("mean"), packed.about.get("spread")
        if not isinstance(mean, float) or not isinstance(spread, float):
            raise Problem("It does not say in which unit its numbers are.")
        model = FinetunedModel(weights or None, present, n_classes, mean, spread)
        return Fitted("", model, packed.n_steps)

    def remarks(self, examples: Sequence[Example]) -> list[str]:
        """Return how many texts are longer than is read of them."""
        texts = {one.text for one in examples}
        n = encoders.n_over_length(self._encoder, list(texts))
        if not n or any(one.word is not None for one in examples):
            return []
        return [f"{n:,} of {len(texts):,} texts have more than {self.max_length} tokens; what comes"
                " after is not read."]  # fmt: skip

    def _fitter(self, features: Features, model: FinetunedModel) -> Fitter:
        from core.students._fitting import Fitter
        from core.students._network import network_for

        # A class that a trial lacks has an output all the same, so that one network serves all.
        n_outputs = model.n_classes if features.head in ("class", "tags") else 1
        network = network_for(
            self._encoder, features.head, n_outputs, self.frozen_layers, self.precision,
            local_models.device(),
        )  # fmt: skip
        network.keep_lower(features.values)
        return Fitter(network, features, model.present)

    def _trained(
        self, fitter: Fitter, model: FinetunedModel, features: Features, request: FitRequest
    ) -> Fit:
        from core.students._fitting import Rows

        n = len(request.rows)
        weights = np.ones(n) if request.weights is None else np.asarray(request.weights, float)
        is_synthetic = request.is_synthetic
        if is_synthetic is not None and self.weighting == "synthetic":
            weights = weights * np.where(is_synthetic, self.synthetic_weight, 1.0)
        placed = _placed(model, features, request.rows, request.targets)
        train = Rows(request.rows, placed, weights)
        held_out = _development(model, features, request)
        if held_out is None:
            places, others = self._split(train, request.seed)
            held_out = train.of(others) if len(others) else None
            train = train.of(places)
            is_synthetic = None if is_synthetic is None else is_synthetic[places]
        weigh = None
        if self.weighting == "quality":
            weigh = self._by_quality(fitter, train, is_synthetic, request.seed)
        return fitter.fit(train, held_out, self._course, _seed(request.seed, 0), weigh)

    def _in_turn(
        self, fitter: Fitter, model: FinetunedModel, features: Features, request: FitRequest,
        before: _Chain,
    ) -> _Chain:  # fmt: skip
        """Learn the human rows, then the others a chunk at a time, and say how far that came.

        It goes on from where a former request came to, if that is the way to this one: a chunk's
        steps depend on the weights before it, on its rows and on their place alone.
        """
        from core.students._fitting import Rows

        is_synthetic = request.is_synthetic
        if is_synthetic is None or is_synthetic.all() or self.weighting == "quality":
            raise Problem(
                "Learning in turn needs human rows to begin with, which all count alike.",
                "Hold some human rows, and weigh rows uniformly.",
            )
        own, others = np.flatnonzero(~is_synthetic), np.flatnonzero(is_synthetic)
        start = (request.seed, request.chunk, tuple(request.rows[own]), tuple(model.present))
        chunks = [
            tuple(request.rows[others[at : at + request.chunk]])
            for at in range(0, len(others), request.chunk)
        ]
        if before.leads_to(start, chunks):
            fitter.network.put(before.learned.weights)
            learned, n_done = before.learned, len(before.chunks)
        else:
            alone = _only(features, request, own)
            learned, n_done = _learned(fitter, self._trained(fitter, model, features, alone)), 0
        weight = self.synthetic_weight if self.weighting == "synthetic" else 1.0
        placed = _placed(model, features, request.rows, request.targets)
        rows = Rows(request.rows, placed, np.full(len(placed), weight))
        losses, n_steps = list(learned.about.get("chunks", ())), learned.n_steps
        for number in range(n_done, len(chunks)):
            some = others[number * request.chunk : (number + 1) * request.chunk]
            seed = _seed(request.seed, FIRST_CHUNK + number)
            loss, n = fitter.go_on(rows.of(some), self._course, seed)
            losses.append(loss)
            n_steps += n
        about = {**learned.about, "chunks": losses}
        return _Chain(start, chunks, _Learned(fitter.network.weights(), n_steps, about))

    @property
    def _course(self) -> Course:
        from core.students._fitting import Course

        return Course(
            self.learning_rate, self.epochs, self.batch_size, self.batch_tokens,
            self.warm_up_share, self.warm_up_steps, self.weight_decay, self.patience, self.best_by,
        )  # fmt: skip

    def _split(self, rows: Rows, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the places of rows to train on and, where they are enough, to develop on."""
        n = len(rows.samples)
        n_held_out = round(self.development_share * n)
        if n_held_out < FEWEST_DEVELOPMENT:
            return np.arange(n), np.arange(0)
        order = np.random.default_rng([seed, 2]).permutation(n)
        return np.sort(order[n_held_out:]), np.sort(order[:n_held_out])

    def _by_quality(
        self, fitter: Fitter, rows: Rows, is_synthetic: np.ndarray | None, seed: int
    ) -> Weigh | None:
        """Return what weighs the rows of an LLM by quality over diversity, human rows by 1.

        Quality is the probability that a network trained on the human rows alone gives the label,
        diversity what the network in training gives it now (Kuo et al., 2024, arXiv 2410.21526,
        DIMP-Loss). Without enough human rows nothing tells quality, and all count alike.
        """
        if is_synthetic is None or not is_synthetic.any():
            return None
        human = np.flatnonzero(~is_synthetic)
        if len(human) < FEWEST_HUMAN:
            return None
        own = rows.of(human)
        train, held_out = self._split(own, seed)
        fitter.fit(
            own.of(train), own.of(held_out) if len(held_out) else None, self._course,
            _seed(seed, 3),
        )  # fmt: skip
        quality = fitter.chances_of(rows)

        def weigh(places: np.ndarray, now: Any) -> Any:
            import torch

            found = torch.from_numpy(quality[places]).to(now) / now.clamp_min(1e-9)
            found = found.clamp(1 / MOST_QUALITY, MOST_QUALITY)
            return torch.where(torch.from_numpy(is_synthetic[places]).to(now.device), found, 1.0)

        return weigh


@dataclass(frozen=True)
class _Learned:
    """What a training came to: its weights, its steps, and what is to be said of it."""

    weights: Mapping[str, np.ndarray]
    n_steps: int
    about: Mapping[str, Any]


@dataclass(frozen=True)
class _Chain:
    """How far learning in turn has come: from which human rows, through which chunks, to what."""

    start: tuple[Any, ...] = ()
    chunks: Sequence[tuple[int, ...]] = ()
    learned: _Learned = field(default_factory=lambda: _Learned({}, 0, {}))

    def leads_to(self, start: tuple[Any, ...], chunks: Sequence[tuple[int, ...]]) -> bool:
        """Say whether others begin with these rows and chunks."""
        return self.start == start and list(self.chunks) == list(chunks[: len(self.chunks)])


def _learned(fitter: Fitter, fit: Fit) -> _Learned:
    epochs = [[one.loss, one.development_loss, one.development_score] for one in fit.epochs]
    return _Learned(
        fitter.network.weights(), fit.n_steps, {"epochs": epochs, "best_epoch": fit.best}
    )


def _only(features: Features, request: FitRequest, places: np.ndarray) -> FitRequest:
    """Return a request for some of its rows."""
    targets = request.targets
    if features.head == "tags":
        parts = np.split(targets, np.cumsum(features.sizes_of(request.rows))[:-1])
        chosen = np.concatenate([parts[place] for place in places])
    else:
        chosen = targets[places]
    weights, is_synthetic = (
        None if values is None else values[places]
        for values in (request.weights, request.is_synthetic)
    )
    return replace(request, rows=request.rows[places], targets=chosen, weights=weights,
                   is_synthetic=is_synthetic)  # fmt: skip


def _model_for(features: Features, request: FitRequest) -> FinetunedModel:
    """Return a model of a request's classes, or of the unit of its numbers, without weights yet."""
    if features.head == "number":
        if request.chunk and request.is_synthetic is not None and not request.is_synthetic.all():
            # The unit of those that are learned first: later ones do not change what came before.
            request = _only(features, request, np.flatnonzero(~request.is_synthetic))
        values, weights = request.targets.astype(np.float64), request.weights
        mean = float(np.average(values, weights=weights))
        spread = float(np.sqrt(np.average((values - mean) ** 2, weights=weights)))
        return FinetunedModel(None, np.zeros(1, dtype=np.int64), 1, mean, spread or 1.0)
    if features.head == "choice":
        return FinetunedModel(None, np.arange(request.n_classes), request.n_classes)
    return FinetunedModel(None, np.unique(request.targets), request.n_classes)


def _placed(
    model: FinetunedModel, features: Features, rows: np.ndarray, targets: np.ndarray
) -> list[Any]:
    """Return every sample's target as the network knows it, -1 for a class that it lacks."""
    if features.head == "number":
        return list((targets - model.mean) / model.spread)
    place = np.full(max(model.n_classes, 1), -1)
    place[model.present] = np.arange(len(model.present))
    if features.head != "tags":
        return list(place[targets])
    return np.split(place[targets], np.cumsum(features.sizes_of(rows))[:-1])


def _development(model: FinetunedModel, features: Features, request: FitRequest) -> Rows | None:
    """Return the further samples to develop on, but for those of a class that a trial lacks."""
    from core.students._fitting import Rows

    if request.development is None or request.development_targets is None:
        return None
    if not len(request.development):
        return None
    placed = _placed(model, features, request.development, request.development_targets)
    rows = Rows(request.development, placed, np.ones(len(placed)))
    is_known = [features.head == "number" or bool(np.all(one >= 0)) for one in placed]
    return rows.of(np.flatnonzero(is_known)) if any(is_known) else None


def _seed(seed: int, purpose: int) -> int:
    """Return a seed of its own for each purpose of a trial's seed."""
    return int(np.random.default_rng([seed, purpose]).integers(2**N_BITS))
