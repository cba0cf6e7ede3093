"""What `benchmarks/encoder_ablation.py` compares: arms that differ in sound alone, and their means by hand."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.scripts import benchmark


@pytest.fixture(scope="module")
def ablation():
    return benchmark("encoder_ablation")


def test_arms_differ_in_what_is_known_of_the_sound_alone(ablation):
    configs = {arm: ablation.config_of(Path("there"), 3, "tiny", arm).to_dict() for arm in ablation.ARMS}
    joint, none = configs["joint"], configs["none"]
    assert joint["model"]["audio"] and joint["task"]["tags"] and joint["batches"]["clips"]
    for config in configs.values():
        assert {**config, "data": 0, "model": 0, "task": 0, "batches": 0} == {
            **joint,
            **dict.fromkeys(("data", "model", "task", "batches"), 0),
        }
        if config is not joint:
            assert config["model"] == {**joint["model"], "audio": None}
            assert config["task"] == {**joint["task"], "tags": 0.0}
            assert config["batches"] == {**joint["batches"], "clips": 0}
    assert none["data"] == {**joint["data"], "sound": False}
    frozen = {configs[arm]["data"]["numbers"] for arm in ("mfcc", "random", "tags")}
    assert frozen == {f"there/{arm}.npy" for arm in ("mfcc", "random", "tags")}


def test_recall_is_the_ratio_of_sums_over_all_worlds(ablation):
    random = np.random.default_rng(0)
    mass = random.random((2, 40)) * (random.random((2, 40)) < 0.7)  # plays with no such track count for nothing
    shares = {arm: random.random((2, 40)) for arm in ablation.ARMS}
    worlds = [
        {
            arm: {
                "users": np.arange(40) // 4,
                "day 0": np.stack([share[world] * mass[world], mass[world]], axis=1),
                "audience": np.stack([share[world] * mass[world], mass[world]], axis=1),
            }
            for arm, share in shares.items()
        }
        for world in range(2)
    ]
    ratios = {arm: (share * mass).sum() / mass.sum() for arm, share in shares.items()}
    for found in (ablation.pooled(worlds, "day 0"), ablation.pooled_audience(worlds)):
        np.testing.assert_allclose(found.of(joint=1.0, none=-1.0).mean, ratios["joint"] - ratios["none"])
    assert len(np.unique(ablation.pooled(worlds, "day 0").listeners)) == 20, "listeners of two worlds are not the same"


def test_costs_are_means_over_worlds(ablation, tmp_path):
    folders = [tmp_path / "a", tmp_path / "b"]
    for factor, folder in enumerate(folders, start=1):
        for arm in ablation.ARMS:
            (folder / arm).mkdir(parents=True)
            lines = [{"step": 5, "step_ms": 10.0 * factor}, {"step": 5, "valid/x": 0.1}, {"step": 10, "step_ms": 30.0}]
            (folder / arm / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        seconds = {"mfcc": 1.0 * factor, "encoder": 4.0, "tags": 8.0, "tracks": 500}
        ablation.write_json(folder / ablation.SECONDS, seconds)
    rows = {row[0]: row[1:] for row in ablation.costs(folders, 1000)}
    assert rows["none"] == ["0", "22", "0.0"] and rows["mfcc"] == ["0", "22", "3.0"]
    assert rows["tags"] == ["8", "22", "8.0"] and rows["joint"] == ["0", "22", "8.0"]
