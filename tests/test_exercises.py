"""The chapters' exercises: their form, the student build, and that an unfilled stub fails.

That the worked solutions pass is shown by nbval, which runs every chapter as it stands.
"""

import ast
import copy
import re
import sys
import traceback
from pathlib import Path
from types import FunctionType
from unittest.mock import MagicMock

import nbformat
import pytest
import torch
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import student as tool  # noqa: E402

import notebooks as house  # noqa: E402

CHAPTERS = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
EXERCISED = tool.exercised(ROOT)  # chapters, and pages and laboratories that have exercises too


@pytest.fixture(params=EXERCISED, ids=lambda path: path.stem)
def chapter(request):
    return nbformat.read(request.param, 4), request.param.name


@pytest.fixture(params=CHAPTERS, ids=lambda path: path.stem)
def numbered(request):
    return nbformat.read(request.param, 4), request.param.name


# ---- form --------------------------------------------------------------------------------------------------


def test_every_chapter_has_four_exercises_from_one_line_to_a_project(numbered):
    notebook, name = numbered
    numbers = [exercise.number for exercise in tool.exercises(notebook, name)]
    assert numbers == list(range(1, len(numbers) + 1)) and len(numbers) >= 4
    texts = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    lengths = [length for text in texts for *_, length in tool.TASK.findall(text)]
    assert len(lengths) == len(numbers)
    assert set(lengths) & {"project", "small project"} and set(lengths) & {"one line", "short"}


def test_exercises_are_hidden_checked_and_explained(chapter):
    notebook, name = chapter
    for exercise in tool.exercises(notebook, name):
        cell, check = notebook.cells[exercise.cell], notebook.cells[exercise.check]
        assert "hide-cell" in house.tags(cell), exercise
        assert {tag for tag in house.tags(check) if tag.startswith("hide-")} == {"hide-output"}, (
            f"{exercise}: what a check prints is shown on demand"
        )
        defined = names(house.parse(cell.source), ast.Store)
        assert names(house.parse(check.source), ast.Load) & defined, (
            f"{exercise}: the check uses nothing of the exercise"
        )
        assert any(isinstance(node, ast.Assert) for node in ast.walk(house.parse(check.source))), exercise
        after = notebook.cells[exercise.check + 1]
        assert after.cell_type == "markdown" and tool.ANSWER.match(after.source), (
            f"{exercise}: no Answer behind the check"
        )


def test_chapters_have_objectives_checkpoints_and_a_summary(numbered):
    notebook, _ = numbered
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    assert re.search(
        r"\{admonition\} In this chapter\n.*?^- .*?\*\*You need\*\*.*?\*\*Time:\*\*.*?minute",
        text,
        re.M | re.S,
    )
    checkpoints = re.findall(r"^(:{4,})\{admonition\} Checkpoint$(.*?)^\1$", text, re.M | re.S)
    assert len(checkpoints) >= 2 and all("{dropdown}" in inside for _, inside in checkpoints)
    assert text.index("## Summary") < text.index("## Exercises")


def names(tree, context) -> set[str]:
    """Names that a piece of code binds (ast.Store; functions and classes too) or uses (ast.Load)."""
    found = {
        node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, context)
    }
    if context is ast.Store:
        found |= {node.name for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    return found


# ---- the unfilled stub fails -------------------------------------------------------------------------------


def surroundings(cells, dataset, functions: bool) -> dict:
    """A namespace with the names of some code cells: imports, classes, literals and the data are real.

    So are functions, if asked. Everything else (what was trained, measured, drawn) is a stand-in. A stub
    raises before anything looks at its arguments.
    """
    found = {}
    for cell in cells:
        for node in house.parse(cell.source).body:
            if isinstance(node, (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)) or is_plain(
                node
            ):
                exec(compile(ast.Module([node], []), "an earlier cell", "exec"), found)
            else:
                found |= {name: MagicMock(name=name) for name in names(node, ast.Store)}
        found |= {"dataset": dataset, "device": torch.device("cpu")}
    if not functions:
        found |= {
            name: MagicMock(name=name) for name, value in found.items() if isinstance(value, FunctionType)
        }
    return found


def is_plain(node) -> bool:
    """Whether a statement names literals; an empty list or dictionary is none yet, a loop will fill it."""
    try:
        ast.literal_eval(node.value if isinstance(node, ast.Assign) else node)
    except ValueError:
        return False
    return not any(
        isinstance(part, (ast.List, ast.Dict)) and ast.unparse(part) in ("[]", "{}")
        for part in ast.walk(node)
    )


def fails(notebook, name, exercise, dataset) -> str:
    """Run an exercise's stub, then its check; empty if the stub's own error stops them, else what happened.

    If an earlier function cannot do with stand-ins, once more without any function.
    """
    earlier = [
        cell
        for cell in notebook.cells[: exercise.cell]
        if cell.cell_type == "code" and "colab" not in house.tags(cell)
    ]
    stub, check = (notebook.cells[place].source for place in (exercise.cell, exercise.check))
    cells = {"the stub": tool.unsolved(stub, name), "the check": check}
    found = what_stops(cells, surroundings(earlier, dataset, functions=True))
    return found and what_stops(cells, surroundings(earlier, dataset, functions=False)) and found


def what_stops(cells: dict[str, str], space: dict) -> str:
    """Run cells one after the other; empty if it is the stub that stops them, else what happened instead."""
    try:
        for name, source in cells.items():
            exec(compile(source, name, "exec"), space)
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        own = (
            last.filename == "the stub"
            and isinstance(error, NotImplementedError)
            and error.args == ("your turn",)
        )
        return "" if own else f"stopped before the stub: {type(error).__name__}: {error}"
    return "passed without a solution"


def test_unfilled_stubs_fail(chapter, digits):
    notebook, name = chapter
    wrong = {
        exercise.title: fails(notebook, name, exercise, digits) for exercise in tool.exercises(notebook, name)
    }
    assert wrong and not any(wrong.values()), wrong


TASK = "### 1. Twice (one line)\n\nWrite it."
EXERCISE = "def twice(x):\n    ### BEGIN SOLUTION\n    y = x + x\n\n    return y\n    ### END SOLUTION"
CHECK = "assert twice(network(2)) == 4\nprint('twice: True')"
ANSWER = ":::{dropdown} Answer\nAdd.\n:::"


def small(exercise=EXERCISE, check=CHECK, task=TASK, answer=ANSWER):
    """A chapter with one exercise."""
    cells = [
        ("parameters", 'PROFILE = "quick"'),
        ("", "import math\nnetwork = math.train()"),
        ("exercise hide-cell", exercise),
        ("check", check),
    ]
    codes = [
        new_code_cell(source, metadata={"tags": kinds.split()}, outputs=[], execution_count=n)
        for n, (kinds, source) in enumerate(cells, 1)
    ]
    return new_notebook(
        cells=[codes[0], codes[1], new_markdown_cell(task), codes[2], codes[3], new_markdown_cell(answer)]
    )


@pytest.mark.parametrize(
    "check, told",
    [
        (CHECK, ""),
        ("assert twice", "passed without a solution"),
        ("try:\n    twice(2)\nexcept NotImplementedError:\n    pass", "passed without a solution"),
        ("assert twice(missing) == 4", "stopped before the stub: NameError"),
        ("assert math.nothing(twice)", "stopped before the stub: AttributeError"),
        ("raise NotImplementedError('your turn')", "stopped before the stub: NotImplementedError"),
    ],
)
def test_the_proof_tells_a_failing_stub_from_other_failures(check, told, digits):
    notebook = small(check=check)
    (exercise,) = tool.exercises(notebook, "small")
    found = fails(notebook, "small", exercise, digits)
    assert found.startswith(told) and bool(found) == bool(told)


# ---- the student build -------------------------------------------------------------------------------------


def test_a_stub_stands_where_the_solution_stood():
    cells = tool.student(small(), "small").cells
    assert cells[3].source == 'def twice(x):\n    raise NotImplementedError("your turn")'
    assert cells[3].metadata.tags == ["exercise"] and cells[3].execution_count is None
    assert cells[4].source == CHECK and cells[2].source == TASK
    assert len(cells) == 5, "the answer's cell is gone"
    assert small().cells[3].source == EXERCISE


def test_an_answer_is_cut_out_of_a_longer_text_and_other_dropdowns_stay():
    hint = ":::{dropdown} Hint\nThink.\n:::"
    cells = tool.student(small(answer=f"{ANSWER}\n\nMore.\n\n{hint}"), "small").cells
    assert cells[-1].source == f"More.\n\n{hint}"


@pytest.mark.parametrize(
    "change, told",
    [
        (dict(exercise="x = 1"), "small, cell 3: an exercise without '### BEGIN SOLUTION'"),
        (
            dict(exercise="### BEGIN SOLUTION\nx = 1"),
            "small, cell 3: '### BEGIN SOLUTION' without '### END SOLUTION'",
        ),
        (
            dict(exercise="x = 1\n### END SOLUTION"),
            "small, cell 3: '### END SOLUTION' without '### BEGIN SOLUTION'",
        ),
        (
            dict(exercise="### BEGIN SOLUTION\n### BEGIN SOLUTION\n### END SOLUTION"),
            "small, cell 3: a second",
        ),
        (dict(exercise="### BEGIN SOLUTION\n\n### END SOLUTION"), "small, cell 3: nothing stands between"),
        (
            dict(exercise="if x:\n    ### BEGIN SOLUTION\n    y\n### END SOLUTION"),
            "small, cell 3: .* are indented differently",
        ),
        (dict(check=EXERCISE), "small, cell 4: a solution in a cell without the tag 'exercise'"),
        (dict(task="### Twice"), "small, cell 3: an exercise without a task"),
        (dict(task="### 1. Twice (endless)"), "small, cell 3: an exercise without a task"),
    ],
)
def test_a_broken_exercise_is_refused_by_name(change, told):
    with pytest.raises(tool.ExerciseError, match=told):
        tool.student(small(**change), "small")


@pytest.mark.parametrize(
    "order, told",
    [
        ([2, 3, 5], "cell 1: an exercise without a check after it"),
        ([2, 3, 1, 4], "cell 1: an exercise without a check right after it"),
        ([2, 3, 3, 4], "cell 1: an exercise without a check after it"),
        ([2, 4, 3], "cell 1: a check without an exercise before it"),
        ([2, 3, 4, 3, 4], "cell 3: an exercise without a task"),
    ],
)
def test_exercises_and_checks_come_in_pairs(order, told):
    notebook = small()
    notebook.cells = [copy.deepcopy(notebook.cells[place]) for place in order]
    with pytest.raises(tool.ExerciseError, match=f"small, {told}"):
        tool.exercises(notebook, "small")


def test_the_student_build_holds_nothing_of_a_solution(chapter):
    notebook, name = chapter
    built = tool.student(notebook, name)
    assert not re.search(r"(BEGIN|END) SOLUTION|\{dropdown\} Answer", nbformat.writes(built))
    stubs = [cell for cell in built.cells if "exercise" in house.tags(cell)]
    for exercise, stub in zip(tool.exercises(notebook, name), stubs, strict=True):
        parts = tool.split(notebook.cells[exercise.cell].source, name)
        kept = {line for margin, text in parts if margin is None for line in text.splitlines()}
        solution = {line for margin, text in parts if margin is not None for line in text.splitlines()}
        assert not (set(stub.source.splitlines()) & solution) - kept, exercise
    emptied = [cell for cell in built.cells if {"exercise", "check"} & set(house.tags(cell))]
    assert len(emptied) == 2 * len(stubs) and not any(cell.outputs for cell in emptied)


def test_the_student_build_with_the_solutions_put_back_is_the_chapter(chapter):
    notebook, name = chapter
    built = iter(tool.student(notebook, name).cells)
    for cell in notebook.cells:
        source = tool.ANSWER.sub("", cell.source).strip() if cell.cell_type == "markdown" else cell.source
        if source or cell.cell_type == "code":
            shown = next(built)
            is_exercise = "exercise" in house.tags(cell)
            assert (put_back(shown.source, cell.source) if is_exercise else shown.source) == source
            assert {"exercise", "check"} & set(house.tags(cell)) or shown == cell | {"source": source}
    assert next(built, None) is None


def put_back(stub: str, source: str) -> str:
    """A student's cell, with the marked regions of the source in the places of the stubs."""
    regions = iter(re.findall(rf"^[ \t]*{tool.BEGIN}\n.*?{tool.END}$", source, re.MULTILINE | re.DOTALL))
    return re.sub(rf"^[ \t]*{re.escape(tool.STUB)}$", lambda _: next(regions), stub, flags=re.MULTILINE)


def test_the_build_writes_the_same_files_again(tmp_path):
    (tmp_path / "notebooks").mkdir()
    nbformat.write(small(), tmp_path / "notebooks" / "01_small.ipynb")
    assert tool.build(tmp_path) == (
        tmp_path / "_build" / "student",
        tmp_path / "_build" / "nbgrader" / "source",
    )
    built = {path: path.read_bytes() for path in (tmp_path / "_build").rglob("*.ipynb")}
    assert {str(path.relative_to(tmp_path / "_build")) for path in built} == {
        "student/01_small.ipynb",
        "nbgrader/source/01_small/01_small.ipynb",
    }
    tool.build(tmp_path)
    assert built == {path: path.read_bytes() for path in built}


# ---- nbgrader's source -------------------------------------------------------------------------------------


def complaint(notebook) -> str:
    """What nbgrader refuses: its metadata's rules, version 3, and that only solution cells hold solutions."""
    seen = set()
    for place, cell in enumerate(notebook.cells):
        if "nbgrader" not in cell.metadata:
            if tool.BEGIN in cell.source:
                return f"cell {place}: a solution region in a cell that is no solution"
            continue
        said = dict(cell.metadata["nbgrader"])
        name, flags = (
            said.pop("grade_id", ""),
            {key: said.pop(key, None) for key in ("grade", "locked", "solution", "task")},
        )
        if said.pop("schema_version", None) != 3 or not set(map(type, flags.values())) <= {bool}:
            return f"cell {place}: not of version 3"
        if not re.fullmatch(r"[\w-]+", name) or name in seen:
            return f"cell {place}: no name of its own"
        seen.add(name)
        if flags["grade"] and said.pop("points", 0) <= 0 or said:
            return f"cell {place}: points belong to a test, and to nothing else"
        if cell.cell_type != "code" or flags["task"] or flags["solution"] == flags["grade"]:
            return f"cell {place}: neither a solution nor a test"
    return "" if seen else "nothing is marked"


def test_nbgrader_gets_solutions_tests_and_no_answers(chapter):
    notebook, name = chapter
    built, exercises = tool.for_nbgrader(notebook, name), tool.exercises(notebook, name)
    places = [place for one in exercises for place in (one.cell, one.check)]
    assert not complaint(built)
    assert not re.search(r"\{dropdown\} Answer", nbformat.writes(built))
    marked = [cell for cell in built.cells if "nbgrader" in cell.metadata]
    assert [cell.source for cell in marked] == [notebook.cells[place].source for place in places]
    assert [cell.metadata.nbgrader["solution"] for cell in marked] == [True, False] * len(exercises)
    assert [cell.metadata.nbgrader.get("points") for cell in marked[1::2]] == [
        tool.POINTS[one.length] for one in exercises
    ]
    assert all(cell.metadata.nbgrader["locked"] for cell in marked[1::2]), "or a student could rewrite a test"
    assert not any("nbgrader" in cell.metadata for cell in notebook.cells), "the chapter itself is not marked"


def test_nbgrader_itself_takes_the_solutions_out(chapter):
    """Its own validator and the steps of `nbgrader generate_assignment` that look at cells."""
    from nbgrader.nbgraderformat import MetadataValidator
    from nbgrader.preprocessors import CheckCellMetadata, ClearSolutions

    notebook, name = chapter
    built = tool.for_nbgrader(notebook, name)
    MetadataValidator().validate_nb(built)
    for step in CheckCellMetadata(), ClearSolutions():
        built, _ = step.preprocess(built, {})
    released = [cell.source for cell in built.cells if cell.metadata.get("nbgrader", {}).get("solution")]
    assert len(released) == len(tool.exercises(notebook, name))
    assert all("YOUR CODE HERE" in source and tool.BEGIN not in source for source in released)


@pytest.mark.parametrize(
    "cell, change, told",
    [
        (3, dict(schema_version=2), "not of version 3"),
        (3, dict(task=None), "not of version 3"),
        (4, dict(grade_id="exercise-1"), "no name of its own"),
        (4, dict(points=0), "points belong"),
        (3, dict(points=1), "points belong"),
        (4, dict(solution=True), "neither"),
    ],
)
def test_the_rules_of_nbgrader_can_be_broken(cell, change, told):
    notebook = tool.for_nbgrader(small(), "small")
    assert not complaint(notebook)
    notebook.cells[cell].metadata["nbgrader"].update(change)
    assert complaint(notebook).startswith(f"cell {cell}: {told}")


def test_an_unmarked_solution_is_what_nbgrader_refuses():
    assert complaint(small()) == "cell 3: a solution region in a cell that is no solution"
    assert complaint(new_notebook(cells=[])) == "nothing is marked"


def lost_points(cell) -> str:
    """Why a check that ran loses points in nbgrader: an error, an error stream, or a number as result."""
    for output in cell.outputs:
        if output.output_type == "error" or output.get("name") == "stderr":
            return "counts as failed"
        if output.output_type == "execute_result" and re.fullmatch(
            r"[-+\d.e]+", output.data.get("text/plain", "")
        ):
            return "counts as partial credit"
    return ""


def test_a_solved_check_earns_all_points_in_nbgrader(chapter):
    notebook, name = chapter
    lost = {one.title: lost_points(notebook.cells[one.check]) for one in tool.exercises(notebook, name)}
    assert lost and not any(lost.values()), lost


@pytest.mark.parametrize(
    "output, told",
    [
        (new_output("execute_result", {"text/plain": "0.93"}), "counts as partial credit"),
        (new_output("execute_result", {"text/plain": "[0.93]"}), ""),
        (new_output("stream", name="stderr", text="careful"), "counts as failed"),
        (new_output("stream", name="stdout", text="0.93"), ""),
        (new_output("error", ename="AssertionError"), "counts as failed"),
    ],
)
def test_what_costs_points_in_nbgrader(output, told):
    assert lost_points(new_code_cell("x", outputs=[output])) == told
