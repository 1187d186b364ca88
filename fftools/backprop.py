"""The control: the same blocks under a linear head, trained end to end by backpropagation."""

from collections.abc import Iterator

import torch.nn.functional as F
from torch import Tensor, nn

from fftools.learner import Learner


class Backprop(Learner):
    """Blocks, a linear head on the last one's output, softmax cross-entropy; one loss, one graph for all blocks."""

    def __init__(self, blocks: nn.ModuleList, classes: int = 10, bias: bool = True):
        super().__init__()
        self.blocks, self.head = blocks, nn.LazyLinear(classes, bias=bias)

    def local_losses(self, images: Tensor, labels: Tensor) -> Iterator[Tensor]:
        """See `Learner`: here there is one loss only."""
        yield F.cross_entropy(self.scores(images), labels)

    def scores(self, images: Tensor) -> Tensor:
        """Logits `(N, classes)`."""
        return self.head(self.activations(images)[-1].flatten(1))
