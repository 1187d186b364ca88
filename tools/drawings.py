"""The family of drawings: which learning rule sends what where. One SVG each, in book/_assets/drawings/.

    python tools/drawings.py

Shown as an image, a file is a light card of its own. In the book its source is part of the page, and book.css
gives it the theme's colours. 340 units are a phone's width, with text of 13 px. Heads of arrows are polygons,
not markers: there are no ids, and a page can hold many drawings. No error crosses a wall.
"""

import tomllib
from html import escape
from math import hypot
from pathlib import Path

HERE = Path(__file__).resolve().parent
FOLDER = HERE.parent / "book" / "_assets" / "drawings"
WORDS = tomllib.loads((HERE / "drawings.toml").read_text("utf8"))
LEFT, WIDE, TOP, HIGH = (76, 170, 264), 68, 50, 52  # the layers' left edges, their width, top and height
BELOW, LOSS, KEY = TOP + HIGH, 164, 254  # the layers' lower edge, the losses' top, the legend
ALL, HIGHER, LAST = (0, 1, 2), (1, 2), (2,)  # layers
TWO = ("pass", -13), ("wrong", 13)  # passes: with the right label, with a wrong one
ENTRIES = ("pass", "activity"), ("error", "error"), ("update", "update")  # of the legend
SUB, MIDDLE = "₁₂₃", tuple(x + WIDE / 2 for x in LEFT)


def text(x: float, y: float, words: str, kind: str = "", anchor: str = "middle") -> str:
    return f'<text class="{kind}" x="{x:g}" y="{y:g}" text-anchor="{anchor}">{escape(words)}</text>'


def box(x: float, y: float, wide: float, high: float, words: str = "", kind: str = "box") -> str:
    drawn = f'<rect class="{kind}" x="{x:g}" y="{y:g}" width="{wide:g}" height="{high:g}" rx="5"/>'
    colour = kind.split()[0] if "mark" in kind else ""
    return drawn + (text(x + wide / 2, y + high / 2 + 4.5, words, colour) if words else "")


def arrow(kind: str, *points: tuple[float, float]) -> str:
    """A line through these points, with a head at the last one."""
    (a, b), (x, y) = points[-2:]
    u, v = (x - a) / hypot(x - a, y - b), (y - b) / hypot(x - a, y - b)
    wings = [(x - 8 * u - side * v, y - 8 * v + side * u) for side in (4.5, -4.5)]
    line, head = (
        " ".join(f"{p:g},{q:g}" for p, q in places)
        for places in ([*points[:-1], (x - 6 * u, y - 6 * v)], [(x, y), *wings])
    )
    return f'<polyline class="{kind} line" points="{line}"/><polygon class="{kind} head" points="{head}"/>'


def layers(passes: tuple[tuple[str, float], ...] = (("pass", 0),), shares: bool = False) -> list[str]:
    """Three layers, each with a badge for its update, and the passes into them: kind, shift."""
    parts, y = [], TOP + HIGH / 2
    for layer, x in enumerate(LEFT):
        parts += [
            box(x, TOP, WIDE, HIGH),
            box(x + 32, BELOW + 4, 40, 20, f"ΔW{SUB[layer]}", "update mark"),
            text(MIDDLE[layer], TOP + (18 if shares else 31), f"layer {layer + 1}"),
        ]
        parts += [box(x + 4 + 15 * n, TOP + 26, 15, 20, of, "loss") for n, of in enumerate("01…9" * shares)]
        parts += [arrow(kind, (x - (26 if layer else 28), y + by), (x - 1, y + by)) for kind, by in passes]
    return parts


def two_passes(layers: list[str], judged: tuple[int, ...] = ALL) -> list[str]:
    """The image with its right label and with a wrong one, and what each does to a layer's goodness."""
    y = TOP + HIGH / 2
    parts = [*layers, box(4, y - 24, 44, 22, "x, “7”"), box(4, y + 2, 44, 22, "x, “3”")]
    parts += [
        text(4, at, words, kind, "start")
        for at, words, kind in (
            (TOP - 10, "right label", "pass"),
            (BELOW + 16, "wrong", "wrong"),
            (BELOW + 32, "label", "wrong"),
        )
    ]
    for x in (MIDDLE[layer] for layer in judged):
        for kind, by, words in (("pass", -28, "G ↑"), ("wrong", -14, "G ↓")):
            parts += [
                arrow(kind, (x + by, BELOW), (x + by, LOSS)),
                text(x + 2 * by + 40, LOSS + 47, words, kind),
            ]
    return parts


def losses(numbers: tuple[int, ...], name: str) -> list[str]:
    """A loss under each of these layers; the error goes up from it."""
    return [
        part
        for layer in numbers
        for part in (
            box(LEFT[layer], LOSS, WIDE, 30, name.format(layer + 1), "loss"),
            arrow("error", (MIDDLE[layer] + 18, LOSS), (MIDDLE[layer] + 18, BELOW + 25)),
        )
    ]


def judged(numbers: tuple[int, ...]) -> list[str]:
    """The activity goes down to the losses of these layers, and the label to each of them."""
    bus, first = LOSS + 56, MIDDLE[numbers[0]]
    parts = [text(first - 14, bus + 4, "label y", anchor="end")]
    for x in (MIDDLE[layer] for layer in numbers):
        parts += [
            arrow("pass", (x - 14, BELOW), (x - 14, LOSS)),
            arrow("pass", (first - 10, bus), (x, bus), (x, LOSS + 31)),
        ]
    return parts


def fed_back(matrix: str) -> list[str]:
    """The error goes from each layer to the one below, through a matrix."""
    parts = []
    for layer in (2, 1):
        start, end, deep = MIDDLE[layer] - 27, MIDDLE[layer - 1] + 18, BELOW + 46
        parts += [
            arrow("error", (start, BELOW), (start, deep), (end, deep), (end, BELOW + 25)),
            text((start + end) / 2, deep + 17, matrix.format(SUB[layer]), "error"),
        ]
    return parts


def fed_straight() -> list[str]:
    """The error goes from the loss at the top to every layer."""
    parts = []
    for layer, y in ((1, LOSS + 8), (0, LOSS + 22)):
        x = MIDDLE[layer] + 18
        parts += [
            arrow("error", (LEFT[2], y), (x, y), (x, BELOW + 25)),
            text(x - 6, LOSS - 8, f"B{SUB[layer]}", "error", "end"),
        ]
    return parts


def legend(*more: tuple[str, str]) -> list[str]:
    parts = []
    for x, (kind, words) in zip((6, 97, 168, 246), (*ENTRIES, *more)):
        drawn = {
            "update": box(x, KEY - 11, 24, 14, "", "update mark"),
            "wall": f'<path class="wall" d="M{x + 20} {KEY - 14} V{KEY + 6}"/>',
        }.get(kind)
        drawn = drawn or arrow(kind, (x, KEY - 4), (x + 24, KEY - 4))
        parts += [drawn, text(x + 29, KEY, words, "", "start")]
    return parts


def signal(kind: str, start: int, end: int, y: float) -> str:
    """The way of a teaching signal from one layer (1 to 3) of a small network to another."""
    a, b = 40 * start - 22, 40 * end - 22
    if start == end:
        return arrow(kind, (a, y + 30), (a, y + 11))
    if start < end:
        return arrow(kind, (a, y + 16), (b - 8, y + 16))
    deep = y + 13 + 7 * (start - end)  # a longer way passes below a shorter one
    return arrow(kind, (a - 4, y + 9), (a - 4, deep), (b + 4, deep), (b + 4, y + 9))


def reach() -> list[str]:
    """Networks of three layers, one for each reach of the teaching signal."""
    parts = []
    for row, (far, said) in enumerate(WORDS["reach"].items()):
        y, kind = 26 + 64 * row, said["colour"]
        parts += [arrow("pass", (x + 9, y), (x + 32, y)) for x in (18, 58)]
        parts += [f'<circle class="box" cx="{x}" cy="{y}" r="9"/>' for x in (18, 58, 98)]
        parts += [signal(kind, *ends, y) for ends in said["arrows"]]
        parts += [text(124, y, far, f"{kind} strong", "start"), text(124, y + 19, said["who"], "", "start")]
    return parts


def timeline() -> list[str]:
    """Year, dot and name, from top to bottom."""
    parts = ['<path class="wall" d="M66 20 V358"/>']
    for y, (year, name, kind) in zip(range(20, 400, 26), WORDS["timeline"]["rows"]):
        parts += [
            text(50, y + 4.5, year, "", "end"),
            f'<circle class="{kind} head" cx="66" cy="{y}" r="6"/>',
            text(82, y + 4.5, name, f"{kind} strong", "start"),
        ]
    return parts


def own_data() -> list[str]:
    """Folders of images, the layers that learn from them, and a class for each folder."""
    parts = [box(4, 32, 122, 168, "", "wall"), text(12, 50, "my_pictures/", "", "start")]
    for row, name in enumerate(("cat", "dog", "owl")):
        y = 60 + 46 * row
        parts += [
            box(12, y, 106, 36, "", "box"),
            text(20, y + 22.5, f"{name}/", "own strong", "start"),
            *(box(56 + 19 * n, y + 10, 16, 16, "", "loss") for n in range(3)),
            arrow("pass", (127, y + 18), (151, y + 18)),
            arrow("pass", (247, y + 18), (271, y + 18)),
            box(272, y + 6, 56, 24, name, "own mark"),
        ]
    for layer in ALL:
        parts.append(box(152 + 35 * layer, 60, 24, 128, str(layer + 1)))
        parts += [arrow("pass", (177 + 35 * layer, 124), (186 + 35 * layer, 124))] if layer < 2 else []
    parts += [text(199, 50, "layers"), text(300, 50, "classes")]
    return parts + [
        arrow("own", (65, 201), (65, 214), (300, 214), (300, 184)),
        text(182, 231, "a folder's name is its class", "own"),
    ]


def maps(
    passes: tuple[tuple[str, float], ...] = (("pass", 0),), learning: tuple[int, ...] = ALL
) -> list[str]:
    """Blocks of convolutions: each layer's box becomes a map that shrinks from block to block."""
    parts = []
    for layer, (x, places) in enumerate(zip(LEFT, (4, 3, 2))):
        side = HIGH / places
        parts += [box(x + 14, TOP - 6, HIGH, HIGH)]  # another channel, behind
        parts += [
            f'<rect class="box" x="{x + 8 + side * column:g}" y="{TOP + side * row:g}" '
            f'width="{side:g}" height="{side:g}"/>'
            for row in range(places)
            for column in range(places)
        ]
        badge = box(x + 32, BELOW + 4, 40, 20, f"ΔW{SUB[layer]}", "update mark")
        parts += [badge] if layer in learning else [text(x + 52, BELOW + 18, "random")]
        for kind, by in passes:
            y = TOP + HIGH / 2 + by
            parts += [arrow(kind, (x - (17 if layer else 28), y), (x + 7, y))]
    return parts


def taken_apart() -> list[str]:
    """Three blocks in a row, the second pulled out: what the first answers, and what the third can."""
    middle, out = TOP + HIGH / 2, 142
    parts = [box(LEFT[0], TOP, WIDE, HIGH, "block 1"), box(LEFT[2], TOP, WIDE, HIGH, "block 3")]
    parts += [box(LEFT[1], TOP, WIDE, HIGH, "", "wall"), box(LEFT[1], out, WIDE, HIGH, "block 2", "own mark")]
    parts += [arrow("own", (MIDDLE[1], out), (MIDDLE[1], BELOW + 4))]
    parts += [arrow("pass", (x, middle), (y, middle)) for x, y in ((48, 75), (145, 169), (239, 263))]
    for layer, says in ((0, "“7”"), (2, "“?”")):
        parts += [
            arrow("pass", (MIDDLE[layer], BELOW), (MIDDLE[layer], out - 2)),
            text(MIDDLE[layer], out + 18, says, "strong"),
        ]
    parts += [text(MIDDLE[0], out + 36, "still right"), text(MIDDLE[2], out + 36, "can it?")]
    return [*parts, text(MIDDLE[1], out + HIGH + 20, "plug in, take off, repair", "own")]


def speedrun() -> list[str]:
    """A stopwatch, and six layers with a border between each and the next."""
    parts = [
        '<circle class="box" cx="46" cy="66" r="30"/>',
        box(40, 28, 12, 8),
        arrow("error", (46, 66), (62, 46)),
    ]
    parts += [text(46, 120, "seconds", "error")]
    for layer in range(6):
        x = 96 + 40 * layer
        parts += [
            box(x, 92 - 8 * layer, 26, 44 + 8 * layer, str(layer + 1)),
            box(x, 164, 26, 22, "", "loss"),
            arrow("error", (x + 13, 164), (x + 13, 139)),
        ]
        parts += [f'<path class="wall" d="M{x - 7} {96 - 8 * layer} V190"/>'] if layer else []
    parts += [text(216, 208, "six layers, each with its own loss")]
    return parts


def kept() -> list[str]:
    """What has to stay in memory while one step goes on: under backpropagation, and under a local rule."""
    parts = []
    for y, busy, name in (
        (52, ALL, "backpropagation keeps all"),
        (144, (1,), "a local rule, one layer at a time"),
    ):
        parts += [text(76, y - 10, name, "", "start"), box(8, y + 13, 40, 26, "x")]
        for layer, x in enumerate(LEFT):
            is_kept = layer in busy
            parts += [box(x, y, WIDE, HIGH, "kept" if is_kept else "", "loss" if is_kept else "wall")]
            parts += [arrow("pass", (x - (26 if layer else 28), y + HIGH / 2), (x - 1, y + HIGH / 2))]
    return parts


def negatives() -> list[str]:
    """What a layer is shown, what its goodness should do, and how hard that is."""
    parts = [box(170, 34, WIDE, 148, "layer")]
    for row, (words, kind, means) in enumerate(WORDS["negatives"]["rows"]):
        y = 52 + 37 * row
        parts += [box(6, y - 13, 130, 26, words), arrow(kind, (136, y), (169, y))]
        parts += [arrow(kind, (238, y), (262, y)), text(268, y + 4.5, means, kind, "start")]
    return parts


def window() -> list[str]:
    """A label in the corner, a label as a wave, and what a small window sees of each."""
    parts, side = [], 140
    for x, title in ((14, "in the corner"), (186, "as a wave")):
        parts += [text(x + side / 2, 46, title), box(x, 56, side, side)]
    parts += [box(18 + 7 * n, 60, 7, 7, "", "update" if n == 6 else "loss") for n in range(10)]
    parts += [f'<path class="pass line" d="M186 {y} L326 {y - 40}"/>' for y in (96, 124, 152, 180)]
    parts += ['<path class="pass line" d="M228 196 L326 168"/>']
    for x, says, kind in ((94, "“?”", "wrong"), (266, "“6”", "update")):
        parts += [box(x, 120, 40, 40, says, f"{kind} mark")]
    return [*parts, text(170, 216, "what does a small window see?")]


WALLS = [f'<path class="wall" d="M{x - 13} {BELOW + 2} V{LOSS + 36}"/>' for x in LEFT[1:]]
WALLS += legend(("wall", "border"))
IMAGE = [box(8, TOP + HIGH / 2 - 13, 40, 26, "x")]
FROM_TOP = IMAGE + layers() + judged(LAST) + losses(LAST, "loss") + legend()
JUDGED = IMAGE + judged(ALL) + losses(ALL, "loss {}") + WALLS
MATRICES = [box(MIDDLE[layer] - 35, BELOW + 20, 32, 22, f"M{SUB[layer]}", "update mark") for layer in ALL]
DRAWINGS = {
    "backprop": FROM_TOP + fed_back("W{}ᵀ"),
    "feedback_alignment": FROM_TOP + fed_back("B{}"),
    "direct_feedback_alignment": FROM_TOP + fed_straight(),
    "forward_forward": two_passes(layers(TWO)) + losses(ALL, "loss {}") + WALLS,
    "ff_cnn": two_passes(maps(TWO, HIGHER), HIGHER) + losses(HIGHER, "loss {}") + WALLS,
    "mono_forward": layers() + JUDGED + MATRICES,
    "channel_wise": layers(shares=True) + JUDGED,
    "mono_forward_maps": IMAGE + maps() + judged(ALL) + losses(ALL, "loss {}") + WALLS + MATRICES,
    "take_apart": IMAGE + taken_apart(),
    "speedrun": speedrun(),
    "kept": kept(),
    "negatives": negatives(),
    "window": window(),
    "reach": reach(),
    "timeline": timeline(),
    "your_own_data": own_data(),
}
HEIGHTS = {
    "reach": 386,
    "timeline": 378,
    "your_own_data": 240,
    "take_apart": 228,
    "speedrun": 220,
    "kept": 208,
    "negatives": 194,
    "window": 226,
}  # of the others, 268


def svg(name: str) -> str:
    """One drawing, as the text of its file."""
    shape = f'width="340" height="{(high := HEIGHTS.get(name, 268))}"'
    return "\n".join(
        [
            '<svg xmlns="http://www.w3.org/2000/svg" class="drawing" '
            f'viewBox="0 0 340 {high}" {shape} role="img" '
            f'aria-label="{escape(WORDS["alt"][name])}">',
            f"<style>\n{(HERE / 'drawings.css').read_text('utf8')}</style>",
            f'<rect class="ground" {shape} rx="6"/>',
            text(6, 20, WORDS["title"].get(name, ""), "strong", "start"),
            *DRAWINGS[name],
            "</svg>\n",
        ]
    )


if __name__ == "__main__":
    for name in DRAWINGS:
        (FOLDER / f"{name}.svg").write_text(svg(name), "utf8")
    print(f"{len(DRAWINGS)} drawings in {FOLDER}")
