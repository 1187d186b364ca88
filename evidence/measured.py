"""What a chapter measures itself (times, memory, operations, repairs), kept as a record like any run's."""

import os

from evidence import records

STUDY = "measured"
KEPT = "FFTOOLS_KEEP_MEASURED"  # set by `make run`, whose outputs are kept; a reader's or a test's run writes nothing


def measured(
    name: str,
    metrics: dict[str, float | list[float]],
    *,
    exact: bool = False,
    dataset: str = "random images",
    device="cpu",
    precision: str = "float32",
    seconds: float = 0.0,
    **scale,
) -> None:
    """Write `results/measured/<name>.json`, whole or not at all, when a chapter is executed to be kept.

    metrics    by name, each a number or a list with a value for each repetition (at least three decide a comparison)
    exact      for what is counted, like operations or allocated bytes, and comes out the same each time
    scale      what the numbers depend on: widths, batch size, epochs, …; a claim's `at` is compared with it

    Raises ValueError for a name that is no file name, or without any metric.
    """
    if not metrics or not name.replace("-", "").isalnum():
        raise ValueError(
            f"a measurement has a name of letters, digits and -, and metrics; got {name!r} and {metrics}"
        )
    if not os.environ.get(KEPT):
        return
    path = records.folder() / STUDY / f"{name}.json"
    number = lambda value: [float(x) for x in value] if isinstance(value, list | tuple) else float(value)
    records.write_json(
        path,
        dict(
            study=STUDY,
            config=dict(name=name, exact=exact, **scale),
            seed=0,
            profile="full",
            history={},
            metrics={metric: number(value) for metric, value in metrics.items()},
            provenance=records.provenance(dataset, device, precision, seconds),
        ),
    )
