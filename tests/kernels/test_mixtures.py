"""Mixtures of negatives: the closed form of the whole, whatever is empty for whom; counted randomness."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mu_kernels import CSR, NegativeMixture, NegativeSampler
from tests.helpers import naive
from tests.helpers.jit import JIT_OFF

N_ITEMS = 40
RANDOM = np.random.default_rng(0)
# A listener of little, of much, of all but one, and of all but what is in the batch.
SEEN = [[1, 5], list(range(0, 40, 2)), [i for i in range(40) if i != 11], [i for i in range(40) if i not in (3, 9)]]
SKIPS = [[2, 5, 30], [], [11, 12], [0, 1]]  # some heard all the same: those are taken out
BATCH = np.array([3, 3, 3, 9, 1, 1, 20, 21, 39, 0])
WEIGHTS = RANDOM.random(N_ITEMS) * (RANDOM.random(N_ITEMS) < 0.8)
GROUPS = RANDOM.integers(-1, 25, N_ITEMS)
AVAILABLE_FROM = RANDOM.integers(0, 10, N_ITEMS)
SHARES = {"uniform": 0.3, "weighted": 0.2, "in_batch": 0.4, "listed": 0.1}
FEWER = 50 if JIT_OFF else 1


def csr(rows, n_items=N_ITEMS):
    row = np.repeat(np.arange(len(rows)), [len(items) for items in rows])
    return CSR.from_pairs(row, np.concatenate([*rows, []]).astype(int), len(rows), n_items)


def mixture(shares, **options):
    """With the tables that the shares ask for."""
    if shares.get("weighted"):
        options["weights"] = WEIGHTS
    if shares.get("listed"):
        options["listed"] = csr(SKIPS)
    return NegativeMixture(csr(SEEN), N_ITEMS, shares, **options)


def closed_form(shares, user, batch, time=None, **options):
    def q(weights):
        return naive.negative_probabilities(N_ITEMS, SEEN[user], weights, time=time, **options)

    listed = np.bincount(np.array(SKIPS[user], int), minlength=N_ITEMS)
    components = [q(None), q(WEIGHTS), q(np.bincount(batch, minlength=N_ITEMS)), q(listed)]
    return naive.mixture_probabilities([shares.get(name, 0) for name in SHARES], components)


@pytest.mark.parametrize(
    "shares",
    [
        {"uniform": 1.0},
        {"uniform": 0.5, "weighted": 0.5},
        {"in_batch": 0.7, "listed": 0.3},
        {"weighted": 0.25, "in_batch": 0.75, "listed": 0.0},
        SHARES,
    ],
    ids=lambda shares: "+".join(shares),
)
@pytest.mark.parametrize("more", ["plain", "groups", "available", "both"])
def test_the_mixture_has_the_closed_form(shares, more):
    options = {} if more in ("plain", "available") else {"groups": GROUPS}
    options |= {} if more in ("plain", "groups") else {"available_from": AVAILABLE_FROM}
    users, n = np.arange(len(SEEN)), 40_000 // FEWER
    batch = {"batch_items": BATCH} if shares.get("in_batch") else {}
    for time in (2, 9) if "available_from" in options else (None,):
        times = {} if time is None else {"times": np.full(len(users), time)}
        draw = mixture(shares, **options).sample(users, n, seed=4, when_empty="count", **batch, **times)
        for user in users:
            q = closed_form(shares, user, BATCH, time, **options)
            assert draw.count[user] == (n if q.any() else 0)
            if not q.any():
                assert not draw.ids[user].any() and not draw.log_q[user].any()
                continue
            ids = draw.ids[user]
            np.testing.assert_allclose(draw.log_q[user], np.log(q[ids]), rtol=0, atol=1e-6)
            counts = np.bincount(ids, minlength=N_ITEMS)
            assert counts[q == 0].sum() == 0
            if (q > 0).sum() > 1:
                # The rare in one cell, as the chi-square distribution asks.
                rare = q * n < 5
                observed = np.append(counts[~rare], counts[rare].sum())
                expected = np.append(q[~rare], q[rare].sum()) * n
                assert stats.chisquare(observed[expected > 0], expected[expected > 0]).pvalue > 1e-4


@settings(deadline=None, max_examples=60 // FEWER + 1)
@given(
    st.lists(st.integers(0, N_ITEMS - 1), max_size=60),
    st.lists(st.integers(-1, len(SEEN) - 1), max_size=5),
    st.lists(st.sampled_from([0, 1, 3]), min_size=4, max_size=4).filter(lambda parts: sum(parts[:3]) > 0),
    st.integers(0, 2**64 - 1),
)
def test_any_batch_is_drawn_from_what_is_left(batch, users, parts, seed):
    shares = {name: part / sum(parts) for name, part in zip(SHARES, parts, strict=True)}
    given_batch = {"batch_items": batch} if shares["in_batch"] else {}
    draw = mixture(shares).sample(users, 7, seed=seed, when_empty="count", **given_batch)
    for row, user in enumerate(users):
        q = closed_form(shares, user, np.array(batch, int)) if user >= 0 else np.zeros(1)
        assert draw.count[row] == (7 if q.any() else 0)
        if q.any():
            np.testing.assert_allclose(draw.log_q[row], np.log(q[draw.ids[row]]), rtol=0, atol=1e-6)


def test_draws_do_not_depend_on_threads_or_on_how_the_batch_is_split():
    sampler = mixture(SHARES, available_from=AVAILABLE_FROM)
    users = np.arange(2000 // FEWER) % len(SEEN)
    times = np.arange(len(users)) % 6 + 5
    cut = len(users) // 3
    where = {"batch_items": BATCH, "seed": 3, "step": 9, "when_empty": "count"}
    whole = sampler.sample(users, 37, times=times, threads=1, **where)
    many = sampler.sample(users, 37, times=times, threads=7, **where)
    late = sampler.sample(users[cut:], 37, times=times[cut:], first_row=cut, **where)
    wider = sampler.sample(users, 1100 // FEWER + 37, times=times, **where)
    for array in ("ids", "log_q"):
        expected = getattr(whole, array)
        np.testing.assert_array_equal(expected, getattr(many, array))
        np.testing.assert_array_equal(expected[cut:], getattr(late, array))
        np.testing.assert_array_equal(expected, getattr(wider, array)[:, :37])
    assert (whole.ids != sampler.sample(users, 37, times=times, **(where | {"step": 10})).ids).any()


def test_draws_are_those_of_the_formula():
    """A seed of its own for each component and for the choice; a component's draws are dealt out in its order."""
    shares = {"uniform": 0.25, "in_batch": 0.5, "listed": 0.25}
    seed, step, n = 11, 2, 60
    draw = mixture(shares).sample([1, 0], n, batch_items=BATCH, seed=seed, step=step)
    seeds = [(seed + number * 0xD1342543DE82EF95) % 2**64 for number in range(1, 6)]
    for row, user in enumerate([1, 0]):
        allowed = [i for i in range(N_ITEMS) if i not in SEEN[user]]
        in_batch = sorted(int(item) for item in BATCH if item in allowed)
        sources = [allowed, [], in_batch, [item for item in SKIPS[user] if item in allowed]]
        parts = [0.25, 0, 0.5, 0.25 if sources[3] else 0]
        up_to, dealt, expected = np.cumsum(parts) / sum(parts), [0] * 4, []
        for column in range(n):
            number = (next(naive.random_words(seeds[4], step, row, column)) >> 11) * 2.0**-53
            c = int((up_to <= number).sum())
            word = next(naive.random_words(seeds[c], step, row, dealt[c]))
            expected.append(sources[c][word * len(sources[c]) >> 64])
            dealt[c] += 1
        assert draw.ids[row].tolist() == expected


def test_uniform_alone_is_the_sampler_but_for_its_seed():
    alone = NegativeMixture(csr(SEEN), N_ITEMS, {"uniform": 1.0}).sample([0, 1, -1], 9, seed=5)
    plain = NegativeSampler(csr(SEEN), N_ITEMS).sample([0, 1, -1], 9, seed=5 + 0xD1342543DE82EF95)
    np.testing.assert_array_equal(alone.ids, plain.ids)
    np.testing.assert_array_equal(alone.log_q, plain.log_q)
    assert alone.count.tolist() == plain.count.tolist() == [9, 9, 0]


def test_the_mixture_refuses_what_makes_no_sense():
    seen, lists = csr(SEEN), csr(SKIPS)
    for call, message in (
        (lambda: NegativeMixture(seen, N_ITEMS, {"popular": 1.0}), "no component 'popular'; known: uniform, weighted"),
        (lambda: NegativeMixture(seen, N_ITEMS, {"uniform": 0.5}), "shares add up to 0.5"),
        (lambda: NegativeMixture(seen, N_ITEMS, {"uniform": 1.5, "in_batch": -0.5}), r"shares\['in_batch'\] is -0.5"),
        (lambda: NegativeMixture(seen, N_ITEMS, {"uniform": np.nan}), r"shares\['uniform'\] is nan"),
        (lambda: NegativeMixture(seen, N_ITEMS, {"weighted": 1.0}), "weights is missing"),
        (lambda: NegativeMixture(seen, N_ITEMS, {"uniform": 1.0}, weights=WEIGHTS), "weights is given but its share"),
        (lambda: NegativeMixture(seen, N_ITEMS, {"uniform": 1.0}, listed=lists), "listed is given but its share is 0"),
        (lambda: mixture({"in_batch": 1.0}).sample([0], 3), "batch_items is missing"),
        (lambda: mixture({"uniform": 1.0}).sample([0], 3, batch_items=[1]), "batch_items is given but its share is 0"),
        (lambda: mixture({"in_batch": 1.0}).sample([0], 3, batch_items=[1, 40]), r"batch_items\[1\] is 40"),
        (lambda: mixture({"in_batch": 1.0}).sample([1, 2], 3, batch_items=[5]), r"user 2 \(users\[1\]\) has nothing"),
        (lambda: mixture({"listed": 1.0}).sample([0, 1], 3), r"user 1 \(users\[1\]\) has nothing left to draw"),
        (
            lambda: NegativeMixture(seen, N_ITEMS, {"listed": 1.0}, listed=csr(SKIPS[:2])),
            "listed has 2 rows and 40 columns, seen 4 and 40",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            call()
