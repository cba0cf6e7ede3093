"""A kind of evaluation and a metric of one's own are one file: this one."""

import dataclasses

import numpy as np
import pytest

from mu import trust
from mu.commands.compare import main
from mu.evals.protocols.ranking import RankingEvaluator
from mu.evals.result import Result, Statistic
from mu.evals.results import load, save
from mu.evals.table import ResultTable
from mu.names import locate
from tests.evals.test_ranking import Given, log_of

HERE = __name__


@pytest.fixture(autouse=True)
def trusted(monkeypatch):
    """The user trusts the package of these tests."""
    monkeypatch.setattr(trust, "_trusted", set())
    monkeypatch.setenv(trust.VARIABLE, "tests")


def first_hit(ranks, k):
    """A ranking metric: whether a target has the first place, whatever k is."""
    del k
    return (ranks.total(((ranks.above == 0) & (ranks.size == 1)).astype(float)) > 0).astype(float)


def spread(predicted, weights):
    """A statistic of the whole set: the weighted standard deviation of what is predicted."""
    mean = weights @ predicted / weights.sum(axis=1)
    return np.sqrt(weights @ predicted**2 / weights.sum(axis=1) - mean**2)


@dataclasses.dataclass(frozen=True)
class StarRatings:
    """An evaluator: absolute errors of predicted stars, rating by rating; users are drawn whole."""

    users: np.ndarray
    stars: np.ndarray
    names = ("absolute_error", "spread")

    def run(self, predictor):
        predicted = predictor.predict(self.users)
        return Result(
            unit="rating",
            units=np.arange(len(self.stars)),
            columns={"absolute_error": np.abs(predicted - self.stars)},
            cluster="user",
            clusters=self.users,
            statistics={"spread": Statistic(f"{HERE}:spread", ("predicted",))},
            arrays={"predicted": predicted, "stars": self.stars},
            truth=("stars",),
        )


class Noisy:
    """Predicts the stars with some noise."""

    def __init__(self, stars, noise):
        self._predicted = stars + noise * np.random.default_rng(0).normal(size=len(stars))

    def predict(self, users):
        return self._predicted


@pytest.fixture
def stars():
    random = np.random.default_rng(1)
    return StarRatings(random.integers(0, 30, 400), random.integers(1, 6, 400).astype(float))


def test_an_evaluator_of_ones_own_runs_and_is_saved_loaded_shown_and_compared(stars, tmp_path, capsys):
    results = {"model": stars.run(Noisy(stars.stars, 0.1)), "worse": stars.run(Noisy(stars.stars, 1.0))}
    save(tmp_path / "run" / "evaluation" / "stars", results, {"step": 3}, samples=50)
    evaluation = load(tmp_path / "run")
    assert evaluation.card == {"step": 3} and list(evaluation.rows["model"]) == list(stars.names)
    for name, result in evaluation.results.items():
        assert result.summary(50) == results[name].summary(50) == list(evaluation.rows[name].values())
    assert "400 ratings; brackets: 95 % bootstrap interval over 30 users, wider because they are few." in str(
        ResultTable(results, samples=50)
    )
    assert main([str(tmp_path / "run"), f"{tmp_path / 'run'}:worse", "--samples=100"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "400 ratings of 30 users, the same in both" in lines
    (error,) = (line for line in lines if line.startswith("absolute_error"))
    (whole,) = (line for line in lines if line.startswith("spread"))
    assert len(error.split()) == 9 and len(whole.split()) == 6  # statistics of the whole set have no p


def test_other_truth_is_refused(stars, tmp_path, capsys):
    other = dataclasses.replace(stars, stars=stars.stars[::-1].copy())
    for name, evaluator in (("a", stars), ("b", other)):
        save(tmp_path / name, {"model": evaluator.run(Noisy(stars.stars, 0.1))}, {}, samples=5)
    assert main([str(tmp_path / "a"), str(tmp_path / "b")]) == 1
    assert "the truth of 'stars' differs for" in capsys.readouterr().err


def test_a_metric_of_ones_own_is_named_by_its_path():
    train, test = log_of([[0], [1]], 4), log_of([[2], [3]], 4)
    evaluator = RankingEvaluator(test.seen(), train, train.seen(), ks=(2,), metrics=("recall", f"{HERE}:first_hit"))
    table = np.array([[0, 1, 2, 0], [0, 2, 2, 1]])
    found = evaluator.run(Given(table))
    assert found.names == ["recall@2", "first_hit@2"] == evaluator.names
    assert found.columns["first_hit@2"].tolist() == [1, 0]
    assert locate(f"{HERE}:first_hit") is first_hit
