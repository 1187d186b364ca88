"""From a configuration to its learner, and the ways to ask it: the only place where names select behaviour."""

from functools import partial

from torch import Tensor

from fftools import data, labels
from fftools.blocks import Standardise, averaged, cnn, fan_out_weights, mlp
from fftools.learner import Learner
from fftools.readout import LinearReadout, Scores
from fftools.rules.backprop import Backprop
from fftools.rules.channel_wise import ChannelWise
from fftools.rules.feedback import DirectFeedbackAlignment, FeedbackAlignment
from fftools.rules.forward_forward import ForwardForward
from fftools.rules.mono_forward import MonoForward

SCHEMES = {"pixels": labels.Pixels, "hybrids": labels.Hybrids, "fourier": labels.Fourier, "morphology": labels.Morphology}
RULES = {"bp": Backprop, "fa": FeedbackAlignment, "dfa": DirectFeedbackAlignment, "mf": MonoForward}


def build(config: dict) -> Learner:
    """The untrained learner that a configuration describes. Raises ValueError for `standardise` where it is no use."""
    dense = averaged if config.get("form", {}).get("form") == "ids" else mlp
    blocks = cnn(**config["blocks"]) if "blocks" in config else dense(config["widths"], config.get("bias", True))
    if config.get("weights") == "fan-out":
        fan_out_weights(blocks)
    if config.get("standardise"):
        if config["rule"] not in RULES:
            raise ValueError(f"inputs are standardised for {', '.join(RULES)} only; got rule {config['rule']!r}, which "
                             "normalises what block 1 reads")
        blocks[0].insert(0, Standardise(*data.STATISTICS[config["dataset"]]))
    if config["rule"] in RULES:
        return RULES[config["rule"]](blocks, **config.get("network", {}))
    if config["rule"] == "cw":
        return ChannelWise(blocks, **config["network"])
    return ForwardForward(blocks, SCHEMES[config["label"]](**config.get("labels", {})), **config["network"])


def answers(learner: Learner, readout: LinearReadout | None = None) -> dict[str, Scores]:
    """The ways in which a trained network can be asked, by the names they have in records."""
    linear = {} if readout is None else {"linear": readout.scores}
    if isinstance(learner, (MonoForward, ChannelWise)):
        layers = {f"layer_{number}": partial(_one_layer, learner, number) for number in range(1, len(learner.blocks) + 1)}
        if isinstance(learner, ChannelWise):
            return {"goodness": learner.scores} | linear | layers
        return {"ff_pred": learner.scores, "bp_pred": learner.last_scores} | layers
    if not isinstance(learner, ForwardForward):
        return {"accuracy": learner.scores}
    found = {"goodness": learner.scores} if learner.label.classes else {}
    found |= {} if learner.softmax is None else {"one_pass": learner.one_pass}
    return found | linear


def _one_layer(learner: MonoForward | ChannelWise, number: int, images: Tensor) -> Tensor:
    return learner.goodness(images)[number - 1]
