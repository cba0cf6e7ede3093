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
      targets: float32 [B, T], for one item a place.
      candidates: float32 [B, T, K], for others.
    """

    targets: np.ndarray
    candidates: np.ndarray


def transition_evidence(
    plays: Any,
    targets: Any,
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
    """Evidence for items at places of a log, of the plays up to there.

        E(a) = sum over the newest plays h_j, j = 1, 2, ..., of w_j (log(1 + log_factor C[h_j, a]) + s S[h_j, a])
        C[b, a] = sum over distances d = 1, ..., W of distance_weights[d - 1] N_d(b -> a)

    The counts N are those of the log without the pairs of the same listener whose second play is later than the place:
    E is what counts of a log without these plays give, bit for bit, at the same `log_factor`.

    Args:
      plays: int64 [B, T], the latest play of the history, a place of `items`; -1 for none.
      targets: integers [B, T], items; of any value where there is no play.
      candidates: integers [B or 1, T or 1, K], items.
      indptr: int64 [U+1], where the plays of each listener begin.
      items: int32 [E], the log.
      counts: (starts, stops, items, classes, counts) of pairs of plays of this log that are 1, ..., W plays apart,
        class d - 1 for distance d; see `count_transitions`.
      rules: [V, V], log(1 + log_factor C) of the whole log; or [2 V, V], with S below.
      distance_weights: float64 [W].
      history_weights: float64 [L, L]; row n - 1 begins with the weights of a history of n plays, the newest first. Only
        the newest L speak.
      log_factor: above 0.
      similar_weight: s.
      threads: None for all CPUs; the result does not depend on it.

    Raises:
      ValueError: a play, a candidate or an item is out of range, or shapes differ.
    """
    plays, targets = read_only(plays, np.int64, "plays", 2), read_only(targets, np.int32, "targets", 2)
    candidates = read_only(candidates, np.int32, "candidates", 3)
    indptr, items = read_only(indptr, np.int64, "indptr"), read_only(items, np.int32, "items")
    weights = read_only(history_weights, np.float64, "history_weights", 2)
    by_distance = read_only(distance_weights, np.float64, "distance_weights")
    finite(weights, "history_weights")
    finite(by_distance, "distance_weights")
    n_items = rules.n_columns
    in_range(candidates, 0, n_items, "candidates", "items")
    in_range(plays, -1, len(items), "plays", "plays of the log, or -1,")
    if targets.shape != plays.shape:
        raise ValueError(f"targets has shape {targets.shape}; it is that of plays, {plays.shape}")
    in_range(targets[plays >= 0], 0, n_items, "targets", "items")
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
    of_targets = np.zeros(plays.shape, np.float32)
    of_others = np.zeros((*plays.shape, candidates.shape[2]), np.float32)
    faults = np.full(len(plays), -1, np.int64)
    starts, stops, seconds, classes, numbers = counts
    run_rows(
        _evidence,
        len(plays),
        threads,
        plays,
        targets,
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
        of_targets,
        of_others,
        faults,
    )
    if (faults >= 0).any():
        place = faults[faults >= 0][0]
        raise ValueError(f"items[{place}] is {items[place]}; items lie in [0, {n_items})")
    return TransitionEvidence(of_targets, of_others)


@kernel
def _evidence(
    first,
    stop,
    plays,
    targets,
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
    of_targets,
    of_others,
    faults,
):
    sums, width = np.zeros(n_items), len(by_distance)
    parts = len(rule_starts) // n_items
    # The places of each item near this play and later, as chains from the first to the last.
    head, chain = np.full(n_items, -1, np.int64), np.empty(64, np.int64)
    # The listener's own later pairs of one item with others: a slot for each of the others.
    slot_of, slots, own = np.full(n_items, -1, np.int32), np.empty(64, np.int32), np.zeros((64, width), np.int32)
    for b in range(first, stop):
        for t in range(plays.shape[1]):
            play = plays[b, t]
            if play < 0:
                continue
            user = np.searchsorted(indptr, play, side="right") - 1
            begin, end = indptr[user], indptr[user + 1]
            n = min(play + 1 - begin, len(history_weights))
            near = max(begin, play + 1 - width)
            for at in range(min(near, play + 1 - n), end):
                if items[at] < 0 or items[at] >= n_items:
                    faults[b] = at
                    break
            if faults[b] >= 0:
                break
            if end - near > len(chain):
                chain = np.empty(2 * (end - near), np.int64)
            for at in range(end - 1, near - 1, -1):
                chain[at - near] = head[items[at]]
                head[items[at]] = at
            entries = 0
            for age in range(n):
                weight, item = history_weights[n - 1, age], items[play - age]
                used = 0
                source = head[item]
                while source >= 0:
                    for second in range(max(source, play) + 1, min(source + width + 1, end)):
                        other = items[second]
                        if slot_of[other] < 0:
                            if used == len(slots):
                                slots = np.concatenate((slots, slots))
                                own = np.concatenate((own, np.zeros_like(own)))
                            slot_of[other] = used
                            slots[used] = other
                            used += 1
                        own[slot_of[other], second - source - 1] += 1
                    source = chain[source - near]
                for at in range(rule_starts[item], rule_stops[item]):
                    value = rule_values[at]
                    if used and slot_of[rule_items[at]] >= 0:
                        other = rule_items[at]
                        left = _without(
                            own[slot_of[other]], item, other, starts, stops, seconds, classes, numbers, by_distance
                        )
                        value = np.log1p(left * log_factor)
                    sums[rule_items[at]] += weight * value
                for slot in range(used):
                    slot_of[slots[slot]] = -1
                    own[slot] = 0
                entries += rule_stops[item] - rule_starts[item]
                if parts > 1:
                    row = n_items + item
                    for at in range(rule_starts[row], rule_stops[row]):
                        sums[rule_items[at]] += weight * similar_weight * rule_values[at]
                    entries += rule_stops[row] - rule_starts[row]
            of_targets[b, t] = sums[targets[b, t]]
            row, column = b % candidates.shape[0], t % candidates.shape[1]
            for k in range(candidates.shape[2]):
                of_others[b, t, k] = sums[candidates[row, column, k]]
            for at in range(near, end):
                head[items[at]] = -1
            if entries * SCATTERED > n_items:
                sums[:] = 0.0
                continue
            for age in range(n):
                for half in range(parts):
                    row = half * n_items + items[play - age]
                    for at in range(rule_starts[row], rule_stops[row]):
                        sums[rule_items[at]] = 0.0


@kernel
def _without(own, item, other, starts, stops, seconds, classes, numbers, by_distance):
    """C[item, other] without `own` pairs of each distance."""
    low, high = starts[item], stops[item]
    while low < high:
        middle = (low + high) // 2
        if seconds[middle] < other:
            low = middle + 1
        else:
            high = middle
    total = 0.0
    while low < stops[item] and seconds[low] == other:
        total += by_distance[classes[low]] * (numbers[low] - own[classes[low]])
        low += 1
    return total
