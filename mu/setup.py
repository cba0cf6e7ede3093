"""What a config builds: data, split, model, task, mesh, state; for a new run or one that is taken up again."""

import dataclasses
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from flax import nnx
from ml_collections import ConfigDict

import mu.config
from mu.data.interactions import Interactions
from mu.data.splits import Split
from mu.evals.ranking import RankingEvaluator, RankingResult
from mu.evals.saving import save_evaluation
from mu.evals.table import format_table
from mu.recommender import Encoder, TrainedRecommender
from mu.training.checkpoint import Checkpoints
from mu.training.sharding import make_mesh
from mu.training.state import init_state
from mu.training.step import make_step

# A resolved ConfigDict. Its keys are checked when it is loaded; a type checker cannot see them.
Config = Any


@dataclasses.dataclass
class Setup:
    """What a config builds: everything of a run but its state."""

    config: Config
    log: Interactions
    split: Split
    train: Interactions
    batches: Any
    task: Any
    model: nnx.GraphDef
    model_tables: dict[str, Any]
    mesh: jax.sharding.Mesh
    state: dict[str, Any]
    step: Any
    encoder: Encoder


def set_up(config: Config, mesh: jax.sharding.Mesh | None = None) -> Setup:
    """Builds the objects of a resolved config, and the state at step 0, on `mesh` or else the config's own."""
    jax.config.update("jax_compilation_cache_dir", str(cache_folder() / "jax"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)
    sparse = config.tables.name != mu.config.DENSE

    log = mu.config.build(config.data)
    split = mu.config.build(config.split, log=log)
    # A refit learns from the validation plays too: its steps and rates were chosen by an earlier run.
    train = merge(split.train, split.valid) if config.refit else split.train
    batches = mu.config.build(config.batches, log=train, sparse=sparse, seed=config.seed)
    task = mu.config.build(config.task, n_items=log.n_items)
    if getattr(task, "whole_catalogue", False) and sparse:
        raise mu.config.ConfigError(
            f"task.loss={config.task.loss!r} needs every item's row at every step: set tables.name='dense'"
        )
    if not getattr(task, "whole_catalogue", False) and not config.batches.get("negatives", 1):
        raise mu.config.ConfigError(f"task.loss={config.task.loss!r} needs batches.negatives of at least 1")
    if batches.batch_size % config.accumulate:
        raise mu.config.ConfigError(f"accumulate={config.accumulate} does not divide the batch of {batches.batch_size}")
    mesh = make_mesh(**config.mesh) if mesh is None else mesh
    share = batches.batch_size // config.accumulate
    if share % mesh.shape["data"]:
        raise mu.config.ConfigError(
            f"mesh.data={mesh.shape['data']} does not divide the (micro)batch of {share} examples"
        )
    optimizer = mu.config.build(config.optimizer)
    row_optimizer = mu.config.build(config.tables) if sparse else None
    specs = nnx.eval_shape(lambda: mu.config.build(config.model, rngs=nnx.Rngs(0))).tables()
    model, state, shardings = init_state(
        lambda rngs: mu.config.build(config.model, rngs=rngs),
        specs,
        {"users": log.n_users, "items": log.n_items},
        optimizer,
        row_optimizer,
        seed=config.seed,
        mesh=mesh,
        rules=config.sharding.to_dict(),
        ema=config.ema_decay is not None,
    )

    def loss(params: Any, rows: Any, batch: Any, key: jax.Array) -> tuple[jax.Array, jax.Array]:
        return task.loss(nnx.merge(model, params), rows, batch, key)

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
    return Setup(
        config, log, split, train, batches, task, model, specs, mesh, state, step, Encoder(model, task, batches)
    )


def cache_folder() -> Path:
    """Where compiled programs are kept: MU_CACHE, else mu/ in the user's cache folder."""
    default = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "mu"
    return Path(os.environ.get("MU_CACHE", default))


def evaluators(setup: Setup) -> dict[str, RankingEvaluator]:
    """{'valid', 'test'}: whole-catalogue ranking of each part, as `config.evaluation` says.

    Validation sees and masks the training plays. Test also sees the validation plays (`test_sees_valid`) and
    masks them (`test_masks_valid`).
    """
    config, split = setup.config.evaluation, setup.split
    train_seen = split.train.seen()
    known = setup.train.counts() > 0
    with_valid = merge(split.train, split.valid)
    options = {"known": known, "ks": tuple(config.ks), "metrics": tuple(config.metrics)}
    return {
        "valid": RankingEvaluator(targets=split.valid.seen(), histories=split.train, exclude=train_seen, **options),
        "test": RankingEvaluator(
            targets=split.test.seen(),
            histories=with_valid if config.test_sees_valid else split.train,
            exclude=train_seen.union(split.valid.seen()) if config.test_masks_valid else train_seen,
            **options,
        ),
    }


def merge(first: Interactions, second: Interactions) -> Interactions:
    """The plays of both logs (same users and catalogue), each listener's in order of time, `first` before ties."""
    users = np.concatenate([np.repeat(np.arange(log.n_users), log.lengths) for log in (first, second)])
    times = np.concatenate([first.times, second.times])
    order = np.lexsort((np.arange(len(users)), times, users))
    return dataclasses.replace(
        first,
        indptr=first.indptr + second.indptr,
        items=np.concatenate([first.items, second.items])[order],
        times=times[order],
        weights=np.concatenate([first.weights, second.weights])[order],
        parts=None,
        folder=None,
    )


def restore(workdir: str | os.PathLike[str]) -> tuple[Setup, dict[str, Any], int]:
    """(setup, state, step) of the best checkpoint of a run, on one device, whatever mesh it was trained on.

    Raises:
      FileNotFoundError: `workdir` holds no run, or one without an evaluated checkpoint.
      mu.config.ConfigError: the log is no longer the one that the run was trained on.
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
    refuse_other_log(checkpoints.note(best), setup, folder)
    state = setup.state = checkpoints.load(best, setup.state)
    checkpoints.close()
    return setup, state, best


def refuse_other_log(note: Mapping[str, Any], setup: Setup, folder: Path) -> None:
    """Raises ConfigError where a checkpoint's note names another split of another log: its ids mean other tracks."""
    if note["split"] != setup.split.hash:
        raise mu.config.ConfigError(
            f"the log or split that {folder} was trained on has changed; "
            "choose another --workdir, or bring the log back"
        )


def report(
    setup: Setup, evaluator: RankingEvaluator, state: Mapping[str, Any], output: Path, step: int
) -> dict[str, RankingResult]:
    """Evaluates the model and the baselines, writes the results to `output` and prints the table."""
    results = {"model": evaluator.run(TrainedRecommender(setup.encoder, state))}
    for name, spec in setup.config.baselines.items():
        results[name] = evaluator.run(mu.config.build(spec).fit(setup.train))
    protocol = {
        "split": setup.split.name,
        "refit": setup.config.refit,
        **setup.config.evaluation.to_dict(),
        "step": step,
        "seed": setup.config.seed,
    }
    samples, seed = setup.config.evaluation.bootstrap_samples, setup.config.seed
    save_evaluation(output, results, setup.split.hash, protocol, samples=samples, seed=seed)
    print(format_table(results, samples=samples, seed=seed))
    return results
