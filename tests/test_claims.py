"""What the papers claim beside the records."""

import json
import re
from pathlib import Path

import nbformat
import pytest

from evidence import claims, pages, records
from evidence.claims import VERDICTS, Claim
from evidence.query import ask, holds
from evidence.studies import STUDIES

ROOT = Path(__file__).resolve().parent.parent
PROSE = [*(ROOT / "notebooks").glob("*.ipynb"), *(ROOT / "book").glob("*.md"), ROOT / "README.md"]


@pytest.fixture
def save(tmp_path, monkeypatch):
    """Writes a record with these metrics into an empty results folder."""
    monkeypatch.setenv("FFTOOLS_RESULTS_DIR", str(tmp_path))
    origin = records.provenance("mnist", "cpu", "bf16", 1.0)

    def record(metrics, seed=0, profile="full", study="study", history=None, **config):
        config = dict(widths=[784, 10], epochs=3, network={}) | config
        records.save(study, config, seed, profile, metrics, history or {}, origin)

    return record


@pytest.fixture
def project(monkeypatch):
    """The project's own records, not a test's."""
    monkeypatch.setenv("FFTOOLS_RESULTS_DIR", str(ROOT / "results"))


def claim(paper=None, *queries, **more):
    return Claim("id", "document", "source", "says", paper, queries, **more)


def query(metric="test_goodness", **where):
    return dict(study="study", metric=metric, where=where)


def test_ours_is_the_mean_over_the_seeds_of_the_asked_configuration(save):
    for seed, right in enumerate((0.98, 0.96)):
        save({"test_goodness": right}, seed, shift=1, network={"negatives": "hard"})
    save({"test_goodness": 0.5}, shift=0, network={"negatives": "all", "negatives_each": 1})
    save({"test_goodness": 0.1}, 7, "quick", shift=1)
    found = claim(97.0, query(shift=1))
    assert found.measured() == "97.00 ± 1.41 %"
    assert found.scale() == "mnist, 784-10, 3 epochs, hard negatives, shifts of ±1 px, 2 seeds, CPU, bf16"
    assert claim(97.0, query(shift=0)).measured() == "50.00 %" and "all wrong labels" in claim(97.0, query(shift=0)).scale()
    assert claim(97.0, query()).measured() == "97.00 ± 1.41 %", "of several configurations the best is taken"


def test_no_configuration_is_chosen_on_test_images(save):
    save({"test_accuracy": 0.90, "val_accuracy": 0.95}, epochs=10)
    save({"test_accuracy": 0.93, "val_accuracy": 0.92}, epochs=40)
    assert claim(97.0, query("test_accuracy")).measured() == "90.00 %"
    assert claim(97.0, query("val_accuracy")).measured() == "95.00 %"


def test_a_query_can_ask_for_a_part_deep_in_a_configuration(save):
    save({"val_goodness": 0.75}, blocks=dict(widths=[4, 4], kernel=5), network=dict(local=True))
    asked = lambda **parts: claim(1.0, query("val_goodness", **parts))
    assert asked(network={"local": True}).measured() == "75.00 %" and not asked(network={"local": False}).found()
    assert asked(blocks={"kernel": 5, "pool": "none"}).found(), '"none" stands for a part that is not there'
    assert asked(network={"local": True}).scale() == "mnist, 4-4 filters 5×5, 3 epochs, 1 seed, CPU, bf16"


@pytest.mark.parametrize("ours, verdict", [(0.999, "reproduced"), (0.9901, "reproduced"), (0.9899, "close"),
                                           (0.9861, "close"), (0.9859, "not reproduced")])
def test_the_verdict_on_a_number(save, ours, verdict):
    save({"test_goodness": ours})
    assert claim(99.1, query()).verdict() == verdict
    assert claim(99.1, query("test_linear")).verdict() == "not run"


def test_a_lower_error_is_better(save):
    save({"test_error": 0.02}, network={"a": 1})
    save({"test_error": 0.05}, network={"a": 2})
    assert claim(4.0, query("test_error")).verdict() == "reproduced"
    assert claim(1.0, query("test_error")).verdict() == "not reproduced"
    assert claim(None, query("test_error", network={"a": 1}), query("test_error", network={"a": 2})).verdict() == "reproduced"


def test_a_smaller_run_counts_only_if_it_reaches_the_number(save):
    save({"test_goodness": 0.98}, epochs=20)
    assert claim(98.0, query(), at={"epochs": 200}).verdict() == "reproduced"
    assert claim(99.0, query(), at={"epochs": 200}).verdict() == "not run at that scale"
    assert claim(99.0, query(), at={"epochs": 20}).verdict() == "not reproduced"


def test_miniatures_answer_where_full_runs_are_missing(save):
    save({"test_goodness": 0.90}, profile="quick")
    assert claim(99.0, query()).verdict() == "not run at that scale" and claim(99.0, query()).measured() == "90.00 %"
    save({"test_goodness": 0.99})
    assert claim(99.0, query()).verdict() == "reproduced"


def test_a_smaller_run_decides_no_statement(save, monkeypatch):
    for width, value in enumerate((0.99, 0.95)):
        save({"val_goodness": value}, widths=[784, width], profile="quick")
        save({"val_linear": value}, widths=[784, width], seed=1)
    for metric, at in (("val_goodness", None), ("val_linear", {"epochs": 200})):
        for order, ours in (((0, 1), "agrees"), ((1, 0), "disagrees")):
            stated = claim(None, *(query(metric, widths=[784, width]) for width in order), at=at)
            monkeypatch.setattr(claims, "load", lambda stated=stated: [stated])
            monkeypatch.setattr(claims, "documents", lambda: {"document": {"title": "A paper"}})
            assert stated.verdict() == "not run at that scale" and f"not run at that scale; ours {ours} |" in pages.all_claims()
    queries = [query("val_linear", widths=[784, width]) for width in (0, 1)]
    assert claim(None, *queries, at={"epochs": 3}).verdict() == "reproduced"


@pytest.mark.parametrize("values, verdict", [
    ((0.99, 0.97, 0.95), "reproduced"), ((0.99, 0.989, 0.95), "reproduced"), ((0.97, 0.99, 0.95), "not reproduced"),
    ((0.970, 0.971, 0.95), "close"), ((0.970, 0.969, 0.968), "close"), ((0.95, 0.97, 0.99), "not reproduced"),
    ((0.970, 0.971, 0.972), "close"), ((0.966, 0.970, 0.974), "not reproduced"),
])
def test_the_verdict_on_an_order(save, values, verdict):
    for width, value in enumerate(values):
        save({"val_goodness": value}, widths=[784, width])
    ordered = claim(None, *(query("val_goodness", widths=[784, width]) for width in range(3)))
    assert ordered.verdict() == verdict
    assert claim(None, *ordered.ours, query("val_goodness", widths=[784, 9])).verdict() == "not run", "one is missing"


def test_the_first_against_each_other_one(save):
    for width, value in enumerate((0.99, 0.95, 0.97)):
        save({"val_goodness": value}, widths=[784, width])
    queries = [query("val_goodness", widths=[784, width]) for width in range(3)]
    assert claim(None, *queries, holds="first").verdict() == "reproduced"
    assert claim(None, *queries).verdict() == "not reproduced"
    assert claim(None, *queries, holds="first").measured() == "99.00 | 95.00 | 97.00 %"
    assert claim(None, *queries).measured() == "99.00 > 95.00 < 97.00 %"


def test_where_the_best_value_lies(save):
    for width, best in ((1, 0.3), (2, 0.3), (3, 0.5)):
        for strength in (0.3, 0.5):
            save({"val_linear": 0.9 + 0.05 * (strength == best)}, widths=[784, width], labels={"strength": strength})
    peaks = lambda *widths, holds: claim(None, *(query("val_linear", widths=[784, width]) for width in widths),
                                         vary="labels.strength", holds=holds)
    assert peaks(1, 2, holds="same peak").verdict() == "reproduced" == peaks(1, 3, holds="other peak").verdict()
    assert peaks(1, 3, holds="same peak").verdict() == "not reproduced" == peaks(1, 2, holds="other peak").verdict()
    assert peaks(1, 3, holds="same peak").measured() == "best at 0.3, best at 0.5"
    save({"val_linear": 0.9499}, widths=[784, 3], labels={"strength": 0.4})
    assert peaks(1, 3, holds="same peak").verdict() == "close" == peaks(1, 3, holds="other peak").verdict()
    assert peaks(1, 3, holds="same peak").measured() == "best at 0.3, best at 0.5 or near"


def test_noise_comes_from_the_seeds_or_from_the_images(save):
    save({"val_goodness": 0.90}, validation_images=1_000, widths=[784, 1])
    assert ask(query("val_goodness"), "full").error == pytest.approx(100 * (0.9 * 0.1 / 1_000) ** 0.5)
    save({"val_goodness": 0.92}, seed=1, validation_images=1_000, widths=[784, 1])
    found = ask(query("val_goodness"), "full")
    assert found.seeds == 2 and found.sd == pytest.approx(2**0.5) and found.error == pytest.approx(1.0)


def test_metrics_that_lie_in_the_history(save):
    half_of_the_fours = [[9 if row == column else row == 4 for column in range(10)] for row in range(10)]
    history = {"discrimination": [[5, [9.0, 0.5], [8.0, 0.6], [7.0, 0.7]], [10, [6.0, 0.8], [5.0, 0.9], [4.0, 1.0]]],
               "confusion": {"test_goodness": half_of_the_fours}}
    save({"test_goodness": 0.9}, history=history)
    assert ask(query("discrimination 2 first"), "full").mean == pytest.approx(60)
    assert ask(query("discrimination 3 last"), "full").mean == pytest.approx(100)
    assert ask(query("test_goodness of 14"), "full").mean == pytest.approx(75), "digit 1 always, 4 every second time"
    assert ask(query("val_goodness of 1"), "full") is None


# --- the project's own claims ------------------------------------------------------------------------------------


def test_every_query_asks_for_something_that_its_study_can_give():
    asked = 0
    for entry in claims.load():
        for ours in entry.ours:
            for profile in ("quick", "full"):
                grid = STUDIES[ours["study"]].grid(profile)
                assert any(holds(config, ours.get("where", {})) for config in grid), (entry.id, ours)
            asked += 1
    assert asked > 100


def test_what_a_chapter_shows_is_in_a_chapter():
    shown = [entry for entry in claims.load() if entry.chapter]
    assert len(shown) > 5
    for entry in shown:
        assert (ROOT / "notebooks" / f"{entry.chapter}.ipynb").exists() and not entry.ours, entry.id
        assert entry.verdict() == "shown in a chapter"


def test_the_claims_cover_the_tables_and_figures():
    named = {document: " ".join(entry.source for entry in claims.load() if entry.document == document)
             for document in claims.documents()}
    for place in ("Table 1", "Table 2", "Table 3", "Figure 3A", "Figure 3B", "Figure 3C", "Figure 3D", "Figure 4A", "Figure 4B",
                  "Figure 5", "Figure 6", "Figure 7", "Figure 9", "Appendix B", "Section 3.1", "Section 3.2"):
        assert place in named["ff-cnn"], place
    for place in ("Table 1", "Tables 2 and 3", "Table 4", "Table 5", "Table 6", "Figures 1 and 2", "Figure 3", "Figure 4",
                  "Figure 5"):
        assert place in named["mono-forward"], place
    assert all(entry.says and entry.source and entry.holds in ("order", "first", "same peak", "other peak")
               for entry in claims.load())


@pytest.mark.parametrize("name, table", [("README.md", pages.front_claims), ("book/reproduced.md", pages.all_claims)])
def test_the_pages_show_what_the_records_say(project, name, table):
    shown = re.search(r"<!-- claims -->\n(.*)\n<!-- /claims -->", (ROOT / name).read_text("utf8"), re.DOTALL)[1]
    assert shown == table(), f"{name} is behind the records: run `make claims`"


def test_no_verdict_got_worse(project):
    kept = json.loads((ROOT / "results" / "verdicts.json").read_text())
    assert set(kept) == {entry.id for entry in claims.load()}
    assert not claims.worse(kept)


def test_a_verdict_that_gets_worse_is_named(save, monkeypatch):
    save({"test_goodness": 0.95})
    monkeypatch.setattr(claims, "load", lambda: [claim(99.0, query())])
    for before in VERDICTS:
        assert bool(claims.worse({"id": before})) == (before in ("close", "reproduced"))
    assert claims.worse({"id": "reproduced"}) == ["id: was reproduced, is not reproduced"]
    assert claims.worse({"lost": "close"}) == ["lost: was close, is gone"]


def test_prose_has_no_percentage_but_the_papers():
    """A number of ours is glued or computed; one that is written out must be a claim's, or begin like one."""
    known = {f"{number:.2f}" for entry in claims.load() if entry.paper for number in (entry.paper, 100 - entry.paper)}
    known |= {number for entry in claims.load() for number in re.findall(r"\d+\.\d+", entry.says + entry.source)}
    read = 0
    for path in PROSE:
        text = path.read_text("utf8")
        if path.suffix == ".ipynb":
            text = "\n".join(cell.source for cell in nbformat.reads(text, 4).cells if cell.cell_type == "markdown")
        text = re.sub(r"<!-- claims -->.*?<!-- /claims -->", "", text, flags=re.DOTALL)
        found = re.findall(r"(\d+\.\d+)\s?\\?%", text)
        unknown = [number for number in found if not any(name.startswith(number) for name in known)]
        assert not unknown, f"{path.name}: {unknown}"
        read += len(found)
    assert read > 5
