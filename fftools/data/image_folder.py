"""Your own images: a folder in the layout of torchvision's ImageFolder, where each class has a subfolder."""

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torchvision.datasets.folder import IMG_EXTENSIONS, make_dataset

from fftools.data.split import DataError, Dataset, Split, hold_out, remember
from fftools.inputs import expect

GREY, COLOUR = ("1", "L", "LA"), ("P", "PA", "RGB", "RGBA", "CMYK", "YCbCr")  # Pillow's of 8 bits a channel


def image_folder(root: Path, size: int | None = None) -> Dataset:
    """The images in `root`/train/<class>/, and in validation/ (or val/) and test/ where `root` has them.

    With `size` each image is scaled until it covers a square of so many pixels and its middle is cut out;
    without it all must have one size. A missing test, then a missing validation split is a fifth of the
    training images, in equal shares of the classes. Drawing and shuffling have a fixed seed. Images are
    uint8, `(N, 1, H, W)` if all files are grey, else `(N, 3, H, W)`. Transparency is dropped, pictures are
    turned upright, hidden files do not count. What was decoded is kept (`remember`) until a file is added,
    changed or gone.

    Raises DataError, naming the file or folder, when train/ is missing or has fewer than two classes, a class
    has no images or is in another part only, a file is no image of 8 bits a channel, of another size than the
    first, or linked to from a second place, or validation/ and val/ are both there; ValueError when `size` is
    no positive whole number.
    """
    fits = size is None or isinstance(size, int) and size is not True and size >= 1
    expect(fits, "size must be a positive whole number of pixels", size)
    train, validation, val, test = (root / part for part in ("train", "validation", "val", "test"))
    if validation.is_dir() and val.is_dir():
        raise DataError(f"{root} has both validation/ and val/; expected one of them")
    if not train.is_dir():
        raise DataError(f"there is no folder {train}; expected {root}/train/<class>/<image files>")
    classes = _subfolders(train)
    if len(classes) < 2:
        raise DataError(f"{train} should hold a subfolder for each of two classes or more; it has {classes}")
    folders = dict(train=train, validation=val if val.is_dir() else validation, test=test)
    files = {part: _files(path, classes) for part, path in folders.items() if path.is_dir()}
    paths, labels = zip(*sum(files.values(), []))
    images = remember(_decode, paths, size, _stamp(paths), ignore=["paths"])
    whole = Split(torch.from_numpy(images), torch.tensor(labels))
    chance, places, end = np.random.RandomState(0), {}, 0
    for part, inside in files.items():
        end += len(inside)
        places[part] = end - 1 - chance.permutation(len(inside))
    source = f"image folder {root.name}, shuffled with a fixed seed"
    for part in [part for part in ("test", "validation") if part not in places]:
        places["train"], places[part] = hold_out(root, places["train"], np.array(labels), seed=0)
        source += f"; {part}: a stratified fifth of train"
    splits = {part: whole[torch.from_numpy(at)] for part, at in places.items()}
    return Dataset(root.name, **splits, names=tuple(classes), source=source)


def _subfolders(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def _files(path: Path, classes: list[str]) -> list[tuple[str, int]]:
    """Each image file of one part and its class's number, classes and files in the order of their names."""
    if unknown := set(_subfolders(path)) - set(classes):
        raise DataError(f"{path / min(unknown)} is not a class in train/, which has {', '.join(classes)}")
    shown = lambda file: not Path(file).name.startswith(".") and file.lower().endswith(IMG_EXTENSIONS)
    numbers = {name: number for number, name in enumerate(classes)}
    files = make_dataset(path, numbers, is_valid_file=shown, allow_empty=True)
    empty = sorted({*numbers.values()} - {number for _, number in files})
    if empty and (path.name == "train" or not files):
        raise DataError(f"{path / classes[empty[0]]} holds no image ({', '.join(IMG_EXTENSIONS)})")
    return files


def _stamp(paths: tuple[str, ...]) -> str:
    """What changes with any of the files. Raises DataError when one is a link to none, or there twice."""
    stamp, seen = hashlib.sha256(), {}
    for path in paths:
        if not os.path.isfile(path):
            raise DataError(f"{path} is not a file")
        about = os.stat(path)
        if (other := seen.setdefault((about.st_dev, about.st_ino), path)) != path:
            raise DataError(f"{path} and {other} are one file; link to it from only one place")
        stamp.update(f"{path} {about.st_size} {about.st_mtime_ns}\n".encode(errors="surrogateescape"))
    return stamp.hexdigest()


def _decode(paths: tuple[str, ...], size: int | None, stamp: str) -> np.ndarray:
    """All images as one array `(N, C, H, W)`, uint8. `stamp` is for the cache."""
    with ThreadPoolExecutor() as pool:  # decoding lets go of the interpreter's lock
        pictures = list(pool.map(partial(_picture, size=size), paths))
    for path, picture in zip(paths, pictures):
        if picture.shape[:2] != pictures[0].shape[:2]:
            (h, w), (height, width) = picture.shape[:2], pictures[0].shape[:2]
            both = f"{path} has {w}×{h} pixels, {paths[0]} has {width}×{height}"
            raise DataError(f"{both}; all need one size. To mend it, load with size=…")
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
        told = f"{path} cannot be read as an image: {error}"
        raise DataError(f"{told}. To mend it, replace or delete it") from error
