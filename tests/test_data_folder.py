"""Your own images: what a folder gives, in which form, and which file is named when something is wrong."""

import os
import shutil
import stat
import time

import numpy as np
import pytest
import torch
from PIL import Image

from fftools import data
from fftools.blocks import mlp
from fftools.data import DataError, image_folder
from fftools.fit import fit
from fftools.readout import accuracy
from fftools.rules.mono_forward import MonoForward

CLASSES = ("apple", "bee", "car")


def save(path, array, **options) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, **options)


@pytest.fixture
def home(monkeypatch, tmp_path):
    """The data directory with a folder `shapes`: thirty grey images of 6×4 pixels a class, of 30 c + i."""
    monkeypatch.setenv("FFTOOLS_DATA_DIR", str(tmp_path / "data"))
    for number, name in enumerate(CLASSES):
        for i in range(30):
            save(
                tmp_path / "data" / "shapes" / "train" / name / f"{i:02}.png",
                np.full((4, 6), 30 * number + i, np.uint8),
            )
    return tmp_path / "data"


@pytest.fixture
def shapes(home):
    return home / "shapes"


def values(split) -> list[int]:
    return split.images[:, 0, 0, 0].tolist()


# ---- what a folder gives -------------------------------------------------------------------------


def test_a_folder_is_loaded_by_its_path_and_by_its_name(home, shapes, monkeypatch):
    found = data.load("shapes", "cpu")
    assert (
        found.name == "shapes" and found.names == CLASSES and found.classes == 3 and found.shape == (1, 4, 6)
    )
    assert found.train.images.dtype == torch.uint8 and found.train.labels.dtype == torch.int64
    assert "image folder shapes" in found.source and "validation: a stratified fifth of train" in found.source
    monkeypatch.chdir(home.parent)
    for name in (str(shapes), shapes, "data/shapes", "data/shapes/", "./data/shapes"):
        again = data.load(name, "cpu")
        assert again.name == "shapes" and torch.equal(again.train.images, found.train.images)


def test_missing_splits_are_drawn_with_equal_shares_and_every_image_once(shapes):
    found = data.load("shapes", "cpu")
    parts = found.train, found.validation, found.test
    assert [torch.bincount(part.labels).tolist() for part in parts] == [
        [19, 19, 20],
        [5, 5, 4],
        [6] * 3,
    ] or all(
        max(counts) - min(counts) <= 1 for counts in (torch.bincount(part.labels).tolist() for part in parts)
    )
    assert sorted(sum(map(values, parts), [])) == list(range(90))
    for part in parts:
        assert [value // 30 for value in values(part)] == part.labels.tolist(), (
            "each label stays with its image"
        )
        assert part.labels.tolist() != sorted(part.labels.tolist()), (
            "shuffled: a part of it holds all classes"
        )
    again = data.load("shapes", "cpu")
    assert all(
        torch.equal(one.images, getattr(again, name).images)
        for name, one in zip(("train", "validation", "test"), parts)
    ), "with a fixed seed"


@pytest.mark.parametrize("called", ["validation", "val"])
def test_splits_that_are_there_are_taken_as_they_are(shapes, called):
    for part in ("test", called):
        for name in CLASSES[:2]:  # a part may lack a class
            (shapes / part / name).mkdir(parents=True)
            for i in (0, 1):
                (shapes / "train" / name / f"{i + 2 * (part == 'test'):02}.png").rename(
                    shapes / part / name / f"{i}.png"
                )
    found = data.load("shapes", "cpu")
    assert sorted(values(found.validation)) == [0, 1, 30, 31] and sorted(values(found.test)) == [2, 3, 32, 33]
    assert len(found.train) == 82 and "stratified" not in found.source
    assert found.validation.labels.bincount().tolist() == [2, 2]


def test_two_folders_for_validation_are_refused(shapes):
    for part in ("validation", "val"):
        (shapes / part / "apple").mkdir(parents=True)
    with pytest.raises(DataError, match="shapes has both validation/ and val/"):
        data.load("shapes", "cpu")


def test_colour_comes_as_red_green_blue_and_grey_among_it_is_repeated(home):
    colour = np.random.default_rng(0).integers(256, size=(5, 3, 3), dtype=np.uint8)
    for name in ("a", "b"):
        for i in range(10):
            save(home / "mixed" / "train" / name / f"{i}.png", colour if i else np.full((5, 3), 7, np.uint8))
    found = data.load("mixed", "cpu")
    assert found.shape == (3, 5, 3)
    whole = found.train + found.validation + found.test
    plain = (whole.images == 7).flatten(1).all(1)
    assert plain.sum() == 2
    assert (whole.images[~plain] == torch.from_numpy(colour).permute(2, 0, 1)).all()


@pytest.mark.parametrize(
    "mode, ending, shape",
    [
        ("1", "png", 1),
        ("L", "jpg", 1),
        ("LA", "png", 1),
        ("P", "gif.png", 3),
        ("RGBA", "png", 3),
        ("CMYK", "jpg", 3),
        ("L", "bmp", 1),
        ("L", "tif", 1),
        ("L", "pgm", 1),
        ("RGB", "webp", 3),
        ("L", "PNG", 1),
    ],
)
def test_every_common_kind_of_file(home, mode, ending, shape):
    for name in ("a", "b"):
        for i in range(8):
            path = home / "kinds" / "train" / name / f"{i}.{ending}"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("L", (5, 4), 255).convert("RGB").convert(mode).save(path)
    found = data.load("kinds", "cpu")
    assert found.shape == (shape, 4, 5) and found.train.images.min() > 240


def test_size_brings_all_images_to_one_square(home):
    """The middle of each is kept: a bright square in the middle of a dark oblong fills the result."""
    for name, (height, width) in {"high": (40, 20), "wide": (20, 60)}.items():
        for i in range(10):
            picture = np.zeros((height, width), np.uint8)
            picture[height // 2 - 10 : height // 2 + 10, width // 2 - 10 : width // 2 + 10] = 200
            save(home / "sizes" / "train" / name / f"{i}.png", picture)
    found = data.load("sizes", "cpu", size=8)
    assert found.shape == (1, 8, 8) and found.train.images.min() > 180
    assert data.load("sizes", "cpu", size=30).shape == (1, 30, 30), "smaller ones are enlarged"
    for size in (0, -1, 2.5, "28", (28, 28)):
        with pytest.raises(ValueError, match="size must be a positive whole number of pixels; got"):
            data.load("sizes", "cpu", size=size)
    with pytest.raises(TypeError, match="sizes"):
        data.load("sizes", "cpu", sizes=8)


def test_photographs_are_turned_upright(home):
    tags = Image.Exif()
    tags[0x0112] = 6  # the camera lay on its side
    for name in ("a", "b"):
        for i in range(8):
            save(home / "photos" / "train" / name / f"{i}.jpg", np.zeros((4, 9), np.uint8), exif=tags)
    assert data.load("photos", "cpu").shape == (1, 9, 4)


def test_hidden_files_and_others_do_not_count(shapes):
    (shapes / "train" / ".ipynb_checkpoints").mkdir()
    (shapes / "train" / "bee" / "._00.png").write_bytes(b"what a Mac leaves")
    (shapes / "train" / "bee" / "notes.txt").write_text("thirty bees")
    (shapes / "train" / "README").write_text("shapes")
    found = data.load("shapes", "cpu")
    assert found.names == CLASSES and len(found.train + found.validation + found.test) == 90


def test_a_network_learns_a_folder(home):
    chance = np.random.default_rng(0)
    for name, place in {"left": 0, "right": 4}.items():
        for i in range(60):
            picture = chance.integers(60, size=(8, 8), dtype=np.uint8)
            picture[:, place : place + 4] += 120
            save(home / "sides" / "train" / name / f"{i}.png", picture)
    found = data.load("sides", "cpu")
    torch.manual_seed(0)
    learner = MonoForward(mlp([64, 16]), found.classes)
    fit(learner, found.train, epochs=10, batch_size=16, lr=1e-2)
    assert accuracy(learner.scores, found.test) == 1


# ---- torchvision's datasets as folders of images -------------------------------------------------


@pytest.mark.parametrize("name", ["cifar100", "cifar10", "mnist"])
def test_torchvisions_datasets_may_lie_as_images(home, shapes, name, monkeypatch):
    shutil.move(shapes, home / name)
    found = data.load(name, "cpu")
    assert found.name == name and len(found.train + found.validation + found.test) == 90
    assert f"image folder {name}, shuffled with a fixed seed" in found.source
    (home / data.pictures.subfolder(name)).mkdir(parents=True, exist_ok=True)
    (home / data.pictures.subfolder(name) / "begun").write_text("torchvision's own files go first")
    with pytest.raises(DataError, match=f"{name}: not found in"):
        data.load(name, "cpu")


def test_sources_are_told(home, shapes, digits):
    assert digits.source == "scikit-learn" and digits.names == tuple("0123456789")
    assert digits.to("meta").source == digits.source and digits.to("meta").classes == 10


# ---- the cache -----------------------------------------------------------------------------------


@pytest.fixture
def opened(monkeypatch):
    """Files that were decoded."""
    paths, picture = [], image_folder._picture
    monkeypatch.setattr(
        image_folder, "_picture", lambda path, size: paths.append(path) or picture(path, size)
    )
    return paths


def test_images_are_decoded_once_until_a_file_changes(home, shapes, opened):
    first = data.load("shapes", "cpu")
    assert len(opened) == 90
    assert torch.equal(data.load(shapes, "cpu").train.images, first.train.images) and len(opened) == 90
    data.load("shapes", "cpu", size=3)
    assert len(opened) == 180, "another size, other images"
    save(shapes / "train" / "bee" / "00.png", np.full((4, 6), 255, np.uint8))
    assert (
        255 in values((lambda d: d.train + d.validation + d.test)(data.load("shapes", "cpu")))
        and len(opened) == 270
    )
    (shapes / "train" / "bee" / "01.png").unlink()
    assert len((lambda d: d.train + d.validation + d.test)(data.load("shapes", "cpu"))) == 89


@pytest.mark.parametrize(
    "error",
    [
        OSError(28, "No space left on device"),
        PermissionError(13, "Permission denied"),
        OSError(30, "Read-only file system"),
    ],
)
def test_a_full_disk_costs_the_cache_and_nothing_else(home, shapes, monkeypatch, error):
    from joblib import numpy_pickle

    def dump(value, file, **options):
        file.write(b"some of it")
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(numpy_pickle, "dump", dump)
        with pytest.warns(Warning, match=error.strerror):
            found = data.load("shapes", "cpu")
    assert len(found.train) == 57 and not list((home / ".cache").rglob("output.pkl*"))
    assert torch.equal(data.load("shapes", "cpu").train.images, found.train.images)
    assert len(list((home / ".cache").rglob("output.pkl*"))) == 1


# ---- what is wrong is named ----------------------------------------------------------------------


def cut(path):
    path.write_bytes(path.read_bytes()[:45])


def empty(path):
    path.write_bytes(b"")


def text(path):
    path.write_text("no image at all")


def deep(path):
    Image.fromarray(np.full((4, 6), 40_000, np.uint16)).save(path)


def dangling(path):
    path.unlink()
    path.symlink_to("nowhere.png")


def pipe(path):
    path.unlink()
    os.mkfifo(path)


def larger(path):
    save(path, np.zeros((5, 6), np.uint8))


def a_bomb(path):
    """A head that promises 900 million pixels."""
    content = bytearray(path.read_bytes())
    content[16:24] = (30_000).to_bytes(4, "big") * 2
    path.write_bytes(content)


@pytest.mark.parametrize(
    "damage", [cut, empty, text, deep, dangling, pipe, larger, a_bomb], ids=lambda one: one.__name__
)
@pytest.mark.parametrize("name", ["apple/07.png", "car/29.png"])
def test_a_broken_file_is_named(shapes, damage, name, capsys):
    damage(shapes / "train" / name)
    started = time.monotonic()
    with pytest.raises(DataError) as error:
        data.load("shapes", "cpu")
    assert str(shapes / "train" / name) in str(error.value) and time.monotonic() - started < 5
    if damage is larger:
        assert (
            "has 6×5 pixels" in str(error.value)
            and "00.png has 6×4" in str(error.value)
            and "size=" in str(error.value)
        )
    assert data.load("shapes", "cpu", fallback="digits").name == "digits"
    assert "shapes COULD NOT BE HAD" in capsys.readouterr().err


def no_train(root):
    (root / "train").rename(root / "training")


def one_class(root):
    for name in CLASSES[1:]:
        shutil.rmtree(root / "train" / name)


def no_class(root):
    shutil.rmtree(root / "train")
    (root / "train").mkdir()


def an_empty_class(root):
    for path in (root / "train" / "bee").iterdir():
        path.unlink()


def an_unknown_class(root):
    (root / "test" / "zebra").mkdir(parents=True)


def an_empty_test(root):
    (root / "test").mkdir()


def a_file_for_a_class(root):
    one_class(root)
    (root / "train" / "bee").write_text("no folder")


def a_lonely_image(root):
    for path in sorted((root / "train" / "bee").iterdir())[1:]:
        path.unlink()


@pytest.mark.parametrize(
    "damage, told",
    [
        (no_train, r"there is no folder .*shapes/train; expected .*train/<class>"),
        (
            one_class,
            r"shapes/train should hold a subfolder for each of two classes or more; it has \['apple'\]",
        ),
        (no_class, r"shapes/train should hold .* it has \[\]"),
        (a_file_for_a_class, r"shapes/train should hold .* it has \['apple'\]"),
        (an_empty_class, r"train/bee holds no image \(\.jpg"),
        (an_unknown_class, r"test/zebra is not a class in train/, which has apple, bee, car"),
        (an_empty_test, r"shapes/test.* holds no image"),
        (a_lonely_image, r"shapes.*examples are too few to hold a fifth out"),
    ],
    ids=lambda one: getattr(one, "__name__", ""),
)
def test_a_folder_of_another_form_is_named(shapes, damage, told):
    damage(shapes)
    with pytest.raises(DataError, match=told):
        data.load("shapes", "cpu")


@pytest.mark.parametrize("link", ["train/apple/again", "train/bee/apples", "test"])
def test_an_image_that_is_linked_to_twice_is_named(shapes, link):
    """In a circle, as another class, or in another split, it would count twice or be tested on."""
    (shapes / link).symlink_to(shapes / ("train" if link == "test" else "train/apple"))
    with pytest.raises(DataError, match=r"apple.*are one file"):
        data.load("shapes", "cpu")


def test_a_folder_that_is_not_there(home):
    for name in ("no/such/folder", str(home / "nothing"), home / "nothing"):
        with pytest.raises(DataError, match="there is no folder"):
            data.load(name, "cpu")
    for name in ("", "shape", "CIFAR100", 3, None):
        with pytest.raises(ValueError, match="unknown dataset .*mnist.*, or a folder of images"):
            data.load(name, "cpu")


def test_a_folder_that_may_not_be_read(shapes, monkeypatch):
    closed = shapes / "train"
    scandir = os.scandir
    monkeypatch.setattr(
        os,
        "scandir",
        lambda path=".": (
            (_ for _ in ()).throw(PermissionError(13, "Permission denied", str(path)))
            if str(path) == str(closed)
            else scandir(path)
        ),
    )
    monkeypatch.setattr(
        os,
        "listdir",
        lambda path, listdir=os.listdir: (
            (_ for _ in ()).throw(PermissionError(13, "Permission denied", str(path)))
            if str(path) == str(closed)
            else listdir(path)
        ),
    )
    with pytest.raises(DataError, match="shapes.*cannot be read.*Permission denied"):
        data.load("shapes", "cpu")
    assert stat.S_ISDIR(closed.stat().st_mode)
