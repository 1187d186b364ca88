"""The control: one loss, one graph through all blocks."""

import numpy as np
import pytest
import torch

from fftools.blocks import cnn, mlp
from fftools.extras import measure
from fftools.fit import fit
from fftools.readout import accuracy
from fftools.rules.backprop import Backprop


@pytest.fixture
def learner(noise):
    torch.manual_seed(0)
    learner = Backprop(mlp([64, 20, 12]), 4)
    learner.scores(noise.floats())  # the head learns its size
    return learner


def test_scores_are_the_blocks_under_a_linear_head(learner, noise):
    x = noise.floats().flatten(1)
    for block in learner.blocks:
        x = torch.relu(x @ block[1].weight.T + block[1].bias)
    torch.testing.assert_close(learner.scores(noise.floats()), x @ learner.head.weight.T + learner.head.bias)
    assert learner.scores(noise.floats()).shape == (64, 4)


def test_activations_are_each_blocks_output(learner, noise):
    first, second = learner.activations(noise.floats())
    assert first.shape == (64, 20) and second.shape == (64, 12)
    assert torch.equal(learner.blocks[1](first), second)


def test_gradients_equal_backpropagation_by_hand(learner, noise):
    learner.double()
    images = noise.floats().double()
    (loss,) = learner.local_losses(images, noise.labels)
    loss.backward()
    first, second, head = (
        [p.detach().numpy() for p in module.parameters()] for module in (*learner.blocks, learner.head)
    )
    x = images.flatten(1).numpy()
    a = np.maximum(x @ first[0].T + first[1], 0)
    b = np.maximum(a @ second[0].T + second[1], 0)
    logits = b @ head[0].T + head[1]
    share = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    assert loss.item() == pytest.approx(-np.log(share[np.arange(64), noise.labels]).mean())
    delta = (share - np.eye(4)[noise.labels]) / 64
    deltas = {"head": delta}
    deltas["1"] = (delta @ head[0]) * (b > 0)
    deltas["0"] = (deltas["1"] @ second[0]) * (a > 0)
    for module, delta, inputs in [
        (learner.head, deltas["head"], b),
        (learner.blocks[1][1], deltas["1"], a),
        (learner.blocks[0][1], deltas["0"], x),
    ]:
        np.testing.assert_allclose(module.weight.grad.numpy(), delta.T @ inputs, atol=1e-14)
        np.testing.assert_allclose(module.bias.grad.numpy(), delta.sum(0), atol=1e-14)


def test_it_learns_real_digits(digits):
    torch.manual_seed(0)
    learner = Backprop(mlp([784, 100, 100]))
    history = fit(learner, digits.train, epochs=10, batch_size=50, lr=3e-3)
    assert all(len(losses) == 1 for losses in history.loss)
    assert accuracy(learner.scores, digits.test) > 0.92


@pytest.mark.parametrize("segments", [1, 2, 3, 5])
@pytest.mark.parametrize(
    "blocks",
    [lambda: mlp([64, 20, 15, 12, 9, 8]), lambda: cnn(1, [3, 4, 5, 4, 3], 3, padding="same")],
    ids=["mlp", "cnn"],
)
def test_checkpointing_changes_no_gradient(segments, blocks):
    gradients = []
    for chosen in (None, segments):
        torch.manual_seed(0)
        learner = Backprop(blocks(), 4, segments=chosen)
        (loss,) = learner.local_losses(torch.rand(16, 1, 8, 8), torch.arange(16) % 4)
        loss.backward()
        gradients.append([p.grad for p in learner.parameters()])
    assert all(torch.equal(one, other) for one, other in zip(*gradients, strict=True))


def test_checkpointing_keeps_the_borders_only_and_computes_the_rest_twice():
    n, width, depth = 500, 40, 9
    images, labels = torch.rand(n, width), torch.arange(n) % 10

    def costs(segments):
        """Activations kept, counted in those of a layer, and operations of both passes."""
        learner, losses = Backprop(mlp([width] * (depth + 1), bias=False), bias=False, segments=segments), []
        learner.scores(images[:2])
        used = measure.memory(
            lambda: losses.append(next(learner.local_losses(images, labels))), torch.device("cpu")
        )
        work = measure.operations(lambda: next(learner.local_losses(images, labels)).backward())
        return round(used[-1] / (4 * n * width)), work

    (kept, work), (kept_of_3, work_of_3) = costs(None), costs(3)
    assert kept == depth and kept_of_3 == 2 + 3, (
        "two borders beside the input, and the last segment, which is next"
    )
    assert work_of_3 - work == 6 * 2 * n * width * width, "two segments of three layers are computed again"


def test_checkpointed_scores_are_the_same_and_nothing_is_kept_when_nobody_learns(learner, noise):
    cut = Backprop(learner.blocks, 4, segments=2)
    cut.head = learner.head
    assert torch.equal(cut.scores(noise.floats()), learner.scores(noise.floats()))
    with torch.no_grad():
        assert not cut.scores(noise.floats()).requires_grad


@pytest.mark.parametrize("segments", [0, 3])
def test_it_refuses_segments_without_blocks(segments):
    with pytest.raises(ValueError, match=f"between 1 and the number of blocks, 2, or None; got {segments}"):
        Backprop(mlp([4, 3, 2]), segments=segments)
