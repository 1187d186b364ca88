"""10,000 inputs: each works, or raises errors that our docstrings name, within a second. Seeds are fixed."""

import json
import random
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import torch._dynamo  # torch loads it with the first operation on "meta", which takes longer than a second
from PIL import Image

from evidence import networks, records
from fftools import data
from fftools.blocks import cnn, mlp
from fftools.data import DataError, Split, tables
from fftools.fit import OutOfTime, TrainingError, constant, fit
from fftools.labels import Fourier, Hybrids, Morphology, Pixels
from fftools.readout import LinearReadout
from fftools.rules.backprop import Backprop
from fftools.rules.channel_wise import ChannelWise
from fftools.rules.feedback import DirectFeedbackAlignment, FeedbackAlignment
from fftools.rules.forward_forward import ForwardForward
from fftools.rules.mono_forward import MonoForward

ROOT = Path(__file__).resolve().parents[1]
CLASSES, SIDE = 4, 8


def fuzz(cases: int, attempt, errors=(ValueError,), seed: str = "") -> None:
    """Call `attempt(chance)` so often; a case's random numbers are the same every time."""
    worked, failed = 0, []
    for case in range(cases):
        chance, started = random.Random(f"{attempt.__qualname__} {seed} {case}"), time.process_time()
        torch.manual_seed(case)
        try:
            attempt(chance)
            worked += 1
        except errors as error:
            if not str(error):
                failed.append(f"case {case}: an error without a word")
        except Exception as error:
            failed.append(f"case {case}: {type(error).__name__}: {str(error)[:200]}")
        if (seconds := time.process_time() - started) > 1:
            failed.append(f"case {case}: {seconds:.1f} s")
    assert not failed, f"{len(failed)} of {cases}:\n" + "\n".join(failed[:12])
    assert 0.05 * cases < worked < 0.98 * cases, (
        f"{worked} of {cases} worked: the inputs are too bad or too good"
    )


def often(chance: random.Random, usual, *others):
    """Mostly the first."""
    return usual if chance.random() < 0.8 else chance.choice(others)


def some_images(chance: random.Random, count: int, channels: int = 1, side: int = SIDE):
    """Images that mostly are `(count, channels, side, side)`, of a good dtype and with good values."""
    shape = often(
        chance,
        (count, channels, side, side),
        (count, side, side),
        (count, channels * side * side),
        (count,),
        (),
        (count, channels, side + 1, side),
        (count, 3, side, side),
        (count, channels, 0, side),
        (0, channels, side, side),
        (count, channels, 2, 2),
        (count, channels, side, side, 1),
    )
    kinds = (
        torch.float64,
        torch.float16,
        torch.int64,
        torch.int32,
        torch.bool,
        torch.complex64,
        torch.bfloat16,
    )
    dtype = chance.choice([torch.uint8, torch.float32]) if chance.random() < 0.85 else chance.choice(kinds)
    values = torch.rand(shape) * often(chance, 1.0, 255.0, 1e30, -1.0)
    images = (values * 255).to(dtype) if dtype == torch.uint8 else values.to(dtype)
    if images.is_floating_point() and images.numel() and chance.random() < 0.08:
        images.view(-1)[chance.randrange(images.numel())] = chance.choice(
            [float("nan"), float("inf"), -float("inf")]
        )
    return otherwise(chance, images)


def some_labels(chance: random.Random, count: int):
    """Labels that mostly are `(count,)` int64 below `CLASSES`."""
    shape = often(chance, (count,), (count + 1,), (count, CLASSES), (), (0,))
    dtype = often(chance, torch.int64, torch.int32, torch.float32, torch.bool, torch.uint8)
    labels = torch.randint(CLASSES, shape) + often(chance, 0, -1, 1, 100, 2**40)
    return otherwise(chance, labels.to(dtype))


def otherwise(chance: random.Random, tensor: torch.Tensor):
    """A tensor, mostly as it is."""
    return often(
        chance,
        lambda: tensor,
        lambda: tensor.numpy() if tensor.dtype != torch.bfloat16 else None,
        lambda: tensor.to("meta"),
        lambda: tensor.tolist(),
        lambda: None,
        lambda: "images",
        lambda: tensor.requires_grad_(tensor.is_floating_point()),
    )()


# ---- label schemes -------------------------------------------------------------------------------


def test_embed():
    def attempt(chance):
        classes = often(chance, CLASSES, 0, 1, -3, 70, 2.5)
        scheme = chance.choice(
            [
                lambda: Pixels(classes, often(chance, 1.0, 0.5)),
                lambda: Fourier(classes, often(chance, 1, 2, 3), often(chance, 0.35, 0, 1, -1, float("nan"))),
                lambda: Fourier(classes, colours=True),
                lambda: Morphology(classes, often(chance, 0.35, 0.0, 2.0)),
            ]
        )()
        count, channels = chance.choice([1, 2, 5]), chance.choice([1, 1, 3])
        images = some_images(chance, count, channels)
        embedded = scheme.embed(images, some_labels(chance, count))
        assert embedded.shape == images.shape and embedded.device == images.device

    fuzz(2_500, attempt)


def test_hybrids():
    def attempt(chance):
        count = chance.choice([1, 2, 5])
        images = some_images(chance, count)
        found = Hybrids().negative(images, some_labels(chance, count))
        assert found.shape == images.shape

    fuzz(300, attempt)


# ---- learners ------------------------------------------------------------------------------------


def some_learner(chance: random.Random):
    dense = lambda: mlp([SIDE * SIDE, 6, 5])
    maps = lambda: cnn(1, [3, 4], 3)
    return chance.choice(
        [
            lambda: ForwardForward(dense(), Pixels(CLASSES)),
            lambda: ForwardForward(maps(), Fourier(CLASSES)),
            lambda: MonoForward(dense(), CLASSES),
            lambda: MonoForward(maps(), CLASSES),
            lambda: Backprop(maps(), CLASSES),
            lambda: FeedbackAlignment(dense(), CLASSES),
            lambda: DirectFeedbackAlignment(dense(), CLASSES),
            lambda: ChannelWise(cnn(1, [4, 4], 3), CLASSES),
            lambda: LinearReadout(MonoForward(dense(), CLASSES), CLASSES),
        ]
    )()


def test_scores():
    made = {}

    def attempt(chance):
        number = chance.randrange(40)
        if number not in made:
            made[number] = some_learner(random.Random(number)).eval()
            made[number].scores(torch.rand(2, 1, SIDE, SIDE))
        count = chance.choice([1, 2, 5])
        with torch.no_grad():
            scores = made[number].scores(some_images(chance, count))
        assert scores.shape == (len(scores), CLASSES)

    fuzz(3_000, attempt)


def test_fit():
    def attempt(chance):
        count = chance.choice([4, 8, 9])
        train = Split(some_images(chance, count), some_labels(chance, count))
        options = dict(
            epochs=often(chance, 1, 0, -1, 2),
            batch_size=often(chance, 4, 0, 1, 100, -2),
            lr=often(chance, 1e-3, 0.0, -1.0, float("nan"), float("inf"), 1e30),
        )
        if chance.random() < 0.3:
            options |= dict(
                chance.sample(
                    [
                        ("optimizer", "sgd"),
                        ("optimizer", "SGD"),
                        ("shift", 1),
                        ("shift", -1),
                        ("shift", 20),
                        ("flip", True),
                        ("schedule", constant),
                        ("precision", "float32"),
                        ("precision", "bf16"),
                        ("precision", "half"),
                        ("seed", 2**31),
                        ("validate_every", 0),
                        ("validation", train),
                        ("deadline", 0.0),
                    ],
                    chance.choice([1, 2]),
                )
            )
        history = fit(some_learner(chance), train, **options)
        assert len(history.loss) == options["epochs"]

    fuzz(1_000, attempt, (ValueError, TrainingError, OutOfTime))


# ---- datasets ------------------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A data folder with a folder of images `small` and a table of customers, both to be damaged."""
    monkeypatch.setenv("FFTOOLS_DATA_DIR", str(tmp_path / "data"))
    for name in ("a", "b"):
        for i in range(6):
            path = tmp_path / "small" / "train" / name / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((4, 5), 40 * i, np.uint8)).save(path)
    rows = [f"{i % 2},{i},{i * i % 7}" for i in range(40)]
    (tmp_path / "train.csv").write_text("\n".join(["target,var_0,var_1", *rows]))
    return tmp_path


def damage(chance: random.Random, path: Path) -> None:
    """Cut a file short, change some of its bytes, or put other bytes in its place."""
    content = bytearray(path.read_bytes() or b" ")
    way = chance.randrange(5)
    if way == 0:
        content = content[: chance.randrange(len(content) + 1)]
    elif way in (1, 2):
        for _ in range(chance.choice([1, 1, 3, 20])):
            content[chance.randrange(len(content))] = chance.randrange(256)
    elif way == 3:
        at = chance.randrange(len(content))
        content[at:at] = chance.randbytes(chance.choice([1, 8, 200]))
    else:
        content = chance.randbytes(chance.choice([0, 1, 50, 1000]))
    path.write_bytes(content)


def test_load_a_folder(home):
    def attempt(chance):
        shutil.rmtree(home / "data", ignore_errors=True)
        shutil.copytree(home / "small", home / "data" / "small")
        for _ in range(often(chance, 0, 1, 2)):
            files = [path for path in (home / "data" / "small").rglob("*") if path.is_file()]
            damage(chance, chance.choice(files))
        if chance.random() < 0.4:
            path = chance.choice(sorted((home / "data" / "small").rglob("*")))
            chance.choice(
                [
                    lambda: path.unlink() if path.is_file() else shutil.rmtree(path),
                    lambda: path.rename(
                        path.with_name(chance.choice(["test", "c", ".hidden", "x.png", "x.gif", "é"]))
                    ),
                    lambda: shutil.copytree(
                        home / "small" / "train",
                        home / "data" / "small" / chance.choice(["test", "val", "extra"]),
                    ),
                ]
            )()
        options = often(
            chance, {}, dict(size=3), dict(size=0), dict(size="3"), dict(sizes=3), dict(size=True)
        )
        found = data.load(
            often(chance, "small", home / "data" / "small", "smaller", "small/train", "", "."),
            often(chance, "cpu", "meta"),
            **options,
        )
        assert found.classes == len(found.names) >= 2 and found.train.images.dtype == torch.uint8

    fuzz(900, attempt, (DataError, ValueError, TypeError))


def test_load_a_table(home):
    path = home / "data" / "table" / "table.csv"
    path.parent.mkdir(parents=True)

    def attempt(chance):
        shutil.copy(home / "train.csv", path)
        for _ in range(often(chance, 1, 0, 3)):
            damage(chance, path)
        tables.csv(
            path,
            often(chance, "target", "var_0", "nothing"),
            often(chance, (), ("var_1",), ("x",)),
            chance.randrange(9),
        )

    fuzz(700, attempt, (DataError,))


def test_load_any_name(home):
    words = [
        "digits",
        "breast_cancer",
        *data.NAMES[:4],
        "imdb",
        "santander",
        "breast_cancer",
        "small",
        "no",
        "a/b",
        "~",
        "~nobody/x",
        "\0",
        "x" * 300,
        "",
        "..",
    ]

    def attempt(chance):
        name = often(
            chance, chance.choice(words), chance.randbytes(5).decode("latin-1"), None, 3, 2.5, ("mnist",)
        )
        options = often(chance, {}, dict(seed=chance.randrange(9)), dict(words=3), dict(form="x"))
        data.load(name, often(chance, "cpu", "meta"), **options)

    fuzz(300, attempt, (DataError, ValueError, TypeError))


# ---- networks and records ------------------------------------------------------------------------


def test_networks_load(tmp_path, monkeypatch):
    name = min((ROOT / "networks").glob("*.safetensors"), key=lambda path: path.stat().st_size).stem
    monkeypatch.setenv("FFTOOLS_RESULTS_DIR", str(tmp_path / "results"))
    (tmp_path / "networks").mkdir()
    kept = [ROOT / "networks" / f"{name}.{ending}" for ending in ("json", "safetensors")]

    def attempt(chance):
        for path in kept:
            shutil.copy(path, tmp_path / "networks" / path.name)
        asked = often(chance, name, "nothing", "", "../networks/" + name, "\0", name + ".json")
        if chance.random() < 0.85:
            path = tmp_path / "networks" / chance.choice(kept).name
            chance.choice([lambda: damage(chance, path), lambda: damage(chance, path), path.unlink])()
        assert not networks.load(asked).learner.training

    fuzz(700, attempt)


def test_records_read(tmp_path):
    good = next(iter(sorted((ROOT / "results" / "ff-mlp").glob("*.json")))).read_bytes()
    whole, path = json.loads(good), tmp_path / "record.json"

    def attempt(chance):
        path.write_bytes(good)
        way = chance.randrange(5)
        if way < 2:
            damage(chance, path)
        elif way == 2:
            left = {key: value for key, value in whole.items() if chance.random() < 0.8}
            path.write_text(json.dumps(left))
        elif way == 3:
            other = chance.choice([None, 3, [], [1], "text", {}, list(whole), {"study": whole}, [[[]]]])
            path.write_text(
                chance.choice([json.dumps(other), "[" * 100_000, "{" * 9, '{"a":' * 50_000, "NaN", "1e999"])
            )
        assert isinstance(records.read(path), dict)

    fuzz(1_000, attempt)
