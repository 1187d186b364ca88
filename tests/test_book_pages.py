"""What the pages say of the chapters and the records is read from them when the book is built."""

import json
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from nbformat.v4 import new_markdown_cell, new_notebook

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import book_pages  # noqa: E402


@pytest.fixture
def house(tmp_path, monkeypatch):
    """Three chapters in two parts: 2 and 3 build on 1, and 3 has never been run."""
    monkeypatch.setattr(book_pages, "ROOT", tmp_path)
    (tmp_path / "notebooks").mkdir()
    for name, needs, seconds in (
        ("01_one", "a little PyTorch", 42.0),
        ("02_two", "[this](01_one.ipynb)", 131.0),
        ("03_three", "[1](01_one.ipynb), [2](02_two.ipynb#there)", None),
    ):
        text = f"# Title of {name}\n\n**You need** {needs}. **Time:** see [later](03_three.ipynb)."
        run = {
            "seconds": seconds,
            "device": "cpu",
            "sources": "old",
            "torch": "2",
            "python": "3",
            "finished": "2026-01-02T03:04:05",
        }
        notebook = new_notebook(cells=[new_markdown_cell(text)], metadata={"fftools": run} if seconds else {})
        nbformat.write(notebook, tmp_path / "notebooks" / f"{name}.ipynb")
    (tmp_path / "_toc.yml").write_text("""parts:
      - chapters: [{file: notebooks/01_one}, {file: notebooks/02_two}]
      - chapters: [{file: notebooks/03_three}]
      - chapters: [{file: book/other}]""")
    for study, device, seconds in (
        ("a", "cpu, 2 threads", 60),
        ("a", "cpu, 2 threads", 180),
        ("b", "NVIDIA H200", 3600),
        ("shares", "NVIDIA H200", 3600),
    ):
        folder = tmp_path / "results" / study
        folder.mkdir(parents=True, exist_ok=True)
        record = {"study": study, "profile": "full", "provenance": {"device": device, "seconds": seconds}}
        (folder / f"{seconds}.json").write_text(json.dumps(record))
    return tmp_path


def rows(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


def test_the_table_of_chapters_reads_titles_prerequisites_and_minutes(house):
    made = rows(
        book_pages.chapters_table("01_one: Begin.\n02_two: Go on.\n03_three: End.\n04_later: Not yet.")
    )
    assert made == [
        ["1. [Title of 01_one](../notebooks/01_one.ipynb)", "Begin.", "–", "under 1"],
        ["2. [Title of 02_two](../notebooks/02_two.ipynb)", "Go on.", "[1](../notebooks/01_one.ipynb)", "2"],
        [
            "3. [Title of 03_three](../notebooks/03_three.ipynb)",
            "End.",
            "[1](../notebooks/01_one.ipynb), [2](../notebooks/02_two.ipynb)",
            "not run",
        ],
    ]


def test_a_chapter_without_a_line_is_named(house):
    with pytest.raises(ValueError, match="no line for 02_two, 03_three"):
        book_pages.chapters_table("01_one: Begin.")


def test_the_map_has_a_box_for_each_chapter_and_an_arrow_for_each_prerequisite(house):
    drawn = book_pages.chapter_map("")
    assert re.findall(r'href="\.\./notebooks/(\w+)\.html"', drawn) == ["01_one", "02_two", "03_three"]
    assert drawn.count('marker-end="url(#tip)"') == 3


def test_the_status_tells_stale_from_never_run(house):
    assert [row[-1] for row in rows(book_pages.status_table(""))] == [
        "**stale**",
        "**stale**",
        "**has never been run**",
    ]
    assert rows(book_pages.status_table(""))[0][1:5] == [
        "2026-01-02 03:04",
        "cpu",
        "torch 2, Python 3",
        "under 1",
    ]


def test_costs_come_from_the_records(house):
    assert rows(book_pages.costs_table("")) == [
        ["`a`", "full", "cpu, 2 threads", "2", "2.0", "0.1"],
        ["`b`", "full", "NVIDIA H200", "1", "60.0", "1.0"],
        ["`shares`", "full", "NVIDIA H200", "1", "60.0", "1.0"],
    ]
    assert rows(book_pages.hardware_table("")) == [
        ["CPU", "2 in 3 minutes", "2 runs in 0.1 hours"],
        ["T4-class GPU (Colab)", "not measured", "not measured"],
        ["H200-class GPU", "not measured", "1 runs in 1.0 hours"],
    ]


def test_verdicts_are_counted_and_controls_are_no_claims(house):
    given = ["reproduced", "reproduced", "fell short", "control", "open"]
    (house / "results" / "verdicts.json").write_text(json.dumps(dict(enumerate(given))))
    assert book_pages.verdicts("{all}: {counts}").startswith(
        "4: **2** reproduced, **0** exceeded, **1** fell short"
    )


@pytest.fixture
def study(house):
    """Records of a study: two configurations, one better on validation images, the other on test images."""

    def save(name, seed, config, profile="full", **metrics):
        record = {"config": config, "seed": seed, "profile": profile, "metrics": metrics}
        path = house / "results" / "mlp" / f"{name}-s{seed}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(record | {"study": "mlp"}))

    low, high = (
        {"rule": "ff", "lr": 0.1, "network": {"local": True}},
        {"rule": "ff", "lr": 0.2, "network": {"local": False}},
    )
    save("a", 0, low, val_goodness=0.97, test_goodness=0.96)
    save("a", 1, low, val_goodness=0.97, test_goodness=0.98)
    save("b", 0, high, val_goodness=0.96, test_goodness=0.99)
    save("c", 0, {"rule": "mf"}, "quick", test_goodness=0.5)
    return save


def test_the_best_is_chosen_on_validation_images_and_may_be_asked_for_by_its_parts(study):
    assert book_pages.best("mlp test_goodness") == "97.00 ± 1.41"
    assert book_pages.best("mlp test_goodness network.local=False") == "99.00"


@pytest.mark.parametrize("asked", ["mlp test_linear", "mlp test_goodness rule=mf", "none test_goodness"])
def test_a_number_that_no_full_run_gives_is_an_error(study, asked):
    with pytest.raises(ValueError, match="0 configurations fit"):
        book_pages.best(asked)


def test_without_validation_images_only_one_configuration_may_fit(study):
    study("d", 0, {"rule": "bp", "lr": 0.1}, test_accuracy=0.9)
    with pytest.raises(ValueError, match="0 configurations fit"):
        book_pages.best("mlp test_accuracy network.local=True")
    assert book_pages.best("mlp test_accuracy") == "90.00"
    study("e", 0, {"rule": "bp", "lr": 0.2}, test_accuracy=0.8)
    with pytest.raises(ValueError, match="2 configurations fit"):
        book_pages.best("mlp test_accuracy")


def test_an_old_address_is_no_page_any_more_and_leads_to_one(tmp_path):
    for old, new in book_pages.MOVED.items():
        assert not list(ROOT.glob(f"{old}.*")) and list(ROOT.glob(f"{new}.*"))
        (tmp_path / old).parent.mkdir(exist_ok=True)
    html = SimpleNamespace(builder=SimpleNamespace(name="html"), outdir=tmp_path)
    book_pages.lead_on(html, None)
    written = (tmp_path / "notebooks/your_own_images.html").read_text("utf8")
    assert written.count('"your_own_data.html"') == 2 and "url=your_own_data.html" in written


def test_a_formula_and_the_sign_behind_it_stay_on_one_line():
    signs = r"[,.;:!?)\]]"
    apart = re.compile(rf'<span class="math[^"]*">[^<]*</span>{signs}+(?!{signs}|</span>)')
    pages = list((ROOT / "_build/html").rglob("*.html"))
    assert sum('class="together"' in page.read_text("utf8") for page in pages) > 10
    assert not {page.name: found for page in pages if (found := apart.findall(page.read_text("utf8")))}


@pytest.mark.parametrize(("page", "first"), [("06_hyperparameters", "Fig. 6.1"), ("lab_grids", "Fig. 1")])
def test_figures_of_a_page_without_a_number_are_counted_from_one(page, first):
    text = (ROOT / "_build/html/notebooks" / f"{page}.html").read_text("utf8")
    assert re.search(r'caption-number">([^<]+)<', text)[1].strip() == first
