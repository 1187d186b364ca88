"""One training step of any learner, and what makes it fast: fused optimizers and, on a GPU, a CUDA graph."""

import torch
from torch import Tensor, nn

from fftools.fast.precision import precision_context

OPTIMIZERS = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}
CAPTURE_AFTER = 3  # eager steps before a CUDA graph is captured: libraries set themselves up in them


class Step:
    """One training step; on CUDA it is captured once and replayed, since launching it costs more than running it."""

    def __init__(self, learner, optimizer, precision, device):
        self.learner, self.optimizer, self.precision, self.device = learner, optimizer, precision, device
        self.count, self.graph = 0, None

    def __call__(self, images: Tensor, labels: Tensor) -> Tensor:
        """The step's losses, detached, `(blocks,)` float32."""
        if self.device.type != "cuda":
            return self.eager(images, labels)
        self.count += 1
        if self.count <= CAPTURE_AFTER:
            return self._aside(images, labels)
        if self.graph is None:
            self._capture(images, labels)
        self.images.copy_(images)
        self.labels.copy_(labels)
        self.graph.replay()
        return self.losses.clone()

    def eager(self, images: Tensor, labels: Tensor) -> Tensor:
        losses, found = self.learner.local_losses(images, labels), []
        while True:
            with precision_context(self.precision, self.device):
                loss = next(losses, None)
            if loss is None:
                break
            loss.backward()
            found.append(loss.detach().float())
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return torch.stack(found)

    def _aside(self, images, labels):
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            losses = self.eager(images, labels)
        torch.cuda.current_stream().wait_stream(stream)
        return losses

    def _capture(self, images, labels):
        self.images, self.labels = images.clone(), labels.clone()
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.losses = self.eager(self.images, self.labels)


def make_optimizer(name: str, learner: nn.Module, lr: float, device: torch.device) -> torch.optim.Optimizer:
    """The optimizer `name`, "adam" or "sgd", of all parameters that are trained; fused where PyTorch can."""
    cuda = device.type == "cuda"
    rate = torch.tensor(lr, device=device) if cuda else lr  # a captured graph reads the rate from the device
    options = dict(capturable=cuda) if name == "adam" else dict(momentum=0.9)
    parameters = [p for p in learner.parameters() if p.requires_grad]
    return OPTIMIZERS[name](parameters, lr=rate, fused=device.type != "mps", **options)


def set_lr(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """Change the learning rate in place, also where a captured graph reads it."""
    for group in optimizer.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(lr)
        else:
            group["lr"] = lr
