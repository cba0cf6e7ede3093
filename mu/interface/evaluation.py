"""The evaluations of a run, as tables."""

import os
from collections.abc import Mapping
from pathlib import Path

import polars as pl

from mu.evals.result import Result
from mu.evals.results import Evaluation, evaluations_of, load
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
      evaluations: name -> evaluation.

    Attributes:
      folder: as given.
      evaluations: as given.
    """

    def __init__(self, folder: Path, evaluations: Mapping[str, Evaluation]):
        self.folder, self.evaluations = folder, evaluations

    @classmethod
    def load(cls, run: str | os.PathLike[str]) -> "RunEvaluation":
        """The evaluations that lie in the folder of a run, or of a run's evaluations.

        Raises:
          ValueError: one is damaged.
        """
        folders = evaluations_of(run)
        return cls(Path(run), {name: load(folder) for name, folder in folders.items()})

    @property
    def results(self) -> dict[str, dict[str, Result]]:
        """Name of an evaluation -> name of the recommender or predictor -> its result.

        `mu.evals.compare.differences` compares two of them unit by unit.
        """
        return {name: one.results for name, one in self.evaluations.items()}

    @property
    def frame(self) -> pl.DataFrame:
        """evaluation, recommender, metric, value, its 95 % interval (low, high) and the number of units."""
        rows = [
            (name, recommender, *estimate, result.n_units(estimate.name))
            for name, one in self.evaluations.items()
            for recommender, result in one.results.items()
            for estimate in one.rows[recommender].values()
        ]
        return pl.DataFrame(rows, schema=SCHEMA, orient="row")

    def __repr__(self) -> str:
        """The table of each evaluation."""
        return "\n\n".join(map(str, self._tables()))

    def _repr_html_(self) -> str:
        """The table of each evaluation."""
        return "".join(table._repr_html_() for table in self._tables())

    def _tables(self) -> list[ResultTable]:
        """With the intervals that were saved: the same bootstrap drawn again."""
        return [ResultTable(one.results, samples=one.samples, seed=one.seed) for one in self.evaluations.values()]
