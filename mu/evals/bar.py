"""Whether training was worth it: the model beside the best of its baselines, in words.

The best baseline of a metric is the one with the largest value on the same units, so it is picked in its own favour.
"""

import textwrap
from collections.abc import Mapping, Sequence

from mu.evals.few_units import interval_text
from mu.evals.leaders import MIXTURE, MODEL, baselines_of, best_of
from mu.evals.paired import ABOVE, BELOW, LEVEL, Paired, paired
from mu.evals.result import Result

BRIEFLY = {ABOVE: "better on", LEVEL: "level on", BELOW: "worse on"}
WORDS = {ABOVE: "better than", BELOW: "worse than"}
WIDTH = 120
NAMED = (MODEL, MIXTURE)
MAIN = "ndcg"
"""The metric of rankings by which the sentence speaks, where there is one."""


def best_baselines(
    results: Mapping[str, Result],
    metrics: Sequence[str],
    samples: int | None = None,
    seed: int = 0,
    *,
    name: str = MODEL,
) -> dict[str, Paired]:
    """Metric -> the model less the baseline with the largest value; no entry where there is no baseline or no value.

    Args:
      results: name -> result of one evaluation.
      metrics: full names, such as 'ndcg@10' or 'day 0/recall@20'.
      name: of the model's result, or of a variant's.
      samples: of the intervals, see `mu.evals.compare.compare`.
      seed: likewise.
    """
    rivals = baselines_of(results)
    if name not in results or not rivals:
        return {}
    measured = [metric for metric in metrics if results[name].n_units(metric)]
    return {
        metric: pairs[0]
        for best, names in best_of({rival: results[rival] for rival in rivals}, measured).items()
        for metric, pairs in paired(results, name, [best], names, samples, seed).items()
        if pairs
    }


def bar_sentences(
    results: Mapping[str, Result], metrics: Sequence[str], samples: int | None = None, seed: int = 0
) -> list[str]:
    """Whether the model is better than, level with or worse than the best baseline, in one sentence; the mixture, too.

    Of rankings by the first NDCG, else by the first metric; where all are of sections, by the first metric of each.

    Args:
      results: name -> result of one evaluation.
      metrics: those of its table.
      samples: of the intervals.
      seed: of the intervals.

    Returns:
      Nothing where there is no model or no baseline.
    """
    descriptive = next(iter(results.values())).descriptive
    first: dict[str, str] = {}
    for name in sorted(metrics, key=lambda name: not name.startswith(MAIN)):
        if name not in descriptive:
            first.setdefault(name.rpartition("/")[0], name)
    whole = [first[""]] if "" in first else []
    said = (best_baselines(results, whole or list(first.values()), samples, seed, name=name) for name in NAMED)
    return [_sentence(name, pairs, bool(whole)) for name, pairs in zip(NAMED, said, strict=True) if pairs]


def _sentence(name: str, pairs: Mapping[str, Paired], whole: bool) -> str:
    """What the differences of one result to the best baselines show: of the whole, or of each section."""
    if whole:
        ((metric, one),) = pairs.items()
        values = f"{one.value:.4f} against {one.other_value:.4f}, paired difference {_difference(one)}"
        return f"by {metric} the {name} is {_outcome(one)} {one.other}, the best baseline: {values}"
    by_outcome: dict[str, list[str]] = {outcome: [] for outcome in (ABOVE, LEVEL, BELOW)}
    for metric, one in pairs.items():
        by_outcome[one.outcome].append(f"{metric.rpartition('/')[0]} ({one.other})")
    words = "; ".join(f"{BRIEFLY[outcome]} {', '.join(names)}" for outcome, names in by_outcome.items() if names)
    sentence = f"the {name} beside the best baseline of each section, by paired differences: {words}"
    return "\n".join(textwrap.wrap(sentence, WIDTH))


def _outcome(one: Paired) -> str:
    return WORDS.get(one.outcome, one.outcome)


def _difference(one: Paired) -> str:
    return f"{one.difference:+.4f} {interval_text(one.low, one.high, '+.4f')}"
