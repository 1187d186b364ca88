"""What a chapter measures itself (times, memory, operations, repairs), kept as a record like any run's."""

import os

from evidence import records
from fftools.inputs import expect

STUDY = "measured"
KEPT = "FFTOOLS_KEEP_MEASURED"  # set by `make run`, whose outputs are kept; other runs write nothing


def measured(name: str, metrics: dict[str, float | list[float]], *, exact: bool = False,
             dataset: str = "random images", device="cpu", precision: str = "float32", seconds: float = 0.0,
             **scale) -> None:  # fmt: skip
    """Write `results/measured/<name>.json`, whole or not at all, when a chapter is executed to be kept.

    metrics   numbers by name, or lists, a value for each repetition: from three on they decide a comparison
    exact     whether the numbers are counted, like operations or bytes, and always come out the same
    scale     what they depend on: widths, batch size, epochs, …; a claim's `at` is compared with it

    Raises ValueError for a name that is no file name, or without any metric.
    """
    fits = metrics and name.replace("-", "").isalnum()
    expect(fits, "a measurement has a name of letters, digits and -, and metrics", name, metrics)
    if os.environ.get(KEPT):
        number = lambda value: [float(x) for x in value] if isinstance(value, list | tuple) else float(value)
        numbers = {key: number(value) for key, value in metrics.items()}
        config = dict(name=name, exact=exact, **scale)
        origin = records.provenance(dataset, device, precision, seconds)
        path = records.folder() / STUDY / f"{name}.json"
        records.save(STUDY, config, 0, "full", numbers, {}, origin, path)
