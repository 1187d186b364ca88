"""How a label enters an image, and where negative data come from.

A label scheme turns images and labels into FF's three kinds of input:
`positive` (true label), `negative` (something that looks alike but is wrong) and `neutral` (no label told).
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from fftools import morphology


class LabelScheme:
    """A label written into the image: what is positive and what negative follows from `embed` alone."""

    classes: int

    def embed(self, images: Tensor, labels: Tensor) -> Tensor:
        """A copy of float images `(N, C, H, W)` in [0, 1] that carries labels int64 `(N,)`."""
        raise NotImplementedError

    def neutral(self, images: Tensor) -> Tensor:
        """A copy of the images that carries all labels equally."""
        raise NotImplementedError

    def positive(self, images: Tensor, labels: Tensor) -> Tensor:
        """The images with their true labels."""
        return self.embed(images, labels)

    def negative(self, images: Tensor, labels: Tensor, logits: Tensor | None = None) -> Tensor:
        """The images with wrong labels: uniformly random, or drawn from softmax(`logits`) `(N, classes)`."""
        if logits is None:
            return self.embed(images, random_wrong(labels, self.classes))
        return self.embed(images, hard_wrong(logits, labels))


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


class Overlay(LabelScheme):
    """A label laid over the whole image, so that every place of it tells the label (FF-CNN, Section 2.1).

    With K the `strength`, an image becomes (1 − K)·image + K·overlay, stretched to [0, 1] image by image.
    """

    def __init__(self, classes: int, strength: float):
        if classes < 2:
            raise ValueError(f"need at least 2 classes; got classes={classes}")
        self.classes = classes
        self._weight: dict[torch.device, Tensor] = {torch.device("cpu"): torch.zeros((), dtype=torch.float64)}
        self.strength = strength

    @property
    def strength(self) -> float:
        """K. It may be changed at any time, also under a captured graph, which reads it from the device."""
        return self._weight[torch.device("cpu")].item()

    @strength.setter
    def strength(self, value: float) -> None:
        if not 0 < value < 1:
            raise ValueError(f"need 0 < strength < 1; got strength={value}")
        for weight in self._weight.values():
            weight.fill_(value)

    def overlay(self, images: Tensor, labels: Tensor) -> Tensor:
        """What is laid over each image, in [0, 1]; of the images' shape, or with one channel for all."""
        raise NotImplementedError

    def embed(self, images: Tensor, labels: Tensor) -> Tensor:
        """See `LabelScheme`."""
        return self._superpose(images, self.overlay(images, labels))

    def _superpose(self, images: Tensor, overlay: Tensor) -> Tensor:
        if images.device not in self._weight:
            self._weight[images.device] = self._weight[torch.device("cpu")].to(images.device)
        weight = self._weight[images.device].to(images.dtype)
        return stretch(torch.lerp(images, overlay.to(images.dtype).expand_as(images), weight))


class Fourier(Overlay):
    """A wave over the whole image for each class (FF-CNN, Section 2.1).

    set         1: four orientations (0°, 45°, 90°, 135°) at 1, 2, 3, … cycles per image. 2: one frequency, the lowest
                at which so many equidistant angles in [0°, 180°) are different modes of the image's Fourier space
    strength    K, the share of the wave in the sum
    colours     False: a wave is grey. True, for colour images and many classes: each wave stands for seven classes, in red,
                green, blue and their mixes (ours; the paper has grey images)

    Which ten of set 1's twelve modes the authors took is not known; here the lowest frequencies come first.
    """

    MIXES = (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (1, 0, 1), (0, 1, 1), (1, 1, 1)  # red, green, blue

    def __init__(self, classes: int = 10, set: int = 1, strength: float = 0.35, colours: bool = False):
        super().__init__(classes, strength)
        if set not in (1, 2):
            raise ValueError(f"there are sets 1 and 2; got set={set}")
        self.set, self.colours = set, colours
        self._kept: dict[tuple, Tensor] = {}  # waves by image size and device: made once, not once a step

    def modes(self, height: int, width: int) -> list[tuple[int, int, int]]:
        """Each class's mode (with `colours` that of seven): cycles per image downward, to the right, phase in quarter turns.

        Set 1 goes on with the next phase when an image of this size has no higher frequency left.
        Raises ValueError when there is no room for so many different waves.
        """
        nyquist, count = min(height, width) // 2, math.ceil(self.classes / len(self.MIXES)) if self.colours else self.classes
        if self.set == 1:
            directions = [(0, 1), (1, 1), (1, 0), (1, -1)]
            found = [(f * y, f * x, phase) for phase in range(4) for f in range(1, nyquist) for y, x in directions]
        else:
            angles = [math.pi * c / count for c in range(count)]
            rings = ([(round(f * math.sin(a)), round(f * math.cos(a)), 0) for a in angles] for f in range(1, nyquist))
            found = next((ring for ring in rings if len({*ring}) == count), [])
        if len(found) < count:
            raise ValueError(f"images of {height}×{width} pixels have no room for {count} waves of set {self.set}")
        return found[:count]

    def waves(self, height: int, width: int, device: torch.device | str = "cpu") -> Tensor:
        """The waves in [0, 1], float32 `(classes, 1, H, W)`, with `colours` `(classes, 3, H, W)`.

        One finite mode each of an empty 2-D Fourier space.
        """
        key = (height, width, str(device))
        if key not in self._kept:
            modes = self.modes(height, width)
            space = torch.zeros(len(modes), 1, height, width, dtype=torch.complex128)
            for number, (down, right, phase) in enumerate(modes):
                space[number, 0, down, right] = height * width * (-1j) ** phase
            waves = torch.fft.ifft2(space).real
            if self.colours:
                waves = (waves[:, None] * torch.tensor(self.MIXES)[None, :, :, None, None]).flatten(0, 1)[: self.classes]
            self._kept[key] = ((1 + waves) / 2).clamp(0, 1).float().to(device)  # rounding may lead out of it
        return self._kept[key]

    def overlay(self, images: Tensor, labels: Tensor) -> Tensor:
        """See `Overlay`. Raises ValueError for coloured waves on images that have no three channels."""
        if self.colours and images.shape[1] != len(self.MIXES[0]):
            raise ValueError(f"coloured waves need images of 3 channels; got {tuple(images.shape)}")
        return self.waves(*images.shape[2:], images.device)[labels]

    def neutral(self, images: Tensor) -> Tensor:
        """See `LabelScheme`: the mean of all waves takes the place of one."""
        return self._superpose(images, self.waves(*images.shape[2:], images.device).mean(0, keepdim=True))


class Morphology(Overlay):
    """The image's own forms, changed in a way of the class's own: dilated, eroded, opened, closed, or their outlines taken.

    The later version of the FF-CNN paper names morphology labels and does not describe them: this design is ours. Class c has
    operation c mod 5 and structuring element c mod 21 of `fftools.morphology`, so that 105 classes differ. Even ground would
    not show what was done to it: so three quarters of what is changed is a grain, the same marks every eight pixels.

    strength   K, the share of the changed image in the sum

    Raises ValueError for more than 105 classes.
    """

    def __init__(self, classes: int = 10, strength: float = 0.35):
        super().__init__(classes, strength)
        known = len(morphology.OPERATIONS) * len(morphology.structuring_elements())
        if classes > known:
            raise ValueError(f"there are {known} morphology labels; got {classes} classes")
        self._kept: dict[tuple, tuple[Tensor, Tensor]] = {}  # by image size and device

    def overlay(self, images: Tensor, labels: Tensor) -> Tensor:
        """See `Overlay`."""
        grainy, elements = self._grainy(images)
        return stretch(morphology.transform(grainy, labels % len(morphology.OPERATIONS), elements[labels]))

    def neutral(self, images: Tensor) -> Tensor:
        """See `LabelScheme`: what is laid over the image has not been changed in any way."""
        return self._superpose(images, stretch(self._grainy(images)[0]))

    def _grainy(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """The images mixed with the grain, and each class's structuring element on their device."""
        key = (*images.shape[2:], images.device)
        if key not in self._kept:
            elements = morphology.structuring_elements()
            each = elements[torch.arange(self.classes) % len(elements)]
            self._kept[key] = morphology.grain(*images.shape[2:]).to(images.device), each.to(images.device)
        grain, each = self._kept[key]
        return torch.lerp(images, grain.to(images.dtype).expand_as(images), 0.75), each


def random_wrong(labels: Tensor, classes: int) -> Tensor:
    """For each label, one of the other classes, all equally likely. int64 `(N,)`."""
    return (labels + torch.randint_like(labels, 1, classes)) % classes


def hard_wrong(logits: Tensor, labels: Tensor) -> Tensor:
    """For each label, a wrong class drawn from softmax(`logits`) `(N, classes)` (Hinton's own code).

    Drawn with the Gumbel-max trick, which needs no host synchronisation, unlike `torch.multinomial`.
    """
    gumbel = -torch.empty_like(logits, dtype=torch.float32).exponential_().log()
    return (logits.float() + gumbel).scatter(1, labels[:, None], -torch.inf).argmax(1)


def stretch(images: Tensor) -> Tensor:
    """Each image `(C, H, W)` shifted and scaled to fill [0, 1]; one without any contrast becomes 0."""
    low, high = (extreme.view(-1, 1, 1, 1) for extreme in images.flatten(1).aminmax(dim=1))
    return (images - low) / (high - low).clamp_min(torch.finfo(images.dtype).tiny)
