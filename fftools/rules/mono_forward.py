"""Mono-Forward (Gong, Li & Abdulla 2025): a projection matrix teaches each block to name the class."""

from collections.abc import Iterator

import torch.nn.functional as F
from torch import Tensor, nn

from fftools.inputs import expect, for_linear
from fftools.learner import Learner, of_each_block


class MonoForward(Learner):
    """A stack of blocks, each with a projection matrix M and a cross-entropy of its own (Section 3.1).

    Block i's activations a, flattened to `(N, D)`, give the goodness of every class, G = a Mᵀ `(N, classes)`
    (equation 5). Softmax cross-entropy on G (equation 6) trains the block's weights and M (equations 7 and 8)
    and nothing else: no gradient crosses a block's border, no label enters an image, there are no negatives.

    blocks    from `fftools.blocks`; a block whose weights are frozen still feeds the next one
    classes   rows of each M, which has no bias (the paper's parameter counts, Table 4)
    places    None: M reads a block's whole map; else averages over at most so many rows and columns of it
    """

    def __init__(self, blocks: nn.ModuleList, classes: int = 10, places: int | None = None):
        super().__init__()
        fits = places is None or places >= 1
        expect(fits, "places must be at least 1, or None for the whole map", places)
        self.blocks, self.classes, self.places = blocks, classes, places
        self.projections = nn.ModuleList(nn.LazyLinear(classes, bias=False) for _ in blocks)

    def local_losses(self, images: Tensor, labels: Tensor) -> Iterator[Tensor]:
        """See `Learner`: one loss for each block that is trained (see `train_only`)."""
        x = images
        for block, projection in zip(self.blocks, self.projections):
            x = block(x.detach())
            loss = F.cross_entropy(projection(self.read(x)), labels)
            if loss.requires_grad:
                yield loss

    def train_only(self, *numbers: int) -> "MonoForward":
        """Freeze all blocks and matrices but those with these numbers, from 1; without any, free all.

        So blocks are trained one after the other, or a new one on top of old ones. Returns the learner.
        Raises ValueError when there is no such block.
        """
        count = len(self.blocks)
        expect({*numbers} <= {*range(1, count + 1)}, f"blocks must be among 1…{count}", list(numbers))
        for number, pair in enumerate(zip(self.blocks, self.projections), 1):
            for parameter in (*pair[0].parameters(), *pair[1].parameters()):
                parameter.requires_grad = not numbers or number in numbers
        return self

    def frozen(self) -> list[nn.Parameter]:
        return [parameter for parameter in self.parameters() if not parameter.requires_grad]

    def plug(self, block: nn.Module, projection: nn.Module | None = None) -> "MonoForward":
        """Put a block on top, under a new projection matrix or a given one (Section 3.3); gives the learner.

        Nothing below is touched: the blocks there give what they gave, bit for bit, and `train_only` can
        leave them so. `plug(*unplug())` gives back the same network.
        """
        device = next((parameter.device for parameter in self.parameters()), None)
        self.blocks.append(block)
        self.projections.append(nn.LazyLinear(self.classes, bias=False) if projection is None else projection)
        return self.to(device)

    def unplug(self) -> tuple[nn.Module, nn.Module]:
        """Take the top block off and return it with its projection matrix; the others go on as they are.

        Raises ValueError when no block would be left to predict with.
        """
        if len(self.blocks) < 2:
            wanted = "unplug leaves at least one block to predict with"
            raise ValueError(f"{wanted}; this network has {len(self.blocks)}")
        return self.blocks.pop(-1), self.projections.pop(-1)

    def goodness(self, images: Tensor) -> list[Tensor]:
        """Each block's goodness of every class, G `(N, classes)`, first to last: what each answers alone."""
        pairs = zip(self.activations(images), self.projections)
        return [for_linear(self.read(x), projection) for x, projection in pairs]

    def scores(self, images: Tensor) -> Tensor:
        """The paper's *FF prediction*: the blocks' goodness added up, `(N, classes)`."""
        return sum(self.goodness(images))

    def last_scores(self, images: Tensor) -> Tensor:
        """The paper's *BP prediction*: the last block's goodness alone, `(N, classes)`."""
        return for_linear(self.read(self.activations(images)[-1]), self.projections[-1])

    def answers(self, images: Tensor) -> dict[str, Tensor]:
        """See `Learner`: the paper's two predictions, and that of each block alone."""
        goodness = self.goodness(images)
        return {"ff_pred": sum(goodness), "bp_pred": goodness[-1]} | of_each_block(goodness)

    def read(self, x: Tensor) -> Tensor:
        """What a projection matrix sees of a block's output: `(N, D)`."""
        if self.places and x.dim() == 4:
            x = F.adaptive_avg_pool2d(x, [min(self.places, size) for size in x.shape[2:]])
        return x.flatten(1)

    def extra_repr(self) -> str:
        return f"classes={self.classes}, places={self.places}"
