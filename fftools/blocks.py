"""Stacks of layers that any learning rule can train, and the normalisations that go between them."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn


def mlp(widths: Sequence[int], bias: bool = True) -> nn.ModuleList:
    """Fully connected ReLU blocks: `mlp([784, 500, 500])` has two, with 500 neurons each.

    A block maps `(N, *)`, flattened to `(N, widths[i])`, to `(N, widths[i + 1])`.
    Raises ValueError when fewer than two widths are given or one is not positive.
    """
    if len(widths) < 2 or min(widths) < 1:
        raise ValueError(f"widths needs at least two positive numbers (inputs, neurons, …); got {list(widths)}")
    return nn.ModuleList(
        nn.Sequential(nn.Flatten(), nn.Linear(inputs, outputs, bias=bias), nn.ReLU())
        for inputs, outputs in zip(widths, widths[1:])
    )


def unit_length(x: Tensor, eps: float = 1e-4) -> Tensor:
    """Each sample divided by its Euclidean length: only the direction stays (the article's `Layer.forward`)."""
    return x / (x.flatten(1).norm(dim=1).view(-1, *[1] * (x.dim() - 1)) + eps)


def rms_norm(x: Tensor, eps: float = 1e-8) -> Tensor:
    """Each sample divided by its root mean square (Hinton 2022 and Loewe: no mean is subtracted)."""
    return x / (x.flatten(1).pow(2).mean(1).sqrt().view(-1, *[1] * (x.dim() - 1)) + eps)


def layer_norm(x: Tensor) -> Tensor:
    """Each sample shifted to mean 0 and scaled to variance 1 (Ba et al. 2016, without gain and bias)."""
    return F.layer_norm(x, x.shape[1:])


NORMS = {"length": unit_length, "rms": rms_norm, "layer": layer_norm, "none": lambda x: x}
