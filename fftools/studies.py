"""Runs of the named grids, each of which gives one record: only missing runs are made, by one or by many processes."""

import os
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pandas as pd
import torch
from filelock import FileLock, Timeout
from joblib import Parallel, delayed
from sklearn.metrics import confusion_matrix
from torch import Tensor
from tqdm import tqdm

from fftools import checkpoints, data, labels, records, tables
from fftools.backprop import Backprop
from fftools.blocks import Standardise, averaged, cnn, fan_out_weights, mlp
from fftools.feedback import DirectFeedbackAlignment, FeedbackAlignment
from fftools.fit import OutOfTime, TrainingError, fit
from fftools.forward_forward import ForwardForward
from fftools.greedy import train_layers
from fftools.grids import STUDIES
from fftools.hybrids import Hybrids
from fftools.learner import Learner
from fftools.mono_forward import MonoForward
from fftools.readout import LinearReadout, Scores, accuracy, predict, resolve_precision

SCHEMES = {"pixels": labels.Pixels, "hybrids": Hybrids, "fourier": labels.Fourier, "morphology": labels.Morphology}
RULES = {"bp": Backprop, "fa": FeedbackAlignment, "dfa": DirectFeedbackAlignment, "mf": MonoForward}
WATCHED = 2_000  # validation images on which a long run is watched; its verdict comes from all of them


def run_study(name: str, profile: str = "quick", seeds: int = 1, workers: int = 1, budget: float | None = None,
              device="auto") -> dict[str, int]:
    """Make the missing runs of a study, `workers` at a time, and count how they ended: "done", "unfinished", "busy".

    Stops cleanly after `budget` seconds, at most an epoch and an evaluation late; what is unfinished goes on from its
    checkpoint the next time.
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
        for config in STUDIES[name].grid(profile):
            yield config, seed


def status() -> pd.DataFrame:
    """For each study and profile: configurations in its grid, how many have a record, records in all, and failures."""
    rows = []
    for name, study in STUDIES.items():
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
    train = {"article": _article, "logistic": _logistic}.get(config["rule"], _mini_batch)
    try:
        metrics, history = train(config, seed, dataset, path, f"{study} {path.stem}" if progress else None, deadline)
    except TrainingError as error:  # a finding, too: kept, so that nobody makes the same run in vain
        metrics, history = {}, {"failure": str(error)}
    device = dataset.train.labels.device
    seconds = max(time.monotonic() - started, history.get("seconds", 0.0))  # of a resumed run, the history knows all parts
    where = ("cpu", "float64") if config["rule"] == "logistic" else (device, resolve_precision("auto", device))
    origin = records.provenance(dataset.name, *where, seconds)
    records.save(study, config, seed, profile, metrics, history, origin)


def lock_of(path: Path) -> Path:
    """The lock of a run, which is the same in every study."""
    lock = path.parents[2] / "runs" / f"{path.stem}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    return lock


def _beside(path: Path, ending: str) -> Path:
    """A file for a run's own use in `runs/<study>/`."""
    return path.parents[2] / "runs" / path.parent.name / f"{path.stem}{ending}"


def build(config: dict) -> Learner:
    """The untrained learner that a configuration describes. Raises ValueError for `standardise` under Forward-Forward."""
    dense = averaged if config.get("form", {}).get("form") == "ids" else mlp
    blocks = cnn(**config["blocks"]) if "blocks" in config else dense(config["widths"], config.get("bias", True))
    if config.get("weights") == "fan-out":
        fan_out_weights(blocks)
    if config.get("standardise"):
        if config["rule"] not in RULES:
            raise ValueError(f"inputs are standardised for {', '.join(RULES)} only; got rule {config['rule']!r}, which "
                             "normalises what block 1 reads, label included")
        blocks[0].insert(0, Standardise(*data.STATISTICS[config["dataset"]]))
    if config["rule"] in RULES:
        return RULES[config["rule"]](blocks, **config.get("network", {}))
    return ForwardForward(blocks, SCHEMES[config["label"]](**config.get("labels", {})), **config["network"])


def _mini_batch(config, seed, dataset, path, progress, deadline):
    train = dataset.train + dataset.validation if config.get("all_images") else dataset.train[: config.get("train_images")]
    options = dict(batch_size=config["batch_size"], seed=seed, shift=config["shift"], flip=config.get("flip", False),
                   progress=progress, deadline=deadline)
    learner = build(config)
    every = config.get("validate_every")
    watched = dataset.validation[:min(WATCHED, config.get("validation_images", WATCHED))] if every else None
    history = fit(learner, train, epochs=config["epochs"], lr=config["lr"], optimizer=config.get("optimizer", "adam"),
                  checkpoint=_beside(path, ".pt"), validation=watched, validate_every=every or 1,
                  on_epoch=_schedule(config), **options).to_dict()
    readout = None
    if config["readout_epochs"]:
        readout = LinearReadout(learner, dataset.classes)
        fit(readout, train, epochs=config["readout_epochs"], lr=1e-3, checkpoint=_beside(path, "-linear.pt"), **options)
    return _asked(answers(learner, readout), config, dataset, history), history


def _schedule(config):
    """Moves K from the first to the second of `strengths` over the epochs: the last epoch, and the verdict, have the second."""
    if "strengths" not in config:
        return None
    first, last = config["strengths"]

    def move(done: int, learner: ForwardForward) -> None:
        learner.label.strength = first + (last - first) * min(1.0, done / max(1, config["epochs"] - 1))

    return move


def _logistic(config, seed, dataset, path, progress, deadline):
    """The plain control beside the networks of Table 6; its `strength` is chosen as their rates are."""
    history = {}
    train = dataset.train[: config.get("train_images")]
    return _asked({"accuracy": tables.logistic(train, config["strength"])}, config, dataset, history), history


def _asked(ways: dict[str, Scores], config, dataset, history) -> dict[str, float]:
    metrics = {}
    for name, scores in ways.items():
        for split, short in (("validation", "val"), ("test", "test")):
            if split in config["splits"]:
                asked = getattr(dataset, split)[: config.get(f"{split}_images")]
                found, right = predict(scores, asked.images), asked.labels
                metrics[f"{short}_{name}"] = (found == right).float().mean().item()
                history.setdefault("confusion", {})[f"{short}_{name}"] = confusion_matrix(
                    right.cpu(), found.cpu(), labels=range(dataset.classes)).tolist()
                if dataset.classes == 2:
                    metrics[f"{short}_{name}_auc"] = tables.roc_auc(scores, asked)
    return metrics


def answers(learner: Learner, readout: LinearReadout | None = None) -> dict[str, Scores]:
    """The ways in which a trained network can be asked, by the names they have in records."""
    if isinstance(learner, MonoForward):
        layers = {f"layer_{number}": partial(_one_layer, learner, number) for number in range(1, len(learner.blocks) + 1)}
        return {"ff_pred": learner.scores, "bp_pred": learner.last_scores} | layers
    if not isinstance(learner, ForwardForward):
        return {"accuracy": learner.scores}
    found = {"goodness": learner.scores} if learner.label.classes else {}
    found |= {} if learner.softmax is None else {"one_pass": learner.one_pass}
    return found if readout is None else found | {"linear": readout.scores}


def _one_layer(learner: MonoForward, number: int, images: Tensor) -> Tensor:
    return learner.goodness(images)[number - 1]


def _article(config, seed, dataset, path, progress, deadline):
    """Three batches of the 60,000 training images; nothing is chosen, so validation images are trained on too."""
    everything = dataset.train + dataset.validation
    order = torch.randperm(len(everything), generator=torch.Generator().manual_seed(seed))
    standardise = Standardise(*data.STATISTICS["mnist"])  # as the article's code family does, before a label is written in
    label = labels.Pixels(on=standardise(torch.ones(1)).item())
    learner = ForwardForward(mlp(config["widths"]), label, **config["network"]).to(everything.labels.device)
    standardise.to(everything.labels.device)
    fused = everything.labels.device.type != "mps"
    optimizers = [torch.optim.Adam(block.parameters(), lr=config["lr"], fused=fused) for block in learner.blocks]
    history, scores = [], lambda images: learner.scores(standardise(images))
    if state := checkpoints.load(_beside(path, ".pt"), config):
        history = state["history"]
        for part, kept in zip([learner, *optimizers], state["parts"]):
            part.load_state_dict(kept)
    batches = order.to(everything.labels.device).split(config["batch_images"])[: config["batches"]]
    for number, index in enumerate(batches[len(history):], len(history) + 1):
        if deadline and time.time() >= deadline:
            raise OutOfTime(f"stopped before batch {number}")
        batch = everything[index]
        images = standardise(batch.floats())
        history.append(train_layers(
            learner, learner.label.positive(images, batch.labels), learner.label.negative(images, batch.labels),
            optimizers, config["steps"], progress=progress and f"{progress}, batch {number}"))
        checkpoints.save(_beside(path, ".pt"), config, history=history,
                         parts=[part.state_dict() for part in [learner, *optimizers]])
    metrics = {"last_batch_error": 1 - accuracy(scores, everything[batches[-1]]),
               "test_error": 1 - accuracy(scores, dataset.test), "train_error": 1 - accuracy(scores, everything)}
    learner.first_judge = 1  # the article's variant: the first layer has no say
    metrics["test_error_without_first"] = 1 - accuracy(scores, dataset.test)
    return metrics, {"loss": [[block[::10] for block in batch] for batch in history]}
