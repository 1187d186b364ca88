"""Asking a trained network for its answer: predictions, accuracy, and a linear classifier on its features."""

from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fftools.data.split import Split
from fftools.fast.precision import precision_context, resolve_precision
from fftools.inputs import as_images, check_values, expect, for_linear
from fftools.learner import Learner, Scores

Answers = Callable[[Tensor], dict[str, Tensor]]  # images (N, C, H, W) -> scores (N, classes) by name


@torch.no_grad()
def predict(scores: Scores, images: Tensor, batch_size: int = 1000, precision: str = "auto") -> Tensor:
    """Predicted labels int64 `(N,)` for images `(N, C, H, W)`, uint8 or float32 in [0, 1]. No label goes in.

    `scores` is `learner.scores`, `learner.one_pass`, the `scores` of a `LinearReadout`, or any function of
    its kind. Raises ValueError for images of another form, none at all, and values out of range.
    """
    return predictions(lambda part: {"": scores(part)}, images, batch_size, precision)[""]


@torch.no_grad()
def predictions(answers: Answers, images: Tensor, batch_size: int = 1000,
                precision: str = "auto") -> dict[str, Tensor]:  # fmt: skip
    """As `predict`, of every way to ask: `answers` is `learner.answers`, and each image goes through once."""
    as_images(images)
    check_values(images)
    fits = len(images) >= 1 and batch_size >= 1
    expect(fits, "images and batch_size must be 1 or more", images=len(images), batch_size=batch_size)
    precision, labels = resolve_precision(precision, images.device), {}
    for part in images.split(batch_size):
        with precision_context(precision, images.device):
            for name, scores in answers(as_images(part)).items():
                labels.setdefault(name, []).append(scores.argmax(1))
    return {name: torch.cat(parts) for name, parts in labels.items()}


def accuracy(scores: Scores, split: Split, **options) -> float:
    """Share of right predictions on `split`, 0 to 1. `options` and errors are those of `predict`."""
    return (predict(scores, split.images, **options) == split.labels).float().mean().item()


def accuracies(answers: Answers, split: Split, **options) -> dict[str, float]:
    """As `accuracy`, of every way to ask: `answers` is `learner.answers`."""
    found = predictions(answers, split.images, **options)
    return {name: (labels == split.labels).float().mean().item() for name, labels in found.items()}


@torch.no_grad()
def diagnose(
    learner: Learner, split: Split, batch_size: int = 1000, precision: str = "auto"
) -> dict[str, list]:
    """The means over `split` of what `learner.diagnose` says, by name, a row for each block.

    For Forward-Forward that is "discrimination", `[loss, accuracy]` for each block.
    """
    check_values(split.images)
    precision, sums = resolve_precision(precision, split.images.device), {}
    for images, labels in zip(split.images.split(batch_size), split.labels.split(batch_size)):
        with precision_context(precision, images.device):
            for name, rows in learner.diagnose(as_images(images), labels).items():
                sums[name] = sums.get(name, 0) + rows * len(labels)
    return {name: (rows / len(split)).tolist() for name, rows in sums.items()}


class LinearReadout(Learner):
    """Softmax regression on a frozen network's features (Hinton 2022; FF-CNN, Section 2.3).

    `fit` trains it alone and leaves the network as it is; its `scores` cost one pass, not one per label.
    """

    def __init__(self, learner: Learner, classes: int = 10):
        super().__init__()
        self.learner, self.blocks, self.classes = learner, learner.blocks, classes
        self.linear = nn.LazyLinear(classes)

    def train(self, mode: bool = True) -> "LinearReadout":
        """The network below is frozen, batch norm included."""
        super().train(mode)
        self.learner.eval()
        return self

    def local_losses(self, images: Tensor, labels: Tensor) -> Iterator[Tensor]:
        yield F.cross_entropy(self.scores(images), labels)

    def scores(self, images: Tensor) -> Tensor:
        """Logits `(N, classes)`."""
        return for_linear(self.learner.features(images), self.linear)

    def answers(self, images: Tensor) -> dict[str, Tensor]:
        return {"linear": self.scores(images)}

    def trained(self) -> list[nn.Parameter]:
        return list(self.linear.parameters())

    def frozen(self) -> list[nn.Parameter]:
        return list(self.learner.parameters())

    def activations(self, inputs: Tensor) -> list[Tensor]:
        return self.learner.activations(inputs)
