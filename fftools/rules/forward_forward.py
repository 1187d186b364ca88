"""The Forward-Forward rule (Hinton 2022): every block learns to tell positive from negative data by its goodness."""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fftools.blocks import NORMS
from fftools.learner import Learner
from fftools.rules.goodness import SUMMED_OVER, peer_loss


class ForwardForward(Learner):
    """A stack of blocks, each trained on its own goodness, with no gradient across a block's border.

    blocks       from `fftools.blocks`
    label        a label scheme from `fftools.labels`
    goodness     "sum" (Hinton) or "mean" (the article) of the squared activations of a sample; "place" and "channel"
                 give a map a goodness, and a loss, at each place (summed over channels) or for each channel (over places)
    threshold    θ; None stands for the number of neurons summed over, and for 1 with "mean": a mean square of 1 either way
    norm         what a block's input goes through: "rms", "length" (no mean subtraction) or "layer" (with it)
    loss         "softplus" (one term per kind of data) or "symmetric" (on the difference: SymBa, Lee & Song 2023; of several
                 negatives the log of their summed exponentials stands against the positive one: InfoNCE, van den Oord 2018)
    temperature  T: the losses see goodness as G/T. A difference below T still counts as not yet told apart; Hinton's is 1
    negatives    "random"; "hard": wrong labels drawn from the network's own one-pass softmax (Hinton's code); "all": every
                 wrong label once, under which the symmetric loss is the cross-entropy of the classes' goodness over T
    negatives_each  negative data drawn for each positive sample; the two kinds weigh the same in the loss, however many
    first_judge  the first block whose goodness counts in a prediction (1 leaves the first block out)
    first_loss   the first block with a loss; the blocks before it keep their random weights (FF-CNN: 1)
    local        False back-propagates the sum of the blocks' losses through the whole stack. That is no longer learning
                 without backpropagation; it is one reading of the FF-CNN paper's "cumulative network loss"
    peer         weight of peer normalisation, which keeps every unit's mean activity near its layer's (Hinton: 0.03)
    """

    def __init__(self, blocks, label, *, goodness="sum", threshold=None, norm="rms", loss="softplus", temperature=1.0,
                 negatives="random", negatives_each=1, first_judge=0, first_loss=0, local=True, peer=0.0):
        super().__init__()
        for name, value, known in [("goodness", goodness, tuple(SUMMED_OVER)), ("norm", norm, tuple(NORMS)),
                                   ("loss", loss, ("softplus", "symmetric")),
                                   ("negatives", negatives, ("random", "hard", "all"))]:
            if value not in known:
                raise ValueError(f"{name} must be one of {', '.join(known)}; got {value!r}")
        for name, value in [("first_judge", first_judge), ("first_loss", first_loss)]:
            if not 0 <= value < len(blocks):
                raise ValueError(f"{name} must name one of the {len(blocks)} blocks (0…{len(blocks) - 1}); got {value}")
        if negatives_each < 1 or not temperature > 0:
            raise ValueError(f"negatives_each must be at least 1 and temperature positive; got {negatives_each}, {temperature}")
        if negatives != "random" and not label.classes:
            raise ValueError(f'negatives="{negatives}" are wrong labels, and this label scheme has none')
        if negatives == "all" and negatives_each > 1:
            raise ValueError(f'negatives="all" draws none, so negatives_each cannot be {negatives_each}')
        self.blocks, self.label, self.norm = blocks, label, NORMS[norm]
        self.goodness, self.threshold, self.loss, self.temperature = goodness, threshold, loss, temperature
        self.negatives, self.negatives_each, self.first_judge = negatives, negatives_each, first_judge
        self.first_loss, self.local, self.peer = first_loss, local, peer
        if local:
            blocks[:first_loss].requires_grad_(False)
        # The one-pass softmax is one more local learner: it reads the blocks' activations and sends nothing back.
        self.softmax = nn.LazyLinear(label.classes) if negatives == "hard" else None

    def local_losses(self, images: Tensor, labels: Tensor) -> Iterator[Tensor]:
        """See `Learner`. With hard negatives, the loss of the softmax comes first: its wrong answers are needed."""
        logits = None
        if self.softmax is not None:
            logits = self.one_pass(images)
            yield F.cross_entropy(logits, labels)
            logits = logits.detach()
        if self.negatives == "all":
            classes = self.label.classes
            negative = [self.label.embed(images, (labels + k) % classes) for k in range(1, classes)]
        else:
            negative = [self.label.negative(images, labels, logits) for _ in range(self.negatives_each)]
        yield from self.contrast(self.label.positive(images, labels), torch.cat(negative))

    def contrast(self, positive: Tensor, negative: Tensor) -> Iterator[Tensor]:
        """The losses of the blocks for positive inputs `(N, …)` and a whole number of negative ones for each, in one pass.

        The negative ones `(N · m, …)` are the first of every positive one, then the second of every one, and so on.
        """
        x, total = torch.cat([positive, negative]), 0
        for number, block in enumerate(self.blocks):
            x = block(self.norm(x.detach() if self.local else x))
            if number < self.first_loss:
                continue
            loss = self.block_loss(*self.excess(x).split([len(positive), len(negative)]))
            loss = loss + self.peer * peer_loss(x) if self.peer else loss
            if self.local:
                yield loss
            total = total + loss
        if not self.local:
            yield total

    def excess(self, x: Tensor) -> Tensor:
        """Goodness minus threshold of a block's activations `(N, …)`; float32 `(N,)`, or `(N, places or channels)`."""
        squares, over = x.float().pow(2).view(len(x), x.shape[1], -1), SUMMED_OVER[self.goodness]
        goodness = squares.mean(over) if self.goodness == "mean" else squares.sum(over)
        neurons = 1 if self.goodness == "mean" else squares[0].numel() // goodness[0].numel()
        return goodness - (neurons if self.threshold is None else self.threshold)

    def block_loss(self, positive: Tensor, negative: Tensor) -> Tensor:
        """−log σ(excess/T) for positive, −log(1 − σ(excess/T)) for negative data, averaged over both."""
        positive, negative = positive / self.temperature, negative / self.temperature
        if self.loss == "symmetric":
            rivals = negative.unflatten(0, (-1, len(positive))).logsumexp(0)
            return F.softplus(rivals - positive).mean()
        return (F.softplus(-positive).mean() + F.softplus(negative).mean()) / 2

    def scores(self, images: Tensor) -> Tensor:
        """Goodness of each image under each label, summed over the judging blocks (and the threshold taken off).

        `(N, classes)` float32. One pass for every label. Raises ValueError when the network knows no labels.
        """
        if not self.label.classes:
            raise ValueError("this network was trained without labels: ask a linear read-out instead (readout.LinearReadout)")
        return torch.stack([self.judge(images, torch.full((len(images),), label, device=images.device))
                            for label in range(self.label.classes)], 1)

    def judge(self, images: Tensor, labels: Tensor) -> Tensor:
        """Goodness of each image under one label of its own, as in `scores`; labels int64 `(N,)`, result float32 `(N,)`."""
        judges = self.activations(self.label.embed(images, labels))[self.first_judge:]
        return sum(self.excess(x).view(len(x), -1).sum(1) for x in judges)

    def feature_maps(self, images: Tensor) -> list[Tensor]:
        """See `Learner`: those of the judging blocks, for the neutral label."""
        return [self.norm(x) for x in self.activations(self.label.neutral(images))[self.first_judge:]]

    def one_pass(self, images: Tensor) -> Tensor:
        """Logits `(N, classes)` of the softmax that was trained beside the blocks: one pass in place of one per label.

        Raises ValueError when none was trained (`negatives="random"`).
        """
        if self.softmax is None:
            raise ValueError('no softmax was trained beside the blocks; it comes with negatives="hard"')
        return self.softmax(self.features(images))
