"""The chapters' quizzes: their form, and that a page says what is right only when it is asked."""

import re
import shutil
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parent.parent
ASSETS = ROOT / "book" / "_assets"
CHAPTERS = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
QUIZ = re.compile(r"^::::\{admonition\} Three questions\n:class: quiz\n(.*?)^::::$", re.MULTILINE | re.DOTALL)
KEY = re.compile(r"^:::\{dropdown\} Right answers\n(.*?)^:::$", re.MULTILINE | re.DOTALL)


def quizzes(path: Path) -> list[str]:
    cells = nbformat.read(path, 4).cells
    return [quiz for cell in cells if cell.cell_type == "markdown" for quiz in QUIZ.findall(cell.source)]


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_a_chapter_asks_three_questions_each_with_one_right_option(path):
    (quiz,) = quizzes(path)
    (key,) = KEY.findall(quiz)
    questions = re.split(r"^\d\. ", KEY.sub("", quiz), flags=re.MULTILINE)[1:]
    answers = re.findall(r"^\d\. (\w)\) .{20,}", key, re.MULTILINE)
    assert len(questions) == len(answers) == 3
    for question, answer in zip(questions, answers):
        letters = re.findall(r"^ +- (\w)\) \S", question, re.MULTILINE)
        assert letters == list("abcd"[: len(letters)]) and len(letters) >= 2 and answer in letters
        assert not re.search(r"^ +- .*(\]\(|\{term\})", question, re.MULTILINE), "a link inside a button"


# ---- in a browser: a small page as Sphinx writes it, opened from a file ------------------------------------

PAGE = """<!doctype html><html lang="en"><head><title>Quiz</title><link rel="stylesheet" href="book.css">
<script defer src="quiz.js"></script></head><body><main class="bd-article"><div class="quiz admonition">
<p class="admonition-title">Three questions</p>
<ol class="arabic"><li><p>Two and two?</p>\
<ul class="simple"><li><p>a) three</p></li><li><p>b) four</p></li></ul></li></ol>
<details class="sd-dropdown"><summary>Right answers</summary>
<div><ol class="arabic simple"><li><p>b) <em>Count</em> your fingers.</p></li></ol></div></details>
</div></main></body></html>"""


@pytest.fixture
def opened(running, tmp_path):
    """Opens the page, with scripts or without."""
    for name in ("quiz.js", "book.css"):
        shutil.copy(ASSETS / name, tmp_path / name)
    (tmp_path / "page.html").write_text(PAGE)
    contexts = []

    def opening(**options):
        contexts.append(running.new_context(**options))
        page = contexts[-1].new_page()
        page.goto((tmp_path / "page.html").as_uri())
        return page

    yield opening
    for context in contexts:
        context.close()


def test_a_click_says_what_is_right_and_nothing_does_before(opened):
    page = opened()
    verdict, options = page.get_by_role("status"), page.get_by_role("button")
    assert page.get_by_role("button").all_inner_texts() == ["a) three", "b) four"]
    assert verdict.inner_text() == "" and not page.get_by_text("your fingers").is_visible()
    alike = options.evaluate_all(
        "all => new Set(all.map(one => one.className + getComputedStyle(one).border)).size"
    )
    assert alike == 1, "an option looks different from the others before it is chosen"

    options.nth(0).click()
    assert verdict.inner_text() == "No. Try another one." and options.nth(0).get_attribute("class") == "wrong"
    assert not page.get_by_text("your fingers").is_visible()
    options.nth(1).focus()
    page.keyboard.press("Enter")
    assert (
        verdict.inner_text() == "Right. Count your fingers."
        and options.nth(1).get_attribute("class") == "right"
    )


def test_without_a_script_the_answers_are_folded(opened):
    page = opened(java_script_enabled=False)
    assert page.get_by_text("b) four").is_visible() and page.get_by_text("Right answers").is_visible()
    assert not page.get_by_text("your fingers").is_visible()


def test_on_paper_the_answers_are_there(opened):
    page = opened()
    page.emulate_media(media="print")
    assert page.get_by_text("Right answers").is_visible()
