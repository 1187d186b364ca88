"""What the papers report beside the records."""

import re
from pathlib import Path

import pytest

from fftools import claims, records
from fftools.claims import Claim

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def two_seeds(tmp_path, monkeypatch):
    """A results folder with two full records of one configuration, and one of another."""
    monkeypatch.setenv("FFTOOLS_RESULTS_DIR", str(tmp_path))
    config = dict(widths=[784, 10], epochs=3, shift=1, network={"negatives": "hard"})
    origin = records.provenance("mnist", "cpu", "bf16", 1.0)
    for seed, right in enumerate((0.98, 0.96)):
        records.save("study", config, seed, "full", {"test_goodness": right}, {}, origin)
    records.save("study", config | {"shift": 0}, 0, "full", {"test_goodness": 0.5}, {}, origin)
    records.save("study", config, 7, "quick", {"test_goodness": 0.1}, {}, origin)


def test_ours_is_the_mean_error_over_the_seeds_of_the_asked_configuration(two_seeds):
    claim = Claim("", "", 1.0, "study", "test_goodness", {"shift": 1})
    assert claim.ours() == "3.00 ± 1.41 %"
    assert claim.scale() == "mnist, 784-10, 3 epochs, hard negatives, shifts of ±1 px, 2 seeds, CPU, bf16"
    assert Claim("", "", 1.0, "study", "test_goodness", {"shift": 0}).ours() == "50.00 %"


def test_without_a_record_it_says_so(two_seeds):
    claim = Claim("", "", 1.0, "study", "test_linear")
    assert claim.ours() == "not run yet" and claim.scale() == ""


def test_a_claim_can_ask_for_a_part_deep_in_a_configuration(two_seeds):
    config = dict(blocks=dict(channels=1, widths=[4, 4], kernel=5), epochs=2, network=dict(local=True, norm="layer"))
    records.save("deep", config, 0, "full", {"val_goodness": 0.75}, {}, records.provenance("mnist", "cpu", "bf16", 1.0))
    asked = lambda **network: Claim("", "", 1.0, "deep", "val_goodness", {"network": network})
    assert asked(local=True).ours() == "25.00 %" and asked(local=False).ours() == "not run yet"
    assert asked(local=True).scale() == "mnist, 4-4 filters 5×5, 2 epochs, 1 seed, CPU, bf16"


def test_readme_shows_what_the_records_say(monkeypatch):
    monkeypatch.setenv("FFTOOLS_RESULTS_DIR", str(ROOT / "results"))  # the project's own records, not a test's
    shown = re.search(r"<!-- claims -->\n(.*)\n<!-- /claims -->", (ROOT / "README.md").read_text("utf8"), re.DOTALL)[1]
    assert shown == claims.markdown(), "README.md is behind the records: run `make claims`"


def test_every_claim_asks_a_study_that_exists():
    from fftools.grids import STUDIES

    for claim in claims.CLAIMS:
        configs = STUDIES[claim.study].grid("full")
        assert any(claims._holds(config, claim.where) for config in configs), claim
