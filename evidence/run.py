"""Runs of the named studies, each of which gives one record: only missing runs are made, by one or by many processes."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import torch
from filelock import FileLock, Timeout
from joblib import Parallel, delayed
from tqdm import tqdm

from evidence import records, studies
from evidence.train import train
from fftools import data
from fftools.fast.precision import resolve_precision
from fftools.fit import OutOfTime, TrainingError


def run_study(name: str, profile: str = "quick", seeds: int = 1, workers: int = 1, budget: float | None = None,
              device="auto") -> dict[str, int]:
    """Make the missing runs of a study, `workers` at a time, and count how they ended: "done", "unfinished", "busy".

    Stops cleanly after `budget` seconds, at most an epoch and an evaluation late; what is unfinished goes on from its
    saved state the next time.
    A run that another process is making is passed over. A run that diverges or dies keeps a record which says so.
    Raises ValueError when seeds, workers or budget are not positive.
    """
    check_positive(seeds=seeds, workers=workers, budget=budget)
    deadline = None if budget is None else time.time() + budget
    todo = [run for run in runs(name, profile, seeds) if not records.path_of(name, *run).exists()]
    threads = None if workers == 1 else max(1, (os.cpu_count() or 1) // workers)
    jobs = (delayed(_attempt)(name, config, seed, profile, device, deadline, threads) for config, seed in todo)
    ends = Parallel(n_jobs=workers, return_as="generator_unordered")(jobs)
    counts = dict(done=0, unfinished=0, busy=0)
    for end in tqdm(ends, total=len(todo), desc=f"{name}, {profile}", unit="run"):
        counts[end] += 1
    return counts


def check_positive(**numbers: float | None) -> None:
    """Raises ValueError when one of the numbers is given and not positive."""
    if any(number is not None and number <= 0 for number in numbers.values()):
        raise ValueError(f"{' and '.join(numbers)} must be positive; got {', '.join(map(str, numbers.values()))}")


def runs(name: str, profile: str, seeds: int = 1) -> Iterator[tuple[dict, int]]:
    """Configuration and seed of each run, the whole grid for one seed before the next."""
    for seed in range(seeds):
        for config in studies.STUDIES[name].grid(profile):
            yield config, seed


def status() -> pd.DataFrame:
    """For each study and profile: configurations in its grid, how many have a record, records in all, and failures."""
    rows = []
    for name, study in studies.STUDIES.items():
        for profile in ("quick", "full"):
            grid, kept = study.grid(profile), records.load(name, profile)
            rows.append(dict(study=name, profile=profile, configurations=len(grid),
                             recorded=sum(config in [r["config"] for r in kept] for config in grid),
                             records=len(kept), failed=sum("failure" in r["history"] for r in kept)))
    return pd.DataFrame(rows)


def _attempt(name, config, seed, profile, device, deadline, threads) -> str:
    if threads:
        torch.set_num_threads(threads)
    if deadline and time.time() >= deadline:
        return "unfinished"
    try:
        run(name, config, seed, profile, device, progress=threads is None, deadline=deadline, wait=False)
    except Timeout:
        return "busy"
    except OutOfTime:
        return "unfinished"
    return "done"


def run_on_ray(name: str, profile: str = "quick", seeds: int = 1, address: str = "local", gpus: float = 0.0,
              budget: float | None = None) -> dict[str, int]:
    """Make the missing runs of a study on a Ray cluster and count how they ended, as `run_study` does.

    address    of the cluster, "auto" for the one this machine belongs to, "local" to start one here
    budget     seconds, after which runs stop cleanly, to go on from their saved states the next time
    gpus       share of a GPU that each run takes: 0.25 puts four runs on a card; 0 gives each run one CPU core

    A worker, on which `fftools` is installed, makes its run as any process does, saved state and lock included; the
    record travels back and is written here if no shared folder has it already. A run whose worker dies is given to
    another one. Raises ValueError when seeds or budget are not positive, gpus is negative, or Ray is missing.
    """
    check_positive(seeds=seeds, budget=budget)
    if gpus < 0:
        raise ValueError(f"gpus must not be negative; got {gpus}")
    try:
        import ray
    except ImportError as error:
        raise ValueError("this needs Ray: pip install 'ray>=2.40'") from error
    deadline = None if budget is None else time.time() + budget
    todo = [run for run in runs(name, profile, seeds) if not records.path_of(name, *run).exists()]
    if not ray.is_initialized():
        ray.init(address=None if address == "local" else address, log_to_driver=False)
    folders = dict(FFTOOLS_RESULTS_DIR=str(records.folder()), FFTOOLS_DATA_DIR=str(data.folder()))
    attempt = ray.remote(num_cpus=0 if gpus else 1, num_gpus=gpus, max_retries=5,
                         runtime_env=dict(env_vars=folders))(_attempt_on_ray)
    waiting = [attempt.remote(name, config, seed, profile, deadline) for config, seed in todo]
    counts = dict(done=0, unfinished=0, busy=0)
    with tqdm(total=len(todo), desc=f"{name}, {profile}, Ray", unit="run") as bar:
        while waiting:
            (ready,), waiting = ray.wait(waiting)
            end, record = ray.get(ready)
            if record and not (path := records.path_of(name, record["config"], record["seed"])).exists():
                records.write_json(path, record)
            counts[end] += 1
            bar.update()
    return counts


def _attempt_on_ray(name, config, seed, profile, deadline) -> tuple[str, dict | None]:
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", 1)))
    if deadline and time.time() >= deadline:
        return "unfinished", None
    try:
        return "done", run(name, config, seed, profile, progress=False, deadline=deadline, wait=False)
    except Timeout:
        return "busy", None
    except OutOfTime:
        return "unfinished", None


def run(study: str, config: dict, seed: int, profile: str, device="auto", progress: bool = True,
        deadline: float | None = None, wait: bool = True) -> dict:
    """Make one run and write its record, or read the record if it is there already.

    A run that two studies have in common is made once: the second takes over the record of the first.
    One process at a time makes a run: another one waits for its record, or raises `filelock.Timeout` without `wait`.
    Raises `fit.OutOfTime`, its state saved, when the run cannot end before `deadline` (seconds since the epoch).
    The trained network stays in `runs/<study>/`, beside the folder of the records.
    """
    path = records.path_of(study, config, seed)
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
        metrics, history = train(config, seed, dataset, path, f"{study} {records.run_of(path)}" if progress else None, deadline)
    except TrainingError as error:  # a finding, too: kept, so that nobody makes the same run in vain
        metrics, history = {}, {"failure": str(error)}
    device = dataset.train.labels.device
    seconds = max(time.monotonic() - started, history.get("seconds", 0.0))  # of a resumed run, the history knows all parts
    where = ("cpu", "float64") if config["rule"] == "logistic" else (device, resolve_precision("auto", device))
    origin = records.provenance(dataset.name, *where, seconds)
    records.save(study, config, seed, profile, metrics, history, origin)


def lock_of(path: Path) -> Path:
    """The lock of a run, which is the same in every study."""
    lock = path.parents[2] / "runs" / f"{records.run_of(path)}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    return lock
