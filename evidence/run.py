"""Makes the runs of a study that have no record yet, in one process or several."""

import os
import signal
import time
from itertools import product
from pathlib import Path

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
from fftools.inputs import expect

ENDS = "done", "unfinished", "busy"


def run_study(study: Study | str, profile: str = "quick", seeds: int = 1, workers: int = 1,
              budget: float | None = None, device="auto", folder: Path | str | None = None,
              progress: bool = True) -> dict[str, int]:  # fmt: skip
    """Make the missing runs of a study, and count how they ended: "done", "unfinished", "busy" elsewhere.

    study      one of your own, or the name of one in `studies.STUDIES`
    workers    runs at a time, each in a process of its own
    budget     seconds until it stops, at most an epoch and an evaluation late; it goes on the next time
    folder     where the records go, `<folder>/<study>/`, and beside it `runs/`; or `records.folder()`

    A run that diverges or dies keeps a record which says so. Raises ValueError when seeds, workers or budget
    are not positive, OSError when there is no room for a file.
    """
    check_positive(seeds=seeds, workers=workers, budget=budget)
    study, deadline = studies.find(study), budget and time.time() + budget
    threads = None if workers == 1 else max(1, (os.cpu_count() or 1) // workers)
    options = dict(device=device, progress=progress and not threads, deadline=deadline)
    todo = missing(study, profile, seeds, folder and Path(folder))
    attempts = (delayed(attempt)(study.name, *run, profile, threads, options) for run in todo)
    ends = Parallel(n_jobs=workers, return_as="generator_unordered")(attempts)
    counts, about = dict.fromkeys(ENDS, 0), f"{study.name}, {profile}"
    for end, _ in tqdm(ends, total=len(todo), desc=about, unit="run", disable=None if progress else True):
        counts[end] += 1
    return counts


def check_positive(**numbers: float | None) -> None:
    """Raises ValueError when one of the numbers is given and not positive."""
    positive = all(number is None or number > 0 for number in numbers.values())
    expect(positive, f"{' and '.join(numbers)} must be positive", **numbers)


def missing(
    study: Study, profile: str, seeds: int, results: Path | None = None
) -> list[tuple[Path, dict, int]]:
    """File, configuration and seed of each run without a record; one seed of all runs before the next."""
    asked = product(range(seeds), study.grid(profile))
    runs = ((records.path_of(study.name, config, seed, results), config, seed) for seed, config in asked)
    return [run for run in runs if not run[0].exists()]


def attempt(study, path, config, seed, profile, threads, options) -> tuple[str, dict | None]:
    """Make a run if it can be made now: how it ended, its record. `threads`: of one process of several."""
    if threads:
        torch.set_num_threads(threads)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that waits for these
    if options["deadline"] and time.time() >= options["deadline"]:
        return "unfinished", None
    try:
        return "done", run(study, config, seed, profile, path=path, wait=False, **options)
    except Timeout:
        return "busy", None
    except OutOfTime:
        return "unfinished", None


def run(study: str, config: dict, seed: int, profile: str, device="auto", progress: bool = True,
        deadline: float | None = None, wait: bool = True, path: Path | None = None) -> dict:  # fmt: skip
    """Return the record of one run: read it, copy it from another study that made the same run, or make it.

    One process at a time makes a run. Another one waits for its record or, without `wait`, raises
    `filelock.Timeout`. Raises `fit.OutOfTime`, its state saved, when the run cannot end before `deadline`
    (seconds since the epoch). The trained network stays in `runs/<study>/`, beside the folder of the records.
    """
    path = path or records.path_of(study, config, seed)
    with FileLock(lock_of(path), timeout=-1 if wait else 0):  # the system frees it when its holder dies
        if not path.exists() and not records.share(path, study, profile):
            _make(study, config, seed, profile, device, path, progress, deadline)
    return records.read(path)


def again(path: Path, **options) -> dict:
    """Make a recorded run anew; what was kept of it is not used and not touched. Options as in `run`.

    The new record lies in `runs/again/`, beside the folder of the records, and is there the next time.
    Raises ValueError as `records.read`, and for a record that no study trained.
    """
    kept, path = records.read(path), path.resolve()
    trained = "rule" in kept["config"] and "dataset" in kept["config"]
    expect(trained, f"{path.name} must be the record of a trained network; its study", kept["study"])
    anew = path.parents[2] / "runs" / "again" / kept["study"] / path.name
    return run(kept["study"], kept["config"], kept["seed"], kept["profile"], path=anew, **options)


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
    device, scikit = dataset.train.labels.device, config["rule"] == "logistic"
    where = ("cpu", "float64") if scikit else (device, resolve_precision("auto", device))
    # The history's are those of all resumed parts.
    seconds = max(time.monotonic() - started, history.get("seconds", 0.0))
    origin = records.provenance(dataset.name, *where, seconds) | {"source": dataset.source}
    records.save(study, config, seed, profile, metrics, history, origin, path)


def lock_of(path: Path) -> Path:
    """The lock of a run, which is the same in every study."""
    lock = path.parents[2] / "runs" / f"{records.run_of(path)}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    return lock
