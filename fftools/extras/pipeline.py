"""Pipelined local learning: each block works on the batch that the block below has just passed on.

A block hears nothing from above, so nobody waits: block 2 can learn from one batch while block 1 learns from
the next. What a block passes on is computed before it learns from that batch, as in `fftools.fit`: both give
the same weights.
"""

import os
import pickle
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch import multiprocessing as mp

from fftools.data.split import Split
from fftools.extras.stage import METHOD, Border, Plan, Stage, StageError, alone, check_loss
from fftools.fast.precision import precision_context, resolve_precision
from fftools.fit import check_plan, cooldown
from fftools.inputs import check_data, expect
from fftools.learner import Learner, materialise
from fftools.rules.channel_wise import ChannelWise
from fftools.rules.layerwise import Layerwise
from fftools.rules.mono_forward import MonoForward

LOCAL = MonoForward, ChannelWise, Layerwise  # each block's loss needs its own output and the labels, no more


@dataclass(frozen=True)
class Run:
    """What happened in training."""

    loss: list[list[float]]  # of each epoch: the mean of each block's loss, first block to last
    seconds: list[float]  # of each epoch, between ends of the last block's work; the first fills the pipeline


def fit(learner: Learner, train: Split, *, epochs: int, batch_size: int, lr: float, optimizer: str = "adam",
        schedule: Callable[[float, int], float] = cooldown, weight_decay: float = 0.0, seed: int = 0,
        shift: int = 0, flip: bool | str = False, precision: str = "auto",
        threads: int | None = None) -> Run:  # fmt: skip
    """Train `learner`, one of `LOCAL`, in place, all blocks at once: the weights of `fftools.fit.fit`.

    On a CPU each block gets a process of its own, which takes a few seconds to start, and `threads` threads
    in it (None shares the cores out); activations go through shared memory. On CUDA each block gets a stream.
    The other options are those of `fftools.fit.fit`; `schedule` is a function that can be pickled.

    Raises ValueError when the learner is of another kind or a block of it is frozen, and for data or numbers
    that make no sense; StageError when a stage fails.
    """
    stages = range(len(learner.blocks)) if isinstance(learner, LOCAL) else ()
    if not stages or learner.frozen() or not all(alone(learner, number).trained() for number in stages):
        given = type(learner).__name__ + " with frozen blocks" * isinstance(learner, LOCAL)
        kinds = ", ".join(kind.__name__ for kind in LOCAL)
        raise ValueError(f"only a network of {kinds}, trained as a whole, can be pipelined; got {given}")
    check_plan(epochs, batch_size, lr, optimizer, schedule, shift)
    enough = f"batch_size must be between 1 and the number of images, {len(train)}"
    expect(1 <= batch_size <= len(train), enough, batch_size=batch_size)
    expect(_pickles(schedule), "schedule must be a function of a module, which can be pickled", schedule)
    check_data(train.images, train.labels, learner.classes)
    device, threads = train.labels.device, threads or max(1, (os.cpu_count() or 1) // len(learner.blocks))
    plan = Plan(epochs, batch_size, lr, optimizer, schedule, weight_decay, seed, shift, flip,
                resolve_precision(precision, device), threads)  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        materialise(learner.to(device).eval(), train.images, train.labels)
    learner.zero_grad(set_to_none=True)  # an interrupted step leaves gradients behind
    try:
        return (_in_streams if device.type == "cuda" else _in_processes)(learner, train, plan)
    finally:
        learner.eval()


def _pickles(schedule: object) -> bool:
    try:
        return bool(pickle.dumps(schedule))
    except (AttributeError, TypeError, pickle.PicklingError):
        return False


def _in_processes(learner: Learner, train: Split, plan: Plan) -> Run:
    with torch.no_grad(), precision_context(plan.precision, train.labels.device):
        passed_on = learner.activations(train[:1].floats())[:-1]
    borders = [Border(plan.batch_size, x) for x in passed_on]
    count = len(learner.blocks)
    losses = torch.zeros(plan.epochs, count).share_memory_()
    ticks = torch.zeros(plan.epochs + 1, dtype=torch.float64).share_memory_()
    learner.train().share_memory()  # the stages write the trained weights here
    context = mp.get_context(METHOD)
    context.set_forkserver_preload([__name__, "torch._dynamo"])
    shared = learner, train, plan, borders, losses, ticks, context.Barrier(count)
    started = mp.start_processes(_work, shared, count, join=False, daemon=True, start_method=METHOD)
    try:
        while not started.join():
            pass
    except (mp.ProcessRaisedException, mp.ProcessExitedException) as error:
        raise StageError(f"block {error.error_index + 1} of {count} failed: {error}") from None
    finally:  # whatever happened, an interrupt as well: leave nobody behind
        for process in started.processes:
            process.kill()
            process.join()
    return Run(losses.tolist(), ticks.diff().tolist())


def _work(
    number: int, learner, train: Split, plan: Plan, borders, losses: Tensor, ticks: Tensor, ready
) -> None:
    """The life of a stage's process."""
    torch.set_num_threads(plan.threads)
    stage, order = Stage(learner, number, plan, train.labels.device), torch.Generator().manual_seed(plan.seed)
    steps, last = len(train) // plan.batch_size, number == len(borders)

    def pass_on(output: Tensor) -> None:
        if not last:
            borders[number].put(output, labels)

    ready.wait()  # PyTorch has been loaded everywhere: the clock may start
    ticks[0] = time.monotonic()  # one clock for all processes
    for epoch, mean in enumerate(losses[:, number], 1):
        batches = borders[number - 1].take(steps) if number else plan.batches(train, order, epoch)
        for step, (x, labels) in enumerate(batches):
            mean += stage.step(x, labels, epoch - 1 + step * plan.batch_size / len(train), pass_on)
        check_loss(mean.div_(steps).item(), number, len(learner.blocks), epoch, plan.lr)
        if last:
            ticks[epoch] = time.monotonic()


def _in_streams(learner: Learner, train: Split, plan: Plan) -> Run:
    """One process queues all; the device does as much at once as events allow. Not run on a GPU yet."""
    if train.labels.device.type == "cuda":
        learner.to(memory_format=torch.channels_last)  # as in `fit`
    device, count = train.labels.device, len(learner.blocks)
    system = torch.get_device_module(device)  # `torch.cuda`; of `torch.cpu` the same functions do nothing
    learner.train()
    stages = [(Stage(learner, number, plan, device), system.Stream()) for number in range(count)]
    steps, order = len(train) // plan.batch_size, torch.Generator().manual_seed(plan.seed)
    losses, ticks = [], [time.monotonic()]
    for epoch in range(1, plan.epochs + 1):
        total = torch.zeros(count, device=device)
        for step, (x, labels) in enumerate(plan.batches(train, order, epoch)):
            ready = system.current_stream().record_event()
            done = epoch - 1 + step * plan.batch_size / len(train)
            for number, (stage, stream) in enumerate(stages):
                with system.stream(stream):
                    stream.wait_event(ready)  # until the block below has passed this batch on
                    passed = []
                    pass_on = lambda output: passed.append((output, stream.record_event()))  # noqa: B023
                    total[number] += stage.step(x, labels, done, pass_on)
                for used in (x, labels):
                    if used.is_cuda:  # its memory is not to be given away before that stream is done
                        used.record_stream(stream)
                ((x, ready),) = passed
        system.synchronize()
        losses.append((total / steps).tolist())
        for number, loss in enumerate(losses[-1]):
            check_loss(loss, number, count, epoch, plan.lr)
        ticks.append(time.monotonic())
    return Run(losses, [after - before for before, after in zip(ticks, ticks[1:])])
