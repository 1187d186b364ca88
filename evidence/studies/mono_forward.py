"""Mono-Forward and its rivals on the same blocks, on images."""

from evidence.studies.catalogue import Study, change

# The networks of the paper's Section 4; the fully connected one without biases (Table 4).
LENGTH = dict(batch_size=128, shift=0, readout_epochs=0, splits=["validation", "test"])
FILTERS = [64, 128, 256, 512]
BLOCKS = dict(channels=1, widths=FILTERS, kernel=3, padding="same", pool="average")
BASES = dict(mlp=dict(widths=[784, 1000, 1000], bias=False, network={}, **LENGTH),
             cnn=dict(blocks=BLOCKS, network={}, **LENGTH))
COLOUR = dict(mlp=dict(widths=[3072, 2000, 2000, 2000]), cnn=dict(blocks=dict(channels=3)))
NO_BIAS = dict(network=dict(bias=False))
RULES = dict(mlp=dict(mf={}, bp=NO_BIAS, fa=NO_BIAS, dfa=NO_BIAS,
                      ff=dict(label="pixels", network=dict(norm="layer", negatives="hard"))),
             cnn=dict(mf={}, bp={}, fa={}, dfa={}))

# The best rate of each rule on validation images, of those that `mono-mlp-rates`, `mono-cnn-rates`, … tried;
# of two that do equally well, the lower.
RATES = {("mlp", "mnist"): dict(mf=3e-3, bp=3e-3, fa=1e-3, dfa=1e-3, ff=3e-3),
         ("mlp", "fashion_mnist"): dict(mf=3e-3, bp=3e-4, fa=3e-4, dfa=3e-4, ff=3e-3),
         ("mlp", "cifar10"): dict(mf=1e-3, bp=1e-4, fa=1e-4, dfa=1e-4, ff=3e-4),
         ("mlp-standardised", "cifar10"): dict(mf=1e-3, bp=3e-4),
         ("cnn", "mnist"): dict(mf=1e-2, bp=1e-3, fa=1e-3, dfa=3e-4),
         ("cnn", "fashion_mnist"): dict(mf=1e-2, bp=3e-3, fa=1e-3, dfa=3e-4),
         ("cnn", "cifar10"): dict(mf=3e-3, bp=1e-3, fa=3e-4, dfa=3e-4),
         ("cnn-standardised", "cifar10"): dict(mf=1e-3, bp=1e-3),
         ("cnn-standardised", "mnist"): dict(mf=1e-2, bp=3e-3),
         ("cnn-standardised", "fashion_mnist"): dict(mf=3e-3, bp=3e-3)}

# The same for runs of so many epochs on all images, of those that `mono-mlp-long-rates` tried at that length,
# and `mono-cnn-standardised-long-rates` in a third of it.
LONG_RATES = {("mlp", "mnist", 40): dict(mf=1e-3, bp=3e-3),
              ("mlp", "fashion_mnist", 40): dict(mf=1e-3, bp=3e-4),
              ("mlp", "cifar10", 40): dict(mf=3e-4, bp=1e-4),
              ("cnn-standardised", "mnist", 30): dict(mf=3e-3, bp=1e-3)}


def race(kind: str, rule: str, dataset: str, **changes) -> dict:
    """A network ("mlp" or "cnn") under one of five rules; its rate, if not given, is that of its length."""
    config = change(BASES[kind], dict(rule=rule, dataset=dataset), RULES[kind][rule])
    if dataset.startswith("cifar"):
        config = change(config, COLOUR[kind])
    if dataset == "cifar100":
        config = change(config, {"labels" if rule == "ff" else "network": dict(classes=100)})
    if "lr" not in changes:
        tuned = kind + "-standardised" * changes.get("standardise", False)
        tuned_on = "cifar10" if dataset == "cifar100" else dataset
        rates = RATES[tuned, tuned_on] | LONG_RATES.get((tuned, tuned_on, changes.get("epochs")), {})
        changes["lr"] = rates[rule]
    return change(config, changes)


def races(kind: str, lengths: tuple[int, ...], *datasets: str) -> list[dict]:
    """Every rule at its rate on each dataset, for so many epochs each."""
    return [race(kind, rule, dataset, epochs=epochs, validate_every=1)
            for dataset in datasets for epochs in lengths for rule in RULES[kind]]


SLOW, FAST = (1e-4, 3e-4, 1e-3, 3e-3), (1e-4, 3e-4, 1e-3, 3e-3, 1e-2)
DATASETS, BOTH = ("cifar10", "mnist", "fashion_mnist"), ("mf", "bp")
FINAL = dict(all_images=True, splits=["test"])  # trained on the validation images too, as the paper has it
MLP_TRIAL = dict(train_images=20_000, epochs=10, splits=["validation"])
CNN_TRIAL = dict(train_images=10_000, validation_images=5_000, epochs=5, splits=["validation"])
# How Mono-Forward's CNN sees moved images, and for how long.
MOVED = dict(cifar10=dict(epochs=40, shift=2, flip=True), mnist=dict(epochs=20, shift=2, flip=False),
             fashion_mnist=dict(epochs=20, shift=2, flip=True))
MLP_CHOICES = dict(batch_size=256, lr=1e-3, epochs=10, train_images=10_000, validate_every=1,
                   splits=["validation"])
CNN_CHOICES = race("cnn", "mf", "cifar10", lr=1e-3, **CNN_TRIAL)

# Miniatures
THOUSAND = dict(train_images=1_000, validation_images=1_000)
HUNDREDS = dict(train_images=500, validation_images=500)
GLANCE = dict(epochs=2, train_images=2_000)
FINAL_MLP = dict(epochs=2, all_images=False, train_images=1_000)
FINAL_CNN = dict(epochs=1, all_images=False, train_images=500)

STUDIES = [
    Study("mono-mlp-rates",
          "Five rules, MLP: each one's learning rate on each dataset, 20,000 images, 10 epochs, validation",
          {}, [race("mlp", rule, dataset, lr=lr, **MLP_TRIAL)
               for dataset, rates in (("mnist", FAST), ("fashion_mnist", FAST), ("cifar10", (*SLOW, 3e-5)))
               for rule in RULES["mlp"] for lr in rates], GLANCE),
    Study("mono-cnn-rates",
          "Four rules, CNN: each one's learning rate on each dataset, 10,000 images, 5 epochs, validation",
          {}, [race("cnn", rule, dataset, lr=lr, **CNN_TRIAL)
               for dataset in DATASETS for rule in RULES["cnn"] for lr in FAST], THOUSAND | dict(epochs=1)),
    Study("mono-cnn-standardised-rates",
          "The same trials for Mono-Forward and backprop, on inputs standardised by channel",
          {}, [race("cnn", rule, dataset, lr=lr, standardise=True, **CNN_TRIAL)
               for dataset in DATASETS for rule in BOTH for lr in FAST[1:]], THOUSAND | dict(epochs=1)),
    Study("mono-cnn-standardised-long-rates",
          "The CNN's rate once more, for the long runs on moved images: 10 epochs of MNIST, validation",
          {}, [race("cnn", rule, "mnist", lr=lr, standardise=True,
                    **MOVED["mnist"] | dict(epochs=10, splits=["validation"]))
               for rule in BOTH for lr in (1e-2, 3e-3, 1e-3)], THOUSAND | dict(epochs=1)),
    Study("mono-mlp-long-rates",
          "Mono-Forward and backprop, MLP: the rate once more, at 40 epochs on all images, validation",
          {}, [race("mlp", rule, dataset, lr=lr, epochs=40, splits=["validation"])
               for dataset, rates in dict(fashion_mnist=SLOW, mnist=SLOW, cifar10=(*SLOW[:3], 3e-5)).items()
               for rule in BOTH for lr in rates], GLANCE),
    Study("mono-mlp", "Table 3: Mono-Forward and its rivals, MLP, for 10 epochs each and for 40",
          {}, races("mlp", (10, 40), "mnist", "fashion_mnist", "cifar10"), THOUSAND),
    Study("mono-mlp-final",
          "Table 3 as in the paper: 40 epochs on all images, those for validation too",
          {}, [race("mlp", rule, dataset, epochs=40, **FINAL)
               for dataset in ("fashion_mnist", "mnist", "cifar10") for rule in BOTH], FINAL_MLP),
    Study("mono-mlp-standardised-rates",
          "The rate once more on inputs standardised by channel, MLP, 20,000 images, 10 epochs, validation",
          {}, [race("mlp", rule, dataset, lr=lr, standardise=True, **MLP_TRIAL)
               for dataset in DATASETS for rule in BOTH for lr in (*SLOW, 3e-5)], GLANCE),
    Study("mono-mlp-standardised", "Table 3 on standardised inputs: 20 epochs on all images",
          {}, [race("mlp", rule, "cifar10", standardise=True, epochs=20, **FINAL) for rule in BOTH],
          FINAL_MLP),
    Study("mono-mlp-depth", "Table 1: two and three hidden layers of 1000, Mono-Forward and backprop, MNIST",
          {}, [race("mlp", rule, "mnist", widths=[784] + [1000] * depth, epochs=10, validate_every=1)
               for depth in (2, 3) for rule in BOTH], THOUSAND),
    Study("mono-cnn", "Table 2: Mono-Forward and its rivals, CNN, for 5 epochs each and for 20",
          {}, races("cnn", (5, 20), *DATASETS), HUNDREDS),
    Study("mono-cnn-final", "Table 2 as in the paper: 20 epochs on all images, those for validation too",
          {}, [race("cnn", rule, dataset, epochs=20, **FINAL)
               for dataset in ("mnist", "fashion_mnist", "cifar10") for rule in BOTH], FINAL_CNN),
    Study("mono-cnn-augmented", "Table 2 on images shifted and, but for digits, mirrored",
          {}, [race("cnn", rule, dataset, **MOVED[dataset], validate_every=2)
               for dataset in DATASETS for rule in BOTH], HUNDREDS | dict(epochs=1)),
    Study("mono-cnn-augmented-final", "The same on all images, the validation images too",
          {}, [race("cnn", rule, name, **MOVED[name], **FINAL) for name in DATASETS for rule in BOTH],
          FINAL_CNN),
    Study("mono-cnn-standardised", "The same on inputs standardised by channel",
          {}, [race("cnn", rule, dataset, standardise=True, **MOVED[dataset] | dict(epochs=epochs), **FINAL)
               for dataset, epochs in (("cifar10", 40), ("fashion_mnist", 30), ("mnist", 30))
               for rule in BOTH], FINAL_CNN),
    Study("mono-cnn-choices",
          "Mono-Forward CNN on CIFAR-10, 10,000 images, 5 epochs: depth, pooling, what M reads, shifts",
          CNN_CHOICES, {
              "the paper's: 4 blocks, average pooling, whole map, no shifts": {},
              "3 blocks": dict(blocks=dict(widths=FILTERS[:3])),
              "2 blocks": dict(blocks=dict(widths=FILTERS[:2])),
              "max pooling": dict(blocks=dict(pool="max")),
              "M reads 1×1 places": dict(network=dict(places=1)),
              "M reads 2×2 places": dict(network=dict(places=2)),
              "M reads 4×4 places": dict(network=dict(places=4)),
              "shifts of up to 2 pixels": dict(shift=2),
          }, HUNDREDS | dict(epochs=1)),
    Study("mono-mlp-cifar100", "Table 3, CIFAR-100: as `mono-mlp`, at CIFAR-10's rates",
          {}, races("mlp", (10, 40), "cifar100"), THOUSAND),
    Study("mono-mlp-cifar100-rates", "The long runs on CIFAR-100 at the next higher rate",
          {}, [race("mlp", rule, "cifar100", lr=lr, epochs=40, validate_every=1)
               for rule, lr in (("mf", 1e-3), ("bp", 3e-4))], THOUSAND),
    Study("mono-cnn-cifar100", "Table 2, CIFAR-100: as `mono-cnn`, at CIFAR-10's rates",
          {}, races("cnn", (5, 20), "cifar100"), HUNDREDS),
    Study("mono-cnn-cifar100-rates", "The same for 20 epochs at rates of about three times and a third",
          {}, [race("cnn", rule, "cifar100", lr=lr, epochs=20, validate_every=1)
               for rule, lr in (("bp", 3e-4), ("bp", 3e-3), ("mf", 1e-3), ("mf", 1e-2))], HUNDREDS),
    Study("mono-mlp-convergence",
          "Figures 4 and 5: error after each epoch, 2, 4 and 8 layers of 1000, 10,000 images of MNIST",
          {}, [race("mlp", rule, "mnist", widths=[784] + [1000] * depth, **MLP_CHOICES)
               for depth in (4, 2, 8) for rule in BOTH], THOUSAND),
    Study("mono-mlp-convergence-all", "The same on all 50,000 training images",
          {}, [race("mlp", rule, "mnist", widths=[784] + [1000] * depth,
                    **MLP_CHOICES | dict(train_images=None))
               for depth in (4, 2, 8) for rule in BOTH], THOUSAND),
]
