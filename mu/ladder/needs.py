"""What a log asks of a model: order, more than the last play, attributes, repeats. Each by one change to PCTM, paired.

Every answer is a difference on the same test plays: of a counting model, and of the same model without what is asked
about. What a counting model cannot use, a larger one may; what it loses nothing without is at least no easy gain. How
strongly the model is smoothed and tilted by popularity is chosen on the validation part, where there is one: the
published values are of one log of 200,000 plays.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mu.baselines.pctm import PCTM
from mu.baselines.shuffled import ShuffledHistories
from mu.config.base import Config
from mu.data.logs.attributes import attribute_columns
from mu.data.logs.interactions import Interactions
from mu.data.logs.splits import Split
from mu.evals.intervals import clustered_bootstrap
from mu.evals.paired import ABOVE, LEVEL, Paired, paired
from mu.evals.protocols.ranking import RankingEvaluator
from mu.evals.result import Result
from mu.protocols import ProgressCallback
from mu.run.evaluation import evaluator_on
from mu.sweep.objective import measured_part

SMOOTHING = tuple(
    {"tau": tau, "popularity_weight": weight} for tau in (100.0, 1000.0, 11_250.0) for weight in (-0.04, 0.0, 0.04)
)
ATTRIBUTE_WEIGHTS = (0.03, 0.1, 0.3, 1.0, 3.0)
"""Of both the one with the largest metric on validation is taken."""
MOST_LISTENERS = 10_000
"""Of the validation part, on whom these are chosen."""
SOME_REPEATS = 0.05
"""From so large a share of repeats on a log asks for them."""
YES, NO, UNKNOWN = "yes", "no", "not known"


@dataclasses.dataclass(frozen=True)
class Need:
    """An answer.

    Attributes:
      what: 'order', 'more than the last play', 'attributes' or 'repeats'.
      answer: 'yes', 'no' or 'not known'.
      words: why, with the numbers.
    """

    what: str
    answer: str
    words: str


def needs(
    config: Config,
    split: Split,
    progress: ProgressCallback = lambda stage, done, total, note: None,
) -> list[Need]:
    """The answers of a log.

    Args:
      config: resolved: its evaluation and metric are those of config.best.metric, its options of PCTM those of the
        rung `pctm`.
      split: of the log.
      progress: is called with a stage, how many answers there are, of how many, and which is next.
    """
    evaluation, metric = measured_part(config.best.metric)
    options = {key: value for key, value in config.baselines.get("pctm", {}).items() if key != "name"}
    learnt = split.train.merged(split.valid) if config.refit else split.train
    test = evaluator_on(config, evaluation, split, learnt, "test")
    valid = some = None
    if len(split.valid):
        fewer = split.with_fewer_valid(MOST_LISTENERS, config.seed)
        valid = evaluator_on(config, evaluation, fewer, split.train, "valid")
        some = PCTM(**options).fit(split.train)

    def best_on_validation(model: PCTM, evaluator: Any, tried: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        values = [evaluator.run(model.with_options(**one)).values()[metric] for one in tried]
        return {**options, **tried[int(np.argmax(values))]}

    progress("what the log needs", 0, 4, "order")
    if some is not None:
        options = best_on_validation(some, valid, SMOOTHING)
    model = PCTM(**options).fit(learnt)
    whole = test.run(model)
    answers = [_order(_pair(whole, test.run(ShuffledHistories(PCTM(**options)).fit(learnt)), metric), metric)]
    progress("what the log needs", 1, 4, "more than the last play")
    last = test.run(model.with_options(history_length=1))
    answers.append(_history(_pair(whole, last, metric), metric))
    progress("what the log needs", 2, 4, "attributes")
    columns = attribute_columns(learnt.tracks)
    if not columns:
        answers.append(Need("attributes", UNKNOWN, "the log says nothing of its tracks that several share"))
    elif some is None:
        answers.append(Need("attributes", UNKNOWN, "there is no validation part to choose their weight on"))
    else:
        some = some.with_options(**{**options, "attributes": columns})
        best = best_on_validation(
            some, valid, [{"attributes": columns, "attribute_weight": one} for one in ATTRIBUTE_WEIGHTS]
        )
        answers.append(_attributes(_pair(test.run(model.with_options(**best)), whole, metric), best, metric))
    progress("what the log needs", 3, 4, "repeats")
    masked = isinstance(test, RankingEvaluator)
    return [*answers, _repeats(split.train.merged(split.valid), split.test, masked)]


def _order(one: Paired, metric: str) -> Need:
    return Need("order", YES if one.outcome == ABOVE else NO, f"with shuffled histories pctm {_change(one, metric)}")


def _history(one: Paired, metric: str) -> Need:
    words = f"by the last play of each listener alone pctm {_change(one, metric)}"
    return Need("more than the last play", YES if one.outcome == ABOVE else NO, words)


def _attributes(one: Paired, options: Mapping[str, Any], metric: str) -> Need:
    names, weight = ", ".join(options["attributes"]), options["attribute_weight"]
    gain = {ABOVE: "gains", LEVEL: "is level"}.get(one.outcome, "loses")
    numbers = f"{one.value:.4f} against {one.other_value:.4f}, {one.difference:+.4f} [{one.low:+.4f}, {one.high:+.4f}]"
    words = f"with {names} (weight {weight:g}, chosen on validation) pctm {gain}: {metric} {numbers}"
    return Need("attributes", YES if one.outcome == ABOVE else NO, words)


def _repeats(before: Interactions, test: Interactions, masked: bool) -> Need:
    users = np.repeat(np.arange(test.n_users), test.lengths)
    again = before.seen().contains(users, test.items)
    (low,), (high,) = clustered_bootstrap(again[:, None].astype(float), users)
    share = again.mean()
    words = f"{share:.1%} [{low:.1%}, {high:.1%}] of the test plays are of tracks that the listener had played before"
    if masked and again.any():
        words += "; each of them is ranked among unplayed tracks alone, which is easy"
    return Need("repeats", YES if low >= SOME_REPEATS else NO, words)


def _pair(one: Result, other: Result, metric: str) -> Paired:
    (pair,) = paired({"one": one, "other": other}, "one", ["other"], [metric])[metric]
    return pair


def _change(one: Paired, metric: str) -> str:
    """'falls from ndcg@10 0.0634 to 0.0412, by 0.0222 [0.0190, 0.0254]'."""
    numbers = f"{metric} {one.value:.4f} to {one.other_value:.4f}"
    if one.outcome == ABOVE:
        return f"falls from {numbers}, by {one.difference:.4f} [{one.low:.4f}, {one.high:.4f}]"
    verb = "is level" if one.outcome == LEVEL else "gains"
    # Less than 0 and not with the sign changed: there is a -0.
    return f"{verb}: from {numbers}, by {0 - one.difference:+.4f} [{0 - one.high:+.4f}, {0 - one.low:+.4f}]"
