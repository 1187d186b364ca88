"""Asking a trained network for its answer: predictions, accuracy, and a linear classifier on its features."""

from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fftools.data.split import Split, to_float
from fftools.fast.precision import precision_context, resolve_precision
from fftools.learner import Learner
from fftools.rules.forward_forward import ForwardForward

Scores = Callable[[Tensor], Tensor]  # float images (N, C, H, W) -> (N, classes)


@torch.no_grad()
def predict(scores: Scores, images: Tensor, batch_size: int = 1000, precision: str = "auto") -> Tensor:
    """Predicted labels int64 `(N,)` for uint8 images `(N, C, H, W)`. No label goes in.

    `scores` is `learner.scores`, `learner.one_pass`, a `LinearReadout`, or any function of its kind.
    """
    precision = resolve_precision(precision, images.device)
    found = []
    for part in images.split(batch_size):
        with precision_context(precision, images.device):
            found.append(scores(to_float(part)).argmax(1))
    return torch.cat(found)


def accuracy(scores: Scores, split: Split, **options) -> float:
    """Share of right predictions on `split`, between 0 and 1. `options` go to `predict`."""
    return (predict(scores, split.images, **options) == split.labels).float().mean().item()


@torch.no_grad()
def discrimination(learner: ForwardForward, split: Split, batch_size: int = 1000,
                   precision: str = "auto") -> list[list[float]]:
    """How well each block tells positive from negative data: `[loss, accuracy]` per block (FF-CNN, Section 2.2).

    Both kinds of data are made from `split`; the negatives take the wrong labels in turn. σ(goodness − θ) is read as
    the probability of "positive", and the accuracy is the share of inputs on the right side of one half. The loss is the
    learner's own: with "softplus" at temperature 1 the binary cross-entropy of that probability.
    """
    precision, found = resolve_precision(precision, split.images.device), []
    for images, labels in zip(split.images.split(batch_size), split.labels.split(batch_size)):
        images, rows, classes = to_float(images), [], learner.label.classes
        wrong = (labels + 1 + torch.arange(len(labels), device=labels.device) % (classes - 1)) % classes
        with precision_context(precision, images.device):
            both = torch.cat([learner.label.embed(images, labels), learner.label.embed(images, wrong)])
            for x in learner.activations(both):
                positive, negative = learner.excess(x).chunk(2)
                right = torch.cat([positive > 0, negative <= 0]).float().mean()
                rows.append(torch.stack([learner.block_loss(positive, negative), right]) * len(labels))
        found.append(torch.stack(rows))
    return (sum(found) / len(split)).tolist()


class LinearReadout(Learner):
    """Softmax regression on a frozen network's features (Hinton 2022; FF-CNN Section 2.3), for FF those of the neutral label.

    It is trained by `fit` like any learner; its `scores` cost one pass in place of one per label.
    """

    def __init__(self, learner: Learner, classes: int = 10):
        super().__init__()
        self.learner, self.blocks = learner.requires_grad_(False), learner.blocks
        self.linear = nn.LazyLinear(classes)

    def local_losses(self, images: Tensor, labels: Tensor) -> Iterator[Tensor]:
        """See `Learner`: one loss, that of the classifier."""
        yield F.cross_entropy(self.scores(images), labels)

    def scores(self, images: Tensor) -> Tensor:
        """Logits `(N, classes)`."""
        return self.linear(self.learner.features(images))

    def activations(self, inputs: Tensor) -> list[Tensor]:
        """See `Learner`."""
        return self.learner.activations(inputs)
