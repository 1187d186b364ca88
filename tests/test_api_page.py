"""The page of the two packages, made from their docstrings."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))
import api  # noqa: E402


@pytest.mark.parametrize(
    "plain, rest",
    [
        ("Scores `(N, classes)` of `learner`.", ["Scores ``(N, classes)`` of ``learner``."]),
        ("*rest, a_name and |x|", [r"\*rest, a\_name and \|x\|"]),
        ("a lone ` sign", [r"a lone \` sign"]),
        (
            "lr       constant, then `falling`\n         to zero\n\nRaises",
            ["", "- ``lr``: constant, then ``falling``", "  to zero", "", "", "Raises"],
        ),
        ("set      1: four directions,\n         2: one", ["", "- ``set``: 1: four directions,", "  2: one"]),
        (
            "Such as\n\n    x = 1\n    y = 2\n\nand so on",
            ["Such as", "", "", "::", "", "    x = 1", "    y = 2", "", "and so on"],
        ),
    ],
)
def test_plain_text_becomes_what_sphinx_reads(plain, rest):
    assert api.rest(plain.splitlines()) == rest


def test_a_package_lists_its_modules_and_they_their_own():
    assert "fftools.rules.mono_forward" in api.modules("fftools.rules")
    assert ("class", "MonoForward") in api.members("fftools.rules.mono_forward")
    assert ("function", "fit") in api.members("fftools.fit") and ("class", "Learner") not in api.members(
        "fftools.fit"
    )
    assert all(not name.startswith("_") for _, name in api.members("evidence.networks"))


def test_the_page_names_every_public_module_of_fftools():
    page = (ROOT / "book/api.md").read_text("utf8")
    shown = [
        name
        for line in page.splitlines()
        if line.startswith("```{api}")
        for name in api.modules(line.split()[1])
    ]
    inner = (
        "fftools.fast",
        "fftools.inputs",
        "fftools.resume",
        "fftools.files",
        "fftools.__main__",
    )  # what nobody imports for a chapter
    missing = [name for name in api.modules("fftools") if name not in shown and not name.startswith(inner)]
    assert not missing and len(shown) == len(set(shown))


@pytest.mark.parametrize("package", ["fftools", "evidence"])
def test_code_in_a_docstring_ends_in_the_line_where_it_begins(package):
    for file in sorted((ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf8"))):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                for line in (ast.get_docstring(node) or "").splitlines():
                    assert line.count("`") % 2 == 0, f"{file.name}: {line}"
