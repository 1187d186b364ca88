"""Options of Forward-Forward that single trials used: they helped too little to be in the rule."""

import torch.nn.functional as F
from torch import Tensor, nn

from fftools.inputs import expect
from fftools.rules.forward_forward import ForwardForward
from fftools.rules.goodness import SumOfSquares


class PerPlace(SumOfSquares):
    """A goodness, a threshold and a loss at each place of a map, summed over channels."""

    axis = 1

    def excess(self, x: Tensor) -> Tensor:
        """Goodness minus threshold of activations `(N, C, H, W)`; float32 `(N, places)`."""
        squares = x.float().pow(2).view(len(x), x.shape[1], -1)
        threshold = squares.shape[self.axis] if self.threshold is None else self.threshold
        return squares.sum(self.axis) - threshold


class PerChannel(PerPlace):
    """A goodness for each channel, summed over places: `excess` is `(N, channels)`."""

    axis = 2


class Trial(ForwardForward):
    """Forward-Forward whose goodness may be that of places or channels, with two more options.

    first_judge   the first block, from 1, whose goodness counts in a prediction (not `goodness.first`)
    peer          weight of peer normalisation, which keeps mean activities alike (Hinton's code: 0.03)

    Raises ValueError when there is no such block.
    """

    def __init__(self, *parts, first_judge: int = 1, peer: float = 0.0):
        super().__init__(*parts)
        count = len(self.blocks)
        expect(1 <= first_judge <= count, f"first_judge must be one of the blocks 1 to {count}", first_judge)
        self.first_judge, self.peer = first_judge, peer

    def block_loss(self, x: Tensor, positive: int) -> Tensor:
        """See `ForwardForward`."""
        loss = super().block_loss(x, positive)
        return loss + self.peer * peer_loss(x) if self.peer else loss

    def judge(self, images: Tensor, labels: Tensor) -> Tensor:
        """See `ForwardForward`: places or channels are added up."""
        judged = self.judged(self.label.embed(images, labels))
        return sum(self.goodness.excess(x).view(len(x), -1).sum(1) for x in judged)

    def judged(self, inputs: Tensor) -> list[Tensor]:
        """See `ForwardForward`."""
        return self.activations(inputs)[self.first_judge - 1 :]

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, first_judge={self.first_judge}, peer={self.peer}"


def peer_loss(x: Tensor) -> Tensor:
    """Variance over a layer's units of their mean activities over the batch; a scalar."""
    activity = x.float().mean(0)
    return (activity - activity.mean()).pow(2).mean()


def place_norm(x: Tensor) -> Tensor:
    """Each place of each map `(N, C, H, W)` shifted to mean 0 and scaled to variance 1 over its channels."""
    return F.layer_norm(x.movedim(1, -1), x.shape[1:2]).movedim(-1, 1)


def fan_out_weights(blocks: nn.ModuleList) -> None:
    """Draw weights from N(0, 1/√outputs) and set biases to zero, in place (Loewe's implementation)."""
    for module in blocks.modules():
        if isinstance(module, (nn.Linear, nn.Conv2d)):
            nn.init.normal_(module.weight, std=module.weight.shape[0] ** -0.5)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
