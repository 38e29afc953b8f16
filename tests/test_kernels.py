"""Layers of our own say and learn what PyTorch's do, and are used where they should be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional

from core import kernels

needs_kernel = pytest.mark.skipif(not kernels.has_kernel(), reason="PyTorch without oneDNN")


@pytest.fixture(autouse=True)
def _look_again() -> Iterator[None]:
    kernels.mkl_is_slow.cache_clear()
    yield
    kernels.mkl_is_slow.cache_clear()


def both(has_bias: bool = True, n_in: int = 24, n_out: int = 40) -> tuple[nn.Linear, nn.Linear]:
    """Return one layer twice, the second one of ours."""
    torch.manual_seed(0)
    theirs = nn.Linear(n_in, n_out, bias=has_bias)
    ours = nn.Linear(n_in, n_out, bias=has_bias)
    ours.load_state_dict(theirs.state_dict())
    ours.__class__ = kernels.Linear
    return theirs, ours


def learned(layer: nn.Linear, rows: torch.Tensor) -> list[torch.Tensor]:
    """Return what a layer makes of rows, and all gradients of an uneven sum of that."""
    own = rows.clone().requires_grad_()
    made = layer(_like(own, rows))
    torch.manual_seed(1)
    (made * torch.randn(made.shape)).sum().backward()
    assert own.grad is not None
    return [made.detach(), own.grad, *(value.grad for value in layer.parameters())]


def _like(own: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """Return values laid out in memory as others are."""
    if rows.is_contiguous():
        return own
    return own.transpose(-1, -2).contiguous().transpose(-1, -2)


SHAPES: dict[str, Callable[[], torch.Tensor]] = {
    "rows": lambda: torch.randn(7, 24),
    "one row": lambda: torch.randn(1, 24),
    "a vector": lambda: torch.randn(24),
    "sequences": lambda: torch.randn(5, 3, 24),
    "first tokens": lambda: torch.randn(5, 3, 24)[:, 0],
    "columns": lambda: torch.randn(24, 9).t(),
    "many": lambda: torch.randn(64, 31, 24),
}


@needs_kernel
@pytest.mark.parametrize("has_bias", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
def test_it_says_and_learns_the_same(shape: str, has_bias: bool) -> None:
    rows = SHAPES[shape]()
    theirs, ours = both(has_bias)
    for expected, found in zip(learned(theirs, rows), learned(ours, rows), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


@needs_kernel
@pytest.mark.filterwarnings("ignore:Input .* requires gradient and is not a double")
def test_gradients_are_those_of_what_it_computes() -> None:
    # In float32 finite differences are coarse: a wrong gradient is off by far more.
    _, ours = both(n_in=3, n_out=2)
    rows = torch.randn(4, 3, requires_grad=True)
    assert torch.autograd.gradcheck(
        kernels._Product.apply, (rows, ours.weight, ours.bias), eps=1e-2, atol=1e-2, rtol=1e-2
    )


@needs_kernel
def test_only_what_is_asked_for_gets_a_gradient() -> None:
    _, ours = both()
    ours.weight.requires_grad_(False)
    rows = torch.randn(6, 24)
    ours(rows).sum().backward()
    assert ours.weight.grad is None
    assert ours.bias.grad is not None
    with torch.inference_mode():
        assert not ours(rows).requires_grad


def test_other_numbers_go_the_usual_way(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*given: object) -> torch.Tensor:
        raise AssertionError("not for this one")

    monkeypatch.setattr(kernels, "_times", never)
    theirs, ours = both()
    assert ours(torch.randn(0, 24)).shape == (0, 40)
    rows = torch.randn(6, 24)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(ours(rows), theirs(rows))
    assert torch.equal(ours.double()(rows.double()), theirs.double()(rows.double()))


def test_names_weights_and_kinds_of_layers_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    class Own(nn.Linear):
        """A layer that somebody made for a reason."""

    monkeypatch.setattr(kernels, "mkl_is_slow", lambda: True)
    model = nn.ModuleDict({"one": nn.Linear(2, 3), "own": Own(3, 3), "norm": nn.LayerNorm(3),
                           "drop": nn.Dropout(0.2)})  # fmt: skip
    before = {name: value.clone() for name, value in model.state_dict().items()}
    kernels.quicken(model)
    kinds = [kernels.Linear, Own, nn.LayerNorm, kernels.Dropout]
    assert [type(part) for part in model.values()] == kinds
    assert before.keys() == model.state_dict().keys()
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    monkeypatch.setattr(kernels, "mkl_is_slow", lambda: False)
    left = nn.Sequential(nn.Linear(2, 3))
    kernels.quicken(left)
    assert type(left[0]) is nn.Linear


CPUS = {
    "AMD with AVX-512": ("vendor_id\t: AuthenticAMD\n", "AVX512", True),
    "AMD without": ("vendor_id\t: AuthenticAMD\n", "AVX2", False),
    "Intel": ("vendor_id\t: GenuineIntel\n", "AVX512", False),
    "none that says so": (None, "AVX512", False),
}


@needs_kernel
@pytest.mark.parametrize("cpu", CPUS)
def test_the_processor_decides(cpu: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    about, capability, expected = CPUS[cpu]
    file = tmp_path / "cpuinfo"
    if about is not None:
        file.write_text(about)
    monkeypatch.setattr(kernels, "CPUINFO", file)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    monkeypatch.setattr(torch.backends.mkl, "is_available", lambda: True)
    assert kernels.mkl_is_slow() is expected
    kernels.mkl_is_slow.cache_clear()
    monkeypatch.setattr(torch.backends.mkl, "is_available", lambda: False)
    assert not kernels.mkl_is_slow()


@needs_kernel
def test_long_products_are_as_exact_as_any() -> None:
    torch.manual_seed(2)
    rows, weight = torch.randn(50, 3_072), torch.randn(20, 3_072)
    exact = rows.double() @ weight.double().t()
    usual = (functional.linear(rows, weight).double() - exact).abs().max()
    own = (kernels._times(rows, weight).double() - exact).abs().max()
    assert own <= 4 * usual


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_drop_out_leaves_out_its_share_and_keeps_the_mean(p: float, dtype: torch.dtype) -> None:
    layer = kernels.Dropout(p)
    rows = torch.ones(333, 301, dtype=dtype, requires_grad=True)
    torch.manual_seed(3)
    made = layer(rows)
    share = float((made == 0).float().mean())
    # Six standard deviations of that many draws.
    assert abs(share - p) < 6 * (p * (1 - p) / made.numel()) ** 0.5
    kept = made[made != 0].float()
    assert torch.allclose(kept, torch.tensor(1 / (1 - p)), rtol=1e-2 if p == 0.9 else 5e-3)
    made.float().sum().backward()
    assert rows.grad is not None and torch.equal(rows.grad.float(), made.detach().float())
    # Neighbours share 64 drawn bits, and have nothing to do with one another.
    gone = (made.detach() == 0).float().flatten()
    together = torch.corrcoef(torch.stack([gone[:-1], gone[1:]]))[0, 1]
    assert abs(float(together)) < 6 / made.numel() ** 0.5


def test_drop_out_depends_on_the_seed_alone() -> None:
    layer, rows = kernels.Dropout(0.3), torch.randn(5, 7, 11)
    found = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        found.append(layer(rows))
    assert torch.equal(found[0], found[1]) and not torch.equal(found[0], found[2])


def test_drop_out_is_for_learning_and_for_chances_between() -> None:
    rows = torch.randn(4, 6)
    assert torch.equal(kernels.Dropout(0.5).eval()(rows), rows)
    assert torch.equal(kernels.Dropout(0.0)(rows), rows)
    assert not kernels.Dropout(1.0)(rows).any()
    assert torch.equal(kernels.Dropout(1e-6)(rows * 0), rows * 0)
    assert kernels.Dropout(0.5)(torch.randn(0, 3)).shape == (0, 3)
    own = rows.clone()
    assert kernels.Dropout(0.5, inplace=True)(own) is own and not own.all()
