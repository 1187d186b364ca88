"""Splits, batches, shifts; and what happens when a dataset is missing, broken or out of reach."""

import builtins
import hashlib
import os
import pickle
import socket
import threading

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from fftools import data
from fftools.data import DataError, Split, pictures, random_shift

# --- splits and batches ------------------------------------------------------------------------------------


@pytest.fixture
def numbered():
    """23 images; image i is filled with i and labelled i."""
    numbers = torch.arange(23)
    return Split(numbers.to(torch.uint8).view(-1, 1, 1, 1).expand(-1, 2, 6, 6).contiguous(), numbers)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_split_slices_and_joins(numbered):
    assert numbered[3:5].labels.tolist() == [3, 4]
    assert numbered[torch.tensor([7, 1])].images[:, 0, 0, 0].tolist() == [7, 1]
    both = numbered[:2] + numbered[20:]
    assert len(both) == 5 and both.labels.tolist() == [0, 1, 20, 21, 22]
    assert both.images[:, 0, 0, 0].tolist() == [0, 1, 20, 21, 22]


def test_floats_go_from_0_to_1():
    split = Split(
        torch.tensor([0, 51, 255], dtype=torch.uint8).view(3, 1, 1, 1), torch.zeros(3, dtype=torch.int64)
    )
    torch.testing.assert_close(split.floats().flatten(), torch.tensor([0, 0.2, 1.0]), rtol=0, atol=1e-7)
    assert split.images.dtype == torch.uint8  # unchanged


def test_batches_cover_each_image_at_most_once_and_drop_the_rest(numbered):
    found = list(numbered.batches(5, generator()))
    assert [images.shape for images, _ in found] == [(5, 2, 6, 6)] * 4
    labels = torch.cat([labels for _, labels in found])
    assert len(set(labels.tolist())) == 20
    images = torch.cat([images for images, _ in found])
    assert images.dtype == torch.float32
    torch.testing.assert_close(images[:, 1, 2, 3] * 255, labels.float())  # each label stays with its image
    everything = torch.cat([labels for _, labels in numbered.batches(23, generator())])
    assert sorted(everything.tolist()) == list(range(23))


def test_batches_are_ordered_by_the_generator_alone(numbered):
    def epochs(seed):
        source = generator(seed)
        return [torch.cat([labels for _, labels in numbered.batches(5, source)]).tolist() for _ in range(2)]

    first = epochs(1)
    torch.rand(100)  # the global generator plays no part
    assert epochs(1) == first
    assert first[0] != first[1], "a second epoch is shuffled anew"
    assert epochs(2) != first


@pytest.mark.parametrize(
    "images, labels",
    [
        (torch.zeros(400, 1, 8, 8), torch.zeros(300, dtype=torch.int64)),  # one label an image
        (torch.zeros(300, 1, 8, 8), torch.zeros(400, dtype=torch.int64)),
        (torch.zeros(0, 1, 8, 8), torch.zeros(0, dtype=torch.int64)),  # nothing at all
        (torch.zeros(3, 8, 8), torch.zeros(3, dtype=torch.int64)),  # no channels
        (torch.zeros(3, 1, 8, 8), torch.zeros(3)),  # labels that do not count
        (torch.zeros(3, 1, 8, 8), torch.zeros(3, 10, dtype=torch.int64)),  # one-hot labels
        (torch.zeros(3, 1, 8, 8), torch.tensor(3)),
        (torch.zeros(3, 1, 8, 8), torch.zeros(3, dtype=torch.int64, device="meta")),
    ],
)
def test_images_and_labels_must_belong_together(images, labels):
    wanted = r"images \(N, C, H, W\).*labels \(N,\) int64.*one device; got .*on cpu and .* on"
    with pytest.raises(ValueError, match=wanted) as error:
        Split(images, labels)
    assert str(tuple(images.shape)) in str(error.value) and str(tuple(labels.shape)) in str(error.value)


def test_an_empty_part_and_numpy_arrays_are_no_split(numbered):
    for which in (slice(0), slice(30, 40), torch.zeros(23, dtype=torch.bool)):
        with pytest.raises(ValueError, match="at least one"):
            numbered[which]
    with pytest.raises(ValueError, match="a split needs tensors.*; got ndarray and ndarray"):
        Split(np.zeros((3, 1, 8, 8), np.uint8), np.zeros(3, int))


@pytest.mark.parametrize("size", [0, -1, 24])
def test_batch_size_must_fit(numbered, size):
    with pytest.raises(ValueError, match=f"between 1 and the number of images, 23; got {size}"):
        next(numbered.batches(size, generator()))


def test_random_shift_equals_a_loop():
    images = torch.rand(40, 3, 7, 9, generator=generator(4))
    found = random_shift(images, 2, generator(8))
    offsets = torch.randint(5, (2, 40), generator=generator(8))  # as the function draws them
    for image, result, top, left in zip(images, found, *offsets.tolist()):
        expected = torch.zeros(3, 7, 9)
        for y in range(7):
            for x in range(9):
                source_y, source_x = y + top - 2, x + left - 2
                if 0 <= source_y < 7 and 0 <= source_x < 9:
                    expected[:, y, x] = image[:, source_y, source_x]
        assert torch.equal(result, expected)


def test_shifts_reach_every_offset_equally():
    dots = torch.zeros(5000, 1, 9, 9)
    dots[:, 0, 4, 4] = 1
    where = random_shift(dots, 2, generator()).flatten(1).argmax(1)
    counts = torch.bincount(where, minlength=81).view(9, 9)
    assert counts.sum() == counts[2:7, 2:7].sum() == 5000
    expected = 5000 / 25
    assert (
        (counts[2:7, 2:7] - expected) ** 2 / expected
    ).sum() < 61  # 24 degrees of freedom, 99.99 % quantile


def test_batches_shift_by_request(numbered):
    plain, moved = (next(iter(numbered.batches(23, generator(3), shift))) for shift in (0, 2))
    assert torch.equal(plain[1], moved[1])
    assert not torch.equal(plain[0], moved[0])
    assert torch.equal(
        plain[0][:, :, 2:4, 2:4], moved[0][:, :, 2:4, 2:4]
    )  # at most 2 pixels: the centre keeps its value


# --- the embedded digits -----------------------------------------------------------------------------------


def test_half_of_the_images_are_mirrored_by_request():
    images = torch.randint(256, (2_000, 2, 3, 4), dtype=torch.uint8)
    split = Split(images, torch.arange(2_000))
    assert all(
        torch.equal(found, split[labels].floats()) for found, labels in split.batches(100, generator())
    )
    mirrored = 0
    for found, labels in split.batches(100, generator(), flip=True):
        same = (found == split[labels].floats()).flatten(1).all(1)
        turned = (found == split[labels].floats().flip(3)).flatten(1).all(1)
        assert (same | turned).all()
        mirrored += int(turned.sum())
    assert 900 < mirrored < 1_100


def test_digits_are_scikit_learns_brought_to_28_pixels(digits):
    from sklearn.datasets import load_digits

    assert (len(digits.train), len(digits.validation), len(digits.test)) == (1297, 200, 300)
    assert digits.name == "digits" and digits.classes == 10 and digits.shape == (1, 28, 28)
    whole = digits.train + digits.validation + digits.test
    assert whole.images.dtype == torch.uint8 and whole.labels.dtype == torch.int64
    raw = load_digits()
    order = torch.randperm(1797, generator=generator(0))
    assert torch.equal(whole.labels, torch.as_tensor(raw.target)[order])
    small = F.interpolate(whole.floats()[:, :, 4:24, 4:24], size=(8, 8), mode="area").flatten()
    original = torch.as_tensor(raw.images, dtype=torch.float32)[order].flatten()
    assert torch.corrcoef(torch.stack([small, original]))[0, 1] > 0.95
    assert whole.images[:, :, :4].max() == 0 and whole.images[:, :, :, 24:].max() == 0  # MNIST's empty frame


def test_digits_are_the_same_every_time(digits):
    again = data.load("digits", "cpu")
    assert torch.equal(again.train.images, digits.train.images) and torch.equal(
        again.test.labels, digits.test.labels
    )


def test_unknown_names_are_refused():
    for fallback in (None, "digits"):
        with pytest.raises(ValueError, match="'mnits'.*" + ", ".join(data.NAMES)):
            data.load("mnits", fallback=fallback)


def test_pick_device(monkeypatch):
    assert data.pick_device("cpu") == torch.device("cpu")
    for cuda, mps, expected in [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")]:
        monkeypatch.setattr(torch.cuda, "is_available", lambda cuda=cuda: cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda mps=mps: mps)
        assert data.pick_device("auto") == torch.device(expected)


def test_folder_comes_from_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("FFTOOLS_DATA_DIR", str(tmp_path))
    assert data.folder() == tmp_path
    monkeypatch.setenv("FFTOOLS_DATA_DIR", "")
    assert data.folder().parts[-2:] == (".cache", "fftools")


@pytest.mark.parametrize("named", [None, "~nobody-of-this-name/data", "~\udcff/data"])
def test_without_a_home_there_is_a_message_and_the_fallback(monkeypatch, named, capsys):
    """A container's user without an entry in the list of users."""
    for name in ("HOME", "FFTOOLS_DATA_DIR", "USERPROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", lambda uid: (_ for _ in ()).throw(KeyError(uid)))
    if named:
        monkeypatch.setenv("FFTOOLS_DATA_DIR", named)
    for name in ("mnist", "cifar100", "imdb", "santander", "some/folder"):
        with pytest.raises(DataError, match="no folder for data.*To mend it, set FFTOOLS_DATA_DIR"):
            data.load(name, "cpu")
        assert data.load(name, "cpu", fallback="digits").name == "digits"
    assert "COULD NOT BE HAD" in capsys.readouterr().err


@pytest.mark.parametrize("named", ["x" * 5000, "/proc/nowhere/here", "/dev/null"])
def test_an_impossible_folder_is_a_data_error(monkeypatch, named):
    monkeypatch.setenv("FFTOOLS_DATA_DIR", named)
    for name in ("mnist", "cifar100", "imdb", "santander"):
        with pytest.raises(DataError, match=name):
            data.load(name, "cpu")


# --- files on disk -----------------------------------------------------------------------------------------


def idx(array: np.ndarray) -> bytes:
    """An array of bytes in MNIST's file format."""
    return (
        bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape) + array.tobytes()
    )


@pytest.fixture
def mnist_files(monkeypatch, tmp_path):
    """A dataset in MNIST's place: 10,020 training images (20 + 10,000 for validation) and 30 for the test."""
    generator = np.random.default_rng(0)
    parts = {
        "train-images-idx3-ubyte": generator.integers(256, size=(10_020, 28, 28), dtype=np.uint8),
        "train-labels-idx1-ubyte": generator.integers(10, size=10_020, dtype=np.uint8),
        "t10k-images-idx3-ubyte": generator.integers(256, size=(30, 28, 28), dtype=np.uint8),
        "t10k-labels-idx1-ubyte": generator.integers(10, size=30, dtype=np.uint8),
    }
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name, array in parts.items():
        (raw / name).write_bytes(idx(array))
        monkeypatch.setitem(pictures.MD5, f"MNIST/raw/{name}", hashlib.md5(idx(array)).hexdigest())
    monkeypatch.setenv("FFTOOLS_DATA_DIR", str(tmp_path))
    return raw, parts


def test_mnist_is_read_and_split(mnist_files):
    _, parts = mnist_files
    found = data.load("mnist", "cpu")
    images, labels = parts["train-images-idx3-ubyte"], parts["train-labels-idx1-ubyte"]
    assert (len(found.train), len(found.validation), len(found.test)) == (20, 10_000, 30)
    assert found.train.images.shape == (20, 1, 28, 28) and found.train.labels.dtype == torch.int64
    assert np.array_equal(found.train.images[:, 0].numpy(), images[:20])
    assert np.array_equal(found.validation.images[:, 0].numpy(), images[20:])
    assert np.array_equal(found.validation.labels.numpy(), labels[20:])
    assert np.array_equal(found.test.images[:, 0].numpy(), parts["t10k-images-idx3-ubyte"])


def says_all(error, name, path) -> None:
    """The message says what is broken, where it lies, and how to mend it."""
    for part in (name, str(path), "To mend it", f"python -m fftools data {name}", "FFTOOLS_DATA_DIR"):
        assert part in str(error.value), f"{part!r} is missing in: {error.value}"


def truncate(path):
    path.write_bytes(path.read_bytes()[:-100])


def empty(path):
    path.write_bytes(b"")


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def put_folder(path):
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("damage", [truncate, empty, flip, put_folder])
@pytest.mark.parametrize("name", ["train-images-idx3-ubyte", "t10k-labels-idx1-ubyte"])
def test_broken_files_are_found_and_named(mnist_files, damage, name):
    raw, _ = mnist_files
    damage(raw / name)
    with pytest.raises(DataError) as error:
        data.load("mnist", "cpu")
    says_all(error, "mnist", raw / name)


def test_missing_file_and_no_network(mnist_files):
    raw, _ = mnist_files
    (raw / "t10k-images-idx3-ubyte").unlink()
    with pytest.raises(DataError) as error:
        data.load("mnist", "cpu")
    says_all(error, "mnist", raw)


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "cifar10", "cifar100"])
def test_missing_dataset_and_no_network(monkeypatch, tmp_path, name):
    monkeypatch.setenv("FFTOOLS_DATA_DIR", str(tmp_path))
    with pytest.raises(DataError) as error:
        data.load(name, "cpu")
    says_all(error, name, tmp_path)


def test_a_host_that_never_answers_does_not_hold_anyone_up(monkeypatch, tmp_path):
    import time

    from torchvision.datasets import MNIST

    host = socket.create_server(("127.0.0.1", 0))
    kept = []
    threading.Thread(target=lambda: kept.append(host.accept()), daemon=True).start()  # accepts, and is silent
    monkeypatch.setenv("FFTOOLS_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(MNIST, "mirrors", [f"http://127.0.0.1:{host.getsockname()[1]}/"])
    monkeypatch.setenv("no_proxy", "127.0.0.1")  # the host is ours, whatever stands between us and others
    monkeypatch.setattr(pictures, "PATIENCE", 0.3)
    started = time.monotonic()
    with pytest.raises(DataError) as error:
        data.load("mnist", "cpu")
    assert time.monotonic() - started < 5
    says_all(error, "mnist", tmp_path)
    assert kept, "the host was never asked"
    assert socket.getdefaulttimeout() is None  # as before
    host.close()


def test_unreadable_files(monkeypatch, mnist_files):
    raw, _ = mnist_files
    refuse = raw / "train-labels-idx1-ubyte"
    if os.geteuid():
        refuse.chmod(0)
    else:  # root may read everything, so the refusal is acted out
        opened = builtins.open

        def open_(file, *arguments, **options):
            if str(file) == str(refuse):
                raise PermissionError(13, "Permission denied", str(file))
            return opened(file, *arguments, **options)

        monkeypatch.setattr(builtins, "open", open_)
    with pytest.raises(DataError) as error:
        data.load("mnist", "cpu")
    says_all(error, "mnist", refuse)


def test_unreadable_folder(monkeypatch, tmp_path):
    from pathlib import Path

    def exists(self, **options):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setenv("FFTOOLS_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(Path, "exists", exists)
    with pytest.raises(DataError) as error:
        data.load("mnist", "cpu")
    says_all(error, "mnist", tmp_path)


def test_data_folder_that_is_a_file(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("FFTOOLS_DATA_DIR", str(tmp_path / "file"))
    with pytest.raises(DataError) as error:
        data.load("mnist", "cpu")
    says_all(error, "mnist", tmp_path / "file")


def refuse(monkeypatch, error):
    """No lock can be had: another user's file, a disk for reading only, a file system that has none."""
    from filelock import FileLock

    def acquire(self, *_, **__):
        raise error

    monkeypatch.setattr(FileLock, "acquire", acquire)


@pytest.mark.parametrize(
    "error",
    [
        PermissionError(13, "Permission denied"),
        OSError(30, "Read-only file system"),
        NotImplementedError("FileSystem does not appear to support flock"),
    ],
)
def test_intact_files_are_read_without_a_lock(monkeypatch, mnist_files, error, capsys):
    raw, _ = mnist_files
    refuse(monkeypatch, error)
    assert data.load("mnist", "cpu", fallback="digits").name == "mnist" and not capsys.readouterr().err
    flip(raw / "t10k-labels-idx1-ubyte")
    with pytest.raises(DataError) as caught:
        data.load("mnist", "cpu")
    says_all(caught, "mnist", raw / "t10k-labels-idx1-ubyte")


def test_reading_leaves_no_lock_and_a_lock_is_for_everyone(mnist_files):
    raw, _ = mnist_files
    data.load("mnist", "cpu")
    assert not list(raw.parents[1].glob(".*.lock"))
    with pictures._alone(lock := raw.parents[1] / ".mnist.lock"):
        assert lock.stat().st_mode & 0o777 == 0o666


def test_half_of_a_download_is_waited_for(mnist_files):
    """Another process holds the lock and is not done; when it is, its files are read."""
    raw, _ = mnist_files
    whole = (raw / "train-images-idx3-ubyte").read_bytes()
    (raw / "train-images-idx3-ubyte").write_bytes(whole[:1000])
    found = []
    with pictures._alone(raw.parents[1] / ".mnist.lock"):
        reader = threading.Thread(target=lambda: found.append(data.load("mnist", "cpu")))
        reader.start()
        reader.join(0.5)
        assert reader.is_alive() and not found
        (raw / "train-images-idx3-ubyte").write_bytes(whole)
    reader.join(30)
    assert len(found) == 1 and len(found[0].train) == 20


def test_cifar_comes_in_channels_first(monkeypatch, tmp_path):
    from torchvision.datasets import CIFAR10

    folder, generator = tmp_path / "cifar-10-batches-py", np.random.default_rng(0)
    folder.mkdir()
    content = {"data_batch_1": 10_004, "test_batch": 6, "batches.meta": None}
    pixels = {}
    for name, count in content.items():
        pixels[name] = generator.integers(256, size=(count or 0, 3072), dtype=np.uint8)
        entry = (
            {"label_names": list("abcdefghij")}
            if count is None
            else {"data": pixels[name], "labels": [i % 10 for i in range(count)]}
        )
        (folder / name).write_bytes(pickle.dumps(entry))
    md5 = {name: hashlib.md5((folder / name).read_bytes()).hexdigest() for name in content}
    monkeypatch.setattr(CIFAR10, "train_list", [["data_batch_1", md5["data_batch_1"]]])
    monkeypatch.setattr(CIFAR10, "test_list", [["test_batch", md5["test_batch"]]])
    monkeypatch.setattr(
        CIFAR10, "meta", {"filename": "batches.meta", "key": "label_names", "md5": md5["batches.meta"]}
    )
    monkeypatch.setenv("FFTOOLS_DATA_DIR", str(tmp_path))
    found = data.load("cifar10", "cpu")
    assert found.shape == (3, 32, 32) and (len(found.train), len(found.test)) == (4, 6)
    # CIFAR's files hold an image as 1,024 red, then green, then blue bytes, row by row.
    assert np.array_equal(found.test.images.numpy(), pixels["test_batch"].reshape(-1, 3, 32, 32))
    assert found.test.labels.tolist() == [0, 1, 2, 3, 4, 5]
    flip(folder / "data_batch_1")  # a broken file is fetched anew, which fails here
    with pytest.raises(DataError) as error:
        data.load("cifar10", "cpu")
    says_all(error, "cifar10", folder)


def test_fallback_comes_with_a_banner(monkeypatch, tmp_path, capsys, digits):
    monkeypatch.setenv("FFTOOLS_DATA_DIR", str(tmp_path))
    found = data.load("mnist", "cpu", fallback="digits")
    assert found.name == "digits" and torch.equal(found.train.images, digits.train.images)
    said = capsys.readouterr().err
    assert "mnist COULD NOT BE HAD" in said and "!" * 80 in said
    assert "'digits', not to mnist" in said and str(tmp_path) in said and "To mend it" in said


def test_no_banner_when_the_data_are_there(mnist_files, capsys):
    assert data.load("mnist", "cpu", fallback="digits").name == "mnist"
    assert "COULD NOT" not in capsys.readouterr().err


# --- the real thing, where it is at hand --------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, shape, sizes, first",
    [
        ("mnist", (1, 28, 28), (50_000, 10_000, 10_000), [5, 0, 4, 1, 9]),
        ("fashion_mnist", (1, 28, 28), (50_000, 10_000, 10_000), [9, 0, 0, 3, 0]),
        ("cifar10", (3, 32, 32), (40_000, 10_000, 10_000), [6, 9, 9, 4, 1]),
        (
            "cifar100",
            (3, 32, 32),
            (40_000, 10_000, 10_000),
            None,
        ),  # in an order of its own, where it is a folder of images
    ],
)
def test_real_datasets(name, shape, sizes, first):
    held = [path for where in (name, pictures.subfolder(name)) for path in (data.folder() / where).rglob("*")]
    if not any(
        path.is_file() for path in held
    ):  # a download that failed, in a chapter's run, leaves empty folders
        pytest.skip(f"{name} is not in {data.folder()}")
    found = data.load(name, "cpu")
    classes = 100 if name == "cifar100" else 10
    assert found.shape == shape and found.classes == len(found.names) == classes
    assert (len(found.train), len(found.validation), len(found.test)) == sizes
    assert first is None or found.train.labels[:5].tolist() == first
    assert torch.bincount(found.test.labels).min() > 8_000 / classes
    pixels = (found.train + found.validation).images.double().div(255).transpose(0, 1).flatten(1)
    for constant, measured in zip(data.STATISTICS[name], (pixels.mean(1), pixels.std(1))):
        torch.testing.assert_close(torch.tensor(constant).double(), measured, atol=6e-5, rtol=0)
