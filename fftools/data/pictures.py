"""torchvision's datasets, their files checked, and scikit-learn's digits, which need no network."""

import socket
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from filelock import FileLock

from fftools.data.split import DataError, Dataset, Split, folder

# Mean and standard deviation of each channel of the training images in [0, 1]: the customary constants.
STATISTICS = {
    "mnist": ([0.1307], [0.3081]),
    "fashion_mnist": ([0.2860], [0.3530]),
    "cifar10": ([0.4914, 0.4822, 0.4465], [0.2470, 0.2435, 0.2616]),
    "cifar100": ([0.5071, 0.4865, 0.4409], [0.2673, 0.2564, 0.2762]),
}
# MD5 of the unpacked IDX files: torchvision verifies only the archives it downloads, not what lies on disk.
MD5 = {
    "MNIST/raw/train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "MNIST/raw/train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "MNIST/raw/t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "MNIST/raw/t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
    "FashionMNIST/raw/train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
    "FashionMNIST/raw/train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
    "FashionMNIST/raw/t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
    "FashionMNIST/raw/t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
}
PATIENCE = 10.0  # seconds: a host that does not answer must not hold a notebook for minutes
HELD_OUT = 10_000  # the last so many training images are for validation


def pictures(name: str) -> Dataset:
    """One of torchvision's datasets `(N, C, H, W)`, the last 10,000 training images held out for validation.

    Downloads what `folder()` does not hold. Raises DataError when that fails or a file is broken.
    """
    root = folder()
    try:
        try:
            train, test = _read(name, root)
        except Exception:  # nothing there, or half of it: another process may be downloading
            with _alone(root / f".{name}.lock"):
                train, test = _read(name, root, download=True)
    except Exception as error:  # torchvision raises whatever its sockets, pickles and parsers raise
        where = subfolder(name)
        raise DataError(
            f"{name}: not found in {root}, and the download failed ({error}). To mend it, delete "
            f"{root / where} and run `python -m fftools data {name}` with a network, or set FFTOOLS_DATA_DIR "
            "to its folder."
        ) from error
    names = tuple(called.split(" - ")[0] for called in train.classes)  # MNIST's are "0 - zero" and so on
    train, test = _split(train), _split(test)
    return Dataset(name, train[:-HELD_OUT], train[-HELD_OUT:], test, names=names, source="torchvision")


def subfolder(name: str) -> str:
    """Where torchvision keeps a dataset's files."""
    kind = _kind(name)
    return getattr(kind, "base_folder", f"{kind.__name__}/raw")


def _kind(name: str) -> type:
    from torchvision import datasets  # takes longer to import than all the rest

    kinds = datasets.MNIST, datasets.FashionMNIST, datasets.CIFAR10, datasets.CIFAR100
    return dict(zip(STATISTICS, kinds))[name]


def _read(name: str, root: Path, download: bool = False) -> list:
    """Training and test part. Files that are there must have their checksums (torchvision checks CIFAR's)."""
    from torchvision.datasets.utils import check_integrity

    for relative, md5 in MD5.items():
        path = root / relative
        if relative.startswith(subfolder(name)) and path.exists() and not check_integrity(path, md5):
            raise OSError(f"{path} is truncated or corrupt: its checksum is not {md5}")
    return [_kind(name)(root, train=train, download=download) for train in (True, False)]


def _split(part) -> Split:
    images = torch.as_tensor(np.asarray(part.data))
    images = images.unsqueeze(1) if images.dim() == 3 else images.permute(0, 3, 1, 2)
    return Split(images.contiguous(), torch.as_tensor(part.targets, dtype=torch.int64))


@contextmanager
def _alone(lock: Path):
    """One process at a time downloads, and gives up on a silent host after `PATIENCE`.

    Where no lock can be had, on another user's disk, no one waits.
    """
    held, before = FileLock(lock, mode=0o666), socket.getdefaulttimeout()  # others may take the lock, too
    with suppress(OSError, NotImplementedError):
        lock.parent.mkdir(parents=True, exist_ok=True)
        held.acquire()
    socket.setdefaulttimeout(PATIENCE)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
        held.release()


def digits() -> Dataset:
    """scikit-learn's 1,797 digits of 8×8 pixels, brought to 20×20 and framed to 28×28, as MNIST's are."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = torch.as_tensor(bunch.images, dtype=torch.float32).unsqueeze(1) / 16
    images = F.pad(F.interpolate(images, size=(20, 20), mode="bilinear", antialias=True), [4] * 4)
    whole = Split((images * 255).round().to(torch.uint8), torch.as_tensor(bunch.target))
    whole = whole[torch.randperm(len(whole), generator=torch.Generator().manual_seed(0))]
    names = tuple(map(str, bunch.target_names))
    return Dataset("digits", whole[:1297], whole[1297:1497], whole[1497:], names=names, source="scikit-learn")
