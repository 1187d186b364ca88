"""In which precision matrices are multiplied: bf16 where the hardware has it, float32 elsewhere."""

from collections.abc import Iterator
from contextlib import nullcontext

import torch
from torch import Tensor


def resolve_precision(precision: str, device: torch.device) -> str:
    """The precision meant, "float32" or "bf16": with "auto" what the hardware has. Raises ValueError."""
    if precision not in ("auto", "float32", "bf16"):
        raise ValueError(f'precision must be "auto", "float32" or "bf16"; got {precision!r}')
    if precision != "auto":
        return precision
    able = False
    if device.type == "cuda":
        able = torch.cuda.get_device_capability(device) >= (8, 0)
    elif device.type == "cpu":
        has = torch.cpu.get_capabilities()
        able = any(has.get(name) for name in ("avx512_bf16", "amx_bf16", "amx_tile"))
    return "bf16" if able else "float32"


def precision_context(precision: str, device: torch.device):
    """Autocast for "bf16", none for "float32".

    Without its cache: a low-precision copy of a weight that outlives an optimizer step would train nothing.
    """
    if precision == "float32" and not torch.amp.is_autocast_available(device.type):
        return nullcontext()
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16", cache_enabled=False)


def in_precision(losses: Iterator[Tensor], precision: str, device: torch.device) -> Iterator[Tensor]:
    """The losses, each computed in this precision when it is asked for; what happens in between is not."""
    while True:
        with precision_context(precision, device):
            loss = next(losses, None)
        if loss is None:
            return
        yield loss
