"""The playground's rules, in a browser, are the course's: the same weights after 200 steps; and its scenes show what they say."""

import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from fftools.backprop import Backprop
from fftools.blocks import mlp
from fftools.forward_forward import ForwardForward
from fftools.labels import LabelScheme
from fftools.mono_forward import MonoForward

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import browser as chrome  # noqa: E402
import live  # noqa: E402

STEPS, RATE = 200, 0.02
EXPORTS = {"network": "makeNetworks, learn, wiresOf, scoresOf, accuracy", "data": "makePoints, readPoints, writePoints, DATA",
           "layer": "rmsNorm", "random": "generator", "scenes": "SCENES, readState, writeState, DEFAULTS"}


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A page in which the playground's modules can be called by name."""
    folder = tmp_path_factory.mktemp("live")
    for path in live.SOURCES.glob("*.js"):
        (folder / path.name).write_text(path.read_text("utf8"))
    lines = [f'import {{ {names} }} from "./{module}.js";\nObject.assign(globalThis, {{ {names} }});'
             for module, names in EXPORTS.items()]
    (folder / "probe.js").write_text("\n".join(lines) + "\n")
    try:
        chrome.find()
    except chrome.NoBrowser as error:
        pytest.fail(str(error))
    with chrome.browser() as running:
        found = running.new_page()
        found.add_script_tag(content=live.bundle("probe", folder))
        yield found


TRAIN = """([rule, settings, points, negatives, steps]) => {
    const network = makeNetworks(settings)[rule], weights = () => [...network.layers, ...(network.matrices ?? network.readouts ?? [])]
        .map((layer) => ({weights: [...layer.weights.values], bias: layer.bias && [...layer.bias.values]}));
    const typed = ({x, y}) => ({x: Float64Array.from(x), y: Uint8Array.from(y), n: y.length});
    const given = typed(points), against = typed(negatives), wires = wiresOf(rule, settings), before = weights();
    for (let step = 0; step < steps; step++) {
        if (rule === "ff") network.step(given, against, {wires}); else network.step(given, {wires});
    }
    return [before, weights()];
}"""
SETTINGS = {"layers": 3, "units": 8, "seed": 3, "rate": RATE, "theta": 1, "goodness": "sum", "norm": True, "through": False,
            "accident": "none", "at": 1}


class Beside(LabelScheme):
    """The label as two more inputs, as the playground has it."""

    classes = 2

    def embed(self, points, labels):
        return torch.cat([points, F.one_hot(labels, 2).to(points)], 1)


class ThroughTheStack(MonoForward):
    """Mono-Forward's losses, added up and sent through all blocks."""

    def local_losses(self, images, labels):
        yield sum(F.cross_entropy(goodness, labels) for goodness in self.goodness(images))


def matrix(part, inputs):
    return torch.tensor(part["weights"], dtype=torch.float64).view(-1, inputs)


def learner(rule, settings, before):
    """The course's learner with the page's weights, in float64."""
    count, units = settings["layers"], settings["units"]
    widths = [4 if rule == "ff" else 2] + [units] * count
    if rule == "ff":
        made = ForwardForward(mlp(widths), Beside(), goodness=settings["goodness"], local=not settings["through"],
                              norm="rms" if settings["norm"] else "none",
                              threshold=settings["theta"] * (1 if settings["goodness"] == "mean" else units))
        heads = []
    elif rule == "mf":
        made = (ThroughTheStack if settings["through"] else MonoForward)(mlp(widths), classes=2)
        heads = list(made.projections)
    else:
        made = Backprop(mlp(widths), classes=2)
        heads = [made.head]
    made.double()
    made.scores(torch.zeros(1, 2, dtype=torch.float64))  # gives lazy layers their sizes
    linear = [block[1] for block in made.blocks] + heads
    parts = before if rule != "bp" else [*before[:count], before[-1]]
    with torch.no_grad():
        for layer, part in zip(linear, parts, strict=True):
            layer.weight.copy_(matrix(part, layer.in_features))
            if layer.bias is not None:
                layer.bias.copy_(torch.tensor(part["bias"]))
    return made, linear


CASES = [("ff", {}), ("ff", {"through": True}), ("ff", {"goodness": "mean", "theta": 2.0}), ("ff", {"norm": False}),
         ("mf", {}), ("mf", {"through": True}), ("bp", {})]


@pytest.mark.parametrize("rule, changes", CASES, ids=lambda value: str(value))
def test_the_page_learns_as_the_course_does(page, rule, changes):
    settings = SETTINGS | changes
    points = page.evaluate("() => { const {x, y} = makePoints('ring', {count: 100}); return {x: [...x], y: [...y]}; }")
    negatives = points | {"y": [1 - label for label in points["y"]]}
    before, after = page.evaluate(TRAIN, [rule, settings, points, negatives, STEPS])

    made, linear = learner(rule, settings, before)
    x, y = torch.tensor(points["x"], dtype=torch.float64).view(-1, 2), torch.tensor(points["y"])
    optimizer = torch.optim.Adam(made.parameters(), lr=RATE)
    for _ in range(STEPS):
        losses = (made.contrast(made.label.embed(x, y), made.label.embed(x, 1 - y)) if rule == "ff" else made.local_losses(x, y))
        for loss in losses:
            loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    parts = after if rule != "bp" else [*after[:settings["layers"]], after[-1]]
    moved = 0.0
    for layer, part, old in zip(linear, parts, before if rule != "bp" else [*before[:settings["layers"]], before[-1]], strict=True):
        assert torch.allclose(layer.weight, matrix(part, layer.in_features), atol=1e-4, rtol=0), (
            (layer.weight - matrix(part, layer.in_features)).abs().max())
        if layer.bias is not None:
            assert torch.allclose(layer.bias, torch.tensor(part["bias"], dtype=torch.float64), atol=1e-4, rtol=0)
        moved = max(moved, (layer.weight - matrix(old, layer.in_features)).abs().max().item())
    assert moved > 0.3, "nothing was learned, so nothing was compared"
