"""The control: one loss, one graph through all blocks."""

import numpy as np
import pytest
import torch

from fftools.backprop import Backprop
from fftools.blocks import mlp
from fftools.fit import fit
from fftools.readout import accuracy


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
    loss, = learner.local_losses(images, noise.labels)
    loss.backward()
    first, second, head = (
        [p.detach().numpy() for p in module.parameters()] for module in (*learner.blocks, learner.head))
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
    for module, delta, inputs in [(learner.head, deltas["head"], b), (learner.blocks[1][1], deltas["1"], a),
                                  (learner.blocks[0][1], deltas["0"], x)]:
        np.testing.assert_allclose(module.weight.grad.numpy(), delta.T @ inputs, atol=1e-14)
        np.testing.assert_allclose(module.bias.grad.numpy(), delta.sum(0), atol=1e-14)


def test_it_learns_real_digits(digits):
    torch.manual_seed(0)
    learner = Backprop(mlp([784, 100, 100]))
    history = fit(learner, digits.train, epochs=10, batch_size=50, lr=3e-3)
    assert all(len(losses) == 1 for losses in history.loss)
    assert accuracy(learner.scores, digits.test) > 0.92
