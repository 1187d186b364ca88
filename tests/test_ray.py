"""A study on Ray: two workers, one of them killed in the middle."""

import json
import os
import subprocess
import sys

import pytest

from evidence import records
from evidence.cluster import run_on_ray
from evidence.run import run_study
from evidence.studies import Study, change
from evidence.studies.mlp import FF

TINY = dict(dataset="digits", widths=[784, 100, 100], epochs=6, batch_size=10, readout_epochs=0)
GRID = [change(FF, TINY, dict(lr=lr / 1e4)) for lr in range(1, 5)]

SCRIPT = """
import os, signal, sys, threading, time
import ray
ray.init(num_cpus=2, log_to_driver=False, include_dashboard=False)  # a cluster on this machine
from evidence.cluster import run_on_ray
from evidence.studies import STUDIES, Study
sys.path.insert(0, {tests!r})
from test_ray import GRID
STUDIES["crowd"] = Study("crowd", "four rates", {{}}, GRID)

def workers():
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if open(f"/proc/{{pid}}/cmdline", "rb").read().startswith(b"ray::attempt"):
                found.append(int(pid))
        except OSError:
            pass
    return found

def kill_one():
    while len(workers()) < 2:
        time.sleep(0.05)
    time.sleep(0.2)
    os.kill(workers()[0], signal.SIGKILL)
    print("killed", flush=True)

threading.Thread(target=kill_one, daemon=True).start()
print(run_on_ray("crowd", "full"))
"""


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="looks for the worker in /proc")
def test_a_killed_worker_costs_no_run(monkeypatch):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(tests=os.path.dirname(__file__))],
        check=False,
        capture_output=True,
        text=True,
        timeout=600,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert "killed" in done.stdout and "{'done': 4, 'unfinished': 0, 'busy': 0}" in done.stdout, done.stderr
    far = {record["config"]["lr"]: record for record in records.load("crowd", "full")}
    assert len(far) == 4
    run_study(Study("crowd here", "the same", {}, GRID), "full")
    for record in records.load("crowd here", "full"):
        other = far[record["config"]["lr"]]
        assert json.dumps(other["metrics"]) == json.dumps(record["metrics"]), "the same as from a local run"
        assert other["history"]["loss"] == record["history"]["loss"]


def test_without_ray_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ValueError, match="pip install 'ray>=2.40'"):
        run_on_ray("article")
