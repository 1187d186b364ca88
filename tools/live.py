"""Sphinx extension: pages that compute. Their ES modules in book/_assets/live become one script a page.

    ```{live} playground
    :scene: ring
    A sentence for readers without JavaScript.
    ```

becomes `<div class="live" data-live="playground" data-scene="ring">` with that sentence inside, and the page
gets `_static/live/playground.js`: the module of that name and all that it imports, in a classic script. A
browser loads no modules from a folder (file://). Styles of the same name, and live.css, come along.
"""

import base64
import json
import re
import zlib
from html import escape
from pathlib import Path

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

SOURCES = Path(__file__).resolve().parent.parent / "book" / "_assets" / "live"
IMPORT = re.compile(r'^import\s*\{([^}]*)\}\s*from\s*"\./(\w+)\.js";$', re.MULTILINE)
EXPORT = re.compile(r"^export ((?:async )?function\*?|const|let|class) (\w+)", re.MULTILINE)
DTYPES = {"float16": "<f2", "float32": "<f4"}


def bundle(name: str, folder: Path = SOURCES) -> str:
    """One classic script of a module and what it imports; BUNDLE in it is its own text, for workers.

    Each module becomes a function that returns what it exports, so equal names in two modules do not meet.
    Raises ValueError where modules import each other in a circle, and for an import or export that is not
    written `import {a, b} from "./c.js";` or `export function a`.
    """
    modules: dict[str, str] = {}

    def add(name: str, above: tuple[str, ...]) -> None:
        if name in above:
            raise ValueError(f"modules import each other in a circle: {' → '.join([*above, name])}")
        if name in modules:
            return
        source = (folder / f"{name}.js").read_text("utf8")
        for _, needed in IMPORT.findall(source):
            add(needed, (*above, name))
        body = IMPORT.sub(
            lambda found: f"const {{{found[1].replace(' as ', ': ')}}} = {found[2]}_module;", source
        )
        exported = ", ".join(name for _, name in EXPORT.findall(body))
        body = EXPORT.sub(r"\1 \2", body)
        if left := re.search(r"^(import|export)\b.*", body, re.MULTILINE):
            raise ValueError(f"{name}.js: {left[0]!r} is in a form that tools/live.py does not read")
        modules[name] = (
            f"// ---- {name}.js\nconst {name}_module = (() => {{\n{body}\nreturn {{{exported}}};\n}})();\n"
        )

    add(name, ())
    head = '(function bundle() {\n"use strict";\nconst BUNDLE = `(${bundle})()`;\n\n'
    return head + "\n".join(modules.values()) + "})();\n"


def pack(name: str, tensors: dict, about: dict | None = None, dtype: str = "float16") -> str:
    """NumPy arrays as a script that hands them to the page; `loadNetwork(name)` of loader.js checks them."""
    raw = b"".join(array.astype(DTYPES[dtype]).tobytes() for array in tensors.values())
    packed = {
        "about": about or {},
        "tensors": [{"name": key, "shape": array.shape} for key, array in tensors.items()],
        "dtype": dtype,
        "bytes": len(raw),
        "crc32": zlib.crc32(raw),
        "base64": base64.b64encode(raw).decode(),
    }
    return f"(globalThis.liveNetworks ??= {{}})[{json.dumps(name)}] = {json.dumps(packed)};\n"


class AnyOption(dict):
    """Every option is taken, as text: it goes to the page as a data attribute."""

    __bool__ = lambda self: True
    __getitem__ = lambda self, key: lambda value: value or ""


class Live(SphinxDirective):
    required_arguments, has_content, option_spec = 1, True, AnyOption()

    def run(self):
        name = self.arguments[0]
        if not (SOURCES / f"{name}.js").exists() or not self.content:
            raise self.error(
                f"{{live}} {name} needs {name}.js in book/_assets/live, and a sentence in its body"
            )
        data = "".join(
            f' data-{key}="{escape(value)}"' for key, value in {"live": name, **self.options}.items()
        )
        holder = nodes.Element()
        self.state.nested_parse(self.content, self.content_offset, holder)
        return [
            nodes.raw("", f'<div class="live"{data}>', format="html", live=name),
            *holder.children,
            nodes.raw("", "</div>", format="html"),
        ]


def write(app) -> None:
    """The scripts of all modules that a page may name: those that end by mounting themselves."""
    target = Path(app.outdir) / "_static" / "live"
    target.mkdir(parents=True, exist_ok=True)
    for path in SOURCES.glob("*.js"):
        if "\nmountAll(" in path.read_text("utf8"):
            (target / path.name).write_text(bundle(path.stem), "utf8")


def add_scripts(app, pagename, templatename, context, doctree) -> None:
    used = {node["live"] for node in doctree.findall(nodes.raw) if node.get("live")} if doctree else ()
    for name in sorted(used):
        app.add_js_file(f"live/{name}.js", loading_method="defer")
    for name in ["live", *sorted(used)] if used else ():
        if (SOURCES / f"{name}.css").exists():
            app.add_css_file(f"live/{name}.css")


def setup(app):
    app.add_directive("live", Live)
    app.connect("builder-inited", write)
    app.connect("html-page-context", add_scripts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
