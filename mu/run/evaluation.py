"""Evaluations of a run: its evaluators, its model as they measure it, baselines beside it, and the results on disk."""

import dataclasses
import functools
import json
import logging
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, cast

import jax
import numpy as np
from flax import nnx

from mu.baselines.content import ContentNeighbours
from mu.config.base import Config, ConfigError, known_names
from mu.config.resolve import build
from mu.console import working
from mu.data.clips.clips import Clips
from mu.data.listening.listening import Listening
from mu.data.logs.interactions import Interactions
from mu.data.logs.splits import Split as LogSplit
from mu.evals.leaders import MIXTURE, MODEL, UNBOOSTED
from mu.evals.protocols.age_masses import age_masses
from mu.evals.protocols.plays import PlayEvaluator
from mu.evals.result import Result
from mu.evals.results import save
from mu.evals.table import ResultTable
from mu.files import write_whole
from mu.inference import track_content
from mu.inference.age_offsets import age_offsets
from mu.inference.intent import IntentRecommender
from mu.inference.mixture import Mixture
from mu.inference.policy import CALIBRATED_DAYS, Policy
from mu.inference.recommender import weights_hash
from mu.inference.track_content import ContentEncoder
from mu.locks import writing
from mu.protocols import (
    Baseline,
    ChecksData,
    Data,
    Evaluator,
    HoldOutBatches,
    MeasuresIntent,
    Predictor,
    ProgressCallback,
    Recommender,
    Split,
)
from mu.run.build import Run
from mu.run.check_parts import predicts_intent
from mu.run.intent import calibrated_intent
from mu.run.mixture_weights import MixtureWeights, choose_weights, listeners_in_memory
from mu.run.rebuild import rebuild
from mu.run.refit import ChosenSteps
from mu.training.state import State, weights

logger = logging.getLogger(__name__)
Measured = Recommender | Predictor[Clips]
"""What evaluators measure: the model of a run and the baselines beside it."""
Results = dict[str, dict[str, Result]]
"""Name of an evaluation -> name of the recommender or predictor -> its result."""


def build_evaluators(run: Run, part: str) -> dict[str, Evaluator[Measured, Result]]:
    """The evaluators of config.evals on a part, 'valid' or 'test', but for those that measure nothing of the task."""
    evaluators = {name: build_evaluator(run, name, part) for name in run.config.evals}
    return {name: evaluator for name, evaluator in evaluators.items() if evaluator.names}


def build_evaluator(run: Run, name: str, part: str) -> Evaluator[Measured, Result]:
    """The evaluator `name` of config.evals on a part, 'valid' or 'test'.

    Raises:
      ConfigError: it cannot be built: a metric or a cut-off is wrong, or the data have not what it needs.
    """
    offers = run.task.offers
    outputs = {*offers["outputs"], *offers.get("zero_shot", ())} if "outputs" in offers else None
    return evaluator_on(run.config, name, run.split, run.train, part, outputs=outputs, intents=offers.get("intents"))


def evaluator_on(
    config: Config, name: str, split: Split, train: Data, part: str, *, outputs: Any = None, intents: Any = None
) -> Evaluator[Measured, Result]:
    """The evaluator `name` of config.evals on a part of a split, without a run.

    Args:
      config: resolved.
      name: of the evaluator.
      split: the parts.
      train: what was learnt from; with the validation part where that was learnt too.
      part: 'valid' or 'test'.
      outputs: what the task offers of them; None for recommenders.
      intents: the same of the heads for what a listener is about to do.

    Raises:
      ConfigError: see `build_evaluator`.
    """
    try:
        return build(config.evals[name], split=split, train=train, part=part, outputs=outputs, intents=intents)
    except ValueError as error:
        raise ConfigError(f"config.evals.{name}: {error}") from error


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


def held_out_loss(run: Run) -> Callable[[State, Data], float]:
    """A function that computes the task's mean loss on held-out data, of a run whose batches hold out."""

    @jax.jit
    def sums(params: Any, batch: Any) -> tuple[jax.Array, jax.Array]:
        model = nnx.merge(run.model, params)
        examples, weight = run.task.loss(model, {}, {**batch, "average": model}, jax.random.key(0))
        return (examples * weight).sum(), weight.sum()

    def loss(state: State, data: Data) -> float:
        params, _ = weights(state)
        batches = cast(HoldOutBatches, run.batches).on(data)
        total = count = 0.0
        for start in range(0, len(data), batches.batch_size):
            # Every batch has one shape: the last is filled up with examples from the start, which count nothing there.
            rows = np.arange(start, start + batches.batch_size)
            batch = batches.batch(rows % len(data), 0)
            batch["weights"] = batch["weights"] * (rows < len(data))
            value, weight = sums(params, jax.device_put(batch))
            total, count = total + float(value), count + float(weight)
        return total / count

    return loss


def calibrate(run: Run, recommender: Any) -> Policy:
    """A policy without a boost whose offsets by age give a recommender the observed share of recent releases.

    They are fitted on the plays of the validation part that config.policy.metric is of; all 0 of a refit, which has
    learnt these plays, and where they are not ranked at their moments.
    """
    if run.config.policy is None or run.config.refit:
        return Policy()
    name = run.config.policy.metric.partition("/")[0]
    evaluator = build_evaluator(run, name, "valid") if name in run.config.evals else None
    if not isinstance(evaluator, PlayEvaluator):
        return Policy()
    return Policy(age_offsets=age_offsets(*age_masses(evaluator, recommender, CALIBRATED_DAYS)))


def fit_policy(run: Run, recommender: Any) -> Policy:
    """The policy that config.policy chooses for a recommender by the metric that it names, on the validation part.

    The recommender's offsets by age are kept.

    A refit has learnt the validation part: how it ranks that says nothing of what a policy costs, so nothing is chosen.

    Raises:
      ConfigError: no evaluation has the metric.
    """
    if run.config.policy is None or run.config.refit:
        return Policy()
    evaluator = functools.cache(lambda name: build_evaluator(run, name, "valid"))

    def score(metric: str, boost: float) -> float:
        name, _, column = metric.partition("/")
        measured = [f"{name}/{one}" for one in evaluator(name).names] if name in run.config.evals else []
        check_policy_metric(metric, measured or run.config.evals)
        policy = dataclasses.replace(recommender.policy, new_release_boost=boost)
        return evaluator(name).run(recommender.with_policy(policy)).values()[column]

    chosen = build(run.config.policy, score=score)
    return dataclasses.replace(chosen, age_offsets=recommender.policy.age_offsets)


def check_policy_metric(metric: str, measured: Iterable[str]) -> None:
    """Raises ConfigError where config.policy names a metric that is not among those measured on the validation part."""
    measured = list(measured)
    if metric not in measured:
        raise ConfigError(
            f"config.policy.metric={metric!r} is measured by no evaluation of the validation part"
            f"{known_names(metric, measured)}"
        )


def content_encoder(run: Run) -> ContentEncoder | None:
    """The encoder of the tracks' sound; None for runs without a table of content embeddings."""
    crop_samples = run.batches.crop_samples
    if "content" not in run.tables or not isinstance(run.train, Listening) or crop_samples is None:
        return None
    assert run.train.sound is not None, "crops are cut from sound"
    return ContentEncoder(run.model, run.train.sound, crop_samples, run.train.tracks["track"].to_list())


def fitted_baselines(
    specs: Mapping[str, Config], train: Data, progress: ProgressCallback
) -> tuple[dict[str, Any], dict[str, str]]:
    """The baselines of a config, fitted.

    Args:
      specs: name -> spec.
      train: what they learn from.
      progress: see `evaluate`.

    Returns:
      (name -> recommender or predictor, name -> why there is none: it would not fit into memory, which is warned of).

    Raises:
      ConfigError, ValueError: see `build_baselines`, before any is fitted; ValueError also where one cannot be fitted.
    """
    fitted, left_out = {}, {}
    for number, (name, baseline) in enumerate(build_baselines(specs, train).items()):
        progress("fit baselines", number, len(specs), name)
        try:
            fitted[name] = baseline.fit(train)
        except MemoryError as error:
            left_out[name] = str(error)
            logger.warning("The baseline %s is left out: %s", name, error)
        except ValueError as error:
            raise ValueError(f"config.baselines.{name}: {error}") from error
    return fitted, left_out


def build_baselines(specs: Mapping[str, Config], train: Data) -> dict[str, Baseline[Data, Measured]]:
    """The baselines of config.baselines, not fitted.

    Args:
      specs: name -> spec.
      train: what they are to learn from.

    Raises:
      ConfigError: options of one do not go together; names it.
      ValueError: one says that it lacks something in the data (`mu.protocols.ChecksData`); names it.
    """
    baselines = {}
    for name, spec in specs.items():
        try:
            baselines[name] = build(spec)
        except ValueError as error:
            raise ConfigError(f"config.baselines.{name}: {error}") from error
        try:
            if isinstance(baselines[name], ChecksData):
                baselines[name].check_data(train)
        except ValueError as error:
            raise ValueError(f"config.baselines.{name}: {error}") from error
    return baselines


def evaluate(
    run: Run,
    state: State,
    step: int,
    part: str,
    output: str | os.PathLike[str],
    workdir: Path | None = None,
    evaluators: Mapping[str, Evaluator[Measured, Result]] | None = None,
    *,
    progress: ProgressCallback = lambda stage, done, total, note: None,
) -> Results:
    """Measures the run's weights beside its baselines and writes each evaluation to a folder of `output`.

    Args:
      run: the run.
      state: with its best weights.
      step: of these weights.
      part: 'valid' or 'test'.
      output: NAME/evaluation.json, units.npz and table.txt are written for each evaluator.
      workdir: of the run, whose policy and content embeddings are used, or made and saved where they are of other
        weights; None to make and not to save them.
      evaluators: of the part, by name; None for those of config.evals. The policy is chosen by config.evals whatever
        these are.
      progress: called with a stage, how many models have been measured, of how many, and which is next.

    Raises:
      Locked: another process writes `output`.
    """
    with writing(output):
        return _evaluate(run, state, step, part, Path(output), workdir, evaluators, progress)


def _evaluate(
    run: Run,
    state: State,
    step: int,
    part: str,
    output: Path,
    workdir: Path | None,
    evaluators: Mapping[str, Evaluator[Measured, Result]] | None,
    progress: ProgressCallback,
) -> Results:
    """Measures and writes, as `evaluate` says, into a folder that nobody else writes."""
    if evaluators is None:
        evaluators = build_evaluators(run, part)
    if run.batches.holds_out:
        clips = getattr(run.split, part)
        logger.info(f"{part}: the task's loss is {held_out_loss(run)(state, clips):.4f} on {len(clips):,} clips.")
    if not evaluators:
        return {}
    params, rows = weights(state)
    digest, encoder = weights_hash(params), content_encoder(run)
    policy = Policy() if workdir is None else Policy.load(workdir)
    content = None
    if workdir is not None and policy.weights_hash == digest and encoder is not None:
        content = track_content.load(workdir, rows["content"].shape, policy.content_sha256)
    if encoder is not None:
        with working("encoding the sound of all tracks"):
            content = encoder.content(params, np.asarray(rows["content"])) if content is None else content
        rows = track_content.scored(rows, content)
    models = {"model": model_of(run, params, rows)}
    if run.config.policy is not None and not run.config.refit:
        if policy.weights_hash != digest:
            calibrated = models["model"].with_policy(calibrate(run, models["model"]))
            policy = dataclasses.replace(fit_policy(run, calibrated), weights_hash=digest)
        policies = {MODEL: policy, UNBOOSTED: policy.without_boost()}
        models = {name: models[MODEL].with_policy(one) for name, one in policies.items()}
    elif policy.weights_hash != digest:
        policy = Policy(weights_hash=digest)
        if isinstance(models["model"], IntentRecommender) and not run.config.refit:
            policy = dataclasses.replace(policy, intent=calibrated_intent(run.split, models["model"]))
    if isinstance(models["model"], IntentRecommender):
        models["model"] = models["model"].with_policy(policy)
    if workdir is not None:
        if content is not None:
            digest_of_content = track_content.save(workdir, np.asarray(content))
            policy = dataclasses.replace(policy, content_sha256=digest_of_content)
        policy.save(workdir)  # last: its hash says that the content is of these weights
    if content is not None:
        models["content_of_model"] = ContentNeighbours(np.asarray(content)).fit(run.train)
    baselines, left_out = fitted_baselines(run.config.baselines, run.train, progress)
    models |= baselines
    mixture = None
    if run.config.mixture and part == "test":  # where the weights are chosen it is ahead by that alone
        mixture = _mixture_weights(run, models, workdir, {"weights": digest, "step": step}, progress)
    if mixture is not None:
        logger.info(f"{mixture}.")
        models[MIXTURE] = Mixture({name: models[name] for name in mixture.weights}, mixture.weights)
    card = {
        "split": run.split.name,
        "split_hash": run.split.hash,
        "part": part,
        "refit": run.config.refit,
        "step": step,
        "seed": run.config.seed,
        "weights_hash": digest,
        "new_release_boost": policy.new_release_boost,
        "age_offsets": list(policy.age_offsets),
        "baselines_left_out": left_out,
        "mixture": None if mixture is None else dataclasses.asdict(mixture),
    }
    return measure(evaluators, models, card, output, run.config.seed, progress)


def _of_intent(evaluator: Evaluator[Measured, Result]) -> bool:
    return isinstance(evaluator, MeasuresIntent) and evaluator.measures_intent


def _mixture_weights(
    run: Run, models: Mapping[str, Any], workdir: Path | None, model: Mapping[str, Any], progress: ProgressCallback
) -> MixtureWeights | None:
    """The weights of config.mixture for a state of the model: saved ones, or chosen now and saved.

    A refit has learnt the validation part; its weights are those of the model that chose its steps, and of baselines
    that have learnt as little. None where all baselines of the mixture are left out; a member that is, is warned of.
    """
    specs = {name: run.config.baselines[name] for name in run.config.mixture if name in models}
    if absent := [name for name in run.config.mixture if name not in specs]:
        logger.warning("config.mixture is without %s, which is left out of the baselines", " and ".join(absent))
    if not specs:
        return None
    members = {MODEL: model, **{name: json.loads(spec.to_json()) for name, spec in specs.items()}}
    saved = None if workdir is None else MixtureWeights.load(workdir)
    if saved is not None and saved.members == members:
        return saved
    on, recommenders = run, {name: models[name] for name in members}
    if run.config.refit:
        chosen = None if workdir is None else ChosenSteps.load(workdir)
        assert workdir is not None and chosen is not None, "a refit by chosen steps has a folder"
        chose = rebuild(workdir / chosen.run)
        on, (params, rows) = chose.run, weights(chose.state)
        if (encoder := content_encoder(on)) is not None:
            rows = track_content.scored(rows, encoder.content(params, np.asarray(rows["content"])))
        recommenders = {MODEL: model_of(on, params, rows), **fitted_baselines(specs, on.train, progress)[0]}
    _, name, column = run.config.best.metric.split("/", 2)
    split = cast(LogSplit, on.split)
    most = listeners_in_memory(split.train.n_items, len(members))
    split = split.with_fewer_valid(most, run.config.seed)
    evaluator = evaluator_on(run.config, name, split, on.train, "valid")
    if column not in evaluator.names:  # of fewer listeners: a section may have no play
        logger.warning("there is no mixture: %d listeners, for whom there is room, have no %s", most, column)
        return None
    values, value, alone = choose_weights(recommenders, evaluator, column, progress)
    mixture = MixtureWeights(
        weights=values,
        metric=f"{name}/{column}",
        value=value,
        alone=alone,
        n_listeners=int((split.valid.lengths > 0).sum()),
        members=members,
    )
    if workdir is not None:
        mixture.save(workdir)
    return mixture


def measure(
    evaluators: Mapping[str, Evaluator[Measured, Result]],
    models: Mapping[str, Measured],
    card: Mapping[str, Any],
    output: Path,
    seed: int,
    progress: ProgressCallback = lambda stage, done, total, note: None,
) -> Results:
    """Runs evaluators on fitted models; writes the results of each, and their table, into `output`/NAME.

    Args:
      evaluators: name -> evaluator.
      models: name -> recommender or predictor.
      card: that is written beside the results; its 'part' is the evaluators'.
      output: folder of the results.
      seed: of the intervals.
      progress: see `evaluate`.
    """
    results: Results = {}
    done, total = 0, len(evaluators) * len(models)
    for name, evaluator in evaluators.items():
        results[name] = {}
        for model, one in models.items():
            if _of_intent(evaluator) and not predicts_intent(one):
                total -= 1
                continue
            progress(f"evaluate on {card['part']}", done, total, f"{name} of {model}")
            results[name][model] = evaluator.run(one)
            done += 1
        folder, samples = output / name, evaluator.bootstrap_samples
        save(folder, results[name], card, samples=samples, seed=seed)
        write_whole(folder / "table.txt", f"{ResultTable(results[name], samples=samples, seed=seed)}\n")
    return results
