"""What the papers claim beside the records."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import nbformat
import pytest

from evidence import claims, pages, records
from evidence.claims import VERDICTS, Claim
from evidence.measured import KEPT, measured
from evidence.query import ask, difference, holds, interval
from evidence.studies import STUDIES, change

ROOT = Path(__file__).resolve().parent.parent
PROSE = [*(ROOT / "notebooks").glob("*.ipynb"), *(ROOT / "book").glob("*.md"), ROOT / "README.md"]


@pytest.fixture
def save(tmp_path, monkeypatch):
    """Writes records with these metrics into an empty results folder, one for each value of a list."""
    monkeypatch.setenv("FFTOOLS_RESULTS_DIR", str(tmp_path / "results"))
    origin = records.provenance("mnist", "cpu", "bf16", 1.0)

    def record(metrics, seed=0, profile="full", study="study", history=None, **config):
        config = dict(widths=[784, 10], epochs=3, network={}) | config
        several = max(len(value) if isinstance(value, list) else 1 for value in metrics.values())
        for turn in range(several):
            one = {name: value[turn] if isinstance(value, list) else value for name, value in metrics.items()}
            records.save(study, config, seed + turn, profile, one, history or {}, origin)

    return record


@pytest.fixture
def project(monkeypatch):
    """The project's own records, not a test's."""
    monkeypatch.setenv("FFTOOLS_RESULTS_DIR", str(ROOT / "results"))


@pytest.fixture
def only(monkeypatch):
    """Makes these the project's claims."""

    def some(*entries):
        monkeypatch.setattr(claims, "load", lambda: list(entries))
        monkeypatch.setattr(claims, "documents", lambda: {"document": {"title": "A paper"}})
        return entries[0]

    return some


def claim(paper=None, *queries, **more):
    return Claim(
        **(dict(id="id", document="document", source="source", says="says", paper=paper, ours=queries) | more)
    )


def query(metric="test_goodness", **where):
    return dict(study="study", metric=metric, where=where)


def widths(metric, *several):
    return [query(metric, widths=[784, width]) for width in several]


# --- numbers ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "ours, verdict",
    [
        (0.9901, "reproduced"),
        (0.9919, "reproduced"),
        (0.9921, "exceeded"),
        (0.999, "exceeded"),
        (0.9899, "fell short"),
        (0.5, "fell short"),
    ],
)
def test_a_number_is_reproduced_within_the_tolerance_on_either_side(save, ours, verdict):
    save({"test_goodness": ours})
    assert claim(99.1, query()).verdict() == verdict
    assert claim(99.1, query("test_linear")).verdict() == "open"
    assert claim(99.1, query(), tolerance=60).verdict() == "reproduced"


def test_two_standard_errors_count_only_with_three_seeds(save):
    save({"test_goodness": [0.94, 0.96], "test_linear": [0.94, 0.96]})
    assert claim(96.0, query()).verdict() == "fell short", "two seeds: the tolerance alone"
    save({"test_goodness": 0.95}, seed=2)
    assert claim(96.0, query()).verdict() == "reproduced", "three: 95 ± two standard errors of 0.58"
    assert claim(97.0, query()).verdict() == "fell short"


def test_the_direction_of_a_metric_is_declared_and_not_guessed(save):
    save({"test_error_without_first": 0.02})
    worse = query("test_error_without_first")
    assert (
        claim(4.0, worse, lower=True).verdict() == "exceeded"
        and claim(1.0, worse, lower=True).verdict() == "fell short"
    )
    assert claim(4.0, worse).verdict() == "fell short", "its name does not matter"


def test_a_number_of_two_queries_is_their_difference(save):
    for width, value in ((1, [0.97, 0.98, 0.99]), (2, [0.95, 0.96, 0.97])):
        save({"val_linear": value}, widths=[784, width])
    gain = claim(2.0, *widths("val_linear", 1, 2))
    assert gain.verdict() == "reproduced" and pages.measured(gain) == "98.00 ± 1.00 − 96.00 ± 1.00 %"
    assert claim(1.0, *gain.ours).verdict() == "exceeded"


def test_other_units_are_not_percentages(save):
    save({"ratio": 2.25})
    assert claim(2.28, query("ratio"), unit="×").verdict() == "reproduced"
    assert pages.measured(claim(2.28, query("ratio"), unit="×")) == "2.25 × (one seed)"


def test_a_smaller_run_that_falls_short_says_nothing_against_a_number(save):
    save({"test_goodness": 0.98}, epochs=20)
    at = dict(at={"epochs": 200}, but={"epochs": 20})
    assert (
        claim(98.0, query(), **at).verdict() == "reproduced"
        and claim(97.0, query(), **at).verdict() == "exceeded"
    )
    assert claim(99.0, query(), **at).verdict() == "open"
    assert claim(98.0, query(), at={"epochs": 200}).verdict() == "open", (
        "another protocol than the declared one answers nothing"
    )
    assert claim(99.0, query(), at={"epochs": 20}).verdict() == "fell short"


def test_a_smaller_run_decides_no_statement(save):
    for width, values in ((1, [0.95, 0.951, 0.952]), (2, [0.90, 0.91, 0.92])):
        save({"val_goodness": values}, widths=[784, width], epochs=20)
    ours, at = widths("val_goodness", 1, 2), dict(at={"epochs": 200}, but={"epochs": 20})
    assert claim(None, *ours, at={"epochs": 20}).verdict() == "supported"
    assert claim(None, *ours, **at).verdict() == "undecided" == claim(None, *ours[::-1], **at).verdict()
    assert claim(None, *ours, at={"epochs": 20}, scaled="half the layers").verdict() == "undecided"


def test_what_is_scaled_beside_the_configuration_is_seen(save):
    save({"test_goodness": 0.98}, epochs=20)
    short = claim(99.0, query(), scaled="to 20 epochs (paper: to convergence)")
    assert short.verdict() == "open" and "to 20 epochs (paper: to convergence)</small>" in pages.line(
        short, "open"
    )
    assert claim(97.0, query(), scaled="to 20 epochs").verdict() == "exceeded"


def test_the_papers_scale_comes_first_then_its_length_at_our_rate(save):
    protocol = dict(at={"epochs": 200, "lr": 5e-5}, but={"epochs": 20, "lr": "any"})
    save({"test_goodness": 0.97}, epochs=20, lr=1e-3)
    assert pages.measured(claim(99.0, query(), **protocol)) == "97.00 % (one seed)"
    save({"test_goodness": 0.98}, epochs=200, lr=1e-3)
    shown = claim(99.0, query(), **protocol)
    assert pages.measured(shown) == "98.00 % (one seed)" and shown.verdict() == "fell short"
    assert "rate 0.001 (paper: 5e-05)" in pages.line(shown, "fell short") and not shown.smaller(shown.found())
    save({"test_goodness": 0.99}, epochs=200, lr=5e-5)
    assert claim(99.0, query(), **protocol).verdict() == "reproduced"


def test_a_miniature_answers_nothing(save):
    save({"test_goodness": 0.99}, profile="quick")
    assert claim(99.0, query()).verdict() == "open" and not claim(99.0, query()).found()


def test_a_better_baseline_changes_the_papers_lead(save, only):
    save({"test_accuracy": 0.85, "test_ff_pred": 0.86})
    base = claim(77.8, query("test_accuracy"), lead="method")
    only(base, claim(82.39, query("test_ff_pred"), id="method"))
    assert (
        base.verdict() == "exceeded" and "lead: +4.59 points in the paper, +1.00 here" in pages.all_claims()
    )


# --- statements ---------------------------------------------------------------------------------------------


def test_a_statement_with_fewer_than_three_seeds_is_never_decided(save):
    for seeds in (1, 2):
        for width, value in ((1, 0.99), (2, 0.50)):
            save({"val_goodness": [value] * seeds}, widths=[784, width])
        assert claim(None, *widths("val_goodness", 1, 2)).verdict() == "undecided"
        assert claim(None, *widths("val_goodness", 2, 1)).verdict() == "undecided"
    save({"val_goodness": [0.99, 0.98, 0.99]}, widths=[784, 1])
    assert claim(None, *widths("val_goodness", 1, 2)).verdict() == "undecided", "three on both sides"


@pytest.mark.parametrize(
    "first, second, verdict",
    [
        ([0.97, 0.98, 0.99], [0.90, 0.91, 0.92], "supported"),
        ([0.90, 0.91, 0.92], [0.97, 0.98, 0.99], "contradicted"),
        ([0.970, 0.980, 0.990], [0.969, 0.980, 0.988], "undecided"),
        ([0.95, 0.96, 0.97], [0.94, 0.95, 0.97], "undecided"),
    ],
)
def test_an_order_needs_a_significant_difference(save, first, second, verdict):
    save({"val_goodness": first}, widths=[784, 1])
    save({"val_goodness": second}, widths=[784, 2])
    assert claim(None, *widths("val_goodness", 1, 2)).verdict() == verdict


def test_runs_that_share_seeds_are_paired_and_others_are_not(save):
    save({"val_goodness": [0.90, 0.93, 0.96, 0.99]}, widths=[784, 1])
    save({"val_goodness": [0.89, 0.92, 0.95, 0.981]}, widths=[784, 2])
    save({"val_goodness": [0.89, 0.92, 0.95, 0.981]}, widths=[784, 3], seed=10)
    assert claim(None, *widths("val_goodness", 1, 2)).verdict() == "supported"
    assert claim(None, *widths("val_goodness", 1, 3)).verdict() == "undecided", "other seeds: Welch's test"


def test_two_standard_errors_are_not_significant_with_five_seeds(save):
    """Table 6's IMDB, once "reproduced" at p = 0.08."""
    save({"val_goodness": [0.8804, 0.8811, 0.8826, 0.8827, 0.8830]}, widths=[784, 1])
    save({"val_goodness": [0.8816, 0.8807, 0.8799, 0.8808, 0.8806]}, widths=[784, 2])
    order = claim(None, *widths("val_goodness", 1, 2))
    one, other = order.found()
    assert (
        one.mean - other.mean > 2 * (one.error**2 + other.error**2) ** 0.5 and order.verdict() == "undecided"
    )


def test_the_interval_is_scipys(save):
    from scipy import stats

    a, b = [90.0, 91.5, 92.0], [89.0, 91.0, 90.5, 88.0]
    save({"val_goodness": [x / 100 for x in a]}, widths=[784, 1])
    save({"val_goodness": [x / 100 for x in b]}, widths=[784, 2], seed=5)
    one, other = claim(None, *widths("val_goodness", 1, 2)).found()
    assert interval(one, other) == pytest.approx(
        tuple(stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.95))
    )
    save({"val_goodness": [x / 100 for x in b[:3]]}, widths=[784, 3])
    other = ask(query("val_goodness", widths=[784, 3]))
    assert interval(one, other) == pytest.approx(tuple(stats.ttest_rel(a, b[:3]).confidence_interval(0.95)))


def test_every_step_of_an_order_counts_and_the_first_against_each_other(save):
    for width, value in enumerate((0.99, 0.95, 0.97)):
        save({"val_goodness": [value - 0.001, value, value + 0.002]}, widths=[784, width])
    queries = widths("val_goodness", 0, 1, 2)
    assert (
        claim(None, *queries).verdict() == "contradicted"
        and claim(None, *queries, holds="first").verdict() == "supported"
    )
    assert claim(None, *widths("val_goodness", 0, 2, 1)).verdict() == "supported"
    assert claim(None, *queries, *widths("val_goodness", 9)).verdict() == "open", "one is missing"
    assert (
        pages.measured(claim(None, *queries)).count("<")
        == 1
        == pages.measured(claim(None, *queries)).count(">")
    )


def test_lower_is_better_where_it_is_declared(save):
    save({"time": [1.0, 1.1, 1.2]}, widths=[784, 1])
    save({"time": [2.0, 2.2, 2.1]}, widths=[784, 2])
    assert claim(None, *widths("time", 1, 2), lower=True).verdict() == "supported"
    assert claim(None, *widths("time", 1, 2)).verdict() == "contradicted"


def test_at_least_and_the_same_need_a_margin_that_holds_the_whole_interval(save):
    for width, values in (
        (1, [0.950, 0.951, 0.952]),
        (2, [0.9505, 0.9515, 0.9518]),
        (3, [0.90, 0.91, 0.92]),
        (4, [0.95, 0.99, 0.91]),
        (5, [0.9503, 0.9513, 0.9523]),
    ):
        save({"val_goodness": values}, widths=[784, width])
    says = lambda holds, *which, within=0.5: claim(
        None, *widths("val_goodness", *which), holds=holds, within=within
    ).verdict()
    assert (
        says("same", 1, 2) == "supported"
        and says("same", 1, 3) == "contradicted"
        and says("same", 1, 4) == "undecided"
    )
    assert (
        says("at least", 1, 2) == "supported" == says("at least", 1, 3)
        and says("at least", 3, 1) == "contradicted"
    )
    assert says("at least", 1, 4) == "undecided" == says("same", 1, 2, within=0.01)
    assert says("at least", 1, 5, within=0.1) == "supported", "behind, but by less than the margin"


def test_above_a_bar_pairs_and_leads(save):
    for width, values in (
        (1, [0.9, 0.91, 0.92]),
        (2, [0.8, 0.81, 0.82]),
        (3, [0.7, 0.71, 0.72]),
        (4, [0.65, 0.66, 0.67]),
    ):
        save({"val_goodness": values}, widths=[784, width])
    says = lambda holds, *which, **more: claim(
        None, *widths("val_goodness", *which), holds=holds, **more
    ).verdict()
    assert says("above", 1, 2, within=70) == "supported" and says("above", 1, 3, within=71) == "undecided"
    assert says("above", 4, within=70) == "contradicted"
    assert says("pairs", 1, 2, 3, 4) == "supported" and says("pairs", 1, 2, 4, 3) == "contradicted"
    assert says("gap", 1, 2, 3, 4) == "supported", "a lead of 10 points is greater than one of 5"
    assert says("gap", 3, 4, 1, 2) == "contradicted"
    one, other = claim(None, *widths("val_goodness", 1, 2)).found()
    assert difference(one, other).mean == pytest.approx(10)


def test_where_the_best_value_lies(save):
    for width, best in ((1, 0.3), (2, 0.3), (3, 0.5)):
        for strength in (0.3, 0.5):
            high = 0.90 + 0.05 * (strength == best)
            save(
                {"val_linear": [high, high + 0.001, high + 0.003]},
                widths=[784, width],
                labels={"strength": strength},
            )
    peaks = lambda *which, holds: claim(
        None, *widths("val_linear", *which), vary="labels.strength", holds=holds
    )
    assert (
        peaks(1, 2, holds="same peak").verdict() == "supported" == peaks(1, 3, holds="other peak").verdict()
    )
    assert (
        peaks(1, 3, holds="same peak").verdict()
        == "contradicted"
        == peaks(1, 2, holds="other peak").verdict()
    )
    assert (
        peaks(3, 1, 2, holds="higher peak").verdict() == "supported"
        and peaks(1, 3, holds="higher peak").verdict() == "contradicted"
    )
    assert pages.measured(peaks(1, 3, holds="same peak")) == "best at 0.3, best at 0.5"
    for strength, values in ((0.3, [0.94, 0.95, 0.96]), (0.5, [0.95, 0.96, 0.94])):
        save({"val_linear": values}, widths=[784, 4], labels={"strength": strength})
    assert (
        peaks(1, 4, holds="same peak").verdict() == "undecided" == peaks(4, 3, holds="other peak").verdict()
    )


def test_a_single_seeds_noise_is_that_of_its_study_too(save):
    save({"val_goodness": 0.90}, validation_images=1_000, widths=[784, 1])
    assert ask(query("val_goodness", widths=[784, 1])).seed_error == pytest.approx(
        100 * (0.9 * 0.1 / 1_000) ** 0.5
    )
    save({"val_goodness": [0.92, 0.94]}, validation_images=1_000, widths=[784, 2])
    found = ask(query("val_goodness", widths=[784, 1]))
    assert found.seed_error == pytest.approx((90 / 1_000 * 100 / 10 * 1.0 + 2) ** 0.5) and found.seeds == 1
    shown = claim(90.0, query("val_goodness", widths=[784, 1]))
    assert "(one seed)" in pages.measured(shown) and "such runs differ by ±1.70" in pages.scale(shown.found())


# --- choosing and asking ------------------------------------------------------------------------------------


def test_no_configuration_is_chosen_on_test_images(save):
    save({"test_accuracy": 0.90, "val_accuracy": 0.95}, epochs=10)
    save({"test_accuracy": 0.93, "val_accuracy": 0.92}, epochs=40)
    assert ask(query("test_accuracy")).mean == pytest.approx(90) and ask(
        query("val_accuracy")
    ).mean == pytest.approx(95)
    save({"test_goodness": 0.90}, epochs=10, lr=1)
    save({"test_goodness": 0.93}, epochs=40, lr=1)
    with pytest.raises(ValueError, match="no validation images choose"):
        ask(query("test_goodness"))


def test_a_query_can_ask_for_a_part_deep_in_a_configuration(save):
    save({"val_goodness": 0.75}, blocks=dict(widths=[4, 4], kernel=5), network=dict(local=True))
    asked = lambda **parts: claim(1.0, query("val_goodness", **parts))
    assert asked(network={"local": True}).found() and not asked(network={"local": False}).found()
    assert asked(blocks={"kernel": 5, "pool": "none"}).found(), '"none" is a part that is not there'
    assert holds({"flip": False}, {"flip": "none"}) and holds({"lr": 3}, {"lr": "any"})
    assert change({"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"b": 9}}) == {"a": {"b": 9, "c": 2}, "d": 3}
    assert "4-4 filters 5×5" in pages.scale(asked(network={"local": True}).found())


def test_metrics_that_lie_in_the_history(save):
    half_of_the_fours = [[9 if row == column else row == 4 for column in range(10)] for row in range(10)]
    half_of_the_fours[4] = [1] * 9 + [0]
    history = {
        "discrimination": [[5, [9.0, 0.5], [8.0, 0.6], [7.0, 0.7]], [10, [6.0, 0.8], [5.0, 0.9], [4.0, 1.0]]],
        "confusion": {"test_goodness": half_of_the_fours},
        "validation": [[1, 0.5], [2, 0.9]],
    }
    save({"test_goodness": 0.9}, history=history)
    value = lambda metric: ask(query(metric)).mean
    assert value("discrimination 2 first") == pytest.approx(60) and value(
        "discrimination 3 last"
    ) == pytest.approx(100)
    assert value("test_goodness of 14") == pytest.approx(100 * (1 + 1 / 9) / 2)
    assert value("test_goodness least of 14") == pytest.approx(100 / 9) and value(
        "test_goodness most of 14"
    ) == pytest.approx(100)
    assert value("validation curve") == pytest.approx(70)
    assert ask(query("val_goodness of 1")) is None


# --- what a chapter measures --------------------------------------------------------------------------------


def test_what_a_chapter_measures_is_judged_like_all_else(save, monkeypatch):
    ours = dict(study="measured", where={"name": "speed"})
    asked = lambda paper=None, *metrics, **more: claim(
        paper, *(ours | {"metric": m} for m in metrics), unit="ms", **more
    )
    measured("speed", {"a": [1.0, 2.0]})
    assert asked(1.5, "a").verdict() == "open", "a reader's run keeps nothing"
    monkeypatch.setenv(KEPT, "1")
    measured("speed", {"a": [1.0, 1.1, 1.2], "b": [3.0, 3.1, 3.3]}, widths=[784, 10])
    assert asked(1.1, "a").verdict() == "reproduced" and asked(5.0, "b").verdict() == "fell short"
    assert (
        asked(None, "b", "a").verdict() == "supported" and asked(None, "a", "b").verdict() == "contradicted"
    )
    assert asked(1.1, "a", at={"widths": [784, 1000]}).verdict() == "open"
    measured("speed", {"a": 2, "b": 1}, exact=True)
    assert (
        asked(None, "a", "b").verdict() == "supported" and asked(None, "b", "a").verdict() == "contradicted"
    )
    assert [path.name for path in (records.folder() / "measured").iterdir()] == ["speed.json"], (
        "written whole"
    )
    for wrong in (("../up", {"a": 1}), ("empty", {})):
        with pytest.raises(ValueError, match="a measurement has a name of letters"):
            measured(*wrong)


def test_each_measurement_is_made_by_its_chapter():
    names = {
        (entry.chapter, ours["where"]["name"])
        for entry in claims.load()
        for ours in entry.ours
        if ours["study"] == "measured"
    }
    assert len(names) > 12
    assert KEPT in (ROOT / "tools" / "notebooks.py").read_text("utf8"), "`make run` keeps what is measured"
    for chapter, name in names:
        text = (ROOT / "notebooks" / f"{chapter}.ipynb").read_text("utf8")
        pattern = (
            re.escape(name)
            .replace(r"mnist", r"(mnist|\{\w[\w.()]*\})")
            .replace(r"cifar\-10", r"(cifar-10|\{\w[\w.()]*\})")
        )
        pattern = re.sub(r"(full|mini)$", r"(\1|\\{how\\})", pattern)
        assert "measured(" in text and re.search(pattern, text), (chapter, name)


# --- the pages ----------------------------------------------------------------------------------------------


def test_a_line_tells_all(save, only):
    save({"test_goodness": [0.98, 0.97]}, lr=0.003, shift=1, epochs=40, network={"negatives": "hard"})
    entry = only(
        claim(
            99.0,
            query(),
            at={"epochs": 60},
            but={"epochs": 40},
            chosen="the rate by `trials`",
            why="too long",
            differs="another norm",
            front="A network",
            says="a | b & `c`",
        )
    )
    page = pages.all_claims()
    assert "a | b &amp; <code>c</code>" in page, (
        "a raw | survives, and what HTML would read as its own does not"
    )
    for part in (
        "epochs 40 (paper: 60)",
        "another norm",
        "the rate by <code>trials</code>",
        "too long",
        "±0.1 points",
        "rate 0.003",
        "hard negatives",
        "shifts of ±1 px",
        "2 seeds",
        "97.50\u00a0±\u00a00.71 %",
        "○ open",
    ):
        assert part in page, part
    assert "1 claims: **0** reproduced" in page and "**1** open" in page
    assert entry.verdict() == "open" and "A network" not in pages.front_claims(), (
        "the front page has no open row"
    )


def test_a_table_whose_rows_are_all_folded_has_no_head(save, only):
    save({"test_goodness": 0.99})
    opened = claim(99.0, query("test_linear"), why="too long")
    only(opened, claim(None, query(), id="ours", source="control"))
    page = pages.all_claims()
    assert "1 open claims" in page and "1 numbers of our own" in page and "claim head" not in page
    only(opened, claim(99.0, query(), id="shown"))
    assert pages.all_claims().count("claim head") == 1


def test_a_bar_of_the_front_table_is_escaped(save, only):
    save({"test_goodness": 0.99})
    only(claim(99.0, query(), front="left | right"))
    assert (
        "| left \\| right | 99.00\N{NO-BREAK SPACE}% | 99.00 % (one seed) | reproduced |"
        in pages.front_claims()
    )


def test_every_verdict_is_a_word_and_a_sign_of_its_own():
    assert {*VERDICTS, "control"} == set(pages.SIGNS) and len(set(pages.SIGNS.values())) == len(pages.SIGNS)
    css = (ROOT / "book" / "_assets" / "book.css").read_text("utf8")
    for verdict in pages.SIGNS:
        assert f".{verdict.split(' in ')[0].replace(' ', '-')}" in css, verdict


# --- the project's own claims -------------------------------------------------------------------------------


def test_the_protocol_selects_one_configuration():
    """Of its study's grid, unless the query says over what it takes the best; none only with a reason."""
    asked = 0
    for entry in claims.load():
        choices = {key: value for key, value in entry.but.items() if key not in claims.SCALE}
        for ours in entry.ours:
            asked += 1
            if ours["study"] == "measured":
                continue
            grid = STUDIES[ours["study"]].grid("full")
            fit = [
                sum(holds(config, ours.get("where", {})) and holds(config, at) for config in grid)
                for at in (entry.at, change(entry.at, choices), change(entry.at, entry.but))
            ]
            assert max(fit) == 1 or "best" in ours or (max(fit) == 0 and entry.why), (entry.id, ours, fit)
            assert max(fit) > 0 or entry.why, (entry.id, ours)
    assert asked > 250


def test_records_agree_with_the_protocol(project):
    checked = 0
    for entry in claims.load():
        for found in entry.found():
            assert found.record["profile"] == "full" and holds(
                found.record["config"], change(entry.at, entry.but)
            ) | holds(found.record["config"], entry.at), entry.id
            assert {path.split(".")[0] for path in entry.differences([found])} <= set(entry.but), entry.id
            checked += 1
    assert checked > 100


def test_every_entry_says_what_it_must():
    for entry in claims.load():
        assert (
            entry.says
            and entry.source
            and (entry.holds in claims.PAIRS or entry.holds == "above" or "peak" in entry.holds)
        ), entry.id
        if entry.source == "control":
            assert len(entry.ours) == 1 and entry.paper is None, entry.id
        elif entry.ours:
            assert entry.chosen, f"{entry.id} does not say how its record was chosen"
        else:
            assert bool(entry.why) != bool(entry.chapter), (
                f"{entry.id} is seen in a chapter, or says why it is open"
            )
        assert not entry.chapter or (ROOT / "notebooks" / f"{entry.chapter}.ipynb").exists(), entry.id
        assert entry.within > 0 or entry.holds not in ("same", "at least"), entry.id


def test_only_what_is_seen_or_proved_is_shown_in_a_chapter(project):
    shown = {entry.id for entry in claims.load() if entry.verdict() == "shown in a chapter"}
    assert shown == {
        "article-activity",
        "article-normalisation",
        "ff-cnn-cam-1",
        "ff-cnn-cam-2",
        "ff-cnn-cam-79",
        "ff-cnn-cam-layers",
        "later-cams",
        "mf-memory-slope-bp",
        "mf-plug",
    }


def test_no_statement_is_decided_by_fewer_than_three_seeds(project):
    decided = [
        entry
        for entry in claims.load()
        if entry.paper is None and entry.verdict() in ("supported", "contradicted")
    ]
    assert decided
    for entry in decided:
        assert all(found.seeds >= 3 or found.exact for found in entry.found()), entry.id


def test_augmented_runs_answer_no_claim_of_a_paper_that_names_none(project):
    for entry in claims.load():
        if entry.document == "mono-forward" and entry.source != "control":
            for found in entry.found():
                config = found.record["config"]
                assert not (config.get("shift") or config.get("flip") or config.get("standardise")), entry.id


def test_the_claims_cover_the_tables_and_figures():
    named = {
        document: " ".join(entry.source for entry in claims.load() if entry.document == document)
        for document in claims.documents()
    }
    for place in (
        "Table 1",
        "Table 2",
        "Table 3",
        "Figure 3A",
        "Figure 3B",
        "Figure 3C",
        "Figure 3D",
        "Figure 4A",
        "Figure 4B",
        "Figure 5",
        "Figure 6",
        "Figure 7",
        "Figure 9",
        "Appendix B",
        "Section 3.1",
        "Section 3.2",
    ):
        assert place in named["ff-cnn"], place
    for place in (
        "Table 1",
        "Tables 2 and 3",
        "Table 4",
        "Table 5",
        "Table 6",
        "Figures 1 and 2",
        "Figure 3(a)",
        "Figure 3(b)",
        "Figure 4",
        "Figure 5",
        "Section 2",
    ):
        assert place in named["mono-forward"], place


@pytest.mark.parametrize(
    "change, said", [("tolerence = 1", "unknown fields: tolerence"), ('protocol = "no"', "lacks protocols")]
)
def test_a_slip_in_the_file_is_named(monkeypatch, change, said):
    text = f'[d]\ntitle = "t"\n[[d.claims]]\nid = "a"\nsource = "s"\nsays = "s"\n{change}\n'
    monkeypatch.setattr(claims, "documents", lambda: tomllib.loads(text))
    with pytest.raises(ValueError, match=said):
        claims.load()


@pytest.mark.parametrize(
    "name, table", [("README.md", pages.front_claims), ("book/reproduced.md", pages.all_claims)]
)
def test_the_pages_show_what_the_records_say(project, name, table):
    shown = re.search(r"<!-- claims -->\n(.*)\n<!-- /claims -->", (ROOT / name).read_text("utf8"), re.DOTALL)[
        1
    ]
    assert shown == table(), f"{name} is behind the records: run `make claims`"


def test_the_verdicts_are_kept_and_none_is_lost(project):
    kept = json.loads((ROOT / "results" / "verdicts.json").read_text())
    assert kept == {entry.id: entry.verdict() for entry in claims.load()}, "run `make claims`"
    assert not claims.lost(kept)


def test_a_claim_that_loses_its_answer_is_named(save, only):
    save({"test_goodness": 0.95})
    only(claim(99.0, query()))
    assert not claims.lost({"id": "reproduced"}), "what the answer is may change"
    assert not claims.lost({"gone": "open", "control": "control"})
    assert claims.lost({"lost": "supported"}) == ["lost: was supported, is gone"]
    only(claim(99.0, query("test_linear")))
    assert claims.lost({"id": "contradicted"}) == ["id: was contradicted, is open"]


def test_every_verdict_comes_out_the_same_without_our_code(tmp_path):
    script = ROOT / "tests" / "recompute.py"
    assert not re.search(r"^\s*(from|import) (evidence|fftools)", script.read_text("utf8"), re.MULTILINE)
    again = lambda *root: subprocess.run(
        [sys.executable, "-I", script, *root], capture_output=True, text=True, check=False
    )
    done = again()
    assert done.returncode == 0 and "verdicts agree" in done.stdout, done.stdout + done.stderr
    copy = tmp_path / "copy"
    for part in ("evidence/claims.toml", "results"):
        (copy / part).parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if (ROOT / part).is_dir() else shutil.copy)(ROOT / part, copy / part)
    kept = json.loads((copy / "results" / "verdicts.json").read_text())
    (copy / "results" / "verdicts.json").write_text(json.dumps(kept | {"article-test": "exceeded"}))
    done = again(copy)
    assert done.returncode == 1 and "article-test: kept exceeded, recomputed reproduced" in done.stdout


def test_prose_has_no_percentage_but_the_papers():
    """A number of ours is glued or computed; one that is written out must be a claim's, or begin like one."""
    known = {
        f"{number:.2f}"
        for entry in claims.load()
        if entry.paper
        for number in (entry.paper, 100 - entry.paper)
    }
    known |= {
        number for entry in claims.load() for number in re.findall(r"\d+\.\d+", entry.says + entry.source)
    }
    read = 0
    for path in PROSE:
        text = path.read_text("utf8")
        if path.suffix == ".ipynb":
            text = "\n".join(
                cell.source for cell in nbformat.reads(text, 4).cells if cell.cell_type == "markdown"
            )
        text = re.sub(r"<!-- claims -->.*?<!-- /claims -->", "", text, flags=re.DOTALL)
        found = re.findall(r"(\d+\.\d+)\s?\\?%", text)
        unknown = [number for number in found if not any(name.startswith(number) for name in known)]
        assert not unknown, f"{path.name}: {unknown}"
        read += len(found)
    assert read > 5
