"""Mono-Forward and its rivals on tables and texts (Table 6)."""

from collections.abc import Iterator

from evidence.studies.catalogue import Study
from evidence.studies.mono_forward import FAST, SLOW


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


def tuned(dataset: str, form: str | None, rates: tuple[float, ...], **changes) -> Iterator[dict]:
    """As many trials for each rule: its rate, or a logistic regression's strength. (It reads the bag of words only.)"""
    yield from (table(rule, dataset, form, lr=lr, **changes) for rule in ("mf", "bp") for lr in rates)
    if form != "ids":
        yield from (table("logistic", dataset, form, strength=strength, **changes) for strength in (1e-3, 0.01, 0.1, 1.0, 10.0))


STUDIES: dict[str, Study] = {
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
