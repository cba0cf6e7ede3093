"""The items of an index: vectors, bias and groups with the codes made of them, and how they change."""

from typing import Any

import numpy as np

from mu_kernels._check import read_only
from mu_kernels._index_checks import checked_bias, checked_groups, checked_ids, checked_norms
from mu_kernels.codes import (
    BLOCK_PANELS,
    LANES,
    MAX_DIM,
    Codes,
    allocate,
    encode,
    mask_of,
    mean_of,
    panel_and_lane,
)
from mu_kernels.search import Catalogue


class Items:
    """Arrays of items and their codes. No locks: `ItemIndex` sees to it that nobody reads while they change.

    Attributes:
      n_items: how many ids there are, removed ones too; arrays may have room for more.
      largest_norm: no vector is longer.
      vectors: float32 [room, D].
      bias: float32 [room], or None.
      groups: int64 [room], or None.
      codes: of the vectors.
    """

    def __init__(
        self,
        n_items: int,
        largest_norm: float,
        vectors: np.ndarray,
        bias: np.ndarray | None,
        groups: np.ndarray | None,
        codes: Codes,
    ) -> None:
        self.n_items = n_items
        self.largest_norm = largest_norm
        self.vectors = vectors
        self.bias = bias
        self.groups = groups
        self.codes = codes
        self._forget()

    @classmethod
    def of(cls, vectors: Any, bias: Any, groups: Any, threads: int | None) -> "Items":
        """The items of these arrays, checked; the vectors are used in place where they are float32."""
        vectors = read_only(vectors, np.float32, "vectors", 2)
        n_items, dim = vectors.shape
        if n_items >= 2**31 or not 0 < dim <= MAX_DIM:
            raise ValueError(f"vectors has shape {vectors.shape}; it must be [N < 2**31, 0 < D <= {MAX_DIM:,}]")
        largest_norm = checked_norms(vectors, "vectors", threads)
        bias = None if bias is None else checked_bias(bias, n_items)
        groups = None if groups is None else checked_groups(groups, n_items)
        codes = allocate(n_items, dim, mean_of(vectors))
        codes.present[:] = mask_of(np.ones(n_items, bool))
        encode(codes, np.arange(len(codes.present)), vectors, bias, threads)
        return cls(n_items, largest_norm, vectors, bias, groups, codes)

    @property
    def dim(self) -> int:
        return self.vectors.shape[1]

    def arrays(self) -> dict[str, np.ndarray]:
        """Vectors, bias and groups of the items, read-only; those that there are."""
        arrays = {"vectors": self.vectors, "bias": self.bias, "groups": self.groups}
        return {name: frozen(array[: self.n_items]) for name, array in arrays.items() if array is not None}

    def catalogue(self, grouped: bool) -> Catalogue:
        """What a search reads; with the groups, or without."""
        groups, n_groups = np.zeros(0, np.int32), 0
        if grouped:
            groups, n_groups = self._numbered_groups()
        bias = np.zeros(0, np.float32) if self.bias is None else self.bias[: self.n_items]
        if self._largest_bias is None:
            self._largest_bias = float(np.abs(bias).max(initial=0))
        vectors = frozen(self.vectors[: self.n_items])
        largest = (self.largest_norm, self._largest_bias)
        return Catalogue(vectors, frozen(bias), frozen(groups), n_groups, *largest, self.codes)

    def present(self) -> np.ndarray:
        """bool [N]: the items that were not removed."""
        bits = np.unpackbits(self.codes.present.view(np.uint8).reshape(-1, 2), axis=1, bitorder="little")
        return bits.reshape(-1, BLOCK_PANELS, LANES).transpose(0, 2, 1).reshape(-1)[: self.n_items].view(bool)

    def append(self, vectors: Any, bias: Any, groups: Any) -> np.ndarray:
        """Adds items after the last; int32: their ids."""
        vectors, bias, groups, norm = self._checked(vectors, bias, groups, required=True)
        first, stop = self.n_items, self.n_items + len(vectors)
        if stop >= 2**31:
            raise ValueError(f"{stop} items; an index holds fewer than 2**31")
        ids = np.arange(first, stop, dtype=np.int32)
        self._own(stop)
        self.n_items = stop
        self._write(slice(first, stop), vectors, bias, groups, norm)
        self._make_room()
        self._encode_anew(ids, present=True)
        return ids

    def replace(self, ids: Any, vectors: Any, bias: Any, groups: Any) -> None:
        """Gives items new vectors (and bias, and groups, where given); removed ones are there again."""
        vectors, bias, groups, norm = self._checked(vectors, bias, groups, required=False)
        ids = checked_ids(ids, self.n_items)
        if len(ids) != len(vectors):
            raise ValueError(f"ids has {len(ids)} entries; there are {len(vectors)} vectors")
        self._own(self.n_items)
        self._write(ids, vectors, bias, groups, norm)
        self._encode_anew(ids, present=True)

    def remove(self, ids: Any) -> None:
        """Takes items out; their ids stay theirs."""
        ids = checked_ids(ids, self.n_items)
        gone = ids[~self.present()[ids]]
        if len(gone):
            raise ValueError(f"item {gone[0]} was removed already")
        self._encode_anew(ids, present=False)

    def _checked(self, vectors: Any, bias: Any, groups: Any, required: bool) -> tuple[Any, Any, Any, float]:
        """New arrays, as those of the index are, and the largest norm; those that it has are there if `required`."""
        vectors = read_only(vectors, np.float32, "vectors", 2)
        if vectors.shape[1] != self.dim:
            raise ValueError(f"vectors have {vectors.shape[1]} features; those of the index have {self.dim}")
        norm = checked_norms(vectors, "vectors", None)
        for name, new, old in (("bias", bias, self.bias), ("groups", groups, self.groups)):
            if new is not None and old is None:
                raise ValueError(f"{name} was given; the index was made without")
            if required and new is None and old is not None:
                raise ValueError(f"{name} is missing; the index was made with it")
        bias = None if bias is None else checked_bias(bias, len(vectors))
        groups = None if groups is None else checked_groups(groups, len(vectors))
        return vectors, bias, groups, norm

    def _write(self, rows: np.ndarray | slice, vectors: Any, bias: Any, groups: Any, norm: float) -> None:
        for array, values in ((self.vectors, vectors), (self.bias, bias), (self.groups, groups)):
            if array is not None and values is not None:
                array[rows] = values
        self.largest_norm = max(self.largest_norm, norm)

    def _own(self, n_items: int) -> None:
        """Makes the arrays our own and large enough; they grow by half at least, so that adding one by one is cheap."""
        if self.vectors.flags.writeable and n_items <= len(self.vectors):
            return
        size = n_items if n_items <= self.n_items else max(n_items, self.n_items * 3 // 2)

        def copy(old: np.ndarray) -> np.ndarray:
            new = np.empty((size, *old.shape[1:]), old.dtype)
            new[: self.n_items] = old[: self.n_items]
            return new

        self.vectors = copy(self.vectors)
        self.bias = None if self.bias is None else copy(self.bias)
        self.groups = None if self.groups is None else copy(self.groups)

    def _make_room(self) -> None:
        """Codes for as many items as there is room for, about the mean of those there are now."""
        old = self.codes.present
        if len(self.vectors) > LANES * len(old):
            self.codes = allocate(len(self.vectors), self.dim, mean_of(self.vectors[: self.n_items]))
            self.codes.present[: len(old)] = old
            self._encode(np.arange(len(old)))

    def _encode_anew(self, ids: np.ndarray, present: bool) -> None:
        panels, lanes = panel_and_lane(ids.astype(np.int64))
        bits = (1 << lanes).astype(np.uint16)
        if present:
            np.bitwise_or.at(self.codes.present, panels, bits)
        else:
            np.bitwise_and.at(self.codes.present, panels, ~bits)
        self._encode(np.unique(panels))
        self._forget()

    def _encode(self, panels: np.ndarray) -> None:
        arrays = self.arrays()
        encode(self.codes, panels, arrays["vectors"], arrays.get("bias"), None)

    def _forget(self) -> None:
        """Drops what was computed from the arrays."""
        self._largest_bias: float | None = None
        self._dense_groups: tuple[np.ndarray, int] | None = None

    def _numbered_groups(self) -> tuple[np.ndarray, int]:
        """int32 [N] in [0, n), and n."""
        if self._dense_groups is None:
            assert self.groups is not None
            values, numbers = np.unique(self.groups[: self.n_items], return_inverse=True)
            self._dense_groups = numbers.astype(np.int32), len(values)
        return self._dense_groups


def frozen(array: np.ndarray) -> np.ndarray:
    """A read-only view."""
    view = array.view()
    view.flags.writeable = False
    return view
