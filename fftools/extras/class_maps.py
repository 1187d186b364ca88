"""Class activation maps: where an image speaks for a label (Zhou et al. 2016; FF-CNN, Section 3.3)."""

import torch
from torch import Tensor, nn

from fftools.readout import LinearReadout
from fftools.rules.backprop import Backprop
from fftools.rules.forward_forward import ForwardForward


@torch.no_grad()
def class_maps(network: LinearReadout | Backprop, images: Tensor, labels: Tensor | int) -> list[Tensor]:
    """What each place adds to the logit of a label: feature maps times weights, summed over channels.

    network   a linear read-out of a convolutional FF network gives one map for each judging block, a backprop
              CNN one map, that of its last block
    images    float `(N, C, H, W)`
    labels    one for all images, or int64 `(N,)`: any label, not only the true or the predicted one

    Each map is `(N, H', W')` of its block's own size. Summed over places and blocks they are the logit
    without its bias. Raises ValueError when the blocks are not convolutional or a label is none of the
    classes.
    """
    if isinstance(network, Backprop):
        features, linear = _maps(network.activations(images)[-1:]), network.head
    else:
        features, linear = _maps(network.learner.feature_maps(images)), network.linear
    weights = linear.weight[_each(labels, images, linear.out_features)]
    parts = weights.split([x[0].numel() for x in features], 1)
    return [(x * weight.view_as(x)).sum(1) for x, weight in zip(features, parts)]


@torch.no_grad()
def goodness_maps(learner: ForwardForward, images: Tensor, labels: Tensor | int,
                  rivals: Tensor | int) -> list[Tensor]:  # fmt: skip
    """What each place adds to the goodness of one label rather than another: squares over channels.

    images float `(N, C, H, W)`; `labels` and `rivals` as the labels of `class_maps`. One map `(N, H', W')`
    of its own size for each judging block. Summed over places and blocks they are the difference of the two
    labels' `scores`: θ drops out. Raises ValueError as `class_maps` does.
    """
    both = [_each(asked, images, learner.label.classes) for asked in (labels, rivals)]
    ours, theirs = (_maps(learner.judged(learner.label.embed(images, asked))) for asked in both)
    return [learner.goodness.at_places(a) - learner.goodness.at_places(b) for a, b in zip(ours, theirs)]


def on_image(network, maps: list[Tensor], height: int, width: int) -> Tensor:
    """Maps `(N, H', W')` brought onto the image, `(N, blocks, height, width)`; `.sum(1)` adds the blocks up.

    `network` is the one that gave the maps. A place of a map lies at the centre of the window of the image
    that it looks at. Between such centres values are interpolated linearly in both directions; where none
    is near, the map says nothing: 0. Maps of the image's own resolution are moved, not blurred: their sum
    stays what it was.
    """
    found = []
    for (start, step), x in zip(windows(network.blocks)[-len(maps) :], maps):
        rows = _tent(start, step, x.shape[1], height).to(x)
        columns = _tent(start, step, x.shape[2], width).to(x)
        found.append(rows @ x @ columns.T)
    return torch.stack(found, 1)


def windows(blocks: nn.ModuleList) -> list[tuple[float, int]]:
    """For each block: the pixel at the centre of its map's first window, and pixels from place to place.

    The FF-CNN of three unpadded 7×7 layers has `[(3, 1), (6, 1), (9, 1)]`: place (i, j) of layer 3 looks
    around (i + 9, j + 9).
    """
    found, start, step = [], 0.0, 1
    for block in blocks:
        for layer in block.modules():
            if isinstance(layer, nn.Conv2d):
                start += step * ((layer.kernel_size[0] - 1) / 2 - layer.padding[0])
                step *= layer.stride[0]
            elif isinstance(layer, (nn.MaxPool2d, nn.AvgPool2d)):  # 2×2
                start, step = start + step / 2, step * 2
        found.append((start, step))
    return found


def _tent(start: float, step: int, places: int, pixels: int) -> Tensor:
    """Linear interpolation, `(pixels, places)`: 1 at a place's centre, falling to 0 at its neighbours'."""
    centres = start + step * torch.arange(places)
    return (1 - (torch.arange(pixels)[:, None] - centres).abs() / step).clamp(min=0)


def _each(labels: Tensor | int, images: Tensor, classes: int) -> Tensor:
    """The label of each image, int64 `(N,)`."""
    labels = torch.as_tensor(labels)
    # To look at those on a device, the host would wait for it.
    seen = labels if labels.device.type == "cpu" else labels.new_zeros(0, device="cpu")
    fits = labels.shape in ((), images.shape[:1]) and not ((seen < 0) | (seen >= classes)).any()
    if not fits:
        wanted = f"one, or one for each of the {len(images)} images, and between 0 and {classes - 1}"
        raise ValueError(f"labels must be {wanted}; got {labels.tolist()}")
    return labels.to(images.device).expand(len(images))


def _maps(features: list[Tensor]) -> list[Tensor]:
    if any(x.dim() != 4 for x in features):
        raise ValueError("there are no maps: the network's blocks are not convolutional")
    return features
