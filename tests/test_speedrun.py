"""Layers with heads: gradients by hand, nothing crosses a border, and the speedrun that trains them."""

import copy
import math
import time

import pytest
import torch
import torch.nn.functional as F
from helpers import same, weights

from fftools import data
from fftools.blocks import layer_norm
from fftools.data import Split
from fftools.extras import speedrun
from fftools.fit import OutOfTime, TrainingError, fit
from fftools.inputs import to_float
from fftools.labels import Fourier
from fftools.readout import LinearReadout, accuracy
from fftools.rules.forward_forward import ForwardForward
from fftools.rules.goodness import MeanOfSquares, Symmetric
from fftools.rules.layerwise import Classifier, Layerwise, Shares, Similarity

HEADS = {"mono-forward": {}, "similarity": {}, "channel-wise": {}}
WIDTHS = [8, 8, 12, 12, 16, 16]
RUN = dict(epochs=2, batch_size=16, precision="float32")


@pytest.fixture
def pictures() -> Split:
    """64 made-up colour images `(3, 20, 20)` of four classes; class c is bright in rows 4c to 4c + 3."""
    chance = torch.Generator().manual_seed(5)
    labels, images = (
        torch.randint(4, (64,), generator=chance),
        torch.randint(90, (64, 3, 20, 20), generator=chance),
    )
    for row in range(4):
        images[torch.arange(64), :, 4 * labels + row] += 150
    return Split(images.to(torch.uint8), labels)


def network(head: str = "mono-forward", layers_per_block: int = 1, seed: int = 0, **options) -> Layerwise:
    torch.manual_seed(seed)
    return speedrun.network(3, 4, head, layers_per_block, WIDTHS, **options)


# --- by hand ------------------------------------------------------------------------------------------------


class ByHand:
    """A layer (convolution, 2×2 pooling, batch norm, GELU) and its gradients, written out."""

    def __init__(self, layer):
        self.weight, norm = layer[0].weight, layer[2]
        self.gain, self.shift, self.eps = norm.weight, norm.bias, norm.eps

    def forward(self, x):
        count, channels, height, width = x.shape
        self.x_shape, self.patches = x.shape, F.unfold(x, 3, padding=1)
        z = (self.weight.flatten(1) @ self.patches).view(count, -1, height, width)
        windows = z.unfold(2, 2, 2).unfold(3, 2, 2).flatten(4)
        pooled, self.which = windows.max(4)
        self.deviation = (pooled.var((0, 2, 3), correction=0, keepdim=True) + self.eps).sqrt()
        self.unit = (pooled - pooled.mean((0, 2, 3), keepdim=True)) / self.deviation
        self.y = self.unit * self.gain.view(-1, 1, 1) + self.shift.view(-1, 1, 1)
        return self.y * self.phi()

    def phi(self):
        return (1 + torch.erf(self.y / math.sqrt(2))) / 2

    def backward(self, error):
        """From dL/d(output) to the gradients of weight, gain and shift, and dL/d(input)."""
        error = error * (self.phi() + self.y * torch.exp(-(self.y**2) / 2) / math.sqrt(2 * math.pi))
        over = (0, 2, 3)
        gain, shift = (error * self.unit).sum(over), error.sum(over)
        mean = lambda x: x.mean(over, keepdim=True)
        error = error * self.gain.view(-1, 1, 1)
        error = (error - mean(error) - self.unit * mean(error * self.unit)) / self.deviation
        chosen = F.one_hot(self.which, 4) * error[..., None]  # only each window's largest has a share
        count, outputs, high, wide = error.shape
        z = (
            chosen.view(count, outputs, high, wide, 2, 2)
            .permute(0, 1, 2, 4, 3, 5)
            .reshape(count, outputs, -1)
        )
        weight = torch.einsum("nop,nkp->ok", z, self.patches).view_as(self.weight)
        back = self.weight.flatten(1).T @ z
        return [weight, gain, shift], F.fold(back, self.x_shape[2:], 3, padding=1)


def softmax_error(logits, labels, smoothing):
    classes = logits.shape[1]
    wanted = F.one_hot(labels, classes).double() * (1 - smoothing) + smoothing / classes
    return (logits.softmax(1) - wanted) / len(labels)


def taught(head, x, labels):
    """A head's own gradients, in the order of its parameters, and dL/d(activations)."""
    if isinstance(head, Shares):
        share, places = head.channels // head.classes, x[0, 0].numel()
        goodness = x.pow(2).unflatten(1, (-1, share)).flatten(2).mean(2) / head.temperature
        error = softmax_error(goodness, labels, head.smoothing).repeat_interleave(share, 1)
        return [], error[:, :, None, None] * 2 * x / (share * places * head.temperature)
    high, wide = (size // head.places for size in x.shape[2:])
    windows = x.unfold(2, high, high).unfold(3, wide, wide).flatten(4)
    largest, which = windows.max(4)
    error = softmax_error(largest.flatten(1) @ head.projection.weight.T + head.projection.bias, labels, 0.2)
    own = [error.T @ largest.flatten(1), error.sum(0)]
    spread = F.one_hot(which, high * wide) * (error @ head.projection.weight).view_as(largest)[..., None]
    spread = spread.unflatten(4, (high, wide)).permute(0, 1, 2, 4, 3, 5).reshape(x.shape)
    if not isinstance(head, Similarity):
        return own, spread
    patches, count = F.unfold(x, 3, padding=1), len(x)
    seen = head.look.weight.flatten(1) @ patches
    deviation, places = seen.std(2), seen.shape[2]
    centred = deviation - deviation.mean(1, keepdim=True)
    length = centred.norm(dim=1, keepdim=True)
    unit = centred / length
    onehot = F.one_hot(labels, head.classes).double()
    onehot = F.normalize(onehot - onehot.mean(1, keepdim=True), dim=1)
    error = 4 * (unit @ unit.T - onehot @ onehot.T) @ unit / count**2
    error = (error - unit * (error * unit).sum(1, keepdim=True)) / length
    error = (error - error.mean(1, keepdim=True)) / ((places - 1) * deviation)
    error = error[..., None] * (seen - seen.mean(2, keepdim=True)) * head.share
    look = torch.einsum("nop,nkp->ok", error, patches).view_as(head.look.weight)
    back = F.fold(head.look.weight.flatten(1).T @ error, x.shape[2:], 3, padding=1)
    rest = 1 - head.share
    return [rest * own[0], rest * own[1], look], back + rest * spread


@pytest.mark.parametrize("head", [Classifier, Similarity, Shares])
@pytest.mark.parametrize("layers_per_block", [1, 2], ids=["local", "backprop"])
def test_twenty_steps_follow_gradients_derived_by_hand(head, layers_per_block):
    """Two layers in float64: each with its own head, or, as backprop has it, both under one."""
    torch.manual_seed(0)
    layers = [speedrun.layer(3, 8, pool=True), speedrun.layer(8, 8, pool=True)]
    blocks = [torch.nn.Sequential(*sum(map(list, layers), []))] if layers_per_block == 2 else layers
    ours = Layerwise(torch.nn.ModuleList(blocks), [head(8, 4) for _ in blocks], 4).double()
    theirs = copy.deepcopy(ours)
    parts = (
        [*theirs.blocks[0]] if layers_per_block == 2 else [part for block in theirs.blocks for part in block]
    )
    chain = [ByHand(parts[:4]), ByHand(parts[4:])]
    tuned = torch.optim.SGD(ours.parameters(), 0.3)
    for _ in range(20):
        x, labels = torch.rand(10, 3, 16, 16).double(), torch.randint(4, (10,))
        for loss in ours.local_losses(x, labels):
            loss.backward()
        tuned.step()
        tuned.zero_grad()
        with torch.no_grad():
            for layer, top in zip(chain, theirs.heads if layers_per_block == 1 else [None, *theirs.heads]):
                x = layer.forward(x)
                if top is None:
                    continue
                own, error = taught(top, x, labels)
                moves = list(zip(top.parameters(), own))
                for below in [layer] if layers_per_block == 1 else reversed(chain):
                    gradients, error = below.backward(error)
                    moves += zip([below.weight, below.gain, below.shift], gradients)
                for parameter, gradient in moves:
                    parameter -= 0.3 * gradient
    before = dict(theirs.named_parameters())
    for name, parameter in ours.named_parameters():
        torch.testing.assert_close(parameter, before[name], rtol=1e-9, atol=1e-11)


# --- the network --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("layers_per_block", [1, 2, 6])
def test_no_gradient_crosses_a_border(head, layers_per_block, pictures):
    learner = network(head, layers_per_block)
    losses = learner.local_losses(pictures.floats(), pictures.labels)
    for number, loss in enumerate(losses):
        learner.zero_grad(set_to_none=True)
        loss.backward()
        for other, (block, top) in enumerate(zip(learner.blocks, learner.heads)):
            moved = any(
                p.grad is not None and p.grad.any() for part in (block, top) for p in part.parameters()
            )
            assert moved == (other == number)
    assert number + 1 == 6 // layers_per_block


def test_whitened_patches_are_uncorrelated_and_the_layer_stays_fixed(pictures):
    learner, images = network(), pictures.floats()
    speedrun.whiten(learner, images, eps=0.0)
    found = learner.blocks[0][0](images)[:, :12].transpose(0, 1).flatten(1)
    torch.testing.assert_close(found.cov(), torch.eye(12), atol=2e-2, rtol=0)
    torch.testing.assert_close(found.mean(1), torch.zeros(12), atol=1e-3, rtol=0)
    before = weights(learner.blocks[0][0])
    speedrun.train(learner, pictures, **RUN)
    speedrun.whiten(twin := network(), images)
    assert same(weights(twin.blocks[0][0]), weights(learner.blocks[0][0])) and not same(
        before, weights(twin.blocks[0][0])
    )


def test_a_layer_begins_as_the_identity():
    x = torch.randn(5, 4, 6, 6)
    assert torch.equal(speedrun.layer(4, 8, pool=False)[0](x)[:, :4], x)


@pytest.mark.parametrize("head", HEADS)
def test_an_image_and_its_mirror_image_have_one_answer(head, pictures):
    learner = network(head).eval()
    with torch.no_grad():
        there, back = learner.answers(pictures.images), learner.answers(pictures.images.flip(3))
        torch.testing.assert_close(there, back)
        assert len(there) == 7 and all(scores.shape == (64, 4) for scores in there.values())


def test_channels_that_are_left_over_belong_to_no_class():
    head, x = Shares(10, 4), torch.rand(3, 10, 4, 4)
    changed = x.clone()
    changed[:, 8:] = 9
    assert torch.equal(head(x), head(changed))


@pytest.mark.parametrize("wrong", [dict(head="forward"), dict(layers_per_block=4), dict(layers_per_block=0)])
def test_wrong_options_are_named(wrong):
    with pytest.raises(ValueError, match="got"):
        speedrun.network(**wrong)


# --- the run ------------------------------------------------------------------------------------------------


def test_each_image_is_mirrored_in_every_other_epoch(pictures):
    split, seen = Split(pictures.images, torch.arange(64)), []  # labels tell which image it is
    for epoch in (1, 2):
        images, which = zip(
            *split.batches(16, torch.Generator().manual_seed(0), flip="alternate", epoch=epoch)
        )
        assert torch.cat(which).sort().values.equal(torch.arange(64))
        seen.append(torch.cat(images)[torch.cat(which).argsort()])
    assert torch.equal(seen[0], seen[1].flip(3))
    assert torch.equal(seen[0][::2], split.floats()[::2]) and torch.equal(seen[1][1::2], split.floats()[1::2])
    with pytest.raises(ValueError, match="flip must be True, False or \"alternate\"; got 'both'"):
        next(split.batches(16, torch.Generator(), flip="both"))


def test_the_rate_rises_then_falls():
    rates = [speedrun.triangle(step / 25, 4) for step in range(101)]
    top = rates.index(max(rates))
    assert top == 23 and rates[0] == 0.2 and rates[23] == 1 and rates[-1] == pytest.approx(0.07)
    assert rates[:top] == sorted(rates[:top]) and rates[top:] == sorted(rates[top:], reverse=True)


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("layers_per_block", [1, 6])
def test_it_learns(head, layers_per_block, pictures):
    learner = network(head, layers_per_block)
    slow = head == "channel-wise" and layers_per_block == 6  # a deep block whose head learns nothing
    epochs, lr = (80, 3e-3) if slow else (25, 1e-2)
    history = speedrun.train(
        learner, pictures, epochs=epochs, batch_size=16, lr=lr, flip=False, validation=pictures
    )
    assert accuracy(learner.scores, pictures) == history.validation[-1][1] > 0.6
    assert len(history.loss) == epochs and history.seconds > 0 and not learner.training


def test_a_killed_run_goes_on_bit_for_bit(pictures, tmp_path):
    whole, killed, again = network(), network(), network()
    run = RUN | dict(epochs=3)
    speedrun.train(whole, pictures, **run)
    with pytest.raises(OutOfTime, match="1 of 3 epochs"):
        speedrun.train(killed, pictures, **run, resume=tmp_path / "r.pt", deadline=time.time())
    history = speedrun.train(again, pictures, **run, resume=tmp_path / "r.pt")
    assert same(weights(whole), weights(again)) and len(history.loss) == 3
    with pytest.raises(ValueError, match="lr: it has 0.003, asked for 0.1"):
        speedrun.train(again, pictures, **run, lr=0.1, resume=tmp_path / "r.pt")


def test_bad_input_is_named(pictures):
    with pytest.raises(ValueError, match="between 1 and the number of images, 64; got 500"):
        speedrun.train(network(), pictures, epochs=1)
    with pytest.raises(ValueError, match="labels must be between 0 and 3"):
        speedrun.train(network(), Split(pictures.images, pictures.labels + 1), **RUN)
    with pytest.raises(ValueError, match=r"pixels must be in \[0, 1\]"):
        speedrun.train(network(), Split(pictures.images.float(), pictures.labels), **RUN)
    with pytest.raises(TrainingError, match="lr=1e.30 is probably too high"):
        speedrun.train(network(), pictures, **RUN | dict(lr=1e30))


def test_real_digits_are_learned():
    digits = data.load("digits", "cpu")
    torch.manual_seed(0)
    learner = speedrun.network(1, 10, widths=[16, 16, 32, 32, 32, 32])
    speedrun.train(learner, digits.train, epochs=24, batch_size=50, flip=False)
    assert accuracy(learner.scores, digits.validation) > 0.9
    assert torch.equal(to_float(digits.test.images[:3]), digits.test.images[:3] / 255)


def test_without_mirrored_training_an_image_is_asked_about_as_it_is(pictures):
    learner = network(mirror=False).eval()
    with torch.no_grad():
        both = learner.scores(pictures.images), learner.scores(pictures.images.flip(3))
    assert both[0].shape == (64, 4) and not torch.allclose(*both)


def test_a_readout_leaves_batch_norm_as_it_is_and_training_does_not_learn_from_validation(pictures):
    learner = network().eval()
    before = weights(learner)
    fit(LinearReadout(learner, 4), pictures, epochs=1, batch_size=16, lr=1e-2, validation=pictures)
    assert same(before, weights(learner))
    ways = [network(), network()]
    for way, watched in zip(ways, (pictures, None)):
        fit(way, pictures, epochs=1, batch_size=16, lr=1e-3, validation=watched)
    assert same(*map(weights, ways))


def test_goodness_needs_a_channel_for_each_class():
    with pytest.raises(ValueError, match="channels=8, classes=10"):
        Shares(8, 10)


def test_a_label_in_the_image_learns_in_the_same_layers(pictures):
    torch.manual_seed(0)
    blocks = speedrun.body(3, WIDTHS)
    assert same(weights(blocks), weights(network().blocks)), "the layers are those of the other rules"
    goodness = MeanOfSquares(norm=layer_norm, loss=Symmetric(0.1))
    learner = ForwardForward(blocks, Fourier(4), goodness)
    before = copy.deepcopy(blocks)
    speedrun.train(learner, pictures, **RUN | dict(epochs=20), flip=False)
    speedrun.whiten(twin := network(), to_float(pictures.images))
    assert torch.equal(blocks[0][0].weight, twin.blocks[0][0].weight), "whitened, and not trained"
    moved = [not torch.equal(a[0].weight, b[0].weight) for a, b in zip(blocks[1:], before[1:])]
    assert all(moved), "every later layer has learned"
    assert accuracy(learner.eval().scores, pictures) > 0.5, "chance is 0.25"
    first, *_ = learner.local_losses(to_float(pictures.images), pictures.labels)
    first.backward()
    assert all(p.grad is None for block in blocks[1:] for p in block.parameters()), "nothing comes from above"
