"""The chapters for students: solutions become stubs, answers go, the rest stays as it is.

    python tools/student.py   writes _build/student/*.ipynb, and for nbgrader _build/nbgrader/source/*/*.ipynb

An exercise is a task in Markdown (`### 2. Title (short)`), a code cell tagged `exercise` with the worked
solution between nbgrader's markers, a code cell tagged `check` whose asserts call what the exercise defines,
and an Answer in a dropdown.
"""

import re
import sys
from dataclasses import dataclass
from pathlib import Path

import nbformat

from notebooks import ROOT, tags, write

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
STUB = 'raise NotImplementedError("your turn")'
TASK = re.compile(r"^### (\d+)\. (.+) \((one line|short|medium|(?:small )?project)\)$", re.MULTILINE)
POINTS = {"one line": 1, "short": 2, "medium": 3, "small project": 4, "project": 4}  # in nbgrader
ANSWER = re.compile(r"^(:{3,})\{dropdown\} Answer$.*?^\1$\n*", re.MULTILINE | re.DOTALL)


class ExerciseError(ValueError):
    """A chapter breaks the convention; the message names the notebook and the cell."""


@dataclass
class Exercise:
    """What an exercise is called, how long it is, and the places of its two cells in the notebook."""

    number: int
    title: str
    length: str
    cell: int
    check: int


def split(source: str, where: str) -> list[tuple[str | None, str]]:
    """Parts of an exercise cell in order, each `(margin, its lines)`; margin None for what is no solution.

    Raises ExerciseError, beginning with `where`, if markers are unbalanced, differently indented or empty.
    """
    parts, indent = [(None, [])], None
    for line in source.splitlines():
        margin, text = line[: len(line) - len(line.lstrip())], line.strip()
        if text == BEGIN:
            if indent is not None:
                raise ExerciseError(f"{where}: a second {BEGIN!r} before {END!r}")
            indent = margin
            parts.append((margin, []))
        elif text == END:
            if indent is None:
                raise ExerciseError(f"{where}: {END!r} without {BEGIN!r}")
            if margin != indent:
                raise ExerciseError(f"{where}: {BEGIN!r} and {END!r} are indented differently")
            if not any(map(str.strip, parts[-1][1])):
                raise ExerciseError(f"{where}: nothing stands between {BEGIN!r} and {END!r}")
            indent = None
            parts.append((None, []))
        else:
            parts[-1][1].append(line)
    if indent is not None:
        raise ExerciseError(f"{where}: {BEGIN!r} without {END!r}")
    if len(parts) == 1:
        raise ExerciseError(f"{where}: an exercise without {BEGIN!r}")
    return [(margin, "\n".join(lines)) for margin, lines in parts if lines]


def unsolved(source: str, where: str) -> str:
    """An exercise cell with a stub in the place of each solution; raises as `split`."""
    return "\n".join(text if margin is None else margin + STUB for margin, text in split(source, where))


def exercises(notebook, name: str) -> list[Exercise]:
    """All exercises of a chapter, in order.

    Raises ExerciseError if a task has no heading of the form `### 2. Title (short)`, if an exercise is not
    followed by its check or a check not preceded by its exercise, and as `split`.
    """
    found, task, waiting = [], None, None
    for place, cell in enumerate(notebook.cells):
        where, kinds = f"{name}, cell {place}", set(tags(cell))
        if cell.cell_type == "markdown":
            task = next(reversed(list(TASK.finditer(cell.source))), task)
        elif "exercise" in kinds:
            if waiting is not None:
                raise ExerciseError(f"{name}, cell {waiting}: an exercise without a check after it")
            if task is None or found and found[-1].number == int(task[1]):
                raise ExerciseError(
                    f"{where}: an exercise without a task, as '### 2. Title (short)', before it"
                )
            split(cell.source, where)
            waiting = place
        elif "check" in kinds:
            if waiting is None:
                raise ExerciseError(f"{where}: a check without an exercise before it")
            found.append(Exercise(int(task[1]), task[2], task[3], waiting, place))
            waiting = None
        elif waiting is not None:
            raise ExerciseError(f"{name}, cell {waiting}: an exercise without a check right after it")
        if (
            cell.cell_type == "code"
            and "exercise" not in kinds
            and (BEGIN in cell.source or END in cell.source)
        ):
            raise ExerciseError(f"{where}: a solution in a cell without the tag 'exercise'")
    if waiting is not None:
        raise ExerciseError(f"{name}, cell {waiting}: an exercise without a check after it")
    return found


def student(notebook, name: str):
    """A chapter's copy without solutions, answers, outputs of exercises and checks; raises as `exercises`."""
    copy = nbformat.from_dict(notebook)
    for exercise in exercises(notebook, name):
        copy.cells[exercise.cell].source = unsolved(
            copy.cells[exercise.cell].source, f"{name}, cell {exercise.cell}"
        )
    return without_answers(copy)


def for_nbgrader(notebook, name: str):
    """A chapter's copy as nbgrader's source: it takes the solutions out itself, but would hand out answers.

    Exercises are marked as what students write, checks as tests that earn points. Raises as `exercises`.
    """
    copy = nbformat.from_dict(notebook)
    for exercise in exercises(notebook, name):
        solution, test = (copy.cells[place].metadata for place in (exercise.cell, exercise.check))
        solution["nbgrader"] = mark(f"exercise-{exercise.number}", solution=True)
        test["nbgrader"] = mark(
            f"check-{exercise.number}", grade=True, locked=True, points=POINTS[exercise.length]
        )
    return without_answers(copy)


def mark(grade_id: str, **given) -> dict:
    """A cell's metadata for nbgrader: version 3 of its schema, which wants every key said."""
    return (
        dict(schema_version=3, grade_id=grade_id, grade=False, locked=False, solution=False, task=False)
        | given
    )


def without_answers(copy):
    """The same notebook, changed: without answers, and with exercises unfolded, unrun as their checks are."""
    for cell in copy.cells:
        if cell.cell_type == "markdown":
            cell.source = ANSWER.sub("", cell.source).strip()
        elif {"exercise", "check"} & set(tags(cell)):
            cell.metadata["tags"] = [tag for tag in tags(cell) if not tag.startswith("hide-")]
            cell.outputs, cell.execution_count = [], None
    copy.cells = [cell for cell in copy.cells if cell.source or cell.cell_type == "code"]
    return copy


def exercised(root: Path = ROOT) -> list[Path]:
    """The notebooks that have exercises: every chapter, some pages and laboratories."""
    return [path for path in sorted((root / "notebooks").glob("*.ipynb")) if BEGIN in path.read_text("utf8")]


def build(root: Path = ROOT) -> tuple[Path, Path]:
    """Write copies of every notebook with exercises, for students and nbgrader; returns the two folders."""
    students, source = root / "_build" / "student", root / "_build" / "nbgrader" / "source"
    for path in exercised(root):
        notebook = nbformat.read(path, 4)
        for copy, target in (
            (student(notebook, path.name), students / path.name),
            (for_nbgrader(notebook, path.name), source / path.stem / path.name),
        ):
            target.parent.mkdir(parents=True, exist_ok=True)
            write(copy, target)
    return students, source


def main() -> int:
    try:
        students, source = build()
    except ExerciseError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"The chapters without solutions: {students}\nAs a source for nbgrader: {source}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
