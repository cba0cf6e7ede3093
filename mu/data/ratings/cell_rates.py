"""Smoothed target encoding: empirical-Bayes rating rates of ever narrower cells of listeners, as logits."""

from collections.abc import Sequence

import numpy as np

from mu.data.ratings.rated_clips import RatedClips
from mu.data.ratings.ratings import Ratings
from mu.data.ratings.smoothing import smoothed_rates

# Training ratings are encoded out of fold: neither a rating nor another of its clip takes part in its own rate.
FOLDS = 10


def cell_rates(train: RatedClips, ratings: Ratings | None = None) -> np.ndarray:
    """Smoothed target encoding of ratings: the logit of the rate at which the listener's cell gives each label.

    The first rate is over all clips. The others are over the clips of one class of `train.class_target` each, shrunk
    towards the first where the cell has few ratings of the class.

    Args:
      train: clips and ratings to learn from.
      ratings: of other clips; None for the training ratings, each encoded from the clips of other folds.

    Returns:
      float32 [n, 1 + G, T], G classes; G is 0 without `train.class_target`.
    """
    if ratings is not None:
        return _logits(train, np.arange(len(train.ratings)), ratings)
    clips = train.ratings.clips
    fold = np.random.default_rng(0).permutation(len(train))[clips] % min(FOLDS, len(train))
    classes = 0 if train.class_target is None else len(train.targets[train.class_target].names)
    logits = np.zeros((len(clips), 1 + classes, len(train.label_names)), np.float32)
    for one in np.unique(fold):
        rows = np.flatnonzero(fold == one)
        logits[rows] = _logits(train, np.flatnonzero(fold != one), train.ratings.take(rows, clips[rows]))
    return logits


def _logits(train: RatedClips, rows: np.ndarray, ratings: Ratings) -> np.ndarray:
    """The encoding of `ratings` from the training ratings `rows`."""
    labelled = train.ratings.take(rows, train.ratings.clips[rows])
    cells = [np.concatenate([part.column(name) for part in (labelled, ratings)]) for name in train.cells]
    nestings: list[Sequence[np.ndarray]] = [cells]
    if train.class_target is not None:
        target = train.targets[train.class_target]
        classes = target.values[labelled.clips]
        for code in range(len(target.names)):
            nestings.append([*cells, np.concatenate([classes, np.full(len(ratings), code)]).astype(str)])
    rates = np.stack(
        [smoothed_rates(nesting, labelled.labels, len(ratings), train.prior_strength) for nesting in nestings], axis=1
    )
    return np.log(rates / (1.0 - rates)).astype(np.float32)
