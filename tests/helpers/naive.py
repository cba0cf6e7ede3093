"""The slow twins: what the fast code computes, said in obvious NumPy."""

import collections
import itertools

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


def negative_probabilities(n_items, seen, weights=None, groups=None, available_from=None, time=None):
    """float64 [V]: the probability of each item for a user who has seen `seen`; all 0 where nothing is left."""
    q = np.ones(n_items) if weights is None else np.array(weights, np.float64)
    q[list(seen)] = 0
    if groups is not None:
        heard = {int(groups[item]) for item in seen} - {-1}
        q[[int(group) in heard for group in groups]] = 0
    if available_from is not None:
        q[np.asarray(available_from) > time] = 0
    return q / max(q.sum(), 1e-300)


def mixture_probabilities(shares, components):
    """float64 [V]: components that are all 0 leave their share to the others; all 0 where all are."""
    shares = np.array([share * q.any() for share, q in zip(shares, components, strict=True)])
    return shares @ np.array(components) / max(shares.sum(), 1e-300)


def random_words(seed, step, row, column):
    """The words of 64 bits that a draw reads, by Python's integers: SplitMix64 over hashes of its coordinates."""
    golden, full = 0x9E3779B97F4A7C15, 2**64

    def mix(word):
        word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9 % full
        word = (word ^ (word >> 27)) * 0x94D049BB133111EB % full
        return word ^ (word >> 31)

    key = mix(mix((seed + golden) % full) ^ ((step + 1) * golden % full))
    stream = mix(key ^ ((row + 1) * golden % full))
    first = mix((stream + (column + 1) * golden) % full)
    yield first
    for number in itertools.count(1):
        yield mix((first + number * golden) % full)


def index_top_k(vectors, queries, k, bias, exclude, candidates, allow, groups, per_group):
    """(ids, scores) by query: scores are sums in float64, rounded to float32; each list by item id, or None."""
    answers = []
    for row, query in enumerate(queries):
        scores = (vectors.astype(np.float64) * query.astype(np.float64)).sum(1)
        if bias is not None:
            scores += bias.astype(np.float32)
        scores = scores.astype(np.float32)
        left = np.ones(len(vectors), bool) if allow is None else allow.copy()
        if exclude is not None:
            left[exclude[row]] = False
        if candidates is not None:
            left &= np.isin(np.arange(len(vectors)), candidates[row])
        ids, taken = [], {}
        for item in sorted(np.flatnonzero(left), key=lambda item: (-scores[item], item)):
            group = None if groups is None else groups[item]
            taken[group] = taken.get(group, 0) + 1
            if groups is None or taken[group] <= per_group:
                ids.append(int(item))
        answers.append((ids[:k], scores[ids[:k]]))
    return answers


# ---- mu.evals and mu.baselines


def metrics_of_order(order, targets, n_targets, k):
    """The metrics at k of one ranking, best first; `n_targets` may count targets that cannot be hit."""
    relevant = [item in targets for item in order[:k]]
    hits = [rank + 1 for rank, hit in enumerate(relevant) if hit]
    ideal = sum(1 / np.log2(rank + 1) for rank in range(1, min(n_targets, k) + 1))
    return {
        "recall": len(hits) / n_targets,
        "hit_rate": float(bool(hits)),
        "precision": len(hits) / k,
        "ndcg": sum(1 / np.log2(rank + 1) for rank in hits) / ideal,
        "reciprocal_rank": 1 / hits[0] if hits else 0.0,
        "average_precision": sum((n + 1) / rank for n, rank in enumerate(hits)) / min(n_targets, k),
    }


def metrics_over_tie_orders(scores, targets, n_targets, k):
    """The mean of each metric over all orders of the items that the scores allow, tried one by one."""
    orders = [
        order
        for order in itertools.permutations(range(len(scores)))
        if all(scores[a] >= scores[b] for a, b in itertools.pairwise(order))
    ]
    found = [metrics_of_order(order, targets, n_targets, k) for order in orders]
    return {name: np.mean([one[name] for one in found]) for name in found[0]}


def graded_ndcg(scores, gains, all_gains, k):
    """NDCG at k with gains {item: gain}, the mean over orders of ties; `all_gains` counts those that cannot be hit."""
    ideal = sum(gain / np.log2(rank + 1) for rank, gain in enumerate(sorted(all_gains, reverse=True)[:k], 1))
    values = [
        sum(gains.get(item, 0.0) / np.log2(rank + 1) for rank, item in enumerate(order[:k], 1))
        for order in itertools.permutations(range(len(scores)))
        if all(scores[a] >= scores[b] for a, b in itertools.pairwise(order))
    ]
    return np.mean(values) / ideal if ideal else np.nan


def list_metrics(lists, n_items, plays, vectors, groups, n_groups):
    """Every metric of recommended lists (of item ids, best first), with loops; the first two are one value a list."""
    total = sum(plays)
    novelty = [
        np.mean([-np.log2((plays[item] + 1) / (total + n_items)) for item in items]) if items else np.nan
        for items in lists
    ]
    diversity = []
    for items in lists:
        pairs = [
            1 - vectors[a] @ vectors[b] / max(np.linalg.norm(vectors[a]) * np.linalg.norm(vectors[b]), 1e-300)
            for a, b in itertools.combinations(items, 2)
        ]
        diversity.append(np.mean(pairs) if pairs else np.nan)
    shown = [sum(item in items for items in lists) for item in range(n_items)]
    differences = sum(abs(a - b) for a, b in itertools.product(shown, shown))
    exposure = [0.0] * n_groups
    for items in lists:
        for rank, item in enumerate(items, 1):
            if groups[item] >= 0:
                exposure[groups[item]] += 1 / np.log2(rank + 1)
    shares = [one / sum(exposure) for one in exposure if one > 0]
    return {
        "novelty": novelty,
        "intra_list_diversity": diversity,
        "coverage": sum(count > 0 for count in shown) / n_items,
        "gini": differences / (2 * n_items * sum(shown)),
        "artist_exposure": np.exp(-sum(share * np.log(share) for share in shares)) / n_groups,
    }


def listener_list_metrics(lists, k, plays, labels, groups, histories, targets):
    """Metrics of lists that look at their listeners, with loops; all but popularity_lift are one value a list.

    `labels` are a list of words for each item, `histories` and `targets` a list of items for each list.
    """
    by_artist = collections.Counter()
    for artist, count in zip(groups, plays, strict=True):
        by_artist[artist] += count
    ranked = sorted(one for one in set(groups) - {-1} if by_artist[one])
    top = sorted(ranked, key=lambda one: -by_artist[one])[: -(-len(ranked) // 10)]
    by_popularity = sorted(range(len(plays)), key=lambda item: -plays[item])
    values, popularity = collections.defaultdict(list), []
    for items, history, wanted in zip(lists, histories, targets, strict=True):
        artists = [groups[item] for item in items if groups[item] >= 0]
        obvious = [item for item in by_popularity if item not in history][:k]
        hits = [item for item in items if item in wanted and item not in history and item not in obvious]
        p, q = label_mix(history, labels), label_mix(items, labels)
        terms = [share * np.log(share / (0.99 * q[word] + 0.01 * share)) for word, share in p.items()]
        values["repeat_share"].append(np.mean([item in history for item in items]) if items else np.nan)
        values["top_artist_share"].append(np.mean([one in top for one in artists]) if artists else np.nan)
        values["serendipity"].append(len(hits) / k)
        values["calibration_kl"].append(sum(terms) if p and q else np.nan)
        if items and history:
            popularity.append([np.mean([plays[item] for item in one]) for one in (items, history)])
    of_lists, of_histories = np.mean(popularity, axis=0)
    return {**values, "popularity_lift": of_lists / of_histories - 1}


def label_mix(items, labels):
    """Word -> its share among the labels of the items that have any."""
    labelled = [item for item in items if labels[item]]
    mix = collections.Counter()
    for item in labelled:
        for word in labels[item]:
            mix[word] += 1 / len(labels[item]) / len(labelled)
    return mix


def item_knn_scores(rows, n_items, history, neighbours, cosine, decay, by_candidate):
    """The scores of one user; `rows` are the users' sets of items in training, `history` a list of plays."""
    similar = np.zeros((n_items, n_items))
    for i, j in itertools.permutations(range(n_items), 2):
        both = sum(i in row and j in row for row in rows)
        size = sum(i in row for row in rows) * sum(j in row for row in rows)
        similar[i, j] = (both / np.sqrt(size) if cosine else both) if both else 0
    for i in range(n_items):
        similar[i, sorted(range(n_items), key=lambda j: (-similar[i, j], j))[neighbours:]] = 0
    scores = np.zeros(n_items)
    for j in set(history):
        age = history[::-1].index(j)
        scores += decay**age * (similar[:, j] if by_candidate else similar[j])
    return scores


# ---- mu.training


def row_adagrad(rows, batches, rate, epsilon):
    """Rows after each batch [(id, gradient), ...] in turn: one accumulator a row."""
    rows, accumulators = np.array(rows, np.float64), np.zeros(len(rows))
    for batch in batches:
        for row, gradient in batch:
            accumulators[row] += np.mean(np.square(gradient))
            rows[row] -= rate * gradient / np.sqrt(accumulators[row] + epsilon)
    return rows


def lazy_adam(rows, batches, rate, b1, b2, epsilon):
    """Rows after each batch [(id, gradient), ...] in turn: an Adam of its own for every row, asleep between."""
    rows = np.array(rows, np.float64)
    mean, square, count = np.zeros_like(rows), np.zeros_like(rows), np.zeros(len(rows), int)
    for batch in batches:
        for row, gradient in batch:
            count[row] += 1
            mean[row] = b1 * mean[row] + (1 - b1) * gradient
            square[row] = b2 * square[row] + (1 - b2) * gradient**2
            corrected = square[row] / (1 - b2 ** count[row])
            rows[row] -= rate * mean[row] / (1 - b1 ** count[row]) / (np.sqrt(corrected) + epsilon)
    return rows
