"""Seconds of training and the test accuracy they buy: Mono-Forward and backprop on the same blocks, one run.

    python benchmarks/time_to_accuracy.py                           (MNIST, 2×1000; about a minute, two cores)
    python benchmarks/time_to_accuracy.py --network cnn --epochs 40 (CIFAR-10, 64-128-256-512; for a GPU)

The settings are those of the course's races (`race`): batches of 128 and rates chosen on validation images.
The CNN's inputs are standardised, moved by up to 2 pixels and mirrored. Trained is on all images but the
validation images; nothing is chosen here, so the test images are asked once. The seconds are those of
`fftools.fit` from its first line to the last step, with the capture of the CUDA graph on a GPU, without the
loading of the data. The data must be at hand.
"""

import argparse
import time

import torch

from evidence.build import build
from evidence.studies.mono_forward import race
from fftools import data
from fftools.extras import measure
from fftools.fast.precision import resolve_precision
from fftools.fit import fit
from fftools.readout import accuracy

NETWORKS = {
    "mlp": dict(dataset="mnist"),
    "cnn": dict(dataset="cifar10", standardise=True, shift=2, flip=True),
}


def trained(config: dict, dataset: data.Dataset) -> tuple[float, float]:
    """Seconds of training and accuracy on the test images, from 0 to 1."""
    device = dataset.train.labels.device
    torch.manual_seed(0)
    learner = build(config).to(device)
    measure.wait(device)
    started = time.perf_counter()
    fit(
        learner,
        dataset.train,
        epochs=config["epochs"],
        lr=config["lr"],
        batch_size=config["batch_size"],
        shift=config["shift"],
        flip=config.get("flip", False),
    )
    measure.wait(device)
    return time.perf_counter() - started, accuracy(learner.scores, dataset.test)


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--network", choices=NETWORKS, default="mlp")
    options.add_argument("--epochs", type=int, default=10)
    options.add_argument("--device", default="auto")
    chosen = options.parse_args()
    shape = NETWORKS[chosen.network]
    dataset = data.load(shape["dataset"], chosen.device)
    device = dataset.train.labels.device
    name = (
        torch.cuda.get_device_name(device)
        if device.type == "cuda"
        else f"{device}, {torch.get_num_threads()} threads"
    )
    print(
        f"{name}; torch {torch.__version__}; {resolve_precision('auto', device)}\n"
        f"{dataset.name}, {chosen.network}, "
        f"{len(dataset.train):,} images, {chosen.epochs} epochs, seed 0\n"
    )
    for rule, called in (("mf", "Mono-Forward"), ("bp", "backpropagation")):
        config = race(chosen.network, rule, **shape, epochs=chosen.epochs)
        seconds, right = trained(config, dataset)
        print(
            f"{called:16} {seconds:7.1f} s   {100 * right:.2f} % of {len(dataset.test):,} test images"
            f"   (rate {config['lr']:g})"
        )


if __name__ == "__main__":
    main()
