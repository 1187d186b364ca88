"""What Forward-Forward is made of: a goodness with its threshold and loss, and the kinds of negative data."""

import torch
import torch.nn.functional as F
from torch import Tensor

from fftools.blocks import rms_norm
from fftools.fast import maps
from fftools.inputs import expect


def sum_of_squares(x: Tensor) -> Tensor:
    """Squared activations of each sample `(N, C, H, W)` or `(N, neurons)`, added up in float32: `(N,)`."""
    if maps.places_first(x):
        return maps.SquaresOfMaps.apply(x)
    return x.float().pow(2).view(len(x), x.shape[1], -1).sum((1, 2))


class Part:
    """A component of a rule; its repr is the call that makes it, which saved states compare."""

    def __repr__(self) -> str:
        parts = (f"{name}={getattr(value, '__name__', value)}" for name, value in vars(self).items())
        return f"{type(self).__name__}({', '.join(parts)})"


class Softplus(Part):
    """−log σ(excess/T) of positive, −log(1 − σ(excess/T)) of negative data, averaged over both (Hinton 2022).

    `temperature` is T, 1 in the paper (Section 2). Raises ValueError when it is not positive.
    """

    def __init__(self, temperature: float = 1.0):
        expect(temperature > 0, "temperature must be positive", temperature)
        self.temperature = temperature

    def __call__(self, positive: Tensor, negative: Tensor) -> Tensor:
        """A scalar, from the excess of positive `(N,)` and of m negative data for each, `(N · m,)`."""
        on, off = F.softplus(-positive / self.temperature), F.softplus(negative / self.temperature)
        return (on.mean() + off.mean()) / 2


class Symmetric(Softplus):
    """On the difference of each pair: log(1 + exp((negative − positive)/T)) (SymBa, Lee & Song 2023).

    Several negatives of a positive enter by the log of their summed exponentials (InfoNCE, van den Oord et
    al. 2018). A pair whose difference is below T still counts as confused.
    """

    def __call__(self, positive: Tensor, negative: Tensor) -> Tensor:
        """See `Softplus`; the first negatives of every positive, then the second of every one, and so on."""
        positive, negative = positive / self.temperature, negative / self.temperature
        return F.softplus(negative.unflatten(0, (-1, len(positive))).logsumexp(0) - positive).mean()


class SumOfSquares(Part):
    """The goodness of a block: its squared activations, added up (Hinton 2022, Section 2).

    threshold   θ; None: the number of neurons, which is a mean square of 1
    norm        what hides a block's goodness from the next: a norm of `blocks`, such as `rms_norm` (Hinton)
    loss        `Softplus` or `Symmetric`
    first       the first block that counts, in training and prediction; the FF-CNN's is 2 (Section 3.1)
    """

    def __init__(
        self, threshold: float | None = None, norm=rms_norm, loss: Softplus | None = None, first: int = 1
    ):
        self.threshold, self.norm, self.loss, self.first = threshold, norm, loss or Softplus(), first

    def __call__(self, x: Tensor) -> Tensor:
        """The goodness of a block's activations `(N, …)`, float32 `(N,)`."""
        return sum_of_squares(x)

    def excess(self, x: Tensor) -> Tensor:
        """Goodness minus threshold, float32 `(N,)`."""
        return self(x) - (x[0].numel() if self.threshold is None else self.threshold)

    def at_places(self, x: Tensor) -> Tensor:
        """What each place of a block's maps `(N, C, H, W)` adds to the goodness, float32 `(N, H, W)`."""
        return x.float().pow(2).sum(1)


class MeanOfSquares(SumOfSquares):
    """The mean of the squared activations (the article's goodness); its threshold is 1 if not given."""

    def __call__(self, x: Tensor) -> Tensor:
        return sum_of_squares(x) / x[0].numel()

    def excess(self, x: Tensor) -> Tensor:
        return self(x) - (1 if self.threshold is None else self.threshold)

    def at_places(self, x: Tensor) -> Tensor:
        return super().at_places(x) / x[0].numel()


class RandomLabels(Part):
    """Negative data as the label scheme makes them: most draw wrong labels, all equally likely (Hinton 2022).

    `each` so many for each positive sample; the loss weighs both kinds equally. Below 1: ValueError.
    """

    needs_labels, needs_softmax = False, False

    def __init__(self, each: int = 1):
        expect(each >= 1, "each positive sample needs at least 1 negative", each)
        self.each = each

    def __call__(self, label, images: Tensor, labels: Tensor, logits: Tensor | None) -> Tensor:
        """Negative inputs `(N · each, …)`: the first of every image, then the second of every one, …"""
        return torch.cat([label.negative(images, labels, logits) for _ in range(self.each)])


class HardLabels(RandomLabels):
    """Wrong labels drawn from the network's own softmax, trained beside the blocks (Hinton's code)."""

    needs_labels, needs_softmax = True, True


class AllLabels(RandomLabels):
    """Every wrong label once. The symmetric loss is then the classes' cross-entropy on goodness over T."""

    needs_labels = True

    def __init__(self):
        pass

    def __call__(self, label, images: Tensor, labels: Tensor, logits: None) -> Tensor:
        """See `RandomLabels`; of k classes there are k − 1 negatives for each image."""
        return torch.cat([label.embed(images, (labels + k) % label.classes) for k in range(1, label.classes)])
