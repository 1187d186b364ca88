"""Layer after layer, each on the whole of a large batch: how the article trains its network."""

import torch
from torch import Tensor
from tqdm import tqdm

from fftools.fast.precision import precision_context, resolve_precision
from fftools.inputs import expect
from fftools.rules.forward_forward import ForwardForward

# On a CPU, whose cache holds the activations of 4,000 rows: 2.5 times faster than 40,000 at once.
CHUNK = 2_000


def train_layers(learner: ForwardForward, positive: Tensor, negative: Tensor,
                 optimizers: list[torch.optim.Optimizer], steps: int, precision: str = "auto",
                 progress: str | None = None) -> list[list[float]]:  # fmt: skip
    """Give each block `steps` optimizer steps on the fixed inputs `(N, C, H, W)`, then pass its outputs on.

    A step's gradient is that of all N pairs; on a CPU it is added up over `CHUNK` pairs at a time. The
    optimizers, one for each block, are the caller's: the article keeps their state from batch to batch.
    Returns the losses, `steps` numbers for each block. Raises ValueError when the optimizers do not match
    the blocks.
    """
    count = len(learner.blocks)
    expect(len(optimizers) == count, f"need one optimizer per block, {count}", len(optimizers))
    device, history = positive.device, []
    precision, chunk = resolve_precision(precision, device), CHUNK if device.type == "cpu" else len(positive)
    for number, (block, optimizer) in enumerate(zip(learner.blocks, optimizers), 1):
        with torch.no_grad():
            positive, negative = learner.norm(positive), learner.norm(negative)
        kind = torch.bfloat16 if precision == "bf16" else torch.float32
        pairs = [torch.cat(pair).to(kind) for pair in zip(positive.split(chunk), negative.split(chunk))]
        losses, shown = [], f"{progress}, block {number}"
        for _ in tqdm(range(steps), desc=shown, disable=progress is None, leave=False):
            losses.append(torch.zeros((), device=device))
            for pair in pairs:
                with precision_context(precision, device):
                    loss = learner.block_loss(block(pair), len(pair) // 2) * (len(pair) / 2 / len(positive))
                loss.backward()
                losses[-1] += loss.detach()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        history.append(torch.stack(losses).tolist())
        with torch.no_grad(), precision_context(precision, device):
            positive, negative = block(positive).float(), block(negative).float()
    return history
