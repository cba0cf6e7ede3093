"""Runs on clips: all audio of the held-out clips is heard in fixed pieces, and what is said of them is averaged."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from flax import nnx

from mu.data.clips.clips import Clips, whole_column
from mu.evals.clip_scores import ClipResult, Said, format_scores, metric_names, save
from mu.inference.clips import ClipPredictor
from mu.setup import Setup
from mu.training.state import weights


class ClipScores:
    """Measures the task's heads on validation and test clips, beside baselines.

    Args:
      setup: of a run on clips.
      group: column whose values are drawn again in the bootstrap (speaker, artist); None draws recordings.
      bootstrap_samples: of the intervals.

    Attributes:
      names: 'negative_loss', and 'genre/accuracy' and so on where the task has targets.
    """

    def __init__(self, setup: Setup, *, group: str | None = None, bootstrap_samples: int = 1000):
        if bootstrap_samples < 1:
            raise ValueError(f"bootstrap_samples={bootstrap_samples}; it must be at least 1")
        self._setup, self._group, self._samples = setup, group, bootstrap_samples
        self.kinds = {
            name: target.kind for name, target in setup.data.targets.items() if name in setup.task.offers["outputs"]
        }
        self.names = ["negative_loss", *metric_names(self.kinds)]
        model, task = setup.model, setup.task

        def loss(params: Any, batch: Any) -> tuple[jax.Array, jax.Array]:
            values, counts = task.loss(nnx.merge(model, params), {}, batch, jax.random.key(0))
            return (values * counts).sum(), counts.sum()

        self._loss = jax.jit(loss)

    def predictions(self, state: Mapping[str, Any], clips: Clips) -> dict[str, np.ndarray]:
        """What the model says of whole clips: the mean over their pieces, each weighed by how much of it is sound.

        Returns:
          'clip' float32 [n, D], and each head's [n, C].
        """
        setup, (params, _) = self._setup, weights(state)
        crop_samples = setup.batches.crop_samples
        return ClipPredictor(graph=setup.model, task=setup.task, params=params, crop_samples=crop_samples).predict(
            clips
        )

    def result(self, said: Mapping[str, np.ndarray], clips: Clips) -> ClipResult:
        """Answers beside the truth."""
        groups = whole_column(clips.table, self._group or "content_hash")
        heads = {
            name: Said(target.kind, target.names, said[name], target.values)
            for name, target in clips.targets.items()
            if name in self.kinds
        }
        return ClipResult(tuple(clips.table["clip"]), tuple(str(group) for group in groups), heads)

    def means(self, state: Mapping[str, Any]) -> dict[str, float]:
        """The validation part; 'negative_loss' is the task's on it, augmented as in training under a fixed key."""
        clips = self._setup.split.valid
        found = {"negative_loss": self._negative_loss(state, clips)}
        if self.kinds:
            found |= self.result(self.predictions(state, clips), clips).values()
        return found

    def report(self, part: str, state: Mapping[str, Any], output: Path, step: int) -> dict[str, ClipResult]:
        """Measures on `part`, writes the results to `output` and prints the table.

        Returns:
          {'model': ..., baseline: ...}; nothing for a task without targets, of which the loss is printed.
        """
        setup = self._setup
        clips = getattr(setup.split, part)
        if not self.kinds:
            print(f"{part}: the task's loss is {-self._negative_loss(state, clips):.4f} on {len(clips):,} clips.")
            return {}
        results = {"model": self.result(self.predictions(state, clips), clips)}
        for name, baseline in setup.baselines().items():
            results[name] = self.result(baseline.fit(setup.train).predict(clips), clips)
        about = {
            "split": setup.split.name,
            "split_hash": setup.split.hash,
            "part": part,
            "refit": setup.config.refit,
            "step": step,
            "seed": setup.config.seed,
        }
        save(output, results, about, samples=self._samples, seed=setup.config.seed)
        print(format_scores(results, self._samples, setup.config.seed))
        return results

    def _negative_loss(self, state: Mapping[str, Any], clips: Clips) -> float:
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
