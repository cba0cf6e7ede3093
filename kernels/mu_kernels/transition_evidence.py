"""What counts of transitions say at places of a log, without what the listener does later there."""

import dataclasses
from typing import Any

import numpy as np

from mu_kernels._check import finite, in_range, read_only
from mu_kernels.compile import kernel
from mu_kernels.sparse_rows import SparseRows
from mu_kernels.threads import run_rows

SCATTERED = 16
"""So many numbers in a row are set to 0 in the time of one that is found by its index."""


@dataclasses.dataclass(frozen=True, eq=False)
class TransitionEvidence:
    """Evidence at places of a log; 0 where there is none.

    Attributes:
      targets: float32 [B, T], for the play that follows.
      candidates: float32 [B, T, K], for other items.
      later_plays: int32 [B, T], how often the listener plays the item of that play from there on.
    """

    targets: np.ndarray
    candidates: np.ndarray
    later_plays: np.ndarray


def transition_evidence(
    plays: Any,
    candidates: Any,
    indptr: Any,
    items: Any,
    counts: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray],
    rules: SparseRows,
    distance_weights: Any,
    history_weights: Any,
    *,
    log_factor: float,
    similar_weight: float = 0.0,
    threads: int | None = None,
) -> TransitionEvidence:
    """Evidence for the next play of each place of a log, and for candidates, of the plays up to there.

        E(a) = sum over the newest plays h_j, j = 1, 2, ..., of w_j (log(1 + log_factor C[h_j, a]) + s S[h_j, a])
        C[b, a] = sum over distances d = 1, ..., W of distance_weights[d - 1] N_d(b -> a)

    The counts N are those of the whole log. For the next play those pairs of the same listener are left out whose
    second play is later than the place: E is then what counts of a log without these plays give, bit for bit, at the
    same `log_factor`. For a candidate nothing is left out, which is the same where the listener does not play it later.

    Args:
      plays: int64 [B, T], the latest play of the history, a place of `items` that another of the same listener follows;
        -1 for none.
      candidates: integers [B or 1, T or 1, K], items.
      indptr: int64 [U+1], where the plays of each listener begin.
      items: int32 [E], the log.
      counts: (starts, stops, items, classes, counts) of pairs of plays of this log that are 1, ..., W plays apart,
        class d - 1 for distance d; see `count_transitions`.
      rules: [V, V], log(1 + log_factor C); or [2 V, V], with S below.
      distance_weights: float64 [W].
      history_weights: float64 [L, L]; row n - 1 begins with the weights of a history of n plays, the newest first. Only
        the newest L speak.
      log_factor: above 0.
      similar_weight: s.
      threads: None for all CPUs; the result does not depend on it.

    Raises:
      ValueError: a play, a candidate or an item is out of range, no play follows, or shapes differ.
    """
    plays, candidates = read_only(plays, np.int64, "plays", 2), read_only(candidates, np.int32, "candidates", 3)
    indptr, items = read_only(indptr, np.int64, "indptr"), read_only(items, np.int32, "items")
    weights = read_only(history_weights, np.float64, "history_weights", 2)
    by_distance = read_only(distance_weights, np.float64, "distance_weights")
    finite(weights, "history_weights")
    finite(by_distance, "distance_weights")
    n_items = rules.n_columns
    in_range(candidates, 0, n_items, "candidates", "items")
    in_range(plays, -1, len(items), "plays", "plays of the log, or -1,")
    there = plays[plays >= 0]
    last = indptr[np.searchsorted(indptr, there, side="right")] == there + 1
    if last.any():
        raise ValueError(f"plays has {there[last][0]}, the last play of its listener; no play follows it")
    for axis, name in enumerate("BT"):
        if candidates.shape[axis] not in (1, plays.shape[axis]):
            raise ValueError(f"candidates has shape {candidates.shape}; {name} is {plays.shape[axis]}, or 1 for all")
    if len(counts[0]) != n_items or rules.n_rows not in (n_items, 2 * n_items) or weights.shape[0] != weights.shape[1]:
        raise ValueError(
            f"counts has {len(counts[0])} rows, rules {rules.n_rows} of {n_items} columns, history_weights the shape "
            f"{weights.shape}; they are of V, V or 2 V, and L plays"
        )
    if not (np.isfinite(log_factor) and log_factor > 0):
        raise ValueError(f"log_factor is {log_factor}; it must be above 0")
    targets = np.zeros(plays.shape, np.float32)
    others = np.zeros((*plays.shape, candidates.shape[2]), np.float32)
    later = np.zeros(plays.shape, np.int32)
    faults = np.full(len(plays), -1, np.int64)
    starts, stops, seconds, classes, numbers = counts
    run_rows(
        _evidence,
        len(plays),
        threads,
        plays,
        candidates,
        indptr,
        items,
        read_only(starts, np.int64, "starts"),
        read_only(stops, np.int64, "stops"),
        read_only(seconds, np.int32, "counted items"),
        np.ascontiguousarray(classes, np.uint8),
        read_only(numbers, np.int32, "counts"),
        rules.starts,
        rules.stops,
        rules.indices,
        rules.values,
        n_items,
        by_distance,
        weights,
        float(log_factor),
        float(similar_weight),
        targets,
        others,
        later,
        faults,
    )
    if (faults >= 0).any():
        place = faults[faults >= 0][0]
        raise ValueError(f"items[{place}] is {items[place]}; items lie in [0, {n_items})")
    return TransitionEvidence(targets, others, later)


@kernel
def _evidence(
    first,
    stop,
    plays,
    candidates,
    indptr,
    items,
    starts,
    stops,
    seconds,
    classes,
    numbers,
    rule_starts,
    rule_stops,
    rule_items,
    rule_values,
    n_items,
    by_distance,
    history_weights,
    log_factor,
    similar_weight,
    targets,
    others,
    later_plays,
    faults,
):
    sums, own = np.zeros(n_items), np.zeros(len(by_distance), np.int64)
    parts = len(rule_starts) // n_items
    for b in range(first, stop):
        for t in range(plays.shape[1]):
            play = plays[b, t]
            if play < 0:
                continue
            user = np.searchsorted(indptr, play, side="right") - 1
            begin, end = indptr[user], indptr[user + 1]
            n = min(play + 1 - begin, len(history_weights))
            target = items[play + 1]
            for at in range(play + 1 - n, play + 2):
                if items[at] < 0 or items[at] >= n_items:
                    faults[b] = at
            if faults[b] >= 0:
                break
            for at in range(play + 1, end):
                later_plays[b, t] += items[at] == target
            evidence = 0.0
            for age in range(n):
                weight, item = history_weights[n - 1, age], items[play - age]
                value = _earlier_count(
                    item, target, play, begin, end, items, starts, stops, seconds, classes, numbers, by_distance, own
                )
                evidence += weight * np.log1p(value * log_factor)
                if parts > 1:
                    for at in range(rule_starts[n_items + item], rule_stops[n_items + item]):
                        if rule_items[at] == target:
                            evidence += weight * similar_weight * rule_values[at]
            targets[b, t] = evidence
            entries = 0
            for age in range(n):
                for half in range(parts):
                    weight = history_weights[n - 1, age] * (similar_weight if half else 1.0)
                    row = half * n_items + items[play - age]
                    for at in range(rule_starts[row], rule_stops[row]):
                        sums[rule_items[at]] += weight * rule_values[at]
                    entries += rule_stops[row] - rule_starts[row]
            row, column = b % candidates.shape[0], t % candidates.shape[1]
            for k in range(candidates.shape[2]):
                others[b, t, k] = sums[candidates[row, column, k]]
            if entries * SCATTERED > n_items:
                sums[:] = 0.0
                continue
            for age in range(n):
                for half in range(parts):
                    row = half * n_items + items[play - age]
                    for at in range(rule_starts[row], rule_stops[row]):
                        sums[rule_items[at]] = 0.0


@kernel
def _earlier_count(item, target, play, begin, end, items, starts, stops, seconds, classes, numbers, by_distance, own):
    """C[item, target] without the listener's pairs whose second play is later than `play`."""
    low, high = starts[item], stops[item]
    while low < high:
        middle = (low + high) // 2
        if seconds[middle] < target:
            low = middle + 1
        else:
            high = middle
    if low == stops[item] or seconds[low] != target:
        return 0.0
    own[:] = 0
    for second in range(play + 1, end):
        if items[second] == target:
            for source in range(max(second - len(own), begin), second):
                if items[source] == item:
                    own[second - source - 1] += 1
    total = 0.0
    while low < stops[item] and seconds[low] == target:
        total += by_distance[classes[low]] * (numbers[low] - own[classes[low]])
        low += 1
    return total
