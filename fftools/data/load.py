"""One call for every dataset: MNIST, Fashion-MNIST, CIFAR, scikit-learn's digits, and tables and texts."""

import sys

import torch

from fftools.data import pictures
from fftools.data.split import DataError, Dataset, Split

TABLES = ("breast_cancer", "imdb", "santander")
NAMES = ("mnist", "fashion_mnist", "cifar10", "cifar100", *TABLES, "digits")


def pick_device(device: str | torch.device = "auto") -> torch.device:
    """`"auto"` is CUDA where there is one, else Apple's MPS, else the CPU; anything else is taken as it is."""
    if device != "auto":
        return torch.device(device)
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def load(name: str, device: str | torch.device = "auto", fallback: str | None = None, **options) -> Dataset:
    """Load a dataset to `device`, downloading it through torchvision if `folder()` does not hold it.

    MNIST, Fashion-MNIST and CIFAR keep their last 10,000 training images for validation. `"digits"` is
    scikit-learn's bundled set of 1,797 real handwritten digits (8×8, brought to 28×28), which needs no
    network. With `fallback="digits"` a dataset that cannot be had is replaced by it under a banner.
    `options` belong to the data that are no images: see the function of the same name in `fftools.data.tables`.

    Raises ValueError for an unknown name, TypeError for an unknown option, DataError when the data are missing or broken.
    """
    if name not in NAMES:
        raise ValueError(f"unknown dataset {name!r}; expected one of {', '.join(NAMES)}")
    try:
        return _load(name, **options).to(pick_device(device))
    except DataError as error:
        if fallback is None:
            raise
        found = load(fallback, device)
        _banner(name, found, error)
        return found


def _load(name: str, **options) -> Dataset:
    if name in TABLES:
        from fftools.data import tables

        return getattr(tables, name)(**options)
    train, test, held_out = pictures.digits(**options) if name == "digits" else pictures.pictures(name, **options)
    train = Split(*train)
    return Dataset(name, train[:-held_out], train[-held_out:], Split(*test))


def _banner(name: str, found: Dataset, error: DataError) -> None:
    line = "!" * 100
    print(
        f"{line}\n  {name} COULD NOT BE HAD. This page now runs on {found.name!r}: {len(found.train):,} training examples.\n"
        f"  Every number below belongs to {found.name!r}, not to {name}. Reason:\n  {error}\n{line}",
        file=sys.stderr,
    )
