"""The last layer of a transformer whose head reads the first token alone.

All that the layer makes of the other tokens is read by nothing: only their keys and values are. In
a transformer of six layers that is a seventh of the work of a training.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn import functional

KINDS = ("bert", "roberta", "xlm-roberta", "camembert", "electra")
"""Kinds of model with BERT's layers, whose head for whole texts reads the first token."""


def only_first(model: Any, layer: nn.Module) -> None:
    """Have a model's last layer return the first token's state alone, (n, 1, d).

    A model of another kind, or one that does not attend as PyTorch does, stays as it is.
    """
    config = model.config
    if config.model_type in KINDS and config._attn_implementation == "sdpa":
        layer.forward = partial(_first, layer)


def _first(
    layer: Any, states: torch.Tensor, mask: torch.Tensor | None = None, *given: Any, **named: Any
) -> torch.Tensor:
    """Return what a layer of BERT's makes of the first token: (n, 1, d) of (n, t, d)."""
    del given, named  # what a decoder would be told
    own = layer.attention.self
    first = states[:, :1]
    found = functional.scaled_dot_product_attention(
        _by_head(own, own.query(first)), _by_head(own, own.key(states)),
        _by_head(own, own.value(states)),
        # Asked from the first place; masks have a row for each place that asks, or one for all.
        attn_mask=None if mask is None else mask[..., :1, :],
        dropout_p=own.dropout.p if own.training else 0.0, scale=own.scaling,
    )  # fmt: skip
    joined = found.transpose(1, 2).flatten(2)
    made: torch.Tensor = layer.feed_forward_chunk(layer.attention.output(joined, first))
    return made


def _by_head(attention: Any, states: torch.Tensor) -> torch.Tensor:
    """Return states (n, t, d) as (n, heads, t, d / heads)."""
    return states.unflatten(-1, (-1, attention.attention_head_size)).transpose(1, 2)
