"""The playground's rules are the course's: equal weights after 200 steps. Its scenes show what they say."""

import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from fftools.blocks import mlp, no_norm, rms_norm
from fftools.labels.scheme import LabelScheme
from fftools.rules.backprop import Backprop
from fftools.rules.forward_forward import ForwardForward
from fftools.rules.goodness import MeanOfSquares, SumOfSquares
from fftools.rules.mono_forward import MonoForward

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import live  # noqa: E402

STEPS, RATE = 200, 0.02
EXPORTS = {
    "network": "makeNetworks, learn, wiresOf, scoresOf, accuracy",
    "data": "makePoints, readPoints, writePoints, DATA",
    "layer": "rmsNorm",
    "random": "generator",
    "scenes": "SCENES, readState, writeState, DEFAULTS",
}


@pytest.fixture(scope="module")
def page(running, tmp_path_factory):
    """A page in which the playground's modules can be called by name."""
    folder = tmp_path_factory.mktemp("live")
    for path in live.SOURCES.glob("*.js"):
        (folder / path.name).write_text(path.read_text("utf8"))
    lines = [
        f'import {{ {names} }} from "./{module}.js";\nObject.assign(globalThis, {{ {names} }});'
        for module, names in EXPORTS.items()
    ]
    (folder / "probe.js").write_text("\n".join(lines) + "\n")
    found = running.new_page()
    found.add_script_tag(content=live.bundle("probe", folder))
    yield found
    found.close()


TRAIN = """([rule, settings, points, negatives, steps]) => {
    const network = makeNetworks(settings)[rule];
    const weights = () => [...network.layers, ...(network.matrices ?? network.readouts ?? [])].map((
        layer) => ({weights: [...layer.weights.values], bias: layer.bias && [...layer.bias.values]}));
    const typed = ({x, y}) => ({x: Float64Array.from(x), y: Uint8Array.from(y), n: y.length});
    const given = typed(points), against = typed(negatives), wires = wiresOf(rule, settings);
    const before = weights();
    for (let step = 0; step < steps; step++) {
        if (rule === "ff") network.step(given, against, {wires}); else network.step(given, {wires});
    }
    return [before, weights()];
}"""
SETTINGS = {
    "layers": 3,
    "units": 8,
    "seed": 3,
    "rate": RATE,
    "theta": 1,
    "goodness": "sum",
    "norm": True,
    "through": False,
    "accident": "none",
    "at": 1,
}


class Beside(LabelScheme):
    """The label as two more inputs, as the playground has it."""

    def __init__(self):
        super().__init__(2)

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
        mean, norm = settings["goodness"] == "mean", rms_norm if settings["norm"] else no_norm
        goodness = (MeanOfSquares if mean else SumOfSquares)(settings["theta"] * (1 if mean else units), norm)
        made = ForwardForward(mlp(widths), Beside(), goodness, local=not settings["through"])
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


CASES = [
    ("ff", {}),
    ("ff", {"through": True}),
    ("ff", {"goodness": "mean", "theta": 2.0}),
    ("ff", {"norm": False}),
    ("mf", {}),
    ("mf", {"through": True}),
    ("bp", {}),
]


@pytest.mark.parametrize("rule, changes", CASES, ids=lambda value: str(value))
def test_the_page_learns_as_the_course_does(page, rule, changes):
    settings = SETTINGS | changes
    points = page.evaluate(
        "() => { const {x, y} = makePoints('ring', {count: 100}); return {x: [...x], y: [...y]}; }"
    )
    negatives = points | {"y": [1 - label for label in points["y"]]}
    before, after = page.evaluate(TRAIN, [rule, settings, points, negatives, STEPS])

    made, linear = learner(rule, settings, before)
    x, y = torch.tensor(points["x"], dtype=torch.float64).view(-1, 2), torch.tensor(points["y"])
    optimizer = torch.optim.Adam(made.parameters(), lr=RATE)
    for _ in range(STEPS):
        losses = (
            made.contrast(made.label.embed(x, y), made.label.embed(x, 1 - y))
            if rule == "ff"
            else made.local_losses(x, y)
        )
        for loss in losses:
            loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    parts = after if rule != "bp" else [*after[: settings["layers"]], after[-1]]
    moved = 0.0
    for layer, part, old in zip(
        linear, parts, before if rule != "bp" else [*before[: settings["layers"]], before[-1]], strict=True
    ):
        assert torch.allclose(layer.weight, matrix(part, layer.in_features), atol=1e-4, rtol=0), (
            (layer.weight - matrix(part, layer.in_features)).abs().max()
        )
        if layer.bias is not None:
            assert torch.allclose(
                layer.bias, torch.tensor(part["bias"], dtype=torch.float64), atol=1e-4, rtol=0
            )
        moved = max(moved, (layer.weight - matrix(old, layer.in_features)).abs().max().item())
    assert moved > 0.3, "nothing was learned, so nothing was compared"


def test_every_rule_begins_with_the_same_weights(page):
    first = page.evaluate("""() => Object.values(makeNetworks({layers: 2, units: 5, seed: 7, rate: 0.1}))
        .map(({layers}) => layers.map(({inputs, weights, bias}) =>
            ({inputs, weights: [...weights.values], bias: [...bias.values]})))""")
    forward, mono, back = first
    assert mono == back and forward[1] == mono[1] and forward[0]["bias"] == mono[0]["bias"]
    assert torch.equal(matrix(forward[0], 4)[:, :2], matrix(mono[0], 2))


# ---- what the scenes say ----

SEE = """([name, changes, steps]) => {
    const settings = {...DEFAULTS, ...SCENES[name].changes, ...changes};
    const points = makePoints(settings.data, settings);
    const networks = makeNetworks(settings), random = generator(settings.seed + 9000), found = {};
    const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
    for (let step = 0; step < steps; step++) {
        for (const rule in networks) learn(rule, networks[rule], points, random);
    }
    for (const rule in networks) {
        const layers = networks[rule].look(points, "points");
        const under = (scores, wrong) =>
            mean([...points.y].map((y, s) => scores[2 * s + (wrong ? 1 - y : y)]));
        found[rule] = {right: accuracy(scoresOf(rule, layers, points.n), points),
            alone: layers.map(({scores}) => accuracy(scores, points)),
            excess: layers.map(({scores}) => [under(scores, false), under(scores, true)]),
            weights: networks[rule].layers.map(({weights}) => mean([...weights.values]))};
    }
    const off = {x: Float64Array.from({length: 2000}, () => 2 * random() - 1), n: 1000};
    found.off = networks.ff.look(off, "off").map(({scores}) => mean([...scores]));
    return found;
}"""


@pytest.fixture
def see(page):
    """A function that plays a scene, perhaps changed, for some steps, and gives what a reader then sees."""
    return lambda name, steps, **changes: page.evaluate(SEE, [name, changes, steps])


def test_the_ring_is_closed_and_goodness_parts(see):
    found = see("ring", 300)
    assert all(found[rule]["right"] >= 0.98 for rule in ("ff", "mf", "bp"))
    assert all(positive > 0 > negative for positive, negative in found["ff"]["excess"])


def test_without_normalisation_the_layers_above_copy(see):
    plain, normed = see("copy", 400), see("copy", 400, norm=True)
    first, *above = plain["ff"]["alone"]
    assert all(abs(share - first) <= 0.015 for share in above)
    assert max(normed["ff"]["alone"]) >= max(plain["ff"]["alone"]) + 0.04


def test_hard_negatives_help(see):
    assert (
        see("hard", 300)["ff"]["right"] >= 0.995 > 0.98 > see("hard", 300, negatives="wrong")["ff"]["right"]
    )


def test_off_the_data_goodness_is_low_and_still_names_the_class(see):
    found = see("off", 300)
    assert found["ff"]["right"] >= 0.98
    assert all(positive > off for (positive, _), off in zip(found["ff"]["excess"], found["off"], strict=True))


def test_backpropagation_wins_the_spiral_and_mono_forward_catches_up_through_the_stack(see):
    local, through = see("spiral", 300), see("spiral", 300, through=True)
    assert (
        local["bp"]["right"] >= 0.99 > local["mf"]["right"] + 0.05
        and local["mf"]["right"] > local["ff"]["right"]
    )
    assert through["mf"]["right"] >= 0.98


def test_a_cut_wire_stops_backpropagation_alone(see):
    whole, cut = see("spiral", 300), see("cut", 300)
    assert cut["bp"]["right"] <= 0.75 < 0.99 <= whole["bp"]["right"]
    assert all(cut[rule] == whole[rule] for rule in ("ff", "mf"))


@pytest.mark.parametrize("rule", ["ff", "mf", "bp"])
def test_a_frozen_layer_stays_while_the_others_learn(see, rule):
    before, after = (see("ring", steps, accident="freeze", at=2)[rule]["weights"] for steps in (0, 20))
    assert before[1] == after[1] and before[0] != after[0]


# ---- data and address ----


def test_every_kind_of_points_fits_the_square_in_halves(page):
    for name in page.evaluate("() => DATA"):
        points = page.evaluate(
            "name => { const {x, y, n} = makePoints(name, {noise: 0.02}); return [[...x], [...y], n]; }", name
        )
        x, y = torch.tensor(points[0]), torch.tensor(points[1])
        assert (x.abs() <= 1.05).all() and y.sum() * 2 == points[2] == 200, name


def test_a_state_survives_its_address(page):
    state = page.evaluate("() => DEFAULTS") | {
        "data": "xor",
        "units": 12,
        "through": True,
        "norm": False,
        "theta": 0.5,
        "accident": "cut",
    }
    told = page.evaluate("state => writeState(state)", state)
    assert "layers" not in told and page.evaluate("hash => readState(hash)", told) == {
        "state": state,
        "complaints": [],
    }
    assert page.evaluate("() => writeState(DEFAULTS)") == ""


@pytest.mark.parametrize(
    "asked, said",
    [
        ("#units=99", "units=99; it can be 2 to 16"),
        ("#goodness=much", "goodness=much; it can be sum, mean"),
        ("#colour=red", "colour=red; there is no such setting"),
        ("#scene=none", "no scene “none”; there are ring, copy"),
        ("#units=3.5", "units=3.5; it can be 2 to 16 in steps of 1"),
        ("#noise=%20", "noise= ; it can be 0 to 0.2"),
        ("#seed=Infinity", "seed=Infinity; it can be 1 to 99"),
        # what every object of JavaScript has
        ("#scene=constructor", "no scene “constructor”"),
        ("#goodness=toString", "goodness=toString; it can be sum, mean"),
        ("#__proto__=1", "__proto__=1; there is no such setting"),
    ],
)
def test_an_address_that_makes_no_sense_is_named(page, asked, said):
    found = page.evaluate("hash => readState(hash)", asked)
    assert len(found["complaints"]) == 1 and said in found["complaints"][0]
    assert found["state"] == page.evaluate("() => DEFAULTS")


def test_painted_points_survive_their_address(page):
    there = page.evaluate("""() => {
        const points = makePoints("moons", {count: 10}), read = readPoints(writePoints(points));
        return [[...points.x], [...read.x], [...points.y], [...read.y], writePoints(points).length]; }""")
    x, found, y, classes, length = there
    assert max(abs(a - b) for a, b in zip(x, found, strict=True)) <= 1 / 63 + 1e-9
    assert y == classes and length == 30
    with pytest.raises(Exception, match="in a form that nobody paints"):
        page.evaluate("() => readPoints('AB7')")
