"""Layer after layer, each on the whole of a large batch: how the article trains its network."""

import torch
from torch import Tensor
from tqdm import tqdm

from fftools.forward_forward import ForwardForward
from fftools.readout import precision_context, resolve_precision


def train_layers(learner: ForwardForward, positive: Tensor, negative: Tensor, optimizers: list[torch.optim.Optimizer],
                 steps: int, precision: str = "auto", progress: str | None = None) -> list[list[float]]:
    """Give each block `steps` optimizer steps on the fixed inputs `(N, C, H, W)`, then pass its outputs on.

    The optimizers, one per block, are the caller's, since the article keeps their state from batch to batch.
    Returns the losses, one list of `steps` numbers per block.
    """
    if len(optimizers) != len(learner.blocks):
        raise ValueError(f"need one optimizer per block, {len(learner.blocks)}; got {len(optimizers)}")
    precision, x, history = resolve_precision(precision, positive.device), torch.cat([positive, negative]), []
    for number, (block, optimizer) in enumerate(zip(learner.blocks, optimizers), 1):
        with torch.no_grad():
            inputs = learner.norm(x)
        losses = []
        for _ in tqdm(range(steps), desc=f"{progress}, block {number}", disable=progress is None, leave=False):
            with precision_context(precision, inputs.device):
                loss = learner.block_loss(*learner.excess(block(inputs)).chunk(2))
            loss.backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            losses.append(loss.detach())
        history.append(torch.stack(losses).tolist())
        with torch.no_grad(), precision_context(precision, inputs.device):
            x = block(inputs).float()
    return history
