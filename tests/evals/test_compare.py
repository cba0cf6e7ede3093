"""`mu compare`: paired differences, and the pairs that it refuses."""

import json

import numpy as np
import pytest

from mu.commands.compare import main
from mu.evals.compare import differences
from mu.evals.predictions import ClassPredictions, result_of
from mu.evals.result import Result
from mu.evals.results import save
from mu.evals.seed_groups import spread
from mu.files import write_json


def result(values, users=None, task="task", split="split-1"):
    users = np.arange(len(values)) if users is None else users
    columns = {"recall@10": values, "ndcg@10": values**2}
    return Result(unit="user", units=users, columns=columns, same={"split": split, "targets and masks": task})


@pytest.fixture
def runs(tmp_path):
    """Two runs of 300 listeners: B is better by 0.1 on average, and one that is like A."""
    rng = np.random.default_rng(0)
    a = rng.random(300)
    b = np.clip(a + rng.normal(0.1, 0.1, 300), 0, 2)
    for name, values in (("a", a), ("b", b), ("like_a", np.append(a[150:], a[:150]))):
        results = {"model": result(values), "popularity": result(0 * values)}
        save(tmp_path / name / "evaluation" / "ranking", results, {}, samples=20)
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
    assert (found["n_units"], found["unit"]) == (300, "user") and list(found["metrics"]) == ["recall@10", "ndcg@10"]


def test_a_run_does_not_differ_from_itself_nor_clearly_from_its_like(runs, capsys):
    folder, _, _ = runs
    assert main([str(folder / "a"), str(folder / "a"), "--json"]) == 0
    row = json.loads(capsys.readouterr().out)["metrics"]["recall@10"]
    assert (row["difference"], row["p"], row["low"]) == (0, 1, -row["high"]) and 0 < row["high"] < 0.013  # of 300 users
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


def test_units_without_a_number_in_either_result_are_left_out(tmp_path, capsys):
    whole, part = np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, np.nan, 3.0, 5.0])
    for name, values in (("whole", whole), ("part", part)):
        save(tmp_path / name / "evaluation" / "ranking", {"model": result(values)}, {}, samples=20)
    for pair, difference in ((("whole", "part"), 1 / 3), (("part", "whole"), -1 / 3)):
        assert main([*(str(tmp_path / name) for name in pair), "--json", "--metrics=recall@10"]) == 0
        row = json.loads(capsys.readouterr().out)["metrics"]["recall@10"]
        assert row["difference"] == pytest.approx(difference) and row["n"] == 3


def test_a_metric_of_which_no_unit_has_a_number_does_not_stop_the_others(tmp_path, capsys):
    for name, values in (("none", [np.nan] * 3), ("whole", [1.0, 2.0, 3.0])):
        columns = {"recall@10": np.array([0.5, 0.25, 1.0]), "graded_ndcg@10": np.array(values)}
        one = Result(unit="user", units=np.arange(3), columns=columns)
        save(tmp_path / name / "evaluation" / "ranking", {"model": one}, {}, samples=20)
    folders = [str(tmp_path / "none"), str(tmp_path / "whole")]
    assert main([*folders, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["metrics"]
    assert rows["recall@10"]["difference"] == 0 and rows["recall@10"]["n"] == 3
    assert rows["graded_ndcg@10"] | {"n": 0, "a_better": 0, "b_better": 0} == rows["graded_ndcg@10"]
    assert main(folders) == 0
    assert "[unknown]" in capsys.readouterr().out


def test_recommenders_of_one_run_and_the_printed_table(runs, capsys):
    folder, a, _ = runs
    assert main([f"{folder / 'a'}:popularity", f"{folder / 'a'}:model"]) == 0
    text = capsys.readouterr().out
    line = next(line for line in text.splitlines() if line.startswith("recall@10"))
    assert line.split()[1:4] == ["0.0000", f"{a.mean():.4f}", f"+{a.mean():.4f}"]
    assert "300 users, the same in both" in text


def test_of_several_evaluations_that_is_taken_which_both_have_or_one_is_named(tmp_path, capsys):
    rng = np.random.default_rng(0)
    for run, names in (("a", ("ranking", "other")), ("b", ("ranking",)), ("c", ("ranking", "other"))):
        for name in names:
            save(tmp_path / run / "evaluation" / name, {"model": result(rng.random(30))}, {}, samples=5)
    a, b, c = (str(tmp_path / name) for name in "abc")
    assert main([a, b, "--json", "--samples=20"]) == 0
    assert json.loads(capsys.readouterr().out)["a"].endswith("a/evaluation/ranking:model")
    assert "choose one by --eval=NAME" in refused(capsys, a, c)
    assert main([a, c, "--eval=other", "--json", "--samples=20"]) == 0
    assert json.loads(capsys.readouterr().out)["b"].endswith("c/evaluation/other:model")


def refused(capsys, *arguments):
    assert main(list(map(str, arguments))) == 1
    captured = capsys.readouterr()
    assert not captured.out
    return captured.err


def test_refusals_say_why(runs, capsys):
    folder, a, _ = runs
    save(folder / "c", {"model": result(a, split="split-2")}, {}, samples=5)
    text = refused(capsys, folder / "a", folder / "c")
    assert "they differ in the split: split-1 in A, split-2 in B" in text
    save(folder / "d", {"model": result(a, np.arange(5, 305))}, {}, samples=5)
    assert "5 only in A, 5 only in B, 295 in both" in refused(capsys, folder / "a", folder / "d")
    save(folder / "e", {"model": result(a, task="another")}, {}, samples=5)
    text = refused(capsys, folder / "a", folder / "e")
    assert "they differ in the targets and masks: task in A, another in B" in text
    assert "no evaluation at" in refused(capsys, folder / "a", folder / "nowhere")
    assert "one of model, popularity" in refused(capsys, f"{folder / 'a'}:knn", folder / "b")
    assert "'mrr@5' is not in both" in refused(capsys, folder / "a", folder / "b", "--metrics=mrr@5")


# ---- runs on audio


def audio(right, *, groups=None, clips=None, truth=None, head="genre", names=("a", "b")):
    """A result on 60 clips of two classes, of which those are predicted right."""
    clips = clips or tuple(f"clip{number:02d}" for number in range(60))
    truth = np.arange(60, dtype=np.int32) % 2 if truth is None else truth
    scores = np.eye(2, dtype=np.float32)[np.where(right, truth, 1 - truth)]
    targets = {head: ClassPredictions(names, scores, truth)}
    return result_of(targets, unit="clip", units=clips, cluster="recording", clusters=groups or clips)


@pytest.fixture
def audio_runs(tmp_path):
    """Folders a and b: 40 clips right, and 10 more of the others."""
    both = {"model": audio(np.arange(60) < 40), "mfcc": audio(np.arange(60) < 20)}
    save(tmp_path / "a" / "evaluation" / "clips", both, {}, samples=5)
    turned = audio(np.arange(60) < 50).take(np.arange(60)[::-1])  # in another order
    save(tmp_path / "b", {"model": turned}, {}, samples=5)
    return tmp_path


def test_runs_on_audio_are_paired_clip_by_clip(audio_runs, capsys):
    assert main([str(audio_runs / "a"), str(audio_runs / "b"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    place = audio_runs / "a" / "evaluation" / "clips"
    assert (found["n_units"], found["n_clusters"], found["a"]) == (60, 60, f"{place}:model")
    row = found["metrics"]["genre/accuracy"]
    assert (row["a"], row["b"]) == pytest.approx((40 / 60, 50 / 60)) and row["difference"] == pytest.approx(10 / 60)
    # Ten of sixty differ: the interval is that of their share, far narrower than the two models' own.
    assert row["high"] - row["low"] == pytest.approx(2 * 1.96 * np.sqrt(1 / 6 * 5 / 6 / 60), rel=0.15)
    assert set(found["metrics"]) == {"genre/accuracy", "genre/f1", "genre/roc_auc", "genre/average_precision"}
    assert main([f"{audio_runs / 'a'}:mfcc", str(audio_runs / "a"), "--metrics=genre/f1", "--samples=20"]) == 0
    printed = capsys.readouterr().out
    assert "60 clips of 60 recordings, the same in both" in printed and printed.count("genre/") == 1
    assert main([str(audio_runs / "a"), str(audio_runs / "a"), "--samples=20", "--json"]) == 0
    same = json.loads(capsys.readouterr().out)["metrics"].values()
    assert all(row["difference"] == 0 and row["low"] == -row["high"] > -0.2 for row in same)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"clips": tuple(f"clip{number:02d}" for number in range(5, 65))}, "5 only in A, 5 only in B, 55 in both"),
        ({"groups": ("x",) * 60}, "'clip00' is of 'clip00' in A and of 'x' in B"),
        ({"names": ("a", "c")}, "the target 'genre' is not the same: in A and in B it is a, b and a, c"),
        ({"truth": np.ones(60, np.int32)}, "the truth of 'genre' differs for 30 clips, of which the first is 'clip00'"),
        ({"head": "mood"}, "no metric in common"),
    ],
)
def test_runs_on_audio_that_are_no_pair(audio_runs, capsys, other, message):
    save(audio_runs / "c", {"model": audio(np.ones(60, bool), **other)}, {}, samples=5)
    assert message in refused(capsys, audio_runs / "a", audio_runs / "c")


def test_runs_on_audio_and_on_logs_are_no_pair(audio_runs, capsys):
    save(audio_runs / "log", {"model": result(np.ones(20))}, {}, samples=5)
    assert "one was measured on clips and the other on users" in refused(capsys, audio_runs / "a", audio_runs / "log")
    assert "no evaluation at" in refused(capsys, audio_runs / "a", audio_runs / "nowhere")
    assert "one of model, mfcc" in refused(capsys, f"{audio_runs / 'a'}:knn", audio_runs / "b")
    assert "'genre/r2' is not in both" in refused(capsys, audio_runs / "a", audio_runs / "b", "--metrics=genre/r2")


# ---- runs on plays


def save_plays(folder, values, task="asked", part="test", metric="recall@20"):
    """An evaluation of 200 plays of 40 users: 150 of known tracks, the others of new ones."""
    known = np.arange(200) < 150
    results = {}
    for name, value in {"model": values, "popularity": 0 * values}.items():
        columns = {"discovery, light": np.where(known, value, np.nan), "day 0": np.where(known, np.nan, value)}
        results[name] = Result(
            unit="play",
            units=np.arange(200),
            cluster="user",
            clusters=np.arange(200) % 40,
            columns={f"{section}/{metric}": column for section, column in columns.items()},
            same={"part": part, "plays, histories and candidates": task},
        )
    save(folder, results, {}, samples=5)


@pytest.fixture
def runs_on_plays(tmp_path):
    rng = np.random.default_rng(0)
    a = rng.random(200)
    b = a + rng.normal(0.1, 0.3, 200)
    save_plays(tmp_path / "a" / "evaluation", a)
    save_plays(tmp_path / "b" / "evaluation", b)
    return tmp_path, a, b


def test_runs_on_plays_are_paired_play_by_play_in_each_section(runs_on_plays, capsys):
    folder, a, b = runs_on_plays
    assert main([str(folder / "a"), str(folder / "b"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["n_units"], found["n_clusters"], found["same"]["part"]) == (200, 40, "test")
    assert list(found["metrics"]) == ["discovery, light/recall@20", "day 0/recall@20"]
    row, difference = found["metrics"]["discovery, light/recall@20"], (b - a)[:150]
    assert row["n"] == 150 and row["difference"] == pytest.approx(difference.mean())
    assert row["low"] < row["difference"] < row["high"] and row["p"] < 0.05
    better = np.bincount(np.arange(150) % 40, weights=difference) > 0
    assert row["b_better"] == better.sum() and row["a_better"] == 40 - better.sum()
    assert main([f"{folder / 'a'}:popularity", str(folder / "a"), "--samples=50"]) == 0
    out = capsys.readouterr().out
    assert "200 plays of 40 users, the same in both" in out
    (line,) = (line for line in out.splitlines() if line.startswith("day 0/recall@20 "))
    assert line.split()[2:5] == ["0.0000", f"{a[150:].mean():.4f}", f"+{a[150:].mean():.4f}"]


@pytest.mark.parametrize(
    ("metrics", "names"),
    [
        ("recall@20", ["discovery, light/recall@20", "day 0/recall@20"]),
        ("discovery, light/recall@20", ["discovery, light/recall@20"]),
        ("discovery, light/recall@20,day 0/recall@20", ["discovery, light/recall@20", "day 0/recall@20"]),
    ],
)
def test_metrics_of_plays_are_those_of_all_sections_or_of_one(runs_on_plays, capsys, metrics, names):
    folder, _, _ = runs_on_plays
    assert main([str(folder / "a"), str(folder / "b"), "--json", "--samples=20", f"--metrics={metrics}"]) == 0
    assert list(json.loads(capsys.readouterr().out)["metrics"]) == names


def test_runs_on_plays_that_are_no_pair(runs_on_plays, capsys):
    folder, a, _ = runs_on_plays
    save_plays(folder / "valid", a, part="valid")
    assert "they differ in the part: test in A, valid in B" in refused(capsys, folder / "a", folder / "valid")
    save_plays(folder / "other", a, task="something else")
    text = refused(capsys, folder / "a", folder / "other")
    assert "differ in the plays, histories and candidates: asked in A, something else in B" in text
    save_plays(folder / "mrr", a, metric="mrr@5")
    assert "no metric in common" in refused(capsys, folder / "a", folder / "mrr")
    assert "'mrr@5' is not in both" in refused(capsys, folder / "a", folder / "b", "--metrics=mrr@5")
    assert "one of model, popularity" in refused(capsys, f"{folder / 'a'}:knn", folder / "b")
    save(folder / "log", {"model": result(np.ones(20))}, {}, samples=5)
    message = "one was measured on plays and the other on users"
    assert message in refused(capsys, folder / "a", folder / "log")
    assert "no evaluation at" in refused(capsys, folder / "a", folder / "nowhere")
    (folder / "a" / "evaluation" / "evaluation.json").write_text('{"format_version": 1, "rows": {}}')
    assert "evaluate again" in refused(capsys, folder / "a", folder / "b")


# ---- groups of seeds


@pytest.fixture
def groups(tmp_path):
    """Two cross-validations of 200 listeners: A with the seeds 0, 1, 2, B with 1, 2, 7; their models, and baselines."""
    rng = np.random.default_rng(0)
    listeners, values = rng.random(200), {}
    for name, seeds, better in (("a", (0, 1, 2), 0.0), ("b", (1, 2, 7), 0.05)):
        for seed in seeds:
            values[name, seed] = listeners + better + rng.normal(0.01 * seed, 0.1, 200)
            results = {"model": result(values[name, seed]), "popularity": result(listeners)}
            save(tmp_path / name / f"seed{seed}" / "evaluation" / "ranking", results, {}, samples=20)
        write_json(tmp_path / name / "crossvalidation.json", {"seeds": seeds})
    return tmp_path, values


def test_groups_of_seeds_are_compared_seed_by_seed_and_pooled(groups, capsys):
    folder, values = groups
    assert main([str(folder / "a"), str(folder / "b"), "--json", "--samples=2000"]) == 0
    found = json.loads(capsys.readouterr().out)
    row = found["metrics"]["recall@10"]
    of_seed = {seed: (values["b", seed] - values["a", seed]).mean() for seed in (1, 2)}
    assert {int(seed): value for seed, value in row["seeds"].items()} == pytest.approx(of_seed)
    assert row["difference"] == pytest.approx(np.mean(list(of_seed.values())))
    assert row["std"] == pytest.approx(abs(of_seed[1] - of_seed[2]) / np.sqrt(2))
    mean = np.mean([values["b", seed] - values["a", seed] for seed in (1, 2)], axis=0)  # of each listener
    assert row["high"] - row["low"] == pytest.approx(2 * 1.96 * mean.std() / np.sqrt(200), rel=0.1)
    left = [note for note in found["notes"] if "left out" in note]
    assert len(left) == 2 and left[0].startswith(f"seeds 0 of {folder / 'a'}") and "seeds 7 of" in left[1]

    assert main([f"{folder / 'a'}:popularity", str(folder / "b")]) == 0
    out = capsys.readouterr().out
    assert "mean over seeds 1, 2" in out and "seed 1" in out and "std" in out and "over seeds) how it varies" in out


def test_the_mean_of_the_seeds_is_the_difference_where_units_lack_a_number_in_some_seeds():
    rng = np.random.default_rng(0)
    values = rng.random((2, 2, 30))
    values[0, 1, :9] = values[1, 0, 25:] = np.nan  # seed 0 lacks the first nine, seed 1 the last five
    pairs = [(result(values[seed, 0]), result(values[seed, 1])) for seed in (0, 1)]
    of_seed = spread([0, 1], pairs, "recall@10")["seeds"]
    expected = [(values[seed, 1] - values[seed, 0])[9:25].mean() for seed in (0, 1)]
    assert list(of_seed.values()) == pytest.approx(expected)
    row = differences(pairs, ["recall@10"], samples=20)["recall@10"]
    assert row["n"] == 16 and row["difference"] == pytest.approx(np.mean(expected))


def test_groups_without_a_pair_are_refused(groups, capsys):
    folder, _ = groups
    assert main([str(folder / "a"), str(folder / "b" / "seed1")]) == 1
    assert f"{folder / 'a'} is a cross-validation and {folder / 'b' / 'seed1'} is none" in capsys.readouterr().err
    write_json(folder / "b" / "crossvalidation.json", {"seeds": [7]})
    assert main([str(folder / "a"), str(folder / "b")]) == 1
    assert "share none" in capsys.readouterr().err
