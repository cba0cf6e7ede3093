"""Weighted rules from counts of transitions: a value for each pair of items, of each row the strongest alone."""

import math
from typing import Any

import numpy as np

from mu_kernels._check import finite, in_range, read_only
from mu_kernels._heap import sift_down, sift_up, worse
from mu_kernels.compile import kernel
from mu_kernels.threads import run_rows


def weigh_transitions(
    starts: np.ndarray,
    stops: np.ndarray,
    items: np.ndarray,
    classes: np.ndarray,
    counts: np.ndarray,
    weights: Any,
    out: tuple[np.ndarray, np.ndarray, np.ndarray],
    *,
    scale: Any = None,
    log_factor: float | None = None,
    strongest: int | None = None,
    rows: Any = None,
    threads: int | None = None,
) -> None:
    """Writes the value of every pair (b, a) that was counted, where it stands in the counts.

        C[b, a] = sum over classes c, in their order, of weights[c] N_c(b -> a)
        value[b, a] = scale[b] C[b, a],  or  scale[b] log(1 + log_factor C[b, a])

    Row b of the values takes the first entries of row b of the counts, its items ascending. It depends on the counts of
    its own row alone, so rows can be made again one by one.

    Args:
      starts: int64 [V], where the counts of each item begin.
      stops: int64 [V], where they end; see `Transitions` for the next three.
      items: int32 [N], by item and class within a row.
      classes: uint8 [N].
      counts: int32 [N].
      weights: float64 [W], of the classes.
      out: (stops int64, items int32, values float64) that are written to: the ends of the rows, which begin at
        `starts`, and their entries. They may be longer than the counts.
      scale: float64 [V], by source; None for 1.
      log_factor: above 0; None for values that grow with C.
      strongest: how many pairs of a row stay, those of the largest values, of equal ones those with lower ids; None for
        all.
      rows: int64, the rows that are made; None for all.
      threads: None for all CPUs; the result does not depend on it.

    Raises:
      ValueError: a weight, the scale or the factor is not finite, or sizes differ.
    """
    weights = read_only(weights, np.float64, "weights")
    finite(weights, "weights")
    scales = np.ones(0) if scale is None else read_only(scale, np.float64, "scale")
    finite(scales, "scale")
    if scale is not None and len(scales) != len(starts):
        raise ValueError(f"scale has {len(scales)} entries; there are {len(starts)} rows")
    if log_factor is not None and not (np.isfinite(log_factor) and log_factor > 0):
        raise ValueError(f"log_factor is {log_factor}; it must be above 0, or None")
    if strongest is not None and strongest < 1:
        raise ValueError(f"strongest is {strongest}; it must be at least 1, or None for all")
    made = read_only(np.arange(len(starts)) if rows is None else rows, np.int64, "rows")
    in_range(made, 0, len(starts), "rows", "rows")
    for name, array, least in zip(
        ("stops", "items", "values"), out, (len(starts), len(items), len(items)), strict=True
    ):
        if len(array) < least:
            raise ValueError(f"out has {len(array)} {name}; there are {least}")
    if rows is None:
        in_range(classes, 0, len(weights), "classes", "classes with a weight")
    run_rows(
        _weigh,
        len(made),
        threads,
        made,
        read_only(starts, np.int64, "starts"),
        read_only(stops, np.int64, "stops"),
        read_only(items, np.int32, "items"),
        np.asarray(classes),
        read_only(counts, np.int32, "counts"),
        weights,
        scales,
        0.0 if log_factor is None else float(log_factor),
        len(items) if strongest is None else int(strongest),
        *out,
        min_rows=64,
    )


@kernel
def _weigh(
    first,
    stop,
    rows,
    starts,
    stops,
    items,
    classes,
    counts,
    weights,
    scale,
    log_factor,
    strongest,
    out_stops,
    out_items,
    out_values,
):
    longest = 0
    for n in range(first, stop):
        longest = max(longest, stops[rows[n]] - starts[rows[n]])
    heap_ids, heap_values = np.empty(min(strongest, longest), np.int32), np.empty(min(strongest, longest), np.float64)
    for n in range(first, stop):
        row = rows[n]
        begin, to = starts[row], starts[row] - 1
        for at in range(begin, stops[row]):
            if to < begin or out_items[to] != items[at]:
                to += 1
                out_items[to], out_values[to] = items[at], 0.0
            out_values[to] += weights[classes[at]] * counts[at]
        end = to + 1
        for at in range(begin, end):
            if log_factor > 0:
                out_values[at] = math.log1p(out_values[at] * log_factor)
            if len(scale) > 0:
                out_values[at] *= scale[row]
        if end - begin > strongest:
            end = _keep_strongest(begin, end, out_items, out_values, heap_ids, heap_values)
        out_stops[row] = end


@kernel
def _keep_strongest(begin, end, items, values, heap_ids, heap_values):
    """Moves the pairs of the largest values to the front, in their order; returns where they end."""
    size = len(heap_ids)
    for at in range(begin, end):
        if at - begin < size:
            sift_up(heap_ids, heap_values, at - begin, items[at], values[at])
        elif worse(heap_values[0], heap_ids[0], values[at], items[at]):
            heap_ids[0], heap_values[0] = items[at], values[at]
            sift_down(heap_ids, heap_values, size)
    to = begin
    for at in range(begin, end):
        if not worse(values[at], items[at], heap_values[0], heap_ids[0]):
            items[to], values[to] = items[at], values[at]
            to += 1
    return to
