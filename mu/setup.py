"""What a config builds: data, split, model, task, mesh, state; for a new run or one that is taken up again."""

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from ml_collections import ConfigDict

import mu.config
from mu.data.clips.clips import Clips
from mu.nn.table import Kept, Table
from mu.training.checkpoint import Checkpoints, differences
from mu.training.sharding import make_mesh
from mu.training.state import init_state, values
from mu.training.step import make_step

# A resolved ConfigDict. Its keys are checked when it is loaded; a type checker cannot see them.
Config = Any


class Evaluation(Protocol):
    """How a kind of run is measured: see `mu.evals.protocols`.

    Built with the setup as its first argument.

    Attributes:
      names: what `means` measures, larger is better: 'recall@10', ...
    """

    names: Sequence[str]

    def means(self, state: Mapping[str, Any]) -> dict[str, float]:
        """The validation part: {'recall@10': ...}."""
        ...

    def report(self, part: str, state: Mapping[str, Any], output: Path, step: int) -> Mapping[str, Any]:
        """Measures model and baselines on 'valid' or 'test', writes to `output`, prints a table, gives the results."""
        ...


@dataclasses.dataclass
class Setup:
    """What a config builds: everything of a run but its state.

    Attributes:
      config: resolved.
      data: a log (`mu.data.logs.interactions`) or clips (`mu.data.clips.clips`).
      split: its parts `train`, `valid`, `test`, and a `hash`.
      train: what is learnt from: `split.train`, of a refit the validation part too.
      batches: `train` cut into batches.
      task: where a batch meets the model.
      model: the graph of the module; its values are in the state.
      model_tables: the tables of the model, and those that the data give.
      mesh: the devices.
      state: at step 0, or as loaded.
      step: the jitted train step.
      evaluation: how the run is measured.
    """

    config: Config
    data: Any
    split: Any
    train: Any
    batches: Any
    task: Any
    model: nnx.GraphDef
    model_tables: dict[str, Any]
    mesh: jax.sharding.Mesh
    state: dict[str, Any]
    step: Any
    evaluation: Any = None

    def baselines(self) -> dict[str, Any]:
        """The config's baselines, built and not yet fitted."""
        return {name: mu.config.build(spec) for name, spec in self.config.baselines.items()}


def set_up(config: Config, mesh: jax.sharding.Mesh | None = None) -> Setup:
    """Builds the objects of a resolved config, and the state at step 0, on `mesh` or else the config's own."""
    jax.config.update("jax_compilation_cache_dir", str(cache_folder() / "jax"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)
    sparse = config.tables.name != mu.config.DENSE

    data = mu.config.build(config.data)
    split = mu.config.build(config.split, data)
    # A refit learns from the validation part too: its steps and rates were chosen by an earlier run.
    train = split.train.merged(split.valid) if config.refit else split.train
    batches = mu.config.build(config.batches, train, sparse=sparse, seed=config.seed)
    task = mu.config.build(config.task, data=train, **data.sizes)
    if config.accumulate > 1 and task.compares_examples:
        raise mu.config.ConfigError(
            f"accumulate={config.accumulate}: {config.task.name} compares the examples of a batch with each other, and "
            "would compare those of a microbatch only; set accumulate=1 and, for larger batches, more devices"
        )
    if task.needs_all_items and sparse:
        raise mu.config.ConfigError(
            f"task.loss={config.task.loss!r} needs every item's row at every step: set tables.name='dense'"
        )
    if not task.needs_all_items and not config.batches.get("negatives", 1):
        raise mu.config.ConfigError(f"task.loss={config.task.loss!r} needs batches.negatives of at least 1")
    if batches.batch_size % config.accumulate:
        raise mu.config.ConfigError(f"accumulate={config.accumulate} does not divide the batch of {batches.batch_size}")
    mesh = make_mesh(**config.mesh) if mesh is None else mesh
    share = batches.batch_size // config.accumulate
    if share % mesh.shape["data"]:
        raise mu.config.ConfigError(
            f"mesh.data={mesh.shape['data']} does not divide the (micro)batch of {share} examples"
        )
    clips = getattr(batches, "n_clips", 0)
    if clips % mesh.shape["data"]:
        raise mu.config.ConfigError(f"mesh.data={mesh.shape['data']} does not divide batches.clips={clips}")
    optimizer = mu.config.build(config.optimizer, total_steps=config.total_steps)
    row_optimizer = mu.config.build(config.tables) if sparse else None

    def build_model(rngs: nnx.Rngs) -> Any:
        return mu.config.build(config.model, rngs=rngs, **task.offers)

    given = train.track_rows() if hasattr(train, "track_rows") else {}
    specs = nnx.eval_shape(lambda: build_model(nnx.Rngs(0))).tables()
    if twice := set(specs) & set(given):
        raise mu.config.ConfigError(
            f"model and data both have a table {min(twice)!r}: the model's must have another name"
        )
    computes_rows = any(not table.learnt for table in specs.values())
    specs |= {name: Table(ids="items", dim=rows.shape[1], scale=0.0, learnt=False) for name, rows in given.items()}
    model, state, shardings = init_state(
        build_model,
        specs,
        {"users": data.sizes.get("n_users", 0), "items": data.sizes.get("n_items", 0)},
        optimizer,
        row_optimizer,
        seed=config.seed,
        mesh=mesh,
        rules=config.sharding.to_dict(),
        ema=config.ema_decay is not None,
        given=given,
    )

    if config.accumulate > 1 and (jax.tree.leaves(state["stats"]) or computes_rows):
        raise mu.config.ConfigError(
            f"accumulate={config.accumulate}: the model has a batch norm or keeps rows, which would be those "
            "of a microbatch; set accumulate=1 and, for larger batches, more devices"
        )

    def loss(params: Any, stats: Any, rows: Any, batch: Any, key: jax.Array) -> tuple[jax.Array, jax.Array, Any, Any]:
        module = nnx.merge(model, values(params, stats))
        found, weights = task.loss(module, rows, batch, key)
        kept = nnx.to_pure_dict(nnx.state(module, Kept)).get("kept", {})
        return found, weights, nnx.to_pure_dict(nnx.state(module, nnx.BatchStat)), kept

    step = make_step(
        loss,
        optimizer,
        specs,
        row_optimizer,
        seed=config.seed,
        clip_norm=config.clip_norm,
        accumulate=config.accumulate,
        ema_decay=config.ema_decay,
    )
    step = jax.jit(step, donate_argnums=0, out_shardings=(shardings, None))
    setup = Setup(config, data, split, train, batches, task, model, specs, mesh, state, step)
    setup.evaluation = mu.config.build(config.evaluation, setup)
    return setup


def cache_folder() -> Path:
    """Where compiled programs are kept: MU_CACHE, else mu/ in the user's cache folder."""
    default = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "mu"
    return Path(os.environ.get("MU_CACHE", default))


def started_from(workdir: str, setup: Setup) -> dict[str, Any]:
    """The state of `setup` with the model's weights and statistics of another run's best checkpoint.

    The heads stay as they are: they told other things.

    Raises:
      mu.config.ConfigError: the other model is not this one, or it has learnt from what this run is tested on.
      FileNotFoundError: there is no such run.
    """
    before, other, _ = restore(workdir)
    was, now = (_hearing(one) for one in (before, setup))
    if found := differences(was, now):
        raise mu.config.ConfigError(
            f"config.start_from={workdir!r} has another model; set these alike:\n  " + "\n  ".join(found)
        )
    if isinstance(before.train, Clips) and isinstance(setup.split.test, Clips):
        heard, tested = set(before.train.table["content_hash"]), setup.split.test.table
        leaked = [row for row, key in enumerate(tested["content_hash"]) if key in heard]
        if leaked:
            raise mu.config.ConfigError(
                f"config.start_from={workdir!r} has learnt from {len(leaked):,} of the clips that this run is tested "
                f"on, {tested['clip'][leaked[0]]!r} among them: start from a run on the same fold"
            )

    def take(path: Any, ours: jax.Array, theirs: jax.Array) -> jax.Array:
        return ours if "heads" in jax.tree_util.keystr(path) else jax.device_put(np.asarray(theirs), ours.sharding)

    state = setup.state
    learnt = {"model": other.get("ema", other["params"])["model"], "stats": other["stats"]}
    heads = {"heads": state["params"]["model"]["heads"]} if "heads" in state["params"]["model"] else {}
    started = jax.tree.map_with_path(
        take,
        {"model": state["params"]["model"], "stats": state["stats"]},
        {"model": {**learnt["model"], **heads}, "stats": learnt["stats"]},
    )
    params = {**state["params"], "model": started["model"]}
    found = {**state, "params": params, "stats": started["stats"]}
    return found | {"ema": jax.tree.map(jnp.copy, params)} if "ema" in state else found


def _hearing(setup: Setup) -> dict[str, Any]:
    """What must be the same of two models for one to start from the other's weights."""
    model = json.loads(setup.config.to_json())["model"]
    kept = {key: value for key, value in model.items() if key not in ("dropout", "dtype")}
    return {"model": kept, "sample_rate_hz": getattr(setup.data, "sample_rate_hz", None)}


def restore(workdir: str | os.PathLike[str]) -> tuple[Setup, dict[str, Any], int]:
    """(setup, state, step) of the best checkpoint of a run, on one device, whatever mesh it was trained on.

    Raises:
      FileNotFoundError: `workdir` holds no run, or one without an evaluated checkpoint.
      mu.config.ConfigError: the data are no longer those that the run was trained on.
    """
    folder = Path(workdir)
    if not (folder / "config.json").is_file():
        raise FileNotFoundError(f"{folder} holds no run (config.json is missing); make one with `mu train`")
    config = mu.config.resolve(ConfigDict(json.loads((folder / "config.json").read_text())))
    checkpoints = Checkpoints(folder / "checkpoints")
    steps = checkpoints.steps()
    best = None
    if steps:
        best = steps[-1] if config.refit else checkpoints.note(steps[-1])["progress"]["best_step"]
    if best is None:
        raise FileNotFoundError(f"{folder} has no evaluated checkpoint yet; let `mu train` reach its first evaluation")
    setup = set_up(config, make_mesh(data=1, model=1, devices=jax.devices()[:1]))
    refuse_other_data(checkpoints.note(best), setup, folder)
    state = setup.state = checkpoints.load(best, setup.state)
    checkpoints.close()
    return setup, state, best


def refuse_other_data(note: Mapping[str, Any], setup: Setup, folder: Path) -> None:
    """Raises ConfigError where a checkpoint's note names another split or other data: its ids mean other things."""
    if note["split"] != setup.split.hash:
        raise mu.config.ConfigError(
            f"the data or split that {folder} was trained on has changed; "
            "choose another --workdir, or bring the data back"
        )
