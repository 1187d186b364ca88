"""The studies by name: which configurations each of them runs, at full scale and as a quick miniature."""

from collections.abc import Iterator
from dataclasses import dataclass

from fftools.configs import (
    ARTICLE,
    HELPED,
    RATES,
    TABLE_RATES,
    THROUGH,
    TOLD_APART,
    beyond,
    bp,
    bp_cnn,
    choice,
    cnn_trial,
    ff,
    ff_cnn,
    idea,
    race,
    searched,
    stack,
    strided,
    table,
    together,
    unsupervised,
)


@dataclass(frozen=True)
class Study:
    """What a study asks, its configurations at full scale, and what `quick` changes in each of them."""

    about: str
    configs: tuple[dict, ...]
    quick: dict

    def grid(self, profile: str) -> list[dict]:
        """The configurations of a profile, "quick" or "full"."""
        if profile not in ("quick", "full"):
            raise ValueError(f'profile must be "quick" or "full"; got {profile!r}')
        return [{**config, **(self.quick if profile == "quick" else {})} for config in self.configs]


def races(kind: str, lengths: tuple[int, ...], datasets: tuple[str, ...]) -> tuple[dict, ...]:
    """Every rule at its rate on each dataset whose rates are chosen, for so many epochs each."""
    return tuple(race(rule, dataset, kind == "cnn", epochs=epochs, validate_every=1)
                 for dataset in datasets for epochs in lengths
                 for rule in RATES.get((kind, "cifar10" if dataset == "cifar100" else dataset), ()))


def tuned(dataset: str, form: str | None, rates: tuple[float, ...], **changes) -> Iterator[dict]:
    """As many trials for each rule: its rate, or a logistic regression's strength. (It reads the bag of words only.)"""
    yield from (table(rule, dataset, form, lr=lr, **changes) for rule in ("mf", "bp") for lr in rates)
    if form != "ids":
        yield from (table("logistic", dataset, form, strength=strength, **changes) for strength in (1e-3, 0.01, 0.1, 1.0, 10.0))


FILTERS = [64, 128, 256, 512]
SLOW, FAST = (1e-4, 3e-4, 1e-3, 3e-3), (1e-4, 3e-4, 1e-3, 3e-3, 1e-2)
# What a miniature of the search changes: 240 steps of 50 images.
MINIATURE = dict(train_images=2_000, validation_images=1_000, epochs=6, lr=1e-3, readout_epochs=4, validate_every=None)
WIDTHS, KERNELS = (16, 32, 64, 128), (3, 5, 7)
# How Mono-Forward's CNN sees moved images, and for how long.
MOVED = dict(cifar10=dict(epochs=40, shift=2, flip=True), mnist=dict(epochs=20, shift=2, flip=False),
             fashion_mnist=dict(epochs=20, shift=2, flip=True))

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
    "ff-cnn-ideas": Study(
        "Ideas beyond the FF-CNN paper, strictly local: 32 filters 7×7, 10 epochs of 5,000 images, validation",
        (idea(), idea(dict(loss="symmetric")), idea(dict(temperature=100.0)), idea(TOLD_APART),
         idea(HELPED), idea(dict(negatives_each=3)), idea(dict(negatives="hard")),
         idea(TOLD_APART | dict(negatives="hard")), idea(shift=1), idea(TOLD_APART | dict(first_loss=0)),
         idea(dict(goodness="place")), idea(dict(norm="place")), idea(label="morphology"),
         idea(label="morphology", labels=dict(strength=0.6)), idea(TOLD_APART, label="morphology", labels=dict(strength=0.6)),
         idea(labels=dict(set=2)), idea(labels=dict(strength=0.2), strengths=[0.5, 0.2]),
         idea(labels=dict(strength=0.5), strengths=[0.2, 0.5]), idea(blocks=dict(channels=1, widths=[32] * 4, kernel=5)),
         idea(blocks=dict(channels=1, widths=[64] * 3, kernel=7)),
         idea(blocks=dict(channels=1, widths=[32] * 3, kernel=7, padding="same", pool=["max", None, None])),
         idea(blocks=strided(64))),
        quick=dict(epochs=2, train_images=2_000, validation_images=1_000)),
    "ff-cnn-together": Study(
        "The ideas that helped, together, and what may still be changed: 3 epochs of 20,000 shifted images, validation",
        (together(), together(dict(first_loss=0, first_judge=0)),
         together(dict(temperature=30.0)), together(dict(temperature=300.0)), together(dict(negatives_each=9)),
         together(labels=dict(strength=0.2)), together(labels=dict(strength=0.5)), together(lr=3e-3),
         together(blocks=dict(channels=1, widths=[64] * 3, kernel=5, padding="same", stride=2)),
         together(blocks=dict(channels=1, widths=[64] * 4, kernel=7, padding="same", stride=2)),
         together(blocks=dict(channels=1, widths=[32, 64, 128], kernel=7, padding="same", stride=2))),
        quick=dict(epochs=2, train_images=2_000, validation_images=1_000)),
    "ff-cnn-beyond": Study(
        "The ideas that helped, on all images of four datasets, and backprop on the same blocks for as many epochs",
        tuple(beyond(dataset, rule, epochs=epochs) for dataset, epochs in
              (("mnist", 30), ("fashion_mnist", 30), ("cifar10", 15), ("cifar100", 15)) for rule in ("ff", "bp")),
        quick=dict(epochs=1, train_images=1_000)),
    "ff-cnn-beyond-wide": Study(
        "The same with 128 and 256 filters and for 100 epochs (for a GPU)",
        tuple(beyond(dataset, rule, width, epochs=100) for dataset in ("mnist", "fashion_mnist", "cifar10", "cifar100")
              for width in (128, 256) for rule in ("ff", "bp")), quick=dict(epochs=1, train_images=1_000)),
    "mono-mlp-rates": Study(
        "Mono-Forward and its rivals, MLP: each rule's learning rate on each dataset, 20,000 images, 10 epochs, validation",
        tuple(race(rule, dataset, lr=lr, epochs=10, train_images=20_000, splits=["validation"])
              for dataset, rates in (("mnist", FAST), ("fashion_mnist", FAST), ("cifar10", (*SLOW, 3e-5)))
              for rule in ("mf", "bp", "fa", "dfa", "ff") for lr in rates),
        quick=dict(epochs=2, train_images=2_000)),
    "mono-cnn-rates": Study(
        "Mono-Forward and its rivals, CNN: each rule's learning rate on each dataset, 10,000 images, 5 epochs, validation",
        tuple(race(rule, dataset, True, lr=lr, epochs=5, train_images=10_000, validation_images=5_000, splits=["validation"])
              for dataset in ("cifar10", "mnist", "fashion_mnist") for rule in ("mf", "bp", "fa", "dfa")
              for lr in (3e-4, 1e-3, 3e-3, 1e-2)),
        quick=dict(epochs=1, train_images=1_000, validation_images=1_000)),
    "mono-cnn-standardised-rates": Study(
        "The same trials for Mono-Forward and backprop, on inputs standardised by channel",
        tuple(race(rule, dataset, True, lr=lr, standardise=True, epochs=5, train_images=10_000, validation_images=5_000,
                   splits=["validation"])
              for dataset in ("cifar10", "mnist", "fashion_mnist") for rule in ("mf", "bp") for lr in (3e-4, 1e-3, 3e-3, 1e-2)),
        quick=dict(epochs=1, train_images=1_000, validation_images=1_000)),
    "mono-mlp-long-rates": Study(
        "Mono-Forward and backprop, MLP: the learning rate once more, at 40 epochs on all images, validation",
        tuple(race(rule, dataset, lr=lr, epochs=40, splits=["validation"]) for dataset in ("fashion_mnist", "mnist")
              for rule in ("mf", "bp") for lr in FAST[:4]), quick=dict(epochs=2, train_images=2_000)),
    "mono-mlp": Study(
        "Table 3: Mono-Forward and its rivals, MLP, for 10 epochs each and for 40",
        races("mlp", (10, 40), ("mnist", "fashion_mnist", "cifar10")), quick=dict(train_images=1_000, validation_images=1_000)),
    "mono-mlp-final": Study(
        "Table 3 once more: 40 epochs on all 60,000 (CIFAR-10: 50,000) images, the validation images too, as the paper has it",
        tuple(race(rule, dataset, epochs=40, all_images=True, splits=["test"])
              for dataset in ("fashion_mnist", "mnist", "cifar10") for rule in ("mf", "bp")),
        quick=dict(epochs=2, all_images=False, train_images=1_000)),
    "mono-mlp-standardised-rates": Study(
        "The learning rate once more on inputs standardised by channel, MLP, 20,000 images, 10 epochs, validation",
        tuple(race(rule, dataset, lr=lr, standardise=True, epochs=10, train_images=20_000, splits=["validation"])
              for dataset in ("cifar10", "mnist", "fashion_mnist") for rule in ("mf", "bp") for lr in (*SLOW, 3e-5)),
        quick=dict(epochs=2, train_images=2_000)),
    "mono-mlp-standardised": Study(
        "Table 3 on standardised inputs: 20 epochs on all images",
        tuple(race(rule, dataset, standardise=True, epochs=20, all_images=True, splits=["test"])
              for kind, dataset in RATES if kind == "mlp-standardised" for rule in ("mf", "bp")),
        quick=dict(epochs=2, all_images=False, train_images=1_000)),
    "mono-mlp-depth": Study(
        "Table 1: two and three hidden layers of 1000, Mono-Forward and backprop, MNIST",
        tuple(race(rule, "mnist", widths=[784] + [1000] * depth, epochs=10, validate_every=1)
              for depth in (2, 3) for rule in ("mf", "bp")), quick=dict(train_images=1_000, validation_images=1_000)),
    "mono-cnn": Study(
        "Table 2: Mono-Forward and its rivals, CNN, for 5 epochs each and for 20",
        races("cnn", (5, 20), ("cifar10", "mnist", "fashion_mnist")), quick=dict(train_images=500, validation_images=500)),
    "mono-cnn-final": Study(
        "Table 2 once more: 20 epochs on all images, the validation images too, as the paper has it",
        tuple(race(rule, dataset, True, epochs=20, all_images=True, splits=["test"])
              for kind, dataset in RATES if kind == "cnn" for rule in ("mf", "bp")),
        quick=dict(epochs=1, all_images=False, train_images=500)),
    "mono-cnn-augmented": Study(
        "Table 2 on images shifted and, but for digits, mirrored",
        tuple(race(rule, dataset, True, **options, validate_every=2)
              for dataset, options in MOVED.items() for rule in ("mf", "bp")),
        quick=dict(epochs=1, train_images=500, validation_images=500)),
    "mono-cnn-augmented-final": Study(
        "The same on all images, the validation images too",
        tuple(race(rule, dataset, True, **options, all_images=True, splits=["test"])
              for dataset, options in MOVED.items() for rule in ("mf", "bp")),
        quick=dict(epochs=1, all_images=False, train_images=500)),
    "mono-cnn-standardised": Study(
        "The same on inputs standardised by channel",
        tuple(race(rule, dataset, True, standardise=True, **MOVED[dataset], all_images=True, splits=["test"])
              for kind, dataset in RATES if kind == "cnn-standardised" for rule in ("mf", "bp")),
        quick=dict(epochs=1, all_images=False, train_images=500)),
    "mono-cnn-choices": Study(
        "Mono-Forward CNN on CIFAR-10, 10,000 images, 5 epochs: depth, pooling, what M reads, shifted images; validation",
        tuple(race("mf", "cifar10", True, places and dict(places=places), lr=1e-3, epochs=5, train_images=10_000, shift=shift,
                   blocks=dict(channels=3, widths=widths, kernel=3, padding="same", pool=pool), validation_images=5_000,
                   splits=["validation"])
              for widths, pool, places, shift in (
                  *((FILTERS[:depth], "average", None, 0) for depth in (4, 3, 2)), (FILTERS, "max", None, 0),
                  *((FILTERS, "average", places, 0) for places in (1, 2, 4)), (FILTERS, "average", None, 2))),
        quick=dict(epochs=1, train_images=500, validation_images=500)),
    "mono-mlp-cifar100": Study(
        "Table 3, CIFAR-100: as `mono-mlp`, at CIFAR-10's rates",
        races("mlp", (10, 40), ("cifar100",)), quick=dict(train_images=1_000, validation_images=1_000)),
    "mono-cnn-cifar100": Study(
        "Table 2, CIFAR-100: as `mono-cnn`, at CIFAR-10's rates",
        races("cnn", (5, 20), ("cifar100",)), quick=dict(train_images=500, validation_images=500)),
    "mono-mlp-convergence": Study(
        "Figures 4 and 5: error after each epoch of 2, 4 and 8 layers of 1000, 10,000 images of MNIST, validation",
        tuple(race(rule, "mnist", widths=[784] + [1000] * depth, batch_size=256, lr=1e-3, epochs=10, train_images=10_000,
                   validate_every=1, splits=["validation"]) for depth in (4, 2, 8) for rule in ("mf", "bp")),
        quick=dict(train_images=1_000, validation_images=1_000)),
    "bp-mlp": Study("The control: backpropagation through the same blocks, with and without shifts",
                    (bp(shift=1), bp()), quick=dict(epochs=3, train_images=10_000)),
    "mono-tables-rates": Study(
        "Table 6: each rule's rate on tables and texts, on validation data",
        (*tuned("breast_cancer", None, FAST, splits=["validation"]),
         *tuned("imdb", "bag", (1e-5, 3e-5, *SLOW[:3]), splits=["validation"]),
         *tuned("imdb", "ids", (*FAST[1:], 3e-2), splits=["validation"])), quick=dict(epochs=2, train_images=300)),
    "mono-tables": Study(
        "Table 6: Mono-Forward, backprop and logistic regression on breast cancer (a seed is a fold) and film reviews",
        tuple(table(rule, *data) for data, rates in TABLE_RATES.items() for rule in rates),
        quick=dict(epochs=2, train_images=300)),
    "mono-santander": Study(
        "Table 6: Santander's table, which the reader brings, at several rates; the best is chosen on validation data",
        tuple(tuned("santander", None, (*SLOW, 1e-2))), quick=dict(epochs=1, train_images=1_000)),
}
