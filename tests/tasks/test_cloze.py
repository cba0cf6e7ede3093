"""Cloze: what is hidden, that it is not seen, its loss, and the hidden play that inference appends."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from mu import losses
from mu.data.batches.histories import HistoryBatches
from mu.models.sasrec import SASRec
from mu.tasks.cloze import Cloze
from mu.tasks.retrieval import Retrieval
from tests.helpers.tiny_runs import N_TRACKS, make_log

T = 6
LOG = make_log()
BATCHES = HistoryBatches(LOG, window=T, rows=8, negatives=3, threads=1, sparse=False, seed=0)
BATCH = BATCHES.batch(np.arange(BATCHES.n_examples), 0)
OPTIONS = {"dim": 8, "layers": 1, "heads": 2, "window": T, "dropout": 0.0}
MODEL = SASRec(**OPTIONS, attention="bidirectional", scale=1.0, rngs=nnx.Rngs(0))
ROWS = {"items": jax.random.normal(jax.random.key(1), (N_TRACKS, 8))}
KEY = jax.random.key(2)


def cloze(**options):
    return Cloze(**{"loss": "sampled_softmax", "n_items": N_TRACKS, **options})


class Recording:
    """A model that keeps the batch that it was called with."""

    def __call__(self, rows, batch, key=None):
        self.batch = batch
        return MODEL(rows, batch, key)

    item_vectors = staticmethod(MODEL.item_vectors)


def hidden_in(task, key=KEY):
    model = Recording()
    _, weights = task.loss(model, ROWS, BATCH, key)
    return np.asarray(model.batch["hidden"]), np.asarray(weights)


def test_a_share_of_the_plays_is_hidden_and_counts():
    hidden, weights = hidden_in(cloze(share=0.3, last=0.0))
    filled = BATCH["segments"] > 0
    assert not hidden[~filled].any() and hidden[filled].mean() == pytest.approx(0.3, abs=0.06)
    np.testing.assert_array_equal(weights, BATCH["weights"] * hidden)
    np.testing.assert_array_equal(hidden_in(cloze(share=0.3, last=0.0))[0], hidden)
    assert (hidden_in(cloze(share=0.3, last=0.0), jax.random.key(3))[0] != hidden).any()


def test_the_latest_play_is_hidden_alone_in_some_histories():
    latest = (BATCH["positions"] == 0) & (BATCH["segments"] > 0)
    np.testing.assert_array_equal(hidden_in(cloze(last=1.0))[0], latest)
    hidden, _ = hidden_in(cloze(share=1e-6, last=0.4))
    assert not hidden[~latest].any() and hidden[latest].mean() == pytest.approx(0.4, abs=0.12)
    assert any(len(set(row[other])) == 2 for row, other in zip(hidden, latest, strict=True))  # not alike in a row


def test_the_loss_is_that_of_the_hidden_plays_of_the_targets():
    task, model = cloze(loss="bpr"), Recording()
    values, weights = task.loss(model, ROWS, BATCH, KEY)
    queries = MODEL(ROWS, {**BATCH, "items": BATCH["targets"], "hidden": model.batch["hidden"]})["queries"]
    rows, counted = np.asarray(ROWS["items"]), np.asarray(weights) > 0
    positive = (queries * rows[BATCH["targets"]]).sum(-1)
    negative = jnp.einsum("btd,btkd->btk", queries, rows[BATCH["negatives"]])
    assert counted.any()
    np.testing.assert_allclose(values[counted], losses.bpr(positive, negative)[counted], rtol=1e-4, atol=1e-4)


def test_what_is_hidden_is_not_seen():
    inputs = {**BATCH, "items": BATCH["targets"], "hidden": (BATCH["positions"] == 1) & (BATCH["segments"] > 0)}
    other = {**inputs, "items": np.where(inputs["hidden"], (inputs["items"] + 1) % N_TRACKS, inputs["items"])}
    first, second = (MODEL(ROWS, one)["queries"] for one in (inputs, other))
    np.testing.assert_array_equal(first, second)
    beside = {**inputs, "items": (inputs["items"] + 1) % N_TRACKS}
    assert not np.allclose(MODEL(ROWS, beside)["queries"], first, atol=1e-2)


@pytest.mark.parametrize("plays", [1, 3, T - 1, T, T + 4])
def test_inference_appends_a_hidden_play(plays):
    """A full window forgets its oldest play; what lies behind the history changes nothing."""
    user = int(np.flatnonzero(LOG.lengths >= plays)[0])
    history = LOG.take(np.array([user])).items[:plays]
    known = history[-(T - 1) :]
    n = len(known) + 1
    alone = {
        "items": np.append(known, 0)[None].astype(np.int32),
        "positions": np.arange(n, dtype=np.int32)[None, ::-1],
        "segments": np.ones((1, n), np.int32),
        "hidden": (np.arange(n) == n - 1)[None],
    }
    expected = MODEL(ROWS, alone)["queries"][0, -1]
    log = LOG.take(np.array([user]))
    first = np.arange(len(log)) < plays
    inputs = BATCHES.features.inputs(np.array([user]), log.where(first))
    found = cloze().predict(MODEL, ROWS, inputs)["query"][0]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


TIMED = dataclasses.replace(LOG, outcomes=(np.arange(len(LOG)) % 3).astype(np.uint8))
TOLD = HistoryBatches(
    TIMED, window=T, rows=8, negatives=3, time_deltas=True, outcomes=True, threads=1, sparse=False, seed=0
)


def test_what_else_is_told_goes_with_the_plays_that_are_shown():
    """A history that has its last play hidden in training is what inference makes of the plays before it."""
    inputs = {"time_deltas": True, "outcomes": True}
    model = SASRec(**OPTIONS, attention="bidirectional", inputs=inputs, scale=1.0, rngs=nnx.Rngs(0))
    batch = TOLD.batch(np.arange(TOLD.n_examples), 0)
    queries = None

    class Keeping:
        item_vectors = staticmethod(model.item_vectors)

        def __call__(self, rows, shown, key=None):
            nonlocal queries
            queries = model(rows, shown)["queries"]
            return {"queries": queries}

    cloze(last=1.0).loss(Keeping(), ROWS, batch, KEY)
    assert queries is not None
    seen = 0
    for row, place in zip(*np.nonzero((batch["segments"] > 0) & (batch["positions"] == 0)), strict=True):
        at = batch["segments"][row] == batch["segments"][row, place]
        # The window is the targets: without its last, and without the play before the first.
        told = {name: batch[f"next_{name}"][row, at][:-1] for name in inputs}
        plays = {"items": batch["targets"][row, at][:-1], **told}
        n = len(plays["items"])
        history = {name: np.pad(array, (0, T - n))[None].astype(np.int32) for name, array in plays.items()}
        history["last"] = np.array([n - 1], np.int32)
        if n:
            expected = cloze().predict(model, ROWS, history)["query"][0]
            np.testing.assert_allclose(queries[row, place], expected, rtol=1e-4, atol=1e-4)
            seen += 1
    assert seen > 20


def shown_of(log, task):
    """(what the model is called with, the loss of every play) of a log whose histories are one window each."""
    batches = HistoryBatches(
        log, window=20, rows=8, negatives=3, time_deltas=True, outcomes=True, threads=1, sparse=False, seed=0
    )
    options = {**OPTIONS, "window": 20, "inputs": {"time_deltas": True, "outcomes": True}}
    model = SASRec(**options, attention="bidirectional", scale=1.0, rngs=nnx.Rngs(0))
    rows = {"items": jax.random.normal(jax.random.key(1), (log.n_items, 8))}
    shown = {}

    class Keeping:
        item_vectors = staticmethod(model.item_vectors)

        def __call__(self, rows, batch, key=None):
            outputs = model(rows, batch)
            shown.update(batch, queries=outputs["queries"])
            return outputs

        @staticmethod
        def intent_heads(queries, habits):
            assert habits is None
            return queries[..., :1]

    values, _ = task.loss(Keeping(), rows, batches.batch(np.arange(batches.n_examples), 0), KEY)
    return {name: np.asarray(array) for name, array in shown.items()}, np.asarray(values)


def test_no_play_beside_a_hidden_one_tells_of_it():
    """With other tracks, times and outcomes of the hidden plays the model sees, bit for bit, what it saw before."""
    indptr, plays = LOG.indptr, np.arange(len(LOG))
    own = dataclasses.replace(TIMED, items=plays.astype(np.int32), n_items=len(LOG), times=100_000 * plays)
    first, _ = shown_of(own, cloze(share=0.4, last=0.1))
    hidden = np.zeros(len(LOG), bool)
    hidden[first["items"][first["hidden"]]] = True
    assert 0.2 < hidden.mean() < 0.6 and not hidden[indptr[:-1][LOG.lengths > 0]].any()
    other = dataclasses.replace(
        own,
        items=np.where(hidden, np.roll(plays, 1), plays).astype(np.int32),
        times=own.times + 60_000 * hidden,
        outcomes=np.where(hidden, 2 - own.outcomes, own.outcomes).astype(np.uint8),
    )
    second, _ = shown_of(other, cloze(share=0.4, last=0.1))
    visible = (first["segments"] > 0) & ~first["hidden"]
    assert (first["time_deltas"][visible] > 0).sum() > 50, "of a visible play after a visible one it is told"
    for name in ("items", "time_deltas", "outcomes"):
        np.testing.assert_array_equal(first[name][visible], second[name][visible], err_msg=name)
    np.testing.assert_array_equal(first["queries"], second["queries"])


def test_intents_are_learnt_where_no_play_follows():
    shown, values = shown_of(TIMED, cloze(share=0.4, last=0.1, intent={"skip": 1.0}))
    _, plain = shown_of(TIMED, cloze(share=0.4, last=0.1))
    counts = shown["hidden"] & (values != plain)
    assert counts.sum() > 5 and not counts[shown["positions"] > 0].any()
    for name in ("repeat", "recent_repeat"):
        with pytest.raises(ValueError, match=rf"intent names '{name}', and Cloze hides plays"):
            cloze(intent={name: 1.0})


def test_a_listener_without_plays_is_told_nothing():
    user = np.flatnonzero(LOG.lengths == 0)[:1]
    assert not np.asarray(cloze().predict(MODEL, ROWS, BATCHES.features.inputs(user, LOG.take(user)))["query"]).any()


def test_task_and_model_must_go_together():
    """A bidirectional model would see the next play that it is to predict."""
    causal = SASRec(**OPTIONS, rngs=nnx.Rngs(0))
    words = "attention='bidirectional' and task.name='mu.tasks.cloze:Cloze' go together"
    with pytest.raises(ValueError, match=words):
        Retrieval(loss="bpr", n_items=N_TRACKS).loss(MODEL, ROWS, BATCH, None)
    with pytest.raises(ValueError, match=words):
        cloze().loss(causal, ROWS, BATCH, KEY)
    with pytest.raises(ValueError, match=r"share=1.0; it must lie between 0 and 1"):
        cloze(share=1.0)
