"""Scores and names as one 64-bit key, so that the best are selected and sorted as integers, ties by lower name."""

import numpy as np

from mu_kernels.compile import kernel


@kernel
def fill_keys(values, names, n, keys):
    """keys[i]: uint64 in the order of float32 `values` (no NaN), ties by lower name; the name is in its lower half."""
    bits = values.view(np.uint32)
    for i in range(n):
        word = np.int64(bits[i])
        if values[i] == 0:
            word = 0  # -0 is 0
        word = 0xFFFFFFFF - word if word >= 0x80000000 else word + 0x80000000
        keys[i] = np.uint64(word) << np.uint64(32) | np.uint64(0xFFFFFFFF - np.int64(names[i]))


@kernel
def name_of(key):
    return 0xFFFFFFFF - np.int64(key & np.uint64(0xFFFFFFFF))


@kernel
def part_largest(keys, n, k):
    """Reorders keys[:n] so that its k largest come first (in no order); 0 < k <= n. Hoare's quickselect."""
    low, high = 0, n - 1
    while low < high:
        middle = (low + high) >> 1
        a, b, c = keys[low], keys[middle], keys[high]
        pivot = max(min(a, b), min(max(a, b), c))
        i, j = low, high
        while i <= j:
            while keys[i] > pivot:
                i += 1
            while keys[j] < pivot:
                j -= 1
            if i <= j:
                keys[i], keys[j] = keys[j], keys[i]
                i += 1
                j -= 1
        if k - 1 <= j:
            high = j
        elif k - 1 >= i:
            low = i
        else:
            return


@kernel
def _sort(keys, n):
    """keys[:n] ascending. Heapsort: NumPy's sort would add half a second to the compilation of each kernel."""
    for size in range(2 * n - n // 2, 0, -1):
        # First every inner node sifts down, then the largest goes to the end, again and again.
        if size > n:
            at, stop = size - n - 1, n
        else:
            if size == 1:
                return
            keys[0], keys[size - 1] = keys[size - 1], keys[0]
            at, stop = 0, size - 1
        key = keys[at]
        while 2 * at + 1 < stop:
            child = 2 * at + 1
            if child + 1 < stop and keys[child + 1] > keys[child]:
                child += 1
            if keys[child] <= key:
                break
            keys[at] = keys[child]
            at = child
        keys[at] = key


@kernel
def best(scores, ids, n, k, groups, per_group, taken, keys, out_ids, out_scores):
    """Writes the best k of n, best first, ties by lower id, at most `per_group` of a group (0: any); their number.

    Uses `keys` [n]. `taken` (a counter by group) is zeros before and after.
    """
    fill_keys(scores, ids, n, keys)
    first = min(n, k)
    while True:
        # More than k are put in order only where groups take some of them away.
        if 0 < first < n:
            part_largest(keys, n, first)
        _sort(keys, first)
        count = 0
        for i in range(first - 1, -1, -1):
            item = name_of(keys[i])
            if per_group:
                if taken[groups[item]] == per_group:
                    continue
                taken[groups[item]] += 1
            if count == k:
                break
            out_ids[count] = item
            word = np.int64(keys[i] >> np.uint64(32))
            word = word - 0x80000000 if word >= 0x80000000 else 0xFFFFFFFF - word
            out_scores.view(np.uint32)[count] = word
            count += 1
        if per_group:
            for i in range(first):
                taken[groups[name_of(keys[i])]] = 0
        if count == k or first == n:
            return count
        first = min(n, 4 * first)
