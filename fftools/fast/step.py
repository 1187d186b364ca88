"""What makes a training step fast: fused optimizers, kept memory and, on a GPU, a CUDA graph."""

import ctypes
import sys
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

OPTIMIZERS = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}
CAPTURE_AFTER = 3  # eager steps before a CUDA graph is captured: libraries set themselves up in them


class Captured:
    """A step; on CUDA it is captured once and replayed, since launching it costs more than running it."""

    def __init__(self, step: Callable[[Tensor, Tensor], Tensor], device: torch.device):
        self.step, self.device, self.count, self.graph = step, device, 0, None

    def __call__(self, images: Tensor, labels: Tensor) -> Tensor:
        """Run the step; gives what it returns."""
        if self.device.type != "cuda":
            return self.step(images, labels)
        self.count += 1
        if self.count <= CAPTURE_AFTER:
            return self._aside(images, labels)
        if self.graph is None:
            self.images, self.labels, self.graph = images.clone(), labels.clone(), torch.cuda.CUDAGraph()
            with torch.cuda.graph(self.graph):
                self.found = self.step(self.images, self.labels)
        self.images.copy_(images)
        self.labels.copy_(labels)
        self.graph.replay()
        return self.found.clone()

    def _aside(self, images, labels):
        """On a stream of its own, as what is to be captured has to be run before."""
        stream, here = torch.cuda.Stream(), torch.cuda.current_stream()
        stream.wait_stream(here)
        with torch.cuda.stream(stream):
            found = self.step(images, labels)
        here.wait_stream(stream)
        return found


def make_optimizer(name: str, parameters: Iterable[nn.Parameter], lr: float, device: torch.device,
                   weight_decay: float = 0.0) -> torch.optim.Optimizer:  # fmt: skip
    """Optimizer `name` of these parameters: "adam", "adamw", "sgd" (momentum 0.9); fused where it can be."""
    cuda = device.type == "cuda"
    rate = torch.tensor(lr, device=device) if cuda else lr  # a captured graph reads the rate from the device
    options = dict(momentum=0.9) if name == "sgd" else dict(capturable=cuda)
    options |= dict(fused=device.type != "mps", weight_decay=weight_decay)
    return OPTIMIZERS[name](parameters, lr=rate, **options)


def set_lr(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """Change the learning rate in place, also where a captured graph reads it."""
    for group in optimizer.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(lr)
        else:
            group["lr"] = lr


def load_optimizer(optimizer: torch.optim.Optimizer, state: dict) -> None:
    """`load_state_dict` for the state alone: rate and options belong to this device and stay.

    A file from a CPU may go on where a graph is captured, which needs the rate on the device and a
    `capturable` optimizer. Raises ValueError when the state is of other parameters.
    """
    own = [{name: group[name] for name in group if name != "params"} for group in optimizer.param_groups]
    if len(own) != len(groups := state["param_groups"]):
        raise ValueError(f"the optimizer has {len(own)} groups of parameters; got {len(groups)}")
    kept = [group | options for group, options in zip(groups, own)]
    optimizer.load_state_dict(state | {"param_groups": kept})
    for group, options in zip(optimizer.param_groups, own):
        group |= options  # the very tensor that holds the rate


def keep_freed_memory() -> None:
    """Tell glibc to keep large freed blocks: it would fetch the same ones, page by page, in every step.

    Halves the time of a convolutional step on a CPU. Elsewhere than under Linux with glibc nothing is done.
    """
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        mmap_threshold, trim_threshold = -3, -1  # from malloc.h
        libc.mallopt(mmap_threshold, 32 << 20)
        libc.mallopt(trim_threshold, 1 << 30)
