"""A label as a morphological operation, and such operations on batches: each image with its own."""

import torch
import torch.nn.functional as F
from torch import Tensor

from fftools.inputs import as_images, expect
from fftools.labels.scheme import Overlay, stretch

OPERATIONS = ("dilation", "erosion", "opening", "closing", "gradient")

# White, grey and black marks, one of 2,800 tiles drawn at random (an eighth to a fifth white, as much black):
# of the 60 under which the first ten textures differ most, the one under which no two of all 105 are alike.
TILE = ("#oo#ooo.",
        "o.o.oooo",
        "oo.oooo#",
        "..oo.o#o",
        "o#oooo##",
        ".oooooo#",
        "ooooo#o#",
        "oo.ooooo")  # fmt: skip


def grain(height: int, width: int, tile: Tensor | None = None) -> Tensor:
    """`TILE` over and over, float `(height, width)` in [0, 1]: something to change where an image is even."""
    if tile is None:
        tile = torch.tensor([[".o#".index(mark) / 2 for mark in row] for row in TILE])
    return tile.repeat(height // len(tile) + 1, width // len(tile) + 1)[:height, :width]


def structuring_elements() -> Tensor:
    """21 flat elements, bool `(21, 7, 7)`, symmetric about their middle and of at most 13 places.

    Lines in four directions, plus, cross, and a grid of nine places: 5 pixels wide, then 7, then 3.
    """
    y, x = torch.meshgrid(torch.arange(-3, 4), torch.arange(-3, 4), indexing="ij")
    lines, elements = [y == 0, x == 0, y == x, y == -x], []
    for reach in (2, 3, 1):
        grid = (y % reach == 0) & (x % reach == 0)
        shapes = torch.stack([*lines, lines[0] | lines[1], lines[2] | lines[3], grid])
        elements.append(shapes & (y.abs() <= reach) & (x.abs() <= reach))
    return torch.cat(elements)


def transform(images: Tensor, operations: Tensor, elements: Tensor) -> Tensor:
    """Each image `(C, H, W)`, float, under its own operation, an index into `OPERATIONS`, int64 `(N,)`.

    `elements`: see `dilation`. An opening dilates the erosion, a closing erodes the dilation, the gradient is
    the difference of the two; an erosion is the dilation of the negative. So three dilations give all five.
    """
    dilated, eroded = dilation(images, elements), -dilation(-images, elements)
    opens = (operations == OPERATIONS.index("opening")).view(-1, 1, 1, 1)
    again = dilation(torch.where(opens, eroded, -dilated), elements)
    ways = torch.stack([dilated, eroded, again, -again, dilated - eroded])
    return ways[operations, torch.arange(len(images), device=images.device)]


def dilation(images: Tensor, elements: Tensor) -> Tensor:
    """The highest value under each image's own structuring element, `(N, C, H, W)`.

    `elements` are bool `(N, h, w)`, with odd h and w and symmetric about their middle, none of them empty.
    The loop goes over the places of the window, not over the images.
    """
    (height, width), (down, right) = images.shape[2:], elements.shape[1:]
    around = F.pad(images, [right // 2] * 2 + [down // 2] * 2, value=-torch.inf)
    highest = torch.full_like(images, -torch.inf)
    for place, inside in enumerate(elements.flatten(1).T):
        y, x = divmod(place, right)
        here = torch.maximum(highest, around[:, :, y : y + height, x : x + width])
        highest = torch.where(inside[:, None, None, None], here, highest)
    return highest


class Morphology(Overlay):
    """The image's own forms, changed in a way of the class: dilated, eroded, opened, closed, or outlined.

    The later version of the FF-CNN paper names morphology labels and does not describe them: this design is
    ours. Class c has operation c mod 5 and structuring element c mod 21 of `structuring_elements`, so that
    105 classes differ; more raise ValueError. Even ground would not show what was done to it, so three
    quarters of what is changed is a grain, the same marks every eight pixels.
    """

    def __init__(self, classes: int = 10, strength: float = 0.35):
        super().__init__(classes, strength)
        elements = structuring_elements()
        known = len(OPERATIONS) * len(elements)
        expect(classes <= known, f"there are {known} morphology labels", classes)
        self.register_buffer("elements", elements[torch.arange(classes) % len(elements)], persistent=False)
        self.register_buffer("tile", grain(len(TILE), len(TILE[0])), persistent=False)

    def overlay(self, images: Tensor, labels: Tensor) -> Tensor:
        elements = self.elements.to(images.device)[labels]
        return stretch(transform(self._grainy(images), labels % len(OPERATIONS), elements))

    def neutral(self, images: Tensor) -> Tensor:
        """See `LabelScheme`: what is laid over the image has not been changed in any way."""
        images = as_images(images)
        return self.superpose(images, stretch(self._grainy(images)))

    def _grainy(self, images: Tensor) -> Tensor:
        """The images mixed with the grain."""
        expect(images.dim() == 4, "only images (N, C, H, W) have forms to be changed", tuple(images.shape))
        marks = grain(*images.shape[2:], self.tile.to(images.device, images.dtype))
        return torch.lerp(images, marks.expand_as(images), 0.75)
