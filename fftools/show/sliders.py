"""Figures with sliders over frames drawn beforehand: HTML that needs no kernel, or a widget."""

import base64
import io
import json
import math
import uuid
from collections.abc import Callable
from functools import partial
from html import escape
from itertools import product

import ipywidgets
import numpy as np
from IPython.display import HTML
from matplotlib.image import imsave

MOST_FRAMES = 400  # beyond that a page grows heavy


class Sliders(HTML):
    """What `sliders` gives: HTML, which notebooks, exported pages and the book show alike; `live()` is the
    same as a widget.
    """

    def __init__(self, page: str, live: Callable[[], ipywidgets.Widget]):
        super().__init__(page)
        self.live = live


def sliders(draw: Callable[..., np.ndarray], *, alt: str, width: int = 280, **axes: list) -> Sliders:
    """One picture and a slider for each named axis, as HTML that needs no kernel; its `live()` is an
    ipywidget.

    draw     called with one value of each axis; gives an image `(H, W)` or `(H, W, 3)` with values in [0, 1]
    alt      what the picture shows; the sliders' values are added to it
    width    of the picture on the page, in pixels
    axes     the values of each slider, in order: `sliders(draw, alt="…", strength=[0.2, 0.35], cycles=[1, 2,
             3])`

    Raises ValueError when there is no axis, an axis without values, or more than `MOST_FRAMES` combinations.
    """
    count = math.prod(map(len, axes.values()))
    if not axes or not 0 < count <= MOST_FRAMES:
        raise ValueError(
            f"sliders need axes with 1 to {MOST_FRAMES} combinations of values; got {count} from {list(axes)}"
        )
    frames = [_png(draw(**dict(zip(axes, values)))) for values in product(*axes.values())]
    name = f"sliders-{uuid.uuid4().hex}"
    rows = "".join(
        '<label style="display:flex;gap:.6rem;align-items:center">'
        f'<span style="min-width:6rem">{escape(axis)}</span>'
        f'<input type="range" min="0" max="{len(values) - 1}" value="{len(values) // 2}"'
        ' style="flex:1;min-width:4rem">'
        '<output style="min-width:3.5rem"></output></label>'
        for axis, values in axes.items()
    )
    told = json.dumps(
        {
            "frames": frames,
            "alt": alt,
            "axes": list(axes),
            "values": [list(map(str, values)) for values in axes.values()],
        }
    ).replace("</", "<\\/")
    return Sliders(
        f"""<div id="{name}" style="max-width:{width + 120}px;padding:.4rem">
<img alt="{escape(alt)}" src="data:image/png;base64,{frames[0]}"
 style="width:{width}px;max-width:100%;image-rendering:pixelated;background:#fff">{rows}</div>
<script>(() => {{
  const root = document.getElementById("{name}"), told = {told};
  const inputs = [...root.querySelectorAll("input")], picture = root.querySelector("img");
  const show = () => {{
    let frame = 0, values = [];
    inputs.forEach((input, axis) => {{
      frame = frame * told.values[axis].length + Number(input.value);
      input.nextElementSibling.textContent = told.values[axis][input.value];
      input.setAttribute("aria-valuetext", told.values[axis][input.value]);
      values.push(told.axes[axis] + " " + told.values[axis][input.value]);
    }});
    picture.src = "data:image/png;base64," + told.frames[frame];
    picture.alt = told.alt + " (" + values.join(", ") + ")";
  }};
  inputs.forEach(input => input.addEventListener("input", show));
  show();
}})();</script>""",
        partial(_live, frames, alt, width, axes),
    )


def _live(frames: list[str], alt: str, width: int, axes: dict[str, list]) -> ipywidgets.Widget:
    """The same with ipywidgets. It shows the frames too: what `draw` refers to may have changed by the time a
    handle moves.
    """
    picture = ipywidgets.HTML()
    handles = [
        ipywidgets.SelectionSlider(options=list(map(str, values)), index=len(values) // 2, description=axis)
        for axis, values in axes.items()
    ]

    def show(change=None) -> None:
        told = ", ".join(f"{handle.description} {handle.value}" for handle in handles)
        frame = frames[
            np.ravel_multi_index(
                [handle.index for handle in handles], [len(values) for values in axes.values()]
            )
        ]
        picture.value = (
            f'<img alt="{escape(f"{alt} ({told})")}" src="data:image/png;base64,{frame}"'
            f' style="width:{width}px;image-rendering:pixelated;background:#fff">'
        )

    for handle in handles:
        handle.observe(show, "index")
    show()
    return ipywidgets.VBox([picture, *handles])


def _png(image: np.ndarray) -> str:
    """An image with values in [0, 1] as base64 text; grey images are dark on white, as in the other
    figures.
    """
    kept = io.BytesIO()
    imsave(kept, np.clip(np.asarray(image, dtype=float), 0, 1), cmap="gray_r", vmin=0, vmax=1, format="png")
    return base64.b64encode(kept.getvalue()).decode()
