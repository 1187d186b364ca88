"""How a configuration becomes a trained network and its numbers."""

import time
from pathlib import Path

import torch
from sklearn.metrics import confusion_matrix

from evidence.build import answers, build, forward_forward
from evidence.records import WATCHED, run_of
from fftools import data, labels
from fftools.blocks import Standardise, mlp
from fftools.data import tables
from fftools.extras.layer_by_layer import train_layers
from fftools.fit import OutOfTime, fit
from fftools.learner import Scores
from fftools.readout import LinearReadout, accuracy, predict
from fftools.resume import load_state, save_state
from fftools.rules.forward_forward import ForwardForward


def train(
    config: dict,
    seed: int,
    dataset: data.Dataset,
    path: Path,
    progress: str | None = None,
    deadline: float | None = None,
) -> tuple[dict[str, float], dict]:
    """Train the network of a configuration and ask it what the configuration wants to know: metrics and
    history.

    `path` is that of the record to be; the weights and what is needed to go on lie near it, see `beside`.
    `progress` and `deadline` as in `fit`. Raises `fit.TrainingError` and `fit.OutOfTime`.
    """
    way = {"article": _article, "logistic": _logistic}.get(config["rule"], _mini_batch)
    return way(config, seed, dataset, path, progress, deadline)


def beside(path: Path, ending: str) -> Path:
    """A file for a run's own use in `runs/<study>/`."""
    return path.parents[2] / "runs" / path.parent.name / f"{run_of(path)}{ending}"


def _mini_batch(config, seed, dataset, path, progress, deadline):
    train = (
        dataset.train + dataset.validation
        if config.get("all_images")
        else dataset.train[: config.get("train_images")]
    )
    options = dict(
        batch_size=config["batch_size"],
        seed=seed,
        shift=config["shift"],
        flip=config.get("flip", False),
        progress=progress,
        deadline=deadline,
    )
    learner = build(config)
    every = config.get("validate_every")
    watched = dataset.validation[: min(WATCHED, config.get("validation_images", WATCHED))] if every else None
    history = fit(
        learner,
        train,
        epochs=config["epochs"],
        lr=config["lr"],
        optimizer=config.get("optimizer", "adam"),
        resume=beside(path, ".pt"),
        validation=watched,
        validate_every=every or 1,
        on_epoch=_schedule(config),
        **options,
    ).to_dict()
    readout = None
    if config["readout_epochs"]:
        readout = LinearReadout(learner, dataset.classes)
        fit(
            readout,
            train,
            epochs=config["readout_epochs"],
            lr=1e-3,
            resume=beside(path, "-linear.pt"),
            **options,
        )
    return _asked(answers(learner, readout), config, dataset, history), history


def _schedule(config):
    """Moves K from the first to the second of `strengths` over the epochs: the last epoch, and the verdict,
    have the second.
    """
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
                    right.cpu(), found.cpu(), labels=range(dataset.classes)
                ).tolist()
                if dataset.classes == 2:
                    metrics[f"{short}_{name}_auc"] = tables.roc_auc(scores, asked)
    return metrics


def _article(config, seed, dataset, path, progress, deadline):
    """Three batches of the 60,000 training images; nothing is chosen, so validation images are trained on
    too.
    """
    everything = dataset.train + dataset.validation
    order = torch.randperm(len(everything), generator=torch.Generator().manual_seed(seed))
    # As the article's code family does, before a label is written in.
    standardise = Standardise(*data.STATISTICS["mnist"])
    label = labels.Pixels(on=standardise(torch.ones(1)).item())
    learner = forward_forward(mlp(config["widths"]), label, **config["network"]).to(everything.labels.device)
    standardise.to(everything.labels.device)
    fused = everything.labels.device.type != "mps"
    optimizers = [
        torch.optim.Adam(block.parameters(), lr=config["lr"], fused=fused) for block in learner.blocks
    ]
    history, scores = [], lambda images: learner.scores(standardise(images))
    if state := load_state(beside(path, ".pt"), config):
        history = state["history"]
        for part, kept in zip([learner, *optimizers], state["parts"]):
            part.load_state_dict(kept)
    batches = order.to(everything.labels.device).split(config["batch_images"])[: config["batches"]]
    for number, index in enumerate(batches[len(history) :], len(history) + 1):
        if deadline and time.time() >= deadline:
            raise OutOfTime(f"stopped before batch {number}")
        batch = everything[index]
        images = standardise(batch.floats())
        history.append(
            train_layers(
                learner,
                learner.label.positive(images, batch.labels),
                learner.label.negative(images, batch.labels),
                optimizers,
                config["steps"],
                progress=progress and f"{progress}, batch {number}",
            )
        )
        save_state(
            beside(path, ".pt"),
            config,
            history=history,
            parts=[part.state_dict() for part in [learner, *optimizers]],
        )
    metrics = {
        "last_batch_error": 1 - accuracy(scores, everything[batches[-1]]),
        "test_error": 1 - accuracy(scores, dataset.test),
        "train_error": 1 - accuracy(scores, everything),
    }
    learner.goodness.first = 2  # the article's variant: the first layer has no say
    metrics["test_error_without_first"] = 1 - accuracy(scores, dataset.test)
    return metrics, {"loss": [[block[::10] for block in batch] for batch in history]}
