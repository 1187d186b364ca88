"""A label in the first pixels of an image (Hinton 2022)."""

import torch.nn.functional as F
from torch import Tensor

from fftools.inputs import as_images
from fftools.labels.scheme import LabelScheme


class Pixels(LabelScheme):
    """One-hot label in the first `classes` pixels of the first channel (Hinton 2022, Section 3.3).

    `on` is the value of the lit pixel, the images' maximum. The neutral label is the uniform
    distribution, `on / classes` in each of the pixels (Loewe's implementation).
    """

    def __init__(self, classes: int = 10, on: float = 1.0):
        super().__init__(classes)
        self.on = on

    def embed(self, images: Tensor, labels: Tensor) -> Tensor:
        """See `LabelScheme`. Raises ValueError when an image has fewer numbers than there are classes."""
        images = self.enter(images, labels)
        return self._write(images, F.one_hot(labels, self.classes).to(images.dtype))

    def neutral(self, images: Tensor) -> Tensor:
        """See `LabelScheme`."""
        images = as_images(images)
        return self._write(images, images.new_full((len(images), self.classes), 1 / self.classes))

    def _write(self, images: Tensor, weights: Tensor) -> Tensor:
        if not images.is_floating_point() or images.shape[1:].numel() < self.classes:
            raise ValueError(
                f"{str(images.dtype)[6:]} images of shape {tuple(images.shape)} have no room for "
                f"{self.classes} label pixels"
            )
        out = images.flatten(1).clone()
        out[:, : self.classes] = weights * self.on
        return out.view_as(images)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, on={self.on}"
