"""Sphinx extension: tables and a picture that the book's pages draw, when built, from notebooks and records.

    {chapters}   in its body, lines `NN_name: what one does there` → table with prerequisites and minutes
    {map}        the chapters and what each one builds on, as a picture
    {status}     each chapter: when, where and with what it was run, how long, stale or fresh
    {hardware}   what was measured on each class of machine
    {costs}      what the recorded studies cost on the machines that ran them
    {verdicts}   its body, with {all} and {counts}: how many claims of the papers came out how

A role, {best}`study metric part=value …`, is an accuracy from the records: 99.52, or 98.40 ± 0.05 over
several seeds. A drawing of book/_assets/drawings that a page shows as a picture becomes part of the page, in
the colours of its theme. An address of an earlier edition leads to the page that has its text now.
"""

import json
import os
import re
import statistics
import sys
import textwrap
from collections import Counter, defaultdict
from html import escape
from pathlib import Path

import nbformat
import yaml
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.docutils import SphinxDirective

sys.path.insert(0, str(Path(__file__).parent))
import notebooks as tool

ROOT = tool.ROOT
LINK = re.compile(r"\((\d\d_\w+)\.ipynb")
MOVED = {  # pages that were published under another name
    "notebooks/12_past_the_paper": "notebooks/12_channel_wise",
    "notebooks/your_own_images": "notebooks/your_own_data",
}


class Chapter:
    """What a notebook says of itself: title, prerequisites, and how it was run."""

    def __init__(self, path: Path):
        self.path, self.name, self.number = path, path.stem, int(path.stem[:2])
        notebook = nbformat.read(path, 4)
        text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
        self.title = re.search(r"^# (.+)", text, re.MULTILINE)[1]
        head = re.search(r"\*\*You need\*\*(.*?)\*\*Time", text, re.DOTALL)
        self.needs = sorted({int(name[:2]) for name in LINK.findall(head[1])}) if head else []
        self.run = notebook.metadata.get("fftools", {})

    def minutes(self) -> str:
        seconds = self.run.get("seconds")
        return "not run" if seconds is None else "under 1" if seconds < 60 else f"{seconds / 60:.0f}"

    def link(self, text: str | None = None) -> str:
        return f"[{text or self.title}](../notebooks/{self.name}.ipynb)"


def parts() -> list[list[str]]:
    """Names of the chapters in each part of the table of contents."""
    contents = yaml.safe_load((ROOT / "_toc.yml").read_text("utf8"))
    named = (
        [Path(entry["file"]).name for entry in part["chapters"] if re.match(r"notebooks/\d", entry["file"])]
        for part in contents["parts"]
    )
    return [names for names in named if names]


def chapters() -> list[Chapter]:
    return [Chapter(ROOT / "notebooks" / f"{name}.ipynb") for names in parts() for name in names]


def table(head: str, rows) -> str:
    """Markdown table; `head` names the columns, with | between them."""
    cells = [[part.strip() for part in head.split("|")], [":--"] * (head.count("|") + 1), *rows]
    return "\n".join("| " + " | ".join(row) + " |" for row in cells)


def chapters_table(body: str) -> str:
    does = dict(re.findall(r"^(\d\d_\w+): *(.+)$", body, re.MULTILINE))
    found = chapters()
    numbered = {chapter.number: chapter for chapter in found}
    missing = [chapter.name for chapter in found if chapter.name not in does]
    if missing:
        raise ValueError(f"the table of chapters has no line for {', '.join(missing)}")
    return table(
        "Chapter | What you do there | Builds on | Minutes",
        (
            [
                f"{chapter.number}. {chapter.link()}",
                does[chapter.name],
                ", ".join(numbered[need].link(str(need)) for need in chapter.needs) or "–",
                chapter.minutes(),
            ]
            for chapter in found
        ),
    )


def status_table(_: str) -> str:
    rows = []
    for chapter in chapters():
        run, reason = chapter.run, tool.stale(chapter.path)
        versions = f"torch {run['torch']}, Python {run['python']}" if run else ""
        when = run.get("finished", "")[:16].replace("T", " ")
        rows.append(
            [
                f"{chapter.number}. {chapter.link()}",
                when,
                run.get("device", ""),
                versions,
                chapter.minutes(),
                run.get("profile", ""),
                f"**{reason.split(':')[0].removeprefix('is ')}**" if reason else "fresh",
            ]
        )
    return table("Chapter | Run at (UTC) | Device | Versions | Minutes | Profile | State", rows)


def records() -> dict[Path, dict]:
    """The records of runs; what chapters measured is in their own time."""
    paths = (path for path in sorted((ROOT / "results").glob("*/*.json")) if path.parent.name != "measured")
    return {path: json.loads(path.read_text("utf8")) for path in paths}


def hardware_table(_: str) -> str:
    """What was measured on each class of machine, or that nothing was."""
    # A run that two studies have in common was made once.
    rows, made_once = [], {path.name: record for path, record in records().items()}.values()
    for name, pattern in {
        "CPU": "cpu",
        "T4-class GPU (Colab)": r"\bT4\b",
        "H200-class GPU": r"\bH[12]00\b",
    }.items():
        runs = [record for record in made_once if re.search(pattern, record["provenance"]["device"])]
        hours = sum(record["provenance"]["seconds"] for record in runs) / 3600
        live = [
            chapter.run["seconds"]
            for chapter in chapters()
            if re.search(pattern, chapter.run.get("device", ""))
        ]
        rows.append(
            [
                name,
                f"{len(live)} in {sum(live) / 60:.0f} minutes" if live else "not measured",
                f"{len(runs)} runs in {hours:.1f} hours" if runs else "not measured",
            ]
        )
    return table("Hardware | Chapters, `quick` | Studies", rows)


def costs_table(_: str) -> str:
    spent = defaultdict(list)
    for record in records().values():
        made = record["provenance"]
        spent[record["study"], record["profile"], made["device"]].append(made["seconds"] / 60)
    rows = (
        [
            f"`{study}`",
            profile,
            device,
            str(len(minutes)),
            f"{statistics.median(minutes):.1f}",
            f"{sum(minutes) / 60:.1f}",
        ]
        for (study, profile, device), minutes in sorted(spent.items())
    )
    return table("Study | Profile | Device | Runs | Minutes a run (median) | Hours in all", rows)


def verdicts(body: str) -> str:
    """How many claims came out how; controls are no claims."""
    counts = Counter(json.loads((ROOT / "results" / "verdicts.json").read_text("utf8")).values())
    counts.pop("control", None)
    order = (
        "reproduced",
        "exceeded",
        "fell short",
        "supported",
        "contradicted",
        "undecided",
        "open",
        "shown in a chapter",
    )
    return body.format(
        all=sum(counts.values()), counts=", ".join(f"**{counts[verdict]}** {verdict}" for verdict in order)
    )


def best(asked: str) -> str:
    """Accuracy in %, over one configuration's seeds, from a study's full runs: `study metric part=value …`.

    A part may lie deep: `network.local=True`. Of several configurations the best on validation images is
    taken. Raises ValueError when no run fits, or when several do and not all know their validation accuracy.
    """
    study, metric, *parts = asked.split()
    wanted = [part.split("=") for part in parts]
    groups = defaultdict(list)
    for path, record in records().items():
        if path.parent.name == study and record["profile"] == "full" and metric in record["metrics"]:
            if all(str(_part(record["config"], place)) == value for place, value in wanted):
                groups[json.dumps(record["config"], sort_keys=True)].append(record["metrics"])
    judge = metric.replace("test_", "val_", 1)
    judged = all(judge in metrics for group in groups.values() for metrics in group)
    if not groups or (len(groups) > 1 and not judged):
        raise ValueError(
            f"{{best}}`{asked}`: {len(groups)} configurations fit, and validation images choose none"
        )
    chosen = max(
        groups.values(), key=lambda group: statistics.fmean(metrics.get(judge, 0) for metrics in group)
    )
    values = [100 * metrics[metric] for metrics in chosen]
    spread = f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else ""
    return f"{statistics.fmean(values):.2f}{spread}"


def _part(config: dict, place: str):
    """What a configuration has at `place`, such as network.local; None where it has nothing."""
    for name in place.split("."):
        config = config.get(name) if isinstance(config, dict) else None
    return config


def chapter_map(_: str) -> str:
    """The chapters one below the other; at their left, an arc from each one to those that build on it."""
    left, top, middle = 70, 2, {}  # the room for arcs, where the next box begins, the middle of each
    arcs, boxes = [], []
    for chapter in chapters():
        lines = textwrap.wrap(chapter.title, 34)
        high, x = 12 + 16 * len(lines), left + 34
        y = middle[chapter.number] = top + high / 2
        for need in chapter.needs:
            start, end = middle[need] + 5, y - 5  # arcs leave below the middle of a box and arrive above it
            bend = left - 16 - (end - start) / 4  # the longer the way, the wider the arc
            arcs.append(
                f'<path d="M{left} {start:g} C{bend:g} {start:g} {bend:g} {end:g} {left - 5} {end:g}" '
                'marker-end="url(#tip)"/>'
            )
        words = "".join(
            f'<tspan x="{x}" dy="{16 * (n > 0)}">{escape(line)}</tspan>' for n, line in enumerate(lines)
        )
        boxes.append(
            f'<a href="../notebooks/{chapter.name}.html">'
            f'<rect x="{left}" y="{top}" width="{340 - left}" height="{high}" rx="6"/>'
            f'<text class="number" x="{x - 8}" y="{top + 18}">{chapter.number}</text>'
            f'<text x="{x}" y="{top + 18}">{words}</text></a>'
        )
        top += high + 7
    return (
        f'<div class="chapter-map"><svg viewBox="0 0 342 {top}" role="group" '
        'aria-label="Which chapter builds on which; the table says the same">'
        '<defs><marker id="tip" viewBox="0 0 6 6" refX="5" refY="3" '
        'markerWidth="6" markerHeight="6" orient="auto">'
        f'<path d="M0 0 L6 3 L0 6 z"/></marker></defs>{"".join(arcs + boxes)}</svg></div>'
    )


class Made(SphinxDirective):
    """A part of a page that is made when the book is built."""

    has_content = True
    make: staticmethod

    def run(self):
        self.env.note_reread()
        made = type(self).make("\n".join(self.content))
        if made.startswith("<"):
            return [nodes.raw("", made, format="html")]
        holder = nodes.Element()
        self.state.nested_parse(StringList(made.splitlines(), self.env.docname), self.content_offset, holder)
        return holder.children


class Drawings(SphinxPostTransform):
    """Drawings are put into the page: a picture's file cannot know the theme that a reader switches to."""

    default_priority = 1
    formats = ("html",)

    def run(self, **_):
        for picture in list(self.document.findall(nodes.image)):
            path = ROOT / picture["uri"]
            if path.parent.name == "drawings" and path.suffix == ".svg":
                picture.replace_self(nodes.raw("", path.read_text("utf8"), format="html"))


class Together(SphinxPostTransform):
    """A bracket before a formula and the signs behind it stay on its line: to a browser it is a picture."""

    default_priority = 1
    formats = ("html",)

    def run(self, **_):
        for formula in list(self.document.findall(nodes.math)):
            line, at = formula.parent, formula.parent.index(formula)
            text = lambda place: str(line[place]) if isinstance(line[place], nodes.Text) else ""
            before = re.search(r"[(\[]*$", text(at - 1) if at else "")[0]
            behind = re.match(r"[,.;:!?)\]]*", text(at + 1) if at + 1 < len(line) else "")[0]
            if not before + behind:
                continue
            if behind:
                line[at + 1] = nodes.Text(text(at + 1).removeprefix(behind))
            if before:
                line[at - 1] = nodes.Text(text(at - 1).removesuffix(before))
            signs = nodes.Text(before), formula.deepcopy(), nodes.Text(behind)
            line[at] = nodes.inline("", "", *signs, classes=["together"])


def best_role(name, rawtext, text, lineno, inliner, options=None, content=None):
    return [nodes.Text(best(text))], []


def mend_roles(app, pagename, templatename, context, doctree) -> None:
    """docutils gives the entries of its references a role out of use, and with it they are no list."""
    context["body"] = context.get("body", "").replace('role="doc-biblioentry"', 'role="listitem"')


def count_from_one(app, env) -> None:
    """Figures of a page without a number are counted from 1; Sphinx counts those of all such pages as one."""
    for numbers in (of_kind for page in env.toc_fignumbers.values() for of_kind in page.values()):
        alone = sorted(number for number in numbers.values() if len(number) == 1)
        numbers.update({name: (alone.index(n) + 1,) for name, n in numbers.items() if len(n) == 1})


def lead_on(app, error) -> None:
    """Write a page at each old address that sends its visitor to the new one."""
    if error or app.builder.name != "html":
        return
    for old, new in MOVED.items():
        address = os.path.relpath(f"{new}.html", Path(old).parent)
        (Path(app.outdir) / f"{old}.html").write_text(
            '<!doctype html><html lang="en"><meta charset="utf-8"><title>Moved</title>'
            f'<meta http-equiv="refresh" content="0; url={address}"><link rel="canonical" href="{address}">'
            f'<p>This page is now <a href="{address}">here</a>.</p></html>\n',
            "utf8",
        )


def without_formulas(app, pagename, templatename, context, doctree) -> None:
    """The front page has no formula and needs no MathJax; Sphinx counts formulas of all pages under it."""
    own_page = app.builder.name == "html" and doctree is not None  # on paper all pages are one
    if own_page and not app.env.domaindata["math"]["has_equations"].get(pagename):
        of_math = lambda script: "mathjax" in f"{script.filename} {script.attributes.get('body')}".lower()
        context["script_files"] = [script for script in context["script_files"] if not of_math(script)]


def setup(app):
    makers = {
        "chapters": chapters_table,
        "map": chapter_map,
        "status": status_table,
        "hardware": hardware_table,
        "costs": costs_table,
        "verdicts": verdicts,
    }
    for name, make in makers.items():
        app.add_directive(name, type(f"{name.title()}Made", (Made,), {"make": staticmethod(make)}))
    app.add_role("best", best_role)
    app.add_post_transform(Drawings)
    app.add_post_transform(Together)
    app.connect("env-check-consistency", count_from_one)
    app.connect("html-page-context", mend_roles)
    app.connect("html-page-context", without_formulas, priority=900)  # after Sphinx added it
    app.connect("build-finished", lead_on)
    return {"parallel_read_safe": True}
