"""Splits of a log into train, validation and test.

A split is a function of the log and its options alone. Each play is in exactly one part; parts keep the ids, users and
catalogue of the log. `Split.hash` identifies the result, so that results of different splits are never compared by
mistake. Statistics of items (popularity, neighbours) come from `Split.train` only.
"""

import dataclasses
import hashlib
import json
from typing import Annotated, Any, Self

import numpy as np

from mu.data.logs.attributes import UNKNOWN_RELEASE
from mu.data.logs.interactions import Interactions
from mu.data.logs.moments import parse_moment, show_moment
from mu.ranges import LeavesSome, PartialShare, Rate, Seed
from mu_kernels.hashing import GOLDEN, mix_array

_MASK = (1 << 64) - 1


@dataclasses.dataclass(frozen=True)
class Split:
    """Three logs over the same users and catalogue.

    Attributes:
      name: of the rule that made it.
      train: the training part; its `n_users` and `n_items` are those of the whole log.
      valid: the validation part.
      test: the test part.
      hash: sha256 over the rule, its options and the contents of the parts.
      valid_from_ms: the first moment of the validation part, in unix milliseconds, if one date splits all histories;
        else None.
      test_from_ms: the same of the test part.
    """

    name: str
    train: Interactions
    valid: Interactions
    test: Interactions
    hash: str
    valid_from_ms: int | None = None
    test_from_ms: int | None = None

    def __repr__(self) -> str:
        """The rule, and the counts and period of each part."""
        lines = [f"Split({self.name}:"]
        for name in ("train", "valid", "test"):
            log = getattr(self, name)
            words = f"{len(log):,} plays by {int((log.lengths > 0).sum()):,} listeners"
            lines.append(f"  {name:5}  {', '.join(filter(None, (words, log.period)))}")
        return "\n".join(lines) + ")"

    def with_fewer_valid(self, most: int, seed: int) -> Self:
        """This split with at most `most` random listeners in the validation part, each with all plays."""
        listeners = np.flatnonzero(self.valid.lengths)
        if len(listeners) <= most:
            return self
        chosen = np.zeros(self.valid.n_users, bool)
        chosen[np.random.default_rng(seed).choice(listeners, most, replace=False)] = True
        return dataclasses.replace(self, valid=self.valid.where(np.repeat(chosen, self.valid.lengths)))


def predefined(log: Interactions, valid_share: Rate = 0.0, seed: Seed = 0) -> Split:
    """The parts that the log was imported with (`mu import --train ... --valid ... --test ...`); one may be empty.

    Published splits without a validation part get one by `valid_share`; with config.refit='chosen' the whole published
    training part is learnt in the end, for as long as that validation part chose.

    Args:
      log: the log.
      valid_share: share of the training plays of each user that is validation, drawn as by `random_by_ratio`.
      seed: of that choice.

    Raises:
      ValueError: the log has no `parts`, or it has a validation part and `valid_share` asks for another.
    """
    if log.parts is None:
        raise ValueError("this log has no parts; import it with --train, --valid and --test, or choose another split")
    part = np.asarray(log.parts)
    if not valid_share:
        return _split("predefined", {}, log, part)
    if (part == 1).any():
        raise ValueError(
            f"split.valid_share={valid_share} takes validation plays from training, and the log was imported with "
            f"{(part == 1).sum():,} of its own: leave it out"
        )
    train = np.flatnonzero(part == 0)
    user = np.repeat(np.arange(log.n_users), log.lengths)[train]
    part = part.copy()
    part[train] = _random_parts(np.bincount(user, minlength=log.n_users), valid_share, 0.0, seed)
    return _split("predefined", {"valid_share": valid_share, "seed": seed}, log, part)


def leave_one_out(log: Interactions) -> Split:
    """The last play of each user for test, the one before for validation, the others for training.

    Users with fewer than 3 plays are for training only.
    """
    part = np.zeros(len(log), np.uint8)
    ends = log.indptr[1:][log.lengths >= 3]
    part[ends - 1] = 2
    part[ends - 2] = 1
    return _split("leave_one_out", {}, log, part)


def random_by_ratio(
    log: Interactions, valid: Rate = 0.1, test: Annotated[Rate, LeavesSome("valid")] = 0.1, seed: Seed = 0
) -> Split:
    """Random shares of the plays of each user for validation and test, the others for training.

    A user with m plays has `floor(m * test)` plays in test and `floor(m * valid)` in validation. If a share is below
    one play, it still gets one, first test, then validation, as long as training keeps one (the rule of RecBole, so
    that its tables can be compared). The plays are those with the smallest 64-bit hash of (seed, position in the log):
    no generator, no state, no dependence on other users.

    Args:
      log: the log.
      valid: share for validation.
      test: share for test.
      seed: of the hash.

    Raises:
      ValueError: a share is outside [0, 1), or both leave nothing for training.
    """
    _check_shares(valid, test)
    part = _random_parts(log.lengths, valid, test, seed)
    return _split("random_by_ratio", {"valid": valid, "test": test, "seed": seed}, log, part)


def global_temporal(
    log: Interactions,
    valid_share: PartialShare | None = None,
    test_share: Annotated[PartialShare | None, LeavesSome("valid_share")] = None,
    valid_from: int | str | None = None,
    test_from: int | str | None = None,
) -> Split:
    """One date splits all histories: training is before validation, validation before test.

    A test part is like a system in use: all plays from one day on, each user with their history so far
    (`split.train.merged(split.valid)`, empty for later users), and tracks of which some are new (`released_since`).

    Give the shares of plays, or the dates. With shares, the dates are the times of the plays at these places in the
    order of time; plays at exactly that time go to the later part, so a part may be larger than its share.

    Args:
      log: a log with times.
      valid_share: in (0, 1), together with `test_share` below 1.
      test_share: in (0, 1).
      valid_from: first moment of validation, in unix milliseconds or ISO 8601 (UTC where no zone is given).
      test_from: first moment of test.

    Raises:
      ValueError: the log has no times, the options are neither two shares nor two dates, or a part is empty.
    """
    if not log.has_times:
        raise ValueError("this log has no times, only an order; a temporal split needs times (see leave_one_out)")
    times = np.asarray(log.times)
    shares, dates = (valid_share, test_share), (valid_from, test_from)
    if valid_share is not None and test_share is not None and dates == (None, None):
        _check_shares(valid_share, test_share, above=True)
        ordered = np.sort(times)
        n_test = max(round(len(times) * test_share), 1)
        n_valid = max(round(len(times) * valid_share), 1)
        if n_test + n_valid >= len(times):
            raise ValueError(f"{len(times)} plays are too few for shares of {valid_share} and {test_share}")
        test_start = int(ordered[-n_test])
        before = ordered[: np.searchsorted(ordered, test_start)]
        valid_start = int(before[-n_valid]) if n_valid <= len(before) else test_start
        options: dict[str, Any] = {"valid_share": valid_share, "test_share": test_share}
    elif valid_from is not None and test_from is not None and shares == (None, None):
        valid_start, test_start = (
            parse_moment(valid_from, "valid_from"),
            parse_moment(test_from, "test_from"),
        )
        options = {"valid_from": valid_start, "test_from": test_start}
    else:
        raise ValueError("give valid_share and test_share, or valid_from and test_from")
    part = (times >= valid_start).astype(np.uint8)
    part[times >= test_start] = 2
    counts = np.bincount(part, minlength=3)
    if not counts.all():
        name = ("train", "valid", "test")[int(np.argmin(counts))]
        raise ValueError(
            f"split at {show_moment(valid_start)} and {show_moment(test_start)}, {name} has no plays "
            f"(train {counts[0]}, valid {counts[1]}, test {counts[2]}; the log runs from "
            f"{show_moment(int(times.min(initial=0)))} to {show_moment(int(times.max(initial=0)))})"
        )
    split = _split("global_temporal", options, log, part)
    latest = (int(split.train.times.max()), int(split.valid.times.max()))
    earliest = (int(split.valid.times.min()), int(split.test.times.min()))
    if not (latest[0] < earliest[0] and latest[1] < earliest[1]):
        raise AssertionError(f"parts overlap in time: they end at {latest} and the next begin at {earliest}")
    return dataclasses.replace(split, valid_from_ms=valid_start, test_from_ms=test_start)


def released_since(split: Split, released_ms: np.ndarray, part: str = "test") -> np.ndarray:
    """bool [V]: the tracks released during `part` or later, which have no earlier plays.

    Args:
      split: by `global_temporal`; of a log imported with `--catalogue=all` if tracks without plays count.
      released_ms: int64 [V], unix milliseconds (see `mu.data.logs.attributes.released_ms`); -1, unknown, is not new.
      part: 'valid' or 'test'.

    Raises:
      ValueError: the split has no dates, or there is not one release date a track.
    """
    if part not in ("valid", "test"):
        raise ValueError(f"part is {part!r}; it must be 'valid' or 'test'")
    start = split.valid_from_ms if part == "valid" else split.test_from_ms
    if start is None:
        raise ValueError(f"the rule {split.name} splits each history at a time of its own; use global_temporal")
    if released_ms.shape != (split.train.n_items,):
        raise ValueError(f"released_ms has shape {released_ms.shape}; the catalogue needs ({split.train.n_items},)")
    return (released_ms >= start) & (released_ms != UNKNOWN_RELEASE)


def _split(name: str, options: dict[str, Any], log: Interactions, part: np.ndarray) -> Split:
    train, valid, test = (dataclasses.replace(log.where(part == code), parts=None) for code in range(3))
    digest = hashlib.sha256(json.dumps([name, options], sort_keys=True).encode())
    for log_part in (train, valid, test):
        digest.update(log_part.hash().encode())
    return Split(name, train, valid, test, digest.hexdigest())


def _check_shares(valid: float, test: float, above: bool = False) -> None:
    for name, share in (("valid", valid), ("test", test)):
        if not (0 < share < 1 if above else 0 <= share < 1):
            raise ValueError(f"the share of {name} is {share}; it must lie in {'(' if above else '['}0, 1)")
    if valid + test >= 1:
        raise ValueError(f"shares of {valid} and {test} leave nothing for training")


def _random_parts(lengths: np.ndarray, valid: float, test: float, seed: int) -> np.ndarray:
    """uint8 [sum of lengths]: 0 train, 1 validation, 2 test of users with so many plays, see `random_by_ratio`."""
    # 1e-9: a product such as .29 * 100 = 28.999999999999996 stands for a whole number.
    n_test = np.floor(lengths * test + 1e-9).astype(np.int64)
    n_valid = np.floor(lengths * valid + 1e-9).astype(np.int64)
    if test:
        n_test += (n_test == 0) & (lengths - n_test - n_valid > 1)
    if valid:
        n_valid += (n_valid == 0) & (lengths - n_test - n_valid > 1)
    starts = np.cumsum(lengths) - lengths
    key = _hash(seed, np.arange(lengths.sum(), dtype=np.uint64))
    user = np.repeat(np.arange(len(lengths)), lengths)
    order = np.lexsort((key, user))  # rows keep their places, the plays of a row are shuffled
    rank = np.arange(len(user)) - np.repeat(starts, lengths)
    shuffled = np.zeros(len(user), np.uint8)
    shuffled[rank < np.repeat(n_test + n_valid, lengths)] = 1
    shuffled[rank < np.repeat(n_test, lengths)] = 2
    part = np.empty_like(shuffled)
    part[order] = shuffled
    return part


def _hash(seed: int, counter: np.ndarray) -> np.ndarray:
    """uint64 [n]: SplitMix64 of the counter, seeded by the mixed seed."""
    start = np.array([seed & _MASK], np.uint64)
    return mix_array(counter * GOLDEN + mix_array(start + GOLDEN))
