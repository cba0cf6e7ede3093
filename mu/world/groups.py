"""Countries and age groups: how large each is, which are minorities, and what their members lean to."""

from typing import NamedTuple

import numpy as np

from mu.world import names
from mu.world.catalogue import AUDIBLE, N_COORDINATES

COUNTRY_SHARES = (1 / np.arange(2, 12)) / (1 / np.arange(2, 12)).sum()
"""The share of each of `names.COUNTRIES`; it falls like 1 / (k + 2)."""
AGE_SHARES = np.array([0.08, 0.25, 0.28, 0.18, 0.13, 0.08])
"""The share of each of `names.AGE_GROUPS`."""

# Two of the four minorities have a taste of their own; the other two are small and nothing else. So the effect of a
# group's size on a model can be told from the effect of its taste.
LOCAL_COUNTRY = names.COUNTRIES.index("SE")
"""This country's listeners come, for the most part, from one scene: the one farthest from all others."""
LOCAL_SHARE = 0.65
CALM_AGE_GROUP = names.AGE_GROUPS.index("55 and over")
"""This age group likes it calmer, slower and more acoustic than the others."""
_CALM = np.array([-0.6, -1.0, -0.3, 1.0, -0.6, 0.0])


class Group(NamedTuple):
    """Listeners who share a country or an age group.

    Attributes:
      column: 'country' or 'age_group', as in `listeners.csv`.
      value: the group's name there.
      listeners: int64 [n], the rows of its members.
      share: how much of the population it is by the law that members are drawn from.
      minority: whether that is less than half of an even share among the groups of its column.
    """

    column: str
    value: str
    listeners: np.ndarray
    share: float
    minority: bool


def groups_of(country: np.ndarray, age_group: np.ndarray) -> list[Group]:
    """All groups, countries first; `country` and `age_group` are int [U]."""
    kinds = (
        ("country", names.COUNTRIES, COUNTRY_SHARES, country),
        ("age_group", names.AGE_GROUPS, AGE_SHARES, age_group),
    )
    return [
        Group(column, value, np.flatnonzero(member == one), float(shares[one]), bool(shares[one] < 0.5 / len(shares)))
        for column, values, shares, member in kinds
        for one, value in enumerate(values)
    ]


def leaning(
    rng: np.random.Generator, home: np.ndarray, country: np.ndarray, age_group: np.ndarray, scene_centres: np.ndarray
) -> np.ndarray:
    """float64 [U, D]: `home` [U, D] moved by what country and age group lean to."""
    away = np.linalg.norm(scene_centres - scene_centres.mean(0), axis=1)
    local = country == LOCAL_COUNTRY
    home = np.where(local[:, None], (1 - LOCAL_SHARE) * home + LOCAL_SHARE * scene_centres[away.argmax()], home)
    by_age = rng.normal(scale=0.3, size=(len(AGE_SHARES), N_COORDINATES))
    by_age[CALM_AGE_GROUP, : len(AUDIBLE)] += _CALM
    return home + rng.normal(scale=0.4, size=(len(COUNTRY_SHARES), N_COORDINATES))[country] + by_age[age_group]
