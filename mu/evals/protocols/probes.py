"""Probes protocol: predictions of small models on frozen features, trained and tested on folds that share no group."""

from collections.abc import Mapping, Sequence

import numpy as np

from mu.data.clips.targets import Target
from mu.evals.few_units import effective_size, interval
from mu.evals.folds import pooled
from mu.evals.intervals import cluster_weights
from mu.evals.predictions import result_of
from mu.evals.protocols.clips import predictions_for
from mu.evals.result import Result


def probe_result(
    predicted: Mapping[str, np.ndarray],
    targets: Mapping[str, Target],
    folds: np.ndarray,
    groups: np.ndarray,
    clips: Sequence[str],
    group: str,
) -> Result:
    """Predictions of probes beside the truth: one result of all folds.

    Args:
      predicted: target -> float32 [n, C], of each clip by the probe that has not learnt from its fold.
      targets: name -> target of the n clips.
      folds: [n], any values.
      groups: [n], equal where clips belong together: what is drawn again in the bootstrap.
      clips: their ids.
      group: what one of `groups` is called: 'recording', 'artist', ...
    """
    results = []
    for fold in sorted(set(folds.tolist())):
        test = folds == fold
        predictions = {
            name: predictions_for(target.take(test), predicted[name][test]) for name, target in targets.items()
        }
        ids = [clips[row] for row in np.flatnonzero(test).tolist()]
        clusters = [str(group) for group in groups[test]]
        results.append(result_of(predictions, unit="clip", units=ids, cluster=group, clusters=clusters))
    return pooled(results)


def few_shot_accuracy(
    right: np.ndarray, groups: np.ndarray, samples: int = 1000, seed: int = 0
) -> list[tuple[float, float, float]]:
    """(mean over trials of the accuracy, low, high) for each number of shots: 95 % bootstrap over groups of clips.

    The clips that are tested are drawn again; the trials' examples stay as they were drawn.

    Args:
      right: int8 [shots, trials, n]: 1 is right, 0 wrong, -1 was not tested (`mu.embedding.probe_fitting`).
      groups: [n].
      samples: how often clips are drawn.
      seed: of the draws.
    """
    tested = (right[0] >= 0).astype(np.float64).T  # [n, trials]; the same for all shots
    hits = (right > 0).astype(np.float64).transpose(2, 0, 1)  # [n, shots, trials]

    def accuracy(weights: np.ndarray) -> np.ndarray:
        """[S, shots]: the mean over the trials that have a drawn clip."""
        counts, correct = (weights @ tested)[:, None], np.tensordot(weights, hits, 1)
        share = np.divide(correct, counts, out=np.zeros_like(correct), where=counts > 0)
        trials = (counts > 0).sum(axis=2)
        return np.divide(share.sum(axis=2), trials, out=np.full(share.shape[:2], np.nan), where=trials > 0)

    values = accuracy(np.ones((1, len(groups))))[0]
    drawn = np.concatenate([accuracy(block) for block in cluster_weights(groups, samples, seed)])
    counts = np.unique(groups[tested.any(axis=1)], return_counts=True)[1].astype(np.float64)
    lows, highs = interval(drawn, values, len(counts), effective_size(counts), True)
    return list(zip(values.tolist(), lows.tolist(), highs.tolist(), strict=True))
