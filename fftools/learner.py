"""What every learning rule looks like to the loop that trains it and to the read-outs that ask it."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from fftools.inputs import for_blocks

Scores = Callable[[Tensor], Tensor]  # images (N, C, H, W) -> (N, classes); the argmax is the prediction


class Learner(nn.Module):
    """A stack of blocks with a rule for training them.

    `images` are uint8, or float32 in [0, 1], `(N, C, H, W)`; `labels` are int64 `(N,)`. A table's rows are
    float32 `(N, columns)`, texts are token ids, int64 `(N, length)`. Raises ValueError for any other form.
    """

    blocks: nn.ModuleList
    classes: int = 0  # labels are 0 … classes − 1; 0: there are none, or the rule does not say

    def local_losses(self, images: Tensor, labels: Tensor) -> Iterator[Tensor]:
        """One scalar loss after the other, first block to last; `images` are float.

        The caller back-propagates each before it asks for the next, so that no more than one graph is alive.
        """
        raise NotImplementedError

    def scores(self, images: Tensor) -> Tensor:
        """`(N, classes)`; the argmax is the prediction."""
        raise NotImplementedError

    def answers(self, images: Tensor) -> dict[str, Tensor]:
        """The scores `(N, classes)` of every way to ask the network, by the names they have in records."""
        return {"accuracy": self.scores(images)}

    def diagnose(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """What else to watch while it trains, by name: means over the batch, a row for each block."""
        return {}

    def trained(self) -> list[nn.Parameter]:
        """The parameters that training changes."""
        return [parameter for parameter in self.parameters() if parameter.requires_grad]

    def frozen(self) -> list[nn.Parameter]:
        """Frozen weights that come from outside, not from a seed; a resumed run must be given the same."""
        return []

    def norm(self, x: Tensor) -> Tensor:
        """What a block's input goes through; nothing, unless a rule says otherwise."""
        return x

    def activations(self, inputs: Tensor) -> list[Tensor]:
        """What each block gives out, first to last; each feeds the next one, through `norm`."""
        outputs, x = [], for_blocks(inputs, self.blocks)
        for block in self.blocks:
            x = block(self.norm(x))
            outputs.append(x)
        return outputs

    def feature_maps(self, images: Tensor) -> list[Tensor]:
        """Each block's activations as the next one would read them, `(N, C, H, W)` or `(N, neurons)`."""
        return [self.norm(x) for x in self.activations(images)]

    @torch.no_grad()
    def features(self, images: Tensor) -> Tensor:
        """What a linear read-out sees: the feature maps side by side, `(N, D)`."""
        return torch.cat([x.flatten(1) for x in self.feature_maps(images)], 1)


@torch.no_grad()
def materialise(learner: Learner, images: Tensor, labels: Tensor) -> None:
    """Let lazy layers see two images once, before an optimizer collects the parameters."""
    list(learner.local_losses(for_blocks(images[:2], learner.blocks), labels[:2]))


def of_each_block(scores: list[Tensor]) -> dict[str, Tensor]:
    """What each block alone answers, as "layer_1" and so on."""
    return {f"layer_{number}": x for number, x in enumerate(scores, 1)}
