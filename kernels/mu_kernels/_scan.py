"""The certified scan: which items may score at least a threshold, read from their codes.

Thresholds and bounds are in units of the query's step t, after its product with the mean is taken off: an item with
scale s and integers c is let through if s (p.c + E) + bias / t >= T, where E bounds what the integers leave out (see
`codes`).
Rounding of float32 is paid for by a relative 1e-6 in E and in T.
"""

from typing import NamedTuple

import numpy as np

from mu_kernels._sorted import holds
from mu_kernels._vector.bits import lowest, prefetch
from mu_kernels._vector.panels import panel_dots, reaches
from mu_kernels._vector.tiles import TILE_PANELS, TILE_QUERIES, amx_begin, amx_end, tile_products, tile_reaches
from mu_kernels.codes import BLOCK_ITEMS, BLOCK_PANELS, LANES
from mu_kernels.compile import kernel

AHEAD = 16  # panels that are on their way from memory while one is read


class Candidates(NamedTuple):
    """Items let through, by part of the catalogue and query, in `room` slots.

    Attributes:
      ids: int32 [parts, B, room].
      values: float32 [parts, B, room], the score as the codes have it, in units of T.
      limits: float32 [parts, B, room], its upper bound.
      counts: int64 [parts, B]; more than `room` if there was no room for some.
    """

    ids: np.ndarray
    values: np.ndarray
    limits: np.ndarray
    counts: np.ndarray


@kernel
def _admitted(threshold, step, with_mean, largest_bias):
    """`threshold` (a T) lowered by what rounding may have added to it or taken from a bound."""
    slack = 1e-6 * (abs(threshold) + (abs(with_mean) + largest_bias) / step)
    return np.float32(threshold - slack)


@kernel
def _collect(mask, base, part, q, sums, at, middle, widest, row, out_rows, candidates):
    """Adds the items of `mask` to the candidates of query `q`, but for those it excludes.

    `row` is their panel's scale and bias, and 1 / t; their products are sums[at:] + middle, at most sums[at:] + widest.
    """
    scale, bias, inverse = row
    out_indptr, out_indices = out_rows
    ids, values, limits = candidates.ids[part, q], candidates.values[part, q], candidates.limits[part, q]
    count = candidates.counts[part, q]
    while mask != 0:
        lane = lowest(mask)
        mask &= mask - 1
        item = base + lane * BLOCK_PANELS
        if holds(out_indices, out_indptr[q], out_indptr[q + 1], item):
            continue
        if count < len(ids):
            whole = np.int64(sums[at + lane])
            offset = np.float32(bias[lane] * inverse)
            value = np.float32(np.float32(whole + middle) * scale[lane] + offset)
            limit = np.float32(np.float32(whole + widest) * scale[lane] + offset)
            ids[count] = item
            # An overflow decides nothing: such an item is rescored, and decides nothing about others.
            values[count] = value if value == value else -np.inf
            limits[count] = limit if abs(limit) < np.inf else np.inf
        count += 1
    candidates.counts[part, q] = count


@kernel
def scan_rows(
    first, stop, parts, panels, allowed, codes, queries, n_queries, thresholds, largest_bias, out_rows, candidates
):
    """For few queries: each reads the upper plane, and the lower plane of panels that the upper does not rule out.

    Part number i of `parts` reads `panels[len * i // parts : len * (i + 1) // parts]`; `allowed` are the bits of the
    items that may be candidates, `out_rows` (indptr, indices) what each query excludes.
    """
    lines = codes.high.shape[1]
    sums = np.empty(LANES, np.int32)
    high_sums = np.empty((BLOCK_PANELS, LANES), np.int32)
    open_panels = np.empty(BLOCK_PANELS, np.int64)
    open_masks = np.empty(BLOCK_PANELS, np.int64)
    for part in range(first, stop):
        begin, end = len(panels) * part // parts, len(panels) * (part + 1) // parts
        for start in range(begin, end, BLOCK_PANELS):
            chunk_stop = min(start + BLOCK_PANELS, end)
            for q in range(n_queries):
                step, with_mean = queries.numbers[q, 0], queries.numbers[q, 1]
                error, length = queries.numbers[q, 2], queries.numbers[q, 3]
                total = queries.sums[q]
                inverse = np.float32(1 / step if largest_bias else 0)
                threshold = _admitted(thresholds[q], step, with_mean, largest_bias)
                first_half = queries.words[q, :lines].view(np.int8)
                second_half = queries.words[q, lines:].view(np.int8)
                undecided = 0
                for at in range(start, chunk_stop):
                    panel = panels[at]
                    if at + AHEAD < end:
                        prefetch(codes.high, panels[at + AHEAD] * lines * LANES, lines * 64)
                    norm, rest = codes.bounds[panel, 2], codes.bounds[panel, 3]
                    init = np.int64(error * norm + length * (rest + 1e-6 * norm) - 120.5 * total) + 2
                    panel_dots(codes.high, panel, lines, queries.words, q, sums)
                    mask = reaches(
                        sums, 0, np.int32(16), np.int32(init), codes.scale, codes.bias, panel, threshold, inverse
                    )
                    mask &= np.int64(allowed[panel])
                    if mask != 0:
                        for lane in range(LANES):
                            if (mask >> lane) & 1:
                                prefetch(codes.low, (panel * LANES + lane) * lines, lines * 4)
                        open_panels[undecided], open_masks[undecided] = panel, mask
                        for lane in range(LANES):
                            high_sums[undecided, lane] = sums[lane]
                        undecided += 1
                for at in range(undecided):
                    panel = open_panels[at]
                    low = codes.low[panel].view(np.uint8)
                    for lane in range(LANES):
                        if (open_masks[at] >> lane) & 1:
                            total_low = np.int32(0)
                            for i in range(4 * lines):
                                byte = low[lane, i]
                                total_low += np.int32(byte & 15) * np.int32(first_half[i])
                                total_low += np.int32(byte >> 4) * np.int32(second_half[i])
                            sums[lane] = 16 * high_sums[at, lane] + total_low - 128 * total
                    norm, rest = codes.bounds[panel, 0], codes.bounds[panel, 1]
                    wide = np.int64(error * norm + length * (rest + 1e-6 * norm)) + 2
                    mask = open_masks[at] & reaches(
                        sums, 0, np.int32(1), np.int32(wide), codes.scale, codes.bias, panel, threshold, inverse
                    )
                    if mask != 0:
                        base = panel // BLOCK_PANELS * BLOCK_ITEMS + panel % BLOCK_PANELS
                        row = (codes.scale[panel], codes.bias[panel], inverse)
                        _collect(mask, base, part, q, sums, 0, 0, wide, row, out_rows, candidates)


@kernel
def scan_tiles(
    first,
    stop,
    parts,
    panels,
    allowed,
    codes,
    queries,
    n_queries,
    thresholds,
    largest_bias,
    out_rows,
    candidates,
    scratch,
    all_sums,
    all_init,
    amx,
    chunk_words,
    tile_shapes,
):
    """For many queries: 64 panels at a time are joined to bytes in the cache, and tiles of 32 queries read them.

    Arguments as for `scan_rows`; the arrays after them are room to work, one row a part, at cache lines:
    tiles that straddle lines take twice as long.
    """
    lines = codes.high.shape[1]
    n_words = 2 * lines
    padded = queries.words.shape[0]
    scale = np.zeros((BLOCK_PANELS, LANES), np.float32)
    bias = np.zeros((BLOCK_PANELS, LANES), np.float32)
    bits = np.zeros(BLOCK_PANELS, np.int64)
    masks = np.empty(TILE_QUERIES, np.uint32)
    inverse = np.zeros(padded, np.float32)
    admitted = np.zeros(padded, np.float32)
    for q in range(n_queries):
        inverse[q] = 1 / queries.numbers[q, 0] if largest_bias else 0
        admitted[q] = _admitted(thresholds[q], queries.numbers[q, 0], queries.numbers[q, 1], largest_bias)
    low_nibbles, high_nibbles, four = np.uint32(0x0F0F0F0F), np.uint32(0xF0F0F0F0), np.uint32(4)
    if amx:
        amx_begin(tile_shapes)
    for part in range(first, stop):
        joined, sums, init = scratch[part], all_sums[part], all_init[part]
        begin, end = len(panels) * part // parts, len(panels) * (part + 1) // parts
        for start in range(begin, end, BLOCK_PANELS):
            n_panels = min(BLOCK_PANELS, end - start)
            norm, rest = np.float32(0), np.float32(0)
            for at in range(BLOCK_PANELS):  # loops, here and below: assigning slices takes Numba 1.6 s to compile
                bits[at] = 0
            for at in range(n_panels):
                panel = panels[start + at]
                high, low = codes.high[panel], codes.low[panel]
                for line in range(lines):
                    for lane in range(LANES):
                        h, o = high[line, lane], low[lane, line]
                        joined[at, line, lane] = ((h & low_nibbles) << four) | (o & low_nibbles)
                        joined[at, lines + line, lane] = (h & high_nibbles) | ((o >> four) & low_nibbles)
                for lane in range(LANES):
                    scale[at, lane] = codes.scale[panel, lane]
                    bias[at, lane] = codes.bias[panel, lane]
                bits[at] = allowed[panel]
                norm, rest = max(norm, codes.bounds[panel, 0]), max(rest, codes.bounds[panel, 1])
            for q in range(n_queries):
                error, length = queries.numbers[q, 2], queries.numbers[q, 3]
                wide = np.int64(error * norm + length * (rest + 1e-6 * norm)) + 2
                for lane in range(LANES):
                    init[q, lane] = wide - 128 * queries.sums[q]
            for tile in range(0, n_queries, TILE_QUERIES):
                tile_stop = min(tile + TILE_QUERIES, n_queries)
                for pair in range(0, n_panels, TILE_PANELS):
                    tile_products(joined, pair, n_words, queries.words, tile, init, sums, amx, chunk_words)
                    tile_reaches(sums, scale, bias, pair, admitted, inverse, tile, masks)
                    for q in range(tile, tile_stop):
                        if masks[q - tile] == 0:
                            continue
                        both = np.int64(masks[q - tile])
                        for half in range(TILE_PANELS):
                            at = pair + half
                            mask = (both >> LANES * half) & bits[at]
                            if mask == 0:
                                continue
                            panel = panels[start + at]
                            base = panel // BLOCK_PANELS * BLOCK_ITEMS + panel % BLOCK_PANELS
                            wide = init[q, 0] + 128 * queries.sums[q]
                            sums_at = (half * TILE_QUERIES + q - tile) * LANES
                            row = (scale[at], bias[at], inverse[q])
                            _collect(mask, base, part, q, sums, sums_at, -wide, 0, row, out_rows, candidates)
    if amx:
        amx_end()
