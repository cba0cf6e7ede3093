"""Items that are alike by the words of their attributes: cosines of TF-IDF vectors, of each item the largest."""

from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl
import scipy.sparse as sparse
from sklearn.feature_extraction.text import TfidfTransformer

from mu.data.logs.attributes import multi_label
from mu_kernels import SparseRows

BLOCK_PAIRS = 1 << 22
"""Cosines of so many pairs of items are in memory at once, or of one item with all others."""


def attribute_neighbours(tracks: pl.DataFrame, columns: Sequence[str], neighbours: int | None) -> SparseRows:
    """[V, V]: for each item the cosines with the items most like it by their attributes.

    Each word of an item counts once, with the idf 1 + log((1 + V) / (1 + items with it)). The same word in two columns
    is two words. An item is no neighbour of itself.

    Args:
      tracks: the table of V items.
      columns: of texts whose words are separated by '|', or of lists; numbers count as words.
      neighbours: how many an item keeps, of equally similar ones those with lower ids; None for all that share a word.

    Raises:
      ValueError: there is no such column, or no item has a word in it.
    """
    words = sparse.csr_array(sparse.hstack([_words(tracks, column) for column in columns]))
    vectors = sparse.csr_array(TfidfTransformer().fit_transform(words))
    columns_of, values_of, counts = [], [], []
    transposed = sparse.csr_array(vectors.T)
    for first, stop in _blocks(words):
        similar = sparse.csr_array(vectors[first:stop] @ transposed)
        similar.sort_indices()
        for row in range(len(similar.indptr) - 1):
            where = slice(similar.indptr[row], similar.indptr[row + 1])
            items, cosines = _largest(similar.indices[where], similar.data[where], first + row, neighbours)
            columns_of.append(items)
            values_of.append(cosines)
            counts.append(len(items))
    indptr = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
    return SparseRows.from_csr(indptr, np.concatenate(columns_of), np.concatenate(values_of), len(tracks))


def _blocks(words: sparse.csr_array) -> Iterator[tuple[int, int]]:
    """Ranges of items of at most `BLOCK_PAIRS` pairs with items that share a word, but for ranges of one item."""
    n_items = len(words.indptr) - 1
    pairs = np.append(0, np.cumsum(np.minimum(words @ words.sum(axis=0), n_items)))
    first = 0
    while first < n_items:
        stop = max(int(np.searchsorted(pairs, pairs[first] + BLOCK_PAIRS, side="right")) - 1, first + 1)
        yield first, stop
        first = stop


def _words(tracks: pl.DataFrame, column: str) -> sparse.csr_array:
    """float64 [V, words]: 1 where an item has a word in a column."""
    labels = multi_label(tracks, column)
    if not labels.names:
        raise ValueError(f"attributes: no track has a word in column {column!r}; leave it out")
    shape = (len(tracks), len(labels.names))
    return sparse.csr_array((np.ones(len(labels.codes)), labels.codes, labels.indptr), shape=shape)


def _largest(items: np.ndarray, cosines: np.ndarray, own: int, neighbours: int | None) -> tuple[np.ndarray, np.ndarray]:
    """The items with the largest cosines, by rising id, without the item itself."""
    other = items != own
    items, cosines = items[other], cosines[other]
    if neighbours is not None and len(items) > neighbours:
        last = np.partition(cosines, len(cosines) - neighbours)[len(cosines) - neighbours]
        ties = np.flatnonzero(cosines == last)[: neighbours - np.count_nonzero(cosines > last)]
        best = np.union1d(np.flatnonzero(cosines > last), ties)
        items, cosines = items[best], cosines[best]
    return items, cosines
