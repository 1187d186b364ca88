"""Real data as tensors that live on the device: training, validation and test split, and batches of them."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from fftools.inputs import expect, form, to_float


class DataError(RuntimeError):
    """A dataset is missing, truncated or corrupt; the message says what, where and how to mend it."""


@dataclass(frozen=True)
class Split:
    """Images `(N, C, H, W)` uint8 and labels `(N,)` int64, both on one device, N at least 1.

    In place of images: rows of a table `(N, columns)`, float32, or token ids `(N, length)`, int64. Raises
    ValueError, with what was given, for anything of another form.
    """

    images: Tensor
    labels: Tensor

    def __post_init__(self):
        x, y = self.images, self.labels
        fits = isinstance(x, Tensor) and isinstance(y, Tensor) and x.dim() in (2, 4) and y.dim() == 1
        if not fits or y.dtype != torch.int64 or not len(x) == len(y) > 0 or x.device != y.device:
            raise ValueError(
                "a split needs tensors: images (N, C, H, W) or rows (N, columns), and as many labels (N,) "
                f"int64, at least one, on one device; got {form(x)} and {form(y)}"
            )

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, which: slice | Tensor) -> "Split":
        """A part of the split, by slice, index tensor or mask."""
        return Split(self.images[which], self.labels[which])

    def __add__(self, other: "Split") -> "Split":
        return Split(torch.cat([self.images, other.images]), torch.cat([self.labels, other.labels]))

    def floats(self) -> Tensor:
        """All images as float32 in [0, 1], `(N, C, H, W)`; rows of a table and token ids as they are."""
        return to_float(self.images)

    def batches(self, batch_size: int, generator: torch.Generator, shift: int = 0, flip: bool | str = False,
                epoch: int = 1) -> Iterator[tuple[Tensor, Tensor]]:  # fmt: skip
        """One epoch of shuffled batches: images float32 in [0, 1] `(B, C, H, W)`, labels int64 `(B,)`.

        `generator`, on the CPU, orders alike on any device. A last, incomplete batch is left out: every step
        has one shape. `shift` moves each image by up to that many pixels both ways (Hinton 2022, Section 3.3:
        2). `flip` mirrors half of them, by chance; "alternate": every other image in odd epochs, the rest in
        even ones (Jordan 2024). Raises ValueError for fewer than `batch_size` images, or another `flip`.
        """
        expect(flip in (False, True, "alternate"), 'flip must be True, False or "alternate"', flip)
        wanted = f"batch_size must be between 1 and the number of images, {len(self)}"
        expect(1 <= batch_size <= len(self), wanted, batch_size)
        order = torch.randperm(len(self), generator=generator).to(self.labels.device)
        for index in order[: len(self) // batch_size * batch_size].split(batch_size):
            images = to_float(self.images[index])
            images = random_shift(images, shift, generator) if shift else images
            if flip:  # drawn in any case: the order of later epochs depends on it
                by_chance = torch.randint(2, index.shape, generator=generator).to(index.device)
                mirrored = (index + epoch) % 2 == 0 if flip == "alternate" else by_chance == 1
                images = torch.where(mirrored.view(-1, 1, 1, 1), images.flip(3), images)
            yield images, self.labels[index]


@dataclass(frozen=True)
class Dataset:
    """Training, validation and test split of one dataset. No choice is ever made on `test`."""

    name: str
    train: Split
    validation: Split
    test: Split
    features: tuple[str, ...] = ()  # what the columns of a table, or the token ids of a text, are called
    names: tuple[str, ...] = ()  # what the classes are called
    source: str = ""  # whose files these are, and how they were split

    @property
    def classes(self) -> int:
        return len(self.names) or int(self.train.labels.max()) + 1

    @property
    def shape(self) -> tuple[int, ...]:
        """`(C, H, W)` of an image, `(columns,)` of a table's row."""
        return tuple(self.train.images.shape[1:])

    def to(self, device: str | torch.device) -> "Dataset":
        """The same on another device."""
        splits = dict(train=self.train, validation=self.validation, test=self.test)
        moved = {name: Split(x.images.to(device), x.labels.to(device)) for name, x in splits.items()}
        return replace(self, **moved)


def random_shift(images: Tensor, pixels: int, generator: torch.Generator) -> Tensor:
    """Each image `(C, H, W)` moved by its own random (dy, dx), both in -pixels…pixels; zeros move in."""
    count, _, height, width = images.shape
    offset = torch.randint(2 * pixels + 1, (2, count), generator=generator).to(images.device)
    windows = F.pad(images, [pixels] * 4).unfold(2, height, 1).unfold(3, width, 1)
    return windows[torch.arange(count, device=images.device), :, offset[0], offset[1]]


def hold_out(where: object, rest: np.ndarray, labels: np.ndarray, seed: int) -> list[np.ndarray]:
    """Split the examples `rest`, indices into `labels`, by class: four fifths stay, a fifth is held out.

    Raises DataError, which begins with `where`, when a class has too few of them.
    """
    from sklearn.model_selection import train_test_split

    try:
        return train_test_split(rest, test_size=0.2, stratify=labels[rest], random_state=seed)
    except ValueError as error:
        raise DataError(f"{where}: {len(rest)} examples are too few to hold a fifth out: {error}") from error


def folder() -> Path:
    """Where datasets lie, in torchvision's layout: `FFTOOLS_DATA_DIR`, else a folder of the user's cache.

    Raises DataError when it lies in a home that nobody knows.
    """
    try:
        return Path(os.environ.get("FFTOOLS_DATA_DIR") or "~/.cache/fftools").expanduser()
    except RuntimeError as error:
        mend = "To mend it, set FFTOOLS_DATA_DIR to a folder's full path."
        raise DataError(f"no folder for data: {error} {mend}") from error


def remember(function: Callable, *arguments, ignore: Sequence[str] = ()):
    """`function(*arguments)`, kept by joblib in `folder()`/.cache, whole or not at all, where one may write.

    Arguments named in `ignore` do not count. It may be deleted at any time; beyond 8 GB the oldest go.
    """
    from joblib import Memory

    try:
        place = folder() / ".cache"
        place.mkdir(parents=True, exist_ok=True)
    except (DataError, OSError):
        return function(*arguments)
    memory = Memory(place if os.access(place, os.W_OK) else None, verbose=0)  # None: nothing is kept
    try:
        return memory.cache(function, ignore=list(ignore))(*arguments)
    finally:
        for part in place.rglob(f"output.pkl.*-{os.getpid()}-*"):  # joblib leaves what a full disk cut short
            part.unlink(missing_ok=True)
        memory.reduce_size(bytes_limit="8G")
