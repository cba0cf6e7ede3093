"""A log cut into train, validation and test: what a run learns from, chooses by, and is judged by.

Every split is a function of the log and its options alone. Each play lands in exactly one part, parts keep
the ids, users and catalogue of the log, and `Split.hash` names the outcome, so results of different splits
are never compared by mistake. Statistics of items (popularity, neighbours) are to be taken from
`Split.train` only.
"""

import dataclasses
import datetime
import hashlib
import json
from typing import Any

import numpy as np

from mu.data.logs.interactions import Interactions
from mu_kernels.hashing import GOLDEN, mix_array

_MASK = (1 << 64) - 1


@dataclasses.dataclass(frozen=True)
class Split:
    """Three logs over the same users and catalogue.

    Attributes:
      name: the rule that made it.
      train, valid, test: the parts; `n_users` and `n_items` as in the whole log.
      hash: sha256 over the rule, its options and the contents of the parts.
      valid_from_ms, test_from_ms: where one date cuts all histories: the first moments of the parts, in unix
        milliseconds; else None.
    """

    name: str
    train: Interactions
    valid: Interactions
    test: Interactions
    hash: str
    valid_from_ms: int | None = None
    test_from_ms: int | None = None

    def __repr__(self) -> str:
        """The rule, and a line for each part."""
        lines = [f"Split({self.name}:"]
        for name in ("train", "valid", "test"):
            log = getattr(self, name)
            words = f"{len(log):,} plays by {int((log.lengths > 0).sum()):,} listeners"
            lines.append(f"  {name:5}  {', '.join(filter(None, (words, log.period)))}")
        return "\n".join(lines) + ")"


def given(log: Interactions) -> Split:
    """The parts that came with the files (`mu import --train ... --valid ... --test ...`).

    Raises:
      ValueError: the log has no `parts`.
    """
    if log.parts is None:
        raise ValueError(
            "this log came without parts; import it with --train, --valid and --test, or choose another split"
        )
    return _split("given", {}, log, np.asarray(log.parts))


def leave_one_out(log: Interactions) -> Split:
    """Each user's last play is for test, the one before for validation, the rest for training.

    Users with fewer than 3 plays are for training only.
    """
    part = np.zeros(len(log), np.uint8)
    ends = log.indptr[1:][log.lengths >= 3]
    part[ends - 1] = 2
    part[ends - 2] = 1
    return _split("leave_one_out", {}, log, part)


def random_by_ratio(log: Interactions, valid: float = 0.1, test: float = 0.1, seed: int = 0) -> Split:
    """Each user's plays at random: the shares `valid` and `test` of them, the rest for training.

    A user with m plays gives `floor(m * test)` to test and `floor(m * valid)` to validation; where that
    share is below one play, one play is given nevertheless, first to test, then to validation, as long as
    training keeps one (the rule of RecBole, so that its tables can be compared). Which plays is decided by
    sorting them by a 64-bit hash of (seed, position in the log): no generator, no state, no dependence on
    other users' options.

    Raises:
      ValueError: a share is outside [0, 1), or both leave nothing for training.
    """
    _check_shares(valid, test)
    lengths = log.lengths
    # 1e-9: .1 * 30 is 3.0000000000000004 but .1 * 3 * 10 need not be; a share of a whole is a whole.
    n_test = np.floor(lengths * test + 1e-9).astype(np.int64)
    n_valid = np.floor(lengths * valid + 1e-9).astype(np.int64)
    if test:
        n_test += (n_test == 0) & (lengths - n_test - n_valid > 1)
    if valid:
        n_valid += (n_valid == 0) & (lengths - n_test - n_valid > 1)
    key = _hash(seed, np.arange(len(log), dtype=np.uint64))
    user = np.repeat(np.arange(log.n_users), lengths)
    order = np.lexsort((key, user))  # rows stay where they are, plays within a row are shuffled
    rank = np.arange(len(log)) - np.repeat(log.indptr[:-1], lengths)
    drawn = np.zeros(len(log), np.uint8)
    drawn[rank < np.repeat(n_test + n_valid, lengths)] = 1
    drawn[rank < np.repeat(n_test, lengths)] = 2
    part = np.empty_like(drawn)
    part[order] = drawn
    return _split("random_by_ratio", {"valid": valid, "test": test, "seed": seed}, log, part)


def global_temporal(
    log: Interactions,
    valid_share: float | None = None,
    test_share: float | None = None,
    valid_from: int | str | None = None,
    test_from: int | str | None = None,
) -> Split:
    """One date for all: training strictly before validation, validation strictly before test.

    So a test is what it is in use: all plays from a day on, each listener with the history that they have by then
    (`split.train.merged(split.valid)`, empty for who comes later), among tracks of which some are new
    (`released_since`).

    Give the shares of plays (the dates are then the times of the plays at those places in time; plays at the
    very date all go to the later part, so a share is a lower bound where times tie), or the dates themselves.

    Args:
      valid_share, test_share: in (0, 1), together below 1.
      valid_from, test_from: the first moment of the part, in unix milliseconds or ISO 8601 (UTC where no
        zone is given).

    Raises:
      ValueError: the log has no times, the options do not say one cut, or a part comes out empty.
    """
    if log.card.get("time_unit") == "order":
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
            _milliseconds(valid_from, "valid_from"),
            _milliseconds(test_from, "test_from"),
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
            f"cut at {_iso(valid_start)} and {_iso(test_start)}, {name} has no plays "
            f"(train {counts[0]}, valid {counts[1]}, test {counts[2]}; the log runs from "
            f"{_iso(int(times.min(initial=0)))} to {_iso(int(times.max(initial=0)))})"
        )
    split = _split("global_temporal", options, log, part)
    latest = (int(split.train.times.max()), int(split.valid.times.max()))
    earliest = (int(split.valid.times.min()), int(split.test.times.min()))
    if not (latest[0] < earliest[0] and latest[1] < earliest[1]):
        raise AssertionError(f"parts overlap in time: they end at {latest} and the next begin at {earliest}")
    return dataclasses.replace(split, valid_from_ms=valid_start, test_from_ms=test_start)


def released_since(split: Split, released_ms: np.ndarray, part: str = "test") -> np.ndarray:
    """bool [V]: the tracks that came out in the time of `part` or later, so that nobody can have played them before.

    Args:
      split: made by `global_temporal`, of a log imported with `--catalogue=all` where tracks without plays count.
      released_ms: int64 [V], unix milliseconds (see `mu.data.logs.attributes.released_ms`); -1 is not new.
      part: 'valid' or 'test'.

    Raises:
      ValueError: the split has no dates, or the dates of release are not one a track.
    """
    if part not in ("valid", "test"):
        raise ValueError(f"part is {part!r}; it must be 'valid' or 'test'")
    start = split.valid_from_ms if part == "valid" else split.test_from_ms
    if start is None:
        raise ValueError(f"the split {split.name} cuts each history at a time of its own; take global_temporal")
    if released_ms.shape != (split.train.n_items,):
        raise ValueError(f"released_ms has shape {released_ms.shape}; the catalogue needs ({split.train.n_items},)")
    return (released_ms >= start) & (released_ms != -1)


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


def _hash(seed: int, counter: np.ndarray) -> np.ndarray:
    """uint64 [n]: SplitMix64 of the counter, seeded by the mixed seed."""
    start = np.array([seed & _MASK], np.uint64)
    return mix_array(counter * GOLDEN + mix_array(start + GOLDEN))


def _milliseconds(moment: int | str, name: str) -> int:
    if isinstance(moment, str):
        try:
            date = datetime.datetime.fromisoformat(moment)
        except ValueError:
            raise ValueError(f"{name} is {moment!r}; it must be ISO 8601 or unix milliseconds") from None
        if date.tzinfo is None:
            date = date.replace(tzinfo=datetime.UTC)
        epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
        return (date - epoch) // datetime.timedelta(milliseconds=1)
    return int(moment)


def _iso(milliseconds: int) -> str:
    """The moment as text; the bare number where no calendar reaches."""
    try:
        return str(np.datetime64(milliseconds, "ms")) + "Z"
    except (OverflowError, ValueError):
        return str(milliseconds)
