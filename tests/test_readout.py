"""Predictions, and that no label of the asked images plays a part in them."""

from functools import partial

import pytest
import torch
from helpers import same, weights

from evidence.build import forward_forward
from fftools.blocks import cnn, mlp
from fftools.data import Dataset, Split
from fftools.extras import few_candidates
from fftools.fast.precision import precision_context, resolve_precision
from fftools.fit import fit
from fftools.labels import Fourier, Hybrids, Pixels
from fftools.readout import LinearReadout, accuracy, diagnose, predict
from fftools.rules.forward_forward import ForwardForward


def test_predict_takes_the_highest_score_of_every_image(noise):
    def brightest_row(images):
        assert images.dtype == torch.float32 and images.max() <= 1
        return images[:, 0, 1:5].sum(2)

    expected = noise.images[:, 0, 1:5].float().sum(2).argmax(1)
    for batch_size in (1, 7, 64, 1000):
        assert torch.equal(predict(brightest_row, noise.images, batch_size, precision="float32"), expected)


def test_predict_keeps_no_graph(small, noise):
    learner, grad = small(), []
    predict(lambda images: grad.append(torch.is_grad_enabled()) or learner.scores(images), noise.images)
    assert grad == [False] and torch.is_grad_enabled()


def test_accuracy_is_the_share_of_right_answers():
    split = Split(torch.zeros(8, 1, 2, 2, dtype=torch.uint8), torch.tensor([0, 1, 2, 1, 1, 0, 2, 2]))
    always_one = lambda images: torch.tensor([0.0, 1, 0]).expand(len(images), 3)
    assert accuracy(always_one, split) == 3 / 8


def dense() -> ForwardForward:
    return forward_forward(mlp([784, 150, 150]), Pixels(), negatives="hard")


def convolutional(local: bool) -> ForwardForward:
    return forward_forward(
        cnn(1, [8, 8, 8], 5), Fourier(), norm="layer", first_loss=1, first_judge=1, local=local
    )


def pipeline(build, dataset: Dataset):
    """All of a run: training with validation, linear read-out, every kind of answer to the test images."""
    torch.manual_seed(0)
    learner = build()
    options = {"batch_size": 50, "lr": 3e-3, "validation": dataset.validation, "validate_every": 4}
    fit(learner, dataset.train, epochs=8, **options)
    readout = LinearReadout(learner)
    fit(readout, dataset.train, epochs=2, **options)
    answers = {"goodness": learner.scores, "linear": readout.scores}
    if learner.softmax is not None:
        answers["one-pass"] = learner.one_pass
    told = {name: accuracy(scores, dataset.test) for name, scores in answers.items()}
    raw = {name: scores(dataset.test.floats()).detach() for name, scores in answers.items()}
    return (
        weights(readout),
        {name: predict(scores, dataset.test.images) for name, scores in answers.items()},
        raw,
        told,
    )


@pytest.mark.parametrize(
    "build",
    [dense, partial(convolutional, True), partial(convolutional, False)],
    ids=["dense", "cnn, strictly local", "cnn, through the stack"],
)
def test_permuted_test_labels_leave_every_prediction_bit_identical(build, digits):
    permuted = digits.test.labels[
        torch.randperm(len(digits.test), generator=torch.Generator().manual_seed(0))
    ]
    other = Dataset(digits.name, digits.train, digits.validation, Split(digits.test.images, permuted))
    (state, predictions, scores, told), (state_, predictions_, scores_, told_) = (
        pipeline(build, digits),
        pipeline(build, other),
    )
    assert same(state, state_)
    for name in predictions:
        assert torch.equal(predictions[name], predictions_[name]) and torch.equal(scores[name], scores_[name])
        assert told[name] > 0.3 and told_[name] < 0.2, f"{name}: only the accuracy knows the labels"


def test_predictions_do_not_depend_on_the_company(digits):
    """What is said of an image is the same whichever stand beside it: no statistics of the batch leak in."""
    torch.manual_seed(0)
    learner = forward_forward(mlp([784, 60, 60]), Pixels(), negatives="hard")
    fit(learner, digits.train, epochs=3, batch_size=50, lr=3e-3)
    for scores in (learner.scores, learner.one_pass):
        together = predict(scores, digits.test.images[:40], precision="float32")
        alone = torch.cat(
            [predict(scores, digits.test.images[i : i + 1], precision="float32") for i in range(40)]
        )
        assert torch.equal(together, alone)


def test_linear_readout_trains_the_classifier_and_nothing_else(small, noise):
    learner = small(negatives="random")
    before = weights(learner)
    readout = LinearReadout(learner, 4)
    assert readout.scores(noise.floats()).shape == (64, 4)
    start = readout.linear.weight.detach().clone()
    fit(readout, noise, epochs=2, batch_size=16, lr=1e-2)
    assert same(before, weights(learner))
    assert not torch.equal(start, readout.linear.weight)


def test_linear_readout_sees_the_neutral_label_only(small, noise):
    """Whatever the label pixels of the asked image hold, the answer is the same."""
    readout = LinearReadout(small(), 4)
    images = noise.floats()
    marked = Pixels(4).embed(images, noise.labels)
    assert not torch.equal(images, marked)
    assert torch.equal(readout.scores(images), readout.scores(marked))


# --- goodness of a few labels only --------------------------------------------------------------------------


def noisy(images):
    """A made-up proposer for `noise`, with a different ranking for each image."""
    return images.flatten(1)[:, 40:44] * 4


@pytest.fixture
def asked(small, noise):
    """A network that counts the images it is asked about, and the images."""
    learner, judge = small(norm="layer"), ForwardForward.judge
    learner.count = 0

    def counting(images, labels):
        learner.count += len(images)
        return judge(learner, images, labels)

    learner.judge = counting
    return learner, noise.floats()


@pytest.mark.parametrize("build", [dense, partial(convolutional, True)], ids=["dense", "cnn"])
def test_goodness_of_all_labels_is_the_networks_scores_bit_for_bit(build, digits):
    learner, images = build(), digits.test[:40].floats()
    scores = learner.scores(images)
    found = few_candidates.scores(learner, images, 10, lambda images: images.flatten(1)[:, 300:310])
    assert torch.equal(found, scores) and len(scores.argmax(1).unique()) > 1


@pytest.mark.parametrize("candidates", [2, 3])
def test_goodness_asks_about_the_proposed_labels_only(asked, candidates):
    learner, images = asked
    scores = learner.scores(images)
    learner.count = 0
    found = few_candidates.scores(learner, images, candidates, noisy)
    proposed = noisy(images).argsort(1, descending=True)[:, :candidates]
    expected = torch.full_like(scores, -torch.inf).scatter(1, proposed, scores.gather(1, proposed))
    torch.testing.assert_close(found, expected)
    assert learner.count == candidates * len(images)
    assert not torch.equal(found.argmax(1), proposed[:, 0]), "goodness has a say"


def test_one_candidate_is_the_answer_unasked(asked):
    learner, images = asked
    assert (
        torch.equal(few_candidates.scores(learner, images, 1, noisy).argmax(1), noisy(images).argmax(1))
        and learner.count == 0
    )


@pytest.mark.parametrize("least", [0.2, 0.3, 1.0])
def test_labels_with_a_small_share_are_not_asked_about(asked, least):
    """Against the definition, image by image; nothing is computed for an image whose answer stands."""
    learner, images = asked
    scores, shares = learner.scores(images), noisy(images).softmax(1)
    learner.count, count = 0, 0
    found = few_candidates.scores(learner, images, 3, noisy, least)
    for row, share, judged in zip(found, shares, scores):
        best = share.argsort(descending=True)[:3].tolist()
        chosen = best[:1] + [label for label in best[1:] if share[label] >= least]
        if len(chosen) == 1:
            assert row[chosen[0]] == torch.inf
        else:
            torch.testing.assert_close(row[chosen], judged[chosen])
            count += len(chosen)
        assert (row == -torch.inf).sum() == 4 - len(chosen)
    assert learner.count == count and (0 < count < 3 * len(images)) == (least < 1)


@pytest.mark.parametrize("candidates, least", [(0, 0.0), (5, 0.0), (2, -0.1), (2, 1.1)])
def test_goodness_refuses_numbers_out_of_range(small, noise, candidates, least):
    with pytest.raises(
        ValueError, match=f"1 to 4 candidates.*got candidates={candidates}, scores=4, least={least}"
    ):
        few_candidates.scores(small(), noise.floats(), candidates, noisy, least)


def test_goodness_refuses_a_proposer_for_other_labels(small, noise):
    with pytest.raises(ValueError, match="a score for each label.*scores=3"):
        few_candidates.scores(small(), noise.floats(), 2, lambda images: noisy(images)[:, :3])


def test_learning_without_labels_gives_features_worth_reading(digits):
    torch.manual_seed(0)
    trained = ForwardForward(mlp([784, 200, 200]), Hybrids())
    fit(trained, digits.train, epochs=10, batch_size=50, lr=1e-3)
    readout = LinearReadout(trained)
    fit(readout, digits.train, epochs=10, batch_size=50, lr=1e-2)
    assert accuracy(readout.scores, digits.test) > 0.85


@pytest.mark.parametrize(
    "able, expected",
    [
        ({}, "float32"),
        ({"avx512_bf16": True}, "bf16"),
        ({"amx_bf16": True}, "bf16"),
        ({"avx512_bf16": False, "avx512_f": True}, "float32"),
    ],
)
def test_auto_precision_asks_the_cpu(monkeypatch, able, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able)
    assert resolve_precision("auto", torch.device("cpu")) == expected


@pytest.mark.parametrize("capability, expected", [((7, 5), "float32"), ((8, 0), "bf16"), ((9, 0), "bf16")])
def test_auto_precision_asks_the_gpu(monkeypatch, capability, expected):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert resolve_precision("auto", torch.device("cuda")) == expected


def test_precision_by_name():
    cpu = torch.device("cpu")
    assert [resolve_precision(name, cpu) for name in ("float32", "bf16")] == ["float32", "bf16"]
    assert resolve_precision("auto", torch.device("mps")) == "float32"
    with pytest.raises(ValueError, match='"auto", "float32" or "bf16"; got \'half\''):
        resolve_precision("half", cpu)


def test_precision_context_decides_what_is_multiplied_in():
    x, cpu = torch.ones(2, 2), torch.device("cpu")
    for name, dtype in [("float32", torch.float32), ("bf16", torch.bfloat16)]:
        with precision_context(name, cpu):
            assert (x @ x).dtype == dtype
    assert (x @ x).dtype == torch.float32


def test_discrimination_is_the_binary_cross_entropy_and_the_share_on_the_right_side(small, noise):
    """Against the definition, in one go, with every wrong label taken in turn."""
    learner = small()
    wrong = (noise.labels + 1 + torch.arange(len(noise)) % 3) % 4
    assert (wrong != noise.labels).all()
    images = noise.floats()
    both = torch.cat([learner.label.embed(images, noise.labels), learner.label.embed(images, wrong)])
    true = torch.cat([torch.ones(len(noise)), torch.zeros(len(noise))])
    expected = []
    for x in learner.activations(both):
        logits = x.detach().pow(2).sum(1) - x.shape[1]
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, true).item()
        expected.append([loss, ((logits > 0) == true.bool()).float().mean().item()])
    found = diagnose(learner, noise, precision="float32")["discrimination"]
    assert [pytest.approx(row, rel=1e-4) for row in expected] == found
