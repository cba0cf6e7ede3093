"""The negative sampler: never an excluded item, the closed form in every mode, counted randomness."""

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mu_kernels import CSR, NegativeSampler
from tests.helpers import naive
from tests.helpers.jit import JIT_OFF

N_ITEMS = 60
# Users by how much they have seen: nothing, a little, half, all but two, all but one (in front, middle, end).
SEEN = [[], [0, 1, 59], list(range(0, 60, 2)), [i for i in range(60) if i not in (0, 59)]]
SEEN += [[i for i in range(60) if i != left] for left in (0, 31, 59)]
RANDOM = np.random.default_rng(0)
WEIGHTS = RANDOM.permutation((1.0 + np.arange(N_ITEMS)) ** -0.75)
WEIGHTS[[7, 12]] = 0
# Works of one to four recordings, some recordings of no work.
GROUPS = np.where(RANDOM.random(N_ITEMS) < 0.3, -1, RANDOM.integers(0, 2**40, 30)[RANDOM.integers(0, 30, N_ITEMS)])
AVAILABLE_FROM = RANDOM.integers(-5, 5, N_ITEMS)
MODES = {
    "uniform": {},
    "weighted": {"weights": WEIGHTS},
    "counts": {"weights": np.arange(N_ITEMS) % 7},
    "groups": {"groups": GROUPS},
    "weighted groups": {"groups": GROUPS, "weights": WEIGHTS},
    "available": {"available_from": AVAILABLE_FROM},
    "weighted available": {"available_from": AVAILABLE_FROM, "weights": WEIGHTS},
    "everything": {"available_from": AVAILABLE_FROM, "weights": WEIGHTS, "groups": GROUPS},
}
# The suite also runs with the JIT off, where a draw takes a hundred microseconds.
FEWER = 50 if JIT_OFF else 1


def csr(rows, n_items):
    row = np.repeat(np.arange(len(rows)), [len(items) for items in rows])
    return CSR.from_pairs(row, np.concatenate([*rows, []]).astype(int), len(rows), n_items)


def time_of(mode, time):
    return {"times": time} if "available_from" in MODES[mode] else {}


def check_against(probabilities, ids, log_q):
    """Frequencies by chi-square, log-probabilities to 1e-6, nothing that has probability 0."""
    counts = np.bincount(ids, minlength=len(probabilities))
    assert counts[probabilities == 0].sum() == 0
    possible = probabilities > 0
    if possible.sum() > 1:
        expected = probabilities[possible] * len(ids)
        few = expected < 5  # together in one cell, as the chi-square distribution asks
        observed = np.append(counts[possible][~few], counts[possible][few].sum())
        expected = np.append(expected[~few], expected[few].sum())
        assert stats.chisquare(observed[expected > 0], expected[expected > 0]).pvalue > 1e-4
    np.testing.assert_allclose(log_q, np.log(probabilities[ids]), rtol=0, atol=1e-6)


@pytest.fixture(scope="module")
def sampler():
    return NegativeSampler(csr(SEEN, N_ITEMS), N_ITEMS)


@pytest.mark.parametrize("mode", MODES)
def test_draws_have_the_closed_form(mode):
    sampler = NegativeSampler(csr(SEEN, N_ITEMS), N_ITEMS, **MODES[mode])
    users, n, some = np.arange(len(SEEN)), 40_000 // FEWER, 0
    for time in (-9, -3, 0, 4):
        times = time_of(mode, np.full(len(users), time))
        draw = sampler.sample(users, n, seed=5, when_empty="count", **times)
        for user, seen in enumerate(SEEN):
            q = naive.negative_probabilities(N_ITEMS, seen, time=time, **MODES[mode])
            assert draw.count[user] == (n if q.any() else 0)
            if q.any():
                some += 1
                check_against(q, draw.ids[user], draw.log_q[user])
            else:
                assert not draw.ids[user].any() and not draw.log_q[user].any()
    assert some >= 10


@pytest.mark.parametrize("power", [0.0, 0.75, 1.5])
def test_users_who_have_seen_nearly_all_are_drawn_for_exactly(power):
    """99.9 % of 3,000 items seen: the three left are the lightest, or the heaviest, or anywhere."""
    n_items = 3000
    weights = (1.0 + np.arange(n_items)) ** -power
    kept = [[0, 1, 2], [2997, 2998, 2999], [0, 1500, 2999], [1499, 1500, 1501]]
    rows = [np.setdiff1d(np.arange(n_items), left) for left in kept]
    sampler = NegativeSampler(csr(rows, n_items), n_items, weights=weights)
    draw = sampler.sample(np.arange(4), 30_000 // FEWER, seed=8)
    for user, seen in enumerate(rows):
        q = naive.negative_probabilities(n_items, seen, weights)
        check_against(q, draw.ids[user], draw.log_q[user])


def test_extreme_weights_keep_their_ratios():
    """Twelve orders of magnitude: what is left of a saturated user is exact although nearly all weight is gone."""
    weights = 10.0 ** -np.arange(0, 13, dtype=float) * 1e300
    rows = [list(range(6)), list(range(10)), []]
    sampler = NegativeSampler(csr(rows, 13), 13, weights=weights)
    draw = sampler.sample([0, 1, 2], 20_000 // FEWER, seed=1)
    for user in range(3):
        q = naive.negative_probabilities(13, rows[user], weights / 1e300)
        check_against(q, draw.ids[user], draw.log_q[user])
    last = NegativeSampler(csr([[0]], 2), 2, weights=[1e300, 1e-300]).sample([0], 5)
    assert last.ids.tolist() == [[1] * 5] and not last.log_q.any()


RANDOM_PROBLEMS = st.fixed_dictionaries(
    {
        "n_items": st.integers(1, 12),
        "pairs": st.lists(st.tuples(st.integers(0, 3), st.integers(0, 11)), max_size=40),  # with repeats
        "weights": st.none() | st.lists(st.sampled_from([0.0, 0.5, 1.0, 3.0, 1e6]), min_size=12, max_size=12),
        "groups": st.none() | st.lists(st.integers(-1, 3), min_size=12, max_size=12),
        "available_from": st.none() | st.lists(st.integers(-(2**40), 2**40), min_size=12, max_size=12),
        "users": st.lists(st.integers(-1, 3), max_size=6),
        "n": st.integers(0, 9),
        "seed": st.integers(-(2**63), 2**64 - 1),
        "step": st.integers(0, 2**40),
        "wide": st.booleans(),
    }
)


@settings(deadline=None, max_examples=150 // FEWER)
@given(RANDOM_PROBLEMS)
def test_any_problem_is_drawn_from_what_is_left(problem):
    n_items, dtype = problem["n_items"], np.int64 if problem["wide"] else np.int32
    pairs = np.array([pair for pair in problem["pairs"] if pair[1] < n_items], dtype).reshape(-1, 2)
    seen = CSR.from_pairs(pairs[:, 0], pairs[:, 1], 4, n_items)
    options = {
        name: np.array(problem[name][:n_items])
        for name in ("weights", "groups", "available_from")
        if problem[name] is not None
    }
    if "weights" in options and not options["weights"].any():
        options["weights"][0] = 1
    users = np.array(problem["users"], dtype)
    timed = {} if "available_from" not in options else {"times": np.arange(len(users)) * 2**39 - 2**40}
    draw = NegativeSampler(seen, n_items, **options).sample(
        users, problem["n"], seed=problem["seed"], step=problem["step"], when_empty="count", **timed
    )
    assert draw.ids.shape == draw.log_q.shape == (len(users), problem["n"])
    for row, user in enumerate(users):
        if user < 0:
            assert draw.count[row] == 0 and not draw.ids[row].any() and not draw.log_q[row].any()
            continue
        time = timed["times"][row] if timed else None
        q = naive.negative_probabilities(n_items, seen.row(user).tolist(), time=time, **options)
        assert draw.count[row] == (problem["n"] if q.any() else 0)
        if draw.count[row]:
            assert (q[draw.ids[row]] > 0).all()
            np.testing.assert_allclose(draw.log_q[row], np.log(q[draw.ids[row]]), rtol=0, atol=1e-6)


def many_draws(n_draws, mode):
    """Of 200 users, light to nearly saturated; how many of so many draws are excluded."""
    n_items, n_users, columns = 5000, 200, 5000 // FEWER
    random = np.random.default_rng(1)
    sizes = np.append(random.integers(0, 200, n_users - 10), np.linspace(1000, n_items - 1, 10).astype(int))
    rows = [random.permutation(n_items)[:size] for size in sizes]
    seen = csr(rows, n_items)
    weights = {"weights": random.permutation(1.0 + np.arange(n_items)) ** -1.0} if mode == "weighted" else {}
    sampler = NegativeSampler(seen, n_items, **weights)
    users, wrong, done = np.arange(n_users), 0, 0
    while done < n_draws:
        draw = sampler.sample(users, columns, seed=2, step=done)
        wrong += int(seen.contains(users[:, None], draw.ids).sum())
        done += draw.ids.size
    return wrong


@pytest.mark.parametrize("mode", ["uniform", "weighted"])
def test_ten_million_draws_hold_no_wrong_negative(mode):
    assert many_draws(10**7 // FEWER**3, mode) == 0


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["uniform", "weighted"])
def test_a_hundred_million_draws_hold_no_wrong_negative(mode):
    assert many_draws(10**8, mode) == 0


@pytest.mark.parametrize("mode", ["uniform", "weighted"])
def test_columns_rows_steps_and_seeds_are_independent(mode):
    """Pairs of draws fill the square evenly, for neighbours in each of the four counters."""
    n_items = 20
    sampler = NegativeSampler(csr([[]], n_items), n_items, **({"weights": np.ones(20)} if mode == "weighted" else {}))
    users = np.zeros(20_000 // FEWER, int)
    base = sampler.sample(users, 2, seed=1, step=1).ids
    others = {
        "column": base[:, 1],
        "row": np.roll(base[:, 0], 1),
        "step": sampler.sample(users, 1, seed=1, step=2).ids[:, 0],
        "seed": sampler.sample(users, 1, seed=2, step=1).ids[:, 0],
    }
    for name, other in others.items():
        square = np.histogram2d(base[:, 0], other, bins=(20, 20), range=[(0, n_items)] * 2)[0]
        assert stats.chisquare(square.ravel()).pvalue > 1e-3, name


@pytest.mark.parametrize("mode", MODES)
def test_draws_do_not_depend_on_threads_or_on_how_the_batch_is_split(mode):
    sampler = NegativeSampler(csr(SEEN, N_ITEMS), N_ITEMS, **MODES[mode])
    users = np.arange(4000 // FEWER) % len(SEEN)
    times = np.arange(len(users)) % 9 - 4
    cut = len(users) * 3 // 8
    where = {"seed": 3, "step": 9, "when_empty": "count"}
    whole = sampler.sample(users, 37, threads=1, **time_of(mode, times), **where)
    many = sampler.sample(users, 37, threads=7, **time_of(mode, times), **where)
    late = sampler.sample(users[cut:], 37, first_row=cut, **time_of(mode, times[cut:]), **where)
    # More columns extend the row, over the blocks that draws are worked through in, and leave its beginning as it was.
    wider = sampler.sample(users, 1300 // FEWER + 37, **time_of(mode, times), **where)
    for array in ("ids", "log_q"):
        expected = getattr(whole, array)
        np.testing.assert_array_equal(expected, getattr(many, array))
        np.testing.assert_array_equal(expected[cut:], getattr(late, array))
        np.testing.assert_array_equal(expected, getattr(wider, array)[:, :37])


def test_few_columns_of_a_user_who_has_seen_much_are_the_first_of_many():
    """Draws of few columns are each looked up among the seen; for many columns a table of bits is filled first."""
    n_items, random = 4000, np.random.default_rng(3)
    weights = np.where(np.arange(n_items) < 1500, 0.5, 1.0)
    row = random.permutation(1500)[:1200]
    sampler = NegativeSampler(csr([row], n_items), n_items, weights=weights)
    few = sampler.sample(np.zeros(3, int), 100, seed=1)
    many = sampler.sample(np.zeros(3, int), 600, seed=1)
    np.testing.assert_array_equal(few.ids, many.ids[:, :100])
    np.testing.assert_array_equal(few.log_q, many.log_q[:, :100])
    assert not np.isin(many.ids, row).any()


def test_uniform_draws_are_those_of_the_formula(sampler):
    """SplitMix64 with Python's integers, upper half of the product: no version may change the bytes."""
    draw = sampler.sample([2, 0, 1], 4, seed=-7, step=12)
    for row, user in enumerate([2, 0, 1]):
        left = sorted(set(range(N_ITEMS)) - set(SEEN[user]))
        words = [next(naive.random_words(-7, 12, row, column)) for column in range(4)]
        assert draw.ids[row].tolist() == [left[word * len(left) >> 64] for word in words]


def test_weighted_draws_are_those_of_the_formula():
    """Classes and rejection where much is left (users 0, 1), cumulative units where little is (user 2)."""
    weights = np.where(np.arange(N_ITEMS) % 5 == 0, 8.0, 1.0)
    rows = [[], [1, 2, 5], [i for i in range(N_ITEMS) if i % 5]]
    rows[2] += [0, 5, 10, 15]
    units = np.rint(weights * (2.0**62 / weights.sum())).astype(int).tolist()
    # Two classes, the twelve heavy items and the 48 light ones, each of equal weights: only seen items are
    # rejected.
    classes = [[i for i in range(N_ITEMS) if i % 5 == 0], [i for i in range(N_ITEMS) if i % 5]]
    masses = [sum(units[i] for i in members) for members in classes]
    assert masses[0] > masses[1]  # so cell 1 keeps class 1 up to its share, cell 0 is all of class 0
    cut = (masses[1] * 2 << 64) // sum(masses)

    def by_rejection(words, seen):
        while True:
            word, second = next(words), next(words)
            members = classes[1 if word >> 63 and (word << 1) % 2**64 < cut else 0]
            item = members[second * len(members) >> 64]
            if item not in seen:
                return item

    def by_cdf(words, seen):
        left = [0 if i in seen else units[i] for i in range(N_ITEMS)]
        return int(np.searchsorted(np.cumsum(left), next(words) * sum(left) >> 64, side="right"))

    draw = NegativeSampler(csr(rows, N_ITEMS), N_ITEMS, weights=weights).sample([0, 1, 2], 200, seed=3, step=4)
    for row, way in enumerate((by_rejection, by_rejection, by_cdf)):
        expected = [way(naive.random_words(3, 4, row, column), rows[row]) for column in range(200)]
        assert draw.ids[row].tolist() == expected


def test_log_q_makes_the_sampled_softmax_unbiased():
    """Each item's part of 1/K sum_k e^{n_k - log_q_k}, its gradient, averages to e^{s_i}; the sign matters."""
    weights = np.arange(1, N_ITEMS + 1) ** -0.5
    target, repeats, n = 3, 4000 // FEWER, 64
    scores = np.random.default_rng(2).normal(size=N_ITEMS)
    sampler = NegativeSampler(csr([[target]], N_ITEMS), N_ITEMS, weights=weights)
    draw = sampler.sample(np.zeros(repeats, int), n, seed=6)
    full = np.exp(scores)
    full[target] = 0
    bias = {}
    for sign in (1, -1):
        terms = np.exp(scores[draw.ids] - sign * draw.log_q) / n
        gradient = np.zeros((repeats, N_ITEMS))
        np.add.at(gradient, (np.arange(repeats)[:, None], draw.ids), terms)
        error = gradient.std(0) / np.sqrt(repeats)
        away = (gradient.mean(0) - full) / np.maximum(error, 1e-12)
        away[target] = gradient[:, target].sum()
        bias[sign] = np.abs(away).max()
    assert bias[1] < 5 and bias[-1] > 50
    # And so does the gradient of the loss itself, in the negatives' scores the softmax, as K grows.
    wide = sampler.sample([0], 400_000 // FEWER, seed=7)
    softmax = full / np.exp(scores).sum()
    error = softmax / np.sqrt(np.maximum(wide.ids.size * naive.negative_probabilities(N_ITEMS, [target], weights), 1))
    for sign in (1, -1):
        terms = np.exp(scores[wide.ids[0]] - sign * wide.log_q[0].astype(float)) / wide.ids.size
        gradient = np.bincount(wide.ids[0], terms, minlength=N_ITEMS) / (terms.sum() + np.exp(scores[target]))
        bias[sign] = np.abs((gradient - softmax)[full > 0] / error[full > 0]).max()
    assert bias[1] < 5 and bias[-1] > 20, bias


def test_empty_slots_draw_nothing(sampler):
    draw = sampler.sample(np.array([-1, 1, -1], np.int64), 5)
    assert (draw.ids[[0, 2]] == 0).all() and (draw.log_q[[0, 2]] == 0).all()
    assert (draw.log_q[1] < 0).all() and draw.count.tolist() == [0, 5, 0]
    nobody = NegativeSampler(CSR([0], [], 3), 3, weights=[1, 2, 3]).sample([-1, -1], 2)
    assert nobody.count.tolist() == [0, 0]
    assert sampler.sample([], 5).ids.shape == (0, 5) and sampler.sample([1, 2], 0).ids.shape == (2, 0)


def test_a_user_with_nothing_left_is_named_or_counted():
    seen = CSR([0, 1, 4], [2, 0, 1, 2], 3)
    for options, users, times in (
        ({}, [0, 1], None),
        ({"weights": [0.0, 0.0, 1.0]}, [-1, 0], None),
        ({"groups": [4, 4, 4]}, [-1, 0], None),
        ({"available_from": [5, 5, 0]}, [0, 0], [5, 4]),
    ):
        sampler = NegativeSampler(seen, 3, **options)
        with pytest.raises(ValueError, match=rf"user {users[1]} \(users\[1\]\) has nothing left to draw"):
            sampler.sample(users, 4, times=times)
        draw = sampler.sample(users, 4, times=times, when_empty="count")
        assert draw.count.tolist() == [4 if users[0] == 0 else 0, 0] and not draw.ids[1].any()
    with pytest.raises(ValueError, match="when_empty='skip'; known: raise, count"):
        NegativeSampler(seen, 3).sample([0], 4, when_empty="skip")  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"weights": [1.0, np.nan, 1.0]}, ValueError, r"weights\[1\] is nan"),
        ({"weights": [1.0, 1.0, np.inf]}, ValueError, r"weights\[2\] is inf"),
        ({"weights": [-1, 1, 1]}, ValueError, r"weights\[0\] is -1.0; weights are finite and not negative"),
        ({"weights": [0, 0, 0]}, ValueError, "weights are all zero"),
        ({"weights": [1, 1]}, ValueError, r"weights has shape \(2,\) and n_items is 3"),
        ({"weights": ["a", "b", "c"]}, TypeError, "weights is of type"),
        ({"groups": [1, 1]}, ValueError, "groups has 2 entries and n_items is 3"),
        ({"groups": [1, 1, -2]}, ValueError, r"groups\[2\] is -2"),
        ({"groups": [1.0, 1.0, 1.0]}, TypeError, "groups is of type float64"),
        ({"available_from": [1, 1, 1, 1]}, ValueError, "available_from has 4 entries and n_items is 3"),
    ],
)
def test_the_sampler_refuses_bad_tables(options, error, message):
    with pytest.raises(error, match=message):
        NegativeSampler(CSR([0, 1], [2], 3), 3, **options)


def test_weights_of_bfloat16_are_numbers():
    weights = np.array([1, 2, 4], ml_dtypes.bfloat16)
    draws = [NegativeSampler(CSR([0, 0], [], 3), 3, weights=w).sample([0], 8) for w in (weights, [1, 2, 4])]
    np.testing.assert_array_equal(draws[0].ids, draws[1].ids)
    np.testing.assert_array_equal(draws[0].log_q, draws[1].log_q)


def test_the_sampler_refuses_what_cannot_be_drawn():
    sampler = NegativeSampler(CSR([0, 1, 1], [2], 3), 3)
    dated = NegativeSampler(sampler.exclusions.pairs, 3, available_from=[1, 2, 3])
    for call, message in (
        (lambda: sampler.sample(np.array([5_000_000_000]), 4), r"users\[0\] is 5000000000; users"),
        (lambda: sampler.sample([-2], 4), r"users\[0\] is -2"),
        (lambda: sampler.sample([0], 4, step=-1), "step is -1"),
        (lambda: sampler.sample([0], -4), "n is -4"),
        (lambda: sampler.sample([0], 4, threads=0), "threads is 0"),
        (lambda: sampler.sample([0], 4, times=[3]), "times is given without available_from"),
        (lambda: dated.sample([0], 4), "available_from is given without times"),
        (lambda: dated.sample([0, 1], 4, times=[3]), "times has 1 entries and users 2"),
        (lambda: NegativeSampler(sampler.exclusions.pairs, 4), "seen has 3 columns and n_items is 4"),
        (lambda: CSR([0, 2], [2, 1], 3), "row 0 is not strictly ascending"),
        (lambda: CSR.from_pairs([0], np.array([2**33]), 1, 3), "8589934592, which int32 cannot hold"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
