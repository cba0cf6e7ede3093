"""Every file of experiments/ makes a config, and the commands of its docstring are ones that there are."""

import ast
import math
import re
from pathlib import Path

import pytest
from ml_collections import ConfigDict

from mu import cli
from mu.config.base import ConfigError
from mu.config.overrides import load
from mu.config.resolve import resolve

ROOT = Path(__file__).resolve().parents[1]
PATHS = sorted((ROOT / "experiments").glob("*.py"))
# The numbers of the experiments for which 0 or -1 means something; every other number refuses them.
ZERO = {
    *("seed", "eps", "eps_root", "b1", "b2", "init_value", "alpha", "weight_decay", "warmup_share"),
    *(
        "dropout",
        "evidence_dropout",
        "popular_negatives",
        "listener_dropout",
        "drop_id",
        "scale",
        "rank",
        "fmin_hz",
        "ema_decay",
        "mixup_alpha",
    ),
    *("label_smoothing", "skipped", "cold", "tags", "contrastive", "in_batch", "calibration", "negatives", "clips"),
    *("clips_of_plays", "fold", "valid", "test", "max_cost", "start", "head_weights", "frequency_shift", "shift_s"),
    *("time_masks", "time_mask_share", "frequency_masks", "frequency_mask_share", "gain_db", "noise_snr_db"),
    *("equalize_db", "initial_accumulator_value", "item_shrinkage", "user_shrinkage", "item_numbers"),
    *("counts_decay", "history_head_mass", "popularity_weight", "attribute_weight", "beta", "regularisation_exponent"),
    *("vectors", "baselines.bpr.l2", "sharpening", "gamma", "valid_share", "earlier_tracks", "batches.neighbours"),
}
MINUS_ONE = {"mesh.data", "gain_db", "noise_snr_db", "equalize_db", "popularity_weight"}


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
@pytest.mark.parametrize("smoke", [True, False], ids=["smoke", "whole"])
def test_resolves(path, smoke):
    config = load(f"{path}{':smoke' if smoke else ''}", {})
    assert config.total_steps > 0 and (not smoke or config.total_steps <= 50)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_commands_of_the_docstring_name_what_there_is(path):
    docstring = ast.get_docstring(ast.parse(path.read_text()))
    assert docstring, "an experiment says what it is"
    text = docstring.replace("\\\n", " ")
    commands = re.findall(r"^    mu (\S+)(.*)$", text, re.MULTILINE)
    for command, rest in commands:
        assert command in cli.COMMANDS, command
        for spec in re.findall(r"--config=(\S+)", rest):
            assert load(str(path.parents[1] / spec), {})
        if command == "crossvalidate":
            assert re.search(r"--folds=\d+", rest) and "--workdir=" in rest


@pytest.mark.parametrize("spec", ["esc10.py:task=contrastve", "emotify.py:target=emotions"])
def test_a_misspelt_choice_is_refused(spec):
    with pytest.raises(ConfigError, match="did you mean"):
        load(str(PATHS[0].parent / spec), {})


def numbers(config, prefix=""):
    """{key: value} of every number of a config, those in tuples too."""
    found = {}
    for key, value in config.items():
        if isinstance(value, ConfigDict):
            found |= numbers(value, f"{prefix}{key}.")
        elif all(type(x) in (int, float) for x in (value if isinstance(value, tuple) and value else (value,))):
            found[prefix + key] = value
    return found


def with_all(config, keys, bad):
    """The config with `bad` in place of each number."""
    changed = config.to_dict()  # a ConfigDict would make a float of what is set in the place of one
    for key in keys:
        *parents, last = key.split(".")
        node = changed
        for parent in parents:
            node = node[parent]
        node[last] = (bad,) * len(node[last]) if isinstance(node[last], tuple) else bad
    return ConfigDict(changed)


def means_something(config, key, value):
    """Whether a key may have this value."""
    names = {key, key.split(".")[-1]} - ({"negatives"} if "Listening" in config.batches.name else set())
    if config.split.name != "mu.data.logs.splits:predefined":  # the others cut a validation part, which is not empty
        names.discard("valid_share")
    if key.startswith("published."):  # a metric may be any number
        return value in (-1, 0) and not isinstance(value, bool)
    return (value == -1 and bool(names & MINUS_ONE)) or (value == 0 and bool(names & ZERO))


@pytest.mark.parametrize("path", [*PATHS, ROOT / "mu/quickstart/config.py"], ids=lambda path: path.stem)
@pytest.mark.parametrize("bad", [-1, 0, math.nan, math.inf, 1e30, "x", True], ids=repr)
def test_a_senseless_number_is_refused_by_its_key(path, bad):
    config = load(str(path), {})
    keys = numbers(config)
    assert len(keys) > 15
    with pytest.raises(ConfigError) as error:
        resolve(with_all(config, keys, bad))
    refused = {re.split(r"[=\[]", line)[0].removeprefix("config.") for line in str(error.value).split("\n")}
    assert refused == {key for key in keys if not means_something(config, key, bad)}
