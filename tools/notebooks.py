"""Run the chapters, check that their stored outputs belong to the current sources, write the Colab cell.

python tools/notebooks.py run all --profile quick      python tools/notebooks.py check
python tools/notebooks.py run 01_why_not_backprop      python tools/notebooks.py address
"""

import argparse
import ast
import base64
import hashlib
import io
import os
import platform
import re
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import nbformat
from PIL import Image

from fftools import files

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = "fftools", "evidence"
PROFILES = "quick", "full"
FALLBACK = "COULD NOT BE HAD"  # in the banner of fftools.data, when a chapter goes on with another dataset
LIVE = "application/vnd.jupyter.widget-view+json"
PROGRESS = re.compile(r"\d+%\||\d+it \[")  # a line of a tqdm bar
ADDRESSED = ("_config.yml", "CITATION.cff", "README.md", "CONTRIBUTING.md", "LICENSE-text", "book/*.md")


class ChapterError(RuntimeError):
    """A chapter failed; the message names the cell and the error."""


# ---- which sources an output belongs to --------------------------------------------------------------------


def fingerprint(path: Path, root: Path = ROOT) -> str:
    """Hash of what a notebook's outputs depend on: code, our modules it reaches, records, networks it names.

    Comments, docstrings and layout do not count. Magics (`%`, `!`) are left out, and so is the Colab cell.
    """
    cells = [
        cell
        for cell in nbformat.read(path, 4).cells
        if cell.cell_type == "code" and "colab" not in tags(cell)
    ]
    trees = {f"cell {i}": parse(cell.source) for i, cell in enumerate(cells)}
    todo = list(trees)
    while todo:  # follow the imports through our packages
        for name in imports(trees[here := todo.pop()], here, root):
            file = module_file(name, root)
            if name not in trees and file:
                trees[name] = parse(file.read_text("utf8"))
                todo.append(name)
    digest = hashlib.sha256()
    for name, tree in sorted(trees.items()):
        digest.update(f"{name}: {canonical(tree)}\n".encode())
    literals = {
        node.value
        for name, tree in trees.items()
        if name.startswith("cell ")
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    for name in sorted(text for text in literals if re.fullmatch(r"[\w-]+", text)):
        records = {path.stem.rpartition("--")[2]: path for path in (root / "results" / name).glob("*.json")}
        for run, path in sorted(records.items()):  # whatever readable name stands before the run's own
            digest.update(f"{name}/{run}: ".encode() + path.read_bytes())
        if (card := root / "networks" / f"{name}.json").exists():  # it holds the sum of the weights
            digest.update(f"network {name}: ".encode() + card.read_bytes())
    return digest.hexdigest()


def tags(cell) -> list[str]:
    return cell.metadata.get("tags", [])


def parse(code: str) -> ast.Module:
    """Syntax tree of a module or cell; IPython magics count as `pass`."""
    try:
        return ast.parse(code)
    except SyntaxError:
        return ast.parse(re.sub(r"^([ \t]*)[%!?].*", r"\1pass", code, flags=re.MULTILINE))


def imports(tree: ast.AST, here: str, root: Path) -> Iterator[str]:
    """Every name that an import of module `here` could mean as a module, and the packages it lies in."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            base = ".".join(filter(None, [_package(here, node.level, root), node.module]))
            names = [f"{base}.{alias.name}" for alias in node.names]
        else:
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        for name in names:
            parts = name.split(".")
            yield from (".".join(parts[:end]) for end in range(1, len(parts) + 1))


def _package(here: str, level: int, root: Path) -> str:
    """The package that the dots of a relative import in module `here` mean; nothing without dots."""
    itself = (root / here.replace(".", "/")).is_dir()
    return ".".join(here.split(".")[: itself - level or None]) if level else ""


def module_file(name: str, root: Path) -> Path | None:
    path = root / name.replace(".", "/")
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return file if name.split(".")[0] in PACKAGES and file.is_file() else None


def canonical(node) -> str:
    """Text of a syntax tree without docstrings, alike in all Python versions (which `ast.dump` is not)."""
    if isinstance(node, list):
        return "[" + ",".join(map(canonical, node)) + "]"
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = dict(ast.iter_fields(node))
    if isinstance(
        node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    ) and ast.get_docstring(node):
        fields["body"] = fields["body"][1:]
    kept = ((key, value) for key, value in fields.items() if value not in (None, []) and key != "kind")
    return type(node).__name__ + "(" + ",".join(f"{key}={canonical(value)}" for key, value in kept) + ")"


def stale(path: Path, root: Path = ROOT) -> str | None:
    """Why the stored outputs of a notebook must not be shown, or None."""
    state = nbformat.read(path, 4).metadata.get("fftools")
    if state is None:
        return "has never been run"
    if state["sources"] != fingerprint(path, root):
        return "is stale: its code, a module of ours or a record it reads has changed since it was run"
    return (
        "was run on the embedded digits, because its dataset could not be had" if state["fallback"] else None
    )


def check(root: Path = ROOT) -> int:
    """Print what is stale; 0 when nothing is."""
    found = {path: stale(path, root) for path in sorted((root / "notebooks").glob("*.ipynb"))}
    for path, reason in found.items():
        if reason:
            print(f"{path.relative_to(root)} {reason}.\n    To mend it: make run CHAPTER={path.stem}")
    bad = sum(reason is not None for reason in found.values())
    print(f"Stored outputs: {len(found) - bad} of {len(found)} chapters belong to the current sources.")
    return int(bad > 0)


# ---- running -----------------------------------------------------------------------------------------------


def run(path: Path, profile: str = "quick", root: Path = ROOT) -> None:
    """Execute a notebook in place; it is replaced whole, or not at all.

    Its own `PROFILE = "quick"` stays as it is. Raises ChapterError when a cell fails, ValueError for a
    profile that does not exist, and for a notebook that has no parameter of this name.
    """
    import papermill

    check_profile(path, profile)
    sources, start = fingerprint(path, root), time.time()
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / path.name
        parameters = {} if profile == "quick" else {"PROFILE": profile}
        os.environ["FFTOOLS_KEEP_MEASURED"] = (
            "1"  # what a chapter measures becomes a record, as its outputs are kept
        )
        try:
            papermill.execute_notebook(
                path,
                result,
                parameters,
                kernel_name="python3",
                language="python",
                cwd=path.parent,
                stderr_file=sys.stderr,
            )  # the chapter's own bars
        except papermill.PapermillExecutionError as error:
            raise ChapterError(
                f"{path.name}: cell {error.cell_index} failed and the notebook is left as it was.\n\n"
                f"{error.source}\n\n{error.ename}: {error.evalue}"
            ) from None
        finally:
            del os.environ["FFTOOLS_KEEP_MEASURED"]
        notebook = nbformat.read(result, 4)
    printed = "".join(output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", []))
    tidy(notebook)
    notebook.metadata["fftools"] = {
        "sources": sources,
        "profile": profile,
        "fallback": FALLBACK in printed,
        "device": _device(),
        "torch": version("torch"),
        "python": platform.python_version(),
        "seconds": round(time.time() - start, 1),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    write(notebook, path)


def check_profile(path: Path, profile: str) -> None:
    """papermill passes on whatever it is given, and only warns of a parameter that a notebook lacks."""
    if profile not in PROFILES:
        raise ValueError(f"the profile is one of {', '.join(PROFILES)}; got {profile!r}")
    cells = [cell.source for cell in nbformat.read(path, 4).cells if "parameters" in tags(cell)]
    names = re.findall(r"^(\w+) *=", "\n".join(cells), re.MULTILINE)
    if "PROFILE" not in names:
        raise ValueError(f"{path.name} has no parameter PROFILE; it has {', '.join(names) or 'none'}")


def _device() -> str:
    """What the chapters run on: "cpu", or a GPU by its name."""
    import torch

    from fftools.data import pick_device

    device = pick_device()
    return torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)


def lighter(png: str) -> str:
    """An opaque picture in base64 with 256 colours, not millions, if smaller: figures need no more."""
    given = base64.b64decode(png)
    picture, kept = Image.open(io.BytesIO(given)).convert("RGBA"), io.BytesIO()
    if picture.getextrema()[3] != (255, 255):
        return png
    picture.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(kept, "PNG", optimize=True)
    return base64.b64encode(min(given, kept.getvalue(), key=len)).decode()


def tidy(notebook) -> None:
    """Take out what papermill adds, what bars leave, widgets, whose kernel is gone; make pictures lighter."""
    notebook.cells = [cell for cell in notebook.cells if "injected-parameters" not in tags(cell)]
    for left_behind in ("papermill", "widgets"):
        notebook.metadata.pop(left_behind, None)
    notebook.metadata["kernelspec"] = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook.metadata["language_info"] = {"name": "python", "pygments_lexer": "ipython3"}
    for cell in notebook.cells:
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", []):
            if output.output_type == "stream" and output.name == "stderr":
                output.text = "".join(
                    line for line in output.text.splitlines(True) if not PROGRESS.search(line)
                )
            data = output.get("data", {})
            data.pop(LIVE, None)
            data.update({"image/png": lighter(data["image/png"])} if "image/png" in data else {})
        if cell.cell_type == "code":
            cell.outputs = [output for output in _joined(cell.outputs) if output.get("text", "-").strip()]


def _joined(outputs: list) -> list:
    """Pieces of a text joined again: a kernel may send a line's end by itself, and it is no empty output."""
    whole = []
    for output in outputs:
        if whole and "name" in output and whole[-1].get("name") == output.name:  # only streams have a name
            whole[-1].text += output.text
        else:
            whole.append(output)
    return whole


def write(notebook, path: Path) -> None:
    files.write(path, nbformat.writes(notebook) + "\n")


# ---- the repository's address ------------------------------------------------------------------------------


def repository(root: Path = ROOT) -> str:
    """The one address, from pyproject.toml."""
    return tomllib.loads((root / "pyproject.toml").read_text("utf8"))["project"]["urls"]["Repository"]


def colab_cell(address: str) -> str:
    """First cell of every chapter: on Colab it fetches the book, installs fftools, and moves nothing else."""
    return f"""\
# On Colab only: fetch the book and its helper package. Colab's own torch and numpy stay as they are.
import sys

if "google.colab" in sys.modules:
    !test -d /content/course || git clone --quiet --depth 1 {address} /content/course
    %pip install --quiet --no-deps /content/course
    %cd /content/course/notebooks"""


def stamp(notebook, address: str) -> None:
    """Put the Colab cell first."""
    cell = notebook.cells[0] if notebook.cells and "colab" in tags(notebook.cells[0]) else None
    if cell is None:
        cell = nbformat.v4.new_code_cell()
        notebook.cells.insert(0, cell)
    cell.source = colab_cell(address)
    cell.metadata["tags"] = ["colab", "remove-cell"]


def set_address(root: Path = ROOT) -> None:
    """Write pyproject.toml's address over that in `_config.yml`, there and wherever else it stands."""
    new = repository(root)
    old = re.search(
        r"^ +url: (https://github\.com/\S+)", (root / "_config.yml").read_text("utf8"), re.MULTILINE
    )[1]
    old_slug, new_slug = (address.removeprefix("https://github.com/") for address in (old, new))
    for file in (file for pattern in ADDRESSED for file in root.glob(pattern)):
        file.write_text(re.sub(re.escape(old_slug) + r"(?![\w-])", new_slug, file.read_text("utf8")), "utf8")
    for path in (root / "notebooks").glob("*.ipynb"):
        notebook = nbformat.read(path, 4)
        stamp(notebook, new)
        write(notebook, path)


def main() -> int:
    for stream in sys.stdout, sys.stderr:
        stream.reconfigure(errors="replace")  # a console may not know every character
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    runner = commands.add_parser("run", help="execute chapters in place")
    runner.add_argument("chapter", help="a chapter's name, or all")
    runner.add_argument("--profile", choices=PROFILES, default="quick")
    commands.add_parser("check", help="are the stored outputs of the current sources?")
    commands.add_parser("address", help="write pyproject.toml's repository address wherever it stands")
    args = parser.parse_args()
    if args.command == "check":
        return check()
    if args.command == "address":
        return set_address()
    paths = sorted(
        (ROOT / "notebooks").glob("*.ipynb" if args.chapter == "all" else f"{Path(args.chapter).stem}.ipynb")
    )
    if not paths:
        parser.error(f"no chapter {args.chapter!r} in notebooks/")
    for path in paths:
        print(f"== {path.relative_to(ROOT)} ({args.profile})", flush=True)
        try:
            run(path, args.profile)
        except (ChapterError, ValueError) as error:
            print(error, file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
