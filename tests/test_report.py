"""What chapters say of large runs."""

import math

import numpy as np
import pytest
from scipy import stats

from evidence import records, report
from evidence.report import NOT_RUN, Lead, Mean, Runs
from evidence.studies import STUDIES, Study

ORIGIN = dict(device="cpu, 2 threads", precision="bf16", dataset="mnist")


def run(seed=0, metrics=None, history=None, **config):
    config = dict(rule="mf", dataset="mnist", widths=[784, 10], epochs=40, network={}, lr=1e-3) | config
    metrics = {"test_ff_pred": 0.9, "val_ff_pred": 0.8} if metrics is None else metrics
    return dict(
        study="s",
        config=config,
        seed=seed,
        profile="full",
        metrics=metrics,
        history=history or {},
        provenance=ORIGIN,
    )


def seeds(*values, **config):
    return Runs(run(seed, {"test_ff_pred": value}, **config) for seed, value in enumerate(values))


def test_a_mean_has_its_spread_and_its_error():
    mean = seeds(0.97, 0.98, 0.99).mean()
    assert mean.value == pytest.approx(98) and mean.sd == pytest.approx(1) and mean.seeds == 3
    assert mean.error == pytest.approx(1 / 3**0.5) and str(mean) == "98.00 ± 1.00 (3 seeds)"


def test_one_seed_has_the_error_of_its_images():
    mean = seeds(0.9).mean()
    assert mean.error == pytest.approx(100 * (0.9 * 0.1 / 10_000) ** 0.5) and math.isnan(mean.sd)
    assert str(mean) == "90.00 (1 seed)"
    few = Runs([run(metrics={"val_ff_pred": 0.9}, validation_images=1_000)])
    assert few.mean("val").error == pytest.approx(mean.error * 10**0.5)


def test_what_was_not_run_and_what_died_says_so():
    dead = Runs([run(metrics={}, history={"failure": "diverged"})])
    assert str(Runs().mean()) == NOT_RUN and str(dead.mean()) == "died" and dead.mean().died == 1
    assert (
        report.lead(dead, seeds(0.9)).says() == "a run died"
        and str(report.lead(Runs(), seeds(0.9))) == NOT_RUN
    )
    assert Runs().scale() == NOT_RUN and Runs().best() == []


def test_a_mean_is_of_one_configuration():
    with pytest.raises(ValueError, match="of one configuration; got 2: say which by `where`"):
        Runs([run(lr=1e-3), run(lr=1e-2)]).mean()


@pytest.mark.parametrize(
    "rule, name",
    [("mf", "test_ff_pred"), ("bp", "test_accuracy"), ("ff", "test_goodness"), ("cw", "test_goodness")],
)
def test_each_rule_has_its_main_answer(rule, name):
    runs = Runs([run(rule=rule, metrics={name: 0.5, "test_layer_1": 0.25})])
    assert runs.values() == {0: 50} and runs.values("test_layer_1") == {0: 25} and runs.values("val") == {}


def test_runs_are_chosen_and_grouped_by_their_configuration():
    runs = Runs(
        run(seed, lr=lr, network=dict(local=local))
        for lr in (2e-3, 1e-3)
        for local in (True, False)
        for seed in (0, 1)
    )
    assert len(runs.where(lr=1e-3, network={"local": True})) == 2 and not runs.where(lr=5)
    assert {lr: len(group) for lr, group in runs.by("lr").items()} == {2e-3: 4, 1e-3: 4}
    assert list(runs.by("lr")) == [2e-3, 1e-3], "in the order met"
    assert [len(group) for group in runs.by().values()] == [2] * 4
    assert list(runs.by(lambda config: config["network"]["local"])) == [True, False]


def test_the_best_is_chosen_on_validation_images():
    good, lucky = (
        run(lr=lr, metrics={"val_ff_pred": val, "test_ff_pred": test})
        for lr, val, test in ((1e-3, 0.9, 0.8), (1e-2, 0.8, 0.95))
    )
    assert Runs([lucky, good]).best() == [good]


def test_an_error_knows_how_many_images_were_asked():
    few = Runs(
        [run(metrics={"test_ff_pred": 0.9}, history={"confusion": {"test_ff_pred": [[50, 7], [4, 53]]}})]
    )
    assert few.mean().error == pytest.approx(100 * (0.9 * 0.1 / 114) ** 0.5)


def test_differences_are_paired_where_seeds_pair():
    """Seeds that move both rules alike say nothing of their difference."""
    one, other = seeds(0.91, 0.95, 0.93), seeds(0.90, 0.94, 0.92)
    assert report.lead(one, other) == pytest.approx(Lead(1.0, 0.0), abs=1e-9)
    unpaired = report.lead(one, seeds(0.90, 0.94))
    errors = np.std([91, 95, 93], ddof=1) / 3**0.5, np.std([90, 94], ddof=1) / 2**0.5
    assert unpaired == pytest.approx(Lead(1.0, 2 * np.hypot(*errors)))
    moved = seeds(0.91, 0.95, 0.98)
    reach = stats.t.ppf(0.975, 2) * np.std([1, 1, 6], ddof=1) / 3**0.5
    assert report.lead(moved, other).noise == pytest.approx(reach), "as the claims page has it"
    both = Runs([run(metrics={"test_ff_pred": 0.9, "test_bp_pred": 0.8})])
    assert report.lead(both, both, "test_ff_pred", "test_bp_pred").points == pytest.approx(10)


@pytest.mark.parametrize(
    "points, says", [(0.3, "holds"), (-0.3, "reversed"), (0.1, "undecided"), (-0.2, "undecided")]
)
def test_a_lead_says_no_more_than_its_noise_allows(points, says):
    assert Lead(points, 0.2).says() == says
    assert Lead(0.3, 0.2).says("MF ahead") == "MF ahead" and str(Lead(0.314, 0.2)) == "+0.31 ± 0.20"
    assert str(Lead(-3.14, 0.62)) == "-3.1 ± 0.6"


def test_a_course_is_the_mean_over_seeds():
    histories = [{"validation": [[1, 0.5], [2, 0.7]]}, {"validation": [[1, 0.6], [2, 0.9]]}, {}]
    epochs, values = Runs(run(seed, history=each) for seed, each in enumerate(histories)).course()
    assert epochs.tolist() == [1, 2] and values == pytest.approx([55, 80])
    assert [len(part) for part in Runs().course()] == [0, 0]


def test_a_scale_leaves_out_what_differs():
    runs = Runs([run(lr=1e-3), run(lr=1e-2)])
    assert runs.scale() == "MNIST, 784-10, 50,000 images, 40 epochs, CPU, bf16, 1 seed"
    cnn = run(
        dataset="cifar10",
        blocks=dict(widths=[4, 8], kernel=5),
        shift=2,
        flip=True,
        all_images=True,
        network=dict(local=True),
    )
    assert Runs([cnn]).scale() == (
        "CIFAR-10, 4-8 filters 5×5, strictly local, 50,000 images ±2 px, mirrored, 40 epochs, "
        "rate 0.001, CPU, bf16, 1 seed"
    )


def test_trials_have_a_row_for_each_configuration_run_or_not(monkeypatch):
    study = Study("s", "about", run()["config"], {"plain": {}, "fast": dict(lr=1.0)})
    monkeypatch.setitem(STUDIES, "s", study)
    for seed in (0, 1):
        records.save("s", study.grid("full")[0], seed, "full", {"val_ff_pred": 0.5}, {}, ORIGIN)
    found = report.trials("s")
    assert list(found) == ["plain", "fast"] and [len(runs) for runs in found.values()] == [2, 0]
    assert report.load("s").mean("val") == Mean(50.0, 0.0, 0.0, 2)
    assert report.load("s", profile="quick") == []


def test_a_table_is_plain_and_says_when_it_is_empty():
    html = report.table([("MF", Mean(98, 1, 0.5, 3))], "rule", "test (%)").to_html()
    assert "98.00 ± 1.00 (3 seeds)" in html and "test (%)" in html and ">0<" not in html
    assert NOT_RUN in report.table([], "rule", "test (%)").to_html()
    assert "rule" in report.table([dict(rule="MF")]).to_html()
