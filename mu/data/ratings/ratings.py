"""Responses: what listeners said of clips, one row each, with what is known of the listener."""

import dataclasses
import functools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl

UNKNOWN, RARE = 0, 1
SAID = {"0": 0.0, "1": 1.0, "0.0": 0.0, "1.0": 1.0, "false": 0.0, "true": 1.0}


@dataclasses.dataclass(frozen=True, eq=False)
class Responses:
    """Responses to the clips of one table.

    Attributes:
      clips: int64 [n], the row of the clip that each is of.
      names: [n], what each is called: the clip's key and the line of the file, unique.
      words: column -> [n] object, a word or None where it is not known.
      numbers: column -> float64 [n], NaN where it is not known.
      said: float32 [n, T], 0 or 1.
    """

    clips: np.ndarray
    names: np.ndarray
    words: dict[str, np.ndarray]
    numbers: dict[str, np.ndarray]
    said: np.ndarray

    def __len__(self) -> int:
        return len(self.clips)

    def column(self, name: str) -> np.ndarray:
        """str [n]: a column's values as written; 'None' or 'nan' where it is not known."""
        return (self.words[name] if name in self.words else self.numbers[name]).astype(str)

    def take(self, rows: np.ndarray, clips: np.ndarray) -> "Responses":
        """These rows, of which the clips now lie at other places."""
        return Responses(
            clips,
            self.names[rows],
            {name: values[rows] for name, values in self.words.items()},
            {name: values[rows] for name, values in self.numbers.items()},
            self.said[rows],
        )

    def merged(self, other: "Responses", n_clips: int) -> "Responses":
        """These and then the others, whose clips come after `n_clips` of these."""
        return Responses(
            np.concatenate([self.clips, other.clips + n_clips]),
            np.concatenate([self.names, other.names]),
            {name: np.concatenate([values, other.words[name]]) for name, values in self.words.items()},
            {name: np.concatenate([values, other.numbers[name]]) for name, values in self.numbers.items()},
            np.concatenate([self.said, other.said]),
        )


@dataclasses.dataclass(frozen=True, eq=False)
class Cohort:
    """How listeners are put into numbers, as learnt from some responses.

    A code is 0 where nothing is known (a value of its own), of words 1 for one that is rare or was never seen, and
    then counts the words, or the bins of a number from its lowest.

    Attributes:
      words: column -> words that have a code of their own.
      edges: column -> float64, where one bin of a number ends and the next begins.
    """

    words: dict[str, tuple[str, ...]]
    edges: dict[str, np.ndarray]

    @functools.cached_property
    def sizes(self) -> dict[str, int]:
        """column -> how many codes it has."""
        counted = {name: len(words) + 2 for name, words in self.words.items()}
        return counted | {name: len(edges) + 2 for name, edges in self.edges.items()}

    def codes(self, responses: Responses) -> np.ndarray:
        """int32 [n, columns], columns in the order of `sizes`."""
        found = []
        for name, words in self.words.items():
            code: dict[str | None, int] = {word: place + 2 for place, word in enumerate(words)}
            code[None] = UNKNOWN
            found.append([code.get(word, RARE) for word in responses.words[name]])
        for name, edges in self.edges.items():
            values = responses.numbers[name]
            bins = 1 + np.searchsorted(edges, values, side="right")
            found.append(np.where(np.isnan(values), UNKNOWN, bins))
        return np.array(found, np.int32).reshape(len(found), len(responses)).T


def learnt_cohort(responses: Responses, *, least: int, bins: int) -> Cohort:
    """The codes that these responses give rise to: training's alone, else what is rare would be told by the test.

    Args:
      responses: to learn from.
      least: responses that a word needs to have a code of its own.
      bins: most bins of a number, of which each holds about as many responses.
    """
    words = {}
    for name, values in responses.words.items():
        names, counts = np.unique([value for value in values if value is not None], return_counts=True)
        words[name] = tuple(str(word) for word in names[counts >= least])
    edges = {}
    for name, values in responses.numbers.items():
        known = values[~np.isnan(values)]
        inner = np.linspace(0, 1, bins + 1)[1:-1]
        edges[name] = np.unique(np.quantile(known, inner)) if len(known) else np.zeros(0)
        edges[name] = edges[name][edges[name] > known.min()] if len(known) else edges[name]
    return Cohort(words, edges)


def read_responses(
    path: str | os.PathLike[str],
    places: Mapping[str, int],
    *,
    clip_column: str,
    said: Sequence[str],
    words: Sequence[str],
    numbers: Sequence[str],
) -> Responses:
    """Reads a table of responses, CSV with a header or Parquet; blanks around names and values do not count.

    Args:
      path: the file.
      places: what `clip_column` may hold -> row of the clip.
      clip_column: of the response's clip.
      said: columns of 0 and 1, what was said.
      words, numbers: columns of what is known of the listener; an empty value is one that is not known.

    Raises:
      FileNotFoundError: there is no such file.
      ValueError: a column is missing or named twice, a clip is not there, or a value is none of its column; names
        the file, the line and the value.
    """
    file = Path(path)
    if not file.is_file():
        raise FileNotFoundError(f"there are no responses at {file}")
    is_table = file.suffix == ".parquet"
    table = pl.read_parquet(file) if is_table else pl.read_csv(file, infer_schema=False)
    table = table.rename({name: name.strip() for name in table.columns})
    asked = [clip_column, *said, *words, *numbers]
    if not said:
        raise ValueError("no column says what was said of the clips: name them in `said`")
    for name in asked:
        if name not in table.columns:
            raise ValueError(f"{file} has no column {name!r}; there is: {', '.join(table.columns)}")
        if asked.count(name) > 1:
            raise ValueError(f"column {name!r} of {file} is named twice; a column is one thing")
    if not len(table):
        raise ValueError(f"{file} holds no responses")
    booleans = pl.col(pl.Boolean).cast(pl.UInt8)
    columns = table.select(asked).with_columns(booleans).cast(pl.String).select(pl.all().str.strip_chars())
    values = {name: [value or None for value in columns[name]] for name in asked}

    def at(row: int) -> str:
        return f"{file}, {'row' if is_table else 'line'} {row + (1 if is_table else 2)}"

    def clip(row: int, key: str | None) -> int:
        if key is None or key not in places:
            raise ValueError(
                f"{at(row)}: {clip_column!r} is {key!r}, and there is no such clip; the clips' keys are such as "
                f"{next(iter(places), None)!r}"
            )
        return places[key]

    def answer(row: int, name: str, text: str | None) -> float:
        if (text or "").lower() not in SAID:
            raise ValueError(f"{at(row)}: {name!r} is {text!r}; it must be 0 or 1")
        return SAID[(text or "").lower()]

    def number(row: int, name: str, text: str | None) -> float:
        try:
            found = float("nan") if text is None else float(text)
        except ValueError:
            raise ValueError(f"{at(row)}: {name!r} is {text!r}; it must be a number, or empty") from None
        if np.isinf(found):
            raise ValueError(f"{at(row)}: {name!r} is {text!r}; it must be finite, or empty")
        return found

    return Responses(
        np.array([clip(row, key) for row, key in enumerate(values[clip_column])], np.int64),
        np.array([f"{key}#{row}" for row, key in enumerate(values[clip_column])]),
        {name: np.array(values[name], object) for name in words},
        {name: np.array([number(row, name, text) for row, text in enumerate(values[name])]) for name in numbers},
        np.array([[answer(row, name, values[name][row]) for name in said] for row in range(len(table))], np.float32),
    )
