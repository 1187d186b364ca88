"""How a label enters an image, and where negative data come from: one module for each label scheme."""

from fftools.labels.fourier import Fourier
from fftools.labels.hybrids import Hybrids, blurred_masks
from fftools.labels.morphology import Morphology
from fftools.labels.scheme import LabelScheme, Overlay, Pixels, hard_wrong, random_wrong, stretch

__all__ = ["Fourier", "Hybrids", "LabelScheme", "Morphology", "Overlay", "Pixels", "blurred_masks",
           "hard_wrong", "random_wrong", "stretch"]  # fmt: skip
