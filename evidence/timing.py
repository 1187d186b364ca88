"""Time of a training step, Mono-Forward against backpropagation: eager, compiled, and Mono-Forward pipelined
(Table 5).

    python benchmarks/learning_costs.py           (some minutes on two cores; --quick for a glance without
    records)

Writes a record for each network, batch and way to `results/learning-costs/`, which chapter 10 shows.
Networks, as in the
paper: 2×1000 on images of MNIST's size and 3×2000 on images of CIFAR's, without biases. Images are random
numbers: the
time does not depend on what they show. Everything is float32 with Adam. `--repeats` times the ways take
turns, each for
a few steps, and the record keeps every turn's seconds for a step. Compiling needs a C++ compiler; without one
its records
are left out.

eager       `fftools.fit`'s step
compiled    the losses and their gradients by `torch.compile`, Adam as before
pipelined    `fftools.extras.pipeline`: a process for each block, the cores shared out among them;
            Mono-Forward only
"""

import argparse
from functools import partial

import torch

from evidence import records
from fftools import data
from fftools.blocks import mlp
from fftools.data import Split
from fftools.extras import measure, pipeline
from fftools.fast.step import make_optimizer
from fftools.fit import training_step
from fftools.learner import materialise
from fftools.rules.backprop import Backprop
from fftools.rules.mono_forward import MonoForward

STUDY = "learning-costs"
# Shape of an image, widths, and sizes of batches: all training images only where that takes minutes and not
# half an hour.
NETWORKS = {
    "mnist": ((1, 28, 28), [784, 1000, 1000], (128, 2_000, 50_000)),
    "cifar10": ((3, 32, 32), [3072, 2000, 2000, 2000], (128, 2_000)),
}
RULES = {"mf": MonoForward, "bp": Backprop}


def random_split(shape: tuple[int, ...], count: int, device: torch.device) -> Split:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (count, *shape), generator=generator).to(torch.uint8)
    return Split(images.to(device), torch.randint(10, (count,), generator=generator).to(device))


def build(rule: str, widths: list[int], batch: Split):
    torch.manual_seed(0)
    learner = (
        RULES[rule](mlp(widths, bias=False), **(dict(bias=False) if rule == "bp" else {}))
        .to(batch.labels.device)
        .train()
    )
    materialise(learner, batch.images, batch.labels)
    return learner


def step_of(learner, way: str, device: torch.device):
    """One training step, a function of images and labels."""
    tuned = make_optimizer("adam", learner.trained(), 1e-3, device)
    if way == "eager":
        return partial(training_step, learner, tuned, "float32")
    losses = torch.compile(
        lambda images, labels: sum(learner.local_losses(images, labels))
    )  # nothing crosses a block's border

    def step(images, labels):
        losses(images, labels).backward()
        tuned.step()
        tuned.zero_grad(set_to_none=True)

    return step


def steps_in_a_turn(batch_size: int) -> int:
    return 10 if batch_size < 1000 else 1


def turns(
    dataset: str, batch_size: int, repeats: int, device: torch.device
) -> dict[tuple[str, str], list[float]]:
    """Seconds of a step in each turn of each rule and way."""
    shape, widths, _ = NETWORKS[dataset]
    count = steps_in_a_turn(batch_size)
    split = random_split(shape, batch_size * count, device)
    images, labels = split[:batch_size].floats(), split.labels[:batch_size]
    works = {}
    for rule in RULES:
        for way in ("eager", "compiled"):
            step = step_of(build(rule, widths, split), way, device)
            try:
                step(images, labels)
            except torch._inductor.exc.InductorError as error:
                print(f"{way} {rule} left out: {str(error).splitlines()[0]}")
                continue
            works[rule, way] = lambda step=step: [step(images, labels) for _ in range(count)]
    found = {key: [] for key in works}
    for turn in range(repeats):
        for key, work in works.items():
            found[key] += [
                seconds / count for seconds in measure.timed(work, device, repeats=1, warm_up=not turn)
            ]
    run = pipeline.fit(
        build("mf", widths, split),
        split,
        epochs=repeats + 1,
        batch_size=batch_size,
        lr=1e-3,
        cooldown=False,
        precision="float32",
    )
    found["mf", "pipelined"] = [
        seconds / count for seconds in run.seconds[1:]
    ]  # in the first the pipeline fills
    return found


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--repeats", type=int, default=11)
    options.add_argument("--quick", action="store_true", help="small batches only, no records")
    options.add_argument("--device", default="auto")
    chosen = options.parse_args()
    device = data.pick_device(chosen.device)
    for dataset, (_, widths, sizes) in NETWORKS.items():
        for batch_size in sizes[: 1 if chosen.quick else None]:
            found = turns(dataset, batch_size, chosen.repeats, device)
            for (rule, way), seconds in found.items():
                median = sorted(seconds)[len(seconds) // 2]
                print(
                    f"{dataset:8} batch {batch_size:5}  {rule} {way:10} {1e3 * median:9.2f} ms a step"
                    f"   ({1e3 * min(seconds):.2f} to {1e3 * max(seconds):.2f})"
                )
                if not chosen.quick:
                    config = dict(rule=rule, way=way, shape=dataset, widths=widths, batch_size=batch_size)
                    origin = records.provenance(
                        "random", device, "float32", sum(seconds) * steps_in_a_turn(batch_size)
                    )
                    records.save(STUDY, config, 0, "full", {"seconds": median}, {"seconds": seconds}, origin)
