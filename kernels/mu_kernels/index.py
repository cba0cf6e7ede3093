"""Items as vectors: the best items of each query, and the ranks of given ones, over the whole catalogue."""

import dataclasses
import operator
import os
from typing import Any

import numpy as np

from mu_kernels._check import read_only
from mu_kernels._exact_ranks import exact_ranks
from mu_kernels._index_checks import checked_norms
from mu_kernels._index_file import load as read_index
from mu_kernels._index_file import save as write_index
from mu_kernels._items import Items, frozen
from mu_kernels._rwlock import ReadWriteLock
from mu_kernels._saved_index import LARGE, check_saved
from mu_kernels.codes import Codes, allocate, mask_of
from mu_kernels.csr import CSR
from mu_kernels.ranks import Ranks, same_shape
from mu_kernels.search import Catalogue, best_of_candidates, samples_of, search
from mu_kernels.topk import Hits

CHECK_EVERY = 64  # of the queries answered with exact=False, one is answered exactly as well
STANDARD_ERRORS = 4.0  # of a code's score, that exact=False allows for


class ItemIndex:
    """Items as vectors; a query's score of an item is `query . vector + bias`.

    A score is the float32 nearest to the sum in float64, in an order that is the same on every machine. Answers are
    exact: the same ids in the same order as if every item were scored, ties by lower id, whatever is excluded.

    Beside the vectors (used in place where they are float32 already, a memory map too: change them by `update` only, or
    the codes no longer describe them) there is an eight-bit
    copy: `codes_bytes`, about D + 9 bytes an item. A query reads four or eight bits of each dimension, with a bound on
    what the rest can change, and scores only the items that may still belong in the answer.

    Queries may run in any number of threads; `add`, `update` and `remove` wait for them, and the next query sees the
    change. Ids stay: `add` appends, `remove` leaves a gap.

    Args:
      vectors: floating-point [N, D], D at most 65,536.
      bias: floating-point [N] or None, added to every query's scores.
      groups: integers [N] or None, what `max_per_group` counts (the artist).
      threads: that make the codes; None for all CPUs.

    Raises:
      ValueError: shapes differ, a number is NaN or infinite, or a vector is longer than 1e18 (scores would
        overflow); names where.
    """

    def __init__(self, vectors: Any, bias: Any = None, groups: Any = None, threads: int | None = None) -> None:
        self._start(Items.of(vectors, bias, groups, threads))

    def _start(self, items: Items) -> None:
        self._items = items
        self._lock = ReadWriteLock()
        self._changed()

    def _changed(self) -> None:
        """Drops what was computed for the items as they were."""
        self._samples: list[tuple[np.ndarray, float]] | None = None
        self._asked = self._n_checked = self._n_recalled = 0

    @property
    def n_items(self) -> int:
        """How many ids there are, removed ones too."""
        return self._items.n_items

    @property
    def dim(self) -> int:
        return self._items.dim

    @property
    def vectors(self) -> np.ndarray:
        """float32 [N, D], read-only."""
        return self._items.arrays()["vectors"]

    @property
    def bias(self) -> np.ndarray | None:
        """float32 [N], read-only."""
        return self._items.arrays().get("bias")

    @property
    def codes_bytes(self) -> int:
        """Memory of the codes; the vectors take another 4 N D bytes, unless they are a memory map."""
        return sum(array.nbytes for array in self._items.codes)

    def top_k(
        self,
        queries: Any,
        k: int,
        exclude: CSR | None = None,
        *,
        candidates: CSR | None = None,
        allow: Any = None,
        max_per_group: int | None = None,
        exact: bool = True,
        threads: int | None = None,
    ) -> Hits:
        """The k best items of each query.

        Args:
          queries: floating-point [B, D], used as float32.
          k: at least 1; may exceed N.
          exclude: one row per query, N columns: items that are never hits (what the listener has played).
          candidates: one row per query, N columns: only these may be hits.
          allow: bool [N]: only these may be hits, of any query.
          max_per_group: at most so many hits of a group: the best k of those that remain when of each group only the
            best so many are kept.
          exact: False bounds what codes leave out by four standard errors instead of with certainty. Then
            `Hits.recall` says how much of the exact answer was found in the queries checked so far, one in 64.
            With `candidates` every answer is exact, and `Hits.recall` None.
          threads: None for all CPUs; the result does not depend on it.

        Raises:
          ValueError: shapes differ, `k` or `max_per_group` is below 1, the index has no groups, or a query is not
            finite or longer than 1e18.
        """
        queries = self._queries(queries)
        k = operator.index(k)
        if k < 1:
            raise ValueError(f"k is {k}; it must be at least 1")
        if threads is not None and threads < 1:
            raise ValueError(f"threads is {threads}; it must be at least 1, or None for all CPUs")
        per_group = 0 if max_per_group is None else operator.index(max_per_group)
        if max_per_group is not None and per_group < 1:
            raise ValueError(f"max_per_group is {max_per_group}; it must be at least 1, or None for any number")
        if max_per_group is not None and self._items.groups is None:
            raise ValueError("max_per_group needs groups: ItemIndex(vectors, groups=...)")
        with self._lock.reading():
            for rows, name in ((exclude, "exclude"), (candidates, "candidates")):
                if rows is not None:
                    same_shape(rows, (len(queries), self.n_items), name)
            allowed = self._items.codes.present if allow is None else self._allowed(allow)
            catalogue = self._items.catalogue(grouped=per_group > 0)
            if candidates is not None:
                return best_of_candidates(catalogue, queries, k, candidates, exclude, allowed, per_group, threads)
            samples = samples_of(allowed) if allow is not None else self._all_samples()
            share = 1.0 if exact else min(1.0, STANDARD_ERRORS / np.sqrt(self.dim))
            settings = (k, exclude, allowed, samples, per_group)
            hits = search(catalogue, queries, *settings, share, threads)
            if exact:
                return hits
            return dataclasses.replace(hits, recall=self._recall(catalogue, queries, hits, *settings, threads))

    def rank_of(self, queries: Any, targets: CSR, exclude: CSR | None = None, *, threads: int | None = None) -> Ranks:
        """Where given items stand in each query's full order, as `rank_scores` counts it; no score is kept.

        Time as for the matrix product of queries and vectors (NumPy's BLAS, with threads of its own); memory 4 MiB and
        two bytes an item.

        Args:
          queries: floating-point [B, D], used as float32.
          targets: one row per query, N columns.
          exclude: one row per query, N columns: items that are not ranked; targets always are.
          threads: of the counting; None for all CPUs. The result does not depend on it.

        Raises:
          ValueError: shapes differ, a query is not finite or longer than 1e18, or a target was removed.
        """
        queries = self._queries(queries)
        with self._lock.reading():
            same_shape(targets, (len(queries), self.n_items), "targets")
            if exclude is not None:
                same_shape(exclude, (len(queries), self.n_items), "exclude")
            present = self._items.present()
            gone = np.flatnonzero(~present[targets.indices])
            if len(gone):
                row = int(np.searchsorted(targets.indptr, gone[0], side="right")) - 1
                raise ValueError(f"targets names item {targets.indices[gone[0]]} in row {row}; it was removed")
            catalogue = self._items.catalogue(grouped=False)
            absent = np.flatnonzero(~present)
            arrays = (catalogue.vectors, catalogue.bias, absent, self._items.largest_norm)
            return exact_ranks(*arrays, queries, targets, exclude, threads)

    def add(self, vectors: Any, bias: Any = None, groups: Any = None) -> np.ndarray:
        """Appends items; int32: their ids, which go on from the last. With `bias` and `groups` if the index has them.

        Raises:
          ValueError: as on construction, or `bias` or `groups` is missing or too much.
        """
        with self._lock.writing():
            ids = self._items.append(vectors, bias, groups)
            self._changed()
        return ids

    def update(self, ids: Any, vectors: Any, bias: Any = None, groups: Any = None) -> None:
        """Gives items new vectors (and bias, and groups, where given); removed ones are there again.

        Raises:
          ValueError: as on construction, an id is out of range or repeated.
        """
        with self._lock.writing():
            self._items.replace(ids, vectors, bias, groups)
            self._changed()

    def remove(self, ids: Any) -> None:
        """Takes items out: they are no longer hits or ranked. Their ids are not given to others.

        Raises:
          ValueError: an id is out of range, repeated, or removed already.
        """
        with self._lock.writing():
            self._items.remove(ids)
            self._changed()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the index to one file, whole or not at all."""
        with self._lock.reading():
            numbers = {"n_items": self.n_items, "largest_norm": self._items.largest_norm}
            arrays = self._items.arrays()
            if "bias" in arrays:
                arrays["item_bias"] = arrays.pop("bias")  # the codes have a bias of their own
            write_index(path, numbers, arrays | self._items.codes._asdict())

    @classmethod
    def load(cls, path: str | os.PathLike[str], mmap: bool = False) -> "ItemIndex":
        """The index saved at `path`.

        Args:
          mmap: leaves vectors and codes on disk until they are read; processes share the pages. Changes stay in this
            process. Checksums of vectors and codes are not verified then: damage in them may give wrong answers.

        Raises:
          FileNotFoundError: there is no such file.
          ValueError: not an index, another format version, cut short or damaged.
        """
        numbers, arrays = read_index(path, mmap, LARGE)
        try:
            check_saved(numbers, arrays)
        except ValueError as error:
            raise ValueError(f"{path} is damaged: {error}; save the index anew") from None
        vectors = frozen(arrays["vectors"])  # copied before the first change
        codes = Codes(**{name: arrays[name] for name in Codes._fields})
        index = cls.__new__(cls)
        bias, groups = arrays.get("item_bias"), arrays.get("groups")
        index._start(Items(**numbers, vectors=vectors, bias=bias, groups=groups, codes=codes))
        return index

    def __getstate__(self) -> dict[str, Any]:
        with self._lock.reading():  # copies of what a change could alter while they are written
            items = self._items
            state: dict[str, Any] = {"n_items": items.n_items, "largest_norm": items.largest_norm}
            state["codes"] = Codes(*(array.copy() for array in items.codes))
            for name, array in (("vectors", items.vectors), ("bias", items.bias), ("groups", items.groups)):
                state[name] = array.copy() if array is not None and array.flags.writeable else array
            return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        codes = state["codes"]
        aligned = allocate(len(codes.present) * 16, state["vectors"].shape[1], codes.mean)  # pickles do not keep that
        for ours, pickled in zip(aligned[:-1], codes[:-1], strict=True):
            ours[...] = pickled
        state["codes"] = aligned
        self._start(Items(**state))

    def _queries(self, queries: Any) -> np.ndarray:
        queries = read_only(queries, np.float32, "queries", 2)
        if queries.shape[1] != self.dim:
            raise ValueError(f"queries have {queries.shape[1]} features; vectors have {self.dim}")
        checked_norms(queries, "queries", 1)
        return queries

    def _allowed(self, allow: Any) -> np.ndarray:
        allow = np.asarray(allow)
        if allow.dtype != bool or allow.shape != (self.n_items,):
            raise ValueError(f"allow is {allow.dtype} of shape {allow.shape}; it must be bool [{self.n_items}]")
        present = self._items.codes.present
        allowed = np.zeros_like(present)
        bits = mask_of(allow)
        allowed[: len(bits)] = bits
        return allowed & present

    def _all_samples(self) -> list[tuple[np.ndarray, float]]:
        if self._samples is None:
            self._samples = samples_of(self._items.codes.present)
        return self._samples

    def _recall(
        self, catalogue: Catalogue, queries: np.ndarray, hits: Hits, k: int, exclude: CSR | None, *rest: Any
    ) -> float:
        """The share of exact hits that exact=False returned, in every 64th query since the last change."""
        allowed, samples, per_group, threads = rest
        with self._lock.counters:
            rows = np.arange(-self._asked % CHECK_EVERY, len(queries), CHECK_EVERY)
            self._asked += len(queries)
        if len(rows):
            some = None if exclude is None else exclude.take(rows)
            exact = search(catalogue, queries[rows], k, some, allowed, samples, per_group, 1.0, threads)
            n_recalled = sum(
                len(np.intersect1d(hits.ids[row], ids[ids >= 0])) for row, ids in zip(rows, exact.ids, strict=True)
            )
            with self._lock.counters:
                self._n_checked += int(exact.count.sum())
                self._n_recalled += n_recalled
        with self._lock.counters:
            return self._n_recalled / self._n_checked if self._n_checked else 1.0
