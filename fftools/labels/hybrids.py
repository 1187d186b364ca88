"""Negative data without any label: images mixed from two (Hinton 2022, Section 3.2)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fftools.inputs import as_images, expect


class Hybrids(nn.Module):
    """No label: positive data are the images, negative data mix two of them (Hinton 2022, Section 3.2).

    A random mask m, blurred `blurs` times, has large regions of ones and of zeros; the negative is
    x₁·m + x₂·(1 − m). It has the short-range correlations of an image but the wrong long-range ones.
    """

    classes = 0  # a network trained this way has no label to be asked about

    def __init__(self, blurs: int = 8):
        super().__init__()
        self.blurs = blurs

    def positive(self, images: Tensor, labels: Tensor) -> Tensor:
        """The images `(N, C, H, W)` as floats; `labels` are not looked at."""
        return as_images(images)

    def negative(self, images: Tensor, labels: Tensor, logits: None = None) -> Tensor:
        """Each image mixed with another one of the batch; `labels` are not looked at."""
        images = as_images(images)
        expect(images.dim() == 4, "only images (N, C, H, W) can be mixed", tuple(images.shape))
        return torch.where(blurred_masks(images, self.blurs), images, images.roll(1, 0))

    def neutral(self, images: Tensor) -> Tensor:
        """The images as floats."""
        return as_images(images)

    def extra_repr(self) -> str:
        return f"blurs={self.blurs}"


def blurred_masks(images: Tensor, blurs: int) -> Tensor:
    """A boolean mask `(N, 1, H, W)` for each image: random bits, blurred with [¼, ½, ¼] both ways, over ½."""
    count, _, height, width = images.shape
    bits = torch.randint(2, (count, 1, height, width), device=images.device).to(images.dtype)
    blur = images.new_full((3,), 0.25)  # made on the device: a captured graph copies nothing from the host
    blur[1] = 0.5
    kernel = (blur[:, None] * blur)[None, None]
    for _ in range(blurs):
        bits = F.conv2d(F.pad(bits, [1] * 4, mode="replicate"), kernel)
    return bits > 0.5
