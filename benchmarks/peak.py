"""How much of what this machine can compute does fine-tuning use, by one trial or several at once?

`python benchmarks/peak.py [--rows 512] [--at-once 1 2] [--runs 3]`, on a graphics card where there
is one, else on the processor. Trains MiniLM and an encoder of bert-base's size with random weights,
on texts of some 20 words, in float32 and bfloat16, by rows (32) and by tokens (1,024), in one
process or several side by side that begin together.

The peak is the fastest product of two square matrices in that precision that any of PyTorch's
libraries manages here, by as many processes; what a step computes is counted by PyTorch, forward
and back. Trials a minute are of 2,000 rows and three epochs, as in `sweep.py`.

`--profile` prints where the time of one training of MiniLM goes instead, in float32 on one thread:
as PyTorch and transformers have it, and as Admix has it.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import sweep
import torch
from torch.utils.flop_counter import FlopCounterMode

from core import encoders, kernels
from core.students import _network
from core.students._network import Network, network_for
from core.students.base import Features, FitRequest
from core.students.finetune import Finetune
from core.tasks.base import Example

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
SIDE = {"cpu": 2_048, "cuda": 8_192}
TRIAL_ROWS = 2_000 * 3
N_CLASSES = 10
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class Way:
    """An encoder, and how it is trained."""

    encoder: str
    precision: str
    batch_tokens: int

    def student(self) -> Finetune:
        """Return the student that trains so, for one epoch."""
        return Finetune(
            encoder=self.encoder, precision=self.precision, batch_tokens=self.batch_tokens,
            epochs=1, development_share=0.0, warm_up_share=0.0,
        )  # fmt: skip


def large(folder: Path) -> Path:
    """Save an encoder of bert-base's size with random weights."""
    import transformers

    of_minilm = encoders.folder_of(encoders.Encoder())
    (folder / "tokenizer.json").write_bytes((of_minilm / "tokenizer.json").read_bytes())
    transformers.BertModel(transformers.BertConfig()).save_pretrained(folder)
    return folder


def features(student: Finetune, n: int) -> Features:
    """Return texts as the student reads them."""
    texts = [text for text, _ in sweep.texts(1, sweep.by_label("human_train.csv"), n)]
    return Features(student.read([Example(text) for text in texts]), np.arange(n + 1), "class")


def synchronise() -> None:
    """Wait for the card."""
    if DEVICE == "cuda":
        torch.cuda.synchronize()


def fastest(precision: str) -> float:
    """Return the floating-point operations a second of the best product of two matrices."""
    side = SIDE[DEVICE]
    one, other = torch.randn(2, side, side, device=DEVICE, dtype=DTYPES[precision])
    ways: list[Callable[[], Any]] = [lambda: one @ other]
    if DEVICE == "cpu" and precision == "float32" and kernels.has_kernel():
        ways.append(lambda: kernels._times(one, other))
    best = float("inf")
    with torch.inference_mode():
        for way in ways:
            for _ in range(6):
                synchronise()
                started = time.perf_counter()
                way()
                synchronise()
                best = min(best, time.perf_counter() - started)
    return 2 * side**3 / best


def operations(way: Way, n: int) -> float:
    """Return the operations of a row, forward and back, as PyTorch counts them."""
    student = way.student()
    found = features(student, n)
    plain = kernels.mkl_is_slow
    kernels.mkl_is_slow = lambda: False  # type: ignore[assignment]  # it knows its own layers alone
    network = Network(encoders.folder_of(student._encoder), "class", N_CLASSES, 0, "cpu", False)
    kernels.mkl_is_slow = plain
    with FlopCounterMode(display=False) as counter:
        order = np.argsort(-found.values.lengths, kind="stable")
        for start in range(0, n, 32):
            network.scores(found.values, order[start : start + 32]).sum().backward()
    return counter.get_total_flops() / n


def trained(way: Way, n: int, beginning: AbstractContextManager[Any], done: Any) -> None:
    """Train in a process of its own, from when all are ready; report the peak, and seconds."""
    torch.set_num_threads(1)
    student = way.student()
    found = features(student, n)
    targets = np.random.default_rng(0).integers(N_CLASSES, size=n)
    targets[:N_CLASSES] = np.arange(N_CLASSES)
    request = FitRequest("one", np.arange(n), targets, N_CLASSES, seed=0)
    few = FitRequest("few", np.arange(64), targets[:64], N_CLASSES, seed=0)
    next(iter(student.fit(found, [few])))
    with beginning:
        peak = fastest(way.precision)
    with beginning:
        started = time.perf_counter()
        next(iter(student.fit(found, [request])))
        synchronise()
        seconds = time.perf_counter() - started
    is_half = network_for(student._encoder, "class", N_CLASSES, 0, way.precision, DEVICE).is_half
    assert is_half == (way.precision == "bfloat16")
    memory = torch.cuda.max_memory_reserved() if DEVICE == "cuda" else 0
    done.put((peak, seconds, memory))


PARTS = {
    "linear layers": ("addmm", "aten::mm", "linear"),
    "drop-out": ("bernoulli", "random_", "dropout"),
    "attention": ("bmm", "softmax", "scaled_dot"),
    "GELU": ("gelu",),
    "norms": ("layer_norm",),
    "AdamW and clipping": ("adamw", "vector_norm"),
}


def profiled(n: int) -> dict[str, float]:
    """Return the seconds that each part of a training takes, beside all of them."""
    torch.set_num_threads(1)
    network_for.cache_clear()
    student = Way(encoders.EMBEDDED, "float32", 0).student()
    found = features(student, n)
    targets = np.arange(n) % N_CLASSES
    requests = [FitRequest(f"{k}", np.arange(k), targets[:k], N_CLASSES, seed=0) for k in (64, n)]
    next(iter(student.fit(found, requests[:1])))
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        started = time.perf_counter()
        next(iter(student.fit(found, requests[1:])))
        seconds = dict.fromkeys(PARTS, 0.0) | {"all": time.perf_counter() - started}
    for event in profile.key_averages():
        for part, names in PARTS.items():
            if any(name in event.key.lower() for name in names):
                seconds[part] += event.self_cpu_time_total / 1e6
                break
    return seconds


def where_time_goes(n: int, runs: int) -> None:
    """Print the profile of a training before and after, medians."""
    own = kernels.quicken, _network.only_first
    ways: dict[str, list[dict[str, float]]] = {"PyTorch's": [], "Admix's": []}
    for _ in range(runs):
        for way, some in ways.items():
            if way == "PyTorch's":
                kernels.quicken = _network.only_first = lambda *given: None
            some.append(profiled(n))
            kernels.quicken, _network.only_first = own
    print(f"seconds of {n} rows, one epoch, profiler on: PyTorch's layers, Admix's")
    for part in (*PARTS, "all"):
        before, after = (statistics.median(one[part] for one in some) for some in ways.values())
        print(f"  {part:20} {before:6.2f} {after:6.2f}")


class Together(nullcontext):  # type: ignore[type-arg]
    """Has processes begin at the same time."""

    def __init__(self, barrier: Any) -> None:
        super().__init__()
        self._barrier = barrier

    def __enter__(self) -> None:
        """Wait for the others."""
        self._barrier.wait()


def side_by_side(way: Way, n: int, at_once: int) -> tuple[float, float, int]:
    """Return the peak of so many processes, the rows a second of all, and the largest memory."""
    context = multiprocessing.get_context("spawn")
    done, barrier = context.Queue(), context.Barrier(at_once)
    processes = [
        context.Process(target=trained, args=(way, n, Together(barrier), done))
        for _ in range(at_once)
    ]
    for process in processes:
        process.start()
    found = [done.get(timeout=3_600) for _ in processes]
    for process in processes:
        process.join()
    seconds = max(one[1] for one in found)
    peak = sum(one[0] for one in found) if DEVICE == "cpu" else max(one[0] for one in found)
    return peak, n * at_once / seconds, max(one[2] for one in found)


def main() -> None:
    """Measure every way in turn, several times, and print medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=512)
    parser.add_argument("--at-once", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--profile", action="store_true")
    arguments = parser.parse_args()
    if arguments.profile:
        where_time_goes(arguments.rows, arguments.runs)
        return
    name = torch.cuda.get_device_name() if DEVICE == "cuda" else "processor"
    print(f"{name}, {arguments.rows} rows, medians of {arguments.runs} runs")
    with tempfile.TemporaryDirectory() as folder:
        large(Path(folder))
        for title, encoder in (("MiniLM", encoders.EMBEDDED), ("bert-base's size", folder)):
            count = operations(Way(encoder, "float32", 0), 128)
            print(f"{title}: {count / 1e9:.2f} GFLOP a row")
            for at_once in arguments.at_once:
                for way in (Way(encoder, p, b) for p in DTYPES for b in (0, 1_024)):
                    runs = [
                        side_by_side(way, arguments.rows, at_once) for _ in range(arguments.runs)
                    ]
                    peak, rows = (statistics.median(one[i] for one in runs) for i in (0, 1))
                    by = "tokens" if way.batch_tokens else "rows"
                    card = f", {runs[0][2] / 2**30:.1f} GiB each" if DEVICE == "cuda" else ""
                    print(
                        f"  {at_once} at once, {way.precision:8}, by {by:6}: {rows:8,.0f} rows/s,"
                        f" {60 * rows / TRIAL_ROWS:6.1f} trials a minute,"
                        f" {100 * rows * count / peak:3.0f}% of {peak / 1e9:,.0f} GFLOP/s{card}",
                        flush=True,
                    )


if __name__ == "__main__":
    main()
