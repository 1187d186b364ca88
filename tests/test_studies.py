"""Studies: grids of runs, of which only the missing ones are made."""

import json
import os
import subprocess
import sys
import time
from itertools import groupby
from pathlib import Path

import pytest
import torch

from evidence import records, train
from evidence import run as runs
from evidence.build import build
from evidence.run import run, run_study
from evidence.studies import STUDIES, Study, change, find
from evidence.studies.beyond import IDEA
from evidence.studies.ff_cnn import BP_CNN, FF_CNN, THROUGH
from evidence.studies.mlp import ARTICLE, BP, FF
from evidence.studies.mono_forward import LONG_RATES, RATES, race
from fftools import data
from fftools.data import Dataset, Split
from fftools.labels import Fourier, Hybrids
from fftools.rules.backprop import Backprop

TINY = {
    "dataset": "digits",
    "widths": [784, 20, 20],
    "epochs": 2,
    "batch_size": 50,
    "lr": 3e-3,
    "readout_epochs": 1,
    "train_images": 500,
}


@pytest.fixture(autouse=True)
def digits_at_hand(digits, monkeypatch):
    monkeypatch.setattr(data, "load", lambda name, device="auto", fallback=None: digits)


@pytest.fixture
def trained(monkeypatch):
    """Counts how often a learner is trained."""
    calls, fit = [], train.fit
    monkeypatch.setattr(
        train, "fit", lambda *arguments, **options: calls.append(1) or fit(*arguments, **options)
    )
    return calls


def test_grids_have_one_configuration_per_run():
    study = Study("name", "about", {"a": 1, "b": 2}, [{}, {"a": 3}], quick={"b": 0})
    assert list(study.named("full")) == ["as it is", "a 3"]
    assert study.grid("full") == [{"a": 1, "b": 2}, {"a": 3, "b": 2}]
    assert study.grid("quick") == [{"a": 1, "b": 0}, {"a": 3, "b": 0}]
    assert study.grid("full")[0]["b"] == 2, "quick changes a copy"
    with pytest.raises(ValueError, match='"quick" or "full"; got \'huge\''):
        study.grid("huge")
    named = Study("name", "about", {"a": {"b": 1, "c": 2}}, {"plain": {}, "less": {"a": {"b": None}}})
    assert named.named("full") == {"plain": {"a": {"b": 1, "c": 2}}, "less": {"a": {"c": 2}}}


def test_changes_go_into_the_depth_and_leave_the_base_alone():
    base = {"a": {"b": 1, "c": [1, 2]}, "d": 4}
    assert change(base, {"a": {"c": [3]}}, {"e": {"f": 5}}, {"d": None}) == {
        "a": {"b": 1, "c": [3]},
        "e": {"f": 5},
    }
    assert base == {"a": {"b": 1, "c": [1, 2]}, "d": 4}


def test_a_study_is_found_by_name():
    assert find("ff-cnn") is STUDIES["ff-cnn"] and find(STUDIES["article"]).name == "article"
    assert all(name == study.name for name, study in STUDIES.items())
    with pytest.raises(ValueError, match="no study 'ff_cnn'; there are: article, ff-mlp-choices"):
        find("ff_cnn")


@pytest.mark.parametrize("name", STUDIES)
def test_every_named_study_can_be_built(name):
    for profile in ("quick", "full"):
        grid = STUDIES[name].grid(profile)
        names = {records.run_name(config, 0) for config in grid}
        assert len(names) == len(grid), "two configurations of one study are the same"
        for config in grid:
            assert json.loads(json.dumps(config)) == config, "a record must give its configuration back"
            if config["rule"] == "logistic":  # scikit-learn's
                assert config["strength"] > 0
                continue
            learner = build({"label": "pixels"} | config)
            widths = config["blocks"]["widths"] if "blocks" in config else config["widths"][1:]
            layers_per_block = config.get("network", {}).get("layers_per_block", 1)
            assert len(learner.blocks) == len(widths) // layers_per_block
            assert config["dataset"] in data.NAMES and config["lr"] > 0
    assert not set(map(str, STUDIES[name].grid("quick"))) & set(map(str, STUDIES[name].grid("full")))


@pytest.mark.parametrize("name", STUDIES)
def test_records_belong_to_the_grid_of_their_study(name, monkeypatch):
    """A record of a setting given up would be averaged with those of the setting that took its place."""
    monkeypatch.setenv("FFTOOLS_RESULTS_DIR", str(Path(__file__).parents[1] / "results"))
    assert all(record["config"] in STUDIES[name].grid(record["profile"]) for record in records.load(name))


def test_the_articles_configuration_is_the_articles():
    learner = build({"label": "pixels"} | ARTICLE)
    assert ARTICLE["widths"] == [784, 512, 512] and ARTICLE["lr"] == 0.03 and ARTICLE["steps"] == 1000
    assert (ARTICLE["batch_images"], ARTICLE["batches"]) == (20_000, 3)
    assert (
        str(learner.goodness)
        == "MeanOfSquares(threshold=3.0, norm=unit_length, loss=Softplus(temperature=1.0), first=1)"
    )


def test_build_makes_what_is_described():
    assert isinstance(build({"rule": "bp", "widths": [784, 5]}), Backprop)
    learner = build(change(FF, {"network": {"negatives": "hard", "peer": 0.1}, "widths": [784, 7, 5, 3]}))
    assert [block[1].out_features for block in learner.blocks] == [7, 5, 3]
    assert str(learner.negatives) == "HardLabels(each=1)" and learner.peer == 0.1
    assert isinstance(build(FF | {"label": "hybrids"}).label, Hybrids)


@pytest.mark.parametrize("rule", ["mf", "bp", "fa", "dfa"])
@pytest.mark.parametrize("kind", ["mlp", "cnn"])
def test_standardised_inputs_are_the_same_network_on_other_numbers(rule, kind):
    images, learners = torch.rand(3, 3, 32, 32), []
    for standardise in (False, True):
        torch.manual_seed(0)
        learners.append(build(race(kind, rule, "cifar10", lr=1e-3, standardise=standardise)))
    plain, scaled = learners
    mean, std = (torch.tensor(numbers).view(-1, 1, 1) for numbers in data.STATISTICS["cifar10"])
    for a, b in zip(plain.activations((images - mean) / std), scaled.activations(images)):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("rule", ["mf", "bp", "fa", "dfa", "ff"])
def test_every_rule_of_the_race_answers_with_a_hundred_classes(rule):
    assert build(race("mlp", rule, "cifar100", lr=1e-3)).scores(torch.rand(2, 3, 32, 32)).shape == (2, 100)


def test_inputs_that_are_normalised_anyway_are_not_standardised():
    with pytest.raises(
        ValueError, match="one of the rules bp, fa, dfa, mf and statistics of images; got rule 'ff'"
    ):
        build(FF | TINY | {"standardise": True})


def test_images_of_ones_own_are_standardised_by_those_for_training(digits):
    config = BP | TINY | {"dataset": "my-images", "standardise": True, "readout_epochs": 0}
    assert run("own", config, 0, "quick", progress=False)["metrics"]["val_accuracy"] > 0.3
    kept = torch.load(train.beside(records.path_of("own", config, 0), ".pt"), weights_only=True)["learner"]
    pixels = digits.train[:500].floats()
    assert kept["blocks.0.0.mean"].item() == pytest.approx(pixels.mean().item(), rel=1e-4)
    assert kept["blocks.0.0.std"].item() == pytest.approx(pixels.std().item(), rel=1e-4)
    with pytest.raises(ValueError, match="statistics of images; got rule 'bp' on my-images"):
        build(config)


def test_a_run_gives_a_record_and_is_not_made_twice(trained):
    config = change(FF, TINY, {"network": {"negatives": "hard"}})
    found = run("tiny", config, 0, "quick", progress=False)
    assert len(trained) == 2  # the network and its linear read-out
    assert found == json.loads(records.path_of("tiny", config, 0).read_text())
    assert {
        f"{split}_{kind}" for split in ("val", "test") for kind in ("goodness", "linear", "one_pass")
    } <= set(found["metrics"])
    assert all(0 <= value <= 1 for value in found["metrics"].values())
    assert len(found["history"]["loss"]) == 2 and found["provenance"]["dataset"] == "digits"
    assert run("tiny", config, 0, "quick", progress=False) == found and len(trained) == 2
    assert train.beside(records.path_of("tiny", config, 0), ".pt").exists(), "the trained weights are kept"


def test_only_missing_runs_are_made(trained):
    configs = [change(FF, TINY, {"shift": shift}) for shift in (0, 1)]
    first = [run("tiny", config, seed, "quick", progress=False) for config in configs for seed in (0, 1)]
    trained.clear()
    records.path_of("tiny", configs[1], 0).unlink()
    again = [run("tiny", config, seed, "quick", progress=False) for config in configs for seed in (0, 1)]
    assert len(trained) == 2, "one run of four was missing"
    strip = lambda runs: [(r["config"], r["seed"], r["metrics"], r["history"]["loss"]) for r in runs]
    assert strip(again) == strip(first), "equal seed, equal result"
    assert first[0]["metrics"] != first[1]["metrics"], "another seed, another result"


def test_a_run_that_two_studies_have_in_common_is_made_once(trained):
    config = change(FF, TINY)
    first = run("one", config, 0, "quick", progress=False)
    assert (
        run("another", config, 0, "quick", progress=False) == first | {"study": "another"}
        and len(trained) == 2
    )
    assert records.load("another") == [first | {"study": "another"}]
    run("another", config, 1, "quick", progress=False)
    assert len(trained) == 4, "another seed is another run"
    assert run("full-scale", config, 0, "full", progress=False)["profile"] == "full" and len(trained) == 6


def test_a_run_that_broke_off_is_taken_up_again(monkeypatch):
    """Stopped after training, before its record: the second attempt reads the state and ends the same."""
    config = change(FF, TINY)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(train, "LinearReadout", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        run("tiny", config, 0, "quick", progress=False)
    saved = train.beside(records.path_of("tiny", config, 0), ".pt")
    assert saved.exists() and not records.load("tiny")
    resumed = run("tiny", config, 0, "quick", progress=False)
    records.path_of("tiny", config, 0).unlink()
    plain = run("other", config, 0, "quick", progress=False)
    assert resumed["metrics"] == plain["metrics"] and resumed["history"]["loss"] == plain["history"]["loss"]


TINY_CNN = {
    "dataset": "digits",
    "blocks": {"channels": 1, "widths": [4, 4, 4], "kernel": 5},
    "epochs": 2,
    "batch_size": 50,
    "lr": 3e-3,
    "train_images": 500,
    "validate_every": 1,
    "readout_epochs": 1,
}


@pytest.mark.parametrize(
    "config",
    [
        FF | TINY,
        FF | TINY | {"label": "hybrids"},
        BP | TINY | {"readout_epochs": 0},
        FF_CNN | TINY_CNN,
        change(FF_CNN, TINY_CNN, THROUGH),
        BP_CNN | TINY_CNN | {"readout_epochs": 0},
    ],
    ids=["ff", "hybrids", "bp", "ff-cnn", "ff-cnn-through", "bp-cnn"],
)
def test_no_test_label_reaches_training_or_validation(config, digits, monkeypatch):
    plain = run("plain", config, 0, "quick", progress=False)
    permuted = digits.test.labels[torch.randperm(300, generator=torch.Generator().manual_seed(0))]
    other = Dataset("digits", digits.train, digits.validation, Split(digits.test.images, permuted))
    monkeypatch.setattr(data, "load", lambda *_, **__: other)
    records.path_of("plain", config, 0).unlink()
    found = run("permuted", config, 0, "quick", progress=False)
    assert all(
        found["history"][kind] == plain["history"][kind] for kind in ("loss", "validation", "discrimination")
    )
    for name, matrix in plain["history"]["confusion"].items():
        assert (found["history"]["confusion"][name] == matrix) == name.startswith("val"), name


def test_a_cnns_record_holds_what_figure_3_needs():
    """Validation and discrimination while it trains, confusion matrices whose diagonal is the accuracy."""
    found = run("cnn", FF_CNN | TINY_CNN, 0, "quick", progress=False)
    history = found["history"]
    assert [epoch for epoch, _ in history["validation"]] == [1, 2]
    assert all(
        len(blocks) == 3 and all(loss > 0 and 0 <= right <= 1 for loss, right in blocks)
        for _, *blocks in history["discrimination"]
    )
    assert (
        set(history["confusion"])
        == set(found["metrics"])
        == {f"{split}_{name}" for split in ("val", "test") for name in ("goodness", "linear")}
    )
    for name, matrix in history["confusion"].items():
        total = sum(map(sum, matrix))
        assert sum(matrix[i][i] for i in range(10)) / total == pytest.approx(found["metrics"][name])


def test_all_images_are_those_for_training_and_those_for_validation(monkeypatch):
    sizes, fit = [], train.fit
    monkeypatch.setattr(
        train, "fit", lambda learner, train, **rest: sizes.append(len(train)) or fit(learner, train, **rest)
    )
    config = BP | TINY | dict(all_images=True, splits=["test"], readout_epochs=0)
    metrics = run("final", config, 0, "quick", progress=False)["metrics"]
    assert sizes == [1_497] and set(metrics) == {"test_accuracy"}


def test_the_label_strength_moves_over_the_epochs(monkeypatch):
    """Each epoch trains at its own K; the verdict is asked at the last, which the network's card names."""
    seen, embed = [], Fourier.embed

    def watched(scheme, images, labels):
        seen.append(round(scheme.strength, 6))
        return embed(scheme, images, labels)

    monkeypatch.setattr(Fourier, "embed", watched)
    config = change(
        IDEA,
        dict(
            labels=dict(strength=0.2),
            strengths=[0.5, 0.2],
            dataset="digits",
            train_images=100,
            validation_images=50,
            blocks=dict(widths=[2] * 2),
            epochs=4,
            validate_every=4,
        ),
    )
    run("tiny", config, 0, "quick", progress=False)
    assert [k for k, _ in groupby(seen)] == [0.2, 0.5, 0.4, 0.3, 0.2], (
        "before training lazy layers see two images"
    )
    assert {k: seen.count(k) for k in (0.5, 0.4, 0.3)} == {0.5: 4, 0.4: 4, 0.3: 4}, (
        "two steps an epoch, two kinds of data"
    )
    for study in STUDIES.values():
        assert all(
            c["strengths"][-1] == c["labels"]["strength"] for c in study.grid("full") if "strengths" in c
        )


def test_the_papers_networks_are_the_papers():
    best, small = STUDIES["ff-cnn-long"].grid("full")[0], STUDIES["ff-cnn-small"].grid("full")[0]
    assert best["blocks"] == {"channels": 1, "widths": [128] * 3, "kernel": 7}
    assert best["labels"] == {"set": 1, "strength": 0.35}
    assert small["blocks"]["widths"] == [16] * 3 and small["blocks"]["kernel"] == 5
    for config in (best, small, STUDIES["bp-cnn"].grid("full")[0]):
        assert config["epochs"] == 200 and config["batch_size"] == 50
    assert {config["network"]["local"] for config in STUDIES["ff-cnn-long"].grid("full")} == {True, False}
    assert STUDIES["bp-cnn"].grid("full")[0]["lr"] == 1e-3


def test_the_article_runs_small():
    found = run(
        "article",
        {
            **ARTICLE,
            "dataset": "digits",
            "widths": [784, 80, 80],
            "steps": 300,
            "batch_images": 400,
            "batches": 2,
        },
        0,
        "quick",
        progress=False,
    )
    assert set(found["metrics"]) >= {"last_batch_error", "test_error"}
    assert found["metrics"]["test_error"] < 0.4
    assert len(found["history"]["loss"]) == 2 and len(found["history"]["loss"][0]) == 2


def test_the_articles_run_goes_on_after_the_last_whole_batch(monkeypatch, tmp_path):
    config = ARTICLE | {
        "dataset": "digits",
        "widths": [784, 20, 20],
        "steps": 5,
        "batch_images": 300,
        "batches": 3,
    }
    train_layers, calls = train.train_layers, []

    def killed_in_batch_3(*arguments, **options):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return train_layers(*arguments, **options)

    monkeypatch.setattr(train, "train_layers", killed_in_batch_3)
    with pytest.raises(KeyboardInterrupt):
        run("killed", config, 0, "quick", progress=False)
    resumed = run("killed", config, 0, "quick", progress=False)
    assert len(calls) == 4, "batches 1 and 2 are not trained again"
    records.path_of("killed", config, 0).unlink()
    whole = run("whole", config, 0, "quick", progress=False)
    assert resumed["metrics"] == whole["metrics"] and resumed["history"] == whole["history"]


# --- many runs ---------------------------------------------------------------------------------------------


@pytest.fixture
def tiny_study(monkeypatch):
    rates = [{"lr": lr} for lr in (1e-3, 2e-3, 3e-3)]
    study = Study("tiny", "three rates", FF | TINY | {"readout_epochs": 0}, rates, quick={"epochs": 1})
    monkeypatch.setitem(STUDIES, "tiny", study)
    return study.grid("full")


def test_a_study_makes_what_is_missing_and_says_how_it_went(tiny_study, trained):
    assert run_study("tiny", "full", seeds=2) == {"done": 6, "unfinished": 0, "busy": 0}
    assert [r["seed"] for r in records.load("tiny", "full")].count(1) == 3 and len(trained) == 6
    records.path_of("tiny", tiny_study[1], 1).unlink()
    assert run_study("tiny", "full", seeds=2) == {"done": 1, "unfinished": 0, "busy": 0} and len(trained) == 7
    assert len(records.load("tiny", "full")) == 6


@pytest.mark.parametrize("wrong", [{"seeds": 0}, {"workers": 0}, {"budget": -1.0}])
def test_a_study_refuses_senseless_numbers(tiny_study, wrong):
    with pytest.raises(ValueError, match=f"positive; got .*{list(wrong.values())[0]}"):
        run_study("tiny", **wrong)


def test_a_budget_stops_in_the_middle_of_a_run_which_then_goes_on(tiny_study, monkeypatch, trained):
    """The clock jumps after the first epoch: the run stops there, and later ends as if nothing had been."""
    from fftools import fit as module

    clock = lambda: time.monotonic() + (1000 if len(trained) else 0)
    with monkeypatch.context() as patch:
        patch.setattr(runs.time, "time", lambda: 0.0)
        patch.setattr(module.time, "time", clock)
        assert run_study("tiny", "full", budget=500) == {"done": 0, "unfinished": 3, "busy": 0}
    assert not records.load("tiny")
    assert torch.load(train.beside(records.path_of("tiny", tiny_study[0], 0), ".pt"), weights_only=True)[
        "history"
    ]["loss"]
    assert run_study("tiny", "full")["done"] == 3
    for config in tiny_study:
        found = json.loads(records.path_of("tiny", config, 0).read_text())
        records.path_of("tiny", config, 0).unlink()
        plain = run("plain", config, 0, "full", progress=False)
        assert (found["metrics"], found["history"]["loss"]) == (plain["metrics"], plain["history"]["loss"])


def test_nothing_is_begun_after_the_deadline(tiny_study, monkeypatch, trained):
    times = iter([0.0] + [100.0] * 50)
    monkeypatch.setattr(runs.time, "time", lambda: next(times))
    assert run_study("tiny", "full", budget=50) == {"done": 0, "unfinished": 3, "busy": 0} and not trained


def test_a_run_in_other_hands_is_passed_over(tiny_study, trained):
    lock = runs.lock_of(records.path_of("tiny", tiny_study[0], 0))
    hold = (
        f"from filelock import FileLock\nlock = FileLock({str(lock)!r})\nlock.acquire()\n"
        "print('held', flush=True)\ninput()"
    )
    holder = subprocess.Popen([sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    holder.stdout.readline()
    assert run_study("tiny", "full") == {"done": 2, "unfinished": 0, "busy": 1}
    holder.kill()  # as by kill -9: the system frees what it held
    holder.wait()
    assert run_study("tiny", "full") == {"done": 1, "unfinished": 0, "busy": 0} and len(trained) == 3


def test_a_run_that_diverges_keeps_a_record_that_says_so(monkeypatch):
    study = Study("tiny", "one of two fails", FF | TINY | {"readout_epochs": 0}, [{"lr": 1e30}, {}])
    monkeypatch.setitem(STUDIES, "tiny", study)
    grid = study.grid("full")
    assert run_study("tiny", "full")["done"] == 2, "the study goes on"
    bad, good = (json.loads(records.path_of("tiny", config, 0).read_text()) for config in grid)
    assert "lr=1e+30" in bad["history"]["failure"] and bad["metrics"] == {} and good["metrics"]


SCRIPT = """
import torch
torch.set_num_threads(1)
from evidence import records, run, studies
from evidence.studies.mlp import FF
digits = run.data.load("digits", "cpu")
run.data.load = lambda *_, **__: digits
made, make = [], run._make
run._make = lambda *arguments: made.append(records.run_of(arguments[5])) or make(*arguments)
tiny = FF | dict(dataset="digits", widths=[784, 10], epochs=1, batch_size=50, readout_epochs=0,
                 train_images=300)
run.run_study(studies.Study("many", "twelve rates",
                            tiny, [dict(lr=lr / 1000) for lr in range(1, 13)]), "full")
print(" ".join(made) + "\\n", end="")  # in one go, since several may write here
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_ten_processes_make_each_run_once():
    """They share what they import, and start their study in the same instant."""
    crowd = SCRIPT.replace("made, make", "import os\nany(os.fork() == 0 for _ in range(9))\nmade, make", 1)
    done = subprocess.run([sys.executable, "-c", crowd], capture_output=True, text=True)  # until all ten end
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    lines = done.stdout.splitlines()
    made = " ".join(lines).split()
    assert len(lines) == 10 and len(made) == len(set(made)) == 12, "each run made, and made once"
    assert {records.run_of(path) for path in (records.folder() / "many").glob("*.json")} == set(made)


def kept(study):
    """The records of a study by name, without what tells when and how long."""
    found = {path.name: json.loads(path.read_text()) for path in (records.folder() / study).glob("*.json")}
    for record in found.values():
        record["history"].pop("seconds")
        record["provenance"] = {
            key: record["provenance"][key] for key in ("torch", "device", "precision", "dataset")
        }
    return found


def test_kill_9_in_the_middle_of_a_study_and_again(monkeypatch, tmp_path):
    """Nothing is lost or made twice; but for times the records are those of a study that nobody killed."""
    study = [sys.executable, "-c", SCRIPT]
    victim = subprocess.Popen(study, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while len(made_before := kept("many")) < 3 and victim.poll() is None:
        time.sleep(0.01)
    victim.kill()
    victim.wait()
    assert 3 <= len(made_before) < 12, "killed in the middle"
    made_before = kept("many")
    again = subprocess.run(study, capture_output=True, text=True, check=True).stdout.split()
    assert not {f"{name}.json" for name in again} & set(made_before), "none made twice"
    found = kept("many")
    assert len(found) == 12, "none lost"
    monkeypatch.setenv("FFTOOLS_RESULTS_DIR", str(tmp_path / "undisturbed"))
    subprocess.run(study, capture_output=True, check=True)
    assert found == kept("many")


@pytest.mark.parametrize("kind, dataset", RATES, ids="-".join)
def test_the_rates_are_the_best_of_those_tried_on_validation_images(kind, dataset, monkeypatch):
    """The same number of rates was tried for each rule, on as many images; none of it on test images."""
    monkeypatch.setenv("FFTOOLS_RESULTS_DIR", str(Path(__file__).parents[1] / "results"))
    tried = [r for r in records.load(f"mono-{kind}-rates", "full") if r["config"]["dataset"] == dataset]
    judge = {"mf": "val_ff_pred", "ff": "val_goodness"}
    budgets = set()
    for rule, chosen in RATES[kind, dataset].items():
        mine = [r for r in tried if r["config"]["rule"] == rule and r["seed"] == 0]
        best = max(
            mine, key=lambda r: (r["metrics"].get(judge.get(rule, "val_accuracy"), 0), -r["config"]["lr"])
        )
        assert best["config"]["lr"] == chosen, rule
        assert not any(name.startswith("test") for r in mine for name in r["metrics"])
        budgets.add(
            tuple(
                sorted((r["config"]["lr"], r["config"]["epochs"], r["config"]["train_images"]) for r in mine)
            )
        )
    assert len(budgets) == 1 and len(budgets.pop()) >= 3


@pytest.mark.parametrize("kind, dataset, epochs", LONG_RATES)
def test_long_rates_are_the_best_of_those_tried_at_length(kind, dataset, epochs, monkeypatch):
    """On all training images, and for many more steps than the trials that `RATES` rests on."""
    monkeypatch.setenv("FFTOOLS_RESULTS_DIR", str(Path(__file__).parents[1] / "results"))
    tried = [
        r
        for r in records.load(f"mono-{kind}-long-rates", "full")
        if (r["config"]["dataset"], r["seed"]) == (dataset, 0)
    ]
    assert all("train_images" not in r["config"] and 3 * r["config"]["epochs"] >= epochs for r in tried)
    options = dict(standardise=True) if kind.endswith("standardised") else {}
    for rule, chosen in LONG_RATES[kind, dataset, epochs].items():
        mine = {
            r["config"]["lr"]: r["metrics"].get("val_ff_pred", r["metrics"].get("val_accuracy", 0))
            for r in tried
            if r["config"]["rule"] == rule
        }
        assert max(mine, key=mine.get) == chosen, rule
        long, short = (
            race(kind[:3], rule, dataset, epochs=count, **options) for count in (epochs, epochs - 1)
        )
        assert (long["lr"], short["lr"]) == (chosen, RATES[kind, dataset][rule])
    rates = [{r["config"]["lr"] for r in tried if r["config"]["rule"] == rule} for rule in ("mf", "bp")]
    assert rates[0] == rates[1] and len(rates[0]) >= 3, "as many trials for each rule"
    assert not any(name.startswith("test") for r in tried for name in r["metrics"])
