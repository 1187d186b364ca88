"""The benchmark runs, and compares two things that follow the same rule."""

import importlib.util
import re
import sys
from pathlib import Path

import pytest
import torch

from evidence import records
from evidence.build import forward_forward
from fftools import data

FOLDER = Path(__file__).parents[1] / "benchmarks"


def load(name):
    """A benchmark as a module."""
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def bench(monkeypatch, tmp_path):
    """The benchmark of the dense step, on small networks and random images."""
    module = load("training_step")
    monkeypatch.setattr(module, "WIDTHS", [784, 20, 16])
    monkeypatch.setenv("FFTOOLS_DATA_DIR", str(tmp_path))
    return module


def test_it_runs_and_prints_what_a_reader_needs(bench, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["training_step.py", "--turns", "2", "--steps", "2", "--device", "cpu"])
    bench.main()
    said = capsys.readouterr().out
    assert "random bytes" in said and torch.__version__ in said and "straightforward in float32" in said
    slow, fast, ratio = (
        float(re.search(rf"^{name} +([\d.]+)", said, re.MULTILINE)[1])
        for name in ("straightforward", "ours", "ratio")
    )
    assert slow > 0 and fast > 0 and ratio > 0
    shares = [int(share) for share in re.findall(r"(\d+)%", said)]
    assert len(shares) == 5 and 96 <= sum(shares) <= 104


def test_it_refuses_to_compare_different_rules(bench):
    from fftools.blocks import mlp
    from fftools.data import Split
    from fftools.labels import Pixels

    train = Split(torch.randint(256, (100, 1, 28, 28)).to(torch.uint8), torch.randint(10, (100,)))
    for threshold, same in [(None, True), (1.0, False)]:
        learner = forward_forward(mlp(bench.WIDTHS), Pixels(), threshold=threshold)
        layers = [bench.Layer(784, 20), bench.Layer(20, 16)]
        for layer, block in zip(layers, learner.blocks):
            layer.load_state_dict(block[1].state_dict())
        if same:
            bench.compare(learner, layers, train)
        else:
            with pytest.raises(AssertionError, match="not the same rule"):
                bench.compare(learner, layers, train)


def test_the_cnns_step_is_measured_against_the_same_rule(monkeypatch, capsys, digits):
    module = load("ff_cnn_step")
    monkeypatch.setattr(module.data, "load", lambda *_, **__: digits)
    monkeypatch.setattr(module, "matmul_rate", lambda *_: 1e12)
    monkeypatch.setattr(
        sys, "argv", ["ff_cnn_step.py", *"--width 4 --kernel 5 --turns 2 --steps 2 --device cpu".split()]
    )
    module.main()
    said = capsys.readouterr().out
    slow, fast, ratio = (
        float(re.search(rf"^{name} +([\d.]+)", said, re.MULTILINE)[1]) for name in ("plain", "ours", "ratio")
    )
    assert slow > 0 and fast > 0 and ratio > 0
    # By hand: forward of all three layers, weight gradients of layers 2 and 3 only, for 2 × 50 images.
    layers = [24 * 24 * 4 * 1 * 25, 20 * 20 * 4 * 4 * 25, 16 * 16 * 4 * 4 * 25]
    operations = 100 * 2 * (sum(layers) + sum(layers[1:]))
    assert float(re.search(r"([\d.]+) GFLOP a step", said)[1]) == pytest.approx(operations / 1e9, abs=0.006)


def test_the_cnns_benchmark_refuses_another_rule(digits):
    from fftools.blocks import cnn
    from fftools.labels import Fourier

    module, images, labels = load("ff_cnn_step"), digits.train[:8].floats(), digits.train[:8].labels
    learner = forward_forward(cnn(1, [4, 4, 4], 5), Fourier(), norm="layer", first_loss=1)
    module.compare(learner, learner.blocks, images, labels)
    learner.goodness.threshold = 1.0
    with pytest.raises(AssertionError, match="not the same rule"):
        module.compare(learner, learner.blocks, images, labels)


@pytest.mark.parametrize("network", ["mlp", "cnn"])
def test_mono_forwards_step_is_measured_against_the_same_rule(network, monkeypatch, capsys, tmp_path):
    monkeypatch.syspath_prepend(FOLDER)  # its second process has to find it too
    module = importlib.import_module("mono_forward_step")
    monkeypatch.setenv("FFTOOLS_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(module, "WIDTHS", [784, 20, 16])
    monkeypatch.setattr(module, "FILTERS", [3, 4, 6])
    options = f"--network {network} --turns 2 --steps 2 --device cpu"
    monkeypatch.setattr(sys, "argv", ["mono_forward_step.py", *options.split()])
    module.main()
    said = capsys.readouterr().out
    slow, fast, ratio = (
        float(re.search(rf"^{name} +([\d.]+)", said, re.MULTILINE)[1]) for name in ("plain", "ours", "ratio")
    )
    assert slow > 0 and fast > 0 and ratio > 0


def test_mono_forwards_benchmark_refuses_another_rule(digits):
    module, images, labels = load("mono_forward_step"), digits.train[:8].floats(), digits.train[:8].labels
    learner = module.MonoForward(module.mlp([784, 12, 9], bias=False))
    learner.scores(images)
    matrices = [projection.weight.detach().clone() for projection in learner.projections]
    module.compare(learner, learner.blocks, matrices, images, labels)
    matrices[1] *= 2
    with pytest.raises(AssertionError, match="not the same rule"):
        module.compare(learner, learner.blocks, matrices, images, labels)


def test_the_time_to_an_accuracy_is_that_of_trained_networks(monkeypatch, capsys, digits):
    module, asked = load("time_to_accuracy"), []
    monkeypatch.setattr(module.data, "load", lambda name, device: asked.append(name) or digits)
    monkeypatch.setattr(
        sys, "argv", ["time_to_accuracy.py", *"--network mlp --epochs 4 --device cpu".split()]
    )
    module.main()
    found = re.findall(
        r"^(\S+) +([\d.]+) s +([\d.]+) % of \d+ test images", capsys.readouterr().out, re.MULTILINE
    )
    assert asked == ["mnist"] and [name for name, *_ in found] == ["Mono-Forward", "backpropagation"]
    assert all(float(seconds) > 0 and 80 < float(percent) <= 100 for _, seconds, percent in found)


@pytest.mark.parametrize("pipelined", [False, True])
def test_the_speedrun_keeps_its_clock(pipelined, monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("FFTOOLS_RESULTS_DIR", str(tmp_path))
    module = load("speedrun")
    generator = torch.Generator().manual_seed(1)
    images = torch.randint(256, (60, 3, 12, 12), generator=generator).to(torch.uint8)
    part = data.Split(images, torch.arange(60) % 10)
    monkeypatch.setattr(module.data, "load", lambda name, device: data.Dataset(name, part, part, part))
    monkeypatch.setitem(module.NARROW, "blocks", dict(widths=[10, 10, 20, 20]))
    monkeypatch.setitem(module.SPEEDRUN, "batch_size", 20)
    rules = ["Mono-Forward", "Mono-Forward, two layers a block"]
    options = "--narrow --epochs 1 2 --trials 2 --keep --device cpu".split() + ["--pipelined"] * pipelined
    monkeypatch.setattr(sys, "argv", ["speedrun.py", *options, "--rules", *rules])
    module.main()
    kept = records.load("speedrun-clock", "full")
    assert len(kept) == 8 and all(record["metrics"]["seconds"] > 0 for record in kept)
    told = {(r["config"]["called"], r["config"]["epochs"], r["seed"], r["config"]["pipelined"]) for r in kept}
    assert told == {(rule, epochs, seed, pipelined) for rule in rules for epochs in (1, 2) for seed in (0, 1)}
    said = capsys.readouterr().out
    for rule in rules:
        mean = (
            sum(
                r["metrics"]["test_accuracy"]
                for r in kept
                if (r["config"]["called"], r["config"]["epochs"]) == (rule, 2)
            )
            / 2
        )
        assert f"{100 * mean:.2f} ±" in said


def test_what_learning_costs_is_recorded_for_every_way(monkeypatch, capsys, tmp_path):
    timing = load("learning_costs")
    monkeypatch.setenv("FFTOOLS_RESULTS_DIR", str(tmp_path))
    monkeypatch.setattr(timing, "NETWORKS", {"mnist": ((1, 4, 4), [16, 8, 6], (16,))})
    monkeypatch.setattr(timing.torch, "compile", lambda function: function)  # no compiler, no minutes
    monkeypatch.setattr(sys, "argv", ["learning_costs.py", "--repeats", "3", "--device", "cpu"])
    timing.main()
    kept = {(r["config"]["rule"], r["config"]["way"]): r for r in records.load("learning-costs", "full")}
    assert set(kept) == {
        ("mf", "eager"),
        ("bp", "eager"),
        ("mf", "compiled"),
        ("bp", "compiled"),
        ("mf", "pipelined"),
    }
    for record in kept.values():
        assert (
            len(record["history"]["seconds"]) == 3
            and 0 < min(record["history"]["seconds"]) <= record["metrics"]["seconds"]
        )
    assert capsys.readouterr().out.count("ms a step") == 5


def test_the_compiled_step_of_learning_costs_is_the_same_step(monkeypatch):
    timing = load("learning_costs")
    monkeypatch.setattr(timing.torch, "compile", lambda function: function)
    split = timing.random_split((1, 4, 4), 16, torch.device("cpu"))
    for rule in timing.RULES:
        learners = [timing.build(rule, [16, 8, 6], split) for _ in range(2)]
        for learner, way in zip(learners, ("eager", "compiled")):
            timing.step_of(learner, way, torch.device("cpu"))(split.floats(), split.labels)
        assert all(
            torch.equal(a, b) for a, b in zip(*(learner.parameters() for learner in learners), strict=True)
        )
