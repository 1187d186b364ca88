"""Time of a training step, Mono-Forward against backprop: eager, compiled, and pipelined (Table 5).

    python benchmarks/learning_costs.py      (some minutes on two cores; --quick for a glance without records)

Writes a record for each network, batch and way to `results/learning-costs/`, which chapter 10 shows. The
networks are the paper's, without biases: 2×1000 on images of MNIST's size, 3×2000 on those of CIFAR's. Images
are random: the time does not depend on what they show. Everything is float32 with Adam. `--repeats`
times the ways take turns, each for a few steps; the record keeps every turn's seconds for a step.

eager        `fftools.fit`'s step
compiled     losses and gradients by `torch.compile`, Adam as before; left out where there is no C++ compiler
pipelined    `fftools.extras.pipeline`: a process for each block; Mono-Forward only
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
from fftools.fit import constant, training_step
from fftools.learner import materialise
from fftools.rules.backprop import Backprop
from fftools.rules.mono_forward import MonoForward

STUDY = "learning-costs"
# Shape of an image, widths, and sizes of batches: all training images only where that takes no half hour.
NETWORKS = {
    "mnist": ((1, 28, 28), [784, 1000, 1000], (128, 2_000, 50_000)),
    "cifar10": ((3, 32, 32), [3072, 2000, 2000, 2000], (128, 2_000)),
}
RULES = dict(mf=MonoForward, bp=partial(Backprop, bias=False))


def random_split(shape: tuple[int, ...], count: int, device: torch.device) -> Split:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (count, *shape), generator=generator).to(torch.uint8)
    return Split(images.to(device), torch.randint(10, (count,), generator=generator).to(device))


def build(rule: str, widths: list[int], batch: Split):
    torch.manual_seed(0)
    learner = RULES[rule](mlp(widths, bias=False)).to(batch.labels.device).train()
    materialise(learner, batch.images, batch.labels)
    return learner


def step_of(learner, way: str, device: torch.device):
    """One training step, a function of images and labels."""
    tuned = make_optimizer("adam", learner.trained(), 1e-3, device)
    if way == "eager":
        return partial(training_step, learner, tuned, "float32")
    # One backward pass for all losses: nothing crosses a block's border.
    losses = torch.compile(lambda images, labels: sum(learner.local_losses(images, labels)))

    def step(images, labels):
        losses(images, labels).backward()
        tuned.step()
        tuned.zero_grad(set_to_none=True)

    return step


def turns(
    dataset: str, batch_size: int, repeats: int, device: torch.device
) -> dict[tuple[str, str], list[float]]:
    """Seconds of a step in each turn of each rule and way."""
    (shape, widths, _), steps = NETWORKS[dataset], steps_in_a_turn(batch_size)
    split = random_split(shape, batch_size * steps, device)
    batch, works = (split[:batch_size].floats(), split.labels[:batch_size]), {}
    for rule in RULES:
        for way in ("eager", "compiled"):
            step = step_of(build(rule, widths, split), way, device)
            try:
                step(*batch)
            except torch._inductor.exc.InductorError as error:
                print(f"{way} {rule} left out: {str(error).splitlines()[0]}")
                continue
            works[rule, way] = lambda step=step: [step(*batch) for _ in range(steps)]
    found = {key: [] for key in works}
    for turn in range(repeats):
        for key, work in works.items():
            (seconds,) = measure.timed(work, device, repeats=1, warm_up=not turn)
            found[key].append(seconds / steps)
    settings = dict(
        epochs=repeats + 1, batch_size=batch_size, lr=1e-3, schedule=constant, precision="float32"
    )
    run = pipeline.fit(build("mf", widths, split), split, **settings)
    # The first fills the pipeline.
    found["mf", "pipelined"] = [seconds / steps for seconds in run.seconds[1:]]
    return found


def steps_in_a_turn(batch_size: int) -> int:
    return 10 if batch_size < 1000 else 1


def main() -> None:
    as_it_is = argparse.RawDescriptionHelpFormatter
    options = argparse.ArgumentParser(description=__doc__, formatter_class=as_it_is)
    options.add_argument("--repeats", type=int, default=11)
    options.add_argument("--quick", action="store_true", help="small batches only, no records")
    options.add_argument("--device", default="auto")
    chosen = options.parse_args()
    device = data.pick_device(chosen.device)
    for dataset, (_, widths, sizes) in NETWORKS.items():
        for batch_size in sizes[: 1 if chosen.quick else None]:
            for (rule, way), seconds in turns(dataset, batch_size, chosen.repeats, device).items():
                typical = sorted(seconds)[len(seconds) // 2]
                spread = f"({1e3 * min(seconds):.2f} to {1e3 * max(seconds):.2f})"
                what = f"{dataset:8} batch {batch_size:5}  {rule} {way:10}"
                print(f"{what} {1e3 * typical:9.2f} ms a step   {spread}")
                if not chosen.quick:
                    config = dict(rule=rule, way=way, shape=dataset, widths=widths, batch_size=batch_size)
                    spent = sum(seconds) * steps_in_a_turn(batch_size)
                    origin = records.provenance("random", device, "float32", spent)
                    records.save(STUDY, config, 0, "full", {"seconds": typical}, {"seconds": seconds}, origin)


if __name__ == "__main__":
    main()
