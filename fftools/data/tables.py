"""Data that are no images, for Table 6 of Mono-Forward: breast cancer, film reviews, and any table in a CSV file."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy.sparse import csr_matrix
from sklearn.datasets import load_breast_cancer, load_files
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, train_test_split
from torch import Tensor

from fftools.data.split import DataError, Dataset, Split, folder, to_float

FOLDS = 5
HELD_OUT = 0.2  # of what is not for testing goes to validation, and of a CSV file as much to testing


def breast_cancer(seed: int = 0) -> Dataset:
    """Wisconsin breast cancer, scikit-learn's copy: 569 tumours, 30 measures of their cells' nuclei; 1 is benign.

    Seeds 0 to 4 are the five folds of one stratified cross-validation, so that each tumour is tested once; 5 to 9 of the
    next one, and so on. Inputs `(N, 30)` float32, standardised by mean and deviation of the training part alone.
    """
    table = load_breast_cancer()
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed // FOLDS).split(table.data, table.target)
    rest, test = list(folds)[seed % FOLDS]
    parts = *_hold_out(rest, table.target, seed), test
    return _standardised("breast_cancer", table.data, table.target, parts, table.feature_names.tolist())


def santander(seed: int = 0) -> Dataset:
    """Santander's *Customer Transaction Prediction* (Kaggle 2018): 200,000 customers, 200 nameless measures, 10 % positive.

    Nobody may pass the file on. Accept the rules of https://www.kaggle.com/c/santander-customer-transaction-prediction,
    download train.csv there and put it at `folder()`/santander/train.csv. (test.csv has no labels.) See `csv`.
    """
    path = folder() / "santander" / "train.csv"
    if not path.exists():
        raise DataError(f"santander: there is no {path}. To mend it, download train.csv from https://www.kaggle.com/c/"
                        "santander-customer-transaction-prediction (an account is needed) and put it there.")
    return csv(path, "target", leave_out=("ID_code",), seed=seed, name="santander")


def csv(path: Path | str, target: str, leave_out: tuple[str, ...] = (), seed: int = 0, name: str | None = None) -> Dataset:
    """A table from a CSV file: the column `target` holds the classes 0, 1, …, all columns not left out are numbers.

    A fifth of the rows is for testing, a fifth of the rest for validation, drawn by `seed` with equal shares of the classes.
    Inputs `(N, columns)` float32, standardised by the training part alone. The dataset's name is the file's if none is given.

    Raises DataError when the file, a column or a value is missing, or a value is no number.
    """
    path = Path(path)
    if not path.exists():
        raise DataError(f"there is no file {path}")
    table = pd.read_csv(path)
    if missing := {target, *leave_out} - set(table):
        raise DataError(f"{path} has no column {', '.join(sorted(missing))}; it has {', '.join(map(str, table))}"[:500])
    numbers = table.drop(columns=list(leave_out)).apply(pd.to_numeric, errors="coerce")
    bad = [name for name in numbers if not np.isfinite(numbers[name]).all()]
    if bad:
        row = int(np.flatnonzero(~np.isfinite(numbers[bad[0]]))[0])
        raise DataError(f"{path}: column {bad[0]} has no number in line {row + 2}, but {str(table[bad[0]][row])!r}")
    labels = numbers.pop(target).to_numpy()
    classes = np.unique(labels)
    if len(classes) < 2 or not np.array_equal(classes, np.arange(len(classes))):
        raise DataError(f"{path}: column {target} should hold the classes 0, 1, …; it holds {classes[:10].tolist()}")
    rest, test = _hold_out(np.arange(len(labels)), labels, seed)
    parts = *_hold_out(rest, labels, seed), test
    return _standardised(path.stem if name is None else name, numbers.to_numpy(), labels, parts, list(numbers))


def imdb(form: str = "bag", words: int = 5_000, length: int = 400, seed: int = 0) -> Dataset:
    """50,000 film reviews, half of them for testing; 1 is a praise, 0 a pan (Maas et al. 2011).

    form     "bag": is the word in the review? `(N, words)`, uint8 255 or 0, fed to a network as 1 or 0;
             "ids": the review as numbers of words, `(N, length)` int64, filled up with 0; `features[id]` is the word
    words    so many words, those in most reviews of the training part; others are left out
    length   of the ids; what a review has beyond is left out
    seed     which fifth of the 25,000 training reviews is for validation

    Raises DataError when the reviews are not there, ValueError for an unknown form or numbers below 1.
    """
    if form not in ("bag", "ids") or words < 1 or length < 1:
        raise ValueError(f'form must be "bag" or "ids", words and length positive; got {form!r}, {words}, {length}')
    vocabulary, ids, starts, labels, tests = _tokens()
    everything = np.arange(len(labels))
    parts = [*_hold_out(everything[:-tests], labels, seed), everything[-tests:]]
    there = csr_matrix((np.ones(len(ids), np.int32), ids, starts), (len(labels), len(vocabulary)), copy=True)
    there.sum_duplicates()
    there.data = np.full(there.nnz, 255, np.uint8)  # however often
    seen_in = np.bincount(there[parts[0]].indices, minlength=len(vocabulary))
    known = np.argsort(-seen_in, kind="stable")[: min(words, (seen_in > 0).sum())]
    names = vocabulary[known].tolist()
    if form == "bag":
        return _dataset("imdb", there[:, known].toarray(), labels, parts, names)
    return _dataset("imdb", _padded(ids, starts, known, length), labels, parts, ["", *names])


def _padded(ids: np.ndarray, starts: np.ndarray, known: np.ndarray, length: int) -> np.ndarray:
    """The first `length` known words of each text, numbered from 1 in the order of `known`; 0 fills up."""
    number = np.zeros(ids.max(initial=0) + 1, np.int64)
    number[known] = np.arange(1, len(known) + 1)
    texts = len(starts) - 1
    words, rows = number[ids], np.repeat(np.arange(texts), np.diff(starts))
    words, rows = words[words > 0], rows[words > 0]
    places = np.arange(len(rows)) - np.searchsorted(rows, rows)  # of a word in its text
    found = np.zeros((texts, length), np.int64)
    kept = places < length
    found[rows[kept], places[kept]] = words[kept]
    return found


def _tokens():
    """Every review as numbers of words: vocabulary, ids, where each review starts, labels, number of test reviews.

    Reading takes a while, so the result is kept beside the reviews, whole or not at all, where one may write.
    """
    root = folder() / "aclImdb"
    files = {part: [len(os.listdir(root / part / kind)) if (root / part / kind).is_dir() else 0 for kind in ("neg", "pos")]
             for part in ("train", "test")}
    if not all(map(all, files.values())):
        raise DataError(f"imdb: {root} does not hold reviews in train/neg, train/pos, test/neg and test/pos. To mend it, "
                        "unpack https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz there, or point "
                        "FFTOOLS_DATA_DIR at a folder that holds aclImdb.")
    kept = root / f"tokens-{'-'.join(str(count) for both in files.values() for count in both)}.npz"
    if kept.exists():
        with np.load(kept) as file:
            found = dict(file)
    else:
        found, part = _read(root), kept.with_name(f".{os.getpid()}.part.npz")
        try:
            np.savez(part, **found)
            part.replace(kept)
        except OSError:  # a folder for reading only, or a full disk
            part.unlink(missing_ok=True)
    return *(found[name] for name in ("vocabulary", "ids", "starts", "labels")), sum(files["test"])


def _read(root: Path) -> dict[str, np.ndarray]:
    """Read and split all reviews as scikit-learn's CountVectorizer does: lower case, words of two letters or more."""
    split, number, ids, starts, labels = CountVectorizer().build_analyzer(), {}, [], [0], []
    for part in ("train", "test"):
        texts = load_files(root / part, categories=["neg", "pos"], encoding="utf-8", shuffle=False)
        for text in texts.data:
            ids.extend(number.setdefault(word, len(number)) for word in split(text.replace("<br />", " ")))
            starts.append(len(ids))
        labels.extend(texts.target)
    return dict(vocabulary=np.array(list(number)), ids=np.array(ids, np.int32), starts=np.array(starts),
                labels=np.array(labels, np.int64))


def _hold_out(rest: np.ndarray, labels: np.ndarray, seed: int) -> list[np.ndarray]:
    """What is not for testing, parted into training and validation with equal shares of the classes."""
    return train_test_split(rest, test_size=HELD_OUT, stratify=labels[rest], random_state=seed)


def _standardised(name: str, inputs: np.ndarray, labels: np.ndarray, parts: list, features: list[str]) -> Dataset:
    train = inputs[parts[0]]
    deviation = train.std(0)
    inputs = (inputs - train.mean(0)) / np.where(deviation > 0, deviation, 1)
    return _dataset(name, inputs.astype(np.float32), labels.astype(np.int64), parts, features)


def _dataset(name: str, inputs: np.ndarray, labels: np.ndarray, parts: list, features: list[str]) -> Dataset:
    splits = (Split(torch.from_numpy(inputs[part]), torch.from_numpy(labels[part])) for part in parts)
    return Dataset(name, *splits, tuple(features))


def logistic(train: Split, strength: float):
    """Scores of a plain logistic regression (scikit-learn's, two classes) with inverse regularisation `strength`, C there."""
    model = LogisticRegression(C=strength, max_iter=5_000).fit(csr_matrix(to_float(train.images).cpu()), train.labels.cpu())

    def scores(inputs: Tensor) -> Tensor:
        ours = torch.from_numpy(model.decision_function(csr_matrix(inputs.cpu()))).to(inputs.device)
        return torch.stack([-ours, ours], 1)

    return scores


@torch.no_grad()
def roc_auc(scores, split: Split) -> float:
    """Area under the ROC curve of two classes' `scores`: how often a random 1 is ranked above a random 0."""
    found = torch.cat([scores(to_float(part)) for part in split.images.split(1000)]).float()
    return float(roc_auc_score(split.labels.cpu(), (found[:, 1] - found[:, 0]).cpu()))
