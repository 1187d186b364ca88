"""What chapters say of large runs: means with errors, differences over seeds, and tables for the page.

    runs = report.load("mono-mlp").where(dataset="mnist", epochs=40)
    runs.where(rule="mf").mean()                                    98.61 ± 0.05 (5 seeds)
    report.lead(runs.where(rule="mf"), runs.where(rule="bp"))       +0.12 ± 0.06

A metric is the name that records give it, or only "val" or "test": then it is the rule's main answer there.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
import pandas as pd

from evidence import names, records, studies
from evidence.names import in_common, in_words
from evidence.query import Found, holds, images_of, interval

SETS, plural = names.SETS, names.plural  # chapters ask for them here
RULES = dict(mf="MF", bp="BP", fa="FA", dfa="DFA", ff="FF", cw="channel-wise")
MAIN = dict(mf="ff_pred", ff="goodness", cw="goodness")  # of the others there is one answer, "accuracy"
NOT_RUN = "not run yet"
CONFIGURATION = lambda config: records.run_name(config, 0)
ROOM = "padding: 0.15em 0.6em; text-align: left"


class Mean(NamedTuple):
    """An accuracy in % over the seeds of one configuration: mean, standard deviation, and standard error.

    The error of one seed is that of the images it was judged on; of several, that of their mean.
    """

    value: float = np.nan
    sd: float = np.nan
    error: float = np.nan
    seeds: int = 0
    died: int = 0

    def __str__(self) -> str:
        if not self.seeds:
            return "died" if self.died else NOT_RUN
        spread = f" ± {self.sd:.2f}" * (self.seeds > 1)
        return f"{self.value:.2f}{spread} ({plural(self.seeds, 'seed')})"

    def bar(self) -> tuple[float, float]:
        """The value, and two standard errors: what `plots.dots` draws, and nothing of no runs."""
        return self.value, 2 * self.error


class Lead(NamedTuple):
    """The difference of two accuracies, in points, and how far its 95 % interval reaches to either side.

    From three seeds on that is `query.interval`'s, as on the claims page; below, two standard errors.
    """

    points: float = np.nan
    noise: float = np.nan
    died: bool = False

    def says(self, ahead: str = "holds", behind: str = "reversed", between: str = "undecided") -> str:
        """Which of three things: the first is ahead, or behind, or the interval holds both."""
        if np.isnan(self.points):
            return "a run died" if self.died else NOT_RUN
        return ahead if self.points > self.noise else behind if self.points < -self.noise else between

    def __str__(self) -> str:
        told = "{:+z.1f} ± {:.1f}" if self.noise > 0.5 else "{:+z.2f} ± {:.2f}"  # z: no −0.0
        return self.says() if np.isnan(self.points) else told.format(*self)


class Runs(list):
    """Records of runs, as a rule the seeds of one configuration."""

    def where(self, **parts) -> "Runs":
        """Those whose configuration has these parts: `where(rule="ff", network={"local": True})`."""
        return Runs(run for run in self if holds(run["config"], parts))

    def by(self, key: str | Callable[[dict], object] = CONFIGURATION) -> dict:
        """Runs by a key, or a function, of their configurations, in the order met; else the seeds of each."""
        groups, value = {}, key if callable(key) else lambda config: config.get(key)
        for run in self:
            groups.setdefault(value(run["config"]), Runs()).append(run)
        return groups

    def best(self, metric: str = "val") -> "Runs":
        """The configuration with the highest mean; none of no runs."""
        ran = [runs for runs in self.by().values() if runs.mean(metric).seeds]
        return max(ran, key=lambda runs: runs.mean(metric).value, default=Runs())

    def values(self, metric: str = "test") -> dict[int, float]:
        """Accuracy in % by seed, of the seeds that have it."""
        main = lambda run: f"{metric}_{MAIN.get(run['config']['rule'], 'accuracy')}"
        found = {run["seed"]: run["metrics"].get(metric if "_" in metric else main(run)) for run in self}
        return {seed: 100 * value for seed, value in found.items() if value is not None}

    def mean(self, metric: str = "test") -> Mean:
        """Over the seeds of one configuration. Raises ValueError for runs of several."""
        if len(groups := self.by()) > 1:
            raise ValueError(f"a mean is of one configuration; got {len(groups)}: say which by `where`")
        values, died = list(self.values(metric).values()), sum("failure" in run["history"] for run in self)
        if not values:
            return Mean(died=died)
        mean, several = float(np.mean(values)), len(values) > 1
        sd = float(np.std(values, ddof=1)) if several else np.nan
        error = sd / np.sqrt(len(values)) if several else standard_error(mean, images_of(self[0], metric))
        return Mean(mean, sd, float(error), len(values), died)

    def course(self) -> tuple[np.ndarray, np.ndarray]:
        """Epochs, and validation accuracies in % after them, mean over seeds: `axis.plot(*runs.course())`."""
        watched = [run["history"]["validation"] for run in self if run["history"].get("validation")]
        epochs, values = np.mean(watched, 0).T if watched else np.empty((2, 0))
        return epochs, 100 * values

    def scale(self) -> str:
        """How these runs were made; what differs between them is left out."""
        common = in_common([in_words(run["config"], run["provenance"]) for run in self])
        seeds = len({run["seed"] for run in self})
        return ", ".join([*common, plural(seeds, "seed")]) if self else NOT_RUN


def load(*studies: str, profile: str = "full") -> Runs:
    """All records of these studies, by name."""
    return Runs(run for name in studies for run in records.load(name, profile))


def trials(name: str, profile: str = "full") -> dict[str, Runs]:
    """The seeds of each configuration of a study, run or not, by name, in the study's order."""
    kept, named = records.load(name, profile), studies.find(name).named(profile)
    return {called: Runs(run for run in kept if run["config"] == config) for called, config in named.items()}


def lead(one: Runs, other: Runs, metric: str = "test", against: str | None = None) -> Lead:
    """By how much one configuration leads another, asked `against`; paired where their seeds are the same."""
    first, second = one.mean(metric), other.mean(against or metric)
    mine, theirs = one.values(metric), other.values(against or metric)
    if not mine or not theirs:
        return Lead(died=bool(first.died or second.died))
    if found := interval(Found(mine, one[0]), Found(theirs, other[0])):
        return Lead(sum(found) / 2, (found[1] - found[0]) / 2)
    return Lead(first.value - second.value, float(2 * np.hypot(first.error, second.error)))


def standard_error(value: float, images: int) -> float:
    """Standard error, in points, of an accuracy of `value` % that was measured on so many images."""
    return 100 * (value / 100 * (1 - value / 100) / images) ** 0.5


def table(rows: Iterable, *columns: str):
    """Rows (tuples, dicts or a DataFrame) as a table for the page: no index, room between the columns."""
    shown = pd.DataFrame(rows, columns=list(columns) or None)
    if shown.empty:
        shown = pd.DataFrame([[NOT_RUN] + ["–"] * (len(shown.columns) - 1)], columns=shown.columns)
    shown = shown.map(lambda cell: str(cell) if isinstance(cell, Mean | Lead) else cell)
    return shown.style.hide(axis="index").set_table_styles([{"selector": "th, td", "props": ROOM}])
