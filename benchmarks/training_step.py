"""Our training step against the straightforward one: same network, same batch, same rule, in one run.

    python benchmarks/training_step.py            (about 20 seconds on two cores)

ours             `fftools.fit`: images on the device, vectorised labels, bf16 where the hardware has it, fused
                 Adam, a captured CUDA graph on a GPU
straightforward  what the article's code does: torchvision's dataset through ToTensor and a DataLoader, wrong
                 labels drawn in a Python loop, float32, plain Adam per layer, positive and negative images
                 one after the other

Both train three blocks of 1,000 neurons, each on its own loss, on batches of 100 images. The two take turns,
and the ratio is the median over the turns, so that other work on the machine disturbs both alike. Before
anything is timed, the losses of both are compared on one batch. Without MNIST the images are random bytes of
the same shape.
"""

import argparse
import platform
import statistics
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader
from torchvision.datasets import MNIST
from torchvision.transforms import ToTensor

from fftools import data
from fftools.blocks import mlp
from fftools.data import DataError, Split
from fftools.extras import measure
from fftools.fast.precision import precision_context, resolve_precision
from fftools.fit import constant, fit
from fftools.labels import Pixels
from fftools.rules.forward_forward import ForwardForward

WIDTHS, BATCH, LR = [784, 1000, 1000, 1000], 100, 1e-3


# --- the straightforward one -------------------------------------------------------------------------------


class Layer(nn.Linear):
    """The article's layer, with this course's goodness: the sum of squares against the number of neurons."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__(inputs, outputs)
        self.optimizer = torch.optim.Adam(self.parameters(), lr=LR, foreach=False, fused=False)

    def forward(self, x):
        return torch.relu(super().forward(x / (x.pow(2).mean(1, keepdim=True).sqrt() + 1e-8)))

    def goodness(self, x):
        return x.pow(2).sum(1) - self.out_features

    def loss(self, positive, negative):
        margins = torch.cat([-self.goodness(self(positive)), self.goodness(self(negative))])
        return nn.functional.softplus(margins).mean()

    def learn(self, positive, negative):
        loss = self.loss(positive, negative)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        with torch.no_grad():
            return self(positive), self(negative)


def overlay(x, y):
    x = x.clone()
    x[:, :10] *= 0.0
    x[range(x.shape[0]), y] = x.max()
    return x


def wrong_labels(y):
    wrong = y.clone()
    for number, label in enumerate(y):
        allowed = list(range(10))
        allowed.pop(label.item())
        wrong[number] = torch.tensor(np.random.choice(allowed))
    return wrong


class RandomImages(torch.utils.data.Dataset):
    """What torchvision's MNIST does for an item, on images that are in memory already."""

    def __init__(self, split: Split):
        self.images, self.labels, self.transform = split.images.cpu()[:, 0], split.labels.cpu(), ToTensor()

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        return self.transform(Image.fromarray(self.images[index].numpy())), int(self.labels[index])


def straightforward(layers, loader, steps: int, device) -> float:
    """Seconds per step."""
    batches = iter(loader)
    started = time.perf_counter()
    for _ in range(steps):
        x, y = next(batches)
        x, y = x.to(device).flatten(1), y.to(device)
        positive, negative = overlay(x, y), overlay(x, wrong_labels(y))
        for layer in layers:
            positive, negative = layer.learn(positive, negative)
    measure.wait(device)
    return (time.perf_counter() - started) / steps


# --- ours --------------------------------------------------------------------------------------------------


def ours(learner, train: Split, steps: int, epochs: int = 2) -> float:
    """Seconds per step of `fit`: the median epoch after the first one, in which a GPU captures its graph."""
    ticks = []
    fit(
        learner,
        train[: steps * BATCH],
        epochs=epochs,
        batch_size=BATCH,
        lr=LR,
        schedule=constant,
        on_epoch=lambda *_: ticks.append(time.perf_counter()),
    )
    return statistics.median(after - before for before, after in pairwise(ticks[1:])) / steps


def parts(learner, train: Split, steps: int, device) -> dict[str, float]:
    """Seconds per step that each part of our step takes, run one after the other without a graph."""
    precision, spent = resolve_precision("auto", device), Counter()
    optimizer = torch.optim.Adam(learner.parameters(), lr=LR, fused=True)
    last = time.perf_counter()

    def lap(name):
        nonlocal last
        measure.wait(device)
        now = time.perf_counter()
        spent[name] += (now - last) / steps
        last = now

    for images, labels in train[: steps * BATCH].batches(BATCH, torch.Generator().manual_seed(0)):
        lap("batch: gather, to float")
        positive, negative = learner.label.positive(images, labels), learner.label.negative(images, labels)
        lap("labels and negatives")
        losses = learner.contrast(positive, negative)
        while True:
            with precision_context(precision, device):
                loss = next(losses, None)
            if loss is None:
                break
            lap("forward")
            loss.backward()
            lap("backward")
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        lap("optimizer")
    return dict(spent)


# --- both --------------------------------------------------------------------------------------------------


def images(device) -> tuple[Split, object, str]:
    """Training images on the device, the same as a torchvision dataset, and their name."""
    try:
        found = data.load("mnist", device)
        return found.train, MNIST(data.folder(), train=True, transform=ToTensor()), "MNIST"
    except DataError:
        generator = torch.Generator().manual_seed(0)
        split = Split(
            torch.randint(256, (50_000, 1, 28, 28), generator=generator).to(torch.uint8).to(device),
            torch.randint(10, (50_000,), generator=generator).to(device),
        )
        return split, RandomImages(split), "random bytes in MNIST's shape"


def compare(learner, layers, train: Split) -> None:
    """The same rule: from the same weights both see the same losses."""
    part = train[:BATCH]
    x, wrong = part.floats().flatten(1), (part.labels + 1) % 10
    positive, negative = overlay(x, part.labels), overlay(x, wrong)
    scheme = learner.label
    for layer, _, loss in zip(
        layers,
        learner.blocks,
        learner.contrast(scheme.embed(part.floats(), part.labels), scheme.embed(part.floats(), wrong)),
    ):
        expected = layer.loss(positive, negative)
        assert torch.allclose(loss, expected, rtol=1e-4), (
            f"not the same rule: {loss.item()} and {expected.item()}"
        )
        with torch.no_grad():
            positive, negative = layer(positive), layer(negative)


def hardware(device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    info = Path("/proc/cpuinfo")
    names = (
        [
            line.split(":")[1].strip()
            for line in info.read_text().splitlines()
            if line.startswith("model name")
        ]
        if info.exists()
        else [platform.processor()]
    )
    able = torch.cpu.get_capabilities()
    units = "AMX" if able.get("amx_bf16") else "AVX-512 bf16" if able.get("avx512_bf16") else "no bf16"
    return f"{names[0] if names else platform.processor()}, {torch.get_num_threads()} threads, {units}"


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--turns", type=int, default=7)
    options.add_argument("--steps", type=int, default=20, help="steps of each in a turn")
    options.add_argument("--device", default="auto")
    chosen = options.parse_args()
    device = data.pick_device(chosen.device)
    train, dataset, name = images(device)
    torch.manual_seed(0)
    learner = ForwardForward(mlp(WIDTHS), Pixels()).to(device)
    layers = [Layer(inputs, outputs).to(device) for inputs, outputs in pairwise(WIDTHS)]
    for layer, block in zip(layers, learner.blocks):
        layer.load_state_dict(block[1].state_dict())
    compare(learner, layers, train)
    loader = DataLoader(dataset, batch_size=BATCH, shuffle=True)
    print(
        f"{hardware(device)}; torch {torch.__version__}\n{name}; {WIDTHS}, batch {BATCH}; "
        f"ours in {resolve_precision('auto', device)}, straightforward in float32"
    )

    straightforward(layers, loader, 3, device), ours(learner, train, 10)  # warm up
    turns = [
        (ours(learner, train, 2 * chosen.steps), straightforward(layers, loader, chosen.steps, device))
        for _ in range(chosen.turns)
    ]
    fast, slow = (statistics.median(column) * 1e3 for column in zip(*turns))
    ratios = sorted(slow / fast for fast, slow in turns)
    print(
        f"\nstraightforward  {slow:8.2f} ms a step\nours             {fast:8.2f} ms a step\n"
        f"ratio            {statistics.median(ratios):8.2f}   ({ratios[0]:.2f} to {ratios[-1]:.2f} "
        f"over {chosen.turns} turns)\n\nWhere our step's time goes (without graph capture):"
    )
    parts(learner, train, 5, device)
    spent = parts(learner, train, 2 * chosen.steps, device)
    for part, seconds in spent.items():
        print(f"  {part:24} {seconds * 1e3:7.2f} ms  {seconds / sum(spent.values()):4.0%}")
    if device.type == "cuda":
        steps = len(train) // BATCH
        epoch = steps * ours(ForwardForward(mlp(WIDTHS), Pixels()), train, steps, epochs=6)
        print(f"\n{len(train):,} images: {epoch:.3f} s an epoch, {100 * epoch:.1f} s for 100 epochs")


if __name__ == "__main__":
    main()
