"""Sphinx extension: pages of the two packages, made from their docstrings by autodoc.

    {api} fftools.rules     the public classes and functions of a module, or of all modules of a package

Docstrings here are plain text for `help`; this makes reStructuredText of them: `code` in single backticks,
and lists of
aligned names and explanations.
"""

import importlib
import inspect
import pkgutil
import re

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

LISTED = re.compile(r"(\w[\w, *.]*?) {2,}(\S.*)")  # `lr    constant over the first half`
MARK = re.compile(r"([*_|\\])")


class Api(SphinxDirective):
    """See above."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        lines = []
        for name in modules(self.arguments[0]):
            about = (importlib.import_module(name).__doc__ or "").strip().splitlines()[:1]
            lines += [f".. rubric:: {name}", "", *rest(about), ""]
            for kind, public in members(name):
                lines += [f".. auto{kind}:: {name}.{public}", "   :members:" * (kind == "class"), ""]
        lines = ["```{eval-rst}", *lines, "```"]  # the page itself is Markdown
        content, parent = StringList(lines, source=self.env.docname), nodes.container(classes=["api"])
        self.state.nested_parse(content, self.content_offset, parent)
        return [parent]


def modules(name: str) -> list[str]:
    """A module, or all modules of a package that have something public, in the order of their names."""
    module = importlib.import_module(name)
    below = [found.name for found in pkgutil.iter_modules(getattr(module, "__path__", []), f"{name}.")]
    return [each for each in [name, *below] if members(each)]


def members(name: str) -> list[tuple[str, str]]:
    """The public classes and functions with a docstring that a module defines, as they come in it."""
    module = importlib.import_module(name)
    own = {
        key: value
        for key, value in vars(module).items()
        if getattr(value, "__module__", None) == name
        and not key.startswith("_")
        and inspect.getdoc(value)
        and getattr(value, "__name__", "") == key
    }
    kinds = {
        key: "class" if inspect.isclass(value) else "function"
        for key, value in own.items()
        if callable(value)
    }
    return [(kind, key) for key, kind in kinds.items()]


def rest(lines: list[str]) -> list[str]:
    """Plain docstring lines as reStructuredText."""
    made, listed, code = [], False, False
    for line, below in zip(lines, [*lines[1:], ""]):
        text = line.strip()
        item = LISTED.fullmatch(text)
        if line.startswith("    ") and not listed:  # set in as it is: an example, a formula
            made += [] if code else ["", "::", ""]
            made.append(line)
            code = True
            continue
        code = False
        if item and (listed or not text.endswith((".", ",")) or below.startswith("     ")):
            made += [""] * (not listed) + [f"- ``{item[1]}``: {marked(item[2])}"]
            listed = True
        elif listed and line.startswith(" ") and text:
            made.append(f"  {marked(text)}")
        else:
            made += [""] * listed + [marked(text)]
            listed = False
    return made


def marked(text: str) -> str:
    """Code in double backticks; of what is outside code, no sign has a meaning."""
    parts = re.split(r"(`[^`]+`)", text)
    return "".join(
        f"``{part[1:-1]}``"
        if part[:1] == "`" and part[-1:] == "`" and len(part) > 2
        else MARK.sub(r"\\\1", part).replace("`", "\\`")
        for part in parts
    )


def setup(app):
    app.setup_extension("sphinx.ext.autodoc")
    app.add_directive("api", Api)
    app.connect("autodoc-process-docstring", _in_rest)
    app.connect("autodoc-skip-member", _skip)
    app.config.autodoc_member_order = "bysource"
    app.config.autodoc_preserve_defaults = True
    app.config.autodoc_inherit_docstrings = False  # PyTorch's, of `forward`
    return {"parallel_read_safe": True}


def _in_rest(app, what, name, thing, options, lines) -> None:
    lines[:] = rest(lines)


def _skip(app, what, name, thing, skip, options) -> bool | None:
    """The fields of named tuples say nothing of themselves."""
    return True if (getattr(thing, "__doc__", None) or "").startswith("Alias for field number") else None
