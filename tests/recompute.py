"""Every verdict again, from `evidence/claims.toml` and `results/` alone, written without our code's answers.

    python tests/recompute.py [ROOT]    prints verdicts that differ from results/verdicts.json; 1 if one does

It imports nothing of ours, follows the rule on the page *What we could reproduce*, and uses scipy's t-tests.
"""

import json
import sys
import tomllib
import warnings
from collections import defaultdict
from pathlib import Path

import numpy as np
from scipy import stats

SIZE = {"epochs", "train_images", "widths", "kernel", "batches", "steps"}
warnings.filterwarnings("ignore", category=RuntimeWarning)  # t-tests of equal numbers


def contains(have, want) -> bool:
    if want == "any":
        return True
    if want == "none":
        return have in (None, False, 0)
    if isinstance(want, dict):
        return all(contains((have or {}).get(key), value) for key, value in want.items())
    return have == want


def overlay(base: dict, top: dict) -> dict:
    out = json.loads(json.dumps(base))
    for key, value in top.items():
        both = isinstance(value, dict) and isinstance(out.get(key), dict)
        out[key] = overlay(out[key], value) if both else value
    return out


def flat(tree: dict, path=()) -> dict:
    out = {}
    for key, value in tree.items():
        out |= flat(value, (*path, key)) if isinstance(value, dict) else {(*path, key): value}
    return out


def dig(tree, path):
    for key in path:
        tree = tree.get(key) if isinstance(tree, dict) else None
    return tree


def read(record: dict, metric: str):
    words = metric.split()
    if words[0] == "discrimination":
        rows = record["history"].get("discrimination") or None
        return rows and rows[{"first": 0, "last": -1}[words[2]]][int(words[1])][1]
    if words[-1] == "curve":
        rows = record["history"].get(words[0])
        return float(np.mean([value for _, value in rows])) if rows else None
    if len(words) > 1:
        matrix = record["history"].get("confusion", {}).get(words[0])
        if not matrix:
            return None
        shares = [matrix[int(d)][int(d)] / sum(matrix[int(d)]) for d in words[-1]]
        return {"of": np.mean, "least": min, "most": max}[words[1]](shares)
    return record["metrics"].get(metric)


class Judge:
    def __init__(self, root: Path):
        self.root, self.kept = root, {}
        text = tomllib.loads((root / "evidence" / "claims.toml").read_text("utf8"))
        self.entries = [
            document.get("protocols", {}).get(entry.get("protocol"), {}) | entry
            for document in text.values()
            for entry in document["claims"]
        ]

    def study(self, name: str) -> list[dict]:
        if name not in self.kept:
            files = sorted((self.root / "results" / name).glob("*.json"))
            self.kept[name] = [
                r for r in (json.loads(f.read_text("utf8")) for f in files) if r["profile"] == "full"
            ]
        return self.kept[name]

    def answers(self, query: dict, at: dict, entry: dict) -> list[tuple[dict, dict]]:
        """(configuration, values by seed), best on validation images first."""
        groups = defaultdict(list)
        for record in self.study(query["study"]):
            config = record["config"]
            if (
                contains(config, query.get("where", {}))
                and contains(config, at)
                and read(record, query["metric"]) is not None
            ):
                groups[json.dumps(config, sort_keys=True)].append(record)
        times = 100 if entry.get("unit", "%") == "%" else 1
        found = []
        for text, group in groups.items():
            values = {r["seed"]: read(r, query["metric"]) for r in group}
            if isinstance(group[0]["metrics"].get(query["metric"]), list):
                values = dict(enumerate(group[0]["metrics"][query["metric"]]))
            judge = [read(r, query["metric"].replace("test_", "val_", 1)) for r in group]
            rank = np.mean(judge) if len(groups) > 1 else 0
            found.append((rank, json.loads(text), {seed: times * value for seed, value in values.items()}))
        found.sort(key=lambda one: one[0], reverse=not entry.get("lower"))
        return [(config, values) for _, config, values in found]

    def verdict(self, entry: dict) -> str:
        if entry["source"] == "control":
            return "control"
        queries, at, but = entry.get("ours", []), entry.get("at", {}), entry.get("but", {})
        if not queries:
            return "shown in a chapter" if "chapter" in entry else "open"
        choices = {key: value for key, value in but.items() if key not in SIZE}
        for scale in (at, overlay(at, choices), overlay(at, but)):
            tables = [self.answers(query, scale, entry) for query in queries]
            if all(tables):
                break
        else:
            return "open"
        best = [table[0] for table in tables]
        smaller = bool(entry.get("scaled")) or any(
            path[-1] in SIZE and not contains(dig(config, path), value)
            for config, _ in best
            for path, value in flat(at).items()
        )
        if "paper" in entry:
            return self.number(entry, best, smaller)
        said = self.peaks(entry, tables) if "vary" in entry else self.statement(entry, best)
        return "undecided" if smaller else said

    def number(self, entry, best, smaller) -> str:
        values = list(best[0][1].values())
        if len(best) == 2:
            values = [best[0][1][seed] - best[1][1][seed] for seed in best[0][1] if seed in best[1][1]]
        margin = entry.get("tolerance", 0.1)
        if len(values) > 2:
            margin = max(margin, 2 * stats.sem(values))
        ahead = np.mean(values) - entry["paper"]
        if abs(ahead) <= margin + 1e-9:
            return "reproduced"
        if (ahead < 0) == entry.get("lower", False):
            return "exceeded"
        return "open" if smaller else "fell short"

    def statement(self, entry, best) -> str:
        how, within, lower = entry.get("holds", "order"), entry.get("within", 0.0), entry.get("lower", False)
        sides = best
        if how == "gap":
            sides = [
                (a[0], {s: a[1][s] - b[1][s] for s in a[1] if s in b[1]})
                for a, b in zip(best[::2], best[1::2])
            ]
        if how == "above":
            pairs = [(one, (one[0], dict.fromkeys(one[1], within))) for one in best]
        elif how == "pairs":
            pairs = list(zip(best[::2], best[1::2]))
        elif how in ("first", "same", "at least"):
            pairs = [(sides[0], other) for other in sides[1:]]
        else:
            pairs = list(zip(sides, sides[1:]))
        extra = [(sides[0], sides[-1])] if how == "order" else []
        ranges = [between(*(pair[::-1] if lower else pair)) for pair in pairs + extra]
        no = {"same": lambda a, b: a > within or b < -within, "at least": lambda a, b: b < -within}.get(
            how, lambda a, b: b < 0
        )
        yes = {"same": lambda a, b: a >= -within and b <= within, "at least": lambda a, b: a >= -within}.get(
            how, lambda a, b: a > 0
        )
        if any(r and no(*r) for r in ranges):
            return "contradicted"
        return "supported" if all(r and yes(*r) for r in ranges[: len(pairs)]) else "undecided"

    def peaks(self, entry, tables) -> str:
        path = entry["vary"].split(".")
        maps = []
        for table in tables:
            at_home = {}
            for config, values in table:
                at_home.setdefault(dig(config, path), (config, values))
            maps.append(at_home)
        tops = [next(iter(home)) for home in maps]

        def wins(home, one, other):
            r = between(home[one], home[other]) if one != other and one in home and other in home else None
            return bool(r) and r[0] > 0

        def apart(i, j):
            return wins(maps[i], tops[i], tops[j]) and wins(maps[j], tops[j], tops[i])

        numbers = range(len(tops))
        same = len(set(tops)) == 1 and all(
            wins(home, tops[0], other) for home in maps for other in home if other != tops[0]
        )
        differ = any(apart(i, j) for i in numbers for j in numbers if i < j)
        if entry["holds"] == "higher peak":
            yes = all(apart(0, j) and tops[0] > tops[j] for j in numbers[1:])
            no = same or any(apart(0, j) and tops[0] < tops[j] for j in numbers[1:])
        else:
            yes, no = (same, differ) if entry["holds"] == "same peak" else (differ, same)
        return "supported" if yes else "contradicted" if no else "undecided"


def between(one, other) -> tuple[float, float] | None:
    """95 % confidence interval of two means' difference, by scipy's t-tests; None below three seeds."""
    (config, a), (config_b, b) = one, other
    gap = np.mean(list(a.values())) - np.mean(list(b.values()))
    if config.get("exact") and config_b.get("exact"):
        return gap, gap
    shared = [seed for seed in a if seed in b]
    if len(shared) >= 3:
        x, y = [a[s] for s in shared], [b[s] for s in shared]
        gap, test = np.mean(x) - np.mean(y), stats.ttest_rel(x, y)
    elif min(len(a), len(b)) >= 3:
        test = stats.ttest_ind(list(a.values()), list(b.values()), equal_var=False)
    else:
        return None
    low, high = test.confidence_interval(0.95)
    return (gap, gap) if np.isnan(low) else (low, high)


def main(root: Path) -> int:
    judge = Judge(root)
    kept = json.loads((root / "results" / "verdicts.json").read_text("utf8"))
    ours = {entry["id"]: judge.verdict(entry) for entry in judge.entries}
    differing = [name for name in ours.keys() | kept.keys() if ours.get(name) != kept.get(name)]
    for name in sorted(differing):
        print(f"{name}: kept {kept.get(name)}, recomputed {ours.get(name)}")
    print(f"{len(ours) - len(differing)} of {len(ours)} verdicts agree")
    return int(bool(differing))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[1]))
