"""The speedrun: airbench's craft (Jordan 2024) for layers that learn alone, and backprop in the same network.

Six 3×3 layers behind a whitened 2×2 one, batch norm and GELU, identities to begin with, mirrored and shifted
images, a rate that rises and falls. `rules.layerwise` says what a layer is taught.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fftools.data.split import Split
from fftools.fit import fit
from fftools.inputs import expect, to_float
from fftools.learner import Learner
from fftools.rules.layerwise import Classifier, Layerwise, Shares, Similarity

WIDTHS = 128, 128, 256, 256, 512, 512


def network(channels: int = 3, classes: int = 10, head: str = "mono-forward", layers_per_block: int = 1,
            widths: Sequence[int] = WIDTHS, mirror: bool = True, **options) -> Layerwise:  # fmt: skip
    """The speedrun's network for images `(N, channels, H, W)` of 9×9 pixels or more.

    `train` sets the first layer, by `whiten`. `head` is "mono-forward", "similarity" or "channel-wise";
    `mirror` is the learner's, `options` are the head's; `body` are its layers.
    Raises ValueError for another head, or layers that do not fill the blocks.
    """
    heads = {"mono-forward": Classifier, "channel-wise": Shares, "similarity": Similarity}
    expect(head in heads, f"head must be one of {', '.join(heads)}", head)
    even = layers_per_block >= 1 and len(widths) % layers_per_block == 0
    expect(even, f"layers_per_block must divide the {len(widths)} layers", layers_per_block)
    layers = body(channels, widths)
    groups = [layers[at : at + layers_per_block] for at in range(0, len(widths), layers_per_block)]
    blocks = nn.ModuleList(nn.Sequential(*(part for each in group for part in each)) for group in groups)
    tops = [
        heads[head](width, classes, **options) for width in widths[layers_per_block - 1 :: layers_per_block]
    ]
    return Layerwise(blocks, tops, classes, mirror)


def body(channels: int = 3, widths: Sequence[int] = WIDTHS) -> nn.ModuleList:
    """The network's layers alone, for any rule and images `(N, channels, H, W)`; `train` sets the first.

    Every other layer, from the first, halves the map.
    """
    # Fixed: `whiten` sets it. A patch has 4 · channels numbers, and each filter its negative.
    first = nn.Conv2d(channels, 8 * channels, 2).requires_grad_(False)
    pairs = enumerate(pairwise([8 * channels, *widths]))
    layers = [layer(*pair, pool=number % 2 == 0) for number, pair in pairs]
    layers[0] = nn.Sequential(first, nn.GELU(), *layers[0])
    return nn.ModuleList(layers).to(memory_format=torch.channels_last)


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
def whiten(learner: Learner, images: Tensor, eps: float = 3e-5) -> None:
    """Set the first layer so that its outputs are uncorrelated on these images, float `(N, C, H, W)`.

    Filters are the eigenvectors of the covariance of all 2×2 patches, and their negatives. No label is used.
    """
    convolution, patches = learner.blocks[0][0], F.unfold(images, 2).transpose(1, 2).flatten(0, 1)
    values, vectors = torch.linalg.eigh(patches.T.cov())
    filters = (vectors / (values + eps).sqrt()).T
    shift = filters @ patches.mean(0)
    convolution.weight.copy_(torch.cat([filters, -filters]).view_as(convolution.weight))
    convolution.bias.copy_(torch.cat([-shift, shift]))


def train(learner: Learner, split: Split, *, epochs: int, batch_size: int = 500, lr: float = 3e-3,
          weight_decay: float = 0.01, flip: bool = True, loop: Callable = fit, **options):  # fmt: skip
    """Whiten, then train by AdamW: the rate rises and falls, images move by up to 2 pixels.

    With `flip` each image is mirrored in every other epoch. `loop` is `fftools.fit.fit`, or
    `pipeline.fit`, which trains the layers side by side; `options`, errors and what comes back are its own.
    """
    whiten(learner.to(split.labels.device), to_float(split.images[:5000]))
    plan = dict(epochs=epochs, batch_size=batch_size, lr=lr, optimizer="adamw", weight_decay=weight_decay)
    turn = "alternate" if flip else False
    return loop(learner, split, **plan, schedule=triangle, shift=2, flip=turn, **options)


def triangle(done: float, epochs: int) -> float:
    """Factor on the rate: from 0.2 up to 1 when 23 % of the epochs are done, then down to 0.07 (airbench)."""
    share, peak, start, end = done / epochs, 0.23, 0.2, 0.07
    return start + (1 - start) * share / peak if share < peak else 1 - (1 - end) * (share - peak) / (1 - peak)
