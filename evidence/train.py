"""How a configuration becomes a trained network and its numbers."""

import time
from pathlib import Path

import torch
from sklearn.metrics import confusion_matrix

from evidence.build import Statistics, answers, build, forward_forward
from evidence.records import WATCHED, run_of
from fftools import data, labels
from fftools.blocks import Standardise, mlp
from fftools.data import tables
from fftools.extras import speedrun
from fftools.extras.layer_by_layer import train_layers
from fftools.fast.step import make_optimizer
from fftools.fit import OutOfTime, fit
from fftools.readout import Answers, LinearReadout, accuracy, predictions
from fftools.resume import load_state, save_state
from fftools.rules.forward_forward import ForwardForward


def train(config: dict, seed: int, dataset: data.Dataset, path: Path, progress: str | None = None,
          deadline: float | None = None) -> tuple[dict[str, float], dict]:  # fmt: skip
    """Train the network of a configuration, ask it what the configuration wants to know: metrics and history.

    `path` is that of the record to be; the weights and what is needed to go on lie near it, see `beside`.
    `progress` and `deadline` as in `fit`. Raises `fit.TrainingError` and `fit.OutOfTime`, and ValueError for
    a network that `build` refuses.
    """
    ways = dict(article=_article, layerwise=_speedrun, logistic=_logistic)
    way = _speedrun if config.get("recipe") == "speedrun" else ways.get(config["rule"], _mini_batch)
    return way(config, seed, dataset, path, progress, deadline)


def beside(path: Path, ending: str) -> Path:
    """A file for a run's own use in `runs/<study>/`."""
    return path.parents[2] / "runs" / path.parent.name / f"{run_of(path)}{ending}"


def _mini_batch(config, seed, dataset, path, progress, deadline):
    train = _training_images(config, dataset)
    learner, every = build(config, _statistics(config, train)), config.get("validate_every")
    watched = dataset.validation[: min(WATCHED, config.get("validation_images", WATCHED))] if every else None
    watch = dict(validation=watched, validate_every=every or 1, on_epoch=_schedule(config))
    options = dict(batch_size=config["batch_size"], shift=config["shift"], flip=config.get("flip", False))
    options |= dict(seed=seed, progress=progress, deadline=deadline)
    plan = dict(epochs=config["epochs"], lr=config["lr"], optimizer=config.get("optimizer", "adam"))
    history = fit(learner, train, **plan, **options, **watch, resume=beside(path, ".pt")).to_dict()
    readout = None
    if epochs := config["readout_epochs"]:
        readout = LinearReadout(learner, dataset.classes)
        fit(readout, train, epochs=epochs, lr=1e-3, **options, resume=beside(path, "-linear.pt"))
    return _asked(answers(learner, readout), config, dataset, history), history


def _speedrun(config, seed, dataset, path, progress, deadline):
    train, every = _training_images(config, dataset), config.get("validate_every", 1)
    learner, watched = build(config), dataset.validation[:WATCHED] if every else None
    settings = {name: config[name] for name in ("epochs", "batch_size", "lr", "weight_decay", "flip")}
    options = dict(seed=seed, progress=progress, deadline=deadline, resume=beside(path, ".pt"))
    watch = dict(validation=watched, validate_every=every or 1)
    history = speedrun.train(learner, train, **settings, **options, **watch)
    return _asked(answers(learner), config, dataset, kept := history.to_dict()), kept


def _training_images(config: dict, dataset: data.Dataset) -> data.Split:
    """The first so many, or with `all_images` those for validation, too: then nothing is chosen by them."""
    every = config.get("all_images")
    return dataset.train + dataset.validation if every else dataset.train[: config.get("train_images")]


def _statistics(config: dict, train: data.Split) -> Statistics | None:
    """Of the training images, where a dataset of the reader's own is to be standardised."""
    if not config.get("standardise") or config["dataset"] in data.STATISTICS or train.images.dim() != 4:
        return None
    deviation, mean = torch.std_mean(train.floats(), (0, 2, 3), correction=0)
    return mean.tolist(), deviation.tolist()


def _schedule(config):
    """Moves K from the first of `strengths` to the second, which the last epoch and the verdict have."""
    if "strengths" not in config:
        return None
    first, last = config["strengths"]

    def move(done: int, learner: ForwardForward) -> None:
        learner.label.strength = first + (last - first) * min(1.0, done / max(1, config["epochs"] - 1))

    return move


def _logistic(config, seed, dataset, path, progress, deadline):
    """The plain control beside the networks of Table 6; its `strength` is chosen as their rates are."""
    scores, history = tables.logistic(dataset.train[: config.get("train_images")], config["strength"]), {}
    return _asked(lambda images: {"accuracy": scores(images)}, config, dataset, history), history


def _asked(answers: Answers, config, dataset, history) -> dict[str, float]:
    """Each answer's accuracy, of two classes also the area under the ROC curve; `history` gets confusions."""
    metrics, confusion = {}, history.setdefault("confusion", {})
    for split in config["splits"]:
        asked, short = getattr(dataset, split)[: config.get(f"{split}_images")], split.removesuffix("idation")
        for name, found in predictions(answers, asked.images).items():
            metrics[f"{short}_{name}"] = (found == asked.labels).float().mean().item()
            matrix = confusion_matrix(asked.labels.cpu(), found.cpu(), labels=range(dataset.classes))
            confusion[f"{short}_{name}"] = matrix.tolist()
            if dataset.classes == 2:
                metrics[f"{short}_{name}_auc"] = tables.roc_auc(lambda images: answers(images)[name], asked)
    return metrics


def _article(config, seed, dataset, path, progress, deadline):
    """Three batches of all 60,000 images: nothing is chosen, so those for validation are trained on."""
    everything = dataset.train + dataset.validation
    device, kept = everything.labels.device, beside(path, ".pt")
    order = torch.randperm(len(everything), generator=torch.Generator().manual_seed(seed)).to(device)
    # As the article's code family does, before a label is written in.
    standardise = Standardise(*data.STATISTICS["mnist"])
    label = labels.Pixels(on=standardise(torch.ones(1)).item())
    learner = forward_forward(mlp(config["widths"]), label, **config["network"]).to(device)
    standardise.to(device)
    scores = lambda images: learner.scores(standardise(images))
    optimizers = [
        make_optimizer("adam", block.parameters(), config["lr"], device) for block in learner.blocks
    ]
    parts, history = [learner, *optimizers], []
    if state := load_state(kept, config):
        history = state["history"]
        for part, before in zip(parts, state["parts"]):
            part.load_state_dict(before)
    batches = order.split(config["batch_images"])[: config["batches"]]
    for number, index in enumerate(batches[len(history) :], len(history) + 1):
        if deadline and time.time() >= deadline:
            raise OutOfTime(f"stopped before batch {number}")
        batch = everything[index]
        images, shown = standardise(batch.floats()), progress and f"{progress}, batch {number}"
        pairs = label.positive(images, batch.labels), label.negative(images, batch.labels)
        history.append(train_layers(learner, *pairs, optimizers, config["steps"], progress=shown))
        save_state(kept, config, history=history, parts=[part.state_dict() for part in parts])
    asked = dict(last_batch_error=everything[batches[-1]], test_error=dataset.test, train_error=everything)
    metrics = {name: 1 - accuracy(scores, split) for name, split in asked.items()}
    learner.goodness.first = 2  # the article's variant: the first layer has no say
    metrics["test_error_without_first"] = 1 - accuracy(scores, dataset.test)
    return metrics, {"loss": [[block[::10] for block in batch] for batch in history]}
