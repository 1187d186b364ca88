"""A label in the first pixels of an image (Hinton 2022)."""

import torch.nn.functional as F
from torch import Tensor

from fftools.labels.scheme import LabelScheme


class Pixels(LabelScheme):
    """One-hot label in the first `classes` pixels of the first channel (Hinton 2022, Section 3.3).

    `on` is the value of the lit pixel, the images' maximum. The neutral label is the uniform
    distribution, `on / classes` in each of the pixels (Loewe's implementation).
    """

    def __init__(self, classes: int = 10, on: float = 1.0):
        self.classes, self.on = classes, on

    def embed(self, images: Tensor, labels: Tensor) -> Tensor:
        """See `LabelScheme`."""
        return self._write(images, F.one_hot(labels, self.classes).to(images.dtype))

    def neutral(self, images: Tensor) -> Tensor:
        """See `LabelScheme`."""
        return self._write(images, images.new_full((len(images), self.classes), 1 / self.classes))

    def _write(self, images: Tensor, weights: Tensor) -> Tensor:
        if images[0].numel() < self.classes or images.dim() < 2:
            raise ValueError(f"images of shape {tuple(images.shape)} have no room for {self.classes} label pixels")
        out = images.flatten(1).clone()
        out[:, : self.classes] = weights * self.on
        return out.view_as(images)
