"""How pages that compute get their code and their networks: one script of many modules, checked weights."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import live  # noqa: E402


@pytest.fixture
def open_folder(running, tmp_path):
    """A function that bundles an entry module beside the loader, and opens it in a page from a folder."""
    contexts = []

    def look(entry: str, body: str = "", **files: str):
        for name, text in {
            "loader": (live.SOURCES / "loader.js").read_text(),
            "entry": entry,
            **files,
        }.items():
            (tmp_path / f"{name}.js").parent.mkdir(exist_ok=True)
            (tmp_path / f"{name}.js").write_text(text)
        bundled = live.bundle("entry", tmp_path)
        (tmp_path / "entry.js").write_text(bundled)
        (tmp_path / "page.html").write_text(
            f"""<!doctype html><meta charset="utf-8"><meta http-equiv="Content-Security-Policy"
            content="default-src file:; worker-src blob:">
            <script src="entry.js" defer></script><body>{body}"""
        )
        contexts.append(context := running.new_context())
        page = context.new_page()
        page.complaints = []
        page.on("console", lambda said: page.complaints.append(said.text))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.goto((tmp_path / "page.html").as_uri())
        return page

    yield look
    for context in contexts:
        context.close()


def test_modules_become_one_script_that_runs_from_a_folder(open_folder):
    page = open_folder(
        """import { twice as double } from "./a.js";
import {
  name,
} from "./b.js";
globalThis.found = [double(2), name, typeof twice];
""",
        a='import { name } from "./b.js";\nconst one = 1;\n'
        "export function twice(x) { return name.length && 2 * x * one; }\n",
        b='const one = "not the other one";\nexport const name = one;\n',
    )
    assert page.evaluate("found") == [4, "not the other one", "undefined"]
    assert not page.complaints


def test_modules_are_short_and_run_nothing_from_text():
    for path in live.SOURCES.glob("*.js"):
        text = path.read_text("utf8")
        assert text.count("\n") < 300, path.name
        assert not re.search(r"\beval\(|new Function|innerHTML|https?://(?!www\.w3\.org)", text), path.name


@pytest.mark.parametrize(
    "source, said",
    [
        ('import * as all from "./loader.js";\n', "import \\* as all"),
        ("export default 1;\n", "export default 1"),
        ('import { a } from "./entry.js";\n', "circle: entry → entry"),
    ],
)
def test_what_the_bundler_cannot_read_is_named(tmp_path, source, said):
    (tmp_path / "entry.js").write_text(source)
    with pytest.raises(ValueError, match=said):
        live.bundle("entry", tmp_path)


def test_a_worker_is_made_from_the_script_itself(open_folder):
    page = open_folder("""import { inWorker, startWorker } from "./loader.js";
if (inWorker) globalThis.onmessage = ({ data }) => postMessage(data.map((x) => x * x));
else globalThis.ask = (numbers) => new Promise((resolve) => {
  const worker = startWorker();
  worker.onmessage = ({ data }) => resolve(data);
  worker.postMessage(numbers);
});
""")
    assert page.evaluate("ask([1, 2, 3])") == [1, 4, 9]
    assert not page.complaints


LOADS = """import { loadNetwork, mountAll, unpack } from "./loader.js";
mountAll("small", async (element, options) => {
  const { about, tensors } = unpack("ff", await loadNetwork(options.network));
  const { w, b } = tensors;
  element.textContent = JSON.stringify([about.rule, w.shape, Array.from(w.data), Array.from(b.data)]);
});
"""
TENSORS = {"w": np.array([[1.5, -2.0, 65504.0], [6e-8, 0.333, -0.0]]), "b": np.array([1e-5])}
PLACE = '<div data-live="small" data-network="ff">A network is drawn here.</div>'


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_weights_arrive_as_they_were(open_folder, dtype):
    page = open_folder(LOADS, PLACE, **{"networks/ff": live.pack("ff", TENSORS, {"rule": "FF"}, dtype)})
    page.wait_for_function("document.querySelector('[data-live]').textContent.startsWith('[')")
    rule, shape, *values = page.evaluate("JSON.parse(document.querySelector('[data-live]').textContent)")
    assert (rule, shape) == ("FF", [2, 3])
    for found, sent in zip(values, TENSORS.values(), strict=True):
        assert np.array_equal(np.array(found, np.float32), sent.astype(dtype).astype(np.float32).ravel())


@pytest.mark.parametrize(
    "old, new, said",
    [
        (r'"crc32": \d+', '"crc32": 1', "the sum does not agree"),
        (r'"base64": "....', '"base64": "', r"bytes, 14 expected"),
        (r'"base64": "', '"base64": "*', "not base64"),
        (r'"shape": \[1\]', '"shape": [2]', "the shapes need 8"),
        (r'"float16"', '"float8"', "dtype float8"),
        (r" = .+", " = {};", "nothing in it"),
        (r".+", "", r"networks/ff\.js is damaged"),
        (r".{20}$", "", r"networks/ff\.js is damaged"),
        (None, None, r"networks/ff\.js did not arrive"),
    ],
)
def test_a_damaged_file_gives_a_sentence(open_folder, old, new, said):
    files = {} if old is None else {"networks/ff": re.sub(old, new, live.pack("ff", TENSORS), count=1)}
    page = open_folder(LOADS, PLACE, **files)
    page.locator(".live-failed").wait_for(timeout=5000)
    text = page.locator("[data-live]").inner_text()
    assert text.startswith("This part of the page cannot run: ") and re.search(said, text), text
