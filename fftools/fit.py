"""The one loop that trains every learning rule, and what makes it safe to kill."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from fftools.data.split import Split
from fftools.fast import convolution
from fftools.fast.memory import keep_freed_memory
from fftools.fast.precision import in_precision, resolve_precision
from fftools.fast.step import OPTIMIZERS, Captured, load_optimizer, make_optimizer, set_lr
from fftools.inputs import check_data
from fftools.learner import Learner, materialise
from fftools.readout import accuracy, diagnose
from fftools.resume import fingerprint, load_state, save_state


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


def training_step(learner: Learner, optimizer: torch.optim.Optimizer, precision: str, images: Tensor, labels: Tensor) -> Tensor:
    """All of learning: each loss is back-propagated before the next is asked for, then every weight is moved once.

    Gives the losses, detached, float32 `(losses,)`.
    """
    found = []
    for loss in in_precision(learner.local_losses(images, labels), precision, images.device):
        loss.backward()
        found.append(loss.detach().float())
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return torch.stack(found)


def fit(learner: Learner, train: Split, *, epochs: int, batch_size: int, lr: float, optimizer: str = "adam",
        seed: int = 0, shift: int = 0, flip: bool = False, cooldown: bool = True, precision: str = "auto",
        validation: Split | None = None, validate_every: int = 1, resume: Path | str | None = None,
        resume_seconds: float = 30.0, deadline: float | None = None,
        on_epoch: Callable[[int, Learner], None] | None = None, progress: str | None = None) -> History:
    """Train `learner` in place and return what happened: `training_step` for every batch of every epoch.

    lr              constant over the first half of the epochs, then falling linearly if `cooldown` (Hinton's code)
    optimizer       "adam", or "sgd" with momentum 0.9
    seed            of batch order, shifts and negatives; equal seeds on one machine give equal weights, bit for bit
    shift, flip     random shift of the training images, in pixels, and whether half of them are mirrored left to right
    precision       "bf16", "float32", or "auto": bf16 where the hardware multiplies in it
    validation      every `validate_every` epochs and after the last: accuracy of `learner.scores`, and `learner.diagnose`
    resume          file to save to (before the first epoch, then at most every `resume_seconds`) and to resume from
    deadline        seconds since the epoch, as `time.time` counts them; one epoch is made in any case
    on_epoch        called with the number of finished epochs and the learner, before the first (of a resumed run: the next)
                    and after each epoch
    progress        a name for the progress bar; None shows none

    Raises ValueError for arguments or data that make no sense and for the state of another run, TrainingError when a loss
    is not finite any more or a block has fallen silent, OutOfTime before an epoch that would overrun `deadline`.
    """
    if epochs < 1 or not lr > 0 or shift < 0 or validate_every < 1:
        raise ValueError(f"epochs and validate_every must be at least 1, lr positive, shift not negative; "
                         f"got epochs={epochs}, validate_every={validate_every}, lr={lr}, shift={shift}")
    if optimizer not in OPTIMIZERS:
        raise ValueError(f"optimizer must be one of {', '.join(OPTIMIZERS)}; got {optimizer!r}")
    for split in (train, validation) if validation is not None else (train,):
        check_data(split.images, split.labels, learner.classes)
    device = train.labels.device
    precision = resolve_precision(precision, device)
    keep_freed_memory()
    with convolution.given_back(), torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        learner.to(device).train()
        materialise(learner, train.images, train.labels)
        learner.zero_grad(set_to_none=True)  # an interrupted step leaves gradients behind
        if device.type == "cuda":
            learner.to(memory_format=torch.channels_last)  # on a CPU it was no faster
        settings = dict(epochs=epochs, batch_size=batch_size, lr=lr, optimizer=optimizer, seed=seed, shift=shift, flip=flip,
                        cooldown=cooldown, precision=precision, images=len(train), **_identity(resume, learner, train))
        tuned = make_optimizer(optimizer, learner.trained(), lr, device)
        order, history = torch.Generator().manual_seed(seed), History(precision=precision)
        run = _Run(resume, settings, learner, tuned, order, history)
        done = run.load()
        step = Captured(partial(training_step, learner, tuned, precision), device)
        if on_epoch and done < epochs:
            on_epoch(done, learner)
        for epoch in tqdm(range(done + 1, epochs + 1), desc=progress, disable=progress is None, leave=False,
                          initial=done, total=epochs, unit="epoch"):
            set_lr(tuned, lr * cooldown_factor(epoch, epochs) if cooldown else lr)
            started = time.monotonic()
            total, steps = 0.0, 0
            for images, labels in train.batches(batch_size, order, shift, flip):
                total, steps = total + step(images, labels), steps + 1
            history.loss.append((total / steps).tolist())  # the epoch's only host synchronisation
            history.seconds += time.monotonic() - started
            _check(learner, history.loss[-1], images, epoch, lr)
            if validation is not None and (epoch == epochs or epoch % validate_every == 0):
                history.validation.append([epoch, accuracy(learner.scores, validation, precision=precision)])
                for name, blocks in diagnose(learner, validation, precision=precision).items():
                    getattr(history, name).append([epoch, *blocks])
            if on_epoch:
                on_epoch(epoch, learner)
            late = deadline is not None and epoch < epochs and time.time() + time.monotonic() - started > deadline
            if epoch == epochs or late or time.monotonic() - run.saved >= resume_seconds:
                run.save()
            if late:
                raise OutOfTime(f"{epoch} of {epochs} epochs are done, and another one would overrun the deadline")
    learner.eval()
    return history


def cooldown_factor(epoch: int, epochs: int) -> float:
    """Factor on the learning rate in epoch 1, 2, …: 1 up to half-way, then 2(1 + E − e)/E (Hinton's code)."""
    return 1.0 if epoch <= epochs // 2 else min(1.0, 2 * (1 + epochs - epoch) / epochs)


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


def _identity(path, learner: Learner, train: Split) -> dict:
    """What else has to be the same when a run goes on: the rule, the weights it was given, the data."""
    if path is None:
        return {}
    return dict(learner=repr(learner), given=fingerprint(learner.given()), data=fingerprint([train.images, train.labels]))


class _Run:
    """What a run needs to go on, in the file `path`; without one, nothing is done."""

    def __init__(self, path, settings: dict, learner: Learner, optimizer, order: torch.Generator, history: History):
        self.path, self.settings, self.saved = path, settings, time.monotonic()
        self.learner, self.optimizer, self.order, self.history = learner, optimizer, order, history

    def save(self) -> None:
        if self.path:
            save_state(self.path, self.settings, learner=self.learner.state_dict(), optimizer=self.optimizer.state_dict(),
                       order=self.order.get_state(), history=self.history.to_dict(), convolution=convolution.path())
            self.saved = time.monotonic()

    def load(self) -> int:
        """The number of epochs that are done; the first time, the state before all of them is saved."""
        state = load_state(self.path, self.settings)
        if state is None:
            self.save()
            return 0
        try:
            self.learner.load_state_dict(state["learner"])
            load_optimizer(self.optimizer, state["optimizer"])
        except (RuntimeError, ValueError) as error:
            raise ValueError(f"{self.path} is the state of another network: {error}") from error
        self.order.set_state(state["order"])
        convolution.take(state.get("convolution", "direct"))  # older files: nothing went through Fourier space
        for name, value in state["history"].items():
            setattr(self.history, name, value)
        return len(self.history.loss)
