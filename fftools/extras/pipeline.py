"""Pipelined Mono-Forward: each block works on the batch that the block below has just passed on.

A block hears nothing from above, so nobody waits: block 2 can learn from one batch while block 1 learns from
the next. What a block passes on is computed before it learns from that batch, as in `fftools.fit`: both give
the same weights.
"""

import os
import time
from dataclasses import dataclass

import torch
from torch import Tensor
from torch import multiprocessing as mp

from fftools.data.split import Split
from fftools.extras.stage import METHOD, Border, Plan, Stage, StageError, check_loss
from fftools.fast.precision import precision_context, resolve_precision
from fftools.inputs import check_data
from fftools.learner import materialise
from fftools.rules.mono_forward import MonoForward


@dataclass(frozen=True)
class Run:
    """What happened in training."""

    loss: list[list[float]]  # of each epoch: the mean of each block's loss, first block to last
    seconds: list[
        float
    ]  # of each epoch, from one end of the last block's work to the next; the first fills the pipeline


def fit(learner: MonoForward, train: Split, *, epochs: int, batch_size: int, lr: float, seed: int = 0,
        cooldown: bool = True, precision: str = "auto", threads: int | None = None) -> Run:  # fmt: skip
    """Train `learner` in place, all blocks at once: the weights of `fftools.fit.fit` with Adam.

    On a CPU each block gets a process of its own, which takes a few seconds to start, and `threads` threads
    in it (None shares the cores out); activations go through shared memory. On CUDA each block gets a stream.

    Raises ValueError when the learner is no Mono-Forward network or a block of it is frozen, and for data or
    numbers that make no sense; StageError when a stage fails.
    """
    if not isinstance(learner, MonoForward) or learner.given():
        frozen = " with frozen blocks" if isinstance(learner, MonoForward) else ""
        raise ValueError(
            "only a Mono-Forward network that is trained as a whole can be pipelined; "
            f"got {type(learner).__name__}{frozen}"
        )
    if epochs < 1 or not lr > 0 or not 1 <= batch_size <= len(train):
        raise ValueError(
            "epochs must be at least 1, lr positive and batch_size between 1 and the number of images, "
            f"{len(train)}; got epochs={epochs}, lr={lr}, batch_size={batch_size}"
        )
    check_data(train.images, train.labels, learner.classes)
    device, threads = train.labels.device, threads or max(1, (os.cpu_count() or 1) // len(learner.blocks))
    plan = Plan(epochs, batch_size, lr, seed, cooldown, resolve_precision(precision, device), threads)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        materialise(learner.to(device).train(), train.images, train.labels)
    run = (_in_streams if device.type == "cuda" else _in_processes)(learner, train, plan)
    learner.eval()
    return run


def _in_processes(learner: MonoForward, train: Split, plan: Plan) -> Run:
    with torch.no_grad(), precision_context(plan.precision, train.labels.device):
        passed_on = learner.activations(train[:1].floats())[:-1]
    borders = [Border((plan.batch_size, *x.shape[1:]), x.dtype) for x in passed_on]
    losses = torch.zeros(plan.epochs, len(learner.blocks)).share_memory_()
    ticks = torch.zeros(plan.epochs + 1, dtype=torch.float64).share_memory_()
    learner.share_memory()  # the stages write the trained weights here
    context = mp.get_context(METHOD)
    context.set_forkserver_preload([__name__, "torch._dynamo"])
    shared = learner, train, plan, borders, losses, ticks, context.Barrier(len(learner.blocks))
    started = mp.start_processes(
        _work, shared, len(learner.blocks), join=False, daemon=True, start_method=METHOD
    )
    try:
        while not started.join():
            pass
    except (mp.ProcessRaisedException, mp.ProcessExitedException) as error:
        raise StageError(f"block {error.error_index + 1} of {len(learner.blocks)} failed: {error}") from None
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
    ready.wait()  # PyTorch has been loaded everywhere: the clock may start
    ticks[0] = time.monotonic()  # one clock for all processes
    for epoch, mean in enumerate(losses[:, number], 1):
        stage.begin(epoch)
        for x, labels in borders[number - 1].take(steps) if number else train.batches(plan.batch_size, order):
            loss, output = stage.forward(x, labels)
            if not last:
                borders[number].put(
                    output, labels
                )  # before this stage learns: the next one need not wait for that
            mean += stage.learn(loss)
        check_loss(mean.div_(steps).item(), number, len(learner.blocks), epoch, plan.lr)
        if last:
            ticks[epoch] = time.monotonic()


def _in_streams(learner: MonoForward, train: Split, plan: Plan) -> Run:
    """One process queues all the work; the device does as much at once as the events allow.

    Not run on a GPU yet.
    """
    device = train.labels.device
    system = torch.get_device_module(
        device
    )  # `torch.cuda`; `torch.cpu` has the same functions, which do nothing
    stages = [Stage(learner, number, plan, device) for number in range(len(learner.blocks))]
    streams, order = [system.Stream() for _ in stages], torch.Generator().manual_seed(plan.seed)
    steps, losses, ticks = len(train) // plan.batch_size, [], [time.monotonic()]
    for epoch in range(1, plan.epochs + 1):
        total = torch.zeros(len(stages), device=device)
        for x, labels in train.batches(plan.batch_size, order):
            ready = system.current_stream().record_event()
            for number, (stage, stream) in enumerate(zip(stages, streams)):
                with system.stream(stream):
                    stream.wait_event(ready)  # until the block below has passed this batch on
                    stage.begin(epoch)
                    loss, output = stage.forward(x, labels)
                    ready = stream.record_event()
                    total[number] += stage.learn(loss)
                for used in (x, labels):
                    if used.is_cuda:
                        used.record_stream(
                            stream
                        )  # its memory is not to be given away before that stream is done
                x = output
        system.synchronize()
        losses.append((total / steps).tolist())
        for number, loss in enumerate(losses[-1]):
            check_loss(loss, number, len(stages), epoch, plan.lr)
        ticks.append(time.monotonic())
    return Run(losses, [after - before for before, after in zip(ticks, ticks[1:])])
