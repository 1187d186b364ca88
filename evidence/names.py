"""Readable names of runs."""

import re

LONGEST = 60  # characters of a run's readable name
SHORT = dict(
    lr="lr",
    epochs="ep",
    train_images="n",
    batch_size="b",
    shift="shift",
    steps="steps",
    strength="k",
    set="set",
    temperature="t",
    negatives_each="neg",
)
USUAL = dict(label="fourier", set=1, strength=0.35, norm="layer", first_loss=1, first_judge=1, classes=2)


def slug(config: dict) -> str:
    """What a run is, for people, in at most `LONGEST` characters. A record is found by its `run_name`
    alone."""
    network, labels, blocks = (config.get(part, {}) for part in ("network", "labels", "blocks"))
    widths = blocks.get("widths", config.get("widths", [])[1:])
    parts = [
        config.get("rule"),
        config.get("way"),
        config.get("dataset", config.get("shape")),
        *map(str, config.get("form", {}).values()),
        f"{len(widths)}x{widths[0]}" if len(set(widths)) == 1 else "-".join(map(str, widths)),
        f"k{blocks['kernel']}" if blocks else "",
        {True: "local", False: "through"}.get(network.get("local"), ""),
    ]
    parts += [
        f"{SHORT[key]}{config[key]:g}"
        for key in ("lr", "strength", "epochs", "steps", "shift")
        if config.get(key)
    ]
    options = (
        {"label": config.get("label")}
        | labels
        | network
        | dict(pool=blocks.get("pool"), weights=config.get("weights"))
    )
    parts += [
        value if isinstance(value, str) else f"{SHORT.get(key, key)}{value:g}"
        for key, value in options.items()
        if isinstance(value, str | float | int) and not isinstance(value, bool) and value != USUAL.get(key)
    ]
    parts += [key for key in ("standardise", "flip", "all_images") if config.get(key)] + [
        config.get("optimizer")
    ]
    parts += [f"{SHORT[key]}{config[key]:g}" for key in ("train_images", "batch_size") if config.get(key)]
    name = ""
    for part in (re.sub(r"[^a-z0-9.]+", "-", part.lower()) for part in parts if part):
        if len(name) + len(part) < LONGEST:
            name += "-" * bool(name) + part
    return name or "run"
