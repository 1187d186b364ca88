"""Label schemes turn images and labels into FF's inputs: with true labels, with wrong ones, with none."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fftools.inputs import as_images, check_labels, expect, form


class LabelScheme(nn.Module):
    """A label in an image: `positive` carries the true one, `negative` a wrong one, `neutral` all alike.

    `images` are uint8, or float in [0, 1], `(N, C, H, W)`; `labels` are int64 `(N,)`, 0 … `classes` − 1;
    others raise ValueError, and so do fewer than two classes. What a scheme keeps on a device are buffers
    that no state dict holds: a learner takes them along.
    """

    def __init__(self, classes: int):
        super().__init__()
        fits = isinstance(classes, int) and classes >= 2
        expect(fits, "need at least 2 classes, a whole number", classes=classes)
        self.classes = classes

    def embed(self, images: Tensor, labels: Tensor) -> Tensor:
        """A copy of the images, float in [0, 1], that carries the labels."""
        raise NotImplementedError

    def neutral(self, images: Tensor) -> Tensor:
        """A copy of the images that carries all labels equally."""
        raise NotImplementedError

    def positive(self, images: Tensor, labels: Tensor) -> Tensor:
        """The images with their true labels."""
        return self.embed(images, labels)

    def negative(self, images: Tensor, labels: Tensor, logits: Tensor | None = None) -> Tensor:
        """The images with wrong labels: uniformly random, or drawn from softmax(`logits`) `(N, classes)`."""
        wrong = random_wrong(labels, self.classes) if logits is None else hard_wrong(logits, labels)
        return self.embed(images, wrong)

    def enter(self, images: Tensor, labels: Tensor) -> Tensor:
        """The images as floats. Raises ValueError for others, and on a CPU for labels out of range."""
        images = as_images(images)
        check_labels(labels, images, self.classes, values=images.device.type == "cpu")
        return images

    def extra_repr(self) -> str:
        return f"classes={self.classes}"


class Pixels(LabelScheme):
    """One-hot label in the first `classes` pixels of the first channel (Hinton 2022, Section 3.3).

    `on` is the value of the lit pixel, the images' maximum. The neutral label is the uniform distribution,
    `on / classes` in each of the pixels (Loewe's implementation). Images too small for it raise ValueError.
    """

    def __init__(self, classes: int = 10, on: float = 1.0):
        super().__init__(classes)
        self.on = on

    def embed(self, images: Tensor, labels: Tensor) -> Tensor:
        images = self.enter(images, labels)
        return self._write(images, F.one_hot(labels, self.classes).to(images.dtype))

    def neutral(self, images: Tensor) -> Tensor:
        images = as_images(images)
        return self._write(images, images.new_full((len(images), self.classes), 1 / self.classes))

    def _write(self, images: Tensor, weights: Tensor) -> Tensor:
        if not images.is_floating_point() or images.shape[1:].numel() < self.classes:
            raise ValueError(f"images {form(images)} have no room for {self.classes} label pixels")
        out = images.flatten(1).clone()
        out[:, : self.classes] = weights * self.on
        return out.view_as(images)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, on={self.on}"


class Overlay(LabelScheme):
    """A label laid over the whole image, so that every place of it shows the label (FF-CNN, Section 2.1).

    With K the `strength`, an image becomes (1 − K)·image + K·overlay, stretched to [0, 1] image by image.
    Raises ValueError for a strength that is not between 0 and 1, and for inputs that are not images.
    """

    def __init__(self, classes: int, strength: float):
        super().__init__(classes)
        self.register_buffer("weight", torch.zeros(()), persistent=False)
        self.strength = strength

    @property
    def strength(self) -> float:
        """K. It may be changed at any time, also under a captured graph, which reads it from the device."""
        return self._strength

    @strength.setter
    def strength(self, value: float) -> None:
        expect(0 < value < 1, "need 0 < strength < 1", strength=value)
        self._strength = value
        self.weight.fill_(value)

    def overlay(self, images: Tensor, labels: Tensor) -> Tensor:
        """What is laid over each image, in [0, 1]; of the images' shape, or with one channel for all."""
        raise NotImplementedError

    def embed(self, images: Tensor, labels: Tensor) -> Tensor:
        images = self.enter(images, labels)
        return self.superpose(images, self.overlay(images, labels))

    def superpose(self, images: Tensor, overlay: Tensor) -> Tensor:
        """The overlay, float in [0, 1], of a shape that expands to the images', laid over float images."""
        weight = self.weight.to(images.device, images.dtype)
        return stretch(torch.lerp(images, overlay.to(images.dtype).expand_as(images), weight))

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, strength={self.strength}"


def random_wrong(labels: Tensor, classes: int) -> Tensor:
    """For each label, one of the other classes, all equally likely. int64 `(N,)`."""
    return (labels + torch.randint_like(labels, 1, classes)) % classes


def hard_wrong(logits: Tensor, labels: Tensor) -> Tensor:
    """For each label, a wrong class drawn from softmax(`logits`) `(N, classes)` (Hinton's code); int64.

    Drawn with the Gumbel-max trick, which needs no host synchronisation, unlike `torch.multinomial`.
    """
    gumbel = -torch.empty_like(logits, dtype=torch.float32).exponential_().log()
    return (logits.float() + gumbel).scatter(1, labels[:, None], -torch.inf).argmax(1)


def stretch(images: Tensor) -> Tensor:
    """Each image of a batch shifted and scaled to fill [0, 1]; one without any contrast becomes 0."""
    low, high = (extreme.view(-1, 1, 1, 1) for extreme in images.flatten(1).aminmax(dim=1))
    return (images - low) / (high - low).clamp_min(torch.finfo(images.dtype).tiny)
