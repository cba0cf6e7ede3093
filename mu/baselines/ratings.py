"""Baselines of opinions: rates among people and clips alike, and logistic regression on statistics of the sound."""

from collections.abc import Sequence
from typing import Self

import numpy as np

from mu.baselines.cross_validation import grouped_folds
from mu.baselines.linear import chosen_linear
from mu.baselines.mfcc import statistics
from mu.data.ratings.cell_rates import tastes
from mu.data.ratings.rated_clips import Opinions
from mu.data.ratings.ratings import Responses
from mu.data.ratings.smoothing import smoothed_rates

STRENGTHS = (3.0, 10.0, 30.0, 100.0, 300.0)
INVERSE_PENALTIES = (1e-4, 3e-4, 1e-3, 1e-2, 1e-1, 1.0)


class SmoothedRates:
    """How many of the training responses of a cell said it; a cell with few leans on the one around it.

    The strength of that (`mu.data.ratings.smoothing`) is the one of `STRENGTHS` with the least log loss on training
    clips held out, in five folds.

    Args:
      by: columns that make the cells, the wider first: of the listener, as written, or else of the clips' table.
    """

    def __init__(self, *, by: Sequence[str]):
        if not by:
            raise ValueError("by=(); name the columns that make the cells")
        self._by = tuple(by)

    def fit(self, clips: Opinions) -> Self:
        """Learns from all responses to the clips; returns itself."""
        self._columns = [_column(clips, name) for name in self._by]
        self._said = clips.responses.said
        folds = grouped_folds(clips.responses.clips)

        def loss(strength: float) -> float:
            total = 0.0
            for train, test in folds:
                order, known = np.concatenate([train, test]), len(train)
                columns, said = [values[order] for values in self._columns], self._said[order]
                p = smoothed_rates(columns, said[:known], len(order) - known, strength)
                total -= float(np.sum(said[known:] * np.log(p) + (1.0 - said[known:]) * np.log(1.0 - p)))
            return total

        self._strength = min(STRENGTHS, key=loss)
        return self

    def predict(self, clips: Opinions) -> dict[str, np.ndarray]:
        """name -> float32 [responses, 1]."""
        asked = (_column(clips, name) for name in self._by)
        columns = [np.concatenate(pair) for pair in zip(self._columns, asked, strict=True)]
        found = smoothed_rates(columns, self._said, len(clips.responses), self._strength)
        return _by_name(found, clips.said)


class LogisticOpinions:
    """Logistic regression on what is known of clip and listener side by side; the penalty by clips held out.

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
            raise ValueError("sound=False, listener=False and no columns: there is nothing to tell an opinion by")
        if crossed and not (listener and columns):
            raise ValueError("crossed=True takes listener=True and columns to cross")
        self._sound, self._listener, self._columns, self._crossed = sound, listener, tuple(columns), crossed

    def fit(self, clips: Opinions) -> Self:
        """Learns from all responses to the clips; returns itself."""
        self._train = clips
        self._values = {name: sorted({str(value) for value in clips.table[name]}) for name in self._columns}
        features, said = self._features(clips, None), clips.responses.said
        self._model = chosen_linear("tags", features, said, said.shape[1], clips.responses.clips, INVERSE_PENALTIES)
        return self

    def predict(self, clips: Opinions) -> dict[str, np.ndarray]:
        """name -> float32 [responses, 1]."""
        return _by_name(self._model.predict(self._features(clips, clips.responses)), clips.said)

    def _features(self, clips: Opinions, asked: Responses | None) -> np.ndarray:
        """float64 [responses, D]; `asked` is None for the training's own responses."""
        rows = clips.responses.clips
        parts = [statistics(clips)[rows]] if self._sound else []
        of_clip = [np.array([str(v) for v in clips.table[name]])[rows] for name in self._columns]
        spread = [
            (values[:, None] == np.array(self._values[name])[None]).astype(np.float64)
            for name, values in zip(self._columns, of_clip, strict=True)
        ]
        parts += spread
        if self._listener:
            cohort = self._train.cohort
            codes, sizes = cohort.codes(clips.responses), cohort.sizes.values()
            who = np.concatenate([np.eye(size)[codes[:, at]] for at, size in enumerate(sizes)], axis=1)
            parts += [who, tastes(self._train, asked)[:, 0]]
            if self._crossed:
                parts += [(one[:, :, None] * who[:, None]).reshape(len(who), -1) for one in spread]
        return np.concatenate(parts, axis=1)


def _column(clips: Opinions, name: str) -> np.ndarray:
    """str [responses]: a column's value for each."""
    responses = clips.responses
    if name in responses.words or name in responses.numbers:
        return responses.column(name)
    if name not in clips.table.columns:
        raise ValueError(
            f"by={name!r} is no column: of listeners there is {', '.join((*responses.words, *responses.numbers))}, of "
            f"clips {', '.join(clips.table.columns)}"
        )
    return np.array([str(value) for value in clips.table[name]])[responses.clips]


def _by_name(found: np.ndarray, said: Sequence[str]) -> dict[str, np.ndarray]:
    return {name: found[:, [at]].astype(np.float32) for at, name in enumerate(said)}
