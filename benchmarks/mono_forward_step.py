"""Mono-Forward's training step against the plain one: same network, same batch, same rule, in one run.

    python benchmarks/mono_forward_step.py   (seconds on two cores; --network cnn takes minutes; --batch 2000)

ours     `fftools.fit`'s step: bf16 where the hardware has it, fused Adam, kept memory, small maps convolved
         by matrix products, ReLU and average pooling sent back in one, a captured CUDA graph on a GPU
plain    float32 and eager, as one would write it down: PyTorch's own modules, every layer with an Adam of its
         own, in a process of its own, which knows nothing of what ours changes for the whole process

The MLP is the paper's 2×1000 on MNIST, the CNN its 64-128-256-512 on images of CIFAR's size; batches of 128
images, or as many as asked: the larger the batch, the more of a step is matrix products. Their losses are
compared before anything is timed. The two take turns; the ratio is the median over the turns. Without MNIST
the MLP sees scikit-learn's digits; the CNN sees random bytes, since nothing is learned here.
"""

import argparse
import multiprocessing
import statistics
import time

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from fftools import data
from fftools.blocks import cnn, mlp
from fftools.data import Split
from fftools.extras import measure
from fftools.fast.precision import resolve_precision
from fftools.fit import constant, fit
from fftools.rules.mono_forward import MonoForward

LR, WIDTHS, FILTERS = 1e-3, [784, 1000, 1000], [3, 64, 128, 256, 512]
NETWORKS = {
    "mlp": lambda: mlp(WIDTHS, bias=False),
    "cnn": lambda: cnn(FILTERS[0], FILTERS[1:], 3, padding="same", pool="average"),
}


def plain_blocks(network: str) -> nn.ModuleList:
    """The same networks from PyTorch's modules, with the same names of weights."""
    if network == "mlp":
        return nn.ModuleList(
            nn.Sequential(nn.Flatten(), nn.Linear(inputs, neurons, bias=False), nn.ReLU())
            for inputs, neurons in zip(WIDTHS, WIDTHS[1:])
        )
    return nn.ModuleList(
        nn.Sequential(nn.Conv2d(inputs, filters, 3, padding=1), nn.ReLU(), nn.AvgPool2d(2))
        for inputs, filters in zip(FILTERS, FILTERS[1:])
    )


def plain_losses(blocks, matrices, images, labels):
    """The rule without any help."""
    x = images
    for block, matrix in zip(blocks, matrices):
        x = block(x.detach())
        yield cross_entropy(x.flatten(1) @ matrix.T, labels)


def ours(learner, train, batch: int) -> float:
    """Seconds per step of `fit`, after an epoch in which it sets itself up."""
    ticks = []
    fit(
        learner,
        train,
        epochs=2,
        batch_size=batch,
        lr=LR,
        schedule=constant,
        on_epoch=lambda *_: ticks.append(time.perf_counter()),
    )
    return (ticks[-1] - ticks[1]) / (len(train) // batch)


def plain(blocks, matrices, train, batch: int) -> float:
    """Seconds per step of the plain way, on the same images."""
    optimizers = [
        torch.optim.Adam([*block.parameters(), matrix], lr=LR, foreach=False, fused=False)
        for block, matrix in zip(blocks, matrices)
    ]
    started = time.perf_counter()
    for images, labels in train.batches(batch, torch.Generator().manual_seed(0)):
        for optimizer, loss in zip(optimizers, plain_losses(blocks, matrices, images, labels)):
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    measure.wait(train.labels.device)
    return (time.perf_counter() - started) / (len(train) // batch)


def compare(learner, blocks, matrices, images, labels) -> None:
    """From the same weights both see the same losses."""
    theirs = plain_losses(blocks, matrices, images, labels)
    for found, expected in zip(learner.local_losses(images, labels), theirs, strict=True):
        assert torch.allclose(found, expected, rtol=1e-4), (
            f"not the same rule: {found.item()} and {expected.item()}"
        )


def training_images(network: str, count: int, device) -> tuple[str, Split]:
    """Their name, and at most so many of them."""
    if network == "mlp":
        found = data.load("mnist", device, fallback="digits")
        return found.name, found.train[:count]
    generator = torch.Generator().manual_seed(0)
    return "random bytes", Split(
        torch.randint(256, (count, 3, 32, 32), generator=generator).to(torch.uint8).to(device),
        torch.randint(10, (count,), generator=generator).to(device),
    )


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--network", choices=NETWORKS, default="mlp")
    options.add_argument("--batch", type=int, default=128, help="images in a batch")
    options.add_argument("--turns", type=int, default=7)
    options.add_argument("--steps", type=int, default=25, help="steps of each in a turn")
    options.add_argument("--device", default="auto")
    chosen = options.parse_args()
    device = data.pick_device(chosen.device)
    source, train = training_images(chosen.network, chosen.steps * chosen.batch, device)
    torch.manual_seed(0)
    learner, blocks = (
        MonoForward(NETWORKS[chosen.network]()).to(device),
        plain_blocks(chosen.network).to(device),
    )
    images, labels = train[: chosen.batch].floats(), train.labels[: chosen.batch]
    learner.scores(images)  # the matrices learn their size
    blocks.load_state_dict(learner.blocks.state_dict())
    matrices = [projection.weight.detach().clone().requires_grad_() for projection in learner.projections]
    compare(learner, blocks, matrices, images, labels)

    where = (
        torch.cuda.get_device_name(device)
        if device.type == "cuda"
        else f"CPU, {torch.get_num_threads()} threads"
    )
    print(
        f"{where}; torch {torch.__version__}; {chosen.network} on {source}, batch {chosen.batch}; "
        f"ours in {resolve_precision('auto', device)}, plain in float32"
    )
    few = train[: 3 * chosen.batch]
    with multiprocessing.get_context("spawn").Pool(1) as apart:

        def turn(split: Split) -> tuple[float, float]:
            return ours(learner, split, chosen.batch), apart.apply(
                plain, (blocks, matrices, split, chosen.batch)
            )

        turn(few)  # warm up
        turns = [turn(train) for _ in range(chosen.turns)]
    fast, slow = (statistics.median(column) for column in zip(*turns))
    ratios = sorted(slow / fast for fast, slow in turns)
    print(
        f"plain  {slow * 1e3:8.2f} ms a step\nours   {fast * 1e3:8.2f} ms a step\n"
        f"ratio  {statistics.median(ratios):8.2f}   "
        f"({ratios[0]:.2f} to {ratios[-1]:.2f} over {chosen.turns} turns)"
    )


if __name__ == "__main__":
    main()
