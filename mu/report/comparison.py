"""A model beside its baselines, or a run beside others, compared once for all parts of a page."""

import dataclasses
from collections.abc import Mapping, Sequence

from mu.evals.leaders import MODEL, UNBOOSTED, Leaders, baselines_of, leaders
from mu.evals.paired import Paired, paired
from mu.evals.result import Estimate, Result
from mu.evals.results import Evaluation
from mu.report.columns import Column, columns_of, other_metrics
from mu.report.numbers import decimals

BASELINE, RUN = "baseline", "other run"
"""What a rival is."""
Published = Mapping[str, Mapping[str, float]]
"""Name of a published row -> metric ('recall@10', or in full 'genre/accuracy') -> its value."""


@dataclasses.dataclass(frozen=True, eq=False)
class Comparison:
    """Results on the same units, of which one is held against its rivals: the model against every baseline.

    Attributes:
      results: name -> result: the model, its baselines and, on a simulated world, the oracle.
      rows: the same -> metric -> value and interval.
      subject: name of the one.
      rivals: names of those that it is held against.
      rival: what each of them is: `BASELINE` or `RUN`.
      columns: the first metric of each section; the first of them is the main one.
      more: up to two other metrics of the main section.
      pairs: metric of `columns` and `more` -> the subject less each of the others, those with large values first.
      leaders: the same -> who is ahead of all but the oracle.
      published: rows that others have published; no part of the evaluation.
      boost: what is added to the scores of new releases; None where nothing is.
    """

    results: Mapping[str, Result]
    rows: Mapping[str, Mapping[str, Estimate]]
    subject: str
    rivals: Sequence[str]
    rival: str
    columns: Sequence[Column]
    more: Sequence[Column]
    pairs: Mapping[str, Sequence[Paired]]
    leaders: Mapping[str, Leaders]
    published: Published
    boost: float | None

    @property
    def result(self) -> Result:
        """The result of the subject."""
        return self.results[self.subject]

    @property
    def table_columns(self) -> Sequence[Column]:
        """The columns of a table: the sections; the metrics where there are none."""
        return self.columns if len(self.columns) > 1 else (*self.columns, *self.more)

    def estimate(self, column: Column) -> Estimate:
        """The value and interval of the subject."""
        return self.rows[self.subject][column.name]

    def beside(self, column: Column) -> list[Paired]:
        """The subject less each rival, the best rival first."""
        return [one for one in self.pairs[column.name] if one.other in self.rivals]

    def against(self, column: Column, name: str) -> Paired | None:
        """The subject less one of the others; None where there is no such row, or one of the two has no value."""
        return next((one for one in self.pairs[column.name] if one.other == name), None)

    def places(self, column: Column) -> int:
        """Decimals of the values of a metric."""
        return decimals(*(row[column.name].value for row in self.rows.values()))

    def published_in(self, column: Column) -> dict[str, float]:
        """The published values of a metric, the largest first."""
        values = {label: row.get(column.name, row.get(column.metric)) for label, row in self.published.items()}
        named = {label: value for label, value in values.items() if value is not None}
        return dict(sorted(named.items(), key=lambda item: -item[1]))


def comparison_of(evaluation: Evaluation, published: Published | None = None) -> Comparison:
    """The model of a saved evaluation beside its baselines, with the boost of new releases where it has one.

    Args:
      evaluation: of a run.
      published: see `Comparison`.
    """
    return comparison(
        evaluation.results,
        evaluation.rows,
        published=published,
        boost=boost_of(evaluation),
        samples=evaluation.samples,
        seed=evaluation.seed,
    )


def boost_of(evaluation: Evaluation) -> float | None:
    """What the model adds to the scores of new releases; None where there is no such policy."""
    return evaluation.card.get("new_release_boost") if UNBOOSTED in evaluation.results else None


def comparison(
    results: Mapping[str, Result],
    rows: Mapping[str, Mapping[str, Estimate]],
    *,
    subject: str = MODEL,
    rivals: Sequence[str] | None = None,
    rival: str = BASELINE,
    published: Published | None = None,
    boost: float | None = None,
    samples: int = 1000,
    seed: int = 0,
) -> Comparison:
    """Compares one row of an evaluation with every other, in the first metric of each section.

    Args:
      results: name -> result, as `mu.evals.results.load` gives them.
      rows: the same -> metric -> value and interval, likewise.
      subject: see `Comparison`.
      rivals: see `Comparison`; None for the baselines of a model.
      rival: see `Comparison`.
      published: see `Comparison`.
      boost: see `Comparison`.
      samples: of the paired intervals; as many as those of `rows` have.
      seed: of the paired intervals.

    Raises:
      ValueError: there is no such subject, or no metric is defined for any unit.
    """
    if subject not in results:
        raise ValueError(f"the evaluation has no row {subject!r}; it has {', '.join(results)}")
    columns = columns_of(results[subject])
    if not columns:
        raise ValueError("no metric of the evaluation is defined for any unit")
    more = other_metrics(results[subject], columns[0], 2)
    metrics = [column.name for column in (*columns, *more)]
    others = [name for name in results if name != subject]
    return Comparison(
        results=results,
        rows=rows,
        subject=subject,
        rivals=baselines_of(results) if rivals is None else rivals,
        rival=rival,
        columns=columns,
        more=more,
        pairs=paired(results, subject, others, metrics, samples, seed),
        leaders=leaders(results, metrics, samples, seed),
        published=published or {},
        boost=boost,
    )
