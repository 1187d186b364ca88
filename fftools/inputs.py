"""What may enter a network: one rule for images and labels, with errors that say what is expected."""

from math import prod

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedParameter

SLACK = 1e-3  # how far a float image may reach out of [0, 1]: resizing and rounding do that


def as_images(images: Tensor) -> Tensor:
    """Images as a network computes with them: uint8 in 0…255 as float32 in [0, 1], all else as it is.

    images   uint8 or floating point `(N, C, H, W)`; a table's rows `(N, columns)`; token ids, int64 `(N,
             length)`

    Looks at the form only, so nothing waits for a GPU; values are checked by `check_values`. Raises
    ValueError.
    """
    if not isinstance(images, Tensor):
        raise ValueError(
            f"images must be a torch tensor; got {type(images).__name__} (torch.from_numpy takes an array)"
        )
    ids = images.dim() == 2 and images.dtype == torch.int64
    if (
        images.dim() not in (2, 4)
        or 0 in images.shape[1:]
        or not (images.dtype == torch.uint8 or images.is_floating_point() or ids)
    ):
        raise ValueError(
            "images must be uint8 or float32 (N, C, H, W), rows of a table (N, columns), or token ids, int64 "
            f"(N, length); got {_form(images)}{'; unsqueeze(1) adds a channel' * (images.dim() == 3)}"
        )
    return images.to(torch.float32).div_(255) if images.dtype == torch.uint8 else images


def for_blocks(inputs: Tensor, blocks: nn.ModuleList) -> Tensor:
    """`as_images`, if they fit the first layer. Raises ValueError for another form, size or device."""
    x = as_images(inputs)
    layers = blocks[0].modules() if len(blocks) else ()
    layer = next((part for part in layers if isinstance(getattr(part, "weight", None), Tensor)), None)
    if layer is None:
        return x
    wanted = f"{str(layer.weight.dtype)[6:]} "
    fits = x.dtype == layer.weight.dtype or x.dtype.itemsize < 8 and _autocast(x.device.type)
    if isinstance(layer, nn.EmbeddingBag):
        wanted, fits = "token ids, int64 (N, length)", x.dtype == torch.int64
    elif isinstance(layer, nn.Conv2d) and not isinstance(layer.weight, UninitializedParameter):
        least = _least(blocks)
        wanted += f"(N, {layer.in_channels}, H, W) of at least {least}×{least} pixels"
        fits &= x.dim() == 4 and x.shape[1] == layer.in_channels and min(x.shape[2:]) >= least
    elif isinstance(layer, nn.Linear) and not isinstance(layer.weight, UninitializedParameter):
        wanted += f"of {layer.in_features} numbers each"
        fits &= prod(x.shape[1:]) == layer.in_features
    if not fits or not x.numel() or x.device != layer.weight.device:
        raise ValueError(
            f"block 1 reads {wanted}, one image or more, on {layer.weight.device}; "
            f"got {_form(inputs)} on {x.device}"
        )
    return x


def _least(blocks: nn.ModuleList) -> int:
    """The smallest height and width of an image of which the last block's map has one place left."""
    size = 1
    for layer in reversed([*blocks.modules()]):
        if isinstance(layer, (nn.MaxPool2d, nn.AvgPool2d)):  # 2×2
            size *= 2
        elif isinstance(layer, nn.Conv2d) and not isinstance(layer.padding, str):
            size = max(1, (size - 1) * layer.stride[0] + layer.kernel_size[0] - 2 * layer.padding[0])
    return size


def for_linear(x: Tensor, linear: nn.Linear) -> Tensor:
    """`linear(x)` of features `(N, D)`. Raises ValueError for those of images of another size."""
    if not isinstance(linear.weight, UninitializedParameter) and x.shape[1] != linear.in_features:
        raise ValueError(
            f"the network knows images with {linear.in_features} features; these have {x.shape[1]}: "
            "they are of another size, or the network has been changed"
        )
    return linear(x)


def check_values(images: Tensor) -> None:
    """Float pixels are finite and in [0, 1], a table's numbers finite. Waits for a GPU: not in a step.

    Raises ValueError that names the first image, counted from 0, in which something else stands.
    """
    if not images.is_floating_point() or not len(images):
        return
    wrong = ~images.isfinite()
    if images.dim() == 4:
        wrong |= (images < -SLACK) | (images > 1 + SLACK)
    if wrong.any():
        first = wrong.flatten(1).any(1).nonzero()[0].item()
        values = images[first][wrong[first]]
        wanted = (
            "pixels must be in [0, 1], or uint8 in 0…255" if images.dim() == 4 else "numbers must be finite"
        )
        more = int(wrong.sum()) - 1
        raise ValueError(f"{wanted}; found {values[0].item():g} in image {first}, and {more} more")


def check_labels(labels: Tensor, images: Tensor, classes: int, values: bool = True) -> None:
    """Labels are int64 `(N,)`, one for each image, and 0 … classes − 1 (`classes` 0: any). Raises ValueError.

    With `values` they are looked at, which waits for a GPU.
    """
    if not isinstance(labels, Tensor) or labels.dtype != torch.int64 or labels.dim() != 1:
        raise ValueError(
            "labels must be int64 (N,), a class's number each (of one-hot rows: argmax(1)); "
            f"got {_form(labels)}"
        )
    if len(labels) != len(images) or labels.device != images.device:
        raise ValueError(
            f"each image needs a label, on the same device; got {len(images)} images on {images.device} and "
            f"{len(labels)} labels on {labels.device}"
        )
    if values and classes and len(labels):
        low, high = (extreme.item() for extreme in labels.aminmax())
        if low < 0 or high >= classes:
            wrong = labels[(labels < 0) | (labels >= classes)].unique().tolist()
            raise ValueError(
                f"labels must be between 0 and {classes - 1}, since there are {classes} classes; "
                f"got {', '.join(map(str, wrong[:10]))}{' …' * (len(wrong) > 10)}"
            )


def check_data(images: Tensor, labels: Tensor, classes: int) -> None:
    """All of the above for a whole dataset, which must not be empty. Raises ValueError."""
    as_images(images[:1])
    check_labels(labels, images, classes)
    if not len(images):
        raise ValueError("there are no images: the split is empty")
    check_values(images)


def _autocast(device: str) -> bool:
    return torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)


def _form(given: object) -> str:
    return (
        f"{str(given.dtype)[6:]} {tuple(given.shape)}" if isinstance(given, Tensor) else type(given).__name__
    )
