"""The negative sampler: never a positive, uniform over what is left, counted randomness."""

import numpy as np
import pytest
from scipy import stats

from mu_kernels import CSR, NegativeSampler

N_ITEMS = 60
# Users by how much they have seen: nothing, a little, half, all but two, all but one (in front, middle, end).
SEEN = [[], [0, 1, 59], list(range(0, 60, 2)), [i for i in range(60) if i not in (0, 59)]]
SEEN += [[i for i in range(60) if i != left] for left in (0, 31, 59)]


@pytest.fixture(scope="module")
def sampler():
    rows = np.repeat(np.arange(len(SEEN)), [len(items) for items in SEEN])
    return NegativeSampler(CSR.from_pairs(rows, np.concatenate(SEEN).astype(int), len(SEEN), N_ITEMS), N_ITEMS)


def test_draws_are_uniform_over_what_the_user_has_not_seen(sampler):
    draw = sampler.sample(np.arange(len(SEEN)), 30_000, seed=5)
    for user, seen in enumerate(SEEN):
        left = np.setdiff1d(np.arange(N_ITEMS), seen)
        counts = np.bincount(draw.ids[user], minlength=N_ITEMS)
        assert counts[seen].sum() == 0  # not one wrong negative
        if len(left) > 1:
            assert stats.chisquare(counts[left]).pvalue > 1e-3
        np.testing.assert_array_equal(draw.log_q[user], np.float32(-np.log(len(left))))


def test_columns_rows_steps_and_seeds_are_independent(sampler):
    """Pairs of draws fill the square evenly, for neighbours in each of the four counters."""
    users = np.zeros(20_000, int)
    base = sampler.sample(users, 2, seed=1, step=1).ids
    others = {
        "column": base[:, 1],
        "row": np.roll(base[:, 0], 1),
        "step": sampler.sample(users, 1, seed=1, step=2).ids[:, 0],
        "seed": sampler.sample(users, 1, seed=2, step=1).ids[:, 0],
    }
    for name, other in others.items():
        square = np.histogram2d(base[:, 0], other, bins=(20, 20), range=[(0, N_ITEMS)] * 2)[0]
        assert stats.chisquare(square.ravel()).pvalue > 1e-3, name


def test_draws_do_not_depend_on_threads_or_on_how_the_batch_is_split(sampler):
    users = np.arange(4000) % len(SEEN)
    whole = sampler.sample(users, 37, seed=3, step=9, threads=1)
    many = sampler.sample(users, 37, seed=3, step=9, threads=7)
    late = sampler.sample(users[1500:], 37, seed=3, step=9, first_row=1500)
    np.testing.assert_array_equal(whole.ids, many.ids)
    np.testing.assert_array_equal(whole.log_q, many.log_q)
    np.testing.assert_array_equal(whole.ids[1500:], late.ids)
    # More columns extend the row and leave its beginning as it was.
    np.testing.assert_array_equal(whole.ids, sampler.sample(users, 50, seed=3, step=9).ids[:, :37])


def test_draws_are_those_of_the_formula(sampler):
    """SplitMix64 with Python's integers, upper half of the product: no version may change the bytes."""
    golden, full = 0x9E3779B97F4A7C15, 2**64

    def mix(word):
        word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9 % full
        word = (word ^ (word >> 27)) * 0x94D049BB133111EB % full
        return word ^ (word >> 31)

    seed, step = -7, 12
    draw = sampler.sample([2, 0, 1], 4, seed=seed, step=step)
    key = mix(mix((seed + golden) % full) ^ ((step + 1) * golden % full))
    for row, user in enumerate([2, 0, 1]):
        left = sorted(set(range(N_ITEMS)) - set(SEEN[user]))
        stream = mix(key ^ ((row + 1) * golden % full))
        words = [mix((stream + (column + 1) * golden) % full) for column in range(4)]
        assert draw.ids[row].tolist() == [left[word * len(left) >> 64] for word in words]


def test_empty_slots_draw_nothing(sampler):
    draw = sampler.sample(np.array([-1, 1, -1], np.int64), 5)
    assert (draw.ids[[0, 2]] == 0).all() and (draw.log_q[[0, 2]] == 0).all()
    assert (draw.log_q[1] < 0).all()


def test_the_sampler_refuses_what_cannot_be_drawn():
    full = NegativeSampler(CSR([0, 1, 4], [2, 0, 1, 2], 3), 3)
    with pytest.raises(ValueError, match=r"user 1 \(users\[1\]\) has seen all 3 items"):
        full.sample([0, 1], 4)
    with pytest.raises(ValueError, match=r"users\[0\] is 5000000000; users"):
        full.sample(np.array([5_000_000_000]), 4)
    with pytest.raises(ValueError, match=r"users\[0\] is -2"):
        full.sample([-2], 4)
    with pytest.raises(ValueError, match="step is -1"):
        full.sample([0], 4, step=-1)
    with pytest.raises(ValueError, match="threads is 0"):
        full.sample([0], 4, threads=0)
    with pytest.raises(ValueError, match="seen has 3 columns and n_items is 4"):
        NegativeSampler(full.seen, 4)
