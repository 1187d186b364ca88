"""Runs of studies on a Ray cluster."""

import os
import time

from tqdm import tqdm

from evidence import records, run, studies
from fftools import data
from fftools.inputs import expect


def run_on_ray(name: str, profile: str = "quick", seeds: int = 1, address: str = "local", gpus: float = 0.0,
               budget: float | None = None) -> dict[str, int]:  # fmt: skip
    """Make the missing runs of a study on a Ray cluster and count how they ended, as `run_study` does.

    address    of the cluster; "auto": the one that this machine belongs to, "local": one that starts here
    gpus       share of a GPU for each run: 0.25 puts four on a card; 0 gives each one CPU core

    A worker, which needs both packages, makes its run as any process does, saved state and lock included.
    The record travels back and is written here if no shared folder has it. A run whose worker dies goes to
    another. Raises ValueError when seeds or budget are not positive, gpus is negative, or Ray is missing.
    """
    run.check_positive(seeds=seeds, budget=budget)
    expect(gpus >= 0, "gpus must not be negative", gpus)
    try:
        import ray
    except ImportError as error:
        raise ValueError("this needs Ray: pip install 'ray>=2.40'") from error
    todo = run.missing(studies.find(name), profile, seeds)
    if not ray.is_initialized():
        ray.init(address=None if address == "local" else address, log_to_driver=False)
    folders = dict(FFTOOLS_RESULTS_DIR=str(records.folder()), FFTOOLS_DATA_DIR=str(data.folder()))
    resources = dict(num_cpus=0 if gpus else 1, num_gpus=gpus, runtime_env=dict(env_vars=folders))
    remote = ray.remote(max_retries=5, **resources)(run.attempt)
    threads = int(os.environ.get("OMP_NUM_THREADS", 1))
    options = dict(device="auto", progress=False, deadline=budget and time.time() + budget)
    waiting = [remote.remote(name, *each, profile, threads, options) for each in todo]
    counts = dict.fromkeys(run.ENDS, 0)
    with tqdm(total=len(todo), desc=f"{name}, {profile}, Ray", unit="run") as bar:
        while waiting:
            (ready,), waiting = ray.wait(waiting)
            end, record = ray.get(ready)
            if record and not (path := records.path_of(name, record["config"], record["seed"])).exists():
                records.write_json(path, record)
            counts[end] += 1
            bar.update()
    return counts
