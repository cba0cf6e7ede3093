"""The evaluator: who is counted, what is masked, what is refused; and evaluations on disk."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from mu.data.logs.interactions import Interactions
from mu.data.logs.splits import Split
from mu.evals.protocols.ranking import Ranking, RankingEvaluator
from mu.evals.results import load, save
from mu.evals.table import ResultTable
from mu_kernels import CSR
from tests.helpers import naive

U, V = 37, 25


class Given:
    """A recommender whose scores are a table; notes what it was shown."""

    dot_product = False
    time_aware = False

    def __init__(self, table):
        self.table: np.ndarray = np.asarray(table, np.float32)
        self.blocks = []

    def scores(self, users, histories: Any, times_ms=None):
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
            test.seen(), train, train.seen(), known, ks=(3, 5), users_per_block=block, threads=threads
        )
        results.append(evaluator.run(Given(table)))
        assert results[-1].names == evaluator.names
    for result in results[1:]:
        assert all((result.columns[name] == results[0].columns[name]).all() for name in result.columns)
    result = results[0]
    targets = [sorted(set(test.row(u).tolist())) for u in range(U)]
    assert result.units.tolist() == [u for u in range(U) if targets[u]]
    assert result.counts["users left out: no target"] == sum(not t for t in targets)
    assert result.counts["targets"] == sum(map(len, targets))
    assert result.counts["cold targets"] == sum(item <= 2 for t in targets for item in t)
    for at, user in enumerate(result.units):
        greater, equal = naive.rank_scores([table[user]], [targets[user]], [train.row(user).tolist()])
        chance = [np.clip((5 - g) / e, 0, 1) for g, e in zip(greater, equal, strict=True)]
        mine = sum(p for p, item in zip(chance, targets[user], strict=True) if known[item])
        assert result.columns["recall@5"][at] == pytest.approx(mine / len(targets[user]))


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
    assert (alone.columns["recall@10"] == 1).all()  # only targets compete
    masks = (train.seen(), train.seen().union(log_of([[u % V] for u in range(U)]).seen()))
    few, more = (RankingEvaluator(test.seen(), train, mask).run(Given(table)) for mask in masks)
    assert few.same != more.same
    assert all((more.columns[name] >= few.columns[name] - 1e-12).all() for name in few.columns)


def test_oracle_is_perfect_and_constant_is_at_chance(problem):
    _, test, _ = problem
    table = np.zeros((U, V))
    for user in range(U):
        table[user, test.row(user)] = 1
    evaluator = RankingEvaluator(
        test.seen(), test, ks=(5,), metrics=("recall", "ndcg", "average_precision", "reciprocal_rank", "hit_rate")
    )
    assert evaluator.run(Given(table)).values() == pytest.approx(dict.fromkeys(evaluator.names, 1.0))
    assert evaluator.run(Given(np.zeros((U, V)))).values()["recall@5"] == pytest.approx(5 / V)


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


def test_gains_are_the_summed_weights_of_the_held_out_plays():
    train = log_of([[0], [1]], 5)
    test = log_of([[2, 3, 2], [4]], 5)
    test = dataclasses.replace(test, weights=np.array([1, 6, 2, 0], np.float32))
    split = Split("s", train, train.where(np.zeros(2, bool)), test, "h")
    options = {"ks": (2,), "metrics": ("graded_ndcg",), "part": "test"}
    result = Ranking(split=split, train=log_of([[0, 2, 3, 4], [1]], 5), gains="linear", **options).run(
        Given([[0, 0, 3, 2, 1]] * 2)
    )
    found = (3 + 6 / np.log2(3)) / (6 + 3 / np.log2(3))
    np.testing.assert_allclose(result.columns["graded_ndcg@2"], [found, np.nan])  # a gain of 0 is no gain
    with pytest.raises(ValueError, match="graded metric needs what each target is worth"):
        Ranking(split=split, train=train, **options)


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
    with pytest.raises(ValueError, match=f"k is 101, and the catalogue has {V} tracks"):
        RankingEvaluator(test.seen(), train, ks=(10, 101))
    with pytest.raises(ValueError, match="users_per_block is 0"):
        RankingEvaluator(targets, train, users_per_block=0)


def test_evaluations_survive_the_disk(problem, tmp_path):
    train, test, table = problem
    evaluator = RankingEvaluator(test.seen(), train, known=np.arange(V) > 2, same={"split": "abc"})
    results = {"model": evaluator.run(Given(table)), "zero": evaluator.run(Given(0 * table))}
    folder = tmp_path / "run" / "evaluation" / "ranking"
    for _ in range(2):  # the second replaces the first
        save(folder, results, {"step": 7}, samples=50)
    assert sorted(path.name for path in folder.iterdir()) == ["evaluation.json", "units.npz"]
    for place in (tmp_path / "run", folder):
        loaded = load(place)
        assert (loaded.card, loaded.folder) == ({"step": 7}, folder)
        assert list(loaded.results) == ["model", "zero"]
        for name, result in loaded.results.items():
            assert (result.units == results[name].units).all() and result.same["split"] == "abc"
            assert result.counts["cold targets"] == results[name].counts["cold targets"] > 0
            assert all((result.columns[m] == v).all() for m, v in results[name].columns.items())
            assert result.summary(50) == results[name].summary(50) == list(loaded.rows[name].values())
    row = loaded.rows["model"]["ndcg@10"]
    assert row.low < row.value < row.high
    assert row.value == results["model"].values()["ndcg@10"]
    text = str(ResultTable(results, samples=50))
    assert f"{row.value:.4f} [{row.low:.4f}, {row.high:.4f}]" in text
    n_users = (test.lengths > 0).sum()
    assert (
        f"{n_users} of {U} users, {U - n_users} left out: no target" in text
        and "unseen in training, counted as misses" in text
    )
    assert "the best baseline: " in text
    assert len(text.splitlines()) == 3 + len(results) + 3 + ("= behind a value" in text)


def test_targets_that_were_played_before_are_counted(problem):
    train, _, table = problem
    targets = CSR.from_pairs([0, 0, 1], [4, 5, 6], U, V)
    exclude = CSR.from_pairs([0, 1, 1, 2], [5, 6, 7, 4], U, V)
    result = RankingEvaluator(targets, train, exclude).run(Given(table))
    assert result.counts["excluded targets"] == 2
    assert result.notes == (
        "2 of 3 targets had been played before: each is ranked among unplayed items alone, which is easy",
    )
    assert "excluded targets" not in RankingEvaluator(targets, train).run(Given(table)).counts


def test_wide_tables_are_turned_round(problem):
    train, test, table = problem
    evaluator = RankingEvaluator(test.seen(), train, ks=(1, 2, 3, 4))
    text = str(ResultTable({"model": evaluator.run(Given(table))}, samples=10))
    assert [line.split()[0] for line in text.splitlines()[2:][: len(evaluator.names)]] == evaluator.names


def test_broken_evaluations_are_refused(problem, tmp_path):
    train, test, table = problem
    with pytest.raises(FileNotFoundError, match="no evaluation at"):
        load(tmp_path)
    result = RankingEvaluator(test.seen(), train).run(Given(table))
    save(tmp_path, {"model": result}, {}, samples=10)
    with pytest.raises(ValueError, match="another evaluator"):
        other = RankingEvaluator(test.seen(), train, train.seen()).run(Given(table))
        save(tmp_path, {"model": result, "other": other}, {}, samples=10)
    (tmp_path / "units.npz").write_bytes(b"cut")
    with pytest.raises(ValueError, match=r"is not the file that evaluation.json describes"):
        load(tmp_path)
    (tmp_path / "evaluation.json").write_text('{"format_version": 1}')
    with pytest.raises(ValueError, match=r"format_version 1; this version of mu reads 2: evaluate again"):
        load(tmp_path)


def test_of_several_evaluations_one_is_named(problem, tmp_path):
    train, test, table = problem
    result = RankingEvaluator(test.seen(), train).run(Given(table))
    for name in ("one", "two"):
        save(tmp_path / "evaluation" / name, {"model": result}, {"name": name}, samples=5)
    assert load(tmp_path, "two").card == {"name": "two"}
    with pytest.raises(ValueError, match="holds the evaluations one, two: choose one by --eval=NAME"):
        load(tmp_path)
    with pytest.raises(ValueError, match="none is 'three'"):
        load(tmp_path, "three")
