"""The drawings: files as tools/drawings.py draws them, whole pictures with words for those who listen."""

import re
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import drawings  # noqa: E402

SVG = "{http://www.w3.org/2000/svg}"


def test_every_drawing_has_its_file_and_its_words():
    kept = {path.stem: path.read_text("utf8") for path in drawings.FOLDER.glob("*.svg")}
    assert kept == {name: drawings.svg(name) for name in drawings.DRAWINGS}, "run: python tools/drawings.py"
    assert set(drawings.WORDS["alt"]) == set(drawings.DRAWINGS)
    assert all(len(words) > 80 for words in drawings.WORDS["alt"].values())


@pytest.mark.parametrize("name", drawings.DRAWINGS)
def test_a_drawing_stays_on_its_ground_and_shares_no_name_with_another(name):
    root = ElementTree.fromstring(drawings.svg(name))
    high = float(root.get("height"))
    assert (
        root.get("viewBox") == f"0 0 340 {high:g}" and root.get("aria-label") == drawings.WORDS["alt"][name]
    )
    assert not [part for part in root.iter() if part.get("id")]
    for part in root.iter(f"{SVG}polyline"):
        for x, y in (map(float, place.split(",")) for place in part.get("points").split()):
            assert 0 <= x <= 340 and 0 <= y <= high
    for part in root.iter(f"{SVG}rect"):
        assert float(part.get("x", 0)) + float(part.get("width")) <= 340
    for part in root.iter(f"{SVG}text"):
        wide = 7 * len(part.text or "")  # of 13 px, a wide font
        left = float(part.get("x")) - {"start": 0, "middle": wide / 2, "end": wide}[part.get("text-anchor")]
        assert left >= 0 and left + wide <= 345 and float(part.get("y")) < high, part.text


def test_every_class_of_a_drawing_has_a_look():
    used = {
        name
        for drawn in drawings.DRAWINGS.values()
        for names in re.findall(r'class="([^"]*)"', "".join(drawn))
        for name in names.split()
    }
    look = (ROOT / "tools" / "drawings.css").read_text("utf8")
    assert used <= set(re.findall(r"\.([a-z]+)", look))


def test_the_dark_theme_names_every_colour():
    asked = set(re.findall(r"--drawing-\w+", (ROOT / "tools" / "drawings.css").read_text("utf8"))) - {
        "--drawing-NAME"
    }
    given = set(re.findall(r"(--drawing-\w+):", (ROOT / "book" / "_assets" / "book.css").read_text("utf8")))
    assert asked == given
