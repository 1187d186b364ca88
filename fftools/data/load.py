"""One call for every dataset: MNIST, Fashion-MNIST, CIFAR, digits, tables and texts, your own images."""

import os
import sys
from dataclasses import replace
from pathlib import Path

import torch

from fftools.data import pictures
from fftools.data.split import DataError, Dataset, folder

TABLES = ("breast_cancer", "imdb", "santander")
NAMES = (*pictures.STATISTICS, *TABLES, "digits")


def pick_device(device: str | torch.device = "auto") -> torch.device:
    """`"auto"`: CUDA where there is one, else Apple's MPS, else the CPU; anything else is taken as it is."""
    if device != "auto":
        return torch.device(device)
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def load(
    name: str | os.PathLike, device: str | torch.device = "auto", fallback: str | None = None, **options
) -> Dataset:
    """Load a dataset to `device`: one of `NAMES` (mnist, cifar10, imdb, digits, …), or a folder of images, by
    path or its name in `folder()`.

    torchvision's datasets are downloaded if `folder()` does not hold them; `folder()`/cifar100/train/… and
    the like, images in a folder of their own, also count. `"digits"` needs no network. With
    `fallback="digits"` a dataset that cannot be had is replaced by it under a banner. `options` belong to the
    kind of data: see `image_folder`, `reviews.imdb`, and the functions of the tables' names in `tables`.

    Raises ValueError for an unknown name, TypeError for an unknown option, DataError for lost or broken data.
    """
    device = pick_device(device)
    try:
        return _load(name, **options).to(device)
    except (DataError, OSError) as error:  # OSError: a disk, a name or a right
        if fallback is None:
            what = "" if isinstance(error, DataError) else f"{name} cannot be read: "
            raise DataError(f"{what}{error}") from error
        instead = load(fallback, device)
        _banner(os.fspath(name), instead, error)
        return instead


def _load(name: str | os.PathLike, **options) -> Dataset:
    if name == "digits":
        return pictures.digits(**options)
    if name in TABLES:
        from fftools.data import reviews, tables

        return getattr(reviews if name == "imdb" else tables, name)(**options)
    from fftools.data.image_folder import image_folder

    if name not in pictures.STATISTICS:
        return image_folder(_find(name), **options)
    if any((folder() / pictures.subfolder(name)).glob("*")) or not os.path.isdir(folder() / name):
        return pictures.pictures(name, **options)
    return replace(image_folder(folder() / name, **options), name=name)


def _find(name: str | os.PathLike) -> Path:
    """The folder that is meant. A path that does not exist is missing data, a bare word an unknown name."""
    if isinstance(name, str | os.PathLike) and os.fspath(name):
        path = Path(os.path.expanduser(name))
        if os.path.isdir(path):  # unlike Path's, false for what cannot even be a path
            return path.resolve()
        if os.path.isdir(inside := folder() / path):
            return inside
        if len(path.parts) > 1 or isinstance(name, os.PathLike):
            raise DataError(f"there is no folder {path}, nor {inside}")
    raise ValueError(f"unknown dataset {name!r}; expected one of {', '.join(NAMES)}, or a folder of images")


def _banner(name: str, instead: Dataset, error: Exception) -> None:
    line, count = "!" * 100, f"{len(instead.train):,} training examples"
    told = f"{name} COULD NOT BE HAD. This page now runs on {instead.name!r}: {count}."
    told += f"\n  Every number below belongs to {instead.name!r}, not to {name}. Reason:\n  {error}"
    print(f"{line}\n  {told}\n{line}", file=sys.stderr)
