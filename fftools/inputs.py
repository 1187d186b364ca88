"""What may enter a network: one rule for images and labels, with errors that say what is expected."""

from math import prod

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

SLACK = 1e-3  # how far a float image may reach out of [0, 1]: resizing and rounding do that
FAR = 20  # no pixel that was standardised lies so far from zero; those of floats 0…255 do


def expect(fits: bool, wanted: str, *given, **named) -> None:
    """Unless it fits, raise a ValueError that says what was wanted and what was given."""
    if not fits:
        told = [*map(repr, given), *(f"{name}={value!r}" for name, value in named.items())]
        raise ValueError(f"{wanted}; got {', '.join(told)}")


def to_float(images: Tensor) -> Tensor:
    """uint8 in 0…255 to float32 in [0, 1]; anything else is no picture and is fed to a network as it is."""
    return images.to(torch.float32).div_(255) if images.dtype == torch.uint8 else images


def as_images(images: Tensor) -> Tensor:
    """`to_float` of uint8 or floats `(N, C, H, W)`, a table's rows `(N, columns)`, ids int64 `(N, length)`.

    Raises ValueError for another form and, on a CPU, where nothing waits for a look at the values, for floats
    that must be meant as 0…255. Standardised images may enter here; `check_values` has the stricter rule.
    """
    if not isinstance(images, Tensor):
        raise ValueError(f"images must be a tensor; got {form(images)} (torch.from_numpy takes an array)")
    ids = images.dim() == 2 and images.dtype == torch.int64
    numbers = images.dtype == torch.uint8 or images.is_floating_point() or ids
    dense = images.layout == torch.strided
    if images.dim() not in (2, 4) or 0 in images.shape[1:] or not numbers or not dense:
        wanted = (
            "dense: uint8 or float32 (N, C, H, W), rows of a table (N, columns), or ids, int64 (N, length)"
        )
        hint = "; unsqueeze(1) adds a channel" * (images.dim() == 3)
        raise ValueError(f"images must be {wanted}; got {form(images, placed=False)}{hint}")
    floats = images.dim() == 4 and images.is_floating_point() and images.device.type == "cpu"
    if floats and images.numel() and images.max() > FAR:
        check_values(images)
    return to_float(images)


def for_blocks(inputs: Tensor, blocks: nn.ModuleList) -> Tensor:
    """`as_images`, if they fit the first layer. Raises ValueError for another form, size or device."""
    x = as_images(inputs)
    layer = next((m for m in blocks[:1].modules() if isinstance(getattr(m, "weight", None), Tensor)), None)
    if layer is None:
        return x
    wanted, device = f"{str(layer.weight.dtype)[6:]} ", x.device.type
    autocast = torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)
    fits = x.dtype == layer.weight.dtype or x.dtype.itemsize < 8 and autocast
    if isinstance(layer, nn.EmbeddingBag):
        wanted, fits = "token ids, int64 (N, length)", x.dtype == torch.int64
    elif isinstance(layer, nn.Conv2d) and not is_lazy(layer.weight):
        least = _least(blocks)
        wanted += f"(N, {layer.in_channels}, H, W) of at least {least}×{least} pixels"
        fits &= x.dim() == 4 and x.shape[1] == layer.in_channels and min(x.shape[2:]) >= least
    elif isinstance(layer, nn.Linear) and not is_lazy(layer.weight):
        wanted += f"of {layer.in_features} numbers each"
        fits &= prod(x.shape[1:]) == layer.in_features
    if not fits or not x.numel() or x.device != layer.weight.device:
        wanted += f", one image or more, on {layer.weight.device}"
        raise ValueError(f"block 1 reads {wanted}; got {form(inputs)}")
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
    if not is_lazy(linear.weight) and x.shape[1] != linear.in_features:
        known = f"the network knows images with {linear.in_features} features; these have {x.shape[1]}"
        raise ValueError(f"{known}: they are of another size, or the network has been changed")
    return linear(x)


def check_values(images: Tensor) -> None:
    """Pixels that are floats are in [0, 1], a table's numbers finite; looking at them waits for a GPU.

    Raises ValueError that names the first image, counted from 0, with a wrong value.
    """
    if not images.is_floating_point():
        return
    wrong, wanted = ~images.isfinite(), "numbers must be finite"
    if images.dim() == 4:
        wrong |= (images < -SLACK) | (images > 1 + SLACK)
        wanted = "pixels must be in [0, 1], or uint8 in 0…255"
    if wrong.any():
        first, more = wrong.flatten(1).any(1).nonzero()[0].item(), wrong.sum().item() - 1
        value = images[first][wrong[first]][0].item()
        raise ValueError(f"{wanted}; found {value:g} in image {first}, and {more} more")


def check_labels(labels: Tensor, images: Tensor, classes: int, values: bool = True) -> None:
    """Labels are int64 `(N,)`, one for each image, and 0 … classes − 1 (`classes` 0: any); else ValueError.

    With `values` they are looked at, which waits for a GPU.
    """
    if not isinstance(labels, Tensor) or labels.dtype != torch.int64 or labels.dim() != 1:
        wanted = "int64 (N,), a class's number each (of one-hot rows: argmax(1))"
        raise ValueError(f"labels must be {wanted}; got {form(labels)}")
    if len(labels) != len(images) or labels.device != images.device:
        both = f"{len(images)} images on {images.device} and {len(labels)} labels on {labels.device}"
        raise ValueError(f"each image needs a label, on the same device; got {both}")
    if values and classes and ((labels < 0) | (labels >= classes)).any():
        wrong = labels[(labels < 0) | (labels >= classes)].unique().tolist()
        told = ", ".join(map(str, wrong[:10])) + " …" * (len(wrong) > 10)
        wanted = f"between 0 and {classes - 1}, since there are {classes} classes"
        raise ValueError(f"labels must be {wanted}; got {told}")


def check_data(images: Tensor, labels: Tensor, classes: int) -> None:
    """All of the above for a whole dataset. Raises ValueError."""
    as_images(images[:1])
    check_labels(labels, images, classes)
    check_values(images)


def form(given: object, placed: bool = True) -> str:
    """How an error names what it was given: a tensor's dtype, shape and (if `placed`) device, or the type."""
    if not isinstance(given, Tensor):
        return type(given).__name__
    return f"{str(given.dtype)[6:]} {tuple(given.shape)}" + f" on {given.device}" * placed
