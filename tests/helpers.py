"""Comparing states of networks bit by bit."""

from torch import Tensor, equal, nn


def weights(learner: nn.Module) -> dict[str, Tensor]:
    """A copy of all parameters, to be compared later."""
    return {name: tensor.detach().clone() for name, tensor in learner.state_dict().items()}


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    """Whether two states are equal, bit for bit."""
    return one.keys() == other.keys() and all(equal(one[name], other[name]) for name in one)
