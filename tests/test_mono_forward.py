"""Mono-Forward: each block's update is that of its own cross-entropy; nothing crosses a block's border."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers import same, weights
from torch import nn

from evidence.build import build
from evidence.studies.mono_forward import race
from fftools.blocks import averaged, cnn, mlp
from fftools.data import Dataset, Split
from fftools.fit import fit
from fftools.readout import accuracy, predict
from fftools.rules.backprop import Backprop
from fftools.rules.feedback import DirectFeedbackAlignment, FeedbackAlignment
from fftools.rules.mono_forward import MonoForward


def dense(seed: int = 0, widths=(64, 20, 12), **options) -> MonoForward:
    torch.manual_seed(seed)
    learner = MonoForward(mlp(widths, bias=False), 4, **options)
    learner.scores(torch.zeros(2, 1, 8, 8))  # the matrices learn their size
    return learner


def convolutional(**options) -> MonoForward:
    torch.manual_seed(0)
    learner = MonoForward(cnn(1, [3, 5], 3, padding="same", pool="average"), 4, **options)
    learner.scores(torch.zeros(2, 1, 8, 8))
    return learner


def step(learner, images, labels) -> list[float]:
    losses = []
    for loss in learner.local_losses(images, labels):
        loss.backward()
        losses.append(loss.item())
    return losses


def test_gradients_equal_the_papers_equations_by_hand(noise):
    """Equations 5 to 8 in NumPy float64: G = a Mᵀ, δ = softmax(G) − y, ∂M = δᵀ a, ∂W = (δ M ⊙ [z > 0])ᵀ x."""
    learner, x = dense().double(), noise.floats().double()
    losses = step(learner, x, noise.labels)
    x = x.flatten(1).numpy()
    for block, projection, loss in zip(learner.blocks, learner.projections, losses, strict=True):
        w, m = block[1].weight.detach().numpy(), projection.weight.detach().numpy()
        z = x @ w.T
        a = np.maximum(z, 0)
        g = a @ m.T
        share = np.exp(g) / np.exp(g).sum(1, keepdims=True)
        delta = (share - np.eye(4)[noise.labels]) / 64
        assert loss == pytest.approx(-np.log(share[np.arange(64), noise.labels]).mean())
        np.testing.assert_allclose(projection.weight.grad.numpy(), delta.T @ a, atol=1e-14)
        np.testing.assert_allclose(block[1].weight.grad.numpy(), ((delta @ m) * (z > 0)).T @ x, atol=1e-14)
        x = a


def test_a_plain_gradient_step_moves_weights_against_their_gradient(noise):
    learner = dense().double()
    before = weights(learner)
    optimizer = torch.optim.SGD(learner.parameters(), lr=0.1)
    step(learner, noise.floats().double(), noise.labels)
    optimizer.step()
    for name, parameter in learner.named_parameters():
        assert parameter.grad.abs().max() > 0
        torch.testing.assert_close(parameter.detach(), before[name] - 0.1 * parameter.grad)


@pytest.mark.parametrize("make", [dense, convolutional])
def test_no_gradient_crosses_a_border(make, noise):
    """A block's gradients are the same whatever lies above, and its loss reaches no parameter of another."""
    learner = make()
    for number, loss in enumerate(learner.local_losses(noise.floats(), noise.labels)):
        learner.zero_grad(set_to_none=True)
        loss.backward()
        touched = {name for name, parameter in learner.named_parameters() if parameter.grad is not None}
        mine = {name for name, _ in learner.named_parameters() if name.split(".")[1] == str(number)}
        assert touched == mine and touched


def test_the_one_graph_alive_is_the_blocks_own(noise):
    losses = dense().local_losses(noise.floats(), noise.labels)
    first = next(losses)
    first.backward()
    second = next(losses)
    with pytest.raises(RuntimeError, match="second time|freed"):
        first.backward()
    second.backward()


def test_goodness_is_activations_times_projection(noise):
    learner = convolutional()
    found = learner.activations(noise.floats())
    for g, x, projection in zip(learner.goodness(noise.floats()), found, learner.projections, strict=True):
        torch.testing.assert_close(
            g, torch.einsum("nchw,kchw->nk", x, projection.weight.view(4, *x.shape[1:]))
        )
    assert [p.weight.shape for p in learner.projections] == [(4, 3 * 4 * 4), (4, 5 * 2 * 2)]


def test_the_two_predictions_of_the_paper(noise):
    learner = dense()
    first, second = learner.goodness(noise.floats())
    torch.testing.assert_close(learner.scores(noise.floats()), first + second)
    assert torch.equal(learner.last_scores(noise.floats()), second)
    del learner.projections[0]  # the BP prediction does without
    assert torch.equal(learner.last_scores(noise.floats()), second)


def test_parameter_counts_of_table_4():
    """1,784k FF, 1,804k one-pass FF, 1,794k BP, 1,804k MF (FF prediction), 1,794k MF (BP prediction)."""

    def count(*modules):
        return sum(p.numel() for module in modules for p in module.parameters())

    found = {}
    for rule in ("mf", "bp", "ff"):
        found[rule] = build(race("mlp", rule, "mnist", lr=1e-3))
        found[rule].scores(torch.zeros(2, 1, 28, 28))
    mf, bp, ff = found["mf"], found["bp"], found["ff"]
    ff.one_pass(torch.zeros(2, 1, 28, 28))
    assert (count(mf), count(mf.blocks, mf.projections[-1]), count(bp)) == (1_804_000, 1_794_000, 1_794_000)
    assert count(ff.blocks) == 1_784_000
    assert ff.softmax.weight.numel() == 20_000, "one-pass FF: 1,804k, and ten biases"


def test_layers_below_do_not_feel_the_ones_above(digits):
    """The first two blocks of three are, bit for bit, the two of a two-block network (Section 3.3)."""

    def trained(widths):
        torch.manual_seed(1)
        first, second = mlp(widths[:3], bias=False), mlp(widths[2:], bias=False) if len(widths) > 3 else []
        learner = MonoForward(nn.ModuleList([*first, *second]))
        for number, projection in enumerate(learner.projections):
            projection.initialize_parameters(torch.zeros(1, widths[number + 1]))
            nn.init.normal_(projection.weight, std=0.05, generator=torch.Generator().manual_seed(number))
        fit(learner, digits.train, epochs=3, batch_size=50, lr=1e-3)
        return learner

    two, three = trained([784, 60, 50]), trained([784, 60, 50, 40])
    for ours, theirs in [(two.blocks, three.blocks[:2]), (two.projections, three.projections[:2])]:
        assert same(weights(ours), weights(theirs))
    x = digits.test.floats()
    assert all(torch.equal(a, b) for a, b in zip(two.goodness(x), three.goodness(x)))


def test_plugged_in_and_out(digits):
    """A third block, trained alone, changes no bit of the two below; taken off, the old network is back."""
    torch.manual_seed(0)
    learner, x = MonoForward(mlp([784, 40, 30], bias=False)), digits.test.floats()
    fit(learner, digits.train, epochs=4, batch_size=50, lr=3e-3)
    before, said, states = learner.goodness(x), learner.scores(x), weights(learner)
    (block,) = mlp([30, 20], bias=False)
    assert learner.plug(block) is learner and len(learner.blocks) == len(learner.projections) == 3
    history = fit(learner.train_only(3), digits.train, epochs=4, batch_size=50, lr=3e-3)
    assert all(len(losses) == 1 for losses in history.loss) and history.loss[-1][0] < history.loss[0][0]
    after = learner.goodness(x)
    assert all(torch.equal(a, b) for a, b in zip(before, after[:2], strict=True))
    assert accuracy(lambda images: learner.goodness(images)[2], digits.test) > 0.6
    whole = learner.scores(x)
    top, projection = learner.unplug()
    assert top is block and projection.weight.shape == (10, 20)
    assert torch.equal(learner.scores(x), said) and same(weights(learner), states)
    assert torch.equal(learner.plug(top, projection).scores(x), whole), "and back again"


def test_plugging_keeps_classes_and_refuses_to_empty_the_stack(noise):
    learner = dense()
    learner.plug(mlp([12, 6], bias=False)[0])
    assert learner.goodness(noise.floats())[2].shape == (64, 4)
    learner.unplug(), learner.unplug()
    for _ in range(2):
        with pytest.raises(ValueError, match="leaves at least one block to predict with; this network has 1"):
            learner.unplug()
    assert len(learner.blocks) == len(learner.projections) == 1, "a refusal takes nothing off"
    with pytest.raises(TypeError, match="str is not a Module"):
        learner.plug("block")
    assert len(learner.blocks) == len(learner.projections) == 1


def test_one_block_after_the_other(digits):
    torch.manual_seed(0)
    learner = MonoForward(mlp([784, 60, 50], bias=False))
    for number in range(2):
        before = [weights(learner.blocks[other]) for other in range(2)]
        history = fit(learner.train_only(number + 1), digits.train, epochs=8, batch_size=50, lr=2e-3)
        assert all(len(losses) == 1 for losses in history.loss)
        after = [weights(learner.blocks[other]) for other in range(2)]
        assert [same(a, b) for a, b in zip(before, after)] == [number != 0, number != 1]
    assert all(p.requires_grad for p in learner.train_only().parameters())
    assert accuracy(learner.scores, digits.test) > 0.92
    with pytest.raises(ValueError, match=r"among 1…2; got \[3\]"):
        learner.train_only(3)


@pytest.mark.parametrize(
    "make",
    [
        lambda: MonoForward(mlp([784, 100, 100], bias=False)),
        lambda: MonoForward(cnn(1, [8, 16], 3, padding="same", pool="average"), places=3),
        lambda: FeedbackAlignment(mlp([784, 100, 100], bias=False), bias=False),
        lambda: DirectFeedbackAlignment(mlp([784, 100, 100], bias=False), bias=False),
        lambda: DirectFeedbackAlignment(cnn(1, [8, 16], 3, padding="same", pool="average")),
        lambda: FeedbackAlignment(cnn(1, [8, 16], 3, padding="same", pool="average")),
    ],
    ids=["mf", "mf-cnn", "fa", "dfa", "dfa-cnn", "fa-cnn"],
)
def test_it_learns_real_digits_and_sees_no_test_label(make, digits):
    def trained(dataset):
        torch.manual_seed(0)
        learner = make()
        fit(
            learner,
            dataset.train,
            epochs=12,
            batch_size=50,
            lr=3e-3,
            validation=dataset.validation,
            validate_every=6,
        )
        return learner, predict(learner.scores, dataset.test.images)

    learner, found = trained(digits)
    permuted = digits.test.labels[
        torch.randperm(len(digits.test), generator=torch.Generator().manual_seed(0))
    ]
    _, again = trained(
        Dataset("digits", digits.train, digits.validation, Split(digits.test.images, permuted))
    )
    assert torch.equal(found, again)
    assert accuracy(learner.scores, digits.test) > 0.75, "chance is 0.1; small maps learn slowly"


def test_places_average_the_map_before_the_matrix(noise):
    learner = convolutional(places=1)
    first, second = learner.activations(noise.floats())
    torch.testing.assert_close(
        learner.goodness(noise.floats())[0], first.mean((2, 3)) @ learner.projections[0].weight.T
    )
    assert [p.in_features for p in learner.projections] == [3, 5]
    assert [p.in_features for p in convolutional(places=99).projections] == [48, 20], (
        "no more places than the map has"
    )
    for wrong in (0, -1):
        with pytest.raises(ValueError, match=f"at least 1, or None for the whole map; got {wrong}"):
            MonoForward(mlp([4, 4]), places=wrong)


# ---- feedback alignment ------------------------------------------------------------------------------------


def rival(kind, blocks, **options):
    torch.manual_seed(0)
    learner = kind(blocks, 4, **options)
    with torch.no_grad():
        list(learner.local_losses(torch.zeros(2, 1, 8, 8), torch.tensor([0, 1])))
    return learner


@pytest.mark.parametrize("kind", [FeedbackAlignment, DirectFeedbackAlignment])
def test_gradients_equal_feedback_alignment_by_hand(kind, noise):
    """In NumPy, float64: backprop, but the error reaches a hidden layer through B in place of the weights."""
    learner = rival(kind, mlp([64, 20, 12])).double()
    x = noise.floats().double()
    (loss,) = learner.local_losses(x, noise.labels)
    loss.backward()
    first, second, head = (
        [p.detach().numpy() for p in module.parameters()] for module in (*learner.blocks, learner.head)
    )
    x = x.flatten(1).numpy()
    a = np.maximum(x @ first[0].T + first[1], 0)
    b = np.maximum(a @ second[0].T + second[1], 0)
    logits = b @ head[0].T + head[1]
    share = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    assert loss.item() == pytest.approx(-np.log(share[np.arange(64), noise.labels]).mean())
    error = (share - np.eye(4)[noise.labels]) / 64
    if kind is FeedbackAlignment:
        upper = (error @ learner.feedback[2].weight.numpy()) * (b > 0)
        lower = (upper @ learner.feedback[1][1].weight.numpy()) * (a > 0)
    else:
        upper = (error @ learner.feedback[1].weight.numpy()) * (b > 0)
        lower = (error @ learner.feedback[0].weight.numpy()) * (a > 0)
    for module, delta, inputs in [
        (learner.head, error, b),
        (learner.blocks[1][1], upper, a),
        (learner.blocks[0][1], lower, x),
    ]:
        np.testing.assert_allclose(module.weight.grad.numpy(), delta.T @ inputs, atol=1e-14)
        np.testing.assert_allclose(module.bias.grad.numpy(), delta.sum(0), atol=1e-14)


def test_feedback_of_a_convolution_is_another_convolutions(noise):
    """With the layers' own weights as feedback, feedback alignment is backprop; with others it is not."""

    def gradients(learner):
        (loss,) = learner.local_losses(noise.floats().double(), noise.labels)
        loss.backward()
        return {name: p.grad for name, p in learner.named_parameters() if p.grad is not None}

    blocks = lambda: cnn(1, [3, 5], 3, padding="same", pool="average")
    aligned = rival(FeedbackAlignment, blocks()).double()
    before = gradients(aligned)
    aligned.zero_grad(set_to_none=True)
    for module, feedback in zip([*aligned.blocks, aligned.head], aligned.feedback):
        feedback.load_state_dict(module.state_dict())
    control = rival(Backprop, blocks()).double()
    control.load_state_dict({k: x for k, x in aligned.state_dict().items() if not k.startswith("feedback")})
    ours, theirs = gradients(aligned), gradients(control)
    assert ours.keys() == theirs.keys() == before.keys()
    for name, gradient in theirs.items():
        torch.testing.assert_close(ours[name], gradient)
        last = name.startswith("head")
        assert torch.allclose(before[name], gradient) == last, f"{name}: only the head needs no feedback"


def test_direct_feedback_ends_at_each_block(noise):
    """Through ReLU and pooling the gradient is autograd's, with e B handed to the block's output."""
    learner = rival(DirectFeedbackAlignment, cnn(1, [3, 5], 3, padding="same", pool="average")).double()
    x = noise.floats().double()
    (loss,) = learner.local_losses(x, noise.labels)
    loss.backward()
    error = (learner.scores(x).softmax(1) - F.one_hot(noise.labels, 4)).detach() / 64
    for block, feedback in zip(learner.blocks, learner.feedback):
        y = block(x.detach())
        (expected,) = torch.autograd.grad(y, block[0].weight, (error @ feedback.weight).view_as(y))
        torch.testing.assert_close(block[0].weight.grad, expected)
        x = y


@pytest.mark.parametrize("kind", [FeedbackAlignment, DirectFeedbackAlignment])
def test_feedback_is_random_and_stays_as_it_is(kind, digits):
    torch.manual_seed(0)
    learner = kind(mlp([784, 40, 30]))
    fit(learner, digits.train, epochs=1, batch_size=50, lr=1e-3)
    before = weights(learner.feedback)
    heads = weights(learner.head)
    fit(learner, digits.train, epochs=1, batch_size=50, lr=1e-3)
    assert same(before, weights(learner.feedback)) and not same(heads, weights(learner.head))
    assert not any(p.requires_grad for p in learner.feedback.parameters())
    own = [block[1].weight for block in learner.blocks]
    for feedback in before.values():
        assert feedback.std() > 0 and not any(
            feedback.shape == w.shape and torch.equal(feedback, w) for w in own
        )


def test_feedback_alignment_says_which_blocks_it_cannot_train():
    with pytest.raises(ValueError, match=r"every block has to be an nn.Sequential; got \['EmbeddingBag'\]"):
        FeedbackAlignment(averaged([30, 6, 5]))
