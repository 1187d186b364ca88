"""Two more controls: backprop's network and loss, with fixed random matrices for the transposed weights."""

import copy
from collections.abc import Iterable, Iterator

import torch.nn.functional as F
from torch import Tensor, nn

from fftools.inputs import expect
from fftools.rules.backprop import Backprop


class FeedbackAlignment(Backprop):
    """The error goes back through fixed random weights, not the layers' own (Lillicrap et al. 2016).

    The feedback weights are drawn as the layers' own are; a convolution's are those of a convolution of the
    same form. Raises ValueError when a block is no sequence of layers, as that of `blocks.averaged`.
    """

    def __init__(self, blocks: nn.ModuleList, classes: int = 10, bias: bool = True):
        super().__init__(blocks, classes, bias)
        odd = [type(block).__name__ for block in blocks if not isinstance(block, nn.Sequential)]
        expect(not odd, "the error goes back layer by layer, so every block has to be an nn.Sequential", odd)
        redrawn = copy.deepcopy(blocks)
        for layer in redrawn.modules():
            if hasattr(layer, "reset_parameters"):
                layer.reset_parameters()
        self.feedback = _frozen([*redrawn, nn.LazyLinear(classes)])

    def local_losses(self, images: Tensor, labels: Tensor) -> Iterator[Tensor]:
        x = images
        for block, feedback in zip(self.blocks, self.feedback):
            for layer, back in zip(block, feedback):
                x = _forward(layer, back, x) if hasattr(layer, "weight") else layer(x)
        yield F.cross_entropy(_forward(self.head, self.feedback[-1], x.flatten(1)), labels)


class DirectFeedbackAlignment(Backprop):
    """Each block gets the output's error at once, through a fixed random matrix of its own (Nøkland 2016).

    With e the error of the softmax `(N, classes)`, block i's output receives the gradient e Bᵢ, where Bᵢ is
    `(classes, D)`; inside the block, through its ReLU and pooling, the gradient is the true one.
    """

    def __init__(self, blocks: nn.ModuleList, classes: int = 10, bias: bool = True):
        super().__init__(blocks, classes, bias)
        self.feedback = _frozen(nn.LazyLinear(classes, bias=False) for _ in blocks)

    def local_losses(self, images: Tensor, labels: Tensor) -> Iterator[Tensor]:
        """See `Learner`: one loss, as in backprop, whose gradient stops at the head."""
        x, told = images, []
        for block, feedback in zip(self.blocks, self.feedback):
            x = block(x.detach())
            told.append(feedback(x.flatten(1)))  # a Bᵀ: its product with e has the gradient e B
        logits = self.head(x.detach().flatten(1))
        loss = F.cross_entropy(logits, labels)
        error = (logits.softmax(1) - F.one_hot(labels, logits.shape[1])).detach() / len(labels)
        carried = sum((goodness * error).sum() for goodness in told)
        yield loss + (carried - carried.detach())


def _frozen(modules: Iterable[nn.Module]) -> nn.ModuleList:
    """The modules, none of whose parameters is ever trained."""
    kept = nn.ModuleList(modules)
    for parameter in kept.parameters():
        parameter.requires_grad = False  # also of a lazy layer, which refuses `requires_grad_`
    return kept


def _forward(layer: nn.Module, feedback: nn.Module, x: Tensor) -> Tensor:
    """`layer(x)`, bit for bit; its weights get their true gradient, `x` that of `feedback`."""
    carried = feedback(x)
    return layer(x.detach()) + (carried - carried.detach())
