"""The verdict of a page: how the model does beside its baselines, in two sentences, and why where that is a question.

A recommender is called above or below another where the interval of their paired difference lies on one side of 0, and
level with it otherwise. Where an evaluation only describes lists (coverage, novelty), nothing is called above or below.
"""

import dataclasses
import math
from collections.abc import Sequence

from mu.evals.leaders import MODEL, ORACLE
from mu.evals.nouns import counted
from mu.evals.paired import ABOVE, BELOW, LEVEL, Paired
from mu.report.columns import Column, measured_on, words_of
from mu.report.comparison import Comparison
from mu.report.numbers import interval, listed, number, signed, signed_interval
from mu.report.reasons import reasons

NOTHING = 0.0005
"""A share below rounds to 0.000: the model finds nothing there."""
MOST_NAMED = 3


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What the numbers of an evaluation say.

    Attributes:
      sentences: two: the main section beside every baseline; the other sections, or another metric.
      further: where there are published rows, how they compare; why the model is level with a baseline or beats the
        oracle, where it does.
    """

    sentences: tuple[str, str]
    further: tuple[str, ...]


def verdict(compared: Comparison) -> Verdict:
    """The verdict on the model of an evaluation."""
    main, *rest = compared.columns
    if main.descriptive:
        over = measured_on(compared.result, main)
        return Verdict((_described(compared, main), f"It was measured on {over}."), tuple(_published(compared, main)))
    first = _main(compared, main)
    if rest:
        second = _sections(compared, rest)
    elif more := [column for column in compared.more if math.isfinite(compared.estimate(column).value)]:
        second = f"By {more[0].metric} it {_beside(compared, more[0], '')}."
    else:
        second = _units(compared, main)
    return Verdict((first, second), (*_published(compared, main), *reasons(compared)))


def _main(compared: Comparison, column: Column) -> str:
    subject = words_of(compared.subject)
    words = f"{column.phrase} {subject}" if column.phrase else subject
    oracle = compared.against(column, ORACLE)
    ceiling = "" if oracle is None else f"; the oracle has {number(oracle.other_value, compared.places(column))}"
    return f"{_sentence_case(words, subject)} {_beside(compared, column, f'{column.metric} ')}{ceiling}."


def _described(compared: Comparison, column: Column) -> str:
    """The value of a metric of which more is not always better, and those of the rivals."""
    places, estimate = compared.places(column), compared.estimate(column)
    value = f"{number(estimate.value, places)} {interval(estimate.low, estimate.high, places)}"
    rivals = [f"{words_of(one.other)} {number(one.other_value, places)}" for one in compared.beside(column)]
    beside = f"; {listed(_shortened(rivals))}" if rivals else ""
    return (
        "The metrics of this evaluation describe lists and do not say which are better: "
        f"{words_of(compared.subject)} has {column.metric} {value}{beside}."
    )


def _sentence_case(words: str, subject: str) -> str:
    """The words with a capital at the start, unless they begin with the name of a run, which stays as it is."""
    return words if words.startswith(subject) and subject != words_of(MODEL) else words[:1].upper() + words[1:]


def _beside(compared: Comparison, column: Column, metric: str) -> str:
    """'is level with ItemKNN (recall@20 0.115 [0.111, 0.121] against 0.115, difference 0.000 [-0.006, +0.007])'.

    Args:
      compared: the subject and its rivals.
      column: a metric.
      metric: what stands before its value.
    """
    places, estimate = compared.places(column), compared.estimate(column)
    value = f"{metric}{number(estimate.value, places)} {interval(estimate.low, estimate.high, places)}"
    rivals = compared.beside(column)
    if not rivals:
        return f"has {value}; there is no {compared.rival} beside it"
    parts: list[str] = []
    for outcome in (BELOW, LEVEL, ABOVE):
        group = [one for one in rivals if one.outcome == outcome]
        if group:
            against = "" if parts else f"{value} against "
            every = compared.rival if 1 < len(group) == len(rivals) else ""
            parts.append(f"{outcome} {_names(group, against, places, every)}")
    return f"is {listed(parts)}"


def _names(group: Sequence[Paired], against: str, places: int, every: str) -> str:
    """The rivals of one outcome, the best with its value and the paired difference; `every`: all are of it."""
    best, *others = group
    value = f"{against}{number(best.other_value, places)}"
    difference = f"difference {signed(best.difference, places)} {signed_interval(best.low, best.high, places)}"
    if every:
        return f"every {every} ({value} of {words_of(best.other)}, the best of them; {difference})"
    first = f"{words_of(best.other)} ({value}, {difference})"
    return listed([first, *_shortened([words_of(one.other) for one in others])])


def _shortened(names: list[str]) -> list[str]:
    if len(names) <= MOST_NAMED:
        return names
    return [*names[: MOST_NAMED - 1], f"{len(names) - MOST_NAMED + 1} others"]


def _sections(compared: Comparison, columns: Sequence[Column]) -> str:
    """The other sections, together where they ended alike."""
    together: dict[str, dict[str, list[str]]] = {}
    for column in columns:
        outcome, names, where = _section(compared, column)
        together.setdefault(outcome, {}).setdefault(names, []).append(where)
    beside = [
        f"{outcome} {listed([f'{names} {listed(places)}' for names, places in together[outcome].items()])}"
        for outcome in (ABOVE, LEVEL, BELOW)
        if outcome in together
    ]
    words = [f"is {listed(beside)}"] if beside else []
    words += [f"{verb} {listed(together[verb][''])}" for verb in ("has", "finds nothing") if verb in together]
    return f"It {'; it '.join(words)}."


def _section(compared: Comparison, column: Column) -> tuple[str, str, str]:
    """(outcome beside the rivals, of which rivals, where and with which numbers)."""
    value, places, rivals = compared.estimate(column).value, compared.places(column), compared.beside(column)
    metric = "" if column.metric == compared.columns[0].metric else f"{column.metric} "
    model, units = f"{metric}{number(value, places)}", counted(column.n_units, compared.result.unit)
    _, _, is_share = compared.result.sampling(column.name)
    if is_share and value < NOTHING and not any(one.outcome == ABOVE for one in rivals):
        oracle = compared.against(column, ORACLE)
        possible = "" if oracle is None else f", where the oracle has {number(oracle.other_value, places)}"
        return "finds nothing", "", f"{column.phrase} ({model}, {units}){possible}"
    if not rivals:
        return "has", "", f"{model} {column.phrase} ({units})"
    outcome = next(one for one in (BELOW, LEVEL, ABOVE) if any(pair.outcome == one for pair in rivals))
    group = [one for one in rivals if one.outcome == outcome]
    names = _group(group, compared.rival if len(group) == len(rivals) else "")
    best = number(group[0].other_value, places)
    if words_of(group[0].other) != names:  # said already
        best += f" of {words_of(group[0].other)}"
    return outcome, names, f"{column.phrase} ({model} against {best})"


def _group(group: Sequence[Paired], every: str) -> str:
    """The names of rivals, the best first; `every`: all are of this outcome."""
    if every and len(group) > 1:
        return f"every {every}"
    return listed(_shortened([words_of(one.other) for one in group]))


def _units(compared: Comparison, column: Column) -> str:
    """How many units there are; beside the best rival, for how many the subject is better."""
    result, rivals = compared.result, compared.beside(column)
    over = measured_on(result, column)
    if not rivals or rivals[0].better is None:
        return f"It was measured on {over}."
    better = counted(rivals[0].better, result.drawn_noun)
    return f"Of {over}, it is better than {words_of(rivals[0].other)} for {better} and worse for {rivals[0].worse:,}."


def _published(compared: Comparison, column: Column) -> list[str]:
    """A sentence on the published rows, which cannot be paired: whether they lie in the interval of the model."""
    places, estimate = compared.places(column), compared.estimate(column)
    sides: dict[str, list[str]] = {"above": [], "within": [], "below": []}
    known = math.isfinite(estimate.low) and math.isfinite(estimate.high)
    for label, value in compared.published_in(column).items() if known else ():
        side = "above" if value > estimate.high else "below" if value < estimate.low else "within"
        sides[side].append(f"{label} ({number(value, places)})")
    parts = [f"{side}: {listed(rows)}" for side, rows in sides.items() if rows]
    place = f"Published {column.metric} beside the interval of {words_of(compared.subject)}"
    return [f"{place}; {'; '.join(parts)}."] if parts else []
