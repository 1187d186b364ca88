"""Consoles that cannot write every character: what they cannot write is replaced, and the command goes on."""

import io
import sys

import pytest
from test_house import tool

from evidence import __main__ as evidence_command
from evidence import studies
from evidence.studies import Study
from fftools import __main__ as data_command

pytestmark = pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1"])


def written(monkeypatch, encoding, command, *words) -> tuple[int, str]:
    """Run a command on a console of this encoding; its status and what reached the console."""
    kept = io.BytesIO()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", io.TextIOWrapper(kept, encoding))
        patch.setattr(sys, "argv", ["command", *words])
        status = command.main()
        sys.stdout.flush()
        return status, kept.getvalue().decode(encoding)


def test_datas_folder_may_be_called_anything(encoding, monkeypatch, tmp_path):
    monkeypatch.setenv("FFTOOLS_DATA_DIR", str(tmp_path / "数据"))
    status, said = written(monkeypatch, encoding, data_command, "data", "digits")
    assert status == 0 and said.startswith("digits: 1297 + 200 + 300 examples") and said.endswith("??\n")


def test_a_study_may_ask_anything(encoding, monkeypatch):
    monkeypatch.setattr(
        studies, "STUDIES", {"wide": Study("wide", "Is 128 → 128 filters 7×7 θ enough?", {}, [])}
    )
    status, said = written(monkeypatch, encoding, evidence_command, "study", "list")
    assert status == 0 and "128 ? 128 filters 7" in said


def test_a_checkout_may_lie_anywhere(encoding, monkeypatch, tmp_path):
    monkeypatch.setattr(tool, "check", lambda: print("in hier → dort"))
    assert written(monkeypatch, encoding, tool, "check")[1] == "in hier ? dort\n"
