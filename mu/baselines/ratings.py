"""Baselines of ratings: smoothed rates of listeners and clips alike, and logistic regression on statistics of audio."""

from collections.abc import Sequence
from typing import Self

import numpy as np

from mu.baselines.cross_validation import grouped_folds
from mu.baselines.linear import chosen_linear
from mu.baselines.mfcc import statistics
from mu.data.clips.targets import TagTarget
from mu.data.logs.attributes import column_of
from mu.data.ratings.cell_rates import cell_rates
from mu.data.ratings.rated_clips import RatedClips
from mu.data.ratings.ratings import Ratings
from mu.data.ratings.smoothing import smoothed_rates

PRIOR_STRENGTHS = (3.0, 10.0, 30.0, 100.0, 300.0)
INVERSE_PENALTIES = (1e-4, 3e-4, 1e-3, 1e-2, 1e-1, 1.0)


class SmoothedRates:
    """Smoothed rates of the labels among the training ratings of nested cells.

    The prior strength (`mu.data.ratings.smoothing`) is that of `PRIOR_STRENGTHS` with the least log loss on held-out
    training clips, in five folds.

    Args:
      by: columns that make the cells, the wider first: attributes of the listener, or columns of the clips' table.
    """

    def __init__(self, *, by: Sequence[str]):
        if not by:
            raise ValueError("by=(); name the columns that make the cells")
        self._by = tuple(by)

    def check_data(self, train: RatedClips) -> None:
        """Raises ValueError where neither listeners nor clips have a column of the cells."""
        for name in self._by:
            _column(train, name)

    def fit(self, clips: RatedClips) -> Self:
        """Learns from all ratings of the clips; returns itself. Raises ValueError as `check_data`."""
        self._columns = [_column(clips, name) for name in self._by]
        self._labels = clips.ratings.labels
        folds = grouped_folds(clips.ratings.clips)

        def loss(strength: float) -> float:
            total = 0.0
            for train, test in folds:
                order, n_train = np.concatenate([train, test]), len(train)
                columns, labels = [values[order] for values in self._columns], self._labels[order]
                p = smoothed_rates(columns, labels[:n_train], len(order) - n_train, strength)
                total -= float(np.sum(labels[n_train:] * np.log(p) + (1.0 - labels[n_train:]) * np.log(1.0 - p)))
            return total

        self._prior_strength = min(PRIOR_STRENGTHS, key=loss)
        return self

    def predict(self, clips: RatedClips) -> dict[str, np.ndarray]:
        """label -> float32 [ratings, 1], probabilities."""
        queries = (_column(clips, name) for name in self._by)
        columns = [np.concatenate(pair) for pair in zip(self._columns, queries, strict=True)]
        rates = smoothed_rates(columns, self._labels, len(clips.ratings), self._prior_strength)
        return _by_name(rates, clips.label_names)


class LogisticRatings:
    """Logistic regression on features of clip and listener; the penalty is chosen on held-out training clips.

    Args:
      sound: 120 statistics of MFCCs (`mu.baselines.mfcc`).
      listener: a column of ones and zeros for every code of the listener, and the logits of the listener's cell
        (`mu.data.ratings.cell_rates`, over all clips).
      columns: of the clips' table, likewise for every value.
      crossed: the products of the clip's columns with the listener's, too.
    """

    def __init__(
        self, *, sound: bool = True, listener: bool = True, columns: Sequence[str] = (), crossed: bool = False
    ):
        if not (sound or listener or columns):
            raise ValueError("sound=False, listener=False and no columns: there is nothing to predict ratings from")
        if crossed and not (listener and columns):
            raise ValueError("crossed=True takes listener=True and columns to cross")
        self._sound, self._listener, self._columns, self._crossed = sound, listener, tuple(columns), crossed

    def check_data(self, train: RatedClips) -> None:
        """Raises ValueError where the clips' table lacks one of the columns."""
        for name in self._columns:
            column_of(train.table, name)

    def fit(self, clips: RatedClips) -> Self:
        """Learns from all ratings of the clips; returns itself. Raises ValueError as `check_data`."""
        self.check_data(clips)
        self._train = clips
        self._values = {name: sorted({str(value) for value in clips.table[name]}) for name in self._columns}
        labels = TagTarget(clips.label_names, clips.ratings.labels)
        self._model = chosen_linear(self._features(clips, None), labels, clips.ratings.clips, INVERSE_PENALTIES)
        return self

    def predict(self, clips: RatedClips) -> dict[str, np.ndarray]:
        """label -> float32 [ratings, 1], probabilities."""
        return _by_name(self._model.predict(self._features(clips, clips.ratings)), clips.label_names)

    def _features(self, clips: RatedClips, queries: Ratings | None) -> np.ndarray:
        """float64 [ratings, D]; `queries` is None for the training ratings."""
        rows = clips.ratings.clips
        parts = [statistics(clips)[rows]] if self._sound else []
        of_clip = [np.array([str(v) for v in clips.table[name]])[rows] for name in self._columns]
        spread = [
            (values[:, None] == np.array(self._values[name])[None]).astype(np.float64)
            for name, values in zip(self._columns, of_clip, strict=True)
        ]
        parts += spread
        if self._listener:
            listener_codes = self._train.listener_codes
            codes, sizes = listener_codes.encode(clips.ratings), listener_codes.sizes.values()
            one_hot = np.concatenate([np.eye(size)[codes[:, at]] for at, size in enumerate(sizes)], axis=1)
            parts += [one_hot, cell_rates(self._train, queries)[:, 0]]
            if self._crossed:
                parts += [(one[:, :, None] * one_hot[:, None]).reshape(len(one_hot), -1) for one in spread]
        return np.concatenate(parts, axis=1)


def _column(clips: RatedClips, name: str) -> np.ndarray:
    """str [n]: the value of a column for each rating."""
    ratings = clips.ratings
    if name in ratings.categories or name in ratings.numbers:
        return ratings.column(name)
    if name not in clips.table.columns:
        raise ValueError(
            f"by={name!r} is no column: listeners have {', '.join((*ratings.categories, *ratings.numbers))}, "
            f"clips have {', '.join(clips.table.columns)}"
        )
    return np.array([str(value) for value in clips.table[name]])[ratings.clips]


def _by_name(predictions: np.ndarray, names: Sequence[str]) -> dict[str, np.ndarray]:
    return {name: predictions[:, [at]].astype(np.float32) for at, name in enumerate(names)}
