"""To be deleted with config.evaluation: evaluations built from a run's setup, on top of the pure evaluators."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from flax import nnx

from mu.baselines.content import ContentNeighbours
from mu.data.logs.interactions import Interactions
from mu.evals.protocols.clips import ClipPrediction
from mu.evals.protocols.plays import PlayRanking
from mu.evals.protocols.ranking import Ranking as Ranked
from mu.evals.protocols.ratings import RatingPrediction
from mu.evals.result import Result
from mu.evals.results import save
from mu.evals.table import ResultTable
from mu.files import write_whole
from mu.inference import track_content
from mu.inference.clips import ClipPredictor
from mu.inference.policy import Policy, new_release_boost
from mu.inference.ratings import RatingPredictor
from mu.inference.recommender import TrainedRecommender, weights_hash
from mu.inference.time_aware import TimeAwareRecommender
from mu.inference.track_content import ContentEncoder
from mu.run.build import Run, baselines_of
from mu.run.restore import restore
from mu.training.state import weights


class _Evaluation:
    """What the three kinds of runs share."""

    name = ""

    def __init__(self, setup: Run, evaluator: Any, **options: Any):
        self._setup = setup
        self.evaluators = {
            part: evaluator(split=setup.split, train=setup.train, part=part, **options) for part in ("valid", "test")
        }
        self.names = list(self.evaluators["valid"].names)

    def _write(self, part: str, results: Mapping[str, Result], output: Path, step: int, **card: Any) -> None:
        setup, samples = self._setup, self.evaluators[part].bootstrap_samples
        seed = setup.config.seed
        about = {
            "split": setup.split.name,
            "split_hash": setup.split.hash,
            "part": part,
            "refit": setup.config.refit,
            "step": step,
            "seed": seed,
            **card,
        }
        save(output / self.name, results, about, samples=samples, seed=seed)
        text = f"{ResultTable(results, samples=samples, seed=seed)}\n"
        write_whole(output / self.name / "table.txt", text.encode())
        print(text, end="")


class Ranking(_Evaluation):
    """Runs on listening logs."""

    name = "ranking"

    def __init__(
        self,
        setup: Run,
        *,
        metrics: tuple[str, ...] = ("recall", "ndcg"),
        list_metrics: tuple[str, ...] = (),
        ks: tuple[int, ...] = (10, 20),
        test_sees_valid: bool = True,
        test_masks_valid: bool = True,
        bootstrap_samples: int = 1000,
    ):
        super().__init__(
            setup,
            Ranked,
            metrics=metrics,
            list_metrics=list_metrics,
            ks=ks,
            test_sees_valid=test_sees_valid,
            test_masks_valid=test_masks_valid,
            bootstrap_samples=bootstrap_samples,
        )

    def recommender(self, state: Mapping[str, Any]) -> TrainedRecommender:
        return self._setup.recommender(*weights(state))

    def means(self, state: Mapping[str, Any]) -> dict[str, float]:
        return self.evaluators["valid"].run(self.recommender(state)).values()

    def report(self, part: str, state: Mapping[str, Any], output: Path, step: int) -> dict[str, Result]:
        evaluator = self.evaluators[part]
        results = {"model": evaluator.run(self.recommender(state))}
        for name, baseline in baselines_of(self._setup.config).items():
            results[name] = evaluator.run(baseline.fit(self._setup.train))
        self._write(part, results, output, step)
        return results


class ClipScores(_Evaluation):
    """Runs on clips."""

    name = "clips"
    evaluator: Any = ClipPrediction

    def __init__(self, setup: Run, *, group: str | None = None, bootstrap_samples: int = 1000):
        options = {"outputs": setup.task.offers["outputs"]} if self.evaluator is ClipPrediction else {}
        super().__init__(setup, self.evaluator, group=group, bootstrap_samples=bootstrap_samples, **options)
        self._measures = bool(self.names)
        self.names = ["negative_loss", *self.names]
        model, task = setup.model, setup.task

        def loss(params: Any, batch: Any) -> tuple[jax.Array, jax.Array]:
            values, counts = task.loss(nnx.merge(model, params), {}, batch, jax.random.key(0))
            return (values * counts).sum(), counts.sum()

        self._loss = jax.jit(loss)

    def predictions(self, state: Mapping[str, Any], clips: Any) -> dict[str, np.ndarray]:
        setup, (params, _) = self._setup, weights(state)
        crop_samples = setup.batches.crop_samples
        predictor = ClipPredictor(graph=setup.model, task=setup.task, params=params, crop_samples=crop_samples)
        return predictor.predict(clips)

    def means(self, state: Mapping[str, Any]) -> dict[str, float]:
        found = {"negative_loss": self._negative_loss(state, self._setup.split.valid)}
        if self._measures:
            found |= self.evaluators["valid"].run(_Predictor(self, state)).values()
        return found

    def report(self, part: str, state: Mapping[str, Any], output: Path, step: int) -> dict[str, Result]:
        setup, evaluator = self._setup, self.evaluators[part]
        clips = getattr(setup.split, part)
        if not self._measures:
            print(f"{part}: the task's loss is {-self._negative_loss(state, clips):.4f} on {len(clips):,} clips.")
            return {}
        results = {"model": evaluator.run(_Predictor(self, state))}
        for name, baseline in baselines_of(setup.config).items():
            results[name] = evaluator.run(baseline.fit(setup.train))
        self._write(part, results, output, step)
        return results

    def _negative_loss(self, state: Mapping[str, Any], clips: Any) -> float:
        params, _ = weights(state)
        held_out = self._setup.batches.on(clips)
        total = count = 0.0
        for start in range(0, len(clips), held_out.batch_size):
            # Every batch has one shape: the last is filled up with clips from the start, which count nothing there.
            rows = np.arange(start, start + held_out.batch_size)
            batch = held_out.batch(rows % len(clips), 0)
            batch["weights"] = batch["weights"] * (rows < len(clips))
            value, weight = self._loss(params, batch)
            total, count = total + float(value), count + float(weight)
        return -total / count


class RatingScores(ClipScores):
    """Runs on ratings."""

    name = "ratings"
    evaluator = RatingPrediction

    def predictions(self, state: Mapping[str, Any], clips: Any) -> dict[str, np.ndarray]:
        setup, (params, _) = self._setup, weights(state)
        predictor = RatingPredictor(graph=setup.model, task=setup.task, params=params, batches=setup.batches)
        return predictor.predict(clips)


class _Predictor:
    def __init__(self, evaluation: ClipScores, state: Mapping[str, Any]):
        self._evaluation, self._state = evaluation, state

    def predict(self, clips: Any) -> dict[str, np.ndarray]:
        return self._evaluation.predictions(self._state, clips)


class PlayScores(_Evaluation):
    """Runs on logs with audio: with a boost of fresh tracks that costs at most `fresh_cost` on validation."""

    name = "plays"

    def __init__(
        self,
        setup: Run,
        *,
        metrics: tuple[str, ...] = ("recall", "ndcg"),
        ks: tuple[int, ...] = (20,),
        fresh_cost: float = 0.05,
        bootstrap_samples: int = 1000,
    ):
        if not 0 <= fresh_cost < 1:
            raise ValueError(f"fresh_cost={fresh_cost}; it must lie in [0, 1)")
        super().__init__(setup, PlayRanking, metrics=metrics, ks=ks, bootstrap_samples=bootstrap_samples)
        self._fresh_cost, self._metric = fresh_cost, f"discovery/{metrics[0]}@{ks[0]}"
        self._content = None
        if "content" in setup.tables:
            crop_samples, ids = setup.batches.crop_samples, setup.data.tracks["track"]
            self._content = ContentEncoder(setup.model, setup.train.sound, crop_samples, ids)

    def recommender(self, state: Mapping[str, Any], policy: Policy | None = None, missing_only: bool = False) -> Any:
        """The model with the weights of `state`; content of all tracks is computed anew, or of those without any."""
        params, rows = weights(state)
        if self._content is not None:
            content = np.asarray(rows["content"])
            tracks = np.all(content == 0, axis=1) if missing_only else None
            rows = {**rows, "content": self._content.content(params, content, tracks)}
        return self._setup.recommender(params, rows, policy)

    def means(self, state: Mapping[str, Any]) -> dict[str, float]:
        return self.evaluators["valid"].run(self.recommender(state, missing_only=True)).values()

    def policy(self, recommender: TimeAwareRecommender) -> Policy:
        """The boost of new releases that costs the validation plays of known tracks what it may."""
        evaluator = self.evaluators["valid"]
        if self._metric not in evaluator.names:
            return Policy()

        def mean(boost: float) -> float:
            return evaluator.run(recommender.with_policy(Policy(boost))).values()[self._metric]

        return new_release_boost(mean, max_cost=self._fresh_cost)

    def report(self, part: str, state: Mapping[str, Any], output: Path, step: int) -> dict[str, Result]:
        setup, evaluator = self._setup, self.evaluators[part]
        recommender, policy = self.recommender(state), Policy()
        # A refit has learnt the validation part: how it ranks that says nothing of what a boost costs.
        if recommender.time_aware and self._fresh_cost and not setup.config.refit:
            policy = self.policy(recommender)
            results = {
                "model": evaluator.run(recommender.with_policy(policy)),
                "model_unboosted": evaluator.run(recommender),
            }
        else:
            results = {"model": evaluator.run(recommender)}
        if recommender.time_aware and self._content is not None:
            alone = ContentNeighbours(np.asarray(recommender.rows["content"])).fit(setup.train)
            results["content_of_model"] = evaluator.run(alone)
        for name, baseline in baselines_of(setup.config).items():
            results[name] = evaluator.run(baseline.fit(setup.train))
        weights_hash_ = weights_hash(recommender.params)
        if output.name == "evaluation" and (output.parent / "config.json").is_file():
            dataclasses.replace(policy, weights_hash=weights_hash_).save(output.parent)
            if self._content is not None:
                track_content.save(output.parent, np.asarray(recommender.rows["content"]))
        boost = policy.new_release_boost
        self._write(part, results, output, step, weights_hash=weights_hash_, fresh_boost=boost)
        return results


class TrainedRun:
    """Another run as a baseline: its best weights."""

    def __init__(self, workdir: str):
        self._workdir = workdir

    def fit(self, log: Interactions) -> TrainedRecommender:
        """Loads the run, which has learnt already."""
        restored = restore(self._workdir)
        setup, state = restored.run, restored.state
        if not (np.array_equal(setup.train.indptr, log.indptr) and np.array_equal(setup.train.items, log.items)):
            raise ValueError(
                f"{self._workdir} has learnt from other plays than this run; give both the same data and split"
            )
        return setup.evaluation.recommender(state)
