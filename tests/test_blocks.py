"""Layers and the normalisations between them."""

import pytest
import torch
from torch import nn

from evidence.build import NORMS
from evidence.variants import fan_out_weights, place_norm
from fftools.blocks import Standardise, cnn, layer_norm, mlp, rms_norm, unit_length


def test_mlp_has_the_asked_widths():
    blocks = mlp([12, 5, 3])
    assert [sum(p.numel() for p in block.parameters()) for block in blocks] == [12 * 5 + 5, 5 * 3 + 3]
    x = torch.randn(7, 3, 2, 2)  # flattened to 12
    for block, width in zip(blocks, [5, 3]):
        x = block(x)
        assert x.shape == (7, width)
        assert x.min() >= 0 and x.max() > 0  # ReLU


def test_mlp_without_bias():
    assert [name for name, _ in mlp([4, 3], bias=False).named_parameters()] == ["0.1.weight"]


def test_standardise_takes_each_channel_by_itself():
    images = torch.rand(50, 2, 4, 4, dtype=torch.float64) * torch.tensor([1.0, 0.2]).view(2, 1, 1)
    found = Standardise(images.mean((0, 2, 3)).tolist(), images.std((0, 2, 3)).tolist())(images)
    torch.testing.assert_close(found.mean((0, 2, 3)), torch.zeros(2).double(), atol=1e-6, rtol=0)
    torch.testing.assert_close(found.std((0, 2, 3)), torch.ones(2).double())
    assert not list(Standardise([0.5], [0.2]).parameters()), "nothing to learn"


@pytest.mark.parametrize("widths", [[784], [], [784, 0], [784, 500, -1]])
def test_mlp_refuses_widths_that_make_no_network(widths):
    with pytest.raises(ValueError, match="at least two positive numbers") as error:
        mlp(widths)
    assert str(widths) in str(error.value)


@pytest.mark.parametrize(
    "options, sizes",
    [
        ({}, [22, 16, 10]),
        ({"padding": "same"}, [28, 28, 28]),
        ({"padding": "same", "pool": "max"}, [14, 7, 3]),
        ({"padding": "same", "pool": "average"}, [14, 7, 3]),
    ],
)
def test_cnn_has_the_asked_widths_and_map_sizes(options, sizes):
    x = torch.rand(2, 1, 28, 28)
    for block, width, size in zip(cnn(1, [3, 5, 4], kernel=7, **options), [3, 5, 4], sizes, strict=True):
        assert block[0].weight.shape == (width, x.shape[1], 7, 7)
        x = block(x)
        assert x.shape == (2, width, size, size) and x.min() >= 0 and x.max() > 0


def test_pools_take_the_maximum_and_the_mean():
    torch.manual_seed(0)
    x = torch.rand(2, 1, 8, 8)
    plain, largest, mean = (cnn(1, [3], 3, "same", pool)[0] for pool in (None, "max", "average"))
    largest.load_state_dict(plain.state_dict())
    mean.load_state_dict(plain.state_dict())
    fours = plain(x).unfold(2, 2, 2).unfold(3, 2, 2).flatten(4)
    torch.testing.assert_close(largest(x), fours.amax(4))
    torch.testing.assert_close(mean(x), fours.mean(4))


def test_pooling_block_by_block_and_strides():
    x = torch.rand(2, 3, 16, 16)
    sizes = lambda blocks: [tuple(map_.shape[2:]) for map_ in _through(blocks, x)]
    assert sizes(cnn(3, [4, 5, 6], 3, "same", ["max", None, "average"])) == [(8, 8), (8, 8), (4, 4)]
    assert sizes(cnn(3, [4, 5], 5, "same", stride=2)) == [(8, 8), (4, 4)]
    assert sizes(cnn(3, [4, 5], 5, stride=2)) == [(6, 6), (1, 1)]
    torch.manual_seed(0)
    every, second = (cnn(3, [4], 3, "same", stride=stride)[0] for stride in (1, 2))
    second.load_state_dict(every.state_dict())
    torch.testing.assert_close(second(x), every(x)[:, :, ::2, ::2])


def _through(blocks, x):
    for block in blocks:
        x = block(x)
        yield x


@pytest.mark.parametrize(
    "arguments, told",
    [
        ((1, [], 7), "[]"),
        ((1, [8, 0], 7), "[8, 0]"),
        ((0, [8], 7), "0, [8], 7"),
        ((1, [8], 4), "odd kernel"),
        ((1, [8], 7, "full"), "'full'"),
        ((1, [8], 7, "same", "median"), "'median'"),
        ((1, [8], 7, "same", None, 0), "7, 0"),
        ((1, [8, 8], 7, "same", ["max"]), "each of the 2 blocks"),
        ((1, [8, 8], 7, "same", [None, "median"]), "'median'"),
    ],
)
def test_cnn_refuses_what_makes_no_network(arguments, told):
    with pytest.raises(ValueError) as error:
        cnn(*arguments)
    assert told in str(error.value)


def test_place_norm_standardises_each_place_over_its_channels():
    x = torch.rand(3, 16, 4, 5) * 7 + 2
    found = place_norm(x)
    assert found.shape == x.shape
    expected = (x - x.mean(1, keepdim=True)) / (x.var(1, unbiased=False, keepdim=True) + 1e-5).sqrt()
    torch.testing.assert_close(found, expected)


def test_fan_out_weights_have_the_named_spread():
    torch.manual_seed(0)
    blocks = cnn(1, [64, 64], kernel=7)
    fan_out_weights(blocks)
    assert blocks[1][0].weight.std().item() == pytest.approx(1 / 8, rel=0.02)
    assert not blocks[1][0].bias.any()
    fan_out_weights(bare := mlp([9, 400], bias=False))
    assert bare[0][1].weight.std().item() == pytest.approx(1 / 20, rel=0.1)


@pytest.fixture(params=[(6, 40), (6, 2, 4, 5)], ids=["vectors", "maps"])
def x(request):
    return torch.randn(request.param, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 3 + 1


def test_norms_do_what_their_names_say(x):
    flat = x.flatten(1)
    torch.testing.assert_close(
        unit_length(x).flatten(1), flat / (flat.pow(2).sum(1, keepdim=True).sqrt() + 1e-4)
    )
    torch.testing.assert_close(rms_norm(x).flatten(1).pow(2).mean(1), torch.ones(6, dtype=torch.float64))
    found = layer_norm(x).flatten(1)
    torch.testing.assert_close(found.mean(1), torch.zeros(6, dtype=torch.float64))
    torch.testing.assert_close(
        found.var(1, correction=0), torch.ones(6, dtype=torch.float64), rtol=1e-4, atol=0
    )
    # "length" and "rms" give the direction of x; only "layer" subtracts a mean and so changes it.
    cosine = lambda y: torch.cosine_similarity(y.flatten(1), flat)
    torch.testing.assert_close(cosine(unit_length(x)), torch.ones(6, dtype=torch.float64))
    torch.testing.assert_close(cosine(rms_norm(x)), torch.ones(6, dtype=torch.float64))
    assert cosine(layer_norm(x)).max() < 0.999


@pytest.mark.parametrize("norm", ["length", "rms", "layer"])
def test_a_norm_takes_each_samples_length_away(x, norm):
    lengths = torch.tensor([0.5, 1, 2, 8, 50, 1000], dtype=x.dtype).view(-1, *[1] * (x.dim() - 1))
    torch.testing.assert_close(NORMS[norm](x * lengths), NORMS[norm](x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("norm", NORMS)
def test_norms_keep_shape_and_dtype_and_bear_zeros(norm):
    for shape in [(3, 10), (3, 2, 4, 4)]:
        found = NORMS[norm](torch.zeros(shape))
        assert found.shape == shape and found.dtype == torch.float32
        assert torch.equal(found, torch.zeros(shape))


def test_no_norm_is_no_norm(x):
    assert NORMS["none"](x) is x


@pytest.mark.parametrize("edge", [8, 7], ids=["even", "odd"])
@pytest.mark.parametrize("pool, plain", [("max", nn.MaxPool2d(2)), ("average", nn.AvgPool2d(2))])
def test_pooled_maps_give_the_same_gradient_in_the_layout_that_a_cpu_pools_fast_in(pool, plain, edge):
    torch.manual_seed(0)
    (block,) = cnn(2, [3], kernel=3, padding="same", pool=pool)
    images, told = torch.randn(4, 2, edge, edge), torch.randn(4, 3, edge // 2, edge // 2)
    ours, expected = block[0](images).detach().requires_grad_(), block[0](images).detach().requires_grad_()
    block[1:](ours).backward(told)
    plain(torch.relu(expected)).backward(told)
    torch.testing.assert_close(ours.grad, expected.grad)
    assert ours.grad.is_contiguous(memory_format=torch.channels_last)
