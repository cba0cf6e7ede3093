"""Kernels inside jit equal plain JAX: values, gradients, under vmap, scan and a mesh; wrong input has a name."""

# NumPy's arrays and wrong values stand for JAX's arrays here, which type checkers refuse.
# pyright: reportArgumentType=false, reportCallIssue=false

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from mu_kernels import CSR, ItemIndex, NegativeSampler, top_k_scores, xla
from mu_kernels._xla import calls
from tests.helpers import naive
from tests.helpers.jit import needs_jit

KEYS = jax.random.split(jax.random.key(0), 3)
QUERIES = jax.random.normal(KEYS[0], (16, 5))
VECTORS = jax.random.normal(KEYS[1], (9, 5))
IDS = jax.random.randint(KEYS[2], (16, 4), 0, 9)

NEEDS_CALLS = needs_jit("there are no calls of compiled code, only twins")


def plain(queries, vectors, ids):
    return jnp.einsum("nd,nkd->nk", queries, vectors[ids])


def value_and_gradients(function, queries, vectors, ids):
    def total(queries, vectors):
        return jnp.sum(jnp.sin(function(queries, vectors, ids)))

    return jax.value_and_grad(total, (0, 1))(queries, vectors)


def assert_close(found, expected):
    for ours, theirs in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


def test_this_jaxlib_is_one_the_kernels_know():
    assert xla.api_version() in xla.KNOWN_API_VERSIONS


def test_gathered_dot_and_its_gradients_equal_plain_jax():
    found = jax.jit(lambda *a: value_and_gradients(xla.gathered_dot, *a))(QUERIES, VECTORS, IDS)
    assert_close(found, value_and_gradients(plain, QUERIES, VECTORS, IDS))


def test_the_same_bits_every_time():
    call = jax.jit(lambda *a: value_and_gradients(xla.gathered_dot, *a))
    first, again = call(QUERIES, VECTORS, IDS), call(QUERIES, VECTORS, IDS)
    jax.tree.map(np.testing.assert_array_equal, first, again)


def test_under_vmap_and_scan():
    queries = jnp.stack([QUERIES, 2 * QUERIES])
    mapped = jax.jit(jax.vmap(xla.gathered_dot, (0, None, None)))(queries, VECTORS, IDS)
    _, scanned = jax.lax.scan(lambda carry, q: (carry, xla.gathered_dot(q, VECTORS, IDS)), 0, queries)
    expected = jnp.stack([plain(q, VECTORS, IDS) for q in queries])
    assert_close(mapped, expected)
    assert_close(scanned, expected)


def test_queries_split_over_devices():
    mesh = jax.make_mesh((8,), ("data",), axis_types=(AxisType.Auto,))
    rows = NamedSharding(mesh, PartitionSpec("data"))
    queries, ids = jax.device_put((QUERIES, IDS), rows)
    vectors = jax.device_put(VECTORS, NamedSharding(mesh, PartitionSpec()))
    found = jax.jit(lambda *a: value_and_gradients(xla.gathered_dot, *a))(queries, vectors, ids)
    assert_close(found, value_and_gradients(plain, QUERIES, VECTORS, IDS))


def pairs_both_ways(n_rows=6, n_columns=9):
    """(dense [R, C], the pairs): a third of all, none in the last row."""
    dense = np.random.default_rng(0).random((n_rows, n_columns)) < 1 / 3
    dense[-1] = False
    sides = [CSR.from_pairs(*np.nonzero(side), *side.shape) for side in (dense, dense.T)]
    arrays = [jnp.asarray(array.astype(np.int32)) for side in sides for array in (side.indptr, side.indices)]
    return dense.astype(np.float32), xla.Bipartite(*arrays)


def test_neighbour_sums_and_their_gradient_are_products_with_the_dense_matrix():
    dense, pairs = pairs_both_ways()
    weights = jnp.arange(30, dtype=jnp.float32).reshape(6, 5)

    def total(product, vectors):
        return jnp.sum(weights * jnp.sin(product(vectors)))

    products = [jax.jit(lambda vectors: xla.neighbour_sums(vectors, pairs)), lambda vectors: dense @ vectors]
    assert_close(*(jax.value_and_grad(total, 1)(product, VECTORS) for product in products))
    through = through_twins(jax.value_and_grad(lambda vectors: total(products[0].__wrapped__, vectors)), VECTORS)
    assert_close(through, jax.value_and_grad(total, 1)(products[1], VECTORS))


def test_neighbour_sums_refuse_what_does_not_fit():
    _, pairs = pairs_both_ways()
    with pytest.raises(ValueError, match="vectors has 8 rows; pairs have 9 columns"):
        xla.neighbour_sums(VECTORS[:8], pairs)
    with pytest.raises(TypeError, match=r"pairs\.rows is float32 of 1 axes; it must be int32"):
        xla.neighbour_sums(VECTORS, pairs._replace(rows=pairs.rows.astype(jnp.float32)))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"queries": QUERIES.astype(jnp.bfloat16)}, "queries is bfloat16"),
        ({"vectors": VECTORS[0]}, "vectors is float32 of 1 axes"),
        ({"ids": IDS.astype(jnp.float32)}, "ids is float32"),
    ],
)
def test_wrong_types_are_refused_by_name(change, words):
    with pytest.raises(TypeError, match=words):
        xla.gathered_dot(**{"queries": QUERIES, "vectors": VECTORS, "ids": IDS, **change})


def whole_numbers(seed, *shape):
    """Small integers: every sum of their products is exact in float32, and there are ties."""
    return np.random.default_rng(seed).integers(-3, 4, shape).astype(np.float32)


def excluded_pairs(seed, n_rows, n_items):
    """(CSR, what JAX gets of it): half of the items, another half for each row, all for the last."""
    drawn = np.random.default_rng(seed).random((n_rows, n_items)) < 0.5
    drawn[-1] = True
    pairs = CSR.from_pairs(*np.nonzero(drawn), n_rows, n_items)
    return pairs, (jnp.asarray(pairs.indptr.astype(np.int32)), jnp.asarray(pairs.indices))


def exact_scores(queries, vectors, bias=None):
    scores = np.asarray(queries, np.float64) @ np.asarray(vectors, np.float64).T
    return (scores if bias is None else scores + np.asarray(bias, np.float64)).astype(np.float32)


def assert_same(found, expected):
    """Lists are arrays."""
    leaves = [jax.tree.leaves(tree, is_leaf=lambda node: isinstance(node, list)) for tree in (found, expected)]
    for ours, theirs in zip(*leaves, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def through_twins(function, *arguments, **options):
    """What a platform without the FFI calls computes."""
    known, calls.known_version = calls.known_version, lambda: False
    try:
        return jax.jit(lambda: function(*arguments, **options))()
    finally:
        calls.known_version = known


def hits_of(scores, k, exclude):
    hits = top_k_scores(scores, k, exclude, threads=1)
    return hits.scores, hits.ids, hits.count


# Sizes around those of blocks: 16 queries side by side, up to 4 alone, 128 items a chunk, dimensions by four.
SIZES = [(1, 1, 1, 1), (4, 127, 3, 5), (5, 129, 4, 300), (17, 500, 9, 20), (33, 128, 16, 128)]


@pytest.mark.parametrize(("n_queries", "n_items", "dim", "k"), SIZES)
@pytest.mark.parametrize("kind", ["whole", pytest.param("real", marks=NEEDS_CALLS)])
def test_top_k_and_rank_of_are_exact(n_queries, n_items, dim, k, kind):
    random = np.random.default_rng(0)
    draw = whole_numbers if kind == "whole" else (lambda seed, *shape: random.normal(size=shape).astype(np.float32))
    queries, vectors, bias = draw(1, n_queries, dim), draw(2, n_items, dim), draw(3, n_items)
    targets = random.integers(0, n_items, n_queries).astype(np.int32)
    pairs, exclude = excluded_pairs(4, n_queries, n_items)
    options, rows = ({"bias": bias, "exclude": exclude}, pairs) if kind == "whole" else ({}, None)
    scores = exact_scores(queries, vectors, options.get("bias"))
    found = jax.jit(lambda q, v: xla.top_k(q, v, k, **options))(queries, vectors)
    assert_same(found, hits_of(scores, k, rows))
    out = [[]] * n_queries if rows is None else [rows.row(b) for b in range(n_queries)]
    for b, ids in enumerate(naive.top_k(scores, k, out)):
        np.testing.assert_array_equal(np.asarray(found[1])[b, : len(ids)], ids)
    ranks = jax.jit(lambda q, v, t: xla.rank_of(q, v, t, **options))(queries, vectors, targets)
    assert_same(ranks, naive.rank_scores(scores, targets[:, None], out))
    if kind == "whole":
        assert_same(found, through_twins(xla.top_k, queries, vectors, k, **options))
        assert_same(ranks, through_twins(xla.rank_of, queries, vectors, targets, **options))
    else:
        twin = through_twins(xla.top_k, queries, vectors, k, **options)
        np.testing.assert_array_equal(found[2], twin[2])
        np.testing.assert_allclose(found[0], twin[0], rtol=1e-5, atol=1e-5)


def test_the_same_answers_as_the_index_and_the_sampler_give():
    queries, vectors = whole_numbers(0, 6, 8), whole_numbers(1, 300, 8)
    pairs, exclude = excluded_pairs(2, 6, 300)
    index = ItemIndex(vectors)
    hits = index.top_k(queries, 40, exclude=pairs)
    assert_same(xla.top_k(queries, vectors, 40, exclude=exclude), (hits.scores, hits.ids, hits.count))
    targets = np.arange(6, dtype=np.int32)
    one_each = CSR.from_pairs(np.arange(6), targets, 6, 300)
    ranks = index.rank_of(queries, one_each, exclude=pairs)
    assert_same(xla.rank_of(queries, vectors, targets, exclude=exclude), (ranks.greater, ranks.equal))


@NEEDS_CALLS
def test_near_ties_are_told_apart_in_float64():
    """Scores that differ by less than float32 sums can tell: a bound that is too tight would lose some."""
    random = np.random.default_rng(0)
    query = random.normal(size=(1, 64)).astype(np.float32)
    across = random.normal(size=(2000, 64))
    across -= (across @ query[0])[:, None] * query / (query @ query.T)
    vectors = (1000 * across + (1 + 1e-6 * random.random((2000, 1))) * query).astype(np.float32)
    scores = exact_scores(query, vectors)
    for n_queries in (1, 7):
        queries = np.repeat(query, n_queries, 0)
        assert_same(xla.top_k(queries, vectors, 50), hits_of(np.repeat(scores, n_queries, 0), 50, None))
        targets = np.argsort(-scores[0])[100 : 100 + n_queries].astype(np.int32)
        greater, equal = naive.rank_scores(np.repeat(scores, n_queries, 0), targets[:, None], [[]] * n_queries)
        assert_same(xla.rank_of(queries, vectors, targets), (greater, equal))


def test_numbers_that_are_none_and_slots_that_are_empty():
    vectors = np.array([[1], [np.nan], [np.inf], [-np.inf], [2]], np.float32)
    queries = np.array([[1], [np.nan], [0]], np.float32)
    for call in (lambda f, *a: f(*a), through_twins):
        scores, ids, count = call(xla.top_k, queries, vectors, 5)
        assert_same(count, [4, 0, 2])
        assert_same(ids, [[2, 4, 0, 3, -1], [-1] * 5, [0, 4, -1, -1, -1]])
        assert_same(scores[0], np.float32([np.inf, 2, 1, -np.inf, -np.inf]))
        ranks = call(xla.rank_of, np.repeat(queries[:1], 6, 0), vectors, jnp.array([-1, 5, 1, 0, 2, 3], jnp.int32))
        assert_same(ranks, ([0, 0, 0, 2, 0, 3], [0, 0, 0, 1, 1, 1]))
        nothing = call(xla.top_k, queries, vectors[:0], 2)
        assert_same(nothing, (np.full((3, 2), -np.inf), np.full((3, 2), -1), np.zeros(3)))


def test_excluded_rows_that_lie_outside_stay_inside():
    queries, vectors = whole_numbers(0, 2, 3), whole_numbers(1, 9, 3)
    exclude = (jnp.array([-7, 2, 99], jnp.int32), jnp.array([-1, 3, 5, 20], jnp.int32))
    found = xla.top_k(queries, vectors, 9, exclude=exclude)
    assert_same(found[2], [8, 8])
    assert_same(found, through_twins(xla.top_k, queries, vectors, 9, exclude=exclude))
    targets = jnp.array([3, 4], jnp.int32)
    found = xla.rank_of(queries, vectors, targets, exclude=exclude)
    assert_same(found, through_twins(xla.rank_of, queries, vectors, targets, exclude=exclude))


def plain_top_k(queries, vectors, k, bias, mask):
    scores = jnp.where(mask, -jnp.inf, queries @ vectors.T + bias[None])
    return jax.lax.top_k(scores, k)[0]


def test_gradients_of_scores_equal_those_of_plain_jax():
    queries, vectors, bias = QUERIES, jax.random.normal(KEYS[1], (40, 5)), jax.random.normal(KEYS[2], (40,))
    pairs, exclude = excluded_pairs(0, 16, 40)
    mask = np.zeros((16, 40), bool)
    mask[np.repeat(np.arange(16), pairs.counts()), pairs.indices] = True
    weights = jax.random.normal(KEYS[0], (16, 30))

    def total(scores):
        return jnp.sum(jnp.where(jnp.isfinite(scores), weights * jnp.sin(scores), 0))

    def ours(queries, vectors, bias):
        return total(xla.top_k(queries, vectors, 30, bias=bias, exclude=exclude)[0])

    def theirs(queries, vectors, bias):
        return total(plain_top_k(queries, vectors, 30, bias, mask))

    expected = jax.jit(jax.grad(theirs, (0, 1, 2)))(queries, vectors, bias)
    assert_close(jax.jit(jax.grad(ours, (0, 1, 2)))(queries, vectors, bias), expected)
    assert_close(through_twins(jax.grad(ours, (0, 1, 2)), queries, vectors, bias), expected)
    without_bias = jax.jit(jax.grad(lambda q: jnp.sum(xla.top_k(q, vectors, 3)[0])))(queries)
    assert_close(without_bias, jax.grad(lambda q: jnp.sum(jax.lax.top_k(q @ vectors.T, 3)[0]))(queries))
    each = jax.vmap(jax.grad(lambda q, v: jnp.sum(xla.top_k(q[None], v, 3)[0])), (0, None))(queries, vectors)
    assert_close(each, without_bias)


def test_what_has_no_gradient_says_so():
    targets = jnp.zeros(16, jnp.int32)

    def mean_rank(queries):
        return jnp.mean(xla.rank_of(queries, VECTORS, targets)[0].astype(jnp.float32))

    with pytest.raises(TypeError, match="rank_of counts items"):
        jax.grad(mean_rank)(QUERIES)
    assert not jax.grad(lambda queries: mean_rank(jax.lax.stop_gradient(queries)))(QUERIES).any()
    with pytest.raises(TypeError, match="jvp"):
        jax.jvp(lambda queries: xla.top_k(queries, VECTORS, 2)[0], (QUERIES,), (QUERIES,))


def sampler_of(groups=None):
    """Users with none, some, all but one and all of 50 items seen; and the last, many."""
    rows = [[], [3, 4, 9], list(range(1, 50)), list(range(50)), list(range(0, 50, 2))]
    pairs = CSR.from_pairs(np.repeat(np.arange(5), [len(row) for row in rows]), np.concatenate(rows).astype(int), 5, 50)
    return NegativeSampler(pairs, 50, groups=groups)


@pytest.mark.parametrize(("seed", "step"), [(0, 0), (-5, 3), (2**63 + 12345, 2**40 + 1)])
def test_negatives_are_the_samplers_to_the_byte(seed, step):
    sampler = sampler_of(groups=np.append(99, np.arange(1, 50) % 45))
    tables = xla.negative_tables(sampler)
    users = np.array([0, 1, -1, 2, 4, 1, 0], np.int32)
    expected = sampler.sample(users, 700, seed=seed, step=step)
    assert_same(
        jax.jit(xla.sample_negatives, static_argnums=(2, 3, 4))(tables, users, 700, seed, step),
        (expected.ids, expected.log_q),
    )
    assert_same(through_twins(xla.sample_negatives, tables, users, 700, seed, step), (expected.ids, expected.log_q))


@pytest.mark.parametrize("dtype", [jnp.int32, jnp.uint32, jnp.int8])
def test_seed_and_step_may_be_traced(dtype):
    sampler = sampler_of()
    tables, users = xla.negative_tables(sampler), np.array([0, 4], np.int32)
    seed = np.array(-3).astype(dtype)
    expected = [sampler.sample(users, 5, seed=int(seed), step=step) for step in range(3)]

    def draw(carry, step):
        return carry, xla.sample_negatives(tables, users, 5, jnp.asarray(seed), step)

    _, (ids, log_q) = jax.lax.scan(draw, 0, jnp.arange(3, dtype=dtype))
    assert_same((ids, log_q), ([draw.ids for draw in expected], [draw.log_q for draw in expected]))


def test_a_user_without_negatives_is_seen():
    tables = xla.negative_tables(sampler_of())
    users = jnp.array([3, -1, 5, -2], jnp.int32)
    for call in (lambda f, *a: f(*a), through_twins):
        ids, log_q = call(xla.sample_negatives, tables, users, 3, 0, 0)
        assert_same(ids[:, 0], [-1, 0, -1, -1])
        assert_same(log_q[:, 2], np.float32([-np.inf, 0, -np.inf, -np.inf]))


def test_vmap_gives_what_single_calls_give():
    queries, vectors, bias = map(
        jnp.asarray, (whole_numbers(0, 3, 5, 4), whole_numbers(1, 3, 60, 4), whole_numbers(2, 60))
    )
    rows = [excluded_pairs(seed, 5, 60)[1] for seed in range(3)]
    starts = np.cumsum([0] + [len(row[1]) for row in rows[:-1]]).astype(np.int32)
    indptr = jnp.stack([start + row[0] for start, row in zip(starts, rows, strict=True)])
    indices = jnp.stack([jnp.concatenate([row[1] for row in rows])] * 3)
    targets = jnp.asarray(np.random.default_rng(0).integers(0, 60, (3, 5)).astype(np.int32))

    def both(queries, vectors, indptr, indices, targets):
        options = {"bias": bias, "exclude": (indptr, indices)}
        return xla.top_k(queries, vectors, 7, **options), xla.rank_of(queries, vectors, targets, **options)

    arrays = (queries, vectors, indptr, indices, targets)
    for axes in ((0, None, None, None, 0), (0, None, 0, None, None), (0, 0, 0, 0, 0), (None, 0, None, 0, None)):
        given = [array if axis == 0 else array[0] for array, axis in zip(arrays, axes, strict=True)]
        single = jax.jit(both)
        singles = [
            single(*(array[i] if axis == 0 else array for array, axis in zip(given, axes, strict=True)))
            for i in range(3)
        ]
        expected = jax.tree.map(lambda *parts: jnp.stack(parts), *singles)
        assert_same(jax.jit(jax.vmap(both, axes))(*given), expected)
        assert_same(through_twins(jax.vmap(both, axes), *given), expected)


@NEEDS_CALLS
def test_vmap_over_queries_is_one_call():
    queries, vectors = jnp.zeros((3, 2, 4, 5)), jnp.zeros((9, 5))
    program = jax.jit(jax.vmap(jax.vmap(lambda q: xla.top_k(q, vectors, 2)))).lower(queries).as_text()
    assert program.count("@mu_kernels_top_k(") == 1 and "while" not in program and "24x5xf32" in program


def test_vmap_of_draws():
    sampler = sampler_of()
    tables, users = xla.negative_tables(sampler), np.array([[0, 1], [4, 4]], np.int32)
    steps = jnp.arange(2, dtype=jnp.int32)
    found = jax.vmap(lambda u, step: xla.sample_negatives(tables, u, 6, 7, step))(users, steps)
    expected = [sampler.sample(users[i], 6, seed=7, step=i) for i in range(2)]
    assert_same(found, ([draw.ids for draw in expected], [draw.log_q for draw in expected]))
    two = jax.tree.map(lambda array: jnp.stack([array, array]), tables)
    assert_same(jax.vmap(lambda t, u, step: xla.sample_negatives(t, u, 6, 7, step))(two, users, steps), found)


def everything(queries, vectors, targets, tables, users, exclude):
    best = xla.top_k(queries, vectors, 4, exclude=exclude)
    return best, xla.rank_of(queries, vectors, targets), xla.sample_negatives(tables, users, 5, 1, 2)


def test_on_a_mesh():
    mesh = jax.make_mesh((8,), ("data",), axis_types=(AxisType.Auto,))
    rows, whole = NamedSharding(mesh, PartitionSpec("data")), NamedSharding(mesh, PartitionSpec())
    tables = xla.negative_tables(sampler_of())
    targets, users = jnp.arange(16, dtype=jnp.int32) % 9, jnp.arange(16, dtype=jnp.int32) % 3
    exclude = excluded_pairs(0, 16, 9)[1]
    expected = jax.jit(everything)(QUERIES, VECTORS, targets, tables, users, exclude)
    queries, targets, users = jax.device_put((QUERIES, targets, users), rows)
    vectors, tables, exclude = jax.device_put((VECTORS, tables, exclude), whole)
    assert_same(jax.jit(everything)(queries, vectors, targets, tables, users, exclude), expected)


def test_each_device_its_own_rows():
    mesh = jax.make_mesh((8,), ("data",), axis_types=(AxisType.Auto,))
    queries, vectors = jnp.asarray(whole_numbers(0, 16, 5)), jnp.asarray(whole_numbers(1, 9, 5))
    targets = jnp.arange(16, dtype=jnp.int32) % 9

    def one(queries, vectors, targets):
        return xla.top_k(queries, vectors, 4), xla.rank_of(queries, vectors, targets)

    split, whole = PartitionSpec("data"), PartitionSpec()
    mapped = jax.shard_map(one, mesh=mesh, in_specs=(split, whole, split), out_specs=split)
    assert_same(jax.jit(mapped)(queries, vectors, targets), one(queries, vectors, targets))

    def total(queries, vectors):
        return jnp.sum(xla.top_k(queries, vectors, 4)[0] ** 2)

    def summed(queries, vectors):
        return jax.lax.psum(total(queries, vectors), "data")

    mapped = jax.shard_map(summed, mesh=mesh, in_specs=(split, whole), out_specs=whole)
    assert_same(jax.jit(jax.grad(mapped, (0, 1)))(queries, vectors), jax.grad(total, (0, 1))(queries, vectors))


@NEEDS_CALLS
def test_an_unknown_ffi_version_is_reported_and_plain_jax_takes_over(monkeypatch):
    tables, users = xla.negative_tables(sampler_of()), jnp.arange(3, dtype=jnp.int32)
    targets, exclude = jnp.zeros(16, jnp.int32), excluded_pairs(0, 16, 9)[1]
    queries, vectors = whole_numbers(0, 16, 5), whole_numbers(1, 9, 5)
    expected = jax.jit(everything)(queries, vectors, targets, tables, users, exclude)
    dots = plain(queries, vectors, IDS)
    monkeypatch.setattr(calls, "api_version", lambda: (9, 9))
    calls.known_version.cache_clear()
    jax.clear_caches()  # from 0.12 on JAX knows traces of inner functions, too
    try:
        with pytest.warns(UserWarning, match=r"jaxlib has \(9, 9\)"):
            found = xla.gathered_dot(queries, vectors, IDS)
        assert_same(found, dots)
        # Another function, since `jit` knows what it traced before.
        lowered = jax.jit(lambda *a: everything(*a)).lower(queries, vectors, targets, tables, users, exclude)
        assert "mu_kernels" not in lowered.as_text()
        assert_same(lowered.compile()(queries, vectors, targets, tables, users, exclude), expected)
    finally:
        calls.known_version.cache_clear()


TARGETS = np.zeros(16, np.int32)
PAIRS = (np.zeros(17, np.int32), np.zeros(0, np.int32))


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"queries": QUERIES.astype(jnp.bfloat16)}, TypeError, "queries is bfloat16 of 2 axes"),
        ({"vectors": VECTORS[0]}, TypeError, "vectors is float32 of 1 axes"),
        ({"vectors": VECTORS[:, :4]}, ValueError, "queries have 5 features; vectors have 4"),
        ({"bias": np.zeros(8, np.float32)}, ValueError, "bias has 8 entries; there are 9 vectors"),
        ({"bias": np.zeros(9, np.int32)}, TypeError, "bias is int32"),
        ({"exclude": PAIRS[0]}, TypeError, "exclude is ndarray"),
        ({"exclude": (PAIRS[0].astype(np.int64), PAIRS[1])}, TypeError, "exclude's indptr is int"),
        ({"exclude": (PAIRS[0], PAIRS[0].astype(np.float32))}, TypeError, "exclude's indices is float32"),
        ({"exclude": (PAIRS[0][1:], PAIRS[1])}, ValueError, "indptr has 16 entries; for 16 queries it has 17"),
        ({"k": 0}, ValueError, "k is 0"),
        ({"k": 1.5}, TypeError, "k is 1.5"),
        ({"targets": TARGETS[1:]}, ValueError, "targets has 15 entries; there are 16 queries"),
        ({"targets": TARGETS.astype(np.float32)}, TypeError, "targets is float32"),
    ],
)
def test_wrong_arguments_of_searches_are_refused_by_name(change, error, words):
    given = {
        "queries": QUERIES,
        "vectors": VECTORS,
        "bias": None,
        "exclude": None,
        "k": 3,
        "targets": TARGETS,
        **change,
    }
    k, targets = given.pop("k"), given.pop("targets")
    calls = [lambda: xla.top_k(k=k, **given), lambda: xla.rank_of(targets=targets, **given)]
    for call in calls[:1] if "k" in change else calls[1:] if "targets" in change else calls:
        with pytest.raises(error, match=words):
            call()


def test_k_must_be_known_when_tracing():
    with pytest.raises(TypeError, match=r"k is .*known when tracing"):
        jax.jit(lambda k: xla.top_k(QUERIES, VECTORS, k))(3)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"tables": None}, TypeError, "tables is NoneType"),
        ({"users": np.zeros(2, np.float32)}, TypeError, "users is float32 of 1 axes"),
        ({"users": np.zeros((2, 2), np.int32)}, TypeError, "users is int32 of 2 axes"),
        ({"n": -1}, ValueError, "n is -1"),
        ({"n": 2.0}, TypeError, "n is 2.0"),
        ({"step": -1}, ValueError, "step is -1"),
        ({"seed": 0.5}, TypeError, "seed is float32 of 0 axes"),
        ({"step": np.zeros(2, np.int32)}, TypeError, "step is int32 of 1 axes"),
    ],
)
def test_wrong_arguments_of_draws_are_refused_by_name(change, error, words):
    given = {"users": np.zeros(2, np.int32), "n": 3, "seed": 0, "step": 0}
    with pytest.raises(error, match=words):
        xla.sample_negatives(**{"tables": xla.negative_tables(sampler_of()), **given, **change})


def test_samplers_that_jit_does_not_support_are_refused():
    pairs = CSR.from_pairs([0], [1], 1, 3)
    for name in ("weights", "available_from"):
        with pytest.raises(ValueError, match=f"the sampler has {name}"):
            xla.negative_tables(NegativeSampler(pairs, 3, **{name: np.ones(3, np.int64)}))
