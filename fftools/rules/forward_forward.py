"""The Forward-Forward rule (Hinton 2022): every block learns to separate positive from negative data."""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fftools.inputs import as_images, expect, for_linear
from fftools.labels import Hybrids, LabelScheme
from fftools.learner import Learner
from fftools.rules.goodness import RandomLabels, SumOfSquares


class ForwardForward(Learner):
    """A stack of blocks, each trained on its own goodness, with no gradient across a block's border.

    blocks      from `fftools.blocks`
    label       how a label enters an image, from `fftools.labels`
    goodness    `SumOfSquares` (Hinton) or `MeanOfSquares`, with threshold, loss, and the norm between blocks
    negatives   `RandomLabels`, `HardLabels` or `AllLabels`, from `fftools.rules.goodness` as well
    local       False back-propagates the sum of the losses through all blocks: one reading of the FF-CNN
                paper's "cumulative network loss", and no longer learning without backpropagation

    Raises ValueError when there is no block `goodness.first`, or a scheme without labels meets wrong labels.
    """

    def __init__(self, blocks: nn.ModuleList, label: LabelScheme | Hybrids,
                 goodness: SumOfSquares | None = None, negatives: RandomLabels | None = None,
                 local: bool = True):  # fmt: skip
        super().__init__()
        self.blocks, self.label, self.classes, self.local = blocks, label, label.classes, local
        self.goodness, self.negatives = goodness or SumOfSquares(), negatives or RandomLabels()
        first, wanted = self.goodness.first, f"first must be one of the blocks 1 to {len(blocks)}"
        expect(1 <= first <= len(blocks), wanted, first)
        if self.negatives.needs_labels and not label.classes:
            kind, scheme = type(negatives).__name__, type(label).__name__
            raise ValueError(f"{kind} are wrong labels, and {scheme} has no labels")
        if local:  # without a loss, blocks keep their random weights
            blocks[: first - 1].requires_grad_(False)
        # The softmax is a local learner, too: it reads the blocks' activations and sends nothing back.
        self.softmax = nn.LazyLinear(label.classes) if self.negatives.needs_softmax else None

    def local_losses(self, images: Tensor, labels: Tensor) -> Iterator[Tensor]:
        """See `Learner`. With hard negatives, the softmax comes first: its wrong answers are needed."""
        logits = None
        if self.softmax is not None:
            logits = self.one_pass(images)
            yield F.cross_entropy(logits, labels)
            logits = logits.detach()
        negative = self.negatives(self.label, images, labels, logits)
        yield from self.contrast(self.label.positive(images, labels), negative)

    def contrast(self, positive: Tensor, negative: Tensor) -> Iterator[Tensor]:
        """The blocks' losses for positive inputs `(N, …)` and negative ones `(N · m, …)`, all in one pass."""
        x, total = torch.cat([positive, negative]), 0
        for number, block in enumerate(self.blocks, 1):
            x = block(self.norm(x.detach() if self.local else x))
            if number < self.goodness.first:
                continue
            loss = self.block_loss(x, len(positive))
            if self.local:
                yield loss
            else:
                total = total + loss
        if not self.local:
            yield total

    def block_loss(self, x: Tensor, positive: int) -> Tensor:
        """The loss of a block's activations `(N + N · m, …)`, of which the first `positive` are positive."""
        return self.goodness.loss(*self.goodness.excess(x).split([positive, len(x) - positive]))

    def norm(self, x: Tensor) -> Tensor:
        """See `Learner`: that of the goodness, so that the next block cannot read it off."""
        return self.goodness.norm(x)

    def scores(self, images: Tensor) -> Tensor:
        """Goodness minus threshold under each label, summed over the judging blocks, float32 `(N, classes)`.

        One pass for every label. Raises ValueError when the network knows no labels.
        """
        if not self.classes:
            raise ValueError("this network was trained without labels: ask a readout.LinearReadout instead")
        images = as_images(images)
        every = torch.arange(self.classes, device=images.device).expand(len(images), -1)
        return torch.stack([self.judge(images, labels) for labels in every.unbind(1)], 1)

    def judge(self, images: Tensor, labels: Tensor) -> Tensor:
        """As `scores`, of each image under one label of its own: int64 `(N,)` gives float32 `(N,)`."""
        return sum(self.goodness.excess(x) for x in self.judged(self.label.embed(images, labels)))

    def judged(self, inputs: Tensor) -> list[Tensor]:
        """The activations of the blocks whose goodness counts, first to last."""
        return self.activations(inputs)[self.goodness.first - 1 :]

    def feature_maps(self, images: Tensor) -> list[Tensor]:
        """See `Learner`: those of the judged blocks, for the neutral label."""
        return [self.norm(x) for x in self.judged(self.label.neutral(images))]

    def one_pass(self, images: Tensor) -> Tensor:
        """Logits `(N, classes)` of the softmax beside the blocks: one pass. Raises ValueError without one."""
        if self.softmax is None:
            raise ValueError("no softmax was trained beside the blocks; HardLabels() as negatives bring it")
        return for_linear(self.features(images), self.softmax)

    def answers(self, images: Tensor) -> dict[str, Tensor]:
        """See `Learner`: by goodness, and by the softmax; a network without labels has no answer."""
        found = {"goodness": self.scores(images)} if self.classes else {}
        return found if self.softmax is None else found | {"one_pass": self.one_pass(images)}

    def diagnose(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """See `Learner`: "discrimination", `[loss, accuracy]` of each block (FF-CNN, Section 2.2).

        The negatives take the wrong labels in turn. Right is an input on its side of the threshold.
        """
        turn = torch.arange(len(labels), device=labels.device) % (self.classes - 1)
        wrong = (labels + 1 + turn) % self.classes
        both, rows = torch.cat([self.label.embed(images, labels), self.label.embed(images, wrong)]), []
        for x in self.activations(both):
            positive, negative = self.goodness.excess(x).chunk(2)
            right = torch.cat([positive > 0, negative <= 0]).float().mean()
            rows.append(torch.stack([self.goodness.loss(positive, negative), right]))
        return {"discrimination": torch.stack(rows)}

    def extra_repr(self) -> str:
        return f"goodness={self.goodness}, negatives={self.negatives}, local={self.local}"
