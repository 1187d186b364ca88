"""Layers with heads: one class for Mono-Forward, channel-wise goodness, local similarity, and backprop.

Layers that share a loss are a block, and nothing crosses a block's border: with one layer a block learning is
strictly local, with all layers in one block it is backprop. The head decides what a block learns.
"""

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fftools.inputs import expect, for_blocks
from fftools.learner import Learner, of_each_block


class Head(nn.Module):
    """What teaches a block with `channels` channels: turns activations into logits of `classes` classes."""

    def __init__(self, channels: int, classes: int, smoothing: float = 0.2):
        super().__init__()
        self.channels, self.classes, self.smoothing = channels, classes, smoothing

    def loss(self, x: Tensor, labels: Tensor) -> Tensor:
        """Softmax cross-entropy; the share `smoothing` of each label is spread evenly over all classes."""
        return F.cross_entropy(at_least_float32(self(x)), labels, label_smoothing=self.smoothing)


class Classifier(Head):
    """Like Mono-Forward: a matrix reads each channel's maxima in `places` × `places` parts of the map.

    Unlike `mono_forward.MonoForward` it has a bias, reads maxima, and is taught smoothed labels.
    """

    def __init__(self, channels: int, classes: int, smoothing: float = 0.2, places: int = 2):
        super().__init__(channels, classes, smoothing)
        self.projection, self.places = nn.Linear(channels * places**2, classes), places

    def forward(self, x: Tensor) -> Tensor:
        """Logits `(N, classes)` of activations `(N, C, H, W)`."""
        return self.projection(F.adaptive_max_pool2d(x, self.places).flatten(1))


class Similarity(Classifier):
    """The classifier, and activations as alike as their labels (Nøkland & Eidnes 2019, Section 2.2).

    Through a 3×3 convolution of its own, each channel's standard deviation over the map describes an image.
    `share` is the weight of this loss; the source has 0.99.
    """

    def __init__(
        self, channels: int, classes: int, smoothing: float = 0.2, places: int = 2, share: float = 0.9
    ):
        super().__init__(channels, classes, smoothing, places)
        self.look, self.share = nn.Conv2d(channels, channels, 3, padding=1, bias=False), share

    def loss(self, x: Tensor, labels: Tensor) -> Tensor:
        seen = at_least_float32(self.look(x)).flatten(2).std(2)
        seen = F.normalize(seen - seen.mean(1, keepdim=True), dim=1)
        same = (labels[:, None] == labels).to(seen.dtype)
        # The cosines of one-hot labels, centred likewise: 1 for one class, −1/(classes − 1) for two.
        wanted = (self.classes * same - 1) / (self.classes - 1)
        return self.share * F.mse_loss(seen @ seen.T, wanted) + (1 - self.share) * super().loss(x, labels)


class Shares(Head):
    """Channel-wise goodness: a class's mean square over its share of the channels; nothing is learned here.

    What is left over when the classes share the channels evenly belongs to none of them.
    """

    def __init__(self, channels: int, classes: int, smoothing: float = 0.2, temperature: float = 0.1):
        super().__init__(channels, classes, smoothing)
        expect(
            channels >= classes, "each class needs a channel of its own", channels=channels, classes=classes
        )
        self.temperature = temperature

    def forward(self, x: Tensor) -> Tensor:
        """Logits: goodness over the temperature, `(N, classes)`, of activations `(N, C, H, W)`."""
        own = at_least_float32(x)[:, : self.channels // self.classes * self.classes]
        return own.pow(2).unflatten(1, (self.classes, -1)).flatten(2).mean(2) / self.temperature


class Layerwise(Learner):
    """Blocks, each taught by a head of its own on its own output; `(N, C, H, W)` to `(N, classes)`.

    mirror    every answer is the mean of those to an image and to its mirror image: for networks that were
              trained on both
    """

    def __init__(self, blocks: nn.ModuleList, heads: Sequence[nn.Module], classes: int, mirror: bool = True):
        super().__init__()
        self.blocks, self.heads, self.classes, self.mirror = blocks, nn.ModuleList(heads), classes, mirror

    def local_losses(self, images: Tensor, labels: Tensor) -> Iterator[Tensor]:
        """See `Learner`: one loss for each block, whose gradient ends at the block's border."""
        x = images
        for block, head in zip(self.blocks, self.heads):
            x = block(x.detach())
            yield head.loss(x, labels)

    def answers(self, images: Tensor) -> dict[str, Tensor]:
        """See `Learner`: all blocks together, and each alone."""
        alone = self.of_blocks(images)
        return {"accuracy": sum(alone)} | of_each_block(alone)

    def scores(self, images: Tensor) -> Tensor:
        """The blocks' log-probabilities, added up."""
        return sum(self.of_blocks(images))

    def of_blocks(self, images: Tensor) -> list[Tensor]:
        """Each block's log-probabilities, `(N, classes)`."""
        images = for_blocks(images, self.blocks)
        shown = torch.cat([images, images.flip(3)]) if self.mirror else images
        logits = (at_least_float32(head(x)) for head, x in zip(self.heads, self.activations(shown)))
        return [x.log_softmax(1).unflatten(0, (-1, len(images))).mean(0) for x in logits]


def at_least_float32(x: Tensor) -> Tensor:
    """`x`, in float32 if it is narrower: sums and softmaxes in bf16 lose too many digits."""
    return x.to(torch.promote_types(x.dtype, torch.float32))
