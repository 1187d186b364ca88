"""The playground in a browser: it learns, on every screen, from a folder, without a network, by keyboard."""

import re
import sys
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import live  # noqa: E402

HTML = ROOT / "_build" / "html"
PLAYGROUND = "document.querySelector('[data-live=playground]').playground"
SCREENS = {"desktop": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}
POLICY = "default-src 'self'; worker-src blob:; style-src 'self' 'unsafe-inline'"
WORD = "This sentence is for readers without JavaScript."


@pytest.fixture
def show(running):
    """A function that opens an address. At the end nothing may have been said in the console."""
    contexts, complaints = [], []

    def open_page(address: str, screen: str = "desktop", routes=None, **options):
        contexts.append(context := running.new_context(viewport=SCREENS[screen], **options))
        if routes:
            context.route("**/*", routes)
        else:
            context.set_offline(True)
        page = context.new_page()
        page.on("console", lambda said: said.type in ("error", "warning") and complaints.append(said.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("requestfailed", lambda request: complaints.append(f"{request.url}: {request.failure}"))
        page.goto(address)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not complaints


@pytest.fixture
def book(show):
    """The playground's page from its folder; `hash` is the end of its address."""
    if not (page := HTML / "book" / "playground.html").exists():
        pytest.fail("the book is not built; run `make book` first, or `make test`, which does")
    return lambda hash="", screen="desktop", **options: show(page.as_uri() + hash, screen, **options)


def small_site(route):
    """Two small playgrounds on a page whose host allows nothing inline and nothing from outside."""
    name = route.request.url.rsplit("/", 1)[-1]
    body = {
        "playground.js": lambda: live.bundle("playground"),
        "live.css": (live.SOURCES / "live.css").read_text,
        "playground.css": (live.SOURCES / "playground.css").read_text,
    }.get(
        name,
        lambda: (
            f"""<!doctype html>
        <html lang="en" data-theme="light"><meta charset="utf-8"><title>Small</title>
        <link rel="stylesheet" href="/_static/live/live.css">
        <link rel="stylesheet" href="/_static/live/playground.css">
        <script src="/_static/live/playground.js" defer></script>
        <main><h1>Small</h1>
        <div class="live" data-live="playground" data-scene="ring" data-size="small"
             data-rules="ff">{WORD}</div>
        <div class="live" data-live="playground" data-scene="cut" data-size="small" data-rules="mf,bp"
             data-autoplay="">{WORD}</div>
        <div class="live" data-live="playground" data-scene="copy" data-size="small">{WORD}</div>
        </main>"""
        ),
    )()
    kind = {"js": "text/javascript", "css": "text/css"}.get(name.split(".")[-1], "text/html")
    route.fulfill(body=body, headers={"Content-Type": kind, "Content-Security-Policy": POLICY})


def steps(page, number=0):
    return page.evaluate(
        f"() => [...document.querySelectorAll('[data-live=playground]')][{number}].playground.steps"
    )


def button(page, name):
    return page.get_by_role("button", name=name, exact=True)


def serious(page) -> list[str]:
    found = (
        Axe()
        .run(page, context=".live", options={"resultTypes": ["violations"], "preload": False})
        .response["violations"]
    )
    return [
        f"{rule['id']}: {node['html'][:200]} {node['failureSummary']}"
        for rule in found
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"]
    ]


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_learns_on_every_screen(book, screen, theme):
    page = book("", screen, color_scheme=theme)
    answer = page.locator(".rule-ff .answer .square")
    before, colours = (
        answer.screenshot(),
        page.evaluate("() => getComputedStyle(document.querySelector('.live')).color"),
    )
    button(page, "Play").click()
    page.wait_for_function(f"() => {PLAYGROUND}.steps > 30", timeout=60_000)
    button(page, "Pause").click()
    assert answer.screenshot() != before
    assert re.fullmatch(
        r"Step \d+\. Points right: Forward-Forward \d+ %, Mono-Forward \d+ %, Backpropagation \d+ %\.",
        page.get_by_role("status").inner_text(),
    )
    assert page.evaluate("() => document.documentElement.scrollWidth") <= SCREENS[screen]["width"]
    assert page.evaluate("() => document.documentElement.dataset.theme") == theme and colours
    assert not serious(page)
    stopped = steps(page)
    button(page, "Step").click()
    assert steps(page) == stopped + 1
    button(page, "Reset").click()
    assert steps(page) == 0 and answer.screenshot() == before


def test_a_phone_shows_one_rules_layers_at_a_time(book):
    page = book("", "phone")
    shown = lambda: [page.locator(f".rule-{rule} .layers").is_visible() for rule in ("ff", "mf", "bp")]
    assert shown() == [True, False, False] and page.locator(".answer:visible").count() == 3
    button(page, "Mono-Forward").click()
    assert shown() == [False, True, False]
    page.set_viewport_size(SCREENS["desktop"])
    assert shown() == [True, True, True]


def test_the_keyboard_is_enough(book):
    page = book()
    button(page, "Play").focus()
    page.keyboard.press("Space")
    page.wait_for_function(f"() => {PLAYGROUND}.steps > 3", timeout=60_000)
    page.keyboard.press("Enter")
    assert not page.evaluate(f"() => {PLAYGROUND}.playing")
    reached = []
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate("() => document.activeElement.name || document.activeElement.textContent")
        )
    wanted = [
        "Step",
        "Reset",
        "speed",
        "Copy link",
        "data",
        "noise",
        "seed",
        "layers",
        "units",
        "rate",
        "through",
        "theta",
        "goodness",
        "negatives",
        "norm",
        "accident",
        "at",
        "Damage the layer",
    ]
    assert [name for name in reached if name in wanted] == wanted
    for name, keys, then in [
        ("layers", ["ArrowRight"], 3),
        ("theta", ["ArrowRight"], 1.1),
        ("goodness", ["ArrowDown"], "mean"),
        ("norm", ["ArrowDown"], False),
        ("accident", ["ArrowDown"], "cut"),
    ]:
        page.locator(f"[name={name}]").focus()
        for key in keys:
            page.keyboard.press(key)
        assert page.evaluate(f"() => {PLAYGROUND}.state.{name}") == then
    assert page.locator(".rule-ff .layer").count() == 3
    assert set(page.url.split("#")[1].split("&")) == {
        "layers=3",
        "theta=1.1",
        "goodness=mean",
        "norm=false",
        "accident=cut",
    }


def test_scenes_say_what_to_look_for_and_are_in_the_address(book):
    page, seen = book(), set()
    for chip in page.get_by_role("group", name="Prepared scenes").get_by_role("button").all():
        chip.click()
        assert (
            chip.get_attribute("aria-pressed") == "true"
            and page.locator(".chips [data-scene][aria-pressed=true]").count() == 1
        )
        seen.add((page.locator(".look").inner_text(), page.url))
    assert len(seen) == 6
    page.locator("[name=goodness]").select_option("mean")
    assert page.locator("[data-scene][aria-pressed=true]").count() == 0


def test_an_address_shows_the_same_state_again(book):
    hash = "#data=moons&units=6&layers=3&negatives=off&noise=0.1&steps=40"
    first, second = book(hash), book(hash)
    for page in (first, second):
        page.wait_for_function(f"() => {PLAYGROUND}.steps === 40", timeout=60_000)
    pictures = [
        page.evaluate(
            "() => [...document.querySelectorAll('.rules canvas')].map(canvas => canvas.toDataURL())"
        )
        for page in (first, second)
    ]
    assert len(set(pictures[0])) > 30 and pictures[0] == pictures[1]
    button(first, "Step").click()
    button(first, "Copy link").click()
    assert "steps=41" in first.url and "data=moons" in first.url
    first.evaluate("() => { location.hash = '#scene=copy'; }")
    first.wait_for_function(f"() => {PLAYGROUND}.state.norm === false")
    assert first.locator("[data-scene=copy]").get_attribute("aria-pressed") == "true"


def test_an_address_that_makes_no_sense_gets_a_sentence_and_the_defaults(book):
    page = book("#units=99&points=AB7")
    said = page.locator(".note").inner_text()
    assert "units=99; it can be 2 to 16" in said and "nobody paints" in said
    assert page.evaluate(f"() => [{PLAYGROUND}.state.units, {PLAYGROUND}.points.n]") == [8, 200]


def test_points_are_painted_with_a_mouse_and_with_keys(book):
    page = book()
    page.locator("[name=data]").select_option("painted")
    count = lambda: page.evaluate(f"() => {PLAYGROUND}.points.n")
    assert count() == 200
    button(page, "Clear").click()
    assert count() == 0
    board = page.locator(".rule-mf .square.paintable").first
    board.click(position={"x": 40, "y": 40})
    page.locator("[name=brush]").select_option(label="blue")
    board.focus()
    for key in ("ArrowRight", "ArrowUp", " ", "ArrowRight", "ArrowRight", " "):
        page.keyboard.press(key)
    assert count() == 3 and page.evaluate(f"() => [...{PLAYGROUND}.points.y]") == [0, 1, 1]
    assert not serious(page)
    again = book("#" + page.url.split("#")[1])
    assert again.evaluate(f"() => [...{PLAYGROUND}.points.y]") == [0, 1, 1]
    assert again.locator("[name=data]").input_value() == "painted"
    page.locator("[name=brush]").select_option(label="eraser")
    page.keyboard.press("Tab")
    board.focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowRight")
    page.keyboard.press(" ")
    assert count() == 2
    button(page, "Play").click()
    page.wait_for_function(f"() => {PLAYGROUND}.steps > 3", timeout=60_000)


def test_a_damaged_layer_is_another_one(book):
    page = book()
    weights = f"""() => Object.values({PLAYGROUND}.networks)
        .map(({{layers}}) => layers.map(({{weights}}) => weights.values[0]))"""
    before = page.evaluate(weights)
    button(page, "Damage the layer").click()
    after = page.evaluate(weights)
    assert all(old[0] == new[0] and old[1] != new[1] for old, new in zip(before, after, strict=True))


@pytest.mark.parametrize("screen", SCREENS)
def test_a_small_one_runs_where_nothing_inline_is_allowed(show, screen):
    page = show("http://course.test/notebooks/", screen, small_site)
    page.wait_for_function(
        "() => document.querySelectorAll('[data-live]')[1].playground?.steps > 3", timeout=60_000
    )
    assert steps(page) == 0 and WORD not in page.locator("main").inner_text()
    assert page.locator("[data-live] >> nth=0").locator(".answer").count() == 1
    assert page.locator("[data-live] >> nth=1").locator(".answer").count() == 2
    assert page.locator("[data-live] >> nth=2").locator(".answer").count() == 3
    cramped = """() => [...document.querySelectorAll(".answer .name")].filter((name) => {
        const [word, share] = [...name.children].map((part) => part.getBoundingClientRect());
        const over = word.right > share.left && word.bottom > share.top + 4;
        return over || Math.max(word.right, share.right) > name.getBoundingClientRect().right + 1; })
        .map((name) => name.textContent)"""
    assert page.evaluate(cramped) == []
    button(page, "Play").first.click()
    page.wait_for_function(
        "() => document.querySelectorAll('[data-live]')[0].playground.steps > 3", timeout=60_000
    )
    link = page.locator("[data-live] >> nth=1").get_by_role("link")
    assert link.get_attribute("href") == "http://course.test/book/playground.html#scene=cut"
    assert page.evaluate("() => document.documentElement.scrollWidth") <= SCREENS[screen]["width"]
    assert not serious(page)


def test_less_motion_means_no_start_by_itself_and_two_pictures_a_second(show):
    page = show("http://course.test/notebooks/", routes=small_site, reduced_motion="reduce")
    page.wait_for_function("() => document.querySelectorAll('[data-live]')[1].playground")
    page.wait_for_timeout(300)
    assert steps(page, 1) == 0
    shown = page.evaluate("""() => new Promise(resolve => {
        const ground = document.querySelectorAll("[data-live]")[1].playground, show = ground.show;
        let times = 0;
        ground.show = function (panels) { times += 1; show.call(ground, panels); };
        ground.play();
        setTimeout(() => resolve([times, ground.steps]), 1500); })""")
    assert 1 <= shown[0] <= 4 and shown[1] > 0


def test_what_is_off_the_screen_waits_and_late_frames_have_coarser_maps(book):
    page = book("#data=spiral&layers=3&units=16", "phone")
    map, last = ".rule-ff .answer canvas.map", ".rule-ff .layer:last-child canvas.units"
    wide = lambda side: page.wait_for_function(f"() => document.querySelector('{map}').width === {side}")
    picture = lambda: page.evaluate(f"() => document.querySelector('{last}').toDataURL()")
    before = picture()
    button(page, "Play").click()
    page.wait_for_function(f"() => {PLAYGROUND}.steps > 3")
    page.evaluate(f"() => {{ {PLAYGROUND}.late = true; }}")
    wide(16)
    assert picture() == before
    button(page, "Pause").click()
    wide(24)
    assert picture() != before


def test_it_says_when_it_learns_slower_than_asked(book):
    page = book("#speed=5")
    page.evaluate(f"""() => {{ const step = {PLAYGROUND}.step; {PLAYGROUND}.step = function (count) {{
        step.call(this, count);
        for (const began = performance.now(); performance.now() - began < 20;); }}; }}""")
    button(page, "Play").click()
    page.wait_for_function(
        "() => / \\(here \\d+ a second\\)$/.test(document.querySelector('.count').textContent)"
    )
    page.locator("[name=speed]").select_option("0.2")
    page.wait_for_function("() => /^Step \\d+$/.test(document.querySelector('.count').textContent)")


def test_the_lights_can_be_turned_off_while_it_runs(book):
    page = book("#steps=50")
    page.wait_for_function(f"() => {PLAYGROUND}.steps === 50", timeout=60_000)
    pictures = """() => [
        ...[...document.querySelectorAll('.rules canvas')].map(canvas => canvas.toDataURL()),
        ...[...document.querySelectorAll('.rules .dots')].map(dots => [dots, ...dots.children]
            .map(part => getComputedStyle(part)).map(look => look.fill + look.stroke).join()),
    ]"""
    light = page.evaluate(pictures)
    page.evaluate("() => { document.documentElement.dataset.theme = 'dark'; }")
    dark = page.evaluate(pictures)
    assert len(light) == len(dark) > 30 and not any(a == b for a, b in zip(light, dark, strict=True))


def test_a_cut_is_shown_where_no_error_arrives(book):
    page = book("#scene=cut")
    assert page.locator(".rule-bp .state").all_inner_texts() == ["no error arrives", "no error arrives", ""]
    assert not any(page.locator(".rule-mf .state").all_inner_texts())
    page.locator("[name=accident]").select_option("freeze")
    assert page.locator(".rule-mf .state").all_inner_texts() == ["", "", "frozen"]


def test_only_pages_that_compute_load_the_script():
    loads = lambda name: "live/playground.js" in (HTML / "book" / f"{name}.html").read_text("utf8")
    assert loads("playground") and not loads("glossary") and not loads("notation")


def test_without_javascript_a_sentence_is_there(running):
    with running.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto((HTML / "book" / "playground.html").as_uri())
        assert "needs JavaScript" in page.locator(".live").inner_text()


def test_a_scene_that_does_not_exist_is_named_on_the_page(show):
    page = show(
        "http://course.test/notebooks/",
        routes=lambda route: (
            route.fulfill(
                body='<!doctype html><meta charset="utf-8"><div data-live="playground" '
                'data-scene="moon">…</div><script src="/_static/live/playground.js" defer></script>',
                content_type="text/html",
            )
            if route.request.url.endswith("/")
            else small_site(route)
        ),
    )
    assert "no rule or scene “moon”" in page.get_by_role("alert").inner_text()


def test_the_benchmark_counts_frames_and_steps(book, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    import live_pages

    page = book(live_pages.STATE)
    button(page, "Play").click()
    frames, taken, gap, work = live_pages.frames(page, 2, 0.5, SCREENS["phone"], ".layers")
    assert frames > 0 and taken > 0 and gap > 0 and work > 0
