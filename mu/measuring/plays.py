"""Runs on logs with audio: every test play ranked among what was out, by how new its track was, beside baselines."""

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np

from mu.baselines.content import ContentNeighbours
from mu.data.interactions import Interactions
from mu.evals.plays import PlayEvaluator, Plays, Section, format_sections
from mu.evals.saving import write_whole
from mu.hearing import Hearing, TimedScores
from mu.recommender import Encoder
from mu.setup import Setup, restore
from mu.training.state import weights


class PlayScores:
    """Measures on a global temporal split: histories end where the part begins.

    During training the tracks count with what was last heard of them; the report hears all of them anew.

    Args:
      setup: of a run on `mu.data.listening`.
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
        bootstrap_samples: int = 1000,
    ):
        if bootstrap_samples < 1:
            raise ValueError(f"bootstrap_samples={bootstrap_samples}; it must be at least 1")
        self._setup, self._samples = setup, bootstrap_samples
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
        self.encoder = Encoder(setup.model, setup.task, setup.batches)
        self._hearing = Hearing(setup.model, setup.batches) if "content" in setup.model_tables else None

    def recommender(self, state: Mapping[str, Any], hear: bool = True) -> TimedScores:
        """The model with the weights of `state`; `hear` all tracks anew, or take what was last heard of them."""
        params, rows = weights(state)
        if hear and self._hearing is not None:
            content = self._hearing.content(params, self._setup.model_tables["content"].dim)
            rows = {**rows, "content": content}
        return TimedScores(self.encoder, self._setup.model, params, rows, self._setup.train.days)

    def means(self, state: Mapping[str, Any]) -> dict[str, float]:
        """The means over the plays of each section of the validation part."""
        found = self.evaluators["valid"].run(self.recommender(state, hear=False))
        return {
            f"{name}/{metric}": float(section.values[metric].mean())
            for name, section in found.items()
            for metric in self.metrics
        }

    def report(self, part: str, state: Mapping[str, Any], output: Path, step: int) -> dict[str, dict[str, Section]]:
        """Measures on `part`, writes evaluation.json, plays.npz and table.txt to `output`, prints the table.

        Returns:
          {'model': {section: ...}, baseline: ...}.
        """
        setup, evaluator = self._setup, self.evaluators[part]
        recommender = self.recommender(state)
        results = {"model": evaluator.run(recommender)}
        if self._hearing is not None:
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
            "part": part,
            "step": step,
            "seed": seed,
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
        write_whole(output / "plays.npz", buffer.getvalue())
        text = format_sections(evaluator, results, self.metrics[0], self._samples, seed) + "\n"
        write_whole(output / "table.txt", text.encode())
        write_whole(output / "evaluation.json", (json.dumps(about, indent=2) + "\n").encode())
        print(text, end="")
        return results


class TrainedRun:
    """Another run as a baseline, `{'name': 'mu.measuring.plays:TrainedRun', 'workdir': DIR}`: its best weights.

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
        if setup.train.indptr[-1] != log.indptr[-1] or not np.array_equal(setup.train.items, log.items):
            raise ValueError(
                f"{self._workdir} has learnt from other plays than this run; give both the same data and split"
            )
        self._recommender = setup.evaluation.recommender(state)
        return self

    def scores_at(self, users: np.ndarray, histories: Interactions, times_ms: np.ndarray) -> np.ndarray:
        """float32 [B, V]; see `mu.evals.plays.TimedRecommender`."""
        return self._recommender.scores_at(users, histories, times_ms)


def plays_of(log: Interactions) -> Plays:
    """All plays of a log."""
    return Plays(np.repeat(np.arange(log.n_users), log.lengths), np.asarray(log.items), np.asarray(log.times))
