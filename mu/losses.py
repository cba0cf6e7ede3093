"""Losses of single examples, each beside its equation: ranking, classification, regression, contrastive learning.

Shapes: B... any leading axes, K negatives, N examples, D features, V items, C classes. Scores are float32, larger is
better. No loss averages over examples: the caller weighs and sums.
"""

import jax
import jax.numpy as jnp

MOST_LOGITS = 2**26
"""Up to which `full_softmax` takes the catalogue in one piece: 256 MiB."""
CHUNK = 4096
"""Items at a time beyond that."""


def sampled_softmax(positive: jax.Array, negatives: jax.Array, log_q: jax.Array | None = None) -> jax.Array:
    """-log( e^p / (e^p + 1/K sum_k e^{n_k} / q_k) ), or with plain `sum_k e^{n_k}` when `log_q` is None.

    With `log_q` (the log-probability of each draw) the sum estimates the softmax over all items that could be
    drawn without bias (Bengio & Senecal 2008). Without it the K draws count as they are, which for uniform draws
    is the full softmax with every negative made K / V as likely.

    Args:
      positive: [B...].
      negatives: [B..., K], drawn with replacement, never the positive.
      log_q: [B..., K] or None.

    Returns:
      [B...], >= 0.
    """
    if log_q is not None:
        negatives = negatives - log_q - jnp.log(jnp.float32(negatives.shape[-1]))
    return jax.nn.softplus(jax.nn.logsumexp(negatives, axis=-1) - positive)


def bpr(positive: jax.Array, negatives: jax.Array) -> jax.Array:
    """mean_k -log sigmoid(p - n_k) (Rendle et al. 2009). [B...], [B..., K] -> [B...]."""
    return jax.nn.softplus(negatives - positive[..., None]).mean(-1)


def bce(positive: jax.Array, negatives: jax.Array) -> jax.Array:
    """-log sigmoid(p) - sum_k log(1 - sigmoid(n_k)), as in SASRec with K = 1. [B...], [B..., K] -> [B...]."""
    return jax.nn.softplus(-positive) + jax.nn.softplus(negatives).sum(-1)


def gbce(positive: jax.Array, negatives: jax.Array, n_items: int, calibration: float = 0.75) -> jax.Array:
    """-beta log sigmoid(p) - sum_k log(1 - sigmoid(n_k)) (gSASRec, Petrov & Macdonald 2023, arXiv:2308.07192).

    beta = a (t (1 - 1/a) + 1/a) with a = K / (V - 1) the share of negatives drawn and t the calibration:
    t = 0 is plain BCE, t = 1 undoes the overconfidence of sampling. The paper's loss is this over K + 1.

    Args:
      positive: [B...].
      negatives: [B..., K].
      n_items: V.
      calibration: t in [0, 1].
    """
    share = negatives.shape[-1] / (n_items - 1)
    beta = share * (calibration * (1.0 - 1.0 / share) + 1.0 / share)
    return beta * jax.nn.softplus(-positive) + jax.nn.softplus(negatives).sum(-1)


def full_softmax(
    queries: jax.Array,
    items: jax.Array,
    targets: jax.Array,
    bias: jax.Array | None = None,
    chunk: int | None = None,
) -> jax.Array:
    """-log( e^{q . x_t + b_t} / sum_v e^{q . x_v + b_v} ).

    In one piece, the logits are kept for the gradient: N V D multiply-adds forward, twice that backward. In chunks of
    the catalogue no more than N x `chunk` logits are held at a time, and each chunk's are computed again for the
    gradient: a third more in all.

    Args:
      queries: [N, D].
      items: [V, D].
      targets: int [N], in [0, V).
      bias: [V] or None.
      chunk: items at a time; None for all at once where that is no more than `MOST_LOGITS` logits, else `CHUNK`.

    Returns:
      [N].
    """
    n_items, dim = items.shape
    if chunk is None:
        chunk = n_items if len(queries) * n_items <= MOST_LOGITS else CHUNK
    chunk = min(chunk, n_items)
    chunks = -(-n_items // chunk)
    padding = chunks * chunk - n_items
    bias = jnp.zeros((n_items,), queries.dtype) if bias is None else bias
    # Rows beyond the catalogue get the bias -inf: they take no part in the sum and no gradient.
    padded_bias = jnp.pad(bias, (0, padding), constant_values=-jnp.inf).reshape(chunks, chunk)
    padded_items = jnp.pad(items, ((0, padding), (0, 0))).reshape(chunks, chunk, dim)

    def add(total: jax.Array, part: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, None]:
        vectors, biases = part
        return jnp.logaddexp(total, jax.nn.logsumexp(queries @ vectors.T + biases[None], axis=-1)), None

    start = jnp.full(queries.shape[:1], -jnp.inf, queries.dtype)
    log_total, _ = jax.lax.scan(add if chunks == 1 else jax.checkpoint(add), start, (padded_items, padded_bias))
    return log_total - (jnp.sum(queries * items[targets], axis=-1) + bias[targets])


def cross_entropy(logits: jax.Array, classes: jax.Array, smoothing: float = 0.0) -> jax.Array:
    """-sum_c t_c log softmax(z)_c with t = (1 - smoothing) one_hot(class) + smoothing / C.

    Args:
      logits: z [B..., C].
      classes: int [B...]; a class below 0 counts as none and gives no gradient beyond the smoothing's.
      smoothing: share of the target spread over all classes (Szegedy et al. 2016).

    Returns:
      [B...].
    """
    log_p = jax.nn.log_softmax(logits)
    one_hot = jax.nn.one_hot(classes, logits.shape[-1], dtype=log_p.dtype)
    return -jnp.sum(one_hot * log_p, axis=-1) * (1.0 - smoothing) - jnp.mean(log_p, axis=-1) * smoothing


def binary_cross_entropy(logits: jax.Array, targets: jax.Array) -> jax.Array:
    """mean_c -t_c log sigmoid(z_c) - (1 - t_c) log(1 - sigmoid(z_c)); [B..., C] in [0, 1] -> [B...]."""
    return jnp.mean(jax.nn.softplus(logits) - targets * logits, axis=-1)


def squared_error(predicted: jax.Array, targets: jax.Array) -> jax.Array:
    """mean_c (p_c - t_c)^2; [B..., C] -> [B...]."""
    return jnp.mean(jnp.square(predicted - targets), axis=-1)


def nt_xent(first: jax.Array, second: jax.Array, ids: jax.Array, temperature: float) -> jax.Array:
    """Normalised temperature-scaled cross-entropy of two views of each example (SimCLR, Chen et al. 2020).

    With z the 2N views at unit length, each view i must find its twin j among the views of other examples:
    -log( e^{z_i . z_j / t} / (e^{z_i . z_j / t} + sum_k e^{z_i . z_k / t}) ), k over the views with another id,
    averaged over an example's two views. Under jit the N examples are those of the whole batch, whatever devices they
    lie on.

    Args:
      first: float32 [N, D], one view of each example.
      second: float32 [N, D], the other view.
      ids: int [N]; views of one id are no negatives of each other.
      temperature: t.

    Returns:
      [N].
    """
    n = len(first)
    z = jnp.concatenate([first, second])
    z = unit_length(z)
    twins = jnp.roll(jnp.arange(2 * n), n)
    ids = jnp.concatenate([ids, ids])
    compared = (ids[:, None] != ids[None]) | (twins[:, None] == jnp.arange(2 * n)[None])
    scores = jnp.where(compared, z @ z.T / temperature, -jnp.inf)
    each = jax.nn.logsumexp(scores, axis=-1) - jnp.take_along_axis(scores, twins[:, None], axis=-1)[:, 0]
    return (each[:n] + each[n:]) / 2


def cross_modal(first: jax.Array, second: jax.Array, same: jax.Array, temperature: float) -> jax.Array:
    """Symmetric cross-entropy of two descriptions of each example, such as sound and words (CLIP, Radford et al. 2021).

    With a and b at unit length, the mean of -log softmax_j(a_i . b_j / t)_i and -log softmax_j(b_i . a_j / t)_i, j over
    the example itself and those that are not `same`. Under jit the N examples are those of the whole batch, whatever
    devices they lie on.

    Args:
      first: float32 [N, D].
      second: float32 [N, D].
      same: bool [N, N]; whether j is no negative of i.
      temperature: t.

    Returns:
      [N].
    """
    scores = unit_length(first) @ unit_length(second).T / temperature
    compared = ~same | jnp.eye(len(first), dtype=bool)
    forth = jax.nn.logsumexp(jnp.where(compared, scores, -jnp.inf), axis=1)
    back = jax.nn.logsumexp(jnp.where(compared, scores.T, -jnp.inf), axis=1)
    return (forth + back) / 2 - jnp.diagonal(scores)


def unit_length(vectors: jax.Array) -> jax.Array:
    """Vectors [..., D] at length 1."""
    return vectors * jax.lax.rsqrt(jnp.sum(jnp.square(vectors), axis=-1, keepdims=True) + 1e-12)
