"""A config becomes the objects of a run (data, batches, task, model, train step); nothing is allocated on a device."""

import dataclasses
import functools
import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from flax import nnx

from mu.config.base import DENSE, Config, ConfigError, known_names
from mu.config.resolve import build, locate, takes
from mu.data.evidence_features import EvidenceFeatures
from mu.data.features import HistoryFeatures, known_features
from mu.data.logs.interactions import Interactions
from mu.data.logs.splits import Split as LogSplit
from mu.data.neighbours import played_near
from mu.evals.leaders import MODEL, VARIANTS
from mu.nn.evidence import EvidenceOffset
from mu.nn.table import Buffer, Table
from mu.protocols import AddsParts, Batches, Data, Features, Model, Split, TableSpec, Task
from mu.run.check_parts import (
    check_average,
    check_earlier_tracks,
    check_evidence,
    check_examples,
    check_graph,
    check_hidden_plays,
    check_inputs,
    check_intent,
    check_queries,
    check_repeats,
    constants_of,
    learns_from_average,
)
from mu.run.refit import ChosenSteps
from mu.run.usage import refuse_empty_parts
from mu.training.sharding import make_mesh, replicated
from mu.training.state import State, StatePlan, plan_state, values
from mu.training.step import make_step

logger = logging.getLogger(__name__)

# What an evaluation calls the model in its table, beside the config's baselines.
OWN_ROWS = (MODEL, *VARIANTS)


@dataclasses.dataclass(frozen=True)
class Run:
    """The objects of a run, built from its config: everything but the values of its state.

    Attributes:
      config: resolved.
      data: a log (`mu.data.logs.interactions`) or clips (`mu.data.clips.clips`).
      split: its parts `train`, `valid`, `test`, and a `hash`.
      train: what is learnt from: `split.train`, of a refit the validation part too.
      batches: `train` cut into batches.
      task: where a batch meets the model.
      tables: the tables of the model, and those that the data give.
      mesh: the devices.
      plan: the graph of the model, shapes and places of the state.
      step: the jitted train step.
      total_steps: how many there are: config.total_steps, or those of a refit by chosen steps.
    """

    config: Config
    data: Data
    split: Split
    train: Data
    batches: Batches
    task: Task[Model]
    tables: Mapping[str, TableSpec]
    mesh: jax.sharding.Mesh
    plan: StatePlan
    step: Callable[[State, Mapping[str, Any]], tuple[State, dict[str, jax.Array]]]
    total_steps: int

    @property
    def model(self) -> nnx.GraphDef:
        """The graph of the model; its values are in the state."""
        return self.plan.graph


def build_run(config: Config, mesh: jax.sharding.Mesh | None = None, chosen: ChosenSteps | None = None) -> Run:
    """Builds the objects of a resolved config.

    Args:
      config: of `mu.config.resolve.resolve`.
      mesh: the devices; None for those that the config asks for.
      chosen: how long a refit learns; None for config.total_steps.

    Raises:
      ConfigError: the parts do not go together.
    """
    use_compilation_cache()
    check_names(config)
    check_policy(config)
    sparse = is_sparse(config)
    data: Data = build(config.data)
    split: Split = build(config.split, data)
    refuse_empty_parts(config, split)
    check_mixture(config, split)
    # A refit learns from the validation part too: its steps and rates were chosen by an earlier run.
    train = split.train.merged(split.valid) if config.refit else split.train
    in_batch = {"in_batch": config.task.get("in_batch", 0)} if takes(config.batches, "in_batch") else {}
    batches: Batches = build(config.batches, train, sparse=sparse, seed=config.seed, **in_batch)
    check_examples(config, batches)
    task: Task[Model] = build(config.task, data=train, **counts_of(data.sizes))
    mesh = make_mesh(**config.mesh) if mesh is None else mesh
    check_batches(config, batches, task, mesh, sparse)
    check_evidence(config, batches, task)
    check_queries(config, task)
    check_inputs(config, batches, task)
    check_earlier_tracks(config, task)
    check_intent(config, batches, task)
    check_repeats(config, task)
    steps = planned = config.total_steps
    if chosen is not None:  # the rate falls over as many epochs as it did when the steps were chosen
        steps, planned = (chosen.scaled(count, batches.n_examples) for count in (chosen.step, planned))
    optimizer = build(config.optimizer, total_steps=planned)
    row_optimizer = build(config.tables) if sparse else None

    def new_model(rngs: nnx.Rngs) -> Any:
        return build_model(config, task, batches.features, rngs)

    rows = track_rows(train, batches.features)
    model: Model = nnx.eval_shape(lambda: new_model(nnx.Rngs(0)))
    check_hidden_plays(config, task, model)
    check_graph(config, batches, model)
    check_average(config, task)
    tables = dict(model.tables())
    if twice := set(tables) & set(rows):
        raise ConfigError(f"model and data both have a table {min(twice)!r}: the model's must have another name")
    computes_rows = any(not table.learnt for table in tables.values())
    tables |= {name: Table(ids="items", dim=array.shape[1], scale=0.0, learnt=False) for name, array in rows.items()}
    plan = plan_state(
        new_model,
        tables,
        data.sizes,
        optimizer,
        row_optimizer,
        mesh=mesh,
        rules=config.sharding.to_dict(),
        ema=config.ema_decay is not None,
        rows=rows,
    )
    microbatches = config.gradient_accumulation_steps
    if microbatches > 1 and (jax.tree.leaves(plan.shapes["stats"]) or computes_rows):
        raise ConfigError(
            f"gradient_accumulation_steps={microbatches}: the model has a batch norm or keeps rows, which would be "
            "those of a microbatch; set gradient_accumulation_steps=1 and, for larger batches, more devices"
        )
    step = train_step(config, task, plan, tables, planned, constants_of(batches))
    return Run(config, data, split, train, batches, task, tables, mesh, plan, step, steps)


def track_rows(train: Data, features: Features | None) -> dict[str, np.ndarray]:
    """Features of every track as the model learns from them; see `mu.data.listening.listening.Listening.track_rows`.

    A model that is told of neighbours has 'neighbours' int32 [V, K] too (`mu.data.neighbours.played_near`).

    Batches of histories draw negatives from the whole catalogue. A hashed feature that only unplayed tracks have would
    be trained as a negative alone, so it is left out, as their own rows are.

    Args:
      train: what is learnt from.
      features: the model's inputs; those of histories have a `hash_size` where they read features of tracks.
    """
    rows = dict(train.track_rows())
    if not isinstance(features, HistoryFeatures):
        return rows
    if features.hash_size:
        hashed = rows["item_features"]
        rows["item_features"] = known_features(hashed, hashed[rows["plays"][:, 0] > 0])
    if features.neighbours:
        assert isinstance(train, Interactions)
        rows["neighbours"] = played_near(train, features.neighbours)
    return rows


def build_model(config: Config, task: Task[Model], features: Features | None, rngs: nnx.Rngs) -> Any:
    """The model of a config, a `mu.protocols.Model` and a `flax.nnx.Module`.

    With evidence its weights are a part, and so is what the task adds (`mu.protocols.AddsParts`).
    """
    inputs = features.model_inputs if isinstance(features, HistoryFeatures) else {}
    model = build(config.model, rngs=rngs, **task.offers, **({"inputs": inputs} if inputs else {}))
    if isinstance(features, EvidenceFeatures):
        model.evidence_offset = EvidenceOffset()
    if isinstance(task, AddsParts):
        for name, part in task.parts(model, rngs).items():
            setattr(model, name, part)
    return model


def counts_of(sizes: Mapping[str, int]) -> dict[str, int]:
    """Sizes of the id spaces as arguments of a task: {'n_users': U, 'n_items': V, ...}."""
    return {f"n_{space}": size for space, size in sizes.items()}


def check_names(config: Config) -> None:
    """Raises ConfigError where a baseline has the name of a row of the run's own, or a name cannot be a folder's."""
    for key, names in (("baselines", config.baselines), ("evals", config.evals)):
        for name in names:
            if "/" in name or (key == "baselines" and name in OWN_ROWS):
                raise ConfigError(
                    f"config.{key}.{name}: a name has no '/', and {', '.join(OWN_ROWS)} are rows of the run itself; "
                    "choose another"
                )


def check_policy(config: Config) -> None:
    """Raises ConfigError where a policy for new releases goes with a recommender that does not know the time."""
    name = config.recommender.name
    if config.policy is not None and not locate(name, "config.recommender.name").time_aware:
        raise ConfigError(
            f"config.policy={config.policy.name!r} needs a recommender that knows the time of a play, and {name!r} "
            "does not: set recommender.name='mu.inference.time_aware:TimeAwareRecommender', or policy=None"
        )


def check_mixture(config: Config, split: Split) -> None:
    """Raises ConfigError where config.mixture names no baseline, or its weights cannot be chosen on validation."""
    if config.mixture and not isinstance(split, LogSplit):
        raise ConfigError(f"config.mixture is of recommenders on a log, and {config.data.name} is none: leave it out")
    for name in config.mixture:
        if name not in config.baselines:
            raise ConfigError(
                f"config.mixture names {name!r}, which is no baseline{known_names(name, config.baselines)}"
            )
    if config.mixture and config.refit is True:
        raise ConfigError(
            "config.mixture: its weights are chosen on the validation plays, and refit=True learns these: set "
            "refit='chosen'"
        )


def check_batches(config: Config, batches: Batches, task: Task[Model], mesh: jax.sharding.Mesh, sparse: bool) -> None:
    """Raises ConfigError where batches do not go with the task, the mesh or the microbatches."""
    steps = config.gradient_accumulation_steps
    if steps > 1 and task.compares_examples:
        raise ConfigError(
            f"gradient_accumulation_steps={steps}: {config.task.name} compares the examples of a batch with each "
            "other, and would compare those of a microbatch only; set gradient_accumulation_steps=1 and, for larger "
            "batches, more devices"
        )
    if task.needs_all_items and sparse:
        raise ConfigError(f"task.loss={config.task.loss!r} needs every item's row at every step: tables.name='dense'")
    if not task.needs_all_items and not config.batches.get("negatives", 1):
        raise ConfigError(f"task.loss={config.task.loss!r} needs batches.negatives of at least 1")
    if batches.batch_size % steps:
        raise ConfigError(f"gradient_accumulation_steps={steps} does not divide the batch of {batches.batch_size}")
    share = batches.batch_size // steps
    if share % mesh.shape["data"]:
        raise ConfigError(f"mesh.data={mesh.shape['data']} does not divide the (micro)batch of {share} examples")
    if batches.n_clips % mesh.shape["data"]:
        raise ConfigError(f"mesh.data={mesh.shape['data']} does not divide batches.clips={batches.n_clips}")


def train_step(
    config: Config,
    task: Task[Model],
    plan: StatePlan,
    tables: Mapping[str, TableSpec],
    planned_steps: int,
    constants: Mapping[str, Any],
) -> Callable[[State, Mapping[str, Any]], tuple[State, dict[str, jax.Array]]]:
    """The jitted step; the state that it is given is overwritten.

    Seed, rates and the norm of clipping are arguments of the compiled program: runs that differ in them share it, which
    JAX finds in its cache on disk. Arguments too, and put on the devices once, are the constants of the batches.
    """

    def loss(params: Any, stats: Any, rows: Any, batch: Any, key: jax.Array) -> tuple[jax.Array, jax.Array, Any, Any]:
        module = nnx.merge(plan.graph, values(params, stats))
        if "average" in batch:
            fixed = jax.lax.stop_gradient((batch["average"], stats))
            batch = {**batch, "average": nnx.merge(plan.graph, values(*fixed))}
        try:
            examples, weights = task.loss(module, rows, batch, key)
        except KeyError as error:
            if error.args[0] not in task.requires:
                raise
            raise ConfigError(
                f"config.model ({config.model.name}) gives no {error.args[0]!r}, which config.task "
                f"({config.task.name}) requires"
            ) from None
        buffers = nnx.to_pure_dict(nnx.state(module, Buffer)).get("buffers", {})
        return examples, weights, nnx.to_pure_dict(nnx.state(module, nnx.BatchStat)), buffers

    rates: dict[str, dict[str, Any]] = {key: _rates(config[key]) for key in ("optimizer", "tables")}
    rates["run"] = {"seed": np.uint32(config.seed)}
    if config.clip_norm is not None:
        rates["run"]["clip_norm"] = float(config.clip_norm)

    def step(
        state: State, batch: Mapping[str, Any], constants: Mapping[str, Any], rates: Any
    ) -> tuple[State, dict[str, jax.Array]]:
        made = make_step(
            loss,
            build({**config.optimizer, **rates["optimizer"]}, total_steps=planned_steps),
            tables,
            build({**config.tables, **rates["tables"]}) if is_sparse(config) else None,
            seed=rates["run"]["seed"],
            clip_norm=rates["run"].get("clip_norm"),
            microbatches=config.gradient_accumulation_steps,
            ema_decay=config.ema_decay,
        )
        shared = {**batch.get("shared", {}), **constants}
        if learns_from_average(task):
            shared["average"] = state["ema"]["model"]
        return made(state, {**batch, "shared": shared})

    jitted = jax.jit(step, donate_argnums=0, out_shardings=(plan.shardings, None))
    # Scalars without a type of their own, as Python's are: half-precision parameters stay what they are.
    placed = functools.cache(lambda: jax.device_put((constants, rates), replicated(plan.mesh)))
    return lambda state, batch: jitted(state, batch, *placed())


def _rates(spec: Mapping[str, Any]) -> dict[str, float]:
    """The entries of an optimizer's spec that are arguments of the compiled step, so that other values are no others.

    An optimizer of the user's own may branch on its rate: it gets the number itself, and is compiled for it.
    """
    if spec["name"] == DENSE or locate(spec["name"], "name").__module__.split(".")[0] not in ("optax", "mu"):
        return {}
    return {name: spec[name] for name in ("learning_rate", "weight_decay") if isinstance(spec.get(name), float)}


def is_sparse(config: Config) -> bool:
    """Whether the rows of tables train sparsely."""
    return config.tables.name != DENSE


def use_compilation_cache() -> None:
    """Keeps compiled programs on disk: in the folder MU_CACHE, else mu/ in the user's cache folder.

    Where JAX has a folder already (JAX_COMPILATION_CACHE_DIR), it keeps them there and as it was set up. Where the
    folder cannot be written to, or there is no home, as in many containers, each process compiles for itself.
    """
    if jax.config.jax_compilation_cache_dir:  # pyright: ignore[reportAttributeAccessIssue]
        return
    caches = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    folder = Path(os.environ.get("MU_CACHE") or os.path.join(caches, "mu")) / "jax"
    try:
        if str(folder).startswith("~"):
            raise FileNotFoundError("this user has no home")
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(f"{folder} cannot be written to")
    except OSError as error:
        logger.info(f"Compiled programs are not kept ({error}): set MU_CACHE to a folder for them.")
        return
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.05)
