"""Evaluations of a run: its evaluators, its model as they measure it, baselines beside it, and the results on disk."""

import dataclasses
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import jax
import numpy as np
from flax import nnx

from mu.baselines.content import ContentNeighbours
from mu.config.resolve import build
from mu.data.listening.listening import Listening
from mu.data.logs.interactions import Interactions
from mu.evals.result import Result
from mu.evals.results import save
from mu.evals.table import ResultTable
from mu.files import write_whole
from mu.inference import track_content
from mu.inference.policy import Policy
from mu.inference.recommender import weights_hash
from mu.inference.track_content import ContentEncoder
from mu.protocols import Data, Evaluator, HoldOutBatches
from mu.run.build import Run
from mu.training.state import State, weights

logger = logging.getLogger(__name__)
Results = dict[str, dict[str, Result]]
"""Name of an evaluation -> name of the recommender or predictor -> its result."""


def build_evaluators(run: Run, part: str) -> dict[str, Evaluator]:
    """The evaluators of config.evals on a part, 'valid' or 'test', but for those that measure nothing of the task."""
    offers = {"split": run.split, "train": run.train, "part": part, "outputs": run.task.offers.get("outputs")}
    evaluators = {name: build(spec, **offers) for name, spec in run.config.evals.items()}
    return {name: evaluator for name, evaluator in evaluators.items() if evaluator.names}


def model_of(run: Run, params: Any, rows: Mapping[str, Any], policy: Policy | None = None) -> Any:
    """The run's recommender or predictor (config.recommender) over these parameters and tables."""
    return build(
        run.config.recommender,
        graph=run.model,
        task=run.task,
        params=params,
        rows=rows,
        policy=policy,
        batches=run.batches,
        features=run.batches.features,
        crop_samples=run.batches.crop_samples,
        end_ms=int(run.train.times.max()) if isinstance(run.train, Interactions) else None,
    )


class Validation:
    """The evaluation of a run on its validation part during training.

    Args:
      run: the run.

    Attributes:
      evaluators: of the validation part, by name.
      names: 'ranking/ndcg@10' and so on; 'negative_loss' too where batches hold out.
    """

    def __init__(self, run: Run):
        self._run = run
        self.evaluators = build_evaluators(run, "valid")
        self.names = [f"{name}/{metric}" for name, one in self.evaluators.items() for metric in one.names]
        self._content = content_encoder(run)
        if run.batches.holds_out:
            self.names = ["negative_loss", *self.names]

            def loss(params: Any, batch: Any) -> tuple[jax.Array, jax.Array]:
                module = nnx.merge(run.model, params)
                examples, weight = run.task.loss(module, {}, batch, jax.random.key(0))
                return (examples * weight).sum(), weight.sum()

            self._loss = jax.jit(loss)

    def measure(self, state: State) -> dict[str, float]:
        """The metrics of the validation part by `names`; content of tracks that have none yet is computed."""
        params, rows = weights(state)
        found = {}
        if self._run.batches.holds_out:
            found["negative_loss"] = -self.loss(state, self._run.split.valid)
        if self.evaluators:
            if self._content is not None:
                content = np.asarray(rows["content"])
                missing = np.all(content == 0, axis=1)
                rows = {**rows, "content": self._content.content(params, content, missing)}
            model = model_of(self._run, params, rows)
            for name, evaluator in self.evaluators.items():
                found |= {f"{name}/{metric}": value for metric, value in evaluator.run(model).values().items()}
        return found

    def loss(self, state: State, clips: Data) -> float:
        """The task's mean loss on held-out clips."""
        params, _ = weights(state)
        held_out = cast(HoldOutBatches, self._run.batches).on(clips)
        total = count = 0.0
        for start in range(0, len(clips), held_out.batch_size):
            # Every batch has one shape: the last is filled up with clips from the start, which count nothing there.
            rows = np.arange(start, start + held_out.batch_size)
            batch = held_out.batch(rows % len(clips), 0)
            batch["weights"] = batch["weights"] * (rows < len(clips))
            value, weight = self._loss(params, batch)
            total, count = total + float(value), count + float(weight)
        return total / count

    def fit_policy(self, recommender: Any) -> Policy:
        """The policy that config.policy chooses on validation, by the first metric of plays of known tracks.

        A refit has learnt the validation part: how it ranks that says nothing of what a policy costs.
        """
        if self._run.config.policy is None or self._run.config.refit:
            return Policy()
        for evaluator in self.evaluators.values():
            for metric in evaluator.names:
                if metric.startswith("discovery/"):

                    def score(boost: float, evaluator: Any = evaluator, metric: str = metric) -> float:
                        return evaluator.run(recommender.with_policy(Policy(boost))).values()[metric]

                    return build(self._run.config.policy, score=score)
        return Policy()


def content_encoder(run: Run) -> ContentEncoder | None:
    """The encoder of the tracks' sound; None for runs without a table of content embeddings."""
    crop_samples = run.batches.crop_samples
    if "content" not in run.tables or not isinstance(run.train, Listening) or crop_samples is None:
        return None
    assert run.train.sound is not None, "crops are cut from sound"
    return ContentEncoder(run.model, run.train.sound, crop_samples, run.train.tracks["track"].to_list())


def evaluate(
    run: Run, state: State, step: int, part: str, output: str | os.PathLike[str], workdir: Path | None = None
) -> Results:
    """Measures the run's weights beside its baselines and writes each evaluation to a folder of `output`.

    Args:
      run: the run.
      state: with its best weights.
      step: of these weights.
      part: 'valid' or 'test'.
      output: NAME/evaluation.json, units.npz and table.txt are written for each NAME of config.evals.
      workdir: of the run, whose policy and content embeddings are used, or made and saved where they are of other
        weights; None to make and not to save them.
    """
    validation, evaluators = Validation(run), build_evaluators(run, part)
    if run.batches.holds_out:
        clips = getattr(run.split, part)
        logger.info(f"{part}: the task's loss is {validation.loss(state, clips):.4f} on {len(clips):,} clips.")
    if not evaluators:
        return {}
    params, rows = weights(state)
    digest, encoder = weights_hash(params), content_encoder(run)
    policy = Policy() if workdir is None else Policy.load(workdir)
    content = None
    if workdir is not None and policy.weights_hash == digest and encoder is not None:
        content = track_content.load(workdir, rows["content"].shape)
    if encoder is not None:
        content = encoder.content(params, np.asarray(rows["content"])) if content is None else content
        rows = {**rows, "content": content}
    models = {"model": model_of(run, params, rows)}
    if run.config.policy is not None and not run.config.refit:
        if policy.weights_hash != digest:
            policy = dataclasses.replace(validation.fit_policy(models["model"]), weights_hash=digest)
        models = {"model": models["model"].with_policy(policy), "model_unboosted": models["model"]}
    elif policy.weights_hash != digest:
        policy = Policy(weights_hash=digest)
    if workdir is not None:
        if content is not None:
            track_content.save(workdir, np.asarray(content))
        policy.save(workdir)  # last: its hash says that the content is of these weights
    if content is not None:
        models["content_of_model"] = ContentNeighbours(np.asarray(content)).fit(run.train)
    models |= {name: build(spec).fit(run.train) for name, spec in run.config.baselines.items()}
    card = {
        "split": run.split.name,
        "split_hash": run.split.hash,
        "part": part,
        "refit": run.config.refit,
        "step": step,
        "seed": run.config.seed,
        "weights_hash": digest,
        "new_release_boost": policy.new_release_boost,
    }
    found: Results = {}
    for name, evaluator in evaluators.items():
        found[name] = {model: evaluator.run(one) for model, one in models.items()}
        folder, samples, seed = Path(output) / name, evaluator.bootstrap_samples, run.config.seed
        save(folder, found[name], card, samples=samples, seed=seed)
        write_whole(folder / "table.txt", f"{ResultTable(found[name], samples=samples, seed=seed)}\n")
    return found
