"""Dense ids: ids of any kind numbered 0, 1, 2, ... in the order in which they first appear in the input."""

import numpy as np
import polars as pl

from mu.data.logs.importing import id_kernels
from mu.data.whole_numbers import plain_integers

_LOAD = 0.6  # the table doubles when this share is in use; linear probing slows down beyond


class Identifiers:
    """The ids so far, and their dense numbers.

    Ids are stored as Int64 while all of them are whole numbers in canonical form, and as text from the first one that
    is not. The numbering does not depend on this.
    """

    def __init__(self) -> None:
        self._n = 0
        self._keys = np.empty(1024, np.int64)  # by dense id
        self._table_keys = np.empty(2048, np.int64)
        self._table_ids = np.full(2048, id_kernels.EMPTY, np.int32)
        self._texts: dict[str, int] | None = None

    def __len__(self) -> int:
        return self._n

    def number(self, ids: pl.Series) -> tuple[np.ndarray, np.ndarray]:
        """Numbers ids (String or integers, none missing).

        Returns:
          int32 [n] dense ids, and int64: the positions of new ids in `ids`, in order.

        Raises:
          ValueError: more than 2**31 - 1 different ids.
        """
        if self._texts is None:
            numbers = plain_integers(ids)
            if numbers is not None:
                return self._number_integers(numbers.to_numpy())
            self._texts = {str(key): dense for dense, key in enumerate(self._keys[: self._n].tolist())}
            self._table_keys = self._table_ids = self._keys = np.empty(0, np.int64)
        return self._number_texts(ids.cast(pl.String), self._texts)

    def values(self) -> pl.Series:
        """The ids, Int64 or String, in order of their dense number."""
        if self._texts is None:
            return pl.Series(self._keys[: self._n].copy())
        return pl.Series(list(self._texts), dtype=pl.String)

    def _number_integers(self, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        out = np.empty(len(keys), np.int32)
        firsts = []
        at = 0
        while at < len(keys):
            limit = int(len(self._table_keys) * _LOAD)
            first = np.empty(min(limit - self._n, len(keys) - at), np.int64)
            at, n_new = id_kernels.look_up(keys, at, self._table_keys, self._table_ids, self._n, limit, out, first)
            self._remember(keys[first[:n_new]])
            firsts.append(first[:n_new])
            if at < len(keys):
                self._grow()
        return out, np.concatenate(firsts) if firsts else np.empty(0, np.int64)

    def _remember(self, keys: np.ndarray) -> None:
        n = self._n + len(keys)
        if n >= 2**31:
            raise ValueError("more than 2**31 - 1 different ids")
        if n > len(self._keys):
            grown = np.empty(max(n, len(self._keys) * 3 // 2), np.int64)
            grown[: self._n] = self._keys[: self._n]
            self._keys = grown
        self._keys[self._n : n] = keys
        self._n = n

    def _grow(self) -> None:
        size = 2 * len(self._table_keys)
        self._table_keys = np.empty(size, np.int64)
        self._table_ids = np.full(size, id_kernels.EMPTY, np.int32)
        id_kernels.refill(self._keys[: self._n], self._table_keys, self._table_ids)

    def _number_texts(self, ids: pl.Series, texts: dict[str, int]) -> tuple[np.ndarray, np.ndarray]:
        """Looks up each distinct id in a dict; the rest is one hash join."""
        frame = ids.to_frame("id").with_row_index("at")
        unique = frame.group_by("id", maintain_order=True).agg(pl.col("at").first())
        first = []
        dense = np.empty(len(unique), np.int32)
        for index, (text, at) in enumerate(zip(unique["id"].to_list(), unique["at"].to_list(), strict=True)):
            if text not in texts:
                texts[text] = len(texts)
                first.append(at)
            dense[index] = texts[text]
        self._n = len(texts)
        numbered = unique.select("id", dense=pl.Series(dense))
        out = frame.join(numbered, on="id", how="left", maintain_order="left")["dense"]
        return out.to_numpy().astype(np.int32, copy=False), np.array(first, np.int64)
