"""Convolution through Fourier space: the same function, the same gradients, where it is the cheaper way."""

import copy

import pytest
import torch
import torch.nn.functional as F

from fftools.blocks import cnn, layer_norm
from fftools.data import Split
from fftools.fast import convolution, fourier, maps
from fftools.fast.convolution import COST, Convolution, cheaper
from fftools.fit import OutOfTime, fit
from fftools.labels import Fourier
from fftools.rules.forward_forward import ForwardForward
from fftools.rules.goodness import SumOfSquares


@pytest.fixture(autouse=True)
def through_fourier_space():
    convolution.take("fourier")
    yield
    convolution.take(None)


def relative(found, expected):
    return ((found.double() - expected).norm() / expected.norm()).item()


def with_gradients(convolve, x, weight, padding, told):
    x, weight = (each.detach().clone().requires_grad_() for each in (x, weight))
    y = convolve(x, weight, padding)
    return (y, *torch.autograd.grad(y, (x, weight), told.to(y.dtype)))


SHAPES = [
    (3, 2, 4, 10, 10, 7, 0),
    (3, 2, 4, 11, 9, 5, 2),
    (2, 3, 2, 9, 12, 3, 1),
    (2, 3, 2, 7, 7, 7, 0),
    (2, 3, 2, 3, 3, 3, 1),
    (2, 3, 2, 6, 5, 1, 0),
    (2, 2, 3, 8, 8, 4, 1),
]


@pytest.mark.parametrize("samples, channels, filters, height, width, kernel, padding", SHAPES)
@pytest.mark.parametrize(
    "dtype, least", [(torch.float64, 1e-12), (torch.float32, 1e-5), (torch.bfloat16, 1e-2)]
)
def test_maps_and_both_gradients_are_those_of_pytorch(
    samples, channels, filters, height, width, kernel, padding, dtype, least
):
    torch.manual_seed(0)
    x = torch.randn(samples, channels, height, width).to(dtype)
    weight = torch.randn(filters, channels, kernel, kernel).to(dtype)
    direct = lambda x, weight, padding: F.conv2d(x, weight, padding=padding)
    told = torch.randn_like(direct(x, weight, padding))
    expected = with_gradients(direct, x.double(), weight.double(), padding, told)
    for found, true in zip(with_gradients(fourier.convolve, x, weight, padding, told), expected, strict=True):
        assert found.shape == true.shape and found.dtype == dtype
        assert relative(found, true) < least


@pytest.mark.parametrize(
    "height, width, kernel, padding", [(22, 22, 7, 0), (15, 22, 5, 2), (9, 7, 3, 1), (3, 4, 3, 1)]
)
def test_the_planes_are_counted_as_they_are_made(height, width, kernel, padding):
    made = sum(
        rows.count * len(columns.maps)
        for rows, columns in fourier.transforms(height, width, kernel, padding, torch.float32)
    )
    assert fourier.planes(height, width, padding) == made


def test_transforms_are_made_once():
    before = fourier.transforms.cache_info().misses
    for _ in range(3):
        fourier.convolve(torch.randn(2, 2, 13, 13), torch.randn(2, 2, 3, 3), 0)
    assert fourier.transforms.cache_info().misses == before + 1


def test_wide_filters_go_through_fourier_space_and_narrow_ones_do_not():
    wide = lambda dtype, *shape: cheaper(torch.Size(shape), 128, 7, 0, dtype)
    assert all(wide(dtype, 100, 128, 22, 22) for dtype in COST)
    assert not any(cheaper(torch.Size([100, 1, 28, 28]), 128, 7, 0, dtype) for dtype in COST)
    assert not any(cheaper(torch.Size([100, 32, 26, 26]), 32, 3, 0, dtype) for dtype in COST)
    assert not any(cheaper(torch.Size([100, 32, 26, 26]), 32, 1, 0, dtype) for dtype in COST)
    assert not wide(torch.float16, 100, 128, 22, 22)  # no costs were measured
    assert not wide(torch.float32, 100, 128, 5, 5)  # no map would be left: PyTorch says so


@pytest.mark.parametrize(
    "options",
    [
        dict(stride=2),
        dict(dilation=2),
        dict(groups=2),
        dict(padding_mode="circular", padding=3),
        dict(padding=(3, 0)),
    ],
)
def test_what_it_does_not_know_is_pytorchs(options, monkeypatch):
    monkeypatch.setattr(fourier, "convolve", None)
    layer, plain = Convolution(64, 64, 7, **options), torch.nn.Conv2d(64, 64, 7, **options)
    plain.load_state_dict(layer.state_dict())
    x = torch.randn(4, 64, 22, 22)
    torch.testing.assert_close(layer(x), plain(x))


@pytest.mark.parametrize("precision", ["float32", "bf16"])
@pytest.mark.parametrize(
    "padding, pool", [("valid", None), ("same", None), ("same", "max"), ("same", "average")]
)
def test_a_network_learns_the_same_either_way(precision, padding, pool):
    torch.manual_seed(0)
    images, labels = torch.rand(8, 1, 26, 26), torch.arange(8)
    learner = ForwardForward(
        cnn(1, [32, 32], 7, padding, pool), Fourier(), SumOfSquares(norm=layer_norm), local=False
    )
    other, found = copy.deepcopy(learner), []
    for network, path in ((learner, "fourier"), (other, "direct")):
        convolution.take(path)
        torch.manual_seed(1)
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            loss = next(iter(network.local_losses(images, labels)))
        loss.backward()
        found.append((loss.double(), *(p.grad.double() for p in network.parameters())))
    assert {*learner.state_dict()} == {
        "blocks.0.0.weight",
        "blocks.0.0.bias",
        "blocks.1.0.weight",
        "blocks.1.0.bias",
    }
    for ours, plain in zip(*found, strict=True):
        assert relative(ours, plain) < (1e-4 if precision == "float32" else 0.05)


def test_maps_keep_the_layout_that_the_next_layer_needs(monkeypatch):
    lay, seen = fourier.convolve, []
    monkeypatch.setattr(
        fourier, "convolve", lambda x, *rest: seen.append(maps.places_first(x)) or lay(x, *rest)
    )
    x = torch.rand(50, 1, 28, 28)
    for block in cnn(1, [64, 64, 64], 7):
        x = layer_norm(block(x))
    assert seen == [True, True] and maps.places_first(x)
    seen.clear()
    pooled = cnn(1, [64, 64], 7, "same", "max")
    for block in pooled:
        x = rows = block(torch.rand(20, 1, 28, 28) if block is pooled[0] else x)
    assert seen == [False] and rows.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("dtype, least", [(torch.float32, 1e-5), (torch.bfloat16, 2e-2)])
def test_norm_and_goodness_of_maps_that_lie_places_first(dtype, least):
    torch.manual_seed(0)
    x = (torch.randn(4, 8, 9, 7).relu() * torch.tensor([0.1, 1, 3, 10]).view(-1, 1, 1, 1)).to(dtype)
    lying = x.permute(2, 3, 0, 1).contiguous().permute(2, 3, 0, 1)
    assert maps.places_first(lying) and not maps.places_first(x)
    plain = lambda x: F.layer_norm(x, x.shape[1:])
    squares = lambda x: x.pow(2).sum((1, 2, 3))
    for ours, theirs in ((maps.LayerNorm.apply, plain), (maps.SquaresOfMaps.apply, squares)):
        a, b = lying.clone().requires_grad_(), x.double().requires_grad_()
        found, expected = ours(a), theirs(b)
        told = torch.randn_like(expected)
        gradients = torch.autograd.grad(found, a, told.to(found.dtype)) + torch.autograd.grad(
            expected, b, told
        )
        assert relative(found, expected) < least and relative(*gradients) < least
    assert maps.places_first(maps.LayerNorm.apply(lying))
    assert maps.SquaresOfMaps.apply(lying).dtype == torch.float32
    silent = torch.zeros_like(lying).requires_grad_()  # a dead block
    maps.SquaresOfMaps.apply(silent).sum().backward()
    assert not silent.grad.any() and maps.LayerNorm.apply(silent.detach()).isfinite().all()


def test_a_path_can_be_taken_and_given_back():
    layer, x = cnn(64, [64], 7)[0][0], torch.randn(8, 64, 22, 22)
    convolution.take("direct")
    assert convolution.path() == "direct" and torch.equal(layer(x), F.conv2d(x, layer.weight, layer.bias))
    convolution.take("fourier")
    assert convolution.path() == "fourier" and not torch.equal(
        layer(x), F.conv2d(x, layer.weight, layer.bias)
    )
    with pytest.raises(ValueError, match="'winograd'"):
        convolution.take("winograd")
    convolution.take(None)
    assert convolution.path() in ("fourier", "direct")


def test_a_resumed_run_keeps_its_path(tmp_path):
    torch.manual_seed(0)
    split = Split(torch.randint(256, (48, 1, 26, 26), dtype=torch.uint8), torch.arange(48) % 10)
    start, ends = ForwardForward(cnn(1, [32, 32], 7), Fourier(), SumOfSquares(norm=layer_norm)), []
    go = lambda learner, **options: fit(
        learner, split, epochs=3, batch_size=16, lr=1e-3, precision="float32", **options
    )
    for path in ("fourier", "direct"):
        convolution.take(path)
        whole, cut = copy.deepcopy(start), copy.deepcopy(start)
        go(whole)
        with pytest.raises(OutOfTime):
            go(cut, resume=tmp_path / path, deadline=0.0)
        other = "direct" if path == "fourier" else "fourier"
        convolution.take(other)  # another machine
        cut = copy.deepcopy(start)
        go(cut, resume=tmp_path / path)
        assert convolution.path() == other
        assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), cut.parameters(), strict=True))
        ends.append(whole.blocks[1][0].weight)
    assert not torch.equal(*ends)


def test_wrong_channels_are_told():
    layer = Convolution(64, 64, 7)
    for shape, told in [
        ((8, 32, 22, 22), "to have 64 channels, but got 32"),
        ((8, 22, 22), "64"),
        ((22, 22), "got input of size"),
    ]:
        with pytest.raises(RuntimeError, match=told):
            layer(torch.randn(shape))
    assert layer(torch.randn(64, 22, 22)).shape == (64, 16, 16)
