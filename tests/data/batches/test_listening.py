"""Batches of plays and sound: what they hold is what the log says; draws are a function of seed and step."""

import dataclasses

import numpy as np
import pytest

from mu.baselines.pctm import PCTM
from mu.data.batches.listening import ListeningBatches
from mu.data.evidence_features import EvidenceFeatures
from mu.data.features import TIME_DELTAS, time_deltas
from mu.data.listening.listening import DAY_MS, OLD_DAYS
from mu.histories import TrackHistories
from tests.helpers.listening_logs import RATE_HZ, Tones, make_listening
from tests.helpers.small_logs import log_of


def make_batches(log=None, **options):
    settings = {"window": 6, "rows": 4, "negatives": 5, "clips": 6, "crop_s": 0.25, "sparse": False, "seed": 3}
    return ListeningBatches(log or make_listening(), **(settings | options))


def test_a_batch_says_what_the_log_says():
    log = make_listening()
    batches = make_batches(log)
    batch = batches.batch(np.arange(batches.n_examples)[-4:], 0)
    held = batch["segments"] > 0
    assert held.any() and not held.all()
    users = {tuple(profile): user for user, profile in enumerate(log.user_features)}
    for row, column in np.argwhere(held):
        user = users[tuple(batch["user_features"][row, column])]
        low, high = log.indptr[user], log.indptr[user + 1]
        # A play a day: the time of the target names it.
        after = low + int(np.flatnonzero(log.days(log.times[low:high]) == batch["days"][row, column])[0])
        at = after - 1
        assert batch["items"][row, column] == log.items[at]
        assert batch["targets"][row, column] == log.items[after]
        assert log.outcomes is not None
        assert batch["outcomes"][row, column] == log.outcomes[at]
        assert batch["next_outcomes"][row, column] == log.outcomes[after]
        assert batch["event_columns"][row, column, 0] == log.columns["context"][at] + 1
        assert batch["time_deltas"][row, column] == (0 if at == low else 1 + int(np.log2(1 + 24 * 3600)))
    assert (batch["weights"] == held).all()


def test_counts_of_targets_and_candidates_leave_out_what_the_listener_plays_later():
    """Of targets further ahead too, and of candidates that the listener plays later."""
    log = make_listening()
    batches = make_batches(log, horizon=3, clips=0, evidence=PCTM(tau=20.0), in_batch=7)
    plain = make_batches(log, horizon=3, clips=0).batch(np.arange(4), 2)
    batch = batches.batch(np.arange(4), 2)
    assert all(np.array_equal(batch[name], array) for name, array in plain.items())
    every, users = -(-batch["targets"].size // 7), {tuple(profile): u for u, profile in enumerate(log.user_features)}
    mean = np.log(log.counts()[log.counts() > 0] + 1).mean()
    ahead = later = 0
    for row, column in np.argwhere(batch["segments"] > 0):
        user = users[tuple(batch["user_features"][row, column])]
        played = log.row(user)
        # A listener plays a track once.
        at, target = list(played).index(batch["items"][row, column]), batch["targets"][row, column]
        rows = [log.row(u) if u != user else played[: at + 1] for u in range(log.n_users)]
        twin = PCTM(tau=20.0, popularity_weight=0.0).fit(log_of(rows, log.n_items))
        sums = twin.sparse_queries(np.zeros(1, np.int64), log_of([played[: at + 1]], log.n_items))
        evidence = sums.dense_sums(twin.sparse_rows)[0].astype(np.float32)
        counts = np.bincount(np.concatenate(rows), minlength=log.n_items)
        popularity = np.where(counts > 0, np.log(counts + 1) - mean, 0)
        candidates = np.concatenate([batch["negatives"][row, 0], batch["targets"].ravel()[::every]])
        np.testing.assert_array_equal(batch["target_evidence"][row, column], evidence[target])
        np.testing.assert_array_equal(batch["negative_evidence"][row, column], evidence[candidates])
        np.testing.assert_allclose(batch["target_popularity"][row, column], popularity[target], atol=1e-6)
        np.testing.assert_allclose(batch["negative_popularity"][row, column], popularity[candidates], atol=1e-6)
        ahead += played[at + 1] != target
        later += np.isin(candidates, played[at + 1 :]).sum()
    assert ahead > 5 and later > 20 and isinstance(batches.features, EvidenceFeatures)


def test_a_play_has_the_weight_of_its_target():
    log = make_listening()
    log = dataclasses.replace(log, weights=(1 + np.arange(len(log)) % 3).astype(np.float32))
    batches = make_batches(log, weights="linear", clips=0)
    batch = batches.batch(np.arange(batches.n_examples), 0)
    held = batch["segments"] > 0
    assert (batch["weights"][~held] == 0).all() and batch["weights"][held].mean() == pytest.approx(1)
    users = {tuple(profile): user for user, profile in enumerate(log.user_features)}
    factors = set()
    for row, column in np.argwhere(held):
        low, high = log.indptr[(user := users[tuple(batch["user_features"][row, column])]) : user + 2]
        target = low + int(np.flatnonzero(log.days(log.times[low:high]) == batch["days"][row, column])[0])
        factors.add(round(float(batch["weights"][row, column] / log.weights[target]), 5))
    assert len(factors) == 1


@pytest.mark.parametrize("horizon", [1, 3, 100])
def test_targets_lie_within_the_horizon(horizon):
    log = make_listening(longest=30)
    batches = make_batches(log, window=40, horizon=horizon)
    ahead = set()
    for step in range(20):
        batch = batches.batch(np.arange(4), step)
        row, column = np.nonzero(batch["segments"])
        distance = (batch["targets"] - batch["items"])[row, column] % 15
        left = batch["positions"][row, column] + 1
        assert (((distance - 1) % 15 + 1 <= np.minimum(left, horizon)) | (left >= 15)).all()
        ahead |= set(distance.tolist())
    assert len(ahead) == min(horizon, 15)


def test_what_is_heard_is_played_and_audible():
    log = make_listening()
    batches = make_batches(log, clips=4)
    for step in range(10):
        batch = batches.batch(np.arange(4), step)
        heard = batch["clip_items"]
        assert len(set(heard.tolist())) == 4 and 3 not in heard  # track 3 is silent
        assert set(heard) <= set(batch["targets"][batch["segments"] > 0].tolist())
        np.testing.assert_array_equal(batch["tags"], log.tags[heard])
        assert batch["audio"].shape == (4, 1, RATE_HZ // 4) and (batch["samples"] == RATE_HZ // 4).all()
        for place, track in enumerate(heard):
            spectrum = np.abs(np.fft.rfft(batch["audio"][place, 0]))
            assert abs(spectrum.argmax() * 4 - (200 + 40 * track)) <= 4


def test_other_tracks_are_heard_at_the_stated_rates():
    log = make_listening()
    batches = make_batches(log, clips=8, clips_of_plays=0.5, clips_every=3, crops=2)
    for step in range(9):
        batch = batches.batch(np.arange(4), step)
        assert ("audio" in batch) == (step % 3 == 0)
        if "audio" in batch:
            assert batch["audio"].shape == (8, 2, RATE_HZ // 4)
            assert len(set(batch["clip_items"].tolist())) == 8
            assert set(batch["clip_items"][:4]) <= set(batch["targets"][batch["segments"] > 0].tolist())
    never_played = {int(track) for step in range(0, 30, 3) for track in batches.batch(np.arange(4), step)["clip_items"]}
    assert never_played & set(range(15, 20))


def test_tracks_beside_those_played_are_drawn_evenly():
    """All 19 that are out and have audio, when six of a batch's clips are any tracks."""
    batches = make_batches(clips=6, clips_of_plays=0.0)
    heard = np.concatenate([batches.batch(np.arange(4), step)["clip_items"] for step in range(400)])
    counts = np.bincount(heard, minlength=20)
    out = np.arange(20) != 3
    out[15:] = (make_listening().released_ms <= make_listening().end_ms)[15:]
    assert not counts[~out].any()
    expected = 400 * 6 / out.sum()
    assert np.abs(counts[out] - expected).max() < 5 * np.sqrt(expected)


def test_draws_are_a_function_of_seed_and_step():
    first, again, other, seed = (
        make_batches(seed=s, horizon=5, threads=threads).batch(np.arange(4), step)
        for s, step, threads in ((3, 7, 1), (3, 7, 2), (3, 8, 1), (4, 7, 1))
    )
    for name, array in first.items():
        np.testing.assert_array_equal(array, again[name])
    for name in ("targets", "negatives", "audio"):
        assert not np.array_equal(first[name], other[name]) and not np.array_equal(first[name], seed[name])


def test_local_ids_name_the_same_tracks():
    whole, local = (make_batches(sparse=sparse).batch(np.arange(4), 0) for sparse in (False, True))
    ids = local["ids"]["items"]
    held = whole["segments"] > 0
    np.testing.assert_array_equal(ids[local["items"]][held], whole["items"][held])
    for name in ("negatives", "clip_items"):
        np.testing.assert_array_equal(ids[local[name]], whole[name])


def test_inputs_end_with_the_latest_play_and_know_those_without():
    log = make_listening()
    batches = make_batches(log)
    users = np.array([2, 5])
    histories = log.take(users).where(np.repeat([True, False], log.lengths[users]))
    found = batches.features.inputs(users, histories)
    assert found["last"].tolist() == [min(log.lengths[2], 6) - 1, -1]
    latest = slice(log.indptr[3] - (found["last"][0] + 1), log.indptr[3])
    filled = found["segments"][0] > 0
    np.testing.assert_array_equal(found["items"][0, filled], log.items[latest])
    assert log.outcomes is not None
    np.testing.assert_array_equal(found["outcomes"][0, filled], log.outcomes[latest])
    np.testing.assert_array_equal(found["event_columns"][0, filled, 0], log.columns["context"][latest] + 1)
    assert not found["segments"][1].any() and not found["event_columns"][1].any()
    np.testing.assert_array_equal(found["user_features"][1, 0], log.user_features[5])


def test_of_somebody_whom_the_log_does_not_know_nothing_is_known_but_the_tracks():
    log = make_listening()
    found = make_batches(log).features.inputs(np.array([-1]), TrackHistories.of(np.array([7, 3, 7])))
    assert found["items"][0, :3].tolist() == [7, 3, 7] and found["last"].tolist() == [2]
    assert (found["user_features"] == -1).all() and found["user_features"].shape == (1, 6, 2)
    for name in ("time_deltas", "outcomes", "event_columns"):
        assert not found[name].any()
    known = make_batches(log).features.inputs(np.array([0]), log.take(np.array([0])))
    assert (known["user_features"] == log.user_features[0]).all() and known["time_deltas"].any()
    nobody = TrackHistories.of(np.zeros(0, np.int32))
    assert make_batches(log).features.inputs(np.array([-1]), nobody)["last"].tolist() == [-1]


def test_pauses_are_told_apart_by_powers_of_two():
    seconds = np.array([0, 0.5, 1, 3, 100, 1e9])
    times = (1000 * np.cumsum(np.concatenate([[5], seconds]))).astype(np.int64)
    first = np.repeat([0, 4], [4, len(times) - 4])
    found = time_deltas(times, np.arange(len(times)), first)
    assert found.tolist() == [0, 1, 1, 2, 0, 7, TIME_DELTAS - 1]


def test_a_log_without_sound_has_no_crops():
    batch = make_batches(make_listening(sound=False)).batch(np.arange(4), 0)
    assert "audio" not in batch and "clip_items" not in batch


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"clips": 20}, "19 tracks that are out have audio"),
        ({"horizon": 0}, "horizon=0"),
        ({"clips_of_plays": 1.5}, "clips_of_plays=1.5"),
        ({"crop_s": 0.0}, "crop_s=0.0"),
        ({"crop_s": 60.0}, "crop_s=60.0 is more than twice the longest recording"),
    ],
)
def test_refuses(options, message):
    with pytest.raises(ValueError, match=message):
        make_batches(**options)


def test_parts_of_a_log_keep_what_is_known_of_it():
    log = make_listening()
    users = np.array([4, 1])
    part = log.take(users)
    np.testing.assert_array_equal(part.user_features, log.user_features[users])
    assert part.sound is log.sound and part.item_features is log.item_features
    assert log.where(np.arange(len(log)) % 2 == 0).track_rows()["plays"].sum() == (len(log) + 1) // 2


def test_what_is_told_of_tracks_is_as_of_the_last_play():
    log = make_listening()
    rows = log.track_rows()
    np.testing.assert_array_equal(rows["plays"][:, 0], np.bincount(log.items, minlength=20))
    expected = (log.end_ms - log.released_ms[15:]) / DAY_MS
    np.testing.assert_allclose(rows["age_days"][15:, 0], expected)
    assert (rows["age_days"][:15] == OLD_DAYS).all()
    log.released_ms[0] = -20 * 365 * DAY_MS  # a record of 1950 has an age, like any other
    np.testing.assert_allclose(log.track_rows()["age_days"][0, 0], (log.end_ms - log.released_ms[0]) / DAY_MS)
    assert "dates of release of 6 tracks" in repr(log)


def test_other_sound_other_words_or_other_tags_are_other_data():
    log = make_listening()
    same = make_listening()
    assert log.hash() == same.hash()
    changed = [
        dataclasses.replace(log, sound=Tones(20, silent=(4,))),
        dataclasses.replace(log, item_features=log.item_features + 1),
        dataclasses.replace(log, tags=1 - log.tags),
        dataclasses.replace(log, released_ms=log.released_ms + 1),
        make_listening(sound=False),
    ]
    assert len({log.hash(), *(other.hash() for other in changed)}) == 6


def test_reprs_say_what_is_heard():
    log = make_listening()
    assert repr(log).endswith(
        "outcomes, context,\n  sound of 19 tracks at 8,000 Hz, 2 tags, dates of release of 5 tracks)"
    )
    silent = make_listening(sound=False)
    assert "no sound, 2 tags" in repr(silent)
    assert "4 rows of 6 plays" in repr(make_batches(log)) and "5 negatives" in repr(make_batches(log))
    assert "6 x 2 crops of 0.25 s in one batch in 3" in repr(make_batches(log, clips_every=3, crops=2))
    assert "6 x 1 crops of 0.25 s in each batch" in repr(make_batches(log))
    assert repr(make_batches(silent)).endswith("no sound)")
