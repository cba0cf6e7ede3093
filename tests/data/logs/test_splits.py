"""Splits: every play in exactly one part, time never leaks, equal splits have equal hashes."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mu.data.logs.interactions import Interactions
from mu.data.logs.splits import Split, global_temporal, leave_one_out, predefined, random_by_ratio, released_since


def make_log(lengths, seed=0, span=50, unit="ms"):
    """Histories of these lengths with times that tie; `weights` number the plays."""
    generator = np.random.default_rng(seed)
    indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    n = int(indptr[-1])
    times = np.concatenate([np.sort(generator.integers(0, span, m)) for m in lengths] or [[]]).astype(np.int64)
    items = generator.integers(0, 9, n).astype(np.int32)
    parts = generator.integers(0, 3, n).astype(np.uint8)
    weights = np.arange(n, dtype=np.float32)
    return Interactions(indptr, items, times, weights, 9, parts, card={"time_unit": unit})


RULES = {
    "predefined": predefined,
    "leave_one_out": leave_one_out,
    "random_by_ratio": lambda log: random_by_ratio(log, 0.2, 0.3, seed=5),
    "global_temporal": lambda log: global_temporal(log, valid_share=0.2, test_share=0.2),
}
lengths = st.lists(st.integers(0, 12), min_size=1, max_size=12)


@pytest.mark.parametrize("name", RULES)
@settings(max_examples=40, deadline=None)
@given(lengths, st.integers(0, 99))
def test_parts_partition_the_log(name, lengths, seed):
    log = make_log(lengths, seed)
    try:
        split = RULES[name](log)
    except ValueError:
        assert name == "global_temporal"
        return
    assert isinstance(split, Split) and split.name == name
    parts = []
    for part in (split.train, split.valid, split.test):
        assert part.n_users == log.n_users and part.n_items == log.n_items and part.parts is None
        plays = part.weights.astype(int)
        user = np.repeat(np.arange(part.n_users), part.lengths)
        assert np.array_equal(user, np.repeat(np.arange(log.n_users), log.lengths)[plays])
        assert np.array_equal(part.items, log.items[plays]) and np.array_equal(part.times, log.times[plays])
        assert np.all(np.diff(plays) > 0)  # so order within a history stays
        parts.append(plays)
    assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(len(log)))


def test_leave_one_out_by_hand():
    split = leave_one_out(make_log([4, 2, 0, 3, 1]))
    assert split.train.weights.tolist() == [0, 1, 4, 5, 6, 9]
    assert split.valid.weights.tolist() == [2, 7] and split.test.weights.tolist() == [3, 8]


def test_given_by_hand():
    log = dataclasses.replace(make_log([3, 1]), parts=np.array([0, 2, 1, 2], np.uint8))
    split = predefined(log)
    assert [part.weights.tolist() for part in (split.train, split.valid, split.test)] == [[0], [2], [1, 3]]
    with pytest.raises(ValueError, match="import it with --train"):
        predefined(dataclasses.replace(log, parts=None))


def test_a_published_split_gets_a_validation_part_of_its_training_part():
    log = make_log([5, 1, 40, 0, 3])
    log = dataclasses.replace(log, parts=np.where(log.parts == 1, 0, log.parts).astype(np.uint8))
    plain, split = predefined(log), predefined(log, valid_share=0.25, seed=3)
    assert split.test.weights.tolist() == plain.test.weights.tolist()
    both = np.concatenate([split.train.weights, split.valid.weights])
    assert np.sort(both).tolist() == plain.train.weights.tolist()
    # The rule of random_by_ratio on the training part: its user, its count, the same plays.
    alone = random_by_ratio(plain.train, valid=0.25, test=0.0, seed=3)
    assert split.valid.weights.tolist() == alone.valid.weights.tolist() and len(split.valid)
    assert split.hash not in (plain.hash, predefined(log, valid_share=0.25, seed=4).hash)
    with pytest.raises(ValueError, match=r"valid_share=0\.25 takes .* imported with 1 of its own"):
        predefined(dataclasses.replace(log, parts=np.eye(1, len(log), dtype=np.uint8)[0]), valid_share=0.25)


def test_random_counts_and_independence_of_other_users():
    sizes = [0, 1, 2, 3, 5, 10, 30, 104]
    split = random_by_ratio(make_log(sizes), 0.1, 0.1, seed=1)
    assert split.test.lengths.tolist() == [0, 0, 1, 1, 1, 1, 3, 10]
    assert split.valid.lengths.tolist() == [0, 0, 0, 1, 1, 1, 3, 10]
    longer = random_by_ratio(make_log([*sizes, 7]), 0.1, 0.1, seed=1)
    assert split.test.weights.tolist() == longer.test.weights[: len(split.test)].tolist()
    with pytest.raises(ValueError, match="leave nothing"):
        random_by_ratio(make_log([3]), 0.5, 0.5)
    with pytest.raises(ValueError, match=r"share of test is 1.5; it must lie in \[0, 1\)"):
        random_by_ratio(make_log([3]), 0.1, 1.5)


def test_random_is_uniform_over_positions():
    """Each of 10 positions is drawn for test once in 10; 20,000 users: five standard errors are .0106."""
    split = random_by_ratio(make_log([10] * 20_000), 0.1, 0.1, seed=2)
    assert np.array_equal(np.unique(split.test.lengths), [1])
    # weights are float32, exact up to 2**24
    share = np.bincount(split.test.weights.astype(int) % 10, minlength=10) / 20_000
    assert np.abs(share - 0.1).max() < 0.0106


@settings(max_examples=60, deadline=None)
@given(lengths, st.integers(0, 99), st.integers(2, 60))
def test_temporal_parts_do_not_touch(lengths, seed, span):
    log = make_log(lengths, seed, span)
    try:
        split = global_temporal(log, valid_share=0.15, test_share=0.25)
    except ValueError as error:
        assert "no plays" in str(error) or "too few" in str(error)
        return
    assert split.train.times.max() < split.valid.times.min()
    assert split.valid.times.max() < split.test.times.min()
    assert len(split.test) >= 0.25 * len(log) - 0.5


def test_temporal_by_date_and_ties():
    log = make_log([4, 4])
    log = dataclasses.replace(log, times=np.array([0, 1000, 1000, 3000, 0, 2000, 2000, 5000]))
    split = global_temporal(log, valid_from="1970-01-01T00:00:01", test_from="1970-01-01T01:00:02+01:00")
    assert split.train.weights.tolist() == [0, 4] and split.valid.weights.tolist() == [1, 2]
    assert split.test.weights.tolist() == [3, 5, 6, 7]
    assert split.hash == global_temporal(log, valid_from=1000, test_from=2000).hash
    by_share = global_temporal(log, valid_share=1 / 8, test_share=3 / 8)  # the tie at 2000 goes to test whole
    assert [len(part) for part in (by_share.train, by_share.valid, by_share.test)] == [2, 2, 4]
    with pytest.raises(ValueError, match="test has no plays"):
        global_temporal(log, valid_from=1000, test_from=9000)
    with pytest.raises(ValueError, match="give valid_share and test_share, or"):
        global_temporal(log, valid_share=0.1)
    with pytest.raises(ValueError, match=r"valid_from is 'May'; it must be ISO 8601"):
        global_temporal(log, valid_from="May", test_from="June")
    with pytest.raises(ValueError, match="has no times, only an order"):
        global_temporal(make_log([5], unit="order"), valid_share=0.2, test_share=0.2)


@settings(max_examples=40, deadline=None)
@given(lengths, st.integers(0, 99))
def test_a_temporal_test_is_all_plays_from_a_day_on_after_all_before(lengths, seed):
    log = make_log(lengths, seed)
    try:
        split = global_temporal(log, valid_share=0.2, test_share=0.2)
    except ValueError:
        return
    assert split.valid_from_ms is not None and split.test_from_ms is not None
    later = log.times >= split.test_from_ms
    assert split.test.weights.tolist() == log.weights[later].tolist()
    before = split.train.merged(split.valid)
    assert before.weights.tolist() == log.weights[~later].tolist()
    assert before.indptr.tolist() == log.where(~later).indptr.tolist()
    assert split.valid.weights.tolist() == log.weights[(log.times >= split.valid_from_ms) & ~later].tolist()
    by_dates = global_temporal(log, valid_from=split.valid_from_ms, test_from=split.test_from_ms)
    assert by_dates.test.hash() == split.test.hash()


def test_tracks_released_since_by_hand():
    log = make_log([4, 4])
    log = dataclasses.replace(log, times=np.array([0, 1000, 1000, 3000, 0, 2000, 2000, 5000]))
    split = global_temporal(log, valid_from=1000, test_from=2000)
    released = np.array([0, 999, 1000, 1999, 2000, 9000, -1, -5, 2001])
    assert released_since(split, released, "valid").tolist() == [0, 0, 1, 1, 1, 1, 0, 0, 1]
    assert np.flatnonzero(released_since(split, released)).tolist() == [4, 5, 8]
    with pytest.raises(ValueError, match="the rule leave_one_out splits each history at a time of its own"):
        released_since(leave_one_out(log), released)
    with pytest.raises(ValueError, match=r"released_ms has shape \(8,\); the catalogue needs \(9,\)"):
        released_since(split, released[1:])
    with pytest.raises(ValueError, match="part is 'train'; it must be 'valid' or 'test'"):
        released_since(split, released, "train")


def test_tracks_without_a_date_are_never_new():
    log = dataclasses.replace(make_log([3]), times=np.array([-9000, -8000, -7000]))
    split = global_temporal(log, valid_from=-8000, test_from=-7000)
    assert not released_since(split, np.full(9, -1)).any()


def test_hashes_name_the_outcome():
    log = make_log([6, 7, 8])
    hashes = [rule(log).hash for rule in RULES.values()]
    hashes += [random_by_ratio(log, 0.2, 0.3, seed=6).hash, random_by_ratio(log, 0.3, 0.2, seed=5).hash]
    other = dataclasses.replace(log, items=log.items[::-1].copy())
    hashes.append(leave_one_out(other).hash)
    assert len(set(hashes)) == len(hashes)
    assert [rule(make_log([6, 7, 8])).hash for rule in RULES.values()] == hashes[: len(RULES)]


def test_random_split_is_pinned():
    """A change of the draw would silently change every result made with it."""
    split = random_by_ratio(make_log([10, 10]), 0.1, 0.2, seed=0)
    assert split.test.weights.tolist() == [6, 8, 12, 13]
    assert split.valid.weights.tolist() == [0, 16]


def test_its_repr_has_a_line_for_each_part():
    split = leave_one_out(make_log([4, 2, 0, 3]))
    head, *lines = repr(split).splitlines()
    assert head == "Split(leave_one_out:" and lines[-1].endswith(")")
    assert [line.split(",")[0].strip(")") for line in lines] == [
        "  train  5 plays by 3 listeners",
        "  valid  2 plays by 2 listeners",
        "  test   2 plays by 2 listeners",
    ]


def test_the_validation_part_is_cut_to_whole_listeners():
    split = random_by_ratio(make_log([5] * 40), 0.4, 0.2)
    fewer, lengths = split.with_fewer_valid(10, seed=0), split.valid.lengths
    there = np.flatnonzero(fewer.valid.lengths)
    assert len(there) == 10 and fewer.train is split.train and fewer.test is split.test
    assert (fewer.valid.lengths[there] == lengths[there]).all()
    assert all(fewer.valid.row(user).tolist() == split.valid.row(user).tolist() for user in there)
    assert split.with_fewer_valid(10, seed=0).valid.hash() == fewer.valid.hash()
    assert split.with_fewer_valid(10, seed=1).valid.hash() != fewer.valid.hash()
    assert split.with_fewer_valid(1000, seed=0) is split
