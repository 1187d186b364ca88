"""The claims for README.md, a short table, and for the page *What we could reproduce*, a line each."""

import itertools
import json
import re
from collections import Counter
from html import escape
from pathlib import Path

from evidence import claims
from evidence.claims import Claim
from evidence.names import in_common, in_words, joined, plural
from evidence.query import Found
from evidence.studies.catalogue import part

# A verdict can be told without its colour.
SIGNS = {"reproduced": "=", "exceeded": "▲", "fell short": "▽", "supported": "✓", "contradicted": "✗",
         "undecided": "?", "open": "○", "shown in a chapter": "◇", "control": "·"}  # fmt: skip
NAMES = {"lr": "rate", "train_images": "training images", "batch_size": "batch", "blocks.widths": "filters",
         "blocks.kernel": "kernel"}  # fmt: skip
HEAD = dict(what="Claim", paper="Paper", ours="Ours", verdict="Verdict")


def front_claims() -> str:
    """The few claims that the front page shows, as a Markdown table."""
    lines = ["| | Paper | Ours | Verdict |", "|:--|:--|:--|:--|"]
    for claim in claims.load():
        if claim.front and (verdict := claim.verdict()) != "open":
            ours = measured(claim) + often(claim.found())
            cells = claim.front, _paper(claim) or "–", ours, verdict.replace("control", "–")
            lines.append("| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |")
    return "\n".join(lines)


def all_claims() -> str:
    """Every claim in a line, with what belongs to it folded underneath, by document; a summary on top."""
    judged = [(claim, claim.verdict()) for claim in claims.load()]
    real = [(claim, verdict) for claim, verdict in judged if verdict != "control"]
    counts = Counter(verdict for _, verdict in real)
    counted = ", ".join(f"**{counts[verdict]}** {verdict}" for verdict in claims.VERDICTS)
    smaller = sum(claim.smaller(claim.found()) for claim, _ in real)
    scale = f"{smaller} of them are answered at less than the paper's scale."
    for most, n in Counter(claim.document for claim, verdict in real if verdict == "open").most_common(1):
        scale += f" {n} of the open ones are of one document, *{claims.documents()[most]['title']}*."
    scale += " Most wait for a run; each line says why."
    scale += f" Beside them the page has {len(judged) - len(real)} numbers of our own."
    head = "".join(_span(part, title) for part, title in HEAD.items())
    lines = [f"{len(real)} claims: {counted}. {scale}", "", summary(real)]
    for name, document in claims.documents().items():
        here = [(claim, verdict) for claim, verdict in judged if claim.document == name]
        ours = [pair for pair in here if pair[1] == "control" and pair[0].found()]
        lines += ["", f"## {document['title']}", ""] + ([document["note"], ""] if "note" in document else [])
        shown = [line(*pair) for pair in here if pair[1] not in ("open", "control")]
        # A head belongs to rows in view: where all are folded, it would stand alone.
        titles = [f'<div class="claim head" aria-hidden="true">{head}</div>'] * bool(shown)
        lines += ['<div class="claims">', *titles, *shown]
        lines += _folded("open claims, each with its reason", [pair for pair in here if pair[1] == "open"])
        lines += _folded("numbers of our own beside them", ours) + ["</div>"]
    return "\n".join(lines)


def _folded(title: str, judged: list[tuple[Claim, str]]) -> list[str]:
    head = f'<details class="more"><summary>{len(judged)} {title}</summary>'
    return [head, *(line(*pair) for pair in judged), "</details>"] if judged else []


def summary(real: list[tuple[Claim, str]]) -> str:
    """Claims by document and verdict as bars of HTML, each part as wide as its count."""
    rows = []
    for name, document in claims.documents().items():
        counts = Counter(verdict for claim, verdict in real if claim.document == name)
        there = {verdict: counts[verdict] for verdict in claims.VERDICTS if counts[verdict]}
        told = escape(", ".join(f"{count} {verdict}" for verdict, count in there.items()))
        part = lambda verdict, n: f'<span class="{_class(verdict)}" style="flex-grow:{n}">{n}</span>'
        parts = "".join(part(*pair) for pair in there.items())
        bar = f'<div class="bar" role="img" aria-label="{told}">{parts}</div>'
        rows.append(f'<div class="bar-name">{escape(document["title"])}</div>{bar}')
    key = "".join(f"<span>{_span(f'swatch {_class(v)}', SIGNS[v])} {v}</span>" for v in claims.VERDICTS)
    return f'<div class="claims-summary">{"".join(rows)}<div class="key">{key}</div></div>'


def line(claim: Claim, verdict: str) -> str:
    """One claim: what it says, the paper's number, ours, the verdict; the rest is folded."""
    found, control = claim.found(), verdict == "control"
    waits = "its chapter has not been run since" if claim.ours and claim.chapter else ""
    short = "our smaller runs fall short of it, which decides nothing" if found else ""
    unmade = "see the chapter" if claim.chapter else "its runs have not been made"
    why = claim.why or short or waits or unmade
    differs, behind = _differs(claim, found), lead(claim)
    # What every reader must see: a smaller scale, and what a better baseline does to the paper's lead.
    seen = [text for path, text in differs.items() if path in claims.SCALE]
    seen += [claim.scaled] if claim.scaled and found else []
    seen += [f"lead: {behind}"] if behind else []
    numbers = escape(measured(claim)).replace(" ± ", "\xa0±\xa0") or f"<i>{_code(why)}</i>"
    smaller = "<i>, smaller than the paper's</i>" * bool(found and claim.chapter and verdict == "open")
    ours = numbers + smaller + f" <small>{'; '.join(seen)}</small>" * bool(seen)
    folded = {
        "Where": "" if control else claim.source,
        "Our runs": ", ".join(scale(found)),
        "Not as in the paper": "; ".join(filter(None, [*differs.values(), claim.scaled, claim.differs])),
        "How the record was chosen": claim.chosen,
        "The paper's lead": behind,
        "Open because": why if verdict == "open" else "",
        "Tolerance": f"±{claim.tolerance:g} {claim.unit.replace('%', 'points')}" * (claim.paper is not None),
    }
    told = "".join(f"<dt>{name}</dt><dd>{_code(text)}</dd>" for name, text in folded.items() if text)
    if claim.chapter:
        title = escape(title_of(claim.chapter))
        told += f'<dt>Chapter</dt><dd><a href="../notebooks/{claim.chapter}.html">{title}</a></dd>'
    sign = f"{SIGNS[verdict]} {'ours' if control else verdict}"
    cells = {"what": _code(claim.says), "paper": escape(_paper(claim)) or "–", "ours": ours}
    row = "".join(_span(*cell) for cell in (cells | {f"verdict {_class(verdict)}": sign}).items())
    return f'<details class="claim" id="{claim.id}"><summary>{row}</summary><dl>{told}</dl></details>'


def title_of(chapter: str) -> str:
    """A chapter's number and heading, from its notebook."""
    notebook = Path(__file__).resolve().parents[1] / "notebooks" / f"{chapter}.ipynb"
    first = next(
        cell for cell in json.loads(notebook.read_text("utf8"))["cells"] if cell["id"].endswith("-01")
    )
    return f"{int(chapter[:2])}. {''.join(first['source']).splitlines()[0].removeprefix('# ')}"


def measured(claim: Claim) -> str:
    """Our numbers, mean ± standard deviation over seeds, and how they compare; a single seed is marked."""
    if not (found := claim.found()):
        return ""
    if claim.vary:
        return ", ".join(f"best at {part(one.record['config'], claim.vary):g}" for one in found)
    number = lambda value: _number(value, max(abs(one.mean) for one in found))
    shown = [number(one.mean) + (f" ± {number(one.sd)}" if one.seeds > 1 else "") for one in found]
    relations = [_relation(claim, place, *two) for place, two in enumerate(itertools.pairwise(found))]
    text = "".join(number + relation for number, relation in zip(shown, [*relations, ""]))
    single = min(one.seeds for one in found) == 1 and not all(one.exact for one in found)
    return f"{text} {claim.unit}".strip() + " (one seed)" * single


def often(found: list[Found]) -> str:
    """How many seeds a mean is of, for the front page; `measured` marks a single one itself."""
    fewest = min((one.seeds for one in found if not one.exact), default=1)
    return (
        f" ({plural(fewest, 'turn' if 'name' in found[0].record['config'] else 'seed')})"
        if fewest > 1
        else ""
    )


def _relation(claim: Claim, place: int, one: Found, other: Found) -> str:
    """What is written between two numbers, of which the first is at `place`."""
    if claim.paper is not None or (claim.holds == "gap" and place % 2 == 0):
        return " − "
    if place % 2 and claim.holds in ("gap", "pairs"):
        return ", " if claim.holds == "gap" else "; "
    return ", " if place and claim.holds in ("above", "first") else " > " if one.mean > other.mean else " < "


def scale(found: list[Found]) -> list[str]:
    """Dataset, network, images, length, seeds and device of our runs, where all queries agree on them."""
    return in_common([_scale(one) for one in found])


def _scale(one: Found) -> list[str]:
    config, turns = one.record["config"], "name" in one.record["config"]
    *words, device = in_words(config, one.record["provenance"] | {"precision": one.precision})
    noisy = one.seeds == 1 and one.seed_error == one.seed_error and not one.exact
    words += [
        f"{config['batch_size']:,} a batch" if "batch_size" in config else "",
        "hard negatives" * (config.get("network", {}).get("negatives") == "hard"),
        "trained on the validation images too" * bool(config.get("all_images")),
        "counted" if one.exact else plural(one.seeds, "turn" if turns else "seed"),
        f"such runs differ by ±{_number(one.seed_error)}" * noisy,
    ]
    return [word for word in (*words, device) if word]


def lead(claim: Claim) -> str:
    """What our number for the paper's baseline does to the lead of the paper's own method."""
    method = claim.lead and next((other for other in claims.load() if other.id == claim.lead), None)
    if not method or not (ours := claim.found()) or not (theirs := method.found()):
        return ""
    sign = -1 if claim.lower else 1
    paper, here = sign * (method.paper - claim.paper), sign * (theirs[0].mean - ours[0].mean)
    return f"{paper:+.2f} points in the paper, {here:+.2f} here".replace("-", "−")


def _differs(claim: Claim, found: list[Found]) -> dict[str, str]:
    """By path, our value and the paper's where they are not the same."""
    say = lambda value: joined(value) if isinstance(value, list) else f"{value:,}"
    values = lambda pair: ("all" if value in ("none", None) else say(value) for value in pair)
    told = lambda path, pair: "{} {} (paper: {})".format(NAMES.get(path, path.split(".")[-1]), *values(pair))
    return {path: told(path, pair) for path, pair in claim.differences(found).items()}


def _number(value: float, beside: float = 0) -> str:
    """Whole if it, or what is written `beside` it, has four digits or more."""
    return f"{value:,.0f}" if max(abs(value), abs(beside)) >= 1000 else f"{value:.2f}"


def _paper(claim: Claim) -> str:
    return "" if claim.paper is None else f"{_number(claim.paper)}\xa0{claim.unit}"


def _class(verdict: str) -> str:
    return verdict.split(" in ")[0].replace(" ", "-")


def _span(kind: str, content: str) -> str:
    return f'<span class="{kind}">{content}</span>'


def _code(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
