"""What a pipeline is made of: stages, each with a block of its own, and the borders between them."""

import copy
import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch import multiprocessing as mp

from fftools.data.split import Split
from fftools.fast.step import make_optimizer, set_lr
from fftools.fit import training_step
from fftools.learner import Learner

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
    optimizer: str
    schedule: Callable[[float, int], float]
    weight_decay: float
    seed: int
    shift: int
    flip: bool | str
    precision: str
    threads: int

    def batches(self, train: Split, order: torch.Generator, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        """What the first stage reads in this epoch, from 1."""
        return train.batches(self.batch_size, order, self.shift, self.flip, epoch)


def alone(learner: Learner, number: int) -> Learner:
    """Block `number`, from 0, as a learner of its own: the same modules under the same rule."""
    part = copy.copy(learner)
    part._modules = {
        name: child[number : number + 1] if isinstance(child, nn.ModuleList) else child
        for name, child in learner.named_children()
    }
    return part


class Stage:
    """One block, a learner of its own, with an optimizer of its own: Adam treats each number by itself."""

    def __init__(self, learner: Learner, number: int, plan: Plan, device: torch.device):
        self.learner, self.plan = alone(learner, number), plan
        mine = self.learner.trained()
        self.tuned = make_optimizer(plan.optimizer, mine, plan.lr, device, plan.weight_decay)

    def step(self, x: Tensor, labels: Tensor, done: float, pass_on: Callable[[Tensor], object]) -> Tensor:
        """`fit`'s step when `done` epochs are done; gives the loss.

        What the block puts out is passed on before it learns: the next one need not wait for that.
        """
        set_lr(self.tuned, self.plan.lr * self.plan.schedule(done, self.plan.epochs))

        def give(block: nn.Module, inputs: tuple, output: Tensor) -> None:
            pass_on(output.detach())  # what a hook returned would replace the output

        with self.learner.blocks[0].register_forward_hook(give):
            (loss,) = training_step(self.learner, self.tuned, self.plan.precision, x, labels)
        return loss


class Border:
    """A ring of slots in shared memory: one stage lays batches down in them, the next takes them up."""

    def __init__(self, batch_size: int, passed_on: Tensor):
        """`passed_on` is what one image gives, `(1, …)`; a batch of them lies in memory in the same order."""
        like = lambda x: x.expand(batch_size, *x.shape[1:]).clone().share_memory_()
        self.slots = [[like(passed_on), like(torch.zeros(1, dtype=torch.int64))] for _ in range(SLOTS)]
        self.laid = 0
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
