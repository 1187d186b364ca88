"""Stacks of layers that any learning rule can train, and the normalisations that go between them."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fftools.fast.convolution import Convolution
from fftools.fast.maps import AveragedReLU, LayerNorm, max_pooling, places_first
from fftools.inputs import expect

POOLS = {None: (nn.ReLU,), "max": (nn.ReLU, max_pooling), "average": (AveragedReLU,)}


def mlp(widths: Sequence[int], bias: bool = True) -> nn.ModuleList:
    """Fully connected ReLU blocks: `mlp([784, 500, 500])` has two, with 500 neurons each.

    A block maps `(N, *)`, flattened to `(N, widths[i])`, to `(N, widths[i + 1])`. Raises ValueError when
    fewer than two widths are given or one is not positive.
    """
    fits = len(widths) > 1 and min(widths) > 0
    expect(fits, "widths needs at least two positive numbers (inputs, neurons, …)", list(widths))
    return nn.ModuleList(
        nn.Sequential(nn.Flatten(), nn.Linear(inputs, outputs, bias=bias), nn.ReLU())
        for inputs, outputs in zip(widths, widths[1:])
    )


def averaged(widths: Sequence[int], bias: bool = True) -> nn.ModuleList:
    """For texts: `averaged([5001, 64, 64])` takes the mean over word vectors and goes on as `mlp([64, 64])`.

    The first block maps token ids `(N, length)` below `widths[0]`, padded with 0 (no word), to
    `(N, widths[1])`. Under a linear classifier it is fastText (Joulin et al. 2017). Errors as `mlp`'s.
    """
    above = mlp(widths, bias)[1:]
    return nn.ModuleList([nn.EmbeddingBag(*widths[:2], mode="mean", padding_idx=0), *above])


def cnn(channels: int, widths: Sequence[int], kernel: int, padding: str = "valid",
        pool: str | None | Sequence[str | None] = None, stride: int = 1) -> nn.ModuleList:  # fmt: skip
    """Convolutional ReLU blocks: `cnn(1, [128] * 3, kernel=7)` is the FF-CNN of the paper (Section 3.1).

    A block maps `(N, C, H, W)` to `(N, width, H', W')`: without padding ("valid") H' = H − kernel + 1, with
    "same" H' = H. With a `stride` only each `stride`-th of these rows and columns is computed. `pool`, "max"
    or "average", then halves the map (2×2); a list says it for each block. Raises ValueError when a width or
    the stride is not positive, the kernel is even or an option is unknown.
    """
    fits = min(channels, stride, kernel, *widths) > 0 and len(widths) > 0 and kernel % 2 == 1
    wanted = "need positive channels, widths and stride and an odd kernel"
    expect(fits, wanted, channels, list(widths), kernel, stride)
    pools = [pool] * len(widths) if pool is None or isinstance(pool, str) else list(pool)
    fits = padding in ("valid", "same") and {*pools} <= {*POOLS} and len(pools) == len(widths)
    wanted = f"pool one of {list(POOLS)}, or a list of one for each of the {len(widths)} blocks"
    expect(fits, f'padding must be "valid" or "same" and {wanted}', padding, pool)
    around = kernel // 2 if padding == "same" else 0
    blocks = nn.ModuleList(
        nn.Sequential(Convolution(inputs, outputs, kernel, stride, around), *(make() for make in POOLS[each]))
        for inputs, outputs, each in zip([channels, *widths], widths, pools)
    )
    # Without pooling a CPU is slower channels last.
    return blocks.to(memory_format=torch.channels_last) if any(pools) else blocks


class Standardise(nn.Module):
    """Images `(N, C, H, W)` minus `mean`, divided by `std`: a fixed number of each for every channel."""

    def __init__(self, mean: Sequence[float], std: Sequence[float]):
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(-1, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(-1, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        return (images - self.mean) / self.std


def unit_length(x: Tensor, eps: float = 1e-4) -> Tensor:
    """Each sample divided by its Euclidean length: only the direction stays (the article)."""
    return x / (x.flatten(1).norm(dim=1).view(-1, *[1] * (x.dim() - 1)) + eps)


def rms_norm(x: Tensor, eps: float = 1e-8) -> Tensor:
    """Each sample divided by its root mean square (Hinton 2022 and Loewe: no mean is subtracted)."""
    return x / (x.flatten(1).pow(2).mean(1).sqrt().view(-1, *[1] * (x.dim() - 1)) + eps)


def layer_norm(x: Tensor) -> Tensor:
    """Each sample shifted to mean 0 and scaled to variance 1 (Ba et al. 2016, without gain and bias)."""
    return LayerNorm.apply(x) if places_first(x) else F.layer_norm(x, x.shape[1:])


def no_norm(x: Tensor) -> Tensor:
    """`x` itself: the next block can read the goodness off."""
    return x
