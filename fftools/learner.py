"""What every learning rule looks like to the loop that trains it and to the read-outs that use it."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn


class Learner(nn.Module):
    """A stack of blocks with a rule for training them. `images` are float `(N, C, H, W)`, `labels` int64 `(N,)`."""

    blocks: nn.ModuleList

    def local_losses(self, images: Tensor, labels: Tensor) -> Iterator[Tensor]:
        """One scalar loss after the other, first block to last.

        The caller back-propagates each before it asks for the next, so that no more than one graph is alive.
        """
        raise NotImplementedError

    def scores(self, images: Tensor) -> Tensor:
        """`(N, classes)`; the argmax is the prediction."""
        raise NotImplementedError

    def activations(self, inputs: Tensor) -> list[Tensor]:
        """What each block gives out for `inputs`, first block to last; each feeds the next one, through `norm`."""
        found, x = [], inputs
        for block in self.blocks:
            x = block(self.norm(x))
            found.append(x)
        return found

    def feature_maps(self, images: Tensor) -> list[Tensor]:
        """Each block's activations as the next one would read them, `(N, C, H, W)` or `(N, neurons)`."""
        return [self.norm(x) for x in self.activations(images)]

    @torch.no_grad()
    def features(self, images: Tensor) -> Tensor:
        """What a linear read-out sees: the feature maps side by side, `(N, D)`."""
        return torch.cat([x.flatten(1) for x in self.feature_maps(images)], 1)

    def norm(self, x: Tensor) -> Tensor:
        """What a block's input goes through; nothing, unless a rule says otherwise."""
        return x
