"""What a page compares: a metric of each section, target or list of an evaluation, and the words for names."""

import dataclasses
from collections.abc import Sequence

from mu.evals.leaders import MODEL, ORACLE, UNBOOSTED
from mu.evals.nouns import counted
from mu.evals.result import Result
from mu.report.log_words import are_ratings
from mu.report.numbers import listed

NAMES = {
    MODEL: "the model",
    ORACLE: "the oracle",
    UNBOOSTED: "the model without its boost",
    "content_of_model": "the model's content neighbours",
    "item_knn": "ItemKNN",
    "user_knn": "UserKNN",
    "markov": "a Markov chain",
    "sequential_rules": "sequential rules",
    "pctm": "PCTM",
    "ease": "EASE",
    "popularity": "popularity",
    "artist_popularity": "the artist's popularity",
    "random": "random order",
    "content": "content neighbours",
    "mfcc_linear": "MFCC and a linear model",
    "biases": "rating biases",
    "cohort_mean": "the cohort's rate",
    "genre_mean": "the genre's rate",
}
"""Name of a row -> what sentences call it; others are called by their name."""
SECTIONS = {
    "discovery": ("known tracks", "on known tracks"),
    "repeat": ("repeats", "on repeats"),
    "day 0": ("day of release", "on the day of release"),
    "days 1-6": ("days 1-6", "on days 1-6 after release"),
    "weeks 1-3": ("weeks 1-3", "in weeks 1-3 after release"),
    "weeks 4-": ("week 4 on", "from week 4 after release on"),
}
"""Section of plays -> (its name above a column, the same in a sentence)."""


@dataclasses.dataclass(frozen=True)
class Column:
    """A metric of a section.

    Attributes:
      name: of the metric in full: 'discovery/recall@20'.
      section: 'discovery', 'genre'; empty where an evaluation has no sections.
      metric: 'recall@20'.
      title: above a column: 'known tracks'; the metric where there are no sections.
      phrase: in a sentence: 'on known tracks'; empty where there are no sections and all tracks are ranked.
      n_units: how many units it is of.
      descriptive: whether it says what lists are like (coverage, novelty): more is not always better.
    """

    name: str
    section: str
    metric: str
    title: str
    phrase: str
    n_units: int
    descriptive: bool


def columns_of(result: Result) -> list[Column]:
    """The first metric of each section that a table of the result shows, of those that any unit is in.

    Descriptive ones are left out where there is any other.
    """
    names = result.shown or result.names
    return _first_of_sections(result, [name for name in names if name not in result.descriptive]) or (
        _first_of_sections(result, names)
    )


def _first_of_sections(result: Result, names: Sequence[str]) -> list[Column]:
    first: dict[str, str] = {}
    for name in names:
        section, _, metric = name.rpartition("/")
        first.setdefault(section, metric)
    columns = [_column(result, section, metric) for section, metric in first.items()]
    return [column for column in columns if column.n_units]


def other_metrics(result: Result, column: Column, most: int) -> list[Column]:
    """Other metrics of a section: first those of another kind, then those of the same kind with another cut-off.

    Descriptive ones are left out here, too; beside a descriptive one there are no others.

    Args:
      result: that has them.
      column: the first metric of the section.
      most: at most so many.
    """
    kinds: dict[str, list[str]] = {}
    for name in result.names:
        section, _, metric = name.rpartition("/")
        is_alike = (name in result.descriptive) == column.descriptive
        if section == column.section and metric != column.metric and is_alike:
            kinds.setdefault(metric.partition("@")[0], []).append(metric)
    same = kinds.pop(column.metric.partition("@")[0], [])
    metrics = [metrics[0] for metrics in kinds.values()]
    columns = [_column(result, column.section, metric) for metric in (*metrics, *same)]
    return [one for one in columns if one.n_units][:most]


def words_of(name: str) -> str:
    """What sentences call a row."""
    return NAMES.get(name, name)


def which_is_better(result: Result) -> str:
    """'Larger is better.', or of which metrics it is not: those that describe lists."""
    names = list(dict.fromkeys(name.rpartition("/")[2].partition("@")[0] for name in result.descriptive))
    if not names:
        return "Larger is better."
    described = f"{listed(names)} {'describe' if len(names) > 1 else 'describes'} lists: larger is not always better."
    others = set(result.names) - set(result.descriptive)
    return f"Larger is better, but {described}" if others else f"{described[:1].upper()}{described[1:]}"


def measured_on(result: Result, column: Column) -> str:
    """'367 plays of 40 users', '200 clips': the units of a metric, and what the bootstrap draws where that differs."""
    n_drawn, _, _ = result.sampling(column.name)
    units = counted(column.n_units, result.unit)
    return units if n_drawn == column.n_units else f"{units} of {counted(n_drawn, result.drawn_noun)}"


def _column(result: Result, section: str, metric: str) -> Column:
    name = f"{section}/{metric}" if section else metric
    whole = "among the tracks that each listener rated" if are_ratings(result) else ""
    default = (section, f"on {section}" if result.unit == "play" else f"for {section}") if section else (metric, whole)
    title, phrase = SECTIONS.get(section, default) if result.unit == "play" else default
    return Column(name, section, metric, title, phrase, result.n_units(name), name in result.descriptive)
