"""How runs are called: in short in the names of their files, in words on pages."""

import re

LONGEST = 60  # characters of a run's readable name
SHORT = dict(epochs="ep", train_images="n", batch_size="b", strength="k", temperature="t",
             negatives_each="neg", layers_per_block="block")  # fmt: skip
USUAL = dict(label="fourier", set=1, strength=0.35, norm="layer", first_loss=1, first_judge=1, classes=2,
             layers_per_block=1)  # fmt: skip
SETS = dict(
    mnist="MNIST", fashion_mnist="Fashion-MNIST", cifar10="CIFAR-10", cifar100="CIFAR-100", digits="digits"
)
# Training images, without those for validation
TRAINING = dict(mnist=50_000, fashion_mnist=50_000, cifar10=40_000, cifar100=40_000)


def slug(config: dict) -> str:
    """What a run is, for people, in at most `LONGEST` characters; a record is found by its `run_name`."""
    network, labels, blocks = (config.get(part, {}) for part in ("network", "labels", "blocks"))
    widths = blocks.get("widths", config.get("widths", [])[1:])
    each = f"{len(widths)}x{widths[0]}-{widths[-1]}" if len(widths) > 4 else "-".join(map(str, widths))
    options = {"label": config.get("label"), **labels, **network}
    options |= {"pool": blocks.get("pool"), "weights": config.get("weights")}
    written = lambda key, value: f"{SHORT.get(key, key)}{value:g}"
    numbers = lambda *keys: [written(key, config[key]) for key in keys if config.get(key)]
    parts = [
        options.pop("head", config.get("rule")),
        config.get("way"),
        config.get("dataset", config.get("shape")),
        *config.get("form", {}).values(),
        f"{len(widths)}x{widths[0]}" if len(set(widths)) == 1 else each,
        f"k{blocks['kernel']}" if blocks else "",
        {True: "local", False: "through"}.get(network.get("local"), ""),
        *numbers("lr", "strength", "epochs", "steps", "shift"),
        *(
            value if isinstance(value, str) else written(key, value)
            for key, value in options.items()
            if type(value) in (str, float, int) and value != USUAL.get(key)
        ),
        *(key for key in ("standardise", "flip", "all_images") if config.get(key)),
        config.get("optimizer"),
        *numbers("train_images", "batch_size"),
    ]
    name = ""
    for part in (re.sub(r"[^a-z0-9.]+", "-", str(part).lower()) for part in parts if part):
        if len(name) + len(part) < LONGEST:
            name += "-" * bool(name) + part
    return name or "run"


def in_words(config: dict, origin: dict) -> list[str]:
    """Dataset, network, images, length, rate and device of a run, from its configuration and provenance."""
    dataset, blocks, network = config.get("dataset"), config.get("blocks"), config.get("network", {})
    filters = f" filters {blocks['kernel']}×{blocks['kernel']}" if blocks else ""
    every = TRAINING.get(dataset, 0) * ("steps" not in config)
    images = config.get("train_images", every + 10_000 * bool(config.get("all_images") and every))
    moved = f" ±{config['shift']} px" if config.get("shift") else ""
    parts = [
        SETS.get(dataset or origin["dataset"], dataset or origin["dataset"]),
        joined((blocks or config).get("widths", [])) + filters,
        {True: "strictly local", False: "through the stack"}.get(network.get("local"), ""),
        "all wrong labels" * (network.get("negatives") == "all"),
        f"{each} negatives each" if (each := network.get("negatives_each", 1)) > 1 else "",
        f"{images:,} images{moved}" if images else moved and f"shifts of{moved}",
        "mirrored" * bool(config.get("flip")),
        "standardised" * bool(config.get("standardise")),
        plural(config["epochs"], "epoch") if "epochs" in config else "",
        f"{config['batches']} × {config['steps']} steps a layer" if "steps" in config else "",
        f"rate {config['lr']:g}" if "lr" in config else "",
        f"{origin['device'].split(',')[0].replace('cpu', 'CPU')}, {origin['precision']}",
    ]
    return [part for part in parts if part]


def in_common(told: list[list[str]]) -> list[str]:
    """What is said of all runs alike."""
    return [part for part in (told[0] if told else []) if all(part in other for other in told)]


def plural(count: int, what: str) -> str:
    """`1 seed`, `2 seeds`."""
    return f"{count} {what}{'s' * (count != 1)}"


def joined(widths: list[int]) -> str:
    """`784-1000-1000`."""
    return "-".join(map(str, widths))
