"""How smoothly the playground runs: frames and steps a second, three layers of 16 units, all three rules.

    make book && python benchmarks/playground_frames.py            (about 35 seconds)

Headless Chromium shows the built page from its folder; its processor is then slowed down four times, as on
a phone, where a reader sees either the answers or the layers below them. A frame is one call of
requestAnimationFrame; the browser makes 60 a second at most. Aim: 60, and 30 when slowed.
"""

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import browser as chrome  # noqa: E402

PAGE = ROOT / "_build" / "html" / "book" / "playground.html"
STATE = "#data=spiral&layers=3&units=16"
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


def measure(page, slowed: int, seconds: float, size: dict, part: str) -> list[float]:
    """Frames a second, steps a second, and the gap between frames in ms that one in twenty exceeds."""
    page.set_viewport_size(size)
    page.locator(part).first.evaluate("element => element.scrollIntoView()")
    page.context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": slowed})
    page.evaluate(COUNT, 1)  # warm up
    return page.evaluate(COUNT, seconds)


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--seconds", type=float, default=8)
    seconds = options.parse_args().seconds
    if not PAGE.exists():
        sys.exit(f"{PAGE} is not built; run `make book` first")
    with chrome.browser() as running:
        page = running.new_page()
        page.goto(PAGE.as_uri() + STATE)
        page.get_by_role("button", name="Play", exact=True).click()
        phone = {"width": 390, "height": 844}
        for name, slowed, size, part in [
            ("laptop", 1, {"width": 1280, "height": 900}, ".answer"),
            ("phone, answers", 4, phone, ".answer"),
            ("phone, layers", 4, phone, ".layers"),
        ]:
            frames, steps, gap = measure(page, slowed, seconds, size, part)
            print(
                f"{name:14}  processor slowed {slowed}×   {frames:5.1f} frames a second   "
                f"{steps:6.1f} steps a second   1 frame in 20 takes more than {gap:.0f} ms"
            )


if __name__ == "__main__":
    main()
