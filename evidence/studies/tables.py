"""Mono-Forward and its rivals on tables and texts (Table 6), whose networks the paper does not describe."""

from evidence.studies.catalogue import Study
from evidence.studies.mono_forward import FAST, SLOW

# Two ReLU blocks on each table; below those that read words by "ids" is an embedding, see `reviews.imdb`.
LENGTH = dict(shift=0, readout_epochs=0, network=dict(classes=2), splits=["validation", "test"])
TEXTS = dict(dataset="imdb", epochs=6, batch_size=128, **LENGTH)
NETWORKS = {
    "breast_cancer": dict(dataset="breast_cancer", widths=[30, 64, 64], epochs=40, batch_size=32, **LENGTH),
    "imdb-bag": dict(widths=[5_000, 128, 128], form=dict(form="bag"), **TEXTS),
    "imdb-ids": dict(widths=[5_001, 64, 64, 64], form=dict(form="ids"), **TEXTS),
    "santander": dict(dataset="santander", widths=[200, 128, 128], epochs=6, batch_size=128, **LENGTH)}
# Of each rule its rate, or a logistic regression's strength: the best of `mono-tables-rates` by the mean
# accuracy on validation data.
RATES = {"breast_cancer": dict(mf=1e-3, bp=3e-4, logistic=1.0),
         "imdb-bag": dict(mf=1e-4, bp=3e-5, logistic=0.1),
         "imdb-ids": dict(mf=3e-3, bp=3e-3)}


def table(rule: str, data: str, rate: float, **changes) -> dict:
    """A run on a table of `NETWORKS`; rule "logistic" is a plain logistic regression of that strength."""
    config = dict(rule=rule) | NETWORKS[data] | changes
    if rule == "logistic":
        return {key: config[key] for key in ("rule", "dataset", "splits", "form")
                if key in config} | dict(strength=rate)
    return config | dict(lr=rate)


def rules(data: str, rates: tuple[float, ...], **changes) -> list[dict]:
    """As many trials for each rule. (A logistic regression reads the bag of words only.)"""
    strengths = () if data == "imdb-ids" else (1e-3, 0.01, 0.1, 1.0, 10.0)
    return [table(rule, data, rate, **changes) for rule in ("mf", "bp") for rate in rates] + [
        table("logistic", data, strength, **changes) for strength in strengths]


VALIDATION = dict(splits=["validation"])
STUDIES = [
    Study("mono-tables-rates", "Table 6: each rule's rate on tables and texts, on validation data",
          {}, [*rules("breast_cancer", FAST, **VALIDATION),
               *rules("imdb-bag", (1e-5, 3e-5, *SLOW[:3]), **VALIDATION),
               *rules("imdb-ids", (*FAST[1:], 3e-2), **VALIDATION)], quick=dict(epochs=2, train_images=300)),
    Study("mono-tables",
          "Table 6: Mono-Forward, backprop, logistic regression; breast cancer (a seed is a fold), reviews",
          {}, [table(rule, data, rate) for data, rates in RATES.items() for rule, rate in rates.items()],
          quick=dict(epochs=2, train_images=300)),
    Study("mono-santander",
          "Table 6: Santander's table, which the reader brings; the best rate is chosen on validation data",
          {}, rules("santander", (*SLOW, 1e-2)), quick=dict(epochs=1, train_images=1_000)),
]
