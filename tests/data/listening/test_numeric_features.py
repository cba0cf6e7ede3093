"""Numeric features of tracks: from the import to the model, standardised by what training plays, in any unit."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import polars as pl
import pytest
from flax import nnx

from mu.commands.import_log import main
from mu.data.batches.listening import ListeningBatches
from mu.data.features import HistoryFeatures, Standardizer
from mu.data.listening.listening import load
from mu.data.summary import LogSummary
from mu.embedding.cold_start import described
from mu.inference.time_aware import TimeAwareRecommender
from mu.models.audio_user import AudioUser
from mu.tasks.next_play import NextPlay
from tests.helpers.listening_logs import make_listening

NAMES = ("tempo", "energy")


def numbers(n=20):
    """A tempo and an energy of each track; some are missing."""
    values = np.random.default_rng(3).normal([120.0, 0.5], [20.0, 0.2], (n, 2))
    values[[2, 5], 0], values[7, 1] = np.nan, np.nan
    return values


def log_with(values):
    return dataclasses.replace(make_listening(sound=False), item_numbers=NAMES, numeric_features=values)


def model_of(log):
    task: Any = NextPlay(data=log)
    model = AudioUser(audio=None, dim=8, dropout=0.0, drop_id=0.0, rngs=nnx.Rngs(0), **task.offers)
    if log.item_numbers:  # from zero they would say nothing
        kernel = model.from_numbers.kernel
        kernel.set_value(jax.random.normal(jax.random.key(2), kernel.shape, jnp.float32))
    return task, model


def rows_of(model, log):
    rows = {name: jnp.asarray(array) for name, array in log.track_rows().items()}
    return rows | {"items": jax.random.normal(jax.random.key(1), (log.n_items, model.dim), jnp.float32)}


def test_standardised_by_the_tracks_that_training_plays():
    values, log = numbers(), log_with(numbers())
    played = log.counts() > 0
    assert not played.all()
    rows = log.track_rows()["item_numbers"]
    assert rows.dtype == np.float32 and rows.shape == (20, 4)
    np.testing.assert_array_equal(rows[:, 2:], np.isnan(values))
    known = np.where(np.isnan(values), np.nan, rows[:, :2])[played]
    np.testing.assert_allclose(np.nanmean(known, axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(np.nanstd(known, axis=0), 1, rtol=1e-6)
    assert (rows[:, :2][np.isnan(values)] == 0).all()
    other = values.copy()
    other[~played] = 1e9  # tracks that are not out yet say nothing about the scale
    np.testing.assert_array_equal(log_with(other).track_rows()["item_numbers"][played], rows[played])
    first = log.where(np.arange(len(log)) < len(log) // 4)
    assert first.number_scale is not None and log.number_scale is not None
    assert (first.number_scale.mean != log.number_scale.mean).all(), "of the plays of this part alone"


@pytest.mark.parametrize(("factor", "exact"), [(1024.0, True), (1000.0, False)])
def test_units_do_not_matter(factor, exact):
    log, scaled = log_with(numbers()), log_with(numbers() * [factor, 1.0])
    rows, other = (one.track_rows()["item_numbers"] for one in (log, scaled))
    np.testing.assert_allclose(other, rows, rtol=0, atol=0 if exact else 1e-6)
    (_, model), (_, same) = model_of(log), model_of(scaled)
    vectors = model.track_vectors(rows_of(model, log))
    np.testing.assert_allclose(same.track_vectors(rows_of(same, scaled)), vectors, rtol=0, atol=0 if exact else 1e-6)


def test_the_model_is_given_them():
    log = log_with(numbers())
    _, model = model_of(log)
    parts = model.track_parts(rows_of(model, log))
    np.testing.assert_allclose(model.track_vectors(rows_of(model, log)), sum(parts.values()), rtol=1e-5, atol=1e-6)
    assert np.asarray(parts["numbers"]).std(axis=0).min() > 0
    both_missing = log_with(np.where(np.arange(20)[:, None] < 2, np.nan, numbers()))
    alike = np.asarray(model.track_parts(rows_of(model, both_missing))["numbers"])
    np.testing.assert_array_equal(alike[0], alike[1])
    _, without = model_of(make_listening(sound=False))
    assert "numbers" not in without.track_parts(rows_of(without, make_listening(sound=False)))


def test_what_training_never_saw_says_nothing_of_a_new_track():
    """One column is constant and none is missing in training, so that their weights stay where they begin."""
    log = log_with(np.where([False, True], 0.5, np.nan_to_num(numbers(), nan=100.0)))
    task: Any = NextPlay(data=log)
    model = AudioUser(audio=None, dim=8, dropout=0.0, drop_id=0.0, rngs=nnx.Rngs(0), **task.offers)
    graph, params = nnx.split(model)
    rows = rows_of(model, log)

    def total(params):
        return jnp.sum(jnp.sin(1 + nnx.merge(graph, params).track_vectors(rows)))

    params = jax.tree.map(lambda value, slope: value - 0.1 * slope, params, jax.grad(total)(params))

    def part(*values):
        row = jnp.asarray([values], jnp.float32)
        return np.asarray(nnx.merge(graph, params).track_parts(rows | {"item_numbers": row})["numbers"])

    np.testing.assert_array_equal(part(0, 1e6, 1, 1), part(0, 0, 0, 0))
    assert np.abs(part(1, 0, 0, 0) - part(0, 0, 0, 0)).min() > 0


def test_scales_of_odd_columns():
    constant = Standardizer.fit(np.array([[0.1, np.nan], [0.1, 2.0], [0.1, 4.0]]), ("a", "b"))
    scaled = constant.apply(np.array([[0.1, 3.0], [1.1, np.nan]]))
    np.testing.assert_allclose(scaled, [[0, 0, 0, 0], [1, 0, 0, 1]], atol=1e-12)
    with pytest.raises(ValueError, match=r"'b' has no value .* in training; leave it .* item_numbers=\('a',\)"):
        Standardizer.fit(np.array([[1.0, np.nan]]), ("a", "b"))


def test_the_scale_is_saved_with_a_run_and_serves_new_tracks(tmp_path):
    log = log_with(numbers())
    features = ListeningBatches(log, window=6, rows=8, negatives=5, clips=0, sparse=False, seed=0).features
    features.save(tmp_path)
    loaded = HistoryFeatures.load(tmp_path)
    assert loaded.item_numbers is not None and log.number_scale is not None
    np.testing.assert_array_equal(loaded.item_numbers.apply(numbers()), log.track_rows()["item_numbers"])
    task, model = model_of(log)
    graph, params = nnx.split(model)
    rows = rows_of(model, log)
    recommender = TimeAwareRecommender(
        graph=graph, task=task, features=loaded, params=params, rows=rows, end_ms=log.end_ms
    )
    # A new track with the numbers of an old one gets the same part; without any, that of a track that lacks them.
    content, nothing = np.zeros((1, 0), np.float32), np.full((1, 1), -1, np.int32)
    of_numbers = np.asarray(model.track_parts(rows)["numbers"])
    new, _ = recommender.cold_start(content, nothing, numbers()[:1])
    bare, _ = recommender.cold_start(content, nothing)
    expected = model.track_parts(rows | {"item_numbers": jnp.asarray([[0, 0, 1, 1]], jnp.float32)})["numbers"]
    np.testing.assert_allclose(new - bare, of_numbers[:1] - np.asarray(expected), rtol=1e-4, atol=1e-6)


PLAYS = "user,track,time,energy\nu,a,1,.5\nu,b,2,\nv,a,3,.5\nv,c,4,.25\n"


def imported(folder, *flags, plays=PLAYS, tracks="track,tempo,title\na,120.5,A\nb,,B\nc,90,C\n"):
    (folder / "log.csv").write_text(plays)
    (folder / "tracks.csv").write_text(tracks)
    words = [str(folder / "log.csv"), f"--track_table={folder / 'tracks.csv'}", f"--output={folder / 'out'}"]
    return main([*words, "--overwrite", *flags])


def test_from_the_import_to_the_log(tmp_path, capsys):
    assert imported(tmp_path, "--track_features=tempo,energy") == 0
    log = load(tmp_path / "out", event_columns=())
    assert log.item_numbers == ("tempo", "energy") and log.tracks["tempo"].dtype == pl.Float64
    assert log.numeric_features is not None
    np.testing.assert_array_equal(log.numeric_features, [[120.5, 0.5], [np.nan, np.nan], [90, 0.25]])
    chosen = load(tmp_path / "out", event_columns=(), item_numbers=("energy",))
    assert chosen.item_numbers == ("energy",) and chosen.hash() != log.hash()
    assert load(tmp_path / "out", event_columns=(), item_numbers=()).numeric_features is None
    assert imported(tmp_path, "--track_features=tmpo,energy", plays=f"{PLAYS}u,a,yesterday,1\n") == 2
    assert "no such column (did you mean 'tempo'?)" in capsys.readouterr().err, "before plays are read"
    assert imported(tmp_path, "--track_features=title") == 1
    assert "row 0 (track 'a'): 'A' is no finite number" in capsys.readouterr().err


def test_a_new_recording_is_described_with_numbers(tmp_path):
    assert imported(tmp_path, "--track_features=tempo,energy") == 0
    log = load(tmp_path / "out", event_columns=(), item_columns=("title",))
    (tmp_path / "summary").mkdir()
    LogSummary.of(log, log, tmp_path / "summary").save(log)
    summary = LogSummary.load(tmp_path / "summary")
    about = described(summary, "title=A;energy=0.75")
    np.testing.assert_array_equal(about.numbers, [np.nan, 0.75])
    assert about.unknown == [] and (about.features >= 0).sum() == 1
    np.testing.assert_array_equal(described(summary, "tempo=100").numbers, [100, np.nan])
    sparse = described(summary, {"title": None, "tempo": None, "energy": 0.75})
    np.testing.assert_array_equal(sparse.numbers, [np.nan, 0.75])
    assert sparse.unknown == [] and not (sparse.features >= 0).any()
    listed = described(summary, {"title": ["A", None]})
    assert listed.unknown == [] and (listed.features >= 0).sum() == 1
    with pytest.raises(ValueError, match="tempo='fast' is no number"):
        described(summary, "tempo=fast")
