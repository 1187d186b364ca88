"""Morphological operations against SciPy's, image by image."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from fftools.labels import Morphology, morphology, stretch


def by_scipy(image: np.ndarray, operation: str, element: np.ndarray) -> np.ndarray:
    options = dict(structure=np.zeros(element.shape), footprint=element, mode="constant")
    dilate = lambda x: ndimage.grey_dilation(x, cval=-np.inf, **options)
    erode = lambda x: ndimage.grey_erosion(x, cval=np.inf, **options)
    return {
        "dilation": lambda: dilate(image),
        "erosion": lambda: erode(image),
        "opening": lambda: dilate(erode(image)),
        "closing": lambda: erode(dilate(image)),
        "gradient": lambda: dilate(image) - erode(image),
    }[operation]()


@pytest.mark.parametrize("operation", morphology.OPERATIONS)
def test_each_image_gets_its_own_operation_and_element(operation):
    elements = morphology.structuring_elements()
    images = torch.rand(len(elements), 2, 11, 9, generator=torch.Generator().manual_seed(0))
    number = morphology.OPERATIONS.index(operation)
    operations = torch.arange(len(elements)) % len(morphology.OPERATIONS)
    operations[::2] = number
    found = morphology.transform(images, operations, elements)
    for image, which, element, ours in zip(images, operations, elements, found):
        for channel in range(2):
            expected = by_scipy(image[channel].numpy(), morphology.OPERATIONS[which], element.numpy())
            np.testing.assert_array_equal(ours[channel].numpy(), expected)


def test_elements_differ_and_have_a_middle():
    elements = morphology.structuring_elements()
    assert elements.shape == (21, 7, 7) and elements.dtype == torch.bool
    assert len({tuple(element.flatten().tolist()) for element in elements}) == 21
    assert elements[:, 3, 3].all() and torch.equal(elements, elements.flip(1, 2)), (
        "symmetric: erosion by the negative"
    )
    assert elements.flatten(1).sum(1).tolist() == [5] * 4 + [9, 9, 9] + [7] * 4 + [13, 13, 9] + [3] * 4 + [
        5,
        5,
        9,
    ]


def test_what_is_flat_stays_flat():
    images = torch.full((21, 1, 8, 8), 0.25)
    elements, every = morphology.structuring_elements(), torch.zeros(21, dtype=torch.int64)
    for number, operation in enumerate(morphology.OPERATIONS):
        found = morphology.transform(images, every + number, elements)
        assert torch.equal(found, torch.zeros_like(images) if operation == "gradient" else images), operation


# --- as labels ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("classes, shape, often", [(10, (1, 28, 28), 1.0), (100, (3, 32, 32), 0.5)])
def test_windows_of_an_empty_image_tell_the_label(classes, shape, often):
    """Spread over the image: any two labels differ in all 7×7 windows, of a hundred labels in most."""
    found = Morphology(classes).embed(torch.zeros(classes, *shape), torch.arange(classes))
    assert found.shape == (classes, *shape) and found.amin() == 0 and found.amax() == 1
    windows = found[:, 0].unfold(1, 7, 7).unfold(2, 7, 7).flatten(1, 2).flatten(2).transpose(0, 1)
    apart = (torch.cdist(windows, windows) > 0.05).float().mean(0) + torch.eye(classes)
    assert apart.min() >= often


def test_embed_is_the_image_and_what_became_of_it():
    images = torch.rand(6, 3, 12, 10, generator=torch.Generator().manual_seed(1)) * 0.5
    labels, scheme, before = torch.tensor([0, 1, 2, 3, 4, 9]), Morphology(strength=0.2), images.clone()
    found = scheme.embed(images, labels)
    assert torch.equal(images, before)
    grainy, elements = images / 4 + 0.75 * morphology.grain(12, 10), morphology.structuring_elements()[labels]
    changed = morphology.transform(grainy, labels % 5, elements)
    torch.testing.assert_close(found, stretch(0.8 * images + 0.2 * stretch(changed)))


def test_a_label_is_told_by_the_given_label_alone():
    """Equal images under equal labels are equal, whatever stands beside them in the batch."""
    images = torch.rand(4, 1, 9, 9)
    scheme = Morphology()
    together = scheme.embed(images, torch.tensor([3, 1, 4, 1]))
    for number, label in enumerate([3, 1, 4, 1]):
        assert torch.equal(
            scheme.embed(images[number : number + 1], torch.tensor([label]))[0], together[number]
        )


def test_neutral_is_no_class():
    images = torch.rand(5, 1, 14, 14)
    scheme = Morphology()
    neutral = scheme.neutral(images)
    assert neutral.amin() == 0 and neutral.amax() == 1
    for label in range(10):
        assert ((scheme.embed(images, torch.full((5,), label)) - neutral).abs().mean((1, 2, 3)) > 0.005).all()


def test_there_are_105():
    Morphology(105).embed(torch.rand(2, 1, 9, 9), torch.tensor([104, 103]))
    with pytest.raises(ValueError, match="105 morphology labels; got 106"):
        Morphology(106)
    for wrong in ({"strength": 0}, {"strength": 1.5}, {"classes": 1}):
        with pytest.raises(ValueError, match=f"{list(wrong)[0]}={list(wrong.values())[0]}"):
            Morphology(**wrong)
