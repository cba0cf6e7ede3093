"""Items as vectors: the best items of each query, and the ranks of given ones, over the whole catalogue."""

import dataclasses
import operator
import os
from typing import Any

import numpy as np

from mu_kernels import _index_file
from mu_kernels._check import finite, in_range, read_only
from mu_kernels._exact_ranks import exact_ranks
from mu_kernels._rwlock import Gate
from mu_kernels.codes import (
    BLOCK_PANELS,
    LANES,
    LARGEST_NORM,
    MAX_DIM,
    Codes,
    allocate,
    encode,
    mask_of,
    mean_of,
    panel_and_lane,
)
from mu_kernels.compile import kernel
from mu_kernels.csr import CSR
from mu_kernels.ranks import Ranks, same_shape
from mu_kernels.search import Catalogue, best_of_candidates, samples_of, search
from mu_kernels.threads import run_rows
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
        vectors = read_only(vectors, np.float32, "vectors", 2)
        n_items, dim = vectors.shape
        if n_items >= 2**31 or not 0 < dim <= MAX_DIM:
            raise ValueError(f"vectors has shape {vectors.shape}; it must be [N < 2**31, 0 < D <= {MAX_DIM:,}]")
        self._largest_norm = _checked_norms(vectors, "vectors", threads)
        self._vectors = vectors
        self._bias = None if bias is None else _checked_bias(bias, n_items)
        self._groups = None if groups is None else _checked_groups(groups, n_items)
        self._n_items = n_items
        self._codes = allocate(n_items, dim, mean_of(vectors))
        self._codes.present[:] = mask_of(np.ones(n_items, bool))
        self._start()
        encode(self._codes, np.arange(len(self._codes.present)), vectors, self._bias, threads)

    def _start(self) -> None:
        """What is not part of the catalogue: the gate, and what was worked out from it."""
        self._gate = Gate()
        self._changed()

    def _changed(self) -> None:
        self._samples: Any = None
        self._largest_bias: float | None = None
        self._dense_groups: Any = None
        self._asked = self._checked = self._found = 0

    @property
    def n_items(self) -> int:
        """How many ids there are, removed ones too."""
        return self._n_items

    @property
    def dim(self) -> int:
        return self._vectors.shape[1]

    @property
    def vectors(self) -> np.ndarray:
        """float32 [N, D], read-only."""
        return _frozen(self._vectors[: self._n_items])

    @property
    def bias(self) -> np.ndarray | None:
        """float32 [N], read-only."""
        return None if self._bias is None else _frozen(self._bias[: self._n_items])

    @property
    def codes_bytes(self) -> int:
        """Memory of the codes; the vectors take another 4 N D bytes, unless they are a memory map."""
        return sum(array.nbytes for array in self._codes)

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
          exclude: one row per query, N columns: items that are never hits (what this listener has heard).
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
        if max_per_group is not None and self._groups is None:
            raise ValueError("max_per_group needs groups: ItemIndex(vectors, groups=...)")
        with self._gate.reading():
            for rows, name in ((exclude, "exclude"), (candidates, "candidates")):
                if rows is not None:
                    same_shape(rows, (len(queries), self.n_items), name)
            allowed = self._codes.present
            if allow is not None:
                allowed = self._allowed(allow)
            catalogue = self._catalogue(grouped=per_group > 0)
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
        with self._gate.reading():
            same_shape(targets, (len(queries), self.n_items), "targets")
            if exclude is not None:
                same_shape(exclude, (len(queries), self.n_items), "exclude")
            present = self._present()
            gone = np.flatnonzero(~present[targets.indices])
            if len(gone):
                row = int(np.searchsorted(targets.indptr, gone[0], side="right")) - 1
                raise ValueError(f"targets names item {targets.indices[gone[0]]} in row {row}; it was removed")
            catalogue = self._catalogue(grouped=False)
            absent = np.flatnonzero(~present)
            arrays = (catalogue.vectors, catalogue.bias, absent, self._largest_norm)
            return exact_ranks(*arrays, queries, targets, exclude, threads)

    def add(self, vectors: Any, bias: Any = None, groups: Any = None) -> np.ndarray:
        """Appends items; int32: their ids, which go on from the last. With `bias` and `groups` if the index has them.

        Raises:
          ValueError: as on construction, or `bias` or `groups` is missing or too much.
        """
        vectors = read_only(vectors, np.float32, "vectors", 2)
        self._same_dim(vectors, "vectors")
        norm = _checked_norms(vectors, "vectors", None)
        self._as_made(bias, self._bias, "bias", required=True)
        self._as_made(groups, self._groups, "groups", required=True)
        new_bias = None if bias is None else _checked_bias(bias, len(vectors))
        new_groups = None if groups is None else _checked_groups(groups, len(vectors))
        with self._gate.writing():
            first, stop = self._n_items, self._n_items + len(vectors)
            if stop >= 2**31:
                raise ValueError(f"{stop} items; an index holds fewer than 2**31")
            self._own(stop)
            self._vectors[first:stop] = vectors
            if self._bias is not None:
                self._bias[first:stop] = new_bias
            if self._groups is not None:
                self._groups[first:stop] = new_groups
            self._n_items, self._largest_norm = stop, max(self._largest_norm, norm)
            ids = np.arange(first, stop, dtype=np.int32)
            self._make_room()
            self._encode_anew(ids, present=True)
        return ids

    def update(self, ids: Any, vectors: Any, bias: Any = None, groups: Any = None) -> None:
        """Gives items new vectors (and bias, and groups, where given); removed ones are there again.

        Raises:
          ValueError: as on construction, an id is out of range or repeated.
        """
        vectors = read_only(vectors, np.float32, "vectors", 2)
        self._same_dim(vectors, "vectors")
        norm = _checked_norms(vectors, "vectors", None)
        self._as_made(bias, self._bias, "bias", required=False)
        self._as_made(groups, self._groups, "groups", required=False)
        with self._gate.writing():
            ids = self._ids(ids)
            if len(ids) != len(vectors):
                raise ValueError(f"ids has {len(ids)} entries; there are {len(vectors)} vectors")
            new_bias = None if bias is None else _checked_bias(bias, len(ids))
            new_groups = None if groups is None else _checked_groups(groups, len(ids))
            self._own(self._n_items)
            self._vectors[ids] = vectors
            if new_bias is not None and self._bias is not None:
                self._bias[ids] = new_bias
            if new_groups is not None and self._groups is not None:
                self._groups[ids] = new_groups
            self._largest_norm = max(self._largest_norm, norm)
            self._encode_anew(ids, present=True)

    def remove(self, ids: Any) -> None:
        """Takes items out: they are no longer found or ranked. Their ids are not given to others.

        Raises:
          ValueError: an id is out of range, repeated, or removed already.
        """
        with self._gate.writing():
            ids = self._ids(ids)
            gone = ids[~self._present()[ids]]
            if len(gone):
                raise ValueError(f"item {gone[0]} was removed already")
            self._encode_anew(ids, present=False)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the index to one file, whole or not at all."""
        with self._gate.reading():
            numbers = {"n_items": self._n_items, "largest_norm": self._largest_norm}
            arrays = {"vectors": self.vectors, **self._codes._asdict()}
            if self._bias is not None:
                arrays["item_bias"] = self._bias[: self._n_items]
            if self._groups is not None:
                arrays["groups"] = self._groups[: self._n_items]
            _index_file.save(path, numbers, arrays)

    @classmethod
    def load(cls, path: str | os.PathLike[str], mmap: bool = False) -> "ItemIndex":
        """The index saved at `path`.

        Args:
          mmap: leaves the arrays on disk until they are read: opens at once, whatever the size; processes share the
            pages. Changes stay in this process. Checksums of arrays are not verified then.

        Raises:
          FileNotFoundError: there is no such file.
          ValueError: not an index, another format version, cut short or damaged.
        """
        numbers, arrays = _index_file.load(path, mmap)
        index = cls.__new__(cls)
        index._n_items, index._largest_norm = numbers["n_items"], numbers["largest_norm"]
        index._vectors = _frozen(arrays["vectors"])  # copied before the first change
        index._bias, index._groups = arrays.get("item_bias"), arrays.get("groups")
        index._codes = Codes(**{name: arrays[name] for name in Codes._fields})
        index._start()
        return index

    def __getstate__(self) -> dict[str, Any]:
        with self._gate.reading():  # copies of what a change could alter while they are written
            state: dict[str, Any] = {"_n_items": self._n_items, "_largest_norm": self._largest_norm}
            state["_codes"] = Codes(*(array.copy() for array in self._codes))
            for name in ("_vectors", "_bias", "_groups"):
                array = getattr(self, name)
                state[name] = array.copy() if array is not None and array.flags.writeable else array
            return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        room = len(self._codes.present)
        copy = allocate(room * 16, self.dim, self._codes.mean)  # pickles do not keep arrays at cache lines
        for mine, theirs in zip(copy[:-1], self._codes[:-1], strict=True):
            mine[...] = theirs
        self._codes = copy
        self._start()

    def _queries(self, queries: Any) -> np.ndarray:
        queries = read_only(queries, np.float32, "queries", 2)
        if queries.shape[1] != self.dim:
            raise ValueError(f"queries have {queries.shape[1]} features; vectors have {self.dim}")
        _checked_norms(queries, "queries", 1)
        return queries

    def _same_dim(self, vectors: np.ndarray, name: str) -> None:
        if vectors.shape[1] != self.dim:
            raise ValueError(f"{name} have {vectors.shape[1]} features; those of the index have {self.dim}")

    def _as_made(self, given: Any, held: Any, name: str, required: bool) -> None:
        if given is not None and held is None:
            raise ValueError(f"{name} was given; the index was made without")
        if required and given is None and held is not None:
            raise ValueError(f"{name} is missing; the index was made with it")

    def _ids(self, ids: Any) -> np.ndarray:
        ids = read_only(ids, np.int64, "ids")
        in_range(ids, 0, self._n_items, "ids", "ids")
        values, counts = np.unique(ids, return_counts=True)
        if (counts > 1).any():
            raise ValueError(f"ids names item {values[counts > 1][0]} more than once")
        return ids

    def _present(self) -> np.ndarray:
        """bool [N]: the items that were not removed."""
        bits = np.unpackbits(self._codes.present.view(np.uint8).reshape(-1, 2), axis=1, bitorder="little")
        return bits.reshape(-1, BLOCK_PANELS, LANES).transpose(0, 2, 1).reshape(-1)[: self._n_items].view(bool)

    def _allowed(self, allow: Any) -> np.ndarray:
        allow = np.asarray(allow)
        if allow.dtype != bool or allow.shape != (self._n_items,):
            raise ValueError(f"allow is {allow.dtype} of shape {allow.shape}; it must be bool [{self._n_items}]")
        allowed = np.zeros_like(self._codes.present)
        bits = mask_of(allow)
        allowed[: len(bits)] = bits
        return allowed & self._codes.present

    def _all_samples(self) -> Any:
        if self._samples is None:
            self._samples = samples_of(self._codes.present)
        return self._samples

    def _catalogue(self, grouped: bool) -> Catalogue:
        groups, n_groups = np.zeros(0, np.int32), 0
        if grouped:
            groups, n_groups = self._numbered_groups()
        bias = np.zeros(0, np.float32) if self._bias is None else self._bias[: self._n_items]
        if self._largest_bias is None:
            self._largest_bias = float(np.abs(bias).max(initial=0))
        largest = (self._largest_norm, self._largest_bias)
        return Catalogue(self.vectors, _frozen(bias), _frozen(groups), n_groups, *largest, self._codes)

    def _numbered_groups(self) -> tuple[np.ndarray, int]:
        """int32 [N] in [0, n), and n."""
        if self._dense_groups is None:
            assert self._groups is not None
            values, numbers = np.unique(self._groups[: self._n_items], return_inverse=True)
            self._dense_groups = numbers.astype(np.int32), len(values)
        return self._dense_groups

    def _recall(self, catalogue: Catalogue, queries: np.ndarray, hits: Hits, k: int, exclude: CSR | None, *rest: Any):
        """The share of exact hits that exact=False found, in every 64th query since the last change."""
        allowed, samples, per_group, threads = rest
        with self._gate.lock:
            rows = np.arange(-self._asked % CHECK_EVERY, len(queries), CHECK_EVERY)
            self._asked += len(queries)
        if len(rows):
            some = None if exclude is None else exclude.take(rows)
            exact = search(catalogue, queries[rows], k, some, allowed, samples, per_group, 1.0, threads)
            found = sum(
                len(np.intersect1d(hits.ids[row], ids[ids >= 0])) for row, ids in zip(rows, exact.ids, strict=True)
            )
            with self._gate.lock:
                self._checked += int(exact.count.sum())
                self._found += found
        with self._gate.lock:
            return self._found / self._checked if self._checked else 1.0

    def _own(self, n_items: int) -> None:
        """Makes the arrays our own and large enough; they grow by half at least, so that adding one by one is cheap."""
        if self._vectors.flags.writeable and n_items <= len(self._vectors):
            return
        size = n_items if n_items <= self._n_items else max(n_items, self._n_items * 3 // 2)
        for name in ("_vectors", "_bias", "_groups"):
            old = getattr(self, name)
            if old is not None:
                new = np.empty((size, *old.shape[1:]), old.dtype)
                new[: self._n_items] = old[: self._n_items]
                setattr(self, name, new)

    def _encode_anew(self, ids: np.ndarray, present: bool) -> None:
        panels, lanes = panel_and_lane(ids.astype(np.int64))
        bits = (1 << lanes).astype(np.uint16)
        if present:
            np.bitwise_or.at(self._codes.present, panels, bits)
        else:
            np.bitwise_and.at(self._codes.present, panels, ~bits)
        encode(self._codes, np.unique(panels), self.vectors, self.bias, None)
        self._changed()

    def _make_room(self) -> None:
        """Codes for as many items as there is room for, about the mean of those there are now."""
        old = self._codes.present
        if len(self._vectors) > LANES * len(old):
            self._codes = allocate(len(self._vectors), self.dim, mean_of(self.vectors))
            self._codes.present[: len(old)] = old
            encode(self._codes, np.arange(len(old)), self.vectors, self.bias, None)


def _frozen(array: np.ndarray) -> np.ndarray:
    view = array.view()
    view.flags.writeable = False
    return view


def _checked_norms(vectors: np.ndarray, name: str, threads: int | None) -> float:
    """The largest norm; refuses what is not finite, and norms whose products a float32 cannot hold."""
    squares = np.empty(len(vectors))
    run_rows(_squares, len(vectors), threads, vectors, squares, min_rows=4096)
    largest = float(squares.max(initial=0))
    if not largest <= LARGEST_NORM**2:
        row = int(np.argmin(squares <= LARGEST_NORM**2))
        finite(vectors[: row + 1], name)
        raise ValueError(
            f"{name}[{row}] has norm {np.sqrt(squares[row]):.3g}; at most {LARGEST_NORM:g}, or scores overflow"
        )
    return float(np.sqrt(largest))


def _checked_bias(bias: Any, n_items: int) -> np.ndarray:
    bias = read_only(bias, np.float32, "bias")
    finite(bias, "bias")
    if len(bias) != n_items:
        raise ValueError(f"bias has {len(bias)} entries; there are {n_items} vectors")
    if np.abs(bias).max(initial=0) > LARGEST_NORM**2:
        raise ValueError(f"bias holds {bias[np.abs(bias).argmax()]}; at most {LARGEST_NORM**2:g}, or scores overflow")
    return bias


def _checked_groups(groups: Any, n_items: int) -> np.ndarray:
    groups = read_only(groups, np.int64, "groups")
    if len(groups) != n_items:
        raise ValueError(f"groups has {len(groups)} entries; there are {n_items} vectors")
    return groups


@kernel
def _squares(first, stop, vectors, out):
    for row in range(first, stop):
        total = 0.0
        for d in range(vectors.shape[1]):
            value = np.float64(vectors[row, d])
            total += value * value
        out[row] = total
