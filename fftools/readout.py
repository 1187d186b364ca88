"""Asking a trained network for its answer: predictions, accuracy, and a linear classifier on its features."""

from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fftools.data import Split, to_float
from fftools.forward_forward import ForwardForward
from fftools.learner import Learner

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


@torch.no_grad()
def goodness(learner: ForwardForward, images: Tensor, candidates: int, propose: Scores, least: float = 0.0) -> Tensor:
    """`learner.scores` for the labels worth asking about, −∞ for the others: goodness at a fraction of its passes.

    candidates   at most so many labels are asked about, the highest of `propose`; with all of them this is `learner.scores`
    propose      cheap scores, such as those of a `LinearReadout`
    least        labels to which softmax(`propose`) gives a smaller share are not asked about (the highest always is)

    `(N, classes)` float32. A candidate without rivals is the answer unasked: +∞. So the cost in passes is that of `propose`
    and, over the images with two candidates or more, their mean number. Raises ValueError for numbers out of range.
    """
    logits, classes = propose(images).float(), learner.label.classes
    if not 1 <= candidates <= classes or not 0 <= least <= 1 or logits.shape[1] != classes:
        raise ValueError(f"need 1 to {classes} candidates, one proposed score for each label and least between 0 and 1; "
                         f"got {candidates} candidates, {logits.shape[1]} scores, least={least}")
    labels = logits.topk(candidates, 1).indices
    asked = logits.softmax(1).gather(1, labels) >= least
    asked[:, 0] = True
    alone = asked.sum(1) == 1
    found = torch.full_like(logits, -torch.inf)
    found[alone, labels[alone, 0]] = torch.inf
    for column, ask in zip(labels.T, (asked & ~alone[:, None]).T):
        if ask.any():
            found[ask, column[ask]] = learner.judge(images[ask], column[ask])
    return found


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


def resolve_precision(precision: str, device: torch.device) -> str:
    """"float32" or "bf16"; "auto" asks the hardware whether it multiplies matrices in bf16."""
    if precision not in ("auto", "float32", "bf16"):
        raise ValueError(f'precision must be "auto", "float32" or "bf16"; got {precision!r}')
    if precision != "auto":
        return precision
    if device.type == "cuda":
        return "bf16" if torch.cuda.get_device_capability(device) >= (8, 0) else "float32"
    if device.type == "cpu":
        able = torch.cpu.get_capabilities()
        return "bf16" if able.get("avx512_bf16") or able.get("amx_bf16") or able.get("amx_tile") else "float32"
    return "float32"


def precision_context(precision: str, device: torch.device):
    """Autocast for "bf16", none for "float32".

    Without its cache: a low-precision copy of a weight that outlives an optimizer step would train nothing.
    """
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16", cache_enabled=False)
