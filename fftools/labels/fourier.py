"""A label as a wave over the whole image (FF-CNN, Section 2.1)."""

import math

import torch
from torch import Tensor

from fftools.inputs import as_images, expect
from fftools.labels.scheme import Overlay


class Fourier(Overlay):
    """A wave over the whole image for each class (FF-CNN, Section 2.1).

    set         1: four orientations (0°, 45°, 90°, 135°) at 1, 2, 3, … cycles per image. 2: one frequency,
                the lowest at which as many equidistant angles in [0°, 180°) are different Fourier modes
    strength    K, the share of the wave in the sum
    colours     False: a wave is grey. True, for colour images and many classes: each wave serves seven
                classes, in red, green, blue and their mixes (ours; the paper has grey images)

    Which ten of set 1's twelve modes the authors took is not known; here the lowest frequencies come first.
    """

    MIXES = (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (1, 0, 1), (0, 1, 1), (1, 1, 1)  # red, green, blue

    def __init__(self, classes: int = 10, set: int = 1, strength: float = 0.35, colours: bool = False):
        super().__init__(classes, strength)
        expect(set in (1, 2), "there are sets 1 and 2", set=set)
        self.set, self.colours = set, colours

    def modes(self, height: int, width: int) -> list[tuple[int, int, int]]:
        """Each class's mode (of seven with `colours`): cycles downward, to the right, phase in quarters.

        When an image of this size has no higher frequency left, set 1 goes on with the next phase. Raises
        ValueError when there is no room for so many different waves.
        """
        count = math.ceil(self.classes / len(self.MIXES)) if self.colours else self.classes
        frequencies = range(1, min(height, width) // 2)
        if self.set == 1:
            ways = (0, 1), (1, 1), (1, 0), (1, -1)
            modes = [(f * y, f * x, phase) for phase in range(4) for f in frequencies for y, x in ways]
        else:
            angles = [math.pi * c / count for c in range(count)]
            ring = lambda f: [(round(f * math.sin(a)), round(f * math.cos(a)), 0) for a in angles]
            modes = next((ring(f) for f in frequencies if len({*ring(f)}) == count), [])
        if len(modes) < count:
            size = f"{height}×{width} pixels"
            raise ValueError(f"images of {size} have no room for {count} waves of set {self.set}")
        return modes[:count]

    def waves(self, height: int, width: int) -> Tensor:
        """The waves in [0, 1], float32 `(classes, 1, H, W)`, with `colours` `(classes, 3, H, W)`.

        They are made once for each size, and lie where the scheme does. Raises ValueError as `modes` does.
        """
        name = f"waves_{height}x{width}"
        if name not in self._buffers:
            modes = self.modes(height, width)
            space = torch.zeros(len(modes), 1, height, width, dtype=torch.complex128)
            for number, (down, right, phase) in enumerate(modes):  # one finite mode in each empty space
                space[number, 0, down, right] = height * width * (-1j) ** phase
            waves = torch.fft.ifft2(space).real
            if self.colours:
                mixes = torch.tensor(self.MIXES)[:, :, None, None]
                waves = (waves[:, None] * mixes).flatten(0, 1)[: self.classes]
            waves = ((1 + waves) / 2).clamp(0, 1).float()  # rounding may lead out of it
            self.register_buffer(name, waves.to(self.weight.device), persistent=False)
        return self._buffers[name]

    def overlay(self, images: Tensor, labels: Tensor) -> Tensor:
        return self._waves_for(images)[labels]

    def neutral(self, images: Tensor) -> Tensor:
        """See `LabelScheme`: the mean of all waves takes the place of one."""
        images = as_images(images)
        return self.superpose(images, self._waves_for(images).mean(0, keepdim=True))

    def _waves_for(self, images: Tensor) -> Tensor:
        fits = images.dim() == 4 and (not self.colours or images.shape[1] == 3)
        wanted = "coloured waves need images (N, 3," if self.colours else "waves need images (N, C,"
        expect(fits, f"{wanted} H, W)", tuple(images.shape))
        return self.waves(*images.shape[2:]).to(images.device)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, set={self.set}, colours={self.colours}"
