"""The FF-CNN paper's networks and search (Scodellaro et al.), and backprop on the same blocks."""

from evidence.studies.catalogue import Study


def ff_cnn(width: int = 128, kernel: int = 7, network: dict | None = None, labels: dict | None = None, **changes) -> dict:
    """Configuration of an FF-CNN at the paper's scale (Section 3.1), in the strictly local reading."""
    base = dict(rule="ff", dataset="mnist", label="fourier", labels=dict(set=1, strength=0.35), validate_every=5,
                blocks=dict(channels=1, widths=[width] * 3, kernel=kernel), epochs=200, batch_size=50, lr=5e-4, shift=0,
                readout_epochs=10, splits=["validation", "test"],
                network=dict(norm="layer", first_loss=1, first_judge=1, local=True))
    if changes.get("label") == "morphology":
        base["labels"] = dict(strength=0.35)
    return {**base, **changes, "network": base["network"] | (network or {}), "labels": base["labels"] | (labels or {})}


def bp_cnn(width: int = 16, kernel: int = 5, **changes) -> dict:
    """Configuration of the paper's backprop CNN (Section 3.1)."""
    left_out = ("label", "labels")
    config = {key: value for key, value in ff_cnn(width, kernel).items() if key not in left_out}
    return config | dict(rule="bp", lr=1e-3, readout_epochs=0, network={}) | changes


def cnn_trial(width: int = 32, kernel: int = 7, network: dict | None = None, labels: dict | None = None, **changes) -> dict:
    """A small trial of an FF-CNN on equal budget, judged on validation images only."""
    small = dict(train_images=10_000, epochs=10, validate_every=10, readout_epochs=0, splits=["validation"])
    return ff_cnn(width, kernel, network, labels, **{**small, **changes})


def searched(width: int = 128, kernel: int = 7, network: dict | None = None, labels: dict | None = None, **changes) -> dict:
    """An FF-CNN of the paper's search (Section 3.2): judged on validation images only, as there."""
    return ff_cnn(width, kernel, network, labels, **{"splits": ["validation"], **changes})


def stack(*widths: int, kernel: int, pool: bool = False) -> dict:
    """Blocks with these widths. A pooled map is padded: unpadded 7×7 filters leave nothing to convolve after two poolings."""
    return dict(channels=1, widths=list(widths), kernel=kernel) | (dict(padding="same", pool="max") if pool else {})


THROUGH = dict(local=False)  # the other reading: the cumulative loss goes back through the whole stack

# What a miniature of the search changes: 240 steps of 50 images.
MINIATURE = dict(train_images=2_000, validation_images=1_000, epochs=6, lr=1e-3, readout_epochs=4, validate_every=None)
WIDTHS, KERNELS = (16, 32, 64, 128), (3, 5, 7)
STUDIES: dict[str, Study] = {
    "ff-cnn-choices": Study(
        "What each choice that the FF-CNN paper leaves open is worth: 32 filters 7×7, 10,000 images, 10 epochs, validation",
        (cnn_trial(), cnn_trial(network=THROUGH),
         cnn_trial(network=dict(first_loss=0)), cnn_trial(network=dict(first_loss=0, first_judge=0)),
         cnn_trial(network=THROUGH | dict(first_loss=0, first_judge=0)), cnn_trial(network=dict(norm="rms")),
         cnn_trial(lr=1e-3), cnn_trial(lr=5e-5), cnn_trial(network=dict(goodness="place")), cnn_trial(weights="fan-out"),
         cnn_trial(network=dict(loss="symmetric")), cnn_trial(network=dict(negatives="hard")), cnn_trial(labels=dict(set=2)),
         cnn_trial(network=THROUGH, lr=5e-5), cnn_trial(network=THROUGH, lr=1e-3),
         cnn_trial(network=THROUGH, weights="fan-out"), cnn_trial(network=dict(goodness="channel")),
         cnn_trial(blocks=dict(channels=1, widths=[32] * 3, kernel=7, padding="same"))),
        quick=dict(epochs=2, train_images=2_000)),
    "ff-cnn-small-rates": Study(
        "The learning rate of 16 filters 5×5 in both readings: 10,000 images, 10 epochs, validation",
        tuple(cnn_trial(16, 5, network, lr=lr) for network in ({}, THROUGH) for lr in (5e-4, 1e-3, 2e-3, 4e-3)),
        quick=dict(epochs=2, train_images=2_000)),
    "ff-cnn-small": Study(
        "The paper's smallest FF-CNN, 16 filters 5×5, at full length in both readings",
        (ff_cnn(16, 5, THROUGH, lr=4e-3), ff_cnn(16, 5, lr=4e-3)), quick=dict(epochs=3, train_images=5_000)),
    "ff-cnn-wide": Study(
        "A wider FF-CNN in both readings, 32 filters 7×7 on all images, for as long as two CPU cores allow",
        (ff_cnn(32, 7, lr=1e-3, epochs=40), ff_cnn(32, 7, THROUGH, lr=1e-3, epochs=40)),
        quick=dict(epochs=2, train_images=2_000)),
    "ff-cnn": Study(
        "The paper's best FF-CNN, 128 filters 7×7, at full length in both readings (for a GPU)",
        (ff_cnn(network=THROUGH), ff_cnn()), quick=dict(epochs=2, train_images=2_000)),
    "ff-cnn-filters": Study(
        "Figure 3A: 16 to 128 filters 7×7 in both readings",
        tuple(searched(width, network=dict(local=local)) for local in (True, False) for width in WIDTHS), quick=MINIATURE),
    "bp-cnn-filters": Study(
        "Figure 3A: 16 to 128 filters 7×7 by backpropagation",
        tuple(bp_cnn(width, 7, splits=["validation"]) for width in WIDTHS),
        quick={key: value for key, value in MINIATURE.items() if key != "readout_epochs"}),
    "ff-cnn-batches": Study(
        "Figure 4A: filters of 3×3, 5×5 and 7×7 at batches of 25, 50 and 100 images, 32 filters (how many is not said)",
        tuple(searched(32, kernel, batch_size=batch) for kernel in KERNELS for batch in (25, 50, 100)), quick=MINIATURE),
    "ff-cnn-kernels": Study(
        "Figure 4B: filters of 3×3, 5×5 and 7×7, 16 to 128 of them",
        tuple(searched(width, kernel) for kernel in KERNELS for width in WIDTHS), quick=MINIATURE),
    "ff-cnn-readouts": Study(
        "Table 1: goodness against the linear classifier for three networks",
        (searched(), searched(128, 5), searched(128, 3, batch_size=25)), quick=MINIATURE),
    "ff-cnn-strength": Study(
        "Figure 5: label strength K from 15 to 55 % for 32, 64 and 128 filters 7×7 at batches of 25 and 50",
        tuple(searched(width, labels=dict(strength=strength), batch_size=batch)
              for width in (32, 64, 128) for batch in (25, 50) for strength in (0.15, 0.25, 0.35, 0.45, 0.55)),
        quick=MINIATURE | dict(train_images=1_000)),
    "ff-cnn-label-sets": Study(
        "Table 2: label sets 1 and 2 for four networks",
        tuple(searched(width, kernel, labels=dict(set=number), batch_size=batch)
              for width, kernel, batch in ((32, 3, 50), (32, 7, 25), (64, 3, 50), (128, 3, 50)) for number in (1, 2)),
        quick=MINIATURE),
    "ff-cnn-first-layer": Study(
        "Figure 9: the first layer left out of loss and goodness, or in both, in both readings",
        tuple(searched(network=dict(local=local, first_loss=first, first_judge=first))
              for local in (True, False) for first in (1, 0)), quick=MINIATURE),
    "ff-cnn-pooling": Study(
        "Table 3: five networks without pooling, and with max pooling (and padding, which pooling of 7×7 filters needs)",
        tuple(searched(blocks=stack(*widths, kernel=kernel, pool=pool))
              for widths, kernel in (([128] * 3, 7), ([16] * 3, 5), ([64] * 3, 3), ([32, 64, 128], 7), ([16, 32, 64], 7))
              for pool in (False, True)), quick=MINIATURE),
    "ff-cnn-optimizers": Study(
        "Section 3.2: Adam against SGD (momentum 0.9), each over a range of learning rates, 32 filters 7×7",
        tuple(searched(32, optimizer=name, lr=lr) for name, rates in
              (("adam", (5e-6, 5e-5, 5e-4, 5e-3)), ("sgd", (1e-7, 1e-6, 1e-5, 1e-4))) for lr in rates),
        quick={key: value for key, value in MINIATURE.items() if key != "lr"}),
    "bp-cnn": Study("The paper's backprop CNN, 16 filters 5×5, at full length and at a tenth of it",
                    (bp_cnn(), bp_cnn(epochs=20)), quick=dict(train_images=1_000)),
    "cnn-maps": Study(
        "Section 3.3: FF-CNNs in both readings and backprop on the same blocks, 32 filters 7×7, for the test of their maps",
        tuple(build(32, 7, **options, lr=1e-3, epochs=10, train_images=20_000, validate_every=10)
              for build, options in ((ff_cnn, {}), (ff_cnn, dict(network=THROUGH)), (bp_cnn, {}))),
        quick=dict(epochs=2, train_images=2_000)),
}
