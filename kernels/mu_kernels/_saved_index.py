"""Whether the arrays of a saved index go together: kernels read them without a bound."""

from typing import Any

import numpy as np

from mu_kernels.codes import BLOCK_ITEMS, BLOCK_PANELS, LANES, LARGEST_NORM, MAX_DIM, lines_of, mask_of

LARGE = ("vectors", "high", "low")
"""Arrays with D numbers an item; of the others all is looked at."""
SLACK = 1 + 1e-6


def check_saved(numbers: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    """Raises ValueError where counts, types, shapes or numbers are not those that `ItemIndex.save` writes.

    Args:
      numbers: n_items, largest_norm.
      arrays: vectors, the fields of `Codes`, and item_bias and groups where the index has them.
    """
    if set(numbers) != {"n_items", "largest_norm"}:
        raise ValueError(f"it has the numbers {', '.join(numbers)}")
    n_items, largest_norm = numbers["n_items"], numbers["largest_norm"]
    if not isinstance(n_items, int) or not 0 <= n_items < 2**31:
        raise ValueError(f"n_items is {n_items!r}")
    if not isinstance(largest_norm, int | float) or not 0 <= largest_norm <= LARGEST_NORM * SLACK:
        raise ValueError(f"largest_norm is {largest_norm!r}")
    vectors = arrays.get("vectors", np.zeros(0))
    dim = vectors.shape[1] if vectors.ndim == 2 else 0
    if not 0 < dim <= MAX_DIM:
        raise ValueError(f"vectors has shape {vectors.shape}")
    present = arrays.get("present", np.zeros(0))
    panels, lines = len(present), lines_of(dim)
    if panels % BLOCK_PANELS or panels // BLOCK_PANELS * BLOCK_ITEMS < n_items:
        raise ValueError(f"present has {panels} entries; there are {n_items} items")
    shapes = {
        "vectors": (np.float32, (n_items, dim)),
        "high": (np.uint32, (panels, lines, LANES)),
        "low": (np.uint32, (panels, LANES, lines)),
        "scale": (np.float32, (panels, LANES)),
        "bias": (np.float32, (panels, LANES)),
        "bounds": (np.float32, (panels, 4)),
        "present": (np.uint16, (panels,)),
        "mean": (np.float64, (dim,)),
        "item_bias": (np.float32, (n_items,)),
        "groups": (np.int64, (n_items,)),
    }
    if missing := set(shapes) - {"item_bias", "groups"} - set(arrays):
        raise ValueError(f"it has no {min(missing)!r}")
    for name, array in arrays.items():
        dtype, shape = shapes.get(name, (None, ()))
        if dtype is None or array.dtype != dtype or array.shape != shape:
            raise ValueError(f"{name!r} is {array.dtype} of shape {array.shape}")
    # The codes' limits are those of `encode`: |c| and |r| of D numbers, a scale that no vector makes larger.
    limits = {
        "scale": (0, 2 * LARGEST_NORM),
        "bias": (-(LARGEST_NORM**2), LARGEST_NORM**2),
        "bounds": (0, 255 * np.sqrt(MAX_DIM)),
        "mean": (-LARGEST_NORM * SLACK, LARGEST_NORM * SLACK),
        "item_bias": (-(LARGEST_NORM**2), LARGEST_NORM**2),
    }
    for name, (low, high) in limits.items():
        array = arrays.get(name, np.zeros(0))
        if array.size and not (low <= array.min() and array.max() <= high):  # false for NaN, too
            raise ValueError(f"{name!r} holds numbers that no item has")
    first = n_items // BLOCK_ITEMS * BLOCK_PANELS  # of the panels that may be partly empty
    inside = np.zeros(panels - first, np.uint16)
    bits = mask_of(np.ones(n_items % BLOCK_ITEMS, bool))
    inside[: len(bits)] = bits
    if (present[first:] & ~inside).any():
        raise ValueError(f"'present' names items beyond the {n_items} that there are")
