"""The one loop that trains every learning rule, and all that makes it fast and safe to kill."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from fftools.data.split import Split, to_float
from fftools.fast.memory import keep_freed_memory
from fftools.fast.precision import resolve_precision
from fftools.fast.step import OPTIMIZERS, Step, make_optimizer, set_lr
from fftools.learner import Learner
from fftools.readout import accuracy, discrimination
from fftools.resume import load_state, save_state
from fftools.rules.forward_forward import ForwardForward


class TrainingError(RuntimeError):
    """Training diverged (a loss is no longer finite) or died (a block is silent on every image)."""


class OutOfTime(RuntimeError):
    """The next epoch would not end before the deadline; the state is saved, if `resume` names a file."""


@dataclass
class History:
    """What happened in training. What was measured on validation images begins with the number of epochs done."""

    loss: list[list[float]] = field(default_factory=list)  # mean of each local loss, first block to last
    validation: list[list[float]] = field(default_factory=list)  # [epoch, accuracy]
    discrimination: list[list] = field(default_factory=list)  # [epoch, *[loss, accuracy] of each block], FF only
    seconds: float = 0.0  # of training, without validation, over all resumed parts
    precision: str = "float32"

    def to_dict(self) -> dict:
        return asdict(self)


def fit(learner: Learner, train: Split, *, epochs: int, batch_size: int, lr: float, optimizer: str = "adam",
        seed: int = 0, shift: int = 0, flip: bool = False, cooldown: bool = True, precision: str = "auto",
        validation: Split | None = None, validate_every: int = 1, resume: Path | str | None = None,
        resume_seconds: float = 30.0, deadline: float | None = None,
        on_epoch: Callable[[int, Learner], None] | None = None, progress: str | None = None) -> History:
    """Train `learner` in place and return what happened.

    Each loss of `learner.local_losses` is back-propagated before the next is asked for; one optimizer step per batch.

    lr              constant over the first half of the epochs, then falling linearly if `cooldown` (Hinton's code)
    optimizer       "adam", or "sgd" with momentum 0.9
    seed            of batch order, shifts and negatives; equal seeds on one machine give equal weights, bit for bit
    shift, flip     random shift of the training images, in pixels, and whether half of them are mirrored left to right
    precision       "bf16", "float32", or "auto": bf16 where the hardware multiplies in it
    validation      every `validate_every` epochs and after the last: accuracy of `learner.scores`, FF blocks' discrimination
    resume          file to save to (at most every `resume_seconds`) and to resume from; removed by nobody
    deadline        seconds since the epoch, as `time.time` counts them; one epoch is made in any case
    on_epoch        called with the number of finished epochs and the learner, before the first (of a resumed run: the next)
                    and after each epoch
    progress        a name for the progress bar; None shows none

    Raises ValueError for arguments that make no sense or the state of another run, TrainingError when a loss
    is not finite any more or a block has fallen silent, OutOfTime before an epoch that would overrun `deadline`.
    """
    if epochs < 1 or not lr > 0 or shift < 0 or validate_every < 1:
        raise ValueError(f"epochs and validate_every must be at least 1, lr positive, shift not negative; "
                         f"got epochs={epochs}, validate_every={validate_every}, lr={lr}, shift={shift}")
    if optimizer not in OPTIMIZERS:
        raise ValueError(f"optimizer must be one of {', '.join(OPTIMIZERS)}; got {optimizer!r}")
    device = train.labels.device
    precision = resolve_precision(precision, device)
    keep_freed_memory()
    settings = dict(epochs=epochs, batch_size=batch_size, lr=lr, optimizer=optimizer, seed=seed, shift=shift, flip=flip,
                    cooldown=cooldown, precision=precision, images=len(train))
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        learner.to(device).train()
        _materialise(learner, train)
        if device.type == "cuda":
            learner.to(memory_format=torch.channels_last)  # on a CPU it was no faster
        optimizer = make_optimizer(optimizer, learner, lr, device)
        order = torch.Generator().manual_seed(seed)
        history, step = History(precision=precision), Step(learner, optimizer, precision, device)
        done = _resume(load_state(resume, settings), resume, learner, optimizer, order, history)
        if on_epoch and done < epochs:
            on_epoch(done, learner)
        saved = time.monotonic()
        for epoch in tqdm(range(done, epochs), desc=progress, disable=progress is None, leave=False,
                          initial=done, total=epochs, unit="epoch"):
            set_lr(optimizer, lr * cooldown_factor(epoch, epochs) if cooldown else lr)
            started = time.monotonic()
            total, steps = 0.0, 0
            for images, labels in train.batches(batch_size, order, shift, flip):
                total, steps = total + step(images, labels), steps + 1
            history.loss.append((total / steps).tolist())  # the epoch's only host synchronisation
            history.seconds += time.monotonic() - started
            _check(learner, history.loss[-1], images, epoch + 1, lr)
            last = epoch + 1 == epochs
            if validation is not None and (last or (epoch + 1) % validate_every == 0):
                history.validation.append([epoch + 1, accuracy(learner.scores, validation, precision=precision)])
                if isinstance(learner, ForwardForward):
                    history.discrimination.append([epoch + 1, *discrimination(learner, validation, precision=precision)])
            if on_epoch:
                on_epoch(epoch + 1, learner)
            late = deadline is not None and not last and time.time() + time.monotonic() - started > deadline
            if resume and (last or late or time.monotonic() - saved >= resume_seconds):
                save_state(resume, settings, learner=learner.state_dict(), optimizer=optimizer.state_dict(),
                                 order=order.get_state(), history=history.to_dict())
                saved = time.monotonic()
            if late:
                raise OutOfTime(f"{epoch + 1} of {epochs} epochs are done, and another one would overrun the deadline")
    learner.eval()
    return history


def cooldown_factor(epoch: int, epochs: int) -> float:
    """Factor on the learning rate in epoch 0, 1, …: 1 up to half-way, then 2(1 + E − e)/E with e counted from 1."""
    counted = epoch + 1
    return 1.0 if counted <= epochs // 2 else min(1.0, 2 * (1 + epochs - counted) / epochs)


def _materialise(learner: Learner, train: Split) -> None:
    """Let lazy layers see their input once, before the optimizer collects the parameters."""
    with torch.no_grad():
        for _ in learner.local_losses(to_float(train.images[:2]), train.labels[:2]):
            pass


@torch.no_grad()
def _check(learner: Learner, losses: list[float], images: Tensor, epoch: int, lr: float) -> None:
    for number, loss in enumerate(losses, 1):
        if loss != loss or abs(loss) == float("inf"):
            raise TrainingError(f"loss {number} of {len(losses)} is {loss} in epoch {epoch}; lr={lr} is probably too high")
    for number, x in enumerate(learner.activations(images), 1):
        if not x.isfinite().all():  # the last update, which no loss has seen yet
            raise TrainingError(f"block {number} puts out NaN or infinity after epoch {epoch}; lr={lr} is probably too high")
        if not x.any():
            raise TrainingError(f"block {number} is dead after epoch {epoch}: all its units are silent on a whole batch, "
                                f"so its goodness is zero and no gradient is left; try a rate below lr={lr}")


def _resume(state: dict | None, path, learner: Learner, optimizer, order: torch.Generator, history: History) -> int:
    """Epochs that are done already: 0 without a saved state."""
    if state is None:
        return 0
    rates = [group["lr"] for group in optimizer.param_groups]
    try:
        learner.load_state_dict(state["learner"])
        optimizer.load_state_dict(state["optimizer"])
    except (RuntimeError, ValueError) as error:
        raise ValueError(f"{path} is the state of another network: {error}") from error
    for group, rate in zip(optimizer.param_groups, rates):
        group["lr"] = rate  # on the device, where a captured graph reads it; the file's is on the CPU
    order.set_state(state["order"])
    for name, value in state["history"].items():
        setattr(history, name, value)
    return len(history.loss)
