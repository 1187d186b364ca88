"""Which records answer a question: values, means over seeds, and the noise they come with."""

import json
from dataclasses import dataclass, replace
from functools import reduce
from statistics import fmean

import numpy as np
import pandas as pd

from evidence import records
from evidence.records import WATCHED


def value_of(record: dict, metric: str) -> float | None:
    """A metric; "test_goodness of 49": its mean over digits 4 and 9; "discrimination 2 first": of block 2, at first watch."""
    name, *rest = metric.split()
    if name == "discrimination":
        watched = record["history"].get("discrimination")
        return watched[0 if rest[1] == "first" else -1][int(rest[0])][1] if watched else None
    if rest:
        matrix = record["history"].get("confusion", {}).get(name)
        return matrix and fmean(matrix[int(digit)][int(digit)] / sum(matrix[int(digit)]) for digit in rest[1])
    return record["metrics"].get(name)


def holds(config: dict, parts: dict) -> bool:
    """Whether a configuration has these parts, at any depth; "none" stands for None, which TOML lacks."""
    return all(holds(config[key], part) if isinstance(part, dict) and isinstance(config.get(key), dict)
               else config.get(key) == (None if part == "none" else part) for key, part in parts.items())


def table(study: str, profile: str | None = None) -> pd.DataFrame:
    """The records of a study as a table: configuration, seed, profile, metrics and provenance as columns."""
    return pd.DataFrame([
        {**r["config"], "seed": r["seed"], "profile": r["profile"], **r["metrics"], **r["provenance"]}
        for r in records.load(study, profile)
    ])


@dataclass(frozen=True)
class Found:
    """Our answer to one query: mean and standard error in %, seeds, and the record it is described by."""

    mean: float
    sd: float  # over the seeds; nan for one seed
    error: float  # standard error: from the seeds, or for one seed from the number of images judged
    seeds: int
    record: dict
    alone: bool = True  # whether no other configuration that fits comes near


def ask(query: dict, profile: str) -> Found | None:
    """The best configuration among a study's records that hold `where`: its mean over seeds. None without a record.

    For a number on test images the best is the best on validation images, where the records know it.
    """
    groups: dict[str, list] = {}
    for record in records.load(query["study"], profile):
        value = value_of(record, query["metric"])
        if value is not None and holds(record["config"], query.get("where", {})):
            groups.setdefault(json.dumps(record["config"], sort_keys=True), []).append(record)
    judge = query["metric"].replace("test_", "val_", 1)
    if any(value_of(record, judge) is None for group in groups.values() for record in group):
        judge = query["metric"]
    ranked = sorted(groups.values(), key=lambda group: -sign(query) * _over_seeds(group, judge).mean)
    found = [_over_seeds(group, query["metric"]) for group in ranked]
    if len(found) > 1 and abs(found[0].mean - found[1].mean) <= noise(*found[:2]):
        return replace(found[0], alone=False)
    return found[0] if found else None


def _over_seeds(kept: list[dict], metric: str) -> Found:
    values = [100 * value_of(record, metric) for record in kept]
    mean, sd = float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")
    error = sd if len(values) > 1 else 100 * (mean / 100 * (1 - mean / 100) / _judged(kept[0], metric)) ** 0.5
    return Found(mean, sd, error / len(values) ** 0.5, len(values), kept[0])


def sign(query: dict) -> int:
    return -1 if query["metric"].endswith("error") else 1


def _judged(record: dict, metric: str) -> int:
    """How many answers a metric is the mean of."""
    name, *rest = metric.split()
    config, counted = record["config"], record["history"].get("confusion", {}).get(name)
    if counted and not rest:
        return sum(map(sum, counted))
    images = config.get("validation_images", 10_000) if name.startswith("val") else 10_000
    if name == "discrimination":
        return 2 * min(WATCHED, config.get("validation_images", WATCHED))  # as positive and as negative data
    return images * len(rest[1]) // 10 if rest else images


def noise(one: Found, other: Found) -> float:
    return float(2 * np.hypot(one.error, other.error))


def part(config: dict, path: str):
    return reduce(dict.get, path.split("."), config)
