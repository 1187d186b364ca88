"""What can be said of prose by machine: spelling, links between files, and a bibliography in which nothing is loose."""

import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import nbformat
import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = [*sorted((ROOT / "book").glob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
SOURCES = [*PAGES, *sorted((ROOT / "notebooks").glob("*.ipynb"))]
ENTRY = re.compile(r"^@\w+\{([^,]+),(.*?)^\}", re.MULTILINE | re.DOTALL)
BIBLIOGRAPHY = dict(ENTRY.findall((ROOT / "book" / "references.bib").read_text("utf8")))


def markdown(path: Path) -> str:
    if path.suffix == ".md":
        return path.read_text("utf8")
    return "\n\n".join(cell.source for cell in nbformat.read(path, 4).cells if cell.cell_type == "markdown")


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
    """Files that are named exist; outside addresses are whole and encrypted. `make links` asks them whether they answer."""
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
