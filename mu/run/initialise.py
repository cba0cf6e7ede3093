"""The state at step 0 of a run, new or from the weights of another run."""

import json
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mu.config.base import ConfigError
from mu.config.differences import differences
from mu.data.clips.clips import Clips
from mu.data.evidence_features import EvidenceFeatures
from mu.run.build import Run, track_rows
from mu.run.learnt import known_clips, learnt_from
from mu.run.rebuild import rebuild
from mu.training.state import State, init_state


def initialise(run: Run) -> State:
    """The state at step 0; with config.init_from, with the weights of another run."""
    state = init_state(run.plan, run.config.seed, track_rows(run.train, run.batches.features))
    return state if run.config.init_from is None else with_weights_of(run.config.init_from, run, state)


def with_weights_of(workdir: str, run: Run, state: State) -> State:
    """`state` with the model's weights and statistics of another run's best checkpoint.

    The heads stay as they are: those of the other run predict other things.

    Args:
      workdir: of the other run.
      run: this one.
      state: of this run.

    Raises:
      ConfigError: the other model is not this one, or it has learnt from what this run is tested on.
      FileNotFoundError: there is no such run.
    """
    other = rebuild(workdir)
    if changed := differences(_encoder(other.run), _encoder(run)):
        raise ConfigError(
            f"config.init_from={workdir!r} has another model; set these alike:\n  " + "\n  ".join(changed)
        )
    if isinstance(other.run.train, Clips) and isinstance(run.split.test, Clips):
        recordings = learnt_from(workdir).recordings or frozenset()
        leaked = np.flatnonzero(known_clips(run.split.test, other.run.train, recordings))
        if len(leaked):
            group = run.split.test.group
            others = "" if group == "content_hash" else f", or from other clips of the same {group}"
            raise ConfigError(
                f"config.init_from={workdir!r} has learnt from {len(leaked):,} of the clips that this run is tested "
                f"on{others} ({run.split.test.table['clip'][int(leaked[0])]!r} is one): start from a run on the same "
                "fold"
            )

    def take(path: Any, ours: jax.Array, theirs: jax.Array) -> jax.Array:
        return ours if "heads" in jax.tree_util.keystr(path) else jax.device_put(np.asarray(theirs), ours.sharding)

    before = other.state
    model, stats = before.get("ema", before["params"])["model"], before["stats"]
    ours = state["params"]["model"]
    heads = {"heads": ours["heads"]} if "heads" in ours else {}
    started = jax.tree.map_with_path(
        take, {"model": ours, "stats": state["stats"]}, {"model": {**model, **heads}, "stats": stats}
    )
    params = {**state["params"], "model": started["model"]}
    new = {**state, "params": params, "stats": started["stats"]}
    return new | {"ema": jax.tree.map(jnp.copy, params)} if "ema" in state else new


def _encoder(run: Run) -> dict[str, Any]:
    """What must be the same of two models for one to start from the other's weights."""
    model = json.loads(run.config.to_json())["model"]
    same = {key: value for key, value in model.items() if key not in ("dropout", "dtype")}
    evidence = isinstance(run.batches.features, EvidenceFeatures)
    return {"model": same, "sample_rate_hz": run.task.offers.get("sample_rate_hz"), "evidence of counts": evidence}
