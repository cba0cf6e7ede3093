"""Baselines of opinions: rates among people and clips alike, and logistic regression on statistics of the sound."""

from collections.abc import Sequence
from typing import Any, Protocol, Self

import numpy as np

from mu.baselines.linear import Linear, chosen_penalty
from mu.baselines.mfcc import statistics

# Responses that a cell's parent counts for in it; what is chosen from.
STRENGTHS = (3.0, 10.0, 30.0, 100.0, 300.0)
INVERSE_PENALTIES = (1e-4, 3e-4, 1e-3, 1e-2, 1e-1, 1.0)


class JudgedClips(Protocol):
    """Clips with responses; `mu.data.opinions.Opinions` is one."""

    @property
    def sample_rate_hz(self) -> int: ...
    @property
    def table(self) -> Any: ...
    @property
    def targets(self) -> Any: ...
    @property
    def responses(self) -> Any: ...
    @property
    def cohort(self) -> Any: ...
    @property
    def said(self) -> tuple[str, ...]: ...
    def __len__(self) -> int: ...
    def waveform(self, clip: int, start: int = 0, length: int | None = None) -> np.ndarray: ...


class SmoothedRates:
    """How many of the training responses of a cell said it; a cell with few leans on the one it lies in.

        rate(c_1 ... c_k) = (said + s rate(c_1 ... c_{k-1})) / (responses + s)

    s is the one of `STRENGTHS` with the least log loss on training clips held out, in five folds.

    Args:
      by: columns that make the cells, the wider first: of the listener, or else of the clips' table.
    """

    def __init__(self, *, by: Sequence[str]):
        if not by:
            raise ValueError("by=(); name the columns that make the cells")
        self._by = tuple(by)

    def fit(self, clips: JudgedClips) -> Self:
        """Learns from all responses to the clips; returns itself."""
        self._cohort = clips.cohort
        cells, said = self._cells(clips), clips.responses.said.astype(np.float64)
        fold = _folds(clips.responses.clips)
        held_out = [
            (_counted(cells, said, np.flatnonzero(fold != held)), np.flatnonzero(fold == held))
            for held in range(fold.max() + 1)
        ]

        def loss(strength: float) -> float:
            return sum(_loss(_rates(tables, cells, rows, strength), said[rows]) for tables, rows in held_out)

        self._strength = min(STRENGTHS, key=loss)
        self._tables = _counted(cells, said, np.arange(len(said)))
        return self

    def predict(self, clips: JudgedClips) -> dict[str, np.ndarray]:
        """name -> float32 [responses, 1]."""
        cells = self._cells(clips)
        found = _rates(self._tables, cells, np.arange(len(cells)), self._strength)
        return _by_name(found, clips.said)

    def _cells(self, clips: JudgedClips) -> list[tuple[Any, ...]]:
        return list(zip(*(_column(clips, self._cohort, name) for name in self._by), strict=True))


class LogisticOpinions:
    """Logistic regression on what is known of clip and listener side by side; the penalty by clips held out.

    Args:
      sound: 120 statistics of MFCCs (`mu.baselines.mfcc`).
      listener: a column of ones and zeros for every code of the listener.
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

    def fit(self, clips: JudgedClips) -> Self:
        """Learns from all responses to the clips; returns itself."""
        self._cohort = clips.cohort
        self._values = {name: sorted({str(value) for value in clips.table[name]}) for name in self._columns}
        features, said = self._features(clips), clips.responses.said
        given = ("tags", features, said, said.shape[1])
        self._model = Linear("tags", chosen_penalty(*given, clips.responses.clips, INVERSE_PENALTIES)).fit(*given[1:])
        return self

    def predict(self, clips: JudgedClips) -> dict[str, np.ndarray]:
        """name -> float32 [responses, 1]."""
        return _by_name(self._model.predict(self._features(clips)), clips.said)

    def _features(self, clips: JudgedClips) -> np.ndarray:
        """float64 [responses, D]."""
        rows = clips.responses.clips
        parts = [sound_statistics(clips)[rows]] if self._sound else []
        of_clip = [np.array([str(v) for v in clips.table[name]])[rows] for name in self._columns]
        spread = [
            (values[:, None] == np.array(self._values[name])[None]).astype(np.float64)
            for name, values in zip(self._columns, of_clip, strict=True)
        ]
        parts += spread
        if self._listener:
            codes, sizes = self._cohort.codes(clips.responses), self._cohort.sizes.values()
            who = np.concatenate([np.eye(size)[codes[:, at]] for at, size in enumerate(sizes)], axis=1)
            parts.append(who)
            if self._crossed:
                parts += [(one[:, :, None] * who[:, None]).reshape(len(who), -1) for one in spread]
        return np.concatenate(parts, axis=1)


_known: dict[tuple[str, int, float | None], np.ndarray] = {}


def sound_statistics(clips: Any) -> np.ndarray:
    """float64 [clips, 120] of `mu.baselines.mfcc`; kept in memory, since folds and seeds ask for the same again."""
    keys = [(content, clips.sample_rate_hz, clips.first_s) for content in clips.table["content_hash"]]
    missing = [place for place, key in enumerate(keys) if key not in _known]
    if missing:
        for place, found in zip(missing, statistics(clips.take(np.array(missing))), strict=True):
            _known[keys[place]] = found
    return np.stack([_known[key] for key in keys])


def _column(clips: JudgedClips, cohort: Any, name: str) -> list[Any]:
    """A column's value for each response."""
    if name in cohort.sizes:
        return cohort.codes(clips.responses)[:, list(cohort.sizes).index(name)].tolist()
    if name not in clips.table.columns:
        raise ValueError(
            f"by={name!r} is no column: of listeners there is {', '.join(cohort.sizes) or 'nothing'}, of clips "
            f"{', '.join(clips.table.columns)}"
        )
    values = clips.table[name].to_list()
    return [values[clip] for clip in clips.responses.clips]


def _counted(cells: list[tuple[Any, ...]], said: np.ndarray, rows: np.ndarray) -> dict[tuple[Any, ...], np.ndarray]:
    """Every cell and those it lies in, from () on -> [T + 1]: how many said it, and how many there were."""
    found: dict[tuple[Any, ...], np.ndarray] = {}
    for row in rows:
        one = np.append(said[row], 1.0)
        for depth in range(len(cells[row]) + 1):
            cell = cells[row][:depth]
            found[cell] = found[cell] + one if cell in found else one
    return found


def _rates(
    tables: dict[tuple[Any, ...], np.ndarray], cells: list[tuple[Any, ...]], rows: np.ndarray, strength: float
) -> np.ndarray:
    """float64 [rows, T]."""
    whole = tables[()]
    start = (whole[:-1] + 0.5) / (whole[-1] + 1.0)
    rates = {(): start}

    def rate(cell: tuple[Any, ...]) -> np.ndarray:
        if cell not in rates:
            wider = rate(cell[:-1])
            counted = tables.get(cell)
            rates[cell] = wider if counted is None else (counted[:-1] + strength * wider) / (counted[-1] + strength)
        return rates[cell]

    return np.stack([rate(cells[row]) for row in rows])


def _loss(rates: np.ndarray, said: np.ndarray) -> float:
    return -float(np.sum(said * np.log(rates) + (1.0 - said) * np.log(1.0 - rates)))


def _folds(groups: np.ndarray) -> np.ndarray:
    """[n]: one of five folds, or of as many as there are groups; groups are kept together."""
    _, group = np.unique(groups, return_inverse=True)
    n_groups = int(group.max()) + 1
    if n_groups < 2:
        raise ValueError("all responses are to one clip: a strength is chosen by clips held out, which takes 2")
    return np.random.default_rng(0).permutation(n_groups)[group] % min(5, n_groups)


def _by_name(found: np.ndarray, said: Sequence[str]) -> dict[str, np.ndarray]:
    return {name: found[:, [at]].astype(np.float32) for at, name in enumerate(said)}
