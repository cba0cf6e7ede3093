"""Whether the config of a checkpoint is that of the run that takes it up."""

import copy
import json
from pathlib import Path

import pytest

from mu.config.base import ConfigError
from mu.config.overrides import load
from mu.run.same_run import refuse_other_config

EXPERIMENT = Path(__file__).parents[2] / "experiments" / "lastfm2k_mf.py"
FOLDER = Path("runs/mine")


@pytest.fixture(scope="module")
def now():
    """A config as a checkpoint of today has it."""
    return json.loads(load(str(EXPERIMENT)).to_json())


def without(config, *keys):
    """`config` as a version wrote it that had no such keys."""
    config = copy.deepcopy(config)
    for key in keys:
        *folders, last = key.split(".")
        inside = config
        for folder in folders:
            inside = inside[folder]
        del inside[last]
    return config


def test_parameters_that_are_newer_than_a_run_are_no_difference_at_their_defaults(now):
    # None, a text and an empty tuple, which JSON has as a list.
    newer = ("batches.weights", "evals.ranking.gains", "evals.ranking.groups", "evals.ranking.list_metrics")
    refuse_other_config(without(now, *newer), now, FOLDER)


def test_a_newer_parameter_that_is_set_is_a_difference(now):
    changed = copy.deepcopy(now)
    changed["batches"]["weights"] = "log"
    with pytest.raises(ConfigError, match=r"another config.*\n  batches.weights: '\(absent\)' -> 'log'$"):
        refuse_other_config(without(now, "batches.weights"), changed, FOLDER)


def test_what_a_spec_lost_and_what_no_spec_holds_stays_a_difference(now):
    with pytest.raises(ConfigError, match=r"\n  model.dim: 64 -> '\(absent\)'$"):
        refuse_other_config(now, without(now, "model.dim"), FOLDER)
    with pytest.raises(ConfigError, match=r"\n  refit: '\(absent\)' -> False$"):
        refuse_other_config(without(now, "refit"), now, FOLDER)


def test_defaults_of_another_class_are_no_excuse(now):
    old = without(now, "batches.weights")
    old["batches"]["name"] = "mu.data.batches.histories:HistoryBatches"
    with pytest.raises(ConfigError, match=r"batches.weights: '\(absent\)' -> 'none'"):
        refuse_other_config(old, now, FOLDER)


def test_what_a_page_says_may_change(now):
    refuse_other_config(without(now, "title", "published"), now, FOLDER)
    refuse_other_config(now, {**now, "title": "Another", "published": None}, FOLDER)


def test_a_path_that_leads_to_the_same_folder_is_no_difference(now, tmp_path, monkeypatch):
    """Earlier versions kept relative paths; the run that another began from may be linked, or moved with it."""
    for place in ("then/first", "then/second", "other"):
        (tmp_path / place).mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "then")
    monkeypatch.chdir(tmp_path / "then")
    absolute = {**now, "init_from": str(tmp_path / "then" / "first")}
    for same in ("first", "../then/first/", str(tmp_path / "link" / "first")):
        refuse_other_config({**now, "init_from": same}, absolute, FOLDER)
        refuse_other_config(absolute, {**now, "init_from": same}, FOLDER)
    for other in ("second", str(tmp_path / "other"), None):
        with pytest.raises(ConfigError, match=r"\n  init_from: "):
            refuse_other_config({**now, "init_from": other}, absolute, FOLDER)

    (tmp_path / "then" / "second" / "run.json").write_text(json.dumps({"workdir": str(tmp_path / "then" / "second")}))
    (tmp_path / "then").rename(tmp_path / "now")
    moved = {**now, "init_from": str(tmp_path / "now" / "first")}
    refuse_other_config(absolute, moved, tmp_path / "now" / "second")


def test_tables_that_are_parameters_are_no_class(now):
    dense = {**now, "tables": {"name": "dense"}}
    refuse_other_config(without(dense, "batches.weights"), dense, FOLDER)
    with pytest.raises(ConfigError, match=r"\n  tables.name: 'mu.training.tables:\w+' -> 'dense'$"):
        refuse_other_config({**now, "tables": {"name": now["tables"]["name"]}}, dense, FOLDER)
