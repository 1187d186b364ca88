"""Texts, for Table 6 of Mono-Forward: film reviews, as bags of words or as the ids of their words."""

import os
from pathlib import Path

import numpy as np
import torch
from scipy.sparse import csr_matrix
from sklearn.datasets import load_files
from sklearn.feature_extraction.text import CountVectorizer

from fftools.data.split import DataError, Dataset, Split, folder, hold_out, remember
from fftools.inputs import expect


def imdb(form: str = "bag", words: int = 5_000, length: int = 400, seed: int = 0) -> Dataset:
    """50,000 film reviews, half of them for testing; 1 is a praise, 0 a pan (Maas et al. 2011).

    form     "bag": is the word in the review? `(N, words)`, uint8 255 or 0, fed to a network as 1 or 0;
             "ids": numbers of words, `(N, length)` int64, filled up with 0; `features[id]` is the word
    words    so many words, those in most reviews of the training part; others are left out
    length   of the ids; what a review has beyond is left out
    seed     which fifth of the 25,000 training reviews is for validation

    Raises DataError when the reviews are not there, ValueError for an unknown form or numbers below 1.
    """
    fits = form in ("bag", "ids") and words >= 1 and length >= 1
    expect(fits, 'form must be "bag" or "ids", words and length positive', form, words, length)
    vocabulary, ids, starts, labels, tests = _tokens()
    everything, shape = np.arange(len(labels)), (len(labels), len(vocabulary))
    parts = [*hold_out("imdb", everything[:-tests], labels, seed), everything[-tests:]]
    there = csr_matrix((np.ones(len(ids), np.int32), ids, starts), shape, copy=True)
    there.sum_duplicates()
    there.data = np.full(there.nnz, 255, np.uint8)  # however often
    seen_in = np.bincount(there[parts[0]].indices, minlength=len(vocabulary))
    known = np.argsort(-seen_in, kind="stable")[: min(words, (seen_in > 0).sum())]
    features = vocabulary[known].tolist()
    if form == "bag":
        inputs = there[:, known].toarray()
    else:
        inputs, features = _padded(np.split(ids, starts[1:-1]), known, length), ["", *features]
    splits = (Split(torch.from_numpy(inputs[part]), torch.from_numpy(labels[part])) for part in parts)
    source = "aclImdb, validation split by seed"
    return Dataset("imdb", *splits, tuple(features), ("negative", "positive"), source)


def _padded(texts: list[np.ndarray], known: np.ndarray, length: int) -> np.ndarray:
    """The first `length` known words of each text, numbered from 1 in the order of `known`; 0 fills up."""
    number = np.zeros(1 + max(text.max(initial=0) for text in texts), np.int64)
    number[known] = np.arange(1, len(known) + 1)
    padded = np.zeros((len(texts), length), np.int64)
    for row, text in zip(padded, texts):
        numbers = number[text][number[text] > 0][:length]
        row[: len(numbers)] = numbers
    return padded


def _tokens() -> tuple:
    """All reviews as numbers of words: vocabulary, ids, each review's start, labels, how many are tests."""
    root = folder() / "aclImdb"
    kinds = [root / part / kind for part in ("train", "test") for kind in ("neg", "pos")]
    counts = [len(os.listdir(kind)) if kind.is_dir() else 0 for kind in kinds]
    if not all(counts):
        raise DataError(
            f"imdb: {root} does not hold reviews in train/neg, train/pos, test/neg and test/pos. To mend it, "
            "unpack https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz there, or let "
            "FFTOOLS_DATA_DIR name a folder that holds aclImdb."
        )
    try:
        read = remember(_read, root, [*counts, *(kind.stat().st_mtime_ns for kind in kinds)])
    except (OSError, ValueError) as error:
        told = f"imdb: the reviews in {root} cannot be read: {error}"
        raise DataError(f"{told}. To mend it, unpack them anew") from error
    return *read, sum(counts[2:])


def _read(root: Path, stamp: list[int]) -> tuple[np.ndarray, ...]:
    """Read and split all reviews as CountVectorizer does: lower case, words of two letters or more.

    `stamp` is for the cache, see `remember`: other files, other words.
    """
    split, number, ids, starts, labels = CountVectorizer().build_analyzer(), {}, [], [0], []
    for part in ("train", "test"):
        texts = load_files(root / part, categories=["neg", "pos"], encoding="utf-8", shuffle=False)
        for text in texts.data:
            ids.extend(number.setdefault(word, len(number)) for word in split(text.replace("<br />", " ")))
            starts.append(len(ids))
        labels.extend(texts.target)
    return np.array(list(number)), np.array(ids, np.int32), np.array(starts), np.array(labels, np.int64)
