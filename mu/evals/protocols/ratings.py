"""Ratings protocol: every rating of the held-out clips is predicted; clips are drawn with all ratings of them."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from flax import nnx

from mu.data.clips.clips import whole_column
from mu.data.ratings.cell_rates import cell_rates
from mu.data.ratings.rated_clips import RatedClips
from mu.evals.clip_scores import ClipResult, Said, metric_names
from mu.evals.protocols.clips import ClipScores
from mu.setup import Setup
from mu.training.state import weights


class RatingScores(ClipScores):
    """Measures predicted ratings of clips that training did not have, beside baselines: one head a label.

    A result's 'clips' are ratings, its groups the clips they are of (or what `group` names): ratings of one clip
    are alike, and drawn together.

    Args:
      setup: of a run on `mu.data.ratings.rated_clips`.
      group: column of the clips whose values are drawn again in the bootstrap; None draws recordings.
      bootstrap_samples: of the intervals.
    """

    def __init__(self, setup: Setup, *, group: str | None = None, bootstrap_samples: int = 1000):
        super().__init__(setup, group=group, bootstrap_samples=bootstrap_samples)
        self.kinds = dict.fromkeys(setup.data.label_names, "tags")
        self.names = ["negative_loss", *metric_names(self.kinds)]
        model, task = setup.model, setup.task
        self._judge = jax.jit(lambda params, *given: task.probabilities(nnx.merge(model, params), *given))

    def predictions(self, state: Mapping[str, Any], clips: RatedClips) -> dict[str, np.ndarray]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """name -> float32 [n, 1]: the probability of the label in each rating; 'clip' float32 [clips, C]."""
        params, _ = weights(state)
        heard = super().predictions(state, clips)["clip"]
        train, ratings = self._setup.train, clips.ratings
        codes, known = train.listener_codes.encode(ratings), cell_rates(train, ratings)
        said = np.asarray(self._judge(params, heard[ratings.clips], codes, known))
        return {"clip": heard} | {name: said[:, [at]] for at, name in enumerate(clips.label_names)}

    def result(self, said: Mapping[str, np.ndarray], clips: RatedClips) -> ClipResult:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Answers beside the truth."""
        return answers(said, clips, self._group)


def answers(said: Mapping[str, np.ndarray], clips: RatedClips, group: str | None = None) -> ClipResult:
    """Predictions of ratings beside the truth.

    Args:
      said: label -> float32 [ratings, 1].
      clips: with the ratings.
      group: column of the clips whose values are drawn again in the bootstrap; None draws recordings.
    """
    groups = np.array([str(value) for value in whole_column(clips.table, group or "content_hash")])
    ratings = clips.ratings
    heads = {
        name: Said("tags", (name,), said[name], ratings.labels[:, [at]]) for at, name in enumerate(clips.label_names)
    }
    return ClipResult(tuple(ratings.names.tolist()), tuple(groups[ratings.clips].tolist()), heads)
