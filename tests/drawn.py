"""Digits as people write them, as strokes of a pen, and a hand that draws them on the page.

python tests/drawn.py     draws ten digits of each kind on the built page, and counts what each network reads
"""

import math
import random
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def arc(x, y, wide, high, start, end):
    """Points of an ellipse around (x, y); 0° is right, 90° down."""
    angles = [math.radians(start + (end - start) * i / 16) for i in range(17)]
    return [(x + wide * math.cos(angle), y + high * math.sin(angle)) for angle in angles]


def line(*points):
    """Points on straight lines from one to the next."""
    return [
        (a[0] + (b[0] - a[0]) * k / 6, a[1] + (b[1] - a[1]) * k / 6)
        for a, b in zip(points, points[1:])
        for k in range(7)
    ]


# Several ways to write each digit; a way is a list of strokes, in a box from 0 to 1.
WAYS = {
    0: [
        [arc(0.5, 0.5, 0.3, 0.48, -90, 270)],
        [arc(0.5, 0.5, 0.42, 0.46, -60, 310)],
        [arc(0.5, 0.5, 0.25, 0.48, -110, 235)],
    ],
    1: [
        [line((0.5, 0.02), (0.5, 0.98))],
        [line((0.6, 0.02), (0.42, 0.98))],
        [line((0.32, 0.26), (0.52, 0.04), (0.52, 0.98))],
        [line((0.3, 0.25), (0.5, 0.04), (0.5, 0.96)), line((0.3, 0.97), (0.7, 0.97))],
    ],
    2: [
        [arc(0.48, 0.28, 0.3, 0.26, -170, 40) + line((0.68, 0.46), (0.16, 0.96), (0.86, 0.96))],
        [
            arc(0.48, 0.26, 0.28, 0.24, -160, 60)
            + line((0.6, 0.5), (0.3, 0.86))
            + arc(0.28, 0.88, 0.1, 0.08, -60, -340)
            + line((0.4, 0.9), (0.88, 0.94))
        ],
        [line((0.18, 0.1), (0.74, 0.08), (0.2, 0.94), (0.82, 0.94))],
    ],
    3: [
        [arc(0.42, 0.27, 0.3, 0.25, -150, 90) + arc(0.42, 0.74, 0.34, 0.24, -90, 150)],
        [line((0.2, 0.05), (0.76, 0.05), (0.44, 0.42)) + arc(0.42, 0.7, 0.34, 0.27, -80, 150)],
        [arc(0.44, 0.26, 0.26, 0.24, -170, 80), arc(0.44, 0.74, 0.32, 0.24, -95, 160)],
    ],
    4: [
        [line((0.3, 0.04), (0.16, 0.56), (0.84, 0.56)), line((0.62, 0.2), (0.6, 0.98))],
        [line((0.62, 0.98), (0.62, 0.04), (0.1, 0.66), (0.88, 0.66))],
        [line((0.24, 0.06), (0.2, 0.5)) + line((0.2, 0.5), (0.72, 0.46)), line((0.74, 0.04), (0.68, 0.98))],
    ],
    5: [
        [line((0.76, 0.05), (0.3, 0.05), (0.26, 0.44)) + arc(0.42, 0.68, 0.34, 0.27, -120, 150)],
        [
            line((0.28, 0.06), (0.24, 0.46)) + arc(0.42, 0.7, 0.32, 0.26, -120, 150),
            line((0.28, 0.06), (0.78, 0.04)),
        ],
        [arc(0.58, 0.28, 0.3, 0.24, -30, -190) + arc(0.42, 0.73, 0.32, 0.24, -80, 150)],
    ],
    6: [
        [line((0.64, 0.03), (0.36, 0.3)) + arc(0.48, 0.7, 0.28, 0.27, 200, -160)],
        [arc(0.74, 0.62, 0.5, 0.58, -110, -180) + arc(0.5, 0.7, 0.26, 0.26, 180, -180)],
        [line((0.52, 0.02), (0.24, 0.66)) + arc(0.46, 0.74, 0.24, 0.22, 190, -170)],
    ],
    7: [
        [line((0.16, 0.06), (0.82, 0.06), (0.4, 0.98))],
        [line((0.14, 0.1), (0.8, 0.05), (0.36, 0.97)), line((0.32, 0.52), (0.74, 0.5))],
        [line((0.14, 0.2), (0.16, 0.08), (0.82, 0.06)) + arc(0.98, 0.94, 0.48, 0.84, -115, -180)],
    ],
    8: [
        [arc(0.5, 0.27, 0.26, 0.23, 45, -225) + arc(0.5, 0.74, 0.32, 0.25, -120, 240)],
        [arc(0.5, 0.27, 0.24, 0.24, -90, 270), arc(0.5, 0.75, 0.3, 0.24, -90, 270)],
        [
            arc(0.52, 0.26, 0.26, 0.23, -20, -240)
            + line((0.38, 0.44), (0.74, 0.64))
            + arc(0.5, 0.76, 0.3, 0.21, -20, 200)
            + line((0.22, 0.68), (0.74, 0.36))
        ],
    ],
    9: [
        [arc(0.48, 0.3, 0.28, 0.26, 0, -360) + line((0.76, 0.3), (0.7, 0.98))],
        [arc(0.46, 0.28, 0.28, 0.26, -20, -370) + arc(0.3, 0.42, 0.46, 0.56, -10, 80)],
        [arc(0.48, 0.28, 0.26, 0.25, 20, -340) + line((0.74, 0.32), (0.5, 0.98))],
    ],
}


def drawings(each: int, seed: int = 0, wild: float = 1.0):
    """`(digit, strokes)`: each digit so many times, its ways in turn, every time by another hand.

    `wild` scales how unlike the hands are.
    """
    hand = random.Random(seed)
    for digit, ways in WAYS.items():
        for number in range(each):
            yield digit, _by_hand(ways[number % len(ways)], hand, wild)


def _by_hand(strokes, hand, wild):
    """Leaning, turned, wider or narrower, bigger or smaller, elsewhere on the pad, and not quite steady."""
    turn, lean = math.radians(wild * hand.uniform(-8, 8)), wild * hand.uniform(-0.1, 0.2)
    wide, size = hand.uniform(0.75, 1.05), hand.uniform(0.4, 0.8)
    middle = [hand.uniform(0.5 - (0.9 - size) / 2, 0.5 + (0.9 - size) / 2) for _ in "xy"]
    waves = [(wild * hand.uniform(-0.018, 0.018), hand.uniform(3, 9), hand.uniform(0, 6)) for _ in "xy"]
    moved = []
    for stroke in strokes:
        slip = [wild * hand.uniform(-0.02, 0.02) for _ in "xy"]
        points = []
        for x, y in stroke:
            (ax, fx, px), (ay, fy, py) = waves
            u, v = (
                x - 0.5 + slip[0] + ax * math.sin(fx * y + px),
                y - 0.5 + slip[1] + ay * math.sin(fy * x + py),
            )
            u = wide * (u - lean * v)
            u, v = math.cos(turn) * u - math.sin(turn) * v, math.sin(turn) * u + math.cos(turn) * v
            points.append([min(0.98, max(0.02, m + size * w)) for m, w in zip(middle, (u, v))])
        moved.append(points)
    return moved


def draw(page, strokes) -> str:
    """Draw with the mouse on an empty pad; the network's answer."""
    page.get_by_role("button", name="Clear").click()
    pad = page.locator(".digit-pad")
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    for stroke in strokes:
        points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in stroke]
        page.mouse.move(*points[0])
        page.mouse.down()
        for point in points[1:]:
            page.mouse.move(*point)
        page.mouse.up()
    return answered(page)


def answered(page) -> str:
    """Wait for the network and return its answer."""
    page.wait_for_function("() => document.querySelector('.digit-table').ariaBusy === 'false'")
    return page.locator(".digit-big").text_content()


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / "tools"))
    import browser

    with browser.browser() as running:
        page = running.new_page(viewport={"width": 1280, "height": 1000}, reduced_motion="reduce")
        page.goto((ROOT / "_build/html/book/draw.html").as_uri())
        page.wait_for_function("() => document.querySelector('.digit-big')?.textContent")
        network, about = page.locator(".digit-network"), page.locator(".digit-about")
        for option in network.locator("option").all():
            network.select_option(name := option.get_attribute("value"))
            page.wait_for_function(
                "() => document.querySelector('.digit-about').textContent.includes('layers')"
            )
            found = [(digit, draw(page, strokes)) for digit, strokes in drawings(10)]
            wrong = [f"{digit} as {answer}" for digit, answer in found if answer != str(digit)]
            print(
                f"{name}: {len(found) - len(wrong)} of {len(found)} right; wrong: {', '.join(wrong)}",
                flush=True,
            )
