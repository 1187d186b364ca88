"""Digits as people write them, as strokes of a pen, and a hand that draws them on the page.

    python tests/drawn.py     draws ten digits of each kind on the built page, once for each network, and prints how many it reads
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
    return [(a[0] + (b[0] - a[0]) * k / 6, a[1] + (b[1] - a[1]) * k / 6) for a, b in zip(points, points[1:]) for k in range(7)]


# Several ways to write each digit; a way is a list of strokes, in a box from 0 to 1.
WAYS = {
    0: [[arc(.5, .5, .3, .48, -90, 270)], [arc(.5, .5, .42, .46, -60, 310)], [arc(.5, .5, .25, .48, -110, 235)]],
    1: [[line((.5, .02), (.5, .98))], [line((.6, .02), (.42, .98))], [line((.32, .26), (.52, .04), (.52, .98))],
        [line((.3, .25), (.5, .04), (.5, .96)), line((.3, .97), (.7, .97))]],
    2: [[arc(.48, .28, .3, .26, -170, 40) + line((.68, .46), (.16, .96), (.86, .96))],
        [arc(.48, .26, .28, .24, -160, 60) + line((.6, .5), (.3, .86)) + arc(.28, .88, .1, .08, -60, -340) + line((.4, .9), (.88, .94))],
        [line((.18, .1), (.74, .08), (.2, .94), (.82, .94))]],
    3: [[arc(.42, .27, .3, .25, -150, 90) + arc(.42, .74, .34, .24, -90, 150)],
        [line((.2, .05), (.76, .05), (.44, .42)) + arc(.42, .7, .34, .27, -80, 150)],
        [arc(.44, .26, .26, .24, -170, 80), arc(.44, .74, .32, .24, -95, 160)]],
    4: [[line((.3, .04), (.16, .56), (.84, .56)), line((.62, .2), (.6, .98))],
        [line((.62, .98), (.62, .04), (.1, .66), (.88, .66))],
        [line((.24, .06), (.2, .5)) + line((.2, .5), (.72, .46)), line((.74, .04), (.68, .98))]],
    5: [[line((.76, .05), (.3, .05), (.26, .44)) + arc(.42, .68, .34, .27, -120, 150)],
        [line((.28, .06), (.24, .46)) + arc(.42, .7, .32, .26, -120, 150), line((.28, .06), (.78, .04))],
        [arc(.58, .28, .3, .24, -30, -190) + arc(.42, .73, .32, .24, -80, 150)]],
    6: [[line((.64, .03), (.36, .3)) + arc(.48, .7, .28, .27, 200, -160)],
        [arc(.74, .62, .5, .58, -110, -180) + arc(.5, .7, .26, .26, 180, -180)],
        [line((.52, .02), (.24, .66)) + arc(.46, .74, .24, .22, 190, -170)]],
    7: [[line((.16, .06), (.82, .06), (.4, .98))], [line((.14, .1), (.8, .05), (.36, .97)), line((.32, .52), (.74, .5))],
        [line((.14, .2), (.16, .08), (.82, .06)) + arc(.98, .94, .48, .84, -115, -180)]],
    8: [[arc(.5, .27, .26, .23, 45, -225) + arc(.5, .74, .32, .25, -120, 240)],
        [arc(.5, .27, .24, .24, -90, 270), arc(.5, .75, .3, .24, -90, 270)],
        [arc(.52, .26, .26, .23, -20, -240) + line((.38, .44), (.74, .64)) + arc(.5, .76, .3, .21, -20, 200) + line((.22, .68), (.74, .36))]],
    9: [[arc(.48, .3, .28, .26, 0, -360) + line((.76, .3), (.7, .98))],
        [arc(.46, .28, .28, .26, -20, -370) + arc(.3, .42, .46, .56, -10, 80)],
        [arc(.48, .28, .26, .25, 20, -340) + line((.74, .32), (.5, .98))]],
}  # fmt: skip


def drawings(each: int, seed: int = 0, wild: float = 1.0):
    """`(digit, strokes)`: each digit so many times, its ways in turn, every time by another hand; `wild` scales how unlike they are."""
    hand = random.Random(seed)
    for digit, ways in WAYS.items():
        for number in range(each):
            yield digit, _by_hand(ways[number % len(ways)], hand, wild)


def _by_hand(strokes, hand, wild):
    """Leaning, turned, wider or narrower, bigger or smaller, elsewhere on the pad, and not quite steady."""
    turn, lean = math.radians(wild * hand.uniform(-8, 8)), wild * hand.uniform(-.1, .2)
    wide, size = hand.uniform(.75, 1.05), hand.uniform(.4, .8)
    middle = [hand.uniform(.5 - (.9 - size) / 2, .5 + (.9 - size) / 2) for _ in "xy"]
    waves = [(wild * hand.uniform(-.018, .018), hand.uniform(3, 9), hand.uniform(0, 6)) for _ in "xy"]
    moved = []
    for stroke in strokes:
        slip = [wild * hand.uniform(-.02, .02) for _ in "xy"]
        points = []
        for x, y in stroke:
            (ax, fx, px), (ay, fy, py) = waves
            u, v = x - .5 + slip[0] + ax * math.sin(fx * y + px), y - .5 + slip[1] + ay * math.sin(fy * x + py)
            u = wide * (u - lean * v)
            u, v = math.cos(turn) * u - math.sin(turn) * v, math.sin(turn) * u + math.cos(turn) * v
            points.append([min(.98, max(.02, m + size * w)) for m, w in zip(middle, (u, v))])
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
            page.wait_for_function("() => document.querySelector('.digit-about').textContent.includes('layers')")
            found = [(digit, draw(page, strokes)) for digit, strokes in drawings(10)]
            wrong = [f"{digit} as {answer}" for digit, answer in found if answer != str(digit)]
            print(f"{name}: {len(found) - len(wrong)} of {len(found)} right; wrong: {', '.join(wrong) or 'none'}", flush=True)
