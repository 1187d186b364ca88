"""Beyond the FF-CNN paper: ideas of ours and of others, alone and together, on four datasets."""

from evidence.studies.catalogue import Study, change


def strided(*widths: int, kernel: int = 7) -> dict:
    """Padded blocks, each of which halves the edges of its map: less work than unpadded ones."""
    return dict(blocks=dict(widths=list(widths), kernel=kernel, padding="same", stride=2))


def pooled(*widths: int, kernel: int = 5, pool: str | list = "max") -> dict:
    """Padded blocks with 2×2 pooling: a network may be deep and still see few places above."""
    return dict(blocks=dict(widths=list(widths), kernel=kernel, padding="same", stride=None, pool=pool))


def morphology(strength: float) -> dict:
    """Labels that change an image's forms; unlike waves they have no sets."""
    return dict(label="morphology", labels=dict(set=None, strength=strength))


def temperature(T: float) -> dict:
    """By how much goodnesses have to differ."""
    return dict(network=dict(temperature=T))


# A trial of one idea: the paper's rule, strictly local, 32 filters 7×7, 10 epochs of 5,000 images.
IDEA = dict(rule="ff", dataset="mnist", label="fourier", labels=dict(set=1, strength=0.35),
            blocks=dict(channels=1, widths=[32] * 3, kernel=7),
            network=dict(norm="layer", first_loss=1, first_judge=1, local=True),
            train_images=5_000, validation_images=5_000, epochs=10, validate_every=10, batch_size=50, lr=1e-3,
            shift=0, readout_epochs=0, splits=["validation"])
SYMMETRIC = dict(network=dict(loss="symmetric", temperature=100.0))  # goodnesses must differ by more than T
HELPED = change(SYMMETRIC, dict(network=dict(negatives_each=3)))
ALL = dict(network=dict(negatives="all", negatives_each=1))  # every wrong label once: none is drawn
TOGETHER = change(IDEA, HELPED, strided(64, 64, 64), dict(train_images=20_000, epochs=3, shift=1))
COLOUR = change(TOGETHER, dict(dataset="cifar10", blocks=dict(channels=3), shift=2, flip=True))
SMALL, DEEP = strided(32, 64, 128, kernel=5), pooled(40, 80, 160, 160)  # ten classes share DEEP's channels

# Long runs on all training images: a label in the image, channel-wise goodness, backprop.
LONG = dict(rule="ff", dataset="mnist", network={}, epochs=30, validate_every=2, batch_size=50, lr=1e-3,
            blocks=dict(channels=1, widths=[64] * 3, kernel=7, padding="same", stride=2),
            shift=1, flip=False, readout_epochs=10, splits=["validation", "test"])
RULES = dict(ff=change({key: IDEA[key] for key in ("label", "labels", "network")}, HELPED),
             cw=dict(rule="cw"), bp=dict(rule="bp", readout_epochs=0))
SETS = dict(mnist=dict(shift=1, flip=False), fashion_mnist=dict(shift=1, flip=True),
            cifar10=dict(shift=2, flip=True, blocks=dict(channels=3)),
            cifar100=dict(shift=2, flip=True, blocks=dict(channels=3), network=dict(classes=100)))
# Coloured waves for a hundred classes: a sliding window loses their phases.
WAVES = dict(labels=dict(classes=100, set=2, colours=True), network=dict(classes=None))


def long(dataset: str, rule: str = "ff", *changes: dict) -> dict:
    """The ideas that helped, on all training images; or another rule ("cw", "bp") on such blocks."""
    if rule not in RULES:
        raise ValueError(f"rule must be {', '.join(RULES)}; got {rule!r}")
    waves = [WAVES] * (rule == "ff" and dataset == "cifar100")
    return change(LONG, RULES[rule], dict(dataset=dataset), SETS[dataset], *waves, *changes)


SHARED = dict(epochs=3, train_images=20_000, validation_images=5_000, readout_epochs=0, splits=["validation"])
DIGITS = change(long("mnist", "cw"), strided(60, 60, 60), SHARED)
PHOTOGRAPHS = change(long("cifar10", "cw"), SHARED)
FAST = dict(epochs=1, train_images=1_000)
MINIATURE = dict(epochs=2, train_images=2_000, validation_images=1_000)

STUDIES = [
    Study("ff-cnn-ideas",
          "Ideas beyond the paper, strictly local, 32 filters 7×7: 10 epochs of 5,000 images, validation",
          IDEA, {
              "the paper's rule": {},
              "symmetric loss": dict(network=dict(loss="symmetric")),
              "temperature 100": temperature(100.0),
              "symmetric loss, temperature 100 (*)": SYMMETRIC,
              "(*) and three negatives each": HELPED,
              "three negatives each": dict(network=dict(negatives_each=3)),
              "hard negatives": dict(network=dict(negatives="hard")),
              "(*) and hard negatives": change(SYMMETRIC, dict(network=dict(negatives="hard"))),
              "images shifted by up to 1 pixel": dict(shift=1),
              "(*) and a loss for block 1": change(SYMMETRIC, dict(network=dict(first_loss=0))),
              "goodness of each place": dict(network=dict(goodness="place")),
              "normalisation of each place": dict(network=dict(norm="place")),
              "morphology labels": morphology(0.35),
              "morphology labels, K = 0.6": morphology(0.6),
              "(*) and morphology labels, K = 0.6": SYMMETRIC | morphology(0.6),
              "waves of set 2": dict(labels=dict(set=2)),
              "K falls from 0.5 to 0.2": dict(labels=dict(strength=0.2), strengths=[0.5, 0.2]),
              "K rises from 0.2 to 0.5": dict(labels=dict(strength=0.5), strengths=[0.2, 0.5]),
              "four blocks of 5×5": dict(blocks=dict(widths=[32] * 4, kernel=5)),
              "64 filters": dict(blocks=dict(widths=[64] * 3)),
              "pooling after block 1, padding": dict(blocks=dict(padding="same", pool=["max", None, None])),
              "64 filters, stride 2, padding": strided(64, 64, 64),
          }, MINIATURE),
    Study("ff-cnn-together",
          "The ideas that helped, together, and more changes: 3 epochs of 20,000 shifted images, validation",
          TOGETHER, {
              "together": {},
              "a loss for block 1, which judges too": dict(network=dict(first_loss=0, first_judge=0)),
              "T = 30": temperature(30.0),
              "T = 300": temperature(300.0),
              "nine negatives": dict(network=dict(negatives_each=9)),
              "K = 0.2": dict(labels=dict(strength=0.2)),
              "K = 0.5": dict(labels=dict(strength=0.5)),
              "rate 3e-3": dict(lr=3e-3),
              "64 filters 5×5": strided(64, 64, 64, kernel=5),
              "four blocks": strided(64, 64, 64, 64),
              "32, 64 and 128 filters": strided(32, 64, 128),
              "all nine wrong labels": ALL,
              "all nine, and 32, 64 and 128 filters 5×5": ALL | SMALL,
              "four blocks of 40 to 160 filters 5×5, max pooling": DEEP,
          }, MINIATURE),
    Study("ff-cnn-colour",
          "Changes for CIFAR-10: 3 epochs of 20,000 shifted and mirrored images, validation",
          COLOUR, {
              "as it is: 64, 64 and 64 filters 7×7": {},
              "32, 64 and 128 filters 7×7": strided(32, 64, 128),
              "32, 64 and 128 filters 5×5 (*)": SMALL,
              "(*) T = 300 and K = 0.2": SMALL | temperature(300.0) | dict(labels=dict(strength=0.2)),
              "(*) nine negatives": SMALL | dict(network=dict(negatives_each=9)),
              "64, 128 and 256 filters 5×5": strided(64, 128, 256, kernel=5),
              "(*) T = 300": SMALL | temperature(300.0),
              "(*) K = 0.2": SMALL | dict(labels=dict(strength=0.2)),
              "(*) rate 3e-3": SMALL | dict(lr=3e-3),
              "(*) rate 3e-4": SMALL | dict(lr=3e-4),
              "(*) all nine wrong labels (**)": SMALL | ALL,
              "(**) and a loss for block 1": change(SMALL | ALL, dict(network=dict(first_loss=0))),
              "(**) and a goodness for each place, T = 10":
                  change(SMALL | ALL, dict(network=dict(goodness="place", temperature=10.0))),
              "(**) T = 30": change(SMALL | ALL, temperature(30.0)),
          }, MINIATURE),
    Study("ff-cnn-later",
          "Three and four blocks on CIFAR-10, and CIFAR-100: 3 epochs of 20,000 images, validation",
          change(COLOUR, SMALL), {
              "three blocks": {},
              "four blocks": strided(32, 64, 128, 128, kernel=5),
              "CIFAR-100, coloured waves": dict(
                  dataset="cifar100", labels=WAVES["labels"], validation_images=1_000),
          }, MINIATURE),
    Study("ff-cnn-channels",
          "Channel-wise goodness, changes for MNIST and CIFAR-10: 3 epochs of 20,000 images, validation",
          {}, [change(DIGITS, each) for each in (
              {}, temperature(1.0), temperature(0.01), dict(lr=3e-3), strided(80, 160, 320, kernel=5),
              *(DEEP | dict(lr=lr) for lr in (3e-4, 1e-3, 3e-3, 1e-2)),
              pooled(20, 40, 80, 80, 80, pool=[None, "max", "max", None, "max"]) | dict(lr=3e-3))]
          + [change(PHOTOGRAPHS, each) for each in (
              strided(80, 160, 320, kernel=5), pooled(80, 160, 320, 640, kernel=3, pool="average"),
              *(DEEP | dict(lr=lr) for lr in (3e-4, 1e-3, 3e-3, 1e-2)), DEEP | temperature(1.0),
              DEEP | temperature(0.01))], MINIATURE),
    Study("channels-drawn", "Channel-wise goodness for the page where one draws a digit: 5 epochs of MNIST",
          change(long("mnist", "cw"), DEEP, dict(lr=3e-4, epochs=5, readout_epochs=5)), [{}], FAST),
    Study("ff-cnn-digits", "Changes for a long run on MNIST: 5 epochs of all its images, shifted, validation",
          change(long("mnist"), dict(epochs=5, readout_epochs=0, splits=["validation"])),
          [{}, dict(lr=3e-4), ALL, ALL | dict(lr=3e-4)], FAST),
    Study("ff-cnn-clothes",
          "Changes for Fashion-MNIST: 3 epochs of 20,000 shifted and mirrored images, validation",
          change(TOGETHER, dict(dataset="fashion_mnist", flip=True)),
          [{}, ALL, ALL | SMALL, ALL | strided(32, 64, 128), ALL | strided(64, 128, 256, kernel=5)],
          MINIATURE),
    Study("ff-cnn-beyond",
          "The ideas that helped, on all images of four datasets; backprop on the same blocks as long",
          {}, [long(dataset, rule, dict(epochs=15 if dataset.startswith("cifar") else 30))
               for dataset in SETS for rule in ("ff", "bp")], FAST),
    Study("ff-cnn-beyond-colour",
          "What the trials on CIFAR-10 found best, on all its images; backprop on the same blocks as long",
          {}, [long("cifar10", rule, SMALL,
                    dict(epochs=epochs, network=dict(negatives_each=9) if rule == "ff" else {}))
               for epochs in (25, 40) for rule in ("ff", "bp")], quick=dict(train_images=1_000)),
    Study("ff-cnn-beyond-slow",
          "The same on MNIST and Fashion-MNIST, at a third of the rate, 40 epochs; backprop keeps its rate",
          {}, [long(dataset, rule, dict(epochs=40, lr=3e-4 if rule == "ff" else 1e-3))
               for dataset in ("mnist", "fashion_mnist") for rule in ("ff", "bp")], FAST),
    Study("ff-cnn-beyond-channels",
          "Channel-wise goodness and backprop in the same four pooled blocks, two rates each, four datasets",
          {}, [long(dataset, rule, DEEP if dataset != "cifar100" else pooled(100, 200, 400, 400),
                    dict(epochs=40, lr=lr))
               for dataset in SETS for rule in ("cw", "bp") for lr in (1e-3, 3e-4)], FAST),
    Study("ff-cnn-beyond-wide", "The same with 128 and 256 filters and for 100 epochs (for a GPU)",
          {}, [long(dataset, rule, strided(width, width, width), dict(epochs=100))
               for dataset in SETS for width in (128, 256) for rule in ("ff", "bp")], FAST),
]
