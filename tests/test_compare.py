"""`mu compare`: paired differences, and the pairs that it refuses."""

import dataclasses
import json

import numpy as np
import pytest

from mu.commands.compare import main
from mu.evals.ranking import RankingResult
from mu.evals.saving import save_evaluation


def result(values, users=None, task_hash="task"):
    users = np.arange(len(values)) if users is None else users
    return RankingResult(users, {"recall@10": values, "ndcg@10": values**2}, 0, len(values), 0, task_hash)


@pytest.fixture
def runs(tmp_path):
    """Two runs of 300 listeners: B is better by 0.1 on average, and one that is like A."""
    rng = np.random.default_rng(0)
    a = rng.random(300)
    b = np.clip(a + rng.normal(0.1, 0.1, 300), 0, 2)
    for name, values in (("a", a), ("b", b), ("like_a", np.append(a[150:], a[:150]))):
        results = {"model": result(values), "popularity": result(0 * values)}
        save_evaluation(tmp_path / name / "evaluation", results, "split-1", {}, samples=20)
    return tmp_path, a, b


def test_differences_are_paired(runs, capsys):
    folder, a, b = runs
    assert main([str(folder / "a"), str(folder / "b"), "--json", "--samples=2000"]) == 0
    found = json.loads(capsys.readouterr().out)
    row = found["metrics"]["recall@10"]
    assert row["difference"] == pytest.approx((b - a).mean()) == pytest.approx(row["b"] - row["a"])
    half = 1.96 * (b - a).std() / np.sqrt(300)  # of the pairs: far narrower than of either run
    assert row["high"] - row["low"] == pytest.approx(2 * half, rel=0.1)
    assert row["low"] < row["difference"] < row["high"]
    assert row["p"] == pytest.approx(1 / 2001)
    assert row["b_better"] == (b > a).sum() and row["a_better"] == (b < a).sum()
    assert found["n_users"] == 300 and list(found["metrics"]) == ["recall@10", "ndcg@10"]


def test_a_run_does_not_differ_from_itself_nor_clearly_from_its_like(runs, capsys):
    folder, _, _ = runs
    assert main([str(folder / "a"), str(folder / "a"), "--json"]) == 0
    row = json.loads(capsys.readouterr().out)["metrics"]["recall@10"]
    assert (row["difference"], row["low"], row["high"], row["p"]) == (0, 0, 0, 1)
    assert main([str(folder / "a"), str(folder / "like_a"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["metrics"]["recall@10"]["p"] > 0.9


def test_swapping_turns_the_sign(runs, capsys):
    folder, _, _ = runs
    rows = []
    for pair in (("a", "b"), ("b", "a")):
        main([*(str(folder / name) for name in pair), "--json", "--metrics=ndcg@10"])
        rows.append(json.loads(capsys.readouterr().out)["metrics"]["ndcg@10"])
    assert rows[0]["difference"] == -rows[1]["difference"]
    assert rows[0]["low"] == pytest.approx(-rows[1]["high"])
    assert rows[0]["p"] == rows[1]["p"]


def test_recommenders_of_one_run_and_the_printed_table(runs, capsys):
    folder, a, _ = runs
    assert main([f"{folder / 'a'}:popularity", f"{folder / 'a'}:model"]) == 0
    text = capsys.readouterr().out
    line = next(line for line in text.splitlines() if line.startswith("recall@10"))
    assert line.split()[1:4] == ["0.0000", f"{a.mean():.4f}", f"+{a.mean():.4f}"]
    assert "300 listeners" in text


def refused(capsys, *arguments):
    assert main(list(map(str, arguments))) == 1
    captured = capsys.readouterr()
    assert not captured.out
    return captured.err


def test_refusals_say_why(runs, capsys):
    folder, a, _ = runs
    model = result(a)
    save_evaluation(folder / "c", {"model": model}, "split-2", {}, samples=5)
    text = refused(capsys, folder / "a", folder / "c")
    assert "different splits" in text and "split-1" in text and "split-2" in text
    save_evaluation(folder / "d", {"model": result(a, np.arange(5, 305))}, "split-1", {}, samples=5)
    assert "5 only in A, 5 only in B, 295 in both" in refused(capsys, folder / "a", folder / "d")
    masked = dataclasses.replace(model, task_hash="another")
    save_evaluation(folder / "e", {"model": masked}, "split-1", {}, samples=5)
    text = refused(capsys, folder / "a", folder / "e")
    assert "different targets or masks" in text and "task" in text and "another" in text
    assert "no evaluation at" in refused(capsys, folder / "a", folder / "nowhere")
    assert "one of model, popularity" in refused(capsys, f"{folder / 'a'}:knn", folder / "b")
    assert "'mrr@5' is not in both" in refused(capsys, folder / "a", folder / "b", "--metrics=mrr@5")
    assert "samples is 0" in refused(capsys, folder / "a", folder / "b", "--samples=0")
