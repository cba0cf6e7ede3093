"""The weights of a mixture of the model and baselines, chosen on validation."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mu.data.logs.interactions import Interactions
from mu.evals.result import Result
from mu.files import read_json, write_json
from mu.inference.mixture import Mixture
from mu.protocols import Evaluator, Log, ProgressCallback, Recommender

FILE = "mixture.json"
MULTIPLES = (0.0, *(2.0 ** (step / 2) for step in range(-10, 5)))
"""Weights that are tried beside the best member's 1, in standard deviations of the scores."""
MOST_ROUNDS = 3
MOST_BYTES = 2_000_000_000
"""Of the scores that are kept while weights are tried."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class MixtureWeights:
    """What each member of a mixture counts, and how that was chosen.

    Attributes:
      weights: name -> what its scores are multiplied with.
      metric: that the weights make largest, on the validation part: 'ranking/ndcg@10'.
      value: of the mixture.
      alone: name -> value of that member alone.
      weights_hash: of the model that the mixture is for (`mu.inference.recommender.weights_hash`).
    """

    weights: Mapping[str, float]
    metric: str
    value: float
    alone: Mapping[str, float]
    weights_hash: str

    def __str__(self) -> str:
        """The weights and the values on one line."""
        parts = " + ".join(f"{weight:.3g} x {name}" for name, weight in self.weights.items() if weight)
        alone = ", ".join(f"{name} {value:.4f}" for name, value in self.alone.items())
        return f"mixture = {parts}; valid/{self.metric} {self.value:.4f}, alone {alone}"

    def save(self, run: Path) -> None:
        """Writes mixture.json to the folder of a run."""
        write_json(run / FILE, dataclasses.asdict(self))

    @classmethod
    def load(cls, run: Path) -> "MixtureWeights | None":
        """What was saved in the folder of a run; None where nothing is."""
        return cls(**read_json(run / FILE)) if (run / FILE).is_file() else None


def choose_weights(
    members: Mapping[str, Recommender],
    evaluator: Evaluator[Recommender, Result],
    metric: str,
    *,
    weights_hash: str,
    progress: ProgressCallback = lambda stage, done, total, note: None,
) -> MixtureWeights:
    """The weights with the largest metric: one after the other is tried on a grid, from the best member on.

    Scores are kept, so that each member is asked once; a weight that does not raise the metric is 0.

    Args:
      members: name -> recommender.
      evaluator: of the validation part, of as many listeners as their scores fit into memory: `few_enough`.
      metric: 'NAME/COLUMN', the second of which the evaluator measures.
      weights_hash: of the model.
      progress: is called with a stage, how many weights have been tried, of how many at most, and a note.
    """
    column = metric.partition("/")[2]
    kept = {name: _Remembered(member) for name, member in members.items()}
    alone = {name: evaluator.run(member).values()[column] for name, member in kept.items()}
    order = sorted(alone, key=lambda name: -alone[name])
    multiples = dict.fromkeys(members, 0.0) | {order[0]: 1.0}

    def mixed(multiples: Mapping[str, float]) -> dict[str, float]:
        return {name: multiple / kept[name].spread for name, multiple in multiples.items()}

    value, tried, most = alone[order[0]], 0, MOST_ROUNDS * len(MULTIPLES) * (len(order) - 1)
    for _ in range(MOST_ROUNDS):
        before = value
        for name in order[1:]:
            for multiple in MULTIPLES:
                progress("choose the mixture", tried, most, f"{column} {value:.4f}")
                tried += 1
                candidate = {**multiples, name: multiple}
                measured = evaluator.run(Mixture(kept, mixed(candidate))).values()[column]
                if measured > value:
                    multiples, value = candidate, measured
        if value == before:
            break
    return MixtureWeights(weights=mixed(multiples), metric=metric, value=value, alone=alone, weights_hash=weights_hash)


def few_enough(valid: Interactions, n_members: int, seed: int) -> Interactions:
    """The plays of as many listeners, drawn at random, as their scores by all members fit into `MOST_BYTES`."""
    users = np.random.default_rng(seed).permutation(np.flatnonzero(valid.lengths))
    plays = np.cumsum(valid.lengths[users])
    n_users = max(1, int(np.searchsorted(plays, MOST_BYTES // (4 * valid.n_items * n_members), side="right")))
    chosen = np.zeros(valid.n_users, bool)
    chosen[users[:n_users]] = True
    return valid.where(np.repeat(chosen, valid.lengths))


class _Remembered:
    """A recommender that is asked for the same scores again and again and computes them once."""

    dot_product = False

    def __init__(self, recommender: Recommender):
        self._recommender, self._scores = recommender, dict[Any, np.ndarray]()
        self.time_aware = recommender.time_aware

    def scores(self, users: np.ndarray, histories: Log, times_ms: np.ndarray | None = None) -> np.ndarray:
        """float32 [B, V]; the histories are taken for those of the first call with these listeners and times."""
        key = users.tobytes(), None if times_ms is None else times_ms.tobytes()
        if key not in self._scores:
            self._scores[key] = self._recommender.scores(users, histories, times_ms)
        return self._scores[key]

    @property
    def spread(self) -> float:
        """The root mean square of the deviation of scores from their listener's mean; 1 where there is none."""
        squares = [np.var(scores, axis=1, dtype=np.float64) for scores in self._scores.values()]
        return float(np.sqrt(np.mean(np.concatenate(squares)))) or 1.0
