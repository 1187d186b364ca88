"""Prose, by machine: length, ease, clumsy words, spelling, links, and a bibliography with nothing loose."""

import ast
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import nbformat
import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import reading  # noqa: E402
from reading import markdown, prose  # noqa: E402

PAGES = [*sorted((ROOT / "book").glob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SOURCES = [*PAGES, *NOTEBOOKS]
ENTRY = re.compile(r"^@\w+\{([^,]+),(.*?)^\}", re.MULTILINE | re.DOTALL)
BIBLIOGRAPHY = dict(ENTRY.findall((ROOT / "book" / "references.bib").read_text("utf8")))


def slips(text: str, folder: Path) -> str:
    """What codespell finds in prose; tests/american.txt adds what an ocean divides."""
    file = folder / "prose.txt"
    file.write_text(prose(text), "utf8")
    command = [
        sys.executable,
        "-m",
        "codespell_lib",
        "--dictionary=-",
        "--ignore-words-list=trough",  # of a wave
        f"--dictionary={ROOT}/tests/american.txt",
        file,
    ]
    return subprocess.run(command, capture_output=True, text=True).stdout


# ---- length and style --------------------------------------------------------------------------------------

CHAPTERS = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
MOST_WORDS, MOST_CODE, MOST_WORDS_IN_ALL = 2_500, 250, 30_000  # of the main line
CLUMSY = {  # what an editor strikes out, and what is meant
    r"(?<!it |as )stands? (?:in|beside|above|below|between|on|at|there|under|with)\b": "is, means",
    r"(?:told|tell|tells|telling) apart": "distinguish",
    r"(?:be|are|is|was|were) (?:told|asked) (?:by|through)\b": "say who does what",
    r"\brests (?:on|with|in)\b": "depends on",
    r"asked? (?:a|the|this|that|another) stud(?:y|ies)|"
    r"stud(?:y|ies) (?:was|were|is|are) asked": "a study measures",
    r"what .{3,40} (?:is|are) worth\b": "how much it helps",
    r"lost in (?:our|the) cop(?:y|ies)|"
    r"our cop(?:y|ies) of the paper|illegible": "cite the source, or leave it out",
    r"second[- ]hand": "cite the source, or leave it out",
    r"summary page|from a summary": "cite the source, or leave it out",
    r"\b(?:clothes|photographs?)\b": "the dataset's name",
    r"a tenth of a point or two|a point or two": "the number",
    r"as it stands|stand(?:s|ing)? still\b": "as it is, stops",
    r"by (?:the|its) number of\b.{0,20}\btimes\b": "times as many",
    r"\bhas (?:yet )?a (?:constant|price) to pay\b": "costs",
    r"\bcost(?:s)? the reader\b": "is hard to read",
    r"\bpays? (?:for itself|with)\b": "costs",
    r"\bin its vain attempt\b|\bat a stroke\b": "plainer words",
    r"\b(?:the )?(?:former|latter)\b": "name it again",
    r"\bthereof\b|\bwhereof\b|\btherein\b|\bthereby\b": "of it, in it, so",
    r"\bis (?:another|a different) question than\b": "answers a different question",
    r"\bis told\b|\bworth asking\b|\bnot to be had\b": "receives, candidate, not found",
    r"\bby (?:far )?more (?:elsewhere|than in)\b|\bseveral times as\b": "the numbers",
}


def clumsy(text: str) -> dict[str, str]:
    """Clumsy places of a text, and what is meant."""
    text = re.sub(r"\s+", " ", text)
    return {
        text[max(0, hit.start() - 40) : hit.end() + 30]: better
        for pattern, better in CLUMSY.items()
        for hit in re.finditer(pattern, text, re.IGNORECASE)
    }


def cells(path: Path) -> list[str]:
    """The code of a notebook's cells, without magics."""
    code = [cell.source for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]
    return [re.sub(r"^([ \t]*)[%!].*", r"\1pass", source, flags=re.MULTILINE) for source in code]


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_a_chapter_is_read_in_twenty_minutes(path):
    text, code = reading.main_line(path)
    assert len(reading.words(text)) <= MOST_WORDS and code <= MOST_CODE, (len(reading.words(text)), code)


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_cells_in_view_are_short(path):
    assert max(reading.cells_in_view(path)) <= 26, "split it, or fold what is no idea"


def test_the_chapters_are_short_together():
    assert sum(len(reading.words(reading.main_line(path)[0])) for path in CHAPTERS) <= MOST_WORDS_IN_ALL


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_a_chapter_is_easy_to_read(path):
    assert reading.ease(path) >= 55


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_no_clumsy_words(path):
    assert not (found := clumsy(prose(markdown(path)))), found


@pytest.mark.parametrize(
    "path", [ROOT / "fftools", ROOT / "evidence", *NOTEBOOKS], ids=lambda path: path.stem
)
def test_no_clumsy_words_in_docstrings_and_messages(path):
    """Strings of code are read, too: docstrings make the API page, messages meet who made a mistake."""
    codes = [file.read_text("utf8") for file in path.rglob("*.py")] if path.is_dir() else cells(path)
    nodes = [node for code in codes for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Constant)]
    strings = [node.value for node in nodes if isinstance(node.value, str) and " " in node.value]  # no names
    assert strings and not (found := clumsy("\n".join(strings))), found


def test_clumsy_words_are_found():
    assert clumsy("The block is told the gradient.") and clumsy("They cannot be told apart.")
    assert not clumsy("The block receives the gradient.")


def test_the_measures_measure():
    assert reading.flesch("The cat sat on the mat.") == pytest.approx(116.1, abs=0.1)
    assert reading.flesch("Considerable organisational complications notwithstanding, we proceeded.") < 0
    text = "One.\n\n::::{admonition} Q\n:class: quiz\n\nTwo.\n\n:::{dropdown} Key\nThree.\n:::\n::::\n\nFour."
    assert reading.words(prose(reading.unfolded(text))) == ["One", "Four"]
    folded = ":::{dropdown} More\nTwo.\n:::\nThree."
    assert reading.words(prose(reading.unfolded(folded))) == ["Three"]


# ---- spelling and links ------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_words_are_spelled_as_in_british_english(path, tmp_path):
    assert not slips(markdown(path), tmp_path)


def test_the_speller_reads_prose_and_no_code(tmp_path):
    assert (
        "teh ==> the" in (found := slips("In teh prose a color counts.", tmp_path))
        and "color ==> colour" in found
    )
    assert not slips("`teh` and $teh$ do not.\n```\nteh color\n```\n[link](teh.md) {cite:p}`teh`", tmp_path)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_links_lead_somewhere(path):
    """Named files exist; outside addresses are whole and encrypted. `make links` asks whether they answer."""
    for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`]*`", "", markdown(path))):
        link = urlsplit(target)
        if link.scheme:
            assert link.scheme == "mailto" or (link.scheme == "https" and "." in link.netloc), target
        elif link.path:
            assert (path.parent / link.path).exists(), target


def test_what_is_cited_is_listed_and_what_is_listed_is_cited():
    cited = {
        key.strip()
        for path in SOURCES
        for keys in re.findall(r"\{cite:?\w*\}`([^`]+)`", markdown(path))
        for key in keys.split(",")
    }
    assert cited == set(BIBLIOGRAPHY)


@pytest.mark.parametrize("key", BIBLIOGRAPHY)
def test_every_reference_has_a_lasting_address(key):
    entry = BIBLIOGRAPHY[key]
    doi, arxiv = re.search(r"doi\s*=\s*\{(.*?)\}", entry), re.search(r"eprint\s*=\s*\{(.*?)\}", entry)
    assert doi or arxiv or re.search(r"url\s*=\s*\{https://", entry), (
        f"{key} has no DOI, arXiv number or address"
    )
    assert not doi or re.fullmatch(r"10\.\d{4,}/\S+", doi[1]), doi[1]
    assert not arxiv or re.fullmatch(r"\d{4}\.\d{4,5}", arxiv[1]), arxiv[1]
