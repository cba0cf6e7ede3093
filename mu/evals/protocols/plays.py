"""Runs on logs with audio: every test play ranked among what was out, by how new its track was, beside baselines."""

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
from mu.evals.plays import PlayEvaluator, PlayResults, Plays
from mu.files import write_json, write_whole
from mu.inference.recommender import Encoder, TrainedRecommender
from mu.inference.track_content import Hearing, TimedScores
from mu.setup import Setup, restore
from mu.training.state import weights

BOOST_STEP, MOST_BOOST = 0.25, 8.0
HEARD = "heard.npy"


class PlayScores:
    """Measures on a global temporal split: histories end where the part begins.

    During training the tracks count with what was last heard of them, and those that were never heard are heard then;
    the report hears all of them anew. Models without audio, or that do not know the time, are measured alike.

    A model that knows the time is shown with a boost of fresh tracks (`mu.inference.track_content.TimedScores`), the
    largest that costs the plays of known tracks at most `fresh_cost` on the validation part, and without it as
    'model_unboosted'.

    Args:
      setup: of a run on `mu.data.listening.listening`.
      fresh_cost: share of the first metric's mean over 'discovery' that the boost may cost; 0 for no boost.
      metrics, ks: as of `mu.evals.plays.PlayEvaluator`.
      bootstrap_samples: of the intervals.

    Attributes:
      names: 'discovery/recall@20' and so on.
    """

    def __init__(
        self,
        setup: Setup,
        *,
        metrics: tuple[str, ...] = ("recall", "ndcg"),
        ks: tuple[int, ...] = (20,),
        fresh_cost: float = 0.05,
        bootstrap_samples: int = 1000,
    ):
        if bootstrap_samples < 1:
            raise ValueError(f"bootstrap_samples={bootstrap_samples}; it must be at least 1")
        if not 0 <= fresh_cost < 1:
            raise ValueError(f"fresh_cost={fresh_cost}; it must lie in [0, 1)")
        self._setup, self._samples, self._fresh_cost = setup, bootstrap_samples, fresh_cost
        split, data = setup.split, setup.data
        options: dict[str, Any] = {
            "released_ms": data.released_ms,
            "trained_until_ms": setup.train.end_ms,
            "known": setup.train.counts() > 0,
            "ks": ks,
            "metrics": metrics,
        }
        self.evaluators = {
            "valid": PlayEvaluator(plays_of(split.valid), split.train, **options),
            "test": PlayEvaluator(plays_of(split.test), split.train.merged(split.valid), **options),
        }
        self.metrics = [f"{metric}@{k}" for metric in metrics for k in ks]
        self.names = [f"{name}/{metric}" for name in self.evaluators["valid"].names for metric in self.metrics]
        self.encoder = Encoder(setup.model, setup.task, setup.batches.features)
        self._hearing = Hearing(setup.model, setup.batches) if "content" in setup.model_tables else None
        self._timed = hasattr(nnx.merge(setup.model, weights(setup.state)[0]), "age_bias")

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
        """The model as `report` measured it: with the boost it chose, and what was heard then; or None.

        Args:
          state: of a run.
          folder: where `report` wrote. None is the answer where it has not, or of other weights.
        """
        file = folder / "evaluation.json"
        about = json.loads(file.read_text()) if file.is_file() else {}
        if about.get("kind") != "plays" or about.get("weights_hash") != weights_hash(state):
            return None
        heard, boost = folder / HEARD, about["fresh_boost"]
        if self._hearing is None or not heard.is_file():
            return self.recommender(state, boost)
        content = np.load(heard)
        if content.shape != weights(state)[1]["content"].shape:
            return self.recommender(state, boost)
        return self._with(state, boost, content)

    def _with(
        self, state: Mapping[str, Any], boost: float, content: np.ndarray | None = None
    ) -> TimedScores | TrainedRecommender:
        """The model with `content` in place of what the state holds of the tracks' sound."""
        if not self._timed:
            return TrainedRecommender(self.encoder, state)
        params, rows = weights(state)
        if content is not None:
            rows = {**rows, "content": content}
        return TimedScores(self.encoder, self._setup.model, params, rows, self._setup.train.days, boost)

    def means(self, state: Mapping[str, Any]) -> dict[str, float]:
        """The means over the plays of each section of the validation part, without a boost."""
        found = self.evaluators["valid"].run(self.recommender(state, unheard_only=True))
        return {
            f"{name}/{metric}": float(section.values[metric].mean())
            for name, section in found.items()
            for metric in self.metrics
        }

    def boost(self, recommender: Any) -> float:
        """The largest of 0, 1/4, 1/2, ... that costs no more than `fresh_cost` says; 0 where none costs anything.

        Args:
          recommender: `boosted(boost)` gives it with another boost.
        """
        evaluator, metric = self.evaluators["valid"], self.metrics[0]
        if "discovery" not in evaluator.names:
            return 0.0

        def mean(boost: float) -> float:
            return float(evaluator.run(recommender.boosted(boost))["discovery"].values[metric].mean())

        without = mean(0.0)
        # No track was fresh, or no known track found: the validation part says nothing of what a boost costs.
        if mean(MOST_BOOST) == without:
            return 0.0
        least, low, high = (1.0 - self._fresh_cost) * without, 0, round(MOST_BOOST / BOOST_STEP)
        while low < high:  # the larger the boost, the less room is left for other tracks
            middle = (low + high + 1) // 2
            low, high = (middle, high) if mean(middle * BOOST_STEP) >= least else (low, middle - 1)
        return low * BOOST_STEP

    def report(self, part: str, state: Mapping[str, Any], output: Path, step: int) -> PlayResults:
        """Measures on `part`, writes evaluation.json, plays.npz and table.txt to `output`, prints the table.

        Of models that hear, heard.npy is what they hear of each track, float32 [V, A]: see `measured`.

        Returns:
          {'model': {section: ...}, baseline: ...}.
        """
        setup, evaluator = self._setup, self.evaluators[part]
        recommender, boost = self.recommender(state), 0.0
        # A refit has learnt the validation part: how it ranks that says nothing of what a boost costs.
        if isinstance(recommender, TimedScores) and self._fresh_cost and not setup.config.refit:
            boost = self.boost(recommender)
            results = {
                "model": evaluator.run(recommender.boosted(boost)),
                "model_unboosted": evaluator.run(recommender),
            }
        else:
            results = {"model": evaluator.run(recommender)}
        if isinstance(recommender, TimedScores) and self._hearing is not None:
            alone = ContentNeighbours(np.asarray(recommender.rows["content"])).fit(setup.train)
            results["content_of_model"] = evaluator.run(alone)
        for name, baseline in setup.baselines().items():
            results[name] = evaluator.run(baseline.fit(setup.train))
        seed = setup.config.seed
        rows: dict[str, Any] = {}
        for name, sections in results.items():
            rows[name] = {}
            for section, values in sections.items():
                rows[name][section] = {
                    metric: dict(
                        zip(
                            ("mean", "low", "high"),
                            evaluator.interval(values, metric, self._samples, seed),
                            strict=True,
                        )
                    )
                    for metric in self.metrics
                }
        about = {
            "kind": "plays",
            "split_hash": setup.split.hash,
            "task_hash": evaluator.hash(),
            "part": part,
            "step": step,
            "weights_hash": weights_hash(state),
            "seed": seed,
            "fresh_boost": boost,
            "sections": {name: len(section.plays) for name, section in results["model"].items()},
            "interval": {"kind": "percentile bootstrap over listeners", "level": 0.95, "samples": self._samples},
            "rows": rows,
        }
        arrays = {
            "users": evaluator.plays.users,
            "tracks": evaluator.plays.tracks,
            "times_ms": evaluator.plays.times_ms,
        }
        for name, sections in results.items():
            for section, values in sections.items():
                arrays[f"{section}/plays"] = values.plays
                arrays |= {f"{name}/{section}/{metric}": values.values[metric] for metric in self.metrics}
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)  # pyright: ignore[reportArgumentType]
        output.mkdir(parents=True, exist_ok=True)
        if isinstance(recommender, TimedScores) and self._hearing is not None:
            held = io.BytesIO()
            np.save(held, np.asarray(recommender.rows["content"]))
            write_whole(output / HEARD, held.getvalue())
        write_whole(output / "plays.npz", buffer.getvalue())
        found = PlayResults(results, evaluator, self.metrics[0], self._samples, seed)
        text = f"{found!r}\n"
        write_whole(output / "table.txt", text)
        write_json(output / "evaluation.json", about)
        print(text, end="")
        return found


class TrainedRun:
    """Another run as a baseline, `{'name': 'mu.evals.protocols.plays:TrainedRun', 'workdir': DIR}`: its best weights.

    Args:
      workdir: of a run on the same log whose evaluation is `PlayScores`.
    """

    def __init__(self, workdir: str):
        self._workdir = workdir

    def fit(self, log: Interactions) -> Self:
        """Loads the run, which has learnt already.

        Raises:
          ValueError: it learnt from other plays.
        """
        setup, state, _ = restore(self._workdir)
        if not (np.array_equal(setup.train.indptr, log.indptr) and np.array_equal(setup.train.items, log.items)):
            raise ValueError(
                f"{self._workdir} has learnt from other plays than this run; give both the same data and split"
            )
        self._recommender = setup.evaluation.recommender(state)
        return self

    def scores_at(self, users: np.ndarray, histories: Interactions, times_ms: np.ndarray) -> np.ndarray:
        """float32 [B, V]; see `mu.evals.plays.TimedRecommender`."""
        if isinstance(self._recommender, TimedScores):
            return self._recommender.scores_at(users, histories, times_ms)
        return self._recommender.scores(users, histories)


def weights_hash(state: Mapping[str, Any]) -> str:
    """sha256 over the model's parameters and statistics, tables aside: two trainings differ in them."""
    digest = hashlib.sha256()
    for leaf in jax.tree.leaves(jax.device_get(weights(state)[0])):
        digest.update(np.ascontiguousarray(leaf).data)
    return digest.hexdigest()


def plays_of(log: Interactions) -> Plays:
    """All plays of a log."""
    return Plays(np.repeat(np.arange(log.n_users), log.lengths), np.asarray(log.items), np.asarray(log.times))
