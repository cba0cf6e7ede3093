"""The model of sound and listeners, its task, and the rows that the trainer keeps for it."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from mu.baselines.pctm import PCTM
from mu.data import features
from mu.data.batches.listening import ListeningBatches
from mu.data.logs import interactions
from mu.models.audio_trunks import CNN_SIZES
from mu.models.audio_user import AudioUser
from mu.nn import history
from mu.nn.evidence import EvidenceOffset
from mu.nn.table import Buffer, Table
from mu.tasks.next_play import NextPlay
from mu.training.sharding import make_mesh, put_batch
from mu.training.state import init_state, plan_state, values
from mu.training.step import make_step
from mu.training.tables import lazy_adam
from tests.helpers.listening_logs import DAY_MS, RATE_HZ, make_listening

AUDIO = {"size": "xs", "n_mels": 16, "dropout": 0.0}
RULES = {**dict.fromkeys(("embed", "positions")), "heads": "model", "hidden": "model", "rows": "model"}


@pytest.fixture(scope="module", autouse=True)
def small_encoder():
    """An encoder of two stages, one of which halves: a third stage only takes longer to compile."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(CNN_SIZES, "xs", ((8, 16), 1))
        yield


def make_batch(log=None, step=0, **options):
    settings = {"window": 6, "rows": 8, "negatives": 5, "clips": 8, "crop_s": 0.25, "sparse": False, "seed": 0}
    return ListeningBatches(log or make_listening(), **(settings | options)).batch(np.arange(8), step)


def make_model(task=None, audio=AUDIO, rate=RATE_HZ, **options):
    settings = {"dim": 8, "dropout": 0.0, "drop_id": 0.0, "hash_size": 64, "event_columns": {"context": 2}}
    outputs = {} if task is None else task.offers["outputs"]
    return AudioUser(audio=audio, sample_rate_hz=rate, outputs=outputs, rngs=nnx.Rngs(0), **(settings | options))


def make_rows(model, log=None, seed=0):
    """Rows of all tracks; the content of the first ten is known."""
    log = log or make_listening()
    random = np.random.default_rng(seed)
    rows = {name: jnp.asarray(array) for name, array in log.track_rows().items()}
    rows["items"] = jnp.asarray(random.standard_normal((log.n_items, model.dim)), jnp.float32)
    if model.audio is not None:
        content = random.standard_normal((log.n_items, model.content_dim)).astype(np.float32)
        content[10:] = 0
        rows["content"] = jnp.asarray(content)
    return rows


def test_a_track_is_the_sum_of_its_parts_and_any_may_be_missing():
    model = make_model()
    rows = make_rows(model)
    parts = model.track_parts(rows)
    np.testing.assert_allclose(model.track_vectors(rows), sum(parts.values()), rtol=1e-6)
    played = np.asarray(rows["plays"][:, 0]) > 0
    assert played.any() and not played.all()
    missing = np.asarray(model.missing[...])
    np.testing.assert_array_equal(parts["own"][~played], np.broadcast_to(missing[0], (int((~played).sum()), 8)))
    np.testing.assert_array_equal(parts["own"][played], rows["items"][played])
    np.testing.assert_array_equal(parts["sound"][10:], np.broadcast_to(missing[1], (10, 8)))
    nothing = {**rows, "item_features": jnp.full((20, 0), -1, jnp.int32)}
    np.testing.assert_array_equal(model.track_parts(nothing)["features"], 0)
    with pytest.warns(UserWarning, match="no track has audio"):
        silent = make_model(rate=None)
    assert silent.audio is None and set(silent.track_parts(rows)) == {"own", "features"}
    assert "content" not in silent.tables()


def test_own_rows_are_dropped_as_often_as_said():
    model = make_model(drop_id=0.4)
    rows = {name: jnp.concatenate([array] * 200) for name, array in make_rows(model).items()}
    rows["plays"] = jnp.ones_like(rows["plays"])
    own = model.track_parts(rows, jax.random.key(0))["own"]
    dropped = np.all(np.asarray(own) == np.asarray(model.missing[0]), axis=1)
    assert abs(dropped.mean() - 0.4) < 0.03
    assert not np.all(np.asarray(model.track_parts(rows)["own"]) == np.asarray(model.missing[0]), axis=1).any()


def test_what_comes_next_depends_on_what_was_and_not_on_what_will_be():
    model = make_model()
    rows, batch = make_rows(model), make_batch()
    queries = model(rows, batch)["queries"]
    later = {name: np.array(array) for name, array in batch.items()}
    for name in ("items", "time_deltas", "outcomes", "event_columns"):
        later[name][:, 3:] = (later[name][:, 3:] + 1) % 2
    changed = model(rows, later)["queries"]
    np.testing.assert_allclose(queries[:, :3], changed[:, :3], atol=1e-5)
    for name in ("items", "time_deltas", "outcomes", "event_columns", "user_features"):
        other = {**batch, name: (batch[name] + 1) % 3}
        assert np.abs(model(rows, other)["queries"] - queries).max() > 1e-3, name


def test_a_mean_of_plays_does_not_know_their_order():
    model = make_model(history="mean")
    rows, batch = make_rows(model), make_batch()
    lengths = np.asarray((batch["segments"] == batch["segments"][:, :1]).sum(1))
    assert (lengths > 2).any()
    names = ("items", "time_deltas", "outcomes", "event_columns")
    turned = {name: np.array(array) for name, array in batch.items()}
    for row, length in enumerate(lengths):
        for name in names:
            turned[name][row, :length] = turned[name][row, :length][::-1]
    ours, theirs = model(rows, batch)["queries"], model(rows, turned)["queries"]
    at = np.arange(len(lengths)), lengths - 1
    np.testing.assert_allclose(ours[at], theirs[at], atol=1e-5)
    assert np.abs(ours[:, 0] - theirs[:, 0]).max() > 1e-2


def test_fresh_clips_are_heard_and_kept():
    model = make_model()
    rows, batch = make_rows(model), make_batch()
    clips = jnp.asarray(np.random.default_rng(1).standard_normal((8, model.content_dim)), jnp.float32)
    found = model(rows, batch, clips=clips)
    content = np.array(rows["content"])
    content[batch["clip_items"]] = clips
    np.testing.assert_allclose(
        found["tracks"], model.track_vectors({**rows, "content": jnp.asarray(content)}), atol=1e-6
    )
    np.testing.assert_array_equal(nnx.to_pure_dict(nnx.state(model, Buffer))["buffers"]["content"], content)


def slow_loss(model, rows, batch, skipped=0.0, in_batch=0, offsets=None):
    """[B, T] by the equation, play by play; `offsets` are those of targets and of all candidates."""
    found = model(rows, batch)
    log = make_listening()
    tracks, queries = np.asarray(found["tracks"], np.float64), np.asarray(found["queries"], np.float64)
    ages, plays = np.asarray(rows["age_days"])[:, 0], np.asarray(rows["plays"])[:, 0]
    loss = np.zeros(batch["targets"].shape)
    for row, column in np.argwhere(batch["weights"] > 0):
        day, target = batch["days"][row, column], batch["targets"][row, column]
        age = ages + day
        bias = np.asarray(model.age_bias(jnp.asarray(age, jnp.float32)))
        score = tracks @ queries[row, column] + bias
        size, width = batch["targets"].size, batch["targets"].shape[1]
        spaced = [divmod(place, width) for place in range(0, size, -(-size // in_batch))] if in_batch else []
        n_uniform = batch["negatives"].shape[-1]
        drawn = [(n, at) for n, at in enumerate(spaced) if at[0] != row and batch["weights"][at] > 0]
        candidates = [(n, v) for n, v in enumerate(batch["negatives"][row, 0])]
        candidates += [(n_uniform + n, batch["targets"][at]) for n, at in drawn]
        own, added = (0.0, np.zeros(n_uniform + len(spaced)))
        if offsets is not None:
            own, added = offsets[0][row, column], offsets[1][row, column]
        expected = n_uniform / log.n_items + len(drawn) * plays / plays.sum()
        counted = [(n, v) for n, v in candidates if v != target and age[v] >= 0]
        z = np.log(sum(np.exp(score[v] + added[n]) / expected[v] for n, v in counted))
        played = np.logaddexp(0, z - score[target] - own)
        share = skipped * (batch["next_outcomes"][row, column] == 2)
        loss[row, column] = (1 - share) * played + share * np.logaddexp(0, score[target] + own - z)
    return loss


@pytest.mark.parametrize("in_batch", [0, 30, 1000])
@pytest.mark.parametrize("skipped", [0.0, 0.5])
def test_the_loss_is_its_equation(in_batch, skipped):
    task = NextPlay(data=make_listening(), in_batch=in_batch, skipped=skipped, cold=0.0)
    model = make_model(audio=None)
    model.age[...] = jnp.linspace(-1, 1, len(model.age))
    rows, batch = make_rows(model), make_batch(clips=0)
    loss, weights = task.loss(model, rows, batch, jax.random.key(0))
    held = batch["weights"] > 0
    np.testing.assert_array_equal(weights, batch["weights"])
    np.testing.assert_allclose(
        np.where(held, loss, 0), slow_loss(model, rows, batch, skipped, in_batch), rtol=2e-4, atol=2e-5
    )


@pytest.mark.parametrize("in_batch", [0, 30])
def test_counts_are_an_offset_of_targets_and_candidates(in_batch):
    """And with weights 0 the loss is that without them; a listener without plays has their popularity alone."""
    task = NextPlay(data=make_listening(), in_batch=in_batch, cold=0.0, evidence_dropout=0.0)
    model = make_model(audio=None)
    plain, batch = make_batch(clips=0), make_batch(clips=0, evidence=PCTM(tau=20.0), in_batch=in_batch)
    assert all(np.array_equal(batch[name], array) for name, array in plain.items())
    assert (batch["target_evidence"] > 0).any() and (batch["negative_evidence"] > 0).any()
    model.evidence_offset = EvidenceOffset()
    rows, key = make_rows(model), jax.random.key(0)
    names = ("target", "negative")
    offsets = [model.evidence_offset(batch[f"{name}_evidence"], batch[f"{name}_popularity"]) for name in names]
    held = batch["weights"] > 0
    loss = np.where(held, task.loss(model, rows, batch, key)[0], 0)
    slow = slow_loss(model, rows, batch, in_batch=in_batch, offsets=[np.asarray(one) for one in offsets])
    np.testing.assert_allclose(loss, slow, rtol=2e-4, atol=2e-5)
    without = slow_loss(model, rows, batch, in_batch=in_batch)
    assert np.abs(loss - without).max() > 0.1
    dropped = NextPlay(data=make_listening(), in_batch=in_batch, cold=0.0, evidence_dropout=0.5)
    some = np.where(held, dropped.loss(model, rows, batch, key)[0], 0)
    as_with, as_without = (np.isclose(some, other, rtol=2e-4, atol=2e-5) for other in (slow, without))
    assert (as_with | as_without).all() and as_with[held].any() and (as_without & ~as_with).any()
    model.evidence_offset.weights[...] = jnp.zeros(4)
    cold = NextPlay(data=make_listening(), in_batch=in_batch, cold=0.5)
    np.testing.assert_array_equal(cold.loss(model, rows, batch, key)[0], cold.loss(model, rows, plain, key)[0])


def test_where_no_other_track_was_out_nothing_is_learnt():
    """Neither of a play nor of a skipped one; and the gradient is a number."""
    task = NextPlay(data=make_listening(), in_batch=30, skipped=0.5, cold=0.0)
    model = make_model(audio=None)
    rows, batch = make_rows(model), make_batch(clips=0)
    assert {0, 2} < set(batch["next_outcomes"][0, batch["weights"][0] > 0].tolist())
    early = {**batch, "days": np.where(np.arange(8)[:, None] == 0, np.float32(-1e7), batch["days"])}
    graph, state = nnx.split(model)

    def losses(params, batch):
        return task.loss(nnx.merge(graph, params), rows, batch, jax.random.key(0))[0]

    params = nnx.to_pure_dict(state)
    found = losses(params, early)
    np.testing.assert_array_equal(found[0], 0.0)
    np.testing.assert_array_equal(found[1:], losses(params, batch)[1:])
    gradient = jax.grad(lambda params: losses(params, early).sum())(params)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradient))
    assert np.abs(gradient["delta"]).max() > 0


def test_every_track_drawn_once_is_the_softmax_over_what_is_out():
    """K = V draws, each of probability 1 / V: the estimate has no error."""
    log = make_listening()
    task = NextPlay(data=log, in_batch=0, cold=0.0)
    model = make_model(audio=None)
    rows, batch = make_rows(model), make_batch(clips=0)
    n = log.n_items
    batch["negatives"] = np.broadcast_to(np.arange(n, dtype=np.int32), (8, 1, n))
    batch["log_q"] = np.full((8, 1, n), -np.log(n), np.float32)
    loss, _ = task.loss(model, rows, batch, jax.random.key(0))
    found = model(rows, batch)
    scores = np.einsum("btd,vd->btv", found["queries"], found["tracks"])
    out = np.asarray(rows["age_days"])[:, 0] + batch["days"][..., None] >= 0
    assert not out.all()
    log_p = jax.nn.log_softmax(jnp.where(out, scores, -jnp.inf), axis=-1)
    expected = -np.take_along_axis(np.asarray(log_p), batch["targets"][..., None], axis=-1)[..., 0]
    held = batch["weights"] > 0
    np.testing.assert_allclose(np.asarray(loss)[held], expected[held], rtol=1e-4, atol=1e-5)


def test_the_estimate_of_the_sum_has_no_bias():
    """Over many draws of other rows' plays and of uniform negatives the mean of Z is the sum over what is out."""
    log = make_listening()
    task = NextPlay(data=log, cold=0.0)
    model = make_model(audio=None)
    rows, batch = make_rows(model), make_batch(clips=0)
    shares = np.asarray(rows["plays"])[:, 0] / np.asarray(rows["plays"]).sum()
    random = np.random.default_rng(0)
    batch["days"] = np.zeros_like(batch["days"])
    loss = jax.jit(lambda batch: task.loss(model, rows, batch, jax.random.key(0))[0])
    out = model(rows, batch)  # depends on what was played, not on what is drawn
    scores = np.einsum("td,vd->tv", out["queries"][0], out["tracks"]) + np.asarray(
        model.age_bias(rows["age_days"][:, 0])
    )
    own = scores[np.arange(6), batch["targets"][0]]
    found = []
    for _ in range(400):
        targets = random.choice(log.n_items, batch["targets"].shape, p=shares).astype(np.int32)
        targets[0] = batch["targets"][0]
        drawn = {
            **batch,
            "targets": targets,
            "weights": np.ones_like(batch["weights"]),
            "negatives": random.integers(0, log.n_items, batch["negatives"].shape).astype(np.int32),
        }
        found.append((np.exp(np.asarray(loss(drawn))[0]) - 1) * np.exp(own))
    there = np.asarray(rows["age_days"])[:, 0] >= 0
    expected = (np.exp(scores) * there).sum(axis=1) - np.exp(own)
    np.testing.assert_allclose(np.mean(found, axis=0), expected, rtol=0.1)


def test_the_features_that_are_left_out_are_those_without_a_gradient():
    """Every track is a negative; of those that come out after the log ends no play has any."""
    log = make_listening()
    log.released_ms[15:] = log.end_ms + DAY_MS
    model, task = make_model(audio=None), NextPlay(data=log)
    rows = {**make_rows(model, log), "item_features": jnp.asarray(log.item_features)}
    batch = make_batch(log, clips=0, rows=24, negatives=200)
    graph, params = nnx.split(model)
    gradient = jax.grad(lambda params: task.loss(nnx.merge(graph, params), rows, batch, jax.random.key(0))[0].sum())
    vectors = gradient(params)["track_features"]["vectors"][...]
    learnt = set(np.flatnonzero(np.abs(vectors).max(axis=1)).tolist())
    assert learnt == set(log.track_rows()["item_features"].ravel().tolist()) - {-1}
    assert learnt < set(log.item_features.ravel().tolist())


def test_audio_heads_learn_beside_and_reach_the_encoder():
    log = make_listening()
    task = NextPlay(data=log, tags=1.0, contrastive=0.5)
    model = make_model(task)
    rows, batch = make_rows(model, log), make_batch(log, crops=2)
    graph, *state = nnx.split(model, nnx.Param, nnx.BatchStat)
    params, stats = (nnx.to_pure_dict(part) for part in state)

    @jax.jit
    def total(params):
        loss, weights = task.loss(nnx.merge(graph, values(params, stats)), rows, batch, jax.random.key(0))
        return jnp.sum(loss * weights) / jnp.sum(weights)

    gradient = jax.grad(total)(params)
    assert set(gradient) - {"stack", "norm"} == {
        "audio", "from_content", "track_features", "delta", "outcome", "columns", "profile_features", "cold", "age",
        "missing",
    }  # fmt: skip
    for name in gradient:
        assert any(np.abs(leaf).max() > 0 for leaf in jax.tree.leaves(gradient[name])), name
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradient))


def test_a_track_without_tags_is_not_trained_to_have_none():
    log = make_listening()
    task = NextPlay(data=log, tags=1.0, cold=0.0)
    model = make_model(task)
    rows, batch = make_rows(model, log), make_batch(log)
    graph, state = nnx.split(model)
    state = nnx.to_pure_dict(state)

    @jax.jit
    def loss(tags):
        return task.loss(nnx.merge(graph, state), rows, {**batch, "tags": tags}, jax.random.key(0))[0][0, 0]

    def of(*clips):
        return loss(np.where(np.isin(np.arange(8), clips)[:, None], batch["tags"], np.float32(0)))

    nothing = of()
    first, second = float(of(1) - nothing), float(of(6) - nothing)
    assert min(first, second) > 0.1 and abs(first - second) > 1e-3
    assert of(1, 6) - nothing == pytest.approx((first + second) / 2, rel=1e-3)
    without = NextPlay(data=log, cold=0.0).loss(model, rows, batch, jax.random.key(0))[0][0, 0]
    assert nothing == pytest.approx(float(without), rel=1e-4)


def test_a_listener_without_plays_is_what_is_known_of_them():
    log = make_listening()
    batches = ListeningBatches(log, window=6, rows=8, negatives=5, clips=0, sparse=False, seed=0)
    users = np.array([0, 1])
    histories = log.take(users).where(np.repeat([False, True], log.lengths[users]))
    model = make_model(audio=None)
    rows = make_rows(model)
    inputs = batches.features.inputs
    queries = NextPlay(data=log).predict(model, rows, inputs(users, histories))["query"]
    profile = model.profile_features(jnp.asarray(log.user_features[:1]))
    np.testing.assert_allclose(queries[0], model.cold(profile)[0], rtol=1e-5)
    alone = NextPlay(data=log).predict(model, rows, inputs(users[1:], log.take(users[1:])))["query"]
    np.testing.assert_allclose(queries[1], alone[0], atol=1e-5)


def train(mesh, n_steps=4, sparse=True):
    """The state after some steps, as a run makes them; where tables are dense, every other step hears no clips."""
    log, clips_every = make_listening(), 1 if sparse else 2
    batches = ListeningBatches(
        log, window=6, rows=8, negatives=5, clips=8, clips_every=clips_every, crop_s=0.25, sparse=sparse, seed=0
    )
    task = NextPlay(data=log, tags=1.0)
    build = functools.partial(_built, task)
    given = log.track_rows()
    specs = nnx.eval_shape(lambda: build(nnx.Rngs(0))).tables()
    specs |= {name: Table("items", rows.shape[1], 0.0, learnt=False) for name, rows in given.items()}
    rows = lazy_adam(1e-2) if sparse else None
    plan = plan_state(build, specs, {"items": log.n_items}, optax.adam(1e-3), rows, mesh=mesh, rules=RULES, rows=given)
    graph, state = plan.graph, init_state(plan, 0, given)

    def loss(params, stats, rows, batch, key):
        module = nnx.merge(graph, values(params, stats))
        found, weights = task.loss(module, rows, batch, key)
        buffers = nnx.to_pure_dict(nnx.state(module, Buffer)).get("buffers", {})
        return found, weights, nnx.to_pure_dict(nnx.state(module, nnx.BatchStat)), buffers

    step = jax.jit(make_step(loss, optax.adam(1e-3), specs, rows, seed=0))
    heard, losses = set(), []
    for number in range(n_steps):
        batch = batches.batch(np.arange(8), number)
        if "clip_items" in batch:
            heard |= set((batch["ids"]["items"][batch["clip_items"]] if sparse else batch["clip_items"]).tolist())
        state, metrics = step(state, put_batch(batch, mesh))
        losses.append(float(metrics["loss"]))
    return jax.device_get(state), heard, losses


def _built(task, rngs):
    return AudioUser(audio=AUDIO, dim=8, dropout=0.0, drop_id=0.5, rngs=rngs, **task.offers)


@functools.cache
def on_one_device(sparse):
    return train(make_mesh(data=1, model=1, devices=jax.devices()[:1]), sparse=sparse)


@pytest.mark.parametrize("sparse", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_the_trainer_keeps_what_was_heard_and_nothing_else_changes(sparse):
    state, heard, losses = on_one_device(sparse)
    known = np.any(state["buffers"]["content"] != 0, axis=1)
    assert set(np.flatnonzero(known).tolist()) == heard and heard
    for name, rows in make_listening().track_rows().items():
        np.testing.assert_array_equal(state["buffers"][name], rows)
    assert np.isfinite(losses).all()


def test_eight_devices_learn_what_one_learns():
    one, _, losses = on_one_device(True)
    eight, _, others = train(make_mesh(data=4, model=2))
    np.testing.assert_allclose(losses, others, rtol=2e-4)
    np.testing.assert_allclose(one["buffers"]["content"], eight["buffers"]["content"], rtol=5e-3, atol=5e-3)
    np.testing.assert_allclose(one["tables"]["items"]["rows"], eight["tables"]["items"]["rows"], atol=2e-3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"skipped": 2.0}, "skipped=2.0"),
        ({"tags": -1.0}, "tags=-1.0"),
        ({"temperature": 0.0}, "temperature=0.0"),
    ],
)
def test_the_task_refuses(options, message):
    with pytest.raises(ValueError, match=message):
        NextPlay(data=make_listening(), **options)


def test_every_value_of_an_event_column_has_a_vector():
    with pytest.raises(ValueError, match=r"model.max_column_values=3, but the event column 'device' has 4 values"):
        make_model(max_column_values=3, event_columns={"context": 2, "device": 4})


def test_an_event_column_more_is_added_to_the_plays():
    """Columns are drawn one after the other: the first is what it is alone."""
    both, alone = (
        make_model(audio=None, event_columns=sizes) for sizes in ({"context": 2, "device": 4}, {"context": 2})
    )
    np.testing.assert_array_equal(both.columns["context"][...], alone.columns["context"][...])
    batch = make_batch(make_listening(sound=False))
    device = np.random.default_rng(0).integers(0, 5, batch["items"].shape).astype(np.int32)
    wider = {**batch, "event_columns": np.concatenate([batch["event_columns"], device[..., None]], axis=-1)}
    rows = make_rows(both, make_listening(sound=False))
    queries = both(rows, wider)["queries"]
    assert (
        np.abs(queries - both(rows, {**wider, "event_columns": wider["event_columns"] * [1, 0]})["queries"]).max()
        > 1e-3
    )


def test_data_model_and_task_mean_the_same_by_pauses_and_outcomes():
    """They do not import each other."""
    assert history.TIME_DELTAS == features.TIME_DELTAS and history.EARLIER_PLAYS == features.EARLIER_PLAYS
    assert len(interactions.OUTCOMES) == history.OUTCOMES
    assert history.SKIPPED == interactions.SKIPPED == interactions.OUTCOMES.index("skipped")
    assert history.FINISHED == interactions.FINISHED == interactions.OUTCOMES.index("finished")
    assert interactions.UNKNOWN == interactions.OUTCOMES.index("unknown") == 0, "filled in where nothing is told"


def test_reprs_of_model_and_task_are_short_and_count_everything():
    log = make_listening()
    task = NextPlay(data=log, tags=0.5, cold=0.0)
    assert repr(task) == "NextPlay(\n  the next play among 512 plays of others too\n  + 0.5 x 2 tags from sound)"
    assert "skips" in repr(NextPlay(data=log, skipped=0.2)) and "others" not in repr(NextPlay(data=log, in_batch=0))
    model = make_model(task)
    total = sum(value.size for value in jax.tree.leaves(nnx.state(model, nnx.Param)))
    head, *parts, rows = repr(model).splitlines()
    assert head == f"AudioUser(dim=8, {total:,} parameters:" and str(model) == repr(model)
    assert sum(int(line.split()[-1].replace(",", "")) for line in parts) == total
    assert "8 numbers (items)" in rows and "numbers (content)" in rows
    assert "audio encoder" not in repr(make_model(audio=None))
