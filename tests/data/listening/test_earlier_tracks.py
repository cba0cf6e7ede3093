"""Earlier tracks of an artist: a slow twin, and rows that a batch names by its own ids."""

import dataclasses

import numpy as np
import polars as pl
import pytest

from mu.data.batches.listening import ListeningBatches
from mu.data.listening.earlier_tracks import codes_of, earlier_tracks
from tests.helpers.listening_logs import DAY_MS, START_MS, make_listening


def test_they_are_those_of_a_plain_loop():
    random = np.random.default_rng(0)
    artists = random.integers(-1, 6, 80).astype(np.int32)
    released, played = random.integers(-3, 9, 80), random.random(80) < 0.7  # -1 is no date, -2 one before 1970
    found = earlier_tracks(artists, released, played, 3)
    for track in range(80):
        others = [v for v in range(80) if artists[v] == artists[track] >= 0 and released[v] < released[track]]
        others = [] if released[track] == -1 else [v for v in others if released[v] != -1]
        others = sorted((v for v in others if played[v]), key=lambda v: (released[v], v))[::-1][:3]
        # Of tracks of one date any may come first.
        assert [released[v] for v in found[track] if v >= 0] == [released[v] for v in others]
        assert set(found[track][found[track] >= 0]) <= {v for v in range(80) if played[v]}
        assert len(set(found[track][found[track] >= 0])) == len(others)
    assert (found >= 0).any() and (found[:, -1] >= 0).any() and (found[:, 0] < 0).any()


def test_no_track_played_means_no_earlier_one():
    assert (earlier_tracks(np.zeros(4, np.int32), np.arange(4), np.zeros(4, bool), 2) == -1).all()


def test_artists_without_a_name_are_none():
    table = pl.DataFrame({"artist": ["b", "", None, " b ", "a"]})
    codes = codes_of(table, "artist")
    assert codes[1] == codes[2] == -1 and codes[0] == codes[3] != codes[4] >= 0
    with pytest.raises(ValueError, match="no column"):
        codes_of(table, "artists")


def make_log(**options):
    """Two artists of ten tracks; a track came out each day, the last five during the log."""
    log = make_listening(**options)
    artists, released_ms = (np.arange(20) // 10).astype(np.int32), START_MS + (np.arange(20) - 15) * DAY_MS
    return dataclasses.replace(log, artists=artists, released_ms=released_ms, earlier_tracks=3)


def test_a_batch_names_them_by_its_own_ids():
    """The catalogue is larger than a batch: some tracks are in it as earlier ones alone."""
    log = make_log(longest=6)
    settings = {"window": 3, "rows": 1, "negatives": 3, "clips": 0, "seed": 0}
    whole = ListeningBatches(log, sparse=False, **settings).batch(np.arange(1), 0)
    local = ListeningBatches(log, sparse=True, **settings).batch(np.arange(1), 0)
    ids, earlier = local["ids"]["items"], local["shared"]["earlier"]
    assert earlier.shape == (len(ids), 3) and (log.track_rows()["earlier"] == log.earlier).all()
    back = np.where(earlier < 0, -1, ids[np.maximum(earlier, 0)])
    own = np.unique(np.concatenate([whole[name].reshape(-1) for name in ("items", "targets", "negatives")]))
    rows = np.searchsorted(ids, own)
    np.testing.assert_array_equal(ids[rows], own)
    np.testing.assert_array_equal(back[rows], log.earlier[own])
    assert (log.earlier[own] >= 0).any()
    assert (back[ids >= log.n_items] == -1).all() and "related" not in local
    for name in ("items", "targets", "negatives"):
        np.testing.assert_array_equal(ids[local[name]], whole[name])
