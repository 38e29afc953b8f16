"""How is a network fitted to a trial's rows? Epochs of shuffled batches, the best one kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch.nn import functional

from core.errors import Problem
from core.students._network import MOST_TOKENS, Network, by_size
from core.students._tokens import Tokens
from core.students.base import Features
from core.tasks.base import Head

BUCKET = 50
"""Batches that are sorted by length together: like lengths pad little, and order stays random."""
MOST_NORM = 1.0
"""Largest norm of a step's gradient."""
Weigh = Callable[[np.ndarray, torch.Tensor], torch.Tensor]
"""From places of rows and what the network gives their targets now, to the rows' weights."""


@dataclass(frozen=True, slots=True)
class Course:
    """How long and how fast a network learns."""

    learning_rate: float
    epochs: int
    batch_size: int
    batch_tokens: int
    warm_up_share: float
    warm_up_steps: int
    weight_decay: float
    patience: int
    best_by: Literal["loss", "accuracy"]


@dataclass(frozen=True, slots=True)
class Rows:
    """Samples with their targets and weights; with tags a sample has a target for every word."""

    samples: np.ndarray
    targets: Sequence[np.ndarray]
    weights: np.ndarray

    def of(self, places: np.ndarray) -> Rows:
        """Return some of the rows."""
        return Rows(self.samples[places], [self.targets[i] for i in places], self.weights[places])


@dataclass(frozen=True, slots=True)
class Epoch:
    """What an epoch came to; the score is an accuracy, or where there is none minus the loss."""

    loss: float
    development_loss: float | None
    development_score: float | None


@dataclass(frozen=True, slots=True)
class Fit:
    """A finished training: its epochs, the best of them counted from 1, and its steps."""

    epochs: tuple[Epoch, ...]
    best: int
    n_steps: int


@dataclass(frozen=True, slots=True)
class Said:
    """What a network says of rows: losses, the targets' probabilities, and whether it is right."""

    losses: torch.Tensor
    chances: torch.Tensor
    is_right: torch.Tensor


class Fitter:
    """A network over some features, and the head that says what its scores are."""

    def __init__(self, network: Network, features: Features, present: np.ndarray) -> None:
        self.network = network
        self._features = features
        self._tokens: Tokens = features.values
        self._head: Head = features.head
        self._present = present

    def fit(self, rows: Rows, development: Rows | None, course: Course, seed: int,
            weigh: Weigh | None = None) -> Fit:  # fmt: skip
        """Train from the pretrained weights and leave the network as it was at its best epoch.

        Raises:
            Problem: the loss is not a number any more, or there is too little memory.
        """
        self.network.begin(seed)
        read = [rows.samples, development.samples] if development else [rows.samples]
        examples = self._features.examples_of(np.concatenate(read))
        sequences = np.unique(self._tokens.sequence[examples])
        try:
            with self.network.words_of(self._tokens, sequences):
                return self._fit(rows, development, course, seed, weigh)
        except torch.OutOfMemoryError as error:
            torch.cuda.empty_cache()
            raise Problem(
                "The graphics card has too little memory for this trial.",
                "Choose a smaller batch, fewer tokens of a text, or fewer workers.",
            ) from error

    def go_on(self, rows: Rows, course: Course, seed: int) -> tuple[float, int]:
        """Go once through further rows from the weights that there are, at the full learning rate.

        Returns the mean loss and the number of steps.
        """
        network, generator = self.network, np.random.default_rng([seed, 1])
        torch.manual_seed(seed)
        sequences = np.unique(self._tokens.sequence[self._features.examples_of(rows.samples)])
        with network.words_of(self._tokens, sequences):
            optimizer = torch.optim.AdamW(self._groups(course), lr=course.learning_rate, fused=True)
            network.learning(is_on=True)
            total, n_steps = 0.0, 0
            for places in batches(self._sizes(rows.samples, course), course, generator):
                total += self._step(optimizer, rows.of(places), places, None, n_steps)
                n_steps += 1
        return total / len(rows.samples), n_steps

    def _step(self, optimizer: torch.optim.Optimizer, some: Rows, places: np.ndarray,
              weigh: Weigh | None, n_steps: int) -> float:  # fmt: skip
        """Learn from a batch and return the sum of its rows' losses."""
        optimizer.zero_grad(set_to_none=True)
        said = self._said(some)
        weights = torch.from_numpy(some.weights).to(said.losses)
        if weigh is not None:
            weights = weights * weigh(places, said.chances.detach())
        loss = (said.losses * weights).sum() / weights.sum().clamp_min(1e-12)
        if not torch.isfinite(loss):
            raise Problem(
                f"The loss is no number any more after {n_steps:,} steps.",
                "Lower the learning rate, or clean what the encoder reads.",
            )
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.learned, MOST_NORM)
        optimizer.step()
        return float(loss.detach()) * len(places)

    def _fit(self, rows: Rows, development: Rows | None, course: Course, seed: int,
             weigh: Weigh | None) -> Fit:  # fmt: skip
        network, generator = self.network, np.random.default_rng([seed, 1])
        torch.manual_seed(seed)  # of drop-out
        optimizer = torch.optim.AdamW(self._groups(course), lr=course.learning_rate, fused=True)
        sizes = self._sizes(rows.samples, course)
        n_all = _n_steps(sizes, course, seed)
        warm = max(course.warm_up_steps, round(course.warm_up_share * n_all))
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda n: rate(n, warm, n_all))
        done: list[Epoch] = []
        best: tuple[float, float] | None = None
        best_at, kept, n_steps = 0, None, 0
        for number in range(1, course.epochs + 1):
            network.learning(is_on=True)
            total = 0.0
            for places in batches(sizes, course, generator):
                total += self._step(optimizer, rows.of(places), places, weigh, n_steps)
                schedule.step()
                n_steps += 1
            done.append(self._epoch(total / max(1, len(rows.samples)), development))
            now = done[-1]
            if now.development_loss is None or now.development_score is None:
                best_at = number
                continue
            standing = (-now.development_loss, now.development_score)
            if course.best_by == "accuracy":
                standing = (now.development_score, -now.development_loss)
            if best is None or standing > best:
                best, best_at, kept = standing, number, network.snapshot()
            elif number - best_at >= course.patience:
                break
        if kept is not None and best_at < len(done):
            network.restore(kept)
        return Fit(tuple(done), best_at, n_steps)

    def predict(self, samples: np.ndarray) -> np.ndarray:
        """Return the head's scores of samples as float32, one row per sample or, of tags, word.

        They are probabilities, and with the head `number` what it says in units of its training.
        """
        network = self.network
        network.learning(is_on=False)
        examples = self._features.examples_of(samples)
        wanted = np.unique(self._tokens.sequence[examples])
        found: dict[int, np.ndarray] = {}
        lengths = self._tokens.lengths[wanted]
        with torch.inference_mode():
            for some in by_size(lengths, MOST_TOKENS[network.device]):
                scores = network.scores(self._tokens, wanted[some]).cpu().numpy()
                found |= {
                    int(sequence): one[:, self._present] if self._head == "tags" else one
                    for sequence, one in zip(wanted[some], scores, strict=True)
                }
        return self._answers(samples, examples, found)

    def chances_of(self, rows: Rows) -> np.ndarray:
        """Return the probability that the network gives the target of each row, drop-out off."""
        self.network.learning(is_on=False)
        made = np.zeros(len(rows.samples))
        with torch.inference_mode():
            for places in by_size(self._lengths(rows.samples), MOST_TOKENS[self.network.device]):
                made[places] = self._said(rows.of(places)).chances.cpu().numpy()
        return made

    def _answers(
        self, samples: np.ndarray, examples: np.ndarray, found: dict[int, np.ndarray]
    ) -> np.ndarray:
        tokens = self._tokens
        if self._head == "tags":
            at = zip(tokens.sequence[examples], tokens.place[examples], strict=True)
            nothing = np.zeros(len(self._present), dtype=np.float32)
            # A word that no token stands for is one like any other that nothing is known of.
            nothing[0] = 1e4
            rows = [found[int(s)][p] if p >= 0 else nothing for s, p in at]
            return _softmax(np.array(rows, dtype=np.float32).reshape(-1, len(self._present)))
        rows = [found[int(s)] for s in tokens.sequence[examples]]
        made = np.array(rows, dtype=np.float32).reshape(len(examples), -1)
        if self._head == "class":
            return _softmax(made[:, self._present]) if len(made) else made
        if self._head == "number":
            return made
        sizes = self._features.sizes_of(samples)
        chances = np.zeros((len(samples), len(self._present)), dtype=np.float32)
        for row, part in enumerate(np.split(made[:, 0], np.cumsum(sizes)[:-1])):
            if len(part):
                chances[row, : len(part)] = _softmax(part[None])[0]
        return chances

    def _epoch(self, loss: float, development: Rows | None) -> Epoch:
        if development is None:
            return Epoch(loss, None, None)
        self.network.learning(is_on=False)
        total = right = weight = 0.0
        with torch.inference_mode():
            lengths = self._lengths(development.samples)
            for places in by_size(lengths, MOST_TOKENS[self.network.device]):
                some = development.of(places)
                said = self._said(some)
                weights = torch.from_numpy(some.weights).to(said.losses)
                total += float((said.losses * weights).sum())
                right += float((said.is_right * weights).sum())
                weight += float(weights.sum())
        score = right / weight if self._head in ("class", "choice") else -total / weight
        return Epoch(loss, total / weight, score)

    def _said(self, rows: Rows) -> Said:
        tokens, network = self._tokens, self.network
        examples = self._features.examples_of(rows.samples)
        sequences, inverse = np.unique(tokens.sequence[examples], return_inverse=True)
        scores = network.scores(tokens, sequences)
        at = torch.from_numpy(inverse).to(scores.device)
        if self._head == "number":
            targets = torch.tensor([float(one) for one in rows.targets], dtype=scores.dtype)
            losses = (scores[at, 0] - targets.to(scores.device)) ** 2
            return Said(losses, torch.ones_like(losses), torch.zeros_like(losses))
        if self._head == "tags":
            return self._tags(rows, scores, examples, at)
        if self._head == "choice":
            logits, targets = self._options(rows, scores[at, 0])
        else:
            logits = scores[at][:, self._present]
            targets = torch.tensor([int(one) for one in rows.targets], device=scores.device)
        losses = functional.cross_entropy(logits, targets, reduction="none")
        return Said(losses, torch.exp(-losses), (logits.argmax(dim=1) == targets).float())

    def _options(self, rows: Rows, scores: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        sizes = self._features.sizes_of(rows.samples)
        logits = scores.new_full((len(sizes), int(sizes.max())), -1e4)
        inside = np.arange(logits.shape[1]) < sizes[:, None]
        logits[torch.from_numpy(inside).to(scores.device)] = scores
        return logits, torch.tensor([int(one) for one in rows.targets], device=scores.device)

    def _tags(
        self, rows: Rows, scores: torch.Tensor, examples: np.ndarray, at: torch.Tensor
    ) -> Said:
        """Add up a row's losses over its words, scaled so that rows of usual length count one."""
        place = self._tokens.place[examples]
        has_token = torch.from_numpy((place >= 0).astype(np.float32)).to(scores.device)
        logits = scores[at, torch.from_numpy(np.maximum(place, 0)).to(scores.device)]
        targets = torch.from_numpy(np.concatenate(rows.targets).astype(np.int64))
        each = functional.cross_entropy(
            logits[:, self._present], targets.to(scores.device), reduction="none"
        )
        sizes = self._features.sizes_of(rows.samples)
        row_of = torch.from_numpy(np.repeat(np.arange(len(sizes)), sizes)).to(scores.device)
        losses = scores.new_zeros(len(sizes)).index_add_(0, row_of, each * has_token)
        losses = losses * len(sizes) / has_token.sum().clamp_min(1.0)
        return Said(losses, torch.exp(-losses), torch.zeros_like(losses))

    def _groups(self, course: Course) -> list[dict[str, object]]:
        learned, undecayed = self.network.learned, self.network.undecayed
        return [
            {"params": [one for one in learned if id(one) not in undecayed],
             "weight_decay": course.weight_decay},
            {"params": [one for one in learned if id(one) in undecayed], "weight_decay": 0.0},
        ]  # fmt: skip

    def _sizes(self, samples: np.ndarray, course: Course) -> np.ndarray:
        """Return what samples are put into batches by: length, or tokens of all their sequences."""
        lengths = self._lengths(samples)
        if not course.batch_tokens:
            return lengths
        number = np.repeat(np.arange(len(samples)), self._features.sizes_of(samples))
        sequences = self._tokens.sequence[self._features.examples_of(samples)]
        pairs = np.unique(np.column_stack([number, sequences]), axis=0)
        return lengths * np.bincount(pairs[:, 0], minlength=len(samples))

    def _lengths(self, samples: np.ndarray) -> np.ndarray:
        """Return for each sample the length of the longest sequence that it is read in."""
        examples = self._features.examples_of(samples)
        lengths = self._tokens.lengths[self._tokens.sequence[examples]]
        sizes = self._features.sizes_of(samples)
        made = np.zeros(len(samples), dtype=np.int64)
        np.maximum.at(made, np.repeat(np.arange(len(samples)), sizes), lengths)
        return made


def batches(sizes: np.ndarray, course: Course, generator: np.random.Generator) -> list[np.ndarray]:
    """Return places in batches of like sizes, all of them once, in random order.

    A batch has so many rows, or as many as so many tokens hold, padding included.
    """
    n = course.batch_size
    order = generator.permutation(len(sizes))
    made = []
    for start in range(0, len(order), n * BUCKET):
        some = order[start : start + n * BUCKET]
        if course.batch_tokens:
            made += [some[places] for places in by_size(sizes[some], course.batch_tokens)]
            continue
        some = some[np.argsort(-sizes[some], kind="stable")]
        made += [some[at : at + n] for at in range(0, len(some), n)]
    return [made[i] for i in generator.permutation(len(made))]


def _n_steps(sizes: np.ndarray, course: Course, seed: int) -> int:
    """Return how many batches a training has that goes to its last epoch."""
    if not course.batch_tokens:
        return math.ceil(len(sizes) / course.batch_size) * course.epochs
    # How many tokens' worth of rows there are depends on which rows come together.
    ahead = np.random.default_rng([seed, 1])
    return sum(len(batches(sizes, course, ahead)) for _ in range(course.epochs))


def rate(step: int, warm: int, n_all: int) -> float:
    """Return the share of the learning rate at a step: up to 1, then evenly down to 0."""
    if step < warm:
        return (step + 1) / (warm + 1)
    return max(0.0, (n_all - step) / max(1, n_all - warm))


def _softmax(scores: np.ndarray) -> np.ndarray:
    raised = np.exp(scores - scores.max(axis=-1, keepdims=True))
    made: np.ndarray = raised / raised.sum(axis=-1, keepdims=True)
    return made.astype(np.float32)
