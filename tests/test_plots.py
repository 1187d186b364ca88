"""Plots that pages share: what they show, and that a page needs no network for them."""

import re
from itertools import combinations

import matplotlib as mpl
import numpy as np
import pytest
import torch

mpl.use("Agg")
import matplotlib.pyplot as plt

from fftools.show import plots


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def test_an_animation_needs_nothing_from_outside():
    figure, axis = plt.subplots()
    drawn = []
    html = plots.animation(lambda frame: drawn.append(frame) or axis.plot([0, frame]), 3, figure).data
    assert set(drawn) == {0, 1, 2} and html.count("data:image/png;base64,") == 3
    addresses = [
        found
        for found in re.findall(r"(?:https?:)?//[a-z][\w.-]+\.[a-z]{2,}[^\"' <]*", html)
        if "www.w3.org" not in found
    ]
    assert not addresses, addresses
    assert "fa-" not in html, "an icon font is asked for"
    assert 'aria-label="Frame" id="_anim_slider' in html, "a slider without a name"
    assert html.count("<button") == html.count('aria-hidden="true"') > 5, "a button without a sign"


@pytest.mark.parametrize("draw, inverted", [("plot", True), ("imshow", False)])
def test_a_film_turns_dark_unless_it_shows_pictures(draw, inverted):
    figure, axis = plt.subplots()
    html = plots.animation(lambda frame: getattr(axis, draw)([[0, frame]]), 2, figure).data
    assert ('<img class="plot" ' in html) == inverted


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


def test_curves_start_at_epoch_one():
    _, axis = plt.subplots()
    plots.curves(axis, {"loss": [3.0, 2.0, 1.0]}, "loss")
    assert axis.lines[0].get_xdata().tolist() == [1, 2, 3] and axis.get_xlabel() == "epoch"
    assert [text.get_text() for text in axis.texts] == ["loss"] and axis.texts[0].xy == (3, 1.0)


def test_names_at_lines_ends_keep_apart():
    figure, axis = plt.subplots()
    for name, end in (("low", 1e-3), ("high", 1.0), ("close to high", 0.999)):
        axis.semilogy([0, 1], [1.0, end], label=name)
    axis.axhline(0.1)  # without a name
    plots.label_lines(axis)
    figure.canvas.draw()
    boxes = {text.get_text(): text.get_window_extent() for text in axis.texts}
    assert {*boxes} == {"low", "high", "close to high"}
    assert not any(one.overlaps(other) for one, other in combinations(boxes.values(), 2))
    assert boxes["low"].y1 < boxes["close to high"].y0 < boxes["high"].y0, "in the order of their lines"


def test_style_can_be_used():
    with mpl.rc_context():
        plots.use_style()
        assert mpl.rcParams["image.cmap"] == "gray_r"


# Machado, Oliveira and Fernandes (2009): what is left of linear RGB without one kind of cone.
BLIND = {
    "no reds": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "no greens": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "no blues": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
    "all": np.eye(3),
}


def lab(colour: str, seen) -> np.ndarray:
    """CIELAB of a colour as an eye with the cones `seen` has it."""
    rgb = np.array(mpl.colors.to_rgb(colour))
    linear = np.clip(
        np.array(seen) @ np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4), 0, 1
    )
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ linear
    x, y, z = np.cbrt(np.maximum(xyz / [0.9505, 1, 1.089], 1e-3))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("cones", BLIND)
def test_every_eye_can_tell_the_colours_apart(cones):
    """A difference of 2 is just seen side by side; lines that are apart need more."""
    colours = [plots.BLUE, plots.ORANGE, plots.GREEN, plots.RED, plots.PURPLE, plots.GREY]
    apart = {
        (a, b): np.linalg.norm(lab(a, BLIND[cones]) - lab(b, BLIND[cones]))
        for a, b in combinations(colours, 2)
    }
    assert min(apart.values()) > 15, min(apart, key=apart.get)


def test_dots_are_a_line_for_each_name_and_a_mark_for_each_series():
    rows = {"plain": {"paper": 4.7, "ours": (4.6, 0.2)}, "hard": {"ours": (1.0, float("nan")), "here": 3.0}}
    axis = plots.dots(rows, "error (%)")
    plt.gcf().canvas.draw()
    drawn = {
        marks.get_label(): [(x, round(y)) for x, y in marks.lines[0].get_xydata().tolist()]
        for marks in axis.containers
    }
    assert drawn == {"paper": [(4.7, 0)], "ours": [(4.6, 0), (1.0, 1)], "here": [(3.0, 1)]}
    assert [text.get_text() for text in axis.get_yticklabels()] == ["plain", "hard"]
    assert axis.yaxis_inverted() and axis.get_xlabel() == "error (%)"
    heights = [y for marks in axis.containers for y in marks.lines[0].get_ydata()]
    assert len({*heights}) == 4, "no mark hides another"
