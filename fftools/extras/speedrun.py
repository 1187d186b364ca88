"""The speedrun: airbench's craft (Jordan 2024) for layers that learn alone, and for backprop in the same network.

Six 3×3 layers behind a whitened 2×2 one, batch norm and GELU, identities to begin with, mirrored and shifted
images, a rate that rises and falls. `rules.layerwise` says what a layer is taught.
"""

import math
import time
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from fftools.data.split import Split, random_shift
from fftools.fast import convolution
from fftools.fast.memory import keep_freed_memory
from fftools.fast.precision import resolve_precision
from fftools.fast.step import Captured, make_optimizer, set_lr
from fftools.fit import History, OutOfTime, TrainingError, training_step
from fftools.inputs import check_data, expect, to_float
from fftools.readout import accuracy
from fftools.resume import Resumable
from fftools.rules.layerwise import Classifier, Layerwise, Shares, Similarity

WIDTHS = 128, 128, 256, 256, 512, 512


def network(channels: int = 3, classes: int = 10, head: str = "mono-forward", layers_per_block: int = 1,
            widths: Sequence[int] = WIDTHS, mirror: bool = True, **options) -> Layerwise:  # fmt: skip
    """The speedrun's network for images `(N, channels, H, W)` of 9×9 pixels or more.

    `train` sets the first layer, by `whiten`. `head` is "mono-forward", "similarity" or "channel-wise";
    `mirror` is the learner's, `options` are the head's. Every other layer, from the first, halves the map.
    Raises ValueError for another head, or layers that do not fill the blocks.
    """
    heads = {"mono-forward": Classifier, "channel-wise": Shares, "similarity": Similarity}
    expect(head in heads, f"head must be one of {', '.join(heads)}", head)
    even = layers_per_block >= 1 and len(widths) % layers_per_block == 0
    expect(even, f"layers_per_block must divide the {len(widths)} layers", layers_per_block)
    first = nn.Conv2d(channels, 8 * channels, 2).requires_grad_(
        False
    )  # fixed; 4 · channels numbers in a patch
    layers = [
        layer(*pair, pool=number % 2 == 0) for number, pair in enumerate(pairwise([8 * channels, *widths]))
    ]
    layers[0] = nn.Sequential(first, nn.GELU(), *layers[0])
    groups = [layers[at : at + layers_per_block] for at in range(0, len(widths), layers_per_block)]
    blocks = nn.ModuleList(nn.Sequential(*(part for each in group for part in each)) for group in groups)
    tops = [
        heads[head](width, classes, **options) for width in widths[layers_per_block - 1 :: layers_per_block]
    ]
    return Layerwise(blocks.to(memory_format=torch.channels_last), tops, classes, mirror)


def layer(inputs: int, outputs: int, pool: bool) -> nn.Sequential:
    """Convolution, pooling, batch norm, GELU; `(N, inputs, H, W)` to `(N, outputs, H, W)`, halved by pooling.

    The first `inputs` filters start as the identity, so that the image reaches every layer.
    """
    convolution = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
    nn.init.dirac_(convolution.weight.data[:inputs])
    return nn.Sequential(
        convolution, *[nn.MaxPool2d(2)] * pool, nn.BatchNorm2d(outputs, momentum=0.4), nn.GELU()
    )


@torch.no_grad()
def whiten(learner: Layerwise, images: Tensor, eps: float = 3e-5) -> None:
    """Set the first layer so that its outputs are uncorrelated on these images, float `(N, C, H, W)`.

    Its filters are the eigenvectors of the covariance of all 2×2 patches, and their negatives. No label is used.
    """
    convolution, patches = learner.blocks[0][0], F.unfold(images, 2).transpose(1, 2).flatten(0, 1)
    values, vectors = torch.linalg.eigh(patches.T.cov())
    filters = (vectors / (values + eps).sqrt()).T
    shift = filters @ patches.mean(0)
    convolution.weight.copy_(torch.cat([filters, -filters]).view_as(convolution.weight))
    convolution.bias.copy_(torch.cat([-shift, shift]))


def batches(
    train: Split, size: int, epoch: int, mirrored: Tensor, order: torch.Generator, flip: bool
) -> Iterator:
    """Shuffled batches of images moved by up to 2 pixels; with `flip` each is mirrored in every other epoch.

    `mirrored`, bool `(N,)`, says which ones in odd epochs. Images float32 `(size, C, H, W)`, labels `(size,)`;
    the last, incomplete batch is left out.
    """
    shuffled = torch.randperm(len(train), generator=order).to(train.labels.device)
    for index in shuffled[: len(train) // size * size].split(size):
        images = random_shift(to_float(train.images[index]), 2, order)
        turn = mirrored[index] ^ (epoch % 2 == 0)
        images = torch.where(turn[:, None, None, None], images.flip(3), images) if flip else images
        yield images.contiguous(memory_format=torch.channels_last), train.labels[index]


# A resumed run brings random state and the path of convolutions along: the caller's come back, as in `fit`.
@convolution.given_back()
@torch.random.fork_rng(devices=[])
def train(learner: Layerwise, split: Split, *, epochs: int, batch_size: int = 500, lr: float = 3e-3,
          weight_decay: float = 0.01, flip: bool = True, seed: int = 0, precision: str = "auto",
          validation: Split | None = None, resume: Path | str | None = None,
          deadline: float | None = None, progress: str | None = None) -> History:  # fmt: skip
    """Whiten and train `learner` in place by AdamW; the rate rises for 23 % of the steps, then falls.

    The clock of the history runs in training alone. `validation`, `resume`, `deadline`, `progress` and errors
    are those of `fit`; the state is saved after each epoch.
    """
    expect(1 <= batch_size <= len(split), f"batch_size must be between 1 and {len(split)}", batch_size)
    expect(epochs >= 1 and lr > 0, "epochs must be ≥ 1 and lr > 0", epochs=epochs, lr=lr)
    check_data(split.images, split.labels, learner.classes)
    keep_freed_memory()
    device, order = split.labels.device, torch.Generator().manual_seed(seed)
    precision = resolve_precision(precision, device)
    learner.to(device).train()
    learner.zero_grad(set_to_none=True)  # an interrupted step leaves gradients behind
    whiten(learner, to_float(split.images[:5000]))
    mirrored = torch.randint(2, (len(split),), generator=order, dtype=torch.bool).to(device)
    tuned = make_optimizer("adamw", learner.trained(), lr, device)
    tuned.param_groups[0]["weight_decay"] = weight_decay
    history, steps = History(precision=precision), len(split) // batch_size
    plan = dict(epochs=epochs, batch_size=batch_size, lr=lr, weight_decay=weight_decay, flip=flip, seed=seed,
                precision=precision, images=len(split))  # fmt: skip
    run = Resumable(resume, plan, learner, tuned, order, history, (split.images, split.labels))
    step, done = Captured(partial(training_step, learner, tuned, precision), device), len(history.loss)
    bar = partial(tqdm, desc=progress, disable=progress is None, leave=False, unit="epoch")
    for epoch in bar(range(done + 1, epochs + 1), initial=done, total=epochs):
        started, total = time.monotonic(), 0.0
        for number, batch in enumerate(batches(split, batch_size, epoch, mirrored, order, flip)):
            set_lr(tuned, lr * triangle((epoch - 1 + number / steps) / epochs))
            total = total + step(*batch)
        history.loss.append((total / steps).tolist())  # the epoch's only host synchronisation
        history.seconds += time.monotonic() - started
        if not all(map(math.isfinite, history.loss[-1])):
            raise TrainingError(
                f"the losses of epoch {epoch} are {history.loss[-1]}; lr={lr} is probably too high"
            )
        learner.eval()
        if validation is not None:
            history.validation.append([epoch, accuracy(learner.scores, validation, precision=precision)])
        run.save()
        learner.train(epoch < epochs)
        if epoch < epochs and deadline and time.time() + time.monotonic() - started > deadline:
            raise OutOfTime(f"{epoch} of {epochs} epochs are done; another would overrun the deadline")
    learner.eval()
    return history


def triangle(share: float, peak: float = 0.23, start: float = 0.2, end: float = 0.07) -> float:
    """Factor on the rate when this `share` of the steps is done: up to 1, then down to `end` (airbench)."""
    return start + (1 - start) * share / peak if share < peak else 1 - (1 - end) * (share - peak) / (1 - peak)
