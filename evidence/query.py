"""Which records answer a question: values by seed, their mean, and whether two means differ."""

import json
import math
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from statistics import fmean

import numpy as np
import pandas as pd
from scipy import stats

from evidence import records

SEEDS = 3  # below that, no comparison is decided


def value_of(record: dict, metric: str) -> float | list[float] | None:
    """A metric of a record (a chapter's own may be a list, a value for each repetition), or None.

    "test_goodness of 49"      the mean over digits 4 and 9; "least of", "most of": the worst, the best
    "discrimination 2 first"   block 2's discrimination accuracy when first watched; "… last": at the end
    "validation curve"         the mean over all epochs that were watched: the higher, the faster
    """
    name, *rest = metric.split()
    history = record["history"]
    if name == "discrimination":
        watched = history.get("discrimination")
        return watched[0 if rest[1] == "first" else -1][int(rest[0])][1] if watched else None
    if rest == ["curve"]:
        return fmean(right for _, right in history[name]) if history.get(name) else None
    if rest:
        matrix = history.get("confusion", {}).get(name)
        over = {"least": min, "most": max}.get(rest[0], fmean)
        return matrix and over([matrix[digit][digit] / sum(matrix[digit]) for digit in map(int, rest[-1])])
    return record["metrics"].get(name)


def images_of(record: dict, metric: str) -> int:
    """How many images an accuracy of a record counts: "val_…" or "test_…"; 10,000 where it does not say."""
    split = metric.split("_")[0]
    for name, matrix in record["history"].get("confusion", {}).items():
        if name.startswith(split):
            return sum(map(sum, matrix))
    return record["config"].get("validation_images", 10_000) if split == "val" else 10_000


def holds(config: dict, parts: dict) -> bool:
    """Whether a configuration has these parts, at any depth; "none": None, false or missing."""
    return all(fits(config.get(key), part) for key, part in parts.items())


def fits(ours, part) -> bool:
    """Whether one value of a configuration is the `part` asked for; "any" is whatever it is."""
    if isinstance(part, dict):
        return holds(ours or {}, part)
    return part == "any" or (not ours if part == "none" else ours == part)


def table(study: str, profile: str | None = None) -> pd.DataFrame:
    """The records of a study as a table: configuration, seed, profile, metrics and provenance as columns."""
    about = lambda r: dict(
        record=records.path_of(r["study"], r["config"], r["seed"]).name, seed=r["seed"], profile=r["profile"]
    )
    row = lambda r: about(r) | r["config"] | r["metrics"] | r["provenance"]
    return pd.DataFrame([row(record) for record in records.load(study, profile)])


@dataclass(frozen=True)
class Found:
    """Our answer to one query: its values by seed, and a record that says of what.

    seed_error  a single seed's error: between seeds in the study's other runs, and of counting images
    exact       counted rather than trained or timed (operations, bytes): needs no seeds
    precision   of all its runs, which need not be of one machine: "bf16", "bf16 and float32", …
    """

    values: dict[int, float]
    record: dict = field(repr=False)
    seed_error: float = math.nan
    exact: bool = False
    precision: str = ""

    @property
    def seeds(self) -> int:
        return len(self.values)

    @property
    def mean(self) -> float:
        return float(np.mean(list(self.values.values())))

    @property
    def sd(self) -> float:
        return float(np.std(list(self.values.values()), ddof=1)) if self.seeds > 1 else math.nan

    @property
    def error(self) -> float:
        return 0.0 if self.exact else self.sd / self.seeds**0.5 if self.seeds > 1 else self.seed_error


def every(query: dict, at: dict | None = None, scale: float = 100) -> list[Found]:
    """What a study's full-scale records that hold `where` and `at` have on a query, values times `scale`.

    The best on validation images comes first. Raises ValueError where only test images could choose.
    """
    groups, metric = {}, query["metric"]
    files = (records.folder() / query["study"]).glob("*.json")
    state = tuple((file.name, (now := file.stat()).st_ino, now.st_mtime_ns) for file in files)
    for record in _kept(records.folder(), query["study"], state):
        if value_of(record, metric) is not None:
            groups.setdefault(json.dumps(record["config"], sort_keys=True), []).append(record)
    spread = [found.sd**2 for group in groups.values() if (found := _found(group, metric, scale)).seeds > 1]
    between = math.sqrt(fmean(spread)) if spread else 0.0
    wanted = query.get("where", {}), at or {}
    fitting = [
        group for group in groups.values() if all(holds(group[0]["config"], parts) for parts in wanted)
    ]
    if len(fitting) > 1:
        judge = metric.replace("test_", "val_", 1)
        if any(value_of(record, judge) is None for group in fitting for record in group):
            raise ValueError(f"{len(fitting)} configurations fit {query}, and no validation images choose")
        fitting.sort(key=lambda group: _found(group, judge, scale).mean, reverse=not query.get("lower"))
    return [_found(group, metric, scale, between) for group in fitting]


@lru_cache(maxsize=64)
def _kept(folder: Path, study: str, state: tuple) -> list[dict]:
    """The records at full scale, read again when a file has changed."""
    return records.load(study, "full")


def ask(query: dict, at: dict | None = None, scale: float = 100) -> Found | None:
    """The best of `every`; None without a record."""
    return next(iter(every(query, at, scale)), None)


def _found(kept: list[dict], metric: str, scale: float, between: float = 0.0) -> Found:
    values = {record["seed"]: value_of(record, metric) for record in kept}
    if isinstance(first := next(iter(values.values())), list):
        values = dict(enumerate(first))
    config, (name, *digits), share = kept[0]["config"], metric.split(), values[min(values)]
    images = images_of(kept[0], name)
    images = images * len(digits[-1]) // 10 if digits else images
    counted = name.startswith(("val_", "test_")) and 0 <= share <= 1
    counting = scale * math.sqrt(share * (1 - share) / images) if counted else 0.0
    scaled, error = {seed: scale * value for seed, value in values.items()}, math.hypot(counting, between)
    precision = " and ".join(sorted({record["provenance"]["precision"] for record in kept}))
    return Found(scaled, kept[0], error or math.nan, config.get("exact", False), precision)


def difference(one: Found, other: Found) -> Found:
    """`one` minus `other`, by the seeds that they share."""
    shared = sorted(one.values.keys() & other.values.keys())
    gaps = {seed: one.values[seed] - other.values[seed] for seed in shared}
    seed_error, exact = math.hypot(one.seed_error, other.seed_error), one.exact and other.exact
    return Found(gaps, one.record, seed_error, exact, one.precision)


def interval(one: Found, other: Found) -> tuple[float, float] | None:
    """95 % confidence interval of mean `one` − mean `other` by a t-test; None with fewer than three seeds.

    Paired where both share three seeds or more, else Welch's. Counted values have no error.
    """
    gap, paired = one.mean - other.mean, difference(one, other)
    if paired.exact:
        return gap, gap
    if paired.seeds >= SEEDS:
        gap, error, freedom = paired.mean, paired.error, paired.seeds - 1
    elif min(one.seeds, other.seeds) >= SEEDS:
        a, b = one.error**2, other.error**2
        error = math.sqrt(a + b)
        freedom = error**4 / ((a**2 / (one.seeds - 1) + b**2 / (other.seeds - 1)) or 1)
    else:
        return None
    reach = float(stats.t.ppf(0.975, max(freedom, 1))) * error
    return gap - reach, gap + reach
