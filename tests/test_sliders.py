"""Sliders over frames that are drawn beforehand."""

import base64
import io
import json
import re

import matplotlib.image
import nbclient
import nbconvert
import nbformat
import numpy as np
import pytest

from fftools.show.sliders import sliders


def told(html: str) -> dict:
    return json.loads(re.search(r"told = (\{.*\});", html)[1])


def test_every_combination_has_its_frame_in_the_order_in_which_the_page_counts():
    draw = lambda level, row: np.eye(4)[row] * level * np.ones((4, 1))
    html = sliders(draw, alt="a bar", level=[0.0, 0.5, 1.0], row=[0, 1, 2, 3]).data
    content = told(html)
    assert len(content["frames"]) == 12 and content["values"] == [["0.0", "0.5", "1.0"], ["0", "1", "2", "3"]]
    for level, value in enumerate((0.0, 0.5, 1.0)):
        for row in range(4):
            frame = base64.b64decode(content["frames"][level * 4 + row])
            grey = 1 - matplotlib.image.imread(io.BytesIO(frame))[:, :, 0]  # dark on white
            np.testing.assert_allclose(grey, draw(value, row), atol=0.01)


def test_it_is_usable_without_a_kernel_or_a_network_and_named_for_those_who_do_not_see():
    html = sliders(lambda k: np.zeros((2, 2)), alt='a "quoted" < picture', k=[1, 2, 3]).data
    assert html.count('<input type="range"') == 1 and "<label" in html and "http" not in html
    assert '"aria-valuetext", value' in html  # a screen reader says the value, not its number in the list
    assert 'alt="a &quot;quoted&quot; &lt; picture"' in html


def test_two_on_a_page_do_not_meet():
    names = {
        re.search(r'<div id="([^"]+)"', sliders(lambda k: np.zeros((2, 2)), alt="", k=[1]).data)[1]
        for _ in range(2)
    }
    assert len(names) == 2


@pytest.mark.parametrize("axes", [{}, {"k": []}, {"k": list(range(21)), "f": list(range(20))}])
def test_too_few_and_too_many_frames_are_refused(axes):
    with pytest.raises(ValueError, match="1 to 400 combinations"):
        sliders(lambda **_: np.zeros((2, 2)), alt="", **axes)


@pytest.mark.parametrize("theirs", [[], ["ipywidgets.IntSlider()"], ["print(1)"]])
def test_an_executed_notebook_keeps_it_when_it_is_exported(theirs, tmp_path):
    """By nbconvert, as JupyterLab's menu does it; also beside widgets, whose view it would prefer to HTML."""
    code = "import ipywidgets, numpy as np\nfrom fftools.show.sliders import sliders\n" + "\n".join(
        [
            *(f"display({line})" if "ipy" in line else line for line in theirs),
            'sliders(lambda k: np.zeros((2, 2)), alt="a picture", k=[1, 2])',
        ]
    )
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    nbclient.NotebookClient(notebook, kernel_name="python3").execute()
    page, _ = nbconvert.HTMLExporter().from_notebook_node(notebook)
    assert len(re.findall('<input[^>]*type="range"', page)) == 1 and 'alt="a picture"' in page
