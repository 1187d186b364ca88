"""Pipelined training gives the weights of the loop, bit for bit, and leaves nothing behind when it fails."""

import os
import subprocess
import sys

import pytest
import torch
from torch import multiprocessing as mp
from torch import nn

from fftools.blocks import cnn, mlp
from fftools.data import Split
from fftools.extras import pipeline, speedrun
from fftools.fit import constant, fit
from fftools.rules.backprop import Backprop
from fftools.rules.channel_wise import ChannelWise
from fftools.rules.mono_forward import MonoForward

SETTINGS = dict(epochs=3, batch_size=32, lr=1e-3, seed=5, precision="float32")


@pytest.fixture
def train():
    generator = torch.Generator().manual_seed(1)
    images = torch.randint(256, (200, 1, 12, 12), generator=generator).to(torch.uint8)
    return Split(images, torch.randint(10, (200,), generator=generator))


def dense():
    torch.manual_seed(0)
    return MonoForward(mlp([144, 33, 20, 17], bias=False))


def frozen_channels():
    learner = ChannelWise(mlp([144, 30, 20]))
    learner.blocks[1].requires_grad_(False)
    return learner


def convolutional():
    torch.manual_seed(0)
    return MonoForward(cnn(1, [4, 6], 3, padding="same", pool="average"), places=2)


@pytest.mark.parametrize("build", [dense, convolutional])
def test_processes_give_the_weights_of_the_loop(build, train):
    one, other = build(), build()
    history = fit(one, train, **SETTINGS)
    run = pipeline.fit(other, train, **SETTINGS, threads=1)
    assert all(
        torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    )
    assert run.loss == history.loss
    assert len(run.seconds) == 3 and min(run.seconds) > 0
    assert not other.training and not mp.active_children()


@pytest.mark.parametrize(
    "head, layers_per_block", [("mono-forward", 1), ("similarity", 2), ("channel-wise", 3)]
)
@pytest.mark.parametrize("way", ["_in_processes", "_in_streams"])
def test_the_speedrun_too(head, layers_per_block, way, monkeypatch):
    """With batch norm's statistics, AdamW, a rate of each step, and images that are moved and mirrored."""
    monkeypatch.setattr(pipeline, "_in_processes", getattr(pipeline, way))
    generator = torch.Generator().manual_seed(1)
    images = torch.randint(256, (90, 3, 18, 18), generator=generator).to(torch.uint8)
    train, trained = Split(images, torch.randint(10, (90,), generator=generator)), []
    for options in (
        dict(loop=fit),
        dict(loop=pipeline.fit, **dict(threads=1) if way == "_in_processes" else {}),
    ):
        torch.manual_seed(0)
        learner = speedrun.network(
            head=head, layers_per_block=layers_per_block, widths=[10, 10, 20, 20, 20, 20]
        )
        speedrun.train(learner, train, epochs=3, batch_size=20, seed=5, precision="float32", **options)
        trained.append(learner.state_dict())
    assert all(torch.equal(a, b) for a, b in zip(*(state.values() for state in trained), strict=True))


def test_channel_wise_goodness_too(train):
    one, other = (ChannelWise(mlp([144, 30, 20])) for _ in range(2))
    other.load_state_dict(one.state_dict())
    fit(one, train, **SETTINGS)
    pipeline.fit(other, train, **SETTINGS, threads=1)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_low_precision_and_a_constant_rate_too(train):
    one, other = dense(), dense()
    changes = SETTINGS | dict(precision="bf16", schedule=constant)
    fit(one, train, **changes)
    pipeline.fit(other, train, **changes, threads=1)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_the_order_of_the_streams_is_that_of_the_loop(train, monkeypatch):
    """What runs on CUDA, on a CPU, whose streams do nothing: the same steps in the same order."""
    monkeypatch.setattr(pipeline, "_in_processes", pipeline._in_streams)
    one, other = dense(), dense()
    history = fit(one, train, **SETTINGS)
    run = pipeline.fit(other, train, **SETTINGS)
    assert not any(module._forward_hooks for module in other.modules()), "something was left in the network"
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
    assert run.loss == history.loss and len(run.seconds) == 3


def test_gradients_that_were_there_before_are_not_learned(train, monkeypatch):
    monkeypatch.setattr(pipeline, "_in_processes", pipeline._in_streams)
    one, other = dense(), dense()
    for learner in (one, other):  # equal matrices before the first step
        torch.manual_seed(1)
        learner.scores(train[:2].floats())
    sum(other.local_losses(train[:32].floats(), train.labels[:32])).backward()
    fit(one, train, **SETTINGS)
    pipeline.fit(other, train, **SETTINGS)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_streams_that_diverge_say_which_block(train, monkeypatch):
    monkeypatch.setattr(pipeline, "_in_processes", pipeline._in_streams)
    with pytest.raises(
        pipeline.StageError, match=r"block \d of \d: its loss is (nan|inf) in epoch 1; lr=1e\+30"
    ):
        pipeline.fit(learner := dense(), train, **SETTINGS | dict(lr=1e30))
    assert not learner.training


def test_a_block_passes_on_what_it_computed_before_it_learned(train):
    """Passing on the output of the updated block would be another algorithm."""
    learner = dense()
    learner.scores(train[:2].floats())
    plan = pipeline.Plan(1, 32, 0.1, "adam", constant, 0.0, 0, 0, False, "float32", 1)
    stage = pipeline.Stage(learner, 0, plan, torch.device("cpu"))
    x, labels = train[:32].floats(), train.labels[:32]
    before = learner.blocks[0](x)
    passed_on = []
    stage.step(x, labels, 0.0, lambda output: passed_on.append(output) or output)  # whatever that returns
    (output,) = passed_on
    assert (
        torch.equal(output, before)
        and not torch.equal(output, learner.blocks[0](x))
        and not output.requires_grad
    )


def test_a_stage_that_diverges_is_named(train):
    with pytest.raises(
        pipeline.StageError, match=r"(?s)block \d of 3 failed.*lr=1e\+30 is probably too high"
    ):
        pipeline.fit(dense(), train, **SETTINGS | dict(lr=1e30), threads=1)
    assert not mp.active_children()


class Dying(nn.Module):
    """Ends its process in training, without a word."""

    def forward(self, x):
        if mp.parent_process() is not None:
            os._exit(7)
        return x.flatten(1)


def test_a_stage_that_dies_is_named_and_takes_the_others_along(train):
    learner = MonoForward(nn.ModuleList([*mlp([144, 20]), Dying(), *mlp([20, 20])]))
    with pytest.raises(pipeline.StageError, match="block 2 of 3 failed.*exit code 7"):
        pipeline.fit(learner, train, **SETTINGS, threads=1)
    assert not mp.active_children()


def test_it_needs_no_main_module_and_leaks_nothing(train, tmp_path):
    """As in a notebook: code without a file and without `if __name__ == "__main__"`."""
    torch.save((train.images, train.labels), tmp_path / "train.pt")
    code = f"""if True:
        import torch
        from fftools.blocks import mlp
        from fftools.data import Split
        from fftools.extras import pipeline
        from fftools.rules.mono_forward import MonoForward
        train = Split(*torch.load({str(tmp_path / "train.pt")!r}))
        run = pipeline.fit(MonoForward(mlp([144, 9, 8])), train, epochs=1, batch_size=50, lr=1e-3)
        print(len(run.loss[0]), "losses")"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.stdout == "2 losses\n" and done.returncode == 0, done.stderr
    assert "leaked" not in done.stderr and "Traceback" not in done.stderr, done.stderr


@pytest.mark.parametrize(
    "learner, changes, message",
    [
        (lambda: Backprop(mlp([144, 9])), {}, "got Backprop"),
        (lambda: dense().train_only(2), {}, "MonoForward with frozen blocks"),
        (dense, dict(batch_size=201), "number of images, 200; got .*batch_size=201"),
        (dense, dict(epochs=0), "epochs=0"),
        (dense, dict(lr=0.0), "lr=0.0"),
        (dense, dict(optimizer="lion"), "adam, adamw, sgd; got 'lion'"),
        (dense, dict(epochs=1.5), "whole numbers; got epochs=1.5"),
        (dense, dict(shift=-1), "shift=-1"),
        (dense, dict(schedule=None), "schedule must be a function"),
        (dense, dict(schedule=lambda done, epochs: 1.0), "schedule must be a function of a module"),
        (frozen_channels, {}, "ChannelWise with frozen blocks"),
    ],
)
def test_it_says_what_it_cannot_do(learner, changes, message, train):
    with pytest.raises(ValueError, match=message):
        pipeline.fit(learner(), train, **SETTINGS | changes)
