"""Beyond the FF-CNN paper: ideas of ours and of others, alone and together, on four datasets."""

from evidence.studies.catalogue import Study
from evidence.studies.ff_cnn import bp_cnn, cnn_trial, ff_cnn


def idea(network: dict | None = None, labels: dict | None = None, **changes) -> dict:
    """A trial of something the FF-CNN paper does not have: strictly local, 32 filters 7×7, 10 epochs of 5,000 images."""
    return cnn_trial(32, 7, network, labels, **dict(lr=1e-3, train_images=5_000, validation_images=5_000) | changes)


TOLD_APART = dict(loss="symmetric", temperature=100.0)  # positive and negative goodness have to differ by more than T
HELPED = TOLD_APART | dict(negatives_each=3)
ALL = dict(negatives="all", negatives_each=1)  # every wrong label once, in place of some that are drawn


def strided(*widths: int, kernel: int = 7, channels: int = 1) -> dict:
    """Padded blocks, each of which halves the edges of its map: less work than unpadded ones."""
    return dict(channels=channels, widths=list(widths), kernel=kernel, padding="same", stride=2)


def together(network: dict | None = None, labels: dict | None = None, **changes) -> dict:
    """A trial of the ideas that helped, in one network: 3 epochs of 20,000 shifted images, too many to be learned by heart."""
    base = dict(train_images=20_000, epochs=3, shift=1, blocks=strided(64, 64, 64))
    return idea(HELPED | (network or {}), labels, **base | changes)


def in_colour(network: dict | None = None, labels: dict | None = None, **changes) -> dict:
    """The same trial on CIFAR-10, its images shifted by two pixels and mirrored."""
    base = dict(dataset="cifar10", shift=2, flip=True, blocks=strided(64, 64, 64, channels=3))
    return together(network, labels, **base | changes)


def beyond(dataset: str, rule: str = "ff", width: int = 64, epochs: int = 30, network: dict | None = None, **changes) -> dict:
    """The ideas that helped, on all training images, shifted and (but for digits) mirrored; or another rule on such blocks.

    `rule` is "ff", with a label in the image; "cw", channel-wise goodness with a linear read-out beside it; or "bp".
    A hundred classes get coloured waves: phases, which would have to tell them apart otherwise, are lost on a sliding window.
    """
    if rule not in ("ff", "cw", "bp"):
        raise ValueError(f'rule must be "ff", "cw" or "bp"; got {rule!r}')
    colour, classes = dataset.startswith("cifar"), dict(classes=100) if dataset == "cifar100" else {}
    base = dict(dataset=dataset, epochs=epochs, shift=2 if colour else 1, flip=dataset != "mnist", lr=1e-3, validate_every=2,
                blocks=strided(width, width, width, channels=3 if colour else 1)) | changes
    if rule == "bp":
        return bp_cnn(**base, network=classes)
    if rule == "cw":
        return bp_cnn(**dict(readout_epochs=10) | base, network=classes | (network or {})) | dict(rule="cw")
    waves = classes | dict(set=2, colours=True) if classes else {}
    return ff_cnn(network=HELPED | (network or {}), labels=waves, **base)


def shared_out(dataset: str = "mnist", network: dict | None = None, **changes) -> dict:
    """The same trial for channel-wise goodness: 3 epochs of 20,000 shifted (and, but for digits, mirrored) images."""
    small = dict(epochs=3, train_images=20_000, validation_images=5_000, readout_epochs=0, splits=["validation"])
    if dataset == "mnist":
        small["blocks"] = strided(60, 60, 60)
    return beyond(dataset, "cw", network=network, **small | changes)


def pooled(*widths: int, kernel: int = 5, channels: int = 1, pool: str | list = "max") -> dict:
    """Padded blocks with 2×2 pooling: a network may be deep and still see few places above."""
    return dict(channels=channels, widths=list(widths), kernel=kernel, padding="same", pool=pool)


SMALL, LARGE = (strided(*widths, kernel=5, channels=3) for widths in ((32, 64, 128), (64, 128, 256)))
DEEP = 40, 80, 160, 160  # four pooled blocks, whose channels ten classes can share
STUDIES: dict[str, Study] = {
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
         idea(blocks=strided(64, 64, 64))),
        quick=dict(epochs=2, train_images=2_000, validation_images=1_000)),
    "ff-cnn-together": Study(
        "The ideas that helped, together, and what may still be changed: 3 epochs of 20,000 shifted images, validation",
        (together(), together(dict(first_loss=0, first_judge=0)),
         together(dict(temperature=30.0)), together(dict(temperature=300.0)), together(dict(negatives_each=9)),
         together(labels=dict(strength=0.2)), together(labels=dict(strength=0.5)), together(lr=3e-3),
         together(blocks=strided(64, 64, 64, kernel=5)), together(blocks=strided(64, 64, 64, 64)),
         together(blocks=strided(32, 64, 128)), together(ALL), together(ALL, blocks=strided(32, 64, 128, kernel=5)),
         together(blocks=pooled(*DEEP))),
        quick=dict(epochs=2, train_images=2_000, validation_images=1_000)),
    "ff-cnn-colour": Study(
        "What may be changed for CIFAR-10: 3 epochs of 20,000 shifted and mirrored images, validation",
        (in_colour(), in_colour(blocks=strided(32, 64, 128, channels=3)), in_colour(blocks=SMALL),
         in_colour(dict(temperature=300.0), dict(strength=0.2), blocks=SMALL), in_colour(dict(negatives_each=9), blocks=SMALL),
         in_colour(blocks=LARGE), in_colour(dict(temperature=300.0), blocks=SMALL),
         in_colour(labels=dict(strength=0.2), blocks=SMALL),
         *(in_colour(lr=lr, blocks=SMALL) for lr in (3e-3, 3e-4)),
         *(in_colour(ALL | more, blocks=SMALL) for more in
           ({}, dict(first_loss=0), dict(goodness="place", temperature=10.0), dict(temperature=30.0)))),
        quick=dict(epochs=2, train_images=2_000, validation_images=1_000)),
    "ff-cnn-channels": Study(
        "Channel-wise goodness: what may be changed, 3 epochs of 20,000 shifted images of MNIST and of CIFAR-10, validation",
        (shared_out(), shared_out(network=dict(temperature=1.0)), shared_out(network=dict(temperature=0.01)),
         shared_out(lr=3e-3), shared_out(blocks=strided(80, 160, 320, kernel=5)),
         *(shared_out(blocks=pooled(*DEEP), lr=lr) for lr in (3e-4, 1e-3, 3e-3, 1e-2)),
         shared_out(blocks=pooled(20, 40, 80, 80, 80, pool=[None, "max", "max", None, "max"]), lr=3e-3),
         shared_out("cifar10", blocks=strided(80, 160, 320, kernel=5, channels=3)),
         shared_out("cifar10", blocks=pooled(80, 160, 320, 640, kernel=3, channels=3, pool="average")),
         *(shared_out("cifar10", blocks=pooled(*DEEP, channels=3), lr=lr) for lr in (3e-4, 1e-3, 3e-3, 1e-2)),
         *(shared_out("cifar10", dict(temperature=t), blocks=pooled(*DEEP, channels=3)) for t in (1.0, 0.01))),
        quick=dict(epochs=2, train_images=2_000, validation_images=1_000)),
    "ff-cnn-digits": Study(
        "What may be changed for a long run on MNIST: 5 epochs of its training images, shifted, validation",
        tuple(beyond("mnist", epochs=5, network=network, readout_epochs=0, splits=["validation"], **more)
              for network, more in (({}, {}), ({}, dict(lr=3e-4)), (ALL, {}), (ALL, dict(lr=3e-4)))),
        quick=dict(epochs=1, train_images=1_000)),
    "ff-cnn-clothes": Study(
        "What may be changed for Fashion-MNIST: 3 epochs of 20,000 shifted and mirrored images, validation",
        tuple(together(network, dataset="fashion_mnist", flip=True, **shape) for network, shape in
              (({}, {}), (ALL, {}), (ALL, dict(blocks=strided(32, 64, 128, kernel=5))),
               (ALL, dict(blocks=strided(32, 64, 128))), (ALL, dict(blocks=strided(64, 128, 256, kernel=5))))),
        quick=dict(epochs=2, train_images=2_000, validation_images=1_000)),
    "ff-cnn-beyond": Study(
        "The ideas that helped, on all images of four datasets, and backprop on the same blocks for as many epochs",
        tuple(beyond(dataset, rule, epochs=epochs) for dataset, epochs in
              (("mnist", 30), ("fashion_mnist", 30), ("cifar10", 15), ("cifar100", 15)) for rule in ("ff", "bp")),
        quick=dict(epochs=1, train_images=1_000)),
    "ff-cnn-beyond-colour": Study(
        "What the trials on CIFAR-10 found best, on all its images, and backprop on the same blocks for as many epochs",
        tuple(beyond("cifar10", rule, epochs=epochs, network=dict(negatives_each=9), blocks=SMALL)
              for epochs in (25, 40) for rule in ("ff", "bp")),
        quick=dict(train_images=1_000)),
    "ff-cnn-beyond-slow": Study(
        "The same on digits and clothes, at a third of the rate and for 40 epochs; backprop keeps its rate",
        tuple(beyond(dataset, rule, epochs=40, **dict(lr=3e-4) if rule == "ff" else {})
              for dataset in ("mnist", "fashion_mnist") for rule in ("ff", "bp")),
        quick=dict(epochs=1, train_images=1_000)),
    "ff-cnn-beyond-channels": Study(
        "Channel-wise goodness and backprop in the same four pooled blocks, at two rates each, on all images of four datasets",
        tuple(beyond(dataset, rule, epochs=40, lr=lr,
                     blocks=pooled(*widths, channels=3 if dataset.startswith("cifar") else 1))
              for dataset, widths in (("mnist", DEEP), ("fashion_mnist", DEEP), ("cifar10", DEEP),
                                      ("cifar100", (100, 200, 400, 400)))
              for rule in ("cw", "bp") for lr in (1e-3, 3e-4)),
        quick=dict(epochs=1, train_images=1_000)),
    "ff-cnn-beyond-wide": Study(
        "The same with 128 and 256 filters and for 100 epochs (for a GPU)",
        tuple(beyond(dataset, rule, width, epochs=100) for dataset in ("mnist", "fashion_mnist", "cifar10", "cifar100")
              for width in (128, 256) for rule in ("ff", "bp")), quick=dict(epochs=1, train_images=1_000)),
}
