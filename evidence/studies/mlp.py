"""Fully connected Forward-Forward networks, the article's and Hinton's, and backprop beside them."""

from evidence.studies.catalogue import Study


def ff(network: dict | None = None, **changes) -> dict:
    """Configuration of a mini-batch FF network: what study `ff-mlp-choices` found best on validation images."""
    base = dict(rule="ff", dataset="mnist", label="pixels", widths=[784, 1000, 1000, 1000], epochs=60, batch_size=100,
                lr=1e-3, shift=0, readout_epochs=10, splits=["validation", "test"], network=dict(norm="layer"))
    return {**base, **changes, "network": base["network"] | (network or {})}


def unsupervised(**changes) -> dict:
    """Configuration of a label-free FF network under a linear read-out of all its blocks."""
    return ff(label="hybrids", epochs=20, readout_epochs=20) | changes


def bp(**changes) -> dict:
    """Configuration of the backprop control on the same blocks."""
    config = ff(epochs=20, readout_epochs=0) | {"rule": "bp", "network": {}} | changes
    return {key: value for key, value in config.items() if key != "label"}


def choice(network: dict | None = None, **changes) -> dict:
    """A small trial on equal budget, judged on validation images only."""
    return ff(network, **{"train_images": 20_000, "epochs": 10, "readout_epochs": 0, "splits": ["validation"], **changes})


ARTICLE = dict(rule="article", dataset="mnist", widths=[784, 512, 512], lr=0.03, steps=1000, batch_images=20_000,
               batches=3, network=dict(goodness="mean", threshold=3.0, norm="length"))
STUDIES: dict[str, Study] = {
    "article": Study("The article's network: [784, 512, 512], layer after layer on three batches of 20,000",
                     (ARTICLE,), quick=dict(steps=200, batch_images=2_000)),
    "ff-mlp-choices": Study(
        "What each choice is worth in a mini-batch FF network, 3×1000, 20,000 images, 10 epochs, on validation images",
        (choice(), choice(dict(negatives="hard")), choice(shift=1), choice(dict(negatives="hard"), shift=1),
         choice(dict(norm="rms")), choice(lr=3e-3), choice(dict(peer=0.03)), choice(dict(loss="symmetric")),
         choice(dict(goodness="mean"))),
        quick=dict(epochs=2, train_images=5_000)),
    "ff-mlp": Study("Mini-batch FF, 3×1000: the best of the choices, and the plain rule (random negatives, no shifts)",
                    (ff(dict(negatives="hard"), shift=1), ff()), quick=dict(epochs=3, train_images=10_000)),
    "ff-unsupervised": Study("Learning without labels from hybrid images, 3×1000, then a linear read-out",
                             (unsupervised(shift=1), unsupervised()), quick=dict(epochs=3, train_images=10_000)),
    "bp-mlp": Study("The control: backpropagation through the same blocks, with and without shifts",
                    (bp(shift=1), bp()), quick=dict(epochs=3, train_images=10_000)),
}
