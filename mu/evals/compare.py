"""Paired differences of two results on the same units: intervals, and a permutation test of means."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mu.evals.few_units import difference_interval, effective_size, extremes, may_be_missed
from mu.evals.intervals import drawn_cluster_means, drawn_means, sign_flip_test
from mu.evals.pairs import aligned, defined_in_all, shared_names
from mu.evals.result import Result
from mu.evals.results import evaluations_of, load
from mu.evals.seed_groups import left_out_seeds, shared_seeds, spread

# Draws: where units are drawn by themselves, and where clusters of them are, which takes longer.
SAMPLES, CLUSTER_SAMPLES = 10_000, 1000


def compare(
    a: str,
    b: str,
    metrics: Sequence[str] | None = None,
    samples: int | None = None,
    seed: int = 0,
    name: str | None = None,
) -> dict[str, Any]:
    """Paired differences B - A of two evaluations on disk, or of two groups of seeds.

    Args:
      a: 'FOLDER' or 'FOLDER:NAME': an evaluation, a run or a cross-validation, and the recommender or predictor in it
        (default: 'model').
      b: the other; a cross-validation where `a` is one.
      metrics: such as 'ndcg@10', which is taken in every section, or 'day 0/ndcg@20'; None for all that both have.
      samples: of the bootstrap and of the permutations; None for 10,000, or 1,000 where clusters of units are drawn.
      seed: of both.
      name: which evaluation, of runs that have several; None for the one that both have.

    Returns:
      {'a', 'b', 'unit', 'n_units', 'cluster', 'n_clusters', 'same': what both agree in, 'notes': of either, 'metrics':
      of `differences`}. Of groups of seeds the metrics are means over the seeds that both have, and each has 'seeds':
      {seed: difference} and 'std', their standard deviation (None of one seed).

    Raises:
      FileNotFoundError: a folder holds no evaluation.
      ValueError: they were not measured on the same units, task, truth and clusters; names what differs.
    """
    (folder_a, row_a), (folder_b, row_b) = _parsed(a), _parsed(b)
    seeds = shared_seeds(folder_a, folder_b)
    places: list[tuple[str, str]] = []
    pairs: list[tuple[Result, Result]] = []
    for seed_folder in [f"seed{one}" for one in seeds] or [""]:
        folders = [str(Path(folder) / seed_folder) if seed_folder else folder for folder in (folder_a, folder_b)]
        chosen = name or _in_both(*folders)
        (place_a, one), (place_b, other) = (
            _chosen(folder, row, chosen) for folder, row in zip(folders, (row_a, row_b), strict=True)
        )
        places.append((place_a, place_b))
        pairs.append(aligned(one, other, names=(a, b)))
    first, second = pairs[0]
    measured = differences(pairs, metrics, samples, seed)
    if seeds:
        measured = {metric: row | spread(seeds, pairs, metric) for metric, row in measured.items()}
        places = [(f"{a} ({_words(seeds)})", f"{b} ({_words(seeds)})")]
    return {
        "a": places[0][0],
        "b": places[0][1],
        "unit": first.unit,
        "n_units": len(first),
        "cluster": first.cluster or first.unit,
        "n_clusters": first.n_clusters,
        "same": dict(first.same),
        "notes": list(dict.fromkeys([*first.notes, *second.notes, *left_out_seeds(folder_a, folder_b, seeds)])),
        "metrics": measured,
    }


def _words(seeds: Sequence[int]) -> str:
    return f"mean over {'seed' if len(seeds) == 1 else 'seeds'} {', '.join(map(str, seeds))}"


def differences(
    pairs: Sequence[tuple[Result, Result]],
    metrics: Sequence[str] | None = None,
    samples: int | None = None,
    seed: int = 0,
) -> dict[str, dict[str, float]]:
    """Every metric of A and B, and their paired difference with its 95 % interval.

    Columns are compared unit by unit: the difference is the mean over units; clusters of units are drawn for the
    interval, and swapped between A and B for the p-value. Statistics are compared under the same drawn units.

    Args:
      pairs: (A, B) of each seed; all on the same units. Of several seeds the means over the pairs are compared.
      metrics: names, or the last parts of names; None for all that both have.
      samples: see `compare`.
      seed: see `compare`.

    Returns:
      {name: {'a', 'b', 'difference' (B less A), 'low', 'high'}}; of columns also 'p', 'n' (units), 'b_better' and
      'a_better' (clusters). NaN where no unit has a number in all results.

    Raises:
      ValueError: the results cannot be paired, or have no such metric; names what differs.
    """
    pairs = [aligned(a, b) for a, b in pairs]
    for a, _ in pairs[1:]:
        aligned(pairs[0][0], a)
    first = pairs[0][0]
    names = shared_names(*pairs[0], metrics)
    rows: dict[str, dict[str, float]] = {}
    for section in _sections(pairs, [name for name in names if name in first.columns]):
        rows |= _of_columns(pairs, section, samples, seed)
    statistics = [name for name in names if name in first.statistics]
    if statistics:
        rows |= _of_statistics(pairs, statistics, samples, seed)
    return {name: rows[name] for name in names}


def _of_columns(
    pairs: Sequence[tuple[Result, Result]], names: Sequence[str], samples: int | None, seed: int
) -> dict[str, dict[str, float]]:
    """Of columns over the same units: those of which all results have a number."""
    first = pairs[0][0]
    units = defined_in_all(pairs, names[0])
    if not units.any():
        unknown = dict.fromkeys(("a", "b", "difference", "low", "high", "p"), np.nan)
        return {name: unknown | {"b_better": 0, "a_better": 0, "n": 0} for name in names}
    a, b = ([_mean([pair[at].columns[name][units] for pair in pairs]) for name in names] for at in (0, 1))
    values = np.stack([other - one for one, other in zip(a, b, strict=True)], axis=1)
    if first.clusters is None:
        samples = SAMPLES if samples is None else samples
        drawn, sums, counts = drawn_means(values, samples, seed), values, np.ones(len(values))
        changed = values != 0
    else:
        samples = CLUSTER_SAMPLES if samples is None else samples
        clusters = first.clusters[units]
        drawn, sums, counts = drawn_cluster_means(values, clusters, samples, seed)
        _, place = np.unique(clusters, return_inverse=True)
        changed = np.stack([np.bincount(place, weights=column != 0) for column in values.T], axis=1) > 0
    is_share = [all(one.min() >= 0 and one.max() <= 1 for one in pair) for pair in zip(a, b, strict=True)]
    low, high = difference_interval(
        drawn,
        np.maximum(values, 0).mean(axis=0),
        np.maximum(-values, 0).mean(axis=0),
        len(counts),
        effective_size(counts),
        np.array(is_share),
        may_be_missed(changed.sum(axis=0), len(counts)),
    )
    p = sign_flip_test(sums, samples, seed)
    return {
        name: {
            "a": float(a[at].mean()),
            "b": float(b[at].mean()),
            "difference": float(values[:, at].mean()),
            "low": float(low[at]),
            "high": float(high[at]),
            "p": float(p[at]),
            "b_better": int((sums[:, at] > 0).sum()),
            "a_better": int((sums[:, at] < 0).sum()),
            "n": len(values),
        }
        for at, name in enumerate(names)
    }


def _of_statistics(
    pairs: Sequence[tuple[Result, Result]], names: Sequence[str], samples: int | None, seed: int
) -> dict[str, dict[str, float]]:
    first = pairs[0][0]
    samples = CLUSTER_SAMPLES if samples is None else samples
    values = [[one.values() for one in pair] for pair in pairs]
    drawn = [[one.drawn(first.weights(samples, seed)) for one in pair] for pair in pairs]
    rows = {}
    for name in names:
        a, b = (float(np.mean([pair[at][name] for pair in values])) for at in (0, 1))
        difference = np.mean([b[name] - a[name] for a, b in drawn], axis=0)
        low, high = _statistic_interval(first, name, difference, b - a)
        rows[name] = {"a": a, "b": b, "difference": b - a, "low": float(low), "high": float(high)}
    return rows


def _statistic_interval(result: Result, name: str, drawn: np.ndarray, value: float) -> tuple[np.ndarray, np.ndarray]:
    """The interval of the difference of a statistic; few units differ where all draws are on one side and reach 0."""
    n_clusters, size, is_share = result.sampling(name)
    few = np.isin(0.0, extremes(drawn))
    return difference_interval(drawn, np.maximum(value, 0.0), np.maximum(-value, 0.0), n_clusters, size, is_share, few)


def _sections(pairs: Sequence[tuple[Result, Result]], names: Sequence[str]) -> list[list[str]]:
    """Columns that are drawn together: those of one section ('day 0/...') over the same units."""
    together: dict[tuple[str, bytes], list[str]] = {}
    for name in names:
        defined = np.packbits(defined_in_all(pairs, name)).tobytes()
        together.setdefault((name.rpartition("/")[0], defined), []).append(name)
    return list(together.values())


def _mean(columns: Sequence[np.ndarray]) -> np.ndarray:
    return columns[0] if len(columns) == 1 else np.mean(columns, axis=0)


def _parsed(place: str) -> tuple[str, str]:
    """FOLDER or FOLDER:NAME as (folder, name or '')."""
    if not Path(place).exists() and ":" in place:
        folder, recommender = place.rsplit(":", 1)
        return folder, recommender
    return place, ""


def _in_both(a: str, b: str) -> str | None:
    """The one evaluation that two runs both have; None where there is none, or more."""
    shared = evaluations_of(a).keys() & evaluations_of(b).keys()
    return next(iter(shared)) if len(shared) == 1 else None


def _chosen(folder: str, recommender: str, name: str | None) -> tuple[str, Result]:
    """('FOLDER:NAME' in full, the result) of a recommender in a folder; '' for the model, or the only one."""
    evaluation = load(folder, name)
    rows = list(evaluation.results)
    if not recommender:
        recommender = rows[0] if len(rows) == 1 else "model"
    if recommender not in rows:
        raise ValueError(
            f"{folder} holds no recommender {recommender!r}; say {folder}:NAME, NAME one of {', '.join(rows)}"
        )
    return f"{evaluation.folder}:{recommender}", evaluation.results[recommender]
