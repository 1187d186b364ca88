"""Figures with sliders over frames drawn beforehand: HTML that notebooks and the book show alike."""

import base64
import io
import json
import math
import uuid
from collections.abc import Callable
from html import escape
from itertools import product

import numpy as np
from IPython.display import HTML
from matplotlib.image import imsave

from fftools.inputs import expect

MOST_FRAMES = 400  # beyond that a page grows heavy
ROW = """<label style="display:flex;gap:.6rem;align-items:center"><span style="min-width:6rem">{name}</span>
<input type="range" min="0" max="{last}" value="{middle}" style="flex:1;min-width:4rem">
<output style="min-width:3.5rem"></output></label>"""
SCRIPT = """(() => {
  const root = document.getElementById("NAME"), told = TOLD;
  const inputs = [...root.querySelectorAll("input")], picture = root.querySelector("img");
  const show = () => {
    let frame = 0, values = [];
    inputs.forEach((input, axis) => {
      const value = told.values[axis][input.value];
      frame = frame * told.values[axis].length + Number(input.value);
      input.nextElementSibling.textContent = value;
      input.setAttribute("aria-valuetext", value);
      values.push(told.axes[axis] + " " + value);
    });
    picture.src = "data:image/png;base64," + told.frames[frame];
    picture.alt = told.alt + " (" + values.join(", ") + ")";
  };
  inputs.forEach(input => input.addEventListener("input", show));
  show();
})();"""


def sliders(draw: Callable[..., np.ndarray], *, alt: str, width: int = 280, **axes: list) -> HTML:
    """One picture and a slider for each named axis, as HTML that needs no kernel.

    draw     called with one value of each axis; gives an image `(H, W)` or `(H, W, 3)` with values in [0, 1]
    alt      what the picture shows; the sliders' values are added to it
    width    of the picture on the page, in pixels
    axes     the values of each slider, in order: `sliders(draw, alt="…", strength=[0.2, 0.35], sets=[1, 2])`

    Raises ValueError when there is no axis, an axis without values, or more than `MOST_FRAMES` combinations.
    """
    count = math.prod(map(len, axes.values()))
    wanted = f"sliders need axes with 1 to {MOST_FRAMES} combinations of values"
    expect(bool(axes) and 0 < count <= MOST_FRAMES, wanted, count, list(axes))
    frames = [_png(draw(**dict(zip(axes, values)))) for values in product(*axes.values())]
    name, shown = f"sliders-{uuid.uuid4().hex}", [list(map(str, values)) for values in axes.values()]
    sizes = {axis: len(values) for axis, values in axes.items()}
    rows = "".join(ROW.format(name=escape(axis), last=n - 1, middle=n // 2) for axis, n in sizes.items())
    told = json.dumps({"frames": frames, "alt": alt, "axes": list(axes), "values": shown})
    script = SCRIPT.replace("NAME", name).replace("TOLD", told.replace("</", "<\\/"))
    style = f"width:{width}px;max-width:100%;image-rendering:pixelated;background:#fff"
    picture = f'<img alt="{escape(alt)}" src="data:image/png;base64,{frames[0]}" style="{style}">'
    box = f'<div id="{name}" style="max-width:{width + 120}px;padding:.4rem">{picture}{rows}</div>'
    return HTML(f"{box}<script>{script}</script>")


def _png(image: np.ndarray) -> str:
    """An image with values in [0, 1] as base64 text; grey ones are dark on white, as in other figures."""
    kept = io.BytesIO()
    imsave(kept, np.clip(np.asarray(image, dtype=float), 0, 1), cmap="gray_r", vmin=0, vmax=1, format="png")
    return base64.b64encode(kept.getvalue()).decode()
