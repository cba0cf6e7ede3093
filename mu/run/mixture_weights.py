"""The weights of a mixture of the model and baselines, chosen on validation."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

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
      n_listeners: of the validation part, on whom that was measured.
      members: name -> what it is: a baseline's spec; of the model the hash of its weights
        (`mu.inference.recommender.weights_hash`) and the step, as the hash is without tables.
    """

    weights: Mapping[str, float]
    metric: str
    value: float
    alone: Mapping[str, float]
    n_listeners: int
    members: Mapping[str, Any]

    def __str__(self) -> str:
        """The weights and the values on one line."""
        parts = " + ".join(f"{weight:.3g} x {name}" for name, weight in self.weights.items() if weight)
        alone = ", ".join(f"{name} {value:.4f}" for name, value in self.alone.items())
        measured = f"valid/{self.metric} {self.value:.4f} on {self.n_listeners:,} listeners, alone {alone}"
        return f"mixture = {parts}; {measured}"

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
    column: str,
    progress: ProgressCallback = lambda stage, done, total, note: None,
) -> tuple[dict[str, float], float, dict[str, float]]:
    """The weights with the largest metric: one after the other is tried on a grid, from the best member on.

    Scores are kept, so that a member is asked once, as long as they fit into `MOST_BYTES`. A weight that does not raise
    the metric is 0.

    Args:
      members: name -> recommender.
      evaluator: of the validation part.
      column: the metric, one of the evaluator's `names`.
      progress: is called with a stage, how many weights have been tried, of how many at most, and a note.

    Returns:
      (name -> weight, the metric of the mixture, name -> the metric of each member alone).
    """
    kept = {name: _Remembered(member, MOST_BYTES // len(members)) for name, member in members.items()}
    alone = {name: evaluator.run(member).values()[column] for name, member in kept.items()}
    spread = {name: member.spread() for name, member in kept.items()}
    order = sorted(alone, key=lambda name: -alone[name])
    multiples = dict.fromkeys(members, 0.0) | {order[0]: 1.0}

    def mixed(multiples: Mapping[str, float]) -> dict[str, float]:
        return {name: multiple / spread[name] for name, multiple in multiples.items()}

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
    return mixed(multiples), value, alone


def listeners_in_memory(n_items: int, n_members: int) -> int:
    """Of how many listeners the scores of all items by all members fit into `MOST_BYTES`; at least one."""
    return max(1, MOST_BYTES // (4 * n_items * n_members))


class _Remembered:
    """A recommender that is asked for the same scores again and again and computes them once.

    The histories are taken for those of the first call with a listener.

    Args:
      recommender: that is asked.
      most_bytes: of the scores that are kept; beyond, it is asked again.
    """

    dot_product = False

    def __init__(self, recommender: Recommender, most_bytes: int):
        self._recommender, self._room = recommender, most_bytes
        self.time_aware = recommender.time_aware
        self._rows = dict[int, np.ndarray]()  # by listener
        self._blocks = dict[tuple[bytes, bytes], np.ndarray]()  # by listeners and times
        self._variances: list[np.ndarray] = []

    def scores(self, users: np.ndarray, histories: Log, times_ms: np.ndarray | None = None) -> np.ndarray:
        """float32 [B, V]; see `mu.protocols.Recommender`."""
        if times_ms is not None:
            key = users.tobytes(), times_ms.tobytes()
            if key not in self._blocks:
                scores = self._asked(users, histories, times_ms)
                if not self._takes(scores.nbytes):
                    return scores
                self._blocks[key] = scores
            return self._blocks[key]
        if not all(user in self._rows for user in users.tolist()):
            scores = self._asked(users, histories, None)
            if not self._takes(scores.nbytes):
                return scores
            self._rows |= zip(users.tolist(), scores, strict=True)
        return np.stack([self._rows[user] for user in users.tolist()])

    def spread(self) -> float:
        """The root mean square of the deviation of all scores so far from their listener's mean; 1 where it is 0."""
        return float(np.sqrt(np.mean(np.concatenate(self._variances)))) or 1.0

    def _asked(self, users: np.ndarray, histories: Log, times_ms: np.ndarray | None) -> np.ndarray:
        scores = self._recommender.scores(users, histories, times_ms)
        self._variances.append(np.var(scores, axis=1, dtype=np.float64))
        return scores

    def _takes(self, n_bytes: int) -> bool:
        if n_bytes > self._room:
            return False
        self._room -= n_bytes
        return True
