"""Why the model is level with a baseline, or beats the oracle of a simulated world: what the numbers can say of it."""

import math

from mu.evals.few_units import FEW
from mu.evals.leaders import ORACLE, UNBOOSTED
from mu.evals.nouns import counted, plural
from mu.evals.paired import ABOVE, LEVEL, Paired
from mu.evals.result import Result
from mu.report.columns import Column, measured_on, words_of
from mu.report.comparison import Comparison
from mu.report.log_words import log_words
from mu.report.numbers import decimals, listed, number

SAME_EVENTS = {
    "item_knn": "ItemKNN counts which tracks are {done} together, in the same {event}s that the model learns from.",
    "popularity": "Popularity counts the same {event}s that the model learns from.",
}
"""Baseline -> what it learns from, where that is what the model learns from as well."""
NEW = ("day 0", "days 1-6", "weeks 1-3", "weeks 4-")


def reasons(compared: Comparison) -> list[str]:
    """Sentences; none where the model is nowhere level with a baseline and nowhere above the oracle."""
    main = compared.columns[0]
    level = [one for one in compared.beside(main) if one.outcome == LEVEL]
    tie = _of_tie(compared, main, level[0]) if level else []
    return [*tie, *_of_few(compared), *_of_oracle(compared)]


def _of_tie(compared: Comparison, column: Column, one: Paired) -> list[str]:
    """Why the subject cannot be told from its closest rival."""
    result, subject, name = compared.result, words_of(compared.subject), words_of(one.other)
    if not math.isfinite(one.low):
        of_one = f"all {plural(result.unit)} are of one {result.drawn_noun}"
        return [f"{_capital(subject)} and {name} cannot be told apart: {of_one}."]
    places, half = decimals(one.value, one.other_value), (one.high - one.low) / 2
    where = f" {column.phrase}" if column.phrase else f" by {column.metric}"
    n_clusters = result.sampling(column.name)[0]
    few, shown = "only " if n_clusters < FEW else "", counted(n_clusters, result.drawn_noun)
    words = (
        f"{_capital(subject)} and {name} cannot be told apart{where}: {few}{shown} "
        f"{'shows' if n_clusters == 1 else 'show'} differences from about {number(half, places)} on"
    )
    if one.better is not None and one.worse is not None:
        words += f"; {subject} is better for {one.better:,} of them, {name} for {one.worse:,}"
    return [f"{words}.", *filter(None, [_same_events(result, one.other)])]


def _of_few(compared: Comparison) -> list[str]:
    """Of the other sections in which the model is level with a baseline, those of few users, clips or recordings."""
    result, words = compared.result, []
    for column in compared.columns[1:]:
        n_clusters = result.sampling(column.name)[0]
        if n_clusters < FEW and any(one.outcome == LEVEL for one in compared.beside(column)):
            words.append(f"{column.phrase} ({measured_on(result, column)})")
    return [f"There is little to measure {listed(words)}, and intervals are wide."] if words else []


def _same_events(result: Result, baseline: str) -> str:
    """What a baseline learns from, where that is what the model learns from as well; else empty."""
    words = log_words(result)
    return SAME_EVENTS.get(baseline, "").format(done=words.done, event=words.event)


def _of_oracle(compared: Comparison) -> list[str]:
    """Why the model beats the oracle, which orders tracks by the listener's true taste at the time of the play."""
    beaten = [
        (column, one)
        for column in compared.columns
        if (one := compared.against(column, ORACLE)) is not None and one.outcome == ABOVE
    ]
    sentences, subject = [], _capital(words_of(compared.subject))
    new = [column for column, _ in beaten if column.section in NEW]
    if new and compared.boost:
        without = [
            f"{number(other.other_value, decimals(other.value, other.other_value))} {column.phrase}"
            for column in new
            if (other := compared.against(column, UNBOOSTED)) is not None
        ]
        alone = f", without which it has {listed(without)}" if without else ""
        sentences.append(
            f"{subject} is above the oracle {listed([column.phrase for column in new])}: the oracle shows new tracks "
            f"without a boost, {words_of(compared.subject)} adds {compared.boost:g} to their scores{alone}."
        )
    elsewhere = [column for column, _ in beaten if not (column in new and compared.boost)]
    if elsewhere:
        phrases = listed([column.phrase or f"by {column.metric}" for column in elsewhere])
        sentences.append(
            f"{subject} is above the oracle {phrases}: the oracle orders tracks by taste alone, and plays also follow "
            "what listeners were shown and what they have played before."
        )
    return sentences


def _capital(words: str) -> str:
    """'The model' of 'the model'; names of runs stay."""
    return words[:1].upper() + words[1:] if words.startswith("the ") else words
