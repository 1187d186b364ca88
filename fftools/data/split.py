"""Real data as tensors that live on the device: training, validation and test split, and batches of them."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

HELD_OUT = (
    0.2  # of the training examples, for validation where a dataset has no such split, and as much for testing
)


class DataError(RuntimeError):
    """A dataset is missing, truncated or corrupt; the message says what, where and how to mend it."""


@dataclass(frozen=True)
class Split:
    """Images `(N, C, H, W)` uint8 and labels `(N,)` int64, both on one device, N at least 1.

    In place of images: rows of a table `(N, columns)`, float32, or token ids `(N, length)`, int64.
    Raises ValueError, with what was given, for anything of another form.
    """

    images: Tensor
    labels: Tensor

    def __post_init__(self):
        both = self.images, self.labels
        if not all(isinstance(part, Tensor) for part in both):
            raise ValueError(
                f"a split needs tensors; got {' and '.join(type(part).__name__ for part in both)}"
            )
        fits = self.images.dim() in (2, 4) and self.labels.dim() == 1 and self.labels.dtype == torch.int64
        alike = len(set(map(len, both))) == len({part.device for part in both}) == 1 if fits else False
        if not alike or not len(self.labels):
            told = (f"{str(x.dtype).removeprefix('torch.')} {tuple(x.shape)} on {x.device}" for x in both)
            raise ValueError(
                "a split needs images (N, C, H, W) or rows (N, columns), and as many labels (N,) int64, "
                f"at least one, on one device; got {' and '.join(told)}"
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

    def batches(
        self, batch_size: int, generator: torch.Generator, shift: int = 0, flip: bool = False
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """One epoch of shuffled batches: images float32 in [0, 1] `(B, C, H, W)`, labels int64 `(B,)`.

        The order comes from `generator` (on the CPU, so that it is the same on every device). The last,
        incomplete batch is left out, so that every step has the same shape. `shift` moves each image by up
        to that many pixels in both directions (Hinton 2022, Section 3.3: 2), `flip` mirrors half of them.

        Raises ValueError when the split holds fewer than `batch_size` images.
        """
        if not 1 <= batch_size <= len(self):
            raise ValueError(
                f"batch_size must be between 1 and the number of images, {len(self)}; got {batch_size}"
            )
        order = torch.randperm(len(self), generator=generator).to(self.labels.device)
        for index in order[: len(self) // batch_size * batch_size].split(batch_size):
            images = to_float(self.images[index])
            images = random_shift(images, shift, generator) if shift else images
            yield (random_flip(images, generator) if flip else images), self.labels[index]


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
        parts = {part: getattr(self, part) for part in ("train", "validation", "test")}
        moved = {part: Split(old.images.to(device), old.labels.to(device)) for part, old in parts.items()}
        return replace(self, **moved)


def to_float(images: Tensor) -> Tensor:
    """uint8 in 0…255 to float32 in [0, 1]; anything else is no picture and is fed to a network as it is."""
    return images.to(torch.float32).div_(255) if images.dtype == torch.uint8 else images


def random_shift(images: Tensor, pixels: int, generator: torch.Generator) -> Tensor:
    """Each image `(C, H, W)` moved by its own random (dy, dx), both in -pixels…pixels; zeros move in."""
    count, _, height, width = images.shape
    offset = torch.randint(2 * pixels + 1, (2, count), generator=generator).to(images.device)
    windows = F.pad(images, [pixels] * 4).unfold(2, height, 1).unfold(3, width, 1)
    return windows[torch.arange(count, device=images.device), :, offset[0], offset[1]]


def random_flip(images: Tensor, generator: torch.Generator) -> Tensor:
    """Each image `(C, H, W)` of a batch as it is or mirrored left to right, by chance."""
    mirrored = torch.randint(2, (len(images), 1, 1, 1), generator=generator, dtype=torch.bool).to(
        images.device
    )
    return torch.where(mirrored, images.flip(3), images)


def hold_out(where: object, rest: np.ndarray, labels: np.ndarray, seed: int) -> list[np.ndarray]:
    """Part the examples `rest`, places in `labels`, in equal shares of the classes: what stays, and a fifth.

    Raises DataError, which begins with `where`, when a class has too few of them.
    """
    from sklearn.model_selection import train_test_split

    try:
        return train_test_split(rest, test_size=HELD_OUT, stratify=labels[rest], random_state=seed)
    except ValueError as error:
        raise DataError(f"{where}: {len(rest)} examples are too few to hold a fifth out: {error}") from error


def folder() -> Path:
    """Where datasets lie, in torchvision's layout: `FFTOOLS_DATA_DIR`, else a folder of the user's cache.

    Raises DataError when it lies in a home that nobody knows.
    """
    try:
        return Path(os.environ.get("FFTOOLS_DATA_DIR") or "~/.cache/fftools").expanduser()
    except RuntimeError as error:
        raise DataError(
            f"no folder for data: {error} To mend it, set FFTOOLS_DATA_DIR to a folder's full path."
        ) from error


def remember(function: Callable, *arguments, ignore: Sequence[str] = ()):
    """`function(*arguments)`, kept by joblib in `folder()`/.cache, whole or not at all, where one may write.

    Arguments named in `ignore` do not count. The cache may be deleted at any time; beyond 8 GB its oldest
    results go.
    """
    from joblib import Memory

    try:
        place = folder() / ".cache"
        place.mkdir(parents=True, exist_ok=True)
    except (DataError, OSError):
        return function(*arguments)
    if not os.access(place, os.W_OK):
        return function(*arguments)
    memory = Memory(place, verbose=0)
    try:
        return memory.cache(function, ignore=list(ignore))(*arguments)
    finally:
        for part in place.rglob(f"output.pkl.*-{os.getpid()}-*"):  # joblib leaves what a full disk cut short
            part.unlink(missing_ok=True)
        memory.reduce_size(bytes_limit="8G")
