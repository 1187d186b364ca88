"""Published networks: `networks/<name>.safetensors`, and beside each a card that says what it is.

A file is believed only when its size and SHA-256 are those of its card, and a card only when it bears its own sum.
"""

import hashlib
import json
import os
from pathlib import Path
from typing import NamedTuple

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from evidence import records
from evidence.build import answers, build
from fftools import data
from fftools.data import Split
from fftools.learner import Learner
from fftools.readout import LinearReadout, accuracy

KEYS = {"name", "study", "config", "seed", "profile", "record", "metrics", "image", "classes", "precision", "bytes", "sha256",
        "licence", "again", "sum"}
LICENCE = "MIT"
SAME = 1.01e-4  # one validation image of 10,000: what half precision may cost
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
    """A published network, ready to predict: `learner, readout, card = load("ff-cnn-wide-local")`. Nothing is unpickled.

    Raises ValueError, with the file's name, for an unknown name, a missing file, a card that is damaged, and weights that
    are not, byte for byte and tensor for tensor, what the card says.
    """
    if name not in names():
        raise ValueError(f"no network {name!r} in {folder()}; there are: {', '.join(names()) or 'none'}")
    card, path = read_card(name), folder() / f"{name}.safetensors"
    if not path.exists():
        raise ValueError(f"{path} is missing; its card says how to make it again: {card['again']}")
    content = path.read_bytes()
    for what, found in (("bytes", len(content)), ("sha256", hashlib.sha256(content).hexdigest())):
        if found != card[what]:
            raise ValueError(f"{path} is damaged or not the file of its card: {what} should be {card[what]}, found {found}")
    try:
        tensors = safetensors.torch.load(content)
    except SafetensorError as error:
        raise ValueError(f"{path} is no safetensors file: {error}") from error
    network = _untrained(card)
    _compare(path, _parts(network).state_dict(), tensors, card["precision"])
    _parts(network).load_state_dict(tensors)
    return network


def read_card(name: str) -> dict:
    """The card of a network. Raises ValueError when it is not JSON, lacks a key, was changed, or is another network's."""
    path = folder() / f"{name}.json"
    try:
        card = json.loads(written := path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"card {path} is not JSON: {error}") from error
    if not isinstance(card, dict) or set(card) != KEYS:
        wrong = KEYS.symmetric_difference(card) if isinstance(card, dict) else KEYS
        raise ValueError(f"card {path} lacks keys or has too many: {', '.join(sorted(wrong))}")
    if card["name"] != name:
        raise ValueError(f"card {path} is of another network: it should name {name!r}, found {card['name']!r}")
    if written != _sealed({key: value for key, value in card.items() if key != "sum"}):
        raise ValueError(f"card {path} was damaged or changed by hand: its sum is not {card['sum']!r}")
    return card


def publish(study: str, config: dict, seed: int, name: str) -> dict:
    """Publish the network of a finished run under `name` and return its card.

    The weights come from `runs/`, where the run left them. They are kept in half precision when that moves no validation
    accuracy by more than 0.01 points, whichever way the network is asked, else as they are. Both files are written, or none.
    Raises ValueError when the run has no record, no accuracy on validation images or no weights, has a table's data, or left
    weights that do not answer as the record says.
    """
    record = _record(study, config, seed)
    if config["dataset"] in data.TABLES or not any(key.startswith("val_") for key in record["metrics"]):
        raise ValueError(f"only networks of images whose record has an accuracy on validation images are published; "
                         f"{study} on {config['dataset']} has {', '.join(record['metrics'])}")
    weights, dataset = _weights(config, seed), data.load(config["dataset"], "cpu", **config.get("form", {}))
    path = f"results/{study}/{records.path_of(study, config, seed).name}"
    card = dict(name=name, study=study, config=config, seed=seed, profile=record["profile"], metrics=record["metrics"],
                record=path, image=list(dataset.shape), classes=dataset.classes, licence=LICENCE,
                again=f"rm {path}; python -m evidence study run {study} --profile {record['profile']} --seeds {seed + 1}")
    network, halves = _untrained(card), {key: x.half() for key, x in weights.items()}
    full, half = (_measure(network, kept, dataset.validation[: config.get("validation_images")]) for kept in (weights, halves))
    if wrong := [f"{key} {record['metrics'].get(key)}, found {found}" for key, found in full.items()
                 if abs(record["metrics"].get(key, -1) - found) > NEAR]:
        raise ValueError(f"the weights in runs/ are not those of the record {path}: expected {'; '.join(wrong)}")
    same = all(abs(half[key] - found) <= SAME for key, found in full.items())
    content = safetensors.torch.save(halves if same else weights)
    card |= dict(precision="float16" if same else "float32", bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
    _write(name, content, _sealed(card))
    return read_card(name)


def _record(study: str, config: dict, seed: int) -> dict:
    path = records.path_of(study, config, seed)
    if not path.exists() or not (record := records.read(path))["metrics"]:
        raise ValueError(f"no finished run: {path} is missing or tells of a failure")
    return record


def _weights(config: dict, seed: int) -> dict[str, Tensor]:
    """What a run left in `runs/`, of whichever study it was made for, under the names of `_parts`."""
    readout, runs = bool(config.get("readout_epochs")), records.folder().parent / "runs"
    pattern = f"*/{records.run_name(config, seed)}{'-linear' * readout}.pt"
    if not (found := sorted(runs.glob(pattern))):
        raise ValueError(f"no weights {runs}/{pattern}: delete the record and make the run again on this machine")
    try:
        state = torch.load(found[0], weights_only=True, map_location="cpu")["learner"]
    except Exception as error:  # torch raises whatever its readers raise
        raise ValueError(f"{found[0]} holds no trained network: {error!r}") from error
    if readout:  # its blocks are also the learner's
        return {key: x for key, x in state.items() if not key.startswith("blocks.")}
    return {f"learner.{key}": x for key, x in state.items()}


def _untrained(card: dict) -> Kept:
    """The network that a card describes, every layer's size settled. The random generators stay as they are."""
    try:
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            image, learner = torch.zeros(1, *card["image"]), build(card["config"]).eval()
            for scores in answers(learner).values():
                scores(image)
            readout = LinearReadout(learner, card["classes"]).eval() if card["config"].get("readout_epochs") else None
            if readout is not None:
                readout.scores(image)
    except (ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise ValueError(f"the configuration of {card['name']!r} describes no network that can be built: {error!r}") from error
    return Kept(learner, readout, card)


def _parts(network: Kept) -> nn.ModuleDict:
    """What a file holds: `learner.*`, and of the read-out `linear.*`, since the rest of it is the learner again."""
    readout = {} if network.readout is None else {"linear": network.readout.linear}
    return nn.ModuleDict({"learner": network.learner, **readout})


def _measure(network: Kept, weights: dict[str, Tensor], asked: Split) -> dict[str, float]:
    """Accuracies on validation images with these weights, under the names of the records' metrics."""
    _compare("the run's weights", _parts(network).state_dict(), weights, str(next(iter(weights.values())).dtype)[6:])
    _parts(network).load_state_dict(weights)
    ways = answers(network.learner, network.readout)
    return {f"val_{name}": accuracy(scores, asked) for name, scores in ways.items()}


def _compare(where: Path | str, network: dict[str, Tensor], tensors: dict[str, Tensor], precision: str) -> None:
    wanted = {key: f"{precision} {tuple(x.shape)}" for key, x in network.items()}
    found = {key: f"{str(x.dtype)[6:]} {tuple(x.shape)}" for key, x in tensors.items()}  # torch.float16 and the like
    if wrong := [f"{key} {wanted.get(key, 'nothing')}, found {found.get(key, 'nothing')}"
                 for key in sorted(wanted | found) if wanted.get(key) != found.get(key)]:
        raise ValueError(f"{where}: not the network of its configuration; expected {'; '.join(wrong)}")


def _sealed(card: dict) -> bytes:
    """A card as it is written: in one form only, and with the sum of all the rest."""
    text = json.dumps(card, indent=1, sort_keys=True)
    return (json.dumps(card | {"sum": hashlib.sha256(text.encode()).hexdigest()}, indent=1, sort_keys=True) + "\n").encode()


def _write(name: str, content: bytes, card: bytes) -> None:
    """Both files or none: without its card a file is not published, so the card goes first and comes back last."""
    folder().mkdir(parents=True, exist_ok=True)
    files = {folder() / f"{name}.safetensors": content, folder() / f"{name}.json": card}
    parts = [path.with_name(f".{path.name}.{os.getpid()}.part") for path in files]
    try:
        for part, written in zip(parts, files.values()):
            part.write_bytes(written)
        (folder() / f"{name}.json").unlink(missing_ok=True)
        for part, path in zip(parts, files):
            part.replace(path)
    finally:
        for part in parts:
            part.unlink(missing_ok=True)
