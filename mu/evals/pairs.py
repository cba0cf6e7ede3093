"""Two results unit by unit: brought into one order, or refused with all that differs."""

from collections.abc import Sequence

import numpy as np

from mu.evals.nouns import counted, plural
from mu.evals.result import Result


def aligned(a: Result, b: Result, names: tuple[str, str] = ("A", "B")) -> tuple[Result, Result]:
    """Both results with their units in order of the ids.

    Args:
      a: a result.
      b: another.
      names: of the two, for messages.

    Raises:
      ValueError: they are not of the same units, task, clusters and truth, or have no metric in common; names all that
        differs.
    """
    if a.unit != b.unit:
        raise ValueError(
            f"of {names[0]} and {names[1]} one was measured on {plural(a.unit)} and the other on {plural(b.unit)}: "
            "there are no pairs"
        )
    a, b = _in_order(a), _in_order(b)
    faults = _different_units(a, b)
    for what in (*a.same, *(what for what in b.same if what not in a.same)):
        mine, others = a.same.get(what), b.same.get(what)
        if mine != others:
            faults.append(f"they differ in the {what}: {mine} in A, {others} in B")
    if not faults:
        faults = _different_clusters(a, b) + _different_truth(a, b)
    if not faults and not shared(a, b):
        faults = [f"A has {', '.join(a.names)} and B {', '.join(b.names)}: no metric in common"]
    if faults:
        raise ValueError(
            f"{names[0]} and {names[1]} cannot be compared, their numbers are no pairs:\n  " + "\n  ".join(faults)
        )
    return a, b


def shared(a: Result, b: Result) -> list[str]:
    """The metrics that both have: columns, and statistics that are computed alike."""
    columns = [name for name in a.columns if name in b.columns]
    return columns + [name for name, one in a.statistics.items() if b.statistics.get(name) == one]


def shared_names(a: Result, b: Result, metrics: Sequence[str] | None) -> list[str]:
    """Those of the shared metrics that are wanted, by name or by the last part of it, in their order.

    Raises:
      ValueError: one is not in both.
    """
    names = shared(a, b)
    if metrics is None:
        return names
    last = {name.rpartition("/")[2] for name in names}
    for metric in metrics:
        if metric not in names and metric not in last:
            both = ", ".join(dict.fromkeys([*(name.rpartition("/")[2] for name in names), *names]))
            raise ValueError(f"metric {metric!r} is not in both evaluations; they share {both}")
    return [name for name in names if name in metrics or name.rpartition("/")[2] in metrics]


def defined_in_all(pairs: Sequence[tuple[Result, Result]], name: str) -> np.ndarray:
    """bool [n]: the units of which every result has a number in this column: those that are compared."""
    return np.all([np.isfinite(result.columns[name]) for pair in pairs for result in pair], axis=0)


def _in_order(result: Result) -> Result:
    order = np.argsort(result.units, kind="stable")
    return result if (order[:-1] < order[1:]).all() else result.take(order)


def _different_units(a: Result, b: Result) -> list[str]:
    if np.array_equal(a.units, b.units):
        return []
    only_a, only_b = (len(np.setdiff1d(*pair)) for pair in ((a.units, b.units), (b.units, a.units)))
    both = len(np.intersect1d(a.units, b.units))
    words = f"{only_a:,} only in A, {only_b:,} only in B, {both:,} in both"
    return [f"they were measured on different {plural(a.unit)}: {words}"]


def _different_clusters(a: Result, b: Result) -> list[str]:
    mine, others = (result.units if result.clusters is None else result.clusters for result in (a, b))
    different = np.asarray(mine != others)
    if not different.any():
        return []
    at = int(np.argmax(different))
    unit, one, other = (array[at].item() for array in (a.units, mine, others))
    return [
        f"their {plural(a.unit)} are grouped otherwise: {unit!r} is of {one!r} in A and of {other!r} in B; evaluate "
        "both with one `group` (config.evals, of mu probe --group)"
    ]


def _different_truth(a: Result, b: Result) -> list[str]:
    """What is wrong with the truth of targets that both have."""
    faults = []
    for name in a.truth:
        if name not in b.truth:
            continue
        target = name.removesuffix("/truth")
        meanings = [
            {detail: one.parts for detail, one in result.details.items() if name in one.arrays} for result in (a, b)
        ]
        one, other = a.arrays[name], b.arrays[name]
        if meanings[0] != meanings[1] or one.shape != other.shape:
            parts = (", ".join(next(iter(meaning.values()), ())) for meaning in meanings)
            faults.append(f"the target {target!r} is not the same: in A and in B it is {' and '.join(parts)}")
            continue
        same = (one == other) | ((one != one) & (other != other))  # NaN: not known
        same = same if same.ndim == 1 else same.all(axis=1)
        if not same.all():
            at = int(np.argmin(same))
            faults.append(
                f"the truth of {target!r} differs for {counted(int((~same).sum()), a.unit)}, of which the first is "
                f"{a.units[at].item()!r}: {one[at]} in A and {other[at]} in B; their labels have changed"
            )
    return faults
