"""What a study is, and configurations of single runs, each the best or the paper's own but for the changes one asks for."""

from dataclasses import dataclass


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


THROUGH = dict(local=False)  # the other reading: the cumulative loss goes back through the whole stack


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


def searched(width: int = 128, kernel: int = 7, network: dict | None = None, labels: dict | None = None, **changes) -> dict:
    """An FF-CNN of the paper's search (Section 3.2): judged on validation images only, as there."""
    return ff_cnn(width, kernel, network, labels, **{"splits": ["validation"], **changes})


def stack(*widths: int, kernel: int, pool: bool = False) -> dict:
    """Blocks with these widths. A pooled map is padded: unpadded 7×7 filters leave nothing to convolve after two poolings."""
    return dict(channels=1, widths=list(widths), kernel=kernel) | (dict(padding="same", pool="max") if pool else {})


ARTICLE = dict(rule="article", dataset="mnist", widths=[784, 512, 512], lr=0.03, steps=1000, batch_images=20_000,
               batches=3, network=dict(goodness="mean", threshold=3.0, norm="length"))


def table(rule: str, dataset: str, form: str | None = None, **changes) -> dict:
    """Configuration of a run for Table 6 of Mono-Forward, whose networks the paper does not describe: two ReLU blocks.

    `form` is that of `tables.imdb`; a network for "ids" has an embedding below the two. Rule "logistic" is a plain logistic
    regression. Its `strength`, like a network's `lr`, is from `TABLE_RATES` if not given.
    """
    base = dict(rule=rule, dataset=dataset, splits=["validation", "test"]) | (dict(form=dict(form=form)) if form else {})
    if rule == "logistic":
        return base | (changes if "strength" in changes else dict(strength=TABLE_RATES[dataset, form][rule]) | changes)
    widths = {"breast_cancer": [30, 64, 64], "santander": [200, 128, 128],
              "imdb": [5_001, 64, 64, 64] if form == "ids" else [5_000, 128, 128]}[dataset]
    length = dict(epochs=40, batch_size=32) if dataset == "breast_cancer" else dict(epochs=6, batch_size=128)
    base |= dict(widths=widths, **length, shift=0, readout_epochs=0, network=dict(classes=2))
    return base | (changes if "lr" in changes else dict(lr=TABLE_RATES[dataset, form][rule]) | changes)


# The best of those that `mono-tables-rates` tried, by the mean accuracy on validation data.
TABLE_RATES = {("breast_cancer", None): dict(mf=1e-3, bp=3e-4, logistic=1.0),
               ("imdb", "bag"): dict(mf=1e-4, bp=3e-5, logistic=0.1), ("imdb", "ids"): dict(mf=3e-3, bp=3e-3)}
