"""Runs on opinions: every response to the held-out clips is foretold; clips, with all responses to them, are drawn."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from flax import nnx

from mu.data.clips.clips import whole_column
from mu.data.ratings.cell_rates import tastes
from mu.data.ratings.rated_clips import Opinions
from mu.evals.clip_scores import ClipResult, Said, metric_names
from mu.evals.protocols.clips import ClipScores
from mu.setup import Setup
from mu.training.state import weights


class OpinionScores(ClipScores):
    """Measures what is said of clips never heard in training, beside baselines: one head for each thing said.

    A result's 'clips' are responses, its groups the clips they are to (or what `group` names): responses to one clip
    are alike, and drawn together.

    Args:
      setup: of a run on `mu.data.ratings.rated_clips`.
      group: column of the clips whose values are drawn again in the bootstrap; None draws recordings.
      bootstrap_samples: of the intervals.
    """

    def __init__(self, setup: Setup, *, group: str | None = None, bootstrap_samples: int = 1000):
        super().__init__(setup, group=group, bootstrap_samples=bootstrap_samples)
        self.kinds = dict.fromkeys(setup.data.said, "tags")
        self.names = ["negative_loss", *metric_names(self.kinds)]
        model, task = setup.model, setup.task
        self._judge = jax.jit(lambda params, *given: task.probabilities(nnx.merge(model, params), *given))

    def predictions(self, state: Mapping[str, Any], clips: Opinions) -> dict[str, np.ndarray]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """name -> float32 [n, 1]: the probability that each response says it; 'clip' float32 [clips, C]."""
        params, _ = weights(state)
        heard = super().predictions(state, clips)["clip"]
        train, responses = self._setup.train, clips.responses
        codes, known = train.cohort.codes(responses), tastes(train, responses)
        said = np.asarray(self._judge(params, heard[responses.clips], codes, known))
        return {"clip": heard} | {name: said[:, [at]] for at, name in enumerate(clips.said)}

    def result(self, said: Mapping[str, np.ndarray], clips: Opinions) -> ClipResult:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Answers beside the truth."""
        return answers(said, clips, self._group)


def answers(said: Mapping[str, np.ndarray], clips: Opinions, group: str | None = None) -> ClipResult:
    """What was said of responses beside the truth.

    Args:
      said: name -> float32 [responses, 1].
      clips: with the responses.
      group: column of the clips whose values are drawn again in the bootstrap; None draws recordings.
    """
    groups = np.array([str(value) for value in whole_column(clips.table, group or "content_hash")])
    responses = clips.responses
    heads = {name: Said("tags", (name,), said[name], responses.said[:, [at]]) for at, name in enumerate(clips.said)}
    return ClipResult(tuple(responses.names.tolist()), tuple(groups[responses.clips].tolist()), heads)
