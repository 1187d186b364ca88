"""The rules train as before they were rewritten: losses of short runs, by configuration, with fixed seeds.

`same_numbers.json` was made by the code of commit 49f6b85: `python tests/test_same_numbers.py` there.
Rounding differs between machines, so a few parts in ten thousand are allowed; another draw of a negative
moves a loss by far more.
"""

import json
from pathlib import Path

import pytest
import torch

from evidence.build import answers, build
from fftools import data
from fftools.fit import fit
from fftools.readout import LinearReadout

KEPT = Path(__file__).with_name("same_numbers.json")
MLP = dict(dataset="digits", widths=[784, 24, 16])
CNN = dict(dataset="digits", blocks=dict(channels=1, widths=[8, 8, 8], kernel=5))
PAPER = dict(norm="layer", first_loss=1, first_judge=1)  # the FF-CNN paper's block 1 has no say
FF, WAVES = (
    dict(rule="ff", label="pixels", network={}),
    dict(rule="ff", label="fourier", labels=dict(set=1, strength=0.35)),
)


def ff(**network) -> dict:
    return MLP | FF | dict(network=network)


def ff_cnn(**network) -> dict:
    return CNN | WAVES | dict(network=PAPER | network)


CONFIGS = {
    "ff": ff(),
    "ff, through": ff(local=False),
    "ff, hard negatives": ff(norm="layer", negatives="hard"),
    "ff, three hard negatives": ff(norm="layer", negatives="hard", negatives_each=3, loss="symmetric"),
    "ff, all negatives": ff(negatives="all", loss="symmetric", temperature=100.0),
    "ff, softplus, T": ff(temperature=10.0),
    "ff, article": ff(goodness="mean", threshold=3.0, norm="length"),
    "ff, peer": ff(peer=0.03),
    "ff, no norm": ff(norm="none"),
    "ff, hybrids": MLP | dict(rule="ff", label="hybrids", network={}),
    "ff-cnn, local": ff_cnn(local=True),
    "ff-cnn, through": ff_cnn(local=False),
    "ff-cnn, all judge": ff_cnn(first_judge=0),
    "ff-cnn, all learn": ff_cnn(first_loss=0),
    "ff-cnn, through, all": ff_cnn(local=False, first_loss=0, first_judge=0),
    "ff-cnn, place": ff_cnn(goodness="place"),
    "ff-cnn, channel": ff_cnn(goodness="channel", loss="symmetric"),
    "ff-cnn, place norm": ff_cnn(norm="place", negatives_each=2),
    "ff-cnn, mean": ff_cnn(goodness="mean", norm="rms"),
    "ff-cnn, set 2": CNN | WAVES | dict(labels=dict(set=2, strength=0.5), network=PAPER),
    "ff-cnn, morphology": CNN | WAVES | dict(label="morphology", labels=dict(strength=0.6), network=PAPER),
    "mf": MLP | dict(rule="mf"),
    "mf-cnn": CNN | dict(rule="mf", network=dict(places=2)),
    "bp": MLP | dict(rule="bp", network=dict(bias=False)),
    "bp-cnn": CNN | dict(rule="bp"),
    "fa": MLP | dict(rule="fa"),
    "fa-cnn": CNN | dict(rule="fa"),
    "dfa": MLP | dict(rule="dfa"),
    "dfa-cnn": CNN | dict(rule="dfa"),
    "cw": MLP | dict(rule="cw", widths=[784, 30, 20], network=dict(classes=10)),
    "cw-cnn": CNN
    | dict(rule="cw", blocks=dict(channels=1, widths=[10, 20], kernel=3), network=dict(temperature=0.5)),
}


def run(name: str) -> dict:
    """Of two epochs of 200 images: each block's losses, what validation saw, scores, a read-out's losses."""
    config, digits = CONFIGS[name], data.load("digits", "cpu")
    torch.manual_seed(1)
    learner = build(config)
    options = dict(epochs=2, batch_size=20, lr=1e-3, seed=3, precision="float32")
    watched = None if config.get("label") == "hybrids" else digits.validation[:100]
    history = fit(learner, digits.train[:200], shift=1, validation=watched, **options)
    readout = LinearReadout(learner)
    linear = fit(readout, digits.train[:200], **options).loss
    images = digits.validation[:20].floats()
    with torch.no_grad():
        scores = {way: [s.sum().item(), s.std().item()] for way, s in answers(learner)(images).items()}
    return dict(
        loss=history.loss,
        validation=history.validation,
        discrimination=history.discrimination,
        scores=scores,
        linear=linear,
        keys=sorted(learner.state_dict()),
    )


def flat(found) -> list:
    """All numbers and words in nested lists and dictionaries, in a fixed order."""
    if isinstance(found, dict):
        return [x for key in sorted(found) for x in [key, *flat(found[key])]]
    return [x for part in found for x in flat(part)] if isinstance(found, list) else [found]


@pytest.mark.parametrize("name", CONFIGS)
def test_same_numbers(name):
    kept, now = flat(json.loads(KEPT.read_text())[name]), flat(run(name))
    assert [type(x) for x in kept] == [type(x) for x in now]
    for one, other in zip(kept, now):
        assert one == other if isinstance(one, str) else other == pytest.approx(one, rel=5e-4, abs=1e-4)


if __name__ == "__main__":
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(run(name))}" for name in CONFIGS)
    KEPT.write_text(f"{{\n{lines}\n}}\n")
