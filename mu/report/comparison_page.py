"""The page of several runs: which is best, all values, paired differences, charts, and what differs in the configs."""

import dataclasses
import math
from collections.abc import Mapping, Sequence

from mu.durations import duration
from mu.evals.nouns import plural
from mu.report.age_chart import age_chart
from mu.report.charts import Figure
from mu.report.columns import columns_of
from mu.report.compared_runs import ComparedRun, together
from mu.report.comparison import RUN, Comparison, boost_of, comparison, comparison_of
from mu.report.comparison_table import ComparisonTable, comparison_table
from mu.report.config_differences import config_differences
from mu.report.difference_table import DifferenceTable, difference_table
from mu.report.interval_chart import interval_chart
from mu.report.numbers import listed
from mu.report.page import Head, Section, render
from mu.report.read import facts
from mu.report.training import training
from mu.report.verdict import verdict


@dataclasses.dataclass(frozen=True, eq=False)
class RunComparison:
    """The data of the first section.

    Attributes:
      table: of the runs and their baselines.
      differences: of the runs to the first.
      figure: values of the runs with intervals; None where no metric lies between 0 and 1.
    """

    table: ComparisonTable
    differences: DifferenceTable
    figure: Figure | None


@dataclasses.dataclass(frozen=True)
class TextsOfRuns:
    """Rows of texts, a column a run.

    Attributes:
      label: what they are.
      names: of the runs.
      rows: (title, a text for each run).
    """

    label: str
    names: Sequence[str]
    rows: Sequence[tuple[str, Sequence[str]]]


def comparison_page(runs: Sequence[ComparedRun]) -> str:
    """The whole page.

    Raises:
      ValueError: the runs were not measured on the same units, task, truth and clusters; names what differs.
    """
    compared = compared_runs(runs)
    names = [run.name for run in runs]
    samples, seed = runs[0].evaluation.samples, runs[0].evaluation.seed
    result = RunComparison(
        table=comparison_table(compared),
        differences=difference_table(compared, names[0], names[1:], samples, seed),
        figure=age_chart(compared) or _chart(compared),
    )
    differing = TextsOfRuns("What differs in the configs", names, config_differences([run.document for run in runs]))
    sections = [
        Section("Result", "run_comparison.html", result),
        Section("Training", "training.html", training(_curves(runs), _chosen(runs), None)),
        Section("What differs in the configs", "texts_of_runs.html", differing),
    ]
    details = [Section("What was run", "texts_of_runs.html", TextsOfRuns("What was run", names, _facts(runs)))]
    return render(Head(f"Comparison of {listed(names)}", verdict=verdict(compared)), [], sections, details)


def compared_runs(runs: Sequence[ComparedRun]) -> Comparison:
    """The best of the runs by the main metric beside the others; one run beside its baselines.

    Where the runs only describe lists none is best, and the first is held against the others.

    Raises:
      ValueError: the runs were not measured on the same units, task, truth and clusters; names what differs.
    """
    if len(runs) == 1:
        return comparison_of(runs[0].evaluation, runs[0].document.get("published"))
    results, rows = together(runs)
    names = [run.name for run in runs]
    columns = columns_of(results[names[0]])
    if not columns:
        raise ValueError(f"{names[0]} has no value in any metric that {listed(names)} share")
    measured = [run for run in runs if math.isfinite(rows[run.name][columns[0].name].value)]
    best = measured[0]
    if not columns[0].descriptive:
        best = max(measured, key=lambda run: rows[run.name][columns[0].name].value)
    published: dict[str, Mapping[str, float]] = {}
    for run in runs:
        published |= run.document.get("published") or {}
    return comparison(
        results,
        rows,
        subject=best.name,
        rivals=[name for name in names if name != best.name],
        rival=RUN,
        published=published,
        boost=boost_of(best.evaluation),
        samples=runs[0].evaluation.samples,
        seed=runs[0].evaluation.seed,
    )


def _chart(compared: Comparison) -> Figure | None:
    """The runs side by side in the metrics of the table that lie, with their intervals, between 0 and 1."""
    names = [compared.subject, *compared.rivals]
    estimates = {column: [compared.rows[name][column.name] for name in names] for column in compared.table_columns}
    columns = [
        column for column, values in estimates.items() if all(0 <= value <= 1 for one in values for value in one[1:])
    ]
    if not columns:
        return None
    series = {name: [estimates[column][at][1:] for column in columns] for at, name in enumerate(names)}
    unit = compared.result.unit
    values = "; ".join(f"{name}: {', '.join(f'{one[0]:.3f}' for one in row)}" for name, row in series.items())
    titles = [column.title for column in columns]
    chart = interval_chart(
        series,
        titles,
        [f"{column.n_units:,}" for column in columns],
        x_name=f"number of {plural(unit)}",
        y_name=columns[0].metric if len({column.metric for column in columns}) == 1 else "value",
        label=f"The runs in {listed(titles)}. {values}.",
        joined=False,
    )
    return Figure("", chart, caption="Bars: 95 % bootstrap intervals.")


def _curves(runs: Sequence[ComparedRun]) -> dict[str, Sequence[Mapping[str, float]]]:
    return {f"{run.name} {fold}".strip(): lines for run in runs for fold, lines in run.curves.items()}


def _chosen(runs: Sequence[ComparedRun]) -> str:
    """The metric that all chose their step by; empty where they chose by different ones."""
    metrics = {run.document["best"]["metric"] for run in runs}
    return metrics.pop() if len(metrics) == 1 else ""


def _facts(runs: Sequence[ComparedRun]) -> list[tuple[str, list[str]]]:
    """What was run, where and when, a row a fact."""
    each = []
    for run in runs:
        card = run.evaluation.card
        parameters, seconds = run.record.get("parameters"), run.record.get("duration_s")
        each.append(
            {"Title": run.document.get("title") or ""}
            | dict(facts(run.document, run.record, card, {}, len(run.curves)))
            | {"Parameters": f"{parameters:,}" if parameters is not None else ""}
            | {"Trained for": duration(seconds) if seconds is not None else ""}
        )
    rows = [(key, [one.get(key, "") for one in each]) for key in dict.fromkeys(key for one in each for key in one)]
    return [(key, values) for key, values in rows if any(values)]
