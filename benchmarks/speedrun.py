"""Seconds to an accuracy on CIFAR-10 without backpropagation, and with it on the same network: the speedrun.

    python benchmarks/speedrun.py                            (every rule, 2 and 4 epochs, one trial)
    python benchmarks/speedrun.py --rules Mono-Forward --epochs 8 16 --trials 3
    python benchmarks/speedrun.py --narrow                   (a quarter of the channels: for a laptop's core)
    python benchmarks/speedrun.py --narrow --keep            (writes the records that chapter 13 shows)
    python benchmarks/speedrun.py --narrow --pipelined       (the layers side by side, in processes)

The clock is airbench's (Jordan 2024): it runs in training alone, data on the device, after one untimed
warm-up (of the loop; the processes of `--pipelined` are only started before their clock is). All 50,000
training images are trained on, the test images are asked once, at the end, with their mirror images. Nothing
is chosen here: the settings are those of the study, whose choices (`speedrun-choices`, on validation images)
are still to be run. A run's whole schedule belongs to its length, so each length is its own run, and "seconds
to 90 %" are those of the shortest one whose mean over the trials reaches it.

Order, shifts and mirroring of the images are the same for every rule of a trial. The rules differ in their
heads and in how many layers share a loss: `evidence/studies/speedrun.py`.
"""

import argparse
import copy
import statistics

import torch

from evidence import records
from evidence.build import build
from evidence.studies import change
from evidence.studies.speedrun import NARROW, RULES, SPEEDRUN
from fftools import data
from fftools.extras import measure, pipeline, speedrun
from fftools.fast.precision import resolve_precision
from fftools.readout import accuracy

STUDY = "speedrun-clock"
MARKS = 0.80, 0.85, 0.90, 0.92


def race(
    config: dict, train: data.Split, test: data.Split, seed: int, pipelined: bool
) -> tuple[float, float]:
    """Seconds of training and accuracy on the test images, 0 to 1."""
    torch.manual_seed(seed)
    learner, device = build(config), train.labels.device
    settings = {name: config[name] for name in ("epochs", "batch_size", "lr", "weight_decay", "flip")}
    warm = settings | dict(epochs=1)
    speedrun.train(copy.deepcopy(learner), train[: 3 * config["batch_size"]], **warm)
    measure.wait(device)
    loop = dict(loop=pipeline.fit) if pipelined else {}
    seconds = speedrun.train(learner, train, **settings, seed=seed, **loop).seconds
    return sum(seconds) if pipelined else seconds, accuracy(learner.scores, test)


def keep(rule: str, config: dict, pipelined: bool, images: int, device, runs: list) -> None:
    """Write a record of each run, `results/speedrun-clock/…`."""
    told = {key: value for key, value in config.items() if key not in ("rule", "dataset", "splits")}
    told |= dict(called=rule, images=images, pipelined=pipelined)
    for seed, (seconds, right) in enumerate(runs):
        origin = records.provenance("cifar10", device, resolve_precision("auto", device), seconds)
        if pipelined:
            origin["device"] = f"{device.type}, a process for each block"
        metrics = {"seconds": seconds, "test_accuracy": right}
        records.save(STUDY, told, seed, "full", metrics, {}, origin)


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--rules", nargs="+", choices=RULES, default=list(RULES), metavar="RULE")
    options.add_argument("--epochs", nargs="+", type=int, default=[2, 4])
    options.add_argument("--trials", type=int, default=1)
    options.add_argument("--narrow", action="store_true")
    options.add_argument("--pipelined", action="store_true")
    options.add_argument("--keep", action="store_true", help="write a record of each run")
    options.add_argument("--images", type=int, help="train on so many only")
    options.add_argument("--device", default="auto")
    chosen = options.parse_args()
    dataset = data.load("cifar10", chosen.device)
    train, device = (dataset.train + dataset.validation)[: chosen.images], dataset.train.labels.device
    print(
        f"{len(train):,} images, {device}, {torch.get_num_threads()} threads, "
        f"{resolve_precision('auto', device)}, PyTorch {torch.__version__}, {chosen.trials} trials\n"
    )
    print(f"{'rule':34}{'epochs':>7}{'seconds':>10}{'test %':>16}")
    for rule in chosen.rules:
        reached = {}
        for epochs in sorted(chosen.epochs):
            config = change(SPEEDRUN, NARROW if chosen.narrow else {}, RULES[rule], dict(epochs=epochs))
            trials = range(chosen.trials)
            runs = [race(config, train, dataset.test, seed, chosen.pipelined) for seed in trials]
            if chosen.keep:
                keep(rule, config, chosen.pipelined, len(train), device, runs)
            seconds, right = (statistics.mean(column) for column in zip(*runs))
            spread = f" ± {100 * statistics.stdev(x for _, x in runs):.2f}" if len(runs) > 1 else ""
            print(f"{rule:34}{epochs:7}{seconds:10.1f}{f'{100 * right:.2f}{spread}':>16}", flush=True)
            reached |= {mark: seconds for mark in MARKS if right >= mark and mark not in reached}
        told = [f"{100 * mark:.0f} % in {seconds:.1f} s" for mark, seconds in reached.items()]
        print(f"{'':34}{', '.join(told) or f'none of these lengths reaches {100 * MARKS[0]:.0f} %'}")


if __name__ == "__main__":
    main()
