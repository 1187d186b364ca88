"""The instruments: what they report can be counted by hand."""

import subprocess
import sys
import time

import pytest
import torch

from fftools.blocks import cnn, mlp
from fftools.extras import measure
from fftools.labels import Pixels
from fftools.rules.backprop import Backprop
from fftools.rules.forward_forward import ForwardForward
from fftools.rules.mono_forward import MonoForward

CPU = torch.device("cpu")


def batch(n: int):
    generator = torch.Generator().manual_seed(0)
    return torch.rand(n, 1, 28, 28, generator=generator), torch.randint(10, (n,), generator=generator)


def test_memory_follows_each_allocation():
    def work():
        x = torch.empty(1000, 250)  # 1,000,000 bytes
        y = torch.empty(500, 250)  # 500,000 more
        del x
        z = torch.empty(250, 250)  # 250,000
        return y, z

    used = measure.memory(work, CPU)
    kept = work()
    assert used[0] == 0 and max(used) == pytest.approx(1_500_000, rel=1e-3)
    assert 750_000 in [round(level, -3) for level in used], "after x has gone"
    del kept


def test_memory_of_work_that_leaves_nothing_ends_where_it_began():
    used = measure.memory(lambda: float(torch.rand(300, 300).sum()), CPU)
    assert used[-1] == 0 and max(used) >= 360_000


def test_operations_are_those_of_the_matrix_products():
    left, right = torch.rand(30, 50), torch.rand(50, 70)
    assert measure.operations(lambda: left @ right) == 2 * 30 * 50 * 70


def test_operations_of_a_step_by_hand():
    """Mono-Forward asks for no gradient of a block's input: a product less for each block after the first."""
    n, widths = 16, [784, 30, 20]
    layers = [a * b for a, b in zip(widths, widths[1:])]
    matrices = [width * 10 for width in widths[1:]]
    found = {
        kind: measure.training(kind(mlp(widths)), *batch(n), repeats=1, precision="float32").flops
        for kind in (MonoForward, Backprop)
    }
    assert found[MonoForward] == 2 * n * (2 * sum(layers) + 3 * sum(matrices))
    assert found[Backprop] == 2 * n * (2 * layers[0] + 3 * layers[1] + 3 * matrices[1])


def test_what_rests_is_parameters_and_adams_two_moments():
    costs = measure.training(
        MonoForward(mlp([784, 30, 20], bias=False)), *batch(16), repeats=2, precision="float32"
    )
    count = 784 * 30 + 30 * 20 + 10 * (30 + 20)
    assert costs.parameters == count
    counters = 4 * 4  # a step counter for each weight and matrix
    assert costs.resting == 3 * 4 * count + counters
    assert costs.running[0] == costs.running[-1] == costs.resting < costs.peak
    assert len(costs.seconds) == 2 and min(costs.seconds) > 0


@pytest.mark.parametrize("kind, extra", [(MonoForward, 0), (Backprop, 1)])
def test_each_further_layer_costs_backprop_its_activations_and_mono_forward_none(kind, extra):
    """The slope of the paper's Figure 3: weights, gradients, Adam's moments; for backprop, outputs too."""
    n, width = 2_000, 200
    peaks = [
        measure.training(
            kind(mlp([784] + [width] * depth, bias=False)), *batch(n), repeats=1, precision="float32"
        ).peak
        for depth in (3, 4, 5, 6)
    ]
    matrix = 10 * width if kind is MonoForward else 0
    layer, activations = 4 * 4 * (width * width + matrix), 4 * n * width
    steps = [b - a for a, b in zip(peaks, peaks[1:])]
    assert max(steps) - min(steps) < 0.02 * max(steps), "a straight line"
    # Backprop drops activations while gradients come in: the peak may hold up to one of the two sets less.
    assert extra * activations + layer / 4 <= steps[0] <= extra * activations + 1.01 * layer
    if not extra:
        assert steps[0] == pytest.approx(layer, rel=0.01)


@pytest.mark.parametrize(
    "learner",
    [
        lambda: ForwardForward(mlp([784, 30, 20]), Pixels()),
        lambda: MonoForward(cnn(1, [4, 6], 3, pool="average")),
    ],
    ids=["ff", "mf-cnn"],
)
def test_one_call_measures_any_learner(learner):
    costs = measure.training(learner(), *batch(8), optimizer="sgd", repeats=3)
    assert (
        costs.parameters > 0
        and costs.flops > 0
        and costs.peak > costs.resting > 0
        and len(costs.seconds) == 3
    )


def test_timed_counts_and_waits():
    calls = []
    found = measure.timed(lambda: calls.append(time.sleep(0.01)), CPU, repeats=4)
    assert len(calls) == 4 + measure.WARM_UP and len(found) == 4 and min(found) >= 0.01
    assert len(measure.timed(lambda: calls.append(0), CPU, repeats=2, warm_up=0)) == 2 and calls[
        4 + measure.WARM_UP :
    ] == [0, 0]
    with pytest.raises(ValueError, match="at least 1; got 0"):
        measure.timed(calls.clear, CPU, repeats=0)


def test_parameters_that_are_frozen_do_not_count():
    blocks = mlp([4, 3, 2], bias=False)
    blocks[0].requires_grad_(False)
    assert measure.parameters(blocks) == 6 and measure.parameters(blocks, blocks[1]) == 12


def test_the_profiler_keeps_quiet():
    code = (
        "import torch; from fftools.extras import measure; "
        'print(max(measure.memory(lambda: torch.empty(1000), torch.device("cpu"))))'
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert (
        done.stdout == "4000\n" and "profiler" not in done.stderr.lower() and "STAGE:" not in done.stderr
    ), done.stderr
