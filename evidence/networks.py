"""Published networks: `networks/<name>.safetensors`, and beside each a card that says what it is.

A file is believed only when its size and SHA-256 are those of its card.
"""

import hashlib
import math
from pathlib import Path
from typing import NamedTuple

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from evidence import cards, records
from evidence.build import answers, build
from fftools import data
from fftools.data import Split
from fftools.files import write_all
from fftools.learner import Learner
from fftools.readout import LinearReadout, accuracies

LICENCE = "MIT"
SAME = 1.01e-3  # one validation image in a thousand: what half precision may cost
NEAR = 2e-3  # how far from its record a network may answer: other hardware rounds differently


class Kept(NamedTuple):
    """A published network, in eval mode on the CPU, its linear read-out if it has one, and its card."""

    learner: Learner
    readout: LinearReadout | None
    card: dict


def folder() -> Path:
    """Where published networks lie: `networks/` beside the folder of the records."""
    return records.folder().parent / "networks"


def names() -> list[str]:
    """The names of all published networks."""
    return sorted(path.stem for path in folder().glob("*.json"))


def load(name: str) -> Kept:
    """A published network, ready to predict: `learner, readout, card = load("ff-cnn-wide-local")`.

    Nothing is unpickled. Raises ValueError, with the file's name, for an unknown name, a missing file, a
    damaged card, and weights that are not, byte for byte and tensor for tensor, what the card says.
    """
    if name not in names():
        hint = "none. Name the course's folder of records: FFTOOLS_RESULTS_DIR=/path/to/course/results"
        raise ValueError(f"no network {name!r} in {folder()}; there are: {', '.join(names()) or hint}")
    card, path = cards.read(folder() / f"{name}.json"), folder() / f"{name}.safetensors"
    if not path.exists():
        raise ValueError(f"{path} is missing; its card says how to make it again: {card['again']}")
    content = path.read_bytes()
    for what, found in _proof(content).items():
        if found != card[what]:
            wrong = f"{what} should be {card[what]}, found {found}"
            raise ValueError(f"{path} is damaged or not the file of its card: {wrong}")
    try:
        tensors = safetensors.torch.load(content)
    except SafetensorError as error:
        raise ValueError(f"{path} is no safetensors file: {error}") from error
    network = _untrained(card)
    _fill(path, network, tensors, card["precision"])
    return network


def publish(study: str, config: dict, seed: int, name: str) -> dict:
    """Publish the network of a finished run under `name` and return its card.

    The weights are those that the run left in `runs/`, in half precision when that moves no validation
    accuracy by more than 0.1 points, whichever way the network is asked. Both files are written, or none
    (OSError). Raises ValueError when the run has no record, no accuracy on validation images or no weights,
    has a table's data, or left weights that do not answer as the record says.
    """
    file = records.path_of(study, config, seed)
    if not file.exists() or not (record := records.read(file))["metrics"]:
        raise ValueError(f"no finished run: {file} is missing or tells of a failure")
    if config["dataset"] in data.TABLES or not any(key.startswith("val_") for key in record["metrics"]):
        wanted = "only networks of images whose record has an accuracy on validation images are published"
        raise ValueError(f"{wanted}; {study} on {config['dataset']} has {', '.join(record['metrics'])}")
    weights, dataset = _weights(config, seed), data.load(config["dataset"], "cpu", **config.get("form", {}))
    path = f"results/{study}/{file.name}"
    again = f"python -m evidence study run {study} --profile {record['profile']} --seeds {seed + 1}"
    card = {key: record[key] for key in ("study", "config", "seed", "profile", "metrics")}
    card |= dict(name=name, record=path, licence=LICENCE, again=f"rm {path}; {again}")
    card |= dict(image=list(dataset.shape), classes=dataset.classes)
    card |= dict(names=list(dataset.names)) if dataset.names else {}
    network, asked = _untrained(card), dataset.validation[: config.get("validation_images")]
    halves = {key: x.half() for key, x in weights.items()}
    full, half = (_measure(network, tensors, asked) for tensors in (weights, halves))
    told = record["metrics"]
    far = {key: found for key, found in full.items() if abs(found - told.get(key, math.inf)) > NEAR}
    if wrong := "; ".join(f"{key} {told.get(key)}, found {found}" for key, found in far.items()):
        raise ValueError(f"{name}: the weights are not those of the record {path}: expected {wrong}")
    same = all(abs(half[key] - found) <= SAME for key, found in full.items())
    content = safetensors.torch.save(halves if same else weights)
    card |= _proof(content) | dict(precision="float16" if same else "float32")
    write_all({folder() / f"{name}.safetensors": content, folder() / f"{name}.json": cards.sealed(card)})
    return cards.read(folder() / f"{name}.json")


def _proof(content: bytes) -> dict:
    return dict(bytes=len(content), sha256=hashlib.sha256(content).hexdigest())


def _weights(config: dict, seed: int) -> dict[str, Tensor]:
    """What a run left in `runs/`, of whichever study it was made for, under the names of `_parts`."""
    readout, runs = bool(config.get("readout_epochs")), records.folder().parent / "runs"
    pattern = f"*/{records.run_name(config, seed)}{'-linear' * readout}.pt"
    if not (found := sorted(runs.glob(pattern))):
        raise ValueError(f"no weights {runs}/{pattern}: delete the record and make the run again here")
    try:
        state = torch.load(found[0], weights_only=True, map_location="cpu")["learner"]
    except Exception as error:  # torch raises whatever its readers raise
        raise ValueError(f"{found[0]} holds no trained network: {error!r}") from error
    # A network of a GPU lies channels last; a file holds each tensor by itself, in the usual order.
    state = {key: x.clone(memory_format=torch.contiguous_format) for key, x in state.items()}
    if readout:  # its blocks are also the learner's
        return {key: x for key, x in state.items() if not key.startswith("blocks.")}
    return {f"learner.{key}": x for key, x in state.items()}


def _untrained(card: dict) -> Kept:
    """The network that a card describes, every layer's size settled. No random number is drawn."""
    try:
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            image = torch.zeros(1, *card["image"])
            unknown = [0.0] * len(image[0]), [1.0] * len(image[0])  # statistics, until the weights bring them
            learner, readout = build(card["config"], unknown).eval(), None
            answers(learner)(image)
            if card["config"].get("readout_epochs"):
                readout = LinearReadout(learner, card["classes"]).eval()
                readout.scores(image)
    except (ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        told = f"the configuration of {card['name']!r} describes no network that can be built"
        raise ValueError(f"{told}: {error!r}") from error
    return Kept(learner, readout, card)


def _measure(network: Kept, weights: dict[str, Tensor], asked: Split) -> dict[str, float]:
    """Accuracies on validation images with these weights, under the names of the records' metrics."""
    _fill("the run's weights", network, weights, str(next(iter(weights.values())).dtype)[6:])
    found = accuracies(answers(network.learner, network.readout), asked)
    return {f"val_{name}": value for name, value in found.items()}


def _fill(where: Path | str, network: Kept, tensors: dict[str, Tensor], precision: str) -> None:
    """Load what a file holds: `learner.*`, and of the read-out `linear.*`; its rest is the learner."""
    readout = {} if network.readout is None else {"linear": network.readout.linear}
    parts = nn.ModuleDict({"learner": network.learner, **readout})
    wanted = {key: f"{precision} {tuple(x.shape)}" for key, x in parts.state_dict().items()}
    found = {key: f"{str(x.dtype)[6:]} {tuple(x.shape)}" for key, x in tensors.items()}  # torch.float16, …
    differ = [key for key in sorted(wanted | found) if wanted.get(key) != found.get(key)]
    if wrong := [f"{key} {wanted.get(key, 'nothing')}, found {found.get(key, 'nothing')}" for key in differ]:
        raise ValueError(f"{where}: not the network of its configuration; expected {'; '.join(wrong)}")
    parts.load_state_dict(tensors)
