"""The state of a run that was killed, from which it goes on bit for bit."""

import time
import zlib
from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor

from fftools.fast import convolution
from fftools.fast.step import load_optimizer
from fftools.files import write_state


def save_state(path: Path | str, settings: dict, **state) -> None:
    """Write `state` (state dicts, tensors, lists, numbers) and the random generators' states, or nothing.

    Raises OSError, with the file's name, when there is no room: the state saved before is still there to go
    on from.
    """
    state |= dict(settings=settings, rng=torch.get_rng_state())
    if torch.cuda.is_available():
        state["cuda_rng"] = torch.cuda.get_rng_state()
    write_state(path, state)


def load_state(path: Path | str | None, settings: dict) -> dict | None:
    """What `save_state` wrote, tensors on the CPU and the generators set back; None when there is nothing.

    Settings that the file does not know, because it is of an older version, are not compared. Raises
    ValueError when it is broken or belongs to a run with other settings, and names them. Nothing is
    unpickled.
    """
    if path is None or not Path(path).exists():
        return None
    try:
        state = torch.load(path, weights_only=True, map_location="cpu")
        kept = state["settings"]
    except Exception as error:
        raise ValueError(
            f"{path} cannot be resumed from: it is cut short or no saved state of ours; "
            "delete it to start anew"
        ) from error
    if wrong := [
        _difference(name, kept[name], settings.get(name)) for name in kept if kept[name] != settings.get(name)
    ]:
        raise ValueError(
            f"{path} is the state of another run; delete it to start anew, or name another file. "
            f"{'; '.join(wrong)}"
        )
    torch.set_rng_state(state["rng"])
    if "cuda_rng" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda_rng"])
    return state


def fingerprint(tensors: Iterable[Tensor]) -> int:
    """A number that changes with any bit of the tensors: CRC-32."""
    found = 0
    for x in tensors:
        found = zlib.crc32(x.detach().cpu().contiguous().flatten().view(torch.uint8).numpy(), found)
    return found


def _difference(name: str, kept: object, asked: object) -> str:
    """What differs; of texts of several lines, the lines that do."""
    if isinstance(kept, str) and isinstance(asked, str):
        was, now = kept.splitlines(), asked.splitlines()
        kept, asked = (
            " / ".join(line.strip() for line in here if line not in there)
            or "the same lines in another order"
            for here, there in ((was, now), (now, was))
        )
    return f"{name}: it has {kept}, asked for {asked}"


class Resumable:
    """A run that goes on where the file `path` says it was; with `path` None, nothing is kept.

    settings   what has to be the same when it goes on; learner, weights it was given, and data are added

    Learner, optimizer, order of batches and history are kept, and set back here if there is a file already.

    Raises ValueError as `load_state` does, and when the weights are of another network.
    """

    def __init__(self, path, settings: dict, learner, optimizer, order: torch.Generator, history, data):
        self.path, self.saved = path, time.monotonic()
        self.learner, self.optimizer, self.order, self.history = learner, optimizer, order, history
        if path is None:
            return
        given = dict(learner=repr(learner), given=fingerprint(learner.given()), data=fingerprint(data))
        self.settings = settings | given
        state = load_state(path, self.settings)
        if state is None:
            self.save()  # an interrupted first epoch moves the weights: this is where it began
        else:
            self._set_back(state)

    def save(self) -> None:
        """Keep everything as it is now. Raises OSError as `save_state` does."""
        if self.path:
            parts = {name: getattr(self, name).state_dict() for name in ("learner", "optimizer")}
            parts |= dict(order=self.order.get_state(), history=self.history.to_dict())
            save_state(self.path, self.settings, convolution=convolution.path(), **parts)
            self.saved = time.monotonic()

    def _set_back(self, state: dict) -> None:
        try:
            self.learner.load_state_dict(state["learner"])
            load_optimizer(self.optimizer, state["optimizer"])
        except (RuntimeError, ValueError) as error:
            raise ValueError(f"{self.path} is the state of another network: {error}") from error
        self.order.set_state(state["order"])
        # Of older files nothing went through Fourier space.
        convolution.take(state.get("convolution", "direct"))
        for name, value in state["history"].items():
            setattr(self.history, name, value)
