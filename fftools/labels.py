"""How a label enters an image, and where negative data come from.

A label scheme turns images and labels into FF's three kinds of input:
`positive` (true label), `negative` (something that looks alike but is wrong) and `neutral` (no label told).
"""

import torch
import torch.nn.functional as F
from torch import Tensor


class Pixels:
    """One-hot label in the first `classes` pixels of the first channel (Hinton 2022, Section 3.3).

    `on` is the value of the lit pixel, the images' maximum. The neutral label is the uniform
    distribution, `on / classes` in each of the pixels (Loewe's implementation).
    """

    def __init__(self, classes: int = 10, on: float = 1.0):
        self.classes, self.on = classes, on

    def embed(self, images: Tensor, labels: Tensor) -> Tensor:
        """A copy of float images `(N, C, H, W)` that carries labels int64 `(N,)`."""
        return self._write(images, F.one_hot(labels, self.classes).to(images.dtype))

    def neutral(self, images: Tensor) -> Tensor:
        """A copy of the images that carries all labels equally."""
        return self._write(images, images.new_full((len(images), self.classes), 1 / self.classes))

    def _write(self, images: Tensor, weights: Tensor) -> Tensor:
        if images[0].numel() < self.classes or images.dim() < 2:
            raise ValueError(f"images of shape {tuple(images.shape)} have no room for {self.classes} label pixels")
        out = images.flatten(1).clone()
        out[:, : self.classes] = weights * self.on
        return out.view_as(images)

    def positive(self, images: Tensor, labels: Tensor) -> Tensor:
        """The images with their true labels."""
        return self.embed(images, labels)

    def negative(self, images: Tensor, labels: Tensor, logits: Tensor | None = None) -> Tensor:
        """The images with wrong labels: uniformly random, or drawn from softmax(`logits`) `(N, classes)`."""
        if logits is None:
            return self.embed(images, random_wrong(labels, self.classes))
        return self.embed(images, hard_wrong(logits, labels))


class Hybrids:
    """No label at all: positive data are the images, negative data mix two of them (Hinton 2022, Section 3.2).

    A blurred random mask m has large regions of ones and of zeros; the negative is x₁·m + x₂·(1 − m), which
    has the short-range correlations of an image but the wrong long-range ones.
    """

    classes = 0  # a network trained this way has no label to be asked about

    def __init__(self, blurs: int = 8):
        self.blurs = blurs

    def positive(self, images: Tensor, labels: Tensor) -> Tensor:
        """The images as they are; `labels` are not looked at."""
        return images

    def negative(self, images: Tensor, labels: Tensor, logits: None = None) -> Tensor:
        """Each image mixed with another one of the batch; `labels` are not looked at."""
        mask = blurred_masks(images, self.blurs)
        return torch.where(mask, images, images.roll(1, 0))

    def neutral(self, images: Tensor) -> Tensor:
        """The images as they are."""
        return images


def random_wrong(labels: Tensor, classes: int) -> Tensor:
    """For each label, one of the other classes, all equally likely. int64 `(N,)`."""
    return (labels + torch.randint_like(labels, 1, classes)) % classes


def hard_wrong(logits: Tensor, labels: Tensor) -> Tensor:
    """For each label, a wrong class drawn from softmax(`logits`) `(N, classes)` (Hinton's own code).

    Drawn with the Gumbel-max trick, which needs no host synchronisation, unlike `torch.multinomial`.
    """
    gumbel = -torch.empty_like(logits, dtype=torch.float32).exponential_().log()
    return (logits.float() + gumbel).scatter(1, labels[:, None], -torch.inf).argmax(1)


def blurred_masks(images: Tensor, blurs: int) -> Tensor:
    """One boolean mask `(N, 1, H, W)` per image: random bits, blurred with [¼, ½, ¼] both ways, over ½."""
    count, _, height, width = images.shape
    bits = torch.randint(2, (count, 1, height, width), device=images.device).to(images.dtype)
    blur = torch.tensor([0.25, 0.5, 0.25], device=images.device, dtype=images.dtype)
    kernel = (blur[:, None] * blur)[None, None]
    for _ in range(blurs):
        bits = F.conv2d(F.pad(bits, [1] * 4, mode="replicate"), kernel)
    return bits > 0.5
