"""The evaluations of a run, as tables."""

import os
from collections.abc import Mapping
from pathlib import Path

import polars as pl

from mu.evals.result import Result
from mu.evals.results import evaluations_of, load
from mu.evals.table import ResultTable

SCHEMA = {
    "evaluation": pl.String,
    "recommender": pl.String,
    "metric": pl.String,
    "value": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "units": pl.Int64,
}


class RunEvaluation:
    """The results of the model of a run and of the baselines beside it.

    Args:
      folder: where they lie.
      results: name of an evaluation -> name of the recommender or predictor -> its result.

    Attributes:
      folder: as given.
      results: as given; `mu.evals.compare.differences` compares two of them unit by unit.
    """

    def __init__(self, folder: Path, results: Mapping[str, Mapping[str, Result]]):
        self.folder, self.results = folder, results

    @classmethod
    def load(cls, run: str | os.PathLike[str]) -> "RunEvaluation":
        """The evaluations that lie in the folder of a run, or of a run's evaluations.

        Raises:
          ValueError: one is damaged.
        """
        folders = evaluations_of(run)
        return cls(Path(run), {name: load(folder).results for name, folder in folders.items()})

    @property
    def frame(self) -> pl.DataFrame:
        """evaluation, recommender, metric, value, its 95 % interval (low, high) and the number of units."""
        rows = [
            (name, recommender, *estimate, result.n_units(estimate.name))
            for name, results in self.results.items()
            for recommender, result in results.items()
            for estimate in result.summary()
        ]
        return pl.DataFrame(rows, schema=SCHEMA, orient="row")

    def __repr__(self) -> str:
        """The table of each evaluation."""
        return "\n\n".join(f"{ResultTable(results)}" for results in self.results.values())

    def _repr_html_(self) -> str:
        """The table of each evaluation."""
        return "".join(ResultTable(results)._repr_html_() for results in self.results.values())
