"""Records of runs: one JSON file each, `results/<study>/<what>--<run>.json`, written whole or not at all."""

import hashlib
import json
import os
import platform
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import torch

from evidence.names import slug
from fftools.fast import convolution
from fftools.files import write
from fftools.inputs import expect

KEYS = {"study", "config", "seed", "profile", "metrics", "history", "provenance"}
WATCHED = 2_000  # validation images on which a long run is watched; its verdict comes from all of them
PACKAGES = "fftools", "evidence"
MARK = "verdicts.json"  # in the folder of the course's own records
AGAIN = "delete it and run the study again"


def folder() -> Path:
    """Where records lie: `FFTOOLS_RESULTS_DIR`, or the course's `results/`: here, above, beside `evidence`.

    Without the course, `results/` here. Another project's folder of that name is passed over.
    """
    if named := os.environ.get("FFTOOLS_RESULTS_DIR"):
        return Path(named)
    here, own = Path.cwd(), Path(__file__).resolve().parents[1]
    courses = (base / "results" for base in (here, *here.parents, own))
    return next((results for results in courses if (results / MARK).is_file()), here / "results")


def run_name(config: dict, seed: int) -> str:
    """A name that is the same for the same configuration and seed, on every machine."""
    text = json.dumps(config, sort_keys=True)
    return f"{hashlib.sha256(text.encode()).hexdigest()[:10]}-s{seed}"


def path_of(study: str, config: dict, seed: int, results: Path | None = None) -> Path:
    """The file in which this run's record lies or will lie, under `results` or `folder()`."""
    kept, name = (results or folder()) / study, run_name(config, seed)
    return next(kept.glob(f"*{name}.json"), kept / f"{slug(config)}--{name}.json")


def run_of(path: Path) -> str:
    """The `run_name` in the name of a record's file."""
    return path.stem.rpartition("--")[2]


def provenance(dataset: str, device: torch.device | str, precision: str, seconds: float) -> dict:
    """Where and how numbers were made: commit, versions, device, precision, dataset, seconds, UTC time.

    `convolution` is the path of wide convolutions on a CPU, else "torch"; older records do not have it.
    """
    device = torch.device(device)
    cpu = f"{device.type}, {torch.get_num_threads()} threads"
    return {
        "commit": _commit(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else cpu,
        "precision": precision,
        "convolution": convolution.path() if device.type == "cpu" else "torch",
        "dataset": dataset,
        "seconds": round(seconds, 1),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _commit() -> str:
    """The last commit in the two packages, marked if one has changed since; "unknown" without git."""
    options = dict(capture_output=True, text=True, cwd=Path(__file__).resolve().parents[1])
    git = lambda *words: subprocess.run(["git", *words, "--", *PACKAGES], **options)
    try:
        last = git("log", "-1", "--format=%h", "--abbrev=12").stdout.strip()
        return (last or "unknown") + "-dirty" * bool(git("status", "--porcelain").stdout.strip())
    except OSError:
        return "unknown"


def save(study: str, config: dict, seed: int, profile: str, metrics: dict, history: dict, origin: dict,
         path: Path | None = None) -> Path:  # fmt: skip
    """Write one record, whole or not at all, to `path_of` or another `path`; gives its file."""
    path = path or path_of(study, config, seed)
    record = dict(study=study, config=config, seed=seed, profile=profile, metrics=metrics, history=history)
    write_json(path, record | {"provenance": origin})
    return path


def share(path: Path, study: str, profile: str) -> bool:
    """Copy the record of the same run from another study, if one has it; whether one had."""
    for other in path.parents[1].glob(f"*/*{run_of(path)}.json"):
        if (record := read(other))["profile"] == profile:
            write_json(path, record | {"study": study})
            return True
    return False


def write_json(path: Path, content: dict) -> None:
    """Write JSON whole or not at all. A list of numbers, such as a row of a confusion matrix, is one line."""
    text = json.dumps(content, indent=1, sort_keys=True)
    write(path, re.sub(r"\[\n([^][{}\"]*)\]", lambda row: f"[{' '.join(row[1].split())}]", text) + "\n")


def is_full(profile: str) -> bool:
    """Whether this is the full profile, not the quick one. Raises ValueError for another name."""
    expect(profile in ("quick", "full"), 'profile must be "quick" or "full"', profile)
    return profile == "full"


def load(study: str, profile: str | None = None, results: Path | None = None) -> list[dict]:
    """All records of a study (of one profile), in a fixed order. ValueError as by `is_full` and `read`."""
    if profile is not None:
        is_full(profile)
    paths = {run_of(path): path for path in ((results or folder()) / study).glob("*.json")}
    found = [read(paths[name]) for name in sorted(paths)]
    return [record for record in found if profile in (None, record["profile"])]


def read(path: Path) -> dict:
    """One record. Raises ValueError, with the file's name, when it is not JSON or lacks a part."""
    try:
        record = json.loads(path.read_text("utf8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"record {path} is not JSON ({error}); {AGAIN}") from error
    if missing := KEYS - set(record if isinstance(record, dict) else ()):
        raise ValueError(f"record {path} lacks {', '.join(sorted(missing))}; {AGAIN}")
    return record


def glue(key: str, value: float | int | str) -> None:
    """Keep a value in this cell's output: the prose of any page can show it by `{glue:text}`, as `key:.2f`.

    It is myst_nb's function of this name, without that package, which Colab does not have.
    """
    from IPython.display import display

    prefix = "application/papermill.record/"
    value = value.item() if hasattr(value, "item") else value  # a NumPy number's repr names its type
    kept = {"scrapbook": {"name": key, "mime_prefix": prefix}}
    display({f"{prefix}text/plain": repr(value)}, raw=True, metadata=kept)
