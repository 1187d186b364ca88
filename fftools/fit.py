"""The loop that trains every rule, and what makes it safe to kill; `extras` has others, for races."""

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from numbers import Integral
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from fftools.data.split import Split
from fftools.fast import convolution
from fftools.fast.precision import in_precision, resolve_precision
from fftools.fast.step import OPTIMIZERS, Captured, keep_freed_memory, make_optimizer, set_lr
from fftools.inputs import check_data, expect
from fftools.learner import Learner, materialise
from fftools.readout import accuracy, diagnose
from fftools.resume import Resumable


class TrainingError(RuntimeError):
    """Training diverged (a loss is no longer finite) or died (a block is silent on every image)."""


class OutOfTime(RuntimeError):
    """The next epoch would not end before the deadline; the state is saved, if `resume` names a file."""


@dataclass
class History:
    """What happened in training; what was measured on validation images begins with the epochs done."""

    loss: list[list[float]] = field(default_factory=list)  # mean of each local loss, first block to last
    validation: list[list[float]] = field(default_factory=list)  # [epoch, accuracy]
    discrimination: list[list] = field(default_factory=list)  # FF: [epoch, *[loss, accuracy] of each block]
    seconds: float = 0.0  # of training, without validation, over all resumed parts
    precision: str = "float32"

    def to_dict(self) -> dict:
        return asdict(self)


def training_step(
    learner: Learner, optimizer: torch.optim.Optimizer, precision: str, images: Tensor, labels: Tensor
) -> Tensor:
    """All of learning: each loss is back-propagated before the next is asked for, then the weights are moved.

    Gives the losses, detached, float32 `(losses,)`.
    """
    losses = []
    # `in_precision` is autocast around each loss, not around `backward`.
    for loss in in_precision(learner.local_losses(images, labels), precision, images.device):
        loss.backward()
        losses.append(loss.detach().float())
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return torch.stack(losses)


def cooldown(done: float, epochs: int) -> float:
    """Factor on the rate in epoch e = 1, 2, …: 1 up to half-way, then 2(1 + E − e)/E (Hinton's code)."""
    epoch = int(done) + 1
    return 1.0 if epoch <= epochs // 2 else min(1.0, 2 * (1 + epochs - epoch) / epochs)


def constant(done: float, epochs: int) -> float:
    """Factor on the rate: always 1."""
    return 1.0


def check_plan(epochs: int, batch_size: int, lr: float, optimizer: str, schedule: Callable, shift: int,
               validate_every: int = 1) -> None:  # fmt: skip
    """Check the settings of a training; ValueError names the one that makes no sense."""
    whole = dict(epochs=epochs, batch_size=batch_size, validate_every=validate_every, shift=shift)
    expect(all(isinstance(n, Integral) for n in whole.values()), "these must be whole numbers", **whole)
    fits = epochs >= 1 and validate_every >= 1 and lr > 0 and shift >= 0
    given = dict(epochs=epochs, validate_every=validate_every, lr=lr, shift=shift)
    expect(fits, "epochs and validate_every must be ≥ 1, lr > 0 and shift ≥ 0", **given)
    expect(callable(schedule), "schedule must be a function of epochs done and epochs", schedule)
    expect(optimizer in OPTIMIZERS, f"optimizer must be one of {', '.join(OPTIMIZERS)}", optimizer)


def fit(learner: Learner, train: Split, *, epochs: int, batch_size: int, lr: float, optimizer: str = "adam",
        schedule: Callable[[float, int], float] = cooldown, weight_decay: float = 0.0, seed: int = 0,
        shift: int = 0, flip: bool | str = False, precision: str = "auto", validation: Split | None = None,
        validate_every: int = 1, resume: Path | str | None = None, resume_seconds: float = 30.0,
        deadline: float | None = None, progress: str | None = None,
        on_epoch: Callable[[int, Learner], None] | None = None) -> History:  # fmt: skip
    """Train `learner` in place and return what happened: `training_step` for every batch of every epoch.

    lr           times the factor `schedule(epochs done, of how many)` gives before each step: `cooldown`,
                 `constant` or one of your own
    optimizer    "adam", "adamw", or "sgd" with momentum 0.9; each has its own way of `weight_decay`
    seed         of order, shifts and negatives; on one machine equal seeds give equal weights, bit for bit
    shift, flip  how training images are moved and mirrored: see `Split.batches`
    precision    "bf16", "float32", or "auto": bf16 where the hardware multiplies in it
    validation   every `validate_every` epochs and after the last: accuracy, and what `learner.diagnose` gives
    resume       file to resume from; saved before the first epoch, then at the end of an epoch, once
                 `resume_seconds` have passed since the last save. A kill loses what came after it
    deadline     seconds since 1970, as `time.time` counts them; one epoch is made in any case
    on_epoch     called with the epochs that are done and the learner, before the first and after each epoch
    progress     a name for the progress bar; None shows none

    Raises ValueError for senseless arguments or data and for the state of another run, TrainingError when a
    loss is not finite or a block is silent, OutOfTime before an epoch that would overrun `deadline`.
    """
    check_plan(epochs, batch_size, lr, optimizer, schedule, shift, validate_every)
    for split in filter(None, (train, validation)):
        check_data(split.images, split.labels, learner.classes)
    device = train.labels.device
    precision = resolve_precision(precision, device)
    named = getattr(schedule, "__name__", type(schedule).__name__)
    plan = dict(epochs=epochs, batch_size=batch_size, lr=lr, optimizer=optimizer, schedule=named,
                weight_decay=weight_decay, seed=seed, shift=shift, flip=flip, precision=precision,
                images=len(train), rates=[schedule(epochs * k / 4, epochs) for k in range(4)])  # fmt: skip
    keep_freed_memory()
    with convolution.given_back(), torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        learner.to(device).eval()  # nothing is learned from looking
        materialise(learner, train.images, train.labels)
        learner.zero_grad(set_to_none=True)  # an interrupted step leaves gradients behind
        if device.type == "cuda":
            learner.to(memory_format=torch.channels_last)  # on a CPU it was no faster
        expect(learner.trained(), "a learner must have weights that are not frozen", type(learner).__name__)
        tuned = make_optimizer(optimizer, learner.trained(), lr, device, weight_decay)
        order, history = torch.Generator().manual_seed(seed), History(precision=precision)
        run = Resumable(resume, plan, learner, tuned, order, history, (train.images, train.labels))
        step, done = Captured(partial(training_step, learner, tuned, precision), device), len(history.loss)
        if on_epoch and done < epochs:
            on_epoch(done, learner)
        bar = partial(tqdm, desc=progress, disable=progress is None, leave=False, unit="epoch")
        for epoch in bar(range(done + 1, epochs + 1), initial=done, total=epochs):
            started, total = time.monotonic(), 0.0
            learner.train()
            for number, (images, labels) in enumerate(train.batches(batch_size, order, shift, flip, epoch)):
                set_lr(tuned, lr * schedule(epoch - 1 + number * batch_size / len(train), epochs))
                total = total + step(images, labels)
            history.loss.append((total / (number + 1)).tolist())  # the epoch's only host synchronisation
            history.seconds += time.monotonic() - started
            learner.eval()
            _check(learner, history.loss[-1], images, epoch, lr)
            last = epoch == epochs
            if validation is not None and (last or epoch % validate_every == 0):
                history.validation.append([epoch, accuracy(learner.scores, validation, precision=precision)])
                for name, blocks in diagnose(learner, validation, precision=precision).items():
                    getattr(history, name).append([epoch, *blocks])
            if on_epoch:
                on_epoch(epoch, learner)
            late = deadline is not None and not last and time.time() + time.monotonic() - started > deadline
            if last or late or time.monotonic() - run.saved >= resume_seconds:
                run.save()
            if late:
                raise OutOfTime(f"{epoch} of {epochs} epochs are done; another would overrun the deadline")
    return history


@torch.no_grad()
def _check(learner: Learner, losses: list[float], images: Tensor, epoch: int, lr: float) -> None:
    high = f"lr={lr} is probably too high"
    for number, loss in enumerate(losses, 1):
        if not math.isfinite(loss):
            raise TrainingError(f"loss {number} of {len(losses)} is {loss} in epoch {epoch}; {high}")
    for number, x in enumerate(learner.activations(images), 1):
        if not x.isfinite().all():  # the last update, which no loss has seen yet
            raise TrainingError(f"block {number} puts out NaN or infinity after epoch {epoch}; {high}")
        if not x.any():
            what = f"block {number} is dead after epoch {epoch}: silent on a whole batch"
            raise TrainingError(f"{what}, so its goodness is zero and no gradient is left; {high}")
