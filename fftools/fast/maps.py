"""Normalisation, goodness and pooling of maps on a CPU, each in the layout in which its maps already lie."""

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def places_first(x: Tensor) -> bool:
    """Whether maps `(N, C, H, W)` lie in CPU memory as `(H, W, N, C)`, as `fourier.convolve` leaves them."""
    return (
        x.dim() == 4
        and x.device.type == "cpu"
        and x.permute(2, 3, 0, 1).is_contiguous()
        and not x.is_contiguous()
    )


class SquaresOfMaps(torch.autograd.Function):
    """Of each sample's activations `(N, C, H, W)` that lie places first, float32 `(N,)`."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return _over_places(x.permute(2, 3, 0, 1), _squares)

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return x * (2 * gradient).to(x.dtype)[:, None, None, None]


class LayerNorm(torch.autograd.Function):
    """`F.layer_norm` over channels and places; maps `(N, C, H, W)` lie places first, before and after."""

    @staticmethod
    def forward(ctx, x):
        maps = x.permute(2, 3, 0, 1)
        mean, square = _over_places(maps, lambda row: torch.stack([row.sum(2), _squares(row)])) / x[0].numel()
        scale = (square - mean.square() + 1e-5).rsqrt()
        out = maps * _each(scale, maps) - _each(mean * scale, maps)
        ctx.save_for_backward(out, scale)
        return out.permute(2, 3, 0, 1)

    @staticmethod
    def backward(ctx, gradient):
        (out, scale), maps = ctx.saved_tensors, gradient.permute(2, 3, 0, 1)
        mean = _over_places(maps, lambda row: row.sum(2)) / maps[:, :, 0].numel()
        along = _over_places(maps * out, lambda row: row.sum(2)) / maps[:, :, 0].numel()
        return ((maps - out * _each(along, maps) - _each(mean, maps)) * _each(scale, maps)).permute(
            2, 3, 0, 1
        )


def _over_places(maps: Tensor, what: Callable[[Tensor], Tensor]) -> Tensor:
    """Sum over the places of `(H, W, N, C)` of what `what` makes of a row in float32, `(…, W, N)`; `(…, N)`.

    Row by row: a float32 copy of all maps would leave the cache.
    """
    with torch.autocast("cpu", enabled=False):
        return sum(what(row.float()).sum(-2) for row in maps)


def _squares(row: Tensor) -> Tensor:
    return torch.linalg.vector_norm(row, dim=2).square()


def _each(numbers: Tensor, maps: Tensor) -> Tensor:
    """One number for each sample, as it meets maps `(H, W, N, C)`."""
    return numbers.to(maps.dtype)[:, None]


class AveragedReLU(nn.AvgPool2d):
    """ReLU, then 2×2 average pooling, whose gradient is made in one go: a CPU takes half the time for it."""

    def __init__(self):
        super().__init__(2)

    def forward(self, x: Tensor) -> Tensor:
        return _Averaged.apply(x)


class _Averaged(torch.autograd.Function):
    """Its gradient is laid out as `(N, H, W, C)` in memory, as the maps are."""

    @staticmethod
    def forward(ctx, x):
        x = x.relu()
        ctx.save_for_backward(x)
        return F.avg_pool2d(x, 2)

    @staticmethod
    def backward(ctx, gradient):
        (x,), (rows, columns) = ctx.saved_tensors, gradient.shape[2:]
        # The last column and row of a map with odd edges were not seen.
        left = (x.shape[3] - 2 * columns, x.shape[2] - 2 * rows)
        x = (
            x.permute(0, 2, 3, 1)[:, : 2 * rows, : 2 * columns]
            .unflatten(2, (columns, 2))
            .unflatten(1, (rows, 2))
        )
        each = (gradient.permute(0, 2, 3, 1).contiguous() / 4)[:, :, None, :, None]
        below = torch.ops.aten.threshold_backward(each.expand_as(x), x, 0).flatten(3, 4).flatten(1, 2)
        return (F.pad(below, (0, 0, 0, left[0], 0, left[1])) if any(left) else below).permute(0, 3, 1, 2)


def max_pooling() -> nn.Module:
    """2×2 pooling whose maps' gradient lies as `(N, H, W, C)`: a CPU pools back several times faster so."""
    pool = nn.MaxPool2d(2)
    pool.register_forward_hook(_hook_gradient)  # a named function can be pickled
    return pool


def _hook_gradient(pool: nn.Module, inputs: tuple[Tensor, ...], maps: Tensor) -> None:
    if maps.requires_grad:
        maps.register_hook(partial(torch.Tensor.contiguous, memory_format=torch.channels_last))
