"""The article's way of training, against the article's own arithmetic."""

import pytest
import torch
from torch import nn

from evidence.build import forward_forward
from fftools.blocks import mlp
from fftools.extras import layer_by_layer
from fftools.extras.layer_by_layer import train_layers
from fftools.labels import Pixels


class ArticleLayer(nn.Linear):
    """The article's layer (Sherstnev 2023): own optimizer and loop, loss log(1 + exp(±(mean square − θ)))."""

    def __init__(self, inputs, outputs, lr, steps, threshold=3.0):
        super().__init__(inputs, outputs)
        self.optimizer, self.steps, self.threshold = (
            torch.optim.Adam(self.parameters(), lr=lr),
            steps,
            threshold,
        )

    def forward(self, x):
        direction = x / (x.pow(2).sum(dim=1).sqrt().reshape(-1, 1) + 1e-4)
        return torch.relu(direction @ self.weight.T + self.bias)

    def learn(self, positive, negative):
        losses = []
        for _ in range(self.steps):
            margins = [
                self.threshold - self(positive).pow(2).mean(1),
                self(negative).pow(2).mean(1) - self.threshold,
            ]
            loss = torch.log(1 + torch.exp(torch.cat(margins))).mean()
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            losses.append(loss.item())
        return self(positive).detach(), self(negative).detach(), losses


@pytest.fixture
def inputs(noise):
    labels = Pixels(4)
    return labels.positive(noise.floats(), noise.labels), labels.embed(noise.floats(), (noise.labels + 1) % 4)


def article_learner():
    torch.manual_seed(0)
    return forward_forward(mlp([64, 30, 20]), Pixels(4), goodness="mean", threshold=3.0, norm="length")


def adam(learner, lr=0.03):
    return [torch.optim.Adam(block.parameters(), lr=lr) for block in learner.blocks]


@pytest.mark.parametrize(
    "chunk", [layer_by_layer.CHUNK, 20]
)  # one piece, and four of which the last is smaller
def test_it_equals_the_article(inputs, monkeypatch, chunk):
    monkeypatch.setattr(layer_by_layer, "CHUNK", chunk)
    learner, batches = article_learner(), [inputs, [x.roll(1, 0) * 0.9 for x in inputs]]
    layers = [ArticleLayer(64, 30, 0.03, 12), ArticleLayer(30, 20, 0.03, 12)]
    for layer, block in zip(layers, learner.blocks):
        layer.load_state_dict(block[1].state_dict())
    optimizers = adam(learner)
    for positive, negative in batches:  # the optimizers keep their state from batch to batch
        history = train_layers(learner, positive, negative, optimizers, 12, precision="float32")
        positive, negative = positive.flatten(1), negative.flatten(1)
        for layer, losses in zip(layers, history, strict=True):
            positive, negative, expected = layer.learn(positive, negative)
            assert losses == pytest.approx(expected, rel=1e-4)
    for layer, block in zip(layers, learner.blocks):
        torch.testing.assert_close(block[1].weight, layer.weight, rtol=0, atol=2e-3)  # 24 steps of up to 0.03
        assert (block[1].weight - layer.weight).abs().median() < 1e-5


def test_low_precision_comes_close(inputs):
    losses = {
        precision: train_layers(learner := article_learner(), *inputs, adam(learner), 30, precision=precision)
        for precision in ("float32", "bf16")
    }
    for exact, low in zip(*losses.values()):
        assert exact[-1] < 0.9 * exact[0]
        assert low[-1] == pytest.approx(exact[-1], rel=0.1)


def test_one_optimizer_per_block(inputs):
    learner = article_learner()
    with pytest.raises(ValueError, match="one optimizer per block, 2; got 1"):
        train_layers(learner, *inputs, adam(learner)[:1], 1)


def test_only_the_block_in_turn_is_trained(inputs, monkeypatch):
    learner = article_learner()
    optimizers = adam(learner)
    with pytest.raises(RuntimeError, match="stop"):
        optimizers[1].step = lambda: (_ for _ in ()).throw(RuntimeError("stop"))
        train_layers(learner, *inputs, optimizers, 3)
    untouched = article_learner()
    assert torch.equal(learner.blocks[1][1].weight, untouched.blocks[1][1].weight)
    assert not torch.equal(learner.blocks[0][1].weight, untouched.blocks[0][1].weight)
    assert all(p.grad is None for p in learner.blocks[0].parameters()), "block 2's loss reached block 1"
