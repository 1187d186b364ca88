"""The rule itself: goodness, losses, hand-derived gradients, and what must not flow between blocks."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.autograd.graph import saved_tensors_hooks

from evidence.build import forward_forward
from evidence.variants import peer_loss
from fftools.blocks import mlp, no_norm
from fftools.labels import Hybrids, Pixels
from fftools.rules.backprop import Backprop
from fftools.rules.forward_forward import ForwardForward
from fftools.rules.goodness import AllLabels, HardLabels, SumOfSquares

# --- arguments ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, value, known",
    [
        ("goodness", "max", "sum, mean, place, channel"),
        ("norm", "batch", "length, rms, layer, place, none"),
        ("loss", "hinge", "softplus, symmetric"),
        ("negatives", "easy", "random, hard, all"),
    ],
)
def test_unknown_choices_are_named(small, name, value, known):
    with pytest.raises(ValueError, match=f"{name} must be one of {known}; got '{value}'"):
        small(**{name: value})


@pytest.mark.parametrize("block", [-1, 0, 3])
def test_the_first_block_that_counts_must_be_a_block(small, block):
    with pytest.raises(ValueError, match=f"first must be one of the blocks 1 to 2; got {block}"):
        ForwardForward(mlp([64, 24, 16]), Pixels(4), SumOfSquares(first=block))
    with pytest.raises(ValueError, match=f"first_judge must be one of the blocks 1 to 2; got {block}"):
        small(first_judge=block - 1, peer=0.1)


@pytest.mark.parametrize("negatives", [HardLabels(), AllLabels()])
def test_wrong_labels_need_labels(negatives):
    with pytest.raises(
        ValueError, match=f"{type(negatives).__name__} are wrong labels, and Hybrids has no labels"
    ):
        ForwardForward(mlp([4, 3]), Hybrids(), negatives=negatives)


def test_all_wrong_labels_are_not_drawn_several_times(small):
    with pytest.raises(ValueError, match='negatives="all" draws none, so negatives_each cannot be 2'):
        small(negatives="all", negatives_each=2)


def test_no_labels_no_scores():
    with pytest.raises(ValueError, match="trained without labels"):
        ForwardForward(mlp([4, 3]), Hybrids()).scores(torch.zeros(1, 1, 2, 2))


def test_no_softmax_no_one_pass(small, noise):
    with pytest.raises(ValueError, match=r"HardLabels\(\) as negatives bring it"):
        small().one_pass(noise.floats())


# --- goodness and losses -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "goodness, threshold, expected",
    [
        ("sum", None, [1 + 4 + 9 + 16 - 4, 0 - 4]),
        ("sum", 2.5, [30 - 2.5, -2.5]),
        ("mean", None, [30 / 4 - 1, -1]),
        ("mean", 3.0, [7.5 - 3, -3]),
    ],
)
def test_goodness_is_over_its_threshold(small, goodness, threshold, expected):
    x = torch.tensor([[[1.0, 2], [3, 4]], [[0, 0], [0, 0]]])  # a map of 2×2 has four neurons
    found = small(goodness=goodness, threshold=threshold).goodness.excess(x)
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float32))
    low = small(goodness=goodness, threshold=threshold).goodness.excess(x.bfloat16())
    assert low.dtype == torch.float32


def test_low_precision_activations_are_squared_in_float32(small):
    x = torch.full((1, 10_000), 1.01).bfloat16()
    torch.testing.assert_close(small().goodness.excess(x), (x.double().pow(2).sum(1) - 10_000).float())


def test_losses_are_the_papers(small):
    positive, negative = torch.tensor([3.0, -1.0]), torch.tensor([0.5, -2.0])
    sigma = lambda z: 1 / (1 + np.exp(-z))
    expected = (-np.log(sigma(3)) - np.log(sigma(-1)) - np.log(1 - sigma(0.5)) - np.log(1 - sigma(-2))) / 4
    torch.testing.assert_close(small().goodness.loss(positive, negative).item(), expected, rtol=1e-6, atol=0)
    symmetric = (np.log(1 + np.exp(0.5 - 3)) + np.log(1 + np.exp(-2 + 1))) / 2
    torch.testing.assert_close(
        small(loss="symmetric").goodness.loss(positive, negative).item(), symmetric, rtol=1e-6, atol=0
    )


def test_losses_with_a_temperature_and_several_negatives(small):
    positive, negative = (
        torch.tensor([3.0, -1.0]),
        torch.tensor([0.5, -2.0, 1.0, 4.0]),
    )  # two negatives for each positive
    sigma = lambda z: 1 / (1 + np.exp(-z))
    plain = (
        -np.log(sigma(np.array([3, -1]) / 2)).mean() / 2
        - np.log(1 - sigma(np.array([0.5, -2, 1, 4]) / 2)).mean() / 2
    )
    options = dict(temperature=2.0, negatives_each=2)
    torch.testing.assert_close(
        small(**options).goodness.loss(positive, negative).item(), plain, rtol=1e-6, atol=0
    )
    shares = [
        np.exp(3 / 2) / np.exp(np.array([3, 0.5, 1]) / 2).sum(),
        np.exp(-1 / 2) / np.exp(np.array([-1, -2, 4]) / 2).sum(),
    ]
    found = small(loss="symmetric", **options).goodness.loss(positive, negative).item()
    torch.testing.assert_close(found, -np.log(shares).mean(), rtol=1e-6, atol=0)


@pytest.mark.parametrize("negatives", ["random", "hard"])
def test_each_positive_gets_so_many_wrong_labels_of_its_own_image(small, noise, negatives, monkeypatch):
    learner = small(negatives_each=3, negatives=negatives)
    seen = []
    monkeypatch.setattr(
        learner, "contrast", lambda positive, negative: iter(seen.append((positive, negative)) or ())
    )
    torch.manual_seed(0)
    list(learner.local_losses(noise.floats(), noise.labels))
    ((positive, negative),) = seen
    assert len(negative) == 3 * len(positive)
    pixels = learner.label.classes
    for part in negative.flatten(1).chunk(3):
        assert torch.equal(part[:, pixels:], positive.flatten(1)[:, pixels:])
        assert (part[:, :pixels].argmax(1) != noise.labels).all()
    assert not torch.equal(*negative.chunk(3)[:2]), "each is drawn by itself"


def test_against_all_wrong_labels_the_symmetric_loss_is_a_cross_entropy(small, noise):
    learner, images = small(negatives="all", loss="symmetric", temperature=3.0), noise.floats()
    each = [
        learner.activations(learner.label.embed(images, torch.full_like(noise.labels, label)))
        for label in range(4)
    ]
    for block, loss in enumerate(learner.local_losses(images, noise.labels)):
        logits = torch.stack([learner.goodness.excess(activations[block]) for activations in each], 1) / 3
        torch.testing.assert_close(loss, F.cross_entropy(logits, noise.labels))
    assert block == 1


@pytest.mark.parametrize(
    "wrong, named",
    [
        ({"negatives_each": 0}, "at least 1 negative; got 0"),
        ({"temperature": 0}, "temperature must be positive; got 0"),
        ({"temperature": -1.0}, "temperature must be positive; got -1.0"),
    ],
)
def test_numbers_that_make_no_sense(small, wrong, named):
    with pytest.raises(ValueError, match=named):
        small(**wrong)


def test_losses_stay_finite_far_from_the_threshold(small):
    far = torch.tensor([1e30])
    for loss in ("softplus", "symmetric"):
        assert small(loss=loss).goodness.loss(-far, far).isfinite()


def test_peer_loss_is_the_variance_of_the_units_mean_activity():
    x = torch.tensor([[1.0, 0, 5], [3, 2, 1]])  # means 2, 1, 3 around 2
    torch.testing.assert_close(peer_loss(x), torch.tensor((0 + 1 + 1) / 3))
    assert peer_loss(torch.ones(4, 3)) == 0


# --- one step against gradients derived by hand ------------------------------------------------------------


def hand_gradient(weight, bias, x, *, goodness, loss, threshold, peer, temperature):
    """dL/dW and dL/db of one block on inputs x (first half positive, second half negative), in float64 numpy.

    a = relu(xWᵀ + b);  e = Σa² − θ (or the mean);  L from e;  dL/dW = Σₙ (dL/deₙ · de/daₙ · [aₙ > 0]) xₙᵀ.
    """
    z = x @ weight.T + bias
    a = np.maximum(z, 0)
    rows, units = a.shape
    scale = 1 / units if goodness == "mean" else 1
    scale /= temperature
    excess = scale * (a**2).sum(1) - threshold / temperature
    positive, negative = np.split(excess, 2)
    sigma = lambda v: 1 / (1 + np.exp(-v))
    pairs = rows // 2
    if loss == "softplus":
        by_excess = np.concatenate([-sigma(-positive), sigma(negative)]) / rows
    else:
        slope = sigma(negative - positive) / pairs
        by_excess = np.concatenate([-slope, slope])
    by_activity = by_excess[:, None] * scale * 2 * a
    means = a.mean(0)
    by_activity += peer * 2 / units * (means - means.mean()) / rows  # the mean over units cancels out
    delta = by_activity * (z > 0)
    return delta.T @ x, delta.sum(0)


def normalised(x, norm):
    if norm == "length":
        return x / (np.sqrt((x**2).sum(1, keepdims=True)) + 1e-4)
    if norm == "rms":
        return x / (np.sqrt((x**2).mean(1, keepdims=True)) + 1e-8)
    return (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-5)


RULES = [
    {"goodness": goodness, "loss": loss, "peer": peer, "norm": norm, "temperature": 0.5 + peer}
    for goodness in ("sum", "mean")
    for loss in ("softplus", "symmetric")
    for peer, norm in [(0.0, "rms"), (0.3, "length"), (2.0, "layer")]
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: "-".join(str(value) for value in rule.values()))
def test_gradients_equal_those_derived_by_hand(rule):
    torch.manual_seed(0)
    threshold = 5.0 if rule["goodness"] == "sum" else 0.4
    learner = forward_forward(mlp([30, 20, 12]), Pixels(4), threshold=threshold, **rule).double()
    positive, negative = torch.rand(2, 16, 1, 5, 6, dtype=torch.float64)
    for loss in learner.contrast(positive, negative):
        loss.backward()
    x = torch.cat([positive, negative]).flatten(1).numpy()
    for block in learner.blocks:
        weight, bias = (p.detach().numpy() for p in block.parameters())
        inputs = normalised(x, rule["norm"])
        by_weight, by_bias = hand_gradient(
            weight,
            bias,
            inputs,
            threshold=threshold,
            **{name: rule[name] for name in ("goodness", "loss", "peer", "temperature")},
        )
        scale = np.abs(by_weight).max()
        assert scale > 1e-4, "a gradient of nothing compares with anything"
        # Goodness is summed in float32, so equal to about seven digits.
        np.testing.assert_allclose(block[1].weight.grad.numpy(), by_weight, rtol=1e-5, atol=1e-6 * scale)
        np.testing.assert_allclose(block[1].bias.grad.numpy(), by_bias, rtol=1e-5, atol=1e-6 * scale)
        x = np.maximum(inputs @ weight.T + bias, 0)


def test_the_softmax_beside_the_blocks_learns_by_its_own_hand_derived_gradient(small, noise):
    learner = small(negatives="hard", first_judge=1).double()
    images, labels = noise.floats().double(), noise.labels
    losses = learner.local_losses(images, labels)
    next(losses).backward()
    features = learner.features(images).numpy()
    weight, bias = (p.detach().numpy() for p in learner.softmax.parameters())
    logits = features @ weight.T + bias
    share = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    delta = (share - np.eye(4)[labels]) / len(labels)
    np.testing.assert_allclose(learner.softmax.weight.grad.numpy(), delta.T @ features, atol=1e-12)
    np.testing.assert_allclose(learner.softmax.bias.grad.numpy(), delta.sum(0), atol=1e-12)
    assert all(p.grad is None for p in learner.blocks.parameters()), "it sends nothing back into the blocks"
    softmax_gradient = learner.softmax.weight.grad.clone()
    assert len([loss.backward() for loss in losses]) == 2
    assert torch.equal(learner.softmax.weight.grad, softmax_gradient), "and hears nothing from them"


# --- what must not flow between blocks ---------------------------------------------------------------------


@pytest.mark.parametrize("norm", ["length", "rms", "layer"])
def test_the_second_block_sees_no_length_of_the_first(norm):
    """Ten times the weights give ten times the activations of block 1, and change nothing for block 2."""

    def second_gradient(factor):
        torch.manual_seed(0)
        learner = forward_forward(mlp([36, 50, 20]), Pixels(4), norm=norm)
        with torch.no_grad():
            for parameter in learner.blocks[0].parameters():
                parameter.mul_(factor)
        positive, negative = torch.rand(2, 8, 1, 6, 6)
        first, second = learner.contrast(positive, negative)
        second.backward()
        return first.item(), second.item(), learner.blocks[1][1].weight.grad

    (first, second, gradient), (first_scaled, second_scaled, gradient_scaled) = (
        second_gradient(1),
        second_gradient(10),
    )
    assert abs(first - first_scaled) > 1, "block 1 itself does see its length"
    assert second == pytest.approx(second_scaled, rel=1e-3)
    torch.testing.assert_close(gradient, gradient_scaled, rtol=2e-3, atol=1e-3 * gradient.abs().max().item())


def test_without_a_norm_length_does_pass(small):
    x = torch.rand(4, 24)
    assert torch.equal(no_norm(2 * x), 2 * x)
    learner = small(norm="none")
    one, two = (learner.goodness.excess(learner.blocks[1](learner.norm(x * factor))) for factor in (1, 2))
    assert not torch.allclose(one, two)


def test_no_gradient_crosses_a_block(small, noise):
    learner = small(widths=(64, 24, 16, 12), negatives="random", peer=0.1)
    losses = learner.local_losses(noise.floats(), noise.labels)
    for number, loss in enumerate(losses):
        learner.zero_grad(set_to_none=True)
        loss.backward()
        for other, block in enumerate(learner.blocks):
            for parameter in block.parameters():
                assert (parameter.grad is not None) == (other == number), (
                    f"loss {number + 1} reached block {other + 1}"
                )


class Alive:
    """Counts the bytes that autograd keeps for backward passes, at each moment and at most."""

    def __init__(self):
        self.now = self.most = 0

    def hooks(self):
        counter = self

        class Kept:
            def __init__(self, tensor):
                self.tensor, self.size = tensor, tensor.numel() * tensor.element_size()
                counter.now += self.size
                counter.most = max(counter.most, counter.now)

            def __del__(self):
                counter.now -= self.size

        return saved_tensors_hooks(Kept, lambda kept: kept.tensor)


def kept_bytes(learner, split, backward=True):
    """What is alive when each loss is handed out, and the peak."""
    alive, at_loss = Alive(), []
    with alive.hooks():
        for loss in learner.local_losses(split.floats(), split.labels):
            at_loss.append(alive.now)
            if backward:
                loss.backward()
                assert alive.now == 0, "a block's graph outlived its backward pass"
            del loss
    return at_loss, alive.most


def test_one_blocks_graph_is_alive_at_a_time(small, noise):
    _, shallow_peak = kept_bytes(small(widths=(64, 64, 64)), noise)
    deep, deep_peak = kept_bytes(small(widths=(64,) * 9), noise)
    assert len(deep) == 8 and min(deep) > 0
    assert deep_peak == shallow_peak, "FF's memory must not grow with depth"
    torch.manual_seed(0)
    _, two = kept_bytes(Backprop(mlp((64,) * 3), 4), noise)
    _, eight = kept_bytes(Backprop(mlp((64,) * 9), 4), noise)
    assert eight > 2.5 * two, "backpropagation's does: the counter counts"


def test_the_softmax_holds_no_graph_of_the_blocks(small, noise):
    learner = small(negatives="hard")
    list(learner.local_losses(noise.floats(), noise.labels))  # its size is known after the first pass
    kept, _ = kept_bytes(learner, noise)
    features_and_logits = 64 * (24 + 16) * 4 + 64 * 4 * 4
    assert len(kept) == 3 and kept[0] <= 1.5 * features_and_logits


# --- asking ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first_judge", [0, 1])
@pytest.mark.parametrize("goodness", ["sum", "mean"])
def test_scores_are_the_goodness_under_each_label(small, noise, first_judge, goodness):
    learner = small(first_judge=first_judge, goodness=goodness)
    images = noise[:5].floats()
    found = learner.scores(images)
    assert found.shape == (5, 4) and found.dtype == torch.float32
    for label in range(4):
        x, expected = learner.label.embed(images, torch.full((5,), label)), 0
        for number, block in enumerate(learner.blocks):
            x = block(learner.norm(x))
            squares, size = (x**2).sum(1), x.shape[1]
            if number >= first_judge:
                expected = expected + (squares - size if goodness == "sum" else squares / size - 1)
        torch.testing.assert_close(found[:, label], expected)


def test_features_are_the_judges_normalised_activations_for_the_neutral_label(small, noise):
    learner = small(first_judge=1, widths=(64, 24, 16, 12), norm="length")
    images = noise[:5].floats()
    found = learner.features(images)
    activations = learner.activations(learner.label.neutral(images))
    assert found.shape == (5, 16 + 12) and not found.requires_grad
    torch.testing.assert_close(
        found, torch.cat([F.normalize(x, dim=1) for x in activations[1:]], 1), rtol=1e-3, atol=1e-3
    )


def test_activations_follow_the_same_path_as_training(small, noise):
    learner = small()
    positive = learner.label.positive(noise.floats(), noise.labels)
    activations = learner.activations(positive)
    expected = [
        learner.goodness.loss(learner.goodness.excess(x), learner.goodness.excess(x)) for x in activations
    ]
    for loss, wanted in zip(learner.contrast(positive, positive), expected, strict=True):
        torch.testing.assert_close(loss, wanted)


def test_hard_negatives_come_from_the_networks_own_answers(small, noise):
    """A softmax that is sure of class 2 makes every negative of another class carry label 2."""
    learner = small(negatives="hard")
    list(learner.local_losses(noise.floats(), noise.labels))
    with torch.no_grad():
        learner.softmax.weight.zero_()
        learner.softmax.bias.copy_(torch.tensor([0, 0, 60.0, 0]))
    seen = []
    learner.contrast = lambda positive, negative: seen.append(negative) or iter(())
    list(learner.local_losses(noise.floats(), noise.labels))
    told = seen[0].flatten(1)[:, :4].argmax(1)
    assert (told[noise.labels != 2] == 2).all() and (told[noise.labels == 2] != 2).all()
