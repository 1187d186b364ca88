"""The state of a run that was killed, from which it goes on bit for bit."""

import os
from pathlib import Path

import torch


def save_state(path: Path | str, settings: dict, **state) -> None:
    """Write `state` (state dicts, tensors, lists, numbers) and the random generators' states, whole or not at all."""
    state |= dict(settings=settings, rng=torch.get_rng_state())
    if torch.cuda.is_available():
        state["cuda_rng"] = torch.cuda.get_rng_state()
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    torch.save(state, part)
    part.replace(path)


def load_state(path: Path | str | None, settings: dict) -> dict | None:
    """What `save_state` wrote, tensors on the CPU and the random generators set back; None when there is nothing.

    Raises ValueError when the file is broken or belongs to a run with other settings. Nothing is unpickled.
    """
    if path is None or not Path(path).exists():
        return None
    try:
        state = torch.load(path, weights_only=True, map_location="cpu")
        kept = state["settings"]
    except Exception as error:
        raise ValueError(f"{path} cannot be resumed from: it is cut short or no saved state of ours; "
                         "delete it to start anew") from error
    if kept != settings:
        raise ValueError(f"{path} is the state of another run: it has {kept}, asked for {settings}")
    torch.set_rng_state(state["rng"])
    if "cuda_rng" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda_rng"])
    return state
