"""Bad input gets an error that names it and says what was expected: images, labels, files to resume from."""

import re

import numpy as np
import pytest
import torch
from helpers import same, weights

from evidence.build import forward_forward
from fftools.blocks import cnn, layer_norm, mlp
from fftools.data import Split
from fftools.extras import speedrun
from fftools.fast.step import load_optimizer, make_optimizer
from fftools.fit import fit
from fftools.labels import Fourier, Hybrids, Morphology, Pixels
from fftools.readout import LinearReadout, accuracy, diagnose, predict
from fftools.resume import load_state, save_state
from fftools.rules.backprop import Backprop
from fftools.rules.channel_wise import ChannelWise
from fftools.rules.feedback import DirectFeedbackAlignment, FeedbackAlignment
from fftools.rules.forward_forward import ForwardForward
from fftools.rules.goodness import HardLabels, SumOfSquares
from fftools.rules.layerwise import Classifier, Layerwise, Shares
from fftools.rules.mono_forward import MonoForward

RUN = dict(epochs=2, batch_size=16, lr=1e-2, precision="float32")


def layerwise(head) -> Layerwise:
    """Two of the speedrun's layers."""
    blocks = torch.nn.ModuleList([speedrun.layer(1, 8, pool=True), speedrun.layer(8, 8, pool=True)])
    return Layerwise(blocks, [head(8, 4) for _ in blocks], 4)


RULES = {
    "ff": lambda: ForwardForward(mlp([64, 24, 16]), Pixels(4)),
    "ff, hard": lambda: ForwardForward(mlp([64, 24, 16]), Pixels(4), negatives=HardLabels()),
    "ff-cnn": lambda: ForwardForward(cnn(1, [4, 4], 3), Fourier(4), SumOfSquares(norm=layer_norm, first=2)),
    "ff-cnn, morphology": lambda: ForwardForward(cnn(1, [4, 4], 3), Morphology(4)),
    "mf": lambda: MonoForward(mlp([64, 24, 16]), 4),
    "mf-cnn": lambda: MonoForward(cnn(1, [4, 8], 3, padding="same", pool="average"), 4),
    "cw": lambda: ChannelWise(mlp([64, 24, 16]), 4),
    "bp": lambda: Backprop(mlp([64, 24]), 4),
    "bp, in segments": lambda: Backprop(mlp([64, 24, 16]), 4, segments=2),
    "bp-cnn": lambda: Backprop(cnn(1, [4], 3), 4),
    "fa": lambda: FeedbackAlignment(mlp([64, 24]), 4),
    "dfa": lambda: DirectFeedbackAlignment(mlp([64, 24]), 4),
    "layerwise": lambda: layerwise(Classifier),
    "layerwise, goodness": lambda: layerwise(Shares),
    "readout": lambda: LinearReadout(ForwardForward(cnn(1, [4, 4], 3), Fourier(4)), 4),
}


def ways(learner) -> list:
    """Everything of it that images go into."""
    more = [learner.last_scores] if isinstance(learner, MonoForward) else []
    return [learner.scores, *more, lambda images: torch.stack([*learner.answers(images).values()])]


@pytest.fixture(params=RULES)
def learner(request, noise):
    """Each rule with its layers' sizes settled."""
    torch.manual_seed(0)
    found = RULES[request.param]()
    list(found.local_losses(noise.floats(), noise.labels))
    return found


def changed(split: Split, **parts) -> Split:
    return Split(**dict(images=split.images, labels=split.labels) | parts)


# --- labels ------------------------------------------------------------------------------------------------

BAD_LABELS = {
    "one too low": (lambda y: y - 1, "between 0 and 3, since there are 4 classes; got -1$"),
    "one too high": (lambda y: y + 1, "between 0 and 3.*got 4$"),
    "far out": (lambda y: y * 100, "got 100, 200, 300$"),
    "floats": (lambda y: y.float(), r"int64 \(N,\).*got float32 \(64,\)"),
    "one-hot": (lambda y: torch.nn.functional.one_hot(y), r"argmax\(1\)\); got int64 \(64, 4\)"),
    "a column": (lambda y: y[:, None], r"got int64 \(64, 1\)"),
    "bytes": (lambda y: y.to(torch.uint8), "got uint8"),
    "an array": (lambda y: y.numpy(), "got ndarray"),
    "a list": (lambda y: y.tolist(), "got list"),
}


@pytest.mark.parametrize("bad", BAD_LABELS)
def test_labels_that_are_none(learner, noise, bad):
    make, message = BAD_LABELS[bad]
    for work in (
        lambda: fit(learner, changed(noise, labels=make(noise.labels)), **RUN),
        lambda: fit(learner, noise, validation=changed(noise, labels=make(noise.labels)), **RUN),
    ):
        with pytest.raises(ValueError, match=f"{message}|a split needs .*; got"):
            work()


@pytest.mark.parametrize(
    "scheme", [Fourier(4), Morphology(4), Pixels(4)], ids=lambda scheme: type(scheme).__name__
)
@pytest.mark.parametrize("bad", BAD_LABELS)
def test_labels_that_cannot_be_written(scheme, noise, bad):
    make, message = BAD_LABELS[bad]
    with pytest.raises(ValueError, match=message):
        scheme.embed(noise.floats(), make(noise.labels))


@pytest.mark.parametrize("images, labels", [(40, 30), (30, 40), (64, 1)])
def test_as_many_labels_as_images(learner, noise, images, labels):
    one, other = noise.images[:images], noise.labels[:labels]
    with pytest.raises(ValueError, match=rf"as many labels.*got uint8 \({images}, .* and int64 \({labels},"):
        fit(learner, Split(one, other), **RUN)
    with pytest.raises(ValueError, match=f"got {images} images on cpu and {labels} labels on cpu"):
        Fourier(4).embed(one, other)


def test_an_empty_split(learner, noise):
    for work in (
        lambda: fit(learner, noise[:0], **RUN),
        lambda: learner.scores(noise.images[:0]),
        lambda: accuracy(learner.scores, noise[:0]),
        lambda: predict(learner.scores, noise.images[:0]),
    ):
        with pytest.raises(
            ValueError,
            match=r"at least one.*got uint8 \(0,|one image or more.*got (uint8|float32) \(0,|images=0",
        ):
            work()


# --- images ------------------------------------------------------------------------------------------------


def spoiled(images: torch.Tensor, value: float) -> torch.Tensor:
    images = images.clone()
    images[17, 0, 3, 4] = value
    return images


BAD_VALUES = {
    "0 to 255": (lambda x: x * 255, r"\[0, 1\], or uint8 in 0…255; found \d+ in image 0"),
    "-1 to 1": (lambda x: 2 * x - 1, r"found -0\.\d+ in image 0"),
    "one NaN": (lambda x: spoiled(x, torch.nan), "nan in image 17, and 0 more"),
    "one infinity": (lambda x: spoiled(x, torch.inf), "inf in image 17"),
    "one at 1.5": (lambda x: spoiled(x, 1.5), "1.5 in image 17"),
}


@pytest.mark.parametrize("bad", BAD_VALUES)
def test_pixels_out_of_range(learner, noise, bad):
    make, message = BAD_VALUES[bad]
    split = changed(noise, images=make(noise.floats()))
    before = weights(learner)
    for work in (
        lambda: fit(learner, split, **RUN),
        lambda: fit(learner, noise, validation=split, **RUN),
        lambda: accuracy(learner.scores, split),
        lambda: predict(learner.scores, split.images),
    ):
        with pytest.raises(ValueError, match=message):
            work()
    assert same(before, weights(learner))


def test_scores_refuse_floats_that_must_be_meant_as_bytes(learner, noise):
    """Standardised images have no fixed range, so only `fit` and `predict` hold floats to [0, 1] exactly."""
    with torch.no_grad():
        for ask in ways(learner):
            with pytest.raises(ValueError, match=BAD_VALUES["0 to 255"][1]):
                ask(noise.images.float())
            ask((noise.floats() - 0.1307) / 0.3081)


def test_a_tables_numbers_have_no_range_but_are_finite(noise):
    rows = noise.floats().flatten(1) * 9 - 4
    learner = MonoForward(mlp([64, 24]), 4)
    fit(learner, Split(rows, noise.labels), **RUN)
    rows[5, 3] = torch.nan
    with pytest.raises(ValueError, match="numbers must be finite; found nan in image 5"):
        predict(learner.scores, rows)


def test_float_images_train_as_bytes_do(learner, noise):
    """Also when rounding leads a little out of [0, 1]."""
    fit(learner, changed(noise, images=noise.floats()), **RUN)
    predict(learner.scores, noise.floats() * 1.0005 - 1e-4)


def test_scores_take_bytes_as_training_does(learner, noise):
    with torch.no_grad():
        for ask in ways(learner):
            assert torch.equal(ask(noise.images), ask(noise.floats()))
    scheme = getattr(learner, "label", None)
    if scheme is not None:
        assert torch.equal(
            scheme.embed(noise.images, noise.labels), scheme.embed(noise.floats(), noise.labels)
        )


BAD_FORMS = {
    "no channels": (
        lambda x: x[:, 0],
        r"\(N, C, H, W\).*got float32 \(\d+, 8, 8\); unsqueeze\(1\) adds a channel",
    ),
    "one image": (lambda x: x[0], r"got float32 \(1, 8, 8\)"),
    "an array": (lambda x: x.numpy(), "got ndarray.*from_numpy"),
    "a list": (lambda x: x.tolist(), "got list"),
    "float64": (lambda x: x.double(), "block 1 reads float32 .*; got float64"),
    "whole numbers": (lambda x: (x * 255).long(), "got int64"),
    "yes and no": (lambda x: x > 0.5, "got bool"),
    "colours": (
        lambda x: x.expand(-1, 3, -1, -1),
        r"block 1 reads float32 (\(N, 1, H, W\)|of 64 numbers).*got float32 \(\d+, 3, 8, 8\)",
    ),
    "too small": (
        lambda x: x[:, :, :2, :2],
        r"(at least [345]×[345]|of 64 numbers).*got float32 \(\d+, 1, 2, 2\)|no room for",
    ),
}


@pytest.mark.parametrize("bad", BAD_FORMS)
def test_images_of_another_form(learner, noise, bad):
    make, message = BAD_FORMS[bad]
    images = make(noise.floats())
    for ask in ways(learner):
        with pytest.raises(ValueError, match=message):
            ask(images)
    with pytest.raises(ValueError, match=message):
        predict(learner.scores, images)
    if bad != "one image":
        with pytest.raises(ValueError, match=f"{message}|a split needs .*; got"):
            fit(learner, changed(noise, images=images), **RUN)


@pytest.mark.parametrize("name", ["mf-cnn", "bp-cnn", "readout"])
@pytest.mark.parametrize("size", [7, 12, 28])
def test_images_of_another_size(name, size, noise):
    learner = RULES[name]()
    list(learner.local_losses(noise.floats(), noise.labels))
    for ask in ways(learner):
        with pytest.raises(
            ValueError, match=r"knows images with \d+ features; these have \d+: they are of another size"
        ):
            ask(torch.rand(3, 1, size, size))


@pytest.mark.parametrize(
    "scheme", [Fourier(4), Morphology(4), Pixels(4), Hybrids()], ids=lambda scheme: type(scheme).__name__
)
@pytest.mark.parametrize("bad", ["no channels", "an array", "a list", "whole numbers", "yes and no"])
def test_images_that_no_label_can_be_written_into(scheme, noise, bad):
    make, message = BAD_FORMS[bad]
    images = make(noise.floats())
    for work in (
        lambda: scheme.positive(images, noise.labels),
        lambda: scheme.negative(images, noise.labels),
        lambda: scheme.neutral(images),
    ):
        with pytest.raises(ValueError, match=message):
            work()


# --- going on ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stop", [1, 9, 14], ids=["in the first epoch", "in the third", "in the last"])
def test_interrupted_between_two_losses_the_same_object_goes_on_bit_for_bit(learner, noise, tmp_path, stop):
    options = RUN | dict(epochs=4, shift=1)
    start, asked, losses_of = weights(learner), 0, type(learner).local_losses

    def interrupted(images, labels):
        nonlocal asked
        asked += 1
        for loss in losses_of(learner, images, labels):
            yield loss
            if asked == 1 + stop:  # the loss has been back-propagated
                raise KeyboardInterrupt

    learner.local_losses = interrupted
    with pytest.raises(KeyboardInterrupt):
        fit(learner, noise, **options, resume=tmp_path / "c.pt", resume_seconds=0)
    del learner.local_losses
    history = fit(learner, noise, **options, resume=tmp_path / "c.pt")
    found = weights(learner)
    learner.load_state_dict(start)
    assert fit(learner, noise, **options).loss == history.loss and same(weights(learner), found)


def small(**words) -> ForwardForward:
    torch.manual_seed(0)
    return forward_forward(mlp([64, 24, 16]), words.pop("label", Pixels(4)), **words)


@pytest.mark.parametrize(
    "other, named",
    [
        (dict(loss="symmetric"), "Softplus.*Symmetric"),
        (dict(goodness="mean"), "SumOfSquares.*MeanOfSquares"),
        (dict(threshold=2.0), "threshold=None.*threshold=2.0"),
        (dict(norm="layer"), "rms_norm.*layer_norm"),
        (dict(negatives_each=2), r"each=1.*each=2"),
        (dict(local=False), "local=True.*local=False"),
        (dict(label=Pixels(4, on=0.5)), "on=1.0.*on=0.5"),
        (dict(label=Pixels(5)), "classes=4.*classes=5"),
        (dict(label=Fourier(4)), "Pixels.*Fourier"),
        (dict(peer=0.1), "ForwardForward.*Trial"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_the_state_of_another_rule_is_refused_by_name(noise, tmp_path, other, named):
    path = tmp_path / "c.pt"
    fit(small(), noise, **RUN, resume=path)
    learner = small(**other)
    before = weights(learner)
    with pytest.raises(ValueError, match=f"{path} is the state of another run.*learner: it has .*{named}"):
        fit(learner, noise, **RUN, resume=path)
    assert same(before, weights(learner))


@pytest.mark.parametrize("change", ["another pixel", "another label", "another order", "floats"])
def test_the_state_of_other_data_of_equal_number_is_refused(noise, tmp_path, change):
    fit(small(), noise, **RUN, resume=tmp_path / "c.pt")
    images, labels = noise.images.clone(), noise.labels.clone()
    if change == "another pixel":
        images[63, 0, 7, 7] ^= 1
    elif change == "another label":
        labels[0] = (labels[0] + 1) % 4
    other = {
        "another order": noise[torch.arange(63, -1, -1)],
        "floats": changed(noise, images=noise.floats()),
    }
    with pytest.raises(ValueError, match="is the state of another run.*data: it has"):
        fit(small(), other.get(change, Split(images, labels)), **RUN, resume=tmp_path / "c.pt")


def test_the_state_of_another_schedule_of_the_same_name_is_refused(noise, tmp_path):
    fit(small(), noise, **RUN, resume=tmp_path / "c.pt", schedule=lambda done, epochs: 1.0)
    with pytest.raises(ValueError, match="is the state of another run.*rates: it has"):
        fit(small(), noise, **RUN, resume=tmp_path / "c.pt", schedule=lambda done, epochs: 0.5)


def test_a_readouts_state_belongs_to_its_network(noise, tmp_path):
    one, other = small(), small()
    fit(LinearReadout(one, 4), noise, **RUN, resume=tmp_path / "c.pt")
    fit(other, noise, **RUN)
    before = weights(other)
    with pytest.raises(ValueError, match="is the state of another run.*given: it has"):
        fit(LinearReadout(other, 4), noise, **RUN, resume=tmp_path / "c.pt")
    assert same(before, weights(other))


def test_the_state_of_an_older_version_goes_on(noise, tmp_path):
    """It knows less of its run: what it does not know is not compared."""
    fit(small(), noise, **RUN, resume=tmp_path / "c.pt")
    state = torch.load(tmp_path / "c.pt")
    for name in ("learner", "given", "data"):
        del state["settings"][name]
    torch.save(state, tmp_path / "c.pt")
    assert fit(small(), noise, **RUN, resume=tmp_path / "c.pt").to_dict() == state["history"]


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
@pytest.mark.parametrize("epochs", [0, 1, 3])
def test_a_gpus_state_goes_on_on_a_cpu(noise, tmp_path, optimizer, epochs):
    """Such a file has a `capturable` optimizer whose rate is a tensor."""
    options = RUN | dict(epochs=4, optimizer=optimizer)
    plain, begun, resumed = small(), small(), small()
    expected = fit(plain, noise, **options)

    def stop(epoch, _):
        if epoch == epochs:
            torch.save(torch.load(tmp_path / "c.pt"), tmp_path / "kept.pt")

    fit(
        begun,
        noise,
        **options,
        resume=tmp_path / "c.pt",
        resume_seconds=0,
        on_epoch=lambda epoch, _: stop(epoch + 1, _) if epochs else stop(epoch, _),
    )
    state = torch.load(tmp_path / "kept.pt")
    for group in state["optimizer"]["param_groups"]:
        group |= dict(lr=torch.tensor(0.5)) | ({"capturable": True} if optimizer == "adam" else {})
    torch.save(state, tmp_path / "kept.pt")
    assert fit(resumed, noise, **options, resume=tmp_path / "kept.pt").loss == expected.loss
    assert same(weights(resumed), weights(plain))


@pytest.mark.parametrize("name", ["adam", "sgd"])
def test_a_cpus_state_leaves_a_capturable_optimizer_so(name):
    """As far as that can be seen without a GPU: rate and options stay those of the device."""
    parameters = [torch.nn.Parameter(torch.ones(3))]
    old = make_optimizer(name, parameters, 0.1, torch.device("cpu"))
    parameters[0].grad = torch.ones(3)
    old.step()
    rate, extra = torch.tensor(1e-3), dict(capturable=True) if name == "adam" else dict(momentum=0.9)
    new = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}[name](parameters, lr=rate, fused=True, **extra)
    load_optimizer(new, old.state_dict())
    assert new.param_groups[0]["lr"] is rate and rate == pytest.approx(1e-3)
    assert all(new.param_groups[0][key] == value for key, value in extra.items())
    assert len(new.state[parameters[0]]) == len(old.state[parameters[0]]) > 0


def test_a_readout_leaves_its_learner_as_it_was(noise):
    plain, asked = small(), small()
    fit(plain, noise, **RUN)
    fit(asked, noise, **RUN)
    fit(LinearReadout(asked, 4), noise, **RUN)
    assert all(p.requires_grad for p in asked.parameters())
    assert fit(asked, noise, **RUN).loss == fit(plain, noise, **RUN).loss and same(
        weights(asked), weights(plain)
    )


def test_a_readout_leaves_frozen_blocks_frozen(noise):
    learner = MonoForward(mlp([64, 24, 16]), 4)
    fit(learner, noise, **RUN)
    learner.train_only(2)
    fit(LinearReadout(learner, 4), noise, **RUN)
    assert [block[1].weight.requires_grad for block in learner.blocks] == [False, True]
    fit(learner, noise, **RUN)


def test_a_wholly_frozen_learner_is_refused(noise):
    learner = small()
    learner.scores(noise.images)
    with pytest.raises(ValueError, match="weights that are not frozen; got 'ForwardForward'"):
        fit(learner.requires_grad_(False), noise, **RUN)


def test_a_batch_of_none_is_refused(noise):
    with pytest.raises(
        ValueError, match="images and batch_size must be 1 or more; got images=64, batch_size=0"
    ):
        predict(small().scores, noise.images, batch_size=0)


def test_diagnosis_names_the_data(noise):
    images = noise.floats()
    images[3, 0, 2, 2] = torch.nan
    with pytest.raises(ValueError, match=r"found nan in image 3, and 0 more"):
        diagnose(small(), changed(noise, images=images))


def test_a_full_disk_is_named_and_the_run_can_go_on(noise, tmp_path, monkeypatch):
    """/dev/full is a disk without space."""
    path, real = tmp_path / "c.pt", type(tmp_path).write_bytes
    full = dict(left=2)

    def write(where, content):
        full["left"] -= 1
        return real(where, content) if full["left"] >= 0 else real(type(where)("/dev/full"), content)

    monkeypatch.setattr(type(tmp_path), "write_bytes", write)
    learner = small()
    with pytest.raises(OSError, match=rf"No space left on device.*{re.escape(str(path))}"):
        fit(learner, noise, **RUN | dict(epochs=4), resume=path, resume_seconds=0)
    monkeypatch.undo()
    assert [file.name for file in tmp_path.iterdir()] == ["c.pt"]
    plain = small()
    assert (
        fit(learner, noise, **RUN | dict(epochs=4), resume=path).loss
        == fit(plain, noise, **RUN | dict(epochs=4)).loss
    )
    assert same(weights(learner), weights(plain))


@pytest.mark.parametrize("where", ["a file/c.pt", "."])
def test_a_place_that_cannot_be_written_to_is_named(tmp_path, where):
    (tmp_path / "a file").write_text("")
    with pytest.raises(OSError, match=re.escape(str(tmp_path))):
        save_state(tmp_path / where, {})
    assert not list(tmp_path.glob("*.part"))


def test_numbers_and_arrays_are_no_state(tmp_path):
    np.save(tmp_path / "c.npy", np.zeros(3))
    with pytest.raises(ValueError, match="cannot be resumed from"):
        load_state(tmp_path / "c.npy", {})
