"""Matrix factorisation from pairs of a played and another item, by stochastic gradient descent in one thread.

Each step reads what the step before wrote, so that one thread takes them: the result is the same on every machine of a
kind, with any number of CPUs. Draws are counted (`mu_kernels.hashing`): draw r of an epoch is the stream
(seed, epoch, r), column 0 the example, the following ones the other items.
"""

from typing import Literal

import numpy as np

from mu_kernels._sorted import holds
from mu_kernels.compile import kernel
from mu_kernels.csr import CSR
from mu_kernels.hashing import below, column_word, stream

ONE = np.float32(1)
MOST_REDRAWS = 64
"""Draws of an item that the user has not played, before the example is passed over."""


def descend(
    seen: CSR,
    weights: np.ndarray,
    users: np.ndarray,
    items: np.ndarray,
    bias: np.ndarray,
    *,
    loss: Literal["bpr", "warp"],
    learning_rate: float,
    l2: float,
    tries: int,
    seed: int,
    epoch: int,
) -> int:
    """One epoch, in place: as many draws of examples as there are pairs, with replacement.

    Args:
      seen: CSR [U, V], the pairs.
      weights: float32, what each pair's loss is multiplied with.
      users: float32 [U, D].
      items: float32 [V, D].
      bias: float32 [V].
      loss: 'bpr', -log sigmoid(s_i - s_j) with j drawn evenly from what the user has not played; or 'warp', the hinge
        loss of the first j of `tries` that comes within 1 of i, times log(estimated rank) / log(V).
      learning_rate: of the steps.
      l2: penalty of the factors and biases of each step, l2 / 2 times their squares.
      tries: of WARP.
      seed: any integer of up to 64 bits.
      epoch: its number.

    Returns:
      How many examples moved the factors.

    Raises:
      ValueError: shapes or types differ.
    """
    dim, n_items = users.shape[-1], seen.n_columns
    shapes = {"weights": (len(seen),), "users": (seen.n_rows, dim), "items": (n_items, dim), "bias": (n_items,)}
    for (name, expected), array in zip(shapes.items(), (weights, users, items, bias), strict=True):
        if array.shape != expected or array.dtype != np.float32 or not array.flags.c_contiguous:
            raise ValueError(f"{name} is {array.dtype} {array.shape}; it must be float32 {expected}, contiguous")
    if not len(seen):
        return 0
    rows = np.repeat(np.arange(seen.n_rows, dtype=np.int32), seen.counts())
    numbers = np.float32(learning_rate), np.float32(l2), loss == "warp", tries
    words = np.uint64(seed % 2**64), np.uint64(epoch)
    with np.errstate(over="ignore"):  # hashes wrap around, of which NumPy warns when the JIT is off
        return _descend(rows, seen.indptr, seen.indices, weights, users, items, bias, *numbers, *words)


@kernel(reordered_sums=True)
def _descend(rows, indptr, indices, weights, users, items, bias, rate, l2, warp, tries, seed, epoch):
    dim, n_items, n_pairs = users.shape[1], np.uint64(len(items)), np.uint64(len(indices))
    decay = ONE - rate * l2
    moved = 0
    for draw in range(len(indices)):
        words = stream(seed, epoch, np.uint64(draw))
        pair = np.int64(below(column_word(words, 0), n_pairs))
        user, item, column = rows[pair], indices[pair], 1
        x, y = users[user], items[item]
        score = bias[item]
        for k in range(dim):
            score += x[k] * y[k]
        step = np.float32(0)
        other = np.int64(-1)
        for attempt in range(tries if warp else 1):
            drawn = np.int64(-1)
            for _ in range(MOST_REDRAWS):
                candidate = np.int64(below(column_word(words, column), n_items))
                column += 1
                if not holds(indices, indptr[user], indptr[user + 1], candidate):
                    drawn = candidate
                    break
            if drawn < 0:
                break
            z = items[drawn]
            of_other = bias[drawn]
            for k in range(dim):
                of_other += x[k] * z[k]
            if not warp:
                other, step = drawn, rate * weights[pair] / (ONE + np.exp(score - of_other))
            elif of_other > score - ONE:
                rank = max(2.0, len(items) / (attempt + 1))
                other, step = drawn, np.float32(rate * weights[pair] * np.log(rank) / np.log(len(items)))
                break
        if other < 0:
            continue
        moved += 1
        z = items[other]
        for k in range(dim):
            value = x[k]
            x[k] = decay * value + step * (y[k] - z[k])
            y[k] = decay * y[k] + step * value
            z[k] = decay * z[k] - step * value
        bias[item] = decay * bias[item] + step
        bias[other] = decay * bias[other] - step
    return moved
