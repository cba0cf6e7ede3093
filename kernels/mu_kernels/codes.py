"""Eight-bit codes of item vectors, with bounds on what they leave out: what a certified scan reads.

An item's vector, less the mean of all, is y = s (c + r): a scale s, integers c in [-127, 127], a residual r. For a
query q = t (p + e) with integers p, by Cauchy-Schwarz

    | q.y / (s t) - p.c | <= |e| |c| + |q / t| |r|,

so what the integers say of a score is certain to within the right side. The mean adds the same to every score of a
query; taking it out leaves less for the codes to describe.

Codes are kept as two planes of four bits. The upper plane alone is a code of its own, 16 h - 120.5 in place of c, with
a residual of its own: one query reads half the bytes and the lower plane only where the upper does not decide.
"""

from typing import NamedTuple

import numpy as np

from mu_kernels._vector.builder import LANES
from mu_kernels.compile import kernel
from mu_kernels.threads import run_rows

BLOCK_PANELS = 64
BLOCK_ITEMS = LANES * BLOCK_PANELS
LINE_BYTES = 64
MAX_DIM = 65_536  # 255 * 127 * MAX_DIM fits 32 bits
LARGEST_NORM = 1e18  # of a vector or a query: the product of two still is a float32


class Codes(NamedTuple):
    """Item 1024 b + 64 l + p is lane l of panel 64 b + p: neighbours, often alike, lie in different panels.

    Attributes:
      high: uint32 [panels, lines, 16], the upper plane. Word w of an item is dimensions 4 w to 4 w + 3, a byte each;
        line l holds the nibbles of word l (low) and of word lines + l (high).
      low: uint32 [panels, 16, lines], the lower plane, by item: it is read where a single item is in doubt.
      scale: float32 [panels, 16], s; 0 where no item is.
      bias: float32 [panels, 16].
      bounds: float32 [panels, 4], the largest |c|, |r|, |c'|, |r'| of the panel, ' of the upper plane alone.
      present: uint16 [panels], bit l: lane l holds an item.
      mean: float64 [D].
    """

    high: np.ndarray
    low: np.ndarray
    scale: np.ndarray
    bias: np.ndarray
    bounds: np.ndarray
    present: np.ndarray
    mean: np.ndarray


def lines_of(dim: int) -> int:
    """Lines of a panel: dimensions in equal chunks of at most 64 (one AMX product), each a multiple of eight."""
    chunks = max(1, -(-dim // 64))
    return chunks * max(1, -(-dim // (8 * chunks)))


def chunk_words_of(lines: int) -> int:
    """Words of four dimensions in one AMX product, for codes of so many lines."""
    return 2 * lines // max(1, -(-lines // 8))


def aligned(shape: tuple[int, ...], dtype: type) -> np.ndarray:
    """Zeros that begin at a cache line."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    raw = np.zeros(size + LINE_BYTES, np.uint8)
    start = -raw.ctypes.data % LINE_BYTES
    return raw[start : start + size].view(dtype).reshape(shape)


def allocate(n_items: int, dim: int, mean: np.ndarray) -> Codes:
    """Codes with room for `n_items`, no item present yet."""
    panels, lines = -(-n_items // BLOCK_ITEMS) * BLOCK_PANELS, lines_of(dim)
    return Codes(
        high=aligned((panels, lines, LANES), np.uint32),
        low=aligned((panels, LANES, lines), np.uint32),
        scale=np.zeros((panels, LANES), np.float32),
        bias=np.zeros((panels, LANES), np.float32),
        bounds=np.zeros((panels, 4), np.float32),
        present=np.zeros(panels, np.uint16),
        mean=mean,
    )


def panel_and_lane(ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where items lie."""
    rest = ids % BLOCK_ITEMS
    return ids // BLOCK_ITEMS * BLOCK_PANELS + rest % BLOCK_PANELS, rest // BLOCK_PANELS


def mean_of(vectors: np.ndarray) -> np.ndarray:
    """float64 [D]: the mean of up to 100,000 vectors, evenly spaced. Any vector would do: bounds hold for all."""
    step = max(1, len(vectors) // 100_000)
    return vectors[::step].mean(0, dtype=np.float64) if len(vectors) else np.zeros(vectors.shape[1])


def mask_of(chosen: np.ndarray) -> np.ndarray:
    """bool [N] as bits of panels, as `Codes.present` has them."""
    blocks = -(-len(chosen) // BLOCK_ITEMS)
    whole = np.zeros(blocks * BLOCK_ITEMS, bool)
    whole[: len(chosen)] = chosen
    lanes = whole.reshape(blocks, LANES, BLOCK_PANELS).transpose(0, 2, 1)
    return np.ascontiguousarray(np.packbits(lanes, axis=-1, bitorder="little")).view(np.uint16).reshape(-1)


def encode(codes: Codes, panels: np.ndarray, vectors: np.ndarray, bias: np.ndarray | None, threads: int | None) -> None:
    """Makes the codes of the items present in `panels` (int64) anew; panels differ from each other."""
    no_bias = np.zeros(0, np.float32)
    no_bias.flags.writeable = False  # one type of argument, one compiled kernel
    if bias is not None:
        bias = bias.view()
        bias.flags.writeable = False
    run_rows(_encode, len(panels), threads, panels, vectors, no_bias if bias is None else bias, codes, min_rows=16)


@kernel
def _encode(first, stop, panels, vectors, bias, codes):
    dim = vectors.shape[1]
    lines = codes.high.shape[1]
    integers = np.empty(8 * lines, np.uint8)
    up = np.float64(1) + np.float64(1e-6)  # what rounding to float32 may take from a bound
    for at in range(first, stop):
        panel = panels[at]
        high = codes.high[panel].view(np.uint8)
        low = codes.low[panel].view(np.uint8)
        norm, rest, high_norm, high_rest = 0.0, 0.0, 0.0, 0.0
        for lane in range(LANES):
            item = panel // BLOCK_PANELS * BLOCK_ITEMS + lane * BLOCK_PANELS + panel % BLOCK_PANELS
            for i in range(len(integers)):
                integers[i] = 128
            scale = np.float32(0)
            offset = np.float32(0)
            if (codes.present[panel] >> lane) & 1:
                vector = vectors[item]
                largest = 0.0
                for d in range(dim):
                    largest = max(largest, abs(np.float64(vector[d]) - codes.mean[d]))
                # Zeros, for one thing, get scale 1 and codes 0: all of such a vector is residual.
                scale = np.float32(largest / 127) if largest > 1e-30 else np.float32(1)
                squares, errors, high_squares, high_errors = 0.0, 0.0, 0.0, 0.0
                inverse = 1 / np.float64(scale)
                for d in range(dim):
                    value = (np.float64(vector[d]) - codes.mean[d]) * inverse
                    code = min(127.0, max(-127.0, np.rint(value)))
                    integer = np.int64(code) + 128
                    integers[d] = integer
                    upper = 16.0 * (integer >> 4) - 120.5
                    squares += code * code
                    errors += (value - code) * (value - code)
                    high_squares += upper * upper
                    high_errors += (value - upper) * (value - upper)
                norm, rest = max(norm, squares), max(rest, errors)
                high_norm, high_rest = max(high_norm, high_squares), max(high_rest, high_errors)
                if len(bias):
                    offset = bias[item]
            codes.scale[panel, lane] = scale
            codes.bias[panel, lane] = offset
            for line in range(lines):
                for j in range(4):
                    a, b = np.int64(integers[4 * line + j]), np.int64(integers[4 * (lines + line) + j])
                    high[line, 4 * lane + j] = (a >> 4) | (b & 0xF0)
                    low[lane, 4 * line + j] = (a & 15) | ((b & 15) << 4)
        codes.bounds[panel, 0] = np.sqrt(norm) * up
        codes.bounds[panel, 1] = np.sqrt(rest) * up
        codes.bounds[panel, 2] = np.sqrt(high_norm) * up
        codes.bounds[panel, 3] = np.sqrt(high_rest) * up
