"""What the papers claim, entry by entry in `claims.toml`, and the verdict of the records that answer it."""

import itertools
import tomllib
from collections import Counter
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from evidence.query import SEEDS, Found, ask, difference, every, fits, holds, interval, leaves, merged, part

NUMBERS, STATEMENTS = ("reproduced", "exceeded", "fell short"), ("supported", "contradicted", "undecided")
VERDICTS = (*NUMBERS, *STATEMENTS, "open", "shown in a chapter")
# Where our runs have less of these than the paper's, they are smaller.
SCALE = {"epochs", "train_images", "widths", "blocks.widths", "blocks.kernel", "batches", "steps"}
_first = lambda found: [(found[0], other) for other in found[1:]]
PAIRS = {
    "order": itertools.pairwise,
    "first": _first,
    "same": _first,
    "at least": _first,
    "pairs": lambda found: list(zip(found[::2], found[1::2])),
    "gap": lambda found: itertools.pairwise([difference(*two) for two in zip(found[::2], found[1::2])]),
}
# Whether a 95 % interval of the first minus the second says yes, and whether it says no.
JUDGED = {
    "order": (lambda low, high, within: low > 0, lambda low, high, within: high < 0),
    "at least": (lambda low, high, within: low >= -within, lambda low, high, within: high < 0),
    "same": (
        lambda low, high, within: -within <= low and high <= within,
        lambda low, high, within: low > within or high < -within,
    ),
}


@dataclass(frozen=True)
class Claim:
    """One number or one statement of a document.

    protocol   of the document, from which the entry takes what it does not say itself
    paper      the paper's number, in `unit`; `tolerance`: how near, on either side, counts as reproduced
    lower      whether the metric is better when it is lower; not guessed from its name
    ours       queries, each `{study, metric, where}`; a number with two of them is their difference
    at         what the paper fixes of a configuration; `but`: what our protocol changes ("any": as it is)
    holds      what a statement says of the answers to several queries. "order": each is better than the next,
               "first": the first is better than each other one, "pairs": the first of each two is better,
               "gap": the lead of the first two is greater than that of the next two, "at least", "same": the
               first is no worse than, or equal to each other, give or take `within`, "above": better than it,
               "same peak", "other peak", "higher peak": where each has its best value of `vary`
    lead       of a baseline's number: the id of the paper's own method, which is compared with it
    chosen     how the record was chosen, fixed before its runs; `differs`: what else is not as in the paper
    why        why nothing answers it, or only something smaller
    chapter    the notebook that measures it or, without `ours`, shows what is seen or proved
    front      its name on the front page, if it is there
    """

    id: str
    document: str
    source: str
    says: str
    protocol: str = ""
    paper: float | None = None
    tolerance: float = 0.1
    unit: str = "%"
    lower: bool = False
    ours: tuple[dict, ...] = ()
    at: dict = field(default_factory=dict)
    but: dict = field(default_factory=dict)
    holds: str = "order"
    within: float = 0.0
    vary: str = ""
    lead: str = ""
    chosen: str = ""
    differs: str = ""
    why: str = ""
    chapter: str = ""
    front: str = ""

    def found(self) -> list[Found]:
        """An answer for each query, at the paper's scale or else at our protocol's; [] if one is missing."""
        choices = {key: value for key, value in self.but.items() if key not in SCALE}
        for at in (self.at, merged(self.at, choices), merged(self.at, self.but)):
            answers = [ask(query, at, self._scale) for query in self._queries]
            if answers and all(answers):
                return answers
        return []

    @property
    def _scale(self) -> int:
        return 100 if self.unit == "%" else 1

    @property
    def _queries(self) -> list[dict]:
        return [{"lower": self.lower} | query for query in self.ours]

    def verdict(self) -> str:
        """One of `VERDICTS`, or "control" for a number of ours that is beside the claims."""
        if self.source == "control":
            return "control"
        if not (found := self.found()):
            return "open" if self.ours or not self.chapter else "shown in a chapter"
        if self.paper is not None:
            return self._number(found)
        if self.vary:
            return self._peaks(found)
        return self._statement(found)

    def _number(self, found: list[Found]) -> str:
        """A smaller run than the paper's that falls short says nothing against the paper's number."""
        one = difference(*found) if len(found) == 2 else found[0]
        beyond = (one.mean - self.paper) * (-1 if self.lower else 1)
        allowed = max(self.tolerance, 2 * one.error if one.seeds >= SEEDS else 0)
        if abs(beyond) <= allowed + 1e-9:
            return "reproduced"
        return "exceeded" if beyond > 0 else "open" if self.smaller(found) else "fell short"

    def _statement(self, found: list[Found]) -> str:
        """Supported: every comparison is significant at 5 %; contradicted: one is, the other way round."""
        if self.holds == "above":
            pairs = [(one, replace(one, values=dict.fromkeys(one.values, self.within))) for one in found]
        else:
            pairs = list(PAIRS[self.holds](found))
        gaps = [interval(*(pair[::-1] if self.lower else pair)) for pair in pairs]
        ends = (found[-1], found[0]) if self.lower else (found[0], found[-1])
        wide = [interval(*ends)] * (self.holds == "order")
        right, wrong = JUDGED.get(self.holds, JUDGED["order"])
        if any(gap and wrong(*gap, self.within) for gap in gaps + wide):
            return "contradicted"
        return "supported" if all(gap and right(*gap, self.within) for gap in gaps) else "undecided"

    def _peaks(self, found: list[Found]) -> str:
        """Best values differ when each beats the other at home, and are one when it beats all everywhere."""
        theirs = all(holds(one.record["config"], self.at) for one in found)
        at = self.at if theirs else merged(self.at, self.but)
        value = lambda one: part(one.record["config"], self.vary)
        tables = [{value(one): one for one in every(query, at, self._scale)[::-1]} for query in self._queries]
        best = [value(one) for one in found]

        def beats(home: int, one, other) -> bool:
            gap = one != other and other in tables[home] and interval(tables[home][one], tables[home][other])
            return bool(gap) and gap[0] > 0

        apart = [
            (i, j)
            for i, j in itertools.combinations(range(len(best)), 2)
            if beats(i, best[i], best[j]) and beats(j, best[j], best[i])
        ]
        same = len(set(best)) == 1 and all(
            beats(home, best[0], other)
            for home, values in enumerate(tables)
            for other in values
            if other != best[0]
        )
        higher = [best[0] > best[j] for i, j in apart if i == 0]
        yes, no = {
            "same peak": (same, apart),
            "other peak": (apart, same),
            "higher peak": (sum(higher) == len(best) - 1, same or False in higher),
        }[self.holds]
        return "supported" if yes else "contradicted" if no else "undecided"

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
        return not SCALE.isdisjoint(self.differences(found))


@cache
def documents() -> dict[str, dict]:
    """`claims.toml` as it is: for each document its title, a note on all its rows, and its claims."""
    return tomllib.loads(Path(__file__).with_name("claims.toml").read_text("utf8"))


def load() -> list[Claim]:
    """All claims. Raises ValueError for an unknown field or protocol, or an id that is used twice."""
    entries = [
        {"document": name} | document.get("protocols", {}).get(entry.get("protocol"), {}) | entry
        for name, document in documents().items()
        for entry in document["claims"]
    ]
    known = {name: {None, *document.get("protocols", {})} for name, document in documents().items()}
    if absent := {
        each["protocol"] for each in entries if each.get("protocol") not in known[each["document"]]
    }:
        raise ValueError(f"claims.toml lacks protocols that its claims name: {', '.join(sorted(absent))}")
    if unknown := {key for entry in entries for key in entry} - set(Claim.__dataclass_fields__):
        raise ValueError(f"claims.toml has unknown fields: {', '.join(sorted(unknown))}")
    if twice := [name for name, uses in Counter(entry["id"] for entry in entries).items() if uses > 1]:
        raise ValueError(f"claims.toml uses an id twice: {', '.join(twice)}")
    return [Claim(**entry) for entry in entries]


def lost(kept: dict[str, str]) -> list[str]:
    """The claims that had an answer and have none now, in sentences. (What an answer says may change.)"""
    now = {claim.id: claim.verdict() for claim in load()}
    return [
        f"{name}: was {before}, is {now.get(name, 'gone')}"
        for name, before in kept.items()
        if before not in ("open", "control") and now.get(name, "open") == "open"
    ]
