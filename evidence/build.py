"""From a configuration to its learner, and the ways to ask it: the only place where names select
behaviour.
"""

from torch import nn

from evidence.trials import PerChannel, PerPlace, Trial, place_norm
from fftools import data, labels
from fftools.blocks import (
    Standardise,
    averaged,
    cnn,
    fan_out_weights,
    layer_norm,
    mlp,
    no_norm,
    rms_norm,
    unit_length,
)
from fftools.learner import Learner, Scores
from fftools.readout import LinearReadout
from fftools.rules.backprop import Backprop
from fftools.rules.channel_wise import ChannelWise
from fftools.rules.feedback import DirectFeedbackAlignment, FeedbackAlignment
from fftools.rules.forward_forward import ForwardForward
from fftools.rules.goodness import (
    AllLabels,
    HardLabels,
    MeanOfSquares,
    RandomLabels,
    Softplus,
    SumOfSquares,
    Symmetric,
)
from fftools.rules.mono_forward import MonoForward

SCHEMES = {
    "pixels": labels.Pixels,
    "hybrids": labels.Hybrids,
    "fourier": labels.Fourier,
    "morphology": labels.Morphology,
}
RULES = {"bp": Backprop, "fa": FeedbackAlignment, "dfa": DirectFeedbackAlignment, "mf": MonoForward}
GOODNESS = {"sum": SumOfSquares, "mean": MeanOfSquares, "place": PerPlace, "channel": PerChannel}
NORMS = {"length": unit_length, "rms": rms_norm, "layer": layer_norm, "place": place_norm, "none": no_norm}
LOSSES = {"softplus": Softplus, "symmetric": Symmetric}
NEGATIVES = {"random": RandomLabels, "hard": HardLabels, "all": lambda each: AllLabels()}


def build(config: dict) -> Learner:
    """The untrained learner that a configuration describes. Raises ValueError for `standardise` where it is
    no use.
    """
    dense = averaged if config.get("form", {}).get("form") == "ids" else mlp
    blocks = (
        cnn(**config["blocks"]) if "blocks" in config else dense(config["widths"], config.get("bias", True))
    )
    if config.get("weights") == "fan-out":
        fan_out_weights(blocks)
    if config.get("standardise"):
        if config["rule"] not in RULES:
            raise ValueError(
                f"inputs are standardised for {', '.join(RULES)} only; got rule {config['rule']!r}, which "
                "normalises what block 1 reads"
            )
        blocks[0].insert(0, Standardise(*data.STATISTICS[config["dataset"]]))
    if config["rule"] in RULES:
        return RULES[config["rule"]](blocks, **config.get("network", {}))
    if config["rule"] == "cw":
        return ChannelWise(blocks, **config["network"])
    return forward_forward(blocks, SCHEMES[config["label"]](**config.get("labels", {})), **config["network"])


def forward_forward(
    blocks: nn.ModuleList,
    label,
    *,
    goodness="sum",
    threshold=None,
    norm="rms",
    loss="softplus",
    temperature=1.0,
    negatives="random",
    negatives_each=1,
    first_judge=0,
    first_loss=0,
    local=True,
    peer=0.0,
) -> ForwardForward:
    """An FF network by the words that configurations use for its parts; in them, blocks count from 0.

    Raises ValueError for an unknown word, and for several negatives each where every wrong label is one.
    """
    for name, value, known in [
        ("goodness", goodness, GOODNESS),
        ("norm", norm, NORMS),
        ("loss", loss, LOSSES),
        ("negatives", negatives, NEGATIVES),
    ]:
        if value not in known:
            raise ValueError(f"{name} must be one of {', '.join(known)}; got {value!r}")
    if negatives == "all" and negatives_each > 1:
        raise ValueError(f'negatives="all" draws none, so negatives_each cannot be {negatives_each}')
    parts = (
        blocks,
        label,
        GOODNESS[goodness](threshold, NORMS[norm], LOSSES[loss](temperature), first_loss + 1),
        NEGATIVES[negatives](negatives_each),
        local,
    )
    if goodness in ("sum", "mean") and first_judge == first_loss and not peer:
        return ForwardForward(*parts)
    return Trial(*parts, first_judge=first_judge + 1, peer=peer)


def answers(learner: Learner, readout: LinearReadout | None = None) -> dict[str, Scores]:
    """The ways in which a trained network can be asked, by the names they have in records."""
    return learner.answers() | ({} if readout is None else readout.answers())
