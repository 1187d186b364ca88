"""The training loop: its arithmetic, seeds, precision, refusals, and being killed in the middle."""

import os
import re
import signal
import subprocess
import sys
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import same, weights

from evidence.build import forward_forward
from fftools.blocks import mlp
from fftools.data import Split
from fftools.fit import TrainingError, constant, cooldown, fit
from fftools.labels import Pixels
from fftools.readout import LinearReadout, accuracy, diagnose
from fftools.rules.backprop import Backprop
from fftools.rules.forward_forward import ForwardForward

SMALL = {"epochs": 3, "batch_size": 16, "lr": 1e-2}


class NextLabel(Pixels):
    """Negatives without chance: the label after the true one."""

    def negative(self, images, labels, logits=None):
        return self.embed(images, (labels + 1) % self.classes)


# --- arithmetic --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_training_equals_ff_written_out_by_hand(noise, optimizer):
    """Four epochs of a two-block network in float64 numpy, with Kingma & Ba's Algorithm 1 or momentum 0.9."""
    torch.manual_seed(0)
    learner = forward_forward(mlp([64, 20, 12]), NextLabel(4), threshold=2.0)
    theta = [p.detach().double().numpy().copy() for p in learner.parameters()]
    first, second, lr = [np.zeros_like(p) for p in theta], [np.zeros_like(p) for p in theta], 3e-3
    history = fit(
        learner, noise, epochs=4, batch_size=16, lr=lr, optimizer=optimizer, seed=5, precision="float32"
    )

    order, step, losses = torch.Generator().manual_seed(5), 0, []
    for rate in (lr, lr, lr, lr / 2):  # the cooldown of four epochs
        losses.append(np.zeros(2))
        for index in torch.randperm(64, generator=order).split(16):
            images, labels, step = noise.images[index].double() / 255, noise.labels[index], step + 1
            x = (
                torch.cat([learner.label.embed(images, labels), learner.label.negative(images, labels)])
                .flatten(1)
                .numpy()
            )
            for number in range(2):
                weight, bias = theta[2 * number : 2 * number + 2]
                x = x / (np.sqrt((x**2).mean(1, keepdims=True)) + 1e-8)
                a = np.maximum(x @ weight.T + bias, 0)
                sign = np.repeat([-1.0, 1.0], 16)  # lower the loss: positive up, negative down
                excess = sign * ((a**2).sum(1) - 2.0)
                losses[-1][number] += np.log1p(np.exp(excess)).mean() / 4
                delta = (sign / (1 + np.exp(-excess)) / 32)[:, None] * 2 * a
                for place, gradient in [(2 * number, delta.T @ x), (2 * number + 1, delta.sum(0))]:
                    if optimizer == "sgd":
                        first[place] = 0.9 * first[place] + gradient
                        theta[place] = theta[place] - rate * first[place]
                        continue
                    first[place] = 0.9 * first[place] + 0.1 * gradient
                    second[place] = 0.999 * second[place] + 0.001 * gradient**2
                    unbiased = first[place] / (1 - 0.9**step), second[place] / (1 - 0.999**step)
                    theta[place] = theta[place] - rate * unbiased[0] / (np.sqrt(unbiased[1]) + 1e-8)
                x = a
    np.testing.assert_allclose(history.loss, losses, rtol=1e-4)
    for found, expected in zip(learner.parameters(), theta):
        np.testing.assert_allclose(
            found.detach().numpy(), expected, atol=0.1 * lr
        )  # sixteen steps of lr each
        assert np.median(np.abs(found.detach().numpy() - expected)) < 1e-3 * lr


@pytest.mark.parametrize(
    "epochs, factors",
    [
        (1, [1]),
        (2, [1, 1]),
        (4, [1, 1, 1, 0.5]),
        (5, [1, 1, 1, 0.8, 0.4]),
        (10, [1, 1, 1, 1, 1, 1, 0.8, 0.6, 0.4, 0.2]),
    ],
)
def test_cooldown(epochs, factors):
    assert [cooldown(done, epochs) for done in range(epochs)] == pytest.approx(factors)
    assert [cooldown(done + 0.99, epochs) for done in range(epochs)] == pytest.approx(factors)


def test_cooldown_reaches_the_optimizer(small, noise, monkeypatch):
    rates = []
    step = torch.optim.Adam.step
    monkeypatch.setattr(
        torch.optim.Adam,
        "step",
        lambda self, *rest: rates.append(float(self.param_groups[0]["lr"])) or step(self, *rest),
    )
    fit(small(), noise, epochs=4, batch_size=32, lr=0.01)
    assert rates == pytest.approx([0.01] * 6 + [0.005] * 2)
    rates.clear()
    fit(small(), noise, epochs=4, batch_size=32, lr=0.01, schedule=constant)
    assert rates == pytest.approx([0.01] * 8)
    rates.clear()
    fit(small(), noise, epochs=4, batch_size=32, lr=0.01, schedule=partial(lambda x, *_: x, 0.5))
    assert rates == pytest.approx([0.005] * 8)


def test_no_low_precision_copy_of_a_weight_outlives_its_step(small, noise):
    """Autocast keeps such copies as long as a context is open, here a caller's around the whole training."""
    plain, inside = small(negatives="hard"), small(negatives="hard")
    options = SMALL | {"precision": "bf16", "validation": noise}
    expected = fit(plain, noise, **options)
    with torch.autocast("cpu", torch.bfloat16):
        found = fit(inside, noise, **options)
    assert found.loss == expected.loss and found.validation == expected.validation
    assert same(weights(inside), weights(plain))


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_every_step_trains_every_weight(small, noise, precision):
    seen, learner = [], small(negatives="hard")
    fit(
        learner,
        noise,
        epochs=6,
        batch_size=64,
        lr=1e-2,
        precision=precision,
        on_epoch=lambda epoch, learner: seen.append(weights(learner)),
    )
    for before, after in pairwise(seen):
        for name in before:
            moved = (before[name] != after[name]).float().mean()
            assert moved > 0.5, f"{name}: only {moved:.0%} of its weights moved in a step"
    assert all(p.dtype == torch.float32 for p in learner.parameters())


def test_low_precision_learns_as_much_as_float32(small, noise):
    losses = [
        fit(small(), noise, epochs=30, batch_size=16, lr=1e-2, precision=precision).loss
        for precision in ("float32", "bf16")
    ]
    for block in range(2):
        exact, low = losses[0][-1][block], losses[1][-1][block]
        assert exact < 0.8 * losses[0][0][block]
        assert low == pytest.approx(exact, rel=0.15)


@pytest.mark.parametrize("negatives", ["random", "hard"])
def test_it_learns_real_digits(digits, negatives):
    torch.manual_seed(0)
    learner = forward_forward(mlp([784, 200, 200]), Pixels(), negatives=negatives)
    fit(learner, digits.train, epochs=20, batch_size=50, lr=3e-3)
    assert accuracy(learner.scores, digits.test) > 0.9
    if negatives == "hard":
        assert accuracy(learner.one_pass, digits.test) > 0.9


# --- what is told back -------------------------------------------------------------------------------------


def test_history_and_callbacks(small, noise):
    called, learner = [], small(negatives="hard")
    history = fit(
        learner,
        noise,
        epochs=5,
        batch_size=16,
        lr=1e-2,
        validation=noise,
        validate_every=2,
        on_epoch=lambda epoch, of: called.append((epoch, of is learner)),
    )
    assert called == [(epoch, True) for epoch in range(6)]
    assert len(history.loss) == 5 and all(
        len(losses) == 3 for losses in history.loss
    )  # softmax and two blocks
    assert [epoch for epoch, _ in history.validation] == [2, 4, 5]
    assert history.validation[-1][1] == accuracy(learner.scores, noise)
    assert history.seconds > 0 and history.precision in ("float32", "bf16")
    assert not learner.training
    assert [epoch for epoch, *_ in history.discrimination] == [2, 4, 5]
    assert history.discrimination[-1][1:] == diagnose(learner, noise)["discrimination"]
    assert history.to_dict() == {
        "loss": history.loss,
        "validation": history.validation,
        "seconds": history.seconds,
        "discrimination": history.discrimination,
        "precision": history.precision,
    }


def test_loss_is_the_mean_over_the_epochs_batches(small, noise):
    learner, expected = small(), []
    losses_of = learner.local_losses

    def listen(images, labels):
        for number, loss in enumerate(losses_of(images, labels)):
            expected.append((number, loss.item()))
            yield loss

    learner.local_losses = listen
    history = fit(learner, noise, epochs=1, batch_size=16, lr=1e-2, precision="float32")
    counted = [
        [value for number, value in expected[2:] if number == block] for block in range(2)
    ]  # less the first look
    assert len(counted[0]) == 4
    assert history.loss[0] == pytest.approx([np.mean(values) for values in counted])


def test_progress_bar_only_by_request(small, noise, capsys, monkeypatch):
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    fit(small(), noise, **SMALL)
    assert capsys.readouterr().err == ""
    fit(small(), noise, **SMALL, progress="a name")
    assert "a name" in capsys.readouterr().err


# --- seeds -------------------------------------------------------------------------------------------------


def makers(small):
    def readout(seed=0):
        return LinearReadout(small(seed), 4)

    def backprop(seed=0):
        torch.manual_seed(seed)
        return Backprop(mlp([64, 24]), 4)

    return {
        "random": small,
        "hard": lambda seed=0: small(seed, negatives="hard"),
        "readout": readout,
        "backprop": backprop,
    }


@pytest.mark.parametrize("kind", ["random", "hard", "readout", "backprop"])
def test_equal_seeds_give_equal_weights_bit_for_bit(small, noise, kind):
    runs = []

    def trained(seed, shift=1):
        learner = makers(small)[kind]()
        torch.rand(len(runs))  # the caller's own use of chance must not matter
        runs.append(seed)
        fit(learner, noise, **SMALL, seed=seed, shift=shift)
        return weights(learner)

    one = trained(1)
    assert same(one, trained(1))
    assert not same(one, trained(2))
    assert not same(one, trained(1, shift=0))


def test_the_seed_decides_the_negatives(small, noise):
    """One batch of all images: the order plays no part, so the difference comes from the negatives."""

    def trained(seed):
        learner = small()
        fit(learner, noise, epochs=5, batch_size=64, lr=1e-2, seed=seed, precision="float32")
        return learner.blocks[0][1].weight.detach()

    assert (trained(1) - trained(2)).abs().max() > 1e-3


def test_the_callers_chance_is_left_alone(small, noise):
    learner = small(negatives="hard")
    torch.manual_seed(11)
    expected = torch.rand(3)
    torch.manual_seed(11)
    before = torch.get_rng_state()
    fit(learner, noise, **SMALL, shift=1)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(torch.rand(3), expected)


# --- refusals ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong, named",
    [
        ({"optimizer": "rmsprop"}, "adam, adamw, sgd; got 'rmsprop'"),
        ({"epochs": 0}, "epochs=0"),
        ({"schedule": False}, "a function of epochs done and epochs; got False"),
        ({"epochs": 1.5}, "whole numbers; got epochs=1.5"),
        ({"batch_size": 2.5}, "batch_size=2.5"),
        ({"shift": "2"}, "shift='2'"),
        ({"lr": 0.0}, "lr=0.0"),
        ({"lr": -1e-3}, "lr=-0.001"),
        ({"lr": float("nan")}, "lr=nan"),
        ({"shift": -1}, "shift=-1"),
        ({"validate_every": 0}, "validate_every=0"),
        ({"batch_size": 0}, "between 1 and the number of images, 64; got 0"),
        ({"batch_size": 65}, "64; got 65"),
        ({"precision": "fp8"}, "'fp8'"),
    ],
)
def test_arguments_that_make_no_sense(small, noise, wrong, named):
    learner = small()
    before = weights(learner)
    with pytest.raises(ValueError, match=named) as error:
        fit(learner, noise, **SMALL | wrong)
    assert "must be" in str(error.value)
    assert same(before, weights(learner)), "nothing is trained before the refusal"


def test_a_rate_far_too_high_stops(small, noise):
    with pytest.raises(TrainingError, match=r"loss \d of 2 is (inf|nan) in epoch [12]; lr=1e\+30"):
        fit(small(), noise, epochs=5, batch_size=16, lr=1e30)


def test_the_last_update_is_looked_at_too(small, noise):
    """One batch, one epoch: the loss was finite, the weights are not any more."""
    with pytest.raises(TrainingError, match=r"block 1 puts out NaN or infinity after epoch 1; lr=1e\+39"):
        fit(small(), noise, epochs=1, batch_size=64, lr=1e39)


@pytest.mark.parametrize("poison", [float("nan"), float("inf")])
def test_a_poisoned_block_is_named(small, noise, poison):
    learner = small()
    with torch.no_grad():
        learner.blocks[1][1].bias[0] = poison
    with pytest.raises(TrainingError, match="loss 2 of 2 is (inf|nan) in epoch 1"):
        fit(learner, noise, **SMALL)


@pytest.mark.parametrize("block", [0, 1])
def test_a_dead_block_is_named(small, noise, block):
    learner = small()
    with torch.no_grad():
        learner.blocks[block][1].weight.zero_()
        learner.blocks[block][1].bias.fill_(-1.0)
    with pytest.raises(
        TrainingError, match=f"block {block + 1} is dead after epoch 1.*goodness is zero.*lr=0.01"
    ):
        fit(learner, noise, **SMALL)


def test_a_failed_run_leaves_the_state_before_it_and_no_other(small, noise, tmp_path):
    learner = small()
    before = weights(learner)
    with pytest.raises(TrainingError):
        fit(learner, noise, epochs=5, batch_size=16, lr=1e30, resume=tmp_path / "c.pt", resume_seconds=0)
    assert same(torch.load(tmp_path / "c.pt")["learner"], before) and len(list(tmp_path.iterdir())) == 1


# --- resuming ----------------------------------------------------------------------------------------------


def test_a_finished_run_is_not_trained_again(small, noise, tmp_path):
    path = tmp_path / "deep" / "down" / "c.pt"
    learner = small(negatives="hard")
    history = fit(learner, noise, **SMALL, resume=path, validation=noise)
    assert [file.name for file in path.parent.iterdir()] == ["c.pt"], "no half-written files are left"
    again, called = small(seed=9, negatives="hard"), []
    assert fit(again, noise, **SMALL, resume=path, on_epoch=lambda *_: called.append(1)) == history
    assert same(weights(again), weights(learner)) and not called


@pytest.mark.parametrize(
    "changed",
    [
        {"lr": 2e-2},
        {"epochs": 4},
        {"seed": 1},
        {"batch_size": 8},
        {"shift": 1},
        {"schedule": constant},
        {"precision": "float32"},
    ],
)
def test_the_state_of_another_run_is_refused(small, noise, tmp_path, changed):
    settings = SMALL | {"precision": "bf16", "resume": tmp_path / "c.pt"}
    fit(small(), noise, **settings)
    with pytest.raises(ValueError, match="is the state of another run") as error:
        fit(small(), noise, **settings | changed)
    ((name, value),) = changed.items()
    assert str(tmp_path / "c.pt") in str(error.value)
    assert re.search(f"; delete it.*{name}: it has .*, asked for .*$", str(error.value))


def test_the_state_of_other_data_or_another_network_is_refused(small, noise, tmp_path):
    path = tmp_path / "c.pt"
    fit(small(), noise, **SMALL, resume=path)
    with pytest.raises(ValueError, match="another run.*images: it has 64, asked for 32"):
        fit(small(), noise[:32], **SMALL, resume=path)
    for other in (small(widths=(64, 20, 16)), small(widths=(64, 24)), small(negatives="hard")):
        with pytest.raises(ValueError, match=f"{path} is the state of another run.*learner: it has"):
            fit(other, noise, **SMALL, resume=path)


@pytest.mark.parametrize("content", [b"", b"no saved state", "half", "other"])
def test_a_broken_state_is_named(small, noise, tmp_path, content):
    path = tmp_path / "c.pt"
    if content == "half":
        fit(small(), noise, **SMALL, resume=path)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    elif content == "other":
        torch.save({"something": "else"}, path)
    else:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=f"{path} cannot be resumed from.*delete it to start anew"):
        fit(small(), noise, **SMALL, resume=path)


@pytest.mark.parametrize("place", [0.1, 0.3, 0.5, 0.7])
def test_one_bit_of_a_finished_runs_state_is_missed(small, noise, tmp_path, place):
    path = tmp_path / "c.pt"
    fit(small(), noise, **SMALL, resume=path)
    content = bytearray(path.read_bytes())
    content[content.index(b"/data/0") + int(place * len(content) / 2)] ^= 4
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"{path} cannot be resumed from"):
        fit(small(), noise, **SMALL, resume=path)


def test_the_state_is_written_whole_or_not_at_all(small, noise, tmp_path, monkeypatch):
    """Cut short while writing the state after the third epoch, that after the second is still there."""
    path, write, calls = tmp_path / "c.pt", Path.write_bytes, []
    options = SMALL | {"epochs": 5, "seed": 3, "resume_seconds": 0}

    def cut(where, content):
        calls.append(where)
        if len(calls) == 4:  # the first is the state before the first epoch
            write(where, bytes(content)[:100])
            raise KeyboardInterrupt
        write(where, content)

    monkeypatch.setattr(Path, "write_bytes", cut)
    with pytest.raises(KeyboardInterrupt):
        fit(small(), noise, **options, resume=path)
    monkeypatch.undo()
    assert [file.name for file in tmp_path.iterdir()] == ["c.pt"]
    assert len(torch.load(path)["history"]["loss"]) == 2
    resumed, plain = small(), small()
    history = fit(resumed, noise, **options, resume=path)
    expected = fit(plain, noise, **options)
    assert same(weights(resumed), weights(plain)) and history.loss == expected.loss


KINDS = ("ff", "readout", "backprop")
KILLED_OPTIONS = {"epochs": 6, "batch_size": 8, "lr": 1e-2, "seed": 4, "shift": 1}


def killed_run(kind):
    """The learner and the data of the runs that are killed: the same in every process."""
    generator = torch.Generator().manual_seed(1)
    split = Split(
        torch.randint(256, (64, 1, 8, 8), generator=generator).to(torch.uint8),
        torch.randint(4, (64,), generator=generator),
    )
    torch.manual_seed(0)
    if kind == "backprop":
        return Backprop(mlp([64, 24]), 4), split
    if kind == "readout":
        return LinearReadout(ForwardForward(mlp([64, 24, 16]), Pixels(4)), 4), split
    return forward_forward(mlp([64, 24, 16]), Pixels(4), negatives="hard", first_judge=1), split


def train_and_die(kind, path):
    """Killed in the fourth epoch's first step, with a loss asked for and not yet back-propagated."""
    learner, split = killed_run(kind)
    losses_of, asked = learner.local_losses, 0

    def deadly(images, labels):
        nonlocal asked
        asked += 1
        for loss in losses_of(images, labels):
            if asked == 1 + 3 * 8 + 1:  # one first look, then eight steps an epoch
                os.kill(os.getpid(), signal.SIGKILL)
            yield loss

    learner.local_losses = deadly
    fit(learner, split, **KILLED_OPTIONS, resume=path, resume_seconds=0)


SCRIPT = """
import os, sys
sys.path.insert(0, {here!r})
import test_fit, torch
torch.set_num_threads({threads})
for kind in test_fit.KINDS:
    if child := os.fork():
        print(kind, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
    else:
        test_fit.train_and_die(kind, os.path.join({folder!r}, kind + ".pt"))
        os._exit(0)
"""


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """The state of each kind of learner, left by a process that was killed by SIGKILL."""
    folder, here = tmp_path_factory.mktemp("killed"), Path(__file__).parent
    code = SCRIPT.format(here=str(here), folder=str(folder), threads=torch.get_num_threads())
    done = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True, cwd=here.parent
    )
    assert done.stdout.split() == [word for kind in KINDS for word in (kind, str(-signal.SIGKILL))], (
        done.stderr
    )
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_kill_9_and_resume_end_where_an_uninterrupted_run_ends(killed, kind):
    path = killed / f"{kind}.pt"
    assert len(torch.load(path)["history"]["loss"]) == 3
    resumed, split = killed_run(kind)
    called = []
    history = fit(
        resumed, split, **KILLED_OPTIONS, resume=path, on_epoch=lambda epoch, _: called.append(epoch)
    )
    assert called == [3, 4, 5, 6], "the first three epochs are not trained again"
    plain, _ = killed_run(kind)
    expected = fit(plain, split, **KILLED_OPTIONS)
    assert history.loss == expected.loss
    assert same(weights(resumed), weights(plain))
    images = split.floats()
    assert torch.equal(resumed.scores(images), plain.scores(images))


# --- on a GPU ----------------------------------------------------------------------------------------------


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
class TestCuda:
    """Captured and replayed, a step does as on the CPU; a resumed run ends where a plain one ends."""

    def trained(self, split, device, epochs=6, **options):
        torch.manual_seed(0)
        learner = ForwardForward(mlp([64, 24, 16]), NextLabel(4))
        on_device = Split(split.images.to(device), split.labels.to(device))
        history = fit(
            learner, on_device, epochs=epochs, batch_size=16, lr=1e-3, precision="float32", **options
        )
        return {name: value.cpu() for name, value in weights(learner).items()}, history

    def alike(self, one, other):
        """Adam divides by the gradient's size, so where that is next to nothing, rounding decides."""
        return all(((one[name] - other[name]).abs() < 2e-4).float().mean() > 0.98 for name in one)

    def test_graph_equals_cpu(self, noise):
        (cpu, history), (cuda, cuda_history) = self.trained(noise, "cpu"), self.trained(noise, "cuda")
        np.testing.assert_allclose(cuda_history.loss, history.loss, rtol=1e-2)
        assert self.alike(cuda, cpu)

    def test_resume(self, noise, tmp_path):
        def stop(epoch, _):
            if epoch == 4:
                raise KeyboardInterrupt

        options = {"resume": tmp_path / "c.pt", "resume_seconds": 0}
        with pytest.raises(KeyboardInterrupt):
            self.trained(noise, "cuda", **options, on_epoch=stop)
        resumed, history = self.trained(noise, "cuda", **options)
        plain, expected = self.trained(noise, "cuda")
        np.testing.assert_allclose(history.loss, expected.loss, rtol=1e-3)
        assert self.alike(resumed, plain)
