"""How long a page is, and how easy to read.

python tools/reading.py                            a line for each chapter
python tools/reading.py notebooks/03_negatives.ipynb book/glossary.md

The main line is what a reader cannot miss: without exercises, quizzes and what is folded.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parent.parent
FENCE = re.compile(r"^(:{3,}|`{3,})(.*)$")
MINUTE = 200, 25  # words of prose, and lines of code, that are read in a minute


def markdown(path: Path) -> str:
    """A page's text; a notebook's, with what its figures say in captions and alt texts."""
    if path.suffix == ".md":
        return path.read_text("utf8")
    cells = nbformat.read(path, 4).cells
    shown = [part for cell in cells for part in cell.metadata.get("mystnb", {}).values()]
    said = [part.get(key, "") for part in shown if isinstance(part, dict) for key in ("caption", "alt")]
    return "\n\n".join([cell.source for cell in cells if cell.cell_type == "markdown"] + said)


def prose(text: str) -> str:
    """Markdown without code, formulas, the targets of links, roles, and options of directives."""
    for unread in (
        r"^(`{3,}|~{3,}).*?^\1",
        r"\{[\w:]+\}`[^`]*`",
        r"`[^`]*`",
        r"\$\$.*?\$\$",
        r"\$[^$]*\$",
        r"\]\([^)]*\)",
        r"https?://\S+",
        r"^:[\w-]+:.*?$",
        r"^:{3,}.*?$",
    ):
        text = re.sub(unread, " ", text, flags=re.MULTILINE | re.DOTALL)
    return text


def unfolded(text: str) -> str:
    """Markdown without folded parts and quizzes."""
    kept, skipped, lines = [], "", text.splitlines()
    for place, line in enumerate(lines):
        fence = FENCE.match(line)
        if skipped:
            if fence and fence[1] == skipped and not fence[2].strip():
                skipped = ""
        elif fence and ("{dropdown}" in line or ":class: quiz" in lines[place + 1 : place + 2]):
            skipped = fence[1]
        else:
            kept.append(line)
    return "\n".join(kept)


def main_line(path: Path) -> tuple[str, int]:
    """The prose of a page's main line, and how many lines of code it shows; blank lines do not count."""
    if path.suffix == ".md":
        return prose(unfolded(path.read_text("utf8"))), 0
    texts = [unfolded(cell.source) for cell in _main_cells(path) if cell.cell_type == "markdown"]
    return prose("\n\n".join(texts)), sum(cells_in_view(path))


def cells_in_view(path: Path) -> list[int]:
    """Lines of code of each cell that shows its code in the main line; blank lines do not count."""
    folded = ("hide-input", "hide-cell", "remove-")
    is_folded = lambda cell: any(tag.startswith(folded) for tag in cell.metadata.get("tags", []))
    return [
        sum(1 for line in cell.source.splitlines() if line.strip())
        for cell in _main_cells(path)
        if cell.cell_type == "code" and not is_folded(cell)
    ]


def _main_cells(path: Path) -> Iterator:
    """Cells of a notebook up to its exercises."""
    for cell in nbformat.read(path, 4).cells:
        if cell.cell_type == "markdown":
            cell.source, exercises, _ = cell.source.partition("## Exercises")
            yield cell
            if exercises:
                return
        else:
            yield cell


def words(text: str) -> list[str]:
    """The words of prose; numbers are none."""
    return re.findall(r"[^\W\d_]+(?:['’-][^\W\d_]+)*", text)


def flesch(text: str) -> float:
    """Flesch's reading ease of Markdown: 100 is very easy, 30 hard (J. Appl. Psychol. 32, 1948).

    Headings and tables do not count; a formula or a piece of code is a word of one syllable.
    """
    text = re.sub(r"^(#.*|\|.*|:{3,}.*|:\w+:.*)$", "\n", text, flags=re.MULTILINE)
    text = re.sub(r"\$\$.*?\$\$|^(`{3,}).*?^\1", "\n", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"(\{[\w:]+\})?`[^`]*`|\$[^$]*\$", "x", text)
    text = re.sub(r"(?<=\w)\.(?=\w)|\b(e\.g|i\.e|et al|Fig|vs)\.", "", prose(text))
    ends = r"[.!?](?=\s|[)\"'”*_])|\n\s*\n|^\s*(?:[-*]|\d+\.)\s"
    sentences = [found for part in re.split(ends, text, flags=re.MULTILINE) if (found := words(part))]
    all_words = [word for sentence in sentences for word in sentence]
    return (
        206.835
        - 1.015 * len(all_words) / len(sentences)
        - 84.6 * sum(map(syllables, all_words)) / len(all_words)
    )


def syllables(word: str) -> int:
    """Groups of vowels; -e, -es, -ed are mostly silent. On our pages within 2 % of a dictionary's count."""
    silent = (
        r"(?<=[aeiouy]l)e[ds]?$|(?<=[dt])es?$|(?<=[^aeioudtlscgxzh])es?$|(?<=[scgxzh])e$|(?<=[^aeioudt])ed$"
    )
    return max(1, len(re.findall(r"[aeiouy]+", re.sub(silent, "", word.lower().replace("ye", "y-e")))))


def main() -> None:
    paths = [Path(name) for name in sys.argv[1:]] or sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
    print(f"{'':32} {'words':>6} {'in all':>6} {'code':>5} {'minutes':>7} {'Flesch':>6}")
    for path in paths:
        text, code = main_line(path)
        count = len(words(text))
        print(
            f"{path.stem:32} {count:6} {len(words(prose(markdown(path)))):6} {code:5} "
            f"{count / MINUTE[0] + code / MINUTE[1]:7.0f} {ease(path):6.0f}"
        )


def ease(path: Path) -> float:
    """Reading ease of a page's text, folded parts included."""
    return flesch(markdown(path))


if __name__ == "__main__":
    main()
