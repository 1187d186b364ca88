"""What Forward-Forward's losses are made of: which activations a goodness sums over, and the peer loss."""

from torch import Tensor

SUMMED_OVER = {"sum": (1, 2), "mean": (1, 2), "place": 1, "channel": 2}  # axes of activations (N, channels, places)


def peer_loss(x: Tensor) -> Tensor:
    """Squared distance of each unit's mean activity over the batch from the mean over the layer, averaged."""
    activity = x.float().mean(0)
    return (activity - activity.mean()).pow(2).mean()
