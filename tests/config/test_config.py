"""Configs: whatever cannot be run is refused before anything runs, and the message names the nearest way out."""

import json
import os
from fractions import Fraction
from typing import Annotated

import jax.numpy as jnp
import numpy as np
import optax
import pytest
from ml_collections import ConfigDict

from mu.config.base import ConfigError, base, parse_arg, typed
from mu.config.differences import differences
from mu.config.overrides import load, with_overrides
from mu.config.resolve import build, locate, resolve
from mu.ranges import AtLeast

FACTORIZATION = "mu.models.factorization:Factorization"


def loadable():
    """The base with the one entry that has no default."""
    config = base()
    config.data.path = "log"
    return config


# ---- the argument of an experiment


def test_parse_arg_keeps_defaults_and_their_types():
    found = parse_arg("smoke,dim=128,rate=1,name=a=b", smoke=False, dim=64, rate=0.5, name="x", loss="bce")
    assert found.to_dict() == {"smoke": True, "dim": 128, "rate": 1.0, "name": "a=b", "loss": "bce"}
    assert isinstance(found.rate, float)
    for nothing in (None, ""):
        assert parse_arg(nothing, smoke=False).to_dict() == {"smoke": False}


@pytest.mark.parametrize(
    ("arg", "words"),
    [
        ("smok", r"no argument 'smok' \(did you mean 'smoke'"),
        ("dim=wide", "dim='wide'; it takes a whole number"),
        ("dim=1.5", "dim='1.5'; it takes a whole number"),
        ("dim=True", "dim='True'; it takes a whole number"),
        ("smoke=maybe", "'maybe'; it takes true or false, yes or no"),
        ("dmi=3,smok", "(?s)no argument 'dmi'.*'dim'.*no argument 'smok'.*'smoke'"),
        ("dim", "dim needs a value: dim=..."),
    ],
)
def test_parse_arg_refuses(arg, words):
    with pytest.raises(ConfigError, match=words):
        parse_arg(arg, smoke=False, dim=64)


@pytest.mark.parametrize(
    ("text", "example", "value"),
    [
        ("3", 1, 3),
        ("3", 1.0, 3.0),
        ("1e-3", 0.1, 1e-3),
        ("False", True, False),
        ("anything=at all", "text", "anything=at all"),
        ("12", "text", "12"),
        ("(5, 50)", (10, 20), (5, 50)),
        ("[5, 50]", (10, 20), (5, 50)),
        ("5", (10, 20), (5,)),
        ("0.5", None, 0.5),
        ("rows", None, "rows"),
    ],
)
def test_typed(text, example, value):
    found = typed(text, example, "key")
    assert found == value and type(found) is type(value)


# ---- what is refused


def set_(key, value):
    def change(config):
        *parents, last = key.split(".")
        for parent in parents:
            config = config[parent]
        with config.ignore_type():
            config[last] = value

    return change


def without(key):
    def change(config):
        *parents, last = key.split(".")
        for parent in parents:
            config = config[parent]
        del config[last]

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (set_("total_step", 5), r"config has no key 'total_step' \(did you mean 'total_steps'"),
        (set_("best.metrics", "x"), r"config.best has no key 'metrics' \(did you mean 'metric'"),
        (set_("model.dims", 5), r"takes no 'dims' \(did you mean 'dim'"),
        (set_("batches.negative", 5), r"takes no 'negative' \(did you mean 'negatives'"),
        (set_("model.dim", "64"), r"config.model.dim='64'; mu.models.sasrec:SASRec takes int"),
        (set_("model.dim", True), "takes int"),
        (set_("model.dropout", "much"), "takes float"),
        (set_("batches.packed", 1), "takes bool"),
        (set_("batches.threads", 1.5), r"takes int \| None"),
        (set_("total_steps", 10.0), "config.total_steps=10.0; it takes int"),
        (set_("total_steps", 0), "config.total_steps=0; it must be at least 1"),
        (set_("log_every_steps", 0), "at least 1"),
        (set_("model.dim", 0), "config.model.dim=0; it must be at least 1"),
        (set_("model.dropout", 1.0), "config.model.dropout=1.0; it must be below 1"),
        (set_("optimizer.learning_rate", -1e-3), "config.optimizer.learning_rate=-0.001; it must be above 0"),
        (set_("optimizer.b1", 1.0), "config.optimizer.b1=1.0; it must be below 1"),
        (set_("tables.learning_rate", -1.0), "config.tables.learning_rate=-1.0; it must be above 0"),
        (set_("tables.learning_rate", float("nan")), "config.tables.learning_rate=nan; it must be a finite number"),
        (set_("tables.b2", float("inf")), "config.tables.b2=inf; it must be a finite number"),
        (set_("evals.ranking.ks", (10, 0)), r"config.evals.ranking.ks\[1\]=0; it must be at least 1"),
        (set_("evals.ranking.ks", (10, 2.5)), r"config.evals.ranking.ks\[1\]=2.5; .* takes int"),
        (set_("mesh.data", 0), "config.mesh.data=0; it must be -1 or at least 1"),
        (set_("ema_decay", 1.5), "config.ema_decay=1.5; it must be below 1"),
        (set_("clip_norm", 0.0), "config.clip_norm=0.0; it must be above 0"),
        (set_("seed", -1), "config.seed=-1; it must be at least 0"),
        (set_("seed", 2**32), "config.seed=4294967296; it must be at most 4294967295"),
        (
            set_(
                "optimizer.learning_rate", {"name": "optax:cosine_decay_schedule", "init_value": -1, "decay_steps": 9}
            ),
            "config.optimizer.learning_rate.init_value=-1; it must be at least 0",
        ),
        (set_("clip_norm", "1"), r"config.clip_norm='1'; it takes float \| None"),
        (set_("best.patience", 1.5), r"takes int \| None"),
        (set_("title", 5), r"config.title=5; it takes str \| None"),
        (set_("published", {"SASRec": 0.1}), r"config.published.SASRec=0.1; it takes dict"),
        (set_("published", {"SASRec": {"mrr": "x"}}), r"config.published.SASRec.mrr='x'; it takes float"),
        (set_("published", {"SASRec": {"mrr": float("nan")}}), r"config.published.SASRec.mrr=nan; it must be a finite"),
        (set_("sharding.rows", 3), r"takes str \| None"),
        (set_("sharding.row", "model"), "did you mean 'rows'"),
        (set_("evals.ranking.ks", 10), "takes tuple"),
        (set_("best", "valid/ranking/ndcg@10"), "takes a dict"),
        (set_("model.name", "mu.models.sasrec:SASRek"), r"has no 'SASRek' \(did you mean 'SASRec'"),
        (set_("model.name", "mu.models.sasrek:SASRec"), "there is no module 'mu.models.sasrek'"),
        (set_("model.name", "SASRec"), "it takes 'package.module:attribute'"),
        (set_("model.name", "mu.training.sharding:MESH_AXES"), "is a tuple; it must be a class or function"),
        (set_("writers", ("mu.training.writers:TensorBord",)), "did you mean 'TensorBoard'"),
        (set_("baselines.popular", {"name": "mu.baselines.popularity:Popular"}), "did you mean 'Popularity'"),
        (set_("baselines.popular", "popularity"), "a dict with a name"),
        (set_("model.rngs", 0), "is given by the run itself"),
        (without("data.path"), r"config.data \(mu.data.logs.interactions:load\) needs a value for 'path'"),
        (without("seed"), "lacks the key 'seed'"),
        (without("tables.name"), "config.tables=.*takes a dict with a name"),
        (without("model.name"), "config.model=.*takes a dict with a name"),
    ],
)
def test_what_cannot_be_run_is_refused_by_key(change, words):
    config = ConfigDict(loadable().to_dict())
    change(config)
    with pytest.raises(ConfigError, match=words):
        resolve(config)


def test_a_module_that_is_there_but_broken_is_not_blamed_on_the_config(tmp_path, monkeypatch):
    (tmp_path / "broken_model.py").write_text("import no_such_dependency\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="no_such_dependency"):
        locate("broken_model:Model", "config.model.name")


# ---- resolving


def test_resolving_fills_in_defaults_and_settles():
    config = loadable()
    config.model.dim = 32
    found = resolve(config)
    assert (found.model.dim, found.model.layers, found.batches.window) == (32, 2, 50)
    assert "rngs" not in found.model and "log" not in found.batches
    assert resolve(found).to_dict() == found.to_dict()
    assert "layers" not in config.model  # the caller's own is left alone


def test_a_resolved_config_survives_json():
    config = loadable()
    config.optimizer = {"name": "optax:adam", "learning_rate": SCHEDULE}
    found = resolve(config)
    back = resolve(ConfigDict(json.loads(found.to_json())))
    assert json.loads(back.to_json()) == json.loads(found.to_json())
    assert isinstance(back.optimizer.learning_rate, ConfigDict)


def test_dense_tables_have_no_options():
    assert with_overrides(loadable(), {"tables.name": "dense"}).tables.to_dict() == {"name": "dense"}


# ---- overrides


def test_overrides_set_values_of_the_right_type():
    found = with_overrides(
        loadable(),
        {
            "model.dim": "128",
            "optimizer.learning_rate": "1",
            "clip_norm": "5",
            "best.patience": "3",
            "sharding.heads": "None",
            "sharding.rows": "model",
            "evals.ranking.ks": "5,50",
            "data.path": "12",
        },
    )
    assert found.model.dim == 128
    assert found.optimizer.learning_rate == 1.0 and isinstance(found.optimizer.learning_rate, float)
    assert (found.clip_norm, found.best.patience) == (5, 3)
    assert (found.sharding.heads, found.sharding.rows) == (None, "model")
    assert found.evals.ranking.ks == (5, 50)
    assert found.data.path == "12"


@pytest.mark.parametrize("words", [("true", "no"), ("YES", "Off"), ("1", "0"), ("on", "False")])
def test_booleans_take_the_usual_words(words):
    yes, no = words
    found = with_overrides(loadable(), {"refit": yes, "batches.packed": no})
    assert (found.refit, found.batches.packed) == (True, False)
    assert parse_arg(f"smoke={yes},whole={no}", smoke=False, whole=True).to_dict() == {"smoke": True, "whole": False}


def test_all_misspelt_keys_are_named():
    with pytest.raises(ConfigError) as caught:
        with_overrides(loadable(), {"modle.dim": "3", "model.dims": "3", "refti": "yes", "total_steps": "5"})
    lines = str(caught.value).splitlines()
    assert [line.partition(" (did you")[0] for line in lines] == [
        "config has no key 'modle'",
        "config.model has no key 'dims'",
        "config has no key 'refti'",
    ]
    assert all(f"did you mean {meant!r}?" in line for meant, line in zip(("model", "dim", "refit"), lines, strict=True))


def test_what_may_be_none_can_be_set_back_to_none():
    config = loadable()
    with config.ignore_type():
        config.clip_norm = 1.0
    config.batches.threads = 2
    found = with_overrides(config, {"clip_norm": "None", "batches.threads": "None"})
    assert found.clip_norm is None and found.batches.threads is None
    with pytest.raises(ConfigError, match=r"config.model.dim=None; .* takes int"):
        with_overrides(config, {"model.dim": "None"})


def test_a_text_in_quotes_is_the_text_itself_whatever_it_says():
    found = with_overrides(loadable(), {"title": "'None'"})
    assert found.title == "None" and with_overrides(loadable(), {"title": "None"}).title is None


@pytest.mark.parametrize(
    ("key", "text", "words"),
    [
        ("model.dims", "3", r"config.model has no key 'dims' \(did you mean 'dim'"),
        ("modle.dim", "3", r"config has no key 'modle' \(did you mean 'model'"),
        ("total_steps.x", "3", "has no key 'x'"),
        ("model.dim", "x", "config.model.dim='x'; it takes a whole number"),
        ("batches.packed", "maybe", "config.batches.packed='maybe'; it takes true or false"),
        ("model.name", "nowhere:Model", r"there is no module 'nowhere' \(run the command in its folder, or add"),
    ],
)
def test_overrides_refuse(key, text, words):
    with pytest.raises(ConfigError, match=words):
        with_overrides(loadable(), {key: text})


def test_a_new_name_brings_its_own_keys():
    """Entries both names take stay, those of the old one go, defaults are the new one's."""
    config = loadable()
    config.model.update(dim=48, heads=4)
    found = with_overrides(config, {"model.temperature": "0.1", "model.name": FACTORIZATION})
    assert found.model.to_dict() == {"name": FACTORIZATION, "dim": 48, "temperature": 0.1, "scale": 0.1}
    config.model.head = 4
    with pytest.raises(ConfigError, match="did you mean 'heads'"):  # still held against the old name
        with_overrides(config, {"model.name": FACTORIZATION})


# ---- files


def test_load_reads_a_file_with_its_argument_and_overrides(tmp_path):
    file = tmp_path / "experiment.py"
    file.write_text(
        "from mu.config.base import base, parse_arg\n"
        "def get_config(arg=None):\n"
        "    arg = parse_arg(arg, dim=8)\n"
        "    config = base()\n"
        "    config.data.path = 'log'\n"
        "    config.model.dim = arg.dim\n"
        "    return config\n"
    )
    assert load(str(file)).model.dim == 8
    assert load(f"{file}:dim=16").model.dim == 16
    assert load(f"{file}:dim=16", {"model.dim": "24", "seed": "7"}).model.dim == 24
    with pytest.raises(ConfigError, match="no argument 'dims'"):
        load(f"{file}:dims=16")


def needs(log, *, column_name: str, fold: Annotated[int, AtLeast(0)], seed: int = 0):
    """A split with arguments that have no default."""
    del log, column_name, fold, seed


@pytest.mark.parametrize("reverse", [False, True])
def test_a_name_whose_arguments_have_no_default_is_set_together_with_them(reverse):
    own = f"{__name__}:needs"
    changes = {"split.name": own, "split.fold": "2", "split.column_name": "2024", "seed": "3", "split.seed": "5"}
    found = with_overrides(loadable(), dict(reversed(changes.items()) if reverse else changes.items()))
    assert found.split.to_dict() == {"name": own, "column_name": "2024", "fold": 2, "seed": 5} and found.seed == 3
    with pytest.raises(ConfigError, match=r"config.split \(.*needs\) needs a value for 'fold'"):
        with_overrides(loadable(), {"split.name": own, "split.column_name": "x"})
    with pytest.raises(ConfigError, match=r"config.split.fold=-1"):
        with_overrides(loadable(), changes | {"split.fold": "-1"})
    with pytest.raises(ConfigError, match=r"config.split has no key 'folds' \(did you mean 'fold'"):
        with_overrides(loadable(), changes | {"split.folds": "3"})


def test_the_title_is_the_first_line_of_the_file_unless_the_config_has_one(tmp_path):
    file = tmp_path / "experiment.py"
    body = "from mu.config.base import base\ndef get_config(arg=None):\n    config = base()\n"
    body += "    config.data.path = 'log'\n"
    file.write_text(f'"""\nA walk through `my log`, twice.\n\nMore.\n"""\n{body}    return config\n')
    assert load(str(file)).title == "A walk through my log, twice"
    assert load(str(file), {"title": "Another"}).title == "Another"
    file.write_text(f'"""First line."""\n{body}    config.title = "Its own"\n    return config\n')
    assert load(str(file)).title == "Its own"
    file.write_text(f"{body}    return config\n")
    assert load(str(file)).title is None


def test_a_config_is_read_as_it_is_even_if_it_changed_in_the_same_second(tmp_path):
    file = tmp_path / "experiment.py"
    body = "from mu.config.base import base\ndef get_config(arg=None):\n    config = base()\n"
    for seed in (1, 2, 3):
        file.write_text(f"{body}    config.data.path, config.seed = 'log', {seed}\n    return config\n")
        os.utime(file, (1_700_000_000, 1_700_000_000))
        assert load(str(file)).seed == seed
    assert not list(tmp_path.glob("__pycache__"))


def test_a_config_of_an_earlier_version_has_no_title():
    config = loadable().to_dict()
    del config["title"], config["published"]
    assert (resolve(ConfigDict(config)).title, resolve(ConfigDict(config)).published) == (None, None)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "there is no config"),
        ("x = 1\n", "has no get_config"),
        ("def get_config(arg=None): return {}\n", "gave a dict; it must return a ConfigDict"),
    ],
)
def test_load_refuses(tmp_path, text, words):
    file = tmp_path / "experiment.py"
    if text is not None:
        file.write_text(text)
    with pytest.raises(ConfigError, match=words):
        load(str(file))


def test_differences_name_nested_keys():
    old = {"a": 1, "b": {"c": [1, 2], "d": {"e": None}}, "gone": 1, "same": {"x": 1}}
    new = {"a": 1.5, "b": {"c": [1, 3], "d": "e"}, "same": {"x": 1}, "new": 2}
    assert differences(old, new) == [
        "a: 1 -> 1.5",
        "b.c: [1, 2] -> [1, 3]",
        "b.d: {'e': None} -> 'e'",
        "gone: 1 -> '(absent)'",
        "new: '(absent)' -> 2",
    ]
    assert differences(old, old) == []


# ---- building


SCHEDULE = {
    "name": "optax:warmup_cosine_decay_schedule",
    "init_value": 0.0,
    "peak_value": 0.5,
    "warmup_steps": 2,
    "decay_steps": 10,
}


def test_nested_specs_are_built_first(standard_dtypes):
    """A learning-rate schedule inside an optimizer and inside a row optimizer."""
    config = loadable()
    config.optimizer = ConfigDict({"name": "optax:sgd", "learning_rate": SCHEDULE})
    config.tables = ConfigDict({"name": "mu.training.tables:row_adagrad", "learning_rate": SCHEDULE})
    found = resolve(config)
    assert found.optimizer.learning_rate.exponent == 1.0  # its defaults are filled in too
    schedule = optax.warmup_cosine_decay_schedule(**{k: v for k, v in SCHEDULE.items() if k != "name"})
    optimizer, rows = build(found.optimizer), build(found.tables)
    ones = jnp.ones((3, 2))
    state, slots = optimizer.init(ones), rows.init(ones)
    for step in range(4):
        update, state = optimizer.update(ones, state)
        np.testing.assert_allclose(update, -np.asarray(schedule(step)) * ones, rtol=1e-6)
        moved, slots = rows.update(ones, ones, slots, jnp.int32(step))
        np.testing.assert_allclose(ones - moved, schedule(step) / np.sqrt(step + 1) * ones, rtol=1e-4, atol=1e-7)


def test_a_misspelt_key_of_a_nested_spec_is_refused():
    config = loadable()
    config.optimizer = ConfigDict({"name": "optax:sgd", "learning_rate": {**SCHEDULE, "peek_value": 1.0}})
    with pytest.raises(
        ConfigError, match=r"config.optimizer.learning_rate .*takes no 'peek_value' \(did you mean 'peak_value'"
    ):
        resolve(config)


def test_build_passes_what_the_run_provides_and_the_object_takes():
    found = build(ConfigDict({"name": "fractions:Fraction", "numerator": 1}), denominator=2, unknown=3)
    assert found == Fraction(1, 2)


def test_build_passes_leading_arguments_and_builds_what_lies_inside():
    inside = {"name": "fractions:Fraction", "numerator": 3, "denominator": 4}
    found = build(ConfigDict({"name": "builtins:dict", "one": inside, "several": {"a": inside}}), [("first", 1)])
    assert found == {"first": 1, "one": Fraction(3, 4), "several": {"a": Fraction(3, 4)}}
