"""Runs of studies, each of which gives one record: only missing ones are made, by one process or by many."""

import os
import signal
import time
from itertools import product
from pathlib import Path

import pandas as pd
import torch
from filelock import FileLock, Timeout
from joblib import Parallel, delayed
from tqdm import tqdm

from evidence import records, studies
from evidence.studies import Study
from evidence.train import train
from fftools import data
from fftools.fast.precision import resolve_precision
from fftools.fit import OutOfTime, TrainingError

ENDS = "done", "unfinished", "busy"


def run_study(
    study: Study | str,
    profile: str = "quick",
    seeds: int = 1,
    workers: int = 1,
    budget: float | None = None,
    device="auto",
    folder: Path | str | None = None,
    progress: bool = True,
) -> dict[str, int]:
    """Make the missing runs of a study, `workers` at a time, and count how they ended: "done", "unfinished",
    "busy".

    study      one of your own, or the name of one in `studies.STUDIES`
    budget      seconds, after which it stops cleanly, at most an epoch and an evaluation late; what is
               unfinished
               goes on from its saved state the next time
    folder      where the records go, `<folder>/<study>/`, and beside it `runs/`; without one
               `records.folder()`

    A run that another process is making is passed over. A run that diverges or dies keeps a record which says
    so.
    Raises ValueError when seeds, workers or budget are not positive, OSError when there is no room for a
    file.
    """
    check_positive(seeds=seeds, workers=workers, budget=budget)
    study, deadline = studies.find(study), budget and time.time() + budget
    threads = None if workers == 1 else max(1, (os.cpu_count() or 1) // workers)
    options = dict(device=device, progress=progress and not threads, deadline=deadline)
    todo = missing(study, profile, seeds, folder and Path(folder))
    attempts = (delayed(attempt)(study.name, *run, profile, threads, options) for run in todo)
    counts = dict.fromkeys(ENDS, 0)
    ends = Parallel(n_jobs=workers, return_as="generator_unordered")(attempts)
    about = f"{study.name}, {profile}"
    for end, _ in tqdm(ends, total=len(todo), desc=about, unit="run", disable=None if progress else True):
        counts[end] += 1
    return counts


def check_positive(**numbers: float | None) -> None:
    """Raises ValueError when one of the numbers is given and not positive."""
    if any(number is not None and number <= 0 for number in numbers.values()):
        given = ", ".join(map(str, numbers.values()))
        raise ValueError(f"{' and '.join(numbers)} must be positive; got {given}")


def missing(
    study: Study, profile: str, seeds: int, results: Path | None = None
) -> list[tuple[Path, dict, int]]:
    """File, configuration and seed of each run without a record, the whole grid for one seed before the
    next."""
    grid = study.grid(profile)
    runs = (
        (records.path_of(study.name, config, seed, results), config, seed)
        for seed in range(seeds)
        for config in grid
    )
    return [run for run in runs if not run[0].exists()]


def status() -> pd.DataFrame:
    """For each study and profile: configurations in its grid, how many have a record, records in all, and
    failures."""
    rows = []
    for name, profile in product(studies.STUDIES, ("quick", "full")):
        grid, kept = studies.find(name).grid(profile), records.load(name, profile)
        recorded = sum(config in [record["config"] for record in kept] for config in grid)
        failed = sum("failure" in record["history"] for record in kept)
        rows.append((name, profile, len(grid), recorded, len(kept), failed))
    return pd.DataFrame(rows, columns=["study", "profile", "configurations", "recorded", "records", "failed"])


def attempt(study, path, config, seed, profile, threads, options) -> tuple[str, dict | None]:
    """Make a run if it can be made now: how it ended, and its record."""
    if (
        threads
    ):  # a process beside others: they share the cores, and Ctrl-C is for the one that waits for them
        torch.set_num_threads(threads)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    if options["deadline"] and time.time() >= options["deadline"]:
        return "unfinished", None
    try:
        return "done", run(study, config, seed, profile, path=path, wait=False, **options)
    except Timeout:
        return "busy", None
    except OutOfTime:
        return "unfinished", None


def run(
    study: str,
    config: dict,
    seed: int,
    profile: str,
    device="auto",
    progress: bool = True,
    deadline: float | None = None,
    wait: bool = True,
    path: Path | None = None,
) -> dict:
    """Make one run and write its record, or read the record if it is there already.

    A run that two studies have in common is made once: the second takes over the record of the first.
    One process at a time makes a run: another one waits for its record, or raises `filelock.Timeout` without
    `wait`.
    Raises `fit.OutOfTime`, its state saved, when the run cannot end before `deadline` (seconds since the
    epoch).
    The trained network stays in `runs/<study>/`, beside the folder of the records.
    """
    path = path or records.path_of(study, config, seed)
    with FileLock(lock_of(path), timeout=-1 if wait else 0):  # the system frees it when its holder dies
        if not path.exists() and not records.share(path, study, profile):
            _make(study, config, seed, profile, device, path, progress, deadline)
    return records.read(path)


def _make(study, config, seed, profile, device, path, progress, deadline) -> None:
    started = time.monotonic()
    split = dict(seed=seed) if config["dataset"] in data.TABLES else {}  # each run has its own
    dataset = data.load(config["dataset"], device, **config.get("form", {}), **split)
    torch.manual_seed(seed)
    try:
        shown = f"{study} {records.run_of(path)}" if progress else None
        metrics, history = train(config, seed, dataset, path, shown, deadline)
    except TrainingError as error:  # a finding, too: kept, so that nobody makes the same run in vain
        metrics, history = {}, {"failure": str(error)}
    device = dataset.train.labels.device
    seconds = max(
        time.monotonic() - started, history.get("seconds", 0.0)
    )  # the history knows all resumed parts
    where = (
        ("cpu", "float64") if config["rule"] == "logistic" else (device, resolve_precision("auto", device))
    )
    origin = records.provenance(dataset.name, *where, seconds) | {"source": dataset.source}
    records.save(study, config, seed, profile, metrics, history, origin, path)


def lock_of(path: Path) -> Path:
    """The lock of a run, which is the same in every study."""
    lock = path.parents[2] / "runs" / f"{records.run_of(path)}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    return lock
