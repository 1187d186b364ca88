"""Your own images: a folder in the layout of torchvision's ImageFolder, where each class has a subfolder."""

import os
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torchvision.datasets.folder import IMG_EXTENSIONS, make_dataset

from fftools.data.split import DataError, Dataset, Split, hold_out, remember

GREY, COLOUR = (
    ("1", "L", "LA"),
    ("P", "PA", "RGB", "RGBA", "CMYK", "YCbCr"),
)  # modes of 8 bits a channel, as Pillow calls them


def image_folder(root: Path, size: int | None = None) -> Dataset:
    """The images in `root`/train/<class>/, and in validation/ (or val/) and test/ where `root` has them.

    size    sides of the images in pixels: each is scaled until it covers the square, its middle cut out.
            Without it all must have one size already.

    A missing test, then a missing validation split is a fifth of the training images, drawn with a fixed
    seed and equal shares of the classes; every split is shuffled with a fixed seed. Images are grey, `(N,
    1, H, W)` uint8, if all files are, else `(N, 3, H, W)`. Transparency is dropped, photographs are
    turned upright, hidden files do not count. What was decoded is kept, see `remember`, until a file is
    added, changed or removed.

    Raises DataError, with the name of the file or folder, when train/ is missing or has fewer than two
    classes, a class has no images or is in another part only, a file is no image of 8 bits a channel, or
    of another size than the first; ValueError when `size` is no positive whole number.
    """
    if size is not None and not (isinstance(size, int) and size >= 1):
        raise ValueError(f"size must be a positive whole number of pixels; got {size!r}")
    held_out = "validation" if (root / "validation").is_dir() else "val"
    folders = dict(train=root / "train", validation=root / held_out, test=root / "test")
    if not folders["train"].is_dir():
        raise DataError(f"there is no folder {folders['train']}; expected {root}/train/<class>/<image files>")
    classes = _subfolders(folders["train"])
    if len(classes) < 2:
        raise DataError(
            f"{folders['train']} should hold a subfolder for each of two classes or more; it has {classes}"
        )
    found = {part: list(_files(path, classes)) for part, path in folders.items() if path.is_dir()}
    paths, labels = zip(*sum(found.values(), []))
    images, labels = (
        remember(_decode, paths, size, [_stamp(path) for path in paths], ignore=["paths"]),
        np.array(labels),
    )
    chance, ends = np.random.RandomState(0), np.cumsum([len(files) for files in found.values()])
    places = {
        part: end - 1 - chance.permutation(len(files)) for (part, files), end in zip(found.items(), ends)
    }
    source = f"image folder {root.name}, shuffled with a fixed seed"
    for part in (part for part in ("test", "validation") if part not in found):
        places["train"], places[part] = hold_out(root, places["train"], labels, seed=0)
        source += f"; {part}: a stratified fifth of train"
    splits = {
        part: Split(torch.from_numpy(images[at]), torch.from_numpy(labels[at])) for part, at in places.items()
    }
    return Dataset(root.name, **splits, names=tuple(classes), source=source)


def _subfolders(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def _files(path: Path, classes: list[str]) -> Iterator[tuple[str, int]]:
    """Each image file of one part and its class's number, classes and files in the order of their names."""
    if unknown := set(_subfolders(path)) - set(classes):
        raise DataError(f"{path / min(unknown)} is no class of train/, which has {', '.join(classes)}")
    shown = lambda file: not Path(file).name.startswith(".") and file.lower().endswith(IMG_EXTENSIONS)
    numbers = {name: number for number, name in enumerate(classes)}
    files = make_dataset(path, numbers, is_valid_file=shown, allow_empty=True)
    empty = [name for name in classes if numbers[name] not in {number for _, number in files}]
    if empty and (path.name == "train" or not files):
        raise DataError(f"{path / empty[0]} holds no image ({', '.join(IMG_EXTENSIONS)})")
    yield from files


def _stamp(path: str) -> tuple[str, int, int]:
    """What changes with a file. Raises DataError when it is none, or a link to none."""
    try:
        told = os.stat(path)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    if not stat.S_ISREG(told.st_mode):
        raise DataError(f"{path} is no file")
    return path, told.st_size, told.st_mtime_ns


def _decode(paths: tuple[str, ...], size: int | None, stamps: list) -> np.ndarray:
    """All images as one array `(N, C, H, W)`, uint8. `stamps` are for the cache."""
    pictures = []
    with ThreadPoolExecutor() as pool:  # decoding lets go of the interpreter's lock
        for path, picture in zip(paths, pool.map(partial(_picture, size=size), paths)):
            pictures.append(picture)
            if picture.shape[:2] != pictures[0].shape[:2]:
                told = (
                    f"{name} has {x.shape[1]}×{x.shape[0]} pixels"
                    for name, x in ((path, picture), (paths[0], pictures[0]))
                )
                raise DataError(f"{', '.join(told)}; all need one size. To mend it, load with size=…")
    images = np.empty((len(pictures), max(x.shape[2] for x in pictures), *pictures[0].shape[:2]), np.uint8)
    for place, picture in zip(images, pictures):
        place[:] = picture.transpose(2, 0, 1)  # a grey one among coloured ones is repeated
    return images


def _picture(path: str, size: int | None) -> np.ndarray:
    """One image `(H, W, 1 or 3)`, uint8."""
    try:
        with Image.open(path) as image:
            if image.mode not in GREY + COLOUR:
                raise ValueError(f"its pixels are of mode {image.mode}, not of 8 bits a channel")
            image = ImageOps.exif_transpose(image.convert("L" if image.mode in GREY else "RGB"))
            image = ImageOps.fit(image, (size, size), Image.Resampling.LANCZOS) if size else image
            return np.asarray(image).reshape(image.height, image.width, -1)
    except Exception as error:  # Pillow raises whatever its decoders raise
        raise DataError(
            f"{path} is no image that can be read: {error}. To mend it, replace or delete it"
        ) from error
