"""How fast the pages that compute are: the playground's frames and steps a second, a digit's reply times.

    make book && python benchmarks/live_pages.py            (about a minute, on a machine at rest)

Headless Chromium shows the built pages from their folder, drawing with the processor alone.

Playground: the spiral, three layers of 16 units, all three rules side by side, 60 steps a second asked for.
A frame is one call of requestAnimationFrame, 60 a second at most; each rule's answers are new in every other
one, in every third where frames are late. As on a phone, the page's thread is then slowed down four times,
and the screen shows either the answers or the layers below them. Aim: 56 frames, and 30 when slowed. "Work"
is processor time of the page's thread for one frame, at full speed: 33 ms / 4 of it leave 30 frames a second
on a phone, whatever else the machine is doing while it is measured.

Draw a digit: the time from a choice of a test image to the answer on the page, and the network's share of
it, over 20 images; the second is spent in a worker, which Chromium never slows down. Aim: 100 ms, and
300 ms for the FF-CNN's ten passes.
"""

import argparse
import statistics
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import browser as chrome  # noqa: E402

PAGES = ROOT / "_build" / "html" / "book"
STATE = "#data=spiral&layers=3&units=16"
LAPTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
COUNT = """seconds => new Promise(resolve => {
    const ground = document.querySelector("[data-live=playground]").playground, began = performance.now();
    const step = ground.steps, gaps = [];
    let last = began;
    requestAnimationFrame(function next(now) {
        gaps.push(now - last);
        last = now;
        if (now - began < 1000 * seconds) return requestAnimationFrame(next);
        const passed = (now - began) / 1000;
        gaps.sort((a, b) => b - a);
        const slow = gaps[Math.floor(gaps.length / 20)];
        resolve([(gaps.length - 1) / passed, (ground.steps - step) / passed, slow]);
    });
})"""
REPLY = """number => new Promise(resolve => {
    const table = document.querySelector(".digit-table");
    const image = document.querySelectorAll(".digit-images input")[number], began = performance.now();
    new MutationObserver((_, watch) => {
        if (table.ariaBusy !== "false") return;
        watch.disconnect();
        const network = document.querySelector(".digit-time").textContent.match(/\\d+/)[0];
        resolve([performance.now() - began, Number(network)]);
    }).observe(table, {attributeFilter: ["aria-busy"]});
    image.click();
})"""


def slow_down(page, slowed: int):
    """The page's thread so many times slower, and a line to ask it how it works."""
    line = page.context.new_cdp_session(page)
    line.send("Emulation.setCPUThrottlingRate", {"rate": slowed})
    line.send("Performance.enable", {"timeDomain": "threadTicks"})
    return line


def worked(line) -> float:
    """Seconds of processor time that the page's thread has had."""
    metrics = line.send("Performance.getMetrics")["metrics"]
    return next(one["value"] for one in metrics if one["name"] == "TaskDuration")


def frames(page, slowed: int, seconds: float, size: dict, part: str) -> tuple[float, float, float, float]:
    """Frames and steps a second, the gap in ms that one frame in 20 exceeds, and ms of work for a frame."""
    page.set_viewport_size(size)
    page.locator(part).first.evaluate("element => element.scrollIntoView()")
    line = slow_down(page, slowed)
    page.evaluate(COUNT, 2)  # warm up
    before = worked(line)
    rate, steps, gap = page.evaluate(COUNT, seconds)
    return rate, steps, gap, 1000 * (worked(line) - before) / slowed / (rate * seconds)


def replies(page, network: str, slowed: int, count: int) -> tuple[float, float, float]:
    """Median and longest time to an answer, and the median of what the network itself took, in ms."""
    line = slow_down(page, 1)
    page.locator(".digit-network").select_option(network)
    page.wait_for_function("() => document.querySelector('.digit-about').textContent.includes('layers')")
    page.wait_for_function("() => document.querySelector('.digit-table').ariaBusy === 'false'")
    line.send("Emulation.setCPUThrottlingRate", {"rate": slowed})
    found = [page.evaluate(REPLY, number) for number in range(count + 3)][3:]  # three to warm up
    whole, own = zip(*found)
    return statistics.median(whole), max(whole), statistics.median(own)


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--seconds", type=float, default=8, help="for each of the playground's lines")
    options.add_argument("--images", type=int, default=20, help="for each network")
    asked = options.parse_args()
    if not (PAGES / "playground.html").exists():
        sys.exit(f"{PAGES} is not built; run `make book` first")
    with chrome.browser() as running:
        page = running.new_page()
        page.goto((PAGES / "playground.html").as_uri() + STATE)
        page.get_by_role("button", name="Play", exact=True).click()
        for name, slowed, size, part in [
            ("laptop", 1, LAPTOP, ".answer"),
            ("phone, answers", 4, PHONE, ".answer"),
            ("phone, layers", 4, PHONE, ".layers"),
        ]:
            rate, steps, gap, work = frames(page, slowed, asked.seconds, size, part)
            print(
                f"{name:14}  slowed {slowed}×  {rate:5.1f} frames a second  {steps:5.1f} steps a second  "
                f"1 frame in 20 takes over {gap:3.0f} ms  work {work:4.1f} ms a frame",
                flush=True,
            )
        page.close()
        for slowed, size in [(1, LAPTOP), (4, PHONE)]:
            page = running.new_page(viewport=size)
            page.goto((PAGES / "draw.html").as_uri())
            page.wait_for_function("() => document.querySelector('.digit-big')?.textContent")
            for option in page.locator(".digit-network option").all():
                median, longest, own = replies(page, option.get_attribute("value"), slowed, asked.images)
                print(
                    f"{option.text_content():42}  page slowed {slowed}×  reply in {median:4.0f} ms, "
                    f"at most {longest:4.0f} ms; the network {own:4.0f} ms",
                    flush=True,
                )
            page.close()


if __name__ == "__main__":
    main()
