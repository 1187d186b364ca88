"""How labels enter images, and what negatives are."""

import numpy as np
import pytest
import torch

from fftools.labels import Fourier, Hybrids, Pixels, blurred_masks, hard_wrong, random_wrong


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
    assert (
        chi_square(counts[keep].numpy(), expected[keep].numpy()) < 21
    )  # 3 degrees of freedom, 99.99 % quantile


def test_hard_wrong_takes_low_precision_logits_and_leaves_them_alone():
    logits = torch.tensor([[9.0, 8.0, -50.0], [9.0, -50.0, 8.0]], dtype=torch.bfloat16)
    before = logits.clone()
    assert hard_wrong(logits, torch.tensor([0, 0])).tolist() == [1, 2]
    assert torch.equal(logits, before)


def naive_blur(bits: np.ndarray) -> np.ndarray:
    padded, out = np.pad(bits, 1, mode="edge"), np.zeros_like(bits)
    for dy, wy in zip((-1, 0, 1), (0.25, 0.5, 0.25)):
        for dx, wx in zip((-1, 0, 1), (0.25, 0.5, 0.25)):
            out += wy * wx * padded[1 + dy : 1 + dy + bits.shape[0], 1 + dx : 1 + dx + bits.shape[1]]
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


# --- waves -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("size", [(28, 28), (32, 32), (28, 20)])
def test_waves_are_cosines_of_one_mode(number, size):
    """Against the closed form and the paper's recipe backward: one mode and its mirror in Fourier space."""
    scheme = Fourier(set=number)
    waves, (height, width) = scheme.waves(*size), size
    assert waves.shape == (10, 1, *size) and waves.dtype == torch.float32
    y, x = np.mgrid[:height, :width]
    for wave, (down, right, phase) in zip(waves, scheme.modes(*size)):
        expected = (1 + np.cos(2 * np.pi * (down * y / height + right * x / width) - phase * np.pi / 2)) / 2
        np.testing.assert_allclose(wave[0].numpy(), expected, atol=1e-6)
        spectrum = np.abs(np.fft.fft2(wave[0].numpy() - 0.5)) / (height * width)
        assert (spectrum > 0.01).sum() == 2 and spectrum[down, right] == pytest.approx(0.25, abs=1e-4)


def test_set_1_has_four_orientations_and_three_frequencies():
    modes = Fourier(classes=12).modes(28, 28)
    angles = {round(float(np.degrees(np.arctan2(down, right)))) % 180 for down, right, _ in modes}
    assert angles == {0, 45, 90, 135}
    assert {max(abs(down), abs(right)) for down, right, _ in modes} == {1, 2, 3}
    assert Fourier().modes(28, 28) == modes[:10]


def test_set_2_has_one_frequency_and_ten_angles():
    modes = Fourier(set=2).modes(28, 28)
    angles = np.degrees([np.arctan2(down, right) for down, right, _ in modes]) % 180
    assert np.abs(angles - 18 * np.arange(10)).max() < 6, (
        "ten equidistant angles, as far as whole modes allow"
    )
    lengths = np.hypot(*np.array(modes)[:, :2].T)
    assert lengths.min() > 3.5 and lengths.max() < 4.5


@pytest.mark.parametrize("classes", [2, 10, 48, 100, 200])
def test_any_number_of_classes_has_different_waves(classes):
    waves = Fourier(classes).waves(32, 32).flatten(1)
    assert len(waves) == classes
    assert (torch.cdist(waves, waves) + 99 * torch.eye(classes)).min() > 5


def test_waves_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="8×8 pixels have no room for 100 waves of set 1"):
        Fourier(100).waves(8, 8)
    with pytest.raises(ValueError, match="no room for 60 waves of set 2"):
        Fourier(60, set=2).waves(32, 32)
    for wrong in ({"set": 3}, {"strength": 0}, {"strength": 1.5}, {"classes": 1}):
        with pytest.raises(ValueError, match=f"{list(wrong)[0]}={list(wrong.values())[0]}"):
            Fourier(**wrong)


def test_embed_superposes_at_strength_k_and_fills_0_to_1():
    images = torch.rand(12, 3, 28, 28) * 0.7
    scheme, before = Fourier(strength=0.2), images.clone()
    found = scheme.embed(images, LABELS)
    assert torch.equal(images, before) and found.shape == images.shape
    mixed = 0.8 * images + 0.2 * scheme.waves(28, 28)[LABELS]
    low, high = mixed.amin((1, 2, 3), keepdim=True), mixed.amax((1, 2, 3), keepdim=True)
    torch.testing.assert_close(found, (mixed - low) / (high - low))
    assert (found.amin((1, 2, 3)) == 0).all() and (found.amax((1, 2, 3)) == 1).all()


def test_positive_negative_and_neutral_waves():
    images = torch.zeros(12, 1, 28, 28)
    scheme = Fourier()
    waves = scheme.waves(28, 28)
    told = lambda found: torch.stack([(found - wave).abs().mean((1, 2, 3)) for wave in waves], 1).argmin(1)
    assert torch.equal(told(scheme.positive(images, LABELS)), LABELS)
    for logits in (None, torch.zeros(12, 10)):
        assert (told(scheme.negative(images, LABELS, logits)) != LABELS).all()
    mean = waves.mean(0)
    torch.testing.assert_close(
        scheme.neutral(images), ((mean - mean.min()) / (mean.max() - mean.min())).expand(12, 1, 28, 28)
    )


def test_a_coloured_wave_stands_for_seven_classes():
    scheme, grey = Fourier(100, colours=True), Fourier(15)
    waves = scheme.waves(32, 32)
    assert waves.shape == (100, 3, 32, 32) and scheme.modes(32, 32) == grey.modes(32, 32)
    for label, wave in enumerate(waves):
        mode, mix = divmod(label, 7)
        for channel, on in zip(wave, Fourier.MIXES[mix]):
            expected = grey.waves(32, 32)[mode, 0] if on else torch.full((32, 32), 0.5)
            torch.testing.assert_close(channel, expected)
    images = torch.rand(3, 3, 32, 32)
    found = scheme.embed(images, torch.tensor([0, 50, 99]))
    assert found.shape == images.shape and found.amin() == 0 and found.amax() == 1
    with pytest.raises(ValueError, match=r"\(N, 3, H, W\); got \(2, 1, 32, 32\)"):
        scheme.embed(torch.rand(2, 1, 32, 32), torch.tensor([0, 1]))


def test_the_strength_can_be_changed_in_the_midst_of_training():
    images, scheme = torch.rand(12, 1, 28, 28), Fourier(strength=0.35)
    assert scheme.strength == 0.35
    before = scheme.embed(images, LABELS)
    scheme.strength = 0.2
    with pytest.raises(ValueError, match="strength=1.5"):
        scheme.strength = 1.5
    assert scheme.strength == 0.2
    assert torch.equal(scheme.embed(images, LABELS), Fourier(strength=0.2).embed(images, LABELS))
    assert not torch.equal(scheme.embed(images, LABELS), before)
