"""The runs of a study on Ray, an engine for many machines (not among the requirements: `pip install 'ray>=2.40'`)."""

import os
import time

import torch
from filelock import Timeout
from tqdm import tqdm

from fftools import data, records, studies
from fftools.fit import OutOfTime


def run_study(name: str, profile: str = "quick", seeds: int = 1, address: str = "local", gpus: float = 0.0,
              budget: float | None = None) -> dict[str, int]:
    """Make the missing runs of a study on a Ray cluster and count how they ended, as `studies.run_study` does.

    address    of the cluster, "auto" for the one this machine belongs to, "local" to start one here
    budget     seconds, after which runs stop cleanly, to go on from their checkpoints the next time
    gpus       share of a GPU that each run takes: 0.25 puts four runs on a card; 0 gives each run one CPU core

    A worker, on which `fftools` is installed, makes its run as any process does, checkpoint and lock included; the
    record travels back and is written here if no shared folder has it already. A run whose worker dies is given to
    another one. Raises ValueError when seeds or budget are not positive, gpus is negative, or Ray is missing.
    """
    studies.check_positive(seeds=seeds, budget=budget)
    if gpus < 0:
        raise ValueError(f"gpus must not be negative; got {gpus}")
    try:
        import ray
    except ImportError as error:
        raise ValueError("this needs Ray: pip install 'ray>=2.40'") from error
    deadline = None if budget is None else time.time() + budget
    todo = [run for run in studies.runs(name, profile, seeds) if not records.path_of(name, *run).exists()]
    if not ray.is_initialized():
        ray.init(address=None if address == "local" else address, log_to_driver=False)
    folders = dict(FFTOOLS_RESULTS_DIR=str(records.folder()), FFTOOLS_DATA_DIR=str(data.folder()))
    attempt = ray.remote(num_cpus=0 if gpus else 1, num_gpus=gpus, max_retries=5,
                         runtime_env=dict(env_vars=folders))(_attempt)
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


def _attempt(name, config, seed, profile, deadline) -> tuple[str, dict | None]:
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", 1)))
    if deadline and time.time() >= deadline:
        return "unfinished", None
    try:
        return "done", studies.run(name, config, seed, profile, progress=False, deadline=deadline, wait=False)
    except Timeout:
        return "busy", None
    except OutOfTime:
        return "unfinished", None
