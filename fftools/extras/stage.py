"""What a pipeline is made of: stages, each with a block of its own, and the borders between them."""

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch import multiprocessing as mp

from fftools.fast.precision import precision_context
from fftools.fast.step import make_optimizer, set_lr
from fftools.rules.mono_forward import MonoForward

SLOTS = 2  # batches that may wait between two stages: one is read while the next is written
# With the first, one process loads PyTorch, and the stages' are copies of it.
METHOD = "forkserver" if "forkserver" in mp.get_all_start_methods() else "spawn"


class StageError(RuntimeError):
    """A stage of the pipeline failed or diverged; all the others have been stopped."""


class Plan(NamedTuple):
    """What every stage needs to know of the training; `pipeline.fit` explains the names."""

    epochs: int
    batch_size: int
    lr: float
    seed: int
    schedule: Callable[[float, int], float]
    precision: str
    threads: int


class Stage:
    """One block with its matrix and an optimizer of its own: Adam treats each number by itself anyway."""

    def __init__(self, learner: MonoForward, number: int, plan: Plan, device: torch.device):
        self.block, self.projection = learner.blocks[number], learner.projections[number]
        self.read, self.plan, self.device = learner.read, plan, device
        mine = [*self.block.parameters(), *self.projection.parameters()]
        self.tuned = make_optimizer("adam", mine, plan.lr, device)

    def begin(self, epoch: int) -> None:
        set_lr(self.tuned, self.plan.lr * self.plan.schedule(epoch - 1, self.plan.epochs))

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
        forms = (shape, dtype), (shape[:1], torch.int64)
        empty = lambda: [torch.empty(size, dtype=kind).share_memory_() for size, kind in forms]
        self.slots, self.laid = [empty() for _ in range(SLOTS)], 0
        self.free, self.full = (mp.get_context(METHOD).Semaphore(count) for count in (SLOTS, 0))

    def put(self, *batch: Tensor) -> None:
        """Wait for a free slot and fill it."""
        self.free.acquire()
        for kept, new in zip(self.slots[self.laid % SLOTS], batch):
            kept.copy_(new)
        self.laid += 1
        self.full.release()

    def take(self, count: int) -> Iterator[list[Tensor]]:
        """So many batches `(x, labels)`, each one's slot held until the next is asked for."""
        for _ in range(count):
            self.full.acquire()
            yield self.slots[self.laid % SLOTS]
            self.laid += 1
            self.free.release()


def check_loss(loss: float, number: int, blocks: int, epoch: int, lr: float) -> None:
    """Raises StageError, with the block counted from 1, for a loss that is not finite."""
    if not math.isfinite(loss):
        told = f"its loss is {loss} in epoch {epoch}; lr={lr} is probably too high"
        raise StageError(f"block {number + 1} of {blocks}: {told}")
