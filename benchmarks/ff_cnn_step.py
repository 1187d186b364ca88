"""The FF-CNN's training step against the plain one: same network, same batch, same rule, in one run.

    python benchmarks/ff_cnn_step.py       (two minutes on two cores; --width and --kernel choose the network)

ours     `fftools.fit`'s step: positive and negative images in one batch, bf16 where the hardware has it,
         layer 1 frozen without a graph, fused Adam, memory kept between steps, a captured CUDA graph on a GPU
plain    float32 and eager: positive images, then negative ones, PyTorch's ReLU, convolutions and Adam

scoring  goodness of images under every label: `learner.scores` as it is, and with PyTorch's own convolutions

Both follow the strictly local reading on batches of 50 images, and their losses are compared before anything
is timed. (The plain one profits from kept memory too, since both share a process: the ratio is a cautious
one.) The two take turns; the ratio is the median over the turns. The share is that of the floating-point
operations which PyTorch counts in our step, against the rate at which this machine multiplies large square
matrices in the same precision in the same run.
"""

import argparse
import statistics
import sys
import time

import torch
import torch.nn.functional as F
from torch.nn.functional import softplus

from fftools import data
from fftools.blocks import cnn, layer_norm
from fftools.data import to_float
from fftools.extras import measure
from fftools.fast import convolution
from fftools.fast.precision import precision_context, resolve_precision
from fftools.fit import constant, fit
from fftools.labels import Fourier, random_wrong
from fftools.readout import predict
from fftools.rules.forward_forward import ForwardForward
from fftools.rules.goodness import SumOfSquares

BATCH, LR = 50, 5e-4


def plain_losses(blocks, positive, negative):
    """The rule without any help: two passes, every layer in the graph, nothing batched."""
    for number, block in enumerate(blocks):
        positive, negative = (block(F.layer_norm(x.detach(), x.shape[1:])) for x in (positive, negative))
        if number:
            excess = [x.pow(2).sum((1, 2, 3)) - x[0].numel() for x in (positive, negative)]
            yield (softplus(-excess[0]).mean() + softplus(excess[1]).mean()) / 2


def plain_step(blocks, scheme, optimizer, images, labels) -> None:
    positive, negative = scheme.embed(images, labels), scheme.embed(images, random_wrong(labels, 10))
    sum(plain_losses(blocks, positive, negative)).backward()
    optimizer.step()
    optimizer.zero_grad()


def ours(learner, train, steps: int) -> float:
    """Seconds per step of `fit`, after an epoch in which it sets itself up."""
    ticks = []
    part = train[: steps * BATCH]
    fit(
        learner,
        part,
        epochs=2,
        batch_size=BATCH,
        lr=LR,
        schedule=constant,
        on_epoch=lambda *_: ticks.append(time.perf_counter()),
    )
    return (ticks[-1] - ticks[1]) / (len(part) // BATCH)


def plain(blocks, scheme, train, steps: int) -> float:
    """Seconds per step of the plain way, on the same images."""
    convolution.take("direct")
    optimizer = torch.optim.Adam(blocks.parameters(), lr=LR, foreach=False, fused=False)
    batches = list(train[: steps * BATCH].batches(BATCH, torch.Generator().manual_seed(0)))
    started = time.perf_counter()
    for images, labels in batches:
        plain_step(blocks, scheme, optimizer, images, labels)
    measure.wait(train.labels.device)
    convolution.take(None)
    return (time.perf_counter() - started) / len(batches)


def scoring(learner, images) -> tuple[float, float]:
    """Seconds for a prediction by goodness of each image, as it is and with PyTorch's own convolutions."""
    spent = []
    for path in (None, "direct"):
        convolution.take(path)
        started = time.perf_counter()
        predict(learner.scores, images)
        measure.wait(images.device)
        spent.append((time.perf_counter() - started) / len(images))
    convolution.take(None)
    return tuple(spent)


def learn(learner, images, labels) -> None:
    """One step but for the optimizer."""
    for loss in learner.local_losses(images, labels):
        loss.backward()
    learner.zero_grad()


def matmul_rate(device, precision: str, size: int) -> float:
    """Operations per second in square matrix products: the best of five turns."""
    left, right = torch.randn(2, size, size, device=device).to(
        torch.bfloat16 if precision == "bf16" else torch.float32
    )
    best = float("inf")
    for _ in range(6):  # the first one warms up
        started = time.perf_counter()
        for _ in range(5):
            left @ right
        measure.wait(device)
        best = min(best, (time.perf_counter() - started) / 5)
    return 2 * size**3 / best


def compare(learner, blocks, images, labels) -> None:
    """From the same weights both see the same losses."""
    positive, negative = learner.label.embed(images, labels), learner.label.embed(images, (labels + 1) % 10)
    for found, expected in zip(
        learner.contrast(positive, negative), plain_losses(blocks, positive, negative), strict=True
    ):
        assert torch.allclose(found, expected, rtol=1e-4), (
            f"not the same rule: {found.item()} and {expected.item()}"
        )


def main() -> None:
    sys.stdout.reconfigure(errors="replace")  # a console may not know ×
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--width", type=int, default=128)
    options.add_argument("--kernel", type=int, default=7)
    options.add_argument("--turns", type=int, default=7)
    options.add_argument("--steps", type=int, default=20, help="steps of each in a turn")
    options.add_argument("--device", default="auto")
    chosen = options.parse_args()
    device = data.pick_device(chosen.device)
    dataset = data.load("mnist", device, fallback="digits")
    train, precision = dataset.train, resolve_precision("auto", device)
    torch.manual_seed(0)
    build = lambda: cnn(1, [chosen.width] * 3, chosen.kernel).to(device)
    learner = ForwardForward(build(), Fourier(), SumOfSquares(norm=layer_norm, first=2))
    blocks, images, labels = build(), to_float(train.images[:BATCH]), train.labels[:BATCH]
    blocks.load_state_dict(learner.blocks.state_dict())
    compare(learner, blocks, images, labels)

    where = (
        torch.cuda.get_device_name(device)
        if device.type == "cuda"
        else f"CPU, {torch.get_num_threads()} threads"
    )
    print(
        f"{where}; torch {torch.__version__}; 3 × {chosen.width} filters {chosen.kernel}×{chosen.kernel} on "
        f"{dataset.name}, batch {BATCH}; "
        f"ours in {precision}, plain in float32"
    )
    ours(learner, train, 5), plain(blocks, learner.label, train, 5)  # warm up
    turns = [
        (ours(learner, train, chosen.steps), plain(blocks, learner.label, train, chosen.steps))
        for _ in range(chosen.turns)
    ]
    fast, slow = (statistics.median(column) for column in zip(*turns))
    ratios = sorted(slow / fast for fast, slow in turns)
    scoring(learner, train.images[:100])  # warm up
    seen, before = (
        statistics.median(column)
        for column in zip(*(scoring(learner, train.images[:1000]) for _ in range(3)))
    )
    rate = matmul_rate(device, precision, 8192 if device.type == "cuda" else 2048)
    with precision_context(precision, device):
        count = measure.operations(lambda: learn(learner, images, labels))
    print(
        f"goodness of 10,000 images: {1e4 * seen:.1f} s, {1e4 * before:.1f} s "
        f"with PyTorch's convolutions: {before / seen:.2f} times as fast"
    )
    print(
        f"plain  {slow * 1e3:8.2f} ms a step\nours   {fast * 1e3:8.2f} ms a step\n"
        f"ratio  {statistics.median(ratios):8.2f}   "
        f"({ratios[0]:.2f} to {ratios[-1]:.2f} over {chosen.turns} turns)\n"
        f"{count / 1e9:.2f} GFLOP a step: {count / fast / 1e9:.0f} GFLOP/s, {count / fast / rate:.0%} of the "
        f"{rate / 1e9:.0f} GFLOP/s at which large matrices are multiplied here"
    )


if __name__ == "__main__":
    main()
