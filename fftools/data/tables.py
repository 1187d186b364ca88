"""Tables, for Table 6 of Mono-Forward: breast cancer, Santander's customers, any table in a CSV file."""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from pandas.errors import ParserWarning
from scipy.sparse import csr_matrix
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from fftools.data.split import DataError, Dataset, Split, folder, hold_out
from fftools.inputs import to_float


def breast_cancer(seed: int = 0) -> Dataset:
    """Wisconsin breast cancer, scikit-learn's copy: 569 tumours, 30 measures of their nuclei; 1 is benign.

    Seeds 0 to 4 are the five folds of one stratified cross-validation, so that each tumour is tested once; 5
    to 9 of the next one, and so on. Inputs `(N, 30)` float32, standardised by the training part alone.
    """
    table = load_breast_cancer()
    again, fold = divmod(seed, 5)
    folds = StratifiedKFold(5, shuffle=True, random_state=again).split(table.data, table.target)
    rest, test = list(folds)[fold]
    parts = *hold_out("breast_cancer", rest, table.target, seed), test
    frame, names = pd.DataFrame(table.data, columns=table.feature_names), table.target_names
    return _standardised("breast_cancer", frame, table.target, parts, names)


def santander(seed: int = 0) -> Dataset:
    """Santander's Customer Transaction Prediction (Kaggle 2018): 200,000 rows, 200 measures, 10 % positive.

    Nobody may pass the file on: accept Kaggle's rules, download train.csv (test.csv has no labels) and put it
    at `folder()`/santander/train.csv. See `csv`; DataError says where to find it.
    """
    path, page = folder() / "santander" / "train.csv", "santander-customer-transaction-prediction"
    if not path.exists():
        get = f"download train.csv from https://www.kaggle.com/c/{page} (with an account) and put it there"
        raise DataError(f"santander: there is no {path}. To mend it, {get}")
    return csv(path, "target", leave_out=("ID_code",), seed=seed, name="santander")


def csv(
    path: Path | str, target: str, leave_out: tuple[str, ...] = (), seed: int = 0, name: str | None = None
) -> Dataset:
    """A table from a CSV file: column `target` holds the classes 0, 1, …, all not left out are numbers.

    A fifth of the rows is for testing, a fifth of the rest for validation, drawn by `seed` with equal shares
    of the classes. Inputs `(N, columns)` float32, standardised by the training part alone. Without a `name`
    it is the file's. Raises DataError when the file, a column or a value is missing, a value is no number, or
    a class has too few rows.
    """
    path = Path(path)
    if not path.exists():
        raise DataError(f"there is no file {path}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", ParserWarning)  # a row with more values than the head has names
            table = pd.read_csv(path, dtype=str, index_col=False)
    except (OSError, ValueError, ParserWarning) as error:  # pandas' own errors are ValueErrors
        raise DataError(f"{path} is not a comma-separated table: {error}") from error
    if missing := {target, *leave_out} - set(table):
        told = f"has no column {', '.join(sorted(missing))}; it has {', '.join(map(str, table))}"
        raise DataError(f"{path} {told}"[:500])
    numbers = table.drop(columns=list(leave_out)).apply(pd.to_numeric, errors="coerce")
    for column in numbers:
        wrong = ~np.isfinite(numbers[column].astype(float))
        if wrong.any():
            told = f"has no number in line {wrong.argmax() + 2}, but {str(table[column][wrong.argmax()])!r}"
            raise DataError(f"{path}: column {column} {told}")
    labels = numbers.pop(target).to_numpy()
    classes = np.unique(labels)
    if len(classes) < 2 or not np.array_equal(classes, np.arange(len(classes))):
        told = f"should hold the classes 0, 1, …; it holds {classes[:10].tolist()}"
        raise DataError(f"{path}: column {target} {told}")
    if not len(numbers.columns):
        raise DataError(f"{path} has no column beside {target} that a network could read")
    rest, test = hold_out(path, np.arange(len(labels)), labels, seed)
    parts = *hold_out(path, rest, labels, seed), test
    return _standardised(name or path.stem, numbers, labels, parts, range(len(classes)))


def _standardised(name: str, table: pd.DataFrame, labels: np.ndarray, parts: tuple, classes) -> Dataset:
    numbers = table.to_numpy()
    inputs = StandardScaler().fit(numbers[parts[0]]).transform(numbers).astype(np.float32)
    whole = Split(torch.from_numpy(inputs), torch.from_numpy(labels.astype(np.int64)))
    splits = (whole[torch.from_numpy(part)] for part in parts)
    return Dataset(name, *splits, tuple(table), tuple(map(str, classes)), "a table, split by seed")


def logistic(train: Split, strength: float):
    """Scores of scikit-learn's logistic regression of two classes; `strength` is its C."""
    inputs = csr_matrix(to_float(train.images).cpu())
    model = LogisticRegression(C=strength, max_iter=5_000).fit(inputs, train.labels.cpu())

    def scores(inputs: Tensor) -> Tensor:
        ours = torch.from_numpy(model.decision_function(csr_matrix(inputs.cpu()))).to(inputs.device)
        return torch.stack([-ours, ours], 1)

    return scores


@torch.no_grad()
def roc_auc(scores, split: Split) -> float:
    """Area under the ROC curve of two classes' `scores`: how often a random 1 is ranked above a random 0."""
    told = torch.cat([scores(to_float(part)) for part in split.images.split(1000)]).float()
    return float(roc_auc_score(split.labels.cpu(), (told[:, 1] - told[:, 0]).cpu()))
