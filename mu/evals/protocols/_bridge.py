"""To be deleted with config.evaluation: evaluations built from a run's setup, on top of the pure evaluators."""

import hashlib
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import jax
import numpy as np
from flax import nnx

from mu.baselines.content import ContentNeighbours
from mu.data.logs.interactions import Interactions
from mu.data.ratings.cell_rates import cell_rates
from mu.evals.protocols.clips import ClipPrediction
from mu.evals.protocols.plays import PlayRanking
from mu.evals.protocols.ranking import Ranking as Ranked
from mu.evals.protocols.ratings import RatingPrediction
from mu.evals.result import Result
from mu.evals.results import save
from mu.evals.table import ResultTable
from mu.files import write_whole
from mu.inference.clips import ClipPredictor
from mu.inference.recommender import Encoder, TrainedRecommender
from mu.inference.track_content import Hearing, TimedScores
from mu.run.build import Run, baselines_of
from mu.run.restore import restore
from mu.training.state import weights

BOOST_STEP, MOST_BOOST = 0.25, 8.0
HEARD = "heard.npy"


class Asked:
    """A trained model as the evaluators ask it."""

    dot_product = True

    def __init__(self, recommender: TrainedRecommender | TimedScores):
        self._recommender = recommender
        self.time_aware = isinstance(recommender, TimedScores)
        self.item_vectors = recommender.vectors

    def queries(self, users: np.ndarray, histories: Any) -> np.ndarray:
        return self._recommender.queries(users, histories)

    def item_bias(self, times_ms: np.ndarray | None = None) -> np.ndarray | None:
        if times_ms is None or not isinstance(self._recommender, TimedScores):
            return self._recommender.bias
        return self._recommender.bias_at(times_ms)


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
        self.encoder = Encoder(setup.model, setup.task, setup.batches.features)

    def recommender(self, state: Mapping[str, Any]) -> TrainedRecommender:
        return TrainedRecommender(self.encoder, state)

    def means(self, state: Mapping[str, Any]) -> dict[str, float]:
        return self.evaluators["valid"].run(Asked(self.recommender(state))).values()

    def report(self, part: str, state: Mapping[str, Any], output: Path, step: int) -> dict[str, Result]:
        evaluator = self.evaluators[part]
        results = {"model": evaluator.run(Asked(self.recommender(state)))}
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

    def __init__(self, setup: Run, *, group: str | None = None, bootstrap_samples: int = 1000):
        super().__init__(setup, group=group, bootstrap_samples=bootstrap_samples)
        model, task = setup.model, setup.task
        self._judge = jax.jit(lambda params, *given: task.probabilities(nnx.merge(model, params), *given))

    def predictions(self, state: Mapping[str, Any], clips: Any) -> dict[str, np.ndarray]:
        params, _ = weights(state)
        heard = super().predictions(state, clips)["clip"]
        train, ratings = self._setup.train, clips.ratings
        codes, known = train.listener_codes.encode(ratings), cell_rates(train, ratings)
        said = np.asarray(self._judge(params, heard[ratings.clips], codes, known))
        return {"clip": heard} | {name: said[:, [at]] for at, name in enumerate(clips.label_names)}


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
        self.encoder = Encoder(setup.model, setup.task, setup.batches.features)
        self._hearing = Hearing(setup.model, setup.batches) if "content" in setup.tables else None
        self._timed = hasattr(nnx.merge(setup.model, weights(setup.plan.shapes)[0]), "age_bias")

    def recommender(
        self, state: Mapping[str, Any], boost: float = 0.0, unheard_only: bool = False
    ) -> TimedScores | TrainedRecommender:
        """The model with the weights of `state`, which hears all tracks anew, or those that it has never heard."""
        params, rows = weights(state)
        if self._hearing is None:
            return self._with(state, boost)
        known = np.asarray(rows["content"])
        tracks = np.all(known == 0, axis=1) if unheard_only else None
        return self._with(state, boost, self._hearing.content(params, known, tracks))

    def measured(self, state: Mapping[str, Any], folder: Path) -> TimedScores | TrainedRecommender | None:
        """The model as `report` measured it: with the boost it chose, and what was heard then; or None."""
        file = folder / self.name / "evaluation.json"
        about = json.loads(file.read_text())["run"] if file.is_file() else {}
        if about.get("weights_hash") != weights_hash(state):
            return None
        heard, boost = folder / self.name / HEARD, about["fresh_boost"]
        if self._hearing is None or not heard.is_file():
            return self.recommender(state, boost)
        content = np.load(heard)
        if content.shape != weights(state)[1]["content"].shape:
            return self.recommender(state, boost)
        return self._with(state, boost, content)

    def _with(
        self, state: Mapping[str, Any], boost: float, content: np.ndarray | None = None
    ) -> TimedScores | TrainedRecommender:
        if not self._timed:
            return TrainedRecommender(self.encoder, state)
        params, rows = weights(state)
        if content is not None:
            rows = {**rows, "content": content}
        return TimedScores(self.encoder, self._setup.model, params, rows, self._setup.train.days, boost)

    def means(self, state: Mapping[str, Any]) -> dict[str, float]:
        return self.evaluators["valid"].run(Asked(self.recommender(state, unheard_only=True))).values()

    def boost(self, recommender: Any) -> float:
        """The largest of 0, 1/4, 1/2, ... that costs no more than `fresh_cost` says; 0 where none costs anything."""
        evaluator = self.evaluators["valid"]
        if self._metric not in evaluator.names:
            return 0.0

        def mean(boost: float) -> float:
            boosted = recommender.boosted(boost)
            return evaluator.run(Asked(boosted) if isinstance(boosted, TimedScores) else boosted).values()[self._metric]

        without = mean(0.0)
        # No track was fresh, or no known track found: the validation part says nothing of what a boost costs.
        if mean(MOST_BOOST) == without:
            return 0.0
        least, low, high = (1.0 - self._fresh_cost) * without, 0, round(MOST_BOOST / BOOST_STEP)
        while low < high:  # the larger the boost, the less room is left for other tracks
            middle = (low + high + 1) // 2
            low, high = (middle, high) if mean(middle * BOOST_STEP) >= least else (low, middle - 1)
        return low * BOOST_STEP

    def report(self, part: str, state: Mapping[str, Any], output: Path, step: int) -> dict[str, Result]:
        setup, evaluator = self._setup, self.evaluators[part]
        recommender, boost = self.recommender(state), 0.0
        # A refit has learnt the validation part: how it ranks that says nothing of what a boost costs.
        if isinstance(recommender, TimedScores) and self._fresh_cost and not setup.config.refit:
            boost = self.boost(recommender)
            results = {
                "model": evaluator.run(Asked(recommender.boosted(boost))),
                "model_unboosted": evaluator.run(Asked(recommender)),
            }
        else:
            results = {"model": evaluator.run(Asked(recommender))}
        if isinstance(recommender, TimedScores) and self._hearing is not None:
            alone = ContentNeighbours(np.asarray(recommender.rows["content"])).fit(setup.train)
            results["content_of_model"] = evaluator.run(alone)
        for name, baseline in baselines_of(setup.config).items():
            results[name] = evaluator.run(baseline.fit(setup.train))
        if isinstance(recommender, TimedScores) and self._hearing is not None:
            content = io.BytesIO()
            np.save(content, np.asarray(recommender.rows["content"]))
            (output / self.name).mkdir(parents=True, exist_ok=True)
            write_whole(output / self.name / HEARD, content.getvalue())
        self._write(part, results, output, step, weights_hash=weights_hash(state), fresh_boost=boost)
        return results


class TrainedRun:
    """Another run as a baseline: its best weights."""

    def __init__(self, workdir: str):
        self._workdir = workdir

    def fit(self, log: Interactions) -> Self:
        """Loads the run, which has learnt already."""
        restored = restore(self._workdir)
        setup, state = restored.run, restored.state
        if not (np.array_equal(setup.train.indptr, log.indptr) and np.array_equal(setup.train.items, log.items)):
            raise ValueError(
                f"{self._workdir} has learnt from other plays than this run; give both the same data and split"
            )
        asked = Asked(setup.evaluation.recommender(state))
        self.dot_product, self.time_aware = asked.dot_product, asked.time_aware
        self.item_vectors, self.queries, self.item_bias = asked.item_vectors, asked.queries, asked.item_bias
        return self


def weights_hash(state: Mapping[str, Any]) -> str:
    """sha256 over the model's parameters and statistics, tables aside: two trainings differ in them."""
    digest = hashlib.sha256()
    for leaf in jax.tree.leaves(jax.device_get(weights(state)[0])):
        digest.update(np.ascontiguousarray(leaf).data)
    return digest.hexdigest()
