"""Evidence of counts at places of the training log: that of a log without the listener's later plays, bit for bit."""

import dataclasses

import numpy as np
import polars as pl
import pytest

from mu.baselines.pctm import PCTM
from mu.data.batches.histories import HistoryBatches
from mu.data.evidence_features import EvidenceFeatures
from mu.data.features import HistoryFeatures
from mu.data.logs.interactions import Interactions
from mu_kernels import later_plays
from tests.helpers.small_logs import log_of

V = 12
WORDS = pl.DataFrame({"track": [f"t{v}" for v in range(V)], "artist": [f"a{v % 3}" for v in range(V)]})
MODELS = {"pctm": {}, "two plays apart": {"window": 2, "history_length": 3}, "alike": {"attributes": ("artist",)}}


def make(seed=0, repeats=True):
    """Listeners who play tracks 0 to 9, some of them again and again; the last plays each of these once."""
    random = np.random.default_rng(seed)
    rows = [random.permutation(10)[: random.integers(2, 9)].tolist() for _ in range(12)]
    rows += [random.integers(0, 4, 14).tolist() for _ in range(3)] if repeats else []
    log = log_of([*rows, list(range(10))], V)
    vars(log)["tracks"] = WORDS  # where `Interactions.tracks` keeps its table
    return log


def without_later(log, user, place):
    """The log without what a listener plays after `place`, and the history up to there."""
    rows = [log.row(u) for u in range(log.n_users)]
    rows[user] = rows[user][: place - log.indptr[user] + 1]
    shorter = log_of(rows, V)
    vars(shorter)["tracks"] = WORDS
    return shorter, log_of([rows[user]], V)


def places_of(log):
    """int64 [1, n]: every play that another follows."""
    return np.setdiff1d(np.arange(len(log)), log.indptr[1:] - 1)[None]


@pytest.mark.parametrize("options", MODELS.values(), ids=MODELS)
def test_evidence_for_the_next_play_is_that_of_a_log_without_the_later_plays(options):
    log = make()
    places = places_of(log)
    everything = np.arange(V, dtype=np.int32)[None, None]
    evidence = PCTM(**options).fit(log).training_evidence()
    arrays = evidence.at(places, log.items[places + 1], everything, played_later=True)
    mean = np.log(log.counts()[:10] + 1).mean()
    whole = PCTM(**options, popularity_weight=0.0).fit(log)
    differs = 0
    for t, place in enumerate(places[0]):
        user = int(np.searchsorted(log.indptr, place, side="right")) - 1
        shorter, history = without_later(log, user, place)
        twin = PCTM(**options, popularity_weight=0.0).fit(shorter)
        sums = twin.sparse_queries(np.zeros(1, np.int64), history).dense_sums(twin.sparse_rows)[0].astype(np.float32)
        target = log.items[place + 1]
        assert arrays["target_evidence"][0, t] == sums[target]
        np.testing.assert_array_equal(arrays["negative_evidence"][0, t], sums)
        counts = shorter.counts()
        popularity = np.where(counts > 0, np.log(counts + 1) - mean, 0)
        np.testing.assert_allclose(arrays["target_popularity"][0, t], popularity[target], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(arrays["negative_popularity"][0, t], popularity, rtol=1e-5, atol=1e-6)
        told = whole.sparse_queries(np.zeros(1, np.int64), history).dense_sums(whole.sparse_rows)[0]
        differs += told[target] > sums[target] + 1e-6
    assert differs > len(places[0]) / 2  # what a whole count would have told of the target


def test_a_track_that_nobody_else_plays_has_no_evidence():
    log = log_of([[0, 1, 2, 11, 3], [0, 1, 2, 3], [3, 2, 1, 0]], V)
    arrays = PCTM().fit(log).training_evidence().at(np.array([[2]]), log.items[[[3]]], np.array([[[10]]], np.int32))
    assert arrays["target_evidence"][0, 0] == arrays["negative_evidence"][0, 0, 0] == 0
    # A track that is played here alone is as popular as one that is played nowhere: nothing is known of either.
    assert arrays["target_popularity"][0, 0] == arrays["negative_popularity"][0, 0, 0] == 0


@pytest.mark.parametrize("per", ["position", "row", "batch"])
def test_batches_have_the_evidence_of_their_targets_and_negatives(per):
    log = make()
    evidence = PCTM().fit(log).training_evidence()
    batches = HistoryBatches(
        log,
        window=5,
        rows=3,
        negatives=4,
        negatives_per=per,
        evidence=PCTM(),
        sparse=False,
        seed=0,
        packed=per != "row",
    )
    batch = batches.batch(np.arange(3), 2)
    batch |= batch.pop("shared", {})
    for b, t in zip(*np.nonzero(batch["weights"]), strict=True):
        # The place is found by the plays of the window, which may be those of several listeners.
        segment = np.flatnonzero(batch["segments"][b] == batch["segments"][b, t])
        window = [*batch["items"][b, segment], batch["targets"][b, segment[-1]]]
        users = np.searchsorted(log.indptr, np.arange(len(log)), side="right")
        ends = range(len(window) - 1, len(log))
        starts = [end - len(window) + 1 for end in ends if users[end - len(window) + 1] == users[end]]
        starts = [start for start in starts if log.items[start : start + len(window)].tolist() == window]
        places = np.array([[s + t - segment[0]] for s in starts])
        negatives = np.broadcast_to(batch["negatives"], (*batch["weights"].shape, 4))[b, t]
        popularity = np.broadcast_to(batch["negative_popularity"], (*batch["weights"].shape, 4))[b, t]
        expected = evidence.at(places, log.items[places + 1], negatives[None, None])
        assert any(
            np.array_equal(batch["negative_evidence"][b, t], expected["negative_evidence"][n, 0])
            and batch["target_evidence"][b, t] == expected["target_evidence"][n, 0]
            and batch["target_popularity"][b, t] == expected["target_popularity"][n, 0]
            for n in range(len(places))
        )
        np.testing.assert_array_equal(popularity, expected["negative_popularity"][0, 0])
    assert (batch["target_evidence"][batch["weights"] == 0] == 0).all() and batch["target_evidence"].any()


def test_threads_do_not_change_bits():
    log = make(seed=3)
    evidence = PCTM().fit(log).training_evidence()
    places = places_of(log)[0]
    places = np.resize(places, (16, 7))
    candidates = np.random.default_rng(0).integers(0, V, (16, 7, 5)).astype(np.int32)
    targets = log.items[places + 1]
    one, four = (evidence.at(places, targets, candidates, played_later=True, threads=n) for n in (1, 4))
    for name, array in one.items():
        np.testing.assert_array_equal(array, four[name])


@pytest.mark.parametrize("options", MODELS.values(), ids=MODELS)
def test_features_give_the_evidence_of_whole_histories_and_are_read_again(options, tmp_path):
    log = make()
    model = PCTM(**options).fit(log)
    features = model.training_evidence().features(HistoryFeatures(window=7))
    histories = log_of([[], [1, 2, 1], list(range(10)) * 6, [11]], V)
    expected = model.sparse_queries(np.zeros(4, np.int64), histories).dense_sums(model.sparse_rows)
    np.testing.assert_array_equal(features.evidence(histories), expected.astype(np.float32))
    assert not features.evidence(histories)[0].any()
    features.save(tmp_path)
    again = EvidenceFeatures.load(tmp_path)
    assert again.window == 7 and not again.model_inputs
    np.testing.assert_array_equal(again.evidence(histories), features.evidence(histories))
    np.testing.assert_array_equal(again.popularity, features.popularity)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"successors": 3}, "successors=3: evidence leaves"),
        ({"distance": "sessions"}, "distance='sessions'"),
        ({"history_length": None}, "history_length=None"),
    ],
)
def test_options_whose_evidence_cannot_be_taken_out_again_are_refused(options, words):
    log = make()
    log = dataclasses.replace(log, card={"time_unit": "ms"})
    with pytest.raises(ValueError, match=words):
        PCTM(**options).fit(log).training_evidence()


def test_an_item_outside_the_catalogue_is_named():
    log = make()
    evidence = PCTM().fit(log).training_evidence()
    first, nothing = log.indptr[3:4, None], np.zeros((1, 1, 1), np.int32)
    log.items[first[0, 0] + 1] = V
    words = rf"items\[{first[0, 0] + 1}\] is {V}; items lie in \[0, {V}\)"
    with pytest.raises(ValueError, match=words):
        evidence.at(first, nothing[0], nothing)
    with pytest.raises(ValueError, match=words):
        later_plays(first, nothing, log.indptr, log.items, V)


def test_arrays_of_other_shapes_and_batches_without_negatives_are_refused():
    log: Interactions = make()
    evidence, nothing = PCTM().fit(log).training_evidence(), np.zeros((1, 1, 1), np.int32)
    with pytest.raises(ValueError, match=r"targets has shape \(1, 2\)"):
        evidence.at(log.indptr[:1, None], np.zeros((1, 2), np.int32), nothing)
    with pytest.raises(ValueError, match=r"candidates has shape \(2, 1, 1\); B is 1"):
        evidence.at(log.indptr[:1, None], nothing[0], np.zeros((2, 1, 1), np.int32))
    with pytest.raises(ValueError, match="set negatives, at least 1"):
        HistoryBatches(log, negatives=0, evidence=PCTM(), sparse=False, seed=0)
