"""Folds and seeds of an audio experiment: every clip judged once, gone on with, checked beforehand."""

import json

import numpy as np
import pytest

from mu.baselines.popularity import Popularity
from mu.commands.crossvalidate import main as crossvalidate_main
from mu.commands.crossvalidate import show
from mu.config.base import ConfigError
from mu.config.resolve import build
from mu.evals.result import Result
from mu.evals.results import load, save
from mu.files import read_json, write_json
from mu.run.crossvalidate import crossvalidate, resolved
from mu.run.evaluation import evaluator_on
from tests.helpers.tiny_runs import train, write_log

CONFIG = """
from mu.config.base import parse_arg
from tests.helpers.audio_clips import tiny_audio_config


def get_config(arg=None):
    args = parse_arg(arg, fold=0, seed=0, masked=False, folds=3)
    steps = {"total_steps": 2, "evaluate_every_steps": 2, "checkpoint_every_steps": 2}
    masked = {"task": {"name": "mu.tasks.masked:MaskedSpectrogram"}, "best__metric": "valid/negative_loss"}
    right = {"evals__right": {"name": "tests.run.test_crossvalidate:RightPitch"}}
    return tiny_audio_config(
        seed=args.seed, split__n_folds=args.folds, split__fold=args.fold, **steps, **(masked if args.masked else right)
    )
"""


class RightPitch:
    """Whether the pitch that is predicted of each clip is right: an evaluation of one column."""

    names, bootstrap_samples = ("right",), 30

    def __init__(self, *, split, part):
        self.clips = getattr(split, part)

    def run(self, predictor):
        right = predictor.predict(self.clips)["pitch"].argmax(axis=1) == self.clips.targets["pitch"].values
        units = np.array(self.clips.table["clip"].to_list())
        return Result(unit="clip", units=units, columns={"right": right.astype(float)})


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    file = tmp_path_factory.mktemp("config") / "config.py"
    file.write_text(CONFIG)
    return str(file)


class Guess:
    """Stands for what a run has learnt: it takes every fourth clip's pitch for the next one."""

    def predict(self, clips):
        pitches = (clips.targets["pitch"].values + (clips.store_rows % 4 == 0)) % 3
        return {"pitch": np.float32(0.1) + np.float32(0.7) * np.eye(3, dtype=np.float32)[pitches]}


def guess(config, folder):
    """What a run leaves in its folder, without training."""
    split, results = build(config.split, build(config.data)), {}
    for name in config.evals:
        evaluator = evaluator_on(config, name, split, split.train, "test")
        results[name] = {"model": evaluator.run(Guess())}
        save(folder / "evaluation" / name, results[name], {}, samples=evaluator.bootstrap_samples)
    write_json(folder / "config.json", json.loads(config.to_json()))
    write_json(folder / "run.json", {"commit": "abc"})
    return results


def test_runs_without_labels_leave_nothing_to_pool_and_are_where_the_same_fold_begins(config, tmp_path, caplog):
    """`mu.run.initialise` refuses what has learnt from the clips that a run is tested on."""
    caplog.set_level("INFO")
    assert crossvalidate(f"{config}:masked", str(tmp_path), 3, [0], {}, lambda config, place: {}) == {}
    assert "there is nothing to pool" in caplog.text
    one = resolved(config, {"init_from": "masked/seed{seed}/fold{fold}"}, seed=1, fold=2, folds=3)
    assert (one.init_from, one.seed, one.split.fold) == ("masked/seed1/fold2", 1, 2)


def test_crossvalidation_judges_every_clip_once_and_goes_on(config, tmp_path, capsys):
    changes = {"clip_norm": "1.0"}
    runs = tmp_path / "runs"
    summary = crossvalidate(config, str(runs), 3, [0, 1], changes, guess)
    rows = summary["evaluations"]
    assert list(rows) == ["clips", "right"]
    row, right = rows["clips"]["model"]["pitch/accuracy"], rows["right"]["model"]["right"]
    assert row["low"] <= row["value"] <= row["high"] and len(row["folds"]) == 3 and set(row["seeds"]) == {0, 1}
    assert row["seeds"][0] == row["seeds"][1] == pytest.approx(row["value"])
    assert right["low"] <= right["value"] <= right["high"]
    assert right["value"] == pytest.approx(row["value"]) and right["folds"] == pytest.approx(row["folds"])
    show(summary)
    out = capsys.readouterr().out
    assert "clips, model" in out and "right, model" in out and "worst fold" in out
    for seed in (0, 1):
        assert load(runs / f"seed{seed}", "right").samples == 30
        pooled = load(runs / f"seed{seed}", "clips").results["model"]
        assert sorted(pooled.units) == [f"clip{at:03d}.wav" for at in range(48)]
    assert read_json(runs / "crossvalidation.json")["folds"] == 3

    # A fold that lacks one of its evaluations is not complete.
    missing = runs / "seed0" / "fold1" / "evaluation" / "right"
    missing.rename(tmp_path / "right")
    trained = []

    def finish(config, place):
        trained.append(place)
        return (tmp_path / "right").rename(missing)

    again = crossvalidate(config, str(runs), 3, [0, 1], changes, finish)
    assert again["evaluations"] == rows and trained == [runs / "seed0" / "fold1"]
    with pytest.raises(ConfigError, match=r"another config.*\n.*clip_norm"):
        crossvalidate(config, str(runs), 3, [0, 1], {**changes, "clip_norm": "0.5"}, train)


@pytest.mark.slow
def test_every_fold_is_trained(config, tmp_path):
    summary = crossvalidate(config, str(tmp_path), 3, [0], {}, train)
    assert summary["evaluations"]["right"]["model"]["right"]["value"] == pytest.approx(
        summary["evaluations"]["clips"]["model"]["pitch/accuracy"]["value"]
    )
    assert sorted(path.name for path in tmp_path.glob("seed0/fold*/checkpoints/2")) == ["2", "2", "2"]


def test_folds_are_checked_before_anything_is_trained(config, tmp_path, capsys):
    call = [f"--config={config}:folds=4", f"--workdir={tmp_path / 'runs'}"]
    assert crossvalidate_main([*call, "--folds=3"]) == 2
    assert "--folds=3 test 36 of 48 clips" in capsys.readouterr().err
    assert crossvalidate_main([*call, "--folds=5"]) == 2
    assert "config.split.fold=4; it must be below config.split.n_folds=4" in capsys.readouterr().err
    by_column = tmp_path / "by_column.py"
    split = '{"name": "mu.data.clips.folds:by_column", "column_name": "fold", "fold": args.fold}'
    by_column.write_text(CONFIG.replace("split__n_folds=args.folds, split__fold=args.fold", f"split={split}"))
    assert crossvalidate_main([f"--config={by_column}", call[1], "--folds=6"]) == 2
    assert "--folds=6: fold=4; the column 'fold' names 4 folds, counted from 0" in capsys.readouterr().err
    for wrong, message in (
        (["--folds=4", "--seeds=0,0"], "different whole numbers"),
        (["--folds=4", "--seeds=a"], "different whole numbers"),
        (["--folds=0"], "it must be at least 1"),
    ):
        with pytest.raises(SystemExit) as stopped:
            crossvalidate_main([*call, *wrong])
        assert stopped.value.code == 2 and message in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


LOG_CONFIG = """
from mu.config.base import base, parse_arg


def get_config(arg=None):
    args = parse_arg(arg, seed=0)
    config = base()
    config.seed, config.data.path = args.seed, {path!r}
    config.split = {{"name": "mu.data.logs.splits:random_by_ratio"}}
    return config
"""


def test_seeds_of_a_log_share_its_split(tmp_path, capsys):
    """The runs are stood in for by popularity, which one seed measures on half of the counts."""
    path = write_log(tmp_path)
    file = tmp_path / "config.py"
    file.write_text(LOG_CONFIG.format(path=str(path)))

    def measure(config, place):
        split = build(config.split, build(config.data))
        learnt = split.train if config.seed else split.train.where(np.arange(len(split.train)) % 2 == 0)
        evaluator = build(config.evals.ranking, split=split, train=split.train, part="test")
        results = {"model": evaluator.run(Popularity().fit(learnt))}
        save(place / "evaluation" / "ranking", results, {}, samples=30)
        write_json(place / "config.json", json.loads(config.to_json()))
        write_json(place / "run.json", {"commit": "abc"})
        return results

    changes = {"evals.ranking.bootstrap_samples": "30"}
    summary = crossvalidate(str(file), str(tmp_path / "runs"), 1, [0, 1], changes, measure)
    row = summary["evaluations"]["ranking"]["model"]["recall@10"]
    assert row["value"] == pytest.approx(np.mean([row["seeds"][0], row["seeds"][1]]))
    assert row["std"] == pytest.approx(abs(row["seeds"][0] - row["seeds"][1]) / np.sqrt(2)) and row["std"] > 0
    assert summary["over"] == {"ranking": "users"} and row["low"] <= row["value"] <= row["high"]
    pooled, alone = load(tmp_path / "runs" / "seed1"), load(tmp_path / "runs" / "seed1" / "fold0")
    assert pooled.results["model"].same == alone.results["model"].same  # `mu compare` takes either
    show(summary)
    out = capsys.readouterr().out
    assert "std: standard deviation over seeds" in out and "users drawn again" in out and "fold" not in out

    call = [f"--config={file}", f"--workdir={tmp_path / 'other'}"]
    assert crossvalidate_main([*call, "--seeds=0,1", "--config.split.seed={seed}"]) == 2
    assert "depends on the seed" in capsys.readouterr().err
    (tmp_path / "folds.py").write_text(LOG_CONFIG.format(path=str(path)).replace("seed=0)", "seed=0, fold=0)"))
    assert crossvalidate_main([f"--config={tmp_path / 'folds.py'}", *call[1:], "--folds=3"]) == 2
    assert "--folds=3: a log is not cut into folds" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()
