"""From a configuration to its learner, and the ways to ask it: only here do names select behaviour."""

from collections.abc import Sequence

from torch import nn

from evidence.variants import PerChannel, PerPlace, Trial, fan_out_weights, place_norm
from fftools import blocks, data, labels
from fftools.extras import speedrun
from fftools.inputs import expect
from fftools.learner import Learner
from fftools.readout import Answers, LinearReadout
from fftools.rules import goodness as parts
from fftools.rules.backprop import Backprop
from fftools.rules.channel_wise import ChannelWise
from fftools.rules.feedback import DirectFeedbackAlignment, FeedbackAlignment
from fftools.rules.forward_forward import ForwardForward
from fftools.rules.mono_forward import MonoForward

RULES = dict(bp=Backprop, fa=FeedbackAlignment, dfa=DirectFeedbackAlignment, mf=MonoForward)
SCHEMES = dict(
    pixels=labels.Pixels, hybrids=labels.Hybrids, fourier=labels.Fourier, morphology=labels.Morphology
)
GOODNESS = dict(sum=parts.SumOfSquares, mean=parts.MeanOfSquares, place=PerPlace, channel=PerChannel)
NORMS = dict(length=blocks.unit_length, rms=blocks.rms_norm, layer=blocks.layer_norm, place=place_norm,
             none=blocks.no_norm)  # fmt: skip
LOSSES = dict(softplus=parts.Softplus, symmetric=parts.Symmetric)
NEGATIVES = dict(random=parts.RandomLabels, hard=parts.HardLabels, all=lambda each: parts.AllLabels())

Statistics = tuple[Sequence[float], Sequence[float]]  # mean and standard deviation of each channel of images


def build(config: dict, statistics: Statistics | None = None) -> Learner:
    """The untrained learner that a configuration describes; `statistics` are for `standardise`.

    A dataset of `data.STATISTICS` has its own. Raises ValueError for `standardise` without any, and for rules
    that normalise what block 1 reads anyway.
    """
    rule, form = config["rule"], config.get("form", {}).get("form")
    if rule == "layerwise":
        expect(
            not config.get("standardise"), "a layerwise network whitens its input instead", standardise=True
        )
        return speedrun.network(widths=config["blocks"]["widths"], mirror=config["flip"], **config["network"])
    if config.get("recipe") == "speedrun":
        stack = speedrun.body(config["blocks"]["channels"], config["blocks"]["widths"])
    elif "blocks" in config:
        stack = blocks.cnn(**config["blocks"])
    else:
        stack = (blocks.averaged if form == "ids" else blocks.mlp)(config["widths"], config.get("bias", True))
    if config.get("weights") == "fan-out":
        fan_out_weights(stack)
    if config.get("standardise"):
        statistics = data.STATISTICS.get(config["dataset"], statistics)
        if rule not in RULES or not statistics:
            needed = f"one of the rules {', '.join(RULES)} and statistics of images"
            raise ValueError(f"standardise needs {needed}; got rule {rule!r} on {config['dataset']}")
        stack[0].insert(0, blocks.Standardise(*statistics))
    if rule == "cw":
        return ChannelWise(stack, **config["network"])
    if rule in RULES:
        return RULES[rule](stack, **config.get("network", {}))
    return forward_forward(stack, SCHEMES[config["label"]](**config.get("labels", {})), **config["network"])


def forward_forward(blocks: nn.ModuleList, label, *, goodness="sum", threshold=None, norm="rms",
                    loss="softplus", temperature=1.0, negatives="random", negatives_each=1, first_judge=0,
                    first_loss=0, local=True, peer=0.0) -> ForwardForward:  # fmt: skip
    """An FF network by the words that configurations use for its parts; in them, blocks count from 0.

    Raises ValueError for an unknown word, and for several negatives each where every wrong label is one.
    """
    known = dict(goodness=GOODNESS, norm=NORMS, loss=LOSSES, negatives=NEGATIVES)
    for (name, words), word in zip(known.items(), (goodness, norm, loss, negatives)):
        expect(word in words, f"{name} must be one of {', '.join(words)}", word)
    if negatives == "all" and negatives_each > 1:
        raise ValueError(f'negatives="all" draws none, so negatives_each cannot be {negatives_each}')
    measure = GOODNESS[goodness](threshold, NORMS[norm], LOSSES[loss](temperature), first_loss + 1)
    network = blocks, label, measure, NEGATIVES[negatives](negatives_each), local
    if goodness in ("sum", "mean") and first_judge == first_loss and not peer:
        return ForwardForward(*network)
    return Trial(*network, first_judge=first_judge + 1, peer=peer)


def answers(learner: Learner, readout: LinearReadout | None = None) -> Answers:
    """What a trained network and its read-out answer to images, by the names that they have in records."""
    return learner.answers if readout is None else lambda x: learner.answers(x) | readout.answers(x)
