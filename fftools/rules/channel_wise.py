"""Channel-wise goodness (Papachristodoulou et al. 2023): the classes share a block's channels out."""

from collections.abc import Iterator

import torch.nn.functional as F
from torch import Tensor, nn

from fftools.blocks import layer_norm
from fftools.inputs import expect
from fftools.learner import Learner, of_each_block


class ChannelWise(Learner):
    """A stack of blocks whose channels compete: each class owns an equal share of every block's channels.

    The goodness of class c is the mean of the squared activations of its channels, over their places. Softmax
    cross-entropy on the classes' goodness trains a block's weights and nothing else: no gradient crosses a
    block's border, no label enters an image, and there are no negative data. It is Mono-Forward on squares
    with a projection that is given: the same number for each of a class's own channels, zero for all others.
    Of the source it has the goodness and the loss, not the grouped convolutions.

    blocks       from `fftools.blocks`; `classes` divides the number of channels, or neurons, of each
    classes      how many share a block's channels; the first share belongs to class 0
    temperature  T: the loss sees goodness as G/T
    """

    norm = staticmethod(layer_norm)  # so that the next block cannot read the goodness off

    def __init__(self, blocks: nn.ModuleList, classes: int = 10, temperature: float = 0.1):
        super().__init__()
        expect(temperature > 0, "temperature must be positive", temperature)
        self.blocks, self.classes, self.temperature = blocks, classes, temperature

    def local_losses(self, images: Tensor, labels: Tensor) -> Iterator[Tensor]:
        """See `Learner`: one loss for each block. Raises ValueError if classes cannot share its channels."""
        x = images
        for block in self.blocks:
            x = block(self.norm(x.detach()))
            yield F.cross_entropy(self.by_class(x) / self.temperature, labels)

    def by_class(self, x: Tensor) -> Tensor:
        """Mean square of each class's channels, of activations `(N, C, …)`; float32 `(N, classes)`."""
        if x.shape[1] % self.classes:
            wrong = f"{x.shape[1]} channels cannot be shared out evenly"
            raise ValueError(f"{wrong} among {self.classes} classes")
        return x.float().pow(2).unflatten(1, (self.classes, -1)).flatten(2).mean(2)

    def goodness(self, images: Tensor) -> list[Tensor]:
        """Each block's goodness of every class `(N, classes)`, first to last: what each answers alone."""
        return [self.by_class(x) for x in self.activations(images)]

    def scores(self, images: Tensor) -> Tensor:
        """The blocks' goodness added up, `(N, classes)` float32."""
        return sum(self.goodness(images))

    def answers(self, images: Tensor) -> dict[str, Tensor]:
        """See `Learner`: all blocks together, and each alone."""
        goodness = self.goodness(images)
        return {"goodness": sum(goodness)} | of_each_block(goodness)

    def extra_repr(self) -> str:
        return f"classes={self.classes}, temperature={self.temperature}"
