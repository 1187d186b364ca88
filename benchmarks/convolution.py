"""Convolutions on a CPU, by shape: through Fourier space, by PyTorch, and what the cost model expects.

    python benchmarks/convolution.py          (about four minutes of one core)

direct     `torch.nn.functional.conv2d`, the better of its two layouts, float32 and bf16
fourier    `fftools.fast.fourier.convolve`, on maps that lie as it wants them
taken      the way that `fftools.fast.convolution` takes; a star marks shapes where the other one was faster

Forward and both gradients, 100 maps, in milliseconds of one thread: the best of several turns, in which both
ways take turns. Then the two pooling kernels of `fftools.fast.maps` against PyTorch's, forward and backward.
"""

import time

import torch
import torch.nn.functional as F
from torch import nn

from fftools.fast import convolution, fourier
from fftools.fast.maps import AveragedReLU, max_pooling
from fftools.fast.step import keep_freed_memory

SAMPLES, TURNS = 100, 7
# Channels, filters, kernel, edge of the map, padding: the FF-CNN's layers 2 and 3, then other chapters'.
SHAPES = [
    (width, width, kernel, 28 - layer * (kernel - 1), 0)
    for kernel in (3, 5, 7)
    for width in (16, 32, 64, 128)
    for layer in (1, 2)
]
SHAPES += [
    (64, 128, 3, 14, 1),
    (128, 256, 3, 7, 1),
    (256, 512, 3, 3, 1),
    (40, 80, 5, 14, 2),
    (80, 160, 5, 7, 2),
]


def best(*ways) -> list[float]:
    """The shortest of several turns of each, in milliseconds of processor time."""
    spent = [[] for _ in ways]
    for _ in range(TURNS):
        for way, times in zip(ways, spent):
            started = time.thread_time()
            way()
            times.append(1e3 * (time.thread_time() - started))
    return [min(times) for times in spent]


def step(layer, *inputs):
    """Forward and backward, as a function without arguments."""
    told = torch.ones_like(layer(*inputs))
    return lambda: torch.autograd.grad(layer(*inputs), inputs, told)


def convolutions(dtype: torch.dtype) -> None:
    print(f"\n{str(dtype)[6:]:8}  {'filters':>14} {'map':>6} {'direct':>9} {'fourier':>9} {'gain':>6}  taken")
    for channels, filters, kernel, edge, padding in SHAPES:
        x = torch.randn(SAMPLES, channels, edge, edge).relu().to(dtype)
        weight = (torch.randn(filters, channels, kernel, kernel) / kernel).to(dtype).requires_grad_()
        plain = lambda x, weight, padding=padding: F.conv2d(x, weight, padding=padding)
        layouts = [
            x.clone().requires_grad_(),
            x.contiguous(memory_format=torch.channels_last).requires_grad_(),
            x.permute(2, 3, 0, 1).contiguous().permute(2, 3, 0, 1).requires_grad_(),
        ]
        *direct, through = best(
            *(step(plain, layout, weight) for layout in layouts[:2]),
            step(lambda x, weight, padding=padding: fourier.convolve(x, weight, padding), layouts[2], weight),
        )
        chosen = convolution.cheaper(x.shape, filters, kernel, padding, dtype)
        missed = chosen != (through < min(direct))
        print(
            f"{'':8}  {f'{channels}→{filters} {kernel}×{kernel}':>14} {f'{edge}×{edge}':>6} "
            f"{min(direct):9.1f} {through:9.1f} "
            f"{min(direct) / through:6.2f}  {'fourier' if chosen else 'direct'}{' *' * missed}",
            flush=True,
        )


def pooling() -> None:
    print(f"\n{'pooling':10} {'maps':>10} {'PyTorch':>9} {'ours':>9} {'gain':>6}")
    for edge, channels in ((28, 64), (14, 128)):
        x = (
            torch.randn(SAMPLES, channels, edge, edge)
            .bfloat16()
            .contiguous(memory_format=torch.channels_last)
            .requires_grad_()
        )
        for name, ours, theirs in (
            ("average", AveragedReLU(), nn.Sequential(nn.ReLU(), nn.AvgPool2d(2))),
            ("max", nn.Sequential(nn.ReLU(), max_pooling()), nn.Sequential(nn.ReLU(), nn.MaxPool2d(2))),
        ):
            plain = lambda x, theirs=theirs: theirs(
                x
            ).contiguous()  # whose gradient comes as a flattening read-out sends it
            mine = lambda x, ours=ours: ours(x).contiguous()
            slow, fast = best(step(plain, x), step(mine, x))
            print(f"{name:10} {f'{channels}×{edge}×{edge}':>10} {slow:9.2f} {fast:9.2f} {slow / fast:6.2f}")


def main() -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    keep_freed_memory()
    able = torch.cpu.get_capabilities()
    units = [name for name in ("amx_bf16", "avx512_bf16", "avx512") if able.get(name)]
    print(f"torch {torch.__version__}; {', '.join(units) or 'no AVX-512'}; path {convolution.path()}")
    for dtype in (torch.bfloat16, torch.float32) if units else (torch.float32,):
        convolutions(dtype)
    pooling()


if __name__ == "__main__":
    main()
