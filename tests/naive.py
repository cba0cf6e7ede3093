"""The slow twins: what the fast code computes, said in obvious NumPy."""

import numpy as np

# ---- mu_kernels


def csr_rows(rows, columns, n_rows):
    """The sets of a CSR as sorted lists."""
    sets = [set() for _ in range(n_rows)]
    for row, column in zip(rows, columns, strict=True):
        sets[row].add(int(column))
    return [sorted(columns) for columns in sets]


def cut_windows(indptr, length):
    """[(user, start, length)], each user's windows cut from the end, oldest first."""
    windows = []
    for user in range(len(indptr) - 1):
        mine, last = [], indptr[user + 1] - 1  # the last event is a target only
        while last > indptr[user]:
            start = max(last - length, indptr[user])
            mine.append((user, start, last - start))
            last = start
        windows += reversed(mine)
    return windows


def pack_windows(lengths, capacity):
    """Best-fit decreasing: lists of windows by row; of equally full rows the one last filled."""
    rows, room, filled = [], [], []
    for turn, window in enumerate(sorted(range(len(lengths)), key=lambda w: -lengths[w])):
        fits = [row for row in range(len(rows)) if room[row] >= lengths[window]]
        if fits:
            row = min(fits, key=lambda r: (room[r], -filled[r]))
        else:
            row = len(rows)
            rows.append([])
            room.append(capacity)
            filled.append(0)
        rows[row].append(window)
        room[row] -= lengths[window]
        filled[row] = turn
    return rows


def rank_scores(scores, targets, exclude):
    """(greater, equal) for each target; `targets` and `exclude` are lists of item ids by query."""
    greater, equal = [], []
    for row, mine, out in zip(scores, targets, exclude, strict=True):
        candidates = row[sorted((set(range(len(row))) - set(out)) | set(mine))]
        for target in mine:
            greater.append(np.sum(candidates > row[target]))
            equal.append(np.sum(candidates == row[target]))
    return np.array(greater, int), np.array(equal, int)


def top_k(scores, k, exclude):
    """The ids of the k best items by query, best first, ties by lower id; shorter where fewer are left."""
    hits = []
    for row, out in zip(scores, exclude, strict=True):
        candidates = np.array(sorted(set(range(len(row))) - set(out)), int)
        hits.append(candidates[np.lexsort((candidates, -row[candidates]))][:k])
    return hits
