"""Pipelined Mono-Forward: each block is a stage of its own, at work on the batch that the block below has just passed on.

A block hears nothing from above, so nobody has to wait: block 2 can learn from one batch while block 1 learns from the next.
What a block passes on is computed before it learns from that batch, here as in `fftools.fit`. So both give the same weights.
"""

import math
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch import multiprocessing as mp

from fftools.data.split import Split
from fftools.fast.precision import precision_context, resolve_precision
from fftools.fast.step import make_optimizer, set_lr
from fftools.fit import TrainingError, cooldown_factor
from fftools.rules.mono_forward import MonoForward

SLOTS = 2  # batches that may wait between two stages: one is read while the next is written
# With the first, one process loads PyTorch, and the stages' are copies of it.
METHOD = "forkserver" if "forkserver" in mp.get_all_start_methods() else "spawn"


class StageError(RuntimeError):
    """A stage of the pipeline failed; all the others have been stopped."""


@dataclass(frozen=True)
class Plan:
    """What every stage needs to know of the training; `fit` explains the names."""

    epochs: int
    batch_size: int
    lr: float
    seed: int
    cooldown: bool
    precision: str
    threads: int


@dataclass(frozen=True)
class Run:
    """What happened in training."""

    loss: list[list[float]]  # of each epoch: the mean of each block's loss, first block to last
    seconds: list[float]  # of each epoch, from one end of the last block's work to the next; the first one fills the pipeline


def fit(learner: MonoForward, train: Split, *, epochs: int, batch_size: int, lr: float, seed: int = 0, cooldown: bool = True,
        precision: str = "auto", threads: int | None = None) -> Run:
    """Train `learner` in place, all blocks at once: the batches and weights of `fftools.fit.fit` with Adam on unmoved images.

    On a CPU each block gets a process of its own, which takes a few seconds to start, and `threads` threads in it (None
    shares the cores out); activations go through shared memory. On CUDA each block gets a stream.

    Raises ValueError when the learner is no Mono-Forward network or a block of it is frozen, StageError when a stage fails.
    """
    if not isinstance(learner, MonoForward) or not all(p.requires_grad for p in learner.parameters()):
        raise ValueError("only a Mono-Forward network that is trained as a whole can be pipelined; got "
                         f"{type(learner).__name__}{' with frozen blocks' * isinstance(learner, MonoForward)}")
    if epochs < 1 or not lr > 0 or not 1 <= batch_size <= len(train):
        raise ValueError(f"epochs must be at least 1, lr positive and batch_size between 1 and the number of images, "
                         f"{len(train)}; got epochs={epochs}, lr={lr}, batch_size={batch_size}")
    device = train.labels.device
    threads = threads or max(1, (os.cpu_count() or 1) // len(learner.blocks))
    plan = Plan(epochs, batch_size, lr, seed, cooldown, resolve_precision(precision, device), threads)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        learner.to(device).train().scores(train[:2].floats())  # the matrices learn their size
    run = (_in_streams if device.type == "cuda" else _in_processes)(learner, train, plan)
    learner.eval()
    return run


class Stage:
    """One block with its matrix and an optimizer of its own. Adam treats each number by itself: nothing changes by that."""

    def __init__(self, learner: MonoForward, number: int, plan: Plan, device: torch.device):
        self.block, self.projection, self.read = learner.blocks[number], learner.projections[number], learner.read
        self.plan, self.device = plan, device
        self.tuned = make_optimizer("adam", nn.ModuleList([self.block, self.projection]), plan.lr, device)

    def begin(self, epoch: int) -> None:
        set_lr(self.tuned, self.plan.lr * (cooldown_factor(epoch, self.plan.epochs) if self.plan.cooldown else 1))

    def forward(self, x: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """The loss, and what the next stage gets."""
        with precision_context(self.plan.precision, self.device):
            output = self.block(x)
            return F.cross_entropy(self.projection(self.read(output)), labels), output.detach()

    def learn(self, loss: Tensor) -> Tensor:
        loss.backward()
        self.tuned.step()
        self.tuned.zero_grad(set_to_none=True)
        return loss.detach().float()


class Border:
    """A ring of slots in shared memory: one stage lays batches down in them, the next takes them up."""

    def __init__(self, shape: tuple[int, ...], dtype: torch.dtype):
        context = mp.get_context(METHOD)
        self.slots = [tuple(tensor.share_memory_() for tensor in
                            (torch.empty(shape, dtype=dtype), torch.empty(shape[0], dtype=torch.int64))) for _ in range(SLOTS)]
        self.free, self.full, self.laid = context.Semaphore(SLOTS), context.Semaphore(0), 0

    def put(self, x: Tensor, labels: Tensor) -> None:
        """Wait for a free slot and fill it."""
        self.free.acquire()
        for kept, new in zip(self.slots[self.laid % SLOTS], (x, labels)):
            kept.copy_(new)
        self.laid += 1
        self.full.release()

    def take(self, count: int) -> Iterator[tuple[Tensor, Tensor]]:
        """So many batches `(x, labels)`, each one's slot held until the next is asked for."""
        for _ in range(count):
            self.full.acquire()
            yield self.slots[self.laid % SLOTS]
            self.laid += 1
            self.free.release()


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
    started = mp.start_processes(_work, shared, len(learner.blocks), join=False, daemon=True, start_method=METHOD)
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


def _work(number: int, learner: MonoForward, train: Split, plan: Plan, borders: list[Border], losses: Tensor, ticks: Tensor,
          ready) -> None:
    """The life of a stage's process."""
    torch.set_num_threads(plan.threads)
    stage, order = Stage(learner, number, plan, train.labels.device), torch.Generator().manual_seed(plan.seed)
    steps, last = len(train) // plan.batch_size, number == len(borders)
    ready.wait()  # PyTorch has been loaded everywhere: the clock may start
    if last:
        ticks[0] = time.monotonic()  # one clock for all processes
    for epoch in range(plan.epochs):
        stage.begin(epoch)
        for x, labels in borders[number - 1].take(steps) if number else train.batches(plan.batch_size, order):
            loss, output = stage.forward(x, labels)
            if not last:
                borders[number].put(output, labels)  # before this stage learns: the next one need not wait for that
            losses[epoch, number] += stage.learn(loss)
        losses[epoch, number] /= steps
        if not losses[epoch, number].isfinite():
            raise TrainingError(f"its loss is {losses[epoch, number]} in epoch {epoch + 1}; lr={plan.lr} is probably too high")
        if last:
            ticks[epoch + 1] = time.monotonic()


def _in_streams(learner: MonoForward, train: Split, plan: Plan) -> Run:
    """One process queues all the work; the device does as much at once as the events allow. Not run on a GPU yet."""
    device = train.labels.device
    system = torch.get_device_module(device)  # `torch.cuda`; `torch.cpu` has the same functions, which do nothing
    stages = [Stage(learner, number, plan, device) for number in range(len(learner.blocks))]
    streams, order, losses, ticks = [system.Stream() for _ in stages], torch.Generator().manual_seed(plan.seed), [], []
    for epoch in range(plan.epochs):
        ticks.append(time.monotonic())
        total, steps = torch.zeros(len(stages), device=device), len(train) // plan.batch_size
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
                        used.record_stream(stream)  # its memory is not to be given away before that stream is done
                x = output
        system.synchronize()
        losses.append((total / steps).tolist())
        for number, loss in enumerate(losses[-1]):
            if not math.isfinite(loss):
                raise StageError(f"block {number + 1} of {len(stages)}: its loss is {loss} in epoch {epoch + 1}; "
                                 f"lr={plan.lr} is probably too high")
    ticks.append(time.monotonic())
    return Run(losses, [after - before for before, after in zip(ticks, ticks[1:])])
