"""In which precision matrices are multiplied: bf16 where the hardware has it, float32 elsewhere."""

import torch


def resolve_precision(precision: str, device: torch.device) -> str:
    """"float32" or "bf16"; "auto" asks the hardware whether it multiplies matrices in bf16."""
    if precision not in ("auto", "float32", "bf16"):
        raise ValueError(f'precision must be "auto", "float32" or "bf16"; got {precision!r}')
    if precision != "auto":
        return precision
    if device.type == "cuda":
        return "bf16" if torch.cuda.get_device_capability(device) >= (8, 0) else "float32"
    if device.type == "cpu":
        able = torch.cpu.get_capabilities()
        return "bf16" if able.get("avx512_bf16") or able.get("amx_bf16") or able.get("amx_tile") else "float32"
    return "float32"


def precision_context(precision: str, device: torch.device):
    """Autocast for "bf16", none for "float32".

    Without its cache: a low-precision copy of a weight that outlives an optimizer step would train nothing.
    """
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16", cache_enabled=False)
