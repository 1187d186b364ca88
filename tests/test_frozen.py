"""No record is ever lost: grids keep their configurations' hashes, and each record is found under its own."""

import json
from pathlib import Path

import pytest

from evidence import records
from evidence.studies import STUDIES

ROOT = Path(__file__).resolve().parent.parent
FROZEN = json.loads(Path(__file__).with_name("frozen.json").read_text())


@pytest.mark.parametrize("study", FROZEN["grids"])
def test_a_grid_keeps_its_hashes(study):
    """A grid may grow; what was in it stays, in the same order."""
    for profile, frozen in FROZEN["grids"][study].items():
        now = [records.run_name(config, 0).removesuffix("-s0") for config in STUDIES[study].grid(profile)]
        assert [name for name in now if name in frozen] == frozen


@pytest.mark.parametrize("study", FROZEN["records"])
def test_every_record_is_found_under_its_hash(study, monkeypatch):
    monkeypatch.setenv("FFTOOLS_RESULTS_DIR", str(ROOT / "results"))
    runs = {records.run_name(record["config"], record["seed"]): record for record in records.load(study)}
    assert set(FROZEN["records"][study]) <= set(runs)
    for name in FROZEN["records"][study]:
        record = runs[name]
        assert records.read(records.path_of(study, record["config"], record["seed"])) == record
