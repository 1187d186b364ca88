"""The worked example of CONTRIBUTING.md: a sixth learning rule."""

import re
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parents[1]
(CODE,) = re.findall(
    r"^```python\n(.*?)^```", (ROOT / "CONTRIBUTING.md").read_text("utf8"), re.MULTILINE | re.DOTALL
)
RULE = CODE[CODE.index("class ") : CODE.index("digits = ")]


@pytest.fixture(scope="module")
def example():
    """What the example leaves behind when it is run as it stands."""
    torch.manual_seed(0)
    names = {}
    exec(CODE, names)
    return names


def test_it_is_short():
    assert len(RULE.strip().splitlines()) < 40


def test_it_learns(example, capsys):
    assert example["accuracy"](example["learner"].scores, example["digits"].test) > 0.8
    untrained = example["RandomCodes"](example["mlp"]([784, 100, 100]), [100, 100])
    assert example["accuracy"](untrained.scores, example["digits"].test) < 0.4


def test_no_gradient_crosses_a_blocks_border(example):
    learner = example["learner"]
    *_, last = learner.local_losses(torch.rand(4, 1, 28, 28), torch.arange(4))
    last.backward()
    first, second = (
        any(p.grad is not None and p.grad.any() for p in block.parameters()) for block in learner.blocks
    )
    assert not first and second


@pytest.mark.parametrize("name, most", [("README.md", 90)])
def test_the_front_page_fits_a_screen_and_a_half(name, most):
    text = (ROOT / name).read_text("utf8")
    assert len(text.splitlines()) <= most
    claims = text[text.index("<!-- claims -->") : text.index("<!-- /claims -->")]
    assert 3 <= sum(line.startswith("| ") for line in claims.splitlines()) - 1 <= 9
