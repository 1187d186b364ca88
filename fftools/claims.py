"""What the papers report, with its source, beside the records that answer it."""

from dataclasses import dataclass, field

import numpy as np

from fftools import records


@dataclass(frozen=True)
class Claim:
    """One number of a paper, an error in %, and the query for our own: a study, a metric, parts of its configuration."""

    what: str
    source: str
    paper: float | None  # None for a control of ours that no paper reports
    study: str
    metric: str
    where: dict = field(default_factory=dict)

    def found(self) -> list[dict]:
        """The full-scale records that answer it."""
        return [record for record in records.load(self.study, "full") if self.metric in record["metrics"]
                and _holds(record["config"], self.where)]

    def ours(self) -> str:
        """Our error in %: mean ± standard deviation over the seeds, "not run yet" without a record."""
        values = 100 * np.array([record["metrics"][self.metric] for record in self.found()])
        if not len(values):
            return "not run yet"
        values = values if self.metric.endswith("error") else 100 - values
        return f"{values.mean():.2f}" + (f" ± {values.std(ddof=1):.2f}" if len(values) > 1 else "") + " %"

    def scale(self) -> str:
        """Network, training length, seeds and device of our runs."""
        if not (found := self.found()):
            return ""
        config, origin = found[0]["config"], found[0]["provenance"]
        steps = f"{config.get('batches')} × {config.get('steps')} steps a layer"
        length = f"{config['epochs']} epochs" if "epochs" in config else steps
        shift = f", shifts of ±{config['shift']} px" if config.get("shift") else ""
        hard = ", hard negatives" if config["network"].get("negatives") == "hard" else ""
        return (f"{origin['dataset']}, {_network(config)}, {length}{hard}{shift}, {len(found)} seed{'s' * (len(found) > 1)}, "
                f"{origin['device'].split(',')[0].upper()}, {origin['precision']}")


def _holds(config: dict, parts: dict) -> bool:
    """Whether a configuration has these parts, at any depth."""
    return all(_holds(config[key], part) if isinstance(part, dict) and isinstance(config.get(key), dict)
               else config.get(key) == part for key, part in parts.items())


def _network(config: dict) -> str:
    blocks = config.get("blocks")
    if blocks is None:
        return "-".join(map(str, config["widths"]))
    return f"{'-'.join(map(str, blocks['widths']))} filters {blocks['kernel']}×{blocks['kernel']}"


HINTON = "Hinton 2022: 4×2000, "
FF_CNN = "Scodellaro et al. 2025"
THROUGH, LOCAL = ({"network": {"local": local}} for local in (False, True))  # the two readings of chapter 5
CLAIMS = (
    Claim("The article's network, error on its last training batch", "Sherstnev 2023", 2.04, "article", "last_batch_error"),
    Claim("The article's network, test error", "Sherstnev 2023", 4.74, "article", "test_error"),
    Claim("Mini-batch FF, test error by goodness", HINTON + "60 epochs", 1.36, "ff-mlp", "test_goodness", {"shift": 0}),
    Claim("Mini-batch FF with shifted images, test error by goodness", HINTON + "±2 px, 500 epochs", 0.64,
          "ff-mlp", "test_goodness", {"shift": 1}),
    Claim("Learning without labels, linear read-out, test error", HINTON + "100 epochs", 1.37,
          "ff-unsupervised", "test_linear", {"shift": 0}),
    Claim("Learning without labels from shifted images", "", None, "ff-unsupervised", "test_linear", {"shift": 1}),
    Claim("Backpropagation through our blocks, test error", "", None, "bp-mlp", "test_accuracy", {"shift": 0}),
    Claim("Backpropagation with shifted images", "", None, "bp-mlp", "test_accuracy", {"shift": 1}),
    Claim("Small FF-CNN, loss through the stack, validation error by goodness", FF_CNN, 1.84,
          "ff-cnn-small", "val_goodness", THROUGH),
    Claim("Small FF-CNN, strictly local, validation error by goodness", FF_CNN, 1.84, "ff-cnn-small", "val_goodness", LOCAL),
    Claim("FF-CNN, 32 filters 7×7, strictly local, validation error by goodness", FF_CNN + ", batch 25, 200 epochs", 1.28,
          "ff-cnn-wide", "val_goodness", LOCAL),
    Claim("Best FF-CNN, loss through the stack, test error by goodness", FF_CNN, 0.84, "ff-cnn", "test_goodness", THROUGH),
    Claim("Best FF-CNN, strictly local, test error by goodness", FF_CNN, 0.84, "ff-cnn", "test_goodness", LOCAL),
    Claim("Backprop CNN, 16 filters 5×5, validation error", FF_CNN, 0.87, "bp-cnn", "val_accuracy", {"epochs": 20}),
)


def markdown() -> str:
    """All claims as a Markdown table: what, the paper's number, ours, and the scale of our runs."""
    lines = ["| | Paper | Ours | Our scale |", "|:--|:--|:--|:--|"]
    for claim in CLAIMS:
        paper = "" if claim.paper is None else f"{claim.paper:.2f} % ({claim.source})"
        lines.append(f"| {claim.what} | {paper} | {claim.ours()} | {claim.scale()} |")
    return "\n".join(lines)
