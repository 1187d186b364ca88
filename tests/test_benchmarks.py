"""The benchmark runs, and compares two things that follow the same rule."""

import importlib.util
import re
import sys
from pathlib import Path

import pytest
import torch

FILE = Path(__file__).parents[1] / "benchmarks" / "training_step.py"


@pytest.fixture
def bench(monkeypatch, tmp_path):
    """The benchmark as a module, on small networks and random images."""
    spec = importlib.util.spec_from_file_location("training_step", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "WIDTHS", [784, 20, 16])
    monkeypatch.setenv("FFTOOLS_DATA_DIR", str(tmp_path))
    return module


def test_it_runs_and_prints_what_a_reader_needs(bench, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["training_step.py", "--turns", "2", "--steps", "2", "--device", "cpu"])
    bench.main()
    said = capsys.readouterr().out
    assert "random bytes" in said and torch.__version__ in said and "straightforward in float32" in said
    slow, fast, ratio = (float(re.search(rf"^{name} +([\d.]+)", said, re.MULTILINE)[1])
                         for name in ("straightforward", "ours", "ratio"))
    assert slow > 0 and fast > 0 and ratio > 0
    shares = [int(share) for share in re.findall(r"(\d+)%", said)]
    assert len(shares) == 5 and 96 <= sum(shares) <= 104


def test_it_refuses_to_compare_different_rules(bench):
    from fftools.blocks import mlp
    from fftools.data import Split
    from fftools.forward_forward import ForwardForward
    from fftools.labels import Pixels

    train = Split(torch.randint(256, (100, 1, 28, 28)).to(torch.uint8), torch.randint(10, (100,)))
    for threshold, same in [(None, True), (1.0, False)]:
        learner = ForwardForward(mlp(bench.WIDTHS), Pixels(), threshold=threshold)
        layers = [bench.Layer(784, 20), bench.Layer(20, 16)]
        for layer, block in zip(layers, learner.blocks):
            layer.load_state_dict(block[1].state_dict())
        if same:
            bench.compare(learner, layers, train)
        else:
            with pytest.raises(AssertionError, match="not the same rule"):
                bench.compare(learner, layers, train)
