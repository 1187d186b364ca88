"""Convolution and pooling, the same functions as PyTorch's, made faster on a CPU."""

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SMALL = 8 * 8 * 3 * 3  # places of a map times places of a filter, up to which `Convolution` multiplies matrices


class Convolution(nn.Conv2d):
    """PyTorch's convolution. In bf16 on a CPU, small maps go through matrix products.

    oneDNN takes several times as long there, above all for the gradient of the weights (seen with PyTorch 2.15).
    """

    def forward(self, x: Tensor) -> Tensor:
        (kernel, _), (stride, _) = self.kernel_size, self.stride
        small = x[0, 0].numel() // stride**2 * kernel**2 <= SMALL
        if not (small and x.device.type == "cpu" and torch.is_autocast_enabled("cpu")):
            return super().forward(x)
        x, weight, bias = (each.to(torch.get_autocast_dtype("cpu")) for each in (x, self.weight, self.bias))
        return _Product.apply(x, weight, self.stride, self.padding) + bias.view(-1, 1, 1)


class _Product(torch.autograd.Function):
    """A convolution as one matrix product, and the gradient of its weights as another."""

    @staticmethod
    def forward(ctx, x, weight, stride, padding):
        seen = _windows(x, weight.shape[2], stride, padding)
        ctx.save_for_backward(seen, weight)
        ctx.options = x.shape, stride, padding
        return (seen @ weight.permute(0, 2, 3, 1).flatten(1).T).permute(0, 3, 1, 2)

    @staticmethod
    def backward(ctx, gradient):
        (seen, weight), (shape, *options) = ctx.saved_tensors, ctx.options
        filters, channels, kernel, _ = weight.shape
        product = gradient.permute(0, 2, 3, 1).flatten(0, 2).T @ seen.flatten(0, 2)
        below = torch.nn.grad.conv2d_input(shape, weight, gradient, *options) if ctx.needs_input_grad[0] else None
        return below, product.view(filters, kernel, kernel, channels).permute(0, 3, 1, 2), None, None


def _windows(x: Tensor, kernel: int, stride: tuple[int, int], padding: tuple[int, int]) -> Tensor:
    """What a filter sees at each place: `(N, H', W', kernel² · C)`."""
    rows, columns = padding
    x = F.pad(x.permute(0, 2, 3, 1), (0, 0, columns, columns, rows, rows))
    return x.unfold(1, kernel, stride[0]).unfold(2, kernel, stride[1]).permute(0, 1, 2, 4, 5, 3).flatten(3)


class AveragedReLU(nn.AvgPool2d):
    """ReLU, then average pooling over 2×2 places, whose gradient is made in one go: a CPU takes half the time for it."""

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
        left = x.shape[3] - 2 * columns, x.shape[2] - 2 * rows  # the last column and row of a map with odd edges: not seen
        x = x.permute(0, 2, 3, 1)[:, :2 * rows, :2 * columns].unflatten(2, (columns, 2)).unflatten(1, (rows, 2))
        each = (gradient.permute(0, 2, 3, 1).contiguous() / 4)[:, :, None, :, None]
        below = torch.ops.aten.threshold_backward(each.expand_as(x), x, 0).flatten(3, 4).flatten(1, 2)
        return (F.pad(below, (0, 0, 0, left[0], 0, left[1])) if any(left) else below).permute(0, 3, 1, 2)


def _max_pooling() -> nn.Module:
    """2×2 pooling that lays its maps' gradient out as `(N, H, W, C)` in memory: a CPU pools back several times faster so."""
    pool = nn.MaxPool2d(2)
    pool.register_forward_hook(_hook_gradient)  # a named function can be pickled
    return pool


def _hook_gradient(pool: nn.Module, inputs: tuple[Tensor, ...], maps: Tensor) -> None:
    if maps.requires_grad:
        maps.register_hook(partial(torch.Tensor.contiguous, memory_format=torch.channels_last))
