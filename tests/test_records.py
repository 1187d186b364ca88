"""Records: one file per run, written whole or not at all."""

import json
import os
import re
import signal
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest
import torch

from evidence import query, records
from evidence.studies import STUDIES, change
from evidence.studies.ff_cnn import FF_CNN, THROUGH
from evidence.studies.mono_forward import race
from fftools.fast import convolution

CONFIG = {"widths": [784, 10], "lr": 0.1}


def save(config=CONFIG, seed=0, study="a-study", profile="quick", **metrics):
    return records.save(
        study,
        config,
        seed,
        profile,
        metrics or {"test": 0.5},
        {"loss": [[1.0]]},
        records.provenance("digits", "cpu", "float32", 12.345),
    )


def test_a_record_comes_back_as_it_was_written(tmp_path):
    path = save(test=0.25, val=1.0)
    assert path == records.path_of("a-study", CONFIG, 0) and path.is_relative_to(
        tmp_path / "results" / "a-study"
    )
    (found,) = records.load("a-study")
    assert found == json.loads(path.read_text())
    assert found["config"] == CONFIG and found["metrics"] == {"test": 0.25, "val": 1.0}
    assert (found["study"], found["seed"], found["profile"]) == ("a-study", 0, "quick")
    assert set(found) == records.KEYS


def test_a_row_of_numbers_is_one_line_and_text_stays_as_it_is(tmp_path):
    content = {"matrix": [[1, 2.5], [-3, None]], "text": "a [ b  c ] d", "words": ["x"], "none": []}
    records.write_json(tmp_path / "x.json", content)
    text = (tmp_path / "x.json").read_text()
    assert json.loads(text) == content and "[1, 2.5]" in text and "[-3, null]" in text


def test_names_depend_on_configuration_and_seed_alone():
    name = records.run_name({"a": 1, "b": [2, 3]}, 0)
    assert name == records.run_name({"b": [2, 3], "a": 1}, 0), "order of keys"
    assert (
        len({name, records.run_name({"a": 1, "b": [2, 3]}, 1), records.run_name({"a": 1, "b": [3, 2]}, 0)})
        == 3
    )
    # Fixed for all time and on all machines, or else no study would find its old records:
    assert records.run_name({"lr": 0.1, "widths": [784, 10]}, 7) == "17e01614e5-s7"


@pytest.mark.parametrize(
    "config, name",
    [
        (FF_CNN, "ff-mnist-3x128-k7-local-lr0.0005-ep200-b50"),
        (
            change(FF_CNN, THROUGH, dict(labels=dict(strength=0.45))),
            "ff-mnist-3x128-k7-through-lr0.0005-ep200-k0.45-b50",
        ),
        (race("mlp", "mf", "fashion_mnist", epochs=40), "mf-fashion-mnist-2x1000-lr0.001-ep40-b128"),
        ({}, "run"),
    ],
)
def test_a_record_has_a_name_for_people(config, name):
    assert records.slug(config) == name
    assert records.path_of("a-study", config, 3).name == f"{name}--{records.run_name(config, 3)}.json"


def test_names_for_people_are_short_and_plain():
    for study in STUDIES.values():
        for config in study.grid("full"):
            assert re.fullmatch(r"[a-z0-9.]+(-[a-z0-9.]+)*", name := records.slug(config)) and len(name) <= 60


@pytest.mark.parametrize("before", ["", "as-it-was-called-once--"])
def test_a_record_is_found_by_its_hash_whatever_it_is_called(before):
    kept = save()
    moved = kept.rename(kept.with_name(f"{before}{records.run_name(CONFIG, 0)}.json"))
    assert records.path_of("a-study", CONFIG, 0) == moved and records.run_of(moved) == records.run_name(
        CONFIG, 0
    )
    assert records.path_of("a-study", CONFIG, 1) != moved
    moved.with_name(f"another-name--{records.run_name(CONFIG, 0)}.json").write_bytes(moved.read_bytes())
    assert len(records.load("a-study")) == 1, "one run, however many copies"
    assert records.share(records.path_of("b-study", CONFIG, 0), "b-study", "quick")


def test_provenance_says_how_numbers_were_made():
    found = records.provenance("digits", "cpu", "bf16", 12.345)
    assert found["dataset"] == "digits" and found["precision"] == "bf16" and found["seconds"] == 12.3
    assert found["torch"] == torch.__version__ and found["python"] == ".".join(map(str, sys.version_info[:3]))
    assert (
        found["device"] == f"cpu, {torch.get_num_threads()} threads"
        and found["convolution"] == convolution.path()
    )
    convolution.take("direct")
    assert records.provenance("digits", "cpu", "bf16", 1)["convolution"] == "direct"
    convolution.take(None)
    assert records.provenance("digits", "meta", "bf16", 1)["convolution"] == "torch"
    age = datetime.now().astimezone() - datetime.fromisoformat(found["finished"])
    assert abs(age.total_seconds()) < 60


def test_provenance_outside_a_repository(monkeypatch):
    run = subprocess.run
    monkeypatch.setattr(subprocess, "run", lambda command, **options: run(command, **options | {"cwd": "/"}))
    assert records.provenance("digits", "cpu", "bf16", 1)["commit"] == "unknown"


@pytest.mark.parametrize(
    "changed, dirty", [("fftools/deep/a.py", True), ("evidence/b.py", True), ("book/c.md", False)]
)
def test_provenance_follows_both_packages(changed, dirty, monkeypatch, tmp_path):
    git = lambda *words: subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@b", *words],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    git("init", "-q")
    for name in ("fftools/deep/a.py", "evidence/b.py", "evidence/records.py", "book/c.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("1")
        git("add", ".")
        git("commit", "-q", "-m", name)
    last = git("log", "-1", "--format=%h", "--abbrev=12", "--", "evidence")
    monkeypatch.setattr(records, "__file__", str(tmp_path / "evidence/records.py"))
    assert records._commit() == last
    (tmp_path / changed).write_text("2")
    assert records._commit() == last + "-dirty" * dirty


def test_provenance_without_git(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert records.provenance("digits", "cpu", "bf16", 1)["commit"] == "unknown"


def test_profiles_and_studies_are_kept_apart():
    save(seed=0)
    save(seed=1, profile="full")
    save(seed=2, study="other")
    assert [r["seed"] for r in records.load("a-study")] in ([0, 1], [1, 0])
    assert [r["seed"] for r in records.load("a-study", "full")] == [1]
    assert records.load("nothing") == []


@pytest.mark.parametrize("ask", [records.is_full, lambda name: records.load("a-study", name)])
def test_another_profile_is_refused(ask):
    with pytest.raises(ValueError, match='profile must be "quick" or "full"; got \'Full\''):
        ask("Full")
    assert records.is_full("full") and not records.is_full("quick")


def test_table_has_a_row_per_record():
    for seed in range(3):
        save(seed=seed, test=seed / 10)
    table = query.table("a-study", "quick")
    assert table.sort_values("seed").test.tolist() == [0, 0.1, 0.2]
    assert {"lr", "widths", "seed", "profile", "test", "device", "seconds", "dataset"} <= set(table.columns)


def test_folder_is_found_from_below(monkeypatch, tmp_path):
    monkeypatch.delenv("FFTOOLS_RESULTS_DIR")
    (tmp_path / "notebooks").mkdir()
    records.write_json(tmp_path / "results" / "verdicts.json", {})
    monkeypatch.chdir(tmp_path / "notebooks")
    assert records.folder() == tmp_path / "results"


@pytest.mark.parametrize(
    "content, said",
    [
        ("", "is not JSON"),
        ('{"study": "a', "is not JSON"),
        ("[]", "lacks config"),
        ('{"study": 1, "seed": 2}', "lacks config, history, metrics"),
    ],
)
def test_an_unreadable_record_is_named(content, said):
    save(seed=0)
    broken = save(seed=1)
    broken.write_text(content)
    with pytest.raises(ValueError, match=said) as error:
        records.load("a-study")
    assert str(broken) in str(error.value) and "delete it and run the study again" in str(error.value)


def test_a_record_cut_short_does_not_exist(monkeypatch):
    """Killed between writing and naming: the old record stands, and readers see no half of the new one."""
    path = save(test=0.1)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        save(test=0.2)
    assert records.load("a-study")[0]["metrics"] == {"test": 0.1}
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        save(seed=1)
    assert len(records.load("a-study")) == 1
    save(test=0.3)
    assert json.loads(path.read_text())["metrics"] == {"test": 0.3}


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_reader_never_sees_half_a_record(tmp_path):
    """One process writes a large record over and over until SIGKILL; another reads all the while."""
    path, fill, seen = tmp_path / "r.json", ["x" * 100] * 5_000, set()
    if not (writer := os.fork()):
        try:
            for number in range(100_000):
                records.write_json(path, {"number": number, "fill": fill, "last": number})
        finally:
            os._exit(1)
    while len(seen) < 10:
        assert os.waitpid(writer, os.WNOHANG) == (0, 0), "the writer failed"
        if path.exists():
            found = json.loads(path.read_text())
            assert found["number"] == found["last"]
            seen.add(found["number"])
    os.kill(writer, signal.SIGKILL)
    os.waitpid(writer, 0)
    assert json.loads(path.read_text())["number"] >= max(seen)


def test_glue_carries_numbers_to_other_pages(monkeypatch):
    import IPython.display

    shown = []
    monkeypatch.setattr(
        IPython.display, "display", lambda content, **options: shown.append((content, options))
    )
    records.glue("test_error", 4.25)
    ((content, options),) = shown
    assert content == {"application/papermill.record/text/plain": "4.25"} and options["raw"]
    assert options["metadata"]["scrapbook"]["name"] == "test_error"
