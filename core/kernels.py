"""Layers of networks that the processor computes sooner than PyTorch's own have it do.

PyTorch multiplies matrices with MKL, which runs its AVX2 code on processors that Intel did not
make. oneDNN, which is part of PyTorch as well, uses all that there is: on a processor of AMD with
AVX-512 it was 2.2 times as fast at an encoder's own shapes (benchmarks/README.md). Both sum float32
products in float32. Drop-out draws a float for each value, where 16 bits do as well.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.autograd.function import once_differentiable

CPUINFO = Path("/proc/cpuinfo")


def quicken(model: nn.Module) -> None:
    """Have a model's drop-out, and where MKL is slow its linear layers, computed sooner on the CPU.

    Names, weights and what the layers do on other devices stay as they are.
    """
    for part in model.modules():
        if type(part) is nn.Dropout:
            part.__class__ = Dropout
        elif type(part) is nn.Linear and mkl_is_slow():
            part.__class__ = Linear


@lru_cache(maxsize=1)
def mkl_is_slow() -> bool:
    """Say whether MKL would leave this processor's AVX-512 unused; by its maker, not by a clock.

    A measurement could come out differently in two workers of one study, this cannot.
    """
    if not (torch.backends.mkl.is_available() and torch.backends.mkldnn.is_available()):
        return False
    if not torch.backends.cpu.get_cpu_capability().startswith("AVX512") or not has_kernel():
        return False
    try:
        about = CPUINFO.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return "AuthenticAMD" in about


def has_kernel() -> bool:
    """Say whether this PyTorch has oneDNN's product, which is what its compiler makes of layers."""
    return hasattr(torch.ops.mkldnn, "_linear_pointwise")


class Linear(nn.Linear):
    """A linear layer that oneDNN computes on the CPU in float32, and PyTorch as ever elsewhere."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Return the layer's outputs, (..., out_features), for inputs (..., in_features)."""
        is_its = input.device.type == "cpu" and input.dtype == self.weight.dtype == torch.float32
        if not is_its or torch.is_autocast_enabled("cpu") or input.ndim < 2 or not input.numel():
            return super().forward(input)
        found: torch.Tensor = _Product.apply(input, self.weight, self.bias)
        return found


class Dropout(nn.Dropout):
    """Drop-out that draws 16 bits for each value on the CPU; chances are whole 65,536ths."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Return the inputs with some of them 0 and the others larger, so that the mean stays."""
        n_dropped = round(self.p * 2**16)
        is_its = self.training and not self.inplace and input.device.type == "cpu"
        if not is_its or not 0 < n_dropped < 2**16:
            return super().forward(input)
        drawn = torch.empty((input.numel() + 3) // 4, dtype=torch.int64)
        drawn.random_(-(2**63), None)
        is_kept = drawn.view(torch.int16)[: input.numel()] >= n_dropped - 2**15
        scale = is_kept.view(input.shape).to(input.dtype).mul_(2**16 / (2**16 - n_dropped))
        return input * scale


class _Product(torch.autograd.Function):
    """Inputs times transposed weights, plus a bias, and the three gradients of that."""

    @staticmethod
    def forward(
        ctx: Any, rows: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None
    ) -> torch.Tensor:
        """Return `rows @ weight.T + bias`."""
        # Of rows that are apart in memory oneDNN knows slow ways only.
        rows = rows.contiguous()
        ctx.save_for_backward(rows, weight)
        return _times(rows, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Return the gradients of rows, weights and bias that are asked for."""
        rows, weight = ctx.saved_tensors
        gradient = gradient.contiguous()
        flat = gradient.flatten(0, -2)
        of_rows, of_weight, of_bias = ctx.needs_input_grad
        return (
            _times(gradient, weight.t()) if of_rows else None,
            _times(flat.t(), rows.flatten(0, -2).t()) if of_weight else None,
            flat.sum(dim=0) if of_bias else None,
        )


def _times(
    rows: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None
) -> torch.Tensor:
    found: torch.Tensor = torch.ops.mkldnn._linear_pointwise(rows, weight, bias, "none", [], "")
    return found
