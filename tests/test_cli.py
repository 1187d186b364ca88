"""The command line."""

import json
import subprocess
import sys

import pytest

from evidence import __main__ as command
from evidence import claims, pages, records, run, studies
from evidence.studies import Study, change
from evidence.studies.mlp import FF
from fftools import __main__ as data_command
from fftools import data

TINY = change(
    FF,
    dict(
        dataset="digits",
        widths=[784, 10],
        epochs=1,
        batch_size=50,
        readout_epochs=0,
        splits=["validation"],
        train_images=200,
    ),
)


@pytest.fixture
def call(monkeypatch, capsys, digits):
    """`python -m evidence`, or for data `python -m fftools`, with these words: status, stdout and stderr."""
    monkeypatch.setattr(
        studies, "STUDIES", {"tiny": Study("tiny", "a question", TINY, [{}], quick={"lr": 2e-3})}
    )

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["command", *words])
        try:
            status = (data_command if words[:1] == ("data",) else command).main()
        except SystemExit as stop:
            status = stop.code
        return status, *capsys.readouterr()

    return run


def test_data_says_what_is_there(call):
    status, out, _ = call("data", "digits")
    assert status == 0 and out.startswith("digits: 1297 + 200 + 300 examples")


def test_data_that_cannot_be_had(call, monkeypatch, tmp_path):
    monkeypatch.setenv("FFTOOLS_DATA_DIR", str(tmp_path))
    status, out, err = call("data", "mnist")
    assert status == 1 and out == "" and "To mend it" in err and "Traceback" not in err


def test_data_of_an_unknown_name(call):
    status, out, err = call("data", "mnits")
    assert status == 1 and out == "" and "'mnits'" in err and "expected one of mnist" in err


def test_study_list_run_and_show(call):
    assert call("study", "list")[1].split() == ["tiny", "0", "of", "1", "made", "a", "question"]
    status, out, _ = call("study", "run", "tiny", "--seeds", "2")
    assert status == 0 and "val_goodness" in out
    assert [r["seed"] for r in records.load("tiny", "quick")] in ([0, 1], [1, 0])
    assert records.load("tiny")[0]["config"]["lr"] == 2e-3, "the quick profile"
    before = sorted((path.name, path.stat().st_mtime_ns) for path in (records.folder() / "tiny").iterdir())
    assert call("study", "show", "tiny")[1] == out
    assert call("study", "run", "tiny", "--seeds", "2")[1] == out
    assert before == sorted(
        (path.name, path.stat().st_mtime_ns) for path in (records.folder() / "tiny").iterdir()
    )


def test_a_run_is_made_anew_and_compared(call, monkeypatch):
    call("study", "run", "tiny")
    (path,) = (records.folder() / "tiny").glob("*.json")
    before, trained = path.read_bytes(), []
    train = run.train
    monkeypatch.setattr(run, "train", lambda *rest: trained.append(rest) or train(*rest))
    path.write_bytes(before.replace(b'"val_goodness": 0', b'"val_goodness": 1'))
    status, out, err = call("study", "again", str(path))
    assert status == 0 and len(trained) == 1, err
    row = out.splitlines()[1].split()
    assert row[0] == "val_goodness" and float(row[3]) == -1 and out.splitlines()[-1].startswith("again")
    assert path.read_bytes().count(b'"val_goodness": 1') == 1, "the kept record stays as it is"
    assert call("study", "again", "nowhere.json")[0] == 1
    path.write_bytes(before.replace(b'"rule"', b'"role"'))
    status, _, err = call("study", "again", str(path))
    assert status == 1 and "must be the record of a trained network" in err and "Traceback" not in err


def test_a_broken_record_is_a_message_and_no_traceback(call):
    call("study", "run", "tiny")
    path = next((records.folder() / "tiny").glob("*.json"))
    path.write_text("{")
    status, _, err = call("study", "show", "tiny")
    assert status == 1 and str(path) in err


@pytest.mark.parametrize(
    "words",
    [(), ("data",), ("study", "run", "nothing"), ("study",), ("study", "run", "tiny", "--profile", "huge")],
)
def test_wrong_words(call, words):
    status, _, err = call(*words)
    assert status == 2 and f"usage: {'fftools' if words[:1] == ('data',) else 'evidence'}" in err


def test_a_study_goes_to_ray_by_one_flag(call, monkeypatch):
    asked = []
    monkeypatch.setattr(
        command.cluster, "run_on_ray", lambda *arguments: asked.append(arguments) or {"done": 0}
    )
    call("study", "run", "tiny", "--profile", "full", "--ray", "auto", "--gpus", "0.25", "--budget", "60")
    call("study", "run", "tiny", "--ray")
    assert asked == [("tiny", "full", 1, "auto", 0.25, 60.0), ("tiny", "quick", 1, "local", 0.0, None)]


@pytest.mark.parametrize("words", [("--gpus", "0.5"), ("--workers", "2", "--ray")])
def test_words_that_do_not_go_together(call, words):
    status, _, err = call("study", "run", "tiny", *words)
    assert status == 1 and "--workers is for one machine and --gpus for Ray" in err


def test_the_list_counts_what_is_recorded_at_full_scale(call):
    call("study", "run", "tiny")
    assert call("study", "list")[1].split()[:5] == ["tiny", "0", "of", "1", "made"]
    call("study", "run", "tiny", "--profile", "full")
    assert call("study", "list")[1].split()[:5] == ["tiny", "1", "of", "1", "made"]


def test_it_starts_as_a_module():
    for words, said in (("fftools data digits", "digits: 1297"), ("evidence study list", "article ")):
        done = subprocess.run(
            [sys.executable, "-m", *words.split()], check=False, capture_output=True, text=True
        )
        assert done.returncode == 0 and done.stdout.startswith(said), done.stderr
    assert data.NAMES[-1] == "digits"


CLAIM = dict(
    id="id",
    document="d",
    source="Table 1",
    says="a network is good",
    paper=90.0,
    ours=[dict(study="study", metric="test_goodness")],
    front="A good network",
    tolerance=5.0,
)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with one claim and a record that fulfils it."""
    monkeypatch.setenv("FFTOOLS_RESULTS_DIR", str(tmp_path / "results"))
    monkeypatch.setattr(claims, "load", lambda: [claims.Claim(**CLAIM)])
    monkeypatch.setattr(claims, "documents", lambda: {"d": {"title": "A paper"}})
    (tmp_path / "book").mkdir()
    for name in ("README.md", "book/reproduced.md"):
        (tmp_path / name).write_text("before\n<!-- claims -->\nold\n<!-- /claims -->\nafter\n")
    config = dict(widths=[784, 10], epochs=3, network={})
    write = lambda right: records.save(
        "study",
        config,
        0,
        "full",
        {"test_goodness": right},
        {},
        records.provenance("mnist", "cpu", "bf16", 1.0),
    )
    write(0.95)
    return tmp_path, write


def test_claims_are_shown_and_written(call, project):
    root, _ = project
    assert (
        call("claims") == (0, pages.all_claims() + "\n", "") and "= reproduced</span>" in pages.all_claims()
    )
    assert call("claims", "--write")[0] == 0
    assert (
        root / "README.md"
    ).read_text() == f"before\n<!-- claims -->\n{pages.front_claims()}\n<!-- /claims -->\nafter\n"
    assert pages.all_claims() in (root / "book/reproduced.md").read_text()
    assert json.loads((root / "results/verdicts.json").read_text()) == {"id": "reproduced"}


def test_another_answer_is_written_but_none_is_lost(call, project):
    root, write = project
    call("claims", "--write")
    write(0.5)
    assert call("claims", "--write")[0] == 0, "what the records say now"
    assert json.loads((root / "results/verdicts.json").read_text()) == {"id": "fell short"}
    pages = {name: (root / name).read_text() for name in ("README.md", "book/reproduced.md")}
    for record in (root / "results" / "study").iterdir():
        record.unlink()
    status, _, said = call("claims", "--write")
    assert status == 1 and "id: was fell short, is open" in said and "by hand" in said
    assert {name: (root / name).read_text() for name in pages} == pages, "nothing is written"
    assert json.loads((root / "results/verdicts.json").read_text()) == {"id": "fell short"}


def test_a_page_without_a_place_for_the_claims_is_named(call, project):
    root, _ = project
    (root / "README.md").write_text("nothing here")
    status, _, said = call("claims", "--write")
    assert status == 1 and "README.md has no lines <!-- claims -->" in said
