"""The evaluator: who is counted, what is masked, what is refused; and evaluations on disk."""

import json

import numpy as np
import pytest

from mu.data.logs.interactions import Interactions
from mu.evals.ranking import RankingEvaluator
from mu.evals.saving import load_evaluation, save_evaluation
from mu.evals.table import format_table
from mu_kernels import CSR
from tests.helpers import naive

U, V = 37, 25


class Given:
    """A recommender whose scores are a table; notes what it was shown."""

    def __init__(self, table):
        self.table = np.asarray(table, np.float32)
        self.blocks = []

    def scores(self, users, histories):
        self.blocks.append((users, [histories.row(row).tolist() for row in range(len(users))]))
        return self.table[users]


def log_of(rows, n_items=V):
    indptr = np.append(0, np.cumsum([len(row) for row in rows]))
    items = np.array([item for row in rows for item in row], np.int32)
    return Interactions(indptr, items, np.arange(len(items)), np.ones(len(items), np.float32), n_items)


@pytest.fixture
def problem():
    rng = np.random.default_rng(0)
    train = [rng.permutation(V)[: rng.integers(1, 8)].tolist() for _ in range(U)]
    test = [rng.permutation(V)[: rng.integers(0, 4)].tolist() for _ in range(U)]
    return log_of(train), log_of(test), rng.integers(0, 5, (U, V)).astype(np.float32)


def test_equals_the_slow_twin_and_blocks_and_threads_change_nothing(problem):
    train, test, table = problem
    known = np.arange(V) > 2
    results = []
    for block, threads in ((None, 1), (1, 1), (7, 2)):
        evaluator = RankingEvaluator(
            test.seen(), train, train.seen(), known, (3, 5), ("recall", "ndcg"), block, threads
        )
        results.append(evaluator.run(Given(table)))
        assert list(results[-1].values) == evaluator.names
    for result in results[1:]:
        assert all((result.values[name] == results[0].values[name]).all() for name in result.values)
    result = results[0]
    targets = [sorted(set(test.row(u).tolist())) for u in range(U)]
    assert result.users.tolist() == [u for u in range(U) if targets[u]]
    assert result.n_without_targets == sum(not t for t in targets)
    assert result.n_targets == sum(map(len, targets))
    assert result.n_cold_targets == sum(item <= 2 for t in targets for item in t)
    for at, user in enumerate(result.users):
        greater, equal = naive.rank_scores([table[user]], [targets[user]], [train.row(user).tolist()])
        chance = [np.clip((5 - g) / e, 0, 1) for g, e in zip(greater, equal, strict=True)]
        mine = sum(p for p, item in zip(chance, targets[user], strict=True) if known[item])
        assert result.values["recall@5"][at] == pytest.approx(mine / len(targets[user]))


def test_recommender_sees_each_user_with_a_target_once_with_their_history(problem):
    train, test, table = problem
    recommender = Given(table)
    RankingEvaluator(test.seen(), train, users_per_block=5).run(recommender)
    shown = [pair for users, rows in recommender.blocks for pair in zip(users.tolist(), rows, strict=True)]
    assert shown == [(u, train.row(u).tolist()) for u in range(U) if len(test.row(u))]


def test_masks_leave_targets_in_and_masking_validation_can_only_help_the_rest(problem):
    train, test, table = problem
    everything = CSR.from_pairs(np.repeat(np.arange(U), V), np.tile(np.arange(V), U), U, V)
    alone = RankingEvaluator(test.seen(), train, everything, ks=(10,), metrics=("recall",)).run(Given(table))
    assert (alone.values["recall@10"] == 1).all()  # only targets compete
    masks = (train.seen(), train.seen().union(log_of([[u % V] for u in range(U)]).seen()))
    few, more = (RankingEvaluator(test.seen(), train, mask).run(Given(table)) for mask in masks)
    assert few.task_hash != more.task_hash
    assert all((more.values[name] >= few.values[name] - 1e-12).all() for name in few.values)


def test_oracle_is_perfect_and_constant_is_at_chance(problem):
    _, test, _ = problem
    table = np.zeros((U, V))
    for user in range(U):
        table[user, test.row(user)] = 1
    evaluator = RankingEvaluator(test.seen(), test, ks=(5,), metrics=("recall", "ndcg", "map", "mrr", "hr"))
    assert evaluator.run(Given(table)).means() == pytest.approx(dict.fromkeys(evaluator.names, 1.0))
    assert evaluator.run(Given(np.zeros((U, V)))).means()["recall@5"] == pytest.approx(5 / V)


def test_faulty_scores_are_refused(problem):
    train, test, table = problem
    evaluator = RankingEvaluator(test.seen(), train, users_per_block=4)
    user = int(np.flatnonzero(test.lengths)[5])
    table[user, 11] = np.nan
    with pytest.raises(ValueError, match=f"Given scores item 11 NaN for user {user}"):
        evaluator.run(Given(table))
    with pytest.raises(ValueError, match=r"gave float32 \(4, 24\).*must give float32 \(4, 25\)"):
        evaluator.run(Given(table[:, 1:]))
    wide = Given(table)
    wide.table = wide.table.astype(np.float64)
    with pytest.raises(ValueError, match="gave float64"):
        evaluator.run(wide)
    table[user] = -np.inf  # a legal score
    evaluator.run(Given(table))


def test_problems_that_make_no_sense_are_refused(problem):
    train, test, _ = problem
    targets = test.seen()
    short = log_of([[0]])
    with pytest.raises(ValueError, match=f"histories has 1 users; targets has {U}"):
        RankingEvaluator(targets, short)
    with pytest.raises(ValueError, match="exclude is for"):
        RankingEvaluator(targets, train, exclude=short.seen())
    with pytest.raises(ValueError, match="known is float64"):
        RankingEvaluator(targets, train, known=np.ones(V))
    with pytest.raises(ValueError, match="none of the 1 users has a target"):
        RankingEvaluator(log_of([[]]).seen(), short)
    with pytest.raises(ValueError, match="users_per_block is 0"):
        RankingEvaluator(targets, train, users_per_block=0)


def test_evaluations_survive_the_disk(problem, tmp_path):
    train, test, table = problem
    evaluator = RankingEvaluator(test.seen(), train, known=np.arange(V) > 2)
    results = {"model": evaluator.run(Given(table)), "zero": evaluator.run(Given(0 * table))}
    for _ in range(2):  # the second replaces the first
        save_evaluation(tmp_path / "run" / "evaluation", results, "abc", {"split": "given"}, samples=50)
    assert sorted(p.name for p in (tmp_path / "run" / "evaluation").iterdir()) == [
        "evaluation.json",
        "per_user.npz",
    ]
    for folder in (tmp_path / "run", tmp_path / "run" / "evaluation"):
        loaded = load_evaluation(folder)
        assert (loaded.split_hash, loaded.protocol) == ("abc", {"split": "given"})
        assert list(loaded.results) == ["model", "zero"]
        for name, result in loaded.results.items():
            assert (result.users == results[name].users).all()
            assert result.n_cold_targets == results[name].n_cold_targets > 0
            assert all((result.values[m] == v).all() for m, v in results[name].values.items())
    about = json.loads((tmp_path / "run" / "evaluation" / "evaluation.json").read_text())
    row = about["rows"]["model"]["ndcg@10"]
    assert row["low"] < row["mean"] < row["high"]
    assert row["mean"] == results["model"].means()["ndcg@10"]
    text = format_table(results, samples=50)
    assert f"{row['mean']:.4f} [{row['low']:.4f}, {row['high']:.4f}]" in text
    assert "users without targets left out" in text and "unseen in training, counted as misses" in text
    assert len(text.splitlines()) == 5


def test_wide_tables_are_turned_round(problem):
    train, test, table = problem
    evaluator = RankingEvaluator(test.seen(), train, ks=(1, 2, 3, 4))
    text = format_table({"model": evaluator.run(Given(table))}, samples=10)
    assert [line.split()[0] for line in text.splitlines()[2:-1]] == evaluator.names


def test_broken_evaluations_are_refused(problem, tmp_path):
    train, test, table = problem
    with pytest.raises(FileNotFoundError, match="no evaluation at"):
        load_evaluation(tmp_path)
    result = RankingEvaluator(test.seen(), train).run(Given(table))
    save_evaluation(tmp_path, {"model": result}, "abc", {}, samples=10)
    with pytest.raises(ValueError, match="another evaluator"):
        other = RankingEvaluator(test.seen(), train, train.seen()).run(Given(table))
        save_evaluation(tmp_path, {"model": result, "other": other}, "abc", {}, samples=10)
    (tmp_path / "per_user.npz").write_bytes(b"cut")
    with pytest.raises(ValueError, match=r"is not the file that evaluation.json describes"):
        load_evaluation(tmp_path)
