"""Two models' answers on the same clips, of one seed or several: differences, clips drawn again for all alike."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from mu.evals.clip_scores import ClipResult, interval


def differences(
    a: ClipResult, b: ClipResult, metrics: Sequence[str] | None = None, samples: int = 1000, seed: int = 0
) -> dict[str, dict[str, float]]:
    """Each metric of both, and their paired difference: 95 % percentile bootstrap over groups, the same for both.

    Args:
      a, b: of the same clips, in any order.
      metrics: names such as 'genre/accuracy'; None for all that both have.
      samples, seed: of the bootstrap.

    Returns:
      {name: {'a', 'b', 'difference' (B less A), 'low', 'high'}}.

    Raises:
      ValueError: they are not of the same clips, groups and truth, or have no such metric; names what differs.
    """
    return mean_differences([(a, b)], metrics, samples, seed)


def mean_differences(
    pairs: Sequence[tuple[ClipResult, ClipResult]],
    metrics: Sequence[str] | None = None,
    samples: int = 1000,
    seed: int = 0,
) -> dict[str, dict[str, float]]:
    """`differences` of two models over several seeds: means over the pairs, clips drawn again for all alike.

    Args:
      pairs: (A, B) of each seed, all of the same clips.
      metrics, samples, seed: of `differences`.

    Raises:
      ValueError: as `differences`, also where one pair is not of the clips of another.
    """
    checked = [_alike(a, b) for a, b in pairs]
    first = checked[0][0]
    for other, _ in checked[1:]:
        _alike(first, other)
    # [pairs, 2]: of each model its values, and those of every draw.
    values = [[one.values() for one in pair] for pair in checked]
    for name in metrics or ():
        if name not in values[0][0]:
            raise ValueError(f"metric {name!r} is not in both evaluations; they share {', '.join(values[0][0])}")
    drawn = [[one.measured(first.draws(samples, seed)) for one in pair] for pair in checked]
    found = {}
    for name in metrics or values[0][0]:
        low, high = interval(np.mean([b[name] - a[name] for a, b in drawn], axis=0))
        one, other = (float(np.mean([pair[at][name] for pair in values])) for at in (0, 1))
        found[name] = {"a": one, "b": other, "difference": other - one, "low": float(low), "high": float(high)}
    return found


def _alike(a: ClipResult, b: ClipResult) -> tuple[ClipResult, ClipResult]:
    """Both with their clips in one order and the heads that both have; ValueError where they cannot be paired."""
    a, b = _in_order(a), _in_order(b)
    if a.clips != b.clips:
        ours, theirs = set(a.clips), set(b.clips)
        raise ValueError(
            f"they were measured on different clips: {len(ours - theirs):,} only in A, {len(theirs - ours):,} only in "
            f"B, {len(ours & theirs):,} in both"
        )
    for clip, one, other in zip(a.clips, a.groups, b.groups, strict=True):
        if one != other:
            raise ValueError(
                f"their clips are grouped otherwise: {clip!r} is of {one!r} in A and of {other!r} in B; evaluate both "
                "with one config.evaluation.group (of mu probe, --group)"
            )
    heads = [head for head in a.said if head in b.said]
    if not heads:
        raise ValueError(f"A tells {', '.join(a.said)} and B {', '.join(b.said)}: no target in common")
    for head in heads:
        _check_truth(head, a, b)
    kept = [dataclasses.replace(one, said={head: one.said[head] for head in heads}) for one in (a, b)]
    return kept[0], kept[1]


def _in_order(result: ClipResult) -> ClipResult:
    """The same, its clips in order of their ids."""
    order = np.argsort(np.array(result.clips), kind="stable")
    said = {
        head: dataclasses.replace(one, scores=one.scores[order], truth=one.truth[order])
        for head, one in result.said.items()
    }
    return ClipResult(tuple(result.clips[at] for at in order), tuple(result.groups[at] for at in order), said)


def _check_truth(head: str, a: ClipResult, b: ClipResult) -> None:
    one, other = a.said[head], b.said[head]
    if (one.kind, one.names) != (other.kind, other.names):
        names = (f"{said.kind} ({', '.join(said.names)})" for said in (one, other))
        raise ValueError(f"the target {head!r} is not the same: in A and in B it is {' and '.join(names)}")
    same = (one.truth == other.truth) | ((one.truth != one.truth) & (other.truth != other.truth))  # NaN: not known
    same = same if same.ndim == 1 else same.all(axis=1)
    if not same.all():
        at = int(np.argmin(same))
        raise ValueError(
            f"the truth of {head!r} differs for {int((~same).sum()):,} clips, of which the first is {a.clips[at]!r}: "
            f"{one.truth[at]} in A and {other.truth[at]} in B; their labels have changed"
        )
