"""Metrics: their definitions, tried against every order of ties, and the laws that no ranking may break."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, ndcg_score

from mu.evals.metrics.graded_ndcg import graded_ndcg
from mu.evals.metrics.loading import at_cutoffs, check_cutoffs, metric_path, metric_paths, own_metrics
from mu.evals.metrics.ndcg import ndcg
from mu.evals.metrics.ranks import target_ranks
from mu.names import locate
from mu_kernels import CSR, rank_scores
from tests.helpers import naive

METRICS = ("recall", "hit_rate", "precision", "ndcg", "reciprocal_rank", "average_precision")


def expected_metrics(greater, equal, indptr, ks, metrics=METRICS, hittable=None):
    return at_cutoffs(target_ranks(greater, equal, indptr, hittable), metric_paths(metrics), ks)


def measured(scores, targets, k, hittable=None):
    """The metrics of one user whose scores are `scores`."""
    rows = CSR.from_pairs(np.zeros(len(targets), int), np.array(targets), 1, len(scores))
    ranks = rank_scores(np.array([scores], np.float32), rows, threads=1)
    known = None if hittable is None else np.array(hittable)[rows.indices]
    found = expected_metrics(ranks.greater, ranks.equal, rows.indptr, ks=(k,), hittable=known)
    return {name.partition("@")[0]: value[0] for name, value in found.items()}


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_metrics_are_means_over_every_order_of_ties(data):
    n = data.draw(st.integers(1, 6))
    scores = data.draw(st.lists(st.integers(0, 2), min_size=n, max_size=n))
    targets = sorted(data.draw(st.sets(st.integers(0, n - 1), min_size=1)))
    cold = data.draw(st.sets(st.sampled_from(targets)))
    k = data.draw(st.integers(1, 7))
    found = measured(scores, targets, k, [item not in cold for item in range(n)])
    expected = naive.metrics_over_tie_orders(scores, set(targets) - cold, len(targets), k)
    assert found == pytest.approx(expected, abs=1e-12)


@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_graded_ndcg_is_the_mean_over_every_order_of_ties(data):
    n = data.draw(st.integers(1, 5))
    scores = data.draw(st.lists(st.integers(0, 2), min_size=n, max_size=n))
    gains = data.draw(st.dictionaries(st.integers(0, n - 1), st.sampled_from([0.0, 1.0, 2.5]), min_size=1))
    cold, k = data.draw(st.sets(st.sampled_from(sorted(gains)))), data.draw(st.integers(1, 6))
    targets = CSR.from_pairs(np.zeros(len(gains), int), np.array(sorted(gains)), 1, n)
    ranks = rank_scores(np.array([scores], np.float32), targets, threads=1)
    known = np.array([item not in cold for item in sorted(gains)])
    values = [gains[item] for item in sorted(gains)]
    found = graded_ndcg(target_ranks(ranks.greater, ranks.equal, targets.indptr, known, values), k)[0]
    expected = naive.graded_ndcg(scores, {i: g for i, g in gains.items() if i not in cold}, gains.values(), k)
    assert found == pytest.approx(expected, abs=1e-12, nan_ok=True)


def test_graded_ndcg_of_equal_gains_is_ndcg_and_needs_gains():
    rng = np.random.default_rng(3)
    greater, equal = rng.integers(0, 9, 12), rng.integers(1, 4, 12)
    indptr = np.array([0, 5, 6, 12])
    task = greater * 4, equal, indptr
    graded = graded_ndcg(target_ranks(*task, gains=np.full(12, 3.0)), 10)
    np.testing.assert_allclose(graded, ndcg(target_ranks(*task), 10))
    with pytest.raises(ValueError, match="needs what each target is worth: set gains="):
        graded_ndcg(target_ranks(*task), 10)


@pytest.mark.parametrize(("V", "T", "k"), [(50, 1, 10), (50, 7, 10), (50, 20, 10), (5, 3, 10), (40, 40, 8)])
def test_constant_scorer_is_at_chance(V, T, k):
    found = measured([1.0] * V, list(range(T)), k)
    places = min(k, V)
    assert found["recall"] == pytest.approx(places / V)
    assert found["precision"] == pytest.approx(places * T / V / k)
    none = np.prod([max(V - T - j, 0) / (V - j) for j in range(places)])
    assert found["hit_rate"] == pytest.approx(1 - none)
    discount = 1 / np.log2(np.arange(2, k + 2))
    assert found["ndcg"] == pytest.approx(discount[:places].sum() * T / V / discount[: min(T, k)].sum())
    if T == 1:
        assert (
            found["reciprocal_rank"]
            == found["average_precision"]
            == pytest.approx((1 / np.arange(1, places + 1)).sum() / V)
        )


def test_agrees_with_scikit_learn():
    rng = np.random.default_rng(0)
    for _ in range(20):
        relevant = rng.permutation(30) < 4
        tied = rng.integers(0, 6, 30).astype(np.float32)
        ndcg = ndcg_score(relevant[None], tied[None], k=8)
        assert measured(tied, np.flatnonzero(relevant), 8)["ndcg"] == pytest.approx(ndcg)
        untied = rng.permutation(30).astype(np.float32)
        precision = average_precision_score(relevant, untied)
        assert measured(untied, np.flatnonzero(relevant), 30)["average_precision"] == pytest.approx(precision)


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10**6), levels=st.integers(1, 40), n_targets=st.integers(1, 30))
def test_laws(seed, levels, n_targets):
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, levels, 40)
    targets = rng.permutation(40)[:n_targets]
    found = [measured(scores, targets, k) for k in (1, 5, 10, 40)]
    for values in found:
        assert all(0 <= value <= 1 + 1e-12 for value in values.values())
        assert values["ndcg"] <= 1
    for small, large in itertools.pairwise(found):
        for name in ("recall", "hit_rate", "reciprocal_rank"):  # more places never lose a hit
            assert large[name] >= small[name] - 1e-12
    assert found[0]["precision"] == pytest.approx(found[0]["hit_rate"])
    assert found[-1]["recall"] == pytest.approx(1)
    # Raising one target above the rest cannot make any metric worse.
    raised = scores.copy()
    raised[targets[0]] = 100
    better = measured(raised, targets, 10)
    assert all(better[name] >= found[2][name] - 1e-12 for name in METRICS)
    assert measured(2.0 * scores + 7, targets, 10) == found[2]  # only the order counts


def test_perfect_ranking_is_one_and_users_do_not_mix():
    greater, equal = np.array([0, 1, 2, 50, 0]), np.ones(5, int)
    found = expected_metrics(greater, equal, np.array([0, 3, 4, 5]), ks=(2, 5))
    assert list(found)[:3] == ["recall@2", "recall@5", "hit_rate@2"]
    for name in ("recall@5", "hit_rate@5", "ndcg@2", "ndcg@5", "reciprocal_rank@5"):
        np.testing.assert_allclose(found[name], [1, 0, 1])
    for name in ("average_precision@2", "average_precision@5"):
        np.testing.assert_allclose(found[name], [1, 0, 1])
    np.testing.assert_allclose(found["recall@2"], [2 / 3, 0, 1])
    np.testing.assert_allclose(found["precision@5"], [3 / 5, 0, 1 / 5])


def test_cold_target_is_a_miss_wherever_it_ranks():
    found = measured([5.0, 4.0, 3.0, 2.0], [0, 1], 2, hittable=[False, True, True, True])
    ideal = 1 + 1 / np.log2(3)
    expected = {"recall": 0.5, "hit_rate": 1, "precision": 0.5, "ndcg": 1 / np.log2(3) / ideal}
    assert found == pytest.approx(expected | {"reciprocal_rank": 0.5, "average_precision": 0.25})
    assert set(measured([5.0, 4.0], [0], 2, hittable=[False, True]).values()) == {0.0}


def test_bad_names_and_cutoffs_are_refused():
    with pytest.raises(ValueError, match="'recal' does not exist; there are average_precision, graded_ndcg, hit_rate"):
        metric_path("recal")
    with pytest.raises(ValueError, match="without repeats"):
        metric_paths(("recall", "recall"))
    with pytest.raises(ValueError, match="has no 'nothing'"):
        locate("mu.evals.metrics.recall:nothing")
    for ks, message in (((0,), "k is 0"), ((), "non-empty"), ((5, 5), "without repeats")):
        with pytest.raises(ValueError, match=message):
            check_cutoffs(ks)


def test_a_metric_has_a_file_of_its_name():
    assert set(own_metrics()) == {*METRICS, "graded_ndcg"}
    assert locate(metric_path("recall")) is locate("mu.evals.metrics.recall:recall")


def test_user_without_target_is_refused():
    with pytest.raises(ValueError, match="row 1 has no target"):
        target_ranks(np.array([0]), np.array([1]), np.array([0, 1, 1]))
