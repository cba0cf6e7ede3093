"""Logs from data frames are those that files of the same plays give; baselines and runs learn from them."""

import gc
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from mu import api
from mu.baselines.item_knn import ItemKNN
from mu.config.base import ConfigError
from mu.data.logs.importing.bad_rows import BadRowError
from mu.data.logs.interactions import Interactions
from mu.data.options import OptionError
from mu.files import read_json
from tests.helpers.tiny_runs import make_log, tiny_config, train, write_log

COLUMNS: dict[str, Any] = {"user": "who", "track": "what", "time": "when", "weight": "stars", "title": "name"}


def plays():
    """Plays out of order, of two listeners, with a title that is missing."""
    times = pd.to_datetime(
        ["2024-01-03", "2024-01-01", "2024-01-02T03:04:05", "2024-02-01", "2024-02-01"], format="ISO8601", utc=True
    )
    return pd.DataFrame(
        {
            "who": ["b", "a", "a", "a", "b"],
            "what": [7, 8, 7, 9, 9],
            "when": times,
            "stars": [4.5, 1.0, 2.0, 3.0, 5.0],
            "name": ["Seven", None, "Seven", "Nine", "Nine"],
        }
    )


def kinds():
    pandas = plays()
    frame = pl.from_pandas(pandas)
    return {"pandas": pandas, "polars": frame, "lazy": frame.lazy(), "arrow": frame.to_arrow()}


@pytest.fixture(scope="module")
def of_file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("file")
    plays().to_csv(folder / "plays.csv", index=False)
    return api.import_log(folder / "plays.csv", folder / "log", **COLUMNS)


@pytest.mark.parametrize("kind", kinds())
def test_a_frame_is_as_a_file_of_it(of_file, kind):
    log = api.import_log(kinds()[kind], **COLUMNS)
    assert isinstance(log, Interactions) and log.hash() == of_file.hash()
    assert log.tracks["track"].cast(pl.String).equals(of_file.tracks["track"].cast(pl.String))
    assert log.tracks["title"].to_list() == of_file.tracks["title"].to_list() and log.users.equals(of_file.users)
    assert log.weights.tolist() == [4.5, 5.0, 1.0, 2.0, 3.0]


def test_a_temporary_log_stays_as_long_as_any_part_of_it():
    log = api.import_log(plays(), **COLUMNS)
    folder, part = log.folder, log.take(np.array([1]))
    place = str(folder)
    del log, folder
    gc.collect()
    assert part.users["user"].to_list() == ["a"] and part.tracks["track"].to_list() == [7, 8, 9]
    del part
    gc.collect()
    with pytest.raises(FileNotFoundError):
        pl.read_parquet(f"{place}/users.parquet")


def test_rules_are_those_of_the_import(tmp_path):
    log = api.import_log(plays(), tmp_path / "log", min_weight=2.0, event_columns=["name"], **COLUMNS)
    assert log.card["rows_dropped"]["min_weight"] == 1 and (tmp_path / "log" / "card.json").is_file()
    assert set(log.vocabulary("name")) == {"Seven", "Nine"}
    with pytest.raises(FileExistsError):
        api.import_log(plays(), tmp_path / "log", **COLUMNS)
    assert len(api.import_log(plays(), tmp_path / "log", overwrite=True, **COLUMNS)) == 5


def test_what_is_wrong_is_named(tmp_path):
    with pytest.raises(OptionError, match=r"no 'usr' \(did you mean 'user'\?\)"):
        api.import_log(plays(), usr="who")
    with pytest.raises(OptionError, match=r"user=whoo: .*has no such column \(did you mean 'who'"):
        api.import_log(plays(), **{**COLUMNS, "user": "whoo"})
    with pytest.raises(TypeError, match="a data frame of polars, pandas or Arrow; this is a dict"):
        api.import_log({"user": [1]})
    wrong = plays().astype({"when": str})
    wrong.loc[2, "when"] = "soon"
    with pytest.raises(BadRowError, match=r"frame.parquet.*3.*'soon'"):
        api.import_log(wrong, **COLUMNS)


def test_a_baseline_is_asked_by_names(of_file):
    for baseline in (ItemKNN, "mu.baselines.item_knn:ItemKNN"):
        knn = api.fit(baseline, of_file, neighbours=2)
        assert knn.recommend("b", 3).rows() == [(1, 8, None, pytest.approx(2 / np.sqrt(2)))]
        assert knn.recommend(["a", "b"], 3, repeats=True)["user"].to_list() == ["a"] * 3 + ["b"] * 3
        assert knn.recommend(history=["Nine"], k=1)["track"].to_list() == [7]
        assert knn.similar("Nine", 2)["track"].to_list() == [7, 8]
    popular = api.fit("mu.baselines.popularity:Popularity", of_file.folder)
    assert popular.recommend(history=[], k=2)["track"].to_list() == [7, 9]
    assert popular.recommend(history=[], k=2, exclude=7)["track"].to_list() == [9, 8], "one id may stand alone"
    assert popular.recommend("b", at="2024-01-05", k=3)["track"].to_list() == [9, 8]
    with pytest.raises(ValueError, match="must be a class, or the path of one"):
        api.fit("knn", of_file)
    with pytest.raises(ValueError, match="this ItemKNN is made already; give its class"):
        api.fit(ItemKNN(), of_file, neighbours=2)
    with pytest.raises(ValueError, match="no sums of parts"):
        popular.explain("b", 7)


def test_a_counting_model_says_which_plays_speak_for_a_track(of_file):
    model = api.fit("mu.baselines.pctm:PCTM", of_file, tau=3.0)
    frame = model.recommend("b", 3, repeats=True)
    assert frame.columns == ["rank", "track", "title", "score", "reason_1", "reason_2"]
    assert frame.row(by_predicate=pl.col("track") == 9, named=True)["reason_1"] == "after Seven"
    parts = model.explain("b", 9)
    assert set(parts["part"]) == {"after Seven", "after Nine", "how often it is played"}
    assert parts["contribution"].sum() == pytest.approx(frame.filter(track=9)["score"].item())
    means = [model.explain("b", track)["contribution"].sum() for track in (7, 8, 9)]
    assert parts["mean_track"].sum() == pytest.approx(np.mean(means))
    alone = model.explain(None, 9, history=["Seven", "Seven"])
    assert alone["part"].to_list() == ["after Seven", "how often it is played"]


def test_options_of_a_baseline_are_held_against_its_class(of_file):
    assert api.fit(ItemKNN, of_file, neighbours=np.int64(2)).recommend("b", 3)["track"].to_list() == [8]
    with pytest.raises(ValueError) as caught:
        api.fit(ItemKNN, of_file, neighbors=20, history_length=0, similarity="cosin", history_decay="half")
    assert str(caught.value).splitlines() == [
        "ItemKNN takes no 'neighbors' (did you mean 'neighbours'?); it takes history_decay, history_length, keep_by, "
        "neighbours, similarity, weights",
        "history_length=0; it must be at least 1",
        "similarity='cosin'; ItemKNN takes one of cosine, dot",
        "history_decay='half'; ItemKNN takes float",
    ]
    with pytest.raises(ValueError, match="Needy needs a value for 'size'"):
        api.fit(Needy, of_file)
    with pytest.raises(ValueError, match="baseline is the class dict, which has no `fit` to learn from a log with"):
        api.fit(dict, of_file)
    with pytest.raises(ValueError, match="baseline is 5, which has no `fit`"):
        api.fit(5, of_file)


def test_a_log_without_times_knows_no_moments(of_file):
    order = api.fit(ItemKNN, api.import_log(plays().drop(columns="when"), user="who", track="what"))
    for who in ({"user": "b"}, {"history": [7]}):
        for ask in (order.recommend, order.history):
            with pytest.raises(ValueError, match=r"at is '2024-01-05', but the log has no times"):
                ask(**who, at="2024-01-05")
    timed = api.fit(ItemKNN, of_file)
    assert timed.history(history=[7, 9], at="2000-01-01")["track"].to_list() == [7, 9], "names are taken whole"


class Needy:
    """A baseline with an option that has no default."""

    def __init__(self, size: int):
        self.size = size

    def fit(self, log):
        return self


class NewestFirst:
    """A baseline of one's own, which has `scores` alone."""

    dot_product = time_aware = False

    def fit(self, log):
        self._n_items = log.n_items
        return self

    def scores(self, users, histories, times_ms=None):
        return np.tile(np.arange(self._n_items, dtype=np.float32), (len(users), 1))


def test_a_baseline_of_ones_own_needs_scores_alone(of_file):
    assert api.fit(NewestFirst, of_file).recommend("a", 3, repeats=True)["track"].to_list() == [9, 8, 7]


def test_training_from_a_config_and_from_keys(tmp_path, monkeypatch):
    monkeypatch.setattr("mu.interface.training.train_run", train)  # on one device
    folder = write_log(tmp_path)
    log = api.import_log(tmp_path / "plays.csv", track_attributes=["artist"])
    small = {
        "batches": {"window": 8, "rows": 8, "negatives": 4, "threads": 1},
        "model": {"dim": 8, "layers": 1, "heads": 2, "window": 8, "dropout": 0.0},
        "evals.ranking.bootstrap_samples": 20,
        "baselines": {},
    }
    steps = {"total_steps": 4, "evaluate_every_steps": 2, "checkpoint_every_steps": 2}
    published = {"a paper": {"recall@10": 0.1}}
    run = api.train(small, tmp_path / "keys", data=log, published=published, **steps)
    other = api.train(tiny_config(folder), tmp_path / "config", **steps)
    assert run.recommend(history=["t7", "t3"]).equals(other.recommend(history=["t7", "t3"]))
    assert run.recommend("u11")["track"].equals(other.recommend("u11")["track"])
    assert read_json(run.folder / "config.json")["published"] == published
    assert set(run.evaluate("valid").results["ranking"]) == {"model"}
    with pytest.raises(ConfigError, match=r"config.model has no key 'dimm' \(did you mean 'dim'"):
        api.train(small, tmp_path / "wrong", model={"dimm": 3}, data=log)
    number: Any = 3
    with pytest.raises(ConfigError, match="config is a int; it takes the path of a config"):
        api.train(number, tmp_path / "wrong")
    with pytest.raises(ConfigError, match="this log lies in no folder"):
        api.train(small, tmp_path / "wrong", data=make_log())
