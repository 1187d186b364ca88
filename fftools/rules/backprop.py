"""The control: the same blocks under a linear head, trained end to end by backpropagation."""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint_sequential

from fftools.inputs import expect, for_blocks, for_linear
from fftools.learner import Learner


class Backprop(Learner):
    """Blocks, a linear head on the last one's output, softmax cross-entropy: one loss for all blocks.

    blocks     from `fftools.blocks`
    classes    outputs of the head, which has a bias or none
    segments   None keeps every activation for the backward pass; a number cuts the stack into so many
               segments, keeps what enters each, and computes the rest again when it is needed: the same
               gradients in less memory and more time (activation checkpointing, Chen et al. 2016)

    Raises ValueError when there are fewer blocks than segments, or fewer segments than one.
    """

    def __init__(
        self, blocks: nn.ModuleList, classes: int = 10, bias: bool = True, segments: int | None = None
    ):
        super().__init__()
        wanted = f"segments must be between 1 and the number of blocks, {len(blocks)}, or None"
        expect(segments is None or 1 <= segments <= len(blocks), wanted, segments)
        self.blocks, self.classes, self.segments = blocks, classes, segments
        self.head = nn.LazyLinear(classes, bias=bias)

    def local_losses(self, images: Tensor, labels: Tensor) -> Iterator[Tensor]:
        yield F.cross_entropy(self.scores(images), labels)

    def scores(self, images: Tensor) -> Tensor:
        """Logits `(N, classes)`."""
        if self.segments is None or not torch.is_grad_enabled():
            last = self.activations(images)[-1]
        else:
            x = for_blocks(images, self.blocks)
            last = checkpoint_sequential(nn.Sequential(*self.blocks), self.segments, x, use_reentrant=False)
        return for_linear(last.flatten(1), self.head)
