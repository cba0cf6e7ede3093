"""The chart by the age of tracks: how the model and every row of the verdict find new releases and known tracks."""

import numpy as np

from mu.evals.leaders import ORACLE
from mu.evals.result import Estimate
from mu.report.charts import Figure
from mu.report.columns import words_of
from mu.report.comparison import Comparison
from mu.report.interval_chart import Interval, interval_chart

AGES = {
    "day 0": "day 0",
    "days 1-6": "d 1-6",
    "weeks 1-3": "wk 1-3",
    "weeks 4-": "wk 4+",
    "discovery": "known",
}
"""Section of plays -> its name below the chart, in the order of the chart."""
CAPTION = (
    "Age on the day of the play of tracks that came out after training ended, in days (d) and weeks (wk), and below it "
    "the number of plays; 'known' were there before. Bars: 95 % bootstrap intervals."
)


def age_chart(compared: Comparison) -> Figure | None:
    """The subject, the oracle and every rival by the age of the track; None where no track of the test is new."""
    columns = [column for age in AGES for column in compared.columns if column.section == age]
    if not any(column.section != "discovery" for column in columns):
        return None
    others = sorted(compared.rivals, key=lambda name: -compared.rows[name][columns[-1].name].value)
    shown = [name for name in (compared.subject, ORACLE, *others) if name in compared.rows]
    series = {
        words_of(name).removeprefix("the "): [_drawn(compared.rows[name][column.name]) for column in columns]
        for name in shown
    }
    across, metric = [AGES[column.section] for column in columns], columns[0].metric
    values = "; ".join(
        f"{name}: {', '.join('none' if one is None else f'{one[0]:.3f}' for one in row)}"
        for name, row in series.items()
    )
    chart = interval_chart(
        series,
        across,
        [f"{column.n_units:,}" for column in columns],
        x_name="since release; number of plays",
        y_name=metric,
        label=f"{metric} by the age of the track ({', '.join(across)}). {values}.",
        joined=True,
    )
    return Figure("", chart, caption=CAPTION)


def _drawn(estimate: Estimate) -> Interval | None:
    """(value, low, high); without an interval its ends are the value. None where the value is not defined."""
    if not np.isfinite(estimate.value):
        return None
    ends = estimate[2:] if np.isfinite(estimate[2:]).all() else (estimate.value, estimate.value)
    return (estimate.value, *ends)
