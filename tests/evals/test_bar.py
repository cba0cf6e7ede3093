"""The sentence below a table: whether the model is better than the best baseline."""

import dataclasses

import numpy as np
import pytest

from mu.evals.bar import bar_sentences, best_baselines
from mu.evals.result import Result
from mu.evals.table import ResultTable

N = 400


def results_of(**shares):
    """Name -> a result whose users hit with these probabilities, with the same draws for all."""
    draws = np.random.default_rng(0).random(N)
    return {
        name: Result("user", np.arange(N), {"recall@10": (draws < share) * 1.0, "ndcg@10": (draws < share) * 0.5})
        for name, share in shares.items()
    }


@pytest.mark.parametrize(
    ("model", "words"),
    [(0.5, "better than item_knn"), (0.302, "level with item_knn"), (0.2, "worse than item_knn")],
)
def test_the_model_is_held_against_the_best_baseline(model, words):
    results = results_of(model=model, popularity=0.1, item_knn=0.3, oracle=0.9, model_unboosted=0.95)
    (sentence,) = bar_sentences(results, ["recall@10", "ndcg@10"], 200)
    one = best_baselines(results, ["ndcg@10"], 200)["ndcg@10"]
    assert sentence.startswith(f"by ndcg@10 the model is {words}, the best baseline: {one.value:.4f} against ")
    values = {name: results[name].values()["ndcg@10"] for name in ("model", "item_knn")}
    assert one.difference == pytest.approx(values["model"] - values["item_knn"])
    assert sentence in str(ResultTable(results, samples=200))


def test_sections_are_put_together_by_how_they_ended():
    draws = np.random.default_rng(0).random(N)

    def result(known, new):
        half = np.arange(N) < N // 2
        columns = {
            "known/recall@20": np.where(half, draws < known, np.nan),
            "new/recall@20": np.where(half, np.nan, draws < new),
        }
        return Result("play", np.arange(N), columns, cluster="user", clusters=np.arange(N) // 2)

    results = {"model": result(0.2, 0.5), "popularity": result(0.1, 0.1), "item_knn": result(0.4, 0)}
    (sentence,) = bar_sentences(results, list(results["model"].columns), 200)
    assert max(map(len, sentence.splitlines())) <= 120
    assert sentence.replace("\n", " ").endswith(
        "by paired differences: better on new (popularity); worse on known (item_knn)"
    )


def test_a_metric_of_all_units_speaks_for_those_of_sections():
    results = {
        name: dataclasses.replace(one, columns={"new/recall@10": one.columns["recall@10"], **one.columns})
        for name, one in results_of(model=0.5, popularity=0.1).items()
    }
    (sentence,) = bar_sentences(results, list(results["model"].columns), 200)
    assert sentence.startswith("by ndcg@10 the model is better than popularity")


def test_nothing_is_said_without_a_model_or_a_baseline():
    assert bar_sentences(results_of(model=0.5), ["recall@10"]) == []
    assert bar_sentences(results_of(popularity=0.5, item_knn=0.4), ["recall@10"]) == []
