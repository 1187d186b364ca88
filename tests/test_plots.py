"""Plots that pages share: what they show, and that a page needs no network for them."""

import re

import matplotlib as mpl
import pytest
import torch

mpl.use("Agg")
import matplotlib.pyplot as plt

from fftools import plots


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def test_an_animation_needs_nothing_from_outside():
    figure, axis = plt.subplots()
    drawn = []
    html = plots.animation(lambda frame: drawn.append(frame) or axis.plot([0, frame]), 3, figure).data
    assert set(drawn) == {0, 1, 2} and html.count("data:image/png;base64,") == 3
    addresses = [found for found in re.findall(r"(?:https?:)?//[a-z][\w.-]+\.[a-z]{2,}[^\"' <]*", html)
                 if "www.w3.org" not in found]
    assert not addresses, addresses
    assert "fa-" not in html, "an icon font is asked for"
    assert 'aria-label="Frame" id="_anim_slider' in html, "a slider without a name"
    assert html.count("<button") == html.count('aria-hidden="true"') > 5, "a button without a sign"


def test_images_are_laid_out_in_rows():
    plots.images(torch.randint(256, (5, 1, 4, 4), dtype=torch.uint8), titles="abcde", columns=3)
    axes = plt.gcf().axes
    assert len(axes) == 6 and [axis.get_title() for axis in axes] == [*"abcde", ""]
    assert [len(axis.images) for axis in axes] == [1, 1, 1, 1, 1, 0]


@pytest.mark.parametrize("dtype, scale", [(torch.uint8, 255), (torch.float32, 1.0)])
def test_images_are_scaled_to_white_and_black(dtype, scale):
    picture = torch.tensor([[[0, scale], [scale, 0]]]).to(dtype)[None]
    plots.images(picture)
    image = plt.gcf().axes[0].images[0]
    assert image.get_array().min() == 0 and image.get_array().max() == 1 and image.get_clim() == (0, 1)


def test_a_histogram_shows_both_kinds_and_the_threshold():
    _, axis = plt.subplots()
    plots.goodness_histogram(axis, torch.rand(50) + 3, torch.rand(80), 2.0, "layer 1")
    positive, negative = (sum(bar.get_height() for bar in bars) for bars in axis.containers)
    assert negative == 80 and 45 <= positive <= 50  # the far end of the tail is cut
    assert axis.lines[0].get_xdata()[0] == 2.0 and axis.get_title() == "layer 1"


def test_curves_start_at_epoch_one():
    _, axis = plt.subplots()
    plots.curves(axis, {"loss": [3.0, 2.0, 1.0]}, "loss")
    assert axis.lines[0].get_xdata().tolist() == [1, 2, 3] and axis.get_xlabel() == "epoch"
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["loss"]


def test_style_can_be_used():
    with mpl.rc_context():
        plots.use_style()
        assert mpl.rcParams["image.cmap"] == "gray_r"
