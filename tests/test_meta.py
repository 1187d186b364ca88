"""A GPU's habits without a GPU: the meta device refuses host synchronisation and tensors left on the CPU."""

import pytest
import torch
import torch.nn.functional as F
from test_faults import RULES
from torch.fx.experimental import _config
from torch.overrides import TorchFunctionMode

from evidence.build import forward_forward
from fftools.blocks import cnn, mlp
from fftools.data import Split
from fftools.extras import class_maps, few_candidates
from fftools.fast import precision
from fftools.fit import training_step
from fftools.labels import Fourier, Hybrids, Morphology, Pixels
from fftools.readout import LinearReadout
from fftools.rules.backprop import Backprop
from fftools.rules.forward_forward import ForwardForward

META = torch.device("meta")
MORE = RULES | {
    "ff, hybrids": lambda: ForwardForward(mlp([64, 24]), Hybrids()),
    "ff, all": lambda: forward_forward(mlp([64, 24]), Pixels(4), negatives="all", loss="symmetric"),
    "ff, place": lambda: forward_forward(
        cnn(1, [4], 3), Fourier(4), goodness="place", norm="place", peer=0.1
    ),
    "ff, through": lambda: forward_forward(cnn(1, [4, 4], 3), Fourier(4), local=False, negatives="hard"),
}


class Bf16(TorchFunctionMode):
    """What autocast does on a GPU, for the layers used here; PyTorch has no autocast on the meta device."""

    def __torch_function__(self, function, types, arguments=(), options=None):
        dtype = {
            F.linear: torch.bfloat16,
            F.conv2d: torch.bfloat16,
            F.embedding_bag: None,
            F.layer_norm: torch.float32,
            F.cross_entropy: torch.float32,
            F.softplus: torch.float32,
        }.get(function)
        if dtype:
            arguments = [
                x.to(dtype) if isinstance(x, torch.Tensor) and x.is_floating_point() else x for x in arguments
            ]
        return function(*arguments, **(options or {}))


def on_meta(learner, noise):
    list(learner.local_losses(noise.floats(), noise.labels))
    return learner.to(META)


@pytest.fixture
def data(noise):
    return Split(noise.images.to(META), noise.labels.to(META))


STEPS = [(name, kind) for name in MORE for kind in ("float32", "bf16")]
STEPS.remove(
    ("bp, in segments", "bf16")
)  # computing once more enters autocast again, but not what takes its place here


@pytest.mark.parametrize("name, kind", STEPS)
def test_a_step_never_waits(name, kind, noise, data, monkeypatch):
    if kind == "bf16":
        monkeypatch.setattr(precision, "precision_context", lambda *_: Bf16())
    learner = on_meta(MORE[name](), noise)
    optimizer = torch.optim.Adam(learner.trained())
    for images, labels in data.batches(16, torch.Generator().manual_seed(0), shift=1, flip=True):
        assert images.device == labels.device == META and images.dtype == torch.float32
        losses = training_step(learner, optimizer, kind, images, labels)
        assert losses.device == META and losses.dtype == torch.float32
    assert all(p.dtype == torch.float32 and p.device == META for p in learner.parameters())


@pytest.mark.parametrize("flip", [True, "alternate"])
def test_batches_never_wait(data, flip):
    for images, labels in data.batches(16, torch.Generator().manual_seed(0), shift=2, flip=flip):
        assert images.device == labels.device == META and images.shape == (16, 1, 8, 8)


@pytest.mark.parametrize("kind", ["float32", "bf16"])
@pytest.mark.parametrize("name", MORE)
def test_an_answer_never_waits(name, kind, noise, data):
    learner = on_meta(MORE[name](), noise)
    readout = (
        learner if isinstance(learner, LinearReadout) else on_meta(LinearReadout(MORE[name](), 4), noise)
    )
    with Bf16() if kind == "bf16" else torch.no_grad():
        for way, scores in (learner.answers(data.images) | readout.answers(data.images)).items():
            assert scores.shape == (64, 4), way
        if learner.classes:
            for rows in learner.diagnose(data.floats(), data.labels).values():
                assert rows.device == META and len(rows) == len(learner.blocks)


@pytest.mark.parametrize(
    "scheme", [Pixels(4), Fourier(4), Fourier(4, set=2), Morphology(4), Hybrids()], ids=str
)
def test_a_label_scheme_follows_its_images(scheme, data):
    """Also one that nobody has moved to their device."""
    images = data.floats()
    for found in (
        scheme.positive(images, data.labels),
        scheme.negative(images, data.labels),
        scheme.neutral(images),
    ):
        assert found.device == META and found.shape == images.shape
    if scheme is not Hybrids and getattr(scheme, "classes", 0):
        assert scheme.negative(images, data.labels, torch.zeros(64, 4, device=META)).device == META


def test_class_maps_never_wait(noise, data):
    readout = on_meta(LinearReadout(ForwardForward(cnn(1, [4, 4], 3), Fourier(4)), 4), noise)
    for network in (readout, on_meta(Backprop(cnn(1, [4], 3), 4), noise)):
        maps = class_maps.class_maps(network, data.floats(), data.labels)
        assert all(x.device == META for x in maps)
        assert class_maps.on_image(network, maps, 8, 8).shape == (64, len(maps), 8, 8)
    assert len(class_maps.goodness_maps(readout.learner, data.floats(), data.labels, 3)) == 2


def test_few_candidates_leave_nothing_on_the_cpu(noise, data):
    """Which images are asked about a label is known on the device: here the sizes are those of all images."""
    learner = on_meta(ForwardForward(cnn(1, [4, 4], 3), Fourier(4)), noise)
    with _config.patch(meta_nonzero_assume_all_nonzero=True):
        found = few_candidates.scores(
            learner, data.floats(), 2, lambda images: torch.zeros(64, 4, device=META)
        )
    assert found.device == META and found.shape == (64, 4)


@pytest.mark.parametrize(
    "bad", [lambda x: x.mean().item(), lambda x: x + torch.zeros(64, 1, 8, 8), lambda x: x[x > 0]]
)
def test_the_device_finds_what_it_is_there_to_find(bad, data):
    with pytest.raises((RuntimeError, NotImplementedError)):
        bad(data.floats())
