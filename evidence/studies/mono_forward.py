"""Mono-Forward and its rivals on the same blocks, on images."""

from evidence.studies.catalogue import Study


def race(rule: str, dataset: str, convolutional: bool = False, network: dict | None = None, **changes) -> dict:
    """Configuration of a network of Mono-Forward's Section 4 under one of five rules; its rate, if not given, is from `RATES`.

    MLP of 2×1000, for CIFAR 3×2000, without biases (Table 4); CNN of 64, 128, 256 and 512 filters 3×3, padded and pooled.
    A run of a length that stands in `LONG_RATES` takes its rate from there. `standardise` has rates of its own.
    """
    colour = dataset.startswith("cifar")
    kind = ("cnn" if convolutional else "mlp") + "-standardised" * changes.get("standardise", False)
    shape = dict(blocks=dict(channels=3 if colour else 1, widths=[64, 128, 256, 512], kernel=3, padding="same", pool="average")
                 ) if convolutional else dict(widths=[3072] + [2000] * 3 if colour else [784] + [1000] * 2, bias=False)
    options = {} if convolutional or rule in ("mf", "ff") else dict(bias=False)
    options |= dict(classes=100) if dataset == "cifar100" else {}
    base = dict(rule=rule, dataset=dataset, **shape, batch_size=128, shift=0, readout_epochs=0, splits=["validation", "test"])
    if rule == "ff":
        base |= dict(label="pixels") | (dict(labels=options) if options else {})
        options = dict(norm="layer", negatives="hard")
    if "lr" not in changes:
        tuned = RATES[kind, "cifar10" if dataset == "cifar100" else dataset]
        base["lr"] = (tuned | LONG_RATES.get((kind, dataset, changes.get("epochs")), {}))[rule]
    return {**base, **changes, "network": options | (network or {})}


# The best rate of each rule on validation images, of those that the studies `mono-mlp-rates`, `mono-cnn-rates`, … tried;
# of two that do equally well, the lower.
RATES = {("mlp", "mnist"): dict(mf=3e-3, bp=3e-3, fa=1e-3, dfa=1e-3, ff=3e-3),
         ("mlp", "fashion_mnist"): dict(mf=3e-3, bp=3e-4, fa=3e-4, dfa=3e-4, ff=3e-3),
         ("mlp", "cifar10"): dict(mf=1e-3, bp=1e-4, fa=1e-4, dfa=1e-4, ff=3e-4),
         ("mlp-standardised", "cifar10"): dict(mf=1e-3, bp=3e-4),
         ("cnn", "mnist"): dict(mf=1e-2, bp=1e-3, fa=1e-3, dfa=3e-4),
         ("cnn", "fashion_mnist"): dict(mf=1e-2, bp=3e-3, fa=1e-3, dfa=3e-4),
         ("cnn", "cifar10"): dict(mf=3e-3, bp=1e-3, fa=3e-4, dfa=3e-4),
         ("cnn-standardised", "cifar10"): dict(mf=1e-3, bp=1e-3),
         ("cnn-standardised", "mnist"): dict(mf=1e-2, bp=3e-3), ("cnn-standardised", "fashion_mnist"): dict(mf=3e-3, bp=3e-3)}

# The same for runs of so many epochs on all images, of those that `mono-mlp-long-rates` tried at that length, and
# `mono-cnn-standardised-long-rates` in a third of it.
LONG_RATES = {("mlp", "mnist", 40): dict(mf=1e-3, bp=3e-3), ("mlp", "fashion_mnist", 40): dict(mf=1e-3, bp=3e-4),
              ("mlp", "cifar10", 40): dict(mf=3e-4, bp=1e-4),
              ("cnn-standardised", "mnist", 30): dict(mf=3e-3, bp=1e-3)}


def races(kind: str, lengths: tuple[int, ...], datasets: tuple[str, ...]) -> tuple[dict, ...]:
    """Every rule at its rate on each dataset whose rates are chosen, for so many epochs each."""
    return tuple(race(rule, dataset, kind == "cnn", epochs=epochs, validate_every=1)
                 for dataset in datasets for epochs in lengths
                 for rule in RATES.get((kind, "cifar10" if dataset == "cifar100" else dataset), ()))


FILTERS = [64, 128, 256, 512]
SLOW, FAST = (1e-4, 3e-4, 1e-3, 3e-3), (1e-4, 3e-4, 1e-3, 3e-3, 1e-2)

# How Mono-Forward's CNN sees moved images, and for how long.
MOVED = dict(cifar10=dict(epochs=40, shift=2, flip=True), mnist=dict(epochs=20, shift=2, flip=False),
             fashion_mnist=dict(epochs=20, shift=2, flip=True))
STUDIES: dict[str, Study] = {
    "mono-mlp-rates": Study(
        "Mono-Forward and its rivals, MLP: each rule's learning rate on each dataset, 20,000 images, 10 epochs, validation",
        tuple(race(rule, dataset, lr=lr, epochs=10, train_images=20_000, splits=["validation"])
              for dataset, rates in (("mnist", FAST), ("fashion_mnist", FAST), ("cifar10", (*SLOW, 3e-5)))
              for rule in ("mf", "bp", "fa", "dfa", "ff") for lr in rates),
        quick=dict(epochs=2, train_images=2_000)),
    "mono-cnn-rates": Study(
        "Mono-Forward and its rivals, CNN: each rule's learning rate on each dataset, 10,000 images, 5 epochs, validation",
        tuple(race(rule, dataset, True, lr=lr, epochs=5, train_images=10_000, validation_images=5_000, splits=["validation"])
              for dataset in ("cifar10", "mnist", "fashion_mnist") for rule in ("mf", "bp", "fa", "dfa") for lr in FAST),
        quick=dict(epochs=1, train_images=1_000, validation_images=1_000)),
    "mono-cnn-standardised-rates": Study(
        "The same trials for Mono-Forward and backprop, on inputs standardised by channel",
        tuple(race(rule, dataset, True, lr=lr, standardise=True, epochs=5, train_images=10_000, validation_images=5_000,
                   splits=["validation"])
              for dataset in ("cifar10", "mnist", "fashion_mnist") for rule in ("mf", "bp") for lr in (3e-4, 1e-3, 3e-3, 1e-2)),
        quick=dict(epochs=1, train_images=1_000, validation_images=1_000)),
    "mono-cnn-standardised-long-rates": Study(
        "The rate of the CNN once more, for the long runs on moved images: 10 epochs of MNIST, validation",
        tuple(race(rule, "mnist", True, lr=lr, standardise=True, **MOVED["mnist"] | dict(epochs=10), splits=["validation"])
              for rule in ("mf", "bp") for lr in (1e-2, 3e-3, 1e-3)),
        quick=dict(epochs=1, train_images=1_000, validation_images=1_000)),
    "mono-mlp-long-rates": Study(
        "Mono-Forward and backprop, MLP: the learning rate once more, at 40 epochs on all images, validation",
        tuple(race(rule, dataset, lr=lr, epochs=40, splits=["validation"])
              for dataset, rates in (("fashion_mnist", FAST[:4]), ("mnist", FAST[:4]), ("cifar10", (*FAST[:3], 3e-5)))
              for rule in ("mf", "bp") for lr in rates), quick=dict(epochs=2, train_images=2_000)),
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
        tuple(race(rule, dataset, True, standardise=True, **MOVED[dataset] | longer, all_images=True, splits=["test"])
              for dataset, longer in (("cifar10", {}), ("fashion_mnist", dict(epochs=30)), ("mnist", dict(epochs=30)))
              for rule in RATES.get(("cnn-standardised", dataset), ())),
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
}
