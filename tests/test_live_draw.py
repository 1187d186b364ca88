"""Draw a digit: its networks answer as PyTorch's do; pad, checks and controls work from a folder."""

import base64
import json
import shutil
import sys
from pathlib import Path

import drawn
import pytest
import torch
from axe_playwright_python.sync_playwright import Axe

from evidence import build, networks
from fftools import data
from fftools.readout import LinearReadout

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import live  # noqa: E402
import live_networks  # noqa: E402

SHOWN = ["ff-cnn-wide-local", "ff-mlp", "bp-cnn"]
POOLED = dict(channels=1, widths=[8, 12], kernel=3, padding="same")
UNTRAINED = {  # also what no network on the shelf has: pooling, strides, odd maps, standardised input
    "mono-mlp": dict(rule="mf", widths=[784, 40, 30], bias=False),
    "mono-cnn": dict(
        rule="mf",
        dataset="mnist",
        blocks=POOLED | dict(widths=[8, 12, 16, 20], pool="average"),
        standardise=True,
    ),
    "mono-max": dict(rule="mf", blocks=POOLED | dict(pool=["max", None])),
    "channels-mnist": dict(
        rule="cw", network={}, readout_epochs=1, blocks=POOLED | dict(widths=[20, 30], kernel=7, stride=2)
    ),
    "bp-mlp": dict(rule="bp", widths=[784, 40, 30]),
}
ASK = """async ([script, name, text, images]) => {  // the page's own worker
    const start = performance.now(), worker = new Worker(URL.createObjectURL(new Blob([script])));
    const send = (message) => new Promise((resolve, reject) => {
        worker.onmessage = ({data}) => data.error ? reject(new Error(data.error)) : resolve(data.result);
        worker.postMessage(message); });
    const {liveNetworks} = new Function(`const globalThis = {}; ${text}; return globalThis`)();
    await send({id: 0, name, packed: liveNetworks[name]});
    const bytes = Uint8Array.from(atob(images), (letter) => letter.charCodeAt(0)), found = [];
    for (let at = 0; at < bytes.length; at += 784) {
        const image = Float32Array.from(bytes.subarray(at, at + 784), (value) => value / 255);
        const {scores, logits, goodness} = await send({id: 1, name, image, options: {}});
        found.push({scores: [...scores], logits: logits && [...logits],
                    goodness: goodness.map((values) => [...values])}); }
    worker.terminate();
    return found; }"""


def untrained(name):
    """A network as it was drawn by chance, its read-out if it has one, and both as a script for the page."""
    config = UNTRAINED[name]
    torch.manual_seed(3)
    network = build.build(config).eval()
    readout = LinearReadout(network) if config.get("readout_epochs") else None
    with torch.no_grad():
        (readout or network).scores(torch.zeros(1, 1, 28, 28))
        network.scores(torch.zeros(1, 1, 28, 28))
    for parameter in [*network.parameters(), *(readout.parameters() if readout else ())]:
        parameter.data = (3 * parameter.data).half().float()
    for buffer in network.buffers():
        buffer.data = buffer.data.half().float()
    state = {f"learner.{key}": x.numpy() for key, x in network.state_dict().items()}
    state |= (
        {f"linear.{key}": x.detach().numpy() for key, x in readout.linear.state_dict().items()}
        if readout
        else {}
    )
    return (
        network,
        readout,
        live.pack(name, state, {"config": config, "image": [1, 28, 28], "classes": 10, "metrics": {}}),
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The page without the book around it, in a folder."""
    folder = tmp_path_factory.mktemp("digit")
    (folder / "networks").mkdir()
    (folder / "digit.js").write_text(live.bundle("digit"))
    for name in SHOWN:
        (folder / "networks" / f"{name}.js").write_text(live_networks.script(name))
    (folder / "networks" / "mono-cnn.js").write_text(untrained("mono-cnn")[2])
    head, shelf = live_networks.shelf(SHOWN).split(" = ", 1)
    shelf = json.loads(shelf.rstrip(";\n"))
    shelf["networks"].append({"name": "mono-cnn", "title": "Mono-Forward", "megabytes": 0.1})
    (folder / "shelf.js").write_text(f"{head} = {json.dumps(shelf)};")
    for name in ("live.css", "digit.css"):
        shutil.copy(live.SOURCES / name, folder)
    (
        folder / "page.html"
    ).write_text("""<!doctype html><html lang="en" data-theme="light"><meta charset="utf-8">
        <title>Digit</title>
        <meta name="viewport" content="width=device-width"><meta http-equiv="Content-Security-Policy"
        content="default-src file:; worker-src blob:; style-src file: 'unsafe-inline'">
        <link rel="stylesheet" href="live.css"><link rel="stylesheet" href="digit.css">
        <script src="digit.js" defer></script>
        <style>html[data-theme=dark] body {background: #121212; color: #eee}</style>
        <body class="bd-article"><main><h1>Draw</h1><h2>A digit</h2>
        <div class="live" data-live="digit" data-network="bp-cnn"></div></main>""")
    return folder


@pytest.fixture
def look(running, site):
    """A function that opens the page at a size, without a network; it complains of nothing."""
    contexts, complaints = [], []

    def opened(width=1280, height=1000, folder=site, quiet=True, **options):
        contexts.append(
            context := running.new_context(
                viewport={"width": width, "height": height}, offline=True, reduced_motion="reduce", **options
            )
        )
        page = context.new_page()
        if quiet:
            page.on("console", lambda said: complaints.append(said.text))
            page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto((folder / "page.html").as_uri())
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not complaints


@pytest.fixture(scope="module")
def asked():
    """MNIST's first 500 test images; where it cannot be had, all 300 of the small set that stands in."""
    found = data.load("mnist", "cpu", fallback="digits")
    images = found.test.images[:500]
    assert len(images) == (500 if found.name == "mnist" else 300)
    return images


def agree(running, name, text, network, readout, images):
    """Scores and logits within 1e-3 of the image's largest; predictions equal but for ties that close."""
    page = running.new_page()
    found = page.evaluate(
        ASK, [live.bundle("digit"), name, text, base64.b64encode(images.numpy().tobytes()).decode()]
    )
    page.close()
    assert len(found) == len(images)
    with torch.no_grad():
        ways = {"scores": network.scores} | ({"logits": readout.scores} if readout else {})
        for key, scores in ways.items():
            expected = torch.cat([scores(part) for part in data.to_float(images).split(100)])
            here = torch.tensor([answer[key] for answer in found])
            scale = expected.abs().max(1, keepdim=True).values
            assert here.isfinite().all() and ((here - expected).abs() / scale).max() < 1e-3, key
            rivals = expected.gather(1, here.argmax(1)[:, None])
            assert ((expected.max(1, keepdim=True).values - rivals) / scale).max() < 1e-3, key
            own = (expected - expected.mean(0)).abs().amax(1, keepdim=True) / scale
            assert own.median() > 2e-2, "scores that hardly depend on the image would prove nothing"
    return found


@pytest.mark.parametrize("name", live_networks.CHOICE)
def test_trained_networks_answer_as_pytorch_does(running, asked, monkeypatch, name):
    monkeypatch.setenv("FFTOOLS_RESULTS_DIR", str(ROOT / "results"))  # beside it the real networks are
    network, readout, _ = networks.load(name)
    for parameter in [*network.parameters(), *(readout.parameters() if readout else ())]:
        parameter.data = parameter.data.half().float()  # both sides from the same half-precision weights
    agree(running, name, live_networks.script(name), network, readout, asked)


@pytest.mark.parametrize("name", UNTRAINED)
def test_other_rules_answer_as_pytorch_does(running, asked, name):
    config, (network, readout, text) = UNTRAINED[name], untrained(name)
    found = agree(running, name, text, network, readout, asked[:50])
    if config["rule"] != "bp":
        with torch.no_grad():
            blocks = torch.stack(network.goodness(data.to_float(asked[:50])))
        here = torch.tensor([answer["goodness"] for answer in found]).transpose(0, 1)
        assert ((here - blocks).abs() / blocks.abs().amax(2, keepdim=True)).max() < 1e-3


def choose(page, name):
    """Take another network, and wait until it has answered."""
    page.locator(".digit-network").select_option(name)
    page.wait_for_function("() => !/^(Loading|$)/.test(document.querySelector('.digit-about').textContent)")
    drawn.answered(page)


DEFAULT = next(iter(live_networks.CHOICE))  # the page asks the first one


@pytest.mark.parametrize("name", [DEFAULT, "bp-cnn"])
@pytest.mark.parametrize("size, each", [((1280, 1000), 3), ((390, 844), 1)], ids=["desktop", "phone"])
def test_drawn_digits_are_read_and_the_last_word_is_about_the_whole_drawing(look, size, each, name):
    page = look(*size)
    choose(page, name)
    found = [
        (digit, drawn.draw(page, strokes), page.locator(".digit-words").text_content())
        for digit, strokes in drawn.drawings(each)
    ]
    assert sum(answer == str(digit) for digit, answer, _ in found) >= 0.9 * len(found)
    assert all(words.startswith(f"{answer}, ") for _, answer, words in found)
    page.wait_for_timeout(300)
    assert page.locator(".digit-big").text_content() == found[-1][1], (
        "an answer came after the page said that it was done"
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]


@pytest.mark.parametrize("size", [(1280, 1000), (390, 844)], ids=["desktop", "phone"])
def test_a_drawing_is_fitted_as_mnists_digits_were(look, size):
    """In a box of 20×20, centre of mass in the middle of 28×28, wherever and however large it is drawn."""
    page = look(*size)
    choose(page, "bp-cnn")
    for _, strokes in drawn.drawings(1, seed=5):
        drawn.draw(page, strokes)
        dots = page.locator(".digit-seen").evaluate("""seen => {
            const copy = new OffscreenCanvas(28, 28).getContext("2d");
            copy.drawImage(seen, 0, 0);
            return [...copy.getImageData(0, 0, 28, 28).data].filter((_, i) => i % 4 === 0); }""")
        grey = torch.tensor(dots).view(28, 28) / 255
        rows, columns = (grey.sum(axis).nonzero().flatten() for axis in (1, 0))
        tall, wide = (int(found[-1] - found[0]) + 1 for found in (rows, columns))
        assert 18 <= max(tall, wide) <= 21  # 20, give or take the pixel that an edge falls on
        middle = [(grey.sum(axis) * torch.arange(28)).sum() / grey.sum() for axis in (1, 0)]
        assert all(abs(at - 14) < 0.1 for at in middle)
        assert grey.max() > 0.95


@pytest.mark.parametrize("name", SHOWN)
def test_each_turn_begins_and_ends_as_its_button_says(look, name):
    page = look()
    choose(page, name)
    buttons = page.locator(".digit-turns button").all_text_contents()
    assert len(buttons) == 4
    for text in buttons:
        first, last = text.split(" into ")
        page.get_by_role("button", name=text).click()
        page.wait_for_function(
            """([first, last]) => {
                const all = document.querySelectorAll(".digit-history span");
                const told = [...all].map((one) => one.textContent);
                return told.length > 1 && told.at(0) === first && told.at(-1) === last; }""",
            arg=[first, last],
        )


def test_a_drawing_asked_slowly_is_never_called_done_too_early(look):
    """An answer to half a drawing once cleared the flag, where a network is slower than the hand."""
    page = look()
    choose(page, "ff-cnn-wide-local")
    for _, strokes in [*drawn.drawings(1)][:10]:
        soon = drawn.draw(page, strokes)
        page.wait_for_timeout(600)
        assert page.locator(".digit-big").text_content() == soon


def test_a_finger_draws(look):
    page = look(390, 844, has_touch=True, is_mobile=True)
    drawn.answered(page)
    page.get_by_role("button", name="Clear").tap()
    box, touch = page.locator(".digit-pad").bounding_box(), page.context.new_cdp_session(page)
    send = lambda kind, *points: touch.send(
        "Input.dispatchTouchEvent", {"type": kind, "touchPoints": [*points]}
    )
    at = lambda y: {"x": box["x"] + box["width"] / 2, "y": box["y"] + y * box["height"]}
    send("touchStart", at(0.1))
    for step in range(2, 10):
        send("touchMove", at(step / 10))
    send("touchEnd")
    assert drawn.answered(page) == "1"


def test_a_stroke_taken_back_while_it_is_drawn_leaves_the_pad_alive(look):
    page = look()
    drawn.answered(page)
    box = page.locator(".digit-pad").bounding_box()
    to = lambda y: page.mouse.move(box["x"] + box["width"] / 2, box["y"] + y * box["height"])
    for undone in (True, False):
        to(0.1)
        page.mouse.down()
        to(0.5)
        if undone:
            page.keyboard.press("Delete")
        to(0.9)
        page.mouse.up()
    assert drawn.answered(page) == "1"


def test_the_keyboard_alone_draws_undoes_and_clears(look):
    page = look()
    drawn.answered(page)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "digit-pad"
    page.keyboard.press("Space")
    for _ in range(16):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    assert drawn.answered(page) == "1" and page.locator(".digit-history li").count() == 1
    page.keyboard.press("Backspace")
    assert drawn.answered(page) == ""


def test_test_images_maps_and_sliders_change_what_is_seen(look):
    page = look()
    drawn.answered(page)
    page.locator(".digit-images summary").click()
    digits = json.loads(live_networks.DIGITS.read_text())["images"]
    assert len(digits) == 40 and page.locator(".digit-images input").count() == 40
    page.locator(".digit-images input").nth(0).focus()
    page.keyboard.press("Space")
    assert drawn.answered(page) == str(digits[0]["label"])
    pad = lambda: page.locator(".digit-pad").evaluate("pad => pad.toDataURL()")
    seen = lambda: page.locator(".digit-seen").evaluate("seen => seen.toDataURL()")
    with_map, before = pad(), seen()
    page.locator(".digit-right select").nth(1).select_option("off")
    assert pad() != with_map
    page.locator(".digit-slider input").nth(2).focus()
    page.keyboard.press("ArrowRight")
    drawn.answered(page)
    assert seen() != before
    page.get_by_role("button", name="Put back").click()
    drawn.answered(page)
    assert seen() == before


def test_the_labels_strength_changes_forward_forwards_answer(look):
    page = look()
    choose(page, "ff-cnn-wide-local")
    numbers = lambda: page.locator(".digit-number").all_text_contents()
    before, strength = numbers(), page.locator(".digit-slider").nth(3).locator("input")
    assert len(before) == 10 * 5 and strength.is_visible()  # three layers, their sum, the read-out
    strength.fill("0.6")
    drawn.answered(page)
    assert numbers() != before


def test_only_a_layer_that_does_not_judge_has_no_say(look):
    """Of two networks with as many layers, the second once kept the first one's head of the table."""
    page = look()
    for name, silent in [("ff-cnn-wide-local", 1), ("ff-mlp", 0), ("ff-cnn-wide-local", 1)]:
        choose(page, name)
        assert page.locator(".digit-table small").count() == silent


def test_a_network_chosen_before_the_first_has_loaded_stays_chosen(look):
    page = look()
    page.add_init_script("""window.IntersectionObserver = class {
        constructor(seen) { window.scrolledTo = () => seen([{ isIntersecting: true }]); }
        observe() {} disconnect() {} unobserve() {} };""")
    page.reload()
    page.locator(".digit-network").select_option("mono-cnn")
    page.evaluate("scrolledTo()")
    page.wait_for_function("() => document.querySelector('.digit-about').textContent.includes('not trained')")
    drawn.answered(page)
    assert page.locator(".digit-network").input_value() == "mono-cnn"


def test_mono_forward_stops_at_the_first_block_that_is_sure_enough(look):
    page = look()
    choose(page, "mono-cnn")
    assert page.locator(".digit-table thead th").all_text_contents() == [
        "Label",
        *(f"Block {n}" for n in range(1, 5)),
        "Sum",
    ]
    stops, enough = [], page.locator(".digit-slider").last.locator("input")
    for share in ("50", "99.5"):
        enough.fill(share)
        drawn.answered(page)
        stops.append(page.locator(".digit-exit").text_content())
    assert stops[0].startswith("Early exit: block") and stops[0] != stops[1]


@pytest.mark.parametrize(
    "old, new, said",
    [
        ('"crc32": ', '"crc32": 1', "damaged"),
        ('"base64": "', '"base64": "AAAA', "damaged"),
        ("learner.head.weight", "learner.head.w", "has no learner.head.weight"),
    ],
)
def test_a_damaged_network_is_a_sentence_on_the_page(look, site, tmp_path, old, new, said):
    folder = shutil.copytree(site, tmp_path / "damaged")
    path = folder / "networks" / "bp-cnn.js"
    path.write_text(path.read_text().replace(old, new))
    page = look(folder=folder)
    page.get_by_role("alert").wait_for()
    assert said in page.get_by_role("alert").text_content()
    choice = page.locator(".digit-network")
    choice.select_option("ff-cnn-wide-local")  # the others still work
    page.wait_for_function("() => document.querySelector('.digit-big').textContent")
    assert page.get_by_role("alert").count() == 0
    choice.select_option("bp-cnn")
    page.get_by_role("alert").wait_for()  # and their answer is not this one's
    assert page.locator(".digit-big").text_content() == page.locator(".digit-words").text_content() == ""


@pytest.mark.parametrize("name", ["networks/bp-cnn", "shelf"])
@pytest.mark.parametrize(
    "spoil, said",
    [(lambda text: text[:-20], "is damaged"), (lambda text: "", "is damaged"), (None, "did not arrive")],
    ids=["cut short", "empty", "missing"],
)
def test_a_file_that_cannot_be_read_is_a_sentence_on_the_page(look, site, tmp_path, name, spoil, said):
    folder = shutil.copytree(site, tmp_path / "spoilt")
    path = folder / f"{name}.js"
    whole = path.read_text("utf8")
    path.write_text(spoil(whole), "utf8") if spoil else path.unlink()
    page = look(folder=folder, quiet=False)  # the browser itself complains of the file
    page.get_by_role("alert").wait_for()
    assert page.get_by_role("alert").text_content() == (
        f"This part of the page cannot run: the file {name}.js {said}."
    )
    if name == "shelf":
        return
    path.write_text(whole, "utf8")  # it came back: the network can be chosen again
    for other in ("ff-cnn-wide-local", "bp-cnn"):
        choose(page, other)
        assert page.locator(".digit-big").text_content() and page.get_by_role("alert").count() == 0


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_serious_barrier(look, theme):
    page = look()
    page.evaluate("theme => document.documentElement.dataset.theme = theme", theme)
    page.locator(".digit-network").select_option("ff-cnn-wide-local")
    page.wait_for_function(
        "() => document.querySelector('.digit-table').classList.contains('digit-labelled')"
    )
    page.locator(".digit-images summary").click()
    page.evaluate("document.getAnimations().forEach(moving => moving.finish())")
    page.context.set_offline(False)
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    bad = [
        f"{rule['id']}: {node['html'][:200]}"
        for rule in found
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"]
    ]
    assert not bad, bad
