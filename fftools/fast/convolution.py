"""`nn.Conv2d`, made faster on a CPU where filters are wide; on CUDA and MPS it is PyTorch's own."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from fftools.fast import fourier

# What one multiplication takes, forward and both gradients, in picoseconds of one thread: in PyTorch's
# convolution, in the products over channels of Fourier space, and in its transforms. Fitted to the 29 shapes
# of `benchmarks/convolution.py` on a Zen 4 core (AVX-512 bf16, PyTorch 2.15), which prints what each way
# takes and where these numbers choose the slower one.
COST = {torch.bfloat16: (29, 55, 56), torch.float32: (57, 115, 89)}

_path = None


def path() -> str:
    """ "fourier" where wide convolutions may go through Fourier space, "direct" where none does.

    Processors with matrix units (AMX) convolve directly: the costs above were not measured there.
    """
    return _path or ("direct" if torch.cpu.get_capabilities().get("amx_tile") else "fourier")


def take(chosen: str | None) -> None:
    """Choose this process's convolution path; None gives the choice back. Raises ValueError for no path."""
    global _path
    if chosen not in (None, "fourier", "direct"):
        raise ValueError(f'a path is "fourier", "direct" or None; got {chosen!r}')
    _path = chosen


@contextmanager
def given_back() -> Iterator[None]:
    """Gives the choice back as it was: a resumed run takes its own path, whatever machine it goes on on."""
    before = _path
    try:
        yield
    finally:
        take(before)


class Convolution(nn.Conv2d):
    """`nn.Conv2d` with square kernels and zero padding, through Fourier space where that is cheaper.

    `(N, C, H, W)` to `(N, O, H', W')`; results and state dict are those of `nn.Conv2d`, to rounding. Between
    two layers that go through Fourier space, maps lie in memory as `(H, W, N, C)`; filters that lie
    channels-last give channels-last maps.
    """

    def forward(self, x: Tensor) -> Tensor:
        if x.dim() != 4 or x.shape[1] != self.in_channels:
            return super().forward(x)  # which takes three axes, and says what is wrong with others
        low = x.device.type == "cpu" and torch.is_autocast_enabled("cpu")
        dtype = torch.get_autocast_dtype("cpu") if low else x.dtype
        if not self._through_fourier_space(x.shape, dtype):
            return self._laid_out_for_the_next(x) if self._leads_there(x.shape, dtype) else super().forward(x)
        maps = fourier.convolve(x.to(dtype), self.weight.to(dtype), self.padding[0])
        maps = maps if self.bias is None else maps + self.bias.to(dtype).view(-1, 1, 1)
        return maps.contiguous(memory_format=torch.channels_last) if self._channels_last() else maps

    def _through_fourier_space(self, shape: torch.Size, dtype: torch.dtype) -> bool:
        """Whether maps `(N, C, H, W)` do so."""
        kernel, padding = self.kernel_size[0], self.padding[0]
        plain = (
            self.weight.device.type == "cpu"
            and self.kernel_size == (kernel, kernel)
            and self.stride == self.dilation == (1, 1)
            and self.padding == (padding, padding)
            and self.groups == 1
            and self.padding_mode == "zeros"
        )
        return plain and path() == "fourier" and cheaper(shape, self.out_channels, kernel, padding, dtype)

    def _leads_there(self, shape: torch.Size, dtype: torch.dtype) -> bool:
        """Whether a layer like this one would go through Fourier space if it followed this one."""
        if self._channels_last():
            return False
        high, wide = (size + 2 * self.padding[0] - self.kernel_size[0] + 1 for size in shape[2:])
        return self._through_fourier_space(torch.Size([shape[0], self.out_channels, high, wide]), dtype)

    def _laid_out_for_the_next(self, x: Tensor) -> Tensor:
        maps = super().forward(x.clone(memory_format=torch.channels_last))  # from there the way is short
        return maps.permute(2, 3, 0, 1).contiguous().permute(2, 3, 0, 1)

    def _channels_last(self) -> bool:
        return self.weight.stride(1) == 1 != self.weight.stride(3)


def cheaper(shape: torch.Size, filters: int, kernel: int, padding: int, dtype: torch.dtype) -> bool:
    """Whether Fourier space is cheaper for maps `(N, C, H, W)` and filters `(filters, C, kernel, kernel)`."""
    samples, channels, height, width = shape
    high, wide = (size + 2 * padding - kernel + 1 for size in (height, width))
    if dtype not in COST or min(high, wide) < 1 or min(height, width) + padding < 3:
        return False
    rows, planes = 2 * (height // 2 + 1), fourier.planes(height, width, padding)
    transforms = (
        samples * channels * width * (rows * height + 2 * planes)
        + channels * filters * kernel * (rows * kernel + 2 * planes)
        + samples * filters * wide * (rows * high + 2 * planes)
    )
    products, plain = (
        planes * samples * channels * filters,
        samples * channels * filters * kernel**2 * high * wide,
    )
    direct, product, transform = COST[dtype]
    return product * products + transform * transforms < direct * plain
