"""What the papers claim, entry by entry in `claims.toml`, and the verdict of the records that answer it."""

import itertools
import tomllib
from collections import Counter
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from evidence.query import SEEDS, Found, ask, difference, every, fits, holds, interval
from evidence.studies.catalogue import change, leaves, part

NUMBERS, STATEMENTS = ("reproduced", "exceeded", "fell short"), ("supported", "contradicted", "undecided")
VERDICTS = (*NUMBERS, *STATEMENTS, "open", "shown in a chapter")
# Where our runs have less of these than the paper's, they are smaller.
SCALE = {"epochs", "train_images", "widths", "blocks.widths", "blocks.kernel", "batches", "steps"}
_first = lambda found: [(found[0], other) for other in found[1:]]
_twos = lambda found: list(zip(found[::2], found[1::2]))
# What a statement says of the answers to several queries: which pairs of them are compared.
PAIRS = {
    "order": lambda found: list(itertools.pairwise(found)),  # each is better than the next
    "first": _first,  # the first is better than each other one
    "same": _first,  # the first is equal to each other one, give or take `within`
    "at least": _first,  # the first is no worse than each other one, give or take `within`
    "pairs": _twos,  # the first of each two is better
    "gap": lambda found: list(itertools.pairwise(difference(*two) for two in _twos(found))),  # of two leads
}
# Whether a 95 % interval of the first minus the second says yes, and whether it says no; else `order`'s.
JUDGED = {
    "order": (lambda low, high, within: low > 0, lambda low, high, within: high < 0),
    "at least": (lambda low, high, within: low >= -within, lambda low, high, within: high < -within),
    "same": (lambda low, high, within: -within <= low and high <= within,
             lambda low, high, within: low > within or high < -within),
}  # fmt: skip


@dataclass(frozen=True)
class Claim:
    """One number or one statement of a document."""

    id: str
    document: str
    source: str  # where it is in the document; "control": a number of ours beside the claims
    says: str
    protocol: str = ""  # of the document, from which the entry takes what it does not say itself
    paper: float | None = None  # the paper's number, in `unit`
    tolerance: float = 0.1  # how near, on either side, counts as reproduced
    unit: str = "%"
    lower: bool = False  # whether the metric is better when it is lower; not guessed from its name
    ours: tuple[dict, ...] = ()  # queries, each `{study, metric, where}`; a number's two are subtracted
    at: dict = field(default_factory=dict)  # what the paper fixes of a configuration
    but: dict = field(default_factory=dict)  # what our protocol changes in it ("any": as it is)
    # One of `PAIRS`; "above": better than `within`; "same peak", "other peak", "higher peak" (the first's is
    # above the others'): where each has its best value of `vary`.
    holds: str = "order"
    within: float = 0.0
    vary: str = ""
    lead: str = ""  # of a baseline: the id of the paper's own method, which is compared with it
    chosen: str = ""  # how the record was chosen
    differs: str = ""  # what else is not as in the paper
    scaled: str = ""  # what is smaller than the paper's beside what a configuration says
    why: str = ""  # why nothing answers it, or only something smaller
    chapter: str = ""  # the notebook that measures it or, without `ours`, shows what is seen or proved
    front: str = ""  # its name on the front page, if it is there

    def found(self) -> list[Found]:
        """An answer for each query, at the paper's scale or else at our protocol's; [] if one is missing."""
        choices = {key: value for key, value in self.but.items() if key not in SCALE}
        for at in (self.at, change(self.at, choices), change(self.at, self.but)):
            answers = self._each(ask, at)
            if answers and all(answers):
                return answers
        return []

    def _each(self, question, at: dict) -> list:
        scale = 100 if self.unit == "%" else 1
        return [question({"lower": self.lower} | query, at, scale) for query in self.ours]

    def verdict(self) -> str:
        """One of `VERDICTS`, or "control" for a number of ours that is beside the claims."""
        if self.source == "control":
            return "control"
        if not (found := self.found()):
            return "open" if self.ours or not self.chapter else "shown in a chapter"
        return (self._statement if self.paper is None else self._number)(found)

    def _number(self, found: list[Found]) -> str:
        """A smaller run than the paper's that falls short says nothing against the paper's number."""
        one = difference(*found) if len(found) == 2 else found[0]
        beyond = (one.mean - self.paper) * (-1 if self.lower else 1)
        allowed = max(self.tolerance, 2 * one.error if one.seeds >= SEEDS else 0)
        if abs(beyond) <= allowed + 1e-9:
            return "reproduced"
        return "exceeded" if beyond > 0 else "open" if self.smaller(found) else "fell short"

    def _statement(self, found: list[Found]) -> str:
        """Supported: every comparison is significant at 5 %; contradicted: one is, the other way round.

        A smaller run than the paper's decides nothing.
        """
        yes, no = (self._peaks if self.vary else self._compared)(found)
        if self.smaller(found):
            return "undecided"
        return "contradicted" if no else "supported" if yes else "undecided"

    def _compared(self, found: list[Found]) -> tuple[bool, bool]:
        if self.holds == "above":
            pairs = [(one, replace(one, values=dict.fromkeys(one.values, self.within))) for one in found]
        else:
            pairs = PAIRS[self.holds](found)
        asked = [*pairs, (found[0], found[-1])] if self.holds == "order" else pairs
        gaps = [interval(*(pair[::-1] if self.lower else pair)) for pair in asked]
        right, wrong = JUDGED.get(self.holds, JUDGED["order"])
        yes = all(gap and right(*gap, self.within) for gap in gaps[: len(pairs)])
        return yes, any(gap and wrong(*gap, self.within) for gap in gaps)

    def _peaks(self, found: list[Found]) -> tuple[bool, bool]:
        """Best values differ when each beats the other at home, and are one when it beats all everywhere."""
        theirs = all(holds(one.record["config"], self.at) for one in found)
        at = self.at if theirs else change(self.at, self.but)
        value = lambda one: part(one.record["config"], self.vary)
        homes = [{value(one): one for one in found[::-1]} for found in self._each(every, at)]
        best = [value(one) for one in found]

        def beats(home: dict, one, other) -> bool:
            gap = one != other and other in home and interval(home[one], home[other])
            return bool(gap) and gap[0] > 0

        def apart(i: int, j: int) -> bool:
            return beats(homes[i], best[i], best[j]) and beats(homes[j], best[j], best[i])

        others = [(home, other) for home in homes for other in home if other != best[0]]
        same = len({*best}) == 1 and all(beats(home, best[0], other) for home, other in others)
        differ = any(apart(*two) for two in itertools.combinations(range(len(best)), 2))
        higher = [best[0] > best[j] for j in range(1, len(best)) if apart(0, j)]
        return {
            "same peak": (same, differ),
            "other peak": (differ, same),
            "higher peak": (sum(higher) == len(best) - 1, same or False in higher),
        }[self.holds]

    def differences(self, found: list[Found]) -> dict[str, tuple]:
        """By path, our value and the paper's, where our records are not as the paper has it."""
        return {
            path: (ours, theirs)
            for path in leaves(self.at)
            for one in found
            if not fits(ours := part(one.record["config"], path), theirs := part(self.at, path))
        }

    def smaller(self, found: list[Found]) -> bool:
        """Whether our runs are of less than the paper's scale."""
        return bool(found) and (bool(self.scaled) or not SCALE.isdisjoint(self.differences(found)))


@cache
def documents() -> dict[str, dict]:
    """`claims.toml` as it is: for each document its title, a note on all its rows, and its claims."""
    return tomllib.loads(Path(__file__).with_name("claims.toml").read_text("utf8"))


def load() -> list[Claim]:
    """All claims. Raises ValueError for an unknown field or protocol, or an id that is used twice."""
    entries, absent = [], set()
    for name, document in documents().items():
        protocols = document.get("protocols", {}) | {None: {}}
        for entry in document["claims"]:
            absent |= {entry.get("protocol")} - set(protocols)
            entries.append({"document": name} | protocols.get(entry.get("protocol"), {}) | entry)
    ids = Counter(entry["id"] for entry in entries)
    for wrong, names in {
        "lacks protocols that its claims name": absent,
        "has unknown fields": {key for entry in entries for key in entry} - set(Claim.__dataclass_fields__),
        "uses an id twice": {name for name, uses in ids.items() if uses > 1},
    }.items():
        if names:
            raise ValueError(f"claims.toml {wrong}: {', '.join(sorted(names))}")
    return [Claim(**entry) for entry in entries]


def lost(kept: dict[str, str]) -> list[str]:
    """The claims that had an answer and have none now, in sentences. (What an answer says may change.)"""
    now = {claim.id: claim.verdict() for claim in load()}
    had = {name: verdict for name, verdict in kept.items() if verdict not in ("open", "control")}
    told = lambda name: f"{name}: was {had[name]}, is {now.get(name, 'gone')}"
    return [told(name) for name in had if now.get(name, "open") == "open"]
