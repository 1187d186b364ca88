"""What learning costs: memory, time, operations and parameters, measured alike for every learner."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from fftools.fast.precision import resolve_precision
from fftools.fast.step import keep_freed_memory, make_optimizer
from fftools.fit import training_step
from fftools.inputs import expect
from fftools.learner import Learner, materialise

os.environ.setdefault("KINETO_LOG_LEVEL", "6")  # else PyTorch's profiler reports on stderr
WARM_UP = 3  # runs before anything is measured: libraries set themselves up, the optimizer makes its state
Work = Callable[[], object]


@dataclass(frozen=True)
class Costs:
    """What one training step costs. Bytes are those that PyTorch's allocator hands out, not process size."""

    parameters: int
    flops: int  # multiplications and additions of matrix products and convolutions, forward and backward
    seconds: tuple[float, ...]  # of each timed step
    resting: int  # bytes between steps: parameters and the optimizer's state
    running: tuple[int, ...]  # bytes in use after each allocation and release, resting ones included

    @property
    def peak(self) -> int:
        """The most bytes in use at any time."""
        return max(self.running)


def training(learner: Learner, images: Tensor, labels: Tensor, *, lr: float = 1e-3, optimizer: str = "adam",
             precision: str = "auto", repeats: int = 10) -> Costs:  # fmt: skip
    """The costs of `fit`'s step, eager, on one batch: float images `(N, C, H, W)` and labels int64 `(N,)`.

    The learner is trained by it. Raises ValueError for `repeats` below 1.
    """
    device = images.device
    materialise(learner.to(device).train(), images, labels)
    tuned = make_optimizer(optimizer, learner.trained(), lr, device)
    one = lambda: training_step(learner, tuned, resolve_precision(precision, device), images, labels)
    seconds = timed(one, device, repeats)
    state = [x for kept in tuned.state.values() for x in kept.values() if isinstance(x, Tensor)]
    resting = sum(x.nbytes for x in [*learner.parameters(), *learner.buffers(), *state])
    running = tuple(resting + used for used in memory(one, device))
    return Costs(sum(x.numel() for x in learner.trained()), operations(one), seconds, resting, running)


def parameters(*modules: nn.Module) -> int:
    """How many numbers these modules hold that training may change."""
    return sum(p.numel() for module in modules for p in module.parameters() if p.requires_grad)


def operations(work: Work) -> int:
    """Floating-point operations of `work()`, as PyTorch counts them."""
    with FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops()


def timed(work: Work, device: torch.device, repeats: int = 10, warm_up: int = WARM_UP) -> tuple[float, ...]:
    """Seconds of each of `repeats` calls of `work`, after `warm_up` others; each waits for the device.

    Raises ValueError for `repeats` below 1.
    """
    expect(repeats >= 1, "repeats must be at least 1", repeats)
    keep_freed_memory()  # as in `fit`
    found = []
    for _ in range(warm_up + repeats):
        started = time.perf_counter()
        work()
        wait(device)
        found.append(time.perf_counter() - started)
    return tuple(found[warm_up:])


def memory(work: Work, device: torch.device) -> list[int]:
    """Bytes in use during `work()`, above those at its start, after each allocation and release."""
    cuda, used, found = device.type == "cuda", 0, [0]
    kind = DeviceType.CUDA if cuda else DeviceType.CPU
    with profile(
        activities=[ProfilerActivity.CPU, *[ProfilerActivity.CUDA] * cuda], profile_memory=True
    ) as seen:
        work()
        wait(device)
    events = [event for event in seen.profiler.kineto_results.events() if event.name() == "[memory]"]
    for event in sorted(events, key=lambda event: event.start_ns()):
        if event.device_type() == kind:
            used += event.nbytes()
            found.append(used)
    return found


def wait(device: torch.device) -> None:
    """Return when all work that was queued on a GPU is done; at once on a CPU."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
