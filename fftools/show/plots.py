"""One look for every figure of the course, and the few plots that several chapters share."""

import re
from collections.abc import Callable, Sequence
from html import escape

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.animation import FuncAnimation
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from torch import Tensor

# Okabe & Ito's palette, which colour-blind readers can use; a lighter grey looks like the green to some.
BLUE, ORANGE, GREEN, RED, PURPLE, GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#5A5A5A"
POSITIVE, NEGATIVE, NEUTRAL = BLUE, RED, GREY
STYLE = {
    "figure.figsize": (6.4, 3.6), "figure.dpi": 110, "figure.facecolor": "white",
    "figure.constrained_layout.use": True, "font.size": 10, "legend.frameon": False, "image.cmap": "gray_r",
    "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.alpha": 0.25,
    "axes.prop_cycle": plt.cycler(color=[BLUE, ORANGE, GREEN, RED, PURPLE, GREY]),
    "animation.embed_limit": 20,
}  # fmt: skip
# Matplotlib's player asks an outside host for its icons; these are plain characters.
ICONS = {
    "fa-minus": "−", "fa-fast-backward": "«", "fa-step-backward": "‹", "fa-play fa-flip-horizontal": "◀",
    "fa-pause": "‖", "fa-play": "▶", "fa-step-forward": "›", "fa-fast-forward": "»", "fa-plus": "+",
}  # fmt: skip


def use_style() -> None:
    """Set matplotlib up for the course; called once at the top of a chapter."""
    plt.rcParams.update(STYLE)


def images(pictures: Tensor, titles: Sequence[str] = (), columns: int = 8, size: float = 1.0) -> None:
    """A grid of images `(N, C, H, W)`, uint8 or float in [0, 1], each under its title."""
    rows, columns = -(-len(pictures) // columns), min(columns, len(pictures))
    room = size * columns, rows * size * (1.25 if titles else 1)
    _, axes = plt.subplots(rows, columns, squeeze=False, figsize=room)
    for axis in axes.flat:
        axis.axis("off")
    for axis, picture, title in zip(axes.flat, pictures, list(titles) or [""] * len(pictures)):
        picture = picture.detach().cpu().float().permute(1, 2, 0).squeeze(-1).numpy()
        axis.imshow(picture / (255 if picture.max() > 1 else 1), vmin=0, vmax=1)
        axis.set_title(title, fontsize=9)


def animation(draw: Callable[[int], None], frames: int, figure, interval: int = 150, alt: str = "Animation"):
    """A player that needs no kernel and no network: `draw(i)` draws frame i, `alt` says what all show."""
    from IPython.display import HTML

    html = FuncAnimation(figure, draw, frames=frames, interval=interval).to_jshtml(default_mode="once")
    look = "" if any(axis.images for axis in figure.axes) else 'class="plot" '  # which a dark page inverts
    plt.close(figure)
    html = re.sub(r"<link[^>]*font-awesome[^>]*>", "", html)
    icon = lambda found: f'<span aria-hidden="true">{ICONS.get(found[1], "")}</span>'
    html = re.sub(r'<i class="fa ([\w -]+)"></i>', icon, html)
    for before, after in {
        "display: inline-block;": "display: block;",
        "374px;": "374px; max-width: 100%;",  # phones
        '<img id="_anim_img': f'<img {look}alt="{escape(alt)}" id="_anim_img',
        '<input id="_anim_slider': '<input aria-label="Frame" id="_anim_slider',
    }.items():
        html = html.replace(before, after)
    return HTML(html)


def label_lines(axis: Axes) -> None:
    """Write each line's name at its end, in its colour, in place of a legend; names keep apart."""
    lines = [line for line in axis.lines if not line.get_label().startswith("_")]
    ends = [[values[-1] for values in line.get_data()] for line in lines]
    axis.autoscale_view()  # limits are settled only when they are needed
    heights = axis.transData.transform(ends)[:, 1] * 72 / axis.figure.dpi  # in points, as letters are
    step, groups = 11, []  # names that would meet share out the room around their lines' ends
    for number in heights.argsort():
        groups.append([number])
        while (
            len(groups) > 1
            and np.diff([heights[group].mean() for group in groups[-2:]])
            < step * (len(groups[-2]) + len(groups[-1])) / 2
        ):
            groups[-2:] = [groups[-2] + groups[-1]]
    for group in groups:
        lowest = heights[group].mean() - step * (len(group) - 1) / 2
        for place, number in enumerate(group):
            ink = [0.75 * part for part in to_rgb(lines[number].get_color())]  # pale colours make faint words
            by = lowest + place * step - heights[number]
            where = dict(xytext=(5, by), textcoords="offset points", va="center", fontsize=9)
            axis.annotate(lines[number].get_label(), ends[number], color=ink, **where)


def curves(axis: Axes, series: dict[str, Sequence[float]], ylabel: str, xlabel: str = "epoch") -> None:
    """Lines over epochs 1, 2, …, named where they end."""
    for name, values in series.items():
        axis.plot(range(1, len(values) + 1), values, label=name)
    axis.set(xlabel=xlabel, ylabel=ylabel)
    label_lines(axis)


def dots(rows: dict[str, dict[str, float | tuple[float, float]]], xlabel: str) -> Axes:
    """What a paper reports beside what was measured: a line for each name, on it a mark for each series.

    A value is a number, or a number and how far its bar reaches to either side. The first series is hollow.
    """
    series = list(dict.fromkeys(name for row in rows.values() for name in row))
    figure, axis = plt.subplots(figsize=(5.2, 1 + 0.45 * len(rows)))
    for number, (name, color) in enumerate(zip(series, (GREY, BLUE, ORANGE, GREEN))):
        shift = 0.2 * (number - (len(series) - 1) / 2)
        found = {place + shift: row[name] for place, row in enumerate(rows.values()) if name in row}
        values, bars = zip(*(value if isinstance(value, tuple) else (value, 0) for value in found.values()))
        style = dict(fmt="o", markersize=5) if number else dict(fmt="D", markersize=5, markerfacecolor="none")
        axis.errorbar(values, list(found), xerr=bars, color=color, label=name, **style)
    axis.set(yticks=range(len(rows)), yticklabels=rows, ylim=(len(rows) - 0.5, -0.5), xlabel=xlabel)
    figure.legend(loc="outside upper center", ncols=len(series))
    return axis
