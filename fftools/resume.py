"""The state of a run that was killed, from which it goes on bit for bit."""

import time
import zlib
from collections.abc import Iterable
from pathlib import Path
from zipfile import ZipFile

import torch
from torch import Tensor

from fftools.fast import convolution
from fftools.fast.step import load_optimizer
from fftools.files import write_state


def save_state(path: Path | str, settings: dict, **state) -> None:
    """Write `state` (state dicts, tensors, lists, numbers) and the random generators' states, or nothing.

    Raises OSError, with the file's name, when there is no room; the state saved before is then still there.
    """
    state |= dict(settings=settings, rng=torch.get_rng_state())
    if torch.cuda.is_available():
        state["cuda_rng"] = torch.cuda.get_rng_state()
    write_state(path, state)


def load_state(path: Path | str | None, settings: dict) -> dict | None:
    """What `save_state` wrote, tensors on the CPU and the generators set back; None when there is nothing.

    Settings that a file of an older version does not know are not compared. Raises ValueError when it is
    broken or belongs to a run with other settings, and names them. Nothing is unpickled.
    """
    if path is None or not Path(path).exists():
        return None
    try:
        with ZipFile(path) as parts:  # PyTorch does not look at the checksums that it writes
            if damaged := parts.testzip():
                raise ValueError(f"{damaged} has another checksum")
        state = torch.load(path, weights_only=True, map_location="cpu")
        kept = state["settings"]
    except Exception as error:
        what = f"{path} cannot be resumed from: it is damaged, cut short or no saved state of ours"
        raise ValueError(f"{what}; delete it to start anew") from error
    if other := [name for name in kept if kept[name] != settings.get(name)]:
        what = f"{path} is the state of another run; delete it to start anew, or name another file"
        differ = "; ".join(_difference(name, kept[name], settings.get(name)) for name in other)
        raise ValueError(f"{what}. {differ}")
    torch.set_rng_state(state["rng"])
    if "cuda_rng" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda_rng"])
    return state


def fingerprint(tensors: Iterable[Tensor]) -> int:
    """A number that changes with any bit of the tensors: CRC-32."""
    number = 0
    for x in tensors:
        number = zlib.crc32(x.detach().cpu().contiguous().flatten().view(torch.uint8).numpy(), number)
    return number


def _difference(name: str, kept: object, asked: object) -> str:
    """What differs; of texts of several lines, the lines that do."""
    if isinstance(kept, str) and isinstance(asked, str):
        was, now, same = kept.splitlines(), asked.splitlines(), "the same lines in another order"
        only = lambda ours, theirs: " / ".join(line.strip() for line in ours if line not in theirs)
        kept, asked = only(was, now) or same, only(now, was) or same
    return f"{name}: it has {kept}, asked for {asked}"


class Resumable:
    """A run that goes on where the file `path` says it was; with `path` None, nothing is kept.

    Learner, optimizer, order of batches and history are kept, and set back here if there is a file already.
    `settings`, the learner's form, the weights it was given and the data have to be the same.

    Raises ValueError as `load_state` does, and when the weights are of another network.
    """

    def __init__(self, path, settings: dict, learner, optimizer, order: torch.Generator, history, data):
        self.path, self.saved = path, time.monotonic()
        self.learner, self.optimizer, self.order, self.history = learner, optimizer, order, history
        if path is None:
            return
        given = dict(learner=repr(learner), given=fingerprint(learner.frozen()), data=fingerprint(data))
        self.settings = settings | given
        state = load_state(path, self.settings)
        if state is None:
            self.save()  # an interrupted first epoch moves the weights: this is where it began
            return
        try:
            learner.load_state_dict(state["learner"])
            load_optimizer(optimizer, state["optimizer"])
        except (RuntimeError, ValueError) as error:
            raise ValueError(f"{path} is the state of another network: {error}") from error
        order.set_state(state["order"])
        convolution.take(state.get("convolution", "direct"))  # older files' runs never used Fourier space
        vars(history).update(state["history"])

    def save(self) -> None:
        """Keep everything as it is now. Raises OSError as `save_state` does."""
        if self.path:
            parts = {name: getattr(self, name).state_dict() for name in ("learner", "optimizer")}
            parts |= dict(order=self.order.get_state(), history=self.history.to_dict())
            save_state(self.path, self.settings, convolution=convolution.path(), **parts)
            self.saved = time.monotonic()
