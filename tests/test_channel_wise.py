"""Channel-wise goodness: each class owns channels, each block learns alone, its update is the formula's."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers import weights

from evidence.build import answers, build
from evidence.studies.beyond import long, strided, temperature
from fftools.blocks import cnn, layer_norm, mlp
from fftools.fit import fit
from fftools.readout import LinearReadout, accuracy
from fftools.rules.channel_wise import ChannelWise


def dense(widths=(64, 20, 12), **options) -> ChannelWise:
    torch.manual_seed(0)
    return ChannelWise(mlp(widths), 4, **options)


def convolutional(**options) -> ChannelWise:
    torch.manual_seed(0)
    return ChannelWise(cnn(1, [4, 8], 3, padding="same", pool="average"), 4, **options)


def test_gradients_equal_those_by_hand(noise):
    """NumPy, float64: G_c is c's mean square, δ = softmax(G/T) − y, ∂a = 2aδ/(Tn), ∂W = (∂a ⊙ [z > 0])ᵀ x."""
    learner, x = dense(temperature=0.5).double(), noise.floats().double()
    losses = list(learner.local_losses(x, noise.labels))
    torch.stack(losses).sum().backward()
    for block, loss in zip(learner.blocks, losses, strict=True):
        x = layer_norm(x)
        linear = block[1]
        seen = x.flatten(1).numpy()
        z = seen @ linear.weight.detach().numpy().T + linear.bias.detach().numpy()
        a, n = np.maximum(z, 0), z.shape[1] // 4
        g = (a.reshape(64, 4, n) ** 2).mean(2) / 0.5
        share = np.exp(g) / np.exp(g).sum(1, keepdims=True)
        delta = (share - np.eye(4)[noise.labels]) / 64
        by_a = 2 * a * np.repeat(delta, n, 1) / (0.5 * n)
        assert loss.item() == pytest.approx(-np.log(share[np.arange(64), noise.labels]).mean(), rel=1e-6)
        np.testing.assert_allclose(linear.weight.grad.numpy(), (by_a * (z > 0)).T @ seen, atol=1e-8)
        np.testing.assert_allclose(linear.bias.grad.numpy(), (by_a * (z > 0)).sum(0), atol=1e-8)
        x = torch.from_numpy(a)


@pytest.mark.parametrize("make", [dense, convolutional])
def test_no_gradient_crosses_a_border(make, noise):
    learner = make()
    for number, loss in enumerate(learner.local_losses(noise.floats(), noise.labels)):
        learner.zero_grad(set_to_none=True)
        loss.backward()
        touched = {name for name, parameter in learner.named_parameters() if parameter.grad is not None}
        assert (
            touched
            == {name for name, _ in learner.named_parameters() if name.startswith(f"blocks.{number}.")}
            != set()
        )


def test_it_is_a_given_projection_of_squared_activations(noise):
    """Class c's row is one over its share of the channels, at each of their places, and zero elsewhere."""
    learner = convolutional()
    for x, found in zip(learner.activations(noise.floats()), learner.goodness(noise.floats()), strict=True):
        channels, places = x.shape[1], x[0, 0].numel()
        own = torch.arange(channels).repeat_interleave(places) // (channels // 4)
        matrix = F.one_hot(own, 4) / (channels // 4 * places)
        torch.testing.assert_close(found, x.flatten(1).pow(2) @ matrix)


def test_only_a_classs_own_channels_speak_for_it():
    learner, x = convolutional(), torch.zeros(1, 8, 2, 2)
    x[0, 2, 1, 1] = 4.0  # the third of eight channels: class 1 of four
    assert learner.by_class(x).tolist() == [[0, 2.0, 0, 0]]


def test_scores_add_up_what_the_blocks_say_of_their_normalised_inputs(noise):
    learner, x, total = dense(), noise.floats(), 0
    for block, found in zip(learner.blocks, learner.activations(x), strict=True):
        x = block(layer_norm(x))
        torch.testing.assert_close(found, x)
        total = total + learner.by_class(x)
    torch.testing.assert_close(learner.scores(noise.floats()), total)


def test_a_lower_temperature_widens_what_the_loss_sees(noise):
    soft, sharp = (dense(temperature=value) for value in (1.0, 0.25))
    wide = F.cross_entropy(4 * soft.goodness(noise.floats())[0], noise.labels)
    assert next(sharp.local_losses(noise.floats(), noise.labels)).item() == pytest.approx(
        wide.item(), rel=1e-6
    )


def test_a_temperature_of_zero_is_refused():
    with pytest.raises(ValueError, match="temperature must be positive; got 0.0"):
        dense(temperature=0.0)


def test_channels_that_cannot_be_shared_out_are_refused(noise):
    with pytest.raises(ValueError, match="10 channels cannot be shared out evenly among 4 classes"):
        next(dense(widths=(64, 10)).local_losses(noise.floats(), noise.labels))


@pytest.mark.parametrize("make", [dense, convolutional])
def test_it_learns(make, noise):
    learner = make()
    before = weights(learner)
    fit(learner, noise, epochs=60, batch_size=16, lr=1e-2, precision="float32")
    assert accuracy(learner.scores, noise) > 0.9
    assert all(not torch.equal(value, before[name]) for name, value in weights(learner).items())


def test_a_linear_read_out_sees_what_the_next_block_would(noise):
    learner = convolutional()
    maps = [layer_norm(x).flatten(1) for x in learner.activations(noise.floats())]
    torch.testing.assert_close(learner.features(noise.floats()), torch.cat(maps, 1))
    readout = LinearReadout(learner, 4)
    before = weights(learner)
    fit(readout, noise, epochs=20, batch_size=16, lr=1e-2, precision="float32")
    assert accuracy(readout.scores, noise) > 0.9
    assert all(torch.equal(value, before[name]) for name, value in weights(learner).items())
    found, images = answers(learner, readout), noise.floats()
    assert torch.equal(found(images)["linear"], readout.scores(images))


def test_a_configuration_names_it():
    learner = build(long("cifar100", "cw", strided(100, 200), temperature(0.2)))
    assert isinstance(learner, ChannelWise) and (learner.classes, learner.temperature) == (100, 0.2)
    assert list(answers(learner)(torch.rand(2, 3, 32, 32))) == ["goodness", "layer_1", "layer_2"]
    with pytest.raises(ValueError, match="standardise needs one of the rules .*; got rule 'cw'"):
        build(long("cifar10", "cw", dict(standardise=True)))
    with pytest.raises(ValueError, match="rule must be ff, cw, bp; got 'mf'"):
        long("cifar10", "mf")
