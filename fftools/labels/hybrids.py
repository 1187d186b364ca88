"""Negative data without any label: images mixed from two (Hinton 2022, Section 3.2)."""

import torch
import torch.nn.functional as F
from torch import Tensor


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


def blurred_masks(images: Tensor, blurs: int) -> Tensor:
    """One boolean mask `(N, 1, H, W)` per image: random bits, blurred with [¼, ½, ¼] both ways, over ½."""
    count, _, height, width = images.shape
    bits = torch.randint(2, (count, 1, height, width), device=images.device).to(images.dtype)
    blur = torch.tensor([0.25, 0.5, 0.25], device=images.device, dtype=images.dtype)
    kernel = (blur[:, None] * blur)[None, None]
    for _ in range(blurs):
        bits = F.conv2d(F.pad(bits, [1] * 4, mode="replicate"), kernel)
    return bits > 0.5
