"""The house around the chapters: their notebooks, the tool that runs and checks them, and the built pages."""

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
import yaml
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import notebooks as tool  # noqa: E402

HTML = ROOT / "_build" / "html"
CHAPTERS = sorted((ROOT / "notebooks").glob("*.ipynb"))  # and the pages among them, which have no number
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))["project"]
ADDRESS = tool.repository()


# ---- the chapters ------------------------------------------------------------------------------------------


@pytest.fixture(params=CHAPTERS, ids=lambda path: path.stem)
def chapter(request):
    return nbformat.read(request.param, 4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def texts(cell):
    """What nbval compares of a cell, but for the mere names of pictures."""
    for output in cell.outputs:
        text = output.get("text") or output.get("data", {}).get("text/plain") or ""
        if output.get("name") != "stderr" and text.strip() and not text.startswith("<Figure"):
            yield text


def test_the_table_of_contents_names_every_chapter():
    contents = yaml.safe_load((ROOT / "_toc.yml").read_text("utf8"))
    named = [entry["file"] for part in contents["parts"] for entry in part["chapters"]]
    notebooks = [name.removeprefix("notebooks/") for name in named if name.startswith("notebooks/")]
    assert sorted(notebooks) == [path.stem for path in CHAPTERS]
    numbered = [name for name in notebooks if name[0].isdigit()]
    assert len(numbered) >= 12 and notebooks[: len(numbered)] == sorted(numbered)
    labs = [name for name in notebooks if name.startswith("lab_")]
    assert notebooks[-len(labs) :] == labs, "the laboratory is the last part"


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_stored_outputs_belong_to_the_current_sources(path):
    assert tool.stale(path) is None
    assert nbformat.read(path, 4).metadata["fftools"]["profile"] == "quick"


def test_first_cell_installs_on_colab(chapter):
    assert chapter.cells[0].source == tool.colab_cell(ADDRESS)
    assert "--no-deps" in chapter.cells[0].source


def test_parameters_come_before_any_other_code(chapter):
    cell = code_cells(chapter)[1]
    assert "parameters" in tool.tags(cell)
    body = ast.parse(cell.source).body
    assert all(isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) for node in body)
    assert {node.targets[0].id: node.value.value for node in body}["PROFILE"] == "quick"


def test_every_cell_was_run_in_order_without_error(chapter):
    cells = [cell for cell in code_cells(chapter) if cell.source.strip()]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error"]
    printed = [output.text for output in outputs if output.get("name") == "stdout"]
    assert all(text.endswith("\n") for text in printed), (
        "a text was cut off on its way: run the chapter again"
    )


def test_the_comparison_is_not_vacuous(chapter):
    ignoring = {"nbval-ignore-output", "nbval-skip"}
    compared = [
        cell for cell in code_cells(chapter) if not ignoring & set(tool.tags(cell)) and any(texts(cell))
    ]
    assert len(compared) >= 5
    trees = [tool.parse(cell.source) for cell in code_cells(chapter)[1:]]
    assert any(isinstance(node, ast.Assert) for tree in trees for node in ast.walk(tree))


def test_a_folded_cell_says_what_it_hides(chapter):
    folded = [cell for cell in code_cells(chapter) if {"hide-input", "hide-cell"} & set(tool.tags(cell))]
    unnamed = [c.source for c in folded if "code_prompt_show" not in c.metadata.get("mystnb", {})]
    assert folded and not unnamed


def test_pictures_have_alt_text_and_nothing_needs_a_widget(chapter):
    for cell in code_cells(chapter):
        kinds = {kind for output in cell.outputs for kind in output.get("data", {})}
        if any(kind.startswith("image/") for kind in kinds):
            image = cell.metadata.get("mystnb", {}).get("image", {})
            assert len(image.get("alt", "")) > 20, f"a picture without a description:\n{cell.source}"
            assert "imshow" not in cell.source or "classes" not in image, "a negative, in the dark"
        assert not any("widget" in kind for kind in kinds), f"a dead widget:\n{cell.source}"
        assert "\r" not in "".join(texts(cell)), f"a progress bar was kept:\n{cell.source}"


# ---- the tool ----------------------------------------------------------------------------------------------


@pytest.fixture
def house(tmp_path):
    """A small repository: two packages, records, networks, one chapter."""
    files = {
        "fftools/__init__.py": '"""Package."""\n',
        "fftools/near.py": "from fftools.far import double\n\ndef twice(x):\n    return double(x)\n",
        "fftools/far.py": 'def double(x):\n    """Two times x."""\n    return 2 * x  # fast\n',
        "fftools/other.py": "one = 1\n",
        "fftools/deep/__init__.py": '"""Subpackage."""\n',
        "fftools/deep/down.py": "from . import ground\n",
        "fftools/deep/ground.py": "two = 2\n",
        "evidence/__init__.py": "",
        "evidence/asked.py": "import fftools.deep.down\n",
        "evidence/unasked.py": "three = 3\n",
        "results/a-study/run.json": "{}",
        "results/b-study/run.json": "{}",
        "networks/a-study.json": "{}",
        "networks/b-study.json": "{}",
        "pyproject.toml": '[project.urls]\nRepository = "https://github.com/new/home"\n',
        "_config.yml": "repository:\n  url: https://github.com/old/home  # by the tool\n",
        "README.md": "[x](https://colab.research.google.com/github/old/home/blob/main/n.ipynb), "
        "github.com/old/homestead",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    make_chapter(
        tmp_path,
        "from fftools import near\nfrom evidence import asked\nnear.twice(2)",
        "%matplotlib inline\nx = 'a-study'",
        "print(PROFILE)",
    )
    return tmp_path


def make_chapter(root, *sources):
    path = root / "notebooks" / "01_small.ipynb"
    path.parent.mkdir(exist_ok=True)
    parameters = new_code_cell('PROFILE = "quick"', metadata={"tags": ["parameters"]})
    notebook = new_notebook(cells=[new_markdown_cell("# Small"), parameters, *map(new_code_cell, sources)])
    tool.stamp(notebook, "https://github.com/old/home")
    tool.write(notebook, path)
    return path


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize(
    "file, old, new",
    [
        ("fftools/far.py", "2 * x", "3 * x"),
        ("fftools/near.py", "double(x)", "double(x + 1)"),
        ("fftools/__init__.py", '"""Package."""', "answer = 42"),
        ("fftools/deep/__init__.py", '"""Subpackage."""', "answer = 42"),
        ("fftools/deep/ground.py", "two = 2", "two = 3"),
        ("evidence/asked.py", "import fftools.deep.down", "import fftools.deep.down as down"),
        ("results/a-study/run.json", "{}", '{"seed": 1}'),
        ("networks/a-study.json", "{}", '{"sha256": 1}'),
        ("notebooks/01_small.ipynb", "near.twice(2)", "near.twice(3)"),
    ],
)
def test_a_changed_source_makes_a_chapter_stale(house, file, old, new):
    before = tool.fingerprint(house / "notebooks/01_small.ipynb", house)
    edit(house / file, old, new)
    assert tool.fingerprint(house / "notebooks/01_small.ipynb", house) != before


@pytest.mark.parametrize(
    "file, old, new",
    [
        ("fftools/far.py", "# fast", "# slow"),
        ("fftools/far.py", "Two times x.", "Twice x."),
        ("fftools/far.py", "2 * x", "(2\n            * x)"),
        ("fftools/other.py", "one = 1", "one = 2"),
        ("evidence/unasked.py", "three = 3", "three = 4"),
        ("results/b-study/run.json", "{}", '{"seed": 1}'),
        ("networks/b-study.json", "{}", '{"sha256": 1}'),
        ("notebooks/01_small.ipynb", "# Small", "# Larger"),
        ("notebooks/01_small.ipynb", "old/home", "new/home"),
    ],
)
def test_what_cannot_change_an_output_makes_nothing_stale(house, file, old, new):
    before = tool.fingerprint(house / "notebooks/01_small.ipynb", house)
    edit(house / file, old, new)
    assert tool.fingerprint(house / "notebooks/01_small.ipynb", house) == before


def test_a_new_record_of_a_named_study_makes_a_chapter_stale(house):
    before = tool.fingerprint(house / "notebooks/01_small.ipynb", house)
    (house / "results/a-study/second.json").write_text("{}")
    assert tool.fingerprint(house / "notebooks/01_small.ipynb", house) != before


def test_the_readable_part_of_a_records_name_makes_nothing_stale(house):
    before = tool.fingerprint(house / "notebooks/01_small.ipynb", house)
    (house / "results/a-study/run.json").rename(house / "results/a-study/mf-mnist--run.json")
    assert tool.fingerprint(house / "notebooks/01_small.ipynb", house) == before


def test_run_then_check_then_change(house, capsys):
    path = make_chapter(
        house,
        "from tqdm import tqdm\nfor i in tqdm(range(3)): pass",
        "print(PROFILE)",
        "import sys\nprint(sys.executable)\nprint('a warning', file=sys.stderr)",
    )
    assert tool.check(house) == 1 and "has never been run" in capsys.readouterr().out
    tool.run(path, "full", house)
    assert tool.check(house) == 0
    done = nbformat.read(path, 4)
    shown = [cell.outputs for cell in code_cells(done)]
    assert (
        code_cells(done)[1].source == 'PROFILE = "quick"' and len(done.cells) == 6
    )  # no injected cell is left
    assert shown[2] == []  # the progress bar is gone
    assert shown[3][0].text == "full\n"
    assert {output.text for output in shown[4]} == {
        f"{sys.executable}\n",
        "a warning\n",
    }  # this environment's kernel
    state = done.metadata["fftools"]
    assert state["profile"] == "full" and not state["fallback"] and state["seconds"] > 0 and state["torch"]
    assert "papermill" not in json.dumps(done)

    done.cells[4].source = 'print("changed")'
    tool.write(done, path)
    capsys.readouterr()
    assert tool.check(house) == 1
    assert "notebooks/01_small.ipynb is stale" in (out := capsys.readouterr().out)
    assert "make run CHAPTER=01_small" in out


@pytest.mark.parametrize("profile", ["Full", "quick ", "", "fast", None])
def test_a_profile_that_does_not_exist_is_refused(house, profile):
    path = house / "notebooks/01_small.ipynb"
    before = path.read_bytes()
    with pytest.raises(ValueError, match=f"one of quick, full; got {profile!r}"):
        tool.run(path, profile, house)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "source, told", [("PROFIL = 'quick'", "PROFIL"), ("", "none"), ("EPOCHS = 3\nSEED = 0", "EPOCHS, SEED")]
)
def test_a_parameter_that_does_not_exist_is_refused(house, source, told):
    path = house / "notebooks/01_small.ipynb"
    notebook = nbformat.read(path, 4)
    next(cell for cell in notebook.cells if "parameters" in tool.tags(cell)).source = source
    tool.write(notebook, path)
    for profile in tool.PROFILES:
        with pytest.raises(ValueError, match=f"01_small.ipynb has no parameter PROFILE; it has {told}"):
            tool.run(path, profile, house)


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_a_chapter_refuses_another_profile_itself(path):
    """papermill hands over any name; `PROFILE == "full"` would take "Full" for quick."""
    trees = [tool.parse(cell.source) for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]
    asked = [
        node
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Compare)
        and "PROFILE" in (ast.unparse(node.left), *map(ast.unparse, node.comparators))
    ]
    assert not asked, "ask records.is_full(PROFILE), which raises a ValueError"
    assert any("records.is_full(PROFILE)" in ast.unparse(tree) for tree in trees)


def test_a_line_that_came_in_pieces_is_whole_again():
    pieces = [
        ("stdout", "one"),
        ("stdout", "\n"),
        ("stderr", "said aside\n"),
        ("stdout", "two"),
        ("stdout", "\n"),
    ]
    cell = new_code_cell("…", outputs=[new_output("stream", name=name, text=text) for name, text in pieces])
    notebook = new_notebook(
        cells=[cell, new_code_cell("…", outputs=[new_output("stream", name="stdout", text="\n")])]
    )
    tool.tidy(notebook)
    assert [output.text for output in notebook.cells[0].outputs] == ["one\n", "said aside\n", "two\n"]
    assert not notebook.cells[1].outputs


def test_a_failing_cell_leaves_the_notebook_as_it_was(house):
    path = make_chapter(house, "print('fine')", "1 / 0", "print('never')")
    before = path.read_bytes()
    with pytest.raises(tool.ChapterError, match=r"(?s)01_small\.ipynb: cell 4.*1 / 0.*ZeroDivisionError"):
        tool.run(path, root=house)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_outputs_from_the_fallback_dataset_are_refused(house, capsys):
    taken = (
        'sys.modules["fftools.data.load"]._banner("mnist", data.load("digits", "cpu"), '
        'data.DataError("no host"))'
    )
    path = make_chapter(house, f"import sys\nfrom fftools import data\n{taken}")
    tool.run(path, root=house)
    assert tool.check(house) == 1
    assert "embedded digits" in capsys.readouterr().out


def test_the_address_is_written_wherever_it_stands(house):
    tool.set_address(house)
    assert "url: https://github.com/new/home  #" in (house / "_config.yml").read_text()
    assert (
        (house / "README.md")
        .read_text()
        .endswith("github/new/home/blob/main/n.ipynb), github.com/old/homestead")
    )
    notebook = nbformat.read(house / "notebooks/01_small.ipynb", 4)
    assert notebook.cells[0].source == tool.colab_cell("https://github.com/new/home")
    assert tool.tags(notebook.cells[0]) == ["colab", "remove-cell"]


# ---- the repository ----------------------------------------------------------------------------------------


def test_the_repository_address_is_the_same_everywhere():
    config = yaml.safe_load((ROOT / "_config.yml").read_text("utf8"))
    assert config["repository"]["url"] == ADDRESS
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text("utf8"))["repository-code"] == ADDRESS
    slug = ADDRESS.removeprefix("https://github.com/")
    readme = (ROOT / "README.md").read_text("utf8")
    colab = re.findall(r"colab\.research\.google\.com/github/([\w-]+/[\w-]+)/blob/main/(\S+?)\)", readme)
    assert {(slug, f"notebooks/{path.name}") for path in CHAPTERS if path.name[0].isdigit()} <= set(colab)


def test_the_books_environment_is_one_the_package_allows():
    pins = [
        Requirement(line.split("#")[0])
        for line in (ROOT / "requirements.txt").read_text("utf8").splitlines()
        if line.split("#")[0].strip()
    ]
    pinned = {pin.name.lower(): next(iter(pin.specifier)).version for pin in pins}
    for wanted in map(Requirement, PROJECT["dependencies"]):
        assert wanted.specifier.contains(pinned[wanted.name.lower()]), wanted


@pytest.mark.parametrize("command", ["check", "format --check"])
def test_the_code_is_tidy(command):
    """Python files in 110 columns, notebooks' cells in 88."""
    ruff = [sys.executable, "-m", "ruff", *command.split(), "--no-cache", "."]
    said = subprocess.run(ruff, cwd=ROOT, capture_output=True, text=True)
    assert said.returncode == 0, said.stdout


def test_imports_run_downward_only():
    """The floors and their order stand in pyproject.toml."""
    command = Path(sys.executable).with_name("lint-imports")
    said = subprocess.run(
        [command, "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert said.returncode == 0 and " 0 broken" in said.stdout, said.stdout


def test_make_names_its_commands():
    shown = subprocess.run(
        ["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    for command in ("book", "serve", "test", "lab", "student", "run", "bench"):
        assert f"make {command} " in shown


# ---- the built pages ---------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def pages():
    """Every built page, parsed."""
    if not (HTML / "index.html").exists():
        pytest.fail("the book is not built; run `make book` first, or `make test`, which does")
    found = {
        path: BeautifulSoup(path.read_text("utf8"), "html.parser")
        for path in HTML.rglob("*.html")
        if "_static" not in path.parts
    }
    assert {HTML / f"notebooks/{path.stem}.html" for path in CHAPTERS} <= set(found)
    return found


def test_pages_load_nothing_from_outside(pages):
    outside = re.compile(r"(https?:)?//")
    for path, page in pages.items():
        loaded = [
            tag[key]
            for tag in page.find_all(True)
            for key in ("src", "srcset", "poster", "data")
            if tag.get(key)
        ]
        loaded += [tag["href"] for tag in page.find_all("link") if tag.get("rel") != ["canonical"]]
        assert not [address for address in loaded if outside.match(address)], path
        written = [tag.string or "" for tag in page.find_all(["script", "style"])]
        written += [tag["style"] for tag in page.find_all(style=True)]
        for text in written:
            assert not re.search(r"https?://(?!www\.w3\.org)|['\"(]//\w", text), f"{path}: {text[:300]}"
        assert not re.search(
            r"cdn|jsdelivr|unpkg|cloudflare|googleapis", strip_data(path.read_text("utf8"))
        ), path
    for path in HTML.rglob("*.css"):
        assert not re.search(r"(url\(|@import)\s*['\"]?\s*(https?:)?//", path.read_text("utf8")), path


def strip_data(html):
    """The page without its pictures: base64 may spell anything; a slider's frames are bare strings of it."""
    return re.sub(r'base64,[A-Za-z0-9+/=\\\s]+|"[A-Za-z0-9+/]{100,}=*"', "", html)


def test_no_internal_link_is_broken(pages):
    names = {
        path: {tag.get("id") or tag.get("name") for tag in page.find_all(True)}
        for path, page in pages.items()
    }
    checked = 0
    for path, page in pages.items():
        for tag in page.find_all(href=True) + page.find_all(src=True):
            link = urlsplit(tag.get("href") or tag.get("src"))
            if link.scheme or link.netloc or not (link.path or link.fragment):
                continue
            target = (path.parent / unquote(link.path)).resolve() if link.path else path
            assert target.exists(), f"{path}: {link.geturl()}"
            if link.fragment and target in names:
                assert unquote(link.fragment) in names[target], f"{path}: no such place: {link.geturl()}"
            checked += 1
    assert checked > 100


def test_pictures_on_pages_have_alt_text(pages):
    for path, page in pages.items():
        for image in page.select("article img"):
            alt = image.get("alt", "")
            assert alt.strip() and not alt.endswith((".png", ".svg", ".jpg")), f"{path}: {str(image)[:200]}"


def test_chapters_open_in_colab_and_set_their_formulas_from_the_vendored_mathjax(pages):
    slug = ADDRESS.removeprefix("https://github.com/")
    for chapter in CHAPTERS:
        page = pages[HTML / f"notebooks/{chapter.stem}.html"]
        links = [link["href"] for link in page.find_all("a", href=True)]
        assert f"https://colab.research.google.com/github/{slug}/blob/main/notebooks/{chapter.name}" in links
        scripts = [script["src"] for script in page.find_all("script", src=True)]
        assert any(source.split("?")[0].endswith("_static/mathjax/tex-chtml-full.js") for source in scripts)


def test_no_placeholder_is_left_in_the_prose():
    """A draft marks text still to be written as @@NAME@@."""
    for path in [*(ROOT / "notebooks").glob("*.ipynb"), *(ROOT / "book").glob("*.md"), ROOT / "README.md"]:
        assert "@@" not in path.read_text("utf8"), f"{path.name} has an unfinished place"
