"""Batches: the same transitions whatever the layout, negatives never heard, any place in the order found again."""

import collections
import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from mu.data.batches.histories import HistoryBatches
from mu.data.batches.listening import ListeningBatches
from mu.data.batches.pairs import PairBatches
from mu.data.loader import loader
from mu.data.logs.interactions import Interactions
from mu.models.sasrec import SASRec
from mu.run.build import track_rows
from mu.tasks.retrieval import Retrieval
from tests.helpers.listening_logs import make_listening
from tests.helpers.tiny_runs import make_log

LOG = make_log()


def histories(**options):
    return HistoryBatches(LOG, **{"window": 6, "rows": 4, "negatives": 3, "sparse": False, "seed": 7, **options})


def pairs(**options):
    return PairBatches(LOG, **{"pairs": 16, "negatives": 3, "sparse": False, "seed": 7, **options})


KINDS = {
    "packed": histories,
    "padded": lambda **options: histories(packed=False, **options),
    "row negatives": lambda **options: histories(negatives_per="row", **options),
    "pairs": pairs,
    "batch negatives": lambda **options: histories(negatives_per="batch", **options),
    "pairs, batch negatives": lambda **options: pairs(negatives_per="batch", **options),
}


def assert_same(first, second):
    assert first.keys() == second.keys()
    for name in first:
        if name in ("ids", "shared"):
            assert_same(first[name], second[name])
        else:
            np.testing.assert_array_equal(first[name], second[name], err_msg=name)


def transitions(batches):
    """A counter of (plays of the window so far, next play) over one epoch."""
    found = collections.Counter()
    for example in range(batches.n_examples):
        batch = batches.batch(np.array([example]), 0)
        items, targets, segments, weights = (batch[k][0] for k in ("items", "targets", "segments", "weights"))
        np.testing.assert_array_equal(weights, segments > 0)
        for t in np.flatnonzero(segments):
            start = np.flatnonzero(segments == segments[t])[0]
            assert batch["positions"][0, t] == (segments == segments[t]).sum() - 1 - (t - start)
            assert (segments[start : t + 1] == segments[t]).all()
            found[tuple(items[start : t + 1]), targets[t]] += 1
    return found


# ---- what a batch holds


def test_packed_and_padded_hold_the_same_transitions():
    """Each (prefix, target) of windows that tile every history from its end, none lost, none twice."""
    expected = collections.Counter()
    for user in range(LOG.n_users):
        plays, stop = LOG.row(user).tolist(), LOG.lengths[user] - 1
        while stop > 0:
            start = max(stop - 6, 0)
            expected.update((tuple(plays[start : t + 1]), plays[t + 1]) for t in range(start, stop))
            stop = start
    packed, padded = histories(), histories(packed=False)
    assert transitions(packed) == transitions(padded) == expected
    assert packed.n_examples < padded.n_examples and packed.fill > padded.fill
    assert sum(expected.values()) == pytest.approx(packed.fill * packed.n_examples * 6)


def test_pairs_hold_every_play_once():
    batches = pairs(negatives=0)
    batch = batches.batch(np.arange(batches.n_examples), 0)
    np.testing.assert_array_equal(batch["targets"], LOG.items)
    np.testing.assert_array_equal(batch["users"], np.repeat(np.arange(LOG.n_users), LOG.lengths))
    assert (batch["weights"] == 1).all() and "negatives" not in batch


# ---- weights


WEIGHTED = dataclasses.replace(LOG, weights=(np.arange(len(LOG)) % 4).astype(np.float32))


@pytest.mark.parametrize("kind", KINDS)
def test_a_transition_has_the_weight_of_the_next_play(kind):
    """The tracks are renamed to the places of the plays, so that which play a target is can be read off it."""
    places = dataclasses.replace(WEIGHTED, items=np.arange(len(LOG), dtype=np.int32), n_items=len(LOG))
    batches = type(KINDS[kind]())(places, **options_of(kind), weights="linear", sparse=False, seed=1)
    batch = batches.batch(np.arange(batches.n_examples), 0)
    filled = batch["segments"] > 0 if "segments" in batch else np.ones(batches.n_examples, bool)
    assert (batch["weights"][~filled] == 0).all()
    weights = places.weights[batch["targets"][filled]]
    np.testing.assert_allclose(batch["weights"][filled], weights / weights[weights > 0].mean(), rtol=1e-6)
    if kind.startswith("pairs"):
        assert (weights > 0).all() and batches.left_out == {"plays of weight 0": (places.weights == 0).sum()}
    else:
        assert batches.left_out["plays of weight 0"] == (weights == 0).sum() > 0
        assert batches.left_out["listeners with one play"] == (LOG.lengths == 1).sum()
        assert batches.left_out["listeners without plays"] == (LOG.lengths == 0).sum() > 0


def test_a_play_of_weight_3_is_learnt_from_like_three_plays():
    """The loss of a weighted log is the one of a log in which each row is there as often as its weight says."""
    times = np.arange(len(LOG)) % 3 + 1
    weighted = dataclasses.replace(LOG, weights=times.astype(np.float32))
    indptr = np.append(0, np.cumsum(times))[LOG.indptr]
    again = {"items": np.repeat(LOG.items, times), "times": np.repeat(LOG.times, times)}
    repeated = dataclasses.replace(LOG, indptr=indptr, weights=np.ones(indptr[-1], np.float32), **again)

    def loss(log, **options):
        batches = PairBatches(log, negatives=0, sparse=False, seed=0, **options)
        batch = batches.batch(np.arange(batches.n_examples), 0)
        each = np.sin(1.0 + batch["users"] * 31 + batch["targets"])
        return (each * batch["weights"]).sum() / batch["weights"].sum()

    assert loss(weighted, weights="linear") == pytest.approx(loss(repeated), rel=1e-6)
    assert loss(weighted, weights="linear") != pytest.approx(loss(weighted), rel=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_negatives_were_never_played_by_the_listener(kind):
    """Every user plays tracks of a residue class of its own, so that whose slot it is can be read off a play."""
    n_users, n_items = 5, 40
    items = np.concatenate([np.arange(user, n_items, n_users) for user in range(n_users)]).astype(np.int32)
    indptr = np.arange(n_users + 1, dtype=np.int64) * (n_items // n_users)
    log = Interactions(indptr, items, np.arange(len(items)), np.ones(len(items), np.float32), n_items)
    batches = type(KINDS[kind]())(log, **options_of(kind), sparse=False, seed=1)
    batch = batches.batch(np.arange(batches.n_examples), 5)
    owner, filled = batch["targets"] % n_users, batch["weights"] > 0
    if kind == "row negatives":
        for row in range(len(owner)):
            heard = set(owner[row][filled[row]])
            assert heard and not heard & set((batch["negatives"][row] % n_users).ravel())
        return
    if kind.endswith("batch negatives"):
        draws, log_q = batch["shared"]["negatives"], batch["shared"]["log_q"]
        candidates = draws % n_users != owner[..., None]  # all that the listener has not played, and these alone
        np.testing.assert_array_equal(batch["candidates"][filled], candidates[filled])
        np.testing.assert_allclose(log_q, np.full(12, -np.log(n_items)), rtol=1e-6)
        return
    assert (batch["negatives"] % n_users != owner[..., None])[filled].all()
    np.testing.assert_allclose(batch["log_q"][filled], -np.log(n_items - n_items // n_users), rtol=1e-6)


def options_of(kind):
    if kind.startswith("pairs"):
        return {"pairs": 8, "negatives": 12, "negatives_per": "batch" if kind.endswith("batch negatives") else "pair"}
    return {
        "window": 12,
        "rows": 2,
        "negatives": 12,
        "packed": kind != "padded",
        "negatives_per": {"row negatives": "row", "batch negatives": "batch"}.get(kind, "position"),
    }


def test_negatives_are_said_to_be_per_position_row_or_batch():
    with pytest.raises(ValueError, match="negatives_per='user'; known: position, row, batch"):
        histories(negatives_per="user")
    with pytest.raises(ValueError, match=r"popular_negatives=0.5 goes with negatives_per='batch', not 'position'"):
        histories(popular_negatives=0.5)
    with pytest.raises(ValueError, match="negatives_per='row'; known: pair, batch"):
        pairs(negatives_per="row")


def test_packed_and_padded_rows_have_the_same_loss():
    """Of one model over one epoch, without dropout: the layout is nobody's business but the clock's."""
    model = SASRec(dim=8, layers=1, heads=2, window=6, scale=1.0, rngs=nnx.Rngs(0))
    rows = {"items": jax.random.normal(jax.random.key(1), (LOG.n_items, 8))}
    task = Retrieval(loss="full_softmax", n_items=LOG.n_items)

    @jax.jit
    def total(batch):
        values, weights = task.loss(model, rows, batch, None)
        return jnp.sum(values * weights), jnp.sum(weights)

    layouts = [histories(packed=packed, negatives=0) for packed in (True, False)]
    packed, padded = (total(batches.batch(np.arange(batches.n_examples), 0)) for batches in layouts)
    np.testing.assert_allclose(packed, padded, rtol=1e-5)
    assert float(packed[1]) == np.maximum(LOG.lengths - 1, 0).sum()


# ---- ids local to a batch


@pytest.mark.parametrize("kind", KINDS)
def test_local_ids_lead_back_to_the_ids_of_the_log(kind):
    whole, local = KINDS[kind](), KINDS[kind](sparse=True)
    rows = np.arange(whole.batch_size)
    expected, found = whole.batch(rows, 3), local.batch(rows, 3)
    filled = expected["weights"] > 0
    for space, size in (("items", LOG.n_items), ("users", LOG.n_users)):
        if space not in found["ids"]:
            continue
        ids = found["ids"][space]
        assert ids.dtype == np.int32 and (np.diff(ids) > 0).all()
        names = ("users",) if space == "users" else ("items", "targets", "negatives")
        used = set()
        whole_arrays, local_arrays = ({**batch, **batch.get("shared", {})} for batch in (expected, found))
        for name in (name for name in names if name in whole_arrays):
            back, original = ids[local_arrays[name]], whole_arrays[name]
            where = filled if original.shape[:2] == filled.shape[:2] else slice(None)
            np.testing.assert_array_equal(back[where], original[where])
            used |= set(original[where].ravel().tolist())
        assert used == set(ids[ids < size].tolist())  # what is not in the batch is not named: track 0 neither


@pytest.mark.parametrize("kind", KINDS)
def test_shapes_are_the_same_in_every_batch(kind):
    """Else every batch would compile a step of its own."""
    batches = KINDS[kind](sparse=True)
    shapes = set()
    for step in range(3):
        batch = batches.batch(np.arange(step, step + batches.batch_size), step)
        shapes.add(tuple((str(path), a.shape, a.dtype) for path, a in jax.tree.leaves_with_path(batch)))
    assert len(shapes) == 1


# ---- inputs at inference


def test_inputs_are_the_last_plays_from_the_left():
    plays = [[], [5], list(range(10, 16)), list(range(20, 30))]
    log = Interactions(
        np.cumsum([0, *map(len, plays)]).astype(np.int64),
        np.concatenate(plays).astype(np.int32),
        np.arange(17),
        np.ones(17, np.float32),
        LOG.n_items,
    )
    found = histories().features.inputs(np.arange(4), log)
    np.testing.assert_array_equal(
        found["items"],
        [[0] * 6, [5, 0, 0, 0, 0, 0], [10, 11, 12, 13, 14, 15], [24, 25, 26, 27, 28, 29]],
    )
    np.testing.assert_array_equal(found["last"], [-1, 0, 5, 5])
    np.testing.assert_array_equal(found["segments"].sum(1), [0, 1, 6, 6])
    np.testing.assert_array_equal(found["positions"][1:, 0], [0, 5, 5])
    np.testing.assert_array_equal(found["positions"][3], np.arange(6)[::-1])
    assert {array.dtype for array in found.values()} == {np.dtype(np.int32)}
    np.testing.assert_array_equal(pairs().features.inputs(np.array([3, 1]), log)["users"], [3, 1])


# ---- the order


@pytest.mark.parametrize("kind", KINDS)
def test_a_loader_put_back_goes_on_with_the_same_batches(kind):
    batches = KINDS[kind](sparse=True)
    reference = loader(batches, seed=3)
    expected, states = [], []
    for _ in range(2 * batches.n_examples // batches.batch_size + 3):  # past two ends of the epoch
        states.append(reference.get_state())
        expected.append(next(reference))
    for start in (0, 1, len(expected) // 2, len(expected) - 2):
        again = loader(batches, seed=3)
        again.set_state(states[start])
        for batch in expected[start : start + 2]:
            assert_same(next(again), batch)


@pytest.mark.parametrize("kind", KINDS)
def test_batches_depend_on_seed_and_step_only(kind):
    """Not on threads, prefetching or who asked before; another seed gives another order."""
    first = loader(KINDS[kind](threads=1), seed=3, prefetch=1)
    second = loader(KINDS[kind](threads=3), seed=3, prefetch=8)
    other = loader(KINDS[kind](), seed=4)
    differ = False
    for _ in range(6):
        batch = next(first)
        assert_same(batch, next(second))
        differ |= not np.array_equal(batch["targets"], next(other)["targets"])
    assert differ


def test_the_seed_of_the_draws_changes_the_draws():
    rows = np.arange(4)
    same, other = histories().batch(rows, 0), histories(seed=8).batch(rows, 0)
    np.testing.assert_array_equal(same["targets"], other["targets"])
    assert (same["negatives"] != other["negatives"]).any()
    assert (same["negatives"] != histories().batch(rows, 1)["negatives"]).any()


def test_an_epoch_holds_every_example_once():
    batches = histories(rows=1, negatives=0)
    order = loader(batches, seed=0)
    for _epoch in range(2):
        seen = collections.Counter(next(order)["targets"].tobytes() for _ in range(batches.n_examples))
        every = (batches.batch(np.array([row]), 0)["targets"].tobytes() for row in range(batches.n_examples))
        assert seen == collections.Counter(every)


def test_a_log_smaller_than_a_batch_is_refused():
    with pytest.raises(ValueError, match="fewer than one batch of 1000: set a smaller batch"):
        loader(histories(rows=1000), seed=0)


def test_features_that_no_played_track_has_are_no_negatives():
    """Tracks 15 to 19 are out and not played, and 16 to 19 have an artist of their own, word 5."""
    log = dataclasses.replace(make_listening(sound=False), item_columns=("artist",))
    options = {"negatives": 3, "threads": 1, "sparse": False, "seed": 0}
    told, plain = (HistoryBatches(log, track_features=on, **options).features for on in (True, False))
    assert log.counts()[15:].sum() == 0 and (log.released_ms[15:] <= log.end_ms).all()
    rows = track_rows(log, told)
    np.testing.assert_array_equal(rows["item_features"][:16], log.item_features[:16])
    np.testing.assert_array_equal(rows["item_features"][16:], [[-1, 50]] * 4)
    np.testing.assert_array_equal(track_rows(log, plain)["item_features"], log.item_features)
    listening = ListeningBatches(log, sparse=False, seed=0).features
    np.testing.assert_array_equal(track_rows(log, listening)["item_features"], log.item_features)
