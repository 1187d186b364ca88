"""Texts, for Table 6 of Mono-Forward: film reviews, as bags of words or as the ids of their words."""

import os
from pathlib import Path

import numpy as np
import torch
from scipy.sparse import csr_matrix
from sklearn.datasets import load_files
from sklearn.feature_extraction.text import CountVectorizer

from fftools.data.split import DataError, Dataset, Split, folder, hold_out, remember


def imdb(form: str = "bag", words: int = 5_000, length: int = 400, seed: int = 0) -> Dataset:
    """50,000 film reviews, half of them for testing; 1 is a praise, 0 a pan (Maas et al. 2011).

    form     "bag": is the word in the review? `(N, words)`, uint8 255 or 0, fed to a network as 1 or 0;
             "ids": numbers of words, `(N, length)` int64, filled up with 0; `features[id]` is the word
    words    so many words, those in most reviews of the training part; others are left out
    length   of the ids; what a review has beyond is left out
    seed     which fifth of the 25,000 training reviews is for validation

    Raises DataError when the reviews are not there, ValueError for an unknown form or numbers below 1.
    """
    if form not in ("bag", "ids") or words < 1 or length < 1:
        raise ValueError(
            f'form must be "bag" or "ids", words and length positive; got {form!r}, {words}, {length}'
        )
    vocabulary, ids, starts, labels, tests = _tokens()
    everything = np.arange(len(labels))
    parts = [*hold_out("imdb", everything[:-tests], labels, seed), everything[-tests:]]
    there = csr_matrix((np.ones(len(ids), np.int32), ids, starts), (len(labels), len(vocabulary)), copy=True)
    there.sum_duplicates()
    there.data = np.full(there.nnz, 255, np.uint8)  # however often
    seen_in = np.bincount(there[parts[0]].indices, minlength=len(vocabulary))
    known = np.argsort(-seen_in, kind="stable")[: min(words, (seen_in > 0).sum())]
    names = vocabulary[known].tolist()
    if form == "bag":
        inputs, features = there[:, known].toarray(), names
    else:
        inputs, features = _padded(ids, starts, known, length), ["", *names]
    splits = (Split(torch.from_numpy(inputs[part]), torch.from_numpy(labels[part])) for part in parts)
    return Dataset(
        "imdb", *splits, tuple(features), ("negative", "positive"), "aclImdb, validation split by seed"
    )


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
    """All reviews as numbers of words: vocabulary, ids, each review's start, labels, how many are tests."""
    root = folder() / "aclImdb"
    kinds = [root / part / kind for part in ("train", "test") for kind in ("neg", "pos")]
    counts = [len(os.listdir(kind)) if kind.is_dir() else 0 for kind in kinds]
    if not all(counts):
        raise DataError(
            f"imdb: {root} does not hold reviews in train/neg, train/pos, test/neg and test/pos. To mend it, "
            "unpack https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz there, or point "
            "FFTOOLS_DATA_DIR at a folder that holds aclImdb."
        )
    try:
        return *remember(_read, root, [*counts, *(kind.stat().st_mtime_ns for kind in kinds)]), sum(
            counts[2:]
        )
    except (OSError, ValueError) as error:
        raise DataError(
            f"imdb: the reviews in {root} cannot be read: {error}. To mend it, unpack them anew"
        ) from error


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
