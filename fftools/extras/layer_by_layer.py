"""Layer after layer, each on the whole of a large batch: how the article trains its network."""

import torch
from torch import Tensor
from tqdm import tqdm

from fftools.fast.precision import precision_context, resolve_precision
from fftools.rules.forward_forward import ForwardForward

CHUNK = (
    2_000  # activations of 4,000 rows stay in a CPU's cache: 2.5 times faster here than 40,000 rows at once
)


def train_layers(
    learner: ForwardForward,
    positive: Tensor,
    negative: Tensor,
    optimizers: list[torch.optim.Optimizer],
    steps: int,
    precision: str = "auto",
    progress: str | None = None,
) -> list[list[float]]:
    """Give each block `steps` optimizer steps on the fixed inputs `(N, C, H, W)`, then pass its outputs on.

    A step's gradient is that of all N pairs; on a CPU it is added up over `CHUNK` pairs at a time. The
    optimizers, one per block, are the caller's, since the article keeps their state from batch to batch.
    Returns the losses, one list of `steps` numbers per block. Raises ValueError when the optimizers do not
    match the blocks.
    """
    if len(optimizers) != len(learner.blocks):
        raise ValueError(f"need one optimizer per block, {len(learner.blocks)}; got {len(optimizers)}")
    precision, history = resolve_precision(precision, positive.device), []
    chunk = CHUNK if positive.device.type == "cpu" else len(positive)
    for number, (block, optimizer) in enumerate(zip(learner.blocks, optimizers), 1):
        with torch.no_grad():
            positive, negative = learner.norm(positive), learner.norm(negative)
        pairs = [
            torch.cat(pair).to(torch.bfloat16 if precision == "bf16" else torch.float32)
            for pair in zip(positive.split(chunk), negative.split(chunk))
        ]
        losses = []
        for _ in tqdm(
            range(steps), desc=f"{progress}, block {number}", disable=progress is None, leave=False
        ):
            losses.append(
                sum(
                    _backward(learner, block, pair, len(pair) / 2 / len(positive), precision)
                    for pair in pairs
                )
            )
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        history.append(torch.stack(losses).tolist())
        with torch.no_grad(), precision_context(precision, positive.device):
            positive, negative = block(positive).float(), block(negative).float()
    return history


def _backward(learner, block, pair, weight, precision) -> Tensor:
    with precision_context(precision, pair.device):
        loss = learner.block_loss(block(pair), len(pair) // 2) * weight
    loss.backward()
    return loss.detach()
