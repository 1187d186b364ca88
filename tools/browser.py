"""The browser of this machine: the tests of the pages look through it, and `make pdf` prints with it.

python tools/browser.py pdf      _build/singlehtml → _build/pdf/book.pdf
python tools/browser.py find     which browser it is
"""

import os
import shutil
import sys
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent
NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "msedge",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--allow-file-access-from-files",
]
READ = "article details.sd-dropdown, article details.phone"  # what is folded on screen, and read on paper
HOW = (
    "The pages are looked at through Chromium, and there is none here. Get one "
    "(Debian, Ubuntu: apt-get install chromium; macOS: brew install --cask chromium), "
    "or name a Chrome or Chromium: FFTOOLS_BROWSER=/path/to/chrome make test"
)


class NoBrowser(RuntimeError):
    """There is no browser on this machine; the message says how to get one."""


def find() -> str:
    """Path of Chromium or Chrome: FFTOOLS_BROWSER, or the first of the usual names. Raises NoBrowser."""
    named = os.environ.get("FFTOOLS_BROWSER")
    found = shutil.which(named) if named else next(filter(None, map(shutil.which, NAMES)), None)
    if not found:
        raise NoBrowser(f"FFTOOLS_BROWSER={named} cannot be started. {HOW}" if named else HOW)
    return found


@contextmanager
def browser():
    """A headless browser, without a window, a profile or a GPU; closed at the end."""
    path = find()
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield running
        running.close()


def pdf(built: Path, target: Path) -> None:
    """Print Sphinx's single page, with its formulas set and its answers open; folded code stays folded."""
    page_file = built / "book.html"
    shutil.copy(built / "book" / "intro.html", page_file)  # Sphinx names everything relative to `built`
    target.parent.mkdir(parents=True, exist_ok=True)
    with browser() as running:
        page = running.new_page()
        page.set_default_timeout(300_000)
        page.route("**/live/*.js", lambda script: script.abort())  # what moves is not printed
        page.goto(page_file.as_uri(), wait_until="load")
        page.evaluate("() => MathJax.startup.promise.then(() => null)")
        page.evaluate(f"() => document.querySelectorAll('{READ}').forEach(folded => folded.open = true)")
        page.pdf(
            path=target,
            format="A4",
            scale=0.8,
            print_background=True,
            outline=True,
            tagged=True,
            margin={side: "15mm" for side in ("top", "bottom", "left", "right")},
        )
    print(f"The book on paper: {target} ({target.stat().st_size / 2**20:.1f} MB)")


if __name__ == "__main__":
    if sys.argv[1:] == ["pdf"]:
        pdf(ROOT / "_build/singlehtml", ROOT / "_build/pdf/book.pdf")
    elif sys.argv[1:] == ["find"]:
        print(find())
    else:
        sys.exit(__doc__)
