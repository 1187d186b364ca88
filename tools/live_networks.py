"""Sphinx extension: what "Draw a digit" runs on: trained networks and test images, as scripts.

_static/live/networks/NAME.js   weights in half precision, and the network's configuration
_static/live/shelf.js           which networks there are, and 40 test images of MNIST
"""

import json
from pathlib import Path

import live
import numpy as np
import safetensors.numpy

ROOT = Path(__file__).resolve().parent.parent
SHELF = ROOT / "networks"
DIGITS = ROOT / "book" / "_assets" / "live" / "digits.json"

# In the order in which the page offers them; a name that is not on the shelf yet is left out.
CHOICE = {
    "ff-cnn-wide-local": "FF-CNN, strictly local",
    "ff-cnn-wide-through": "FF-CNN, loss through the stack",
    "ff-mlp": "Forward-Forward, fully connected",
    "channels-mnist": "Channel-wise",
    "mono-mlp": "Mono-Forward, fully connected",
    "mono-cnn": "Mono-Forward, convolutional",
    "bp-cnn": "Backpropagation, convolutional",
}


def read(name: str) -> tuple[dict, dict[str, np.ndarray]]:
    """A network's card and tensors. Raises `safetensors.SafetensorError` for a damaged file."""
    card = json.loads((SHELF / f"{name}.json").read_text("utf8"))
    return card, safetensors.numpy.load_file(SHELF / f"{name}.safetensors")


def script(name: str) -> str:
    """A network as a script for the page, without the one-pass softmax, which is not asked there."""
    card, tensors = read(name)
    about = {key: card[key] for key in ("config", "image", "classes", "metrics")}
    return live.pack(
        name, {key: x for key, x in tensors.items() if not key.startswith("learner.softmax.")}, about
    )


def shelf(names: list[str]) -> str:
    """The script that tells the page what there is."""
    digits = json.loads(DIGITS.read_text("utf8"))
    found = [
        {"name": name, "title": CHOICE[name], "megabytes": round(len(script(name)) / 1e6, 1)}
        for name in names
    ]
    return f"globalThis.liveShelf = {json.dumps({'networks': found, 'digits': digits})};\n"


def write(app) -> None:
    target = Path(app.outdir) / "_static" / "live"
    (target / "networks").mkdir(parents=True, exist_ok=True)
    names = [name for name in CHOICE if (SHELF / f"{name}.json").exists()]
    for name in names:
        (target / "networks" / f"{name}.js").write_text(script(name), "utf8")
    (target / "shelf.js").write_text(shelf(names), "utf8")


def setup(app):
    app.connect("builder-inited", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
