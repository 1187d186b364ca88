"""The built pages in a browser, the network cut: they load, move, fit a phone, and everyone can use them."""

import gzip
import re
import sys
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml
from axe_playwright_python.sync_playwright import Axe

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import book_pages  # noqa: E402
import browser as chrome  # noqa: E402

HTML = ROOT / "_build" / "html"
TOC = yaml.safe_load((ROOT / "_toc.yml").read_text("utf8"))
PAGES = [TOC["root"], *(entry["file"] for part in TOC["parts"] for entry in part["chapters"])]
DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}
LONGEST = 20_000  # pixels of a page on a phone
MOST_BYTES = 2_000_000  # of a first load, everything included


class Pages(SimpleHTTPRequestHandler):
    """The book as a web host sends it: text is compressed."""

    def send_head(self):
        path = Path(self.translate_path(self.path))
        if path.suffix not in (".html", ".css", ".js", ".svg") or not path.is_file():
            return super().send_head()
        packed = PACKED.setdefault(path, gzip.compress(path.read_bytes(), 6))
        self.send_response(200)
        for name, value in {
            "Content-Type": self.guess_type(path),
            "Content-Encoding": "gzip",
            "Content-Length": str(len(packed)),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(packed)

    def log_message(self, *_):
        pass


PACKED: dict[Path, bytes] = {}


@pytest.fixture(scope="module")
def site():
    """Address at which the book is served."""
    if not (HTML / "index.html").exists():
        pytest.fail("the book is not built; run `make book` first, or `make test`, which does")
    server = ThreadingHTTPServer(("127.0.0.1", 0), lambda *given: Pages(*given, directory=str(HTML)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


class Visit:
    """One page, open, and what happened while it loaded."""

    def __init__(self, running, address):
        self.context = running.new_context(viewport=DESKTOP, reduced_motion="reduce")
        self.context.route("**/*", self.let_through)
        self.page = self.context.new_page()
        self.outside, self.complaints, self.requests = [], [], []
        self.page.on(
            "console", lambda said: said.type in ("error", "warning") and self.complaints.append(said.text)
        )
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on(
            "requestfailed", lambda request: self.complaints.append(f"{request.url}: {request.failure}")
        )
        self.page.on("requestfinished", lambda request: self.requests.append(request))
        self.page.goto(address, wait_until="load")
        self.page.evaluate("() => window.MathJax?.startup?.promise.then(() => null)")
        self.page.wait_for_load_state("networkidle")

    def let_through(self, route):
        if urlsplit(route.request.url).hostname in (None, "", "127.0.0.1", "localhost"):
            return route.continue_()
        self.outside.append(route.request.url)
        route.abort()

    def bytes(self) -> dict[str, int]:
        """What came over the line, largest first; pictures that stand in the page itself count with it."""
        sizes = {
            request.url: request.sizes()["responseBodySize"]
            for request in self.requests
            if request.url.startswith("http")
        }
        return dict(sorted(sizes.items(), key=lambda item: -item[1]))

    def unfold(self):
        """Open what is folded: hidden cells, answers."""
        self.page.evaluate("""() => {
            document.querySelectorAll("details").forEach(folded => folded.open = true);
            document.querySelectorAll(".toggle-hidden").forEach(
                folded => folded.classList.remove("toggle-hidden")); }""")


@pytest.fixture(scope="module", params=PAGES)
def visit(request, running, site):
    """Every page of the book, one after the other, each loaded once."""
    found = Visit(running, f"{site}/{request.param}.html")
    yield found
    found.context.close()


def test_a_page_loads_without_a_complaint_and_asks_nobody(visit):
    assert not visit.outside
    assert not visit.complaints
    assert all(request.response().ok for request in visit.requests)


def test_a_first_load_is_light(visit):
    sizes = visit.bytes()
    assert sizes and min(sizes.values()) > 0
    assert sum(sizes.values()) < MOST_BYTES, dict(list(sizes.items())[:6])


def test_a_phone_folds_long_code_and_a_page_ends(visit):
    visit.page.set_viewport_size(PHONE)
    visit.page.wait_for_timeout(300)
    high = visit.page.evaluate("() => document.documentElement.scrollHeight")
    seen = visit.page.evaluate("""() => [...document.querySelectorAll("article .cell_input")]
        .filter(code => code.checkVisibility()).map(code => code.textContent.trim().split("\\n").length)""")
    visit.page.set_viewport_size(DESKTOP)
    visit.page.wait_for_timeout(300)
    assert high <= LONGEST and max(seen, default=0) <= 6, (high, seen)
    folded = visit.page.locator("article details.phone")
    assert folded.count() == visit.page.locator("article details.phone[open]").count(), "folded on a desktop"


def test_on_a_phone_a_link_into_a_folded_part_opens_it(running, site):
    context = running.new_context(viewport=PHONE)
    page = context.new_page()
    page.goto(f"{site}/book/api.html#fftools.fit.fit")
    page.wait_for_load_state("load")
    assert page.locator("details.phone[open]").count() == 1
    assert page.locator("[id='fftools.fit.fit']").is_visible()
    context.close()


def test_formulas_are_set(visit):
    formulas = visit.page.locator("article .math")
    assert visit.page.locator("article .math:not(:has(mjx-container))").count() == 0
    assert visit.page.locator("mjx-merror").count() == 0
    text = visit.page.evaluate("""() => { const copy = document.querySelector("article").cloneNode(true);
        copy.querySelectorAll("pre, code, script, style, mjx-container").forEach(part => part.remove());
        return copy.textContent; }""")
    assert not re.findall(r"\$[^$\n]{1,80}\$|\\[(\[]|\\(?:frac|ell|theta|mathcal)\b", text)
    if "notebooks/" in visit.page.url or "notation" in visit.page.url:
        assert formulas.count() > 0


def test_every_slider_changes_its_picture(visit):
    visit.unfold()
    for figure in visit.page.locator("article div[id^=sliders-]").all():
        picture, seen = figure.locator("img"), figure.locator("img").screenshot()
        for slider in figure.locator("input[type=range]").all():
            slider.focus()
            key = "ArrowRight" if slider.input_value() < slider.get_attribute("max") else "ArrowLeft"
            said = slider.get_attribute("aria-valuetext")
            visit.page.keyboard.press(key)
            assert slider.get_attribute("aria-valuetext") != said
            assert (now := picture.screenshot()) != seen, (
                f"{slider.get_attribute('aria-label')}: the same picture"
            )
            seen = now


def test_every_animation_moves(visit):
    visit.unfold()
    for player in visit.page.locator("article .animation").all():
        picture, frames = player.locator("img"), player.locator("input[type=range]")
        seen = [picture.screenshot()]
        player.locator("button[title='First frame']").click()
        for press in ("button", "key"):
            if press == "key":
                frames.focus()
                visit.page.keyboard.press("ArrowRight")
            else:
                player.locator("button[title='Last frame']").click()
                player.locator("button[title='Previous frame']").click()
            seen.append(picture.screenshot())
        assert seen[1] != seen[2], "the key moves nothing"
        assert len(set(seen)) >= 2, "the player stands still"


def test_pictures_have_words(visit):
    for picture in visit.page.locator("article img").all():
        assert (picture.get_attribute("alt") or "").strip(), picture.evaluate(
            "image => image.outerHTML.slice(0, 200)"
        )


def test_a_phone_needs_no_sideways_scroll(visit):
    visit.unfold()
    visit.page.set_viewport_size(PHONE)
    wide = visit.page.evaluate("() => document.documentElement.scrollWidth")
    visit.page.set_viewport_size(DESKTOP)
    assert wide <= 390


def test_what_a_phone_cuts_off_says_so(visit):
    visit.unfold()
    visit.page.set_viewport_size(PHONE)
    visit.page.wait_for_timeout(300)
    cut = visit.page.evaluate("""() => [...document.querySelectorAll(
        "article :is(.cell_output, .cell_output :is(pre, table, .output), table, div.math > mjx-container)")]
        .filter(box => box.checkVisibility() && box.scrollWidth > box.clientWidth + 1
            && !box.closest(".wide"))
        .map(box => box.textContent.trim().slice(0, 80))""")
    titles = visit.page.evaluate("""() => [...document.querySelectorAll(".prev-next-area a")]
        .filter(link => link.scrollWidth > link.clientWidth).map(link => link.textContent)""")
    visit.page.set_viewport_size(DESKTOP)
    visit.page.wait_for_timeout(300)
    assert not cut and not titles, (cut, titles)


def test_a_phone_shows_drawings_with_text_of_12_pixels(visit):
    visit.page.set_viewport_size(PHONE)
    wide = visit.page.evaluate("""() => [...document.querySelectorAll("article svg.drawing")]
        .map(drawing => drawing.getBoundingClientRect().width)""")
    visit.page.set_viewport_size(DESKTOP)
    assert wide or not visit.page.url.endswith(("cheat_sheet.html", "context.html"))
    assert all(width * 13 / 340 >= 12 for width in wide), wide


LOOKS = """() => {  // marks one element of each look: what says something itself, and what it says it on
    const ground = part => { for (; part; part = part.parentElement) {
        const {backgroundColor, backgroundImage} = getComputedStyle(part);
        if (backgroundColor !== "rgba(0, 0, 0, 0)" || backgroundImage !== "none")
            return backgroundColor + backgroundImage; } };
    const opacity = part => part ? getComputedStyle(part).opacity * opacity(part.parentElement) : 1;
    document.querySelectorAll("[data-look]").forEach(part => part.removeAttribute("data-look"));
    const seen = new Set();
    for (const part of document.body.querySelectorAll("*")) {
        if (![...part.childNodes].some(node => node.nodeType === 3 && node.textContent.trim())
            || part.closest("mjx-container, script, style") || !part.checkVisibility()) continue;
        const {color, fontSize, fontWeight} = getComputedStyle(part);
        const look = [color, opacity(part), fontSize, fontWeight, ground(part)].join();
        if (!seen.has(look)) part.dataset.look = seen.add(look).size; }
    return seen.size; }"""


def barriers(page, asked: dict, context: str | None = None) -> list[str]:
    """What axe-core finds serious."""
    found = Axe().run(page, context=context, options={"resultTypes": ["violations"]} | asked)
    return [
        f"{rule['id']}: {node['html'][:300]} {node['failureSummary']}"
        for rule in found.response["violations"]
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"]
    ]


def faint(page) -> list[str]:
    """Text of too little contrast. One element of each look is asked, since a whole page takes minutes."""
    assert page.evaluate(LOOKS) > 5
    return barriers(page, {"runOnly": ["color-contrast"]}, "[data-look]")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_text_is_too_faint(visit, theme):
    visit.unfold()
    visit.page.evaluate("theme => document.documentElement.dataset.theme = theme", theme)
    visit.page.wait_for_timeout(500)  # colours fade from one theme to the other
    assert not (bad := faint(visit.page)), f"{len(bad)} places\n\n" + "\n\n".join(bad[:8])


def test_no_serious_barrier(visit):
    """axe-core's other rules; what formulas are made of is left out: with it they take minutes."""
    visit.unfold()
    visit.page.evaluate("""() => {
        document.documentElement.dataset.theme = "light";
        document.querySelectorAll("mjx-container").forEach(formula => formula.remove()); }""")
    visit.page.wait_for_timeout(500)  # a third of a second after a change the theme looks which boxes scroll
    bad = barriers(visit.page, {"rules": {"color-contrast": {"enabled": False}}})
    assert not bad, f"{len(bad)} barriers\n\n" + "\n\n".join(bad[:8])


def test_faint_text_and_other_barriers_are_found(running, site):
    """The two tests above see one word of thousands."""
    found = Visit(running, f"{site}/book/intro.html")
    assert not faint(found.page)
    found.page.evaluate("""() => {
        const words = document.querySelectorAll("article p"), word = words[words.length - 1];
        word.innerHTML += "<span style='color: #bbb'>faint</span><img src='none.png'>"; }""")
    assert ["faint" in bad for bad in faint(found.page)] == [True]
    bad = barriers(found.page, {"rules": {"color-contrast": {"enabled": False}}})
    assert len(bad) == 1 and bad[0].startswith("image-alt")
    found.context.close()


@pytest.fixture(params=["book/intro", "notebooks/03_negatives", "notebooks/08_mono_forward"])
def fresh(request, running, site):
    """Front page, a chapter with a player, one with sliders, opened anew: nothing unfolded or in focus."""
    found = Visit(running, f"{site}/{request.param}.html")
    yield found.page
    found.context.close()


def test_on_paper_there_is_nothing_to_press_and_no_folded_code(fresh):
    fresh.emulate_media(media="print")
    seen = fresh.evaluate("""() => [...document.querySelectorAll(
            "article :is(button, input, select, canvas, details.hide)")]
        .filter(part => part.checkVisibility() && !part.closest(".quiz"))
        .map(part => part.outerHTML.slice(0, 120))""")
    assert not seen, seen


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_link_under_the_mouse_can_be_read(fresh, theme):
    fresh.evaluate("theme => document.documentElement.dataset.theme = theme", theme)
    link = fresh.locator("article p a.reference:visible").first
    before = link.evaluate("link => getComputedStyle(link).color")
    link.hover()
    assert link.evaluate("link => getComputedStyle(link).color") != before, "the mouse changes nothing"
    link.evaluate("link => link.id = 'hovered'")
    found = Axe().run(fresh, context="#hovered", options={"runOnly": ["color-contrast"]}).response
    assert found["passes"] and not found["violations"], found["violations"]


STOP = """() => {  // called after each Tab; what it remembers of a stop is compared when that has been left
    document.getAnimations().filter(moving => moving instanceof CSSTransition)
        .forEach(moving => moving.finish());
    const ring = part => { const style = getComputedStyle(part);
        return part.matches("rect") ? style.stroke
            : (style.outlineStyle === "none" ? "" : style.outline) + style.boxShadow; };
    const look = stop => [stop, ...stop.querySelectorAll("rect")].map(ring).join();  // rect: a box of the map
    const stops = window.stops ??= new Map(), left = [...stops.keys()].at(-1), now = document.activeElement;
    if (left) stops.get(left).ringed = look(left) !== stops.get(left).look;
    if (now === document.body || stops.has(now)) return false;
    const {top, bottom, width} = now.getBoundingClientRect();
    stops.set(now, {look: look(now), name: now.outerHTML.slice(0, 120),
                    formula: now.matches("mjx-container")
                        && now.scrollWidth <= now.clientWidth,  // nothing to scroll
                    seen: width > 0 && bottom > 0 && top < innerHeight && getComputedStyle(now).opacity > 0});
    return true; }"""


def test_tab_stops_at_all_that_can_be_used_and_shows_where(fresh):
    for _ in range(500):
        fresh.keyboard.press("Tab")
        if not fresh.evaluate(STOP):
            break
    else:
        pytest.fail("500 stops, and no end of the page")
    stops = fresh.evaluate("() => [...stops.values()]")
    missed = fresh.evaluate("""() => [...document.querySelectorAll(
            "a[href], button, summary, input:not([type=radio])")]
        .filter(one => one.checkVisibility({visibilityProperty: true}) && !stops.has(one))
        .map(one => one.outerHTML.slice(0, 120))""")
    assert len(stops) > 30 and not missed, missed
    assert not [stop["name"] for stop in stops if not (stop["ringed"] and stop["seen"])]
    assert not any(stop["formula"] for stop in stops)


def test_enter_and_space_open_what_is_folded(fresh):
    for folded in fresh.locator("article details").all()[:3]:
        folded.locator("> summary").focus()
        for key, is_open in (("Enter", True), ("Space", False), ("Space", True)):
            fresh.keyboard.press(key)
            assert folded.evaluate("folded => folded.open") is is_open, key


def test_a_quiz_is_silent_until_it_is_asked(running, site):
    """tests/test_quiz.py has the rest; this is the page that Sphinx makes of a quiz, from a folder."""
    found = Visit(running, f"{HTML.as_uri()}/notebooks/01_why_not_backprop.html")
    quiz = found.page.locator(".quiz")
    options, verdicts = quiz.get_by_role("button"), quiz.get_by_role("status")
    assert options.count() == 9 and not "".join(verdicts.all_inner_texts())
    assert not quiz.get_by_text("Right answers").is_visible()
    options.nth(0).click()
    assert verdicts.nth(0).inner_text() == "No. Try another one."
    options.nth(1).click()
    assert verdicts.nth(0).inner_text().startswith("Right. ") and not verdicts.nth(1).inner_text()
    assert not found.complaints
    found.context.close()


@pytest.mark.parametrize("old, new", book_pages.MOVED.items())
def test_an_address_of_an_earlier_edition_leads_on(running, site, old, new):
    context = running.new_context()
    page = context.new_page()
    page.goto(f"{site}/{old}.html")
    page.wait_for_url(f"{site}/{new}.html")
    context.close()


@pytest.mark.parametrize("served", [True, False], ids=["served", "from a folder"])
def test_search_finds_a_word(running, site, served):
    found = Visit(running, f"{site if served else HTML.as_uri()}/search.html?q=goodness")
    first = found.page.locator("#search-results li a").first
    first.wait_for(timeout=20_000)
    assert found.page.locator("#search-results li").count() >= 3
    assert not found.outside and not found.complaints
    found.context.close()


def test_without_a_browser_one_is_told_how_to_get_it(monkeypatch):
    monkeypatch.delenv("FFTOOLS_BROWSER", raising=False)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(chrome, "NAMES", ("chromium",))
    with pytest.raises(chrome.NoBrowser, match="apt-get install chromium"):
        chrome.find()
    monkeypatch.setenv("FFTOOLS_BROWSER", "/nowhere/chrome")
    with pytest.raises(chrome.NoBrowser, match="FFTOOLS_BROWSER=/nowhere/chrome cannot be started"):
        chrome.find()
