"""What the papers claim, entry by entry in `claims.toml`, beside the records that answer it, with a verdict."""

import itertools
import tomllib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from evidence.query import Found, ask, holds, noise, part, sign

VERDICTS = ("not run", "shown in a chapter", "not run at that scale", "not reproduced", "close", "reproduced")  # worst first
DECIDED = VERDICTS[-3:]
CLOSE = 5  # a number within this many tolerances of the paper's is close


@dataclass(frozen=True)
class Claim:
    """One number or one statement of a document.

    ours       queries, each `{study, metric, where}`; none for what no study answers yet
    paper      the paper's number, in % (an accuracy, or an error where the metric is one)
    tolerance  how near to `paper` counts as reproduced, in points; being better always does
    at         what a configuration must hold to be of the paper's scale
    holds      how several queries compare: "order" (each better than the next), "first" (the first better than each
               other), "same peak" or "other peak" (whether the best value of `vary` is the same for all)
    front      its name on the front page, if it stands there
    chapter    the notebook that shows what no record can: what is seen in a picture, proved, or timed in the page
    """

    id: str
    document: str
    source: str
    says: str
    paper: float | None = None
    ours: tuple[dict, ...] = ()
    tolerance: float = 0.1
    at: dict | None = None
    holds: str = "order"
    vary: str = ""
    front: str = ""
    chapter: str = ""

    def found(self) -> list[Found]:
        """Our answers in the order of the queries; empty when one is missing. Full scale first, else the miniatures."""
        for profile in ("full", "quick"):
            answers = [ask(query, profile) for query in self.ours]
            if answers and all(answers):
                return answers
        return []

    def verdict(self) -> str:
        """One of `VERDICTS`; "control" for a number of ours that stands beside no claim."""
        if self.chapter:
            return "shown in a chapter"
        if self.paper is None and len(self.ours) == 1:
            return "control"
        found = self.found()
        scaled = all(a.record["profile"] == "full" and holds(a.record["config"], self.at or {}) for a in found)
        leaning = self.leaning()
        if scaled or (self.paper is not None and leaning == "reproduced"):  # a number that a smaller run reaches is reached
            return leaning
        return "not run at that scale"

    def leaning(self) -> str:
        """The verdict that our numbers would give, whatever their scale."""
        if not (found := self.found()):
            return "not run"
        if self.vary:
            return self._peaks(found)
        if len(found) > 1:
            pairs = itertools.pairwise(found) if self.holds == "order" else [(found[0], other) for other in found[1:]]
            return _compared(found, list(pairs), sign(self.ours[0]))
        short = sign(self.ours[0]) * (self.paper - found[0].mean)
        return "reproduced" if short <= self.tolerance else "close" if short <= CLOSE * self.tolerance else "not reproduced"

    def _peaks(self, found: list[Found]) -> str:
        if not all(answer.alone for answer in found):
            return "close"  # a best value that noise may have chosen says neither yes nor no
        same = len({part(answer.record["config"], self.vary) for answer in found}) == 1
        return "reproduced" if same == (self.holds == "same peak") else "not reproduced"

    def measured(self) -> str:
        """Our numbers: mean ± standard deviation over seeds; several with the relation between them."""
        found = self.found()
        if self.vary:
            return ", ".join(f"best at {part(a.record['config'], self.vary):g}" + " or near" * (not a.alone) for a in found)
        shown = [f"{a.mean:.2f}" + (f" ± {a.sd:.2f}" if a.seeds > 1 else "") for a in found]
        relations = ["<>"[a.mean > b.mean] if self.holds == "order" else "|" for a, b in itertools.pairwise(found)] + ["%"]
        return " ".join(word for pair in zip(shown, relations) for word in pair)

    def scale(self) -> str:
        """Dataset, network, images, length, seeds and device of our runs; what differs between queries is left out."""
        scales = [_scale(answer) for answer in self.found()]
        return ", ".join(part for part in (scales[0] if scales else []) if all(part in other for other in scales))


def documents() -> dict[str, dict]:
    """`claims.toml` as it stands: for each document its title and its claims."""
    return tomllib.loads(Path(__file__).with_name("claims.toml").read_text("utf8"))


def load() -> list[Claim]:
    """All claims, in the order of `claims.toml`. Raises ValueError for an unknown field or an id that is used twice."""
    entries = [{"document": name} | entry for name, document in documents().items() for entry in document["claims"]]
    if unknown := {key for entry in entries for key in entry} - set(Claim.__dataclass_fields__):
        raise ValueError(f"claims.toml has unknown fields: {', '.join(sorted(unknown))}")
    if twice := [name for name, count in Counter(entry["id"] for entry in entries).items() if count > 1]:
        raise ValueError(f"claims.toml uses an id twice: {', '.join(twice)}")
    return [Claim(**entry) for entry in entries]


def _compared(found: list[Found], pairs: list[tuple[Found, Found]], sign: int) -> str:
    """Reproduced: every difference has the claimed sign, and the widest stands out of the noise (two standard errors)."""
    lead = lambda better, worse: sign * (better.mean - worse.mean)
    last = min(found[1:], key=lambda answer: sign * answer.mean)
    if all(lead(*pair) > 0 for pair in pairs) and lead(found[0], last) > noise(found[0], last):
        return "reproduced"
    wide = [*pairs, *((found[0], other) for other in found[1:])]
    return "not reproduced" if any(lead(*pair) < -noise(*pair) for pair in wide) else "close"


def _scale(answer: Found) -> list[str]:
    config, origin = answer.record["config"], answer.record["provenance"]
    blocks = config.get("blocks")
    network = (f"{'-'.join(map(str, blocks['widths']))} filters {blocks['kernel']}×{blocks['kernel']}" if blocks
               else "-".join(map(str, config["widths"])))
    length = f"{config['epochs']} epochs" if "epochs" in config else f"{config['batches']} × {config['steps']} steps a layer"
    parts = [origin["dataset"], network, f"{config['train_images']:,} images" if "train_images" in config else "", length,
             {"hard": "hard negatives", "all": "all wrong labels"}.get(config["network"].get("negatives"), ""),
             f"{each} negatives each" if (each := config["network"].get("negatives_each", 1)) > 1 else "",
             f"shifts of ±{config['shift']} px" if config.get("shift") else "", "mirrored" if config.get("flip") else "",
             "standardised inputs" if config.get("standardise") else "",
             "trained on the validation images too" if config.get("all_images") else "",
             f"{answer.seeds} seed{'s' * (answer.seeds > 1)}", origin["device"].split(",")[0].upper(), origin["precision"]]
    return [part for part in parts if part]


def worse(kept: dict[str, str]) -> list[str]:
    """The claims whose verdict is worse than the one kept, each in a sentence."""
    now = {claim.id: claim.verdict() for claim in load()}
    rank = lambda verdict: VERDICTS.index(verdict) if verdict in VERDICTS else -1
    return [f"{name}: was {before}, is {now.get(name, 'gone')}" for name, before in kept.items()
            if rank(now.get(name)) < rank(before)]
