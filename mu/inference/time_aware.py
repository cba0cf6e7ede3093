"""A recommender that knows the time: ages of tracks, new releases, and tracks that training never saw."""

import copy
import functools
from collections.abc import Callable, Mapping
from typing import Any, Protocol, Self

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from mu.data.evidence_features import EvidenceFeatures
from mu.data.features import HistoryFeatures, known_features
from mu.inference.compiled import once
from mu.inference.evidence import AddedEvidence
from mu.inference.policy import CALIBRATED_DAYS, NEW_RELEASE_DAYS, Policy
from mu.inference.recommender import BLOCK, TrainedRecommender
from mu.protocols import Histories, Model, Task

DAY_MS = 24 * 3600 * 1000


class RowsOfHistories(Histories, Protocol):
    """Histories of users, of which some can be taken; every log is one."""

    def take(self, users: np.ndarray) -> Self: ...


class TimeAwareRecommender(TrainedRecommender):
    """A recommender whose item biases depend on the time: on the ages of the tracks.

    Where the model has evidence of counts, it is added to the scores, which are then no dot products; a track without
    plays in training has none.

    Args:
      graph: of a model with `age_bias`, `age_edges_days` and `track_parts`, such as `mu.models.audio_user.AudioUser`.
      task: see `TrainedRecommender`.
      features: see `TrainedRecommender`.
      params: see `TrainedRecommender`.
      rows: the whole tables; 'age_days' float32 [V, 1] at the end of the training log.
      end_ms: the end of the training log, unix milliseconds.
      policy: adds offsets by age and the boost of new releases.

    Attributes:
      policy: as given.
    """

    time_aware = True
    adds_evidence = True

    def __init__(
        self,
        *,
        graph: nnx.GraphDef,
        task: Task[Model],
        features: HistoryFeatures,
        params: Any,
        rows: Mapping[str, Any],
        end_ms: int,
        policy: Policy | None = None,
    ):
        super().__init__(graph=graph, task=task, features=features, params=params, rows=rows)
        self._end_ms, self.policy = end_ms, policy or Policy()
        self._age_bias = _age_bias(graph)
        self._age_days = np.asarray(rows["age_days"])[:, 0]
        self._trained_features = np.unique(np.asarray(rows["item_features"]))
        self._evidence = None
        if isinstance(features, EvidenceFeatures):
            self._evidence, self.dot_product = AddedEvidence(graph, self.params, features), False

    def with_policy(self, policy: Policy) -> "TimeAwareRecommender":
        """The same recommender under another policy."""
        other = copy.copy(self)
        other.policy = policy
        return other

    def scores(self, users: np.ndarray, histories: Histories, times_ms: np.ndarray | None = None) -> np.ndarray:
        """float32 [B, V]: larger is likelier to be played next, at these times."""
        scores, offsets = super().scores(users, histories, times_ms), self.offsets(histories)
        return scores if offsets is None else scores + offsets

    def offsets(self, histories: Histories) -> np.ndarray | None:
        """float32 [B, V]: what counts add to the scores of B listeners; None for a model without evidence."""
        return None if self._evidence is None else self._evidence.offsets(histories)

    def item_bias(self, times_ms: np.ndarray | None = None) -> np.ndarray:
        """What the age of each track and the policy add to its score.

        Args:
          times_ms: int64 [B], unix milliseconds; None for the end of the training log.

        Returns:
          float32 [B, V]; without times [V].
        """
        if times_ms is None:
            return self._bias_at(np.zeros(1, np.float32))[0]
        return self._bias_at(((np.asarray(times_ms, np.int64) - self._end_ms) / DAY_MS).astype(np.float32))

    def age_steps(self) -> tuple[np.ndarray, np.ndarray]:
        """What the age of a track and the policy add to its score, as steps (`mu.protocols.AgeAwareRecommender`).

        Steps of whole milliseconds are exact. `item_bias` counts the age as float32 days from the end of the training
        log: within its rounding, about a minute for a track ten years old, a track may be on the other side of an edge
        there. Where the two differ, the steps are right.

        Returns:
          (edges_ms int64 [S], values float32 [S + 1]).
        """
        edges_days = np.unique(
            [0.0, NEW_RELEASE_DAYS, *CALIBRATED_DAYS, *nnx.merge(self._graph, self.params).age_edges_days]
        )
        ages_days = np.asarray([edges_days[0] - 1.0, *edges_days], np.float32)
        values = self._bias_of(ages_days, np.zeros(1, np.float32))[0]
        return np.round(edges_days * DAY_MS).astype(np.int64), values

    def _bias_at(self, days: np.ndarray) -> np.ndarray:
        return self._bias_of(self._age_days, days)

    def _bias_of(self, age_days: np.ndarray, days: np.ndarray) -> np.ndarray:
        offsets = np.asarray(self.policy.age_offsets, np.float32)
        inputs = jax.device_put((age_days, days, np.float32(self.policy.new_release_boost), offsets))
        return np.asarray(self._age_bias(self.params, *inputs))

    def score_parts(self, columns: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The parts that the vectors of tracks are the sum of, the hashed features told apart by column.

        Args:
          columns: name -> int32 [V, P], hashed features that together are all that the tracks have; those that no row
            of the run has are left out, as in the rows.

        Returns:
          'own', 'sound' for a model of sound, and each column's, float32 [V, D].
        """
        columns = {name: known_features(features, self._trained_features) for name, features in columns.items()}
        whole, of_columns = _parts(self._graph)(self.params, self.rows, jax.device_put(dict(columns)))
        parts = {name: np.asarray(part) for name, part in whole.items() if name != "features"}
        count = sum((features >= 0).sum(axis=1, keepdims=True) for features in columns.values())
        for name, features in columns.items():
            own = (features >= 0).sum(axis=1, keepdims=True)
            parts[name] = np.asarray(of_columns[name]) * np.sqrt(own / np.maximum(count, 1)).astype(np.float32)
        return parts

    def cold_start(
        self,
        content: np.ndarray,
        item_features: np.ndarray,
        item_numbers: np.ndarray | None = None,
        earlier: np.ndarray | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Vectors and biases of tracks that training never saw, on the day of their release.

        Args:
          content: float32 [n, A], their clip vectors (`mu embed`).
          item_features: int32 [n, P], their hashed features, -1 for none; those that no row of the run has are left
            out.
          item_numbers: float64 [n, F], their numeric features in the units of the log, NaN for missing; None for all
            missing.
          earlier: int32 [n, N], in a model of `data.earlier_tracks`: tracks of the run, the earlier ones of each artist
            (`mu.data.listening.earlier_tracks`), -1 for none; None for none at all.

        Returns:
          (vectors float32 [n, D], bias float32 [n]).
        """
        n = len(content)
        new = {
            "items": np.zeros((n, self.item_vectors.shape[1]), np.float32),
            "plays": np.zeros((n, 1), np.float32),
            "age_days": np.zeros((n, 1), np.float32),
            "item_features": known_features(item_features, self._trained_features),
            "content": content,
        }
        if (scale := self._features.item_numbers) is not None:
            missing = np.full((n, len(scale.mean)), np.nan)
            new["item_numbers"] = scale.apply(missing if item_numbers is None else item_numbers)
        if earlier is not None and "earlier" not in self.rows:
            raise ValueError("this model reads no earlier tracks: train it with data.earlier_tracks, or leave them out")
        if "earlier" in self.rows:
            count = self.rows["earlier"].shape[1]
            new |= self._with_earlier(new, np.full((n, count), -1, np.int32) if earlier is None else earlier)
        vectors, bias = nnx.merge(self._graph, self.params).item_vectors(new)
        return np.asarray(vectors)[:n], np.asarray(bias)[:n] + np.float32(self.policy.age_offsets[0])

    def _with_earlier(self, new: dict[str, np.ndarray], earlier: np.ndarray) -> dict[str, np.ndarray]:
        """The rows of new tracks, those of their `earlier` ones after them, and 'earlier' as places among all these."""
        known, n = np.unique(earlier[earlier >= 0]), len(earlier)
        places = np.where(earlier >= 0, n + np.searchsorted(known, earlier), -1)
        rows = {"earlier": np.concatenate([places, np.full((len(known), earlier.shape[1]), -1)]).astype(np.int32)}
        for name in set(new) & set(self.rows):
            parts = [new[name], np.asarray(self.rows[name])[known]]
            width = max(part.shape[1] for part in parts)  # of hashed features there may be more or fewer: -1 for none
            padded = (np.pad(part, ((0, 0), (0, width - part.shape[1])), constant_values=-1) for part in parts)
            rows[name] = np.concatenate(list(padded))
        return rows

    @functools.cached_property
    def cold_start_covariance(self) -> np.ndarray:
        """float64 [D, D]: how far the vectors of new tracks are expected to be from what stands for them.

        The mean over the tracks that were played in training of (r - s)(r - s)^T, with r a track's own row and s what
        would stand for it if it had not been played.
        """
        own, stands_in = (np.asarray(part, np.float64) for part in _own_rows(self._graph)(self.params, self.rows))
        played = np.asarray(self.rows["plays"])[:, 0] > 0
        residuals = (own - stands_in)[played]
        return residuals.T @ residuals / max(len(residuals), 1)

    def cold_start_variance(self, queries: np.ndarray) -> np.ndarray:
        """float64 [B]: the variance of the score of a track without plays, q^T C q, for queries [B, D]."""
        return np.einsum("bd,de,be->b", queries, self.cold_start_covariance, queries)

    def sampled(self, random: np.random.Generator) -> "TimeAwareRecommender":
        """The same recommender with the vectors of tracks without plays drawn from their posterior, for exploration.

        Their score is then normal with the mean it has here and the variance `cold_start_variance` (Thompson sampling).
        """
        new = np.flatnonzero(np.asarray(self.rows["plays"])[:, 0] == 0)
        noise = random.multivariate_normal(np.zeros(self.item_vectors.shape[1]), self.cold_start_covariance, len(new))
        other = copy.copy(self)
        other.item_vectors = np.array(self.item_vectors)
        other.item_vectors[new] += noise.astype(np.float32)
        return other

    def log_share(
        self,
        queries: np.ndarray,
        histories: RowsOfHistories,
        vectors: np.ndarray,
        bias: np.ndarray,
        catalogue_bias: np.ndarray,
    ) -> np.ndarray:
        """Log of the share of their plays that users would give to some tracks without plays, beside the catalogue.

        s_v - log sum_w e^{s_w}, float32 [B, n]. It compares users; for one user it orders tracks as scores do.

        Args:
          queries: float32 [B, D].
          histories: B rows, of which counts say something of the catalogue's tracks.
          vectors: float32 [n, D].
          bias: float32 [n].
          catalogue_bias: float32 [V], of the catalogue's tracks at that moment; -inf for tracks that are not out.
        """
        log_z = np.empty((len(queries), 1))
        for start in range(0, len(queries), BLOCK):
            users = np.arange(start, min(start + BLOCK, len(queries)))
            scores = queries[users] @ self.item_vectors.T + catalogue_bias
            if (offsets := self.offsets(histories.take(users))) is not None:
                scores = scores + offsets
            most = scores.max(axis=1, keepdims=True)
            log_z[start : start + BLOCK] = most + np.log(np.exp(scores - most).sum(axis=1, keepdims=True))
        return (queries @ vectors.T + bias - log_z).astype(np.float32)


@once
def _parts(graph: nnx.GraphDef) -> Callable[..., tuple[dict[str, jax.Array], dict[str, jax.Array]]]:
    """(the parts of all tracks' vectors, the vectors of the hashed features of each column)."""

    def parts(params: Any, rows: Any, columns: Any) -> tuple[dict[str, jax.Array], dict[str, jax.Array]]:
        model = nnx.merge(graph, params)
        return model.track_parts(rows), {name: model.track_features(one) for name, one in columns.items()}

    return jax.jit(parts)


@once
def _own_rows(graph: nnx.GraphDef) -> Callable[..., tuple[jax.Array, jax.Array]]:
    """(the own part of all tracks' vectors, what it would be if no track had been played)."""

    def own(params: Any, rows: Any) -> tuple[jax.Array, jax.Array]:
        model = nnx.merge(graph, params)
        unplayed = {**rows, "plays": jnp.zeros_like(rows["plays"])}
        stands_in = jnp.broadcast_to(model.track_parts(unplayed)["own"], rows["items"].shape)
        return model.track_parts(rows)["own"], stands_in

    return jax.jit(own)


@once
def _age_bias(graph: nnx.GraphDef) -> Callable[..., jax.Array]:
    """The biases [B, V] of tracks of these ages, at these days."""

    def bias(params: Any, age_days: jax.Array, days: jax.Array, boost: jax.Array, offsets: jax.Array) -> jax.Array:
        ages = age_days[None] + days[:, None]
        is_new = (ages >= 0) & (ages < NEW_RELEASE_DAYS)
        bias, from_days = nnx.merge(graph, params).age_bias(ages) + boost * is_new.astype(boost.dtype), 0.0
        for offset, until_days in zip(offsets, CALIBRATED_DAYS, strict=True):
            bias += offset * ((ages >= from_days) & (ages < until_days)).astype(offset.dtype)
            from_days = until_days
        return bias

    return jax.jit(bias)
