"""Two groups of seeds, each a whole cross-validation, and how their difference varies from seed to seed."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mu.evals.folds import DOCUMENT, is_cross_validation
from mu.evals.pairs import defined_in_all
from mu.evals.result import Result
from mu.files import read_json


def shared_seeds(a: str | os.PathLike[str], b: str | os.PathLike[str]) -> list[int]:
    """The seeds that two cross-validations both have; none of two runs.

    Raises:
      ValueError: one is a cross-validation and the other is none, or they share no seed.
    """
    groups = [is_cross_validation(folder) for folder in (a, b)]
    if not any(groups):
        return []
    if not all(groups):
        whole, single = (a, b) if groups[0] else (b, a)
        raise ValueError(
            f"{whole} is a cross-validation and {single} is none: compare one seed ({Path(whole) / 'seed0'}), or "
            "another cross-validation"
        )
    mine, others = _seeds(a), _seeds(b)
    if not (shared := [seed for seed in mine if seed in others]):
        raise ValueError(f"{a} has the seeds {_list(mine)} and {b} the seeds {_list(others)}: they share none")
    return shared


def left_out_seeds(a: str | os.PathLike[str], b: str | os.PathLike[str], seeds: Sequence[int]) -> list[str]:
    """Sentences about the seeds of either that are not compared."""
    rest = {folder: [seed for seed in _seeds(folder) if seed not in seeds] for folder in (a, b) if seeds}
    return [f"seeds {_list(left)} of {folder} are in it alone, and left out" for folder, left in rest.items() if left]


def spread(seeds: Sequence[int], pairs: Sequence[tuple[Result, Result]], metric: str) -> dict[str, Any]:
    """{'seeds': {seed: B less A}, 'std': standard deviation over seeds, None of one} of a metric.

    A column is compared over the units of which every result of every seed has a number, so that the mean of the seeds'
    differences is that of `mu.evals.compare.differences`.

    Args:
      seeds: of the pairs.
      pairs: (A, B) of each seed, on the same units in one order.
      metric: a column or a statistic of all.
    """
    if metric in pairs[0][0].columns:
        units = defined_in_all(pairs, metric)
        values = [(b.columns[metric] - a.columns[metric])[units] for a, b in pairs]
        differences = [float(one.mean()) if units.any() else np.nan for one in values]
    else:
        differences = [float((b.drawn([b.plain()])[metric] - a.drawn([a.plain()])[metric])[0]) for a, b in pairs]
    std = float(np.std(differences, ddof=1)) if len(differences) > 1 else None
    return {"seeds": dict(zip(seeds, differences, strict=True)), "std": std}


def _seeds(folder: str | os.PathLike[str]) -> list[int]:
    return read_json(Path(folder) / DOCUMENT)["seeds"]


def _list(seeds: Sequence[int]) -> str:
    return ", ".join(map(str, seeds))
