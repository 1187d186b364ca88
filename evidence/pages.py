"""The claims for README.md (a short table) and for the page *What we could reproduce* (HTML, a line a claim)."""

import itertools
import re
from collections import Counter
from html import escape

from evidence import claims
from evidence.claims import Claim
from evidence.query import Found, part

SIGNS = {
    "reproduced": "=",
    "exceeded": "▲",
    "fell short": "▽",
    "supported": "✓",
    "contradicted": "✗",
    "undecided": "?",
    "open": "○",
    "shown in a chapter": "◇",
    "control": "·",
}  # a verdict can be told without its colour
NAMES = {
    "lr": "rate",
    "train_images": "training images",
    "batch_size": "batch",
    "blocks.widths": "filters",
    "blocks.kernel": "kernel",
}


def front_claims() -> str:
    """The few claims that the front page shows, as a Markdown table."""
    rows = [
        (claim.front, _paper(claim) or "–", measured(claim), claim.verdict().replace("control", "ours"))
        for claim in claims.load()
        if claim.front and claim.verdict() != "open"
    ]
    lines = [" | ".join(cell.replace("|", r"\|") for cell in row) for row in rows]
    return "\n".join(
        ["| | Paper | Ours | Verdict |", "|:--|:--|:--|:--|", *(f"| {line} |" for line in lines)]
    )


def all_claims() -> str:
    """Every claim in a line, with all that belongs to it folded underneath, by document; a summary picture at the top."""
    judged = [(claim, claim.verdict()) for claim in claims.load()]
    real = [(claim, verdict) for claim, verdict in judged if verdict != "control"]
    counts = Counter(verdict for _, verdict in real)
    smaller = sum(claim.smaller(claim.found()) for claim, verdict in real)
    shown = ", ".join(f"**{counts[verdict]}** {verdict}" for verdict in claims.VERDICTS)
    lines = [
        f"{len(real)} claims: {shown}. {smaller} of them are answered at less than the paper's scale.",
        "",
        summary(real),
    ]
    for name, document in claims.documents().items():
        lines += ["", f"## {document['title']}", ""] + ([document["note"], ""] if "note" in document else [])
        lines += [
            '<div class="claims">',
            '<div class="claim head" aria-hidden="true"><span class="what">Claim</span>'
            '<span class="paper">Paper</span><span class="ours">Ours</span><span class="verdict">Verdict</span></div>',
        ]
        here = [(claim, verdict) for claim, verdict in judged if claim.document == name]
        lines += [line(claim, verdict) for claim, verdict in here if verdict not in ("open", "control")]
        lines += _folded("open claims, each with its reason", [pair for pair in here if pair[1] == "open"])
        lines += _folded(
            "numbers of our own beside them",
            [pair for pair in here if pair[1] == "control" and pair[0].found()],
        )
        lines.append("</div>")
    return "\n".join(lines)


def _folded(title: str, judged: list[tuple[Claim, str]]) -> list[str]:
    head = f'<details class="more"><summary>{len(judged)} {title}</summary>'
    return [head, *(line(claim, verdict) for claim, verdict in judged), "</details>"] if judged else []


def summary(real: list[tuple[Claim, str]]) -> str:
    """Claims by document and verdict as bars of HTML, each part as wide as its count, which stands in it."""
    rows = []
    for name, document in claims.documents().items():
        counts = Counter(verdict for claim, verdict in real if claim.document == name)
        told = ", ".join(f"{counts[verdict]} {verdict}" for verdict in claims.VERDICTS if counts[verdict])
        parts = "".join(
            f'<span class="{_class(verdict)}" style="flex-grow:{counts[verdict]}">{counts[verdict]}</span>'
            for verdict in claims.VERDICTS
            if counts[verdict]
        )
        rows.append(
            f'<div class="bar-name">{escape(document["title"])}</div><div class="bar" role="img" '
            f'aria-label="{escape(told)}">{parts}</div>'
        )
    key = "".join(
        f'<span><span class="swatch {_class(v)}">{SIGNS[v]}</span> {v}</span>' for v in claims.VERDICTS
    )
    return f'<div class="claims-summary">{"".join(rows)}<div class="key">{key}</div></div>'


def line(claim: Claim, verdict: str) -> str:
    """One claim: what it says, the paper's number, ours and the verdict; where, on what scale and why are folded."""
    found = claim.found()
    waits = "its chapter has not been run since" if claim.ours and claim.chapter else ""
    why = claim.why or waits or ("see the chapter" if claim.chapter else "not run")
    ours = (
        escape(measured(claim)).replace(" ± ", "\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}")
        or f"<i>{_code(why)}</i>"
    )
    if found and claim.chapter and verdict == "open":
        ours += "<i>, smaller than the paper's</i>"
    word = "ours" if verdict == "control" else verdict
    told = [
        ("Where", claim.source if verdict != "control" else ""),
        ("Our runs", ", ".join(scale(found))),
        ("Not as in the paper", "; ".join([*_differs(claim, found), *filter(None, [claim.differs])])),
        ("How the record was chosen", claim.chosen),
        ("The paper's lead", lead(claim)),
        ("Open because", why if verdict == "open" else ""),
        ("Tolerance", _tolerance(claim)),
    ]
    folded = "".join(f"<dt>{name}</dt><dd>{_code(text)}</dd>" for name, text in told if text)
    if claim.chapter:
        title = claim.chapter[3:].replace("_", " ")
        folded += f'<dt>Chapter</dt><dd><a href="../notebooks/{claim.chapter}.html">{title}</a></dd>'
    short = f" <small>{said}</small>" if (said := _short(claim, found)) else ""
    return (
        f'<details class="claim" id="{claim.id}"><summary><span class="what">{_code(claim.says)}</span>'
        f'<span class="paper">{escape(_paper(claim))}</span><span class="ours">{ours}{short}</span>'
        f'<span class="verdict {_class(verdict)}">{SIGNS[verdict]} {word}</span></summary><dl>{folded}</dl></details>'
    )


def measured(claim: Claim) -> str:
    """Our numbers, mean ± standard deviation over seeds, with the relation between them; a single seed is marked so."""
    found = claim.found()
    if not found:
        return ""
    if claim.vary:
        return ", ".join(f"best at {part(one.record['config'], claim.vary):g}" for one in found)
    shown = [_number(one.mean) + (f" ± {_number(one.sd)}" if one.seeds > 1 else "") for one in found]
    between = {"pairs": "<>;", "gap": "−−,"}.get(claim.holds, "<>")
    marks = []
    for place, (one, other) in enumerate(itertools.pairwise(found)):
        if claim.paper is not None or (claim.holds == "gap" and place % 2 == 0):
            marks.append("−")
        elif claim.holds in ("pairs", "gap") and place % 2:
            marks.append(between[2])
        else:
            marks.append("," if claim.holds in ("above", "first") and place else "<>"[one.mean > other.mean])
    text = shown[0] + "".join(
        (f"{mark} " if mark in ",;" else f" {mark} ") + number for mark, number in zip(marks, shown[1:])
    )
    few = min(one.seeds for one in found)
    single = few == 1 and not all(one.exact for one in found)
    return f"{text} {claim.unit}".strip() + (" (one seed)" if single else "")


def scale(found: list[Found]) -> list[str]:
    """Dataset, network, images, length, seeds and device of our runs; what differs between queries is left out."""
    scales = [_scale(one) for one in found]
    return [each for each in (scales[0] if scales else []) if all(each in other for other in scales)]


def _scale(one: Found) -> list[str]:
    config, origin = one.record["config"], one.record["provenance"]
    blocks, network = config.get("blocks"), config.get("network", {})
    number = lambda key, unit: f"{config[key]:,} {unit}" if config.get(key) else ""
    parts = [
        origin["dataset"],
        f"{_joined(blocks['widths'])} filters {blocks['kernel']}×{blocks['kernel']}"
        if blocks
        else _joined(config.get("widths", [])),
        number("train_images", "images"),
        number("epochs", "epochs"),
        f"{config['batches']} × {config['steps']} steps a layer" if "steps" in config else "",
        number("batch_size", "a batch"),
        f"rate {config['lr']:g}" if "lr" in config else "",
        {"hard": "hard negatives", "all": "all wrong labels"}.get(network.get("negatives"), ""),
        f"{each} negatives each" if (each := network.get("negatives_each", 1)) > 1 else "",
        f"shifts of ±{config['shift']} px" if config.get("shift") else "",
        "mirrored" if config.get("flip") else "",
        "standardised inputs" if config.get("standardise") else "",
        "trained on the validation images too" if config.get("all_images") else "",
        "counted"
        if one.exact
        else f"{one.seeds} seed{'s' * (one.seeds > 1)}"
        if "name" not in config
        else f"{one.seeds} turns",
        f"such runs differ by ±{_number(one.noise)}"
        if one.seeds == 1 and one.noise == one.noise and not one.exact
        else "",
        origin["device"].split(",")[0].upper(),
        origin["precision"],
    ]
    return [part for part in parts if part]


def lead(claim: Claim) -> str:
    """What our number for the paper's baseline does to the lead of the paper's own method."""
    method = claim.lead and next((other for other in claims.load() if other.id == claim.lead), None)
    if not method or not (ours := claim.found()) or not (theirs := method.found()):
        return ""
    sign = -1 if claim.lower else 1
    paper, here = sign * (method.paper - claim.paper), sign * (theirs[0].mean - ours[0].mean)
    return f"{paper:+.2f} points in the paper, {here:+.2f} here".replace("-", "−")


def _short(claim: Claim, found: list[Found]) -> str:
    """What a reader must see unfolded: a smaller scale, and what a better baseline does to the paper's lead."""
    told = [
        text for path, text in zip(claim.differences(found), _differs(claim, found)) if path in claims.SCALE
    ]
    return "; ".join(told + [f"lead: {said}" for said in [lead(claim)] if said])


def _differs(claim: Claim, found: list[Found]) -> list[str]:
    say = lambda value: (
        _joined(value) if isinstance(value, list) else "all" if value in ("none", None) else f"{value:,}"
    )
    return [
        f"{NAMES.get(path, path.split('.')[-1])} {say(ours)} (paper: {say(theirs)})"
        for path, (ours, theirs) in claim.differences(found).items()
    ]


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.2f}"


def _joined(widths: list) -> str:
    return "-".join(map(str, widths))


def _paper(claim: Claim) -> str:
    return "" if claim.paper is None else f"{_number(claim.paper)}\N{NO-BREAK SPACE}{claim.unit}"


def _tolerance(claim: Claim) -> str:
    return "" if claim.paper is None else f"±{claim.tolerance:g} {claim.unit.replace('%', 'points')}"


def _class(verdict: str) -> str:
    return verdict.split(" in ")[0].replace(" ", "-")


def _code(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
