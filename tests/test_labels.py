"""How labels enter images, and what negatives are."""

import numpy as np
import pytest
import torch

from fftools.labels import Hybrids, Pixels, blurred_masks, hard_wrong, random_wrong


@pytest.fixture
def images():
    return torch.rand(12, 2, 4, 5, generator=torch.Generator().manual_seed(1))


LABELS = torch.arange(12) % 10


def chi_square(counts, expected) -> float:
    return float(((counts - expected) ** 2 / expected).sum())


def test_pixels_write_a_one_hot_label_and_nothing_else(images):
    before = images.clone()
    found = Pixels(10, on=0.7).embed(images, LABELS)
    assert torch.equal(images, before), "the caller's images were changed"
    assert found.shape == images.shape and found.dtype == images.dtype
    flat = found.flatten(1)
    for row, label in zip(flat, LABELS):
        expected = torch.zeros(10)
        expected[label] = 0.7
        assert torch.equal(row[:10], expected)
    assert torch.equal(flat[:, 10:], images.flatten(1)[:, 10:])


def test_neutral_pixels_tell_no_label(images):
    found = Pixels(10, on=0.7).neutral(images).flatten(1)
    torch.testing.assert_close(found[:, :10], torch.full((12, 10), 0.07))
    assert torch.equal(found[:, 10:], images.flatten(1)[:, 10:])


def test_positive_carries_the_true_label_and_negative_another_one(images):
    scheme = Pixels()
    assert torch.equal(scheme.positive(images, LABELS), scheme.embed(images, LABELS))
    for logits in (None, torch.zeros(12, 10)):
        found = scheme.negative(images, LABELS, logits).flatten(1)
        assert torch.equal(found[:, :10].sum(1), torch.ones(12))
        assert (found[:, :10].argmax(1) != LABELS).all()
        assert torch.equal(found[:, 10:], images.flatten(1)[:, 10:])


def test_pixels_need_room():
    with pytest.raises(ValueError, match=r"\(3, 1, 2, 2\).*10 label pixels"):
        Pixels(10).neutral(torch.zeros(3, 1, 2, 2))


def test_random_wrong_labels_are_wrong_and_uniform():
    torch.manual_seed(0)
    labels = torch.arange(10).repeat(5000)
    wrong = random_wrong(labels, 10)
    assert wrong.dtype == torch.int64 and wrong.min() >= 0 and wrong.max() <= 9
    assert (wrong != labels).all()
    counts = torch.zeros(10, 10).index_put_((labels, wrong), torch.tensor(1.0), accumulate=True)
    off_diagonal = counts[~torch.eye(10, dtype=torch.bool)].numpy()
    # 90 cells of 5000/9 each, ten sums fixed: 80 degrees of freedom, 99.99 % quantile 133.
    assert chi_square(off_diagonal, np.full(90, 5000 / 9)) < 133


def test_hard_wrong_labels_follow_the_softmax_without_the_true_class():
    torch.manual_seed(0)
    logits = torch.tensor([2.0, -1.0, 0.5, 1.0, 0.0])
    labels = torch.full((40_000,), 3)
    wrong = hard_wrong(logits.expand(40_000, 5), labels)
    assert (wrong != labels).all()
    counts = torch.bincount(wrong, minlength=5).double()
    expected = logits.double().exp()
    expected[3] = 0  # softmax over the wrong classes only
    expected *= 40_000 / expected.sum()
    keep = torch.tensor([0, 1, 2, 4])
    assert chi_square(counts[keep].numpy(), expected[keep].numpy()) < 21  # 3 degrees of freedom, 99.99 % quantile


def test_hard_wrong_takes_low_precision_logits_and_leaves_them_alone():
    logits = torch.tensor([[9.0, 8.0, -50.0], [9.0, -50.0, 8.0]], dtype=torch.bfloat16)
    before = logits.clone()
    assert hard_wrong(logits, torch.tensor([0, 0])).tolist() == [1, 2]
    assert torch.equal(logits, before)


def naive_blur(bits: np.ndarray) -> np.ndarray:
    padded, out = np.pad(bits, 1, mode="edge"), np.zeros_like(bits)
    for dy, wy in zip((-1, 0, 1), (0.25, 0.5, 0.25)):
        for dx, wx in zip((-1, 0, 1), (0.25, 0.5, 0.25)):
            out += wy * wx * padded[1 + dy:1 + dy + bits.shape[0], 1 + dx:1 + dx + bits.shape[1]]
    return out


def test_masks_are_blurred_bits_over_one_half():
    images = torch.zeros(3, 1, 9, 11)
    torch.manual_seed(5)
    found = blurred_masks(images, 4)
    torch.manual_seed(5)
    bits = torch.randint(2, (3, 1, 9, 11)).double().numpy()
    for mask, raw in zip(found, bits):
        blurred = raw[0]
        for _ in range(4):
            blurred = naive_blur(blurred)
        clear = np.abs(blurred - 0.5) > 1e-5
        assert (mask[0].numpy() == (blurred > 0.5))[clear].all() and clear.mean() > 0.9


def test_masks_have_large_regions_of_both_kinds():
    torch.manual_seed(0)
    masks = blurred_masks(torch.zeros(400, 1, 28, 28), 8)
    assert masks.dtype == torch.bool and masks.shape == (400, 1, 28, 28)
    assert 0.45 < masks.float().mean() < 0.55
    neighbours_agree = (masks[..., 1:] == masks[..., :-1]).float().mean()
    assert neighbours_agree > 0.85  # of raw random bits, half agree


def test_hybrids_take_every_pixel_from_one_of_two_images():
    torch.manual_seed(0)
    count, height, width = 20, 28, 28
    images = (torch.arange(count) + 1.0).view(-1, 1, 1, 1).expand(count, 3, height, width).contiguous()
    found = Hybrids().negative(images, torch.zeros(count))
    other = images.roll(1, 0)
    own = found == images
    assert (own | (found == other)).all()
    assert torch.equal(own.all(1), own.any(1)), "a mask covers all channels alike"
    assert 0.3 < own.float().mean() < 0.7


def test_hybrids_know_no_labels(images):
    scheme = Hybrids()
    assert scheme.positive(images, LABELS) is images and scheme.neutral(images) is images
    assert scheme.classes == 0
