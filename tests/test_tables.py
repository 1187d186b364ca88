"""Tables and texts: validation and test data teach nothing, mistakes in files are named, networks learn."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_breast_cancer
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.metrics import roc_auc_score

from evidence import records
from evidence.run import run
from evidence.studies.tables import NETWORKS, RATES, table
from fftools import data
from fftools.blocks import averaged, mlp
from fftools.data import DataError, Split, tables
from fftools.data import reviews as reviews_module
from fftools.fit import fit
from fftools.readout import accuracy, predict
from fftools.rules.backprop import Backprop
from fftools.rules.mono_forward import MonoForward

WORDS = {"pos": ["good", "great", "fine"], "neg": ["bad", "poor", "dull"]}


@pytest.fixture
def home(monkeypatch, tmp_path):
    """An empty folder for datasets."""
    monkeypatch.setenv("FFTOOLS_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def reviews(home):
    """Sixty made-up reviews a part; a good one has two good words among neutral ones."""
    chance = np.random.default_rng(0)
    for part in ("train", "test"):
        for kind, words in WORDS.items():
            (home / "aclImdb" / part / kind).mkdir(parents=True)
            for number in range(30):
                told = [*chance.choice(words, 2), *chance.choice(["film", "plot", "the", "café"], 4)]
                (home / "aclImdb" / part / kind / f"{number:02}_7.txt").write_text(
                    " ".join(told) + "<br />The END.", "utf8"
                )
    only_tested = home / "aclImdb" / "test" / "pos" / "00_7.txt"
    only_tested.write_text("unheard " * 50, "utf8")
    return home / "aclImdb"


@pytest.fixture
def customers(home):
    """A file like Santander's: code, target, var_0 to var_199; one in ten is positive, its var_0 larger."""
    chance = np.random.default_rng(0)
    target = (np.arange(600) % 10 == 0).astype(int)
    table = pd.DataFrame(chance.normal(5, 3, (600, 200)).round(4), columns=[f"var_{i}" for i in range(200)])
    table["var_0"] += 9 * target
    table.insert(0, "target", target)
    table.insert(0, "ID_code", [f"train_{i}" for i in range(600)])
    path = home / "santander" / "train.csv"
    path.parent.mkdir(parents=True)
    table.to_csv(path, index=False)
    return path


def rewrite(path: Path, change) -> None:
    table = pd.read_csv(path, dtype=object)
    change(table)
    table.to_csv(path, index=False)


# ---- breast cancer -----------------------------------------------------------------------------------------


def test_five_seeds_test_each_tumour_once():
    raw = load_breast_cancer()
    found = [data.load("breast_cancer", "cpu", seed=seed) for seed in range(5)]
    assert sum(len(d.test) for d in found) == 569 and found[0].shape == (30,) and found[0].classes == 2
    for d in found:
        assert (len(d.train), len(d.validation)) in {(364, 91), (364, 92)}, (
            "a fifth of the rest is for validation"
        )
        shares = [part.labels.float().mean().item() for part in (d.train, d.validation, d.test)]
        assert shares == pytest.approx([raw.target.mean()] * 3, abs=0.01)
        torch.testing.assert_close(d.train.images.mean(0), torch.zeros(30), atol=1e-5, rtol=0)
        torch.testing.assert_close(d.train.images.std(0, correction=0), torch.ones(30))
        assert d.test.images.mean(0).abs().max() > 0.02, "standardised by the training part alone"
    tested = torch.cat([d.test.labels for d in found])
    assert tested.sum() == raw.target.sum()
    again = data.load("breast_cancer", "cpu", seed=5)
    assert not torch.equal(again.test.images[:50], found[0].test.images[:50]), (
        "seed 5 begins another cross-validation"
    )
    assert found[0].features == tuple(raw.feature_names)


@pytest.mark.parametrize(
    "make", [lambda: MonoForward(mlp([30, 32, 32]), 2), lambda: Backprop(mlp([30, 32, 32]), 2)]
)
def test_networks_learn_breast_cancer_and_see_no_test_label(make):
    d = data.load("breast_cancer", "cpu")
    torch.manual_seed(0)
    learner = make()
    fit(learner, d.train, epochs=15, batch_size=32, lr=3e-3, validation=d.validation)
    assert accuracy(learner.scores, d.test) > 0.9
    assert accuracy(tables.logistic(d.train, 1.0), d.test) > 0.9
    assert tables.roc_auc(learner.scores, d.test) > 0.95


# ---- reviews -----------------------------------------------------------------------------------------------


def test_the_bag_is_scikit_learns_fitted_on_the_training_part(reviews):
    d = data.load("imdb", "cpu", words=6)
    assert d.train.images.shape == (48, 6) and d.train.images.dtype == torch.uint8
    assert (len(d.validation), len(d.test), d.classes) == (12, 60, 2)
    assert set(d.train.floats().unique().tolist()) == {0.0, 1.0}
    assert d.features[:2] == ("the", "end"), "in every review; no word called br"
    texts = {
        part: [
            (reviews / part / kind / f"{i:02}_7.txt").read_text("utf8").replace("<br />", " ")
            for kind in ("neg", "pos")
            for i in range(30)
        ]
        for part in ("train", "test")
    }
    bag = CountVectorizer(binary=True, vocabulary=d.features)
    assert torch.equal(d.test.floats(), torch.from_numpy(bag.transform(texts["test"]).toarray()).float())
    learned_from = sorted(map(tuple, torch.cat([d.train.floats(), d.validation.floats()]).int().tolist()))
    assert learned_from == sorted(map(tuple, bag.transform(texts["train"]).toarray().tolist()))
    assert "unheard" not in data.load("imdb", "cpu", words=1000).features, "only in a test review"
    assert not torch.equal(data.load("imdb", "cpu", words=6, seed=1).train.labels, d.train.labels)


def test_ids_spell_the_review_in_order(reviews):
    d = data.load("imdb", "cpu", form="ids", words=1000, length=9)
    assert d.train.images.shape == (48, 9) and d.train.images.dtype == torch.int64 and d.features[0] == ""
    first = (
        (reviews / "test" / "neg" / "00_7.txt")
        .read_text("utf8")
        .replace("<br />", " ")
        .lower()
        .rstrip(".")
        .split()
    )
    assert [d.features[i] for i in d.test.images[0] if i] == first
    assert d.test.images[30].tolist() == [0] * 9, "a review of unknown words is empty"
    few = data.load("imdb", "cpu", form="ids", words=2, length=2)
    assert few.features == ("", "the", "end") and few.test.images[0].max() <= 2


@pytest.fixture
def times_read(monkeypatch):
    """How often the reviews were read, one entry a time."""
    times, load_files = [], reviews_module.load_files
    monkeypatch.setattr(
        reviews_module, "load_files", lambda *parts, **how: times.append(0) or load_files(*parts, **how)
    )
    return times


def parts_left(home) -> list[Path]:
    return [path for path in home.rglob("output.pkl.*")]


def test_reading_reviews_is_done_once_and_whole(home, reviews, times_read):
    before = data.load("imdb", "cpu")
    assert torch.equal(before.train.images, data.load("imdb", "cpu").train.images)
    assert len(times_read) == 2, "training and test part, once each"
    assert len(list(home.rglob("output.pkl"))) == 1 and not parts_left(home)
    (reviews / "train" / "pos" / "30_9.txt").write_text("great", "utf8")
    assert len(data.load("imdb", "cpu").validation) == 13 and len(times_read) == 4, (
        "one more review: read anew"
    )


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[:99]),
        lambda path: path.unlink(),
        lambda path: path.parent.joinpath("metadata.json").unlink(),
    ],
)
def test_a_damaged_cache_is_made_again(home, reviews, damage, times_read):
    before = data.load("imdb", "cpu")
    damage(*home.rglob("output.pkl"))
    assert torch.equal(before.train.images, data.load("imdb", "cpu").train.images)


@pytest.mark.parametrize(
    "error",
    [OSError(28, "No space left on device"), PermissionError(13, "Permission denied"), KeyboardInterrupt()],
)
def test_a_cache_that_cannot_be_written_is_gone_and_the_data_are_there(home, reviews, monkeypatch, error):
    from joblib import numpy_pickle

    def dump(value, file, **options):
        file.write(b"some of it")
        raise error

    monkeypatch.setattr(numpy_pickle, "dump", dump)
    if isinstance(error, KeyboardInterrupt):
        with pytest.raises(KeyboardInterrupt):
            data.load("imdb", "cpu")
    else:
        with pytest.warns(Warning, match=error.strerror):
            assert len(data.load("imdb", "cpu").train) == 48
    assert not parts_left(home) and not list(home.rglob("output.pkl"))
    monkeypatch.undo()
    monkeypatch.setenv("FFTOOLS_DATA_DIR", str(home))
    assert len(data.load("imdb", "cpu").train) == 48 and len(list(home.rglob("output.pkl"))) == 1, (
        "it goes on"
    )


def test_reviews_in_a_folder_for_reading_only(home, reviews, monkeypatch):
    (home / ".cache").write_text("no folder can be made here")
    assert len(data.load("imdb", "cpu").train) == 48


def test_reviews_that_are_not_there(home, reviews):
    for path in (reviews / "test" / "pos").iterdir():
        path.unlink()
    with pytest.raises(
        DataError, match=r"imdb: .*aclImdb does not hold reviews in .*test/pos.*unpack.*FFTOOLS_DATA_DIR"
    ):
        data.load("imdb", "cpu")
    assert data.load("imdb", "cpu", fallback="digits").name == "digits"


@pytest.mark.parametrize("wrong", [dict(form="letters"), dict(words=0), dict(form="ids", length=0)])
def test_senseless_forms_are_refused(wrong):
    with pytest.raises(ValueError, match='form must be "bag" or "ids", words and length positive; got'):
        data.load("imdb", "cpu", **wrong)
    with pytest.raises(TypeError, match="unexpected keyword argument 'words'"):
        data.load("digits", "cpu", words=3)


@pytest.mark.parametrize("rule", [MonoForward, Backprop])
def test_an_embedding_learns_which_words_praise(rule, reviews):
    d = data.load("imdb", "cpu", form="ids", words=50, length=12)
    torch.manual_seed(0)
    learner = rule(averaged([len(d.features), 16, 16]), 2)
    fit(learner, d.train, epochs=40, batch_size=8, lr=1e-2)
    assert accuracy(learner.scores, d.test[torch.arange(60) != 30]) > 0.9
    assert torch.equal(
        predict(learner.scores, d.test.images), predict(learner.scores, d.test.images.flip(1))
    ), "a mean"
    if rule is MonoForward:
        speaks_for = (learner.projections[0].weight[1] - learner.projections[0].weight[0]) @ learner.blocks[
            0
        ].weight.T
        ranked = [
            d.features[i] for i in speaks_for.argsort().tolist() if d.features[i] in sum(WORDS.values(), [])
        ]
        assert set(ranked[:3]) == set(WORDS["neg"]) and set(ranked[3:]) == set(WORDS["pos"])


def test_an_average_leaves_the_filling_out():
    block, *above = averaged([5, 3, 4])
    short, long = torch.tensor([[1, 2, 0, 0]]), torch.tensor([[1, 2]])
    torch.testing.assert_close(block(short), block.weight[[1, 2]].mean(0, keepdim=True))
    assert torch.equal(block(short), block(long)) and not block(torch.zeros(1, 4, dtype=torch.int64)).any()
    assert [layer[1].in_features for layer in above] == [3] and len(averaged([5, 3])) == 1
    with pytest.raises(ValueError, match="at least two positive numbers"):
        averaged([5])


# ---- a table that the reader brings ------------------------------------------------------------------------


def test_santander_is_read_from_its_own_form(customers):
    d = data.load("santander", "cpu")
    assert (d.name, d.shape, d.classes) == ("santander", (200,), 2) and d.features[:2] == ("var_0", "var_1")
    assert (len(d.train), len(d.validation), len(d.test)) == (384, 96, 120)
    assert [part.labels.float().mean().item() for part in (d.train, d.validation, d.test)] == pytest.approx(
        [0.1] * 3, abs=0.01
    )
    torch.testing.assert_close(d.train.images.mean(0), torch.zeros(200), atol=1e-5, rtol=0)
    torch.testing.assert_close(d.train.images.std(0, correction=0), torch.ones(200))
    raw = pd.read_csv(customers)
    joined = torch.cat([part.images for part in (d.train, d.validation, d.test)])[:, 1]
    torch.testing.assert_close(
        (joined.sort().values - joined.mean()) / joined.std(),
        torch.tensor(np.sort((raw.var_1 - raw.var_1.mean()) / raw.var_1.std()), dtype=torch.float32),
    )


def test_a_file_that_is_missing_says_how_to_get_it(home):
    with pytest.raises(DataError, match=r"santander: there is no .*train\.csv.*kaggle\.com.*put it there"):
        data.load("santander", "cpu")
    with pytest.raises(DataError, match=r"there is no file .*mine\.csv"):
        tables.csv(home / "mine.csv", "target")


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda t: t.__delitem__("target"), "has no column target; it has ID_code, var_0"),
        (lambda t: t.__delitem__("ID_code"), "has no column ID_code"),
        (
            lambda t: t.__setitem__("var_7", ["1"] * 3 + ["lots"] + ["2"] * 596),
            "column var_7 has no number in line 5, but 'lots'",
        ),
        (
            lambda t: t.__setitem__("var_8", ["1", None] + ["2"] * 598),
            "column var_8 has no number in line 3, but 'nan'",
        ),
        (
            lambda t: t.__setitem__("target", ["0"] * 300 + ["2"] * 300),
            r"should hold the classes 0, 1, …; it holds \[0, 2\]",
        ),
        (lambda t: t.__setitem__("target", ["0"] * 600), r"should hold the classes 0, 1, …; it holds \[0\]"),
        (
            lambda t: t.__setitem__("target", ["yes"] * 600),
            "column target has no number in line 2, but 'yes'",
        ),
    ],
)
def test_mistakes_in_a_file_are_named(customers, change, message):
    rewrite(customers, change)
    with pytest.raises(DataError, match=message):
        data.load("santander", "cpu")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe\x00target",
        b'target,a\n"0,1\n',
        b"target\n0\n1\n",
        b"target,a\n0,1\n1,2\n",
        b"target,a\n",
        b"target,a\n0,1\n1,9" + b"9" * 400 + b"\n" * 9,
        b"target,a\n0,1,2,3\n0,1\n",
    ],
)
def test_what_is_no_table_is_named(tmp_path, content):
    (tmp_path / "fish.csv").write_bytes(content)
    with pytest.raises(DataError, match=r"fish\.csv"):
        tables.csv(tmp_path / "fish.csv", "target")
    with pytest.raises(DataError, match="is not a comma-separated table"):
        tables.csv(tmp_path, "target")


def test_any_table_of_several_classes(tmp_path):
    pd.DataFrame(dict(kind=[0, 1, 2] * 20, size=range(60), same=1)).to_csv(tmp_path / "fish.csv", index=False)
    d = tables.csv(tmp_path / "fish.csv", "kind")
    assert (d.name, d.classes, d.features) == ("fish", 3, ("size", "same"))
    assert not d.train.images[:, 1].any(), "a column without spread stands at zero, not at infinity"


# ---- measures and records ----------------------------------------------------------------------------------


def test_roc_auc_is_scikit_learns():
    chance = np.random.default_rng(0)
    inputs, labels = (
        torch.tensor(chance.normal(size=(2_500, 3))).float(),
        torch.tensor(chance.integers(0, 2, 2_500)),
    )
    scores = lambda x: torch.stack([-x[:, 0], x[:, 1]], 1)
    ours = tables.roc_auc(scores, Split(inputs, labels))
    assert ours == pytest.approx(roc_auc_score(labels, inputs[:, 1] + inputs[:, 0]))


@pytest.mark.parametrize("rule", ["mf", "bp", "logistic"])
def test_a_study_runs_on_a_table_and_reports_both_measures(rule, customers):
    config = table(rule, "santander", 0.1 if rule == "logistic" else 3e-3, epochs=20, batch_size=32)
    found = run("tiny", config, 0, "quick", device="cpu", progress=False)["metrics"]
    way = "ff_pred" if rule == "mf" else "accuracy"
    assert {f"{split}_{way}{kind}" for split in ("val", "test") for kind in ("", "_auc")} <= set(found)
    assert 0.5 < found[f"test_{way}_auc"] <= 1 and found[f"test_{way}"] > 0.8


def test_a_runs_seed_chooses_its_fold(monkeypatch):
    seen = []
    load = data.load
    monkeypatch.setattr(data, "load", lambda *args, **options: seen.append(options) or load(*args, **options))
    for seed in (0, 3):
        run("tiny", table("logistic", "breast_cancer", 1.0), seed, "quick", device="cpu", progress=False)
    assert seen == [dict(seed=0), dict(seed=3)]


@pytest.mark.parametrize("network", RATES)
def test_the_rates_are_the_best_of_those_tried_on_validation_data(network, monkeypatch):
    """The same number of trials for each rule, at the same seeds; none of it on test data."""
    monkeypatch.setenv("FFTOOLS_RESULTS_DIR", str(Path(__file__).parents[1] / "results"))
    tried = [
        r
        for r in records.load("mono-tables-rates", "full")
        if all(r["config"].get(key) == NETWORKS[network].get(key) for key in ("dataset", "form"))
    ]
    budgets = set()
    for rule, chosen in RATES[network].items():
        marks = {}
        for r in tried:
            if r["config"]["rule"] == rule:
                assert not any(name.startswith("test") for name in r["metrics"])
                which = r["config"]["strength" if rule == "logistic" else "lr"]
                judged = r["metrics"].get(
                    "val_ff_pred", r["metrics"].get("val_accuracy", 0)
                )  # a run that failed has none
                marks.setdefault(which, []).append(judged)
        means = {which: np.mean(values) for which, values in marks.items()}
        assert means[chosen] == max(means.values()), rule
        budgets.add(tuple(len(values) for values in marks.values()))
    assert len(budgets) == 1 and len(budgets.pop()) >= 4


# ---- the real reviews, where they are at hand --------------------------------------------------------------


def test_the_real_reviews():
    if not (data.folder() / "aclImdb").is_dir():
        pytest.skip(f"aclImdb is not in {data.folder()}")
    d = data.load("imdb", "cpu", words=1_000)
    assert (len(d.train), len(d.validation), len(d.test)) == (20_000, 5_000, 25_000)
    assert d.features[0] == "the" and d.test.labels.float().mean() == 0.5
    assert accuracy(tables.logistic(d.train[:5_000], 0.1), d.validation) > 0.8
