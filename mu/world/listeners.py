"""Listeners of a simulated world: who they are, what they like, and how that drifts from week to week."""

import dataclasses

import numpy as np

from mu.world import names
from mu.world.catalogue import Catalogue
from mu.world.groups import AGE_SHARES, COUNTRY_SHARES, leaning
from mu.world.settings import DAY_MS, START_MS, Settings


@dataclasses.dataclass(frozen=True, eq=False)
class Listeners:
    """Every listener of a world. U listeners, D coordinates, W weeks.

    Attributes:
      tastes: float64 [W + 1, U, D], the taste vector at the beginning of each week and at the end of the
        last; between them it moves on a straight line, one step each midnight (UTC).
      habits: float64 [U, 4], shares of a session's plays by album, flow, repeat and taste; rows sum to 1.
      n_plays: int64 [U], how many plays each listener has.
      joined_ms: int64 [U], midnight of the first day on which they may play.
      phase_min: float64 [U], how many minutes later than the average their day runs.
      country: int32 [U], index into `names.COUNTRIES`.
      age_group: int32 [U], index into `names.AGE_GROUPS`.
      susceptibility: float64 [U], how far a context moves their taste; 1 on average.
    """

    tastes: np.ndarray
    habits: np.ndarray
    n_plays: np.ndarray
    joined_ms: np.ndarray
    phase_min: np.ndarray
    country: np.ndarray
    age_group: np.ndarray
    susceptibility: np.ndarray

    def __len__(self) -> int:
        return len(self.n_plays)

    @property
    def segment(self) -> np.ndarray:
        """int32 [U]: country and age group as one number: all that the service knows of a listener."""
        return self.country * len(names.AGE_GROUPS) + self.age_group

    def taste(self, listeners: np.ndarray, times_ms: np.ndarray) -> np.ndarray:
        """float64 [B, D]: the taste vector on the day of each time (UTC), context aside.

        Times outside the simulated weeks get the nearest day.
        """
        n_days = 7 * (len(self.tastes) - 1)
        day = np.clip((np.asarray(times_ms, dtype=np.int64) - START_MS) // DAY_MS, 0, n_days - 1)
        week, part = day // 7, ((day % 7) / 7)[:, None]
        return (1 - part) * self.tastes[week, listeners] + part * self.tastes[week + 1, listeners]


def _drifting(rng: np.random.Generator, home: np.ndarray, settings: Settings) -> np.ndarray:
    """An Ornstein-Uhlenbeck process around `home` [U, D], exact week by week: float64 [W + 1, U, D]."""
    keep = np.exp(-1 / settings.drift_weeks)
    away = settings.drift * rng.normal(size=home.shape)
    tastes = np.empty((settings.weeks + 1, *home.shape))
    for week in range(settings.weeks + 1):
        tastes[week] = home + away
        away = keep * away + settings.drift * np.sqrt(1 - keep**2) * rng.normal(size=home.shape)
    return tastes


def _numbers_of_plays(rng: np.random.Generator, settings: Settings) -> np.ndarray:
    """int64 [U]: log-normal activity on top of the minimum; the sum is exact."""
    activity = np.cumsum(np.exp(rng.normal(scale=0.9, size=settings.listeners)))
    spare = settings.plays - settings.listeners * settings.min_plays
    bounds = np.floor(activity / activity[-1] * spare + 1e-6).astype(np.int64)
    return settings.min_plays + np.diff(bounds, prepend=0)


def make_listeners(settings: Settings, catalogue: Catalogue, seed: int) -> Listeners:
    """Draws the listeners; equal settings and seed give equal listeners."""
    rng = np.random.default_rng([seed, 2])
    n_users = settings.listeners
    country = rng.choice(len(COUNTRY_SHARES), size=n_users, p=COUNTRY_SHARES)
    age_group = rng.choice(len(AGE_SHARES), size=n_users, p=AGE_SHARES)

    # Home: two scenes that a listener comes from, leanings of country and age, something of their own.
    centres = catalogue.scene_centres
    n_coordinates = centres.shape[1]
    scenes = rng.integers(len(centres), size=(n_users, 2))
    weight = rng.uniform(0.5, 1.0, size=n_users)[:, None]
    home = weight * centres[scenes[:, 0]] + (1 - weight) * centres[scenes[:, 1]]
    home = leaning(rng, home, country, age_group, centres)
    home += rng.normal(scale=0.3, size=(n_users, n_coordinates))
    home *= settings.taste_scale / np.linalg.norm(home, axis=1, keepdims=True)

    taste_share = 1 - settings.album - settings.flow - settings.repeat
    mean = np.array([settings.album, settings.flow, settings.repeat, taste_share])
    habits = rng.gamma(settings.habit_concentration * mean, size=(n_users, 4))
    joined_day = np.floor(rng.uniform(0, 0.6, size=n_users) * settings.weeks * 7).astype(np.int64)
    joined_day[rng.random(n_users) < 0.5] = 0  # half of them were there from the start
    return Listeners(
        tastes=_drifting(rng, home, settings),
        habits=habits / habits.sum(1, keepdims=True),
        n_plays=_numbers_of_plays(rng, settings),
        joined_ms=START_MS + joined_day * DAY_MS,
        phase_min=np.clip(rng.normal(scale=90.0, size=n_users), -360, 360),
        country=country.astype(np.int32),
        age_group=age_group.astype(np.int32),
        susceptibility=rng.gamma(4.0, 0.25, size=n_users),
    )
