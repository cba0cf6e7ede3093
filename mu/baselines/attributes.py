"""Items that are alike by the words of their attributes: cosines of TF-IDF vectors, of each item the largest."""

from collections.abc import Sequence

import numpy as np
import polars as pl
import scipy.sparse as sparse
from sklearn.feature_extraction.text import TfidfTransformer

from mu.baselines.neighbours import entry_rows, largest_in_rows, product_rows, without_entries
from mu.baselines.play_matrix import SparseMatrix
from mu.data.logs.attributes import multi_label
from mu_kernels import SparseRows


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
    words = sparse.csr_array(sparse.hstack([words_of(tracks, column) for column in columns]))
    vectors = sparse.csr_array(TfidfTransformer().fit_transform(words))

    def most_alike(similar: SparseMatrix, first: int) -> SparseMatrix:
        own = similar.indices == entry_rows(similar) + first
        return largest_in_rows(without_entries(similar, own), neighbours)

    kept = product_rows(vectors, sparse.csr_array(vectors.T), most_alike)
    return SparseRows.from_csr(kept.indptr, kept.indices, kept.data, len(tracks))


def words_of(tracks: pl.DataFrame, column: str) -> sparse.csr_array:
    """float64 [V, words]: 1 where an item has a word in a column.

    Raises:
      ValueError: see `attribute_neighbours`.
    """
    labels = multi_label(tracks, column)
    if not labels.names:
        raise ValueError(f"attributes: no track has a word in column {column!r}; leave it out")
    shape = (len(tracks), len(labels.names))
    return sparse.csr_array((np.ones(len(labels.codes)), labels.codes, labels.indptr), shape=shape)
