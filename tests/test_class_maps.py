"""Class activation maps: their sums are the networks' answers, each place stands where its window looks."""

import pytest
import torch

from evidence.build import forward_forward as by_words
from fftools.blocks import cnn, mlp
from fftools.extras import class_maps
from fftools.fit import fit
from fftools.labels import Fourier, Pixels
from fftools.readout import LinearReadout
from fftools.rules.backprop import Backprop
from fftools.rules.forward_forward import ForwardForward


def whole(module):
    """Small whole numbers for weights: sums of their products are exact in floating point, in any order."""
    generator = torch.Generator().manual_seed(1)
    for parameter in module.parameters():
        parameter.data = torch.randint(-2, 3, parameter.shape, generator=generator).float()
    return module


@pytest.fixture
def images():
    return torch.randint(3, (6, 1, 12, 12), generator=torch.Generator().manual_seed(0)).float()


@pytest.fixture
def labels():
    return torch.tensor([0, 3, 1, 9, 2, 9])


def forward_forward(images, goodness="sum", pool=None, first_judge=1):
    blocks = cnn(1, [2, 3, 4], 3, padding="same" if pool else "valid", pool=pool)
    learner = by_words(blocks, Pixels(on=10.0), norm="none", goodness=goodness, first_judge=first_judge)
    readout = LinearReadout(learner)
    readout.scores(images)  # the linear layer learns its size
    return whole(readout)


def backprop(images):
    learner = Backprop(cnn(1, [2, 3], 3))
    learner.scores(images)
    return whole(learner)


def total(maps):
    return sum(x.sum((1, 2)) for x in maps)


@pytest.mark.parametrize("make, sizes", [(forward_forward, [8, 6]), (backprop, [8])])
def test_class_maps_add_up_to_the_logit_without_its_bias(make, sizes, images, labels):
    network = make(images)
    linear = network.head if isinstance(network, Backprop) else network.linear
    logits = (network.scores(images) - linear.bias).detach()
    assert len(logits.unique()) > 30 and linear.bias.abs().sum() > 0
    for asked in (*range(10), labels):
        maps = class_maps.class_maps(network, images, asked)
        assert [x.shape for x in maps] == [(6, size, size) for size in sizes]
        assert torch.equal(total(maps), logits[range(6), asked])
    assert not any(x.requires_grad for x in maps)


@pytest.mark.parametrize(
    "options",
    [{}, {"goodness": "place"}, {"goodness": "channel"}, {"pool": "max"}, {"first_judge": 0}],
    ids=str,
)
def test_goodness_maps_add_up_to_the_difference_of_scores(options, images, labels):
    learner, rivals = forward_forward(images, **options).learner, (labels + 3) % 10
    scores = learner.scores(images).detach()
    maps = class_maps.goodness_maps(learner, images, labels, rivals)
    assert len(maps) == 3 - options.get("first_judge", 1)
    difference = scores[range(6), labels] - scores[range(6), rivals]
    assert torch.equal(total(maps), difference) and difference.abs().min() > 0
    assert torch.equal(total(class_maps.goodness_maps(learner, images, 4, 9)), scores[:, 4] - scores[:, 9])
    assert not any(x.any() for x in class_maps.goodness_maps(learner, images, labels, labels))


def test_maps_of_a_mean_goodness_are_means(images):
    learner = forward_forward(images, goodness="mean").learner
    scores = learner.scores(images).detach()
    found = total(class_maps.goodness_maps(learner, images, 4, 9))
    torch.testing.assert_close(found, scores[:, 4] - scores[:, 9], rtol=1e-4, atol=1e-2)


def test_maps_of_a_trained_network_add_up_and_find_the_digit(digits):
    """With wave labels and layer norm, as in the paper; the digit's places tell more than the empty rim."""
    torch.manual_seed(0)
    learner = by_words(cnn(1, [6, 6, 6], 5), Fourier(), norm="layer", first_loss=1, first_judge=1)
    fit(learner, digits.train[:600], epochs=2, batch_size=50, lr=3e-3, precision="float32")
    readout = LinearReadout(learner)
    fit(readout, digits.train[:600], epochs=3, batch_size=50, lr=3e-3, precision="float32")
    images, labels = digits.test[:50].floats(), digits.test.labels[:50]
    logits, scores = (network.double().scores(images.double()).detach() for network in (readout, learner))
    maps = class_maps.class_maps(readout, images.double(), labels)
    torch.testing.assert_close(
        total(maps), (logits - readout.linear.bias.detach())[range(50), labels], rtol=1e-10, atol=1e-10
    )
    goodness = class_maps.goodness_maps(learner, images.double(), labels, 3)
    torch.testing.assert_close(
        total(goodness), scores[range(50), labels] - scores[:, 3], rtol=1e-4, atol=0.05
    )
    strength = class_maps.on_image(readout, maps, 28, 28).sum(1).abs()
    assert strength[:, 8:20, 8:20].mean() > 2 * strength.mean()


def test_maps_do_not_depend_on_the_company(images, labels):
    network = forward_forward(images)
    together = class_maps.class_maps(network, images, labels)
    for i in range(6):
        alone = class_maps.class_maps(network, images[i : i + 1], int(labels[i]))
        assert all(torch.equal(x[i : i + 1], y) for x, y in zip(together, alone))


# --- where a place stands -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kernel, expected", [(3, [(1, 1), (2, 1), (3, 1)]), (7, [(3, 1), (6, 1), (9, 1)])])
def test_unpadded_maps_begin_where_their_first_window_is_centred(kernel, expected):
    assert class_maps.windows(cnn(1, [2, 2, 2], kernel)) == expected


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"padding": "same"},
        {"padding": "same", "pool": "average"},
        {"pool": "average"},
        {"padding": "same", "stride": 2},
        {"stride": 2},
        {"pool": [None, "average"]},
    ],
    ids=str,
)
def test_a_place_stands_in_the_middle_of_the_pixels_it_looks_at(options):
    """Found by asking the network: which pixels have a gradient, and where is their middle?"""
    blocks = cnn(1, [2, 2], 3, **options)
    for block in blocks:
        block[0].weight.data.fill_(1.0)
        block[0].bias.data.fill_(1.0)
    for depth, (start, step) in enumerate(class_maps.windows(blocks), 1):
        image = torch.rand(1, 1, 24, 24, requires_grad=True)
        x = image
        for block in blocks[:depth]:
            x = block(x)
        row, column = x.shape[2] // 2, x.shape[3] // 2 - 1  # far from the rim
        x[0, :, row, column].sum().backward()
        seen = image.grad[0, 0].nonzero().float()
        assert (seen.amin(0) + seen.amax(0)).tolist() == [
            2 * (start + step * row),
            2 * (start + step * column),
        ]


def test_an_unpadded_map_is_moved_and_not_changed(images, labels):
    network = forward_forward(images)
    maps = class_maps.class_maps(network, images, labels)
    placed = class_maps.on_image(network, maps, 12, 12)
    assert placed.shape == (6, 2, 12, 12)
    for found, x, offset in zip(placed.unbind(1), maps, (2, 3)):
        size = x.shape[1]
        assert torch.equal(found[:, offset : offset + size, offset : offset + size], x)
        assert torch.equal(found.sum((1, 2)), x.sum((1, 2))), "zero elsewhere"
    assert torch.equal(placed.sum((1, 2, 3)), total(maps))


def test_a_backprop_map_belongs_to_the_last_block(images):
    network = backprop(images)
    (x,) = class_maps.class_maps(network, images, 0)
    assert torch.equal(class_maps.on_image(network, [x], 12, 12)[:, 0, 2:10, 2:10], x)


def test_a_pooled_map_is_interpolated_linearly():
    """A slope stays the same slope: at every pixel between the first and the last centre."""
    network = Backprop(cnn(1, [2, 2], 3, padding="same", pool="max"))
    (start, step) = class_maps.windows(network.blocks)[-1]
    assert (start, step) == (1.5, 4)
    centres = start + step * torch.arange(4.0)
    slope = 2 * centres[:, None] + 5 * centres + torch.zeros(3, 1, 1)
    found = class_maps.on_image(network, [slope], 16, 16)[:, 0]
    pixels = torch.arange(2.0, 14)
    torch.testing.assert_close(found[:, 2:14, 2:14], (2 * pixels[:, None] + 5 * pixels).expand(3, 12, 12))


# --- what cannot be asked -----------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [10, -1, torch.tensor([0, 1]), torch.tensor([0, 1, 2, 3, 4, 10])], ids=str)
def test_labels_that_are_none_are_refused(wrong, images):
    network = forward_forward(images)
    with pytest.raises(ValueError, match="each of the 6 images, and between 0 and 9; got"):
        class_maps.class_maps(network, images, wrong)
    with pytest.raises(ValueError, match="each of the 6 images, and between 0 and 9; got"):
        class_maps.goodness_maps(network.learner, images, 0, wrong)


def test_networks_without_maps_are_refused(images):
    learner = ForwardForward(mlp([144, 5, 5]), Pixels())
    readout, control = LinearReadout(learner), Backprop(mlp([144, 5]))
    for ask in (
        lambda: class_maps.class_maps(readout, images, 0),
        lambda: class_maps.class_maps(control, images, 0),
        lambda: class_maps.goodness_maps(learner, images, 0, 1),
    ):
        with pytest.raises(ValueError, match="not convolutional"):
            ask()
