"""Counts of ordered pairs of plays: how often item a was played at some distance after item b."""

import dataclasses
from typing import Any

import numpy as np

from mu_kernels._check import in_range, read_only
from mu_kernels.compile import kernel
from mu_kernels.threads import run_rows

MOST_COUNT = 2**31 - 1
"""The largest count that an entry can have."""
MOST_CLASSES = 256
_BLOCKS = 256  # ranges of sources with about as many pairs each
_DIGIT_BITS = 11
_RADIX_FROM = 512  # shorter lists are sorted by comparisons


@dataclasses.dataclass(frozen=True, eq=False)
class Transitions:
    """For each source item b, how often each item a followed it in each class of distances.

    Entry n of row b (`indptr[b] <= n < indptr[b + 1]`) says that `items[n]` was played `counts[n]` times at a distance
    of class `classes[n]` after b. Entries of a row are sorted by item, then class; N entries, V items.

    Attributes:
      indptr: int64 [V+1].
      items: int32 [N], the later item of the pairs.
      classes: uint8 [N].
      counts: int32 [N], at least 1.
    """

    indptr: np.ndarray
    items: np.ndarray
    classes: np.ndarray
    counts: np.ndarray

    def __len__(self) -> int:
        """The number of entries N."""
        return len(self.items)

    @property
    def nbytes(self) -> int:
        """The bytes of the four arrays."""
        return sum(array.nbytes for array in (self.indptr, self.items, self.classes, self.counts))


def count_transitions(
    indptr: Any,
    items: Any,
    n_items: int,
    edges: Any,
    coordinates: Any = None,
    max_between: int | None = None,
    threads: int | None = None,
) -> Transitions:
    """Counts the ordered pairs of plays of every user, by their items and the class of their distance.

    Plays i before j of one user are a pair of class c where `edges[c]` is the first edge that is at least
    `coordinates[j] - coordinates[i]`; a pair beyond the last edge is not counted. With coordinates that are places
    in the history and edges 1, 2, ..., W the class is the number of plays between them.

    Takes 12 bytes a play beside the result, and 16 a pair of the items with the most pairs.

    Args:
      indptr: int64 [U+1]; user u's plays are `indptr[u]:indptr[u + 1]`, in their order.
      items: int32 [E] in `[0, n_items)`.
      n_items: V.
      edges: int64 [W], ascending, not negative; at most 256.
      coordinates: int64 [E], never falling within a user's plays: numbers of sessions, or times; None for places in
        the history.
      max_between: pairs with more plays between them are not counted; None for no such limit.
      threads: None for all CPUs; the result does not depend on it.

    Raises:
      ValueError: an argument is malformed; names it and where.
      OverflowError: a count is above 2**31 - 1; names the pair.
    """
    indptr, items = read_only(indptr, np.int64, "indptr"), read_only(items, np.int32, "items")
    edges = checked_edges(edges)
    if not 0 <= n_items < 2**31:
        raise ValueError(f"n_items is {n_items}; it must lie in [0, 2**31)")
    if len(indptr) == 0 or indptr[0] != 0 or indptr[-1] != len(items) or (np.diff(indptr) < 0).any():
        raise ValueError(f"indptr must rise from 0 to len(items) = {len(items)} and never fall")
    in_range(items, 0, n_items, "items", "items")
    if max_between is not None and max_between < 0:
        raise ValueError(f"max_between is {max_between}; it must be at least 0, or None for no limit")
    by_place = coordinates is None
    places = np.zeros(0, np.int64) if by_place else read_only(coordinates, np.int64, "coordinates")
    if not by_place and len(places) != len(items):
        raise ValueError(f"coordinates has {len(places)} entries and items {len(items)}; a play has one of each")
    reach = len(items) if max_between is None else min(int(max_between) + 1, len(items))
    ahead, fault = np.empty(len(items), np.int32), np.full(len(indptr) - 1, -1, np.int64)
    run_rows(
        _count_ahead, len(indptr) - 1, threads, indptr, places, by_place, edges, reach, ahead, fault, min_rows=4096
    )
    if (fault >= 0).any():
        at = int(fault[np.argmax(fault >= 0)])
        raise ValueError(
            f"coordinates fall from {places[at - 1]} to {places[at]} at play {at} of user {np.argmax(fault >= 0)}; "
            "plays must be in their order"
        )
    starts, plays, pairs = _by_source(items, ahead, int(n_items))
    blocks = _balanced(pairs + np.diff(starts))
    lengths, overflow = np.zeros(n_items, np.int64), np.full(n_items, -1, np.int64)
    gather = (blocks, starts, plays, pairs, ahead, items, places, by_place, edges, MOST_COUNT, lengths, overflow)
    nothing = np.zeros(0, np.int32), np.zeros(0, np.uint8), np.zeros(0, np.int32)
    run_rows(_make_rows, len(blocks) - 1, threads, *gather, starts, *nothing)
    if (overflow >= 0).any():
        source = int(np.argmax(overflow >= 0))
        item, edge = divmod(int(overflow[source]), len(edges))
        raise OverflowError(
            f"item {item} follows item {source} at a distance of up to {edges[edge]} more than {MOST_COUNT:,} times, "
            "which a count cannot hold; count a part of the log"
        )
    out = np.concatenate([[0], np.cumsum(lengths)])
    counted = Transitions(out, *(np.empty(out[-1], array.dtype) for array in nothing))
    if len(counted):
        run_rows(_make_rows, len(blocks) - 1, threads, *gather, out, counted.items, counted.classes, counted.counts)
    return counted


def checked_edges(edges: Any) -> np.ndarray:
    """int64 [W]: the last distance of each class; raises ValueError where they are no ascending distances."""
    edges = read_only(edges, np.int64, "edges")
    if not 1 <= len(edges) <= MOST_CLASSES:
        raise ValueError(f"edges has {len(edges)} entries; there must be 1 to {MOST_CLASSES}")
    if edges[0] < 0 or (np.diff(edges) <= 0).any():
        raise ValueError(f"edges is {edges.tolist()}; it must ascend from 0 or more")
    return edges


def _balanced(work: np.ndarray) -> np.ndarray:
    """int64: edges of ranges of sources with about as much work each."""
    total = np.append(0, np.cumsum(work))
    shares = np.searchsorted(total, total[-1] * np.arange(1, _BLOCKS) / _BLOCKS)
    return np.unique(np.concatenate([[0], shares, [len(work)]])).astype(np.int64)


@kernel
def _count_ahead(first, stop, indptr, places, by_place, edges, reach, ahead, fault):
    """ahead[i]: with how many of the plays behind it play i is a pair."""
    last = edges[len(edges) - 1]
    for user in range(first, stop):
        begin, end = indptr[user], indptr[user + 1]
        if by_place:
            for i in range(begin, end):
                ahead[i] = min(end - 1 - i, last, reach)
            continue
        j = begin
        for i in range(begin, end):
            if i > begin and places[i] < places[i - 1]:
                fault[user] = i
                break
            j = max(j, i)
            while j + 1 < end and places[j + 1] - places[i] <= last:
                j += 1
            ahead[i] = min(j - i, reach)


@kernel
def _by_source(items, ahead, n_items):
    """(starts [V+1], the plays of each item in their order [E], how many pairs each item is the first of [V])."""
    starts = np.zeros(n_items + 1, np.int64)
    pairs = np.zeros(n_items, np.int64)
    for i in range(len(items)):
        starts[items[i] + 1] += 1
        pairs[items[i]] += ahead[i]
    for item in range(n_items):
        starts[item + 1] += starts[item]
    fill = starts[:-1].copy()
    plays = np.empty(len(items), np.int64)
    for i in range(len(items)):
        plays[fill[items[i]]] = i
        fill[items[i]] += 1
    return starts, plays, pairs


@kernel
def _keys_of(source, starts, plays, ahead, items, places, by_place, edges, keys):
    """Writes item * classes + class of every pair of a source to `keys`; returns how many."""
    n = 0
    for at in range(starts[source], starts[source + 1]):
        i = plays[at]
        distance_class = 0
        for j in range(i + 1, i + 1 + ahead[i]):
            distance = j - i if by_place else places[j] - places[i]
            while edges[distance_class] < distance:
                distance_class += 1
            keys[n] = np.int64(items[j]) * len(edges) + distance_class
            n += 1
    return n


@kernel
def _sort(keys, spare, n, largest):
    """Sorts the first n keys, which are at most `largest`; by their digits where they are many."""
    if n < _RADIX_FROM:
        keys[:n].sort()
        return
    ends = np.empty(1 << _DIGIT_BITS, np.int64)
    shift = 0
    while largest >> shift > 0:
        ends[:] = 0
        for at in range(n):
            ends[(keys[at] >> shift) & (len(ends) - 1)] += 1
        total = 0
        for digit in range(len(ends)):
            total += ends[digit]
            ends[digit] = total - ends[digit]
        for at in range(n):
            digit = (keys[at] >> shift) & (len(ends) - 1)
            spare[ends[digit]] = keys[at]
            ends[digit] += 1
        keys[:n] = spare[:n]
        shift += _DIGIT_BITS


@kernel
def _make_rows(
    first,
    stop,
    blocks,
    starts,
    plays,
    pairs,
    ahead,
    items,
    places,
    by_place,
    edges,
    most,
    lengths,
    overflow,
    indptr,
    out_items,
    out_classes,
    out_counts,
):
    """Without `out_items` how many different keys each source has, and one that comes more than `most` times; with them
    the rows."""
    fill, n_classes = len(out_items) > 0, len(edges)
    largest = np.int64(len(lengths)) * n_classes
    for block in range(first, stop):
        keys = np.empty(max(pairs[blocks[block] : blocks[block + 1]].max(), 1), np.int64)
        spare = np.empty_like(keys)
        for source in range(blocks[block], blocks[block + 1]):
            n = _keys_of(source, starts, plays, ahead, items, places, by_place, edges, keys)
            _sort(keys, spare, n, largest)
            to, run = indptr[source] - 1, 0
            for at in range(n):
                run = run + 1 if at > 0 and keys[at] == keys[at - 1] else 1
                if run == 1:
                    to += 1
                if run > most:
                    overflow[source] = keys[at]
                if fill:
                    out_items[to], out_classes[to], out_counts[to] = keys[at] // n_classes, keys[at] % n_classes, run
            lengths[source] = to + 1 - indptr[source]
