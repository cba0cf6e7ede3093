"""The listening service: the slate it shows when a session opens, its probability, and the log of slates."""

import dataclasses
import hashlib

import numpy as np

from mu.world.catalogue import AUDIBLE, Catalogue
from mu.world.charts import Charts
from mu.world.choices import cumulate
from mu.world.records import Shelves
from mu.world.settings import Settings


@dataclasses.dataclass(frozen=True, eq=False)
class Exposures:
    """The log of slates: one for each session, in the order of `Plays`. S slates, K places.

    Attributes:
      listeners: int32 [S].
      times_ms: int64 [S], unix milliseconds; the start of the session's first play.
      contexts: int8 [S], index into `mu.world.contexts.CONTEXTS`.
      tracks: int32 [S, K], from the first place to the last; -1 where a place stayed empty.
      propensities: float64 [S, K], the probability with which that track was in that slate, given the past;
        its place is uniform whatever the slate. 0 where a place stayed empty.
      accepted: int8 [S], the place whose track was played, from 0; -1 where the session opened with something else.
    """

    listeners: np.ndarray
    times_ms: np.ndarray
    contexts: np.ndarray
    tracks: np.ndarray
    propensities: np.ndarray
    accepted: np.ndarray

    def __len__(self) -> int:
        return len(self.listeners)

    def hash(self) -> str:
        """sha256 over all but the propensities, whose last bits may differ from CPU to CPU."""
        digest = hashlib.sha256()
        for array in (self.listeners, self.times_ms, self.contexts, self.tracks, self.accepted):
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()


def examination(settings: Settings) -> np.ndarray:
    """float64 [K]: the probability that a listener looks at each place; they look at exactly one."""
    weights = np.arange(1, settings.slate_tracks + 1) ** -settings.examine_decay
    return weights / weights.sum()


def strata(catalogue: Catalogue, week: int, settings: Settings, seed: int) -> np.ndarray:
    """int64 [V]: each track's stratum in a week, -1 before release; equal parts at random, drawn anew each week.

    A slate holds one track of each stratum. So its tracks differ, and each has a probability that can be written down.
    """
    out = np.flatnonzero(catalogue.release_week <= week)
    stratum = np.full(len(catalogue), -1)
    stratum[out] = np.random.default_rng([seed, 3, week]).permutation(len(out)) % settings.slate_tracks
    return stratum


def policy(
    catalogue: Catalogue, charts: Charts, week: int, segments: np.ndarray, tracks: np.ndarray, settings: Settings
) -> np.ndarray:
    """float64 [len(segments), len(tracks)]: what the service would show in a slate of one track; rows sum to 1.

    Args:
      segments: int, index into the charts.
      tracks: int, all that are out.
    """
    score = charts.profiles(week)[segments] @ catalogue.vectors[tracks, : len(AUDIBLE)].T
    score *= settings.policy_taste
    score += settings.policy_popularity * np.log1p(charts.recent[week, tracks])
    score -= score.max(axis=1, keepdims=True)
    np.exp(score, out=score)
    score *= (1 - settings.policy_uniform) / score.sum(axis=1, keepdims=True)
    score += settings.policy_uniform / len(tracks)
    return score


def shelves_of(
    catalogue: Catalogue, charts: Charts, week: int, segments: np.ndarray, settings: Settings, seed: int
) -> Shelves:
    """The arrays from which the kernel draws a week's slates, one row for each of `segments`."""
    stratum = strata(catalogue, week, settings, seed)
    order = np.argsort(stratum, kind="stable")[(stratum < 0).sum() :]
    bounds = np.searchsorted(stratum[order], np.arange(settings.slate_tracks + 1))
    cumulated = policy(catalogue, charts, week, segments, order, settings)
    cumulate(cumulated, bounds)
    return Shelves(order, bounds, cumulated)


def exposure_probability(
    catalogue: Catalogue, charts: Charts, week: int, segments: np.ndarray, settings: Settings, seed: int
) -> np.ndarray:
    """float64 [len(segments), V]: the probability of each track to be in a slate of that week."""
    stratum = strata(catalogue, week, settings, seed)
    out = np.flatnonzero(stratum >= 0)
    chosen = policy(catalogue, charts, week, segments, out, settings)
    totals = np.zeros((len(segments), settings.slate_tracks))
    np.add.at(totals.T, stratum[out], chosen.T)
    probability = np.zeros((len(segments), len(catalogue)))
    probability[:, out] = chosen / totals[:, stratum[out]]
    return probability
