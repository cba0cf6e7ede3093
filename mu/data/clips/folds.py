"""Clips cut into train, validation and test by folds: no group (artist, speaker, recording) is in two parts."""

import dataclasses
import hashlib
import json
from typing import Annotated, Any

import numpy as np

from mu.data.clips.clips import Clips, whole_column
from mu.data.whole_numbers import integers_where_possible
from mu.ranges import AtLeast, Below, CountOrZero, Folds, PartialShare, Seed


@dataclasses.dataclass(frozen=True)
class ClipSplit:
    """Three parts of one table.

    Attributes:
      name: the rule that made it.
      train: the training part.
      valid: the validation part.
      test: the test part.
      hash: sha256 over the rule, its options and the contents of the parts.
    """

    name: str
    train: Clips
    valid: Clips
    test: Clips
    hash: str


def by_column(clips: Clips, *, column_name: str, fold: CountOrZero, group: str | None = None) -> ClipSplit:
    """Folds as a column says: its `fold`-th value (in order) is tested, the next one validates, the others train.

    Leave-one-speaker-out is this with the speakers' column.

    Args:
      clips: all of them.
      column_name: of the folds.
      fold: from 0; after the last value comes the first.
      group: a column whose values must not be in two parts; None for what the import says belongs together.
    """
    values = integers_where_possible(whole_column(clips.table, column_name))
    names = values.unique().sort().to_list()
    _check_fold(fold, len(names), f"the column {column_name!r} names")
    test, valid = names[fold], names[(fold + 1) % len(names)]
    part = np.where(values == test, 2, np.where(values == valid, 1, 0))
    return _split("by_column", {"column": column_name, "fold": fold}, clips, part, group)


def by_hash(
    clips: Clips,
    *,
    n_folds: Folds,
    fold: Annotated[int, AtLeast(0), Below("n_folds")],
    group: str | None = None,
    stratify: str | None = None,
    seed: Seed = 0,
) -> ClipSplit:
    """Folds dealt by a hash of each group's name: fold `fold` is tested, the next one validates, the others train.

    scikit-learn's `StratifiedGroupKFold` deals otherwise. This rule stays: the documented results were measured on its
    folds, and the fold of a group does not depend on the order of the table or on the version of a library.

    Args:
      clips: all of them.
      n_folds: at least 3.
      fold: from 0.
      group: column whose equal values stay together; None for what the import says belongs together.
      stratify: a column whose values are dealt one by one, so that each fold has its share of them; a group
        counts under its first clip's value.
      seed: another seed deals otherwise.
    """
    _check_fold(fold, n_folds, "n_folds says")
    group = group or clips.group
    groups = _words(clips, group)
    strata = [""] * len(groups) if stratify is None else _words(clips, stratify)
    stratum_of = dict(zip(reversed(groups), reversed(strata), strict=True))
    if len(stratum_of) < n_folds:
        raise ValueError(f"{len(stratum_of)} values of {group!r} cannot fill {n_folds} folds")
    order = sorted(stratum_of, key=lambda name: (stratum_of[name], _digest(seed, name)))
    dealt = {name: place % n_folds for place, name in enumerate(order)}
    folds = np.array([dealt[name] for name in groups])
    part = np.where(folds == fold, 2, np.where(folds == (fold + 1) % n_folds, 1, 0))
    options = {"n_folds": n_folds, "fold": fold, "group": group, "stratify": stratify, "seed": seed}
    return _split("by_hash", options, clips, part, group)


def fold_numbers(clips: Clips, *, n_folds: int, group: str | None = None, stratify: str | None = None) -> np.ndarray:
    """int64 [n]: the fold of `by_hash` that tests each clip.

    Args:
      clips: all of them.
      n_folds: at least 3.
      group: see `by_hash`.
      stratify: see `by_hash`.
    """
    numbered = dataclasses.replace(clips, table=clips.table.with_row_index("number"))
    folds = np.empty(len(clips), np.int64)
    for fold in range(n_folds):
        split = by_hash(numbered, n_folds=n_folds, fold=fold, group=group, stratify=stratify)
        folds[split.test.table["number"].to_numpy()] = fold
    return folds


def predefined(
    clips: Clips,
    *,
    column_name: str = "split",
    group: str | None = None,
    valid_share: PartialShare = 0.1,
    seed: Seed = 0,
) -> ClipSplit:
    """The parts that a column names: 'train', 'test' and perhaps 'valid'.

    Where none is named for validation, a share of the training groups is taken by a hash of their names.

    Args:
      clips: all of them.
      column_name: of the parts.
      group: a column whose values must not be in two parts; None for what the import says belongs together.
      valid_share: of the training groups, where the column names no validation part.
      seed: of the hash.
    """
    names = _words(clips, column_name)
    code = {"train": 0, "valid": 1, "test": 2}
    for row, name in enumerate(names):
        if name not in code:
            raise ValueError(
                f"clip {clips.table['clip'][row]!r} has {column_name!r}={name!r}; known: train, valid, test"
            )
    part = np.array([code[name] for name in names])
    if not (part == 1).any():
        if not 0 < valid_share < 1:
            raise ValueError(f"valid_share={valid_share}; it must lie between 0 and 1")
        groups = np.array(_words(clips, group or clips.group))
        trained = sorted(set(groups[part == 0]), key=lambda name: _digest(seed, name))
        part[np.isin(groups, trained[: max(round(valid_share * len(trained)), 1)]) & (part == 0)] = 1
    options = {"column": column_name, "valid_share": valid_share, "seed": seed}
    return _split("predefined", options, clips, part, group)


def _split(name: str, options: dict[str, Any], clips: Clips, part: np.ndarray, group: str | None) -> ClipSplit:
    counts = np.bincount(part, minlength=3)
    if not counts.all():
        raise ValueError(f"{('train', 'valid', 'test')[int(np.argmin(counts))]} has no clips under {name} {options}")
    for kept_together in dict.fromkeys(["content_hash", group or clips.group]):
        values = np.array(_words(clips, kept_together))
        seen = [set(values[part == code]) for code in range(3)]
        for one, other in ((0, 1), (0, 2), (1, 2)):
            if both := seen[one] & seen[other]:
                raise ValueError(
                    f"{kept_together} {str(min(both))!r} is in two parts ({len(both)} such): what is "
                    f"learnt would be tested{_found(kept_together, group)}"
                )
    train, valid, test = (clips.take(np.flatnonzero(part == code)) for code in range(3))
    hashed_name = "given" if name == "predefined" else name  # its name before: the hashes of results stay
    digest = hashlib.sha256(json.dumps([hashed_name, options], sort_keys=True).encode())
    for one in (train, valid, test):
        digest.update(one.hash().encode())
    return ClipSplit(name, train, valid, test, digest.hexdigest())


def _found(column: str, group: str | None) -> str:
    """What to say of a group that the import found, and that nobody asked for."""
    if group is not None or column == "content_hash":
        return ""
    said = f"the import says that clips with the same {column} belong together"
    return f" ({said}; group=content_hash keeps single recordings together)"


def _words(clips: Clips, name: str) -> list[str]:
    """A column's values, each clip having one: equal words are one group."""
    return [str(value) for value in whole_column(clips.table, name)]


def _check_fold(fold: int, n_folds: int, who: str) -> None:
    if n_folds < 3:
        raise ValueError(f"{who} {n_folds} folds; train, validation and test need at least 3")
    if not 0 <= fold < n_folds:
        raise ValueError(f"fold={fold}; {who} {n_folds} folds, counted from 0")


def _digest(seed: int, name: str) -> str:
    return hashlib.sha256(f"{seed}/{name}".encode()).hexdigest()
